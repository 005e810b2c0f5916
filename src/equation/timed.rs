//! Solutions as functions of their times.
//!
//! Between two output times the clock runs at a rate `ρ = (t₁ − t₀)/(t₁ − t₀)`, whose value is 1: the right-hand side is
//! `ρ f(t₀ + ρ (τ − t₀), y)`, steps and times stay what they are, and a gradient with respect to `ρ` and to the reading at the
//! beginning of the interval is one with respect to the times. Explicit, exponential and implicit methods take it as they take any parameter.

use super::base::Equation;
use super::form::Evolution;
use super::problem::{Choices, Solved};
use super::setting::Setting;
use crate::error::{Error, Result};
use crate::session::Progress;
use crate::solve::Statistics;
use crate::tensor::Tensor;

impl Choices {
    /// As [`solve`](Self::solve), with gradients to the times, `clock`, whose values are `times`. Every output time is the end of a
    /// step; methods with a memory begin anew after it.
    ///
    /// # Errors
    /// Edges that depend on time, and those of [`solve`](Self::solve).
    #[allow(clippy::too_many_arguments)] // those of `solve` and the clock
    pub fn solve_timed(
        &self,
        equation: &Equation,
        evolution: &Evolution,
        setting: &Setting,
        start: &Tensor,
        times: &[f64],
        clock: &Tensor,
        progress: Option<&dyn Fn(u64) -> Progress>,
    ) -> Result<Solved> {
        refuse_moving_edges(setting)?;
        let progress = progress.filter(|_| times.len() == 2);
        let (mut whole, mut states) = (None::<Solved>, Vec::new());
        for (i, pair) in times.windows(2).enumerate() {
            let (from, to) = (clock.narrow(0, i, 1)?, clock.narrow(0, i + 1, 1)?);
            let span = to.sub(&from)?;
            let setting = setting.with_clock(pair[0], &span.div(&span.detach())?, &from)?;
            let start = states.last().unwrap_or(start).clone();
            let solved = self.solve(equation, evolution, setting, &start, pair, progress)?;
            states.extend(solved.states.iter().skip(usize::from(i > 0)).cloned());
            let before = whole.take();
            let statistics = match &before {
                Some(before) => joined(&before.statistics, &solved.statistics),
                None => solved.statistics.clone(),
            };
            let warning = before.and_then(|b| b.warning).or(solved.warning.clone());
            whole = Some(Solved { states: Vec::new(), path: None, statistics, warning, ..solved });
        }
        let whole = whole.ok_or_else(|| Error::value("a gradient with respect to times needs two of them"))?;
        Ok(Solved { states, ..whole })
    }
}

fn joined(a: &Statistics, b: &Statistics) -> Statistics {
    Statistics {
        steps: [a.steps.as_slice(), &b.steps].concat(),
        rejected: a.rejected + b.rejected,
        evaluations: a.evaluations + b.evaluations,
    }
}

fn refuse_moving_edges(setting: &Setting) -> Result<()> {
    let mut edges = setting.grid.sides().iter().flatten().flat_map(|side| side.all());
    if edges.any(|edge| edge.value().is_some_and(crate::field::EdgeValue::takes_time)) {
        return Err(Error::value("no gradient with respect to the times where the value of an edge depends on time")
            .got(&setting.grid)
            .advice("take edges that stay as they are, or differences of two solutions"));
    }
    Ok(())
}
