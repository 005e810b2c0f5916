//! Steps on stencils on a card: the programs of the processor's lane ([`points`](crate::native::points)), a kernel for each of their passes. What a kernel needs of a step is
//! known before it, so that many steps are queued at once and nothing comes back to the host but whether the state is finite.
//!
//! All arrays lie in one buffer, which passes change in place.

use std::cell::RefCell;
use std::sync::Arc;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor, TensorData};
use burn::tensor::DType;

use super::launch::{Launch, Part, Points, Settings};
use super::pace::Pace;
use super::pass::{Constants, Pass};
use super::pieces::pieces;
use super::reverse::{Back, Kept};
use crate::error::{Error, Result};
use crate::native::points::assemble::Program;
use crate::native::points::march::{Given, Keep, March, Place, Timed};
use crate::native::points::program;
use crate::native::points::steps::Compiled;
use crate::session::{Progress, interrupt};
use crate::solve::{Planned, Vector, not_finite};
use crate::tensor::{Context, Tensor};

/// Why there are no kernels.
pub(super) type Unfit = &'static str;

/// Steps that are queued at most: each has a row of scalars and of offsets.
pub(super) const MOST_STEPS: usize = 512;
/// Numbers times passes between which integrals are put back, in so many steps at least and at most. Measured times would make the result theirs.
const RESTORED: (usize, usize, usize) = (1 << 24, 16, 512);

/// All arrays in one buffer, and where each of them begins.
pub(crate) struct Arena {
    numbers: Tensor,
    begins: Vec<usize>,
}

/// What kernels of steps are made from; the steps themselves are handed over with each use.
pub(crate) struct Steps {
    /// Of each kind of step, its passes.
    passes: Vec<Arc<Vec<Launch>>>,
    /// What a gradient needs.
    pub(super) back: Option<Back>,
    numbers: Tensor,
    places: DispatchTensor,
    samples: usize,
    /// Where arrays begin, and numbers of all of them.
    begins: Vec<usize>,
    len: usize,
    /// Steps between which integrals are put back.
    restored: usize,
}

const LONG: Unfit = "a pass of it is more than a kernel has";

/// Why steps of so many numbers in all arrays are not kernels of a device whose buffers have so many bytes.
fn too_many(len: usize, largest: usize) -> Option<Unfit> {
    if len >= 1 << 31 {
        Some("all its arrays together have more numbers than 32 bits count")
    } else if len.saturating_mul(size_of::<f32>()) > largest {
        Some("all its arrays together are larger than a buffer of the device can be")
    } else {
        None
    }
}

