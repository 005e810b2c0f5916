//! Families of initial states: functions of space with a few random numbers each.
//!
//! The numbers of sample `i` are a function of the seed, the family and `i`, and not of the grid: a finer grid shows the
//! same function at more points.

use std::f64::consts::TAU;

use crate::error::Result;
use crate::field::{Axis, Field, Grid};
use crate::session::interrupt;
use crate::tensor::random::{Key, normal, uniform};
use crate::tensor::{Context, Tensor};

/// Random Fourier modes, `u = A Σ_m |m|^(−decay) (a_m cos k_m·x + b_m sin k_m·x)` over `0 < |m| ≤ modes`, `k = 2π m/length`.
#[derive(Debug, Clone, Copy)]
pub struct Fourier {
    /// The largest mode number.
    pub modes: usize,
    /// How fast amplitudes fall.
    pub decay: f64,
    /// The expected root mean square.
    pub amplitude: f64,
}

/// `u = ±Σ A sin(2π n (x − low)/length + φ)`, `n` from 1 to `modes`, `A` in `[0, 1)`: the waves of PDEBench.
#[derive(Debug, Clone, Copy)]
pub struct SineWaves {
    /// The largest wave number.
    pub modes: usize,
    /// How many waves are added.
    pub waves: usize,
    /// How often a sample is `|u|`.
    pub absolute: f64,
    /// How often a sample vanishes outside of a window.
    pub window: f64,
}

/// `u = Σ A exp(−|x − c|²/(2 w²))` with centres anywhere; across periodic axes the nearest image counts.
#[derive(Debug, Clone, Copy)]
pub struct Bumps {
    /// How many.
    pub count: usize,
    /// `w` is between these parts of the shortest length.
    pub width: [f64; 2],
    /// `A` is between these.
    pub amplitude: [f64; 2],
}

/// A column of water: `inside` no further than `r` from the middle of the box, `outside` elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct DamBreak {
    /// Height of the column.
    pub inside: f64,
    /// Height around it.
    pub outside: f64,
    /// `r` is between these.
    pub radius: [f64; 2],
}

/// A family: the values at all points for one key.
pub trait Family {
    /// What its random numbers are named after.
    const NAME: &'static str;
    /// The values of one sample, in the order of the grid's points.
    fn values(&self, context: &Context, key: Key, grid: &Grid) -> Result<Vec<f64>>;

    /// Fields `[samples, 1, x…]`.
    fn draw(&self, context: &Context, grid: &Grid, seed: u64, samples: usize) -> Result<Field> {
        let count = crate::tensor::element_count(&[samples, grid.points()])?;
        context.reserve(count.saturating_mul(16))?;
        let key = Key::new(seed).purpose(Self::NAME);
        let mut all = Vec::with_capacity(count);
        for sample in 0..samples {
            interrupt::poll()?;
            all.extend(self.values(context, key.sample(sample as u64), grid)?);
        }
        let shape: Vec<usize> = [samples, 1].into_iter().chain(grid.shape()).collect();
        Field::new(Tensor::new(context, all, &shape)?, grid.clone())
    }
}

/// Even numbers in `[0, 1)`.
fn evens(context: &Context, key: Key, what: &str, count: usize) -> Result<Vec<f64>> {
    uniform(context, key.purpose(what), 0.0, 1.0, &[count])?.to_vec()
}
fn between([low, high]: [f64; 2], part: f64) -> f64 {
    low + (high - low) * part
}

/// Calls `f` with the place of every point, the last axis fastest.
fn at_points(grid: &Grid, mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let axes: Vec<Vec<f64>> = grid.axes().iter().map(Axis::positions).collect();
    let mut place = vec![0.0; axes.len()];
    (0..grid.points())
        .map(|point| {
            let mut rest = point;
            for (x, axis) in place.iter_mut().zip(&axes).rev() {
                *x = axis.get(rest % axis.len().max(1)).copied().unwrap_or(0.0);
                rest /= axis.len().max(1);
            }
            f(&place)
        })
        .collect()
}

impl Family for Fourier {
    const NAME: &'static str = "initial fourier";

