//! Equations of an implicit step, `y − γh f(t, y) = r`, and their gradients by the adjoint.
//!
//! Nothing of the iteration is recorded. The implicit function theorem gives the gradient: with `A = I − γh ∂f/∂y` and the
//! gradient `g` of the result, `Aᵀ λ = g`; then `λ` is the gradient of `r` and `γh (∂f/∂p)ᵀ λ` that of the parameters. The linear
//! solve has a rule of its own, so that gradients of gradients are exact too.

use super::krylov::gmres;
use super::system::{Parametrized, Resolvent};
use super::vector::Vector;
use crate::error::{Error, Result};
use crate::tensor::{Context, Precision, Recorded, Tensor, record_joint, vjp};

/// Products with the Jacobian before a linear solve gives up.
const MOST_PRODUCTS: usize = 1000;
/// Newton steps before an implicit step gives up.
const MOST_STEPS: usize = 25;

/// How far linear equations are solved: near rounding, because gradients assume that they hold.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 2e-6,
        Precision::F64 => 1e-14,
    }
}
/// How far those of a step are solved: what is left is the same way off in many steps, and adds up.
fn tolerance_of_steps(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 3e-7,
        Precision::F64 => 1e-14,
    }
}

/// The equations of one implicit step, at one time.
#[derive(Clone)]
pub(super) struct Stage<S> {
    pub system: S,
    pub t: f64,
    pub gamma_h: f64,
}

/// Which of both linear systems.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Direct,
    Transposed,
}

impl<S: Parametrized> Stage<S> {
    /// The `y` with `y − γh f(t, y) = r` near a guess; differentiable in `r` and in the parameters of the system.
    ///
    /// # Errors
    /// When Newton's iteration does not converge.
    pub fn solve(&self, r: &S::State, guess: &S::State) -> Result<S::State> {
        let context = r.context()?;
        let parameters = self.system.parameters();
        let value = context.without_recording(|| self.newton(&r.detach()?, guess.detach()?))?;
        let inputs = [r.tensors(), parameters.clone()].concat();
        let (stage, known, found) = (self.clone(), r.clone(), value.clone());
        let outputs = record_joint(&inputs.iter().collect::<Vec<_>>(), value.tensors(), move |g| {
            let context = found.context()?;
            let g = filled(&found, g)?;
            // The result enters what follows as a function of the inputs, where that is differentiated again.
            let y = if context.is_recording() { stage.solve(&known, &found)? } else { found.clone() };
            let lambda = stage.linear(&y, &g, Side::Transposed)?;
            let mut gradients: Vec<Option<Tensor>> = lambda.tensors().into_iter().map(Some).collect();
            gradients.extend(stage.of_parameters(&context, &parameters, &y, &lambda)?);
            Ok(gradients)
        });
        value.with_tensors(outputs)
    }

    /// `γh (∂f/∂p)ᵀ λ`.
    fn of_parameters(
        &self,
        context: &Context,
        parameters: &[Tensor],
        y: &S::State,
        lambda: &S::State,
    ) -> Result<Vec<Option<Tensor>>> {
        if !parameters.iter().any(Tensor::is_tracked) {
            return Ok(vec![None; parameters.len()]);
        }
        let seeds = lambda.scale(self.gamma_h)?.tensors();
        let done = vjp(context, parameters, |p| {
            let rate = self.system.with_parameters(p)?.rhs(self.t, y)?;
            Ok((rate.tensors().into_iter().zip(seeds).collect(), ()))
        })?;
        Ok(done.gradients.into_iter().map(Some).collect())
    }

