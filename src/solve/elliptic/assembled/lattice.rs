//! Matrices of operators that reach a few points far, found by applying them to few vectors.
//!
//! Points whose columns share no row are asked for at once: along an axis every `2w + 1`-th, for an operator that reaches `w` points
//! (A. R. Curtis, M. J. D. Powell, J. K. Reid, *J. Inst. Maths Applics* 13 (1974) 117).

use super::band::Row;

/// The unknowns `[channel, x…]` of one system, and how far an operator reaches along each axis.
#[derive(Debug, Clone)]
pub struct Lattice {
    /// Unknowns at each point.
    pub channels: usize,
    /// Points along each axis.
    pub points: Vec<usize>,
    /// Which axes are rings.
    pub periodic: Vec<bool>,
    /// How many points away an entry may lie.
    pub width: Vec<usize>,
}

/// The points of one axis in groups.
struct Axis {
    /// The group of each point.
    colour: Vec<usize>,
    colours: usize,
}

impl Lattice {
    /// How many unknowns there are.
    pub fn unknowns(&self) -> usize {
        self.channels * self.points.iter().product::<usize>()
    }
    fn axes(&self) -> Vec<Axis> {
        let axis = |(axis, &n): (usize, &usize)| {
            let apart = (2 * self.width.get(axis).copied().unwrap_or(0) + 1).min(n.max(1));
            // On a ring the rest of a division gets groups of its own.
            let rest = if self.periodic.get(axis) == Some(&true) { n % apart } else { 0 };
            let colour = (0..n).map(|i| if i < n - rest { i % apart } else { apart + i - (n - rest) }).collect();
            Axis { colour, colours: apart + rest }
        };
        self.points.iter().enumerate().map(axis).collect()
    }
    /// How many vectors are needed.
    pub fn probes(&self) -> usize {
        self.channels * self.axes().iter().map(|a| a.colours).product::<usize>()
    }
    /// Vector number `probe`, `[channel, x…]`.
    pub fn probe(&self, probe: usize) -> Vec<f64> {
        let axes = self.axes();
        let cells: usize = self.points.iter().product();
        let (channel, colours) = self.split(probe, &axes);
        let mut out = vec![0.0; self.unknowns()];
        for (cell, x) in out[channel * cells..(channel + 1) * cells].iter_mut().enumerate() {
            let mut rest = cell;
            let marked = axes.iter().zip(&colours).zip(&self.points).rev().all(|((axis, colour), n)| {
                let i = rest % n;
                rest /= n;
                axis.colour[i] == *colour
            });
            *x = f64::from(u8::from(marked));
        }
        out
    }
    fn split(&self, probe: usize, axes: &[Axis]) -> (usize, Vec<usize>) {
        let mut rest = probe;
        let mut colours = vec![0; axes.len()];
        for (colour, axis) in colours.iter_mut().zip(axes).rev() {
            (*colour, rest) = (rest % axis.colours, rest / axis.colours);
        }
        (rest, colours)
    }
    fn place(&self, cell: usize) -> Vec<usize> {
        let mut rest = cell;
        let mut place = vec![0; self.points.len()];
        for (i, n) in place.iter_mut().zip(&self.points).rev() {
            (*i, rest) = (rest % n, rest / n);
        }
        place
    }
    /// The rows of the matrix from its products with all vectors, each `[channel, x…]`.
    pub(super) fn rows(&self, products: &[Vec<f64>]) -> Vec<Row> {
        self.rows_at(products, |_| true)
    }
    /// The same for some points; the rows of others are empty.
    pub(super) fn rows_at(&self, products: &[Vec<f64>], wanted: impl Fn(usize) -> bool) -> Vec<Row> {
        let axes = self.axes();
        let cells: usize = self.points.iter().product();
        // For each axis, point and group: the point of that group within reach.
        let near: Vec<Vec<Vec<Option<usize>>>> = axes
            .iter()
            .zip(&self.points)
            .enumerate()
            .map(|(at, (axis, &n))| {
                let width = self.width.get(at).copied().unwrap_or(0) as i64;
                let ring = self.periodic.get(at) == Some(&true);
                let of = |i: usize| {
                    let mut found = vec![None; axis.colours];
                    for s in -width..=width {
                        let j = i as i64 + s;
                        let j = if ring { j.rem_euclid(n as i64) } else { j };
                        if (0..n as i64).contains(&j) {
                            found[axis.colour[j as usize]] = Some(j as usize);
                        }
                    }
                    found
                };
                (0..n).map(of).collect()
            })
            .collect();
        let mut rows = vec![Row::new(); self.unknowns()];
        for (probe, product) in products.iter().enumerate() {
            let (channel, colours) = self.split(probe, &axes);
            for (at, (row, value)) in rows.iter_mut().zip(product).enumerate() {
                if *value == 0.0 || !wanted(at % cells) {
                    continue;
                }
                let place = self.place(at % cells);
                let column = place
                    .iter()
                    .zip(&near)
                    .zip(&colours)
                    .zip(&self.points)
                    .try_fold(0, |sum, (((i, near), c), n)| near[*i][*c].map(|j| sum * n + j));
                if let Some(column) = column {
                    row.push((channel * cells + column, *value));
                }
            }
        }
        rows
    }
    /// An order of the unknowns that keeps coupled ones near: channels fastest, the longest axis slowest; a ring folded upon itself.
    pub(super) fn order(&self) -> Vec<usize> {
        let cells: usize = self.points.iter().product();
        let mut axes: Vec<usize> = (0..self.points.len()).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(self.points[axis] / if self.periodic[axis] { 2 } else { 1 }));
        let key = |cell: usize| -> usize {
            let place = self.place(cell);
            axes.iter().enumerate().fold(0, |sum, (rank, &axis)| {
                let (i, n) = (place[axis], self.points[axis]);
                // Only along the slowest axis the fold matters.
                let i =
                    if rank == 0 && self.periodic[axis] { if 2 * i < n { 2 * i } else { 2 * (n - i) - 1 } } else { i };
                sum * n + i
            })
        };
        (0..self.unknowns()).map(|at| key(at % cells) * self.channels + at / cells).collect()
    }
}
