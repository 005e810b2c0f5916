//! Steps on stencils on a card: the programs of the processor's lane ([`points`](crate::native::points)), a kernel for each of their passes. What a kernel needs of a step is
//! known before it, so that many steps are queued at once and nothing comes back to the host but whether the state is finite.

use std::sync::Arc;

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchTensor, TensorData, backend_extension};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::prelude::*;

use super::pass::{Constants, Pass, pass_kernel};
use crate::error::Result;
use crate::native::points::assemble::Program;
use crate::native::points::march::{Given, March, Place, Timed};
use crate::session::{Progress, interrupt};
use crate::solve::Vector;
use crate::tensor::{Context, Precision, Tensor};

/// Numbers times passes of the steps that are queued at once: an interrupt waits for them.
const WORK: usize = 1 << 24;
/// Steps that are queued at once, at least and at most.
const STEPS: (usize, usize) = (16, 512);

/// All arrays in one buffer, and which of its places each has.
pub(crate) struct Arena {
    numbers: Tensor,
    order: Vec<usize>,
}

/// What kernels of steps are made from; the steps themselves are handed over with each use.
pub(crate) struct Steps {
    /// Of each kind of step, the passes with the numbers of a sample that they make.
    passes: Vec<Arc<Vec<(Pass, usize)>>>,
    numbers: Tensor,
    places: DispatchTensor,
    samples: usize,
    /// Numbers of all arrays.
    len: usize,
}

