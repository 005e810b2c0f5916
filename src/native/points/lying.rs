//! How arrays lie, and which weights maps have at a place.

use super::super::graph::Map;

/// Lengths of axes with the one that neighbours follow last: axes behind it have the length 1 everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    behind: usize,
}

impl Order {
    /// For forms of these shapes.
    pub fn of(shapes: impl Iterator<Item = [usize; 3]>) -> Self {
        let last = shapes.filter_map(|shape| shape.iter().rposition(|len| *len > 1)).max().unwrap_or(0);
        Self { behind: 2 - last }
    }
    /// Where an axis goes.
    pub fn axis(self, axis: usize) -> usize {
        (axis + self.behind).min(2)
    }
    /// The lengths in this order.
    pub fn shape(self, shape: [usize; 3]) -> [usize; 3] {
        let mut lens = [1; 3];
        (0..3 - self.behind).for_each(|axis| lens[axis + self.behind] = shape[axis]);
        lens
    }
}

/// How an array of a form lies: samples one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lying {
    /// Numbers of a sample.
    pub count: usize,
    /// Numbers between neighbours; 0 along axes of the length 1, where every place is the first.
    pub strides: [usize; 3],
}

impl Lying {
    /// Of lengths in [`Order`].
    pub fn new(lens: [usize; 3]) -> Self {
        let stride = |axis: usize| if lens[axis] == 1 { 0 } else { lens.iter().skip(axis + 1).product() };
        Self { count: lens.iter().product(), strides: [stride(0), stride(1), stride(2)] }
    }
}

/// A map, row by row.
pub struct Rows {
    /// Which axis, in [`Order`].
    pub axis: usize,
    columns: usize,
    /// Irregular rows at both ends.
    ends: [Vec<Vec<(usize, f64)>>; 2],
    rows: usize,
    /// Column minus row, and weight, of all others.
    pub taps: Vec<(isize, f64)>,
}

impl Rows {
    /// Of a map.
    pub fn new(map: &Map, order: Order) -> Self {
        let (regular, taps) = map.matrix.stencil();
        let row = |i: usize| map.matrix.row(i);
        let (rows, columns) = (map.matrix.rows(), map.matrix.columns());
        // One column is no stencil: its rows are as regular as their weights.
        let regular = if columns == 1 && !taps.is_empty() { rows..rows } else { regular };
        let taps = if regular.is_empty() { &[][..] } else { taps };
        Self {
            axis: order.axis(map.axis),
            columns,
            ends: [(0..regular.start).map(row).collect(), (regular.end..rows).map(row).collect()],
            rows,
            taps: taps.iter().map(|(s, w)| (*s as isize, *w)).collect(),
        }
    }
    /// The rows that have the weights of [`taps`](Self::taps).
    pub fn regular(&self) -> std::ops::Range<usize> {
        self.ends[0].len()..self.rows - self.ends[1].len()
    }
    /// Whether there are other rows than those.
    pub fn has_ends(&self) -> bool {
        self.ends.iter().any(|rows| !rows.is_empty())
    }
    /// The most entries of a row.
    pub fn widest(&self) -> usize {
        self.ends.iter().flatten().map(Vec::len).max().unwrap_or(0).max(self.taps.len())
    }
    /// An entry of a row: column and weight. One that the row does not have is any column, with the weight 0.
    pub fn entry(&self, row: usize, entry: usize) -> (usize, f64) {
        let own = match self.ends[0].get(row) {
            Some(own) => Some(own),
            None => row.checked_sub(self.rows - self.ends[1].len()).and_then(|i| self.ends[1].get(i)),
        };
        let found = match own {
            Some(own) => own.get(entry).copied(),
            None => self.taps.get(entry).map(|(shift, w)| ((row as isize + shift) as usize, *w)),
        };
        found.unwrap_or((row.min(self.columns.saturating_sub(1)), 0.0))
    }
}
