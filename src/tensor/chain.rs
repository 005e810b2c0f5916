//! The chain rule behind `where`: what was not chosen has the gradient 0, whatever the derivative is there.
//!
//! `where(x > 0, sqrt(x), 0)` hands `sqrt` a gradient of 0 at x = 0, and the derivative of `sqrt` is infinite there: 0 · ∞ is NaN. The
//! tape knows which gradients have come through a choice ([`Context::is_chosen`]); for these a product of 0 and a derivative that is
//! not finite is 0. Elsewhere nothing is looked at, and a NaN stays one.

use super::base::Tensor;
use super::binary::Compare;
use super::unary::Unary;
use crate::error::Result;

impl Tensor {
    /// This gradient times the derivative of an operation on elements.
    pub(crate) fn chain(&self, slope: &Tensor) -> Result<Self> {
        if !self.context().is_chosen() {
            return self.mul(slope);
        }
        let zero = Self::scalar_in(self.context(), slope.precision(), 0.0);
        let (g, s) = (self.detach(), slope.detach());
        let harmless = g.compare(Compare::NotEqual, &zero)?.add(&s.is_finite()?)?;
        // Only there: a gradient that happens to be 0 has derivatives of its own.
        self.mul(&harmless.choose(slope, &zero)?)
    }
    /// This gradient divided by `divisor`.
    pub(crate) fn chain_div(&self, divisor: &Tensor) -> Result<Self> {
        if self.context().is_chosen() { self.chain(&divisor.unary(Unary::Recip)?) } else { self.div(divisor) }
    }
}
