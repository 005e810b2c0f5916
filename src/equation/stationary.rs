//! `F(u) = 0` without time: linear problems with constant coefficients mode by mode, all others by Newton's method with a Krylov
//! method inside.
//!
//! Nothing of the iteration is recorded. With `r = F(u*, θ)`, which is 0, the solution is `u* − J⁻¹ r`: a gradient goes through one
//! evaluation of `F` and one solve with `Jᵀ`, to everything that `F` contains.

use std::rc::Rc;

use super::form::{Evolution, Stationary};
use super::jacobian::{Jacobian, Points, both_ways, differentiated};
use super::modes;
use super::stencil::Stencil;
use crate::error::{Error, Result};
use crate::solve::elliptic::krylov::{Method, Operator, Stop};
use crate::solve::elliptic::{Inverse, Preconditioner};
use crate::tensor::{Precision, Tensor};

/// How a solution is searched.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// The linear solver.
    pub method: Method,
    /// What it uses that is near the inverse.
    pub preconditioner: Preconditioner,
    /// The residual relative to the terms of the equation; 1e-10 in double precision, 1e-5 in single.
    pub tolerance: Option<f64>,
    /// Most iterations of one linear solve.
    pub iterations: usize,
    /// Most steps of Newton's method.
    pub newton_steps: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            method: Method::Gmres { restart: 60 },
            preconditioner: Preconditioner::Automatic,
            tolerance: None,
            iterations: 1000,
            newton_steps: 50,
        }
    }
}

/// What a solution took.
#[derive(Debug, Clone)]
pub struct Report {
    /// Newton steps; 0 where the equation was solved mode by mode.
    pub newton_steps: usize,
    /// Iterations of the linear solver in all.
    pub iterations: usize,
    /// The residual at the end, relative to the terms of the equation.
    pub residual: f64,
    /// How it was solved.
    pub method: String,
}

/// Something near an inverse, both ways.
pub(super) struct Near {
    pub direct: Operator,
    pub back: Operator,
    pub exact: bool,
    pub name: &'static str,
}

/// `F(u) = 0` with what is known of it.
#[derive(Clone)]
pub(super) struct Problem {
    /// `F`
    pub residual: Operator,
    /// `v ↦ ∂F/∂u v` at a state.
    pub slope: Rc<dyn Fn(&Tensor) -> Operator>,
    /// Something near its inverse at a state, shifted by a number times the identity.
    #[allow(clippy::type_complexity)]
    pub near: Rc<dyn Fn(&Tensor, f64) -> Result<Option<Near>>>,
    /// Imposes what is known of a state.
    pub settle: Operator,
    /// Whether the slope is the same at all states.
    pub linear: bool,
    /// Weights of points in a mean, per axis.
    pub weights: Vec<Tensor>,
}

/// Solves for the channels `[sample, channel, x…]`, from a guess. `fourier`: derivatives in Fourier space.
///
/// # Errors
/// When the iterations do not suffice, and when there is no solution.
pub(super) fn solve(
    stationary: &Stationary,
    points: &Points,
    fourier: bool,
    guess: &Tensor,
    search: Search,
) -> Result<(Tensor, Report)> {
    let setting = &points.setting;
    if fourier {
        let evolution = Evolution {
            channels: stationary.channels.clone(),
            rates: stationary.residuals.clone(),
            derived: Vec::new(),
        };
        return match modes::solved(&evolution, setting, guess)? {
            modes::Outcome::Solved(values, report) => Ok((values, report)),
            modes::Outcome::Problem(problem) => found(&problem, guess, search),
        };
    }
    found(&by_stencils(stationary, points, search.preconditioner)?, guess, search)
}

