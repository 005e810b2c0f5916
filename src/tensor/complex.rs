//! Complex tensors as pairs of real ones.
//!
//! A gradient of a real number `L` with respect to `z = x + i y` is the pair `(∂L/∂x, ∂L/∂y)`: each part is an ordinary
//! real tensor on the tape, so a step against the gradient lowers `L`. Where `L` is the real part of a holomorphic `f`,
//! that pair is the conjugate of `f′`.

use std::fmt;

use super::base::Tensor;
use super::binary::{Binary, Compare};
use super::display::number;
use super::shape::{Shape, broadcast};
use super::unary::Unary;
use crate::error::{Error, Result};

/// A complex tensor: real and imaginary part, of one shape.
#[derive(Clone, Debug)]
pub struct Complex {
    /// The real part.
    pub re: Tensor,
    /// The imaginary part.
    pub im: Tensor,
}

impl Complex {
    /// From two real tensors that broadcast to one shape.
    pub fn new(re: Tensor, im: Tensor) -> Result<Self> {
        let shape = broadcast("complex", &re.shape(), &im.shape())?;
        let (re, im) = re.joined(&im)?;
        Ok(Self { re: re.expand(&shape)?, im: im.expand(&shape)? })
    }
    /// A real tensor with the imaginary part 0.
    pub fn real(re: Tensor) -> Result<Self> {
        let im = re.full_like(0.0)?;
        Ok(Self { re, im })
    }
    /// Lengths of the axes.
    pub fn shape(&self) -> Shape {
        self.re.shape()
    }
    /// The same function of both parts.
    pub fn map(&self, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { re: f(&self.re)?, im: f(&self.im)? })
    }

    /// `a + b`
    pub fn add(&self, other: &Self) -> Result<Self> {
        Ok(Self { re: self.re.add(&other.re)?, im: self.im.add(&other.im)? })
    }
    /// `a − b`
    pub fn sub(&self, other: &Self) -> Result<Self> {
        Ok(Self { re: self.re.sub(&other.re)?, im: self.im.sub(&other.im)? })
    }
    /// `a b`
    pub fn mul(&self, other: &Self) -> Result<Self> {
        let re = self.re.mul(&other.re)?.sub(&self.im.mul(&other.im)?)?;
        let im = self.re.mul(&other.im)?.add(&self.im.mul(&other.re)?)?;
        Ok(Self { re, im })
    }
    /// `a / b`
    pub fn div(&self, other: &Self) -> Result<Self> {
        // Both are divided by the larger part of b first (exact in the result), so that |b|² neither overflows nor vanishes.
        let size = other.re.detach().unary(Unary::Abs)?.binary(Binary::Max, &other.im.detach().unary(Unary::Abs)?)?;
        let zero = size.compare(Compare::Equal, &size.full_like(0.0)?)?;
        let size = zero.choose(&size.full_like(1.0)?, &size)?;
        let b = other.map(|t| t.div(&size))?;
        let squared = b.abs_squared()?;
        self.map(|t| t.div(&size))?.mul(&b.conj()?)?.map(|t| t.div(&squared))
    }
    /// The complex conjugate.
    pub fn conj(&self) -> Result<Self> {
        Ok(Self { re: self.re.clone(), im: self.im.unary(Unary::Neg)? })
    }
    /// `−z`
    pub fn neg(&self) -> Result<Self> {
        self.map(|t| t.unary(Unary::Neg))
    }
    /// Multiplied by a real number.
    pub fn scale(&self, factor: f64) -> Result<Self> {
        self.map(|t| t.scale(factor))
    }
    /// Multiplied by a real tensor.
    pub fn mul_real(&self, factor: &Tensor) -> Result<Self> {
        self.map(|t| t.mul(factor))
    }
    /// `|z|²`
    pub fn abs_squared(&self) -> Result<Tensor> {
        self.re.unary(Unary::Square)?.add(&self.im.unary(Unary::Square)?)
    }
    /// `|z|`; the gradient at 0 is 0.
    pub fn abs(&self) -> Result<Tensor> {
        let squared = self.abs_squared()?;
        let positive = squared.compare(Compare::NotEqual, &squared.full_like(0.0)?)?;
        // The square root of 0 has an infinite slope, which times 0 would be NaN.
        positive.choose(&squared, &squared.full_like(1.0)?)?.unary(Unary::Sqrt)?.mul(&positive)
    }
    /// The angle in (−π, π].
    pub fn angle(&self) -> Result<Tensor> {
        self.im.binary(Binary::Atan2, &self.re)
    }
    /// `eᶻ`
    pub fn exp(&self) -> Result<Self> {
        let size = self.re.unary(Unary::Exp)?;
        Ok(Self { re: size.mul(&self.im.unary(Unary::Cos)?)?, im: size.mul(&self.im.unary(Unary::Sin)?)? })
    }

    /// Both parts must have one shape; they are public, so this may not hold.
    pub(crate) fn checked(&self, op: &str) -> Result<Self> {
        if self.re.shape() != self.im.shape() {
            return Err(Error::shape(format!("{op}: real and imaginary part differ in shape")).got(format!(
                "{:?} and {:?}",
                self.re.shape(),
                self.im.shape()
            )));
        }
        let (re, im) = self.re.joined(&self.im)?;
        Ok(Self { re, im })
    }
}

