//! Which integrals an evolution keeps.
//!
//! `d/dt ∫u = ∫ rate`. Where the rate is a divergence, that vanishes for every state on a periodic box; where it vanishes for random
//! states, to rounding, the rate is one (a rate that is none has a variational derivative that is not 0, and so an integral that
//! random states do not make 0). The same is asked of `∫ u · rate`. States have few modes, so that products of many are still
//! integrated exactly; coefficients that are fields are replaced by random positive ones.

use super::base::Equation;
use super::form::{Channel, Evolution};
use super::parameter::Value;
use super::setting::Setting;
use super::stencil::Stencil;
use super::system::SpectralSystem;
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::field::{Field, Grid};
use crate::solve::System;
use crate::tensor::random::{Key, normal_samples};
use crate::tensor::{Context, Precision, Tensor, Unary};

/// Rates of change at a time, of states.
type Rates = dyn Fn(f64, &Tensor) -> Result<Tensor>;

/// What may be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantity {
    /// `∫u`
    Integral(String),
    /// `∫u²/2`
    Square(String),
    /// `∫(u + v + …)`
    Total(Vec<String>),
    /// `∫(u² + v² + …)/2`
    Energy(Vec<String>),
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its rate is 0 for every state that was tried.
    Kept,
    /// Its rate is negative for every state that was tried.
    Falls,
    /// Anything else.
    Changes,
}

/// How many states are tried.
const STATES: usize = 3;
/// What a square that falls for those states must do for their multiples too, as what feeds small states, or those of the other sign, does not show in them;
/// and at these times.
const MULTIPLES: [f64; 6] = [1.0, 0.05, 8.0, -0.05, -1.0, -8.0];
const TIMES: [f64; 2] = [0.0, 5.0];
/// Rates smaller than this part of the sum of absolute values are 0.
const ROUNDING: f64 = 1e-9;

/// The fates of integrals and squares of each unknown and of their sums.
///
/// # Errors
/// When the rates cannot be evaluated on a periodic box.
pub fn fates(
    equation: &Equation,
    evolution: &Evolution,
    dimensions: usize,
    context: &Context,
) -> Result<Vec<(Quantity, Fate)>> {
    let points = match dimensions {
        0 => 1,
        1 => 96,
        2 => 48,
        _ => 24,
    };
    let grid = match dimensions {
        0 => Grid::point(),
        n => Grid::periodic(&vec![points; n], &vec![(0.0, std::f64::consts::TAU); n])?,
    };
    let mut values = Vec::new();
    for (i, parameter) in equation.parameters().iter().enumerate() {
        if !parameter.value.is_uniform(&[]) && !matches!(&parameter.value, Value::Tensor(t) if t.rank() == 1) {
            let random = smooth(&grid, context, 1000 + i as u64, 1, 1, 0.3)?.unary(Unary::Exp)?;
            values.push((parameter.name.clone(), Value::Field(Field::new(random, grid.clone())?)));
        } else if let Value::Tensor(t) = &parameter.value
            && t.len() > 1
        {
            values.push((parameter.name.clone(), Value::Tensor(t.detach().narrow(0, 0, 1)?)));
        }
    }
    let equation = equation.with_parameters(&values)?;
    let setting = Setting::new(&equation, &grid, context, Precision::F64)?;
    let channels = evolution.channels.len();
    let state = smooth(&grid, context, 1, STATES, channels, 0.3)?.add(&means(&grid, context, channels)?)?;
    let rates: Box<Rates> = if dimensions == 0 {
        let names: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
        let lane = Stencil::of(&evolution.channels, &evolution.rates, &names, setting, 2, Transport::Central)?;
        Box::new(move |t, state| lane.rates(t, state))
    } else {
        let system = SpectralSystem::new(evolution, setting, false)?;
        Box::new(move |t, state| system.lane().points(&system.rhs(t, &system.lane().spectrum(state)?)?))
    };
    let tried = Tried { rates: rates(0.7, &state)?.detach().to_vec()?, state: state.to_vec()?, points: grid.points() };
    if tried.rates.iter().any(|r| !r.is_finite()) {
        return Err(Error::not_finite("the rates of random states are not finite"));
    }
    let mut others: Option<Vec<Tried>> = None;
    let mut sum = |which: &[usize], weighted: bool| -> Result<Fate> {
        let all = tried.sums(channels, which, weighted);
        if all.iter().all(|s| *s == 0.0) {
            return Ok(Fate::Kept);
        }
        // A fall of ∫u says little: it is the squares that measure size.
        if !weighted || !all.iter().all(|s| *s < 0.0) {
            return Ok(Fate::Changes);
        }
        if others.is_none() {
            let mut list = Vec::new();
            for multiple in MULTIPLES {
                let state = state.scale(multiple)?;
                for t in TIMES {
                    let rates = rates(t, &state)?.detach().to_vec()?;
                    list.push(Tried { rates, state: state.to_vec()?, points: grid.points() });
                }
            }
            others = Some(list);
        }
        let falls = |own: &Tried| own.sums(channels, which, true).iter().all(|s| *s < 0.0 || s.is_nan());
        Ok(if others.iter().flatten().all(falls) { Fate::Falls } else { Fate::Changes })
    };
    let own: Vec<(usize, &Channel)> = evolution.channels.iter().enumerate().filter(|(_, c)| c.rate == 0).collect();
    let mut out = Vec::new();
    for (i, channel) in &own {
        out.push((Quantity::Integral(channel.name.clone()), sum(&[*i], false)?));
    }
    for (i, channel) in &own {
        out.push((Quantity::Square(channel.name.clone()), sum(&[*i], true)?));
    }
    if own.len() > 1 {
        let names: Vec<String> = own.iter().map(|(_, c)| c.name.clone()).collect();
        let which: Vec<usize> = own.iter().map(|(i, _)| *i).collect();
        out.push((Quantity::Total(names.clone()), sum(&which, false)?));
        out.push((Quantity::Energy(names), sum(&which, true)?));
    }
    Ok(out)
}

