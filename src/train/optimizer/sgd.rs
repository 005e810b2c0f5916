//! Gradient descent with momentum.

use super::slices::fused;
use crate::error::Result;
use crate::tensor::{Real, Tensor, in_precision};

/// Stochastic gradient descent. With the gradient `g`, the rate `η` and the velocity `v` (0 at first):
///
/// ```text
/// g ← g + decay · p
/// v ← momentum · v + g
/// p ← p − η v                          plain
/// p ← p − η (g + momentum · v)         Nesterov
/// ```
///
/// Source: Sutskever et al. 2013, in the form that PyTorch uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// How much of the velocity stays; 0 by default, 0.9 is usual.
    pub momentum: f64,
    /// Whether to look ahead along the velocity.
    pub nesterov: bool,
    /// Pull of the parameters towards 0.
    pub decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.0, nesterov: false, decay: 0.0 }
    }
}

impl Sgd {
    pub(super) fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["velocity"] }
    }
    pub(super) fn update(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        if !p.context().device().has_kernels() {
            return self.lowered(p, g, moments, rate);
        }
        in_precision!(p.precision(), T => self.update_in::<T>(p, g, moments, rate))
    }
    fn update_in<T: Real>(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (eta, mu, decay) = (T::of(rate), T::of(self.momentum), T::of(self.decay));
        let nesterov = self.nesterov;
        match moments {
            [velocity] => {
                let (p, [v]) = fused::<T, 1>(p, g, [velocity], |p, g, [v]| {
                    for ((p, &g), v) in p.iter_mut().zip(g).zip(v) {
                        let g = g + decay * *p;
                        *v = mu * *v + g;
                        *p = *p - eta * if nesterov { g + mu * *v } else { *v };
                    }
                })?;
                Ok((p, vec![v]))
            }
            _ => {
                let (p, []) = fused::<T, 0>(p, g, [], |p, g, []| {
                    for (p, &g) in p.iter_mut().zip(g) {
                        *p = *p - eta * (g + decay * *p);
                    }
                })?;
                Ok((p, Vec::new()))
            }
        }
    }
}
