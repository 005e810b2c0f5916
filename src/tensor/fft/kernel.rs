//! Transforms of lines in one kernel each, for devices of CubeCL: the lines of a few columns are loaded into the memory that the threads of a cube
//! share, transformed there, and stored. Whatever the axis, nothing is transposed; half spectra are cut and weighted on the way in or out.
//!
//! Powers of two are loaded in reversed order of bits and transformed in place by butterflies (Cooley and Tukey 1965, decimation in time). Other
//! lengths are taken apart into their factors in `mixed.rs`. Neither is a product of matrices, which a card may round to TF32 and whose
//! variants Burn compiles and times before it takes one.
//!
//! Cosines and sines are a table made on the host in doubles: those of a device are single numbers of unknown accuracy.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::Weights;
use super::lowered::{constant, wave, weight};
use super::mixed;
use super::volume::Direction;
use super::{Complex, Result, Tensor};

/// What goes in and comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Complex numbers, complex numbers.
    Whole,
    /// Real numbers, the half spectrum.
    Forward,
    /// The half spectrum, real numbers.
    Back,
}

/// The lines of one launch.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    kind: Kind,
    axis: usize,
    n: usize,
}

impl Lines {
    fn spec(&self, like: &TensorSpec) -> TensorSpec {
        TensorSpec::new(self.shape(&like.shape.to_vec()).into(), like.dtype)
    }
    fn shape(&self, like: &[usize]) -> Vec<usize> {
        let mut shape = like.to_vec();
        if let Some(len) = shape.get_mut(self.axis) {
            *len = if self.kind == Kind::Forward { self.n / 2 + 1 } else { self.n };
        }
        shape
    }
}

