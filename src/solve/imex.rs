//! The linear part implicit, the rest explicit: for stiff linear parts whose exponential is not at hand.
//!
//! Ascher, Ruuth, Spiteri, *Appl. Numer. Math.* 25 (1997) 151; Ascher, Ruuth, Wetton, *SIAM J. Numer. Anal.* 32 (1995) 797.

use super::exponential::linear_part;
use super::method::Memory;
use super::system::{System, linear_rate};
use super::vector::Vector;
use crate::error::Result;

/// Two tables with common times. Both give the last stage as the result, so the weights need no row of their own.
#[derive(Debug, PartialEq)]
pub struct ImexTableau {
    /// The name in messages.
    pub name: &'static str,
    /// The order of convergence.
    pub order: usize,
    /// Times of the stages.
    pub c: &'static [f64],
    /// The explicit table: row `i` holds `âᵢ₀ … âᵢ,ᵢ₋₁`.
    pub explicit: &'static [&'static [f64]],
    /// The implicit table: row `i` holds `aᵢ₀ … aᵢᵢ`.
    pub implicit: &'static [&'static [f64]],
}

/// `1 − 1/√2`
const GAMMA: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
/// `1 − 1/(2γ)`
const DELTA: f64 = 1.0 - 0.5 / GAMMA;

/// ARS(2,2,2): second order, L-stable in the implicit part.
pub static ARS_222: ImexTableau = ImexTableau {
    name: "ars222",
    order: 2,
    c: &[0.0, GAMMA, 1.0],
    explicit: &[&[], &[GAMMA], &[DELTA, 1.0 - DELTA]],
    implicit: &[&[0.0], &[0.0, GAMMA], &[0.0, 1.0 - GAMMA, GAMMA]],
};

/// ARS(4,4,3): third order, L-stable in the implicit part.
pub static ARS_443: ImexTableau = ImexTableau {
    name: "ars443",
    order: 3,
    c: &[0.0, 0.5, 2.0 / 3.0, 0.5, 1.0],
    explicit: &[&[], &[0.5], &[11.0 / 18.0, 1.0 / 18.0], &[5.0 / 6.0, -5.0 / 6.0, 0.5], &[0.25, 1.75, 0.75, -1.75]],
    implicit: &[&[0.0], &[0.0, 0.5], &[0.0, 1.0 / 6.0, 0.5], &[0.0, -0.5, 0.5, 0.5], &[0.0, 1.5, -1.5, 0.5, 0.5]],
};

/// One step: `(I − aᵢᵢ h L) Yᵢ = y + h Σ (âᵢⱼ N(Yⱼ) + aᵢⱼ (L Yⱼ + bⱼ)) + aᵢᵢ h bᵢ`, with the [`offset`](super::Linear::offset) `b` of `L`.
pub(super) fn step<S: System>(tableau: &ImexTableau, system: &S, t: f64, h: f64, y: &S::State) -> Result<S::State> {
    let linear = linear_part(system, tableau.name)?;
    let (mut explicit, mut implicit): (Vec<S::State>, Vec<Option<S::State>>) = (Vec::new(), Vec::new());
    let mut stage = y.clone();
    for (i, c) in tableau.c.iter().enumerate() {
        let (row, implicit_row) = (tableau.explicit[i], tableau.implicit[i]);
        if i > 0 {
            let rates = row.iter().zip(&explicit).map(|(w, k)| (h * w, k));
            let linear_rates = implicit_row.iter().zip(&implicit).filter_map(|(w, k)| k.as_ref().map(|k| (h * w, k)));
            let own = linear.offset(t + c * h, y)?;
            let own_rate = own.iter().map(|b| (h * implicit_row[i], b));
            let terms: Vec<(f64, &S::State)> =
                rates.chain(linear_rates).chain(own_rate).filter(|(w, _)| *w != 0.0).collect();
            let known = y.add_scaled(&terms)?;
            stage = system.settle(t + c * h, linear.resolve(implicit_row[i] * h, &known)?)?;
        }
        if i + 1 < tableau.c.len() {
            explicit.push(system.nonlinear(t + c * h, &stage)?);
            // The first column of the implicit table is 0: L y itself is never needed.
            let wanted = tableau.implicit[i + 1..].iter().any(|row| row.get(i).is_some_and(|w| *w != 0.0));
            implicit.push(if wanted { Some(linear_rate(linear, t + c * h, &stage)?) } else { None });
        }
    }
    Ok(stage)
}

/// One step of `(I − ½hL) y₁ = (I + ½hL) y + ½h (b₀ + b₁) + h ((1 + ω/2) N₀ − (ω/2) N₋₁)`, where `ω` is this step divided by the last.
///
/// The first step takes `N₀` alone: its error is of second order, as that of the whole.
pub(super) fn cnab2<S: System>(system: &S, t: f64, h: f64, memory: &Memory<S::State>) -> Result<Memory<S::State>> {
    let linear = linear_part(system, "cnab2")?;
    let y = &memory.y;
    let rate = system.nonlinear(t, y)?;
    let half = linear_rate(linear, t, y)?;
    let next = linear.offset(t + h, y)?;
    let known = match memory.past.first() {
        Some(before) => {
            let omega = h / memory.last_step;
            y.add_scaled(&[(0.5 * h, &half), (h * (1.0 + omega / 2.0), &rate), (-h * omega / 2.0, before)])?
        }
        None => y.add_scaled(&[(0.5 * h, &half), (h, &rate)])?,
    };
    let known = match &next {
        Some(next) => known.add_scaled(&[(0.5 * h, next)])?,
        None => known,
    };
    let y_new = system.settle(t + h, linear.resolve(0.5 * h, &known)?)?;
    Ok(Memory { y: y_new, past: vec![rate], last_step: h })
}
