//! Incompressible flows on cells: velocities at faces, pressure and smoke at centres.
//!
//! [`Domain`] says what the box is, [`Staggered`] is a velocity in it. Everything is differentiable: advection through its interpolation, the
//! projection through the pressure's own equation.

mod advect;
mod domain;
mod interpolate;
pub(crate) mod script;
mod smoke;
mod staggered;
#[cfg(test)]
mod tests;

pub use advect::{Advection, advect, advect_velocity, buoyancy};
pub use domain::{Domain, Side};
pub use smoke::SmokeStep;
pub use staggered::Staggered;
