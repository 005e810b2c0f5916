//! Exponential time differencing: the linear part exact, the rest by Runge–Kutta.
//!
//! Cox and Matthews, *J. Comput. Phys.* 176 (2002) 430, formulas (20)–(29) with their names of stages; the functions
//! `φⱼ` in place of their quotients, which lose all digits for small `hL` (Kassam and Trefethen, *SIAM J. Sci. Comput.* 26 (2005) 1214).

use super::system::{Linear, Phi, System};
use crate::error::{Error, Result};

/// An exponential integrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exponential {
    /// `e^(hL) y`: exact for a linear system, with any step.
    Exact,
    /// `e^(hL) y + h φ₁ N(y)`, first order.
    Etdrk1,
    /// Second order, two stages.
    Etdrk2,
    /// Third order, three stages.
    Etdrk3,
    /// Fourth order, four stages: the usual choice for stiff linear parts.
    Etdrk4,
}

impl Exponential {
    /// The order of convergence; `None` for the exact step.
    pub fn order(self) -> Option<usize> {
        match self {
            Self::Exact => None,
            Self::Etdrk1 => Some(1),
            Self::Etdrk2 => Some(2),
            Self::Etdrk3 => Some(3),
            Self::Etdrk4 => Some(4),
        }
    }
}

/// The linear part, which these methods cannot do without.
pub(super) fn linear_part<'a, S: System>(system: &'a S, method: &str) -> Result<&'a dyn Linear<S::State>> {
    system.linear().ok_or_else(|| {
        Error::value(format!("{method} needs a linear part with constant coefficients, and this system has none"))
            .advice(
                "take an explicit method such as \"rk4\" or \"dormand_prince\", or an implicit one such as \"bdf2\"",
            )
    })
}

/// One step.
pub(super) fn step<S: System>(method: Exponential, system: &S, t: f64, h: f64, v: &S::State) -> Result<S::State> {
    let linear = linear_part(system, "an exponential integrator")?;
    let n = |t: f64, y: &S::State| system.nonlinear(t, y);
    let settled = |t: f64, terms: &[(Phi, &S::State)]| system.settle(t, linear.combine(h, terms)?);
    // e^(hL), e^(hL/2), h φ₁(hL), and (h/2) φ₁(hL/2).
    let (whole, half) = (Phi::exp(1.0), Phi::exp(0.5));
    let (rate, half_rate) = (Phi::rate(1.0, [1.0, 0.0, 0.0]), |factor: f64| Phi::rate(0.5, [0.5 * factor, 0.0, 0.0]));
    if system.is_linear() {
        return settled(t + h, &[(whole, v)]);
    }
    match method {
        Exponential::Exact => Err(Error::value("only a linear equation with constant coefficients has exact steps")
            .advice("take \"etdrk4\": the linear part is exact there, the rest of fourth order")),
        Exponential::Etdrk1 => settled(t + h, &[(whole, v), (rate, &n(t, v)?)]),
        Exponential::Etdrk2 => {
            let nv = n(t, v)?;
            let a = settled(t + h, &[(whole, v), (rate, &nv)])?;
            let na = n(t + h, &a)?;
            let (first, second) = (Phi::rate(1.0, [1.0, -1.0, 0.0]), Phi::rate(1.0, [0.0, 1.0, 0.0]));
            settled(t + h, &[(whole, v), (first, &nv), (second, &na)])
        }
        Exponential::Etdrk3 => {
            let nv = n(t, v)?;
            let a = settled(t + h / 2.0, &[(half, v), (half_rate(1.0), &nv)])?;
            let na = n(t + h / 2.0, &a)?;
            let twice = Phi::rate(1.0, [2.0, 0.0, 0.0]);
            let b = settled(t + h, &[(whole, v), (Phi::rate(1.0, [-1.0, 0.0, 0.0]), &nv), (twice, &na)])?;
            let nb = n(t + h, &b)?;
            let middle = Phi::rate(1.0, [0.0, 4.0, -8.0]);
            settled(t + h, &[(whole, v), (FIRST, &nv), (middle, &na), (LAST, &nb)])
        }
        Exponential::Etdrk4 => {
            let nv = n(t, v)?;
            let a = settled(t + h / 2.0, &[(half, v), (half_rate(1.0), &nv)])?;
            let na = n(t + h / 2.0, &a)?;
            let b = settled(t + h / 2.0, &[(half, v), (half_rate(1.0), &na)])?;
            let nb = n(t + h / 2.0, &b)?;
            let c = settled(t + h, &[(half, &a), (half_rate(-1.0), &nv), (half_rate(2.0), &nb)])?;
            let nc = n(t + h, &c)?;
            let middle = Phi::rate(1.0, [0.0, 2.0, -4.0]);
            settled(t + h, &[(whole, v), (FIRST, &nv), (middle, &na), (middle, &nb), (LAST, &nc)])
        }
    }
}

/// The weight of the first stage of the third and fourth order methods.
const FIRST: Phi = Phi::rate(1.0, [1.0, -3.0, 4.0]);
/// The weight of their last stage.
const LAST: Phi = Phi::rate(1.0, [0.0, -1.0, 4.0]);
