//! One step of training, for loops written by hand.

use crate::error::{Error, Result};
use crate::nn::{Net, Parameters};
use crate::tensor::random::Key;
use crate::tensor::{Tensor, value_and_gradient};

use super::optimizer::{Evaluated, Optimizer, Report};

/// One step of `optimizer` down the gradient of `loss`: `step(&mut adam, &net, |net| mse(net.forward(x), y))`.
/// On success the network has the new parameters; on failure network and optimiser are as before.
///
/// Random layers draw from the seed 0 and the optimiser's count of steps; [`step_keyed`] takes another key.
pub fn step(optimizer: &mut Optimizer, net: &Net, loss: impl FnMut(&Net) -> Result<Tensor>) -> Result<Report> {
    let key = Key::new(0).purpose("step").step(optimizer.steps());
    step_keyed(optimizer, net, key, loss)
}

/// As [`step`], with the key that random layers draw from.
pub fn step_keyed(
    optimizer: &mut Optimizer,
    net: &Net,
    key: Key,
    mut loss: impl FnMut(&Net) -> Result<Tensor>,
) -> Result<Report> {
    let parameters = net.trainable();
    if parameters.is_empty() {
        return Err(Error::value("the network has no parameters to train"));
    }
    let mut buffers = None;
    let (moved, report) = optimizer.advance(&parameters, &mut |at| {
        let evaluation = net.value_and_gradient(at, key, &mut loss)?;
        buffers = Some(evaluation.buffers);
        Ok(Evaluated { loss: evaluation.loss.item()?, gradients: evaluation.gradients })
    })?;
    net.set_parameters(&net.parameters().merged(&moved)?)?;
    if let Some(buffers) = buffers {
        net.keep_buffers(buffers);
    }
    Ok(report)
}

/// One step of `optimizer` for free tensors: `minimize_step(&mut lbfgs, &[u0], |x| mse(solve(x[0]), wanted))`.
pub fn minimize_step(
    optimizer: &mut Optimizer,
    tensors: &[Tensor],
    mut loss: impl FnMut(&[Tensor]) -> Result<Tensor>,
) -> Result<(Vec<Tensor>, Report)> {
    let Some(first) = tensors.first() else { return Err(Error::value("there is nothing to minimise over")) };
    let context = first.context().clone();
    let named = tensors.iter().enumerate().map(|(i, t)| (i.to_string(), t.detach()));
    let parameters = Parameters::from_pairs(named)?;
    let (moved, report) = optimizer.advance(&parameters, &mut |at| {
        let (value, gradients) = value_and_gradient(&context, at.values(), &mut loss)?;
        Ok(Evaluated { loss: value.item()?, gradients: at.with_values(gradients)? })
    })?;
    Ok((moved.values().to_vec(), report))
}
