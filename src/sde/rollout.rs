//! Forward paths: states at output times, and statistics of paths that are not kept.
//!
//! Two lanes. Where drift, noise and what is observed are functions of each number that can be traced, the whole rollout is one compiled
//! pass over tiles of samples ([`paths`](crate::native::paths)), which needs memory for what is asked for alone. Everything else, and everything with a
//! gradient, goes step by step by tensors. Both draw the same noise and agree to rounding.

use std::ops::Range;

use super::moments::{Bins, Tally};
use super::pointwise::{Pointwise, split};
use super::process::{Clock, Diffusion, Drift, Process, ascending, refuse_not_finite};
use crate::equation::LaneChoice;
use crate::error::{Error, Result};
use crate::field::{Path, State};
use crate::native::graph::{Graph, Id};
use crate::native::march::Stop;
use crate::native::paths::{Asked, Compiled, March, step_of};
use crate::session::{Progress, interrupt};
use crate::tensor::random::PathNoise;
use crate::tensor::{Binary, Context, Precision, Tensor, in_precision};

/// Numbers of a sample above which tiles would leave the nearest caches.
const LONGEST_ROW: usize = 256;
/// More steps would take longer than anyone waits, and their times more memory than there is.
const MOST_STEPS: usize = 1 << 40;
/// Numbers that are summed up together.
const PART: usize = 1024;

/// What is done.
pub struct Rollout<'a> {
    /// Output times; the first is that of the start.
    pub times: &'a [f64],
    /// Steps of equal length from one to the next.
    pub steps: usize,
    /// The seed of the noise.
    pub seed: u64,
    /// How many paths; a start of one sample is that of all.
    pub samples: usize,
    /// The numbers of the samples: 0, 1, … where none are given.
    pub numbers: Option<&'a [u64]>,
    /// Which lane.
    pub lane: LaneChoice,
    /// States from which output time on are kept; `None` keeps nothing.
    pub keep: Option<usize>,
    /// Statistics at the output times.
    pub statistics: Option<Statistics>,
}

/// What is counted of paths.
#[derive(Clone, Default)]
pub struct Statistics {
    /// Functions of the state; the state itself where there are none.
    pub observe: Option<Pointwise>,
    /// The bins of a histogram.
    pub bins: Option<Bins>,
}

/// What came out.
pub struct Sampled {
    /// `[sample, time, …]`, of the times that are kept.
    pub states: Option<Tensor>,
    /// Statistics.
    pub summary: Option<Summary>,
}

/// Statistics at the output times, `[time, …]` each, where `…` are the axes of what is observed.
pub struct Summary {
    /// The mean.
    pub mean: Tensor,
    /// The mean squared difference from it.
    pub variance: Tensor,
    /// The least number.
    pub least: Tensor,
    /// The greatest number.
    pub greatest: Tensor,
    /// How many numbers lie in each bin, `[time, …, bin]`.
    pub counts: Option<Tensor>,
}

/// Why a rollout is not compiled.
type Unfit = &'static str;

/// A step as a graph.
struct Planned {
    graph: Graph,
    points: usize,
    /// The channels of the state after it.
    next: Vec<Id>,
    observe: Option<Vec<Id>>,
    /// Channels that have noise.
    noisy: Vec<usize>,
    /// Strengths of the noise: of each channel for each step, or for all steps alike.
    strengths: Vec<f64>,
}

/// Several steps at once, on a device that has kernels for it.
struct Leap<'a> {
    /// How many, and when they are waited for.
    #[cfg(feature = "cubecl")]
    pace: crate::native::cube::Pace,
    /// The state after these steps.
    advance: Box<Advance<'a>>,
}

impl Leap<'_> {
    /// How many steps may be taken now.
    fn steps(&self) -> usize {
        #[cfg(feature = "cubecl")]
        {
            self.pace.left()
        }
        #[cfg(not(feature = "cubecl"))]
        {
            1
        }
    }
    /// Counts steps that were taken; waits for them where they are many.
    fn taken(&mut self, context: &Context, steps: usize) {
        #[cfg(feature = "cubecl")]
        if self.pace.queue(steps) {
            context.end_and_wait();
            self.pace.waited();
            return;
        }
        #[cfg(not(feature = "cubecl"))]
        let _ = steps;
        context.end_step();
    }
}

