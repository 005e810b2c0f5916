//! Equations without time: `−div(a grad u) + c u = f`, and systems of linear equations in general.
//!
//! - [`krylov`]: conjugate gradients, BiCGStab and GMRES for any operator on tensors;
//! - [`poisson`]: constant coefficients on a box, by transforms (`direct`);
//! - [`Diffusion`]: variable coefficients on cells, by conjugate gradients with a multigrid cycle (`multigrid`), a differentiable function of
//!   all of them ([`Conductances`]);
//! - [`Inverse`]: something near the inverse of any operator that reaches a few points far, from its matrix.

mod assembled;
mod conductances;
mod diffusion;
mod direct;
mod ends;
pub mod krylov;
mod multigrid;
mod poisson;
pub(crate) mod script;

pub use assembled::{Inverse, Lattice, Preconditioner};
pub use conductances::{Conductances, Solve};
pub use diffusion::{Diffusion, FaceMean};
pub use direct::Incompatible;
pub use krylov::SolveReport;
pub use poisson::{poisson, poisson_of};

#[cfg(test)]
mod tests;
