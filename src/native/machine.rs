//! One sample and the phases that a compiled step consists of: sums and transforms of columns, operations at points of rows.
//!
//! Everything that a phase does to a block of columns, or to a band of rows, is done before the next one is touched: it stays in cache.
//! Blocks and bands of one phase do not depend on one another, so that threads can share them where one sample is large.

use std::mem::MaybeUninit;
use std::sync::Mutex;

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fused::{self, Program, Tiles};
use super::graph::{Id, Node};
use super::kernels::{self, Factors};
use super::layout::{BAND, Layout};
use super::transform::{Transforms, reals, reals_mut};
use crate::tensor::Real;

/// A multiplier by columns; parts that are 0 everywhere are absent.
#[derive(Clone, Debug, Default)]
pub struct Table<T> {
    /// The real part.
    pub re: Option<Vec<T>>,
    /// The imaginary part.
    pub im: Option<Vec<T>>,
    /// Whether each sample has its own, one after the other.
    pub by_sample: bool,
}

/// `weight · scalar · table · register`.
#[derive(Clone, Copy, Debug)]
pub struct Addend {
    /// What is multiplied.
    pub register: usize,
    /// The multiplier, unless it is 1.
    pub table: Option<usize>,
    /// A number.
    pub weight: f64,
    /// A number that is known when it runs.
    pub scalar: Option<usize>,
    /// Whether the register is 0 in columns that are not kept.
    pub narrow: bool,
}

/// What is done to a block of columns.
#[derive(Clone, Debug)]
pub enum OnColumns {
    /// A register becomes a sum; one that is summed into itself comes first.
    Sum {
        /// The register.
        to: usize,
        /// The sum.
        addends: Vec<Addend>,
        /// Whether columns that are not kept are left alone.
        narrow: bool,
    },
    /// What a pass over rows left under this number is transformed into a register.
    Forward { to: usize, from: usize, narrow: bool },
    /// A register is transformed, for a pass over rows.
    Inverse { register: usize, narrow: bool },
    /// `to ← to + a* b`
    Correlate { to: usize, a: usize, b: usize, narrow: bool },
}

/// What becomes of a result at points.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It is transformed: under which number, and whether all columns are wanted.
    Transform { to: usize, narrow: bool },
    /// It is summed up into a scalar.
    Sum { to: usize },
    /// It is kept.
    Points { to: usize, added: bool },
}

/// A pass over rows.
#[derive(Clone, Debug)]
pub struct OnRows {
    /// Registers whose values at points are needed, and whether columns that are not kept are 0.
    pub inverse: Vec<(usize, bool)>,
    /// Arrays that are read.
    pub arrays: Vec<usize>,
    /// Inputs: those registers, then those arrays.
    pub program: Program,
    /// What becomes of the program's outputs.
    pub results: Vec<(usize, Outcome)>,
}

/// A scalar that is computed from others.
#[derive(Clone, Debug)]
pub struct Computed {
    /// Which one.
    pub to: usize,
    /// How.
    pub node: Node,
    /// Where the arguments of the node are.
    pub places: Vec<(Id, usize)>,
}

/// A part of a step.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The time of the step and a part of it becomes scalar 0.
    Time(f64),
    /// Scalars from others.
    Numbers(Vec<Computed>),
    /// Adds a scalar to a number that is kept.
    Keep { to: usize, scalar: usize },
    /// Over all blocks of columns.
    Columns(Vec<OnColumns>),
    /// Over all bands of rows.
    Rows(OnRows),
}

/// What the samples of a run share.
pub struct Plan<T: Real> {
    /// The shape.
    pub layout: Layout,
    /// The transforms.
    pub transforms: Transforms<T>,
    /// Multipliers.
    pub tables: Vec<Table<T>>,
    /// Registers of columns.
    pub registers: usize,
    /// Results of rows that are transformed.
    pub transformed: usize,
    /// Results at points that are kept.
    pub kept: usize,
    /// Scalars as they are at the beginning.
    pub scalars: Vec<f64>,
    /// Numbers that are kept.
    pub numbers: usize,
    /// Working space that is not in use.
    pub scratch: Mutex<Vec<Scratch<T>>>,
}

/// The working space of one thread.
pub struct Scratch<T> {
    fft: Vec<Complex<T>>,
    column: Vec<Complex<T>>,
    bands: Vec<Complex<T>>,
    inputs: Vec<Vec<Complex<T>>>,
    outputs: Vec<Vec<Complex<T>>>,
    tiles: Tiles<T>,
}

