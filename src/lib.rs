//! Ansatz: differentiable physics as short scripts.

pub mod error;
pub mod field;
pub mod plot;
pub mod script;
pub mod session;
pub mod tensor;

pub use error::{Error, Result};
