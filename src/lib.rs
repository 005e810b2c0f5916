//! Ansatz: differentiable physics as short scripts.

pub mod display;
pub mod equation;
pub mod error;
pub mod field;
pub mod native;
pub mod nn;
pub mod physics;
pub mod plot;
pub mod script;
pub mod sde;

pub mod session;
pub mod solve;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