/// What this program adds to the operations of Burn.
#[backend_extension(Cube, Fusion)]
pub trait Transforms: Backend {
    /// Complex numbers along an axis, as real and imaginary parts; the table says direction and weights.
    #[fusion(meta = |re, _im, _table, lines| (lines.spec(re), lines.spec(re)))]
    fn fft_to_complex(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        table: FloatTensor<Self>,
        lines: Lines,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Real numbers from half spectra.
    #[fusion(meta = |re, _im, _table, lines| lines.spec(re))]
    fn fft_to_real(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        table: FloatTensor<Self>,
        lines: Lines,
    ) -> FloatTensor<Self>;
}

/// Whether lines of `n` numbers like these are transformed here: they fit into the memory of a cube, and no factor of their length is so large that its
/// sums take longer than a longer transform.
pub(super) fn fits(like: &Tensor, n: usize) -> bool {
    let device = like.context().device();
    let copies = if n.is_power_of_two() { 2 } else { mixed::COPIES };
    device.is_cube()
        && n >= 2
        && like.len() < 1 << 30
        && copies * n * like.precision().bytes() <= device.shared_memory()
        && (n.is_power_of_two() || mixed::fits(n))
}

/// Cosines and sines of the angles `2πj/n`, for powers of two up to half a turn, with the sign of the direction, then the weights of wavenumbers
/// without and with an opposite one.
fn table(like: &Tensor, n: usize, direction: Direction, weights: Option<Weights>) -> Result<Tensor> {
    let count = if n.is_power_of_two() { n / 2 } else { n };
    let name = match weights {
        None => format!("fft table {n} {direction:?}"),
        Some(w) => format!("fft table {n} {direction:?} {:x} {}", w.scale.to_bits(), w.doubled),
    };
    constant(like, name, (1, 2 * count + 2), move |_, i| match i {
        i if i < count => wave(direction, n, 1, i).re,
        i if i < 2 * count => wave(direction, n, 1, i - count).im,
        // Of wavenumber 0, and of 1, which only a line of two points lacks.
        i => weights.map_or(1.0, |w| if i == 2 * count { weight(w, n, 0) } else { weight(w, n.max(4), 1) }),
    })
}

/// `Σ z(j) e^{± 2πi jk/n}` along an axis.
pub(super) fn complex(z: &Complex, axis: usize, direction: Direction) -> Result<Complex> {
    let n = z.shape()[axis];
    let table = table(&z.re, n, direction, None)?.into_data();
    let lines = Lines { kind: Kind::Whole, axis, n };
    let (re, im) = Dispatch::fft_to_complex(z.re.data().clone(), z.im.data().clone(), table, lines);
    Ok(Complex { re: Tensor::made(z.re.context(), re), im: Tensor::made(z.re.context(), im) })
}
/// `c(k) Σ x(j) e^{−2πi jk/n}` on the half spectrum of an axis.
pub(super) fn forward(x: &Tensor, axis: usize, weights: Weights) -> Result<Complex> {
    let n = x.shape()[axis];
    let table = table(x, n, Direction::Forward, Some(weights))?.into_data();
    let lines = Lines { kind: Kind::Forward, axis, n };
    let (re, im) = Dispatch::fft_to_complex(x.data().clone(), x.data().clone(), table, lines);
    Ok(Complex { re: Tensor::made(x.context(), re), im: Tensor::made(x.context(), im) })
}
/// `Re Σ c(k) z(k) e^{2πi jk/n}` over the half spectrum of an axis of `n` points.
pub(super) fn back(z: &Complex, axis: usize, n: usize, weights: Weights) -> Result<Tensor> {
    let table = table(&z.re, n, Direction::Inverse, Some(weights))?.into_data();
    let lines = Lines { kind: Kind::Back, axis, n };
    let real = Dispatch::fft_to_real(z.re.data().clone(), z.im.data().clone(), table, lines);
    Ok(Tensor::made(z.re.context(), real))
}

impl Transforms for CubeBackend {
    fn fft_to_complex(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        table: FloatTensor<Self>,
        lines: Lines,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        launch(re, im, table, lines)
    }
    fn fft_to_real(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        table: FloatTensor<Self>,
        lines: Lines,
    ) -> FloatTensor<Self> {
        launch(re, im, table, lines).0
    }
}

/// Numbers that a cube holds at once where one line leaves room for more.
const HELD: usize = 1024;

fn launch(re: CubeTensor, im: CubeTensor, table: CubeTensor, what: Lines) -> (CubeTensor, CubeTensor) {
    let (re, im) = (into_contiguous(re), into_contiguous(im));
    let (client, dtype) = (re.client.clone(), re.dtype);
    let (shape, Lines { kind, axis, n }) = (re.shape().to_vec(), what);
    let empty = || {
        let shape = what.shape(&shape);
        empty_device_contiguous_dtype(client.clone(), re.device.clone(), shape.into(), dtype)
    };
    let out_re = empty();
    let out_im = if kind == Kind::Back { out_re.clone() } else { empty() };
    let inner: usize = shape[axis + 1..].iter().product();
    let lines: usize = shape[..axis].iter().product::<usize>() * inner;
    let whole = n.is_power_of_two();
    // Side by side: neighbours along the other axes, which lie together in memory.
    let held = (HELD / n).clamp(1, lines.next_power_of_two());
    let most = client.properties().hardware.max_units_per_cube as usize;
    let units = (if whole { held * n / 2 } else { held * n }).min(most).min(256);
    let count = cubecl::calculate_cube_count_elemwise(&client, lines.div_ceil(held), CubeDim::new_single());
    let (cube, last, number) = (CubeDim::new_1d(units as u32), inner == 1, dtype_to_storage_type(dtype));
    let (re, im, table) = (re.into_buffer_arg(), im.into_buffer_arg(), table.into_buffer_arg());
    let (to_re, to_im) = (out_re.clone().into_buffer_arg(), out_im.clone().into_buffer_arg());
    if whole {
        let bits = n.trailing_zeros() as usize;
        fft_kernel::launch(
            &client, count, cube, re, im, table, to_re, to_im, lines, inner, n, bits, held, units, kind, last, number,
        );
    } else {
        mixed::mixed_kernel::launch(
            &client, count, cube, re, im, table, to_re, to_im, lines, inner, n, held, units, kind, last, number,
        );
    }
    (out_re, out_im)
}

#[cube]
fn reversed(i: usize, #[comptime] bits: usize) -> usize {
    let mut j = 0usize;
    let mut rest = i;
    #[unroll]
    for _ in 0..bits {
        j = (j << 1usize) | (rest & 1usize);
        rest >>= 1usize;
    }
    j
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn fft_kernel<F: Float>(
    re: &[F],
    im: &[F],
    table: &[F],
    out_re: &mut [F],
    out_im: &mut [F],
    lines: usize,
    inner: usize,
    #[comptime] n: usize,
    #[comptime] bits: usize,
    #[comptime] held: usize,
    #[comptime] units: usize,
    #[comptime] kind: Kind,
    #[comptime] last: bool,
    #[define(F)] _dtype: ElemType,
) {
    let first = CUBE_POS * held;
    if first >= lines {
        terminate!();
    }
    let mut shared_re = Shared::new_slice(comptime!(held * n));
    let mut shared_im = Shared::new_slice(comptime!(held * n));
    let kept = comptime!(if kind == Kind::Back { n / 2 + 1 } else { n });
    let stored = comptime!(if kind == Kind::Forward { n / 2 + 1 } else { n });

    let mut e = UNIT_POS as usize;
    while e < comptime!(held * n) {
        // Neighbouring threads read neighbouring numbers.
        let line = if comptime!(last) { e / n } else { e % held };
        let j = if comptime!(last) { e % n } else { e / held };
        let number = first + line;
        let mut a = F::new(0.0);
        let mut b = F::new(0.0);
        if number < lines && j < kept {
            let at = ((number / inner) * kept + j) * inner + number % inner;
            a = re[at];
            if comptime!(kind != Kind::Forward) {
                b = im[at];
            }
            if comptime!(kind == Kind::Back) {
                let own = j == 0usize || 2usize * j == n;
                let w = select(own, table[n], table[n + 1]);
                a *= w;
                b *= w;
            }
        }
        let to = line * n + reversed(j, bits);
        shared_re[to] = a;
        shared_im[to] = b;
        e += units;
    }
    sync_cube();

    #[unroll]
    for stage in 0..bits {
        let half = comptime!(1usize << stage);
        let mut e = UNIT_POS as usize;
        while e < comptime!(held * n / 2) {
            let group = e / half;
            let j = e % half;
            let low = group * half * 2usize + j;
            let high = low + half;
            let turn = j * comptime!(n / (2 << stage));
            let c = table[turn];
            let s = table[turn + comptime!(n / 2)];
            let br = shared_re[high];
            let bi = shared_im[high];
            let tr = c * br - s * bi;
            let ti = c * bi + s * br;
            let ar = shared_re[low];
            let ai = shared_im[low];
            shared_re[low] = ar + tr;
            shared_im[low] = ai + ti;
            shared_re[high] = ar - tr;
            shared_im[high] = ai - ti;
            e += units;
        }
        sync_cube();
    }

    let mut e = UNIT_POS as usize;
    while e < comptime!(held * n) {
        let line = if comptime!(last) { e / n } else { e % held };
        let k = if comptime!(last) { e % n } else { e / held };
        let number = first + line;
        if number < lines && k < stored {
            let at = ((number / inner) * stored + k) * inner + number % inner;
            let from = line * n + k;
            if comptime!(kind == Kind::Back) {
                out_re[at] = shared_re[from];
            } else if comptime!(kind == Kind::Forward) {
                let own = k == 0usize || 2usize * k == n;
                let w = select(own, table[n], table[n + 1]);
                out_re[at] = shared_re[from] * w;
                out_im[at] = shared_im[from] * w;
            } else {
                out_re[at] = shared_re[from];
                out_im[at] = shared_im[from];
            }
        }
        e += units;
    }
    // Nobody still reads when the next cube is given this memory.
    sync_cube();
}
