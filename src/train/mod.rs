//! Optimisers and training loops.
//!
//! [`step`] is one step for loops written by hand, [`train`] the loop with batches, checks, averages and checkpoints.
//! An optimiser is a rule in `optimizer/`; its moments are named tensors, so every state of a training is one file.

mod average;
pub mod checkpoint;
mod course;
pub mod optimizer;
mod plan;
mod run;
mod schedule;
pub(crate) mod script;
mod step;
#[cfg(test)]
mod tests;
mod weights;

pub use average::average;
pub use optimizer::{Adam, Guard, Lbfgs, Method, NotFinite, Optimizer, Report, Sgd};
pub use plan::{Batch, EarlyStop, Every, Length, Plan};
pub use run::{Loss, Outcome, Validate, train};
pub use schedule::Schedule;
pub use step::{minimize_step, step, step_keyed};
pub use weights::{load, save};
