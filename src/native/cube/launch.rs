//! Passes and copies in the buffer of all arrays, as operations of Burn.

use std::sync::Arc;

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::pass::{Pass, pass_kernel};

/// A pass of a step.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What it does.
    pub pass: Pass,
    /// Numbers of a sample that it makes.
    pub count: usize,
    /// What is summed after it.
    pub sums: Option<Sums>,
}

/// Sums over all numbers of arrays that lie one after the other, in parts: what a thread sums up.
#[derive(Clone, Copy, Debug)]
pub struct Sums {
    /// How many arrays, and parts of each.
    pub arrays: usize,
    pub parts: usize,
    /// Where the arrays begin, and how far they are apart.
    pub from: usize,
    pub apart: usize,
    /// Where the parts of the first step go, and how far those of the next one are from them.
    pub to: usize,
    pub row: usize,
}

/// Steps that are queued.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The passes of a step.
    pub passes: Arc<Vec<Launch>>,
    /// The number of the first step, for sums.
    pub first: usize,
    /// How many samples.
    pub samples: usize,
    /// How many steps.
    pub steps: usize,
    /// Scalars of a step.
    pub row: usize,
    /// Arrays, whose places each step has.
    pub arrays: usize,
}

/// So many numbers of each sample, from one buffer to another.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Where they begin, and how far the samples are apart.
    pub from: (usize, usize),
    /// The same where they go.
    pub to: (usize, usize),
    /// How many of a sample.
    pub count: usize,
    /// How many samples.
    pub samples: usize,
}

