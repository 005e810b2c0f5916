//! Optimisers and training loops.

pub mod optimizer;
mod schedule;
mod step;

pub use optimizer::{Adam, Guard, Lbfgs, Method, NotFinite, Optimizer, Report, Sgd};
pub use schedule::Schedule;
pub use step::{minimize_step, step, step_keyed};
