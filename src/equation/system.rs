//! Equations as systems in time: what integrators see of the two lanes.

use std::cell::OnceCell;
use std::rc::Rc;

use super::form::Evolution;
use super::frozen::Frozen;
use super::jacobian::Points;
use super::kept::Kept;
use super::prepared::Schedules;
use super::rates::Rates;
use super::setting::Setting;
use super::spectral::Spectral;
use super::stencil::Stencil;
use super::stiff::{Clocked, LinearPart, Stiff};
use super::transport::Transport;
use crate::error::{Kind, Result};
use crate::solve::{Linear, Parametrized, Reach, Resolvent, Separable, Symbol, System};
use crate::tensor::{Complex, Precision, Tensor};

/// Whether steps are too long is asked before fewer steps than so many only of linear equations, which have one answer for all
/// samples, on no more numbers than so many: else the answer would take longer than the steps do.
const FEW: u64 = 1000;
const LARGE: usize = 1 << 12;

/// An evolution in Fourier space: the linear part with constant coefficients is a [`Symbol`].
#[derive(Clone)]
pub struct SpectralSystem {
    lane: Spectral,
    symbol: Option<Symbol>,
    /// As of [`StencilSystem`].
    velocities: Rc<Vec<(usize, usize)>>,
    /// What it was made of, for its eigenvalues.
    source: Rc<(Evolution, bool)>,
    /// Its compiled steps.
    schedules: Schedules,
}

impl SpectralSystem {
    /// The evolution on the setting's periodic grid.
    ///
    /// # Errors
    /// When a parameter does not fit the grid, or the linear part is not finite.
    pub fn new(evolution: &Evolution, setting: Setting, dealias: bool) -> Result<Self> {
        let lane = Spectral::new(evolution, setting, dealias)?;
        let symbol = Self::symbol_of(&lane)?;
        Ok(Self {
            lane,
            symbol,
            velocities: Rc::new(velocities(evolution)),
            source: Rc::new((evolution.clone(), dealias)),
            schedules: Schedules::default(),
        })
    }
    /// Pairs of channels, a position and its velocity, where there is nothing else and no force depends on a velocity.
    pub(super) fn velocities(&self) -> &[(usize, usize)] {
        &self.velocities
    }
    /// A rate of change, by the clock of the setting.
    fn by_clock(&self, rates: Complex) -> Result<Complex> {
        match self.lane.setting().rate() {
            Some(rate) => rates.mul_real(rate),
            None => Ok(rates),
        }
    }
    fn symbol_of(lane: &Spectral) -> Result<Option<Symbol>> {
        if !lane.has_linear() {
            return Ok(None);
        }
        let symbol = lane.symbol()?;
        let symbol = match lane.setting().rate() {
            Some(rate) => symbol.mul_real(&rate.reshape(&[1])?.cast(Precision::F64)?)?,
            None => symbol,
        };
        Symbol::matrix(symbol).map(Some)
    }
    /// The linear part with constant coefficients.
    pub(super) fn symbol(&self) -> Option<&Symbol> {
        self.symbol.as_ref()
    }
    /// Its compiled steps.
    pub(super) fn schedules(&self) -> &Schedules {
        &self.schedules
    }
    /// Transforms and their settings.
    pub fn lane(&self) -> &Spectral {
        &self.lane
    }
}

impl System for SpectralSystem {
    type State = Complex;

    fn nonlinear(&self, t: f64, y: &Complex) -> Result<Complex> {
        self.by_clock(self.lane.nonlinear(t, y)?)
    }
    fn linear(&self) -> Option<&dyn Linear<Complex>> {
        self.symbol.as_ref().map(|symbol| symbol as &dyn Linear<Complex>)
    }
    fn is_linear(&self) -> bool {
        self.symbol.is_some() && self.lane.is_linear()
    }
    fn reach(&self, t: f64, y: &Complex) -> Result<Option<Reach>> {
        let linear = self.symbol.as_ref().map(Symbol::reach).transpose()?;
        if self.lane.is_linear() || self.lane.is_affine() {
            return Ok(linear);
        }
        let (evolution, dealias) = &*self.source;
        // It is a bound for a warning and for first steps: an equation that it cannot read is solved all the same.
        let frozen = Frozen::of(evolution, self.lane.setting(), *dealias).ok().flatten();
        let state = self.lane.points(y)?;
        let whole = frozen.and_then(|frozen| frozen.reach(t, &state).ok());
        Ok(match (linear, whole) {
            (Some(a), Some(b)) => Some(Reach { real: a.real.max(b.real), imaginary: a.imaginary.max(b.imaginary) }),
            (a, b) => a.or(b),
        })
    }
    fn separable(&self) -> Option<&dyn Separable<Complex>> {
        if self.velocities.is_empty() { None } else { Some(self) }
    }
}

