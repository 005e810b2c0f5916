//! Sums over pairs of bodies, as graphs.
//!
//! With n bodies on a ring, `Σ_{j ≠ i} f(i, j)` is the sum over the distances k = 1 … n − 1 of `f(i, i + k)`: what belongs to the other body is a
//! shifted copy of what belongs to a body, and everything between is done body by body. No pair of a body and itself occurs.

use std::collections::{BTreeMap, HashMap};

use super::{Key, Lowers, Stage, UNPLANNED};
use crate::equation::program::Code;
use crate::field::Banded;
use crate::native::graph::Id;
use crate::tensor::Tensor;

/// More bodies are the business of tensors: a graph has all distances written out.
pub(super) const MOST_BODIES: usize = 64;

impl Stage<'_> {
    /// `Σ_{j ≠ i}` of a value per pair.
    pub(super) fn pair_sum(&mut self, at: usize) -> Lowers<Id> {
        let bodies = self.bodies();
        let mut sum: Option<Id> = None;
        for distance in 1..bodies {
            let value = self.per_pair(at, distance, &mut HashMap::new())?;
            sum = Some(sum.map_or(value, |sum| self.add(sum, value)));
        }
        Ok(sum.unwrap_or_else(|| self.number(0.0)))
    }
    fn bodies(&self) -> usize {
        self.of.lane.setting.space.iter().product()
    }
    /// The value of the pairs at a distance, for the first body of each.
    fn per_pair(&mut self, at: usize, distance: usize, known: &mut HashMap<usize, Id>) -> Lowers<Id> {
        if let Some(id) = known.get(&at) {
            return Ok(*id);
        }
        let code = self.code(at)?;
        let id = match code {
            Code::Number(n) => self.number(n),
            _ if self.is_fixed(at) => self.fixed_pairs(at, distance)?,
            Code::Separation(a) => {
                let own = self.value(a)?;
                let other = self.other(own, distance)?;
                self.sub(other, own)
            }
            Code::Other(a) => {
                let own = self.value(a)?;
                self.other(own, distance)?
            }
            Code::Unary(f, a) => {
                let a = self.per_pair(a, distance, known)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.per_pair(a, distance, known)?, self.per_pair(b, distance, known)?);
                self.graph.binary(op, a, b)
            }
            _ => self.value(at)?,
        };
        known.insert(at, id);
        Ok(id)
    }
    /// A value of the body so far on.
    fn other(&mut self, value: Id, distance: usize) -> Lowers<Id> {
        if self.graph.is_uniform(value) {
            return Ok(value);
        }
        let bodies = self.bodies();
        let (far, ring) = (distance as i64, bodies as i64);
        // The shorter way round.
        let shift = if 2 * far <= ring { far } else { far - ring };
        let ring = Banded::ring(bodies, &[(shift, 1.0)]).map_err(|_| UNPLANNED)?;
        let from = self.graph.form(value);
        let map = self.graph.map(0, ring, from);
        Ok(self.graph.along(vec![(map, value)]))
    }
    /// What depends on neither state nor time, for the pairs at a distance.
    fn fixed_pairs(&mut self, at: usize, distance: usize) -> Lowers<Id> {
        let all = match self.of.pairs.get(&at) {
            Some(all) => all.clone(),
            None => {
                let made = self.of.run().per_pair(at, &mut BTreeMap::new()).map_err(|_| UNPLANNED)?;
                self.of.pairs.insert(at, made.clone());
                made
            }
        };
        // What is the same for all others has one leaf.
        let key = Key::Pairs(at, if all.shape().last() == Some(&1) { 0 } else { distance });
        if let Some(known) = self.of.known.get(&key) {
            return Ok(*known);
        }
        let values = at_distance(&all, self.bodies(), distance).ok_or(UNPLANNED)?;
        self.of.leaf(self.graph, key, values, None)
    }
}

/// Of a value for each pair, `[sample, 1, i | 1, j − 1 | 1]`, that of the pairs at a distance, `[sample, 1, i | 1]`.
fn at_distance(all: &Tensor, bodies: usize, distance: usize) -> Option<Tensor> {
    let &[samples, 1, _, others] = &all.shape()[..] else { return None };
    if others == 1 {
        return all.squeeze(3).ok();
    }
    let others = bodies.checked_sub(1)?;
    let flat = all.expand(&[samples, 1, bodies, others]).ok()?.reshape(&[samples, 1, bodies * others]).ok()?;
    let places = (0..bodies).map(|i| {
        let j = (i + distance) % bodies;
        // Of the others of a body, itself is left out.
        (i * others + if j > i { j - 1 } else { j }) as i64
    });
    flat.take(2, &places.collect::<Vec<_>>()).ok()
}
