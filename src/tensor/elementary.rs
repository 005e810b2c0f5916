//! Functions of elements whose loops become vector instructions. Burn calls the library's function for one element after the other.

use rayon::prelude::*;

use super::base::Tensor;
use super::context::Precision;
use super::simd::vectorised;
use super::unary::Unary;
use crate::error::Result;

/// Elements that one thread takes at a time.
const BLOCK: usize = 1 << 14;

/// The function of each element, where there is a kernel for it: in `f32` on the CPU.
pub(super) fn apply(function: Unary, x: &Tensor) -> Result<Option<Tensor>> {
    if function != Unary::Tanh || x.precision() != Precision::F32 {
        return Ok(None);
    }
    let Some(flex) = x.flex_contiguous() else { return Ok(None) };
    let Some(from) = flex.as_slice::<f32>().filter(|from| from.len() == x.len()) else { return Ok(None) };
    let mut to = vec![0.0; from.len()];
    // Handing a block to another thread costs more than one block.
    if from.len() <= BLOCK {
        tanh(from, &mut to);
    } else {
        to.par_chunks_mut(BLOCK).zip(from.par_chunks(BLOCK)).for_each(|(to, from)| tanh(from, to));
    }
    Tensor::from_vec(x.context(), to, &x.shape()).map(Some)
}

vectorised! {
    /// The hyperbolic tangent of each element.
    fn tanh(from: &[f32], to: &mut [f32]) {
        to.iter_mut().zip(from).for_each(|(to, x)| *to = tanh_f32(*x));
    }
}

/// The rational approximation `x P(x²) / Q(x²)` of Eigen and XLA, on the interval outside of which the value rounds to ±1.
/// Within 4·10⁻⁷ of the value, relative to it. (`Eigen/src/Core/MathFunctionsImpl.h`, `generic_fast_tanh_float`.)
#[inline(always)]
#[allow(clippy::excessive_precision)]
fn tanh_f32(x: f32) -> f32 {
    const END: f32 = 7.905_311;
    // Not `clamp`: a comparison with NaN is false, which leaves it as it is.
    let x = if x > END { END } else { x };
    let x = if x < -END { -END } else { x };
    let z = x * x;
    let mut p = -2.760_768_5e-16;
    p = p * z + 2.000_187_9e-13;
    p = p * z - 8.604_671_5e-11;
    p = p * z + 5.122_297_1e-8;
    p = p * z + 1.485_722_36e-5;
    p = p * z + 6.372_619_3e-4;
    p = p * z + 4.893_524_56e-3;
    let mut q = 1.198_258_4e-6;
    q = q * z + 1.185_347_06e-4;
    q = q * z + 2.268_434_63e-3;
    q = q * z + 4.893_525_19e-3;
    let y = x * p / q;
    // Below this x is nearer than the quotient.
    if x.abs() < 4e-4 { x } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_accurate_everywhere() {
        let line = (-400_000..=400_000).map(|i| i as f32 * 3e-5);
        let sizes = (-45..38).flat_map(|e| [1.0, 3.7].map(|m: f32| m * 10f32.powi(e)));
        let mut worst = 0.0f64;
        for x in line.chain(sizes).chain([0.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY]) {
            let (y, exact) = (tanh_f32(x), (x as f64).tanh());
            assert!(y.abs() <= 1.0, "tanh({x}) = {y}");
            // Numbers below the smallest normal one have few digits.
            worst = worst.max((y as f64 - exact).abs() / exact.abs().max(f32::MIN_POSITIVE as f64));
        }
        assert!(worst < 4e-7, "{worst:e}");
        assert!(tanh_f32(f32::NAN).is_nan() && tanh_f32(-0.0).is_sign_negative());
    }
}
