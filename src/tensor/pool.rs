//! Coarser and finer grids: pooling and upsampling over 1 to 3 spatial axes of `[sample, channel, space…]`.

use super::arrange::{Padding, Span};
use super::base::Tensor;
use super::conv::ConvOptions;
use super::shape::{Shape, element_count};
use crate::error::{Error, Result};
use crate::session::interrupt;

/// How new points are made between old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsample {
    /// Each point is repeated.
    Nearest,
    /// On straight lines between the centres of cells; beyond the outermost centres the edge value goes on.
    Linear,
}

/// One tensor for each new point of a cell is fastest while there are few of them.
const MOST_PHASES: usize = 16;

impl Tensor {
    fn spatial(&self, op: &str, lens: &[&[usize]]) -> Result<usize> {
        let dims = self.rank().wrapping_sub(2);
        if !(1..=3).contains(&dims) || lens.iter().any(|l| l.len() != dims) {
            return Err(Error::shape(format!("{op}: one number for each of 1 to 3 spatial axes"))
                .got(format!("shape {:?}, {lens:?}", self.shape()))
                .expected("[sample, channel, space…] and as many numbers as spatial axes"));
        }
        if lens.iter().any(|l| l.contains(&0)) {
            return Err(
                Error::value(format!("{op}: kernel, stride and factor are at least 1")).got(format!("{lens:?}"))
            );
        }
        Ok(dims)
    }
    fn windows_fit(&self, op: &str, kernel: &[usize]) -> Result<()> {
        let shape = self.shape();
        if kernel.iter().zip(&shape[2..]).any(|(k, n)| k > n) {
            return Err(Error::shape(format!("{op}: the window is wider than the input"))
                .got(format!("window {kernel:?}, shape {shape:?}")));
        }
        Ok(())
    }

    /// The mean over windows; those that would leave the input are dropped.
    pub fn avg_pool(&self, kernel: &[usize], stride: &[usize]) -> Result<Self> {
        let dims = self.spatial("avg_pool", &[kernel, stride])?;
        self.windows_fit("avg_pool", kernel)?;
        let shape = self.shape();
        // A convolution of each channel with a constant.
        let volume = element_count(kernel)?;
        let weight = Self::full_in(self.context(), self.precision(), &[&[1, 1], kernel].concat(), 1.0 / volume as f64)?;
        let options = ConvOptions { stride: stride.to_vec(), ..ConvOptions::new(dims) };
        let flat = self.reshape(&[&[shape[0] * shape[1], 1], &shape[2..]].concat())?.conv(&weight, &options)?;
        flat.reshape(&[&shape[..2], &flat.shape()[2..]].concat())
    }

    /// The largest element of windows; those that would leave the input are dropped. Equal ones share the gradient.
    pub fn max_pool(&self, kernel: &[usize], stride: &[usize]) -> Result<Self> {
        let dims = self.spatial("max_pool", &[kernel, stride])?;
        self.windows_fit("max_pool", kernel)?;
        let shape = self.shape();
        // A list of places for each point of the window comes before any number.
        self.context().reserve(element_count(kernel)?.saturating_mul(256))?;
        let mut places: Vec<Vec<Span>> = vec![shape[..2].iter().map(|&n| Span::all(n)).collect()];
        for axis in 0..dims {
            let (n, k, step) = (shape[axis + 2], kernel[axis], stride[axis]);
            let last = (n - k) / step * step;
            let span = |start: usize| Span { start, end: start + last + 1, step };
            places = places.iter().flat_map(|p| (0..k).map(move |i| [&p[..], &[span(i)]].concat())).collect();
        }
        let count: usize = places.first().map_or(0, |p| p.iter().map(Span::len).product());
        self.context().reserve(count.saturating_mul(places.len()).saturating_mul(self.precision().bytes()))?;
        let window = |place: &Vec<Span>| {
            interrupt::poll()?;
            self.slice(place)
        };
        let windows: Vec<Self> = places.iter().map(window).collect::<Result<_>>()?;
        if count == 0 {
            return windows.into_iter().next().ok_or_else(|| Error::internal("a window without a place"));
        }
        Self::stack(&windows, 0)?.max(&[0], false)
    }

