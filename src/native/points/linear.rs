//! `Σ w x + Σ M x`: weighted values and maps along axes, over a part of a flat array.
//!
//! Inside, every map is a few shifted copies of a flat array, so that all of them are one loop over the tile, which takes no notice of
//! where lines end. Rows at the ends of an axis, where that loop read what belongs to other lines, are written again.

use super::super::graph::Map;
use super::super::simd::vectorised;
use crate::tensor::{Real, weighted_sum};

/// A map along an axis of arrays that lie one after the other.
pub struct Prepared<T> {
    /// Numbers between two positions along the axis.
    inner: usize,
    rows: usize,
    columns: usize,
    /// Rows before the regular ones, those after them: columns with weights.
    ends: [Vec<Vec<(usize, T)>>; 2],
    /// Column minus row, and weight.
    taps: Vec<(isize, T)>,
}

impl<T: Real> Prepared<T> {
    /// For results of a shape.
    pub fn new(map: &Map, shape: [usize; 3]) -> Self {
        let (regular, taps) = map.matrix.stencil();
        let row = |i: usize| map.matrix.row(i).into_iter().map(|(c, w)| (c, T::of(w))).collect();
        // One column is no stencil.
        let (regular, taps) = if map.matrix.columns() == 1 && !taps.is_empty() {
            (map.matrix.rows()..map.matrix.rows(), &[][..])
        } else {
            (regular, taps)
        };
        Self {
            inner: shape.iter().skip(map.axis + 1).product(),
            rows: map.matrix.rows(),
            columns: map.matrix.columns(),
            ends: [(0..regular.start).map(row).collect(), (regular.end..map.matrix.rows()).map(row).collect()],
            taps: taps.iter().map(|(s, w)| (*s as isize, T::of(*w))).collect(),
        }
    }
    /// The irregular entries of a row; `None` where it is regular.
    fn end(&self, row: usize) -> Option<&[(usize, T)]> {
        let [first, last] = &self.ends;
        match first.get(row) {
            Some(own) => Some(own),
            None => row.checked_sub(self.rows - last.len()).and_then(|i| last.get(i)).map(Vec::as_slice),
        }
    }
    /// Which rows are irregular.
    fn lines(&self) -> [usize; 4] {
        [self.inner, self.rows, self.ends[0].len(), self.ends[1].len()]
    }
    /// Whether results and what is read lie side by side.
    fn is_square(&self) -> bool {
        self.rows == self.columns
    }
    /// The next place after `at` where rows change between regular and not, or the line ends.
    fn run_end(&self, at: usize) -> usize {
        let (row, line) = (at / self.inner % self.rows, at / (self.inner * self.rows));
        let regular = self.ends[0].len()..self.rows - self.ends[1].len();
        let next = if regular.contains(&row) { regular.end } else { row + 1 };
        (line * self.rows + next) * self.inner
    }
    /// The distance from a result to what the first column of its row would be, for a place in it.
    fn shift(&self, at: usize) -> isize {
        let line = (at / (self.inner * self.rows)) as isize;
        line * (self.columns as isize - self.rows as isize) * self.inner as isize
    }
}

/// What is mapped.
#[derive(Clone, Copy)]
pub enum Values<'a, T> {
    /// All of an array.
    All(&'a [T]),
    /// The same everywhere: the one column of the matrix.
    One(T),
}

/// A part of a sum.
#[derive(Clone, Copy)]
pub struct Part<'a, T> {
    /// The map.
    pub map: &'a Prepared<T>,
    /// Of what.
    pub of: Values<'a, T>,
    /// Times a number.
    pub weight: T,
}

/// Numbers that one loop adds up.
const MOST: usize = 24;

/// `out = Σ w x + Σ w M y` at places `start …` of a flat array; `values` are of the length of `out`.
pub fn sum<'a, T: Real>(out: &mut [T], start: usize, values: &[(&'a [T], T)], parts: &[Part<'a, T>]) {
    let end = start + out.len();
    let mut at = start;
    while at < end {
        // As far as every array that is read has one distance from the results.
        let mut to = end;
        for part in parts.iter().filter(|p| !p.map.is_square() && !p.map.taps.is_empty()) {
            let line = part.map.inner * part.map.rows;
            to = to.min((at / line + 1) * line);
        }
        inside(&mut out[at - start..to - start], at, start, values, parts);
        at = to;
    }
    for (at, part) in parts.iter().enumerate() {
        // Maps with the same irregular rows are written again together.
        let same = |other: &Part<'_, T>| other.map.lines() == part.map.lines();
        if !parts[..at].iter().any(same) {
            fix(out, start, values, parts, part.map);
        }
    }
}

