//! Grids, fields on them, and what is done to fields: by stencils, and in Fourier space.

pub mod banded;
mod base;
mod edge;
mod grid;
pub mod random;
pub(crate) mod script;
pub mod spectral;
pub mod spectrum;
pub mod stencil;
#[cfg(test)]
mod tests;

pub use banded::{AxisOperator, Banded};
pub use base::Field;
pub use edge::{Edge, EdgeFunction, EdgeKind, EdgeValue, Side, SideEdges};
pub use grid::{Axis, Grid, Location};
pub use random::GaussianField;
pub use spectral::SpectralOperator;
