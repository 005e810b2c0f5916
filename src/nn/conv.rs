//! Convolutions on grids, and their transposes.

use super::initializer::{Fan, Initializer};
use super::module::{Init, Module, Scope};
use crate::error::Result;
use crate::tensor::{ConvOptions, Padding, Tensor, same_padding};

/// What lies beyond the edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edges {
    /// Nothing: the result is smaller by the kernel.
    Valid,
    /// Zeros, as many as keep the length (divided by the stride, rounded up); where their number is odd, the larger part comes
    /// after the points, so `(1, 2)` for a kernel of 4: the rule of JAX and TensorFlow.
    Same,
    /// The other side, in the widths of [`Same`](Self::Same): the convolution of a periodic field.
    Periodic,
    /// So many zeros before and after, per axis.
    Zeros(Vec<(usize, usize)>),
}

/// `y[n, o, p] = b[o] + Σ x[n, c, p · stride + k · dilation − before] w[o, c, k]`.
///
/// Shapes: `x [sample, inputs, space…]`, `weight [outputs, inputs / groups, kernel…]`, `bias [outputs]`, with 1 to 3 spatial axes.
#[derive(Debug, Clone)]
pub struct Conv {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Points of the kernel along each axis.
    pub kernel: Vec<usize>,
    /// Distance between outputs; 1.
    pub stride: Vec<usize>,
    /// Distance between points of the kernel; 1.
    pub dilation: Vec<usize>,
    /// Groups of channels; 1.
    pub groups: usize,
    /// What lies beyond the edges; [`Edges::Same`].
    pub edges: Edges,
    /// Whether `b` is added.
    pub bias: bool,
    /// How the weight begins; [`Initializer::LecunNormal`].
    pub weight_init: Initializer,
}

/// The transpose of [`Conv`] (its gradient with respect to `x`), with a weight of its own: it spreads each point over a kernel,
/// and with a stride makes the grid finer. [`Edges::Same`] and [`Edges::Periodic`] give `stride` times the length.
///
/// Shapes: `x [sample, inputs, space…]`, `weight [inputs, outputs / groups, kernel…]`, `bias [outputs]`. With a stride of 1 this is a
/// convolution with the mirrored kernel; JAX's transposed convolution has the same zeros and does not mirror it.
#[derive(Debug, Clone)]
pub struct ConvTranspose(pub Conv);