    fn newton(&self, r: &S::State, guess: S::State) -> Result<S::State> {
        let tolerance = tolerance_of_steps(r.precision());
        let context = r.context()?;
        let size = |v: &S::State| Ok::<f64, Error>(v.dot(v)?.sqrt());
        let residual = |y: &S::State| -> Result<(S::State, f64)> {
            let rate = self.system.rhs(self.t, y)?.detach()?;
            let left = r.add_scaled(&[(-1.0, y), (self.gamma_h, &rate)])?;
            let scale = size(y)? + size(r)? + self.gamma_h.abs() * size(&rate)?;
            Ok((left, scale))
        };
        let mut y = guess;
        let (mut left, mut scale) = residual(&y)?;
        let mut norm = size(&left)?;
        // With what is near the inverse at another state, until that leads nowhere.
        let mut fresh = false;
        for number in 0..MOST_STEPS {
            // The guess is never taken as it is: of a short step it is near enough without anything of the right-hand side in it, and many such steps
            // would only go on in the direction of the first.
            if norm <= tolerance * scale && (number > 0 || norm == 0.0) {
                return Ok(y);
            }
            if !norm.is_finite() {
                return Err(Error::unsolved("the right-hand side of an implicit step is not finite")
                    .got(format!("t = {}", self.t))
                    .advice("take smaller steps"));
            }
            let jacobian = Jacobian::new(&context, self, &y, Side::Direct, fresh)?;
            let (change, unsolved) =
                gmres(|v| jacobian.apply(v), |v| jacobian.precondition(v), &left, 1e-5, MOST_PRODUCTS)?;
            let moved = size(&change)?;
            let before = norm;
            // Far from the solution a whole step may overshoot; it is halved until the residual shrinks.
            let mut fraction = 1.0;
            loop {
                let next = y.add_scaled(&[(fraction, &change)])?;
                let (next_left, next_scale) = residual(&next)?;
                let next_norm = size(&next_left)?;
                if next_norm < norm || fraction < 1e-3 {
                    if next_norm < norm {
                        (y, left, scale, norm) = (next, next_left, next_scale, next_norm);
                    }
                    break;
                }
                fraction *= 0.5;
            }
            // What is left is rounding: of the terms of the residual, which a stiff system makes far larger than the state.
            let near = tolerance * size(&y)?;
            if unsolved < 0.1 && (moved <= near || (norm > 0.5 * before && moved <= 1e3 * near)) {
                return Ok(y);
            }
            if norm >= before && fresh {
                break;
            }
            fresh |= norm >= before || unsolved > 1e-3;
        }
        Err(Error::unsolved("the equations of an implicit step were not solved")
            .got(format!("t = {}, relative residual {:.1e}", self.t, norm / scale))
            .expected(format!("at most {tolerance:.0e} after {MOST_STEPS} Newton steps"))
            .advice("take smaller steps"))
    }

    /// The `x` with `A x = b`, or `Aᵀ x = b`, at the state `y`; differentiable in `b`, `y` and the parameters.
    fn linear(&self, y: &S::State, b: &S::State, side: Side) -> Result<S::State> {
        let context = y.context()?;
        let parameters = self.system.parameters();
        let value = context.without_recording(|| {
            let at = y.detach()?;
            let jacobian = Jacobian::new(&context, self, &at, side, true)?;
            let tolerance = tolerance(b.precision());
            let (x, left) =
                gmres(|v| jacobian.apply(v), |v| jacobian.precondition(v), &b.detach()?, tolerance, MOST_PRODUCTS)?;
            // Where rounding ends the iteration early the result is as good as it can be; a real failure is far from that.
            if left > tolerance.sqrt() || !left.is_finite() {
                return Err(Error::unsolved("the linear equations of an adjoint step were not solved")
                    .got(format!("t = {}, relative residual {left:.1e}", self.t))
                    .advice("take smaller steps, or another method"));
            }
            Ok(x)
        })?;
        let inputs = [b.tensors(), y.tensors(), parameters.clone()].concat();
        let (stage, at, right, found) = (self.clone(), y.clone(), b.clone(), value.clone());
        let outputs = record_joint(&inputs.iter().collect::<Vec<_>>(), value.tensors(), move |g| {
            let context = found.context()?;
            let g = filled(&found, g)?;
            let other = if side == Side::Direct { Side::Transposed } else { Side::Direct };
            let nu = stage.linear(&at, &g, other)?;
            let x = if context.is_recording() { stage.linear(&at, &right, side)? } else { found.clone() };
            let mut gradients: Vec<Option<Tensor>> = nu.tensors().into_iter().map(Some).collect();
            let (left, right) = if side == Side::Direct { (nu, x) } else { (x, nu) };
            gradients.extend(stage.of_jacobian(&context, &parameters, &at, &left, &right)?.into_iter().map(Some));
            Ok(gradients)
        });
        value.with_tensors(outputs)
    }

