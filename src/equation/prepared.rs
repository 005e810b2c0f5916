//! What solving an equation has prepared, kept for the next time.
//!
//! Scripts solve the same equation on the same grid over and over: step by step in a loop, from many starts. Its evolution, its symbol with
//! the functions of it, and the compiled steps are the same each time, and for small grids they take longer than the steps. An equation keeps the last
//! few; they are used again where nothing that they were made of differs. Spectral steps that a gradient goes through are made anew; of those on stencils
//! only the numbers that depend on what is differentiated.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use super::expr::Op;
use super::form::Evolution;
use super::setting::Setting;
use super::system::{SpectralSystem, StencilSystem};
use super::transport::Transport;
use crate::error::Result;
use crate::solve::Rollout;
use crate::tensor::Tensor;

/// Systems that an equation keeps, one for each grid, precision and choice of parameters.
const SYSTEMS: usize = 4;
/// Compiled schedules that a system keeps: automatic steps try several.
const SCHEDULES: usize = 8;
/// Points of a grid beyond which only the last one is kept, as its tables are large, and beyond which nothing is.
const MANY: usize = 1 << 20;
const POINTS: usize = 1 << 26;
/// Points beyond which nothing is kept of differences: there steps take longer than what is made for them.
const FEW_POINTS: usize = 1 << 15;

/// The order of differences, and that of what is carried along.
type Differences = (usize, Transport);

/// A system of differences, with what it was made for.
struct Stencils {
    evolution: Evolution,
    /// Without a tape.
    setting: Setting,
    /// Which parameters have gradients.
    tracked: Vec<bool>,
    differences: Differences,
    system: StencilSystem,
}

/// What an equation keeps. Copies with other parameters share it.
#[derive(Default)]
pub(super) struct Prepared {
    evolutions: RefCell<Vec<(usize, Evolution)>>,
    systems: RefCell<Vec<(Evolution, bool, SpectralSystem)>>,
    stencils: RefCell<Vec<Stencils>>,
}

impl Prepared {
    /// The evolution in so many dimensions, made once.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn evolution(&self, dimensions: usize, make: impl FnOnce() -> Result<Evolution>) -> Result<Evolution> {
        if let Some((_, known)) = self.evolutions.borrow().iter().find(|(of, _)| *of == dimensions) {
            return Ok(known.clone());
        }
        let made = make()?;
        self.evolutions.borrow_mut().push((dimensions, made.clone()));
        Ok(made)
    }
    /// The system of an evolution in a setting, made by `make` where it is not known.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn system(
        &self,
        evolution: &Evolution,
        setting: &Setting,
        dealias: bool,
        make: impl FnOnce() -> Result<SpectralSystem>,
    ) -> Result<SpectralSystem> {
        if !is_plain(evolution, setting) {
            return make();
        }
        let known = |(own, cut, system): &(Evolution, bool, SpectralSystem)| {
            *cut == dealias && is_same(own, evolution) && system.lane().setting().is_same(setting)
        };
        if let Some((.., system)) = self.systems.borrow().iter().find(|entry| known(entry)) {
            return Ok(system.clone());
        }
        let made = make()?;
        remember(
            &mut self.systems.borrow_mut(),
            few(SYSTEMS, setting.grid.points()),
            (evolution.clone(), dealias, made.clone()),
        );
        Ok(made)
    }
}

impl Prepared {
    /// The same of differences at points.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn stencil(
        &self,
        evolution: &Evolution,
        setting: &Setting,
        differences: Differences,
        make: impl FnOnce() -> Result<StencilSystem>,
    ) -> Result<StencilSystem> {
        // What a closure of an edge says may be something else the next time.
        if !has_plain_numbers(evolution, setting)
            || setting.grid.points() > FEW_POINTS
            || !setting.grid.has_plain_edges()
        {
            return make();
        }
        let tracked: Vec<bool> = setting.parameters.iter().map(Tensor::is_tracked).collect();
        let known = |own: &Stencils| {
            own.differences == differences
                && own.tracked == tracked
                && is_same(&own.evolution, evolution)
                && own.setting.is_same_but_for(setting, &tracked)
        };
        let is_free = !tracked.contains(&true);
        if let Some(own) = self.stencils.borrow().iter().find(|own| known(own)) {
            return if is_free { Ok(own.system.clone()) } else { own.system.with_numbers_of(setting) };
        }
        let made = make()?.keeping_schedules();
        // A tape would live as long as the equation.
        let detached: Vec<Tensor> = setting.parameters.iter().map(Tensor::detach).collect();
        let plain = setting.with_parameters(&detached);
        let system = if is_free { made.clone() } else { made.with_numbers_of(&plain)? };
        let entry = Stencils { evolution: evolution.clone(), setting: plain, tracked, differences, system };
        remember(&mut self.stencils.borrow_mut(), SYSTEMS, entry);
        Ok(made)
    }
}