/// Working space that goes back when it is no longer used.
struct Lent<'a, T: Real>(&'a Plan<T>, Option<Scratch<T>>);

impl<T: Real> Lent<'_, T> {
    fn scratch(&mut self) -> Option<&mut Scratch<T>> {
        self.1.as_mut()
    }
}
impl<T: Real> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        if let (Some(scratch), Ok(mut pool)) = (self.1.take(), self.0.scratch.lock()) {
            pool.push(scratch);
        }
    }
}

impl<T: Real> Plan<T> {
    /// Bytes of one sample at work.
    pub fn bytes(&self) -> usize {
        let layout = &self.layout;
        let complex = layout.modes() * (self.registers + self.transformed);
        (2 * complex + layout.points() * self.kept) * size_of::<T>()
    }
    fn lend(&self) -> Lent<'_, T> {
        let kept = self.scratch.lock().ok().and_then(|mut pool| pool.pop());
        let zero = Complex::new(T::default(), T::default());
        let scratch = kept.unwrap_or_else(|| Scratch {
            fft: vec![zero; self.transforms.scratch()],
            column: vec![zero; self.layout.rows],
            bands: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            tiles: Tiles::default(),
        });
        Lent(self, Some(scratch))
    }
}

struct Block<T> {
    columns: std::ops::Range<usize>,
    /// `[register][column][mode]`
    data: Vec<Complex<T>>,
}

struct Band<T> {
    /// `[number][column][row]`
    data: Vec<Complex<T>>,
    /// Results that are kept.
    points: Vec<Vec<T>>,
    sums: Vec<f64>,
}

/// One sample at work.
pub struct Machine<'a, T: Real> {
    blocks: Vec<Block<T>>,
    bands: Vec<Band<T>>,
    /// Numbers that instructions read.
    pub scalars: Vec<T>,
    /// Numbers that are kept.
    pub numbers: Vec<f64>,
    /// Which sample it is.
    pub sample: usize,
    /// Whether threads share the work on this sample.
    pub spread: bool,
    /// Borrowed once: with small samples, threads that ask for it in every phase wait for one another longer than they work.
    own: Lent<'a, T>,
}

impl<'a, T: Real> Machine<'a, T> {
    /// With everything 0.
    pub fn new(plan: &'a Plan<T>, spread: bool) -> Self {
        let layout = &plan.layout;
        let zero = Complex::new(T::default(), T::default());
        let block = |columns: &std::ops::Range<usize>| Block {
            columns: columns.clone(),
            data: vec![zero; plan.registers * columns.len() * layout.rows],
        };
        let band = |i: usize| Band {
            data: vec![zero; plan.transformed * layout.columns * layout.band],
            points: vec![vec![T::default(); layout.rows_of(i).len() * layout.row]; plan.kept],
            sums: Vec::new(),
        };
        Self {
            blocks: layout.blocks.iter().map(block).collect(),
            bands: (0..layout.bands()).map(band).collect(),
            scalars: plan.scalars.iter().map(|s| T::of(*s)).collect(),
            numbers: vec![0.0; plan.numbers],
            sample: 0,
            spread,
            own: plan.lend(),
        }
    }
    /// Copies a register, by columns.
    pub fn read(&self, plan: &Plan<T>, register: usize, to: &mut [Complex<T>]) {
        let rows = plan.layout.rows;
        for block in &self.blocks {
            let len = block.columns.len() * rows;
            to[block.columns.start * rows..][..len].copy_from_slice(&block.data[register * len..][..len]);
        }
    }
    /// Sets a register.
    pub fn write(&mut self, plan: &Plan<T>, register: usize, from: &[Complex<T>]) {
        let rows = plan.layout.rows;
        for block in &mut self.blocks {
            let len = block.columns.len() * rows;
            block.data[register * len..][..len].copy_from_slice(&from[block.columns.start * rows..][..len]);
        }
    }
    /// Whether a register is finite.
    pub fn is_finite(&self, plan: &Plan<T>, register: usize) -> bool {
        self.blocks.iter().all(|block| {
            let len = block.columns.len() * plan.layout.rows;
            kernels::all_finite(reals(&block.data[register * len..][..len]))
        })
    }
    /// Copies points that were kept.
    pub fn points(&self, number: usize, to: &mut [MaybeUninit<T>]) {
        let mut rest = to;
        for band in &self.bands {
            let points = &band.points[number];
            let (part, others) = rest.split_at_mut(points.len());
            part.write_copy_of_slice(points);
            rest = others;
        }
    }
    /// Points that were kept.
    pub fn points_of(&self, number: usize) -> Vec<T> {
        self.bands.iter().flat_map(|band| band.points[number].iter().copied()).collect()
    }

