//! A compiled pass at work on a part of its arrays.

use std::ops::Range;

use super::super::operation::{self, Values};
use super::super::simd::vectorised;
use super::compiled::{ACROSS, Call, Compiled, Given, Kind, Loop, Slot, TILE};
use super::program::Bases;
use crate::tensor::Real;

/// What a thread works with.
#[derive(Default)]
pub struct Scratch<T> {
    /// Of the sums of a pass, in their order.
    pub sums: Vec<f64>,
    tiles: Vec<Vec<T>>,
    /// What is across lines, by arrays of a loop.
    across: Vec<T>,
    slots: Vec<*mut T>,
    /// Where arrays of a loop are at a place, then the tiles.
    arrays: Vec<*mut T>,
    numbers: Vec<T>,
}
// SAFETY: the pointers are set anew in every run of a loop, and are used by the thread that set them.
unsafe impl<T: Send> Send for Scratch<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Scratch<T> {}

/// A place: sample, and a row along each axis.
type Place = (usize, [usize; 3]);

/// Where a place is in an array, without the axes along which a kind of places has rows of its own.
fn base<T: Real>(pass: &Compiled<T>, array: usize, (sample, at): Place, kind: Kind) -> isize {
    let lying = &pass.arrays[array];
    let along = |axis: usize| if kind[axis].is_none() { at[axis] * lying.strides[axis] } else { 0 };
    (sample * lying.count + along(0) + along(1) + along(2)) as isize
}

/// Of all columns those before and behind some in the middle.
fn outside(columns: &Range<usize>, middle: &Range<usize>) -> impl Iterator<Item = usize> + use<> {
    (columns.start..middle.start.min(columns.end)).chain(middle.end..columns.end)
}

/// A run in a program.
pub struct Run<'a, T> {
    pub pass: &'a Compiled<T>,
    pub scalars: &'a [f64],
    pub bases: &'a Bases<T>,
    pub scratch: &'a mut Scratch<T>,
}