impl Conv {
    /// With stride and dilation 1, one group, zeros at the edges and a bias that begins at 0.
    pub fn new(inputs: usize, outputs: usize, kernel: &[usize]) -> Self {
        let dims = kernel.len();
        Self {
            inputs,
            outputs,
            kernel: kernel.to_vec(),
            stride: vec![1; dims],
            dilation: vec![1; dims],
            groups: 1,
            edges: Edges::Same,
            bias: true,
            weight_init: Initializer::LecunNormal,
        }
    }
    /// With other edges.
    pub fn with_edges(self, edges: Edges) -> Self {
        Self { edges, ..self }
    }
    /// With another stride along every axis.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride: vec![stride; self.kernel.len()], ..self }
    }
    /// With another beginning of the weight.
    pub fn with_weight_init(self, weight_init: Initializer) -> Self {
        Self { weight_init, ..self }
    }
    fn sizes(&self) -> String {
        let kernel: Vec<String> = self.kernel.iter().map(usize::to_string).collect();
        let edges = if self.edges == Edges::Periodic { " periodic" } else { "" };
        format!("{} → {}, {}{edges}", self.inputs, self.outputs, kernel.join("×"))
    }
    fn steps(&self) -> String {
        format!("kernel {:?}, stride {:?}, dilation {:?}", self.kernel, self.stride, self.dilation)
    }
    fn prepare(&self, init: &mut Init, transposed: bool) -> Result<()> {
        let dims = self.kernel.len();
        if !(1..=3).contains(&dims) || self.stride.len() != dims || self.dilation.len() != dims {
            return Err(init
                .unfit("a convolution has 1 to 3 axes, and as many strides and dilations")
                .got(self.steps()));
        }
        if self.kernel.iter().chain(&self.stride).chain(&self.dilation).any(|&n| n == 0 || n > 1 << 20) {
            return Err(init.unfit("kernel, stride and dilation must be 1 or more").got(self.steps()));
        }
        if self.groups == 0 || !self.inputs.is_multiple_of(self.groups) || !self.outputs.is_multiple_of(self.groups) {
            return Err(init
                .unfit("the groups must divide the channels")
                .got(format!("{} → {} in {}", self.inputs, self.outputs, self.groups)));
        }
        if matches!(&self.edges, Edges::Zeros(widths) if widths.len() != dims) {
            return Err(init.unfit("zeros before and after are given for each axis"));
        }
        let (first, second) = if transposed {
            (self.inputs, self.outputs / self.groups)
        } else {
            (self.outputs, self.inputs / self.groups)
        };
        let shape: Vec<usize> = [first, second].into_iter().chain(self.kernel.iter().copied()).collect();
        let points = self.kernel.iter().fold(1usize, |n, &k| n.saturating_mul(k));
        let fan = Fan {
            inputs: (self.inputs / self.groups).saturating_mul(points),
            outputs: (self.outputs / self.groups).saturating_mul(points),
        };
        init.parameter("weight", &shape, self.weight_init, fan)?;
        if self.bias { init.parameter("bias", &[self.outputs], Initializer::Zeros, fan) } else { Ok(()) }
    }
    fn checked<'a>(&self, module: &dyn Module, scope: &Scope, inputs: &'a [Tensor]) -> Result<(&'a Tensor, Vec<Axis>)> {
        let x = scope.single(module, inputs)?;
        let shape = x.shape();
        let expected = || format!("[sample, {}, {} spatial axes]", self.inputs, self.kernel.len());
        if shape.len() != self.kernel.len() + 2 || shape.get(1) != Some(&self.inputs) || x.is_empty() {
            return Err(scope.misfit(module, format!("shape {shape:?}"), expected()));
        }
        let axes = self.kernel.iter().zip(&self.stride).zip(&self.dilation).zip(shape.iter().skip(2));
        Ok((
            x,
            axes.map(|(((&kernel, &stride), &dilation), &len)| Axis { len, span: (kernel - 1) * dilation + 1, stride })
                .collect(),
        ))
    }
    fn options(&self, padding: Vec<(usize, usize)>) -> ConvOptions {
        ConvOptions {
            stride: self.stride.clone(),
            padding,
            dilation: self.dilation.clone(),
            groups: self.groups,
            ..ConvOptions::new(self.stride.len())
        }
    }
    fn biased(&self, scope: &Scope, y: Tensor) -> Result<Tensor> {
        if !self.bias {
            return Ok(y);
        }
        let shape: Vec<usize> = (0..y.rank()).map(|axis| if axis == 1 { self.outputs } else { 1 }).collect();
        y.add(&scope.parameter("bias")?.reshape(&shape)?)
    }
}

/// One spatial axis: points, reach of the kernel, stride.
struct Axis {
    len: usize,
    span: usize,
    stride: usize,
}

impl Axis {
    /// Points before and after that keep the length.
    fn same(&self) -> (usize, usize) {
        same_padding(self.len, self.span, self.stride)
    }
    /// Points cut off before and after a transposed convolution, and points added after it.
    fn same_transposed(&self) -> (usize, usize, usize) {
        let total = self.span.saturating_sub(self.stride);
        (total / 2, total - total / 2, self.stride.saturating_sub(self.span))
    }
    /// As [`same_transposed`](Self::same_transposed), after so many points of the other side were put before and after.
    fn wrapped_transposed(&self) -> (usize, usize, usize, usize, usize) {
        let (before, ..) = self.same_transposed();
        // The outputs from 0 to len · stride − 1 are reached from these inputs.
        let front = (self.span - 1 - before).div_ceil(self.stride);
        let back = before.div_ceil(self.stride);
        let grown = (self.len + front + back - 1) * self.stride + self.span;
        let cut = front * self.stride + before;
        let (wanted, left) = (self.len * self.stride, grown.saturating_sub(cut));
        (front, back, cut, left.saturating_sub(wanted), wanted.saturating_sub(left))
    }
}

