//! The forms in which solvers take an equation: `du/dt = F(u, t)`, or `F(u) = 0`.
//!
//! Time derivatives are carried to the unknowns by the chain rule, higher ones become unknowns of their own, the system is
//! solved for the highest, and unknowns without a time derivative are eliminated: `Δψ + w = 0` gives `ψ = Δ⁻¹(−w)`.

use std::collections::HashMap;
use std::rc::Rc;

use super::base::Equation;
use super::calculus::{derivative, replace};
use super::expand::{Expansion, component_name};
use super::expr::{Expr, Op, Orders, Rank};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// A part of the state: a scalar on points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// `u`, `velocity.x`, or `u_t` for a rate that became an unknown.
    pub name: String,
    /// The unknown it belongs to.
    pub unknown: usize,
    /// How many time derivatives of it this is.
    pub rate: usize,
}

/// `d(channel)/dt = rate`, and what follows from the channels without being integrated.
#[derive(Clone)]
pub struct Evolution {
    /// What is integrated in time.
    pub channels: Vec<Channel>,
    /// Their rates, in terms of the channels (unknowns are numbered as channels).
    pub rates: Vec<Expr>,
    /// Unknowns that constraints determine, in terms of the channels.
    pub derived: Vec<(String, Expr)>,
}

/// `residual = 0` without time.
#[derive(Clone)]
pub struct Stationary {
    /// What is solved for.
    pub channels: Vec<Channel>,
    /// What should vanish, in terms of the channels.
    pub residuals: Vec<Expr>,
}

/// Numbers of symbols that stand for the highest time derivatives while the system is solved for them.
const RATES: usize = 1 << 20;

impl Equation {
    fn layout(&self, dimensions: usize) -> (Vec<(usize, Rank)>, Vec<Channel>) {
        let (mut places, mut channels) = (Vec::new(), Vec::new());
        for (index, unknown) in self.unknowns().iter().enumerate() {
            places.push((channels.len(), unknown.rank));
            let name = unknown.name.clone();
            match unknown.rank {
                Rank::Vector => channels.extend((0..dimensions).map(|axis| Channel {
                    name: component_name(&name, axis),
                    unknown: index,
                    rate: 0,
                })),
                _ => channels.push(Channel { name, unknown: index, rate: 0 }),
            }
        }
        (places, channels)
    }
    pub(super) fn scalars(&self, dimensions: usize) -> Result<(Vec<Channel>, Vec<Expr>)> {
        let (places, channels) = self.layout(dimensions);
        let mut expansion = Expansion::new(dimensions, &places);
        let mut rows = Vec::new();
        for (residual, unknown) in self.residuals().iter().zip(self.unknowns()) {
            let parts = expansion.of(residual)?;
            if parts.len() > 1 && self.unknowns().iter().all(|u| u.rank == Rank::Scalar) {
                return Err(Error::shape(format!("the residual of `{}` is a vector", unknown.name))
                    .got(residual)
                    .advice("declare the unknown as a vector: equation([vector(\"u\"), …], |u| …)"));
            }
            rows.extend(parts);
        }
        let unread = |j: &usize| !rows.iter().any(|row| row.any(&mut |op| matches!(op, Op::Unknown(k, _) if k == j)));
        if let Some(channel) = (0..channels.len()).find(unread).and_then(|j| channels.get(j)) {
            return Err(Error::value(format!("no residual contains the unknown `{}`", channel.name))
                .advice("write an equation for it, or leave it out of the unknowns"));
        }
        if rows.len() != channels.len() {
            return Err(Error::shape("an equation needs one residual for each unknown").got(format!(
                "{} scalar residuals, {} scalar unknowns",
                rows.len(),
                channels.len()
            )));
        }
        Ok((channels, rows))
    }

    /// The equation without time, in `dimensions` dimensions.
    ///
    /// # Errors
    /// When it does not fit the dimensions.
    pub fn stationary(&self, dimensions: usize) -> Result<Stationary> {
        let (channels, residuals) = self.scalars(dimensions)?;
        if self.is_evolution() {
            return Err(Error::value("the equation contains time derivatives")
                .advice("give a starting state and times: solve(equation, start, times)"));
        }
        Ok(Stationary { channels, residuals })
    }

