//! Layers that make grids coarser and finer, without parameters.

use super::module::{Init, Module, Scope};
use crate::error::Result;
use crate::tensor::{Tensor, Upsample};

/// What is kept of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest element.
    Max,
    /// The mean.
    Mean,
}

/// The largest element, or the mean, of windows over the spatial axes. Windows that would leave the input are dropped.
///
/// Shapes: `[sample, channel, space…]` with 1 to 3 spatial axes, each `(n − window) / stride + 1` long after it.
#[derive(Debug, Clone)]
pub struct Pool {
    /// What is kept.
    pub kind: PoolKind,
    /// Points of the window along each spatial axis; one number counts for all.
    pub window: Vec<usize>,
    /// Distance between windows; the window itself in most networks.
    pub stride: Vec<usize>,
}

/// Each spatial axis of `[sample, channel, space…]` made longer by a whole factor.
#[derive(Debug, Clone)]
pub struct Refine {
    /// The factor along each spatial axis; one number counts for all.
    pub factor: Vec<usize>,
    /// How new points are filled.
    pub method: Upsample,
}

/// One number counts for all spatial axes.
fn per_axis(numbers: &[usize], x: &Tensor) -> Vec<usize> {
    match numbers {
        [n] => vec![*n; x.rank().saturating_sub(2)],
        _ => numbers.to_vec(),
    }
}

fn above_zero(init: &Init, numbers: &[&[usize]]) -> Result<()> {
    if numbers.iter().any(|n| n.is_empty() || n.contains(&0)) {
        return Err(init.unfit("window, stride and factor must be 1 or more").got(format!("{numbers:?}")));
    }
    Ok(())
}

impl Module for Pool {
    fn describe(&self) -> String {
        let kind = if self.kind == PoolKind::Max { "max" } else { "mean" };
        format!("{kind} over windows {:?}", self.window)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        above_zero(init, &[&self.window, &self.stride])
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        let (window, stride) = (per_axis(&self.window, x), per_axis(&self.stride, x));
        let y = if self.kind == PoolKind::Max { x.max_pool(&window, &stride) } else { x.avg_pool(&window, &stride) };
        y.map_err(|e| e.within(scope.path()))
    }
}

impl Module for Refine {
    fn describe(&self) -> String {
        format!("upsample by {:?}", self.factor)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        above_zero(init, &[&self.factor])
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        x.upsample(&per_axis(&self.factor, x), self.method).map_err(|e| e.within(scope.path()))
    }
}
