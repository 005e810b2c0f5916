//! What a user holds: a module with its numbers.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::module::{Init, Layer, Mode, Module, Scope, join};
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::tensor::random::Key;
use crate::tensor::{Context, Tensor, value_and_gradient};

/// A network: structure and numbers. Cheap to clone; clones are the same network, so that training one trains all.
/// [`copy`](Self::copy) makes an independent one.
///
/// Outside of training the parameters belong to no gradient, and evaluation grows no graph. While the closure of
/// [`value_and_gradient`](Self::value_and_gradient) (and so of `step` and `train`) runs, every handle of this network
/// sees the variables of that gradient.
#[derive(Clone)]
pub struct Net {
    module: Layer,
    state: Rc<RefCell<State>>,
    context: Context,
    /// The place of this network in the one that `state` belongs to.
    path: String,
}

/// The numbers of a network.
pub(crate) struct State {
    parameters: Rc<Parameters>,
    buffers: Rc<Parameters>,
    mode: Mode,
    /// The key of the training step, and how often each layer has drawn in it.
    key: Key,
    draws: HashMap<String, u64>,
    frozen: BTreeSet<String>,
}

impl State {
    pub(crate) fn set_buffer(&mut self, name: &str, value: Tensor) -> Result<()> {
        Rc::make_mut(&mut self.buffers).set(name, value)
    }
    pub(crate) fn key(&mut self, path: &str) -> Key {
        let n = self.draws.entry(path.to_string()).or_insert(0);
        *n += 1;
        self.key.purpose(path).sample(*n)
    }
}

/// The value of a loss and its gradients.
pub struct Evaluation {
    /// The loss, outside of this gradient.
    pub loss: Tensor,
    /// Gradients of the parameters, in their order.
    pub gradients: Parameters,
    /// The buffers that the evaluation left; to be kept when the step is accepted.
    pub buffers: Rc<Parameters>,
}

impl Net {
    /// A network with parameters drawn from `seed`.
    pub fn new(context: &Context, module: Layer, seed: u64) -> Result<Self> {
        let mut init = Init::new(context, seed);
        module.init(&mut init)?;
        Ok(Self::assemble(context, module, init.parameters, init.buffers))
    }
    fn assemble(context: &Context, module: Layer, parameters: Parameters, buffers: Parameters) -> Self {
        let state = State {
            parameters: Rc::new(parameters),
            buffers: Rc::new(buffers),
            mode: Mode::Evaluate,
            key: Key::new(0),
            draws: HashMap::new(),
            frozen: BTreeSet::new(),
        };
        Self { module, state: Rc::new(RefCell::new(state)), context: context.clone(), path: String::new() }
    }
    /// Several networks as one, so that they are trained together; each is found again as [`child`](Self::child).
    /// The numbers are copied: the given networks stay as they are.
    pub fn group(nets: Vec<(String, Net)>) -> Result<Self> {
        let Some((_, first)) = nets.first() else {
            return Err(Error::value("a group needs at least one network"));
        };
        let context = first.context.clone();
        let (mut parameters, mut buffers) = (Parameters::new(), Parameters::new());
        for (name, net) in &nets {
            for (inner, value) in net.parameters().iter() {
                parameters.push(join(name, inner), value.clone())?;
            }
            for (inner, value) in net.buffers().iter() {
                buffers.push(join(name, inner), value.clone())?;
            }
        }
        let module =
            super::compose::Group { children: nets.into_iter().map(|(name, net)| (name, net.module)).collect() };
        Ok(Self::assemble(&context, Rc::new(module), parameters, buffers))
    }

    // --- evaluation ---------------------------------------------------------------------------------------------