impl fmt::Display for Complex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.re.len() == 1
            && let (Ok(re), Ok(im)) = (self.re.item(), self.im.item())
        {
            let sign = if im < 0.0 { '-' } else { '+' };
            return write!(f, "{} {sign} {}i  ({:?} complex)", number(re), number(im.abs()), self.shape());
        }
        write!(f, "real part\n{}\nimaginary part\n{}", self.re, self.im)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::tests::{context, gradient_error, sample};

    fn pair(z: &Complex) -> Result<Tensor> {
        Tensor::concat(&[z.re.clone(), z.im.clone()], 0)
    }

    #[test]
    fn arithmetic_and_its_gradients() {
        type F = fn(&Complex, &Complex) -> Result<Complex>;
        let cases: [(&str, F); 9] = [
            ("add", |a, b| a.add(b)),
            ("sub", |a, b| a.sub(b)),
            ("mul", |a, b| a.mul(b)),
            ("div", |a, b| a.div(b)),
            ("conj", |a, b| a.conj()?.mul(b)),
            ("exp", |a, b| a.exp()?.mul_real(&b.re)),
            ("abs", |a, b| Complex::new(a.abs()?, b.abs_squared()?)),
            ("angle", |a, b| Complex::new(a.angle()?, b.angle()?)),
            ("neg", |a, b| a.neg()?.scale(3.0)?.add(b)),
        ];
        let c = context();
        let inputs: Vec<Tensor> = (1..5).map(|i| sample(&c, &[3], i)).collect();
        for (name, f) in cases {
            let error = gradient_error(&inputs, |x| {
                pair(&f(&Complex::new(x[0].clone(), x[1].clone())?, &Complex::new(x[2].clone(), x[3].clone())?)?)
            });
            assert!(error < 1e-6, "{name}: {error:e}");
        }
    }

    #[test]
    fn quotients_and_zeros() {
        let c = context();
        let z = |re: f64, im: f64| Complex::new(Tensor::scalar(&c, re), Tensor::scalar(&c, im)).unwrap();
        let q = z(1e200, 1e200).div(&z(1e200, -1e200)).unwrap();
        assert!((q.re.item().unwrap()).abs() < 1e-15 && (q.im.item().unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(z(0.0, 0.0).abs().unwrap().item().unwrap(), 0.0);
        assert!(z(1.0, -2.5).to_string().starts_with("1 - 2.5i"));
        let unfit = Complex::new(Tensor::full(&c, &[2], 0.0).unwrap(), Tensor::full(&c, &[3], 0.0).unwrap());
        assert!(unfit.is_err());
    }
}
