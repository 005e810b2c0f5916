//! Equations without time: `−div(a grad u) + c u = f`, and systems of linear equations in general.
//!
//! - [`krylov`]: conjugate gradients, BiCGStab and GMRES for any operator on tensors;
//! - `direct`: constant coefficients on a box, by transforms.

mod direct;
pub mod krylov;

pub use direct::Incompatible;
pub use krylov::SolveReport;