impl Steps {
    /// Of compiled steps, for states like one, with what a gradient `keep`s; the inner error says why there are no kernels.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn new(march: &March<f32>, like: &Tensor, keep: Keep) -> Result<std::result::Result<Self, Unfit>> {
        let (context, samples) = (like.context(), like.shape().first().copied().unwrap_or(1));
        let one = |given: &Given<f32>| given.values.len() == given.each;
        if march.timed.iter().any(|own| matches!(own.place, Place::Array(_))) {
            return Ok(Err("values along an edge change with time"));
        }
        let timed = march.timed.iter().flat_map(|own| &own.values);
        if !march.scalars.iter().map(|(_, given)| given).chain(timed).all(one) {
            return Ok(Err("a coefficient or a value at an edge differs between samples"));
        }
        if march.programs.shared.sums_are_used {
            return Ok(Err("a sum over points is used at points"));
        }
        if like.is_empty() {
            return Ok(Err("the state has no numbers"));
        }
        let each = march.plan.counts.iter().fold(0usize, |sum, count| sum.saturating_add(*count));
        let len = each.saturating_mul(samples);
        let largest = context.device().largest_buffer();
        if let Some(why) = too_many(len, largest) {
            return Ok(Err(why));
        }
        let mut constants = Constants::default();
        let shapes = march.programs.targets.iter();
        let maps: Vec<_> = march.programs.maps.iter().zip(shapes).map(|(map, to)| constants.map(map, *to)).collect();
        let mut passes = Vec::new();
        for compiled in &march.programs.steps {
            let program = if keep == Keep::Nothing { compiled.forward.as_ref() } else { record(compiled) };
            let own =
                program.into_iter().flat_map(|program| &program.waves).flat_map(|wave| &wave.passes).flat_map(pieces);
            let launch = |pass: program::Pass| {
                let made = Pass::of(&pass, &maps, &mut constants, 0).filter(|_| pass.sums.is_empty());
                made.map(|made| Launch { pass: made, count: pass.count, sums: None })
            };
            let Some(own) = own.map(launch).collect::<Option<_>>() else { return Ok(Err(LONG)) };
            passes.push(Arc::new(own));
        }
        // All arrays, and the state twice: as it was when it was last looked at, and as it is then.
        let reserve = |len: usize| context.reserve(len.saturating_add(2 * like.len()).saturating_mul(size_of::<f32>()));
        reserve(len)?;
        let (mut back, mut whole_len) = (None, len);
        if keep != Keep::Nothing {
            let fits = |len: usize| too_many(len, largest).is_none() && reserve(len).is_ok();
            match Back::new(march, keep, (&maps, &mut constants), (samples, len), fits) {
                Ok((made, len)) => (back, whole_len) = (Some(made), len),
                Err(why) => return Ok(Err(why)),
            }
        }
        // A device has no buffer of nothing.
        constants.numbers.push(0.0);
        constants.places.push(0);
        let count = constants.numbers.len();
        let numbers = Tensor::from_vec(context, constants.numbers, &[count])?;
        let begins = march.plan.counts.iter().scan(0, |sum, count| {
            let begin = *sum;
            *sum += samples * count;
            Some(begin)
        });
        let (begins, places) = (begins.collect(), whole(context, constants.places));
        let mut made = Self { passes, back, numbers, places, samples, begins, len: whole_len, restored: 0 };
        made.restored = (RESTORED.0 / made.most_work().max(1)).clamp(RESTORED.1, RESTORED.2);
        Ok(Ok(made))
    }

    /// From `start`, `[sample, channel, x…]`, to the states at the output times that are asked for, and what is kept for a gradient. `settle` puts back what
    /// a state keeps.
    ///
    /// # Errors
    /// When a state is not finite, with the step and the time of the first; when an interrupt was asked for or memory does not suffice.
    pub fn run(
        &self,
        march: &March<f32>,
        start: &Tensor,
        settle: &dyn Fn(&Tensor) -> Result<Tensor>,
        mut progress: Option<&mut Progress>,
    ) -> Result<(Vec<Tensor>, Kept)> {
        if !Vector::is_finite(start)? {
            return Err(Error::not_finite("the initial state is not finite"));
        }
        let mut states = if march.first == 0 { vec![start.clone()] } else { Vec::new() };
        let mut walk = Walk::new(self, march, start, 0)?;
        let mut pace = Pace::new(self.most_work(), MOST_STEPS);
        // The last state that was looked at.
        let (mut known, mut known_at) = (start.clone(), 0);
        let mut starts = vec![start.clone()];
        while let Some(first) = march.schedule.get(walk.number) {
            interrupt::poll()?;
            let count = walk.until(pace.left());
            walk.advance(count)?;
            let last = march.schedule.get(walk.number - 1).copied().unwrap_or(*first);
            let ended = walk.number == march.schedule.len();
            let due = self.is_due(march, walk.number);
            // Each of them is one way to look at the state, which waits for it.
            if pace.queue(count) | due | ended {
                let mut state = walk.state()?;
                if !Vector::is_finite(&state)? {
                    let found = (known_at, walk.number);
                    drop((walk, state));
                    return Err(self.lost(march, known, found)?);
                }
                pace.waited();
                if due {
                    state = settle(&state)?;
                    if !ended {
                        walk.put(&state)?;
                    }
                }
                (known, known_at) = (state, walk.number);
            }
            let anew = !ended && self.back.as_ref().is_some_and(|back| walk.number.is_multiple_of(back.segment));
            if last.output.is_some() || anew {
                let state = if known_at == walk.number { known.clone() } else { walk.state()? };
                if anew {
                    starts.push(state.clone());
                }
                if last.output.is_some() {
                    debug_assert!(last.output >= Some(march.first));
                    states.push(state);
                }
            }
            if let Some(progress) = progress.as_deref_mut() {
                progress.at(walk.number as u64, || format!("t = {:.4}", last.t + last.h))?;
            }
            start.context().end_step();
        }
        Ok((states, Kept { starts, arena: RefCell::new(walk.arena.take()) }))
    }
    /// What the first step of a schedule ends with, from a state.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn evaluate(&self, march: &March<f32>, state: &Tensor, kept: &mut Option<Arena>) -> Result<Tensor> {
        let mut walk = match kept.take() {
            Some(arena) => {
                let mut walk = Walk { number: 0, ..Walk::of(self, march, state, arena) };
                walk.put(state)?;
                walk
            }
            None => Walk::new(self, march, state, 0)?,
        };
        walk.advance(1)?;
        let rates = walk.state()?;
        *kept = walk.arena;
        Ok(rates)
    }
    /// The error of the first state that is not finite, in steps that begin with a finite one and end with another: what is not finite stays so, and halves
    /// are enough.
    fn lost(&self, march: &March<f32>, mut known: Tensor, (mut from, mut to): (usize, usize)) -> Result<Error> {
        while to - from > 1 {
            interrupt::poll()?;
            let middle = from + (to - from) / 2;
            let mut walk = Walk::new(self, march, &known, from)?;
            while walk.number < middle {
                walk.advance(walk.alike(middle - walk.number))?;
            }
            let state = walk.state()?;
            if Vector::is_finite(&state)? {
                (known, from) = (state, middle);
            } else {
                to = middle;
            }
        }
        let (t, h) = march.schedule.get(from).map_or((0.0, 0.0), |step| (step.t, step.h));
        Ok(not_finite(to, &Planned { t, h, outputs: Vec::new() }))
    }
    /// Numbers times passes of a step.
    pub(super) fn work(&self, passes: &[Launch]) -> usize {
        passes.iter().map(|launch| launch.count * self.samples).sum()
    }
    /// The row of the places of arrays that belongs to a step.
    fn row(&self, begins: &[usize], places: &mut Vec<i32>) {
        let summands = self.back.iter().flat_map(|back| &back.summands);
        places.extend(begins.iter().chain(summands).map(|begin| *begin as i32));
    }
    fn most_work(&self) -> usize {
        self.passes.iter().map(|passes| self.work(passes)).max().unwrap_or(1)
    }
    /// Whether integrals are put back after so many steps.
    pub(super) fn is_due(&self, march: &March<f32>, number: usize) -> bool {
        let output = number.checked_sub(1).and_then(|last| march.schedule.get(last)).and_then(|step| step.output);
        march.restore.is_some() && (output.is_some() || number.is_multiple_of(self.restored))
    }
    /// The program of a kind of step, with its passes.
    fn program<'a>(&'a self, march: &'a March<f32>, kind: usize) -> Option<(&'a Program, &'a Arc<Vec<Launch>>)> {
        let compiled = march.programs.steps.get(kind)?;
        let program = if self.back.is_some() { record(compiled) } else { compiled.forward.as_ref() };
        program.zip(self.passes.get(kind))
    }
}

