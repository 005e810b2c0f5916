//! Losses that train a score on paths.

use super::process::{Clock, Process, Scheme};
use super::score::Score;
use crate::error::{Error, Result};
use crate::field::Path;
use crate::session::interrupt;
use crate::tensor::{Tensor, Unary};

/// The sliding-window loss of score matching via differentiable physics (Holzschuh et al., 2023).
///
/// From each start `m` (a time of the path, counted from its end) the probability flow is unrolled backwards over `window` steps,
///
/// `y ← y − P(y) + ½ g² Δt n(y, t)`,
///
/// beginning at the path's own state, and compared with the path after each step: the loss is the sum over steps of the
/// mean squared difference, averaged over the starts. Gradients go through all steps. All windows are advanced together.
///
/// `n` is what the network returns. For a window of one step its best value makes the step the conditional mean,
/// so `½ n` estimates the score: **n ≈ 2 × score**. A reverse-time SDE with this network therefore takes the factor ½.
///
/// # Errors
/// A window longer than the path; starts outside of it.
pub fn window_loss(process: &Process, network: &Score, path: &Path, window: usize, starts: &[usize]) -> Result<Tensor> {
    let (steps, samples, lead) = parts(process, path)?;
    if window == 0 || window > steps || starts.is_empty() || starts.iter().any(|s| s.saturating_add(window) > steps) {
        return Err(Error::value("windows must lie within the path")
            .got(format!("windows of {window} steps from {starts:?}"))
            .expected(format!("1 to {steps} steps; a start and its window within {steps} steps")));
    }
    let mut flat = vec![samples.saturating_mul(starts.len())];
    flat.extend(lead);
    // [start, sample, …] as one batch: each row has its own time.
    let states_at = |offset: usize| -> Result<Tensor> {
        let at: Vec<i64> = starts.iter().map(|s| (steps - s - offset) as i64).collect();
        path.values().take(1, &at)?.swap(0, 1)?.reshape(&flat)
    };
    let clock_at = |offset: usize, shift: usize| {
        let each = |f: &dyn Fn(usize) -> f64| {
            starts.iter().flat_map(|s| std::iter::repeat_n(f(steps - s - offset), samples)).collect()
        };
        Clock::Each { t: each(&|m| time(path, m - shift)), dt: each(&|m| time(path, m) - time(path, m - 1)) }
    };
    let mut y = states_at(0)?;
    let mut loss: Option<Tensor> = None;
    for offset in 0..window {
        interrupt::poll()?;
        let (now, step) = (clock_at(offset, 0), clock_at(offset, 1));
        let correction = network(&y, &now.times(&y)?)?.mul(&process.strength(&y, &step, 2, 0.5)?)?;
        y = y.scale(2.0)?.sub(&process.advance(&y, &step)?)?.add(&correction)?;
        let term = y.sub(&states_at(offset + 1)?)?.unary(Unary::Square)?.mean(&[], false)?;
        loss = Some(match loss {
            Some(sum) => sum.add(&term)?,
            None => term,
        });
    }
    loss.ok_or_else(|| Error::internal("a window of no steps"))
}

/// The single-step denoising loss: `½ g² Δt · mean ‖s(x_m, t_m) + (x_m − F(x_(m−1)))/(g² Δt)‖²` over the steps ending at `ends`, where F is
/// the forward step without noise. Its minimum is the score of the discrete process: factor 1.
///
/// # Errors
/// Ends outside of the path; a diffusion of zero.
pub fn denoising_loss(process: &Process, score: &Score, path: &Path, ends: &[usize]) -> Result<Tensor> {
    let (steps, samples, lead) = parts(process, path)?;
    if process.scheme == Scheme::Exact {
        return Err(Error::value("the denoising loss needs noise of one width for all wavenumbers")
            .got("a process with the scheme \"exact\"")
            .expected("\"exponential\" or \"euler_maruyama\""));
    }
    if ends.is_empty() || ends.iter().any(|&m| m == 0 || m > steps) {
        return Err(Error::value("steps must lie within the path")
            .got(format!("{ends:?}"))
            .expected(format!("1 to {steps}")));
    }
    let mut flat = vec![samples.saturating_mul(ends.len())];
    flat.extend(lead);
    let gather = |back: usize| -> Result<Tensor> {
        let at: Vec<i64> = ends.iter().map(|m| (m - back) as i64).collect();
        path.values().take(1, &at)?.swap(0, 1)?.reshape(&flat)
    };
    let each = |f: &dyn Fn(usize) -> f64| -> Vec<f64> {
        ends.iter().flat_map(|&m| std::iter::repeat_n(f(m), samples)).collect()
    };
    let dt = each(&|m| time(path, m) - time(path, m - 1));
    let now = Clock::Each { t: each(&|m| time(path, m)), dt: dt.clone() };
    let step = Clock::Each { t: each(&|m| time(path, m - 1)), dt };
    let (x, before) = (gather(0)?, gather(1)?);
    let width = process.strength(&x, &step, 1, 1.0)?;
    if width.min(&[], false)?.item()? <= 0.0 {
        return Err(Error::value("the denoising loss needs noise").got("g = 0"));
    }
    // Written with noise ξ = (x − F)/(g√Δt) and g√Δt s, so that no 1/(g²Δt) amplifies rounding.
    let xi = x.sub(&process.advance(&before, &step)?)?.div(&width)?.detach();
    let s = score(&x, &now.times(&x)?)?.mul(&width)?;
    s.add(&xi)?.unary(Unary::Square)?.mean(&[], false)?.scale(0.5)
}

/// Steps and samples of a path, and the axes behind them.
fn parts(process: &Process, path: &Path) -> Result<(usize, usize, Vec<usize>)> {
    let shape = path.values().shape();
    let lead = shape.get(2..).unwrap_or(&[]).to_vec();
    let samples = shape.first().copied().unwrap_or(0);
    if samples == 0 {
        return Err(Error::shape("the path has no samples").got(format!("shape {shape:?}")));
    }
    process.refuse_elsewhere(&[&[samples], &lead[..]].concat(), path.grid())?;
    Ok((path.times().len().saturating_sub(1), samples, lead))
}

/// Time number `m`; its callers have checked that there is one.
fn time(path: &Path, m: usize) -> f64 {
    path.times().get(m).copied().unwrap_or(f64::NAN)
}