    /// Every spatial axis made longer by a whole factor.
    pub fn upsample(&self, factors: &[usize], method: Upsample) -> Result<Self> {
        self.spatial("upsample", &[factors])?;
        let target: Vec<usize> =
            self.shape().iter().zip([1, 1].iter().chain(factors)).map(|(n, f)| n.saturating_mul(*f)).collect();
        self.context().reserve(element_count(&target)?.saturating_mul(self.precision().bytes()))?;
        factors.iter().enumerate().filter(|(_, f)| **f > 1).try_fold(self.clone(), |x, (i, &factor)| match method {
            _ if factor > MOST_PHASES => x.finer_by_positions(i + 2, factor, method),
            Upsample::Nearest => x.finer(i + 2, vec![x.clone(); factor]),
            Upsample::Linear => {
                let axis = i + 2;
                let n = x.shape()[axis];
                if n == 0 {
                    return x.finer(axis, vec![x.clone(); factor]);
                }
                let wide = x.pad(axis as i64, 1, 1, Padding::Edge)?;
                let phase = |r: usize| -> Result<Self> {
                    // The distance of the new centre from the old one, in old cells.
                    let d = (r as f64 + 0.5) / factor as f64 - 0.5;
                    let neighbour = wide.narrow(axis, if d < 0.0 { 0 } else { 2 }, n)?;
                    x.scale(1.0 - d.abs())?.add(&neighbour.scale(d.abs())?)
                };
                x.finer(axis, (0..factor).map(phase).collect::<Result<_>>()?)
            }
        })
    }
    /// An axis made longer, each new point from the one or two old ones beside it.
    fn finer_by_positions(&self, axis: usize, factor: usize, method: Upsample) -> Result<Self> {
        let n = self.shape().get(axis).copied().unwrap_or(0);
        let len = n.saturating_mul(factor);
        self.context().reserve(len.saturating_mul(40))?;
        let along = axis as i64;
        if method == Upsample::Nearest || n == 0 {
            return self.take(along, &(0..len).map(|at| (at / factor) as i64).collect::<Vec<_>>());
        }
        let last = n - 1;
        // Where a new centre lies among the old ones; beyond the outermost the edge value goes on.
        let place = |at: usize| (((at as f64 + 0.5) / factor as f64) - 0.5).clamp(0.0, last as f64);
        let below: Vec<i64> = (0..len).map(|at| place(at).floor() as i64).collect();
        let above: Vec<i64> = below.iter().map(|&at| (at + 1).min(last as i64)).collect();
        let part: Vec<f64> = (0..len).map(|at| place(at).fract()).collect();
        let shape: Shape = (0..self.rank()).map(|a| if a == axis { len } else { 1 }).collect();
        let part = Self::from_vec::<f64>(self.context(), part, &shape)?.cast(self.precision())?;
        let low = self.take(along, &below)?;
        low.add(&self.take(along, &above)?.sub(&low)?.mul(&part)?)
    }
    /// Tensors of one shape interleaved along an axis.
    fn finer(&self, axis: usize, phases: Vec<Self>) -> Result<Self> {
        let mut shape: Shape = self.shape();
        shape[axis] *= phases.len();
        Self::stack(&phases, axis as i64 + 1)?.reshape(&shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::tests::{context, gradient_error, sample};
    use crate::tensor::{Unary, value_and_gradient};

    #[test]
    fn values() {
        let c = context();
        let x = Tensor::new(&c, (0..15).map(f64::from).collect(), &[1, 1, 3, 5]).unwrap();
        assert_eq!(x.max_pool(&[2, 2], &[1, 2]).unwrap().to_vec().unwrap(), [6.0, 8.0, 11.0, 13.0]);
        assert_eq!(x.avg_pool(&[2, 2], &[1, 2]).unwrap().to_vec().unwrap(), [3.0, 5.0, 8.0, 10.0]);
        let x = Tensor::new(&c, vec![0.0, 4.0], &[1, 1, 2]).unwrap();
        assert_eq!(x.upsample(&[2], Upsample::Nearest).unwrap().to_vec().unwrap(), [0.0, 0.0, 4.0, 4.0]);
        assert_eq!(x.upsample(&[2], Upsample::Linear).unwrap().to_vec().unwrap(), [0.0, 1.0, 3.0, 4.0]);
        let thirds = x.upsample(&[3], Upsample::Linear).unwrap().to_vec().unwrap();
        for (got, expected) in thirds.iter().zip([0.0, 0.0, 4.0 / 3.0, 8.0 / 3.0, 4.0, 4.0]) {
            assert!((got - expected).abs() < 1e-14, "{thirds:?}");
        }
    }

    #[test]
    fn large_factors_agree_with_factors_in_turn() {
        let c = context();
        let x = sample(&c, &[2, 1, 5], 1);
        let nearest = |f: &[usize]| {
            f.iter().fold(x.clone(), |x, &f| x.upsample(&[f], Upsample::Nearest).unwrap()).to_vec().unwrap()
        };
        assert_eq!(nearest(&[32]), nearest(&[8, 4]));
        // Linear upsampling along the same lines: centres of an odd factor stay where they were.
        let fine = x.upsample(&[17], Upsample::Linear).unwrap();
        let centres: Vec<i64> = (0..5).map(|i| 17 * i + 8).collect();
        assert_eq!(fine.take(-1, &centres).unwrap().to_vec().unwrap(), x.to_vec().unwrap());
        assert_eq!(fine.narrow(2, 0, 1).unwrap().to_vec().unwrap(), x.narrow(2, 0, 1).unwrap().to_vec().unwrap());
    }

    #[test]
    fn gradients_to_second_order() {
        type F = fn(&Tensor) -> Result<Tensor>;
        let cases: [(&str, &[usize], F); 8] = [
            ("avg 1", &[2, 2, 5], |x| x.avg_pool(&[2], &[2])),
            ("avg 2", &[1, 2, 4, 5], |x| x.avg_pool(&[3, 2], &[1, 2])),
            ("max 2", &[2, 1, 4, 5], |x| x.max_pool(&[2, 2], &[2, 1])),
            ("max 3", &[1, 1, 3, 3, 3], |x| x.max_pool(&[2, 2, 2], &[1, 1, 1])),
            ("nearest", &[1, 2, 2, 3], |x| x.upsample(&[2, 3], Upsample::Nearest)),
            ("linear", &[1, 2, 3, 2], |x| x.upsample(&[2, 3], Upsample::Linear)),
            ("nearest, many", &[1, 1, 2], |x| x.upsample(&[17], Upsample::Nearest)),
            ("linear, many", &[1, 2, 3], |x| x.upsample(&[18], Upsample::Linear)),
        ];
        let c = context();
        for (name, shape, f) in cases {
            let x = [sample(&c, shape, 1)];
            let error = gradient_error(&x, |x| f(&x[0]));
            assert!(error < 1e-6, "{name}: {error:e}");
            let second = gradient_error(&x, |x| {
                let (_, g) = value_and_gradient(&c, x, |y| f(&y[0])?.unary(Unary::Square)?.sum_all())?;
                g[0].unary(Unary::Square)
            });
            assert!(second < 1e-6, "{name}, second order: {second:e}");
        }
    }

    #[test]
    fn misuse_is_an_error_and_empty_is_empty() {
        let t = |shape: &[usize]| Tensor::full(&context(), shape, 1.0).unwrap();
        for (shape, kernel, stride) in [
            (&[4, 4][..], &[2][..], &[2][..]),
            (&[1, 1, 4], &[5], &[1]),
            (&[1, 1, 4], &[0], &[1]),
            (&[1, 1, 4], &[2], &[0]),
            (&[1, 1, 4], &[2, 2], &[2, 2]),
            (&[1, 1, 4], &[usize::MAX], &[1]),
        ] {
            assert!(t(shape).max_pool(kernel, stride).is_err(), "{shape:?} {kernel:?} {stride:?}");
            assert!(t(shape).avg_pool(kernel, stride).is_err(), "{shape:?} {kernel:?} {stride:?}");
        }
        assert!(t(&[1, 1, 4]).upsample(&[0], Upsample::Linear).is_err());
        assert!(t(&[1, 1, 4]).upsample(&[usize::MAX], Upsample::Nearest).is_err());
        assert_eq!(t(&[0, 1, 4]).max_pool(&[2], &[2]).unwrap().shape(), [0, 1, 2]);
        assert_eq!(t(&[0, 1, 4]).avg_pool(&[2], &[2]).unwrap().shape(), [0, 1, 2]);
        assert_eq!(t(&[0, 1, 4]).upsample(&[2], Upsample::Linear).unwrap().shape(), [0, 1, 8]);
    }
}
