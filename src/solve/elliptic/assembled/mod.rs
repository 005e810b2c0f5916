//! Something near the inverse of an operator on a grid, from its matrix: elimination where that is affordable, else a multigrid
//! cycle for the exchange between neighbours, else the diagonal.

mod band;
mod lattice;
mod waves;

pub use lattice::Lattice;

use self::band::{Band, Row};
use super::multigrid::{Operator, Solver};
use crate::error::{Error, Result};
use crate::session::interrupt;
use crate::tensor::Tensor;

/// How an assembled operator is inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preconditioner {
    /// Elimination up to some 10⁹ operations, beyond that multigrid.
    #[default]
    Automatic,
    /// Elimination, whatever it takes.
    Direct,
    /// One multigrid cycle for what is exchanged between neighbouring points of each unknown.
    Multigrid,
    /// The diagonal.
    Diagonal,
    /// Nothing.
    None,
}

/// Operations that elimination may take, and numbers that its factors may have, unless it was asked for.
const OPERATIONS: f64 = 3e9;
const NUMBERS: f64 = 4e7;

/// The inverse of one system.
enum One {
    Band(Band),
    /// Sign of the operator; per channel the cycle.
    Cycles(f64, Vec<Solver<f64>>),
    Diagonal(Vec<f64>),
}

/// Something near `A⁻¹`, for one system or for each sample.
pub struct Inverse {
    systems: Vec<One>,
    order: Vec<usize>,
    cells: usize,
    kind: Preconditioner,
}

impl Inverse {
    /// From the operator's products with vectors `[1, channel, x…]`, each `[sample | 1, channel, x…]`.
    ///
    /// # Errors
    /// Those of the operator; numbers that are not finite.
    pub fn of(lattice: &Lattice, wanted: Preconditioner, a: impl Fn(&[f64]) -> Result<Tensor>) -> Result<Self> {
        let count = lattice.unknowns();
        let products = lattice.products(a)?;
        if products.iter().flatten().flatten().any(|v| !v.is_finite()) {
            return Err(Error::not_finite("the derivative of an equation is not finite"));
        }
        let order = lattice.order();
        let mut kind = wanted;
        let mut systems = Vec::new();
        for products in &products {
            let rows = lattice.rows(products);
            let placed = placed(&rows, &order);
            if kind == Preconditioner::Automatic {
                let (low, high) = bandwidth(&placed);
                let (numbers, operations) = Band::cost(count, low, high);
                kind = if numbers <= NUMBERS && operations <= OPERATIONS {
                    Preconditioner::Direct
                } else {
                    Preconditioner::Multigrid
                };
            }
            systems.push(match kind {
                Preconditioner::Direct | Preconditioner::Automatic => match Band::of(&placed) {
                    Some(band) => One::Band(band),
                    None => {
                        interrupt::poll()?;
                        return Err(Error::not_finite("the matrix of the linear part of an equation is not finite"));
                    }
                },
                Preconditioner::Multigrid => cycles(lattice, &rows),
                Preconditioner::Diagonal => One::Diagonal(diagonal(&rows)),
                Preconditioner::None => One::Diagonal(vec![1.0; count]),
            });
        }
        Ok(Self { systems, order, cells: lattice.points.iter().product(), kind })
    }
    /// Whether it is the inverse up to rounding.
    pub fn is_exact(&self) -> bool {
        self.kind == Preconditioner::Direct
    }
    /// What it is.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Preconditioner::Direct | Preconditioner::Automatic => "elimination",
            Preconditioner::Multigrid => "multigrid",
            Preconditioner::Diagonal => "the diagonal",
            Preconditioner::None => "nothing",
        }
    }
    /// `A⁻¹ b` or `A⁻ᵀ b` of `[sample, channel, x…]`; nothing is recorded.
    pub fn apply(&self, b: &Tensor, transposed: bool) -> Result<Tensor> {
        interrupt::poll()?;
        let mut values = b.to_vec()?;
        let count = self.order.len();
        let mut work = vec![0.0; count];
        for (sample, x) in values.chunks_mut(count.max(1)).enumerate() {
            let system = self.systems.get(if self.systems.len() == 1 { 0 } else { sample });
            let system = system.ok_or_else(|| Error::internal("more samples than systems"))?;
            match system {
                One::Band(band) => {
                    self.order.iter().zip(&*x).for_each(|(&to, &x)| work[to] = x);
                    if transposed {
                        band.solve_transposed(&mut work)
                    } else {
                        band.solve(&mut work)
                    }
                    self.order.iter().zip(x).for_each(|(&from, x)| *x = work[from]);
                }
                One::Cycles(sign, solvers) => {
                    for (solver, x) in solvers.iter().zip(x.chunks_mut(self.cells)) {
                        let mut z = vec![0.0; x.len()];
                        solver.precondition(x, &mut z);
                        x.iter_mut().zip(&z).for_each(|(x, z)| *x = sign * z);
                    }
                }
                One::Diagonal(diagonal) => x.iter_mut().zip(diagonal).for_each(|(x, d)| *x *= d),
            }
        }
        Tensor::from_vec(b.context(), values, &b.shape())?.cast(b.precision())
    }
}

