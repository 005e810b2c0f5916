//! Equations in time: what a system offers, the integrators as tables, and rollouts with their gradients.
//!
//! *The system is data, the integrator is an algorithm*: a [`System`] says what `dy/dt` is and which part of it is linear; every
//! integrator takes every system that has the parts it needs, and says which part is missing where it does not.

mod combination;
mod system;
mod vector;

pub use combination::combine;
pub use system::{Linear, Parametrized, Phi, Reach, Separable, System};
pub use vector::{Pair, Vector};

