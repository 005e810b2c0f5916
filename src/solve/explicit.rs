//! One step of an explicit Runge–Kutta method, for any table.

use super::method::{Memory, Step};
use super::system::System;
use super::tableau::{Embedded, Tableau};
use super::vector::Vector;
use crate::error::{Error, Result};

/// `y + h Σ wᵢ kᵢ`.
fn along<V: Vector>(y: &V, h: f64, weights: &[f64], stages: &[V]) -> Result<V> {
    let terms: Vec<(f64, &V)> =
        weights.iter().zip(stages).filter(|(w, _)| **w != 0.0).map(|(w, k)| (h * w, k)).collect();
    y.add_scaled(&terms)
}

/// One step. Constraints are imposed on every stage and on the result, so the last stage of a pair with first-same-as-last is
/// evaluated at the very state that the next step begins with.
pub(super) fn step<S: System>(
    tableau: &Tableau,
    system: &S,
    t: f64,
    h: f64,
    memory: &Memory<S::State>,
) -> Result<Step<S::State>> {
    let y = &memory.y;
    let mut stages: Vec<S::State> = Vec::with_capacity(tableau.b.len());
    let mut last = None;
    for (row, c) in tableau.a.iter().zip(tableau.c) {
        let rate = match (stages.is_empty(), memory.past.first()) {
            (true, Some(known)) => known.clone(),
            (true, None) => system.rhs(t, y)?,
            _ => {
                let stage = system.settle(t + c * h, along(y, h, row, &stages)?)?;
                let rate = system.rhs(t + c * h, &stage)?;
                last = Some(stage);
                rate
            }
        };
        stages.push(rate);
    }
    let fsal = tableau.is_fsal();
    let y_new = match last.filter(|_| fsal) {
        Some(stage) => stage,
        None => system.settle(t + h, along(y, h, tableau.b, &stages)?)?,
    };
    let past = if fsal { stages.last().cloned().into_iter().collect() } else { Vec::new() };
    if tableau.embedded.is_none() {
        stages.clear();
    }
    Ok(Step { memory: Memory { y: y_new, past, last_step: h }, stages })
}

/// `h Σ (bᵢ − b̂ᵢ) kᵢ`, the estimate of the error of a step.
pub(super) fn error<V: Vector>(pair: &Embedded, h: f64, stages: &[V]) -> Result<V> {
    let terms: Vec<(f64, &V)> = pair.error.iter().zip(stages).map(|(w, k)| (h * w, k)).collect();
    V::combination(&terms)
}

/// The state at `t + θh` inside a step that began at `y`.
pub(super) fn inside<V: Vector>(tableau: &Tableau, theta: f64, y: &V, h: f64, stages: &[V]) -> Result<V> {
    let pair = tableau.embedded.as_ref().filter(|p| p.dense.len() == stages.len());
    let pair = pair.ok_or_else(|| Error::internal(format!("{} has no states inside a step", tableau.name)))?;
    let weight = |row: &&[f64]| row.iter().rev().fold(0.0, |sum, d| (sum + d) * theta);
    along(y, h, &pair.dense.iter().map(weight).collect::<Vec<_>>(), stages)
}
