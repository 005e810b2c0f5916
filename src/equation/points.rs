//! The native lane of evolutions at points: what it takes, and what it needs from the tensors.

use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;

use super::base::Equation;
use super::compiled::{self, Marched, Needs, filled, keep, stopped, unfit};
use super::form::Evolution;
use super::setting::Setting;
use super::stencil::lowered::{Leaf, Lowering, Moving};
use super::system::StencilSystem;
use super::transport::Transport;
use crate::error::{Error, Kind, Result};
use crate::field::Grid;
use crate::native::graph::POINTS;
use crate::native::march::{Given, Keep, Scheduled};
use crate::native::points::machine::Plan;
use crate::native::points::march::{Kept, March, Place, Timed};
use crate::native::points::restore::Restore;
use crate::native::points::steps::{Rates, programs};
use crate::native::step::Step;
use crate::session::{Progress, interrupt};
use crate::solve::{Adaptive, Method, Parametrized, Rollout, Statistics, System, difference, grown, largest};
use crate::tensor::{Claim, Context, Precision, Real, Tensor, in_precision};

/// Values of edges that move are known before: no more numbers than this.
const MOST_MOVING: usize = 1 << 26;

/// Solves with compiled steps; the inner error says why that cannot be done.
///
/// # Errors
/// Those of [`Rollout::run`].
pub(super) fn march(
    system: &StencilSystem,
    rollout: &Rollout,
    start: &Tensor,
    times: &[f64],
    progress: Option<&mut Progress>,
) -> Result<std::result::Result<Marched, &'static str>> {
    rollout.check(times)?;
    let takes = match rollout.method {
        Method::Explicit(_) => true,
        Method::Symplectic(_) => !system.velocities().is_empty(),
        _ => false,
    };
    let card = start.context().device().is_cube();
    if card && start.precision() != Precision::F32 {
        return Ok(Err("on a card steps in f32 are compiled"));
    }
    if let Some(unfit) = unfit(rollout, start, times, (takes, system.lane().setting().rate().is_some())) {
        return Ok(Err(unfit));
    }
    let Some(&from) = times.first() else { return Ok(Err("there is no step")) };
    let start = &system.lane().settle(from, start.clone())?;
    let judged = || start.context().without_recording(|| rollout.warning(system, start, times));
    let later = system.is_judged_later(start, rollout.total(times));
    let warning = if later { None } else { judged()? };
    in_precision!(start.precision(), T => {
        let native = match Native::<T>::prepared(system, rollout, start, times)? {
            Ok(native) => native,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let ran = if card { native.on_card(system, rollout, start, progress) } else { native.run(rollout, start, progress).map(Ok) };
        match ran {
            Ok(Err(unfit)) => Ok(Err(unfit)),
            Ok(Ok((path, statistics))) => {
                let mut marched = Marched::new(path, start, times.len(), statistics, warning);
                if later && grown(start, &marched.state(times.len() - 1)?)? {
                    marched.warning = judged()?;
                }
                Ok(Ok(marched))
            }
            Err(error) if later && error.kind() == Kind::NotFinite => {
                Err(judged()?.into_iter().fold(error, Error::advice))
            }
            Err(error) => Err(error),
        }
    })
}

/// The integrals that a system keeps, as compiled steps have them.
fn restored(system: &StencilSystem) -> Option<Arc<Restore>> {
    system.kept().map(|kept| Arc::new(kept.restored()))
}

/// Whether a gradient goes to a start or to parameters.
fn differentiated(system: &StencilSystem, start: &Tensor) -> bool {
    start.is_tracked() || system.parameters().iter().any(Tensor::is_tracked)
}

/// As [`march`], with as many steps between output times as are enough.
///
/// # Errors
/// Those of [`enough_steps`](crate::solve::enough_steps).
pub(super) fn enough(
    system: &StencilSystem,
    rollout: Rollout,
    start: &Tensor,
    times: &[f64],
    rule: Adaptive,
) -> Result<std::result::Result<Marched, &'static str>> {
    let from = times.first().copied().unwrap_or(0.0);
    start.context().without_recording(|| crate::solve::refuse_start(system, from, &start.detach()))?;
    let apart = |a: &Marched, b: &Marched| {
        largest((1..times.len()).map(|time| difference(&a.state(time)?, &b.state(time)?, rule)))
    };
    compiled::enough(rollout, start, times, |rollout, start| march(system, rollout, start, times, None), apart)
}

