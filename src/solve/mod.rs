//! Solvers.

pub mod elliptic;
pub mod flow;
