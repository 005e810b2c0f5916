//! Reverse-mode differentiation over tensors of dynamic rank.
//!
//! Why not Burn's own tape: it refuses nested differentiation, holds a lock of its graph while it runs, and its
//! custom operations take a fixed number of inputs, one output and only `Send` state. Here every rule is written
//! in tensor operations, so a reverse pass can itself be recorded: gradients nest, and a Jacobian-vector product
//! is the gradient of a vector-Jacobian product. An operation may have any number of inputs and outputs and may
//! hold script values. Values are still Burn's, on whatever device.
//!
//! Nodes are linked by reference counts (there is no tape to clear) and numbered in the order they are made. A node
//! can depend only on nodes with smaller numbers, so a pass in descending order is topological, and it can stop
//! at the smallest number among its targets.

mod staged;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::rc::Rc;

use super::base::Tensor;
use super::context::Context;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::session::interrupt;

pub(crate) use staged::{Recorded, Staged, depends_on_older};

/// One output of a node.
#[derive(Clone)]
pub(crate) struct Output {
    node: Rc<Node>,
    index: usize,
}

pub(crate) struct Node {
    id: u64,
    outputs: usize,
    rule: RefCell<Rule>,
    /// Whether it chooses elements from branches: what it does not choose has the gradient 0, whatever lies behind.
    chooses: Cell<bool>,
}

type Each = Box<dyn Fn(&Tensor) -> Result<Tensor>>;
type Joint = Box<dyn Fn(&[Option<Tensor>]) -> Result<Vec<Option<Tensor>>>>;

/// How the gradients of a node's outputs become those of its inputs.
enum Rule {
    /// One output; a vector-Jacobian product for each tracked input.
    Each(Vec<(Output, Each)>),
    /// Any number of outputs; one function gives the gradients of all inputs.
    Joint(Vec<Option<Output>>, Joint),
}

impl Tensor {
    fn track(mut self, rule: Rule, outputs: usize) -> Self {
        let id = self.context().next_node();
        self.node = Some(Output {
            node: Rc::new(Node { id, outputs, rule: RefCell::new(rule), chooses: Cell::new(false) }),
            index: 0,
        });
        self
    }

    /// Says that this result came from `input`. `rule` makes the vector-Jacobian product and is called only when
    /// the input is tracked, so that nothing is captured otherwise.
    pub(crate) fn from<F>(mut self, input: &Tensor, rule: impl FnOnce() -> F) -> Self
    where
        F: Fn(&Tensor) -> Result<Tensor> + 'static,
    {
        let Some(parent) = input.node.clone().filter(|_| self.context().is_recording()) else { return self };
        let vjp: Each = Box::new(rule());
        if let Some(output) = &self.node
            && let Rule::Each(parents) = &mut *output.node.rule.borrow_mut()
        {
            parents.push((parent, vjp));
        } else {
            self = self.track(Rule::Each(vec![(parent, vjp)]), 1);
        }
        self
    }

    /// A result of `inputs` by a function called `name` with the vector-Jacobian product `vjp`: from the gradient of the result it gives
    /// those of the inputs. It need not be made of tensor operations; gradients of gradients then end in an error.
    pub fn with_vjp(
        name: &str,
        inputs: &[Tensor],
        result: Tensor,
        vjp: impl Fn(&Tensor) -> Result<Vec<Tensor>> + 'static,
    ) -> Self {
        let (kept, name, value) = (inputs.to_vec(), name.to_string(), result.clone());
        let rule = move |gradients: &[Option<Tensor>]| {
            let Some(Some(gradient)) = gradients.first() else { return Ok(Vec::new()) };
            let found = vjp(gradient)?;
            let all: Vec<&Tensor> = kept.iter().chain([gradient]).collect();
            let name = name.clone();
            let refused = move |_: &[Option<Tensor>]| {
                Err(Error::value(format!("{name}: the gradient of its gradient is not known")))
            };
            Ok(record_joint(&all, found, refused).into_iter().map(Some).collect())
        };
        record_joint(&inputs.iter().collect::<Vec<_>>(), vec![result], rule).pop().unwrap_or(value)
    }
    /// Says that this result chooses its elements from those of several branches.
    pub(crate) fn chosen(self) -> Self {
        if let Some(output) = &self.node {
            output.node.chooses.set(true);
        }
        self
    }

