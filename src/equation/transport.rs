//! What is carried along: which terms of an evolution are transport, and how fast its waves are.
//!
//! Central differences of transport make waves beside a shock. With one of the other choices, terms of the first order are
//! written anew before they are planned:
//!
//! - `∂u_i/∂t = … − ∂F_i(u)/∂x` becomes a difference of Rusanov's fluxes, `(F(l) + F(r))/2 − a (r − l)/2`, with the states on
//!   both sides of a face from polynomials that lean to their side, and `a` a bound of the speeds of waves there;
//! - `∂u_i/∂t = … − v ∂u_i/∂x` with a `v` that is not a constant takes the difference against the direction of `v`; where `v` is a power
//!   of `u_i` it is a flux, but for differences of order 1, which take a term as it is written.
//!
//! The speeds are the eigenvalues of `∂F/∂u`. For n of them, real, with mean m and mean square s, none is further from m than
//! `√((n − 1)(s − m²))` (P. A. Samuelson, *J. Am. Stat. Assoc.* 63 (1968) 1522), and both come from traces: exact for one and two unknowns,
//! `|u| + 1.155 √(g h)` instead of `|u| + √(g h)` for shallow water in two dimensions.

use super::calculus::derivative;
use super::expand::along;
use super::expr::{Expr, Op};
use super::form::Evolution;
use super::setting::Setting;
use super::split::{sum, terms};
use crate::error::Result;
use crate::tensor::{Binary, Unary};

/// Differences of what is carried along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WENO of order 5 on grids with edges and where shocks form; as all other derivatives on periodic grids else.
    Automatic,
    /// As all other derivatives.
    Central,
    /// Of order 1, against the direction of transport.
    Upwind,
    /// Of order 3.
    Upwind3,
    /// Weighted essentially non-oscillatory, of order 5.
    Weno5,
}

impl Transport {
    /// What is meant on a grid.
    pub(super) fn on(self, grid: &crate::field::Grid) -> Self {
        match self {
            Self::Automatic if grid.dimensions() > 0 && !grid.is_periodic() => Self::Weno5,
            Self::Automatic => Self::Central,
            other => other,
        }
    }
    /// Order of the difference of its fluxes.
    pub(super) fn accuracy(self) -> usize {
        match self {
            Self::Automatic | Self::Central | Self::Upwind => 2,
            Self::Upwind3 => 4,
            Self::Weno5 => 6,
        }
    }
    /// Points beyond the edge that it needs.
    pub(super) fn ghosts(self) -> usize {
        match self {
            Self::Automatic | Self::Central => 0,
            Self::Upwind => 1,
            Self::Upwind3 => 2,
            Self::Weno5 => crate::field::transport::WENO5_GHOSTS,
        }
    }
}

/// The evolution with its transport written as fluxes and upwind differences.
///
/// # Errors
/// Those of expressions that grow too deep.
pub(super) fn planned(evolution: &Evolution, setting: &Setting, transport: Transport) -> Result<Evolution> {
    let constant = |e: &Expr| setting.is_constant(e);
    let dimensions = setting.grid.dimensions();
    let channels = evolution.rates.len();
    // Fluxes F_i per axis, and what is left.
    let mut fluxes: Vec<Vec<Expr>> = vec![vec![Expr::number(0.0); channels]; dimensions];
    let mut rest = Vec::new();
    for (i, rate) in evolution.rates.iter().enumerate() {
        let mut others = Vec::new();
        for (c, body) in terms(rate, &constant)? {
            let found = match transported(&body, i) {
                Some(found) if transport != Transport::Upwind => Some(conservative(found, i)?),
                found => found,
            };
            match found {
                Some(Found::Flux(f, axis)) => {
                    if let Some(flux) = fluxes.get_mut(axis).and_then(|f| f.get_mut(i)) {
                        *flux = flux.sub(&c.mul(&f)?)?;
                    }
                }
                Some(Found::Carried(v, axis)) => {
                    let name = evolution.channels.get(i).map_or("u", |c| c.name.as_str());
                    let u = Expr::unknown(i, name, super::expr::Rank::Scalar);
                    let against = v.mul(&c)?.neg()?.upwind(&u, axis)?;
                    others.push((Expr::number(-1.0), against));
                }
                None => others.push((c, body)),
            }
        }
        rest.push(sum(&others)?);
    }
    let mut rates = rest;
    for (axis, fluxes) in fluxes.iter().enumerate() {
        if fluxes.iter().all(|f| f.as_number() == Some(0.0)) {
            continue;
        }
        let speed = speed(fluxes)?;
        for (i, flux) in fluxes.iter().enumerate().filter(|(_, f)| f.as_number() != Some(0.0)) {
            let name = evolution.channels.get(i).map_or("u", |c| c.name.as_str());
            let u = Expr::unknown(i, name, super::expr::Rank::Scalar);
            if let Some(rate) = rates.get_mut(i) {
                *rate = rate.sub(&flux.flux_difference(&u, &speed, axis)?)?;
            }
        }
    }
    Ok(Evolution { rates, ..evolution.clone() })
}