/// How many are kept.
fn few(most: usize, points: usize) -> usize {
    if points > MANY { 1 } else { most }
}

/// Compiled steps of one system, by what they were compiled for.
#[derive(Clone, Default)]
pub(super) struct Schedules(Rc<RefCell<Vec<Schedule>>>);

/// For how many samples, and whether with a gradient to the start.
pub(super) type Of = (usize, bool);
/// For any number of samples.
pub(super) const ANY: Of = (0, false);

/// An integrator with its steps, the output times, for what, and what was compiled for them.
type Schedule = (Rollout, Vec<f64>, Of, Rc<dyn Any>);

impl Schedules {
    /// What was compiled for these steps.
    pub fn find<A: 'static>(&self, rollout: &Rollout, times: &[f64], of: Of) -> Option<Rc<A>> {
        let known = self.0.borrow();
        let found = known.iter().find(|(own, at, to, _)| own == rollout && at == times && *to == of);
        found.and_then(|(.., made)| made.clone().downcast::<A>().ok())
    }
    /// Keeps what was compiled for a grid of so many points.
    pub fn keep<A: 'static>(&self, (rollout, times, of): (&Rollout, &[f64], Of), points: usize, made: &Rc<A>) {
        remember(&mut self.0.borrow_mut(), few(SCHEDULES, points), (*rollout, times.to_vec(), of, made.clone()));
    }
}

fn remember<A>(list: &mut Vec<A>, most: usize, new: A) {
    while list.len() >= most.max(1) {
        list.remove(0);
    }
    list.push(new);
}

/// Whether nothing in it carries a gradient or is too large to be kept.
fn is_plain(evolution: &Evolution, setting: &Setting) -> bool {
    !setting.parameters.iter().any(Tensor::is_tracked) && has_plain_numbers(evolution, setting)
}

/// The same where parameters may carry gradients.
fn has_plain_numbers(evolution: &Evolution, setting: &Setting) -> bool {
    let tracked = |op: &Op| match op {
        Op::Data(value) => value.tensor().is_some_and(Tensor::is_tracked),
        Op::Opaque(..) => true,
        _ => false,
    };
    let rates = || evolution.rates.iter().chain(evolution.derived.iter().map(|(_, e)| e));
    setting.rate().is_none() && setting.grid.points() <= POINTS && !rates().any(|rate| rate.any(&mut |op| tracked(op)))
}

/// Whether two evolutions are of the same expressions.
fn is_same(a: &Evolution, b: &Evolution) -> bool {
    a.rates.len() == b.rates.len() && a.rates.iter().zip(&b.rates).all(|(a, b)| a.address() == b.address())
}

impl Setting {
    /// Whether it is the same place with the same numbers.
    fn is_same(&self, other: &Self) -> bool {
        self.is_same_but_for(other, &[])
    }
    /// The same where parameters, which are `free`, may be other numbers of the same shape.
    fn is_same_but_for(&self, other: &Self, free: &[bool]) -> bool {
        let is_alike = |(i, (a, b)): (usize, (&Tensor, &Tensor))| match free.get(i) {
            Some(true) => a.shape() == b.shape() && a.precision() == b.precision(),
            _ => a.is_known_as(b),
        };
        self.context.same(&other.context)
            && self.context.device() == other.context.device()
            && self.precision == other.precision
            && self.grid == other.grid
            && self.space == other.space
            && self.means == other.means
            && self.parameters.len() == other.parameters.len()
            && self.parameters.iter().zip(&other.parameters).enumerate().all(is_alike)
    }
}