impl Separable<Complex> for SpectralSystem {
    fn drift(&self, h: f64, y: &Complex) -> Result<Complex> {
        let rates = self.by_clock(y.scale(h)?)?;
        Complex::new(moved(&y.re, &rates.re, &self.velocities)?, moved(&y.im, &rates.im, &self.velocities)?)
    }
    fn force(&self, t: f64, y: &Complex) -> Result<Complex> {
        self.rhs(t, y)
    }
    fn kick(&self, h: f64, y: &Complex, force: &Complex) -> Result<Complex> {
        let (rates, forces) = (force.scale(h)?, forces(&self.velocities));
        Complex::new(moved(&y.re, &rates.re, &forces)?, moved(&y.im, &rates.im, &forces)?)
    }
}

impl Parametrized for SpectralSystem {
    fn parameters(&self) -> Vec<Tensor> {
        self.lane.setting().parameters.clone()
    }
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self> {
        let lane = self.lane.with_parameters(parameters);
        let tracked = parameters.iter().chain(&self.lane.setting().parameters).any(Tensor::is_tracked);
        let symbol = if tracked { Self::symbol_of(&lane)? } else { self.symbol.clone() };
        Ok(Self { lane, symbol, schedules: Schedules::default(), ..self.clone() })
    }
}

/// An evolution at points, by stencils.
#[derive(Clone)]
pub struct StencilSystem {
    lane: Stencil,
    /// For channel `i` whose rate is channel `j`: positions and velocities of a second-order equation.
    velocities: Vec<(usize, usize)>,
    source: Rc<(Evolution, Points)>,
    /// What implicit methods need, planned when one asks; `None` where there is nothing.
    stiff: Rc<OnceCell<Option<Stiff>>>,
    /// The linear part while a clock is differentiated.
    clocked: OnceCell<Rc<Clocked>>,
    /// Integrals that rounding is kept from changing.
    kept: Option<Rc<Kept>>,
    /// The right-hand side as one pass.
    compiled: Rates,
    /// Compiled steps, where they are kept.
    schedules: Option<Schedules>,
    /// The same in double precision.
    double: Rc<OnceCell<StencilSystem>>,
}