    /// Gradients of `γh · leftᵀ (∂f/∂y) right` with respect to `y` and the parameters.
    fn of_jacobian(
        &self,
        context: &Context,
        parameters: &[Tensor],
        y: &S::State,
        left: &S::State,
        right: &S::State,
    ) -> Result<Vec<Tensor>> {
        let inputs = [y.tensors(), parameters.to_vec()].concat();
        let seeds = right.scale(self.gamma_h)?.tensors();
        let done = vjp(context, &inputs, |leaves| {
            let (at, p) = leaves.split_at(leaves.len() - parameters.len());
            let system = self.system.with_parameters(p)?;
            let rate = |at: &[Tensor]| Ok(system.rhs(self.t, &y.with_tensors(at.to_vec())?)?.tensors());
            let turned = Recorded::new(context, at, rate)?.vjp(&left.tensors())?;
            Ok((turned.into_iter().zip(seeds).collect(), ()))
        })?;
        Ok(done.gradients)
    }
}

/// `A = I − γh ∂f/∂y` at a state, recorded once for many products.
struct Jacobian<'a, S: Parametrized> {
    stage: &'a Stage<S>,
    y: &'a S::State,
    side: Side,
    products: Option<Recorded>,
    near: Option<Resolvent<S::State>>,
    resolvent: Option<Recorded>,
}

impl<'a, S: Parametrized> Jacobian<'a, S> {
    fn new(context: &Context, stage: &'a Stage<S>, y: &'a S::State, side: Side, fresh: bool) -> Result<Self> {
        let rate = |at: &[Tensor]| Ok(stage.system.rhs(stage.t, &y.with_tensors(at.to_vec())?)?.tensors());
        let by_hand = side == Side::Direct && stage.system.has_jvp();
        let products = match side {
            _ if by_hand => None,
            Side::Transposed => Some(Recorded::new(context, &y.tensors(), rate)?),
            // Jᵀw is linear in w, and its transpose is J.
            Side::Direct => {
                let zero = y.zeros_like()?.tensors();
                Some(Recorded::new(context, &zero, |w| Recorded::new(context, &y.tensors(), rate)?.vjp(w))?)
            }
        };
        let near = context.without_recording(|| stage.system.resolvent(stage.t, y, stage.gamma_h, fresh))?;
        let resolvent = match (side, stage.system.linear()) {
            (Side::Transposed, Some(linear)) if near.is_none() => {
                let zero = y.zeros_like()?.tensors();
                Some(Recorded::new(context, &zero, |b| {
                    Ok(linear.resolve(stage.gamma_h, &y.with_tensors(b.to_vec())?)?.tensors())
                })?)
            }
            _ => None,
        };
        Ok(Self { stage, y, side, products, near, resolvent })
    }
    fn apply(&self, v: &S::State) -> Result<S::State> {
        let turned = match &self.products {
            Some(products) => v.with_tensors(products.vjp(&v.tensors())?)?,
            None => match self.stage.system.jvp(self.stage.t, self.y, v) {
                Some(product) => product?,
                None => return Err(Error::internal("a system gave products with its Jacobian only once")),
            },
        };
        v.add_scaled(&[(-self.stage.gamma_h, &turned.detach()?)])
    }
    /// By what the system has near the inverse; else its linear part alone is resolved exactly: what is left for the iteration is
    /// not stiff.
    fn precondition(&self, v: &S::State) -> Result<S::State> {
        if let Some(near) = &self.near {
            return near(v, self.side == Side::Transposed);
        }
        match (self.side, &self.resolvent, self.stage.system.linear()) {
            (Side::Direct, _, Some(linear)) => linear.resolve(self.stage.gamma_h, v)?.detach(),
            (Side::Transposed, Some(resolvent), _) => v.with_tensors(resolvent.vjp(&v.tensors())?)?.detach(),
            _ => Ok(v.clone()),
        }
    }
}

/// The gradients of the tensors of a state, 0 where one was not used.
pub(super) fn filled<V: Vector>(like: &V, gradients: &[Option<Tensor>]) -> Result<V> {
    let of = |(t, g): (Tensor, &Option<Tensor>)| match g {
        Some(g) => Ok(g.clone()),
        None => t.full_like(0.0),
    };
    like.with_tensors(like.tensors().into_iter().zip(gradients).map(of).collect::<Result<_>>()?)
}
