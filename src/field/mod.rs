//! Grids, and fields on them.

mod base;
mod grid;

pub use base::Field;
pub use grid::{Axis, Grid};