/// `u ∂u/∂x` as the flux `u²/2` that it is, and so for powers: only as a flux a shock has its speed.
fn conservative(found: Found, i: usize) -> Result<Found> {
    let Found::Carried(v, axis) = &found else { return Ok(found) };
    let own = |e: &Expr| matches!(e.op(), Op::Unknown(j, _) if *j == i);
    let power = match v.op() {
        Op::Unknown(..) if own(v) => 1.0,
        Op::Unary(Unary::Square, a) if own(a) => 2.0,
        Op::Binary(Binary::Mul, a, b) if own(a) && own(b) => 2.0,
        Op::Binary(Binary::Pow, a, n) if own(a) => n.as_number().unwrap_or(-1.0),
        _ => -1.0,
    };
    if power <= 0.0 {
        return Ok(found);
    }
    let u = match v.op() {
        Op::Unknown(..) => v,
        Op::Unary(_, a) | Op::Binary(_, a, _) => a,
        _ => return Ok(found),
    };
    let raised = u.binary(Binary::Pow, &Expr::number(power + 1.0))?;
    Ok(Found::Flux(raised.div(&Expr::number(power + 1.0))?, *axis))
}

/// Whether unknowns are carried along at speeds that depend on them, and no derivative of higher order smooths: such solutions
/// become discontinuous in finite time.
pub(super) fn forms_shocks(evolution: &Evolution) -> bool {
    let unknown = |e: &Expr| e.any(&mut |op| matches!(op, Op::Unknown(..)));
    let beyond = |op: &Op| match op {
        Op::Partial(u, orders) => {
            orders.iter().map(|&n| usize::from(n)).sum::<usize>() > 1 || u.any(&mut |op| matches!(op, Op::Partial(..)))
        }
        Op::Diffusion(..) | Op::InverseLaplacian(..) | Op::Opaque(..) | Op::Integral(_) | Op::PairSum(_) => true,
        _ => false,
    };
    if evolution.rates.iter().any(|rate| rate.any(&mut |op| beyond(op))) {
        return false;
    }
    // The speed of a flux is its derivative.
    let bends = |f: &Expr| {
        (0..evolution.rates.len()).any(|j| {
            let along = derivative(f, &mut |e| match e.op() {
                Op::Unknown(k, _) if *k == j => Some(Expr::number(1.0)),
                _ => None,
            });
            along.is_ok_and(|speed| unknown(&speed))
        })
    };
    evolution.rates.iter().enumerate().any(|(i, rate)| {
        let Ok(terms) = terms(rate, &|e| matches!(e.op(), Op::Number(_))) else { return false };
        terms.iter().any(|(_, body)| match transported(body, i) {
            Some(Found::Flux(f, _)) => bends(&f),
            Some(Found::Carried(v, _)) => unknown(&v),
            None => false,
        })
    })
}