impl Steps {
    /// Of compiled steps without a gradient, for states like one; `None` where kernels do not have what they need.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn new(march: &March<f32>, like: &Tensor) -> Result<Option<Self>> {
        let (context, samples) = (like.context(), like.shape().first().copied().unwrap_or(1));
        let one = |given: &Given<f32>| given.values.len() == given.each;
        let timed = march.timed.iter().all(|own| matches!(own.place, Place::Scalar(_)) && own.values.iter().all(one));
        let each: usize = march.plan.counts.iter().sum();
        let len = each.saturating_mul(samples);
        let fits = len < 1 << 31;
        if !timed || !fits || march.programs.shared.sums_are_used || !march.scalars.iter().all(|(_, given)| one(given))
        {
            return Ok(None);
        }
        let mut constants = Constants::default();
        let shapes = march.programs.targets.iter();
        let maps: Vec<_> = march.programs.maps.iter().zip(shapes).map(|(map, to)| constants.map(map, *to)).collect();
        let mut passes = Vec::new();
        for compiled in &march.programs.steps {
            let Some(forward) = compiled.forward.as_ref() else { return Ok(None) };
            let own = forward.waves.iter().flat_map(|wave| &wave.passes);
            let own: Option<Vec<_>> =
                own.map(|pass| Some((Pass::of(pass, &maps, &mut constants)?, pass.count))).collect();
            let Some(own) = own else { return Ok(None) };
            passes.push(Arc::new(own));
        }
        // A device has no buffer of nothing.
        constants.numbers.push(0.0);
        constants.places.push(0);
        let count = constants.numbers.len();
        context.reserve(len.saturating_mul(2 * size_of::<f32>()))?;
        let numbers = Tensor::from_vec(context, constants.numbers, &[count])?;
        Ok(Some(Self { passes, numbers, places: whole(context, constants.places), samples, len }))
    }

    /// From `start`, `[sample, channel, x…]`, to the states at the output times that are asked for. `settle` puts back what a state keeps. `None`
    /// where a state is not finite.
    pub fn run(
        &self,
        march: &March<f32>,
        start: &Tensor,
        settle: &dyn Fn(&Tensor) -> Result<Tensor>,
        mut progress: Option<&mut Progress>,
    ) -> Result<Option<Vec<Tensor>>> {
        let mut order: Vec<usize> = (0..march.plan.counts.len()).collect();
        let mut scalars = scalars(march);
        let mut arena = self.filled(march, start, None, &order)?;
        let mut states = Vec::new();
        if march.first == 0 {
            states.push(start.clone());
        }
        let mut at = 0;
        while let Some(first) = march.schedule.get(at) {
            interrupt::poll()?;
            let Some(program) = march.programs.steps.get(first.program).and_then(|own| own.forward.as_ref()) else {
                return Ok(None);
            };
            let most = self.at_once(first.program);
            let (mut rows, mut offsets, begin) = (Vec::new(), Vec::new(), at);
            while let Some(step) = march.schedule.get(at).filter(|step| step.program == first.program) {
                scalars_of(march, at, program, &mut scalars);
                rows.extend(scalars.iter().map(|x| *x as f32));
                offsets.extend(self.offsets(march, &order).map(|n| n as i32));
                program.swaps.iter().for_each(|(a, b)| order.swap(*a, *b));
                at += 1;
                if step.output.is_some() || at - begin == most {
                    break;
                }
            }
            arena = self.queued(arena, first.program, (at - begin, scalars.len(), order.len()), (rows, offsets))?;
            let state = self.state(march, &arena, &order, &start.shape())?;
            if !Vector::is_finite(&state)? {
                return Ok(None);
            }
            let settled = settle(&state)?;
            if march.restore.is_some() && at < march.schedule.len() {
                arena = self.filled(march, &settled, Some(&arena), &order)?;
            }
            if let Some(step) = march.schedule.get(at - 1).filter(|step| step.output.is_some()) {
                debug_assert!(step.output >= Some(march.first));
                states.push(settled);
            }
            if let Some(progress) = progress.as_deref_mut() {
                let t = march.schedule[at - 1].t + march.schedule[at - 1].h;
                progress.at(at as u64, || format!("t = {t:.4}"))?;
            }
            start.context().end_step();
        }
        Ok(Some(states))
    }
    /// What the first step of a schedule ends with, from a state.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn evaluate(&self, march: &March<f32>, state: &Tensor, kept: &mut Option<Arena>) -> Result<Option<Tensor>> {
        let first = march.programs.steps.first().and_then(|own| own.forward.as_ref());
        let Some(program) = first else { return Ok(None) };
        let (before, mut order) = match kept.take() {
            Some(arena) => (Some(arena.numbers), arena.order),
            None => (None, (0..march.plan.counts.len()).collect()),
        };
        let mut scalars = scalars(march);
        scalars_of(march, 0, program, &mut scalars);
        let rows = scalars.iter().map(|x| *x as f32).collect();
        let offsets = self.offsets(march, &order).map(|n| n as i32).collect();
        let filled = self.filled(march, state, before.as_ref(), &order)?;
        drop(before);
        let numbers = self.queued(filled, 0, (1, scalars.len(), order.len()), (rows, offsets))?;
        program.swaps.iter().for_each(|(a, b)| order.swap(*a, *b));
        let rates = self.state(march, &numbers, &order, &state.shape())?;
        *kept = Some(Arena { numbers, order });
        Ok(Some(rates))
    }
    /// The buffer after some steps of a kind, each with a row of scalars and of offsets.
    fn queued(
        &self,
        arena: Tensor,
        program: usize,
        (steps, row, arrays): (usize, usize, usize),
        (mut rows, offsets): (Vec<f32>, Vec<i32>),
    ) -> Result<Tensor> {
        let context = arena.context().clone();
        // A program may have no scalar, and a device has no buffer of nothing.
        rows.push(0.0);
        let len = rows.len();
        let rows = Tensor::from_vec(&context, rows, &[len])?;
        let settings = Settings { passes: self.passes[program].clone(), samples: self.samples, steps, row, arrays };
        let (numbers, places) = (self.numbers.data().clone(), self.places.clone());
        let offsets = whole(&context, offsets);
        let data = Dispatch::march_points(arena.into_data(), numbers, places, rows.into_data(), offsets, settings);
        Ok(Tensor::made(&context, data))
    }
    /// How many steps of a kind are queued at once.
    fn at_once(&self, program: usize) -> usize {
        let work: usize = self.passes[program].iter().map(|(_, count)| count * self.samples).sum();
        (WORK / work.max(1)).clamp(STEPS.0, STEPS.1)
    }
    /// Where each array begins, when arrays have changed places.
    fn offsets<'a>(&self, march: &'a March<f32>, order: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        let samples = self.samples;
        let before = move |array: &usize| samples * march.plan.counts[..*array].iter().sum::<usize>();
        order.iter().map(before)
    }
    /// The buffer of all arrays, with a state; the others as they are given, or as they were.
    fn filled(&self, march: &March<f32>, state: &Tensor, before: Option<&Tensor>, order: &[usize]) -> Result<Tensor> {
        let (context, shape) = (state.context(), state.shape());
        let mut parts: Vec<(usize, Tensor)> = Vec::new();
        let offsets: Vec<usize> = self.offsets(march, order).collect();
        let flat = |t: Tensor| t.reshape(&[self.samples * march.points]);
        for (channel, array) in march.programs.states[0].iter().enumerate() {
            let part = state.narrow(1, channel, 1)?.expand(&[&[self.samples, 1], &shape[2..]].concat())?;
            parts.push((offsets[*array], flat(part)?));
        }
        if before.is_none() {
            for (array, given) in &march.arrays {
                let all: Vec<f32> = (0..self.samples).flat_map(|sample| given.of(sample).iter().copied()).collect();
                let len = all.len();
                parts.push((offsets[*array], Tensor::from_vec(context, all, &[len])?));
            }
        }
        parts.sort_by_key(|(offset, _)| *offset);
        let (mut whole, mut at) = (Vec::new(), 0);
        let between = |from: usize, to: usize| match before {
            Some(before) => before.narrow(0, from, to - from),
            None => Tensor::full_in(context, Precision::F32, &[to - from], 0.0),
        };
        for (offset, part) in parts {
            if offset > at {
                whole.push(between(at, offset)?);
            }
            at = offset + part.len();
            whole.push(part);
        }
        if self.len > at {
            whole.push(between(at, self.len)?);
        }
        Tensor::concat(&whole, 0)
    }
    /// The state in the buffer.
    fn state(&self, march: &March<f32>, arena: &Tensor, order: &[usize], shape: &[usize]) -> Result<Tensor> {
        let offsets: Vec<usize> = self.offsets(march, order).collect();
        let one = [&[self.samples, 1], &shape[2..]].concat();
        let channel = |array: &usize| arena.narrow(0, offsets[*array], self.samples * march.points)?.reshape(&one);
        Tensor::concat(&march.programs.states[0].iter().map(channel).collect::<Result<Vec<_>>>()?, 1)
    }
}

