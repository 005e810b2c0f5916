//! Linear maps along one axis with a few diagonals: stencils, interpolations, their products and transposes.
//!
//! All rows but a few at either end hold the same weights at the same distance from the diagonal. Those rows are one loop over
//! neighbouring numbers for any axis: with `inner` numbers between two positions along the axis,
//! `out[i·inner + j] = Σ_k w_k x[(i + s_k)·inner + j]` is a sum of shifted copies of a flat array.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::tensor::{Context, Tensor, axis_index, in_precision};

mod affine;
#[cfg(feature = "cubecl")]
mod cube;
mod kernel;
mod lowered;

pub use affine::AxisOperator;
use kernel::Along;

/// The entries of one row: columns in ascending order, and what stands there.
pub type Row = Vec<(usize, f64)>;

/// A matrix with few diagonals that acts along one axis of a tensor. Cheap to clone.
#[derive(Clone)]
pub struct Banded(Arc<Parts>);

struct Parts {
    rows: usize,
    columns: usize,
    /// Rows before the regular ones.
    first: Vec<Row>,
    /// Column minus row, and weight, of every regular row.
    taps: Vec<(i64, f64)>,
    /// Rows after the regular ones.
    last: Vec<Row>,
    transpose: OnceLock<Banded>,
    /// What its numbers are called where a device keeps them.
    #[cfg(feature = "cubecl")]
    name: OnceLock<String>,
}

/// A row in ascending order, each column once, without zeros.
fn tidy(mut row: Row, columns: usize) -> Result<Row> {
    if let Some((column, weight)) = row.iter().find(|(c, w)| *c >= columns || !w.is_finite()) {
        return Err(Error::internal("a row of a matrix leaves it or is not finite")
            .got(format!("{weight} in column {column} of {columns}")));
    }
    row.sort_by_key(|(column, _)| *column);
    row.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0.0 };
        same
    });
    row.retain(|(_, weight)| *weight != 0.0);
    Ok(row)
}

impl Banded {
    /// A matrix from its rows, each a list of columns with weights; equal columns are added up.
    ///
    /// # Errors
    /// A column outside of the matrix, or a weight that is not finite.
    pub fn from_rows(columns: usize, rows: Vec<Row>) -> Result<Self> {
        let rows = rows.into_iter().map(|row| tidy(row, columns)).collect::<Result<Vec<_>>>()?;
        Ok(Self::compressed(columns, rows))
    }
    /// A matrix whose rows are alike but for the first and the last ones: row `i` between them holds `w` in column `i + s` for each tap `(s, w)`.
    ///
    /// # Errors
    /// A column outside of the matrix, or a weight that is not finite.
    pub fn with_ends(
        rows: usize,
        columns: usize,
        first: Vec<Row>,
        mut taps: Vec<(i64, f64)>,
        last: Vec<Row>,
    ) -> Result<Self> {
        let regular = first.len() as i64..rows as i64 - last.len() as i64;
        let inside = |s: i64| regular.start + s >= 0 && regular.end + s <= columns as i64;
        taps.retain(|(_, w)| *w != 0.0);
        taps.sort_by_key(|(s, _)| *s);
        let fits = taps.iter().all(|&(s, w)| w.is_finite() && inside(s));
        if regular.start > regular.end || (!regular.is_empty() && !fits) {
            return Err(Error::internal("the rows of a matrix leave it").got(format!("{taps:?} in {rows} × {columns}")));
        }
        let [first, last] =
            [first, last].map(|end| end.into_iter().map(|row| tidy(row, columns)).collect::<Result<_>>());
        Ok(Self::made(rows, columns, first?, taps, last?))
    }
    fn made(rows: usize, columns: usize, first: Vec<Row>, taps: Vec<(i64, f64)>, last: Vec<Row>) -> Self {
        Self(Arc::new(Parts {
            rows,
            columns,
            first,
            taps,
            last,
            transpose: OnceLock::new(),
            #[cfg(feature = "cubecl")]
            name: OnceLock::new(),
        }))
    }
    /// The same weights around every position of a ring: `out[i] = Σ_k w_k x[(i + s_k) mod n]`.
    ///
    /// # Errors
    /// A weight that is not finite.
    pub fn ring(points: usize, taps: &[(i64, f64)]) -> Result<Self> {
        let n = points as i64;
        let row = |i: i64| -> Row { taps.iter().map(|&(s, w)| ((i + s).rem_euclid(n.max(1)) as usize, w)).collect() };
        let reach = |f: fn(&i64) -> i64| taps.iter().map(|(s, _)| f(s)).max().unwrap_or(0).max(0);
        let (below, above) = (reach(|s| -s), reach(|s| *s));
        if below + above >= n {
            return Self::from_rows(points, (0..n).map(row).collect());
        }
        let (first, last) = ((0..below).map(row).collect(), (n - above..n).map(row).collect());
        Self::with_ends(points, points, first, taps.to_vec(), last)
    }
    /// The same weights at every place where they fit: `out[i] = Σ_k w_k x[i + k]`, `columns − weights + 1` rows.
    ///
    /// # Errors
    /// A weight that is not finite.
    pub fn sliding(columns: usize, weights: &[f64]) -> Result<Self> {
        let taps = (0..).zip(weights.iter().copied()).collect();
        Self::with_ends((columns + 1).saturating_sub(weights.len()), columns, Vec::new(), taps, Vec::new())
    }
    /// The identity.
    pub fn identity(points: usize) -> Self {
        Self::made(points, points, Vec::new(), vec![(0, 1.0)], Vec::new())
    }
    /// Finds the regular rows around the middle one.
    fn compressed(columns: usize, mut rows: Vec<Row>) -> Self {
        let count = rows.len();
        let shifted = |i: usize| rows.get(i).into_iter().flatten().map(move |&(c, w)| (c as i64 - i as i64, w));
        let taps: Vec<(i64, f64)> = shifted(count / 2).collect();
        let regular = |i: usize| shifted(i).eq(taps.iter().copied());
        let begin = (0..count / 2).rev().take_while(|&i| regular(i)).last().unwrap_or(count / 2);
        let end = (count / 2..count).take_while(|&i| regular(i)).last().map_or(count, |i| i + 1);
        let last = rows.split_off(end);
        rows.truncate(begin);
        rows.shrink_to_fit();
        Self::made(count, columns, rows, taps, last)
    }