    /// The equation solved for its highest time derivatives, in `dimensions` dimensions.
    ///
    /// # Errors
    /// When it has none, does not fit the dimensions, or cannot be solved for them.
    pub fn evolution(&self, dimensions: usize) -> Result<Evolution> {
        self.prepared().evolution(dimensions, || self.evolved(dimensions))
    }
    fn evolved(&self, dimensions: usize) -> Result<Evolution> {
        let (mut channels, rows) = self.scalars(dimensions)?;
        if !self.is_evolution() {
            return Err(Error::value("the equation has no time derivative")
                .advice("solve(equation, #{ grid: … }) solves for a stationary state"));
        }
        let rows = rows.iter().map(carry).collect::<Result<Vec<_>>>()?;
        let count = channels.len();
        let mut orders = vec![0; count];
        for row in &rows {
            row.any(&mut |op| {
                let mut depth = 0;
                let mut at = op;
                while let Op::TimeDerivative(inner) = at {
                    (depth, at) = (depth + 1, inner.op());
                }
                if let Op::Unknown(j, _) = at
                    && let Some(order) = orders.get_mut(*j)
                {
                    *order = depth.max(*order);
                }
                false
            });
        }
        // Lower time derivatives become channels, the highest a symbol.
        let mut place: HashMap<(usize, usize), usize> = (0..count).map(|j| ((j, 0), j)).collect();
        for (j, &order) in orders.iter().enumerate() {
            for rate in 1..order {
                place.insert((j, rate), channels.len());
                let of = &channels[j];
                let name = format!("{}_{}", of.name, "t".repeat(rate));
                channels.push(Channel { name, unknown: of.unknown, rate });
            }
        }
        let named = |j: usize, rate: usize| -> Option<Expr> {
            let (&order, &at) = (orders.get(j)?, place.get(&(j, rate)).unwrap_or(&0));
            Some(if rate == order && order > 0 {
                Expr::unknown(RATES + j, &format!("{}_{}", channels[j].name, "t".repeat(rate)), Rank::Scalar)
            } else {
                Expr::unknown(at, &channels[at].name, Rank::Scalar)
            })
        };
        let rows = rows
            .iter()
            .map(|row| {
                replace(row, &mut |e| {
                    let (mut depth, mut at) = (0, e.clone());
                    while let Op::TimeDerivative(inner) = at.op() {
                        (depth, at) = (depth + 1, inner.clone());
                    }
                    Ok(match at.op() {
                        Op::Unknown(j, _) if depth > 0 => named(*j, depth),
                        _ => None,
                    })
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let moving: Vec<usize> = (0..count).filter(|&j| orders[j] > 0).collect();
        let (highest, constraints) = solve_for_rates(&rows, &moving)?;

        // Renumber: channels without a time derivative are no state.
        let still: Vec<usize> = (0..count).filter(|&j| orders[j] == 0).collect();
        let derived = eliminate(&constraints, &still, &channels, &highest)?;
        let kept: Vec<usize> = (0..channels.len()).filter(|j| !still.contains(j)).collect();
        // What `derived` holds speaks of channels by their old numbers.
        let derived: HashMap<usize, Expr> = {
            let plain = |e: &Expr| {
                replace(e, &mut |e| match e.op() {
                    Op::Unknown(j, name) => {
                        Ok(kept.iter().position(|k| k == j).map(|new| Expr::unknown(new, name, Rank::Scalar)))
                    }
                    _ => Ok(None),
                })
            };
            derived.iter().map(|(j, e)| Ok((*j, plain(e)?))).collect::<Result<_>>()?
        };
        let renumbered = |e: &Expr| {
            replace(e, &mut |e| match e.op() {
                Op::Unknown(j, name) => match kept.iter().position(|k| k == j) {
                    Some(new) => Ok(Some(Expr::unknown(new, name, Rank::Scalar))),
                    None => derived.get(j).cloned().map(Some).ok_or_else(|| Error::internal("an unknown was lost")),
                },
                _ => Ok(None),
            })
        };
        let mut rates = Vec::new();
        for &j in &kept {
            let of = &channels[j];
            let root = (0..count)
                .find(|&r| channels[r].unknown == of.unknown && (r == j || place.get(&(r, of.rate)) == Some(&j)));
            let root = root.ok_or_else(|| Error::internal("a rate without its unknown"))?;
            rates.push(if of.rate + 1 < orders[root] {
                let next = place.get(&(root, of.rate + 1)).copied().unwrap_or(0);
                renumbered(&Expr::unknown(next, &channels[next].name, Rank::Scalar))?
            } else {
                let rate = highest.get(&root).ok_or_else(|| Error::internal("an unknown without a rate"))?;
                renumbered(rate)?
            });
        }
        let names = still.iter().filter_map(|j| Some((channels[*j].name.clone(), derived.get(j)?.clone()))).collect();
        Ok(Evolution { channels: kept.iter().map(|&j| channels[j].clone()).collect(), rates, derived: names })
    }
}

/// Carries time derivatives to the unknowns: `dt(u v)` is `dt(u) v + u dt(v)`.
pub(super) fn carry(e: &Expr) -> Result<Expr> {
    let mut done = HashMap::new();
    carried(e, &mut done)
}

fn carried(e: &Expr, done: &mut HashMap<usize, (Expr, Expr)>) -> Result<Expr> {
    if let Some((_, new)) = done.get(&e.address()) {
        return Ok(new.clone());
    }
    let arguments = e.op().arguments();
    let new = if arguments.is_empty() {
        e.clone()
    } else {
        let parts = arguments.into_iter().map(|a| carried(a, done)).collect::<Result<Vec<_>>>()?;
        match (e.op(), parts.first()) {
            (Op::TimeDerivative(_), Some(inner)) => of_time(inner)?,
            (op, _) => op.with(&parts)?,
        }
    };
    done.insert(e.address(), (e.clone(), new.clone()));
    Ok(new)
}

/// `∂e/∂t` in terms of time derivatives of unknowns.
fn of_time(e: &Expr) -> Result<Expr> {
    fn is_rate(e: &Expr) -> bool {
        match e.op() {
            Op::Unknown(..) => true,
            Op::TimeDerivative(inner) => is_rate(inner),
            _ => false,
        }
    }
    if is_rate(e) {
        return e.time_derivative();
    }
    let chain = derivative(e, &mut |e| match e.op() {
        Op::Time => Some(Expr::number(1.0)),
        _ if is_rate(e) => e.time_derivative().ok(),
        _ => None,
    });
    chain.map_err(|error| {
        error.advice("the time derivative of an opaque function cannot be written; write dt of the unknowns")
    })
}

fn is_zero(e: &Expr) -> bool {
    e.as_number() == Some(0.0)
}

/// The residual with the rates set to zero.
fn without_rates(row: &Expr) -> Result<Expr> {
    replace(row, &mut |e| match e.op() {
        Op::Unknown(j, _) if *j >= RATES => Ok(Some(Expr::number(0.0))),
        _ => Ok(None),
    })
}

type Solved = (HashMap<usize, Expr>, Vec<Expr>);

/// Solves `Σ M_ij rate_j + F_i = 0` for the rates by elimination; rows without rates are constraints.
fn solve_for_rates(rows: &[Expr], moving: &[usize]) -> Result<Solved> {
    let mut system: Vec<(Vec<Expr>, Expr)> = Vec::new();
    let mut constraints = Vec::new();
    for row in rows {
        let under_operator = row.any(&mut |op| {
            let spatial = matches!(
                op,
                Op::Partial(..) | Op::Diffusion(..) | Op::Integral(_) | Op::InverseLaplacian(..) | Op::PairSum(_)
            );
            spatial && op.arguments().iter().any(|a| a.any(&mut |op| matches!(op, Op::Unknown(j, _) if *j >= RATES)))
        });
        if under_operator {
            return Err(Error::value("a time derivative stands inside of a derivative in space")
                .got(row)
                .advice("such equations (of the kind of Benjamin–Bona–Mahony) are not solved for dt(u) pointwise"));
        }
        let mut coefficients = Vec::new();
        for &j in moving {
            let m = derivative(row, &mut |e| match e.op() {
                Op::Unknown(k, _) if *k == RATES + j => Some(Expr::number(1.0)),
                _ => None,
            })?;
            if m.any(&mut |op| matches!(op, Op::Unknown(k, _) if *k >= RATES)) {
                return Err(Error::value("the equation is not linear in its time derivatives").got(row));
            }
            coefficients.push(m);
        }
        if coefficients.iter().all(is_zero) {
            constraints.push(row.clone());
        } else {
            system.push((coefficients, without_rates(row)?));
        }
    }
    if system.len() != moving.len() {
        return Err(Error::value("the equation cannot be solved for its time derivatives").got(format!(
            "time derivatives of {} unknowns in {} residuals",
            moving.len(),
            system.len(),
        ))
        .advice("each unknown that moves has a residual with its dt; residuals without dt determine unknowns that have none"));
    }
    let n = moving.len();
    let mut of_row = vec![usize::MAX; n];
    for column in 0..n {
        // A row that has not been used; the one with the fewest entries keeps expressions short.
        let filled = |row: &(Vec<Expr>, Expr)| row.0.iter().filter(|m| !is_zero(m)).count();
        let pivot = (0..n)
            .filter(|&r| {
                !of_row.contains(&r) && system.get(r).and_then(|s| s.0.get(column)).is_some_and(|m| !is_zero(m))
            })
            .min_by_key(|&r| system.get(r).map_or(0, filled));
        let Some(pivot) = pivot else {
            return Err(Error::value("the equation cannot be solved for its time derivatives")
                .advice("two residuals determine the same one"));
        };
        of_row[column] = pivot;
        let (scale, pivot_row) = (system[pivot].0[column].clone(), system[pivot].clone());
        for r in (0..n).filter(|&r| r != pivot) {
            let factor = system[r].0[column].clone();
            if is_zero(&factor) {
                continue;
            }
            let factor = factor.div(&scale)?;
            for c in 0..n {
                system[r].0[c] =
                    if c == column { Expr::number(0.0) } else { system[r].0[c].sub(&factor.mul(&pivot_row.0[c])?)? };
            }
            system[r].1 = system[r].1.sub(&factor.mul(&pivot_row.1)?)?;
        }
    }
    let mut out = HashMap::new();
    for (column, &j) in moving.iter().enumerate() {
        let (coefficients, rest) = &system[of_row[column]];
        out.insert(j, negated(rest)?.div(&coefficients[column])?);
    }
    Ok((out, constraints))
}

/// `−e` with the sign drawn into sums, so that terms stay terms.
pub(super) fn negated(e: &Expr) -> Result<Expr> {
    match e.op() {
        Op::Binary(Binary::Add, a, b) => negated(a)?.sub(b),
        Op::Binary(Binary::Sub, a, b) => negated(a)?.add(b),
        Op::Unary(Unary::Neg, a) => Ok(a.clone()),
        _ => e.neg(),
    }
}

/// Solves constraints for the unknowns `still` that have no time derivative.
fn eliminate(
    constraints: &[Expr],
    still: &[usize],
    channels: &[Channel],
    rates: &HashMap<usize, Expr>,
) -> Result<HashMap<usize, Expr>> {
    let mut known: HashMap<usize, Expr> = HashMap::new();
    let hidden = |row: &Expr| !row.any(&mut |op| matches!(op, Op::Unknown(k, _) if still.contains(k)));
    let mut rows = constraints
        .iter()
        .map(|row| if hidden(row) { preserved(row, rates) } else { Ok(row.clone()) })
        .collect::<Result<Vec<_>>>()?;
    let mut left: Vec<usize> = still.to_vec();
    while !left.is_empty() {
        let mut found = None;
        'search: for (r, row) in rows.iter().enumerate() {
            for &j in &left {
                let others = |op: &Op| matches!(op, Op::Unknown(k, _) if left.contains(k) && *k != j);
                if !row.any(&mut |op| others(op))
                    && let Some(e) = solved_for(row, j, channels.get(j).map(|c| c.name.as_str().into()))?
                {
                    found = Some((r, j, e));
                    break 'search;
                }
            }
        }
        let Some((r, j, e)) = found else {
            let names: Vec<&str> = left.iter().filter_map(|&j| channels.get(j)).map(|c| c.name.as_str()).collect();
            return Err(Error::value(format!("no residual determines {}", names.join(", ")))
                .expected("for an unknown without dt: a residual c u + … or c laplacian(u) + … with a constant c")
                .advice("a pressure is determined when div(v) is a residual and grad(p) stands in that of dt(v)"));
        };
        rows.remove(r);
        left.retain(|&k| k != j);
        let swap = |row: &Expr| {
            replace(row, &mut |x| match x.op() {
                Op::Unknown(k, _) if *k == j => Ok(Some(e.clone())),
                _ => Ok(None),
            })
        };
        rows = rows.iter().map(swap).collect::<Result<_>>()?;
        known.insert(j, e);
    }
    // Later ones may stand in earlier ones.
    for _ in 0..known.len() {
        let now = known.clone();
        for e in known.values_mut() {
            *e = replace(e, &mut |x| match x.op() {
                Op::Unknown(k, _) => Ok(now.get(k).cloned()),
                _ => Ok(None),
            })?;
        }
    }
    Ok(known)
}

/// What keeps a constraint `C(v) = 0` on moving unknowns: `dC/dt = 0`, which contains what their rates contain. From `div(v) = 0` and
/// `dt(v) = F − ∇p` comes `Δp = div(F)`.
///
/// Terms of `dC/dt` that are a constant operator of `C` itself vanish with it and are left out: the divergence of a viscous force.
fn preserved(constraint: &Expr, rates: &HashMap<usize, Expr>) -> Result<Expr> {
    use super::split::{Linear, linear, sum, terms};
    let constant =
        |e: &Expr| !e.any(&mut |op| !matches!(op, Op::Number(_) | Op::Parameter(..) | Op::Unary(..) | Op::Binary(..)));
    let change = derivative(constraint, &mut |e| match e.op() {
        Op::Unknown(k, _) => rates.get(k).cloned(),
        _ => None,
    })?;
    let own: Vec<(Expr, Linear)> =
        terms(constraint, &constant)?.into_iter().filter_map(|(c, body)| Some((c, linear(&body)?))).collect();
    let all = terms(&change, &constant)?;
    // A term of the change as an operator of a term of C: which one, how many more derivatives, with what factor.
    let beyond = |c: &Expr, body: &Expr| -> Option<(usize, Orders, String)> {
        let operator = linear(body)?;
        let at = own.iter().position(|(_, o)| {
            o.channel == operator.channel && o.orders.iter().zip(&operator.orders).all(|(a, b)| a <= b)
        })?;
        let (scale, base) = own.get(at)?;
        let mut more = operator.orders;
        for (m, b) in more.iter_mut().zip(&base.orders) {
            *m -= b;
        }
        let factor = c.div(scale).ok()?;
        (operator.inverse == base.inverse).then(|| (at, more, factor.to_string()))
    };
    let found: Vec<Option<(usize, Orders, String)>> = all.iter().map(|(c, body)| beyond(c, body)).collect();
    let vanishes = |key: &(usize, Orders, String)| {
        (0..own.len()).all(|at| found.iter().flatten().any(|f| f.0 == at && f.1 == key.1 && f.2 == key.2))
    };
    let kept: Vec<(Expr, Expr)> = all
        .iter()
        .zip(&found)
        .filter(|(_, key)| !key.as_ref().is_some_and(vanishes))
        .map(|(term, _)| term.clone())
        .collect();
    sum(&kept)
}

/// `u_j` from `row = 0`, when the row is `c u_j + rest` or `c Δu_j + rest`.
fn solved_for(row: &Expr, j: usize, name: Option<Rc<str>>) -> Result<Option<Expr>> {
    let is_j = |op: &Op| matches!(op, Op::Unknown(k, _) if *k == j);
    let rest = replace(row, &mut |e| Ok(is_j(e.op()).then(|| Expr::number(0.0))))?;
    let terms = super::split::terms(row, &|e| e.as_number().is_some() || matches!(e.op(), Op::Parameter(..)))?;
    let mut pointwise = Expr::number(0.0);
    let mut second: HashMap<Orders, String> = HashMap::new();
    let mut scale = None;
    for (c, body) in &terms {
        if !body.any(&mut |op| is_j(op)) {
            continue;
        }
        match body.op() {
            Op::Partial(inner, orders) if is_j(inner.op()) && orders.iter().sum::<u8>() == 2 && orders.contains(&2) => {
                second.insert(*orders, c.to_string());
                scale = Some(c.clone());
            }
            _ => {
                let slope = derivative(body, &mut |e| is_j(e.op()).then(|| Expr::number(1.0)))?;
                let hidden = body.any(&mut |op| {
                    !matches!(op, Op::Unknown(..) | Op::Unary(..) | Op::Binary(..))
                        && op.arguments().iter().any(|a| a.any(&mut |op| is_j(op)))
                });
                if hidden || slope.any(&mut |op| is_j(op)) {
                    return Ok(None);
                }
                pointwise = pointwise.add(&c.mul(&slope)?)?;
            }
        }
    }
    let even = second.values().all(|c| second.values().next() == Some(c));
    match (scale, is_zero(&pointwise)) {
        (Some(c), true) if even => Ok(Some(negated(&rest)?.div(&c)?.potential(name)?)),
        (None, false) => Ok(Some(negated(&rest)?.div(&pointwise)?)),
        _ => Ok(None),
    }
}