fn by_stencils(stationary: &Stationary, points: &Points, wanted: Preconditioner) -> Result<Problem> {
    let Points { names, setting, accuracy, transport } = points.clone();
    let (channels, outputs) = (&stationary.channels, &stationary.residuals);
    let weights = setting.weights()?;
    let lane = Stencil::of(channels, outputs, &names, setting, accuracy, transport)?;
    let jacobian = Jacobian::of(channels, outputs, points).ok();
    let linear = jacobian.as_ref().is_some_and(|j| j.state_free);
    let residual: Operator = {
        let lane = lane.clone();
        Rc::new(move |u: &Tensor| {
            let r = lane.rates(0.0, u)?;
            match lane.pinned(u)? {
                // Nodes whose value is known: u − value.
                Some(_) => r.add(&u.sub(&lane.settle(0.0, u.clone())?)?),
                None => Ok(r),
            }
        })
    };
    let slope: Rc<dyn Fn(&Tensor) -> Operator> = match jacobian.clone() {
        Some(jacobian) => {
            let lane = lane.clone();
            Rc::new(move |u: &Tensor| {
                let (jacobian, lane, u) = (jacobian.clone(), lane.clone(), u.clone());
                Rc::new(move |v: &Tensor| {
                    let product = jacobian.apply(0.0, &u, v)?;
                    match lane.pinned(v)? {
                        Some(known) => product.add(&known),
                        None => Ok(product),
                    }
                })
            })
        }
        None => {
            let residual = residual.clone();
            Rc::new(move |u: &Tensor| {
                let residual = residual.clone();
                differentiated(move |u| residual(u), u)
            })
        }
    };
    let near = move |u: &Tensor, shift: f64| -> Result<Option<Near>> {
        let Some(jacobian) = &jacobian else { return Ok(None) };
        let Some(inverse) = jacobian.inverse(0.0, u, [shift, 1.0, 1.0], wanted)? else { return Ok(None) };
        Ok(Some(Near::of(inverse, jacobian.is_whole() && shift == 0.0)))
    };
    let settle = move |u: &Tensor| lane.settle(0.0, u.clone());
    Ok(Problem { residual, slope, near: Rc::new(near), settle: Rc::new(settle), linear, weights })
}

impl Near {
    fn of(inverse: Inverse, whole: bool) -> Self {
        let (exact, name, inverse) = (whole && inverse.is_exact(), inverse.name(), Rc::new(inverse));
        let way = |transposed: bool| -> Operator {
            let inverse = inverse.clone();
            Rc::new(move |b: &Tensor| inverse.apply(b, transposed))
        };
        Self { direct: way(false), back: way(true), exact, name }
    }
}

/// The solution as a function of everything in the problem.
fn found(problem: &Problem, guess: &Tensor, search: Search) -> Result<(Tensor, Report)> {
    let context = guess.context().clone();
    let kernel = context.without_recording(|| Kernel::of(problem, &guess.detach()))?;
    let (value, mut report) = context.without_recording(|| newton(problem, kernel.as_ref(), guess, search))?;
    // J⁻¹ at a state; where that is the linked one, derivatives of the derivative are right too.
    let linked = |u: &Tensor| -> Result<Tensor> {
        let both = solver(
            problem,
            kernel.as_ref(),
            u,
            search,
            Stop { tolerance: tolerance(search, u) * 0.1, iterations: search.iterations },
        )?
        .0;
        let r = (problem.residual)(u)?.scale(-1.0)?;
        u.add(&both.correction(&r)?)
    };
    let mut u = if context.is_recording() && context.is_differentiating() { linked(&value)? } else { value };
    if context.is_nested() && u.is_tracked() {
        u = linked(&u)?;
    }
    if let Some(kernel) = &kernel {
        u = kernel.centred(problem, &u)?;
        report.method = format!("{}, mean 0", report.method);
    }
    Ok((u, report))
}

fn tolerance(search: Search, u: &Tensor) -> f64 {
    search.tolerance.unwrap_or(if u.precision() == Precision::F64 { 1e-10 } else { 1e-5 })
}

/// The linear solver at a state, and the name of its preconditioner.
fn solver(
    problem: &Problem,
    kernel: Option<&Kernel>,
    u: &Tensor,
    search: Search,
    stop: Stop,
) -> Result<(crate::solve::elliptic::krylov::BothWays, &'static str)> {
    let shift = kernel.map_or(0.0, |k| k.shift);
    let near = (problem.near)(&u.detach(), shift)?;
    let slope = (problem.slope)(u);
    let a: Operator = match kernel.cloned() {
        None => slope,
        Some(kernel) => Rc::new(move |v: &Tensor| slope(v)?.add(&kernel.means(v)?.scale(kernel.shift)?)),
    };
    let mut both = both_ways(a, None, false, search.method, stop);
    let mut name = "no preconditioner";
    if let Some(near) = near {
        (both.direct.inverse, both.back.inverse) = (Some(near.direct), Some(near.back));
        let exact = near.exact && kernel.is_none();
        (both.direct.exact, both.back.exact) = (exact, exact);
        name = near.name;
    }
    Ok((both, name))
}

