//! Stochastic processes `dx = P(x) dt + g(t) dW`: forward paths, reverse time, training windows.
//!
//! Times run from `t_0` to `t_M`; a path is `[sample, time, …]`. With `a = e^(λ Δt)` for a spectral drift, the forward step is
//! `x_(m+1) = a x_m + g √Δt ξ`, and the reverse steps start from the end.

mod equation;
pub(crate) mod moments;
mod pointwise;
mod process;
mod reverse;
mod rollout;
mod score;
pub(crate) mod script;
mod script_paths;
mod script_process;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_rollout;
mod window;

pub use crate::field::{Path, State};
pub use equation::drift;
pub use moments::Bins;
pub use pointwise::{Pointwise, Traced, rates};
pub use process::{Clock, Diffusion, Drift, Process, Scheme, jittered};
pub use reverse::{Integrator, Reverse};
pub use rollout::{Rollout, Sampled, Statistics, Summary};
pub use score::{GaussianScore, Score};
pub use window::{denoising_loss, window_loss};
