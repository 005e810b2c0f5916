//! Parts of a box that are connected to no wall and do not react: there the solution is known up to a constant.

use super::Fault;
use super::level::{Level, stride};

/// The parts without a wall, and which cells belong to them.
pub(super) struct Parts {
    /// Numbers of parts from 1; 0 for cells that are held. Empty when no part is free.
    of_cell: Vec<u32>,
    cells: Vec<usize>,
}

impl Parts {
    pub fn of(level: &Level<f64>) -> Self {
        let held = |at: usize| {
            level.walls.iter().any(|walls| walls.get(at).is_some_and(|w| *w > 0.0))
                || level.reaction.get(at).is_some_and(|c| *c != 0.0)
        };
        let count = level.cells();
        let mut of_cell = vec![u32::MAX; count];
        let mut stack = Vec::new();
        // From what is held to everything connected with it, then part by part.
        for at in (0..count).filter(|&at| held(at) || level.diagonal[at] == 0.0) {
            of_cell[at] = 0;
            stack.push(at);
        }
        fill(level, &mut of_cell, &mut stack, 0);
        let mut cells = Vec::new();
        for at in 0..count {
            if of_cell[at] == u32::MAX {
                let part = cells.len() as u32 + 1;
                of_cell[at] = part;
                stack.push(at);
                cells.push(fill(level, &mut of_cell, &mut stack, part));
            }
        }
        if cells.is_empty() {
            of_cell.clear();
        }
        Self { of_cell, cells }
    }

    /// The mean over each part.
    fn means(&self, x: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.cells.len() + 1];
        for (x, &part) in x.iter().zip(&self.of_cell) {
            sums[part as usize] += x;
        }
        sums.iter().skip(1).zip(&self.cells).map(|(sum, &n)| sum / n as f64).collect()
    }
    /// Takes the mean off each part.
    pub fn centre(&self, x: &mut [f64]) {
        if self.cells.is_empty() {
            return;
        }
        let means = self.means(x);
        for (x, &part) in x.iter_mut().zip(&self.of_cell) {
            if part > 0 {
                *x -= means[part as usize - 1];
            }
        }
    }
    /// Takes off what is out of balance; refuses more than `most` of the root mean square of the part.
    pub fn balance(&self, b: &mut [f64], most: Option<f64>) -> Result<(), Fault> {
        if self.cells.is_empty() {
            return Ok(());
        }
        if let Some(most) = most {
            let squares = self.means(&b.iter().map(|b| b * b).collect::<Vec<_>>());
            for (part, (mean, square)) in self.means(b).iter().zip(squares).enumerate() {
                let excess = mean.abs() / square.sqrt().max(f64::MIN_POSITIVE);
                if excess > most {
                    return Err(Fault::Unbalanced { part, of: self.cells.len(), excess });
                }
            }
        }
        self.centre(b);
        Ok(())
    }
}

/// Marks everything that is connected with the cells on the stack; how many cells that were.
fn fill(level: &Level<f64>, of_cell: &mut [u32], stack: &mut Vec<usize>, part: u32) -> usize {
    let mut cells = 0;
    while let Some(at) = stack.pop() {
        cells += 1;
        for (axis, faces) in level.faces.iter().enumerate() {
            if faces.is_empty() {
                continue;
            }
            let (n, stride) = (level.n[axis], stride(level.n, axis));
            let i = at / stride % n;
            let next = if i + 1 == n { at - i * stride } else { at + stride };
            let before = if i == 0 { at + (n - 1) * stride } else { at - stride };
            for (face, neighbour) in [(at, next), (before, before)] {
                if faces[face] > 0.0 && of_cell[neighbour] == u32::MAX {
                    of_cell[neighbour] = part;
                    stack.push(neighbour);
                }
            }
        }
    }
    cells
}
