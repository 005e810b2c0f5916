//! Which input point meets which output point through which point of the kernel; always with three spatial axes, the
//! missing ones of length 1.

use super::{ConvOptions, Error, Result, Shape, element_count};

/// The sizes of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Geometry {
    pub samples: usize,
    pub groups: usize,
    /// Channels of one group.
    pub channels_in: usize,
    /// Channels of one group.
    pub channels_out: usize,
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub before: [usize; 3],
    pub dilation: [usize; 3],
    pub options: ConvOptions,
}

/// Lengths of spatial axes, with ones in front.
fn three(lens: &[usize]) -> [usize; 3] {
    let mut out = [1; 3];
    for (to, &from) in out.iter_mut().rev().zip(lens.iter().rev()) {
        *to = from;
    }
    out
}

impl ConvOptions {
    pub(super) fn check(&self, op: &str, dims: usize) -> Result<()> {
        let lens = [("stride", self.stride.len()), ("padding", self.padding.len()), ("dilation", self.dilation.len())];
        if let Some((name, len)) = lens.iter().find(|(_, len)| *len != dims) {
            return Err(Error::option(format!("{op}: `{name}` needs one entry for each spatial axis"))
                .got(format!("{len} entries"))
                .expected(format!("{dims}")));
        }
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.groups == 0 {
            return Err(Error::option(format!("{op}: stride, dilation and groups are at least 1")).got(self));
        }
        Ok(())
    }
}

impl Geometry {
    /// The geometry of `conv` from the shape of its input and its weight.
    pub fn new(op: &str, x: &[usize], w: &[usize], options: &ConvOptions) -> Result<Self> {
        let dims = x.len().wrapping_sub(2);
        if !(1..=3).contains(&dims) || w.len() != x.len() {
            let error = Error::shape(format!("{op}: ranks do not fit"))
                .got(format!("input {x:?}, weight {w:?}"))
                .expected("an input [sample, channel, 1 to 3 spatial axes] and a weight [channel out, channel in, as many axes]");
            // Plain numbers along the spatial axes: a kernel of one channel.
            return Err(if w.len() == dims {
                error.advice(format!("for one channel: reshape(weight, {:?})", [&[1, 1], w].concat()))
            } else {
                error
            });
        }
        options.check(op, dims)?;
        let groups = options.groups;
        if !x[1].is_multiple_of(groups) || !w[0].is_multiple_of(groups) || x[1] / groups != w[1] {
            let error = Error::shape(format!("{op}: channels do not fit"));
            return Err(match groups {
                1 => error
                    .got(format!("input {x:?} with {} channels, weight {w:?} for {}", x[1], w[1]))
                    .expected(format!("a weight [channel out, {}, …]", x[1])),
                _ => error.got(format!("input {x:?}, weight {w:?}, {groups} groups")).expected(format!(
                    "an input [sample, {groups} · c, …] and a weight [{groups} · d, c, …], for any c and d"
                )),
            });
        }
        let mut output = Shape::with_capacity(dims);
        for axis in 0..dims {
            let (n, k) = (x[axis + 2], w[axis + 2]);
            let (before, after) = options.padding[axis];
            let padded = n.checked_add(before).and_then(|n| n.checked_add(after));
            let span =
                k.checked_sub(1).and_then(|k| k.checked_mul(options.dilation[axis])).and_then(|k| k.checked_add(1));
            match (padded, span) {
                (Some(padded), Some(span)) if span <= padded && padded < 1 << 48 => {
                    output.push((padded - span) / options.stride[axis] + 1);
                }
                _ => {
                    return Err(Error::shape(format!("{op}: the kernel is wider than the padded input"))
                        .got(format!("input {x:?}, weight {w:?}, {options}, spatial axis {axis}"))
                        .expected("1 ≤ dilation · (kernel − 1) + 1 ≤ input + padding"));
                }
            }
        }
        let paddings: Vec<usize> = options.padding.iter().map(|p| p.0).collect();
        let mut before = three(&paddings);
        before[..3 - dims].fill(0);
        let geometry = Self {
            samples: x[0],
            groups,
            channels_in: w[1],
            channels_out: w[0] / groups,
            input: three(&x[2..]),
            output: three(&output),
            kernel: three(&w[2..]),
            stride: three(&options.stride),
            before,
            dilation: three(&options.dilation),
            options: options.clone(),
        };
        for shape in [geometry.x_shape(), geometry.w_shape(), geometry.y_shape()] {
            element_count(&shape)?;
        }
        Ok(geometry)
    }

    fn dims(&self) -> usize {
        self.options.stride.len()
    }
    pub fn x_shape(&self) -> Shape {
        [&[self.samples, self.groups * self.channels_in], &self.input[3 - self.dims()..]].concat()
    }
    pub fn w_shape(&self) -> Shape {
        [&[self.groups * self.channels_out, self.channels_in], &self.kernel[3 - self.dims()..]].concat()
    }
    pub fn y_shape(&self) -> Shape {
        [&[self.samples, self.groups * self.channels_out], &self.output[3 - self.dims()..]].concat()
    }
    /// Points of one input channel.
    pub fn input_points(&self) -> usize {
        self.input.iter().product()
    }
    /// Points of one output channel.
    pub fn output_points(&self) -> usize {
        self.output.iter().product()
    }
    /// Points of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }
    /// Whether each output point is made from the input point at the same place only.
    pub fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1; 3] && self.input == self.output && self.before == [0; 3]
    }

    /// The output positions along an axis that meet the input through position `k` of the kernel, and the first input
    /// position they meet.
    fn met(&self, axis: usize, k: usize) -> (usize, usize, usize) {
        let (stride, before, offset) = (self.stride[axis], self.before[axis], k * self.dilation[axis]);
        let first = before.saturating_sub(offset).div_ceil(stride);
        let end = (self.input[axis] + before).saturating_sub(offset).div_ceil(stride).min(self.output[axis]);
        if first >= end { (0, 0, 0) } else { (first, end, first * stride + offset - before) }
    }

    /// For each of the output rows `rows` calls `f(row, first, end, at)`: through the kernel's `tap`, the outputs
    /// `first..end` of the row meet the inputs `at`, `at + stride`, … of the channel. Rows that meet nothing give `0, 0, 0`.
    #[inline(always)]
    pub fn each_row(&self, tap: usize, rows: std::ops::Range<usize>, mut f: impl FnMut(usize, usize, usize, usize)) {
        let [_, kh, kw] = self.kernel;
        let (d, h, w) = (self.met(0, tap / (kh * kw)), self.met(1, tap / kw % kh), self.met(2, tap % kw));
        let [_, height, width] = self.input;
        for row in rows {
            let (od, oh) = (row / self.output[1], row % self.output[1]);
            if od < d.0 || od >= d.1 || oh < h.0 || oh >= h.1 || w.0 == w.1 {
                f(row, 0, 0, 0);
                continue;
            }
            let id = d.2 + (od - d.0) * self.stride[0];
            let ih = h.2 + (oh - h.0) * self.stride[1];
            f(row, w.0, w.1, (id * height + ih) * width + w.2);
        }
    }
}
