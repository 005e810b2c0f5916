//! A block of samples at work.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::super::graph::Map;
use super::assemble::{Program, Shared};
use super::compiled::Compiled;
use super::program::{Bases, Pass};
use super::run::{Run, Scratch};
use crate::tensor::Real;

/// What all blocks share.
pub struct Plan<T> {
    maps: Vec<Map>,
    /// Passes by their numbers, compiled when they are run first.
    compiled: Vec<OnceLock<Box<Compiled<T>>>>,
    /// Lengths of the axes of arrays.
    shapes: Vec<[usize; 3]>,
    /// Numbers of each array for one sample.
    pub counts: Vec<usize>,
    scalars: Vec<f64>,
    /// Numbers that are kept.
    numbers: usize,
}

impl<T: Real> Plan<T> {
    /// For programs on forms with these lengths of axes.
    pub fn new(shared: &Shared, maps: &[Map], shape: impl Fn(usize) -> [usize; 3], numbers: usize) -> Self {
        Self {
            maps: maps.to_vec(),
            compiled: (0..shared.passes).map(|_| OnceLock::new()).collect(),
            shapes: shared.arrays.iter().map(|form| shape(*form)).collect(),
            counts: shared.arrays.iter().map(|form| shape(*form).iter().product()).collect(),
            scalars: shared.scalars.clone(),
            numbers,
        }
    }
    fn compiled(&self, pass: &Pass) -> Option<&Compiled<T>> {
        let own = self.compiled.get(pass.number)?;
        Some(own.get_or_init(|| Box::new(Compiled::new(pass, &self.maps, &self.shapes))))
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
    /// Of each thread.
    scratch: Vec<Scratch<T>>,
    bases: Bases<T>,
}

impl<T: Real> Machine<T> {
    /// Whether threads share the work.
    pub fn is_spread(&self) -> bool {
        self.scratch.len() > 1
    }
    /// For so many samples and threads.
    pub fn new(plan: &Plan<T>, block: usize, threads: usize) -> Self {
        Self {
            arrays: plan.counts.iter().map(|count| vec![T::default(); count * block]).collect(),
            scalars: plan.scalars.clone(),
            numbers: vec![0.0; plan.numbers],
            block,
            scratch: (0..threads.max(1)).map(|_| Scratch::default()).collect(),
            bases: Bases::default(),
        }
    }
    /// Runs a program.
    pub fn run(&mut self, plan: &Plan<T>, program: &Program) {
        self.bases.set(&mut self.arrays);
        for wave in &program.waves {
            wave.numbers.iter().for_each(|computed| computed.run(&mut self.scalars));
            for pass in &wave.passes {
                let Some(compiled) = plan.compiled(pass) else { continue };
                let (scalars, bases, total) = (&self.scalars[..], &self.bases, pass.count * self.block);
                let run = |scratch: &mut Scratch<T>, from: usize, to: usize| {
                    scratch.sums.clear();
                    scratch.sums.resize(pass.sums.len(), 0.0);
                    Run { pass: compiled, scalars, bases, scratch }.all(from, to);
                };
                match &mut self.scratch[..] {
                    [scratch] => run(scratch, 0, total),
                    all => {
                        let each = total.div_ceil(all.len()).next_multiple_of(64);
                        all.par_iter_mut().enumerate().for_each(|(thread, scratch)| {
                            run(scratch, (thread * each).min(total), ((thread + 1) * each).min(total));
                        });
                    }
                }
                for (at, (_, to)) in pass.sums.iter().enumerate() {
                    self.scalars[*to] = self.scratch.iter().map(|scratch| scratch.sums[at]).sum();
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
