//! Graphs as kernels of cards, for devices of CubeCL: what the tiles of the processor's lane are there, a thread is here. A thread takes all
//! values of its place through the whole program in registers.
//!
//! | file | what it is |
//! |---|---|
//! | `code` | a graph as instructions that a kernel is made from |
//! | `functions` | functions and operations of numbers |
//! | `paths` | stochastic steps at points, with their noise |
//! | `pass`, `points` | steps on stencils |
//!
//! A kernel is compiled once for each list of instructions. Numbers come in a table, so that another value of a parameter is the same kernel.

mod code;
mod functions;
mod pass;
mod paths;
pub(crate) mod points;

pub(crate) use paths::{Span, Steps};
