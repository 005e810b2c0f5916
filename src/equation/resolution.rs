//! Whether a periodic grid resolves a solution: how much of its spectrum stands in the finest modes.

use super::spectral::Spectral;
use crate::error::Result;
use crate::solve::Symbol;
use crate::tensor::{Complex, Precision, number};

/// The part of the modes, counted from the finest, that a smooth solution leaves nearly empty.
const FINEST: f64 = 0.15;
/// The share of the largest mode above which the finest ones are not empty.
const SHARE: f64 = 0.01;

/// A warning where the finest modes of a solution are not small, and were so at its start.
///
/// Where products lose the modes above a third, the finest are those below that: nothing but the linear part acts on the others.
pub(super) fn warning(
    lane: &Spectral,
    start: impl FnOnce() -> Result<Complex>,
    end: &Complex,
) -> Result<Option<String>> {
    let share = share(lane, end)?;
    // Who starts from noise knows that it is no smooth function.
    if share.is_nan() || share <= SHARE || share <= 2.0 * self::share(lane, &start()?)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "solve: the grid does not resolve the solution: its finest modes have {} % of the largest; take more points, or where shocks form transport: \"weno5\"",
        number((1000.0 * share).round() / 10.0)
    )))
}

/// A warning where the linear part lets the finest modes grow fastest, and so far that rounding becomes as large as a solution: diffusion with the wrong sign,
/// or backward in time. What grows without bound with the wavenumber has no solution that a finer grid would approach.
pub(super) fn ill_posed(lane: &Spectral, symbol: Option<&Symbol>, span: f64) -> Result<Option<String>> {
    let Some(symbol) = symbol else { return Ok(None) };
    let grid = &lane.setting().grid;
    if grid.shape().iter().all(|n| *n < 8) {
        return Ok(None);
    }
    let ranks = std::cell::OnceCell::new();
    let is_finest = |mode: usize| ranks.get_or_init(|| finest(lane, 0.5, true)).get(mode) == Some(&2);
    let [most, least] = symbol.growth(is_finest)?;
    // Backward in time what decays grows.
    let (growth, finest) = if span < 0.0 { least } else { most };
    let epsilon = if lane.setting().precision == Precision::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    if !finest || growth * span < -epsilon.ln() {
        return Ok(None);
    }
    Ok(Some(format!(
        "solve: the finest modes grow fastest, by e^{} over this time: rounding becomes as large as the solution, and more points make it worse; is a sign wrong, or does time run backward?",
        number((growth * span).round())
    )))
}

/// The largest of the finest modes relative to the largest of all.
fn share(lane: &Spectral, state: &Complex) -> Result<f64> {
    let limit = if lane.is_dealiased() { 1.0 / 3.0 } else { 0.5 };
    let ranks = finest(lane, limit, false);
    let (re, im) = (state.re.to_vec()?, state.im.to_vec()?);
    let (mut largest, mut finest) = (0.0f64, 0.0f64);
    for ((re, im), rank) in re.iter().zip(&im).zip(ranks.iter().cycle()) {
        let size = re * re + im * im;
        match rank {
            0 => {}
            1 => largest = largest.max(size),
            _ => finest = finest.max(size),
        }
    }
    Ok((finest / largest.max(finest)).sqrt())
}

/// 2 for the finest modes, 1 for others that count, 0 for the mean and for modes beyond the limit; the mode of half the points counts where `all` do.
fn finest(lane: &Spectral, limit: f64, all: bool) -> Vec<u8> {
    let points = lane.setting().grid.shape();
    let modes = lane.setting().grid.spectral_shape();
    let mut ranks = vec![1u8];
    for (axis, (&count, &n)) in modes.iter().zip(&points).enumerate() {
        let half = axis + 1 == modes.len();
        let rank = |i: usize| {
            let k = if half { i } else { i.min(n - i) } as f64 / n as f64;
            match k {
                // The mode of half the points has no phase of its own.
                k if k > limit || (n > 1 && 2 * i == n && !all) => 0,
                k if n > 3 && k >= (1.0 - FINEST) * limit => 2,
                _ => 1,
            }
        };
        let along: Vec<u8> = (0..count).map(rank).collect();
        ranks = ranks
            .iter()
            .flat_map(|a| along.iter().map(move |b| if *a == 0 || *b == 0 { 0 } else { *a.max(b) }))
            .collect();
    }
    if let Some(mean) = ranks.first_mut() {
        *mean = 0;
    }
    ranks
}
