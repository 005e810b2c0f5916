//! Stochastic steps at points in one kernel: a thread takes the channels of a sample at a point through many steps, and draws their noise itself. Between
//! the first and the last step nothing goes through memory. The draws are those of the processor's [lane](crate::native::paths).

use std::sync::Arc;

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::*;

use super::code::{Code, evaluate};
use super::pace::Pace;
use crate::error::Result;
use crate::native::graph::{Graph, Id};
use crate::tensor::random::kernel::{normal, normal_at, philox, sample, words};
use crate::tensor::random::{Key, steps_at_once};
use crate::tensor::{Context, Precision, Tensor};

/// Steps of one launch: each has a row of the table.
const MOST_STEPS: usize = 1 << 12;
/// Steps whose number fits into the word that draws have for it.
const COUNTED: usize = 1 << 31;

/// Steps of a process, as a program for cards.
pub(crate) struct Steps {
    form: Arc<Form>,
    numbers: Vec<f64>,
}

/// What a kernel is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Form {
    code: Code,
    channels: usize,
    points: usize,
    /// Channels that have noise.
    noisy: Vec<usize>,
    /// Numbers at the beginning of the table, and of each of its rows.
    numbers: usize,
    row: usize,
}

/// What is drawn, and for which steps.
pub(crate) struct Span<'a> {
    /// The seed of the noise.
    pub key: Key,
    /// The numbers of the samples.
    pub samples: &'a [u64],
    /// The number of the first step.
    pub first: usize,
    /// For each step its scalars: time, length, root of the length, strengths.
    pub scalars: &'a [f64],
}

impl Steps {
    /// Of the state after a step; arrays of the graph are the channels of the state, then their noise. The error says why it does not fit into a kernel.
    pub fn new(graph: &Graph, points: usize, next: &[Id], noisy: &[usize]) -> std::result::Result<Self, &'static str> {
        let (code, numbers) =
            Code::of(graph, next).ok_or("its drift and noise have more operations than one kernel")?;
        let (channels, row) = (next.len(), graph.scalars());
        let form = Form { code, channels, points, noisy: noisy.to_vec(), numbers: numbers.len(), row };
        Ok(Self { form: Arc::new(form), numbers })
    }
    /// Why a device cannot have it: indices of 32 bits, and counters.
    pub fn unfit(&self, context: &Context, samples: usize, steps: usize) -> Option<&'static str> {
        let numbers = samples.checked_mul(self.form.channels * self.form.points);
        if !context.device().is_cube() || context.precision() != Precision::F32 {
            Some("kernels of cards compute in f32")
        } else if numbers.is_none_or(|n| n >= 1 << 31) {
            Some("the numbers of all paths are more than 32 bits count")
        } else if steps >= COUNTED {
            Some("there are more steps than 31 bits count")
        } else {
            None
        }
    }
    /// How many steps of so many samples are queued at once.
    pub fn pace(&self, samples: usize) -> Pace {
        Pace::new(samples * self.form.points * self.form.code.instructions.len().div_ceil(32), MOST_STEPS)
    }
    /// The state after the steps of a span.
    pub fn advance(&self, x: &Tensor, span: &Span<'_>) -> Result<Tensor> {
        let context = x.context();
        context.reserve(x.len().saturating_mul(4))?;
        let table: Vec<f32> = self.numbers.iter().chain(span.scalars).map(|n| *n as f32).collect();
        let count = span.scalars.len() / self.form.row;
        let len = table.len();
        let table = Tensor::from_vec(context, table, &[len])?;
        let (words, first) = words(context, span.samples);
        let settings = Settings {
            form: self.form.clone(),
            key: span.key.word(),
            first,
            step: span.first as u32,
            steps: count as u32,
        };
        let out = Dispatch::steps_of_paths(x.data().clone(), words, table.into_data(), settings);
        Ok(Tensor::made(context, out))
    }
}

/// What a launch is told.
#[derive(Clone, Debug)]
pub struct Settings {
    form: Arc<Form>,
    key: u64,
    /// The sample of the first row, when the others follow it.
    first: Option<u64>,
    step: u32,
    steps: u32,
}