/// Norms of each sample.
fn norms(x: &Tensor) -> Result<Vec<f64>> {
    let samples = x.shape().first().copied().unwrap_or(1).max(1);
    let values = x.to_vec()?;
    let chunk = (values.len() / samples).max(1);
    Ok(values.chunks(chunk).map(|x| x.iter().map(|x| x * x).sum::<f64>().sqrt()).collect())
}

fn newton(problem: &Problem, kernel: Option<&Kernel>, guess: &Tensor, search: Search) -> Result<(Tensor, Report)> {
    let mut u = (problem.settle)(&guess.detach())?.detach();
    let tolerance = tolerance(search, &u);
    let (mut iterations, mut history) = (0, Vec::new());
    let mut r = (problem.residual)(&u)?.detach();
    let mut both = None;
    for step in 0..=search.newton_steps {
        let slope = (problem.slope)(&u);
        let linear_part = slope(&u)?.detach();
        let scales: Vec<f64> =
            norms(&linear_part)?.iter().zip(norms(&r.sub(&linear_part)?)?).map(|(a, b)| a + b).collect();
        let sizes = norms(&r)?;
        if sizes.iter().any(|n| !n.is_finite()) {
            return Err(Error::not_finite("the residual of the equation is not finite")
                .got(format!("Newton step {step}"))
                .advice("start nearer to the solution: solve(equation, guess, #{ … })"));
        }
        let ratio = |size: f64, scale: f64| if size > 0.0 { size / scale } else { 0.0 };
        let left = sizes.iter().zip(&scales).map(|(r, s)| ratio(*r, *s)).fold(0.0, f64::max);
        history.push(left);
        let report =
            |iterations: usize, method: String| Report { newton_steps: step, iterations, residual: left, method };
        let name = both.as_ref().map_or("the guess", |(_, name): &(_, &'static str)| *name);
        if left <= tolerance || (kernel.is_some() && step > 0) {
            return Ok((u, report(iterations, describe(search, name))));
        }
        if step == search.newton_steps {
            break;
        }
        // A linear problem is solved at once; else the next step corrects what this one leaves.
        let wanted = sizes.iter().zip(&scales).map(|(r, s)| 0.3 * tolerance * s / r.max(f64::MIN_POSITIVE));
        let wanted = wanted.fold(0.5, f64::min).max(if u.precision() == Precision::F64 { 1e-13 } else { 1e-6 });
        let inner = if problem.linear { wanted } else { wanted.max(1e-4) };
        let stop = Stop { tolerance: inner, iterations: search.iterations };
        if both.is_none() || !problem.linear {
            both = Some(solver(problem, kernel, &u, search, stop)?);
        }
        let Some((solver, name)) = &mut both else { return Err(Error::internal("no linear solver")) };
        solver.stop = stop;
        let (change, done) = solver.solve(&r.scale(-1.0)?, None).map_err(|error| {
            error.within(format!("Newton step {} of the equation, with {name} as preconditioner", step + 1))
        })?;
        let change = change.detach();
        iterations += done.iterations;
        if let Some(kernel) = kernel {
            kernel.refuse(&change, &r)?;
        }
        let total = |r: &Tensor| -> Result<f64> { Ok(norms(r)?.iter().map(|n| n * n).sum::<f64>().sqrt()) };
        let (before, mut fraction) = (total(&r)?, 1.0);
        loop {
            let next = u.add(&change.scale(fraction)?)?.detach();
            let next_r = (problem.residual)(&next)?.detach();
            let after = total(&next_r)?;
            if problem.linear || after < (1.0 - 1e-4 * fraction) * before {
                (u, r) = (next, next_r);
                break;
            }
            // Where the change is rounding of the state there is nothing left to gain.
            let rounding = if u.precision() == Precision::F64 { 1e-11 } else { 1e-4 };
            if total(&change)? <= rounding * total(&u)? {
                return Ok((u, report(iterations, describe(search, name))));
            }
            fraction *= 0.5;
            if fraction < 1e-6 {
                return Err(Error::value("Newton's method finds no smaller residual")
                    .got(format!("a residual of {left:.1e} of its terms in step {}", step + 1))
                    .expected(format!("{tolerance:.1e}"))
                    .advice("start from another guess: solve(equation, guess, #{ … }); perhaps there is no solution"));
            }
        }
        // A linear problem on a fine grid may end above the tolerance: rounding of its terms.
        if problem.linear && step > 0 && history.len() > 1 {
            let last = history[history.len() - 2];
            if left > 0.5 * last && left <= tolerance.sqrt() * 1e-2 {
                return Ok((u, report(iterations, describe(search, name))));
            }
        }
    }
    Err(Error::value("the steps of Newton's method do not suffice")
        .got(format!(
            "a residual of {:.1e} of its terms after {} steps",
            history.last().unwrap_or(&1.0),
            search.newton_steps
        ))
        .expected(format!("{tolerance:.1e}"))
        .advice("allow more `newton_steps`, a larger `tolerance`, or start nearer: solve(equation, guess, #{ … })"))
}

fn describe(search: Search, near: &str) -> String {
    if near == "elimination" { near.into() } else { format!("{} with {near}", search.method.name()) }
}

/// Channels of which a constant may be added to a solution.
#[derive(Clone)]
struct Kernel {
    /// 1 for those channels, `[1, channel, 1…]`.
    which: Tensor,
    /// What multiplies the mean that is added to the operator: small against its largest eigenvalues.
    shift: f64,
}

impl Kernel {
    fn of(problem: &Problem, guess: &Tensor) -> Result<Option<Self>> {
        let shape = guess.shape();
        if !problem.linear || shape.len() < 3 {
            return Ok(None);
        }
        let slope = (problem.slope)(guess);
        let rough: Vec<f64> = (0..guess.len()).map(|i| (i as f64 * 1.7).cos()).collect();
        let rough = Tensor::from_vec(guess.context(), rough, &shape)?.cast(guess.precision())?;
        let product = slope(&rough)?;
        let largest = |t: &Tensor| Ok::<_, Error>(t.to_vec()?.iter().fold(0.0f64, |m, v| m.max(v.abs())));
        let scale = largest(&product)?;
        let rounding = if guess.precision() == Precision::F64 { 1e-11 } else { 1e-5 };
        let mut which = Vec::new();
        for channel in 0..shape[1] {
            let mut line = vec![0.0; shape[1]];
            line[channel] = 1.0;
            let mut lifted = vec![1; shape.len()];
            lifted[1] = shape[1];
            let constant = Tensor::from_vec(guess.context(), line, &lifted)?.cast(guess.precision())?.expand(&shape)?;
            which.push(f64::from(u8::from(largest(&slope(&constant)?)? <= rounding * scale)));
        }
        if which.iter().all(|w| *w == 0.0) {
            return Ok(None);
        }
        let mut lifted = vec![1; shape.len()];
        lifted[1] = shape[1];
        let which = Tensor::from_vec(guess.context(), which, &lifted)?.cast(guess.precision())?;
        // With the sign of the operator: ⟨v, A v⟩.
        let sign = rough.mul(&product)?.sum_all()?.item()?.signum();
        Ok(Some(Self { which, shift: sign * 1e-6 * scale }))
    }
    fn axes(v: &Tensor) -> Vec<i64> {
        (2..v.rank() as i64).collect()
    }
    /// The means of those channels, at all points.
    fn means(&self, v: &Tensor) -> Result<Tensor> {
        v.mean(&Self::axes(v), true)?.mul(&self.which)?.expand(&v.shape())
    }
    /// The solution whose integral is 0.
    fn centred(&self, problem: &Problem, u: &Tensor) -> Result<Tensor> {
        let (mut weighted, mut whole) = (u.clone(), self.which.full_like(1.0)?.expand(&u.shape())?);
        for weights in &problem.weights {
            (weighted, whole) = (weighted.mul(weights)?, whole.mul(weights)?);
        }
        let axes = Self::axes(u);
        let mean = weighted.sum(&axes, true)?.div(&whole.sum(&axes, true)?)?;
        u.sub(&mean.mul(&self.which)?)
    }
    /// Refuses a right-hand side that is out of balance: what the mean of the change had to make up for.
    fn refuse(&self, change: &Tensor, r: &Tensor) -> Result<()> {
        let excess = norms(&self.means(change)?.scale(self.shift)?)?;
        for (sample, (excess, size)) in excess.iter().zip(norms(r)?).enumerate() {
            if *excess > 1e-2 * size {
                return Err(Error::value("with these edges there is no solution unless sources and fluxes balance")
                    .got(format!("a mean of {:.2} of the root mean square in sample {sample}", excess / size))
                    .advice(
                        "subtract the mean of the source: f − mean(f); or hold the unknown at an edge: dirichlet(0)",
                    ));
            }
        }
        Ok(())
    }
}
