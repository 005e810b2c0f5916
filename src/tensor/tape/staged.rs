//! Functions recorded once and differentiated many times, and reverse passes that see the forward pass in pieces.

use std::collections::HashSet;

use super::{Output, Pass, Rule, reverse};
use crate::error::Result;
use crate::tensor::{Context, Tensor};

/// A function evaluated once on tracked copies of its inputs; any number of vector-Jacobian products can be taken of it.
pub(crate) struct Recorded {
    context: Context,
    leaves: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Recorded {
    /// Evaluates `f`, recording it also inside a reverse pass.
    pub fn new(context: &Context, inputs: &[Tensor], f: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>>) -> Result<Self> {
        let leaves: Vec<Tensor> = inputs.iter().map(Tensor::leaf).collect();
        let outputs = context.with_recording(|| context.deeper(|| f(&leaves)))?;
        Ok(Self { context: context.clone(), leaves, outputs })
    }
    /// Gradients of `Σ output · seed` with respect to the inputs.
    pub fn vjp(&self, seeds: &[Tensor]) -> Result<Vec<Tensor>> {
        let pairs: Vec<(Tensor, Tensor)> = self.outputs.iter().cloned().zip(seeds.iter().cloned()).collect();
        self.context.reverse(|| reverse(&pairs, &self.leaves))
    }
}

/// The reverse pass of a long computation of which only one piece is recorded at a time, the last piece first.
///
/// What the pieces share (parameters, and what is computed from them once) is visited again only at the end, when the
/// contributions of all pieces have been added up.
pub(crate) struct Staged {
    context: Context,
    shared: Vec<Tensor>,
    pass: Pass,
}

impl Staged {
    /// A pass towards `shared`, made tracked here; see [`shared`](Self::shared).
    pub fn new(context: &Context, shared: &[Tensor]) -> Self {
        let shared: Vec<Tensor> = shared.iter().map(Tensor::leaf).collect();
        let pass = Pass::new(&shared);
        Self { context: context.clone(), shared, pass }
    }
    /// The tracked copies that every piece is to be computed from.
    pub fn shared(&self) -> &[Tensor] {
        &self.shared
    }
    /// Records one piece, `f` of tracked copies of `inputs`, and goes back over it; `f` returns outputs paired with their seeds.
    /// Gives the gradients of the inputs.
    pub fn piece(
        &mut self,
        inputs: &[Tensor],
        f: impl FnOnce(&[Tensor]) -> Result<Vec<(Tensor, Tensor)>>,
    ) -> Result<Vec<Tensor>> {
        let leaves: Vec<Tensor> = inputs.iter().map(Tensor::leaf).collect();
        let floor = leaves.iter().filter_map(|t| t.node.as_ref().map(|o| o.node.id)).min().unwrap_or(u64::MAX);
        let context = self.context.clone();
        context.with_recording(|| {
            let outputs = context.deeper(|| f(&leaves))?;
            context.reverse(|| {
                self.pass.aim(&leaves);
                self.pass.seed(&outputs)?;
                self.pass.run(floor)?;
                self.pass.take(&leaves)
            })
        })
    }
    /// The gradients of what the pieces share.
    pub fn finish(mut self) -> Result<Vec<Tensor>> {
        let context = self.context.clone();
        context.reverse(|| {
            self.pass.run(0)?;
            self.pass.take(&self.shared)
        })
    }
}

/// Whether any of the tensors was computed from something tracked that is older than node number `floor`.
pub(crate) fn depends_on_older(tensors: &[Tensor], floor: u64) -> bool {
    let mut waiting: Vec<Output> = tensors.iter().filter_map(|t| t.node.clone()).collect();
    let mut seen = HashSet::new();
    while let Some(Output { node, .. }) = waiting.pop() {
        if node.id < floor {
            return true;
        }
        if seen.insert(node.id) {
            match &*node.rule.borrow() {
                Rule::Each(parents) => waiting.extend(parents.iter().map(|(parent, _)| parent.clone())),
                Rule::Joint(parents, _) => waiting.extend(parents.iter().flatten().cloned()),
            }
        }
    }
    false
}
