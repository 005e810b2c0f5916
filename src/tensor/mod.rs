//! The one door to Burn: tensors of dynamic rank, their operations and gradients.
//!
//! Everything a script computes with is a [`Tensor`]: `f32` or `f64` numbers on a device chosen at run time. Values live in
//! Burn's runtime-dispatched tensors; shapes, ranks and sizes are checked here before Burn is called, because Burn
//! panics on misuse by design. Gradients come from [`tape`](self) rules written next to each operation.

mod arrange;
mod base;
mod binary;
mod chain;
mod complex;
mod context;
mod conv;
pub mod counts;
pub mod device;
mod display;
pub mod einsum;
pub(crate) mod elementwise;
mod extreme;
pub mod fft;
pub mod file;
mod filled;
mod linalg;
mod pool;
mod product;
pub mod random;
mod reduce;
pub(crate) mod script;
pub(crate) mod script_complex;
pub(crate) mod script_gradients;
pub(crate) mod script_linear;
pub(crate) mod script_random;
mod shape;
mod share;
mod solve;
mod tape;
mod unary;
mod weighted;

pub(crate) use crate::native::simd;
pub(crate) use arrange::Index;
pub use arrange::{Padding, Span};
pub use base::Tensor;
pub(crate) use base::{Real, in_precision};
pub use binary::{Binary, Compare};
pub use complex::Complex;
pub(crate) use context::Claim;
pub use context::{Context, Precision, human_bytes};
pub use conv::{ConvOptions, same_padding};
pub use counts::Counts;
pub use device::Device;
pub use display::number;
pub use einsum::einsum;
pub use fft::{
    fft, fftfreq, fftshift, fourier_multiply, fourier_multiply_real, ifft, ifftshift, irfft, rfft, rfftfreq,
};
pub use pool::Upsample;
pub use shape::{Shape, axes_indices, axis_index, broadcast, element_count, infer_shape, position, strides};
pub(crate) use share::share;
pub(crate) use simd::vectorised;
pub use tape::{Differentiated, jvp, value_and_gradient, vjp};
pub(crate) use tape::{Recorded, Staged, depends_on_older, record_joint, unbroadcast};
#[cfg(feature = "cubecl")]
pub(crate) use unary::SHORT_ANGLE;
pub use unary::Unary;
pub(crate) use weighted::weighted_sum;

#[cfg(test)]
pub(crate) mod tests;
