//! The process and its forward paths.

use std::rc::Rc;

use super::pointwise::Pointwise;
use crate::error::{Error, Result};
use crate::field::State;
use crate::field::{Grid, SpectralOperator};
use crate::tensor::random::{Key, uniform};
use crate::tensor::{Complex, Context, Precision, Tensor, Unary};

/// A time and a step: one for all samples, or one for each.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The same for all.
    One {
        /// The time.
        t: f64,
        /// The step.
        dt: f64,
    },
    /// One row for each sample.
    Each {
        /// The times.
        t: Vec<f64>,
        /// The steps.
        dt: Vec<f64>,
    },
}

impl Clock {
    /// Numbers that multiply a state `like`: of rank 0, or `[sample, 1, …]`.
    pub(super) fn spread(&self, like: &Tensor, f: impl Fn(f64, f64) -> f64) -> Result<Tensor> {
        match self {
            Self::One { t, dt } => Ok(Tensor::scalar_in(like.context(), like.precision(), f(*t, *dt))),
            Self::Each { t, dt } => {
                let mut shape = vec![1; like.rank()];
                if let Some(first) = shape.first_mut() {
                    *first = t.len();
                }
                let values = t.iter().zip(dt).map(|(&t, &dt)| f(t, dt)).collect();
                Tensor::from_vec::<f64>(like.context(), values, &shape)?.cast(like.precision())
            }
        }
    }
    /// The times, one per sample: what a network is given.
    pub fn times(&self, like: &Tensor) -> Result<Tensor> {
        let samples = like.shape().first().copied().unwrap_or(1);
        match self {
            // Whoever asks for them need not ask the device.
            Self::One { t, .. } => Tensor::full_in(like.context(), like.precision(), &[samples], *t),
            Self::Each { t, .. } => {
                Tensor::from_vec::<f64>(like.context(), t.clone(), &[samples])?.cast(like.precision())
            }
        }
    }
}

/// A drift written as a function of state and time.
pub type DriftFunction = Rc<dyn Fn(&Tensor, &Tensor) -> Result<Tensor>>;
/// A solver step as a function of state, time and step.
pub type Propagator = Rc<dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>>;

/// What moves the state when there is no noise.
#[derive(Clone)]
pub enum Drift {
    /// `dx/dt = L x`, exact in Fourier space.
    Spectral(SpectralOperator),
    /// `dx/dt = f(x, t)`; steps are explicit Euler.
    Function(DriftFunction),
    /// The same where each number has the rate `f(x, t)` of its own; of several channels, `[sample, channel, …]`, one function of all of them for each.
    Pointwise(Pointwise, usize),
    /// `x(t + Δt) = F(x, t, Δt)`: a solver.
    Propagator(Propagator),
}

/// The strength of the noise, `g(t)` or `g(x, t)`.
#[derive(Clone)]
pub enum Diffusion {
    /// The same at all times.
    Constant(f64),
    /// A function of time.
    Function(Rc<dyn Fn(f64) -> Result<f64>>),
    /// One for each channel, `[sample, channel, …]`.
    Channels(Vec<Diffusion>),
    /// A function of state and time, one for all channels or one for each, taken at the beginning of a step: Itô's integral.
    State(Pointwise),
}

impl Diffusion {
    /// `g(t)`.
    ///
    /// # Errors
    /// When it is negative or not finite.
    pub fn at(&self, t: f64) -> Result<f64> {
        let g = match self {
            Self::Constant(g) => *g,
            Self::Function(f) => f(t)?,
            Self::Channels(_) | Self::State(_) => {
                return Err(Error::value("this needs noise of one strength for all numbers of the state")
                    .got(if matches!(self, Self::State(_)) {
                        "noise that depends on the state"
                    } else {
                        "a strength for each channel"
                    })
                    .expected("a number, or a closure |t|"));
            }
        };
        if g.is_finite() && g >= 0.0 {
            Ok(g)
        } else {
            Err(Error::value("the diffusion g(t) must be finite and not negative").got(format!("g({t}) = {g}")))
        }
    }
}

