//! Optimisers and training loops.
//!
//! [`step`] is one step for loops written by hand, [`train`] the loop with batches, checks, averages and checkpoints.
//! An optimiser is a rule in `optimizer/`; its moments are named tensors, so every state of a training is one file.

mod average;
pub mod checkpoint;
mod course;
mod minimize;
#[cfg(test)]
mod minimize_tests;
pub mod optimizer;
mod plan;
mod run;
mod schedule;
pub(crate) mod script;
pub(crate) mod script_minimize;
mod step;
#[cfg(test)]
mod tests;
mod transform;
mod weights;

pub use average::average;
pub use minimize::{End, Minimization, Minimum, minimize};
pub use optimizer::{Adam, Bounds, Guard, Lbfgs, Method, NotFinite, Optimizer, Report, Sgd};
pub use plan::{Batch, EarlyStop, Every, Length, Plan};
pub use run::{Loss, Outcome, Validate, train};
pub use schedule::Schedule;
pub use step::{minimize_step, step, step_keyed};
pub use transform::Transform;
pub use weights::{load, save};