    /// A fresh variable with the value of this tensor, still linked to the gradient around it, if any.
    pub(crate) fn leaf(&self) -> Self {
        let parents: Vec<(Output, Each)> = match &self.node {
            Some(node) => vec![(node.clone(), Box::new(|g: &Tensor| Ok(g.clone())))],
            None => Vec::new(),
        };
        self.detach().track(Rule::Each(parents), 1)
    }
}

/// Records an operation with several outputs: `rule` gets their gradients (`None` where an output was not used)
/// and returns one per input. Untracked inputs may be answered with `None`.
pub(crate) fn record_joint(
    inputs: &[&Tensor],
    outputs: Vec<Tensor>,
    rule: impl Fn(&[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> + 'static,
) -> Vec<Tensor> {
    let Some(context) = outputs.first().map(|t| t.context().clone()) else { return outputs };
    if !context.is_recording() || inputs.iter().all(|t| t.node.is_none()) {
        return outputs;
    }
    let parents = inputs.iter().map(|t| t.node.clone()).collect();
    let node = Rc::new(Node {
        id: context.next_node(),
        outputs: outputs.len(),
        rule: RefCell::new(Rule::Joint(parents, Box::new(rule))),
        chooses: Cell::new(false),
    });
    outputs
        .into_iter()
        .enumerate()
        .map(|(index, t)| Tensor { node: Some(Output { node: node.clone(), index }), ..t })
        .collect()
}

thread_local! {
    /// Rules waiting to be dropped. Dropping one drops the tensors it captured, and with them further nodes; done
    /// recursively, a long rollout would overflow the stack.
    static GRAVEYARD: RefCell<(bool, Vec<Rule>)> = const { RefCell::new((false, Vec::new())) };
}

impl Drop for Node {
    fn drop(&mut self) {
        let rule = self.rule.replace(Rule::Each(Vec::new()));
        let drain = GRAVEYARD.try_with(|g| {
            let mut g = g.borrow_mut();
            g.1.push(rule);
            !std::mem::replace(&mut g.0, true)
        });
        while let Ok(true) = drain {
            let next = GRAVEYARD.with(|g| g.borrow_mut().1.pop());
            if next.is_none() {
                GRAVEYARD.with(|g| g.borrow_mut().0 = false);
                break;
            }
        }
    }
}

/// Orders pending nodes by descending number.
struct Pending(Rc<Node>);
impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

struct Pass {
    heap: BinaryHeap<Pending>,
    /// By number, which is also the order in which they are let go of: Burn's fusion takes a step for another one when that changes.
    gradients: BTreeMap<u64, Vec<Option<Tensor>>>,
    /// Nodes older than the oldest target cannot depend on any.
    oldest: u64,
    targets: Vec<u64>,
    found: BTreeMap<u64, Tensor>,
    /// Nodes whose gradients came through a choice.
    chosen: HashSet<u64>,
}

impl Pass {
    fn new(targets: &[Tensor]) -> Self {
        let mut pass = Self {
            heap: BinaryHeap::new(),
            gradients: BTreeMap::new(),
            oldest: 0,
            targets: Vec::new(),
            found: BTreeMap::new(),
            chosen: HashSet::new(),
        };
        pass.aim(targets);
        pass
    }
    /// Says whose gradients are wanted, beside what was asked for before.
    fn aim(&mut self, targets: &[Tensor]) {
        self.targets.extend(targets.iter().filter_map(|t| t.node.as_ref().map(|o| o.node.id)));
        self.oldest = self.targets.iter().copied().min().unwrap_or(u64::MAX);
    }
    fn seed(&mut self, outputs: &[(Tensor, Tensor)]) -> Result<()> {
        for (output, seed) in outputs {
            if let Some(node) = &output.node {
                self.add(node, seed.clone(), seed.context().is_chosen())?;
            }
        }
        Ok(())
    }
    fn add(&mut self, output: &Output, gradient: Tensor, chosen: bool) -> Result<()> {
        let node = &output.node;
        if node.id < self.oldest {
            return Ok(());
        }
        if chosen {
            self.chosen.insert(node.id);
        }
        let slots = self.gradients.entry(node.id).or_insert_with(|| {
            self.heap.push(Pending(node.clone()));
            vec![None; node.outputs]
        });
        slots[output.index] = Some(match slots[output.index].take() {
            Some(sum) => sum.add(&gradient)?,
            None => gradient,
        });
        Ok(())
    }
    /// Goes back over the nodes with numbers from `floor` on.
    fn run(&mut self, floor: u64) -> Result<()> {
        while self.heap.peek().is_some_and(|top| top.0.id >= floor) {
            let Some(Pending(node)) = self.heap.pop() else { break };
            interrupt::poll()?;
            let gradients = self.gradients.remove(&node.id).unwrap_or_default();
            if self.targets.contains(&node.id) {
                if let Some(gradient) = gradients.into_iter().flatten().next() {
                    let sum = match self.found.remove(&node.id) {
                        Some(before) => before.add(&gradient)?,
                        None => gradient,
                    };
                    self.found.insert(node.id, sum);
                }
                continue;
            }
            let chosen = self.chosen.remove(&node.id) || node.chooses.get();
            let Some(context) = gradients.iter().flatten().next().map(|g| g.context().clone()) else { continue };
            if context.crosses(node.id) {
                context.end_step();
            }
            match &*node.rule.borrow() {
                Rule::Each(parents) => {
                    let Some(gradient) = gradients.first().and_then(Option::as_ref) else { continue };
                    for (parent, vjp) in parents {
                        if parent.node.id >= self.oldest {
                            self.add(parent, context.with_chosen(chosen, || vjp(gradient))?, chosen)?;
                        }
                    }
                }
                Rule::Joint(parents, vjp) => {
                    for (parent, gradient) in parents.iter().zip(context.with_chosen(chosen, || vjp(&gradients))?) {
                        if let (Some(parent), Some(gradient)) = (parent, gradient) {
                            self.add(parent, gradient, chosen)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
    /// The gradients that were found; 0 where the outputs do not depend on a target.
    fn take(&mut self, targets: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut ids = Vec::with_capacity(targets.len());
        let gradients = targets
            .iter()
            .map(|t| {
                let id = t.node.as_ref().map(|o| o.node.id);
                ids.extend(id);
                id.and_then(|id| self.found.get(&id)).map_or_else(|| t.full_like(0.0), |g| Ok(g.clone()))
            })
            .collect();
        self.found.retain(|id, _| !ids.contains(id));
        self.targets.retain(|id| !ids.contains(id));
        gradients
    }
}

/// The vector-Jacobian product: gradients of `sum(output · seed)` with respect to `targets`, which must be leaves.
fn reverse(outputs: &[(Tensor, Tensor)], targets: &[Tensor]) -> Result<Vec<Tensor>> {
    let mut pass = Pass::new(targets);
    pass.seed(outputs)?;
    pass.run(0)?;
    pass.take(targets)
}

/// What [`vjp`] returns beside the gradients.
pub struct Differentiated<R> {
    /// What the function returned beside its differentiable outputs.
    pub result: R,
    /// Gradients in the order of the inputs.
    pub gradients: Vec<Tensor>,
}

/// Calls `f` on tracked copies of `inputs`. It returns outputs paired with their seeds (cotangents), and anything
/// else the caller wants back. Gradients of inputs that the outputs do not depend on are zero.
pub fn vjp<R>(
    context: &Context,
    inputs: &[Tensor],
    f: impl FnOnce(&[Tensor]) -> Result<(Vec<(Tensor, Tensor)>, R)>,
) -> Result<Differentiated<R>> {
    let leaves: Vec<Tensor> = inputs.iter().map(Tensor::leaf).collect();
    // Also where nothing is recorded around it: in a reverse pass, or in the forward pass of a checkpointed rollout.
    let (outputs, result) = context.with_recording(|| context.deeper(|| f(&leaves)))?;
    let gradients = context.reverse(|| reverse(&outputs, &leaves))?;
    Ok(Differentiated { result, gradients })
}

/// The value of a scalar function and its gradients with respect to each input.
///
/// # Errors
/// When the function's result has more than one element.
pub fn value_and_gradient(
    context: &Context,
    inputs: &[Tensor],
    f: impl FnOnce(&[Tensor]) -> Result<Tensor>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let done = vjp(context, inputs, |leaves| {
        let taken = context.taken_out();
        let value = f(leaves)?;
        refuse_cut(context, &value, taken)?;
        if value.len() != 1 {
            return Err(Error::shape("only a single number has a gradient")
                .got(format!("a result of shape {:?}", value.shape()))
                .advice("reduce it first: mean(…) or sum(…), or use vjp(f, x, v)"));
        }
        let seed = value.full_like(1.0)?;
        let kept = context.kept(&value);
        Ok((vec![(value, seed)], kept))
    })?;
    Ok((done.result, done.gradients))
}

/// Refuses a result that depends on nothing because numbers were taken out on the way: its gradient would silently be 0. A function
/// that is constant, as the derivative of a linear one is, has the gradient 0 rightly.
pub(crate) fn refuse_cut(context: &Context, value: &Tensor, taken_before: u64) -> Result<()> {
    if value.is_tracked() || context.taken_out() == taken_before {
        return Ok(());
    }
    Err(Error::value("the result does not depend on what is varied: no gradient goes through plain numbers")
        .got("a closure that takes numbers out of a tensor, and a result without a link to its arguments")
        .expected("a tensor of one element, such as sum(x) or x[0]")
        .advice("leave item(…), array(…) and float(…) away on the way to the result; detach(x) says that a value counts as constant"))
}

/// The Jacobian-vector product `J(x) · v`: the gradient with respect to `w` of `⟨Jᵀ(x) w, v⟩`, which is linear in `w`.
pub fn jvp(
    context: &Context,
    x: &Tensor,
    v: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let y = f(x)?;
    let w = y.full_like(0.0)?;
    let (_, gradients) = value_and_gradient(context, &[w], |w| {
        let inner = vjp(context, std::slice::from_ref(x), |x| Ok((vec![(f(&x[0])?, w[0].clone())], ())))?;
        inner.gradients[0].mul(v)?.sum_all()
    })?;
    let tangent = gradients.into_iter().next().ok_or_else(|| Error::internal("jvp without a gradient"))?;
    Ok((y, tangent))
}

impl Context {
    /// A value as the caller may keep it: linked to an outer gradient if there is one, free otherwise.
    pub(crate) fn kept(&self, value: &Tensor) -> Tensor {
        if self.is_nested() { value.clone() } else { value.detach() }
    }
}

/// The shape a gradient must come back to after broadcasting.
pub(crate) fn unbroadcast(gradient: &Tensor, shape: &Shape) -> Result<Tensor> {
    let got = gradient.shape();
    if got == *shape {
        return Ok(gradient.clone());
    }
    let extra = got.len() - shape.len();
    let axes: Vec<i64> =
        (0..got.len()).filter(|&i| i < extra || (shape[i - extra] == 1 && got[i] != 1)).map(|i| i as i64).collect();
    let summed = if axes.is_empty() { gradient.clone() } else { gradient.sum(&axes, true)? };
    summed.reshape(shape)
}
