//! The native lane of spectral evolutions: what it takes, and what it needs from the tensors.

use std::mem::MaybeUninit;
use std::rc::Rc;

use super::base::Equation;
use super::compiled::{self, Marched, Needs, filled, keep, stopped, unfit};
use super::form::Evolution;
use super::lower::{Leaf, Lowered, lower};
use super::prepared::ANY;
use super::setting::Setting;
use super::spectral::Spectral;
use super::system::SpectralSystem;
use crate::error::{Error, Result};
use crate::field::Grid;
use crate::native::assemble::Multiplier;
use crate::native::layout::Layout;
use crate::native::machine::Table;
use crate::native::march::{Given, Keep, Kept, March, Problem, Programs, Scheduled};
use crate::native::reverse::Wanted;
use crate::native::step::{Function, Step};
use crate::session::Progress;
use crate::solve::{Adaptive, Method, Rollout, Statistics, SymbolFunction, System, difference, largest};
use crate::tensor::{Claim, Complex, Context, Precision, Real, Tensor, in_precision};

/// Different lengths of steps have tables of their own; with more of them than this the tensors are as fast.
const MOST_LENGTHS: usize = 32;

/// Solves with compiled steps; the inner error says why that cannot be done.
///
/// # Errors
/// Those of [`Rollout::run`].
pub(super) fn march(
    system: &SpectralSystem,
    rollout: &Rollout,
    start: &Tensor,
    times: &[f64],
    progress: Option<&mut Progress>,
) -> Result<std::result::Result<Marched, &'static str>> {
    rollout.check(times)?;
    let takes = match rollout.method {
        Method::Explicit(_) | Method::Exponential(_) | Method::Imex(_) | Method::Cnab2 => true,
        Method::Symplectic(_) => !system.velocities().is_empty(),
        Method::Implicit(_) | Method::Diagonal(_) => false,
    };
    if let Some(unfit) = unfit(rollout, start, times, (takes, system.lane().setting().rate().is_some())) {
        return Ok(Err(unfit));
    }
    let context = start.context();
    in_precision!(start.precision(), T => {
        let native = match Native::<T>::prepared(system, rollout, start, times)? {
            Ok(native) => native,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let warning = match rollout.method {
            Method::Explicit(_) => {
                let spectrum = system.lane().spectrum(&start.detach())?;
                context.without_recording(|| rollout.warning(system, &spectrum, times))?
            }
            _ => None,
        };
        let (path, statistics) = native.run(rollout, start, progress)?;
        Ok(Ok(Marched::new(path, start, times.len(), statistics, warning)))
    })
}

/// As [`march`], with as many steps between output times as are enough.
///
/// # Errors
/// Those of [`enough_steps`](crate::solve::enough_steps).
pub(super) fn enough(
    system: &SpectralSystem,
    rollout: Rollout,
    start: &Tensor,
    times: &[f64],
    rule: Adaptive,
) -> Result<std::result::Result<Marched, &'static str>> {
    let lane = system.lane();
    // In Fourier space, where modes of a smooth field that are as small as rounding do not count.
    let apart = |a: &Marched, b: &Marched| {
        let apart = |time| difference(&lane.spectrum(&a.state(time)?)?, &lane.spectrum(&b.state(time)?)?, rule);
        largest((1..times.len()).map(apart))
    };
    compiled::enough(rollout, start, times, |rollout, start| march(system, rollout, start, times, None), apart)
}

/// Why the right-hand side cannot be compiled on a grid; `None` where it can.
///
/// # Errors
/// When the parameters do not fit the grid.
pub(super) fn reason(
    equation: &Equation,
    evolution: &Evolution,
    grid: &Grid,
    context: &Context,
) -> Result<Option<&'static str>> {
    let setting = Setting::new(equation, grid, context, context.precision())?;
    Ok(lower(&Spectral::new(evolution, setting, true)?)?.err())
}

/// Compiled steps with their numbers.
struct Native<T: Real> {
    march: March<T>,
    evaluations: usize,
    scalars: Vec<Leaf>,
    arrays: Vec<Leaf>,
    functions: Vec<Made>,
    context: Context,
}

