//! Adaptive moments.

use super::slices::fused;
use crate::error::Result;
use crate::tensor::{Real, Tensor, in_precision};

/// Adam and AdamW. With the gradient `g`, the rate `η`, the step `t = 1, 2, …` and moments that begin at 0:
///
/// ```text
/// Adam:   g ← g + decay · p            AdamW:  p ← p − η decay p
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// v̂ = max of v so far (amsgrad), else v
/// p ← p − η / (1 − β₁ᵗ) · m / (√(v̂ / (1 − β₂ᵗ)) + ε)
/// ```
///
/// Good values: the defaults; rates of 1e-3 for small networks, 1e-4 for large ones.
/// Sources: Kingma and Ba 2015; Loshchilov and Hutter 2019; Reddi et al. 2018, in the form that PyTorch uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay of the mean of the gradient; 0.9.
    pub beta1: f64,
    /// Decay of the mean of its square; 0.999.
    pub beta2: f64,
    /// Keeps the quotient finite; 1e-8.
    pub epsilon: f64,
    /// Pull of the parameters towards 0; 0.
    pub decay: f64,
    /// Whether the pull acts on the parameters directly (AdamW) and not through the moments.
    pub decoupled: bool,
    /// Whether `v` may not shrink.
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.0, decoupled: false, amsgrad: false }
    }
}

impl Adam {
    /// AdamW with its usual decay of 0.01.
    pub fn decoupled() -> Self {
        Self { decay: 0.01, decoupled: true, ..Self::default() }
    }
    pub(super) fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["m", "v", "v_max"] } else { &["m", "v"] }
    }
    pub(super) fn update(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
        t: u64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        if !p.context().device().has_kernels() {
            return self.lowered(p, g, moments, rate, t);
        }
        in_precision!(p.precision(), T => self.update_in::<T>(p, g, moments, rate, t))
    }
    fn update_in<T: Real>(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
        t: u64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let unbias = |beta: f64| 1.0 - beta.powf(t as f64);
        let (beta1, beta2, epsilon) = (T::of(self.beta1), T::of(self.beta2), T::of(self.epsilon));
        // 1 − β in doubles: in f32, 1 − 0.999 has lost 4 digits.
        let (rest1, rest2) = (T::of(1.0 - self.beta1), T::of(1.0 - self.beta2));
        let eta = T::of(rate / unbias(self.beta1));
        let root = T::of(unbias(self.beta2).sqrt().recip());
        let (coupled, kept) =
            if self.decoupled { (T::of(0.0), T::of(1.0 - rate * self.decay)) } else { (T::of(self.decay), T::of(1.0)) };
        let moved = move |p: &mut T, g: T, m: &mut T, v: &mut T| {
            let g = g + coupled * *p;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *p = *p * kept;
        };
        match moments {
            [m, v, v_max] => {
                let (p, moments) = fused::<T, 3>(p, g, [m, v, v_max], |p, g, [m, v, top]| {
                    for ((((p, &g), m), v), top) in p.iter_mut().zip(g).zip(m).zip(v).zip(top) {
                        moved(p, g, m, v);
                        *top = top.max(*v);
                        *p = *p - eta * *m / (top.sqrt() * root + epsilon);
                    }
                })?;
                Ok((p, moments.into()))
            }
            [m, v] => {
                let (p, moments) = fused::<T, 2>(p, g, [m, v], |p, g, [m, v]| {
                    for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                        moved(p, g, m, v);
                        *p = *p - eta * *m / (v.sqrt() * root + epsilon);
                    }
                })?;
                Ok((p, moments.into()))
            }
            _ => Err(crate::error::Error::internal("Adam without its moments")),
        }
    }
}
