//! `Σ cᵢ xᵢ` of tensors in one pass: the one operation between states that every integrator is made of.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::tensor::{Real, Tensor, in_precision};

/// Elements that one thread takes at a time.
const BLOCK: usize = 1 << 14;

/// `Σ cᵢ xᵢ` of tensors of one shape and precision, with plain numbers `cᵢ`; differentiable in each `xᵢ`. Terms with `c = 0`
/// are left out, also where `x` is not finite.
///
/// Shapes that differ broadcast, precisions that differ meet in `f64`.
///
/// # Errors
/// When there is no term, or the shapes do not fit.
pub fn combine(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let Some((_, first)) = terms.first() else { return Err(Error::internal("a combination of nothing")) };
    let used: Vec<(f64, &Tensor)> = terms.iter().copied().filter(|(c, _)| *c != 0.0).collect();
    match used[..] {
        [] => return first.full_like(0.0),
        [(1.0, x)] => return Ok(x.clone()),
        [(c, x)] => return x.scale(c),
        _ => {}
    }
    let alike = used.iter().all(|(_, x)| x.shape() == first.shape() && x.precision() == first.precision());
    let flex = used.iter().map(|(_, x)| x.flex_contiguous()).collect::<Option<Vec<_>>>().filter(|_| alike);
    let Some(flex) = flex else {
        let mut sum = used[0].1.scale(used[0].0)?;
        for (c, x) in &used[1..] {
            sum = sum.add(&x.scale(*c)?)?;
        }
        return Ok(sum);
    };
    let context = first.context();
    context.reserve(first.len().saturating_mul(first.precision().bytes()))?;
    let mut out = in_precision!(first.precision(), T => {
        let parts = flex
            .iter()
            .zip(&used)
            .map(|(f, (c, _))| f.as_slice::<T>().map(|x| (T::of(*c), x)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::internal("a tensor is not in the precision it should have"))?;
        Tensor::from_vec(context, sum::<T>(first.len(), &parts), &first.shape())?
    });
    for (c, x) in used {
        out = out.from(x, || move |g: &Tensor| g.scale(c));
    }
    Ok(out)
}

fn sum<T: Real>(len: usize, parts: &[(T, &[T])]) -> Vec<T> {
    let mut out = vec![T::default(); len];
    // Handing a block to another thread costs more than a small state.
    if len <= BLOCK {
        add_block(&mut out, 0, parts);
    } else {
        out.par_chunks_mut(BLOCK).enumerate().for_each(|(block, out)| add_block(out, block * BLOCK, parts));
    }
    out
}

fn add_block<T: Real>(out: &mut [T], start: usize, parts: &[(T, &[T])]) {
    for (c, x) in parts {
        out.iter_mut().zip(&x[start..]).for_each(|(o, &x)| *o = *o + *c * x);
    }
}