    /// Number of rows: the length of the axis afterwards.
    pub fn rows(&self) -> usize {
        self.0.rows
    }
    /// Number of columns: the length of the axis before.
    pub fn columns(&self) -> usize {
        self.0.columns
    }
    /// The regular rows: their range, and column minus row with the weight.
    pub fn stencil(&self) -> (std::ops::Range<usize>, &[(i64, f64)]) {
        (self.0.first.len()..self.0.rows - self.0.last.len(), &self.0.taps)
    }
    /// The most entries of a row.
    pub fn widest(&self) -> usize {
        let ends = self.0.first.iter().chain(&self.0.last).map(Vec::len);
        ends.max().unwrap_or(0).max(self.0.taps.len())
    }
    /// The entries of a row.
    pub fn row(&self, i: usize) -> Row {
        let parts = &*self.0;
        if let Some(row) = parts.first.get(i) {
            return row.clone();
        }
        match i.checked_sub(parts.rows - parts.last.len()) {
            Some(from_end) => parts.last.get(from_end).cloned().unwrap_or_default(),
            None => parts.taps.iter().map(|&(s, w)| ((i as i64 + s) as usize, w)).collect(),
        }
    }
    /// A name that maps of other numbers do not have; computed once.
    #[cfg(feature = "cubecl")]
    fn name(&self) -> &str {
        use sha2::Digest;
        self.0.name.get_or_init(|| {
            let parts = &*self.0;
            let mut hash = sha2::Sha256::new();
            let mut put = |word: u64| hash.update(word.to_le_bytes());
            [parts.rows, parts.columns, parts.first.len(), parts.taps.len()].into_iter().for_each(|n| put(n as u64));
            parts.taps.iter().for_each(|(s, w)| [*s as u64, w.to_bits()].into_iter().for_each(&mut put));
            for row in parts.first.iter().chain(&parts.last) {
                put(row.len() as u64);
                row.iter().for_each(|(c, w)| [*c as u64, w.to_bits()].into_iter().for_each(&mut put));
            }
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }
    /// The matrix with rows and columns exchanged; computed once.
    pub fn transpose(&self) -> Self {
        self.0.transpose.get_or_init(|| self.transposed()).clone()
    }
    fn transposed(&self) -> Self {
        let parts = &*self.0;
        let (regular, taps) = self.stencil();
        // What the irregular rows put into each column; regular rows are looked up.
        let mut extra: BTreeMap<usize, Row> = BTreeMap::new();
        let ends = parts.first.iter().enumerate().chain((regular.end..).zip(&parts.last));
        for (i, row) in ends {
            for &(column, weight) in row {
                extra.entry(column).or_default().push((i, weight));
            }
        }
        let row = |column: usize| -> Row {
            let from = |&(s, w): &(i64, f64)| {
                let i = column as i64 - s;
                (regular.start as i64..regular.end as i64).contains(&i).then_some((i as usize, w))
            };
            let mut row: Row =
                taps.iter().filter_map(from).chain(extra.get(&column).into_iter().flatten().copied()).collect();
            row.sort_by_key(|(i, _)| *i);
            row
        };
        // Columns that every tap reaches from a regular row and no other row does.
        let columns = self.columns();
        let (lowest, highest) = (taps.first().map_or(0, |t| t.0), taps.last().map_or(0, |t| t.0));
        let bound = |at: i64| at.clamp(0, columns as i64) as usize;
        let (mut begin, mut end) = (bound(regular.start as i64 + highest), bound(regular.end as i64 + lowest));
        let middle = begin.midpoint(end);
        for &column in extra.keys().filter(|c| (begin..end).contains(*c)).collect::<Vec<_>>() {
            if column < middle { begin = begin.max(column + 1) } else { end = end.min(column) }
        }
        if begin >= end || taps.is_empty() {
            return Self::compressed(self.rows(), (0..columns).map(row).collect());
        }
        let taps = taps.iter().rev().map(|&(s, w)| (-s, w)).collect();
        Self::made(columns, self.rows(), (0..begin).map(row).collect(), taps, (end..columns).map(row).collect())
    }
    /// This map after another one: the matrix product.
    ///
    /// # Errors
    /// When the inner lengths differ.
    pub fn compose(&self, before: &Self) -> Result<Self> {
        if self.columns() != before.rows() {
            return Err(Error::shape("maps that do not follow each other").got(format!(
                "{} columns after {} rows",
                self.columns(),
                before.rows()
            )));
        }
        let product = |i: usize| -> Row {
            let of = |(column, weight): (usize, f64)| before.row(column).into_iter().map(move |(c, w)| (c, w * weight));
            self.row(i).into_iter().flat_map(of).collect()
        };
        // Regular rows of this map that see regular rows of the other one alone.
        let ((own, taps), (inner, others)) = (self.stencil(), before.stencil());
        let (lowest, highest) = (taps.first().map_or(0, |t| t.0), taps.last().map_or(0, |t| t.0));
        let begin = (own.start as i64).max(inner.start as i64 - lowest);
        let end = (own.end as i64).min(inner.end as i64 - highest);
        if begin >= end {
            return Self::from_rows(before.columns(), (0..self.rows()).map(product).collect());
        }
        let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
        for (s, w) in taps {
            others.iter().for_each(|(t, v)| *sums.entry(s + t).or_insert(0.0) += v * w);
        }
        let first = (0..begin as usize).map(product).collect();
        let last = (end as usize..self.rows()).map(product).collect();
        Self::with_ends(self.rows(), before.columns(), first, sums.into_iter().collect(), last)
    }
    /// Every weight times a number.
    pub fn scale(&self, factor: f64) -> Self {
        let parts = &*self.0;
        let rows = |rows: &[Row]| rows.iter().map(|r| r.iter().map(|&(c, w)| (c, w * factor)).collect()).collect();
        let taps = parts.taps.iter().map(|&(s, w)| (s, w * factor)).collect();
        Self::made(parts.rows, parts.columns, rows(&parts.first), taps, rows(&parts.last))
    }
    /// The sum of two maps of one shape.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn add(&self, other: &Self) -> Result<Self> {
        if (self.rows(), self.columns()) != (other.rows(), other.columns()) {
            return Err(Error::shape("a sum of maps of different shape"));
        }
        let sum = |i: usize| [self.row(i), other.row(i)].concat();
        // Rows that are regular in both.
        let ((own, taps), (inner, others)) = (self.stencil(), other.stencil());
        let (begin, end) = (own.start.max(inner.start), own.end.min(inner.end));
        if begin >= end {
            return Self::from_rows(self.columns(), (0..self.rows()).map(sum).collect());
        }
        let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
        taps.iter().chain(others).for_each(|(s, w)| *sums.entry(*s).or_insert(0.0) += w);
        let [first, last] = [0..begin, end..self.rows()].map(|rows| rows.map(sum).collect());
        Self::with_ends(self.rows(), self.columns(), first, sums.into_iter().collect(), last)
    }
    /// Rows of which each is like one of the matrix, relative to the diagonal: the irregular ones and one regular.
    pub fn kinds_of_rows(&self) -> impl Iterator<Item = usize> {
        let regular = self.stencil().0;
        (0..regular.end.min(regular.start + 1)).chain(regular.end..self.rows())
    }
    /// The entries `(i, i)`.
    pub fn diagonal(&self) -> Vec<f64> {
        let at = |i: usize| self.row(i).into_iter().find(|(c, _)| *c == i).map_or(0.0, |(_, w)| w);
        (0..self.rows().min(self.columns())).map(at).collect()
    }
    /// How many diagonals there are below and above the main one.
    pub fn bandwidth(&self) -> (usize, usize) {
        let entries = self.kinds_of_rows().flat_map(|i| self.row(i).into_iter().map(move |(c, _)| (i, c)));
        entries.fold((0, 0), |(low, high), (i, c)| (low.max(i.saturating_sub(c)), high.max(c.saturating_sub(i))))
    }
    /// All numbers, row after row.
    ///
    /// # Errors
    /// When the whole matrix would pass the limit of tensor memory.
    pub fn to_dense(&self, context: &Context) -> Result<Vec<f64>> {
        let count = crate::tensor::element_count(&[self.rows(), self.columns()])?;
        context.reserve(count.saturating_mul(8))?;
        let mut dense = vec![0.0; count];
        for i in 0..self.rows() {
            for (column, weight) in self.row(i) {
                if let Some(place) = dense.get_mut(i * self.columns() + column) {
                    *place = weight;
                }
            }
        }
        Ok(dense)
    }

    /// `out[…, i, …] = Σ_k M[i, k] x[…, k, …]` along an axis, counted from the end when negative. Differentiable to any order: the
    /// gradient is the same primitive with the transpose.
    ///
    /// # Errors
    /// When the axis has another length than the matrix has columns.
    pub fn apply(&self, x: &Tensor, axis: i64) -> Result<Tensor> {
        let along = self.along(x, axis)?;
        if !x.context().device().has_kernels() && !along.shape.contains(&0) && lowered::fits(self) {
            let out = lowered::apply(self, x, axis_index("a map along an axis", axis, x.rank())?)?;
            return Ok(self.with_rule(out, x, axis));
        }
        let out = in_precision!(x.precision(), T => {
            let mut numbers = vec![T::default(); along.outer * self.rows() * along.inner];
            along.multiply::<T>(self, x, &mut numbers)?;
            Tensor::from_vec(x.context(), numbers, &along.shape)?
        });
        Ok(self.with_rule(out, x, axis))
    }
    fn with_rule(&self, out: Tensor, x: &Tensor, axis: i64) -> Tensor {
        out.from(x, || {
            let back = self.transpose();
            move |g: &Tensor| back.apply(g, axis)
        })
    }
    fn along(&self, x: &Tensor, axis: i64) -> Result<Along> {
        let axis = axis_index("a map along an axis", axis, x.rank())?;
        let mut shape = x.shape();
        let (before, after) = shape.split_at(axis);
        let (outer, inner) = (before.iter().product(), after.iter().skip(1).product());
        if after.first() != Some(&self.columns()) {
            return Err(Error::shape("a map along an axis of another length")
                .got(format!("axis {axis} of {shape:?}"))
                .expected(format!("length {}", self.columns())));
        }
        shape.iter_mut().skip(axis).take(1).for_each(|n| *n = self.rows());
        let count = crate::tensor::element_count(&shape)?;
        x.context().reserve(count.saturating_mul(x.precision().bytes()))?;
        Ok(Along { outer, inner, shape })
    }
}

impl std::fmt::Debug for Banded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Banded {} × {}, inside {:?}", self.rows(), self.columns(), self.0.taps)
    }
}
