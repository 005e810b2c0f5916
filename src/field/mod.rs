//! Grids, fields on them, and what is done to fields in Fourier space.

mod base;
mod grid;
pub mod random;
pub(crate) mod script;
pub mod spectral;
pub mod spectrum;
#[cfg(test)]
mod tests;

pub use base::Field;
pub use grid::{Axis, Grid};
pub use random::GaussianField;
pub use spectral::SpectralOperator;
