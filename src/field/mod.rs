//! Grids, fields on them, and what is done to fields: by stencils, and in Fourier space.

pub mod banded;
mod base;
pub mod difference;
mod edge;
mod grid;
pub(crate) mod interpolate;
pub mod measure;
mod path;
pub mod random;
pub mod resample;
pub(crate) mod script;
mod script_edges;
pub(crate) mod script_fields;
mod script_grids;
pub mod spectral;
pub mod spectrum;
pub mod stencil;
#[cfg(test)]
mod tests;
pub mod transport;

pub use banded::{AxisOperator, Banded};
pub use base::{Field, Names, Source};
pub use edge::{Edge, EdgeFunction, EdgeKind, EdgeValue, Side, SideEdges};
pub use grid::{Axis, Grid, Location};
pub use interpolate::{Interpolation, interpolate};
pub use path::{Path, State};
pub use random::GaussianField;
pub use resample::Refinement;
pub use spectral::SpectralOperator;
