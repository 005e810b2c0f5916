//! The next coarser grid: pairs of cells along the axes of strong exchange.
//!
//! Only axes whose conductances are within a factor of the strongest are coarsened, so that a point smoother is enough for cells that are
//! long and thin. A last cell without a partner stays alone; widths keep account of that, so any number of cells will do.
//! A coarse face has the conductance of the fine ones that lie in it, over the distance of the new centres.

use super::level::{Level, stride};
use crate::tensor::Real;

/// An axis is coarsened when its mean conductance is at least this part of the largest.
const STRONG: f64 = 0.4;
/// A grid of so few cells is solved by elimination.
pub(super) const FEW: usize = 40;

/// Which axes to coarsen; none when the grid is small enough, or when no cell exchanges with another.
pub(super) fn axes<T: Real>(level: &Level<T>) -> [bool; 3] {
    if level.cells() <= FEW {
        return [false; 3];
    }
    let strength = level.faces.each_ref().map(|faces| {
        let sum: f64 = faces.iter().map(|k| k.f64()).sum();
        let open = faces.iter().filter(|k| **k > T::default()).count();
        if open == 0 { 0.0 } else { sum / open as f64 }
    });
    let largest = strength.iter().copied().fold(0.0, f64::max);
    std::array::from_fn(|axis| level.n[axis] > 1 && strength[axis] > 0.0 && strength[axis] >= STRONG * largest)
}

/// The coarser operator.
pub(super) fn coarser<T: Real>(fine: &Level<T>, axes: [bool; 3]) -> Level<T> {
    let n: [usize; 3] = std::array::from_fn(|a| if axes[a] { fine.n[a].div_ceil(2) } else { fine.n[a] });
    let widths: [Vec<f64>; 3] = std::array::from_fn(|a| {
        if axes[a] { fine.widths[a].chunks(2).map(|pair| pair.iter().sum()).collect() } else { fine.widths[a].clone() }
    });
    let cells: usize = n.iter().product();
    let mut faces: [Vec<T>; 3] = Default::default();
    let mut walls: [Vec<T>; 3] = Default::default();
    for axis in 0..3 {
        let (own, parent) = (&fine.widths[axis], &widths[axis]);
        if !fine.faces[axis].is_empty() && n[axis] > 1 {
            let mut sums = vec![T::default(); cells];
            each(fine.n, n, axes, |at, index, coarse| {
                let i = index[axis];
                let last = i + 1 == fine.n[axis] || !axes[axis] || i % 2 == 1;
                if !last {
                    return;
                }
                // Wrapped faces join the last cell to the first.
                let next = (i + 1) % fine.n[axis];
                let up = |i: usize| if axes[axis] { i / 2 } else { i };
                let distance = own[i] + own[next];
                let wider = parent[up(i)] + parent[up(next)];
                sums[coarse] = sums[coarse] + fine.faces[axis][at] * T::of(distance / wider);
            });
            faces[axis] = sums;
        }
        if !fine.walls[axis].is_empty() {
            let mut sums = vec![T::default(); cells];
            each(fine.n, n, axes, |at, index, coarse| {
                let i = index[axis];
                let wider = parent[if axes[axis] { i / 2 } else { i }];
                sums[coarse] = sums[coarse] + fine.walls[axis][at] * T::of(own[i] / wider);
            });
            walls[axis] = sums;
        }
    }
    let mut reaction = Vec::new();
    if !fine.reaction.is_empty() {
        reaction = vec![T::default(); cells];
        each(fine.n, n, axes, |at, _, coarse| reaction[coarse] = reaction[coarse] + fine.reaction[at]);
    }
    Level::new(n, faces, walls, reaction, widths)
}

/// Visits all fine cells with their place, their index and the place of the coarse cell around them.
fn each(fine: [usize; 3], coarse: [usize; 3], axes: [bool; 3], mut f: impl FnMut(usize, [usize; 3], usize)) {
    let up = |axis: usize, i: usize| if axes[axis] { i / 2 } else { i } * stride(coarse, axis);
    let mut at = 0;
    for i in 0..fine[0] {
        for j in 0..fine[1] {
            let base = up(0, i) + up(1, j);
            for k in 0..fine[2] {
                f(at, [i, j, k], base + up(2, k));
                at += 1;
            }
        }
    }
}