/// How a forward step is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `x + L x Δt + g √Δt ξ`; for a spectral drift stable only while `|λ| Δt < 2`.
    EulerMaruyama,
    /// `e^(λΔt) x + g √Δt ξ`: the drift exact, the noise added after it.
    Exponential,
    /// `e^(λΔt) x + g √((e^(2λΔt) − 1)/2λ) ξ`: the exact transition of a linear process.
    Exact,
}

/// `dx = P(x) dt + g(t) dW`. Cheap to clone.
#[derive(Clone)]
pub struct Process {
    /// What moves the state.
    pub drift: Drift,
    /// The strength of the noise.
    pub diffusion: Diffusion,
    /// How forward steps are made.
    pub scheme: Scheme,
}

impl Process {
    /// A process; a spectral drift takes the exponential scheme, others Euler–Maruyama.
    pub fn new(drift: Drift, diffusion: Diffusion) -> Self {
        let scheme = if matches!(drift, Drift::Spectral(_)) { Scheme::Exponential } else { Scheme::EulerMaruyama };
        Self { drift, diffusion, scheme }
    }

    /// The multiplier `e^(λ Δt)` of a spectral drift, shaped for a state `like`.
    fn multiplier(operator: &SpectralOperator, like: &Tensor, clock: &Clock, sign: f64) -> Result<Complex> {
        let t = match clock {
            Clock::One { dt, .. } => Tensor::scalar_in(like.context(), Precision::F64, sign * dt),
            Clock::Each { dt, .. } => {
                let lead = like.rank().saturating_sub(operator.grid().dimensions());
                let mut shape = vec![1; lead];
                if let Some(first) = shape.first_mut() {
                    *first = dt.len();
                }
                Tensor::from_vec::<f64>(like.context(), dt.iter().map(|dt| sign * dt).collect(), &shape)?
            }
        };
        operator.exponential(&t)
    }

    /// Refuses states that do not lie on the grid of a spectral drift.
    pub(super) fn refuse_elsewhere(&self, shape: &[usize], grid: Option<&Grid>) -> Result<()> {
        let Drift::Spectral(operator) = &self.drift else { return Ok(()) };
        let own = operator.grid();
        if shape.len() <= own.dimensions() || !shape.ends_with(&own.shape()) || grid.is_some_and(|grid| grid != own) {
            let place = grid.map_or(String::new(), |grid| format!(" on a {grid}"));
            return Err(Error::shape("the states do not lie on the grid of the process")
                .got(format!("shape {shape:?}{place}"))
                .expected(format!("samples first and {:?} last, on a {own}", own.shape())));
        }
        Ok(())
    }