/// The state after a range of steps of samples with these numbers.
type Advance<'a> = dyn Fn(&Tensor, Range<usize>, &[u64]) -> Result<Tensor> + 'a;

impl Planned {
    /// Its steps as kernels of a card; else why they do not fit there.
    #[cfg(feature = "cubecl")]
    fn leap<'a>(self, context: &Context, how: &'a Rollout<'_>) -> std::result::Result<Leap<'a>, Unfit> {
        use crate::native::cube::{Span, Steps};

        let steps = Steps::new(&self.graph, self.points, &self.next, &self.noisy)?;
        if let Some(unfit) = steps.unfit(context, how.samples, how.steps.saturating_mul(how.times.len())) {
            return Err(unfit);
        }
        let (channels, strengths, key) = (self.next.len(), self.strengths, Process::noise_key(how.seed));
        Ok(Leap {
            pace: steps.pace(how.samples),
            advance: Box::new(move |x, range, samples| {
                let row = |step: usize| {
                    let (t, dt) = step_of(how.times, how.steps, step / how.steps, step % how.steps);
                    let at = if strengths.len() > channels { step * channels } else { 0 };
                    [t, dt, dt.sqrt()].into_iter().chain(strengths.iter().skip(at).take(channels).copied())
                };
                let scalars: Vec<f64> = range.clone().flat_map(row).collect();
                steps.advance(x, &Span { key, samples, first: range.start, scalars: &scalars })
            }),
        })
    }
    #[cfg(not(feature = "cubecl"))]
    fn leap<'a>(self, _: &Context, _: &'a Rollout<'_>) -> std::result::Result<Leap<'a>, Unfit> {
        Err("this program was built without cards")
    }
}

impl Process {
    /// A path through `times` from the states `start`; noise from counters, so that a sample's path does not depend on the
    /// samples beside it. `samples` are their numbers.
    ///
    /// # Errors
    /// Times out of order; a state that is no longer finite, with the step and the time.
    pub fn sample(&self, start: &State, times: &[f64], seed: u64, samples: &[u64]) -> Result<Path> {
        let how = Rollout {
            times,
            steps: 1,
            seed,
            samples: samples.len(),
            numbers: Some(samples),
            lane: LaneChoice::Automatic,
            keep: Some(0),
            statistics: None,
        };
        self.path(start, &how, None)
    }
    /// The states at all output times.
    ///
    /// # Errors
    /// As [`rollout`](Self::rollout).
    pub fn path(&self, start: &State, how: &Rollout<'_>, progress: Option<&mut Progress>) -> Result<Path> {
        let states = self.rollout(start, how, progress)?.states;
        let states = states.ok_or_else(|| Error::internal("a path that was not kept"))?;
        Path::joined(states, how.times, start.grid.clone(), start.names.clone())
    }
    /// From the states `start` through all steps.
    ///
    /// # Errors
    /// Times out of order; states that do not fit the process; a state that is no longer finite, with the step and the time; a compiled lane that
    /// was asked for where there is none.
    pub fn rollout(&self, start: &State, how: &Rollout<'_>, progress: Option<&mut Progress>) -> Result<Sampled> {
        ascending(how.times)?;
        self.refuse_start(start)?;
        let total = how.steps.saturating_mul(how.times.len());
        if how.steps == 0 || total > MOST_STEPS {
            return Err(Error::value("the number of steps between two times").got(how.steps).expected("1 or more"));
        }
        if start.samples() != how.samples && start.samples() != 1 {
            return Err(Error::shape("the start does not fit the number of paths")
                .got(format!("{} samples, {} paths", start.samples(), how.samples))
                .expected("one for each path, or one for all"));
        }
        let planned = match how.lane {
            LaneChoice::Tensors => Err("tensors were asked for"),
            _ => self.plan(start, how)?,
        };
        let context = start.values.context();
        if !context.device().has_kernels() {
            return match planned.and_then(|planned| planned.leap(context, how)) {
                Err(why) if how.lane == LaneChoice::Native => Err(not_compiled(why)),
                leap => self.by_tensors(start, how, leap.ok(), progress),
            };
        }
        match planned {
            Ok(planned) => {
                let Planned { graph, points, next, observe, noisy, strengths } = planned;
                let compiled = Compiled::new(graph, points, &next, observe.as_deref(), noisy);
                let (precision, values) = (start.values.precision(), &start.values);
                in_precision!(precision, T => self.compiled::<T>(values, how, &compiled, &strengths, progress))
            }
            Err(why) if how.lane == LaneChoice::Native => Err(not_compiled(why)),
            Err(_) => self.by_tensors(start, how, None, progress),
        }
    }