/// Why the right-hand side cannot be compiled on a grid, with the transport that is taken there; `None` where it can.
///
/// # Errors
/// When the parameters or differences do not fit the grid.
pub(super) fn reason(
    equation: &Equation,
    evolution: &Evolution,
    grid: &Grid,
    context: &Context,
) -> Result<Option<&'static str>> {
    let setting = Setting::new(equation, grid, context, context.precision())?;
    let transport = Transport::Automatic.on(grid);
    let planned = super::transport::planned(evolution, &setting, transport)?;
    let evolution = if transport == Transport::Central { evolution } else { &planned };
    let names: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
    let system = StencilSystem::new(evolution, &names, setting, 2, transport)?;
    let setting = system.lane().setting();
    let channels = system.lane().channels();
    let shape = [&[1, channels], &setting.space[..]].concat();
    let state = Tensor::full_in(context, setting.precision, &shape, 0.0)?;
    let mut lowering = match Lowering::new(system.lane(), &state, 0.0)? {
        Ok(lowering) => lowering,
        Err(unfit) => return Ok(Some(unfit)),
    };
    let mut graph = lowering.graph();
    let state: Vec<_> = (0..channels).map(|_| graph.fresh_array(POINTS).1).collect();
    Ok(lowering.rates(&mut graph, &state, 0.0).err())
}

/// Compiled steps with their numbers. Copies share what is large.
#[derive(Clone)]
pub(super) struct Native<T: Real> {
    /// What is run.
    pub march: March<T>,
    evaluations: usize,
    /// Leaves with gradients.
    scalars: Vec<Leaf>,
    arrays: Vec<Leaf>,
    gradient: bool,
    context: Context,
}

