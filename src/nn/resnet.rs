//! The encoder–decoder of residual blocks that the SMDP paper uses as its score.

use std::rc::Rc;

use super::activation::Activation;
use super::conv::{Conv, ConvTranspose, Edges};
use super::dropout::Dropout;
use super::embedding::with_time_channel;
use super::module::{Init, Layer, Module, Scope};
use crate::error::Result;
use crate::tensor::{Padding, Tensor};

/// How the network treats a periodic field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surround {
    /// So many points of the other side are put around the field, all convolutions see zeros beyond those, and the frame is cut
    /// off at the end. 16 in the paper, which makes 64×64 points of 32×32.
    Tiled(usize),
    /// Every convolution is periodic: four times cheaper at 32×32, the same parameters, and exactly equivariant to shifts.
    Periodic,
    /// Zeros beyond the edges.
    Zeros,
}

/// ```text
/// x₀ = conv(state, t)                       encoder, i = 1 … n:  xᵢ = σ(conv(σ(conv(xᵢ₋₁)))) + xᵢ₋₁
/// z  = conv1(xₙ)                            the bottleneck
/// y₀ = convᵀ(z)                             decoder, i < n:      yᵢ = D(σ(convᵀ(σ(convᵀ(yᵢ₋₁))))) + yᵢ₋₁
/// y  = conv5(σ(convᵀ(σ(convᵀ(yₙ₋₁)))))      where the middle block m = (n + 1)/2 adds xₘ as well
/// ```
///
/// Inputs: the state `[sample, channels, space…]` and the time `[]` or `[sample]`, which enters as one more channel, constant in space.
/// Output: `[sample, outputs, space…]`. With the defaults 330 754 parameters.
///
/// In the authors' code the middle block of the decoder computes its convolutions and then drops them: `yₘ = xₘ + yₘ₋₁`. `published` does
/// so too (its weights stay as they began); without it they are added. Their dropout of 0.5 acts with a constant mask,
/// also when sampling; here it is 0.
///
/// Source: Holzschuh et al., Score Matching via Differentiable Physics, and `heat-diffusion/models/ModelLoader.py` of tum-pbs/SMDP.
#[derive(Debug, Clone)]
pub struct ResNet {
    /// Channels of the state.
    pub channels: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Channels in between.
    pub width: usize,
    /// Channels of the bottleneck.
    pub bottleneck: usize,
    /// Residual blocks on each side.
    pub blocks: usize,
    /// Points of the kernels along each axis.
    pub kernel: usize,
    /// Points of the last kernel along each axis.
    pub last_kernel: usize,
    /// Spatial axes.
    pub dims: usize,
    /// Whether there is a time.
    pub time: bool,
    /// What lies beyond the edges.
    pub surround: Surround,
    /// The function between.
    pub activation: Activation,
    /// Dropout in the decoder.
    pub dropout: f64,
    /// Whether the middle block of the decoder is as in the authors' code.
    pub published: bool,
}

impl Default for ResNet {
    fn default() -> Self {
        Self {
            channels: 1,
            outputs: 1,
            width: 32,
            bottleneck: 1,
            blocks: 5,
            kernel: 4,
            last_kernel: 5,
            dims: 2,
            time: true,
            surround: Surround::Tiled(16),
            activation: Activation::LeakyRelu(0.01),
            dropout: 0.0,
            published: false,
        }
    }
}

impl ResNet {
    fn conv(&self, inputs: usize, outputs: usize, kernel: usize) -> Conv {
        let edges = if self.surround == Surround::Periodic { Edges::Periodic } else { Edges::Same };
        Conv::new(inputs, outputs, &vec![kernel; self.dims]).with_edges(edges)
    }
    fn spread(&self, inputs: usize) -> ConvTranspose {
        ConvTranspose(self.conv(inputs, self.width, self.kernel))
    }
    fn inputs(&self) -> usize {
        self.channels + usize::from(self.time)
    }
    fn middle(&self) -> usize {
        self.blocks.div_ceil(2)
    }
    fn block(&self, scope: &Scope, name: &str, layer: &dyn Module, x: &Tensor) -> Result<Tensor> {
        let mut y = x.clone();
        for half in 0..2 {
            y = self.activation.apply(&scope.run(&format!("{name}.{half}"), layer, &[y])?)?;
        }
        Ok(y)
    }
    fn framed(&self, scope: &Scope, x: &Tensor) -> Result<Tensor> {
        let Surround::Tiled(width) = self.surround else { return Ok(x.clone()) };
        let mut framed = x.clone();
        for axis in 2..x.rank() {
            framed = framed.pad(axis as i64, width, width, Padding::Periodic).map_err(|_| {
                scope.misfit(
                    self,
                    format!("shape {:?}", x.shape()),
                    format!("axes of {width} points or more, which are put around the field"),
                )
            })?;
        }
        Ok(framed)
    }
    fn unframed(&self, y: Tensor, like: &[usize]) -> Result<Tensor> {
        let Surround::Tiled(width) = self.surround else { return Ok(y) };
        like.iter().enumerate().skip(2).try_fold(y, |y, (axis, &len)| y.narrow(axis, width, len))
    }
}

