//! Equations: physics written once, as a graph that is read by solvers, gradients, classes and displays.

mod calculus;
mod class;
mod display;
mod equation;
mod evaluate;
mod expand;
mod expr;
mod folded;
mod form;
mod numbers;
mod opaque;
mod parameter;
mod problem;
mod program;
pub(crate) mod script;
pub(crate) mod script_solve;
mod script_trace;
mod setting;
mod spectral;
mod split;
mod stencil;
mod system;
mod transport;

pub use class::{Class, Facts};
pub use equation::{Equation, Unknown};
pub use expr::{Expr, Op, Orders, Rank};
pub use form::{Channel, Evolution, Stationary};
pub use opaque::Opaque;
pub use parameter::{Parameter, Value};
pub use problem::{Choices, Solved, Space, Steps};
pub use program::{Code, Program};
pub use setting::Setting;
pub use spectral::Spectral;
pub use stencil::Stencil;
pub use system::{SpectralSystem, StencilSystem};
pub use transport::Transport;