/// The step that keeps what its reverse needs.
fn record(compiled: &Compiled) -> Option<&Program> {
    compiled.back.as_ref().map(|back| &back.record)
}

/// On the way through the steps.
pub(super) struct Walk<'a> {
    steps: &'a Steps,
    march: &'a March<f32>,
    arena: Option<Arena>,
    scalars: Vec<f64>,
    /// Steps that have been queued.
    pub number: usize,
    shape: Vec<usize>,
    pub context: Context,
}

impl<'a> Walk<'a> {
    /// From a state before a step.
    pub fn new(steps: &'a Steps, march: &'a March<f32>, state: &Tensor, number: usize) -> Result<Self> {
        let context = state.context();
        context.reserve(steps.len.saturating_add(state.len()).saturating_mul(size_of::<f32>()))?;
        let numbers = Dispatch::float_full([steps.len].into(), 0.0.into(), &context.burn_device(), DType::F32.into());
        let numbers = Tensor::made(context, numbers);
        let begins = steps.begins.clone();
        let mut walk = Self { number, ..Self::of(steps, march, state, Arena { numbers, begins }) };
        for (array, given) in march.arrays.iter() {
            // One for all samples is written to each of them.
            let apart = if given.values.len() == given.each { 0 } else { given.each };
            let values = Tensor::from_vec(context, given.values.clone(), &[given.values.len()])?;
            let to = (walk.begin(*array), given.each);
            walk.write(&values, vec![Part { from: (0, apart), to, count: given.each, samples: steps.samples }])?;
        }
        walk.put(state)?;
        Ok(walk)
    }
    /// With arrays that are there already.
    pub fn of(steps: &'a Steps, march: &'a March<f32>, like: &Tensor, arena: Arena) -> Self {
        let (shape, context) = (like.shape(), like.context().clone());
        Self { steps, march, arena: Some(arena), scalars: scalars(march), number: 0, shape, context }
    }
    /// How many of the next steps, of so many at most, are of one kind.
    fn alike(&self, most: usize) -> usize {
        let next = self.march.schedule.get(self.number..).unwrap_or_default();
        next.iter().take(most).take_while(|step| Some(step.program) == next.first().map(|s| s.program)).count()
    }
    /// The same, up to the next output, to where integrals are put back or the tape begins anew.
    pub fn until(&self, most: usize) -> usize {
        let mut most = most.max(1);
        let whole = |every: usize| every - self.number % every;
        if self.march.restore.is_some() {
            most = most.min(whole(self.steps.restored));
        }
        if let Some(back) = &self.steps.back {
            most = most.min(whole(back.segment));
        }
        let next = self.march.schedule.get(self.number..).unwrap_or_default();
        let output = next.iter().take(most).take_while(|step| step.output.is_none()).count() + 1;
        self.alike(most.min(output))
    }
    /// Queues steps, which are of one kind.
    pub fn advance(&mut self, count: usize) -> Result<()> {
        let (steps, march) = (self.steps, self.march);
        let kind = march.schedule.get(self.number).map_or(0, |step| step.program);
        let (program, passes) =
            steps.program(march, kind).ok_or_else(|| Error::internal("a step without a program"))?;
        let mut arena = self.taken()?;
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for number in self.number..self.number + count {
            scalars_of(march, number, program, &mut self.scalars);
            rows.extend(self.scalars.iter().map(|x| *x as f32));
            // What becomes a state that is kept is made at its place on the tape, which no other step finds.
            let before = steps.back.as_ref().map(|back| {
                let kept = back.places(kind, number, march.points * steps.samples);
                kept.map(|((from, to), place)| {
                    let own = std::mem::replace(&mut arena.begins[from], place);
                    ((from, own), (to, arena.begins[to]))
                })
                .collect::<Vec<_>>()
            });
            steps.row(&arena.begins, &mut places);
            program.swaps.iter().for_each(|(a, b)| arena.begins.swap(*a, *b));
            for (array, place) in before.into_iter().flatten().flat_map(|(from, to)| [from, to]) {
                arena.begins[array] = place;
            }
        }
        self.number += count;
        self.queue(arena, passes.clone(), (count, 0), (rows, places))
    }
    /// Queues the reverse of steps of one kind before number `end`, of so many at most, up to one that ends at an output; says how many. `first` is the number of
    /// the first of them, for sums.
    pub fn back(&mut self, end: usize, most: usize, first: usize) -> Result<usize> {
        let (steps, march) = (self.steps, self.march);
        let kind = end.checked_sub(1).and_then(|last| march.schedule.get(last)).map_or(0, |step| step.program);
        let program = march.programs.steps.get(kind).and_then(|own| own.back.as_ref()).map(|back| &back.reverse);
        let passes = steps.back.as_ref().and_then(|back| Some((back, back.passes.get(kind)?)));
        let (Some(program), Some((back, passes))) = (program, passes) else {
            return Err(Error::internal("a step without a reverse"));
        };
        let earlier = march.schedule.get(..end.saturating_sub(1)).unwrap_or_default().iter().rev();
        let alike =
            earlier.take(most.saturating_sub(1)).take_while(|step| step.program == kind && step.output.is_none());
        let count = 1 + alike.count();
        let mut arena = self.taken()?;
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for number in (end - count..end).rev() {
            scalars_of(march, number, program, &mut self.scalars);
            rows.extend(self.scalars.iter().map(|x| *x as f32));
            for ((_, to), place) in back.places(kind, number, march.points * steps.samples) {
                arena.begins[to] = place;
            }
            steps.row(&arena.begins, &mut places);
            program.swaps.iter().for_each(|(a, b)| arena.begins.swap(*a, *b));
        }
        for ((_, to), _) in back.places(kind, 0, 0) {
            arena.begins[to] = steps.begins[to];
        }
        self.queue(arena, passes.clone(), (count, first), (rows, places))?;
        Ok(count)
    }
    fn queue(
        &mut self,
        arena: Arena,
        passes: Arc<Vec<Launch>>,
        (steps, first): (usize, usize),
        (mut rows, places): (Vec<f32>, Vec<i32>),
    ) -> Result<()> {
        let (row, arrays) = (self.scalars.len(), places.len() / steps.max(1));
        let settings = Settings { passes, first, samples: self.steps.samples, steps, row, arrays };
        // A program may have no scalar, and a device has no buffer of nothing.
        rows.push(0.0);
        let len = rows.len();
        let rows = Tensor::from_vec(&self.context, rows, &[len])?.into_data();
        let offsets = whole(&self.context, places);
        let (constants, places) = (self.steps.numbers.data().clone(), self.steps.places.clone());
        let made = Dispatch::march_points(arena.numbers.into_data(), constants, places, rows, offsets, settings);
        self.arena = Some(Arena { numbers: Tensor::made(&self.context, made), ..arena });
        Ok(())
    }
    fn taken(&mut self) -> Result<Arena> {
        self.arena.take().ok_or_else(|| Error::internal("steps without their arrays"))
    }
    /// Where an array begins.
    fn begin(&self, array: usize) -> usize {
        self.arena.as_ref().map_or(0, |arena| arena.begins[array])
    }
    fn write(&mut self, values: &Tensor, parts: Vec<Part>) -> Result<()> {
        let arena = self.taken()?;
        let made = Dispatch::put_points(arena.numbers.into_data(), values.data().clone(), parts);
        self.arena = Some(Arena { numbers: Tensor::made(&self.context, made), ..arena });
        Ok(())
    }
    /// Adds the cotangents of the states at an output, of those that are asked for.
    pub fn add(&mut self, g: &Tensor, slot: usize) -> Result<()> {
        let (count, samples) = (self.march.points, self.steps.samples);
        let len = self.march.state_len();
        let at = |(from, each): (usize, usize)| (slot * len + from, self.march.slots() * each);
        let parts = self.channels(&self.march.programs.cotangents);
        let parts = parts.map(|(from, to)| Part { from: at(from), to, count, samples }).collect();
        let arena = self.taken()?;
        let made = Dispatch::add_points(arena.numbers.into_data(), g.data().clone(), parts);
        self.arena = Some(Arena { numbers: Tensor::made(&self.context, made), ..arena });
        Ok(())
    }
    /// The channels of the first of some states, in it and among all arrays.
    fn channels(&self, states: &[Vec<usize>]) -> impl Iterator<Item = ((usize, usize), (usize, usize))> {
        let count = self.march.points;
        let arrays = states.first().map_or(&[][..], Vec::as_slice);
        let begins: Vec<usize> = arrays.iter().map(|array| self.begin(*array)).collect();
        let apart = begins.len() * count;
        begins.into_iter().enumerate().map(move |(channel, begin)| ((channel * count, apart), (begin, count)))
    }
    /// Writes a state into its arrays.
    pub fn put(&mut self, state: &Tensor) -> Result<()> {
        let (count, samples) = (self.march.points, self.steps.samples);
        let parts = self.channels(&self.march.programs.states);
        let parts = parts.map(|(from, to)| Part { from, to, count, samples }).collect();
        self.write(state, parts)
    }
    /// The state, in a buffer of its own.
    pub fn state(&self) -> Result<Tensor> {
        self.joined(&self.march.programs.states)
    }
    /// The cotangents of the state before the steps that have been gone back over.
    pub fn cotangents(&self) -> Result<Tensor> {
        self.joined(&self.march.programs.cotangents)
    }
    fn joined(&self, states: &[Vec<usize>]) -> Result<Tensor> {
        let (count, samples) = (self.march.points, self.steps.samples);
        let parts = self.channels(states).map(|(to, from)| Part { from, to, count, samples }).collect();
        self.taken_from(&self.shape, parts)
    }
    /// An array of all samples, flat.
    pub fn whole(&self, array: usize) -> Result<Tensor> {
        let count = self.march.plan.counts.get(array).map_or(0, |count| count * self.steps.samples);
        self.taken_from(&[count], vec![Part { from: (self.begin(array), 0), to: (0, 0), count, samples: 1 }])
    }
    /// Numbers of the buffer, in one of their own.
    pub fn taken_from(&self, shape: &[usize], parts: Vec<Part>) -> Result<Tensor> {
        let arena = self.arena.as_ref().ok_or_else(|| Error::internal("steps without their arrays"))?;
        self.context.reserve(shape.iter().product::<usize>().saturating_mul(size_of::<f32>()))?;
        let taken = Dispatch::take_points(arena.numbers.data().clone(), shape.to_vec(), parts);
        Ok(Tensor::made(&self.context, taken))
    }
}

/// Scalars before any step.
pub(super) fn scalars(march: &March<f32>) -> Vec<f64> {
    let mut scalars = march.programs.shared.scalars.clone();
    for (place, given) in march.scalars.iter() {
        scalars[*place] = given.of(0).first().map_or(0.0, |x| f64::from(*x));
    }
    scalars
}

/// Sets what a step has of its own, with the numbers that are computed from it.
pub(super) fn scalars_of(march: &March<f32>, number: usize, program: &Program, scalars: &mut [f64]) {
    let t = march.schedule[number].t;
    for (place, after) in &march.times {
        scalars[*place] = t + after;
    }
    for Timed { place, values } in march.timed.iter() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_that_one_buffer_does_not_hold_are_refused() {
        assert_eq!(too_many(1000, 4000), None);
        assert!(too_many(1001, 4000).is_some_and(|why| why.contains("buffer")));
        assert!(too_many(1 << 31, usize::MAX).is_some_and(|why| why.contains("32 bits")));
        assert!(too_many(usize::MAX, usize::MAX).is_some());
    }
}