    /// The value for one tensor.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.call(std::slice::from_ref(x))
    }
    /// The value for several tensors, a state and a time for example.
    pub fn call(&self, inputs: &[Tensor]) -> Result<Tensor> {
        self.module.forward(&self.scope(), inputs)
    }
    /// The parameters as layers see them.
    pub fn scope(&self) -> Scope {
        let state = self.state.borrow();
        Scope {
            parameters: state.parameters.clone(),
            buffers: state.buffers.clone(),
            mode: state.mode,
            state: self.state.clone(),
            path: self.path.clone(),
        }
    }

    // --- looking ------------------------------------------------------------------------------------------------

    /// The structure.
    pub fn module(&self) -> &dyn Module {
        &*self.module
    }
    /// The structure, as a part of other networks.
    pub fn layer(&self) -> Layer {
        self.module.clone()
    }
    /// What its tensors share.
    pub fn context(&self) -> &Context {
        &self.context
    }
    /// The part of this network that a child is; it shares its numbers.
    pub fn child(&self, name: &str) -> Result<Self> {
        let children = self.module.children();
        match children.iter().find(|(child, _)| child == name) {
            Some((_, module)) => Ok(Self { module: module.clone(), path: join(&self.path, name), ..self.clone() }),
            None => {
                let names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::value(format!("this network has no part {name:?}")).expected(names.join(", ")))
            }
        }
    }
    /// Its parameters, named from this network on.
    pub fn parameters(&self) -> Parameters {
        self.part(&self.state.borrow().parameters)
    }
    /// Its buffers, named from this network on.
    pub fn buffers(&self) -> Parameters {
        self.part(&self.state.borrow().buffers)
    }
    fn part(&self, all: &Parameters) -> Parameters {
        if self.path.is_empty() {
            return all.clone();
        }
        let prefix = format!("{}.", self.path);
        let pairs =
            all.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.to_string(), value.clone())));
        Parameters::from_pairs(pairs).unwrap_or_default()
    }
    /// One parameter; inside the closure of a gradient, its variable.
    pub fn parameter(&self, name: &str) -> Result<Tensor> {
        self.state.borrow().parameters.need(&join(&self.path, name)).cloned()
    }
    /// How many numbers are trained or could be.
    pub fn count(&self) -> usize {
        self.parameters().count()
    }
    /// Whether two handles mean the same network.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.state, &other.state) && self.path == other.path
    }

    // --- changing -----------------------------------------------------------------------------------------------

    /// Replaces one parameter by numbers of the same shape.
    pub fn set_parameter(&self, name: &str, value: &Tensor) -> Result<()> {
        let mut state = self.state.borrow_mut();
        Rc::make_mut(&mut state.parameters).set(&join(&self.path, name), value.detach())
    }
    /// Replaces parameters by numbers of the same names and shapes.
    pub fn set_parameters(&self, values: &Parameters) -> Result<()> {
        self.parameters().agrees_with(values)?;
        self.replace(values, |state| &mut state.parameters)
    }
    /// Replaces buffers by numbers of the same names and shapes.
    pub fn set_buffers(&self, values: &Parameters) -> Result<()> {
        self.buffers().agrees_with(values)?;
        self.replace(values, |state| &mut state.buffers)
    }
    fn replace(&self, values: &Parameters, slot: impl Fn(&mut State) -> &mut Rc<Parameters>) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let slot = slot(&mut state);
        if self.path.is_empty() {
            *slot = Rc::new(values.detach());
            return Ok(());
        }
        let all = Rc::make_mut(slot);
        values.iter().try_for_each(|(name, value)| all.set(&join(&self.path, name), value.detach()))
    }
    /// An independent network with the same numbers.
    pub fn copy(&self) -> Self {
        let copy =
            Self::assemble(&self.context, self.module.clone(), self.parameters().detach(), self.buffers().detach());
        copy.state.borrow_mut().frozen = self.frozen();
        copy
    }
    /// Keeps the parameters whose path begins with `part` (all of them for `""`) out of training.
    ///
    /// # Errors
    /// When there are none.
    pub fn freeze(&self, part: &str) -> Result<()> {
        let names: Vec<String> =
            self.parameters().names().iter().filter(|name| lies_below(name, part)).cloned().collect();
        if names.is_empty() {
            return self.parameters().need(part).map(|_| ());
        }
        self.state.borrow_mut().frozen.extend(names.iter().map(|name| join(&self.path, name)));
        Ok(())
    }
    /// Lets the parameters whose path begins with `part` be trained again.
    pub fn unfreeze(&self, part: &str) {
        let part = if part.is_empty() { self.path.clone() } else { join(&self.path, part) };
        self.state.borrow_mut().frozen.retain(|name| !lies_below(name, &part));
    }
    fn frozen(&self) -> BTreeSet<String> {
        let prefix = if self.path.is_empty() { String::new() } else { format!("{}.", self.path) };
        let state = self.state.borrow();
        state.frozen.iter().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_string).collect()
    }
    /// The parameters that training changes.
    pub fn trainable(&self) -> Parameters {
        let frozen = self.frozen();
        let all = self.parameters();
        if frozen.is_empty() { all } else { all.filter(|name| !frozen.contains(name)) }
    }

    // --- gradients ----------------------------------------------------------------------------------------------

    /// The value of `loss` at `parameters` (some or all of this network's) and its gradients there. The network's own
    /// numbers stay as they are; random layers draw from `key`.
    ///
    /// # Errors
    /// When the loss is not one number or does not depend on the parameters.
    pub fn value_and_gradient(
        &self,
        parameters: &Parameters,
        key: Key,
        loss: &mut dyn FnMut(&Net) -> Result<Tensor>,
    ) -> Result<Evaluation> {
        let before = Kept::new(self);
        let mut buffers = before.buffers.clone();
        let (loss, gradients) = value_and_gradient(&self.context, parameters.values(), |variables| {
            {
                let mut state = self.state.borrow_mut();
                let all = Rc::make_mut(&mut state.parameters);
                for (name, variable) in parameters.names().iter().zip(variables) {
                    all.set(&join(&self.path, name), variable.clone())?;
                }
                state.mode = Mode::Train;
                state.key = key;
                state.draws.clear();
            }
            let value = loss(self)?;
            buffers = self.state.borrow().buffers.clone();
            if !value.is_tracked() && !parameters.is_empty() {
                return Err(Error::value("the loss does not depend on the network")
                    .advice("compute it with the network that the closure is given, and without detach"));
            }
            Ok(value)
        })?;
        drop(before);
        Ok(Evaluation { loss, gradients: parameters.with_values(gradients)?, buffers })
    }
    /// Takes the buffers that an evaluation left.
    pub(crate) fn keep_buffers(&self, buffers: Rc<Parameters>) {
        self.state.borrow_mut().buffers = buffers;
    }
}

/// Whether `name` is `part` or lies below it.
fn lies_below(name: &str, part: &str) -> bool {
    part.is_empty() || name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Puts the numbers back when a gradient has been taken, also when it failed.
struct Kept {
    state: Rc<RefCell<State>>,
    parameters: Rc<Parameters>,
    buffers: Rc<Parameters>,
    mode: Mode,
}
impl Kept {
    fn new(net: &Net) -> Self {
        let state = net.state.borrow();
        Self {
            state: net.state.clone(),
            parameters: state.parameters.clone(),
            buffers: state.buffers.clone(),
            mode: state.mode,
        }
    }
}
impl Drop for Kept {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.parameters = self.parameters.clone();
            state.buffers = self.buffers.clone();
            state.mode = self.mode;
        }
    }
}
