//! Ansatz: differentiable physics as short scripts.

pub mod error;
pub mod nn;
pub mod session;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
