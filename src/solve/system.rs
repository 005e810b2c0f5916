//! What a system of equations in time offers to the integrators.

use std::rc::Rc;

use rustfft::num_complex::Complex64;

use super::vector::Vector;
use crate::error::Result;
use crate::tensor::Tensor;

/// `dy/dt = f(t, y) = L y + N(t, y)`.
///
/// A system gives `N` and, where it has one, the linear part `L`; without one `N` is everything. What else it gives opens
/// further integrators: [`Linear`] the exponential and implicit-explicit ones, [`Separable`] the symplectic ones.
pub trait System {
    /// What is advanced in time.
    type State: Vector;

    /// `N(t, y)`: all of the right-hand side but the part that [`linear`](Self::linear) gives.
    fn nonlinear(&self, t: f64, y: &Self::State) -> Result<Self::State>;
    /// The linear part `L` with constant coefficients, if it is kept apart.
    fn linear(&self) -> Option<&dyn Linear<Self::State>> {
        None
    }
    /// Whether `N` is 0, so that `e^(hL)` is the exact solution for any step.
    fn is_linear(&self) -> bool {
        false
    }
    /// The whole right-hand side `f(t, y)`.
    fn rhs(&self, t: f64, y: &Self::State) -> Result<Self::State> {
        match self.linear() {
            Some(linear) if self.is_linear() => linear_rate(linear, t, y),
            Some(linear) => linear_rate(linear, t, y)?.add_scaled(&[(1.0, &self.nonlinear(t, y)?)]),
            None => self.nonlinear(t, y),
        }
    }
    /// Imposes edges and constraints on a state or stage at time `t`: a projection onto `div u = 0`, values at the nodes of an
    /// edge. Applying it twice must be the same as once.
    fn settle(&self, _t: f64, y: Self::State) -> Result<Self::State> {
        Ok(y)
    }
    /// Where the eigenvalues of `∂f/∂y` lie, if it is known: what bounds the step of an explicit method.
    fn reach(&self, _t: f64, _y: &Self::State) -> Result<Option<Reach>> {
        Ok(None)
    }
    /// Whether that is asked for a warning only when a state has grown: the answer takes longer than so many steps.
    fn is_judged_later(&self, _y: &Self::State, _steps: u64) -> bool {
        false
    }
    /// `∂f/∂y · v`, if there is something better than differentiating [`rhs`](Self::rhs).
    fn jvp(&self, _t: f64, _y: &Self::State, _v: &Self::State) -> Option<Result<Self::State>> {
        None
    }
    /// Whether [`jvp`](Self::jvp) gives something.
    fn has_jvp(&self) -> bool {
        false
    }
    /// Something near `(I − γh ∂f/∂y)⁻¹` at a state: the preconditioner of implicit steps. Unless it is to be `fresh`, that of another state and of another
    /// step may do.
    ///
    /// # Errors
    /// When it cannot be found although there is one.
    fn resolvent(
        &self,
        _t: f64,
        _y: &Self::State,
        _gamma_h: f64,
        _fresh: bool,
    ) -> Result<Option<Resolvent<Self::State>>> {
        Ok(None)
    }
    /// The two halves of a separable Hamiltonian system, for symplectic methods.
    fn separable(&self) -> Option<&dyn Separable<Self::State>> {
        None
    }
}

/// An approximate inverse: of a state, and whether its transpose is meant. Nothing is recorded.
pub type Resolvent<V> = Rc<dyn Fn(&V, bool) -> Result<V>>;

/// The box `−real ≤ Re λ ≤ 0`, `|Im λ| ≤ imaginary` that holds the eigenvalues of a right-hand side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// The largest `−Re λ`: diffusion, `4 ν d/Δx²` for second differences in d dimensions, `ν k²` for spectra.
    pub real: f64,
    /// The largest `|Im λ|`: advection, `|c|/Δx` for central differences, `|c| k` for spectra.
    pub imaginary: f64,
}

