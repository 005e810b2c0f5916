//! Layers and networks.
//!
//! A [`Module`] is structure without numbers; a [`Net`] is a module with its [`Parameters`]. A layer is a struct with
//! public fields that implements [`Module`]: it names its parameters in `init` and computes in `forward`. Adding one is
//! one file and one row in the tests.
//!
//! Axes are `[sample, channel, x, y, z]` for layers on grids, `[.., feature]` for the others.

mod activation;
mod compose;
mod conv;
mod dropout;
mod embedding;
mod initializer;
mod linear;
mod mlp;
mod module;
mod net;
mod norm;
mod parameters;
mod pool;
mod resnet;
pub(crate) mod script;
pub(crate) mod script_layers;
mod script_scores;
mod spectral_score;
mod summary;
#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use compose::{Custom, Forward, Group, Residual, Sequential, Variables};
pub use conv::{Conv, ConvTranspose, Edges};
pub use dropout::Dropout;
pub use embedding::{FourierFeatures, Sinusoidal, TimeChannel, with_time_channel};
pub use initializer::{Fan, Initializer};
pub use linear::Linear;
pub use mlp::Mlp;
pub use module::{Init, Layer, Mode, Module, Scope};
pub use net::{Evaluation, Net};
pub use norm::{BatchNorm, GroupNorm, LayerNorm};
pub use parameters::Parameters;
pub use pool::{Pool, PoolKind, Refine};
pub use resnet::{ResNet, Surround};
pub use spectral_score::SpectralScore;
pub use summary::{Row, Summary};
