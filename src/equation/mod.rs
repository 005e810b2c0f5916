//! Equations: physics written once, as a graph that is read by solvers, gradients, classes and displays.

mod base;
mod calculus;
mod class;
mod conserved;
mod display;
mod evaluate;
mod expand;
mod explain;
mod expr;
mod folded;
mod form;
mod jacobian;
mod modes;
mod numbers;
mod opaque;
mod parameter;
mod parity;
mod problem;
mod program;
mod refined;
mod residual;
pub(crate) mod script;
pub(crate) mod script_check;
mod script_conservation;
mod script_order;
mod script_residual;
pub(crate) mod script_solve;
pub(crate) mod script_stationary;
mod script_trace;
mod setting;
mod spectral;
mod split;
mod stationary;
mod stencil;
mod stiff;
mod system;
mod timed;
mod transport;

pub use base::{Equation, Unknown};
pub use class::{Class, Facts};
pub use expr::{Expr, Op, Orders, Rank};
pub use form::{Channel, Evolution, Stationary};
pub use opaque::Opaque;
pub use parameter::{Parameter, Value};
pub use problem::{Choices, Solved, Space, Steps};
pub use program::{Code, Program};
pub use residual::{Evaluation, Residuals};
pub use setting::Setting;
pub use spectral::Spectral;
pub use stationary::{Report, Search};
pub use stencil::Stencil;
pub use system::{SpectralSystem, StencilSystem};
pub use transport::Transport;

#[cfg(test)]
mod tests;