/// A function of the symbol as tensors.
struct Made {
    values: Complex,
    /// Whether there is no imaginary part.
    real: bool,
    is_matrix: bool,
}

impl<T: Real> Native<T> {
    /// Compiled now, or the last time.
    fn prepared(
        system: &SpectralSystem,
        rollout: &Rollout,
        start: &Tensor,
        times: &[f64],
    ) -> Result<std::result::Result<Rc<Self>, &'static str>> {
        // A gradient keeps its own, with what is differentiated.
        let context = start.context();
        let gradient = start.is_tracked()
            || context.is_recording() && context.is_differentiating()
            || system.lane().setting().parameters.iter().any(Tensor::is_tracked);
        if !gradient && let Some(known) = system.schedules().find::<Self>(rollout, times, ANY) {
            return Ok(Ok(known));
        }
        Ok(Self::new(system, rollout, start, times)?.map(|native| {
            let native = Rc::new(native);
            if !gradient && native.march.programs.reverse.is_none() {
                let points = system.lane().setting().grid.points();
                system.schedules().keep((rollout, times, ANY), points, &native);
            }
            native
        }))
    }
    fn new(
        system: &SpectralSystem,
        rollout: &Rollout,
        start: &Tensor,
        times: &[f64],
    ) -> Result<std::result::Result<Self, &'static str>> {
        let lane = system.lane();
        let lowered = match lower(lane)? {
            Ok(lowered) => lowered,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let grid = &lane.setting().grid;
        let linear = (system.linear().is_some(), system.is_linear());
        let (steps, schedule) = match steps(rollout, times, linear) {
            Ok(steps) => steps,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let evaluations = schedule.iter().filter_map(|s| steps.get(s.program)).map(|s| s.evaluations).sum();
        let mask = lane.kept_modes()?;
        let columns = grid.shape().last().map_or(1, |n| n / 2 + 1);
        let kept = match &mask {
            Some(mask) => {
                mask.chunks(columns).filter_map(|row| row.iter().rposition(|m| *m != 0.0)).max().map_or(1, |c| c + 1)
            }
            None => columns,
        };
        let Lowered { graph, kernel, scalars, arrays } = lowered;
        let is_matrix = system.symbol().is_some_and(|symbol| !symbol.is_diagonal());
        let wanted = wanted(system, start, (&scalars, &arrays))?;
        let mut problem = Problem {
            lens: grid.shape(),
            kept,
            graph,
            kernel,
            scalars: 1 + scalars.len(),
            is_matrix,
            velocities: system.velocities().to_vec(),
        };
        let Some(programs) = Programs::new(&mut problem, steps, schedule, wanted.as_ref()) else {
            let unfit =
                if wanted.is_some() { "its gradient is not compiled" } else { "its steps cannot be put together" };
            return Ok(Err(unfit));
        };
        let functions = programs.functions.iter().map(|(h, f)| made(system, *h, *f, lane.setting().precision));
        let functions = functions.collect::<Result<Vec<_>>>()?;
        let plan = programs.plan(&problem, |wanted, layout| match wanted {
            Multiplier::Operator(operator) => {
                let (mut values, imaginary) = lane.values_of(&operator.chain)?;
                if let (true, Some(mask)) = (operator.cut, &mask) {
                    values.iter_mut().zip(mask).for_each(|(v, m)| *v *= m);
                }
                // Wavenumbers whose opposites are not stored count twice.
                let own = |column: usize| column == 0 || 2 * column == layout.row;
                let weight = |column: usize| if own(column) { 1.0 } else { 2f64.powi(i32::from(operator.doubled)) };
                for row in values.chunks_mut(layout.columns) {
                    row.iter_mut().enumerate().for_each(|(column, value)| *value *= weight(column));
                }
                let values: Vec<T> = layout.by_columns(&values).into_iter().map(T::of).collect();
                let (re, im) = if imaginary { (None, Some(values)) } else { (Some(values), None) };
                Ok(Table { re, im, by_sample: false })
            }
            Multiplier::Function { number, row, column, conjugate } => {
                let function =
                    functions.get(*number).ok_or_else(|| Error::internal("a function of the symbol is missing"))?;
                element(function, (*row, *column, *conjugate), layout)
            }
        })?;
        let given = |leaf: &Leaf| -> Result<Given<T>> {
            let each = leaf.values.shape().iter().skip(1).product();
            Ok(Given { values: leaf.values.read::<T>()?, each })
        };
        let whole = |leaf: &Leaf| -> Result<Given<T>> {
            let mut shape = leaf.values.shape();
            shape.truncate(2);
            shape.extend(grid.shape());
            let values = leaf.values.detach().expand(&shape)?;
            Ok(Given { values: values.read::<T>()?, each: problem.points() })
        };
        let march = March {
            channels: problem.channels(),
            scalars: scalars.iter().map(given).collect::<Result<_>>()?,
            arrays: arrays.iter().map(whole).collect::<Result<_>>()?,
            times: times.len(),
            first: usize::from(times.len() == 2),
            programs,
            plan,
        };
        Ok(Ok(Self { march, evaluations, scalars, arrays, functions, context: lane.setting().context.clone() }))
    }

    fn run(
        self: &Rc<Self>,
        rollout: &Rollout,
        start: &Tensor,
        progress: Option<&mut Progress>,
    ) -> Result<(Tensor, Statistics)> {
        let samples = start.shape().first().copied().unwrap_or(1);
        let threads = rayon::current_num_threads().min(samples.max(1));
        let keep = self.keep(rollout);
        let needs =
            Needs { working: self.march.plan.bytes().saturating_mul(threads), held: self.kept_bytes(keep, samples).0 };
        let schedule = &self.march.programs.schedule;
        let forward = |values: &[T], places: &mut [MaybeUninit<T>]| self.march.forward(values, places, keep, progress);
        let (path, kept, held) = filled(&self.context, start, (self.march.slots(), schedule), needs, forward)?;
        let steps = schedule.iter().map(|s| (s.t, s.h)).collect();
        let statistics = Statistics { steps, rejected: 0, evaluations: self.evaluations };
        let path = if keep == Keep::Nothing { path } else { self.recorded(start, path, (kept, held), keep)? };
        Ok((path, statistics))
    }
    /// What is kept for a gradient.
    fn keep(&self, rollout: &Rollout) -> Keep {
        if self.march.programs.reverse.is_none() {
            return Keep::Nothing;
        }
        keep(rollout, self.march.programs.schedule.len())
    }
    /// Bytes that a gradient holds of so many samples, and those that its reverse pass takes beside them.
    fn kept_bytes(&self, keep: Keep, samples: usize) -> (usize, usize) {
        let (held, passing) = self.march.kept(keep);
        let threads = rayon::current_num_threads().min(samples.max(1));
        let machines = if matches!(keep, Keep::Every(_)) { 2 } else { 1 };
        let working = self.march.plan.bytes().saturating_mul(machines);
        let bytes = size_of::<T>();
        (
            held.saturating_mul(samples).saturating_mul(bytes),
            passing.saturating_mul(bytes).saturating_add(working).saturating_mul(threads),
        )
    }

    /// The path as one operation of the start and of what else has a gradient.
    fn recorded(
        self: &Rc<Self>,
        start: &Tensor,
        path: Tensor,
        (kept, held): (Vec<Kept<T>>, Rc<Claim>),
        keep: Keep,
    ) -> Result<Tensor> {
        let Some(reverse) = &self.march.programs.reverse else { return Ok(path) };
        let mut inputs = vec![start.clone()];
        // Scalar 0 is the time.
        inputs.extend(reverse.scalars.iter().filter_map(|i| self.scalars.get(i - 1)).map(|leaf| leaf.values.clone()));
        inputs.extend(reverse.arrays.iter().filter_map(|i| self.arrays.get(*i)).map(|leaf| leaf.values.clone()));
        let numbers = self.tracked();
        for made in numbers.iter().filter_map(|number| self.functions.get(*number)) {
            inputs.push(made.values.re.clone());
            if !made.real {
                inputs.push(made.values.im.clone());
            }
        }
        let own = self.clone();
        compiled::recorded(&self.context, &inputs, path, held, move |g| own.back(g, &kept, keep))
    }
    /// Functions of the symbol that have gradients.
    fn tracked(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> =
            self.march.programs.reverse.iter().flat_map(|r| &r.functions).map(|(number, ..)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
    /// Gradients of the inputs, before they are summed over what has one element for many.
    fn back(&self, g: &Tensor, kept: &[Kept<T>], keep: Keep) -> Result<Vec<Tensor>> {
        let march = &self.march;
        let Some(reverse) = &march.programs.reverse else { return Ok(Vec::new()) };
        let (_, passing) = self.kept_bytes(keep, kept.len());
        self.context.reserve(passing)?;
        let _passing = self.context.claim(passing);
        let gradients = match march.backward(kept, keep, &g.read::<T>()?) {
            Ok(gradients) => gradients,
            Err(_) => return Err(stopped()),
        };
        let shape = g.shape();
        let (samples, space) = (gradients.len(), shape.get(3..).unwrap_or_default());
        let all = |values: Vec<T>, shape: &[usize]| Tensor::from_vec::<T>(&self.context, values, shape);
        let start = gradients.iter().flat_map(|own| own.start.iter().copied()).collect();
        let mut one = shape.clone();
        one.remove(1);
        let mut start = all(start, &one)?;
        if march.first == 0 {
            start = start.add(&g.narrow(1, 0, 1)?.squeeze(1)?)?;
        }
        let mut out = vec![start];
        let mut one_each = vec![1; shape.len() - 1];
        if let Some(first) = one_each.first_mut() {
            *first = samples;
        }
        for i in 0..reverse.scalars.len() {
            let values = gradients.iter().filter_map(|own| own.scalars.get(i)).map(|x| T::of(*x)).collect();
            out.push(all(values, &one_each)?);
        }
        for i in 0..reverse.arrays.len() {
            let values = gradients.iter().filter_map(|own| own.arrays.get(i)).flatten().copied().collect();
            out.push(all(values, &[&[samples, 1], space].concat())?);
        }
        for number in self.tracked() {
            let Some(made) = self.functions.get(number) else { continue };
            let shape = made.values.re.shape();
            let modes = march.plan.layout.modes();
            let (own, channels) = (shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1));
            let each = if made.is_matrix { channels * channels } else { channels };
            let (mut re, mut im) = (vec![T::default(); own * each * modes], vec![T::default(); own * each * modes]);
            for (at, (_, row, column)) in reverse.functions.iter().enumerate().filter(|(_, f)| f.0 == number) {
                let place = if made.is_matrix { row * channels + column } else { *row };
                for (sample, gradients) in gradients.iter().enumerate() {
                    let Some(values) = gradients.functions.get(at) else { continue };
                    let start = ((if own > 1 { sample } else { 0 }) * each + place) * modes;
                    let values = march.plan.layout.by_rows(values);
                    let targets = re.iter_mut().zip(&mut im).skip(start);
                    targets.zip(values).for_each(|((re, im), z)| (*re, *im) = (*re + z.re, *im + z.im));
                }
            }
            out.push(all(re, &shape)?);
            if !made.real {
                out.push(all(im, &shape)?);
            }
        }
        Ok(out)
    }
}

/// What has gradients besides the start; `None` where no gradient is taken.
fn wanted(system: &SpectralSystem, start: &Tensor, (scalars, arrays): (&[Leaf], &[Leaf])) -> Result<Option<Wanted>> {
    if !start.context().is_recording() {
        return Ok(None);
    }
    let tracked = |leaves: &[Leaf], first: usize| -> Vec<usize> {
        let all = leaves.iter().enumerate().filter(|(_, leaf)| leaf.values.is_tracked());
        all.map(|(i, _)| first + i).collect()
    };
    let functions = match system.symbol() {
        Some(symbol) => {
            let values = symbol.values()?;
            values.re.is_tracked() || values.im.is_tracked()
        }
        None => false,
    };
    let wanted = Wanted { scalars: tracked(scalars, 1), arrays: tracked(arrays, 0), functions };
    let any = start.is_tracked() || functions || !wanted.scalars.is_empty() || !wanted.arrays.is_empty();
    Ok(any.then_some(wanted))
}

/// The steps that differ, and which of them comes when; else why there are none.
pub(super) fn steps(
    rollout: &Rollout,
    times: &[f64],
    linear: (bool, bool),
) -> std::result::Result<(Vec<Step>, Vec<Scheduled>), &'static str> {
    let (mut steps, mut schedule): (Vec<Step>, Vec<Scheduled>) = Default::default();
    // What makes two steps the same: their length, what is remembered, the length of the step before.
    let mut keys: Vec<(u64, usize, u64)> = Vec::new();
    let (mut past, mut last, mut output) = (0, 0.0f64, 0);
    for planned in rollout.planned(times) {
        // Only a method with a memory knows the step before.
        let before = if past > 0 { last } else { 0.0 };
        let key = (planned.h.to_bits(), past, before.to_bits());
        let program = match keys.iter().position(|own| *own == key) {
            Some(program) => program,
            None if keys.len() >= MOST_LENGTHS => return Err("its steps have too many different lengths"),
            None => {
                let step = Step::of(rollout.method, planned.h, past, before, linear);
                steps.push(step.ok_or("the method does not fit the equation")?);
                keys.push(key);
                keys.len() - 1
            }
        };
        past = steps.get(program).map_or(0, |s| s.ends.len() - 1);
        last = planned.h;
        output += planned.outputs.len();
        let output = planned.outputs.first().map(|_| output);
        schedule.push(Scheduled { t: planned.t, h: planned.h, program, output });
    }
    Ok((steps, schedule))
}

