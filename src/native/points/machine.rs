//! A block of samples at work.

use rayon::prelude::*;

use super::super::graph::Map;
use super::assemble::{Program, Shared};
use super::linear::Prepared;
use super::program::{Bases, Tiles};
use crate::tensor::Real;

/// What all blocks share.
pub struct Plan<T> {
    maps: Vec<Prepared<T>>,
    /// Numbers of each array for one sample.
    pub counts: Vec<usize>,
    scalars: Vec<f64>,
    registers: usize,
    sums: usize,
    /// Numbers that are kept.
    numbers: usize,
}

impl<T: Real> Plan<T> {
    /// For programs on forms with these lengths of axes.
    pub fn new(shared: &Shared, maps: &[Map], shape: impl Fn(usize) -> [usize; 3], numbers: usize) -> Self {
        Self {
            maps: maps.iter().map(|map| Prepared::new(map, shape(map.to))).collect(),
            counts: shared.arrays.iter().map(|form| shape(*form).iter().product()).collect(),
            scalars: shared.scalars.clone(),
            registers: shared.registers,
            sums: shared.sums,
            numbers,
        }
    }
    /// Bytes of a machine for so many samples.
    pub fn bytes(&self, block: usize) -> usize {
        self.counts.iter().sum::<usize>().saturating_mul(block).saturating_mul(size_of::<T>())
    }
}

/// Samples that are worked on together: their arrays lie one after the other.
pub struct Machine<T> {
    /// By their numbers.
    pub arrays: Vec<Vec<T>>,
    /// By their numbers.
    pub scalars: Vec<f64>,
    /// Numbers that are kept.
    pub numbers: Vec<f64>,
    /// How many samples.
    pub block: usize,
    tiles: Vec<Tiles<T>>,
    bases: Bases<T>,
}

impl<T: Real> Machine<T> {
    /// Whether threads share the work.
    pub fn is_spread(&self) -> bool {
        self.tiles.len() > 1
    }
    /// For so many samples and threads.
    pub fn new(plan: &Plan<T>, block: usize, threads: usize) -> Self {
        Self {
            arrays: plan.counts.iter().map(|count| vec![T::default(); count * block]).collect(),
            scalars: plan.scalars.clone(),
            numbers: vec![0.0; plan.numbers],
            block,
            tiles: (0..threads.max(1)).map(|_| Tiles::new(plan.registers, plan.sums)).collect(),
            bases: Bases::default(),
        }
    }
    /// Runs a program.
    pub fn run(&mut self, plan: &Plan<T>, program: &Program) {
        self.bases.set(&mut self.arrays);
        for wave in &program.waves {
            wave.numbers.iter().for_each(|computed| computed.run(&mut self.scalars));
            for pass in &wave.passes {
                let (maps, scalars, bases) = (&plan.maps, &self.scalars[..], &self.bases);
                let total = pass.count * self.block;
                self.tiles.iter_mut().for_each(|tiles| tiles.sums.fill(0.0));
                match &mut self.tiles[..] {
                    [tiles] => pass.run(maps, scalars, bases, tiles, (0, total)),
                    all => {
                        let each = total.div_ceil(all.len()).next_multiple_of(64);
                        all.par_iter_mut().enumerate().for_each(|(thread, tiles)| {
                            let range = ((thread * each).min(total), ((thread + 1) * each).min(total));
                            pass.run(maps, scalars, bases, tiles, range);
                        });
                    }
                }
                for (at, (_, to)) in pass.sums.iter().enumerate() {
                    self.scalars[*to] = self.tiles.iter().map(|tiles| tiles.sums[at]).sum();
                }
            }
        }
        for (number, scalar) in &program.kept {
            self.numbers[*number] += self.scalars[*scalar];
        }
        for (a, b) in &program.swaps {
            self.arrays.swap(*a, *b);
        }
    }
}