    /// Runs phases; `time` is that of the step, `arrays` are values at points.
    pub fn run(&mut self, plan: &Plan<T>, phases: &[Phase], time: f64, arrays: &[&[T]]) {
        for phase in phases {
            match phase {
                Phase::Time(part) => self.scalars[0] = T::of(time + part),
                Phase::Numbers(list) => {
                    for Computed { to, node, places } in list {
                        let number = |id| places.iter().find(|p| p.0 == id).map_or(T::default(), |p| self.scalars[p.1]);
                        if let Some(value) = fused::of_numbers(node, number) {
                            self.scalars[*to] = value;
                        }
                    }
                }
                Phase::Keep { to, scalar } => self.numbers[*to] += self.scalars[*scalar].f64(),
                Phase::Columns(ops) => self.columns(plan, ops),
                Phase::Rows(pass) => self.rows(plan, pass, arrays),
            }
        }
    }

    fn columns(&mut self, plan: &Plan<T>, ops: &[OnColumns]) {
        let Self { blocks, bands, scalars, sample, own, .. } = self;
        let all = |block: &mut Block<T>, lent: &mut Lent<'_, T>| {
            let Some(scratch) = lent.scratch() else { return };
            for op in ops {
                on_columns(plan, op, block, bands, (scalars, *sample), scratch);
            }
        };
        if self.spread {
            blocks.par_iter_mut().for_each_init(|| plan.lend(), |lent, block| all(block, lent));
        } else {
            blocks.iter_mut().for_each(|block| all(block, own));
        }
    }

    fn rows(&mut self, plan: &Plan<T>, pass: &OnRows, arrays: &[&[T]]) {
        let Self { blocks, bands, scalars, own, .. } = self;
        let all = |(i, band): (usize, &mut Band<T>), lent: &mut Lent<'_, T>| {
            let Some(scratch) = lent.scratch() else { return };
            on_rows(plan, pass, plan.layout.rows_of(i), band, blocks, (scalars, arrays), scratch);
        };
        if self.spread {
            bands.par_iter_mut().enumerate().for_each_init(|| plan.lend(), |lent, band| all(band, lent));
        } else {
            bands.iter_mut().enumerate().for_each(|band| all(band, own));
        }
        let results =
            pass.results.iter().filter_map(|(_, r)| if let Outcome::Sum { to } = r { Some(*to) } else { None });
        for (at, to) in results.enumerate() {
            self.scalars[to] = T::of(self.bands.iter().filter_map(|band| band.sums.get(at)).sum());
        }
    }
}

fn on_columns<T: Real>(
    plan: &Plan<T>,
    op: &OnColumns,
    block: &mut Block<T>,
    bands: &[Band<T>],
    (scalars, sample): (&[T], usize),
    scratch: &mut Scratch<T>,
) {
    let layout = &plan.layout;
    let rows = layout.rows;
    let (count, first) = (block.columns.len(), block.columns.start);
    let len = count * rows;
    let beyond = first >= layout.kept;
    match op {
        OnColumns::Sum { narrow: true, .. }
        | OnColumns::Forward { narrow: true, .. }
        | OnColumns::Inverse { narrow: true, .. }
        | OnColumns::Correlate { narrow: true, .. }
            if beyond => {}
        OnColumns::Sum { to, addends, .. } => {
            let mut written = false;
            for addend in addends.iter().filter(|a| !(beyond && a.narrow)) {
                let table = addend.table.map(|t| &plan.tables[t]);
                let own = table.map_or(0, |t| if t.by_sample { sample * layout.modes() } else { 0 }) + first * rows;
                let weight = T::of(addend.weight) * addend.scalar.map_or(T::of(1.0), |s| scalars[s]);
                let by = Factors {
                    re: table.and_then(|t| t.re.as_ref()).map(|re| &re[own..][..len]),
                    im: table.and_then(|t| t.im.as_ref()).map(|im| &im[own..][..len]),
                    weight,
                };
                if addend.register == *to {
                    kernels::scale(&mut block.data[to * len..][..len], by);
                } else {
                    let (out, v) = two(&mut block.data, *to * len, addend.register * len, len);
                    if written { kernels::add(out, v, by) } else { kernels::write(out, v, by) }
                }
                written = true;
            }
            if !written {
                block.data[to * len..][..len].fill(Complex::new(T::default(), T::default()));
            }
        }
        OnColumns::Forward { to, from, .. } => {
            let out = &mut block.data[to * len..][..len];
            for (number, band) in bands.iter().enumerate() {
                let rows_of = layout.rows_of(number);
                let from = &band.data[(from * layout.columns + first) * layout.band..][..count * layout.band];
                if rows == 1 {
                    out.copy_from_slice(from);
                    break;
                }
                for (column, part) in out.chunks_exact_mut(rows).zip(from.chunks_exact(layout.band)) {
                    column[rows_of.clone()].copy_from_slice(&part[..rows_of.len()]);
                }
            }
            plan.transforms.columns_forward(out, &mut scratch.column, &mut scratch.fft);
        }
        OnColumns::Inverse { register, .. } => {
            let columns = &mut block.data[register * len..][..len];
            plan.transforms.columns_inverse(columns, &mut scratch.column, &mut scratch.fft);
            if layout.by_bands && count > 1 {
                scratch.bands.clear();
                for band in 0..layout.bands() {
                    let rows_of = layout.rows_of(band);
                    columns.chunks_exact(rows).for_each(|own| scratch.bands.extend_from_slice(&own[rows_of.clone()]));
                }
                columns.copy_from_slice(&scratch.bands);
            }
        }
        OnColumns::Correlate { to, a, b, .. } => {
            let range = |register: &usize| register * len..(register + 1) * len;
            if let Ok([out, a, b]) = block.data.get_disjoint_mut([range(to), range(a), range(b)]) {
                kernels::correlate(out, a, b);
            }
        }
    }
}