impl<T: Real> Native<T> {
    /// For a rollout from a start through times: compiled now, or the last time.
    ///
    /// # Errors
    /// When numbers do not fit; the inner error says why there are none.
    fn prepared(
        system: &StencilSystem,
        rollout: &Rollout,
        start: &Tensor,
        times: &[f64],
    ) -> Result<std::result::Result<Self, &'static str>> {
        let samples = start.shape().first().copied().unwrap_or(1);
        let to = (samples, start.context().is_recording() && differentiated(system, start));
        let (schedules, from) = (system.schedules(), times.first().copied().unwrap_or(0.0));
        if let Some(known) = schedules.and_then(|own| own.find::<Self>(rollout, times, to))
            && let Some(mut native) = known.with_numbers_of(system, start, from)?
        {
            native.march.restore = restored(system);
            return Ok(Ok(native));
        }
        let mut lowering = match Lowering::new(system.lane(), start, from)? {
            Ok(lowering) => lowering,
            Err(unfit) => return Ok(Err(unfit)),
        };
        lowering.velocities = system.velocities().to_vec();
        let planned = match super::native::steps(rollout, times, (false, false)) {
            Ok(planned) => planned,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let native = Self::new(system, &mut lowering, start, planned, (times.len(), Some(rollout)))?;
        Ok(native.inspect(|native| {
            if let Some(schedules) = schedules {
                let mut kept = native.clone();
                kept.march.restore = None;
                // A tape would live as long as the equation.
                let leaves = kept.scalars.iter_mut().chain(&mut kept.arrays);
                leaves.for_each(|leaf| leaf.values = leaf.values.detach());
                schedules.keep((rollout, times, to), system.lane().setting().grid.points(), &Rc::new(kept));
            }
        }))
    }
    /// The same with the numbers that leaves with gradients have now; `None` where they are not as they were.
    fn with_numbers_of(&self, system: &StencilSystem, start: &Tensor, from: f64) -> Result<Option<Self>> {
        let mut own = self.clone();
        if own.scalars.is_empty() && own.arrays.is_empty() {
            return Ok(Some(own));
        }
        let Ok(lowering) = Lowering::new(system.lane(), start, from)? else { return Ok(None) };
        for (leaves, given) in [(&mut own.scalars, &mut own.march.scalars), (&mut own.arrays, &mut own.march.arrays)] {
            let given = Arc::make_mut(given);
            for leaf in leaves {
                let Some(values) = lowering.again(leaf)? else { return Ok(None) };
                let numbers = match leaf.shape.is_empty() {
                    true => each::<T>(&values)?,
                    false => whole::<T>(&values, &leaf.shape)?,
                };
                given.iter_mut().filter(|(place, _)| *place == leaf.place).for_each(|(_, own)| *own = numbers.clone());
                leaf.values = values;
            }
        }
        Ok(Some(own))
    }
    /// Steps and when they are taken, with so many output times; with a gradient by what `rollout` keeps for it.
    ///
    /// # Errors
    /// When numbers do not fit; the inner error says why there are none.
    pub fn new(
        system: &StencilSystem,
        lowering: &mut Lowering,
        start: &Tensor,
        (steps, schedule): (Vec<Step>, Vec<Scheduled>),
        (outputs, rollout): (usize, Option<&Rollout>),
    ) -> Result<std::result::Result<Self, &'static str>> {
        let setting = system.lane().setting();
        let context = setting.context.clone();
        let evaluations = schedule.iter().filter_map(|s| steps.get(s.program)).map(|s| s.evaluations).sum();
        let channels = start.shape().get(1).copied().unwrap_or(0);
        let kept = rollout
            .filter(|_| context.is_recording() && differentiated(system, start))
            .map(|own| keep(own, schedule.len()));
        let gradient = kept.is_some();
        lowering.gradient = gradient;
        let mut graph = lowering.graph();
        let compiled = context.device().has_kernels();
        let programs = match programs(&mut graph, lowering, channels, steps, (kept, compiled)) {
            Ok(programs) => programs,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let hidden = |leaf: &Leaf| leaf.values.is_tracked() && !gradient;
        if context.is_recording() && lowering.scalars.iter().chain(&lowering.arrays).any(hidden) {
            return Ok(Err("a closure of an edge is differentiated"));
        }
        let plan = Plan::new(&programs.shared, &programs.maps, |form| graph.shape(form), programs.scalars.len());
        let timed = match moving(system, &lowering.moving, &schedule)? {
            Ok(timed) => timed,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let scalars = lowering.scalars.iter().map(|leaf| Ok((leaf.place, each::<T>(&leaf.values)?)));
        let scalars = scalars.collect::<Result<_>>()?;
        let arrays = lowering.arrays.iter().map(|leaf| Ok((leaf.place, whole::<T>(&leaf.values, &leaf.shape)?)));
        let arrays = arrays.collect::<Result<_>>()?;
        let (wanted, sought) = lowering.wanted();
        let march = March {
            channels,
            points: setting.space.iter().product(),
            schedule: Arc::new(schedule),
            scalars: Arc::new(scalars),
            arrays: Arc::new(arrays),
            times: lowering.times.clone(),
            timed: Arc::new(timed),
            restore: restored(system),
            outputs,
            first: usize::from(outputs == 2),
            programs: Arc::new(programs),
            plan: Arc::new(plan),
        };
        let of_scalars = sought.iter().filter_map(|place| lowering.scalars.iter().find(|leaf| leaf.place == *place));
        let scalars = of_scalars.cloned().collect();
        let arrays = lowering.arrays.iter().filter(|leaf| wanted.contains(&leaf.place)).cloned().collect();
        Ok(Ok(Self { march, evaluations, scalars, arrays, gradient, context }))
    }

    fn run(self, rollout: &Rollout, start: &Tensor, progress: Option<&mut Progress>) -> Result<(Tensor, Statistics)> {
        let samples = start.shape().first().copied().unwrap_or(1);
        let schedule = &self.march.schedule;
        let keep = if self.gradient { keep(rollout, schedule.len()) } else { Keep::Nothing };
        let held = self.march.kept(keep).0.saturating_mul(samples).saturating_mul(size_of::<T>());
        let needs = Needs { working: self.working(samples, 1), held };
        let forward = |values: &[T], places: &mut [MaybeUninit<T>]| self.march.forward(values, places, keep, progress);
        let (path, kept, held) = filled(&self.context, start, (self.march.slots(), schedule), needs, forward)?;
        let steps = schedule.iter().map(|s| (s.t, s.h)).collect();
        let statistics = Statistics { steps, rejected: 0, evaluations: self.evaluations };
        let path = if keep == Keep::Nothing { path } else { self.recorded(start, path, (kept, held), keep)? };
        Ok((path, statistics))
    }
    /// The same steps as kernels of a card.
    #[cfg(feature = "cubecl")]
    fn on_card(
        self,
        system: &StencilSystem,
        rollout: &Rollout,
        start: &Tensor,
        progress: Option<&mut Progress>,
    ) -> Result<std::result::Result<(Tensor, Statistics), &'static str>> {
        let Some(march) = self.march.single() else { return Ok(Err("its numbers are not f32")) };
        let keep = if self.gradient { keep(rollout, march.schedule.len()) } else { Keep::Nothing };
        let steps = match crate::native::cube::points::Steps::new(march, start, keep)? {
            Ok(steps) => steps,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let system = system.clone();
        let settle = move |y: &Tensor| system.kept().map_or_else(|| Ok(y.clone()), |kept| kept.restore(y));
        let (states, kept) = steps.run(march, &start.detach(), &settle, progress)?;
        let schedule = march.schedule.iter().map(|s| (s.t, s.h)).collect();
        let statistics = Statistics { steps: schedule, rejected: 0, evaluations: self.evaluations };
        let path = Tensor::stack(&states, 1)?;
        if !self.gradient {
            return Ok(Ok((path, statistics)));
        }
        let (context, inputs, held) = (self.context.clone(), self.inputs(start), self.context.claim(0));
        let path = compiled::recorded(&context, &inputs, path, held, move |g| {
            let march = self.march.single().ok_or_else(|| Error::internal("numbers that are not f32"))?;
            let made = steps.backward(march, &kept, g, &settle)?;
            let mut start = made.start;
            if march.first == 0 {
                start = start.add(&g.narrow(1, 0, 1)?.squeeze(1)?)?;
            }
            let (one, samples) = (vec![1; start.rank()], start.shape().first().copied().unwrap_or(1));
            let mut out = vec![start];
            for number in made.scalars {
                out.push(Tensor::from_vec::<f32>(&self.context, vec![number as f32], &one)?);
            }
            for ((place, _), values) in march.programs.arrays.iter().zip(made.arrays) {
                let Some(leaf) = self.arrays.iter().find(|leaf| leaf.place == *place) else { continue };
                out.push(values.reshape(&[&[samples, 1], &leaf.shape[..]].concat())?);
            }
            Ok(out)
        })?;
        Ok(Ok((path, statistics)))
    }
    #[cfg(not(feature = "cubecl"))]
    fn on_card(
        self,
        _: &StencilSystem,
        _: &Rollout,
        _: &Tensor,
        _: Option<&mut Progress>,
    ) -> Result<std::result::Result<(Tensor, Statistics), &'static str>> {
        Ok(Err("this program was built without cards"))
    }
    /// Bytes of machines at work, so many for each block.
    fn working(&self, samples: usize, machines: usize) -> usize {
        let block = self.march.block(samples);
        let threads = rayon::current_num_threads().min(samples.div_ceil(block.max(1)).max(1));
        self.march.plan.bytes(block).saturating_mul(threads).saturating_mul(machines)
    }