/// States with their rates, `[state, channel, x…]`.
struct Tried {
    rates: Vec<f64>,
    state: Vec<f64>,
    points: usize,
}

impl Tried {
    /// For each state the sum of the rates of some channels, times the channels where they are `weighted`; 0 where it is rounding.
    fn sums(&self, channels: usize, which: &[usize], weighted: bool) -> Vec<f64> {
        let one = |sample: usize| {
            let (mut sum, mut scale) = (0.0, 0.0);
            for &channel in which {
                let first = (sample * channels + channel) * self.points;
                let range = first..first + self.points;
                let (Some(rates), Some(values)) = (self.rates.get(range.clone()), self.state.get(range)) else {
                    continue;
                };
                for (r, u) in rates.iter().zip(values) {
                    let term = if weighted { r * u } else { *r };
                    sum += term;
                    scale += f64::abs(term);
                }
            }
            if f64::abs(sum) <= ROUNDING * scale { 0.0 } else { sum }
        };
        (0..STATES).map(one).collect()
    }
}

/// A mean around 1 for each state and channel: with one mean for all, what depends on the mean alone would pass for kept.
fn means(grid: &Grid, context: &Context, channels: usize) -> Result<Tensor> {
    let indices: Vec<u64> = (0..STATES as u64).collect();
    let mut shape = vec![STATES, channels];
    shape.extend(grid.shape().iter().map(|_| 1));
    let random = normal_samples(context, Key::new(2).purpose("conserved"), &indices, &[channels])?;
    // Between 0.7 and 1.5.
    random.cast(Precision::F64)?.unary(Unary::Tanh)?.scale(0.4)?.shift(1.1)?.reshape(&shape)
}

/// Random sums of the modes `|m| ≤ 2` per axis, `[sample, channel, x…]`, of about the size `amplitude`.
fn smooth(
    grid: &Grid,
    context: &Context,
    seed: u64,
    samples: usize,
    channels: usize,
    amplitude: f64,
) -> Result<Tensor> {
    let indices: Vec<u64> = (0..samples as u64).collect();
    let modes = 4usize;
    let mut shape = vec![samples, channels];
    shape.extend(grid.shape().iter().map(|_| 1));
    let mut out = Tensor::full_in(context, Precision::F64, &shape, 0.0)?;
    for (number, x) in grid.coordinates(context, Precision::F64)?.iter().enumerate() {
        // Each axis has waves of its own, and waves along the sum of all axes join them.
        for mode in 0..modes {
            let wave = f64::from(1 + u8::from(mode >= 2));
            let key = Key::new(seed).purpose("conserved").step((number * modes + mode) as u64);
            let weights = normal_samples(context, key, &indices, &[channels])?.cast(Precision::F64)?.reshape(&shape)?;
            let phase = x.scale(wave)?;
            let shifted = if mode % 2 == 0 { phase.unary(Unary::Sin)? } else { phase.unary(Unary::Cos)? };
            out = out.add(&weights.mul(&shifted)?.scale(amplitude / 2.0)?)?;
        }
    }
    let axes = grid.coordinates(context, Precision::F64)?;
    if let [first, rest @ ..] = axes.as_slice() {
        let mut phase = first.clone();
        for x in rest {
            phase = phase.add(x)?;
        }
        let key = Key::new(seed).purpose("conserved").step(99);
        let weights = normal_samples(context, key, &indices, &[channels])?.cast(Precision::F64)?.reshape(&shape)?;
        out = out.add(&weights.mul(&phase.unary(Unary::Sin)?)?.scale(amplitude / 2.0)?)?;
    } else {
        let key = Key::new(seed).purpose("conserved");
        let weights = normal_samples(context, key, &indices, &[channels])?.cast(Precision::F64)?.reshape(&shape)?;
        return weights.scale(amplitude);
    }
    let mut full = vec![samples, channels];
    full.extend(grid.shape());
    out.expand(&full)
}