    /// A step as a graph, with the strengths of its noise.
    fn plan(&self, start: &State, how: &Rollout<'_>) -> Result<std::result::Result<Planned, Unfit>> {
        let (x, channels) = (&start.values, self.channels());
        let Drift::Pointwise(drift, _) = &self.drift else {
            return Ok(Err("its drift is not a function of each number of the state"));
        };
        let row: usize = x.shape().iter().skip(1).product();
        // Of noise that has a strength for each channel there are channels, whatever the drift looks at.
        let (parts, channels) = match &self.diffusion {
            Diffusion::Channels(all) if channels == 1 => (all.len(), 1),
            _ => (channels, channels),
        };
        if x.is_tracked() {
            return Ok(Err("a gradient goes to the start"));
        }
        let device = x.context().device();
        if !(device.has_kernels() || device.is_cube()) || x.precision() != x.context().precision() {
            return Ok(Err("the states are not in the precision of the session, or on a device without kernels"));
        }
        if x.is_empty() || how.samples == 0 || row > LONGEST_ROW {
            return Ok(Err("a sample has no numbers, or too many"));
        }
        let strengths = match &self.diffusion {
            Diffusion::State(_) => vec![0.0; parts],
            _ => self.all_strengths(x, how)?,
        };
        let points = row / parts.max(1);
        let (mut graph, leaves) = Compiled::leaves(parts, points);
        let untraced = Ok(Err("a closure does more than arithmetic and functions of numbers"));
        // A function of one channel is the same for all.
        let mut of = |f: &Pointwise| -> Option<Vec<usize>> {
            if channels == parts {
                return f.lower(&mut graph, &leaves.state, leaves.time);
            }
            let each = leaves.state.iter().map(|x| f.lower(&mut graph, &[*x], leaves.time));
            each.collect::<Option<Vec<_>>>().map(|all| all.concat())
        };
        let Some(rates) = of(drift) else { return untraced };
        let noise = match &self.diffusion {
            Diffusion::State(g) => of(g),
            _ => Some(leaves.strengths.clone()),
        };
        let observe = how.statistics.as_ref().and_then(|s| s.observe.as_ref());
        let observed = match observe {
            Some(_) if channels != parts => return untraced,
            Some(f) => of(f).map(Some),
            None => Some(None),
        };
        let (Some(noise), Some(observed)) = (noise, observed) else { return untraced };
        if rates.len() != parts || (noise.len() != parts && noise.len() != 1) {
            return Ok(Err("a closure has not returned a value for each channel"));
        }
        let noisy = self.noisy(parts);
        let mut next = Vec::with_capacity(parts);
        for (c, ((x, rate), xi)) in leaves.state.iter().zip(&rates).zip(&leaves.noise).enumerate() {
            let moved = graph.binary(Binary::Mul, *rate, leaves.step);
            let mut sum = graph.binary(Binary::Add, *x, moved);
            if noisy.contains(&c) {
                let mut strength = noise[c.min(noise.len() - 1)];
                if matches!(self.diffusion, Diffusion::State(_)) {
                    strength = graph.binary(Binary::Mul, strength, leaves.root);
                }
                let kick = graph.binary(Binary::Mul, *xi, strength);
                sum = graph.binary(Binary::Add, sum, kick);
            }
            next.push(sum);
        }
        Ok(Ok(Planned { graph, points, next, observe: observed, noisy, strengths }))
    }
    /// Strengths of the noise of each channel: for all steps alike, or for each step.
    fn all_strengths(&self, x: &Tensor, how: &Rollout<'_>) -> Result<Vec<f64>> {
        let constant = match &self.diffusion {
            Diffusion::Constant(_) => true,
            Diffusion::Channels(all) => all.iter().all(|g| matches!(g, Diffusion::Constant(_))),
            _ => false,
        };
        let lengths: Vec<f64> = how.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let steps = if constant && lengths.windows(2).all(|pair| pair[0] == pair[1]) {
            1
        } else {
            how.steps.saturating_mul(lengths.len())
        };
        x.context().reserve(steps.saturating_mul(8 * self.channels()))?;
        let mut all = Vec::new();
        for step in 0..steps {
            if step % 4096 == 0 {
                interrupt::poll()?;
            }
            let (t, dt) = step_of(how.times, how.steps, step / how.steps, step % how.steps);
            all.extend(self.strengths(x, t, dt)?);
        }
        Ok(all)
    }

