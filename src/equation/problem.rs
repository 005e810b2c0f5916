//! An equation with a start, times and ways to solve it.

use super::base::Equation;
use super::compiled::Marched;
use super::form::Evolution;
use super::setting::Setting;
use super::system::{SpectralSystem, StencilSystem};
use super::transport::Transport;
use crate::error::{Error, Kind, Result};
use crate::field::Grid;
use crate::session::Progress;
use crate::solve::{Adaptive, Checkpoints, Method, Parametrized, Rollout, Solution, Statistics, StepRule, Vector};
use crate::tensor::{Complex, Tensor};

/// How derivatives in space are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// In Fourier space where the grid is periodic, otherwise by differences of second order.
    Automatic,
    /// In Fourier space.
    Fourier,
    /// Central differences of order 2, 4 or 6.
    Central(usize),
}

/// How long steps are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Steps {
    /// Found by the method's own error estimate, or by halving steps until the result no longer changes.
    Automatic(Adaptive),
    /// As said.
    Given(StepRule),
}

/// How an evolution is solved.
#[derive(Debug, Clone, Copy)]
pub struct Choices {
    /// Derivatives in space.
    pub space: Space,
    /// Differences of what is carried along.
    pub transport: Transport,
    /// The integrator; chosen by the equation when none is given.
    pub method: Option<Method>,
    /// Lengths of steps.
    pub steps: Steps,
    /// What is kept for gradients.
    pub checkpoints: Checkpoints,
    /// Whether products lose the modes that alias.
    pub dealias: bool,
    /// How the processor works through the steps.
    pub lane: LaneChoice,
}

/// How the processor works through the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneChoice {
    /// By compiled programs where there are such, else by tensor operations.
    Automatic,
    /// By compiled programs; an error where there are none.
    Native,
    /// By tensor operations.
    Tensors,
}

/// States at the output times, `[sample, channel, x…]` each.
pub struct Solved {
    /// The states; the last alone where there is a `path`.
    pub states: Vec<Tensor>,
    /// The same as one tensor, `[sample, time, channel, x…]`, where they were made so.
    pub path: Option<Tensor>,
    /// What it took.
    pub statistics: Statistics,
    /// The integrator.
    pub method: Method,
    /// What the user should know.
    pub warning: Option<String>,
    /// Why the integrator was chosen, where that is not the usual one.
    pub note: Option<String>,
}

/// Solves by compiled steps, or says why not.
type March<S> =
    fn(&S, &Rollout, &Tensor, &[f64], Option<&mut Progress>) -> Result<std::result::Result<Marched, &'static str>>;
/// As [`March`], with as many steps as are enough.
type Enough<S> = fn(&S, Rollout, &Tensor, &[f64], Adaptive) -> Result<std::result::Result<Marched, &'static str>>;

/// The lane that fits an evolution on a grid.
enum Lane {
    Spectral(SpectralSystem),
    Stencil(StencilSystem),
}