/// What this program adds to the operations of Burn.
#[backend_extension(Cube, Fusion)]
pub trait Points: Backend {
    /// All arrays after some steps.
    #[fusion(meta = |arena, _numbers, _places, _rows, _offsets, _settings| TensorSpec::new(arena.shape.clone(), arena.dtype))]
    fn march_points(
        arena: FloatTensor<Self>,
        numbers: FloatTensor<Self>,
        places: IntTensor<Self>,
        rows: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self>;
    /// All arrays, some of them written.
    #[fusion(meta = |arena, _values, _parts| TensorSpec::new(arena.shape.clone(), arena.dtype))]
    fn put_points(arena: FloatTensor<Self>, values: FloatTensor<Self>, parts: Vec<Part>) -> FloatTensor<Self>;
    /// All arrays, to some of which something is added.
    #[fusion(meta = |arena, _values, _parts| TensorSpec::new(arena.shape.clone(), arena.dtype))]
    fn add_points(arena: FloatTensor<Self>, values: FloatTensor<Self>, parts: Vec<Part>) -> FloatTensor<Self>;
    /// Parts of arrays in a buffer of their own, of that shape.
    #[fusion(meta = |arena, shape, _parts| TensorSpec::new(shape.clone().into(), arena.dtype))]
    fn take_points(arena: FloatTensor<Self>, shape: Vec<usize>, parts: Vec<Part>) -> FloatTensor<Self>;
}

/// A buffer that can be written: whoever else holds it sees it as it was.
fn own(arena: CubeTensor) -> CubeTensor {
    let arena = into_contiguous(arena);
    if arena.can_mut() { arena } else { arena.copy() }
}

/// Copies parts of one buffer to another, or adds them to what is there.
fn copy(from: &CubeTensor, to: &CubeTensor, parts: &[Part], adds: bool) {
    let client = to.client.clone();
    for Part { from: (from_at, from_each), to: (to_at, to_each), count, samples } in parts {
        let total = count * samples;
        let cube = CubeDim::new(&client, total);
        let cubes = cubecl::calculate_cube_count_elemwise(&client, total, cube);
        let words = [total, *count, *from_at, *from_each, *to_at, *to_each].map(|n| n as u32);
        let [total, count, from_at, from_each, to_at, to_each] = words;
        let (from, to) = (from.clone().into_buffer_arg(), to.clone().into_buffer_arg());
        copy_kernel::launch(&client, cubes, cube, from, to, total, count, from_at, from_each, to_at, to_each, adds);
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn copy_kernel(
    from: &[f32],
    to: &mut [f32],
    total: u32,
    count: u32,
    from_at: u32,
    from_each: u32,
    to_at: u32,
    to_each: u32,
    #[comptime] adds: bool,
) {
    if ABSOLUTE_POS >= total as usize {
        terminate!();
    }
    let place = ABSOLUTE_POS as u32;
    let sample = place / count;
    let own = place - sample * count;
    let at = (to_at + sample * to_each + own) as usize;
    let mut value = from[(from_at + sample * from_each + own) as usize];
    if comptime!(adds) {
        value += to[at];
    }
    to[at] = value;
}

/// Part `p` of `parts` is the sum of every so many numbers from the `p`-th on.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn sums_kernel(arena: &mut [f32], threads: u32, total: u32, parts: u32, from: u32, apart: u32, to: u32) {
    if ABSOLUTE_POS >= threads as usize {
        terminate!();
    }
    let thread = ABSOLUTE_POS as u32;
    let array = thread / parts;
    let mut i = thread - array * parts;
    let mut sum = 0.0f32;
    while i < total {
        sum += arena[(from + array * apart + i) as usize];
        i += parts;
    }
    arena[(to + thread) as usize] = sum;
}

impl Points for CubeBackend {
    fn march_points(
        arena: FloatTensor<Self>,
        numbers: FloatTensor<Self>,
        places: IntTensor<Self>,
        rows: FloatTensor<Self>,
        offsets: IntTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        let arena = own(arena);
        let client = arena.client.clone();
        for step in 0..settings.steps {
            for Launch { pass, count, sums } in settings.passes.iter() {
                let total = count * settings.samples;
                let cube = CubeDim::new(&client, total);
                let cubes = cubecl::calculate_cube_count_elemwise(&client, total, cube);
                pass_kernel::launch(
                    &client,
                    cubes,
                    cube,
                    arena.clone().into_buffer_arg(),
                    numbers.clone().into_buffer_arg(),
                    places.clone().into_buffer_arg(),
                    rows.clone().into_buffer_arg(),
                    offsets.clone().into_buffer_arg(),
                    total as u32,
                    *count as u32,
                    (step * settings.row) as u32,
                    (step * settings.arrays) as u32,
                    pass.clone(),
                );
                let Some(sums) = sums else { continue };
                let threads = sums.arrays * sums.parts;
                let cube = CubeDim::new(&client, threads);
                let cubes = cubecl::calculate_cube_count_elemwise(&client, threads, cube);
                let to = sums.to + (settings.first + step) * sums.row;
                let words = [threads, total, sums.parts, sums.from, sums.apart, to].map(|n| n as u32);
                let [threads, total, parts, from, apart, to] = words;
                let arena = arena.clone().into_buffer_arg();
                sums_kernel::launch(&client, cubes, cube, arena, threads, total, parts, from, apart, to);
            }
        }
        arena
    }
    fn put_points(arena: FloatTensor<Self>, values: FloatTensor<Self>, parts: Vec<Part>) -> FloatTensor<Self> {
        let (arena, values) = (own(arena), into_contiguous(values));
        copy(&values, &arena, &parts, false);
        arena
    }
    fn add_points(arena: FloatTensor<Self>, values: FloatTensor<Self>, parts: Vec<Part>) -> FloatTensor<Self> {
        let (arena, values) = (own(arena), into_contiguous(values));
        copy(&values, &arena, &parts, true);
        arena
    }
    fn take_points(arena: FloatTensor<Self>, shape: Vec<usize>, parts: Vec<Part>) -> FloatTensor<Self> {
        let arena = into_contiguous(arena);
        let (client, device) = (arena.client.clone(), arena.device.clone());
        let out = empty_device_contiguous_dtype(client, device, shape.into(), DType::F32);
        copy(&arena, &out, &parts, false);
        out
    }
}