    /// The path as one operation of the start and of what else has a gradient.
    fn recorded(
        self,
        start: &Tensor,
        path: Tensor,
        (kept, held): (Vec<Kept<T>>, Rc<Claim>),
        keep: Keep,
    ) -> Result<Tensor> {
        let (context, inputs) = (self.context.clone(), self.inputs(start));
        compiled::recorded(&context, &inputs, path, held, move |g| self.back(g, &kept, keep))
    }
    /// What has a gradient, in the order of [`back`](Self::back).
    fn inputs(&self, start: &Tensor) -> Vec<Tensor> {
        let mut inputs = vec![start.clone()];
        inputs.extend(self.scalars.iter().map(|leaf| leaf.values.clone()));
        let array = |place: &usize| self.arrays.iter().find(|leaf| leaf.place == *place).map(|l| l.values.clone());
        inputs.extend(self.march.programs.arrays.iter().filter_map(|(place, _)| array(place)));
        inputs
    }
    /// Gradients of the inputs, before they are summed over what has one element for many.
    fn back(&self, g: &Tensor, kept: &[Kept<T>], keep: Keep) -> Result<Vec<Tensor>> {
        let march = &self.march;
        let shape = g.shape();
        let samples = shape.first().copied().unwrap_or(1);
        let block = march.block(samples);
        let passing = march.kept(keep).1.saturating_mul(block).saturating_mul(size_of::<T>());
        let passing = passing.saturating_mul(rayon::current_num_threads().min(kept.len().max(1)));
        let machines = if matches!(keep, Keep::Every(_)) { 2 } else { 1 };
        let passing = passing.saturating_add(self.working(samples, machines));
        self.context.reserve(passing)?;
        let _passing = self.context.claim(passing);
        let gradients = march.backward(kept, keep, &g.read::<T>()?).map_err(|_| stopped())?;
        let all = |values: Vec<T>, shape: &[usize]| Tensor::from_vec::<T>(&self.context, values, shape);
        let mut one = shape.clone();
        one.remove(1);
        let mut start = all(gradients.iter().flat_map(|own| own.start.iter().copied()).collect(), &one)?;
        if march.first == 0 {
            start = start.add(&g.narrow(1, 0, 1)?.squeeze(1)?)?;
        }
        let mut out = vec![start];
        // One number for each block, which is a sample where samples differ in it.
        let mut blocks = vec![1; one.len()];
        blocks.iter_mut().take(1).for_each(|n| *n = gradients.len());
        for i in 0..march.programs.scalars.len() {
            let values = gradients.iter().map(|own| own.scalars.get(i).copied().unwrap_or(0.0));
            out.push(all(values.map(T::of).collect(), &blocks)?);
        }
        for (i, (place, _)) in march.programs.arrays.iter().enumerate() {
            let Some(leaf) = self.arrays.iter().find(|leaf| leaf.place == *place) else { continue };
            let values = gradients.iter().filter_map(|own| own.arrays.get(i)).flatten().copied().collect();
            out.push(all(values, &[&[samples, 1], &leaf.shape[..]].concat())?);
        }
        Ok(out)
    }
}