/// What this program adds to the operations of Burn.
#[backend_extension(Cube, Fusion)]
pub trait Paths: Backend {
    /// States `[sample, channel, point]` after some steps.
    #[fusion(meta = |x, _words, _table, _settings| TensorSpec::new(x.shape.clone(), x.dtype))]
    fn steps_of_paths(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        table: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self>;
}

impl Paths for CubeBackend {
    fn steps_of_paths(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        table: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        let (x, table) = (into_contiguous(x), into_contiguous(table));
        let client = x.client.clone();
        let form = (*settings.form).clone();
        let shape = x.meta.shape().clone();
        let total = shape.num_elements() / form.channels;
        let out = empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape, DType::F32);
        let cube = CubeDim::new(&client, total);
        let count = cubecl::calculate_cube_count_elemwise(&client, total, cube);
        let begin = settings.first.unwrap_or(0);
        paths_kernel::launch(
            &client,
            count,
            cube,
            x.into_buffer_arg(),
            words.into_buffer_arg(),
            table.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            settings.key as u32,
            (settings.key >> 32) as u32,
            begin as u32,
            (begin >> 32) as u32,
            settings.step,
            settings.steps,
            total as u32,
            form,
            settings.first.is_some(),
        );
        out
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn paths_kernel(
    x: &[f32],
    words: &[u32],
    table: &[f32],
    out: &mut [f32],
    key_low: u32,
    key_high: u32,
    first_low: u32,
    first_high: u32,
    first_step: u32,
    steps: u32,
    total: u32,
    #[comptime] form: Form,
    #[comptime] in_order: bool,
) {
    if ABSOLUTE_POS >= total as usize {
        terminate!();
    }
    let channels = comptime!(form.channels);
    let points = comptime!(form.points as u32);
    let place = ABSOLUTE_POS as u32;
    let row = place / points;
    let point = place - row * points;
    let begin = row * comptime!((form.channels * form.points) as u32) + point;
    let (low, high) = sample(words, row, first_low, first_high, in_order);
    let mut state = Array::<f32>::new(channels);
    #[unroll]
    for c in 0..channels {
        state[c] = x[(begin + comptime!(c as u32) * points) as usize];
    }
    // Of short rows a block of four numbers is for four steps: `PathNoise`. Where a thread has a whole row it draws whole blocks, else single numbers.
    let noisy = comptime!(form.noisy.len());
    let long = comptime!(form.noisy.len() * form.points);
    let each = comptime!(steps_at_once(long));
    let alone = comptime!(form.points == 1);
    let blocks = comptime!((each * long).div_ceil(4));
    let mut drawn = Array::<f32>::new(comptime!((4 * blocks).max(1)));
    let mut k = 0u32;
    while k < steps {
        let step = first_step + k;
        let group = step / comptime!(each as u32);
        let part = step - group * comptime!(each as u32);
        if comptime!(alone && noisy > 0) {
            if part == 0u32 || k == 0u32 {
                #[unroll]
                for b in 0..blocks {
                    let (a, b_, c, d) = philox(comptime!(b as u32).runtime(), group, low, high, key_low, key_high);
                    let (p, q) = normal(a, b_);
                    let (r, s) = normal(c, d);
                    drawn[4 * b] = p;
                    drawn[4 * b + 1] = q;
                    drawn[4 * b + 2] = r;
                    drawn[4 * b + 3] = s;
                }
            }
        }
        let mut inputs = Sequence::<f32>::new();
        #[unroll]
        for c in 0..channels {
            inputs.push(state[c]);
        }
        #[unroll]
        for c in 0..channels {
            let nth = comptime!(form.noisy.iter().position(|own| *own == c));
            if comptime!(nth.is_none()) {
                inputs.push(0.0f32);
            } else if comptime!(!alone) {
                let j = part * comptime!(long as u32) + comptime!(nth.unwrap_or(0) as u32) * points + point;
                inputs.push(normal_at(j, group, low, high, key_low, key_high));
            } else {
                let mut xi = drawn[comptime!(nth.unwrap_or(0))];
                #[unroll]
                for p in 1..each {
                    xi = select(part == comptime!(p as u32), drawn[comptime!(p * long + nth.unwrap_or(0))], xi);
                }
                inputs.push(xi);
            }
        }
        let at = (comptime!(form.numbers as u32) + k * comptime!(form.row as u32)) as usize;
        let values = evaluate(&inputs, table, at, comptime!(form.code.clone()));
        #[unroll]
        for c in 0..channels {
            state[c] = *values.index(comptime!(form.code.results[c]));
        }
        k += 1u32;
    }
    #[unroll]
    for c in 0..channels {
        out[(begin + comptime!(c as u32) * points) as usize] = state[c];
    }
}