enum Found {
    /// The term is the derivative of this.
    Flux(Expr, usize),
    /// The term is this times the derivative of the channel itself.
    Carried(Expr, usize),
}

/// Reads a term of the rate of channel `i`.
fn transported(body: &Expr, i: usize) -> Option<Found> {
    match body.op() {
        Op::Partial(f, orders) => {
            let axis = (0..3).find(|&axis| *orders == along(axis))?;
            f.is_pointwise().then(|| Found::Flux(f.clone(), axis))
        }
        Op::Binary(Binary::Mul, a, b) => {
            let own = |e: &Expr| match e.op() {
                Op::Partial(u, orders) if matches!(u.op(), Op::Unknown(j, _) if *j == i) => {
                    (0..3).find(|&axis| *orders == along(axis))
                }
                _ => None,
            };
            match (own(a), own(b)) {
                (Some(axis), _) => Some(Found::Carried(b.clone(), axis)),
                (None, Some(axis)) => Some(Found::Carried(a.clone(), axis)),
                (None, None) => {
                    // c (v ∂u): the factor may stand deeper, on one side: both would be one path more at every level.
                    let slope = |e: &Expr| e.any(&mut |op| matches!(op, Op::Partial(..)));
                    let (factor, deeper) = match (slope(a), slope(b)) {
                        (true, false) => (b, a),
                        (false, true) => (a, b),
                        _ => return None,
                    };
                    let Some(Found::Carried(v, axis)) = transported(deeper, i) else { return None };
                    let inner = (v, axis);
                    let v = factor.mul(&inner.0).ok()?;
                    Some(Found::Carried(v, inner.1))
                }
            }
        }
        Op::Unary(Unary::Neg, a) => match transported(a, i)? {
            Found::Flux(f, axis) => Some(Found::Flux(f.neg().ok()?, axis)),
            Found::Carried(v, axis) => Some(Found::Carried(v.neg().ok()?, axis)),
        },
        _ => None,
    }
}

/// A bound of `|λ|` for the eigenvalues of `∂F/∂u`.
fn speed(fluxes: &[Expr]) -> Result<Expr> {
    // Channels that no flux depends on and that have none are not part of the system.
    let part: Vec<usize> = (0..fluxes.len())
        .filter(|&i| {
            fluxes.iter().any(|f| f.any(&mut |op| matches!(op, Op::Unknown(j, _) if *j == i)))
                || fluxes.get(i).is_some_and(|f| f.as_number() != Some(0.0))
        })
        .collect();
    let n = part.len();
    let mut jacobian = vec![vec![Expr::number(0.0); n]; n];
    for (row, &i) in part.iter().enumerate() {
        for (column, &j) in part.iter().enumerate() {
            let Some(flux) = fluxes.get(i) else { continue };
            jacobian[row][column] = derivative(flux, &mut |e| match e.op() {
                Op::Unknown(k, _) if *k == j => Some(Expr::number(1.0)),
                _ => None,
            })?;
        }
    }
    let (mut trace, mut square) = (Expr::number(0.0), Expr::number(0.0));
    for (i, row) in jacobian.iter().enumerate() {
        for (j, entry) in row.iter().enumerate() {
            if i == j {
                trace = trace.add(entry)?;
            }
            if let Some(mirrored) = jacobian.get(j).and_then(|row| row.get(i)) {
                square = square.add(&entry.mul(mirrored)?)?;
            }
        }
    }
    if n == 1 {
        return trace.unary(Unary::Abs);
    }
    let count = Expr::number(n as f64);
    let mean = trace.div(&count)?;
    let spread = square.div(&count)?.sub(&mean.mul(&mean)?)?.mul(&Expr::number(n as f64 - 1.0))?;
    // Not 0, where the root has no derivative: a state at rest has a gradient.
    let spread = spread.binary(Binary::Max, &Expr::number(1e-30))?;
    mean.unary(Unary::Abs)?.add(&spread.unary(Unary::Sqrt)?)
}