/// A function of the symbol.
fn made(system: &SpectralSystem, h: f64, function: Function, precision: Precision) -> Result<Made> {
    let symbol = system.symbol().ok_or_else(|| Error::internal("a function of a linear part that is not there"))?;
    let (function, h) = match function {
        Function::Itself => (SymbolFunction::Itself, 1.0),
        Function::Phi(phi) => (SymbolFunction::Phi(phi), h),
        Function::Resolvent(gamma_h) => (SymbolFunction::Resolvent, gamma_h),
    };
    let made = symbol.made(function, h, precision)?;
    let (real, is_matrix) = (made.im.is_none(), made.is_matrix);
    let im = made.im.unwrap_or_else(|| made.re.clone());
    Ok(Made { values: Complex { re: made.re, im }, real, is_matrix })
}

/// One element of a function, by columns.
fn element<T: Real>(
    Made { values, real, is_matrix }: &Made,
    (row, column, conjugate): (usize, usize, bool),
    layout: &Layout,
) -> Result<Table<T>> {
    let shape = values.re.shape();
    let (samples, channels) = (shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1));
    let (each, place) = if *is_matrix { (channels * channels, row * channels + column) } else { (channels, row) };
    let modes = layout.modes();
    let part = |t: &Tensor, sign: f64| -> Result<Vec<T>> {
        let numbers = t.detach().read::<T>()?;
        let mut out = Vec::with_capacity(samples * modes);
        for sample in 0..samples {
            let own = numbers.get((sample * each + place) * modes..(sample * each + place + 1) * modes);
            let own = own.ok_or_else(|| Error::internal("a function of the symbol does not fit the grid"))?;
            out.extend(layout.by_columns(own).into_iter().map(|x| x * T::of(sign)));
        }
        Ok(out)
    };
    let im = if *real { None } else { Some(part(&values.im, if conjugate { -1.0 } else { 1.0 })?) };
    Ok(Table { re: Some(part(&values.re, 1.0)?), im, by_sample: samples > 1 })
}