impl Choices {
    /// Solves an evolution from `start` through `times`.
    ///
    /// # Errors
    /// When the choices do not fit the equation or the grid, and those of the integrators.
    pub fn solve(
        &self,
        equation: &Equation,
        evolution: &Evolution,
        setting: Setting,
        start: &Tensor,
        times: &[f64],
        progress: Option<&dyn Fn(u64) -> Progress>,
    ) -> Result<Solved> {
        let own = setting.clone();
        self.solved(equation, evolution, setting, start, times, progress).map_err(|error| {
            // What is not finite from the start is no matter of steps.
            match own.not_finite().filter(|_| error.kind() == Kind::NotFinite) {
                Some(name) => Error::not_finite(format!("`{name}` in the equation is not finite"))
                    .got("nan or inf among its numbers")
                    .advice("print it before it enters the equation: a division by 0, a root of a negative number, or a file with gaps?"),
                None => error,
            }
        })
    }
    fn solved(
        &self,
        equation: &Equation,
        evolution: &Evolution,
        setting: Setting,
        start: &Tensor,
        times: &[f64],
        progress: Option<&dyn Fn(u64) -> Progress>,
    ) -> Result<Solved> {
        let shocks = self.keeps_shocks(evolution, &setting);
        match self.lane(equation, evolution, setting, shocks)? {
            Lane::Spectral(system) => {
                let linear = crate::solve::System::is_linear(&system);
                let method = self.method.unwrap_or(Method::named(match (linear, system.lane().has_linear()) {
                    (true, _) => "exact",
                    (false, true) => "etdrk4",
                    (false, false) => "dormand_prince",
                })?);
                // What a loop of training solves over and over is not looked at.
                let judged = !linear && times.len() > 1 && !start.context().is_differentiating();
                let span = times.last().zip(times.first()).map_or(0.0, |(to, from)| to - from);
                let ill_posed = if start.context().is_differentiating() {
                    None
                } else {
                    super::resolution::ill_posed(system.lane(), system.symbol(), span)?
                };
                let at_fault = |error: Error| match &ill_posed {
                    Some(warning) if error.kind() == Kind::NotFinite => error.advice(warning),
                    _ => error,
                };
                let (at, many) = (super::native::march, super::native::enough);
                let compiled = self.compiled(&system, (at, many), (method, None), start, times, progress);
                if let Some(mut solved) = compiled.map_err(at_fault)? {
                    if let Some(end) = solved.states.last().filter(|_| judged) {
                        let unresolved = {
                            let spectrum = |state: &Tensor| system.lane().spectrum(&state.detach());
                            super::resolution::warning(system.lane(), || spectrum(start), &spectrum(end)?)?
                        };
                        solved.warning = solved.warning.or(unresolved);
                    }
                    solved.warning = ill_posed.or(solved.warning);
                    return Ok(solved);
                }
                let y0 = system.lane().spectrum(start)?;
                let Solution { states, statistics, warning } =
                    self.march(&system, method, &y0, times, progress).map_err(at_fault)?;
                let unresolved = match states.last().filter(|_| judged) {
                    Some(end) => super::resolution::warning(system.lane(), || Ok(y0.clone()), end)?,
                    None => None,
                };
                let warning = ill_posed.or(warning).or(unresolved);
                // Each spectrum is given back as soon as its state is there.
                let points =
                    |(i, y): (usize, Complex)| if i == 0 { Ok(start.clone()) } else { system.lane().points(&y) };
                let states = states.into_iter().enumerate().map(points).collect::<Result<_>>()?;
                Ok(Solved { states, path: None, statistics, method, warning, note: None })
            }
            Lane::Stencil(system) => {
                let system = system.keeping(start, times)?;
                let system = if self.lane == LaneChoice::Tensors { system } else { system.compiled() };
                let (method, note) = match self.method {
                    Some(method) => (method, None),
                    None => usual(&system, start, times)?,
                };
                let note = note.or_else(|| {
                    shocks.then(|| {
                        "transport by weno5: with nothing that smooths, shocks form (transport: \"central\" keeps Fourier modes)".into()
                    })
                });
                let (at, many) = (super::points::march, super::points::enough);
                if let Some(solved) =
                    self.compiled(&system, (at, many), (method, note.clone()), start, times, progress)?
                {
                    return Ok(solved);
                }
                let solution = self.march(&system, method, start, times, progress)?;
                let (states, statistics) = (solution.states, solution.statistics);
                Ok(Solved { states, path: None, statistics, method, warning: solution.warning, note })
            }
        }
    }

    /// Whether a solution on a periodic grid is sought that forms shocks, which Fourier modes do not represent.
    fn keeps_shocks(&self, evolution: &Evolution, setting: &Setting) -> bool {
        let free = self.space == Space::Automatic && self.transport == Transport::Automatic;
        free && setting.grid.dimensions() > 0 && setting.grid.is_periodic() && super::transport::forms_shocks(evolution)
    }
    /// The solution by compiled steps, where there are such.
    fn compiled<S>(
        &self,
        system: &S,
        (march, enough): (March<S>, Enough<S>),
        (method, note): (Method, Option<String>),
        start: &Tensor,
        times: &[f64],
        progress: Option<&dyn Fn(u64) -> Progress>,
    ) -> Result<Option<Solved>> {
        if self.lane == LaneChoice::Tensors {
            return Ok(None);
        }
        let rollout = |steps| Rollout { method, steps, checkpoints: self.checkpoints };
        let marched = match self.steps {
            Steps::Automatic(rule) if method.order().is_some() && !method.is_adaptive() => {
                enough(system, rollout(StepRule::Fixed(1)), start, times, rule)?
            }
            steps => {
                let steps = match steps {
                    Steps::Given(rule) => rule,
                    Steps::Automatic(_) if method.order().is_none() => StepRule::Fixed(1),
                    Steps::Automatic(rule) => StepRule::Adaptive(rule),
                };
                let rollout = rollout(steps);
                let mut progress = progress.map(|begin| begin(rollout.total(times)));
                march(system, &rollout, start, times, progress.as_mut())?
            }
        };
        let marched = match marched {
            Ok(marched) => marched,
            Err(unfit) if self.lane == LaneChoice::Native => {
                return Err(Error::value("these steps cannot be compiled").got(unfit).advice("lane: \"auto\""));
            }
            Err(_) => return Ok(None),
        };
        let (states, path) = (marched.states()?, marched.path());
        let Marched { statistics, warning, .. } = marched;
        Ok(Some(Solved { states, path, statistics, method, warning, note }))
    }