/// Refuses axes that a periodic kernel reaches around more than once.
fn refuse_short(scope: &Scope, module: &dyn Module, x: &Tensor, widths: &[(usize, usize)]) -> Result<()> {
    let long = x.shape().iter().skip(2).zip(widths).all(|(len, (before, after))| before.max(after) <= len);
    if long {
        return Ok(());
    }
    Err(scope.misfit(module, format!("shape {:?}", x.shape()), "axes at least as long as the kernel reaches"))
}

/// A tensor extended by its other side, axis by axis.
fn wrapped(scope: &Scope, module: &dyn Module, x: &Tensor, widths: &[(usize, usize)]) -> Result<Tensor> {
    let mut out = x.clone();
    for (i, &(before, after)) in widths.iter().enumerate() {
        out = out.pad(i as i64 + 2, before, after, Padding::Periodic).map_err(|_| {
            scope.misfit(module, format!("shape {:?}", x.shape()), "axes at least as long as the kernel reaches")
        })?;
    }
    Ok(out)
}

impl Module for Conv {
    fn describe(&self) -> String {
        format!("conv {}", self.sizes())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        self.prepare(init, false)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let (x, axes) = self.checked(self, scope, inputs)?;
        let none = vec![(0, 0); axes.len()];
        let same: Vec<_> = axes.iter().map(Axis::same).collect();
        let padding = match &self.edges {
            Edges::Valid | Edges::Periodic => none,
            Edges::Same => same.clone(),
            Edges::Zeros(widths) => widths.clone(),
        };
        let (weight, options) = (scope.parameter("weight")?, self.options(padding));
        let y = match &self.edges {
            Edges::Periodic => {
                refuse_short(scope, self, x, &same)?;
                x.conv_periodic(&weight, &same, &options)
            }
            _ => x.conv(&weight, &options),
        };
        let y = y.map_err(|e| e.within(scope.path()))?;
        self.biased(scope, y)
    }
}

impl Module for ConvTranspose {
    fn describe(&self) -> String {
        format!("transposed conv {}", self.0.sizes())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        self.0.prepare(init, true)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let (x, axes) = self.0.checked(self, scope, inputs)?;
        let (x, cuts): (Tensor, Vec<(usize, usize, usize)>) = match &self.0.edges {
            Edges::Valid => (x.clone(), vec![(0, 0, 0); axes.len()]),
            Edges::Zeros(widths) => (x.clone(), widths.iter().map(|&(a, b)| (a, b, 0)).collect()),
            Edges::Same => (x.clone(), axes.iter().map(Axis::same_transposed).collect()),
            Edges::Periodic => {
                let plans: Vec<_> = axes.iter().map(Axis::wrapped_transposed).collect();
                let widths: Vec<_> = plans.iter().map(|&(front, back, ..)| (front, back)).collect();
                (wrapped(scope, self, x, &widths)?, plans.into_iter().map(|(_, _, a, b, more)| (a, b, more)).collect())
            }
        };
        let padding = cuts.iter().map(|&(before, after, _)| (before, after)).collect();
        let more: Vec<usize> = cuts.iter().map(|&(.., more)| more).collect();
        let y = x
            .conv_transpose(&scope.parameter("weight")?, &self.0.options(padding), &more)
            .map_err(|e| e.within(scope.path()))?;
        self.0.biased(scope, y)
    }
}