/// Scalars before any step.
fn scalars(march: &March<f32>) -> Vec<f64> {
    let mut scalars = march.programs.shared.scalars.clone();
    for (place, given) in &march.scalars {
        scalars[*place] = given.of(0).first().map_or(0.0, |x| f64::from(*x));
    }
    scalars
}

/// Sets what a step has of its own, with the numbers that are computed from it.
fn scalars_of(march: &March<f32>, number: usize, program: &Program, scalars: &mut [f64]) {
    let t = march.schedule[number].t;
    for (place, after) in &march.times {
        scalars[*place] = t + after;
    }
    for Timed { place, values } in &march.timed {
        if let Place::Scalar(place) = place {
            scalars[*place] = values[number].of(0).first().map_or(0.0, |x| f64::from(*x));
        }
    }
    for computed in program.waves.iter().flat_map(|wave| &wave.numbers) {
        computed.run(scalars);
    }
}

fn whole(context: &Context, numbers: Vec<i32>) -> DispatchTensor {
    let count = numbers.len();
    context.copied_to_device(4 * count);
    Dispatch::int_from_data(TensorData::new(numbers, [count]), &context.burn_device())
}

/// What is queued.
#[derive(Clone, Debug)]
pub struct Settings {
    passes: Arc<Vec<(Pass, usize)>>,
    samples: usize,
    steps: usize,
    /// Scalars of a step.
    row: usize,
    arrays: usize,
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
        let arena = into_contiguous(arena);
        // Whoever else holds the buffer sees it as it was.
        let arena = if arena.can_mut() { arena } else { arena.copy() };
        let client = arena.client.clone();
        for step in 0..settings.steps {
            for (pass, count) in settings.passes.iter() {
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
            }
        }
        arena
    }
}