impl StencilSystem {
    /// The evolution on the setting's grid.
    ///
    /// # Errors
    /// When the grid or a parameter does not fit.
    pub fn new(
        evolution: &Evolution,
        names: &[String],
        setting: Setting,
        accuracy: usize,
        transport: Transport,
    ) -> Result<Self> {
        let setting = setting.knowing_diffusion(&evolution.rates)?;
        let points = Points { names: names.to_vec(), setting: setting.clone(), accuracy, transport };
        let lane = Stencil::of(&evolution.channels, &evolution.rates, names, setting, accuracy, transport)?;
        let source = Rc::new((evolution.clone(), points));
        Ok(Self {
            lane,
            velocities: velocities(evolution),
            source,
            stiff: Rc::default(),
            clocked: OnceCell::new(),
            kept: None,
            compiled: Rates::default(),
            schedules: None,
            double: Rc::default(),
        })
    }
    /// The same with the integrals of a start kept where the evolution keeps them.
    ///
    /// # Errors
    /// Those of an evaluation.
    pub fn keeping(self, start: &Tensor, times: &[f64]) -> Result<Self> {
        let (Some(from), Some(to)) = (times.first(), times.last()) else { return Ok(self) };
        let kept = Kept::of(&self, start, [*from, *to])?.map(Rc::new);
        Ok(Self { kept, ..self })
    }
    /// The same with a right-hand side that is compiled when it is evaluated often.
    pub fn compiled(self) -> Self {
        Self { compiled: Rates::wanted(), ..self }
    }
    /// The same with compiled steps that are kept.
    pub(super) fn keeping_schedules(self) -> Self {
        Self { schedules: Some(Schedules::default()), ..self }
    }
    /// The same with the parameters of another setting, which differ in their numbers alone; what is kept is shared.
    ///
    /// # Errors
    /// Those of [`with_parameters`](Parametrized::with_parameters).
    pub(super) fn with_numbers_of(&self, setting: &Setting) -> Result<Self> {
        let (evolution, points) = &*self.source;
        let source = (
            evolution.clone(),
            Points { setting: points.setting.with_parameters(&setting.parameters), ..points.clone() },
        );
        let others = self.lane.tensors().into_iter().skip(setting.parameters.len());
        let tensors: Vec<Tensor> = setting.parameters.iter().cloned().chain(others).collect();
        let schedules = self.schedules.clone();
        Ok(Self { source: Rc::new(source), schedules, ..self.with_parameters(&tensors)? })
    }
    /// Its compiled steps, where they are kept.
    pub(super) fn schedules(&self) -> Option<&Schedules> {
        self.schedules.as_ref()
    }
    /// What it was made of.
    pub(super) fn evolution(&self) -> &Evolution {
        &self.source.0
    }
    /// The same in double precision, with a compiled right-hand side.
    ///
    /// # Errors
    /// When a parameter does not fit.
    pub(super) fn in_double(&self) -> Result<Self> {
        if let Some(known) = self.double.get() {
            return Ok(known.clone());
        }
        let (evolution, Points { names, setting, accuracy, transport }) = &*self.source;
        let setting = setting.in_precision(Precision::F64)?;
        let made = Self::new(evolution, names, setting, *accuracy, *transport)?;
        let made = Self { compiled: Rates::at_once(), ..made };
        Ok(self.double.get_or_init(|| made).clone())
    }
    /// Whether it is known that the rates do not depend on the time.
    pub(super) fn is_steady(&self) -> bool {
        self.compiled.is_steady()
    }
    /// The right-hand side.
    pub(super) fn rates(&self, t: f64, y: &Tensor) -> Result<Tensor> {
        match self.compiled.at(self, t, y)? {
            Some(rates) => Ok(rates),
            None => self.lane.rates(t, y),
        }
    }
    /// Where the eigenvalues of the linear part lie, if there is one.
    pub(super) fn linear_reach(&self, t: f64, y: &Tensor) -> Result<Option<Reach>> {
        match self.stiff().and_then(Stiff::linear) {
            Some(linear) => linear.reach(t, y),
            None => Ok(None),
        }
    }
    fn stiff(&self) -> Option<&Stiff> {
        let plan = || {
            let (evolution, points) = &*self.source;
            // Bodies are not on a grid.
            if points.setting.space.len() != points.setting.grid.dimensions() {
                return None;
            }
            Stiff::of(evolution, points).ok().map(|stiff| stiff.with_tensors(&self.lane.tensors(), false))
        };
        self.stiff.get_or_init(plan).as_ref()
    }
    /// The linear part, where it is kept apart.
    fn linear_part(&self) -> Option<&LinearPart> {
        self.stiff().and_then(Stiff::linear)
    }
    /// Integrals that rounding is kept from changing.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.as_deref()
    }
    /// Pairs of channels, a position and its velocity, where there is nothing else and no force depends on a velocity.
    pub(super) fn velocities(&self) -> &[(usize, usize)] {
        &self.velocities
    }
    /// What evaluates it.
    pub fn lane(&self) -> &Stencil {
        &self.lane
    }
    /// A rate of change, by the clock of the setting.
    fn by_clock(&self, rates: Tensor) -> Result<Tensor> {
        match self.lane.setting().rate() {
            Some(rate) => rates.mul(rate),
            None => Ok(rates),
        }
    }
}

/// A state with channels of another one added to its own, for pairs `(to, from)`.
fn moved(y: &Tensor, other: &Tensor, pairs: &[(usize, usize)]) -> Result<Tensor> {
    let channels = y.shape().get(1).copied().unwrap_or(0);
    let parts = (0..channels).map(|c| {
        let own = y.narrow(1, c, 1)?;
        match pairs.iter().find(|(to, _)| *to == c) {
            Some((_, from)) => own.add(&other.narrow(1, *from, 1)?),
            None => Ok(own),
        }
    });
    Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)
}

/// The velocities of pairs, each with its own rate of change.
fn forces(velocities: &[(usize, usize)]) -> Vec<(usize, usize)> {
    velocities.iter().map(|(_, v)| (*v, *v)).collect()
}

/// Pairs of channels `(x, v)` with `dx/dt = v`, when all channels belong to such pairs and no force depends on a velocity.
pub(super) fn velocities(evolution: &Evolution) -> Vec<(usize, usize)> {
    use super::expr::Op;
    let mut pairs = Vec::new();
    for (x, rate) in evolution.rates.iter().enumerate() {
        if let (Op::Unknown(v, _), Some(channel)) = (rate.op(), evolution.channels.get(x))
            && evolution.channels.get(*v).is_some_and(|c| c.rate == channel.rate + 1 && c.unknown == channel.unknown)
        {
            pairs.push((x, *v));
        }
    }
    let free = pairs.iter().all(|(_, v)| {
        evolution.rates.get(*v).is_some_and(|force| {
            !force.any(&mut |op| matches!(op, Op::Unknown(c, _) if pairs.iter().any(|(_, v)| v == c)))
        })
    });
    if free && 2 * pairs.len() == evolution.channels.len() { pairs } else { Vec::new() }
}

