//! Systems that tests integrate.

use crate::error::Result;
use crate::solve::{Acceleration, Linear, Parametrized, Reach, Symbol, System};
use crate::tensor::{Complex, Tensor, Unary, value_and_gradient};

/// Spectra of three modes, k = 0, 1, 2: `û' = (−ν k² + i c k) û + w û² + 0.3 cos(2t)`, stiff or not as `ν` is.
#[derive(Clone)]
pub struct Modes {
    pub nu: Tensor,
    pub w: Tensor,
    pub symbol: Symbol,
}

impl Modes {
    pub fn new(nu: Tensor, w: Tensor) -> Result<Self> {
        let c = nu.context();
        let k = Tensor::from_vec::<f64>(c, vec![0.0, 1.0, 2.0], &[1, 1, 3])?;
        let re = k.mul(&k)?.mul(&nu)?.scale(-1.0)?;
        let symbol = Symbol::diagonal(Complex { re, im: k.scale(0.7)? })?;
        Ok(Self { nu, w, symbol })
    }
}

impl System for Modes {
    type State = Complex;
    fn nonlinear(&self, t: f64, y: &Complex) -> Result<Complex> {
        let square = y.mul(y)?.mul_real(&self.w)?;
        Ok(Complex { re: square.re.shift(0.3 * (2.0 * t).cos())?, im: square.im })
    }
    fn linear(&self) -> Option<&dyn Linear<Complex>> {
        Some(&self.symbol)
    }
    fn reach(&self, _: f64, _: &Complex) -> Result<Option<Reach>> {
        self.symbol.reach().map(Some)
    }
}

impl Parametrized for Modes {
    fn parameters(&self) -> Vec<Tensor> {
        vec![self.nu.clone(), self.w.clone()]
    }
    fn with_parameters(&self, p: &[Tensor]) -> Result<Self> {
        Self::new(p[0].clone(), p[1].clone())
    }
}

/// `y' = a y (1 − y) (1 + sin t)`, for states of any shape.
#[derive(Clone)]
pub struct Logistic {
    pub a: Tensor,
}
impl System for Logistic {
    type State = Tensor;
    fn nonlinear(&self, t: f64, y: &Tensor) -> Result<Tensor> {
        y.mul(&y.scale(-1.0)?.shift(1.0)?)?.mul(&self.a)?.scale(1.0 + t.sin())
    }
}
impl Parametrized for Logistic {
    fn parameters(&self) -> Vec<Tensor> {
        vec![self.a.clone()]
    }
    fn with_parameters(&self, p: &[Tensor]) -> Result<Self> {
        Ok(Self { a: p[0].clone() })
    }
}
impl Logistic {
    /// `1/(1 + (1/y₀ − 1) e^(−a (t + 1 − cos t)))`
    pub fn exact(y0: f64, a: f64, t: f64) -> f64 {
        1.0 / (1.0 + (1.0 / y0 - 1.0) * (-a * (t + 1.0 - t.cos())).exp())
    }
}

/// Van der Pol: `x' = v`, `v' = μ ((1 − x²) v) − x`, stiff for large `μ`.
#[derive(Clone)]
pub struct VanDerPol {
    pub mu: f64,
    /// Whether it gives products with its Jacobian itself.
    pub by_hand: bool,
}
impl System for VanDerPol {
    type State = Vec<Tensor>;
    fn nonlinear(&self, _: f64, y: &Vec<Tensor>) -> Result<Vec<Tensor>> {
        let (x, v) = (&y[0], &y[1]);
        let damping = x.unary(Unary::Square)?.scale(-1.0)?.shift(1.0)?.mul(v)?.scale(self.mu)?;
        Ok(vec![v.clone(), damping.sub(x)?])
    }
    fn has_jvp(&self) -> bool {
        self.by_hand
    }
    fn jvp(&self, _: f64, y: &Vec<Tensor>, d: &Vec<Tensor>) -> Option<Result<Vec<Tensor>>> {
        let product = || {
            let (x, v) = (&y[0], &y[1]);
            let of_x = x.mul(v)?.scale(-2.0 * self.mu)?.shift(-1.0)?.mul(&d[0])?;
            let of_v = x.unary(Unary::Square)?.scale(-1.0)?.shift(1.0)?.scale(self.mu)?.mul(&d[1])?;
            Ok(vec![d[1].clone(), of_x.add(&of_v)?])
        };
        self.by_hand.then(product)
    }
}
impl Parametrized for VanDerPol {
    fn with_parameters(&self, _: &[Tensor]) -> Result<Self> {
        Ok(self.clone())
    }
}

/// A pendulum: `x'' = −w sin x`.
#[derive(Clone)]
pub struct Pendulum {
    pub w: Tensor,
}
impl Acceleration for Pendulum {
    type Position = Tensor;
    fn at(&self, _: f64, x: &Tensor) -> Result<Tensor> {
        x.unary(Unary::Sin)?.mul(&self.w)?.scale(-1.0)
    }
    fn parameters(&self) -> Vec<Tensor> {
        vec![self.w.clone()]
    }
    fn with_parameters(&self, p: &[Tensor]) -> Result<Self> {
        Ok(Self { w: p[0].clone() })
    }
}

/// Downhill: `y' = −∇E`, `E = Σ a y⁴/4`, with the gradient taken inside the right-hand side.
#[derive(Clone)]
pub struct Downhill {
    pub a: Tensor,
}
impl System for Downhill {
    type State = Tensor;
    fn nonlinear(&self, _: f64, y: &Tensor) -> Result<Tensor> {
        let energy = |y: &[Tensor]| y[0].powf(4.0)?.mul(&self.a)?.scale(0.25)?.sum_all();
        let (_, g) = value_and_gradient(y.context(), std::slice::from_ref(y), energy)?;
        g[0].scale(-1.0)
    }
}
impl Parametrized for Downhill {
    fn parameters(&self) -> Vec<Tensor> {
        vec![self.a.clone()]
    }
    fn with_parameters(&self, p: &[Tensor]) -> Result<Self> {
        Ok(Self { a: p[0].clone() })
    }
}
