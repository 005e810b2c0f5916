//! Graphs as kernels of cards, for devices of CubeCL: what the tiles of the processor's lane are there, a thread is here. A thread takes all
//! values of its place through the whole program in registers.
//!
//! | file | what it is |
//! |---|---|
//! | `code` | a graph as instructions that a kernel is made from |
//! | `functions` | functions and operations of numbers |
//! | `paths` | stochastic steps at points, with their noise |
//! | `points`, `reverse` | steps on stencils, and their gradients |
//! | `pass`, `pieces`, `launch` | one of their passes; the buffer of all arrays |
//! | `pace` | how many steps are queued |
//!
//! A kernel is compiled once for each list of instructions. Numbers come in a table, so that another value of a parameter is the same kernel.

mod code;
mod functions;
mod launch;
mod pace;
mod pass;
mod paths;
mod pieces;
pub(crate) mod points;
pub(crate) mod reverse;

pub(crate) use pace::Pace;
pub(crate) use paths::{Span, Steps};
