//! Backwards in time: the reverse-time SDE and the probability-flow ODE.

use super::process::{Clock, Process, ascending, refuse_not_finite};
use super::score::Score;
use crate::error::Result;
use crate::field::{Path, State};
use crate::session::Progress;
use crate::tensor::random::{Key, normal_samples};

/// How a reverse step is made; `s` is the score, `c g² Δt s` the correction (`c = 1` for the SDE, ½ for the ODE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrator {
    /// `y − P(y) + c g² Δt s`: algorithm 1 of Holzschuh et al., with P the increment of a forward step. Of first order; for
    /// a decaying mode the physics factor is `2 − a`, bounded by 2.
    Euler,
    /// `e^(−λΔt) (y + c g² Δt s)`: exact for the drift. With the exact score and c = 1 this is the conditional mean
    /// `E[x_(m−1) | x_m]` (Tweedie's formula), whatever the step.
    ConditionalMean,
}

/// What a reverse path needs beside the score.
#[derive(Debug, Clone, Copy)]
pub struct Reverse {
    /// How steps are made.
    pub integrator: Integrator,
    /// The factor `c` of the correction `c g² Δt s`.
    pub correction: f64,
    /// Whether noise `g √Δt z` is added after each step.
    pub noise: bool,
    /// Whether noise is added after the last step too.
    pub last_noise: bool,
    /// The seed of the noise.
    pub seed: u64,
}

impl Process {
    /// From states `end` at the last of `times` back to the first; the path is returned in the order of `times`. `samples` are the
    /// numbers of the states: the noise of a state depends on the seed and its number alone.
    ///
    /// # Errors
    /// Times out of order; a state that is no longer finite, with the step and the time.
    pub fn reverse(
        &self,
        score: &Score,
        end: &State,
        times: &[f64],
        samples: &[u64],
        how: Reverse,
        progress: &mut Progress,
    ) -> Result<Path> {
        ascending(times)?;
        self.refuse_elsewhere(&end.values.shape(), end.grid.as_ref())?;
        let key = Key::new(how.seed).purpose("reverse noise");
        let mut y = end.values.clone();
        let one = y.shape().get(1..).unwrap_or(&[]).to_vec();
        let mut states = vec![end.clone()];
        for (m, pair) in times.windows(2).enumerate().map(|(m, pair)| (m + 1, pair)).rev() {
            let &[before, t] = pair else { continue };
            let now = Clock::One { t, dt: t - before };
            // A forward step began at the earlier time: its noise and drift are those of that time.
            let step = Clock::One { t: before, dt: t - before };
            let correction = score(&y, &now.times(&y)?)?.mul(&self.strength(&y, &step, 2, how.correction)?)?;
            y = match how.integrator {
                Integrator::Euler => y.scale(2.0)?.sub(&self.advance(&y, &step)?)?.add(&correction)?,
                Integrator::ConditionalMean => self.retreat(&y.add(&correction)?, &step)?,
            };
            if how.noise && (how.last_noise || m > 1) {
                let z = normal_samples(y.context(), key.step(m as u64), samples, &one)?.cast(y.precision())?;
                y = y.add(&z.mul(&self.strength(&y, &step, 1, 1.0)?)?)?;
            }
            refuse_not_finite(&y, "the reverse path", times.len() - m, before)?;
            states.push(end.with(y.clone()));
            progress.step(|| format!("t = {before:.4}"))?;
        }
        states.reverse();
        Path::new(&states, times)
    }
}