    fn compiled<T: crate::tensor::Real + crate::tensor::random::Drawable>(
        &self,
        x: &Tensor,
        how: &Rollout<'_>,
        compiled: &Compiled,
        strengths: &[f64],
        progress: Option<&mut Progress>,
    ) -> Result<Sampled> {
        let context = x.context();
        let march = March {
            step: compiled,
            times: how.times,
            steps: how.steps,
            strengths,
            key: Self::noise_key(how.seed),
            samples: how.samples,
            numbers: how.numbers,
            tally: how.statistics.as_ref().map(|s| s.bins),
        };
        let one = x.shape().get(1..).unwrap_or(&[]).to_vec();
        let slots = how.keep.map_or(0, |first| how.times.len().saturating_sub(first));
        let row: usize = one.iter().product();
        let count = how.samples.saturating_mul(slots).saturating_mul(row);
        let working = march.bytes::<T>();
        context.reserve(count.saturating_mul(size_of::<T>()).saturating_add(working))?;
        let start = x.read::<T>()?;
        if !crate::native::is_finite(&start) {
            refuse_not_finite(x, "the path", 0, how.times.first().copied().unwrap_or(0.0))?;
        }
        let work = context.claim(working);
        let mut out: Vec<T> = Vec::with_capacity(count);
        let places = out.spare_capacity_mut().get_mut(..count).unwrap_or_default();
        let tally = match march.run(&start, Asked { out: places, first: how.keep.unwrap_or(0) }, progress) {
            Ok(tally) => tally,
            Err(Stop::Interrupted) => return Err(interrupt::poll().err().unwrap_or_else(Error::interrupted)),
            Err(Stop::NotFinite(time)) => {
                let t = how.times.get(time).copied().unwrap_or(f64::NAN);
                return Err(not_finite(time.saturating_mul(how.steps), t));
            }
        };
        drop(work);
        // SAFETY: `run` has written every element of `places`, which are the first `count` of the capacity.
        unsafe { out.set_len(count) };
        let shape: Vec<usize> = [how.samples, slots].into_iter().chain(one.iter().copied()).collect();
        let states = how.keep.map(|_| Tensor::from_vec::<T>(context, out, &shape)).transpose()?;
        let observed =
            how.statistics.as_ref().map(|s| (s, observed_shape(s, &one, self.channels(), compiled.values())));
        let summary = observed.map(|(s, shape)| summary(x, &tally, how.times.len(), &shape, s.bins)).transpose()?;
        Ok(Sampled { states, summary })
    }