impl Lattice {
    /// Products of an operator with all vectors, for each sample.
    fn products(&self, a: impl Fn(&[f64]) -> Result<Tensor>) -> Result<Vec<Vec<Vec<f64>>>> {
        let mut products: Vec<Vec<Vec<f64>>> = Vec::new();
        for probe in 0..self.probes() {
            interrupt::poll()?;
            let product = a(&self.probe(probe))?.to_vec()?;
            let samples = product.len() / self.unknowns().max(1);
            products.resize_with(products.len().max(samples), Vec::new);
            products.iter_mut().zip(product.chunks(self.unknowns())).for_each(|(own, part)| own.push(part.to_vec()));
        }
        Ok(products)
    }
}

fn placed(rows: &[Row], order: &[usize]) -> Vec<Row> {
    let mut out = vec![Row::new(); rows.len()];
    for (row, &at) in rows.iter().zip(order) {
        out[at] = row.iter().map(|&(j, v)| (order[j], v)).collect();
    }
    out
}
fn bandwidth(rows: &[Row]) -> (usize, usize) {
    let entries = rows.iter().enumerate().flat_map(|(i, row)| row.iter().map(move |&(j, _)| (i, j)));
    entries.fold((0, 0), |(low, high), (i, j)| (low.max(i.saturating_sub(j)), high.max(j.saturating_sub(i))))
}
/// Inverses of the diagonal; 1 where it vanishes.
fn diagonal(rows: &[Row]) -> Vec<f64> {
    let of = |(i, row): (usize, &Row)| row.iter().filter(|(j, _)| *j == i).map(|(_, v)| v).sum::<f64>();
    rows.iter().enumerate().map(of).map(|d| if d != 0.0 { 1.0 / d } else { 1.0 }).collect()
}

/// Per channel a multigrid cycle for the exchange with neighbours: the symmetric part of the entries one point away, and what is left
/// over in a row as exchange with walls (next to an edge) or as reaction. Signs that do not fit are left out.
fn cycles(lattice: &Lattice, rows: &[Row]) -> One {
    let (cells, axes) = (lattice.points.iter().product::<usize>(), lattice.points.len());
    let entry = |i: usize, j: usize| rows[i].iter().find(|(c, _)| *c == j).map_or(0.0, |(_, v)| *v);
    let trace: f64 = (0..rows.len()).filter(|&i| rows[i].len() > 1).map(|i| entry(i, i)).sum();
    let sign = if trace < 0.0 { -1.0 } else { 1.0 };
    let lead = 3 - axes.min(3);
    let strides: Vec<usize> = (0..axes).map(|axis| lattice.points[axis + 1..].iter().product()).collect();
    let solver = |channel: usize| {
        let base = channel * cells;
        let mut operator =
            Operator { n: [1; 3], faces: Default::default(), walls: Default::default(), reaction: vec![0.0; cells] };
        let mut excess: Vec<f64> = (0..cells).map(|i| sign * entry(base + i, base + i)).collect();
        for (axis, &stride) in strides.iter().enumerate() {
            let n = lattice.points[axis];
            operator.n[lead + axis] = n;
            let mut faces = vec![0.0; cells];
            for (i, face) in faces.iter_mut().enumerate() {
                let at = i / stride % n;
                if n < 2 || at + 1 == n && !lattice.periodic[axis] {
                    continue;
                }
                let j = if at + 1 == n { i + stride - n * stride } else { i + stride };
                *face = (-0.5 * sign * (entry(base + i, base + j) + entry(base + j, base + i))).max(0.0);
                excess[i] -= *face;
                excess[j] -= *face;
            }
            operator.faces[lead + axis] = faces;
        }
        for axis in 0..axes {
            operator.walls[lead + axis] = vec![0.0; cells];
        }
        for (i, excess) in excess.iter().enumerate() {
            // A row of its own, such as that of a known value, keeps its diagonal.
            let own = if rows[base + i].len() == 1 { entry(base + i, base + i).abs() } else { excess.max(0.0) };
            let beside: Vec<usize> = (0..axes)
                .filter(|&axis| {
                    let at = i / strides[axis] % lattice.points[axis];
                    !lattice.periodic[axis] && (at == 0 || at + 1 == lattice.points[axis])
                })
                .collect();
            match (beside.len(), rows[base + i].len()) {
                (0, _) | (_, 1) => operator.reaction[i] = own,
                (count, _) => beside.iter().for_each(|&axis| operator.walls[lead + axis][i] = own / count as f64),
            }
        }
        Solver::<f64>::new(operator)
    };
    One::Cycles(sign, (0..lattice.channels).map(solver).collect())
}

#[cfg(test)]
mod tests;