/// The regular rows of all parts at once.
fn inside<'a, T: Real>(out: &mut [T], at: usize, start: usize, values: &[(&'a [T], T)], parts: &[Part<'a, T>]) {
    let len = out.len();
    let (mut low, mut high) = (0isize, len as isize);
    for part in parts {
        let Values::All(all) = part.of else { continue };
        for (shift, _) in &part.map.taps {
            let first = at as isize + part.map.shift(at) + shift * part.map.inner as isize;
            low = low.max(-first);
            high = high.min(all.len() as isize - first);
        }
    }
    if low >= high {
        return;
    }
    let (low, high) = (low as usize, high as usize);
    let out = &mut out[low..high];
    let of_values = values.iter().map(|(x, w)| (&x[at - start + low..at - start + high], *w));
    let of_parts =
        parts.iter().filter_map(|part| if let Values::All(all) = part.of { Some((part, all)) } else { None });
    let of_parts = of_parts.flat_map(|(part, all)| {
        part.map.taps.iter().map(move |(shift, w)| {
            let first = at as isize + part.map.shift(at) + shift * part.map.inner as isize;
            let first = (first + low as isize) as usize;
            (&all[first..first + high - low], *w * part.weight)
        })
    });
    let mut sources: [(&[T], T); MOST] = [(&[], T::default()); MOST];
    let (mut count, mut begun) = (0, false);
    for source in of_values.chain(of_parts) {
        if count == MOST {
            weighted_sum(out, &sources, begun);
            (count, begun) = (0, true);
        }
        sources[count] = source;
        count += 1;
    }
    weighted_sum(out, &sources[..count], begun);
}

/// Writes the irregular rows of a map again, with all parts.
fn fix<'a, T: Real>(out: &mut [T], start: usize, values: &[(&'a [T], T)], parts: &[Part<'a, T>], map: &Prepared<T>) {
    let end = start + out.len();
    let [first, last] = map.ends.each_ref().map(Vec::len);
    if first + last == 0 {
        return;
    }
    let line = map.inner * map.rows;
    if map.inner == 1 {
        for row in (0..first).chain(map.rows - last..map.rows) {
            column(out, start, values, parts, (map, row));
        }
        return;
    }
    let mut base = start / line * line;
    while base < end {
        for (from, to) in [(0, first), (map.rows - last, map.rows)] {
            let (from, to) = ((base + from * map.inner).max(start), (base + to * map.inner).min(end));
            if from < to {
                again(&mut out[from - start..to - start], from, start, values, parts);
            }
        }
        base += line;
    }
}