    /// Step by step, or leap by leap where there are such.
    fn by_tensors(
        &self,
        start: &State,
        how: &Rollout<'_>,
        mut leap: Option<Leap<'_>>,
        mut progress: Option<&mut Progress>,
    ) -> Result<Sampled> {
        let one = start.values.shape().get(1..).unwrap_or(&[]).to_vec();
        let mut shape = start.values.shape();
        shape.iter_mut().take(1).for_each(|n| *n = how.samples);
        let mut x = start.values.expand(&shape)?;
        let context = x.context().clone();
        let counted: Vec<u64>;
        let numbers = match how.numbers {
            Some(numbers) => numbers,
            None => {
                context.reserve(how.samples.saturating_mul(8))?;
                counted = (0..how.samples as u64).collect();
                &counted
            }
        };
        // Of channels without noise nothing is drawn; what stands there is multiplied by 0.
        let channels = one.first().copied().filter(|_| matches!(self.diffusion, Diffusion::Channels(_))).unwrap_or(1);
        let noisy = self.noisy(channels);
        let mut drawn = one.clone();
        let mut places: Option<Vec<i64>> = None;
        if noisy.len() < channels {
            drawn.iter_mut().take(1).for_each(|n| *n = noisy.len());
            let place = |c| noisy.iter().position(|own| *own == c).unwrap_or(0) as i64;
            places = Some((0..channels).map(place).collect());
        }
        let mut noise = PathNoise::new(Self::noise_key(how.seed), drawn.iter().product());
        let mut record = Record { of: self, how, kept: Vec::new(), tally: None, tracked: Vec::new() };
        record.output(0, &x)?;
        let lengths = how.times.len().saturating_sub(1);
        let mut last_kept = x.clone();
        let mut step = 0;
        while step < how.steps.saturating_mul(lengths) {
            interrupt::poll()?;
            let (time, part) = (step / how.steps, step % how.steps);
            let (t, dt) = step_of(how.times, how.steps, time, part);
            let count = leap.as_ref().map_or(1, |leap| leap.steps().min(how.steps - part));
            x = if let Some(leap) = &leap {
                (leap.advance)(&x, step..step + count, numbers)?
            } else if noisy.is_empty() {
                self.advance(&x, &Clock::One { t, dt })?
            } else {
                let xi = noise.of(&context, step as u64, numbers, &drawn)?.cast(x.precision())?;
                let xi = places.as_ref().map_or_else(|| Ok(xi.clone()), |places| xi.take(1, places))?;
                self.step(&x, &xi, t, dt)?
            };
            step += count;
            if part + count == how.steps {
                record.output(time + 1, &x)?;
                last_kept = x.clone();
            }
            if let Some(progress) = progress.as_deref_mut() {
                progress.at(step as u64, || format!("t = {:.4}", t + count as f64 * dt))?;
            }
            match &mut leap {
                Some(leap) => leap.taken(&context, count),
                None => context.end_step(),
            }
        }
        // Looked at once; which step it was is found out only when there is one.
        if refuse_not_finite(&last_kept, "the path", 0, 0.0).is_err() {
            let first = how.keep.unwrap_or(0);
            for (i, state) in record.kept.iter().enumerate() {
                let t = how.times.get(first + i).copied().unwrap_or(f64::NAN);
                refuse_not_finite(state, "the path", (first + i).saturating_mul(how.steps), t)?;
            }
            refuse_not_finite(&last_kept, "the path", how.steps * lengths, how.times.last().copied().unwrap_or(0.0))?;
        }
        record.finish(&last_kept, &one)
    }
}

/// What the lane of tensors keeps.
struct Record<'a, 'b> {
    of: &'a Process,
    how: &'a Rollout<'b>,
    kept: Vec<Tensor>,
    tally: Option<(Tally, usize)>,
    /// Mean, variance and extrema with gradients, by times.
    tracked: Vec<[Tensor; 4]>,
}

