//! Solutions that are known, and orders of convergence.

mod diffusion;
mod multigrid;
mod poisson;