/// The number of each sample.
fn each<T: Real>(values: &Tensor) -> Result<Given<T>> {
    Ok(Given { values: values.detach().read::<T>()?, each: values.shape().iter().skip(1).product() })
}
/// Numbers written out on an array.
fn whole<T: Real>(values: &Tensor, shape: &[usize]) -> Result<Given<T>> {
    let mut wanted = values.shape();
    wanted.truncate(2);
    wanted.extend(shape);
    let values = values.detach().expand(&wanted)?;
    Ok(Given { values: values.read::<T>()?, each: shape.iter().product() })
}

/// The values of edges that move, at each step.
///
/// # Errors
/// Those of the values.
pub(super) fn moving<T: Real>(
    system: &StencilSystem,
    moving: &[Moving],
    schedule: &[Scheduled],
) -> Result<std::result::Result<Vec<Timed<T>>, &'static str>> {
    let numbers: usize = moving.iter().map(|own| own.shape.iter().product::<usize>()).sum();
    if numbers.saturating_mul(schedule.len()) > MOST_MOVING {
        return Ok(Err("the values of its edges are too many to be known before"));
    }
    let mut moments: Vec<f64> = moving.iter().map(|own| own.after).collect();
    moments.sort_by(f64::total_cmp);
    moments.dedup();
    let place = |own: &Moving| if own.place.0 { Place::Scalar(own.place.1) } else { Place::Array(own.place.1) };
    let mut timed: Vec<Timed<T>> =
        moving.iter().map(|own| Timed { place: place(own), values: Vec::with_capacity(schedule.len()) }).collect();
    for step in schedule {
        interrupt::poll()?;
        for moment in &moments {
            // What another length of steps has is not looked at.
            let after = if moment.abs() > step.h.abs() { 0.0 } else { *moment };
            let edges = system.lane().edge_values(step.t + after)?;
            for (own, timed) in moving.iter().zip(&mut timed).filter(|(own, _)| own.after == *moment) {
                let (channel, axis, end) = own.edge;
                let value = edges.get(channel).and_then(|c| c.get(axis)).and_then(|pair| pair.get(end));
                let value = value.cloned().flatten().ok_or_else(|| Error::internal("an edge lost its value"))?;
                if value.is_tracked() {
                    return Ok(Err("a closure of an edge is differentiated"));
                }
                timed.values.push(if own.place.0 {
                    Given { each: 1, values: value.detach().read::<T>()? }
                } else {
                    whole(&value, &own.shape)?
                });
            }
        }
    }
    Ok(Ok(timed))
}