impl Record<'_, '_> {
    fn output(&mut self, time: usize, x: &Tensor) -> Result<()> {
        if self.how.keep.is_some_and(|first| time >= first) {
            self.kept.push(x.clone());
        }
        let Some(statistics) = &self.how.statistics else { return Ok(()) };
        let t = self.how.times.get(time).copied().unwrap_or(f64::NAN);
        refuse_not_finite(x, "the path", time.saturating_mul(self.how.steps), t)?;
        let values = match &statistics.observe {
            None => vec![x.clone()],
            Some(f) => {
                let parts = split(x, self.of.channels())?;
                let first = parts.first().unwrap_or(x).clone();
                let values = (f.evaluate)(&parts, &Clock::One { t, dt: 0.0 }.spread(&first, |t, _| t)?)?;
                let fit = |v: &Tensor| v.expand(&first.shape()).map_err(|e| e.within("what `observe` returned"));
                values.iter().map(fit).collect::<Result<Vec<_>>>()?
            }
        };
        if values.iter().any(Tensor::is_tracked) {
            let all = Tensor::stack(&values, 1)?.cast(Precision::F64)?;
            let all = if values.len() == 1 { all.select(1, 0)? } else { all };
            self.tracked.push([
                all.mean(&[0], false)?,
                all.variance(&[0], false, 0.0)?,
                all.min(&[0], false)?,
                all.max(&[0], false)?,
            ]);
        }
        let points: usize = values.first().map_or(0, |v| v.shape().iter().skip(1).product());
        let columns = points * values.len();
        let (times, bins) = (self.how.times.len(), statistics.bins);
        let context = x.context();
        context.reserve(Tally::bytes(times, columns, bins).saturating_add(x.len().saturating_mul(8)))?;
        let (tally, count) = self.tally.get_or_insert_with(|| (Tally::new(times, columns, bins), values.len()));
        if *count != values.len() {
            return Err(Error::value("`observe` returned another number of values than at the time before"));
        }
        for (i, value) in values.iter().enumerate() {
            let numbers = value.detach().to_vec()?;
            for point in 0..points {
                let column: Vec<f64> = numbers.iter().skip(point).step_by(points.max(1)).copied().collect();
                column.chunks(PART).for_each(|part| tally.add(time, i * points + point, part));
            }
        }
        Ok(())
    }
    fn finish(self, like: &Tensor, one: &[usize]) -> Result<Sampled> {
        let states = if self.how.keep.is_some() { Some(Tensor::stack(&self.kept, 1)?) } else { None };
        let (Some(statistics), Some((tally, values))) = (&self.how.statistics, &self.tally) else {
            return Ok(Sampled { states, summary: None });
        };
        let shape = observed_shape(statistics, one, self.of.channels(), *values);
        let mut made = summary(like, tally, self.how.times.len(), &shape, statistics.bins)?;
        if self.tracked.len() == self.how.times.len() {
            let of = |i: usize| Tensor::stack(&self.tracked.iter().map(|t| t[i].clone()).collect::<Vec<_>>(), 0);
            made = Summary { mean: of(0)?, variance: of(1)?, least: of(2)?, greatest: of(3)?, ..made };
        }
        Ok(Sampled { states, summary: Some(made) })
    }
}

/// The axes of what is observed: those of a state, or of a channel, behind an axis of values where there are several.
fn observed_shape(statistics: &Statistics, one: &[usize], channels: usize, values: usize) -> Vec<usize> {
    if statistics.observe.is_none() {
        return one.to_vec();
    }
    let each = if channels == 1 { one } else { one.get(1..).unwrap_or(&[]) };
    let axis = (values != 1).then_some(values);
    axis.into_iter().chain(each.iter().copied()).collect()
}

fn summary(like: &Tensor, tally: &Tally, times: usize, shape: &[usize], bins: Option<Bins>) -> Result<Summary> {
    let full: Vec<usize> = std::iter::once(times).chain(shape.iter().copied()).collect();
    let of = |f: fn(&super::moments::Moments) -> f64| {
        Tensor::from_vec::<f64>(like.context(), tally.moments.iter().map(f).collect(), &full)
    };
    let counts = bins.map(|bins| {
        let shape: Vec<usize> = full.iter().copied().chain([bins.count]).collect();
        Tensor::from_vec::<f64>(like.context(), tally.counts.iter().map(|n| *n as f64).collect(), &shape)
    });
    Ok(Summary {
        mean: of(|m| m.mean)?,
        variance: of(|m| m.variance())?,
        least: of(|m| m.least)?,
        greatest: of(|m| m.greatest)?,
        counts: counts.transpose()?,
    })
}

fn not_compiled(why: Unfit) -> Error {
    Error::value("this process has no compiled lane here").got(why).advice("lane: \"auto\"")
}

fn not_finite(step: usize, t: f64) -> Error {
    Error::not_finite(format!("the path is no longer finite at step {step}, t = {}", crate::tensor::number(t)))
        .advice("take smaller steps, or look at the states before with a shorter range of times")
}