    fn values(&self, context: &Context, key: Key, grid: &Grid) -> Result<Vec<f64>> {
        let (most, d) = (self.modes as i64, grid.dimensions());
        let side = 2 * self.modes + 1;
        let count = crate::tensor::element_count(&vec![side; d])?;
        context.reserve(count.saturating_mul(64))?;
        let numbers = normal(context, key, &[count, 2])?.to_vec()?;
        let number = |index: usize, axis: usize| (index / side.pow((d - 1 - axis) as u32) % side) as i64 - most;
        let weight = |index: usize| {
            let m2: i64 = (0..d).map(|axis| number(index, axis).pow(2)).sum();
            if m2 == 0 || m2 > most * most { 0.0 } else { (m2 as f64).powf(-self.decay / 2.0) }
        };
        let variance: f64 = (0..count).map(|i| weight(i).powi(2)).sum();
        let scale = if variance > 0.0 { self.amplitude / variance.sqrt() } else { 0.0 };
        let coefficients = numbers.chunks_exact(2).enumerate();
        let mut waves: Vec<(f64, f64)> =
            coefficients.map(|(i, c)| (scale * weight(i) * c[0], -scale * weight(i) * c[1])).collect();
        // One axis at a time: its modes are summed, its points become the fastest axis.
        for axis in grid.axes() {
            let rest = waves.len() / side;
            let positions = axis.positions();
            let mut sums = vec![(0.0, 0.0); rest * positions.len()];
            for (m, rows) in (-most..=most).zip(waves.chunks_exact(rest.max(1))) {
                let phases = positions.iter().map(|x| (TAU * m as f64 * (x - axis.low) / axis.length()).sin_cos());
                let phases: Vec<(f64, f64)> = phases.collect();
                for ((re, im), out) in rows.iter().zip(sums.chunks_exact_mut(positions.len().max(1))) {
                    for ((sin, cos), sum) in phases.iter().zip(out) {
                        sum.0 += re * cos - im * sin;
                        sum.1 += re * sin + im * cos;
                    }
                }
            }
            waves = sums;
        }
        Ok(waves.into_iter().map(|(re, _)| re).collect())
    }
}

impl Family for SineWaves {
    const NAME: &'static str = "initial sine waves";

    fn values(&self, context: &Context, key: Key, grid: &Grid) -> Result<Vec<f64>> {
        let d = grid.dimensions();
        let numbers = evens(context, key, "waves", self.waves * (d + 2))?;
        let chances = evens(context, key, "chances", 3)?;
        let window = evens(context, key, "window", 2 * d)?;
        let chance = |i: usize| chances.get(i).copied().unwrap_or(1.0);
        let sign = if chance(0) < 0.5 { -1.0 } else { 1.0 };
        let (absolute, windowed) = (chance(1) < self.absolute, chance(2) < self.window);
        let part = |x: f64, axis: &Axis| (x - axis.low) / axis.length();
        Ok(at_points(grid, |place| {
            let mut sum = 0.0;
            for wave in numbers.chunks_exact(d + 2) {
                let [amplitude, phase, modes @ ..] = wave else { continue };
                let mut angle = TAU * phase;
                for ((x, axis), mode) in place.iter().zip(grid.axes()).zip(modes) {
                    angle += TAU * (1.0 + (mode * self.modes as f64).floor()) * part(*x, axis);
                }
                sum += amplitude * angle.sin();
            }
            let mut u = sign * if absolute { sum.abs() } else { sum };
            if windowed {
                for ((x, axis), ends) in place.iter().zip(grid.axes()).zip(window.chunks_exact(2)) {
                    let [low, high] = [between([0.1, 0.45], ends[0]), between([0.55, 0.9], ends[1])];
                    let x = part(*x, axis);
                    u *= 0.5 * (((x - low) / 0.01).tanh() - ((x - high) / 0.01).tanh());
                }
            }
            u
        }))
    }
}

/// The distance between two places along an axis.
fn distance(axis: &Axis, a: f64, b: f64) -> f64 {
    let apart = (a - b).abs();
    if axis.periodic { apart.min(axis.length() - apart) } else { apart }
}

impl Family for Bumps {
    const NAME: &'static str = "initial bumps";

    fn values(&self, context: &Context, key: Key, grid: &Grid) -> Result<Vec<f64>> {
        let d = grid.dimensions();
        let numbers = evens(context, key, "bumps", self.count * (d + 2))?;
        let shortest = grid.axes().iter().map(Axis::length).fold(f64::INFINITY, f64::min);
        let bumps: Vec<(f64, f64, Vec<f64>)> = numbers
            .chunks_exact(d + 2)
            .map(|bump| {
                let centre = bump[2..].iter().zip(grid.axes()).map(|(part, axis)| axis.low + part * axis.length());
                (between(self.amplitude, bump[0]), shortest * between(self.width, bump[1]), centre.collect())
            })
            .collect();
        Ok(at_points(grid, |place| {
            let of = |(amplitude, width, centre): &(f64, f64, Vec<f64>)| {
                let apart =
                    place.iter().zip(centre).zip(grid.axes()).map(|((x, c), axis)| distance(axis, *x, *c).powi(2));
                amplitude * (-apart.sum::<f64>() / (2.0 * width * width)).exp()
            };
            bumps.iter().map(of).sum()
        }))
    }
}

impl Family for DamBreak {
    const NAME: &'static str = "initial dam break";

    fn values(&self, context: &Context, key: Key, grid: &Grid) -> Result<Vec<f64>> {
        let part = evens(context, key, "radius", 1)?.first().copied().unwrap_or(0.5);
        let radius = between(self.radius, part);
        Ok(at_points(grid, |place| {
            let apart = place.iter().zip(grid.axes()).map(|(x, axis)| (x - 0.5 * (axis.low + axis.high)).powi(2));
            if apart.sum::<f64>() <= radius * radius { self.inside } else { self.outside }
        }))
    }
}