impl Reach {
    /// The box that holds another eigenvalue too.
    pub(crate) fn including(self, lambda: Complex64) -> Self {
        Self { real: self.real.max(-lambda.re), imaginary: self.imaginary.max(lambda.im.abs()) }
    }
    /// Without a side that is the rounding of the other one.
    pub(crate) fn without_rounding(self) -> Self {
        let side = |own: f64, other: f64| if own < 1e-9 * other { 0.0 } else { own };
        Self { real: side(self.real, self.imaginary), imaginary: side(self.imaginary, self.real) }
    }
}

/// A system whose tracked tensors can be named: what checkpoints and implicit methods need to take gradients.
///
/// Recomputing a step with other leaves needs every tensor that a gradient may go through as an explicit input.
pub trait Parametrized: System + Clone + 'static {
    /// The tensors that the right-hand side depends on and that may be differentiated: coefficients, forcings, weights of a
    /// network. One that is tracked and missing here gets no gradient.
    fn parameters(&self) -> Vec<Tensor> {
        Vec::new()
    }
    /// The same system with other tensors, in the order of [`parameters`](Self::parameters). Parts that do not depend on them
    /// (a [`Symbol`](super::Symbol) with its multipliers) should be shared with this one.
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self>;
}

/// One term of `Σ hᵖ (Σⱼ wⱼ φⱼ(c h L)) v`, with `φ₀(z) = eᶻ` and `φⱼ₊₁(z) = (φⱼ(z) − 1/j!)/z`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phi {
    /// `c`: the part of the step that the exponential spans.
    pub fraction: f64,
    /// `p`: 0 for a state, 1 for a rate of change.
    pub power: i32,
    /// `w₀ … w₃`.
    pub weights: [f64; 4],
}

impl Phi {
    /// `e^(c h L)`, for a state.
    pub const fn exp(fraction: f64) -> Self {
        Self { fraction, power: 0, weights: [1.0, 0.0, 0.0, 0.0] }
    }
    /// `h (w₁ φ₁ + w₂ φ₂ + w₃ φ₃)(c h L)`, for a rate of change.
    pub const fn rate(fraction: f64, [w1, w2, w3]: [f64; 3]) -> Self {
        Self { fraction, power: 1, weights: [0.0, w1, w2, w3] }
    }
    /// The weights up to the last that is not 0.
    pub fn leading(&self) -> &[f64] {
        let top = self.weights.iter().rposition(|w| *w != 0.0).unwrap_or(0);
        &self.weights[..=top]
    }
}

/// A linear operator `L` with constant coefficients.
pub trait Linear<V> {
    /// `L y`.
    fn apply(&self, y: &V) -> Result<V>;
    /// `Σ hᵖ (Σⱼ wⱼ φⱼ(c h L)) v` over the terms.
    ///
    /// # Errors
    /// When the operator has no functions of itself (a stencil has none).
    fn combine(&self, h: f64, terms: &[(Phi, &V)]) -> Result<V>;
    /// `(I − γh L)⁻¹ y`.
    fn resolve(&self, gamma_h: f64, y: &V) -> Result<V>;
    /// What belongs to `L y` and does not depend on `y`, at a time: the values of edges. It is as stiff as `L`, and no part of
    /// [`nonlinear`](System::nonlinear).
    ///
    /// # Errors
    /// Those of an evaluation.
    fn offset(&self, _t: f64, _like: &V) -> Result<Option<V>> {
        Ok(None)
    }
}

/// `L y + b(t)` with the offset `b`.
pub(super) fn linear_rate<V: Vector>(linear: &dyn Linear<V>, t: f64, y: &V) -> Result<V> {
    let rate = linear.apply(y)?;
    match linear.offset(t, y)? {
        Some(offset) => rate.add_scaled(&[(1.0, &offset)]),
        None => Ok(rate),
    }
}

/// A system in two halves of which each alone is solved exactly: `x' = v` and `v' = a(t, x)`, or `q' = ∂T/∂p` and `p' = −∂V/∂q`.
pub trait Separable<V> {
    /// Positions after `h` at constant velocities: `x + h v`.
    fn drift(&self, h: f64, y: &V) -> Result<V>;
    /// A state whose velocities are the accelerations `a(t, x)`; what its positions are is nobody's business.
    fn force(&self, t: f64, y: &V) -> Result<V>;
    /// Velocities after `h` of such accelerations: `v + h a`.
    fn kick(&self, h: f64, y: &V, force: &V) -> Result<V>;
}
