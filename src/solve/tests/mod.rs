//! Orders, exactness, gradients and memory of the integrators, on small systems with known or very accurate solutions.

mod accuracy;
mod gradients;
mod systems;

use super::*;
use crate::tensor::{Complex, Context, Precision, Tensor};

thread_local! {
    static CONTEXT: Context = Context::cpu(Precision::F64);
}

/// One for a whole test: nodes are numbered by it, so what is differentiated together must share it.
fn context() -> Context {
    CONTEXT.with(Context::clone)
}

/// A rollout of equal steps without checkpoints.
fn fixed(method: &str, n: usize) -> Rollout {
    Rollout { method: Method::named(method).unwrap(), steps: StepRule::Fixed(n), checkpoints: Checkpoints::None }
}

/// Every number of a state.
fn numbers<V: Vector>(y: &V) -> Vec<f64> {
    y.tensors().iter().flat_map(|t| t.to_vec().unwrap()).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The state at the last time.
fn last<S: Parametrized>(rollout: &Rollout, system: &S, y0: &S::State, times: &[f64]) -> S::State {
    rollout.run(system, y0, times, None).unwrap().states.pop().unwrap()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::new(&context(), values.to_vec(), shape).unwrap()
}

fn complex(re: &[f64], im: &[f64], shape: &[usize]) -> Complex {
    Complex { re: tensor(re, shape), im: tensor(im, shape) }
}