impl Module for ResNet {
    fn describe(&self) -> String {
        format!("resnet {} → {}, {} blocks of {}", self.inputs(), self.outputs, 2 * self.blocks, self.width)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        if self.blocks < 2 || !(1..=3).contains(&self.dims) {
            return Err(init
                .unfit("a resnet has 2 blocks or more and 1 to 3 axes")
                .got(format!("{} blocks, {} axes", self.blocks, self.dims)));
        }
        Dropout::new(self.dropout).init(init)?;
        init.children(&self.children())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = if self.time { with_time_channel(scope, self, inputs)? } else { scope.single(self, inputs)?.clone() };
        let shape = x.shape();
        if shape.len() != self.dims + 2 || shape.get(1) != Some(&self.inputs()) || x.is_empty() {
            let got = inputs.first().map_or(Vec::new(), Tensor::shape);
            return Err(scope.misfit(
                self,
                format!("a state of shape {got:?}"),
                format!("[sample, {}, {} spatial axes]", self.channels, self.dims),
            ));
        }
        let middle = self.middle();
        let conv = self.conv(self.width, self.width, self.kernel);
        let mut x =
            scope.run("first", &self.conv(self.inputs(), self.width, self.kernel), &[self.framed(scope, &x)?])?;
        let mut bridge = x.clone();
        for i in 1..=self.blocks {
            x = self.block(scope, &format!("encoder.{i}"), &conv, &x)?.add(&x)?;
            if i == middle {
                bridge = x.clone();
            }
        }
        let z = scope.run("bottleneck", &self.conv(self.width, self.bottleneck, 1), &[x])?;
        let mut y = scope.run("spread", &self.spread(self.bottleneck), &[z])?;
        let (spread, dropout) = (self.spread(self.width), Dropout::new(self.dropout));
        for i in 1..self.blocks {
            if i == middle {
                if !self.published {
                    let change = self.block(scope, &format!("decoder.{i}"), &spread, &y)?;
                    y = y.add(&scope.run(&format!("decoder.{i}"), &dropout, &[change])?)?;
                }
                y = y.add(&bridge)?;
            } else {
                let change = self.block(scope, &format!("decoder.{i}"), &spread, &y)?;
                y = y.add(&scope.run(&format!("decoder.{i}"), &dropout, &[change])?)?;
            }
        }
        y = self.block(scope, &format!("decoder.{}", self.blocks), &spread, &y)?;
        self.unframed(scope.run("last", &self.conv(self.width, self.outputs, self.last_kernel), &[y])?, &shape)
    }
    fn children(&self) -> Vec<(String, Layer)> {
        let conv: Layer = Rc::new(self.conv(self.width, self.width, self.kernel));
        let spread: Layer = Rc::new(self.spread(self.width));
        let side = |name: &'static str, layer: Layer| {
            (1..=self.blocks).flat_map(move |i| {
                let layer = layer.clone();
                (0..2).map(move |half| (format!("{name}.{i}.{half}"), layer.clone()))
            })
        };
        let one = |name: &str, layer: Layer| std::iter::once((name.to_string(), layer));
        one("first", Rc::new(self.conv(self.inputs(), self.width, self.kernel)))
            .chain(side("encoder", conv))
            .chain(one("bottleneck", Rc::new(self.conv(self.width, self.bottleneck, 1))))
            .chain(one("spread", Rc::new(self.spread(self.bottleneck))))
            .chain(side("decoder", spread))
            .chain(one("last", Rc::new(self.conv(self.width, self.outputs, self.last_kernel))))
            .collect()
    }
}