    /// The state after one step without noise: `x + P(x)`.
    pub fn advance(&self, x: &Tensor, clock: &Clock) -> Result<Tensor> {
        match &self.drift {
            Drift::Spectral(operator) if self.scheme == Scheme::EulerMaruyama => {
                x.add(&operator.apply(x)?.mul(&clock.spread(x, |_, dt| dt)?)?)
            }
            Drift::Spectral(operator) => operator.multiply_by(x, &Self::multiplier(operator, x, clock, 1.0)?),
            Drift::Function(f) => {
                let drift = f(x, &clock.spread(x, |t, _| t)?)?;
                x.add(&drift.mul(&clock.spread(x, |_, dt| dt)?)?)
            }
            Drift::Pointwise(f, channels) => {
                let drift = f.of_state(x, *channels, clock, false)?;
                x.add(&drift.mul(&clock.spread(x, |_, dt| dt)?)?)
            }
            Drift::Propagator(f) => f(x, &clock.spread(x, |t, _| t)?, &clock.spread(x, |_, dt| dt)?),
        }
    }
    /// The state before one step without noise: `e^(−λΔt) x` for a spectral drift, `x − P(x)` for others.
    pub fn retreat(&self, x: &Tensor, clock: &Clock) -> Result<Tensor> {
        match &self.drift {
            Drift::Spectral(operator) => operator.multiply_by(x, &Self::multiplier(operator, x, clock, -1.0)?),
            _ => x.scale(2.0)?.sub(&self.advance(x, clock)?),
        }
    }
    /// `factor · g(t)^power · Δt^(power/2)`, shaped to multiply a state: noise has power 1, corrections power 2.
    pub fn strength(&self, like: &Tensor, clock: &Clock, power: i32, factor: f64) -> Result<Tensor> {
        let of =
            |t: f64, dt: f64| -> Result<f64> { Ok(factor * (self.diffusion.at(t)? * dt.abs().sqrt()).powi(power)) };
        match clock {
            Clock::One { t, dt } => {
                let value = of(*t, *dt)?;
                clock.spread(like, |_, _| value)
            }
            Clock::Each { t, dt } => {
                let values = t.iter().zip(dt).map(|(&t, &dt)| of(t, dt)).collect::<Result<Vec<f64>>>()?;
                Clock::Each { t: values, dt: dt.clone() }.spread(like, |value, _| value)
            }
        }
    }
    /// Channels that the drift names; 1 where it does not look at them.
    pub(super) fn channels(&self) -> usize {
        if let Drift::Pointwise(_, channels) = &self.drift { *channels } else { 1 }
    }
    /// The noise of one forward step from `x` on, from standard normal numbers.
    fn noise(&self, x: &Tensor, xi: &Tensor, clock: &Clock) -> Result<Tensor> {
        if let (Drift::Spectral(operator), Scheme::Exact, Clock::One { t, dt }) = (&self.drift, self.scheme, clock) {
            let g = self.diffusion.at(*t)?;
            let filter = exact_deviation(operator, *dt)?.scale(g)?;
            let zero = filter.full_like(0.0)?;
            return operator.multiply_by(xi, &Complex::new(filter, zero)?);
        }
        match (&self.diffusion, clock) {
            (Diffusion::State(g), _) => {
                let g = g.of_state(x, self.channels(), clock, true)?;
                xi.mul(&g.mul(&clock.spread(x, |_, dt| dt.sqrt())?)?)
            }
            (Diffusion::Channels(_), Clock::One { t, dt }) => {
                let strengths = self.strengths(x, *t, *dt)?;
                let mut shape = vec![1; x.rank()];
                shape.iter_mut().skip(1).take(1).for_each(|n| *n = strengths.len());
                xi.mul(&Tensor::from_vec::<f64>(x.context(), strengths, &shape)?.cast(x.precision())?)
            }
            _ => xi.mul(&self.strength(xi, clock, 1, 1.0)?),
        }
    }
    /// The channels that have noise: those whose strength is not the number 0.
    pub(super) fn noisy(&self, channels: usize) -> Vec<usize> {
        let has = |c: &usize| match &self.diffusion {
            Diffusion::Channels(all) => !matches!(all.get(*c), Some(Diffusion::Constant(0.0))),
            one => !matches!(one, Diffusion::Constant(0.0)),
        };
        (0..channels).filter(has).collect()
    }
    /// `g √Δt` of each channel, where it is a function of time.
    pub(super) fn strengths(&self, x: &Tensor, t: f64, dt: f64) -> Result<Vec<f64>> {
        match &self.diffusion {
            Diffusion::Channels(all) if x.shape().get(1) == Some(&all.len()) => {
                all.iter().map(|g| Ok(g.at(t)? * dt.sqrt())).collect()
            }
            Diffusion::Channels(all) => Err(misfit(all.len(), &x.shape())),
            one => Ok(vec![one.at(t)? * dt.sqrt(); self.channels()]),
        }
    }
    /// The state after a step, by tensors.
    pub(super) fn step(&self, x: &Tensor, xi: &Tensor, t: f64, dt: f64) -> Result<Tensor> {
        let clock = Clock::One { t, dt };
        self.advance(x, &clock)?.add(&self.noise(x, xi, &clock)?)
    }
    /// The key of the noise of forward steps.
    pub(super) fn noise_key(seed: u64) -> Key {
        Key::new(seed).purpose("path noise")
    }
    /// Refuses states that do not fit, before the first step.
    pub(super) fn refuse_start(&self, start: &State) -> Result<()> {
        let shape = start.values.shape();
        let channels = self.channels();
        if channels > 1 && shape.get(1) != Some(&channels) {
            return Err(Error::shape("the states have not as many channels as the drift")
                .got(format!("shape {shape:?}"))
                .expected(format!("[sample, {channels}, …]")));
        }
        if let Diffusion::Channels(all) = &self.diffusion
            && shape.get(1) != Some(&all.len())
        {
            return Err(misfit(all.len(), &shape));
        }
        self.refuse_elsewhere(&shape, start.grid.as_ref())
    }
}