    fn lane(&self, equation: &Equation, evolution: &Evolution, setting: Setting, shocks: bool) -> Result<Lane> {
        let fourier = match self.space {
            Space::Fourier => {
                setting.grid.require_periodic("derivatives: \"fourier\"")?;
                true
            }
            Space::Automatic => {
                !shocks
                    && setting.grid.is_periodic()
                    && matches!(self.transport, Transport::Automatic | Transport::Central)
            }
            Space::Central(_) => false,
        };
        if fourier {
            let new = || SpectralSystem::new(evolution, setting.clone(), self.dealias);
            return equation.prepared().system(evolution, &setting, self.dealias, new).map(Lane::Spectral);
        }
        super::pressure::refuse_walls(equation, evolution, &setting.grid)?;
        let accuracy = if let Space::Central(accuracy) = self.space { accuracy } else { 2 };
        let transport = if shocks { Transport::Weno5 } else { self.transport.on(&setting.grid) };
        let new = || {
            let names: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
            if transport == Transport::Central {
                return StencilSystem::new(evolution, &names, setting.clone(), accuracy, transport);
            }
            let planned = super::transport::planned(evolution, &setting, transport)?;
            StencilSystem::new(&planned, &names, setting.clone(), accuracy, transport)
        };
        equation.prepared().stencil(evolution, &setting, (accuracy, transport), new).map(Lane::Stencil)
    }

    /// The steps, none longer than an explicit method bears at the start.
    ///
    /// Where the solution hardly changes an error estimate accepts steps that are not stable; the state does not show it, but the
    /// gradient, which is that of the steps that were made, grows without bound.
    fn stable<S: Parametrized>(&self, system: &S, method: Method, y0: &S::State, times: &[f64]) -> Result<Steps> {
        let (Steps::Automatic(rule), Method::Explicit(tableau), Some(&t)) = (self.steps, method, times.first()) else {
            return Ok(self.steps);
        };
        let reach = y0.context()?.without_recording(|| system.reach(t, y0))?;
        let longest = reach.map(|reach| tableau.stable_step(reach)).filter(|h| *h > 0.0);
        let largest = longest.map_or(rule.largest, |h| rule.largest.min(h));
        Ok(Steps::Automatic(Adaptive { largest, ..rule }))
    }

    fn march<S: Parametrized>(
        &self,
        system: &S,
        method: Method,
        y0: &S::State,
        times: &[f64],
        progress: Option<&dyn Fn(u64) -> Progress>,
    ) -> Result<Solution<S::State>> {
        let rule = match self.stable(system, method, y0, times)? {
            Steps::Given(StepRule::Adaptive(_)) if !method.is_adaptive() => {
                return Err(Error::value(format!("{} has no estimate of its error", method.name())).advice(
                    "leave the steps out, give their number (steps: 10) or length (step: 0.01), or take dormand_prince",
                ));
            }
            Steps::Given(rule) => rule,
            Steps::Automatic(rule) if method.is_adaptive() => StepRule::Adaptive(rule),
            Steps::Automatic(_) if method.order().is_none() => StepRule::Fixed(1),
            Steps::Automatic(rule) => {
                let (n, solution) = crate::solve::enough_steps(system, method, y0, times, rule)?;
                // What a closure of the equation has captured is not seen here, and may be what is differentiated.
                let context = y0.context()?;
                if !(context.is_recording() && context.is_differentiating()) {
                    return Ok(solution);
                }
                StepRule::Fixed(n)
            }
        };
        let rollout = Rollout { method, steps: rule, checkpoints: self.checkpoints };
        let mut progress = progress.map(|begin| begin(rollout.total(times)));
        rollout.run(system, y0, times, progress.as_mut())
    }
}

/// Explicit steps beyond which an implicit method is chosen.
const MANY: f64 = 1e4;

/// The integrator for differences at points: explicit, unless diffusion bounds its steps to very many.
fn usual(system: &StencilSystem, start: &Tensor, times: &[f64]) -> Result<(Method, Option<String>)> {
    let explicit = Method::named("dormand_prince")?;
    let (Some(from), Some(to)) = (times.first(), times.last()) else { return Ok((explicit, None)) };
    if system.lane().setting().grid.dimensions() == 0 {
        return Ok((explicit, None));
    }
    let Some(reach) = crate::solve::System::reach(system, *from, start)? else { return Ok((explicit, None)) };
    let longest = crate::solve::DORMAND_PRINCE.stable_step(reach);
    let steps = (to - from).abs() / longest;
    // Waves want steps of that size for their own sake.
    if !(steps > MANY && reach.real > reach.imaginary) {
        return Ok((explicit, None));
    }
    let share = system.linear_reach(*from, start)?.map_or(0.0, |linear| linear.real / reach.real);
    let method = Method::named(if share > 0.9 { "ars443" } else { "esdirk4" })?;
    let note = format!(
        "{}: diffusion bounds explicit steps to {}, some {} of them (scheme: \"…\" takes another method)",
        method.name(),
        crate::tensor::number(longest),
        crate::tensor::number(steps.ceil()),
    );
    Ok((method, Some(note)))
}

/// Refuses a grid with fewer axes than the equation names.
pub(super) fn refuse_unfit(equation: &Equation, grid: &Grid) -> Result<()> {
    let least = equation.least_dimensions();
    if grid.dimensions() >= least || equation.has_pairs() {
        return Ok(());
    }
    Err(Error::shape("the equation needs more dimensions than there are")
        .got(if grid.dimensions() == 0 { "no grid, so a single point".to_string() } else { grid.to_string() })
        .expected(format!("{least} or more axes"))
        .advice("give a grid: #{ grid: grid::periodic([128], [TAU]) }, or start from a field on one"))
}
