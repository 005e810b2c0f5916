//! What is carried along, as graphs: one-sided differences, WENO, Rusanov's fluxes.

use std::collections::{BTreeMap, HashMap};

use super::super::{Between, Kind, Parity};
use super::{Key, Lowers, Stage, UNPLANNED};
use crate::equation::program::Code;
use crate::equation::transport::Transport;
use crate::field::stencil::Beyond;
use crate::field::{AxisOperator, Banded};
use crate::native::graph::{Form, Id, POINTS};
use crate::tensor::{Binary, Unary};

/// Values with ghosts, as a map of values.
struct Padded {
    operator: AxisOperator,
    value: Id,
    axis: usize,
    sides: [Option<Id>; 2],
}

/// Weights of neighbours, from `start` on, for `count` results.
fn window(length: usize, start: usize, count: usize, weights: &[f64]) -> Lowers<Banded> {
    let taps = (start as i64..).zip(weights.iter().copied()).collect();
    Banded::with_ends(count, length, Vec::new(), taps, Vec::new()).map_err(|_| UNPLANNED)
}

impl Stage<'_> {
    /// A value with ghosts at both ends of an axis, as a map of the value.
    fn padded(&mut self, at: usize, axis: usize) -> Lowers<Padded> {
        let lane = self.of.lane.clone();
        let width = lane.plan.transport.ghosts() as u8;
        let kinds = lane.kinds(at, axis).map_err(|_| UNPLANNED)?;
        let operator = (*lane.operator(axis, Kind::Padding(width), kinds).map_err(|_| UNPLANNED)?).clone();
        Ok(Padded { operator, value: self.written_out(at)?, axis, sides: self.edge_values(at, axis)? })
    }
    /// `out[i] = Σ_k w_k x[start + i + k]` of padded values.
    fn sliding(&mut self, of: &Padded, start: usize, count: usize, weights: &[f64]) -> Lowers<Id> {
        let window = AxisOperator::linear(window(of.operator.matrix.rows(), start, count, weights)?);
        let operator = window.compose(&of.operator).map_err(|_| UNPLANNED)?;
        Ok(self.affine(&operator, of.value, of.axis, of.sides))
    }
    /// `count` of the numbers of a value along an axis, from `start` on.
    fn part(&mut self, value: Id, axis: usize, start: usize, count: usize) -> Lowers<Id> {
        let length = self.graph.shape(self.graph.form(value))[axis];
        let form: Form = self.graph.form(value);
        let map = self.graph.map(axis, window(length, start, count, &[1.0])?, form);
        Ok(self.graph.along(vec![(map, value)]))
    }
    /// WENO5 on every window of five differences of padded values: `(upper end, lower end)` for `count` windows.
    fn reconstructed(&mut self, of: &Padded, first: &[f64], averages: bool) -> Lowers<(Id, Id)> {
        use crate::field::transport::{WENO_EPSILON, weno5_candidates};
        let count = (of.operator.matrix.rows() + 1).saturating_sub(first.len() + 4);
        let at = |stage: &mut Self, shift: usize, weights: &[f64]| {
            let mut all = vec![0.0; weights.len() + first.len() - 1];
            for (i, w) in weights.iter().enumerate() {
                for (j, v) in first.iter().enumerate() {
                    all[i + j] += w * v;
                }
            }
            stage.sliding(of, shift, count, &all)
        };
        let slopes = [[1.0, -4.0, 3.0], [1.0, 0.0, -1.0], [3.0, -4.0, 1.0]];
        let mut rough = Vec::with_capacity(3);
        for (shift, weights) in slopes.iter().enumerate() {
            let bend = at(self, shift, &[1.0, -2.0, 1.0])?;
            let bend = self.mul(bend, bend);
            let bend = self.scale(bend, 13.0 / 12.0);
            let slope = at(self, shift, weights)?;
            let slope = self.mul(slope, slope);
            let slope = self.scale(slope, 0.25);
            rough.push(self.add(bend, slope));
        }
        let [least, share] = WENO_EPSILON;
        let sum = self.add(rough[0], rough[1]);
        let sum = self.add(sum, rough[2]);
        let sum = self.scale(sum, share);
        let least = self.number(least);
        let floor = self.add(sum, least);
        let across = self.sub(rough[0], rough[2]);
        let mut steep = Vec::with_capacity(3);
        for rough in rough {
            let below = self.add(rough, floor);
            let ratio = self.graph.binary(Binary::Div, across, below);
            let square = self.mul(ratio, ratio);
            let one = self.number(1.0);
            steep.push(self.add(square, one));
        }
        let blend = |stage: &mut Self, linear: [f64; 3], candidates: [[f64; 3]; 3]| -> Lowers<Id> {
            let (mut total, mut value): (Option<Id>, Option<Id>) = (None, None);
            for (k, (steep, (d, weights))) in steep.iter().zip(linear.iter().zip(&candidates)).enumerate() {
                let alpha = stage.scale(*steep, *d);
                let candidate = at(stage, k, weights)?;
                let term = stage.mul(alpha, candidate);
                value = Some(value.map_or(term, |sum| stage.add(sum, term)));
                total = Some(total.map_or(alpha, |sum| stage.add(sum, alpha)));
            }
            match (value, total) {
                (Some(value), Some(total)) => Ok(stage.graph.binary(Binary::Div, value, total)),
                _ => Err(UNPLANNED),
            }
        };
        let (linear, points) = weno5_candidates(averages);
        let turned = |mut all: [f64; 3]| {
            all.reverse();
            all
        };
        let [a, b, c] = points;
        let upper = blend(self, linear, points)?;
        Ok((upper, blend(self, turned(linear), [turned(c), turned(b), turned(a)])?))
    }
    /// `v⁺ ∂⁻u + v⁻ ∂⁺u`
    pub(super) fn upwind(&mut self, v: usize, u: usize, axis: usize) -> Lowers<Id> {
        let spacing = self.of.lane.setting.grid.numbered(axis).map_err(|_| UNPLANNED)?.spacing();
        let count = self.graph.shape(POINTS)[axis];
        let padded = self.padded(u, axis)?;
        let (minus, plus) = match self.of.lane.plan.transport {
            Transport::Weno5 => {
                let (upper, lower) = self.reconstructed(&padded, &[-1.0 / spacing, 1.0 / spacing], true)?;
                (self.part(upper, axis, 0, count)?, self.part(lower, axis, 1, count)?)
            }
            transport => {
                let order = if transport == Transport::Upwind3 { 3 } else { 1 };
                let (minus, plus) = crate::field::transport::upwind_weights(order, spacing);
                (self.sliding(&padded, 0, count, &minus)?, self.sliding(&padded, 1, count, &plus)?)
            }
        };
        // At v = 0 both sides count by half, also for the gradient.
        let v = self.value(v)?;
        let size = self.graph.unary(Unary::Abs, v);
        let (up, down) = (self.add(v, size), self.sub(v, size));
        let (up, down) = (self.mul(up, minus), self.mul(down, plus));
        let sum = self.add(up, down);
        Ok(self.scale(sum, 0.5))
    }
    /// `∂F/∂x` with Rusanov's flux.
    pub(super) fn flux_difference(&mut self, [f, u, speed]: [usize; 3], axis: usize) -> Lowers<Id> {
        let mut sides = Vec::new();
        for left in [true, false] {
            let mut known = HashMap::new();
            let mut at = |stage: &mut Self, code: usize| stage.at_faces(code, axis, left, &mut known);
            sides.push([at(self, f)?, at(self, u)?, at(self, speed)?]);
        }
        let [[fl, ul, al], [fr, ur, ar]] = sides[..] else { return Err(UNPLANNED) };
        let speed = self.graph.binary(Binary::Max, al, ar);
        let (mean, jump) = (self.add(fl, fr), self.sub(ur, ul));
        let jump = self.mul(speed, jump);
        let flux = self.sub(mean, jump);
        let flux = self.scale(flux, 0.5);
        let lane = self.of.lane.clone();
        let ends = lane.parity(f, axis).map(|parity| match parity {
            Parity::Even => Beyond::Even,
            Parity::Odd => Beyond::Odd,
            Parity::None => Beyond::Rough,
        });
        let fluxes = lane.fluxes(axis, ends, lane.plan.transport.accuracy()).map_err(|_| UNPLANNED)?;
        Ok(self.difference(flux, axis, fluxes))
    }
    /// A value at the faces of an axis, computed from the channels on one side of them.
    fn at_faces(&mut self, at: usize, axis: usize, left: bool, known: &mut HashMap<usize, Id>) -> Lowers<Id> {
        if let Some(value) = known.get(&at) {
            return Ok(*value);
        }
        let value = match self.code(at)? {
            Code::Number(n) => self.number(n),
            Code::Channel(channel) => {
                let sides = match self.faces.get(&(channel, axis)) {
                    Some(sides) => *sides,
                    None => {
                        let sides = self.channel_at_faces(at, axis)?;
                        self.faces.insert((channel, axis), sides);
                        sides
                    }
                };
                if left { sides.0 } else { sides.1 }
            }
            _ if self.is_fixed(at) => {
                let run = self.of.run();
                let values = run.at_faces(at, axis, left, &mut BTreeMap::new()).map_err(|_| UNPLANNED)?;
                let shape = self.face_shape(axis);
                self.of.leaf(self.graph, Key::Faces(at, axis), values, Some(shape))?
            }
            Code::Unary(f, a) => {
                let a = self.at_faces(a, axis, left, known)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.at_faces(a, axis, left, known)?, self.at_faces(b, axis, left, known)?);
                self.graph.binary(op, a, b)
            }
            _ => {
                let of = self.of.lane.setting.grid.numbered(axis).map_err(|_| UNPLANNED)?.points;
                let accuracy = self.of.lane.plan.transport.accuracy().min(of & !1).max(2);
                self.leaf_between(at, Between { axis, accuracy, open: [true; 2] })?
            }
        };
        known.insert(at, value);
        Ok(value)
    }
    fn channel_at_faces(&mut self, at: usize, axis: usize) -> Lowers<(Id, Id)> {
        let padded = self.padded(at, axis)?;
        let count = self.face_shape(axis)[axis];
        Ok(match self.of.lane.plan.transport {
            Transport::Weno5 => {
                let (l, r) = self.reconstructed(&padded, &[1.0], false)?;
                (self.part(l, axis, 0, count)?, self.part(r, axis, 1, count)?)
            }
            Transport::Upwind3 => (
                self.sliding(&padded, 0, count, &[-0.125, 0.75, 0.375])?,
                self.sliding(&padded, 1, count, &[0.375, 0.75, -0.125])?,
            ),
            _ => (self.sliding(&padded, 0, count, &[1.0])?, self.sliding(&padded, 1, count, &[1.0])?),
        })
    }
}
