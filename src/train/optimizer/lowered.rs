//! The rules of the optimisers in tensor operations, for devices without the kernels of the CPU: nothing travels to the host.

use super::adam::Adam;
use super::sgd::Sgd;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Precision, Tensor, Unary};

/// A number in the precision of the parameters, so that the rules round where those of the CPU do.
fn rounded(p: &Tensor, value: f64) -> f64 {
    if p.precision() == Precision::F32 { value as f32 as f64 } else { value }
}
/// `g + decay · p`
fn pulled(p: &Tensor, g: &Tensor, decay: f64) -> Result<Tensor> {
    if decay == 0.0 { Ok(g.clone()) } else { g.add(&p.scale(rounded(p, decay))?) }
}

impl Sgd {
    pub(super) fn lowered(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (p, g) = (p.detach(), g.detach());
        let (eta, mu) = (rounded(&p, rate), rounded(&p, self.momentum));
        let g = pulled(&p, &g, self.decay)?;
        let [velocity] = moments else { return Ok((p.sub(&g.scale(eta)?)?, Vec::new())) };
        let v = velocity.scale(mu)?.add(&g)?;
        let step = if self.nesterov { g.add(&v.scale(mu)?)? } else { v.clone() };
        Ok((p.sub(&step.scale(eta)?)?, vec![v]))
    }
}

impl Adam {
    pub(super) fn lowered(
        &self,
        p: &Tensor,
        g: &Tensor,
        moments: &[Tensor],
        rate: f64,
        t: u64,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (p, g) = (p.detach(), g.detach());
        let number = |value: f64| rounded(&p, value);
        let unbias = |beta: f64| 1.0 - beta.powf(t as f64);
        let (eta, root) = (number(rate / unbias(self.beta1)), number(unbias(self.beta2).sqrt().recip()));
        let (m, v, top) = match moments {
            [m, v] => (m, v, None),
            [m, v, top] => (m, v, Some(top)),
            _ => return Err(Error::internal("Adam without its moments")),
        };
        let g = if self.decoupled { g } else { pulled(&p, &g, self.decay)? };
        let m = m.scale(number(self.beta1))?.add(&g.scale(number(1.0 - self.beta1))?)?;
        let v = v.scale(number(self.beta2))?.add(&g.scale(number(1.0 - self.beta2))?.mul(&g)?)?;
        let kept = if self.decoupled { p.scale(number(1.0 - rate * self.decay))? } else { p.clone() };
        let top = top.map(|top| top.binary(Binary::Max, &v)).transpose()?;
        let size = top.as_ref().unwrap_or(&v).unary(Unary::Sqrt)?.scale(root)?.shift(number(self.epsilon))?;
        let p = kept.sub(&m.scale(eta)?.div(&size)?)?;
        Ok((p, [Some(m), Some(v), top].into_iter().flatten().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::random::{Key, normal};
    use crate::tensor::{Context, Device};

    type Rule<'a> = &'a dyn Fn(&Tensor, &Tensor, &[Tensor], u64) -> Result<(Tensor, Vec<Tensor>)>;

    #[test]
    fn the_rules_are_those_of_the_slices() {
        for precision in [Precision::F32, Precision::F64] {
            let run = |device: Device, rule: Rule<'_>, slots: usize| {
                let c = Context::on(device, precision);
                let mut p = normal(&c, Key::new(1), &[7, 3]).unwrap();
                let mut moments = vec![p.full_like(0.0).unwrap(); slots];
                for t in 1..=20 {
                    let g = normal(&c, Key::new(2).step(t), &[7, 3]).unwrap();
                    (p, moments) = rule(&p, &g, &moments, t).unwrap();
                }
                // Moments are set beside the parameters: all must agree.
                p.to_vec()
                    .unwrap()
                    .into_iter()
                    .chain(moments.iter().flat_map(|m| m.to_vec().unwrap()))
                    .collect::<Vec<_>>()
            };
            let same = |slots: usize, rule: Rule<'_>| {
                let (a, b) = (run(Device::CPU, rule, slots), run(Device::LOWERED, rule, slots));
                let error = a.iter().zip(&b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
                assert!(error < 20.0 * precision.epsilon(), "{slots} {precision:?}: {error:e}");
            };
            for (slots, sgd) in [
                (0, Sgd { decay: 0.1, ..Sgd::default() }),
                (1, Sgd { momentum: 0.9, decay: 0.1, ..Sgd::default() }),
                (1, Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }),
            ] {
                same(slots, &|p, g, moments, _| sgd.update(p, g, moments, 0.01));
            }
            for (slots, adam) in [
                (2, Adam { decay: 0.1, ..Adam::default() }),
                (2, Adam::decoupled()),
                (3, Adam { amsgrad: true, ..Adam::default() }),
            ] {
                same(slots, &|p, g, moments, t| adam.update(p, g, moments, 0.01, t));
            }
        }
    }
}
