//! Evolutions at points as compiled programs: differences, edges, fluxes, whole steps at once.
//!
//! A step of an integrator is one graph: the right-hand side at each stage with the sums between them, where a difference is a sum of
//! linear maps along axes ([`Node::Along`](super::graph::Node::Along)). What maps read is written to memory, or computed again where that is
//! cheaper; everything between stays in registers. The reverse of a step is a graph of the same kind, with transposed maps.
//!
//! | file | what it is |
//! |---|---|
//! | `steps` | an integrator with a right-hand side as graphs: a step, a step that keeps what its reverse needs, its reverse |
//! | `assemble` | graphs as passes over arrays, with as few arrays as are alive at once |
//! | `program` | the instructions of a pass |
//! | `compiled`, `run` | a pass as loops of machine code, and those loops at work |
//! | `body`, `builder` | its instructions in stages, and the functions that become loops |
//! | `lying` | how arrays lie, and which weights maps have at a place |
//! | `machine` | a block of samples at work |
//! | `march`, `back` | all samples through all steps, and back |
//! | `restore` | integrals that differences keep, kept from rounding too |

pub(in crate::native) mod assemble;
pub(crate) mod back;
mod body;
mod builder;
mod compiled;
mod lying;
pub(crate) mod machine;
pub(crate) mod march;
pub(in crate::native) mod program;
pub(crate) mod restore;
mod run;
pub(crate) mod steps;

pub(super) use program::MOST_PARTS;