impl<T: Real> Run<'_, T> {
    /// Works on the numbers `from … to`, samples one after the other.
    pub fn all(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let pass = self.pass;
        self.scratch.tiles.resize_with(pass.tiles.max(self.scratch.tiles.len()), || vec![T::default(); TILE]);
        let line = pass.lens[2].max(1);
        let ((first, column), (last, rest)) = ((from / line, from % line), (to / line, to % line));
        if first == last {
            return self.lines(first..first + 1, column..rest);
        }
        let mut first = first;
        if column > 0 {
            self.lines(first..first + 1, column..line);
            first += 1;
        }
        self.lines(first..last, 0..line);
        if rest > 0 {
            self.lines(last..last + 1, 0..rest);
        }
    }
    /// Columns of lines: whole planes of a box together.
    fn lines(&mut self, lines: Range<usize>, columns: Range<usize>) {
        let [outer, middle, _] = self.pass.lens;
        if outer == 1 || middle == 1 {
            return self.each_line(lines, columns);
        }
        let mut line = lines.start;
        while line < lines.end {
            let (sample, i, j) = (line / (outer * middle), line / middle % outer, line % middle);
            let planes = ((lines.end - line) / middle).min(outer - i);
            if j == 0 && planes > 0 {
                self.planes(sample, i..i + planes, &columns);
                line += planes * middle;
            } else {
                let next = ((line / middle + 1) * middle).min(lines.end);
                self.each_line(line..next, columns.clone());
                line = next;
            }
        }
    }
    /// Columns of all lines of planes.
    fn planes(&mut self, sample: usize, planes: Range<usize>, columns: &Range<usize>) {
        let pass = self.pass;
        let [outer, middle, _] = pass.lens;
        let line = |i: usize, j: usize| (sample * outer + i) * middle + j;
        let inside = self.inner(columns);
        let regular = planes.start.max(pass.regular[0].start)..planes.end.min(pass.regular[0].end);
        for i in planes.clone() {
            if !regular.contains(&i) {
                self.each_line(line(i, 0)..line(i, middle), columns.clone());
                continue;
            }
            let group = pass.regular[1].clone();
            self.each_line(line(i, group.start)..line(i, group.end), columns.clone());
            for j in (0..middle).filter(|j| !group.contains(j)) {
                self.along((sample, [i, j, inside.start]), [None, Some(j), None], inside.len());
            }
        }
        for j in (0..middle).filter(|j| !pass.regular[1].contains(j)) {
            for column in outside(columns, &inside) {
                let first = (sample, [regular.start, j, column]);
                self.across(first, [None, Some(j), Some(column)], (Some(0), regular.len()));
            }
        }
    }
    /// Columns at which all maps along lines are regular.
    fn inner(&self, columns: &Range<usize>) -> Range<usize> {
        let regular = &self.pass.regular[2];
        let start = columns.start.max(regular.start);
        start..columns.end.min(regular.end).max(start)
    }
    /// Columns of lines, line by line where they are not alike.
    fn each_line(&mut self, lines: Range<usize>, columns: Range<usize>) {
        let pass = self.pass;
        let [outer, middle, len] = pass.lens;
        let inside = self.inner(&columns);
        let place =
            |line: usize, column: usize| (line / (outer * middle), [line / middle % outer, line % middle, column]);
        let own = |axis: usize, row: usize| (!pass.regular[axis].contains(&row)).then_some(row);
        let kind = |line: usize| [own(0, line / middle % outer), own(1, line % middle)];
        // Lines that follow one another with the same tables: along the middle axis, else samples of a single line.
        let axis = (outer * middle > 1).then_some(1);
        let group = if axis.is_some() { middle } else { usize::MAX };
        let mut line = lines.start;
        while line < lines.end {
            let kinds = kind(line);
            let end = if group == usize::MAX { lines.end } else { ((line / group + 1) * group).min(lines.end) };
            // Only the row along the middle axis changes before the end, and its regular rows follow one another.
            let next = match (kinds, axis) {
                ([None, None], None) => end,
                ([None, None], Some(_)) => end.min(line + pass.regular[1].end - line % middle),
                _ => line + 1,
            };
            match kinds {
                [None, None] if pass.is_flat && columns == (0..len) && !inside.is_empty() => {
                    self.inside(place(line, inside.start), (next - line - 1) * len + inside.len());
                }
                [None, None] => (line..next).for_each(|line| self.inside(place(line, inside.start), inside.len())),
                [i, j] => self.along(place(line, inside.start), [i, j, None], inside.len()),
            }
            for column in outside(&columns, &inside) {
                self.across(place(line, column), [kinds[0], kinds[1], Some(column)], (axis, next - line));
            }
            line = next;
        }
    }
    /// Neighbours where all maps are regular.
    fn inside(&mut self, place: Place, len: usize) {
        let pass = self.pass;
        let whole = pass.tiles == 0;
        let mut buffer = std::mem::take(&mut self.scratch.numbers);
        let mut done = 0;
        while done < len {
            let now = if whole { len } else { (len - done).min(TILE) };
            for stage in &pass.stages {
                let own = &stage.inside;
                self.scratch.slots.clear();
                for (slot, (low, high)) in own.slots.iter().zip(&own.reach) {
                    let pointer = match slot {
                        Slot::Tile(tile) => self.scratch.tiles[*tile].as_mut_ptr(),
                        Slot::Array(array) | Slot::Place(array, _) => {
                            let at = base(pass, *array, place, [None; 3]) + done as isize;
                            self.bases.pointer(*array, at, at + low, at + now as isize + high)
                        }
                    };
                    self.scratch.slots.push(pointer);
                }
                let numbers = own.scaled(&stage.fixed, &[], self.scalars, &mut buffer);
                // SAFETY: every stream was found to lie in its array; a pass writes no array that it reads at other places.
                unsafe { own.kernel.run(&self.scratch.slots, numbers, now) };
                self.calls(&stage.calls, now);
            }
            self.summed(now);
            done += now;
        }
        self.scratch.numbers = buffer;
    }
    /// Neighbours along a line, somewhere else.
    fn along(&mut self, place: Place, kind: Kind, len: usize) {
        let pass = self.pass;
        let tables = pass.tables(kind);
        let mut buffer = std::mem::take(&mut self.scratch.numbers);
        let mut done = 0;
        // What is one number for all of the line is written out.
        let written = len > 1 && pass.has_single;
        let is_one = |array: &usize| pass.arrays[*array].strides[2] == 0;
        let most = match () {
            () if written => ACROSS,
            () if pass.tiles > 0 => TILE,
            () => len,
        };
        while done < len {
            let now = (len - done).min(most);
            for (number, stage) in pass.stages.iter().enumerate() {
                let Some(own) = &stage.outside else { continue };
                let Scratch { slots, arrays, tiles, .. } = &mut *self.scratch;
                let (offsets, len) = (&tables.offsets[number], now as isize);
                arrays.clear();
                for (array, (low, high)) in own.arrays.iter().zip(&tables.reach[number]) {
                    let at = base(pass, *array, place, kind);
                    let (at, len) = if written && is_one(array) { (at, 1) } else { (at + done as isize, len) };
                    arrays.push(self.bases.pointer(*array, at, at + low, at + high + len));
                }
                arrays.extend(tiles.iter_mut().map(|tile| tile.as_mut_ptr()));
                slots.clear();
                slots.extend(own.lies.iter().zip(offsets).map(|(from, offset)| arrays[*from].wrapping_offset(*offset)));
                if written {
                    self.write_out(own, now);
                }
                let numbers = own.scaled(&tables.fixed[number], &tables.taps, self.scalars, &mut buffer);
                // SAFETY: as above.
                unsafe { own.kernel.run(&self.scratch.slots, numbers, now) };
                self.calls(&stage.calls, now);
            }
            self.summed(now);
            done += now;
        }
        self.scratch.numbers = buffer;
    }
    /// Writes out what is one number for all of a line.
    fn write_out(&mut self, own: &Loop<T>, len: usize) {
        self.room(own.slots.len());
        let Scratch { slots, across, .. } = &mut *self.scratch;
        for ((slot, of), written) in slots.iter_mut().zip(&own.slots).zip(across.chunks_exact_mut(ACROSS)) {
            if let Slot::Array(array) | Slot::Place(array, _) = of
                && self.pass.arrays[*array].strides[2] == 0
            {
                // SAFETY: it was found to lie in its array.
                written[..len].fill(unsafe { **slot });
                *slot = written.as_mut_ptr();
            }
        }
    }
    /// Places in the same column of lines that follow one another along an axis, or from sample to sample.
    fn across(&mut self, place: Place, kind: Kind, (axis, lines): (Option<usize>, usize)) {
        if lines == 1 {
            return self.along(place, kind, 1);
        }
        let pass = self.pass;
        let tables = pass.tables(kind);
        let mut buffer = std::mem::take(&mut self.scratch.numbers);
        let mut done = 0;
        while done < lines {
            let now = (lines - done).min(ACROSS);
            for (number, stage) in pass.stages.iter().enumerate() {
                let Some(own) = &stage.outside else { continue };
                self.room(own.slots.len());
                let at = |array: usize, offset: isize| {
                    let lying = &pass.arrays[array];
                    let stride = axis.map_or(lying.count, |axis| lying.strides[axis]);
                    (base(pass, array, place, kind) + offset + (done * stride) as isize, stride)
                };
                for (k, (slot, offset)) in own.slots.iter().zip(&tables.offsets[number]).enumerate() {
                    if let Slot::Place(array, _) = slot
                        && own.reads[k]
                    {
                        let (first, stride) = at(*array, *offset);
                        self.bases.gather(*array, first, stride, &mut self.scratch.across[k * ACROSS..][..now]);
                    }
                }
                self.scratch.slots.clear();
                let across = self.scratch.across.as_mut_ptr();
                for (k, slot) in own.slots.iter().enumerate() {
                    let pointer = match slot {
                        Slot::Tile(tile) => self.scratch.tiles[*tile].as_mut_ptr(),
                        _ => across.wrapping_add(k * ACROSS),
                    };
                    self.scratch.slots.push(pointer);
                }
                let numbers = own.scaled(&tables.fixed[number], &tables.taps, self.scalars, &mut buffer);
                // SAFETY: every array is a part of the buffer.
                unsafe { own.kernel.run(&self.scratch.slots, numbers, now) };
                for (k, (slot, offset)) in own.slots.iter().zip(&tables.offsets[number]).enumerate() {
                    if let Slot::Place(array, _) = slot
                        && own.writes[k]
                    {
                        let (first, stride) = at(*array, *offset);
                        self.bases.scatter(*array, first, stride, &self.scratch.across[k * ACROSS..][..now]);
                    }
                }
                self.calls(&stage.calls, now);
            }
            self.summed(now);
            done += now;
        }
        self.scratch.numbers = buffer;
    }
    /// Room for arrays that are written out.
    fn room(&mut self, arrays: usize) {
        if self.scratch.across.len() < arrays * ACROSS {
            self.scratch.across.resize(arrays * ACROSS, T::default());
        }
    }
    fn calls(&mut self, calls: &[(Call, usize)], len: usize) {
        for (call, to) in calls {
            // Out of its place while it is written: no function reads what it writes.
            let mut out = std::mem::take(&mut self.scratch.tiles[*to]);
            let given = |a: Given| match a {
                Given::Tile(tile) => Values::Many(&self.scratch.tiles[tile][..len]),
                Given::Scalar(s) => Values::One(T::of(self.scalars[s])),
            };
            match *call {
                Call::Unary(f, a) => operation::unary(f, given(a), &mut out[..len]),
                Call::Binary(op, a, b) => operation::binary(op, given(a), given(b), &mut out[..len]),
            }
            self.scratch.tiles[*to] = out;
        }
    }
    fn summed(&mut self, len: usize) {
        let Scratch { sums, tiles, .. } = &mut *self.scratch;
        for (sum, a) in sums.iter_mut().zip(&self.pass.sums) {
            *sum += match a {
                Given::Scalar(s) => self.scalars[*s] * len as f64,
                Given::Tile(tile) => total(&tiles[*tile][..len]),
            };
        }
    }
}

vectorised! {
    /// The sum of numbers, in lanes side by side.
    fn total<T: Real>(numbers: &[T]) -> f64 {
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
