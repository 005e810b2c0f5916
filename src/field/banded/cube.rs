//! Banded maps in one kernel, for devices of CubeCL: a thread for each number of the result, which adds up its row in the order of its entries. Shifted views,
//! their sum and two small products would be some ten launches, and Burn compiles and times variants of those products before it takes one.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::TensorData;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::*;

use super::Banded;
use crate::error::Result;
use crate::tensor::{Precision, Tensor};

/// What a launch is told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    axis: usize,
    rows: usize,
    columns: usize,
    /// Rows before the regular ones, the regular ones, and those behind them.
    parts: [usize; 3],
    taps: usize,
}

impl Settings {
    fn shape(&self, of: &[usize]) -> Vec<usize> {
        let mut shape = of.to_vec();
        shape.iter_mut().skip(self.axis).take(1).for_each(|n| *n = self.rows);
        shape
    }
    fn spec(&self, like: &TensorSpec) -> TensorSpec {
        TensorSpec::new(self.shape(&like.shape.to_vec()).into(), like.dtype)
    }
}

/// What this program adds to the operations of Burn.
#[backend_extension(Cube, Fusion)]
pub trait Maps: Backend {
    /// A banded map along an axis: the weights of the regular rows, then those of the others row by row; as `places` the shifts of the
    /// regular rows, where each other row begins and the last one ends, and their columns.
    #[fusion(meta = |x, _weights, _places, settings| settings.spec(x))]
    fn banded_map(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        places: IntTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self>;
}

/// Whether the kernel's 32 bits of index are enough.
pub(super) fn fits(map: &Banded, x: &Tensor, axis: usize) -> bool {
    let others = x.len() / x.shape().get(axis).copied().unwrap_or(1).max(1);
    let most = map.rows().max(map.columns()).checked_mul(others);
    x.context().device().is_cube() && most.is_some_and(|n| n < 1 << 31)
}

/// The map along an axis, outside of any gradient.
pub(super) fn apply(map: &Banded, x: &Tensor, axis: usize) -> Result<Tensor> {
    let (context, precision, parts) = (x.context(), x.precision(), &*map.0);
    let ends = || parts.first.iter().chain(&parts.last);
    let name = format!("banded {} {}", precision.name(), map.name());
    let weights = context.constant(name, || {
        let mut weights: Vec<f64> = parts.taps.iter().map(|(_, w)| *w).collect();
        weights.extend(ends().flatten().map(|(_, w)| *w));
        // A map of zeros has no weight, and a device no buffer of nothing.
        weights.push(0.0);
        let shape = [weights.len()];
        match precision {
            Precision::F32 => {
                Tensor::from_vec(context, weights.into_iter().map(|w| w as f32).collect::<Vec<_>>(), &shape)
            }
            Precision::F64 => Tensor::from_vec(context, weights, &shape),
        }
    })?;
    let places = context.constant_data(&format!("banded places {}", map.name()), || {
        let mut places: Vec<i32> = parts.taps.iter().map(|(shift, _)| *shift as i32).collect();
        let mut begin = 0;
        for row in ends() {
            places.push(begin);
            begin += row.len() as i32;
        }
        places.push(begin);
        places.extend(ends().flatten().map(|(column, _)| *column as i32));
        let count = places.len();
        context.copied_to_device(4 * count);
        Dispatch::int_from_data(TensorData::new(places, [count]), &context.burn_device())
    });
    let [first, last] = [&parts.first, &parts.last].map(Vec::len);
    let settings = Settings {
        axis,
        rows: parts.rows,
        columns: parts.columns,
        parts: [first, parts.rows - first - last, last],
        taps: parts.taps.len(),
    };
    Ok(Tensor::made(context, Dispatch::banded_map(x.data().clone(), weights.into_data(), places, settings)))
}

impl Maps for CubeBackend {
    fn banded_map(
        x: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        places: IntTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let (client, dtype, of) = (x.client.clone(), x.dtype, x.shape().to_vec());
        let shape = settings.shape(&of);
        let (total, inner): (usize, usize) = (shape.iter().product(), of.iter().skip(settings.axis + 1).product());
        let out = empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape.into(), dtype);
        let cube = CubeDim::new(&client, total);
        let count = cubecl::calculate_cube_count_elemwise(&client, total, cube);
        let Settings { rows, columns, parts: [first, regular, last], taps, .. } = settings;
        let words = [total, inner, rows, columns, first, regular, last, taps].map(|n| n as u32);
        let [total, inner, rows, columns, first, regular, last, taps] = words;
        banded_kernel::launch(
            &client,
            count,
            cube,
            x.into_buffer_arg(),
            weights.into_buffer_arg(),
            places.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            total,
            inner,
            rows,
            columns,
            first,
            regular,
            last,
            taps,
            dtype_to_storage_type(dtype),
        );
        out
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn banded_kernel<F: Float>(
    x: &[F],
    weights: &[F],
    places: &[u32],
    out: &mut [F],
    total: u32,
    inner: u32,
    rows: u32,
    columns: u32,
    first: u32,
    regular: u32,
    last: u32,
    taps: u32,
    #[define(F)] _dtype: ElemType,
) {
    if ABSOLUTE_POS >= total as usize {
        terminate!();
    }
    let e = ABSOLUTE_POS as u32;
    let line = e / inner;
    let i = line % rows;
    let base = (line / rows) * columns * inner + e % inner;
    let mut sum = F::new(0.0);
    if i >= first && i < first + regular {
        let mut k = 0u32;
        while k < taps {
            // Shifts to the left are whole turns of 32 bits less.
            let column = i + places[k as usize];
            sum += weights[k as usize] * x[(base + column * inner) as usize];
            k += 1u32;
        }
    } else {
        let row = taps + select(i < first, i, i - regular);
        let columns_at = taps + first + last + 1u32;
        let mut k = places[row as usize];
        let end = places[(row + 1u32) as usize];
        while k < end {
            let column = places[(columns_at + k) as usize];
            sum += weights[(taps + k) as usize] * x[(base + column * inner) as usize];
            k += 1u32;
        }
    }
    out[e as usize] = sum;
}
