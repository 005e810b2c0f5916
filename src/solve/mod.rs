//! Solvers.

pub mod elliptic;