/// The error of noise that has another number of channels than the states.
fn misfit(strengths: usize, shape: &[usize]) -> Error {
    Error::shape("the diffusion has a number for each channel")
        .got(format!("{strengths} numbers, states of shape {shape:?}"))
        .expected("[sample, channel, …] with as many channels")
}

/// `√((e^(2λΔt) − 1)/2λ)`, the standard deviation of the noise that a mode collects in a step; `√Δt` where `λ` is 0.
pub(super) fn exact_deviation(operator: &SpectralOperator, dt: f64) -> Result<Tensor> {
    let real = &operator.symbol().re;
    let values = real
        .to_vec()?
        .into_iter()
        .map(|l| if (l * dt).abs() < 1e-8 { dt.sqrt() } else { ((2.0 * l * dt).exp_m1() / (2.0 * l)).sqrt() });
    Tensor::from_vec::<f64>(real.context(), values.collect(), &real.shape())
}

/// Refuses times that do not ascend.
pub(super) fn ascending(times: &[f64]) -> Result<()> {
    let fine = times.len() >= 2 && times.iter().all(|t| t.is_finite()) && times.windows(2).all(|w| w[1] > w[0]);
    if fine {
        return Ok(());
    }
    Err(Error::value("times must ascend")
        .got(format!("{} times", times.len()))
        .expected("two or more finite times, each later than the one before"))
}

/// Names the step at which numbers stopped being finite.
pub(super) fn refuse_not_finite(x: &Tensor, what: &str, step: usize, t: f64) -> Result<()> {
    if x.is_empty() || x.detach().unary(Unary::Abs)?.sum_all()?.item()?.is_finite() {
        return Ok(());
    }
    let finite = x.is_finite()?.mean(&[], false)?.item()?;
    if finite == 1.0 {
        return Ok(());
    }
    Err(Error::not_finite(format!("{what} is no longer finite at step {step}, t = {}", crate::tensor::number(t)))
        .got(format!("{:.1} % of the numbers are NaN or infinite", 100.0 * (1.0 - finite)))
        .advice("take smaller steps, or look at the states before with a shorter range of times"))
}

/// Times with every inner one moved evenly at random within half a cell to each side; the ends stay.
pub fn jittered(context: &Context, times: &[f64], seed: u64) -> Result<Vec<f64>> {
    ascending(times)?;
    let draws = uniform(context, Key::new(seed).purpose("jittered times"), -0.5, 0.5, &[times.len()])?.to_vec()?;
    let mut moved = times.to_vec();
    for ((new, around), draw) in moved.iter_mut().skip(1).zip(times.windows(3)).zip(draws.iter().skip(1)) {
        let &[before, t, after] = around else { continue };
        // A hair less than half, so that neighbours never meet.
        *new = t + 0.999 * draw * if *draw < 0.0 { t - before } else { after - t };
    }
    Ok(moved)
}
