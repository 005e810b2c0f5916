//! The native lane: an evolution on a periodic grid as one compiled program for the CPU.
//!
//! Tensor operations run one after the other, each over all samples: a long step reads and writes main memory some twenty times, and a
//! small one spends its time on handles. Here the right-hand side and the integrator become a list of *phases* that is run
//! for one sample after the other, on the data of that sample, which stays in cache; plans, tables and buffers are made
//! once. The lane of tensors remains the reference: both agree to rounding.
//!
//! | file | what it is |
//! |---|---|
//! | `graph`, `adjoint` | a right-hand side as data, and its reverse, which is a right-hand side again |
//! | `step` | an integrator as data: the ones of [`solve`](crate::solve), called once with states that write down what is done |
//! | `assemble` | both together as phases over columns and rows |
//! | `layout`, `transform` | how a sample lies in memory; Fourier transforms as one pass over rows and one over columns |
//! | `fused`, `operation`, `kernels` | elementwise programs over tiles; the loops |
//! | `simd`, `math` | loops for several widths of vectors; elementary functions over arrays |
//! | `kernel` | functions of numbers as loops of machine code |
//! | `points` | steps at points: differences, edges, fluxes |
//! | `machine` | one sample at work |
//! | `paths` | stochastic steps at points, with their noise |
//! | `cube` | the same graphs as kernels of cards |
//! | `march`, `reverse` | all samples through all steps, and back |
//!
//! No part knows an equation by name.

pub(crate) mod adjoint;
pub(crate) mod along;
pub(crate) mod assemble;
#[cfg(feature = "cubecl")]
pub(crate) mod cube;
pub(crate) mod fused;
pub(crate) mod graph;
pub(crate) mod kernel;
mod kernels;
pub(crate) mod layout;
pub(crate) mod machine;
pub(crate) mod march;
pub mod math;
mod operation;
pub(crate) mod paths;
pub(crate) mod points;
pub(crate) mod reverse;
pub(crate) mod simd;
pub(crate) mod step;
pub(crate) mod transform;

pub(crate) use kernels::all_finite as is_finite;
