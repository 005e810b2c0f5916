//! Equations in time: what a system offers, the integrators as tables, and rollouts with their gradients.
//!
//! *The system is data, the integrator is an algorithm*: a [`System`] says what `dy/dt` is and which part of it is linear; every
//! integrator takes every system that has the parts it needs, and says which part is missing where it does not.
//!
//! ```ignore
//! let rollout = Rollout { method: Method::named("etdrk4")?, steps: StepRule::MaxStep(0.01), checkpoints: Checkpoints::Sqrt };
//! let solution = rollout.run(&system, &u_hat, &times, Some(&mut session.progress("solve", rollout.total(&times))))?;
//! ```
//!
//! | file | what it decides |
//! |---|---|
//! | `vector`, `system` | what a state and a system are |
//! | `symbol`, `phi`, `multiplier` | linear parts in Fourier space and their functions |
//! | `tableau`, `imex`, `symplectic`, `exponential`, `implicit`, `diagonal` | the methods |
//! | `newton`, `krylov` | the equations of implicit steps and their adjoint |
//! | `rollout`, `adaptive`, `checkpoint`, `stability` | steps over time, their length, their gradients |

mod adaptive;
mod checkpoint;
mod combination;
mod counting;
mod diagonal;
mod doubling;
pub(crate) mod eigenvalues;
pub mod elliptic;
mod explicit;
mod exponential;
pub mod flow;
mod function;
mod imex;
mod implicit;
mod krylov;
mod method;
mod multiplier;
mod newton;
mod phi;
mod rollout;
pub(crate) mod script;
mod stability;
mod symbol;
mod symplectic;
mod system;
mod tableau;
mod vector;

pub use adaptive::Adaptive;
pub(crate) use adaptive::refuse_start;
pub use combination::combine;
pub use diagonal::ESDIRK4;
pub use doubling::enough_steps;
pub(crate) use doubling::{difference, enough, largest};
pub use exponential::Exponential;
pub use function::{Function, RightHandSide};
pub use imex::{ARS_222, ARS_443, ImexTableau};
pub use implicit::Implicit;
pub use method::{Memory, Method, Step};
pub(crate) use multiplier::{Multiplier, multiply};
pub use rollout::{Checkpoints, Rollout, Solution, Statistics, StepRule};
pub(crate) use rollout::{MOST_STEPS, Planned, grown, not_finite};
pub(crate) use symbol::Function as SymbolFunction;
pub use symbol::Symbol;
pub use symplectic::{Acceleration, LEAPFROG, Motion, Part, SYMPLECTIC_EULER, Splitting, VERLET, YOSHIDA_4};
pub use system::{Linear, Parametrized, Phi, Reach, Resolvent, Separable, System};
pub use tableau::{BOGACKI_SHAMPINE, DORMAND_PRINCE, EULER, Embedded, HEUN, MIDPOINT, RALSTON, RK4, SSP_RK3, Tableau};
pub use vector::{Pair, Vector};

#[cfg(test)]
mod tests;
