//! How one sample lies in memory: as bands of rows at points, and as blocks of columns in Fourier space.
//!
//! The last axis of the points is halved by the real transform, and every wavenumber along it owns a *column*: all modes along the
//! other axes, `[k_y][k_x]`, or `[x][y]` halfway through a transform. A transform is then one pass over rows and one over columns,
//! with the transposition done while a band of rows is read or written. Modes that the 2/3 rule cuts along the
//! last axis are whole columns at the end: they are neither transformed nor stored in between.

use std::ops::Range;

/// Rows of a band: as many complex numbers as a cache line holds in `f32`, so that a column is read and written line by line.
pub const BAND: usize = 8;
/// Complex numbers of a register in a block of columns.
const BLOCK: usize = 1024;
/// The same where columns are longer than that, and the fewest of them.
const LONG: (usize, usize) = (1 << 14, 4);

/// The shape of one channel of one sample.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Lengths of the axes.
    pub lens: Vec<usize>,
    /// Points of a row: the length of the last axis.
    pub row: usize,
    /// Rows; also the modes of a column.
    pub rows: usize,
    /// Columns, `row/2 + 1`.
    pub columns: usize,
    /// Columns with modes that products may have.
    pub kept: usize,
    /// Rows of a band; the last may have fewer.
    pub band: usize,
    /// Blocks of columns; `kept` is a border between two.
    pub blocks: Vec<Range<usize>>,
    /// Whether columns on their way to rows lie in a block by bands, `[band][column][row]`: a band then finds its part of several columns
    /// in one piece. Columns that are far longer than a cache line would all be read from different pages, which a power of 2 puts in the same
    /// lines of the cache.
    pub by_bands: bool,
}

impl Layout {
    /// Of points along axes; `kept` columns at the front hold all modes that are not cut.
    pub fn new(lens: &[usize], kept: usize) -> Self {
        let row = lens.last().copied().unwrap_or(1).max(1);
        let rows: usize = lens.iter().rev().skip(1).product();
        let columns = row / 2 + 1;
        let kept = kept.clamp(1, columns);
        let by_bands = rows >= BLOCK;
        let width = if by_bands { (LONG.0 / rows).max(LONG.1) } else { (BLOCK / rows.max(1)).max(1) };
        let mut blocks = Vec::new();
        for part in [0..kept, kept..columns] {
            let mut start = part.start;
            while start < part.end {
                let end = (start + width).min(part.end);
                blocks.push(start..end);
                start = end;
            }
        }
        Self { lens: lens.to_vec(), row, rows, columns, kept, band: BAND.min(rows.max(1)), blocks, by_bands }
    }
    /// Points.
    pub fn points(&self) -> usize {
        self.row * self.rows
    }
    /// Modes that are stored.
    pub fn modes(&self) -> usize {
        self.columns * self.rows
    }
    /// Bands of rows.
    pub fn bands(&self) -> usize {
        self.rows.div_ceil(self.band)
    }
    /// The rows of a band.
    pub fn rows_of(&self, band: usize) -> Range<usize> {
        band * self.band..((band + 1) * self.band).min(self.rows)
    }
    /// Where a block of so many columns has the part of a column that belongs to these rows, halfway through a transform: the place in the first column, and how far it is to
    /// the next.
    pub fn part(&self, count: usize, rows: &Range<usize>) -> (usize, usize) {
        if self.by_bands { (rows.start * count, rows.len()) } else { (rows.start, self.rows) }
    }
    /// Numbers on the half spectrum, `[k_x, k_y, …]` in the order of tensors, in the order of columns.
    pub fn by_columns<A: Copy>(&self, numbers: &[A]) -> Vec<A> {
        let (x, y) = match self.lens.as_slice() {
            [x, y, _] => (*x, *y),
            _ => (self.rows, 1),
        };
        let place = |column: usize, k_y: usize, k_x: usize| (k_x * y + k_y) * self.columns + column;
        let mut out = Vec::with_capacity(numbers.len());
        for column in 0..self.columns {
            for k_y in 0..y {
                out.extend((0..x).filter_map(|k_x| numbers.get(place(column, k_y, k_x)).copied()));
            }
        }
        out
    }
    /// The inverse of [`by_columns`](Self::by_columns).
    pub fn by_rows<A: Copy + Default>(&self, numbers: &[A]) -> Vec<A> {
        let order: Vec<usize> = self.by_columns(&(0..self.modes()).collect::<Vec<_>>());
        let mut out = vec![A::default(); numbers.len()];
        for (number, place) in numbers.iter().zip(order) {
            if let Some(out) = out.get_mut(place) {
                *out = *number;
            }
        }
        out
    }
}