/// Inputs and results of one pass that have room on the stack.
const FEW: usize = 32;

/// Items in a list: in `few` where there is room, else in `many`.
fn listed<'a, A: Default>(mut items: impl Iterator<Item = A>, few: &'a mut [A], many: &'a mut Vec<A>) -> &'a mut [A] {
    let mut count = 0;
    for (place, item) in few.iter_mut().zip(&mut items) {
        *place = item;
        count += 1;
    }
    let Some(next) = items.next() else { return &mut few[..count] };
    many.extend(few.iter_mut().map(std::mem::take));
    many.push(next);
    many.extend(items);
    many
}

/// Two different parts of a slice.
fn two<A>(data: &mut [A], out: usize, v: usize, len: usize) -> (&mut [A], &[A]) {
    if out < v {
        let (front, back) = data.split_at_mut(v);
        (&mut front[out..out + len], &back[..len])
    } else {
        let (front, back) = data.split_at_mut(out);
        (&mut back[..len], &front[v..v + len])
    }
}

fn on_rows<T: Real>(
    plan: &Plan<T>,
    pass: &OnRows,
    rows: std::ops::Range<usize>,
    band: &mut Band<T>,
    blocks: &[Block<T>],
    (scalars, arrays): (&[T], &[&[T]]),
    scratch: &mut Scratch<T>,
) {
    let (layout, transforms) = (&plan.layout, &plan.transforms);
    let width = transforms.width();
    let (count, numbers) = (rows.len(), rows.len() * layout.row);
    let zero = Complex::new(T::default(), T::default());
    let Scratch { fft, inputs, outputs, tiles, .. } = scratch;
    let enough = |buffers: &mut Vec<Vec<Complex<T>>>, wanted: usize| {
        if buffers.len() < wanted {
            buffers.resize_with(wanted, || vec![zero; layout.band * width]);
        }
    };
    enough(inputs, pass.inverse.len());
    enough(outputs, pass.program.outputs());
    for ((register, narrow), buffer) in pass.inverse.iter().zip(inputs.iter_mut()) {
        let buffer = &mut buffer[..count * width];
        gather(layout, blocks, *register, *narrow, &rows, buffer, width);
        transforms.rows_inverse(buffer, fft);
    }
    {
        let values = inputs[..pass.inverse.len()].iter().map(|buffer| &reals(buffer)[..numbers]);
        let given = pass.arrays.iter().map(|a| &arrays[*a][rows.start * layout.row..][..numbers]);
        let targets = outputs[..pass.program.outputs()].iter_mut().map(|buffer| &mut reals_mut(buffer)[..numbers]);
        // Lists on the stack: a step makes nothing on the heap.
        let (mut few, mut many): ([&[T]; FEW], Vec<&[T]>) = Default::default();
        let sources = listed(values.chain(given), &mut few, &mut many);
        let (mut few, mut many): ([&mut [T]; FEW], Vec<&mut [T]>) = Default::default();
        let targets = listed(targets, &mut few, &mut many);
        pass.program.run(tiles, scalars, sources, targets, numbers);
    }
    band.sums.clear();
    // What is kept as it is comes first: a transform is made in place.
    for (output, result) in &pass.results {
        let values = &reals(&outputs[*output])[..numbers];
        match result {
            Outcome::Sum { .. } => band.sums.push(values.iter().map(|v| v.f64()).sum()),
            Outcome::Points { to, added: false } => band.points[*to].copy_from_slice(values),
            Outcome::Points { to, added: true } => {
                band.points[*to].iter_mut().zip(values).for_each(|(sum, v)| *sum = *sum + *v);
            }
            Outcome::Transform { .. } => {}
        }
    }
    for (output, result) in &pass.results {
        let Outcome::Transform { to, narrow } = result else { continue };
        let buffer = &mut outputs[*output][..count * width];
        transforms.rows_forward(buffer, fft);
        let stored = layout.columns;
        let columns = if *narrow { layout.kept } else { layout.columns };
        let target = &mut band.data[to * stored * layout.band..][..stored * layout.band];
        scatter(buffer, width, layout, columns, target);
    }
}