/// The same row of all lines of a map along the last axis: the distances from a result to what it reads are the same in all of them, but where maps along
/// other axes have irregular rows.
fn column<'a, T: Real>(
    out: &mut [T],
    start: usize,
    values: &[(&'a [T], T)],
    parts: &[Part<'a, T>],
    (own, row): (&Prepared<T>, usize),
) {
    let end = start + out.len();
    let mut sources: [(&[T], T, isize); MOST] = [(&[], T::default(), 0); MOST];
    let mut count = 0;
    let mut put = |source: (&'a [T], T, isize)| {
        if let Some(place) = sources.get_mut(count) {
            *place = source;
        }
        count += 1;
    };
    values.iter().for_each(|(x, w)| put((x, *w, -(start as isize))));
    let mut level = true;
    for part in parts {
        let (Values::All(all), true) = (part.of, part.map.is_square()) else {
            level = false;
            break;
        };
        let along = (part.map.inner, part.map.rows) == (1, own.rows);
        match part.map.end(row).filter(|_| along) {
            Some(entries) => {
                entries.iter().for_each(|(c, w)| put((all, *w * part.weight, *c as isize - row as isize)));
            }
            None => {
                let inner = part.map.inner as isize;
                part.map.taps.iter().for_each(|(shift, w)| put((all, *w * part.weight, shift * inner)));
            }
        }
    }
    let level = level && count <= MOST;
    let sources = sources.get(..count).unwrap_or_default();
    let others = || parts.iter().map(|part| part.map).filter(|map| (map.inner, map.rows) != (1, own.rows));
    // As far as maps along other axes stay regular or irregular.
    let (mut until, mut regular) = (0, false);
    let first = (start + own.rows - 1 - row) / own.rows * own.rows + row;
    for at in (first..end).step_by(own.rows) {
        if level && at >= until {
            until = others().map(|map| map.run_end(at)).min().unwrap_or(usize::MAX);
            regular = others().all(|map| map.end(at / map.inner % map.rows).is_none());
        }
        out[at - start] = if level && regular {
            let read = |x: &[T], by: isize| x[(at as isize + by) as usize];
            sources.iter().fold(T::default(), |sum, (x, w, by)| sum + *w * read(x, *by))
        } else {
            one(at, start, values, parts, (own, at / own.rows, row))
        };
    }
}

/// One result, in a row of a line of a map along the last axis.
fn one<T: Real>(
    at: usize,
    start: usize,
    values: &[(&[T], T)],
    parts: &[Part<'_, T>],
    (own, line, row): (&Prepared<T>, usize, usize),
) -> T {
    let mut sum = values.iter().fold(T::default(), |sum, (x, w)| sum + *w * x[at - start]);
    for part in parts {
        let map = part.map;
        let (line, row, place) = if (map.inner, map.rows) == (1, own.rows) {
            (line, row, 0)
        } else {
            let (position, place) = (at / map.inner, at % map.inner);
            (position / map.rows, position % map.rows, place)
        };
        let value = |column: usize| match part.of {
            Values::All(all) => all[(line * map.columns + column) * map.inner + place],
            Values::One(x) => x,
        };
        let part_of = match map.end(row) {
            Some(entries) => entries.iter().fold(T::default(), |sum, (column, w)| sum + *w * value(*column)),
            None => {
                let column = |shift: isize| (row as isize + shift) as usize;
                map.taps.iter().fold(T::default(), |sum, (shift, w)| sum + *w * value(column(*shift)))
            }
        };
        sum = sum + part_of * part.weight;
    }
    sum
}

/// A few results, part by part.
fn again<T: Real>(out: &mut [T], at: usize, start: usize, values: &[(&[T], T)], parts: &[Part<'_, T>]) {
    out.fill(T::default());
    let len = out.len();
    for (x, w) in values {
        add(out, &x[at - start..at - start + len], *w);
    }
    for part in parts {
        let map = part.map;
        let mut from = at;
        while from < at + len {
            let to = map.run_end(from).min(at + len);
            let out = &mut out[from - at..to - at];
            let row = from / map.inner % map.rows;
            let line = from / (map.inner * map.rows) * map.columns;
            match (map.end(row), part.of) {
                (Some(entries), Values::All(all)) => {
                    for (column, w) in entries {
                        add(out, &all[(line + column) * map.inner + from % map.inner..][..to - from], *w * part.weight);
                    }
                }
                (Some(entries), Values::One(x)) => {
                    for (_, w) in entries {
                        let x = *w * part.weight * x;
                        out.iter_mut().for_each(|o| *o = *o + x);
                    }
                }
                (None, Values::All(all)) => {
                    for (shift, w) in &map.taps {
                        let first = from as isize + map.shift(from) + shift * map.inner as isize;
                        add(out, &all[first as usize..][..to - from], *w * part.weight);
                    }
                }
                (None, Values::One(x)) => {
                    for (_, w) in &map.taps {
                        let x = *w * part.weight * x;
                        out.iter_mut().for_each(|o| *o = *o + x);
                    }
                }
            }
            from = to;
        }
    }
}

/// `out += w x`
fn add<T: Real>(out: &mut [T], x: &[T], w: T) {
    out.iter_mut().zip(x).for_each(|(o, x)| *o = *o + w * *x);
}

vectorised! {
    /// The sum of numbers, in lanes side by side.
    pub fn total<T: Real>(numbers: &[T]) -> f64 {
        let mut lanes = [0.0f64; 16];
        let (blocks, rest) = numbers.as_chunks::<16>();
        for block in blocks {
            for (lane, x) in lanes.iter_mut().zip(block) {
                *lane += x.f64();
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += x.f64();
        }
        lanes.iter().sum()
    }
}