/// Whether the derivative of a rate changes with the unknowns.
fn is_nonlinear(evolution: &Evolution) -> bool {
    use super::expr::{Expr, Op};
    let reads = |op: &Op| matches!(op, Op::Unknown(..));
    evolution.rates.iter().any(|rate| {
        let slope = super::calculus::derivative(rate, &mut |e| match e.op() {
            Op::Unknown(_, name) => Some(Expr::parameter(usize::MAX, name)),
            _ => None,
        });
        slope.is_ok_and(|slope| slope.any(&mut |op| reads(op)))
    })
}

impl System for StencilSystem {
    type State = Tensor;

    fn nonlinear(&self, t: f64, y: &Tensor) -> Result<Tensor> {
        match self.linear_part() {
            Some(linear) => self.by_clock(linear.others(t, y)?),
            None => self.by_clock(self.rates(t, y)?),
        }
    }
    fn linear(&self) -> Option<&dyn Linear<Tensor>> {
        let linear = self.linear_part()?;
        let Some(rate) = self.lane.setting().rate() else { return Some(linear) };
        let clocked = || Rc::new(Clocked { linear: linear.clone(), rate: rate.clone() });
        Some(&**self.clocked.get_or_init(clocked))
    }
    fn rhs(&self, t: f64, y: &Tensor) -> Result<Tensor> {
        self.by_clock(self.rates(t, y)?)
    }
    fn jvp(&self, t: f64, y: &Tensor, v: &Tensor) -> Option<Result<Tensor>> {
        self.stiff()?.jvp(t, y, v)
    }
    fn has_jvp(&self) -> bool {
        self.stiff().is_some_and(Stiff::has_jvp)
    }
    fn resolvent(&self, t: f64, y: &Tensor, gamma_h: f64, fresh: bool) -> Result<Option<Resolvent<Tensor>>> {
        self.stiff().map_or(Ok(None), |stiff| stiff.resolvent(t, y, gamma_h, fresh))
    }
    fn reach(&self, t: f64, y: &Tensor) -> Result<Option<Reach>> {
        // It is a bound for a warning and for first steps: without it the equation is solved all the same.
        match self.stiff().map(|stiff| stiff.reach(t, y)) {
            Some(Err(error)) if error.kind() == Kind::Interrupted => Err(error),
            Some(reach) => Ok(reach.ok().flatten()),
            None => Ok(None),
        }
    }
    fn is_judged_later(&self, y: &Tensor, steps: u64) -> bool {
        let each = y.len() / y.shape().first().copied().unwrap_or(1).max(1);
        steps < FEW && (each > LARGE || is_nonlinear(&self.source.0))
    }
    fn settle(&self, t: f64, y: Tensor) -> Result<Tensor> {
        let y = self.lane.settle(t, y)?;
        match &self.kept {
            Some(kept) => kept.restore(&y),
            None => Ok(y),
        }
    }
    fn separable(&self) -> Option<&dyn Separable<Tensor>> {
        if self.velocities.is_empty() { None } else { Some(self) }
    }
}

impl Separable<Tensor> for StencilSystem {
    fn drift(&self, h: f64, y: &Tensor) -> Result<Tensor> {
        moved(y, &self.by_clock(y.scale(h)?)?, &self.velocities)
    }
    fn force(&self, t: f64, y: &Tensor) -> Result<Tensor> {
        self.by_clock(self.rates(t, y)?)
    }
    fn kick(&self, h: f64, y: &Tensor, force: &Tensor) -> Result<Tensor> {
        moved(y, &force.scale(h)?, &forces(&self.velocities))
    }
}

impl Parametrized for StencilSystem {
    fn parameters(&self) -> Vec<Tensor> {
        self.lane.tensors()
    }
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self> {
        let own = self.lane.tensors();
        let lane = self.lane.with_tensors(parameters);
        let stiff = OnceCell::new();
        if let Some(planned) = self.stiff.get() {
            let same =
                own.iter().zip(parameters).all(|(a, b)| matches!((a.to_vec(), b.to_vec()), (Ok(a), Ok(b)) if a == b));
            let _ = stiff.set(planned.as_ref().map(|stiff| stiff.with_tensors(parameters, same)));
        }
        // What was compiled has the numbers of the parameters in it.
        let (compiled, schedules, double) = (Rates::default(), None, Rc::default());
        Ok(Self { lane, stiff: Rc::new(stiff), clocked: OnceCell::new(), compiled, schedules, double, ..self.clone() })
    }
}