/// The half spectra of some rows from the columns, one after the other.
fn gather<T: Real>(
    layout: &Layout,
    blocks: &[Block<T>],
    register: usize,
    narrow: bool,
    rows: &std::ops::Range<usize>,
    out: &mut [Complex<T>],
    width: usize,
) {
    let even = layout.row.is_multiple_of(2);
    let columns = if narrow { layout.kept } else { layout.columns };
    let count_of_rows = rows.len();
    for block in blocks.iter().take_while(|block| block.columns.start < columns) {
        let count = block.columns.len();
        let data = &block.data[register * count * layout.rows..][..count * layout.rows];
        if layout.rows == 1 {
            if block.columns.start >= width {
                continue;
            }
            let end = block.columns.end.min(width);
            out[block.columns.start..end].copy_from_slice(&data[..end - block.columns.start]);
            continue;
        }
        let (first, next) = layout.part(count, rows);
        let part = |i: usize| &data[first + i * next..][..count_of_rows];
        let inner = width.saturating_sub(block.columns.start).min(count);
        let mut done = 0;
        if count_of_rows == BAND {
            // Four columns at a time: what is written lies together, as does what is read.
            while done + 4 <= inner {
                let part = |i: usize| part(done + i).first_chunk::<BAND>();
                let (Some(a), Some(b), Some(c), Some(d)) = (part(0), part(1), part(2), part(3)) else { break };
                for (row, out) in out.chunks_exact_mut(width).enumerate().take(BAND) {
                    if let Some(out) = out[block.columns.start + done..].first_chunk_mut::<4>() {
                        *out = [a[row], b[row], c[row], d[row]];
                    }
                }
                done += 4;
            }
        }
        for i in done..inner {
            let targets = out[block.columns.start + i..].iter_mut().step_by(width);
            targets.zip(part(i)).for_each(|(to, from)| *to = *from);
        }
    }
    let zero = Complex::new(T::default(), T::default());
    for (row, out) in rows.clone().zip(out.chunks_exact_mut(width)) {
        if columns < width {
            out[columns..].fill(zero);
        }
        if !even {
            continue;
        }
        // The last column is packed into the first.
        out[0].im = match blocks.last() {
            Some(block) if columns > width => {
                let count = block.columns.len();
                let (first, next) = layout.part(count, rows);
                block.data[register * count * layout.rows + first + (count - 1) * next + row - rows.start].re
            }
            _ => T::default(),
        };
    }
}

/// The half spectra of rows into columns of a band.
fn scatter<T: Real>(rows: &[Complex<T>], width: usize, layout: &Layout, columns: usize, out: &mut [Complex<T>]) {
    let even = layout.row.is_multiple_of(2);
    let inner = columns.min(width);
    let full = rows.len() == BAND * width && layout.band == BAND;
    if full {
        for (column, out) in out.as_chunks_mut::<BAND>().0.iter_mut().take(inner).enumerate() {
            for (row, out) in out.iter_mut().enumerate() {
                *out = rows[row * width + column];
            }
        }
    }
    for (at, row) in rows.chunks_exact(width).enumerate() {
        if !full {
            out[at..].iter_mut().step_by(layout.band).zip(&row[..inner]).for_each(|(to, from)| *to = *from);
        }
        if even {
            let (low, high) = (row[0].re, row[0].im);
            out[at] = Complex::new(low, T::default());
            if columns > width {
                out[width * layout.band + at] = Complex::new(high, T::default());
            }
        }
    }
}
