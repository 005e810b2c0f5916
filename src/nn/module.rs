//! What a layer is: structure without numbers. It says which parameters it needs, and computes with those it is given.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use super::initializer::{Fan, Initializer};
use super::net::State;
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::tensor::random::Key;
use crate::tensor::{Context, Tensor, element_count};

/// A layer or a network as structure: the same module may serve several places and several [`Net`](super::Net)s.
/// A module that is made of others names them in `children`; the names form the paths of the parameters.
pub trait Module: Any {
    /// What it is and its sizes, in a few words: `"linear 2 → 20"`.
    fn describe(&self) -> String;
    /// Adds its own parameters and those of its children to `init`.
    ///
    /// # Errors
    /// When its sizes are unfit (a length of 0, groups that do not divide the channels).
    fn init(&self, init: &mut Init) -> Result<()>;
    /// Its value for `inputs`, with the parameters that `scope` holds.
    ///
    /// # Errors
    /// When an input has the wrong shape; the message names the path of the layer.
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor>;
    /// The modules it is made of.
    fn children(&self) -> Vec<(String, Layer)> {
        Vec::new()
    }
}

/// A shared module.
pub type Layer = Rc<dyn Module>;

/// Whether batch statistics and dropout are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// In the closure of `step` or `train`.
    Train,
    /// Everywhere else.
    #[default]
    Evaluate,
}

/// `a` and `b` as `a.b`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// Collects the parameters of a network before it is used.
pub struct Init {
    context: Context,
    seed: u64,
    path: String,
    pub(crate) parameters: Parameters,
    pub(crate) buffers: Parameters,
}

impl Init {
    pub(crate) fn new(context: &Context, seed: u64) -> Self {
        Self {
            context: context.clone(),
            seed,
            path: String::new(),
            parameters: Parameters::new(),
            buffers: Parameters::new(),
        }
    }
    /// Adds a parameter. Its numbers depend on the seed and on its own path only, so that a layer added elsewhere
    /// does not change them.
    pub fn parameter(&mut self, name: &str, shape: &[usize], initializer: Initializer, fan: Fan) -> Result<()> {
        let path = join(&self.path, name);
        if element_count(shape)? == 0 {
            return Err(Error::shape(format!("the parameter {path:?} would be empty"))
                .got(format!("shape {shape:?}"))
                .expected("sizes of 1 or more"));
        }
        let key = Key::new(self.seed).purpose(&path);
        let value = initializer.draw(&self.context, key, shape, fan).map_err(|e| e.within(&path))?;
        self.parameters.push(path, value)
    }
    /// Adds numbers that belong to the network and are not trained, such as running statistics.
    pub fn buffer(&mut self, name: &str, value: Tensor) -> Result<()> {
        self.buffers.push(join(&self.path, name), value)
    }
    /// Adds what a child needs, under its name.
    pub fn child(&mut self, name: &str, module: &dyn Module) -> Result<()> {
        let outer = self.path.clone();
        self.path = join(&outer, name);
        let done = module.init(self);
        self.path = outer;
        done
    }
    /// Adds what each of the children needs.
    pub fn children(&mut self, children: &[(String, Layer)]) -> Result<()> {
        children.iter().try_for_each(|(name, module)| self.child(name, &**module))
    }
    /// Where the numbers live.
    pub fn context(&self) -> &Context {
        &self.context
    }
    /// The key for a draw of a fixed buffer of this layer.
    pub fn key(&self, name: &str) -> Key {
        Key::new(self.seed).purpose(&join(&self.path, name))
    }
    /// An error about the sizes of this layer.
    pub fn unfit(&self, what: &str) -> Error {
        Error::value(if self.path.is_empty() { what.to_string() } else { format!("{}: {what}", self.path) })
    }
}

/// The parameters of a network as its layers see them during one evaluation.
#[derive(Clone)]
pub struct Scope {
    pub(crate) parameters: Rc<Parameters>,
    pub(crate) buffers: Rc<Parameters>,
    pub(crate) state: Rc<RefCell<State>>,
    pub(crate) mode: Mode,
    pub(crate) path: String,
}

impl Scope {
    /// The part of a child.
    pub fn child(&self, name: &str) -> Self {
        Self { path: join(&self.path, name), ..self.clone() }
    }
    /// The value of a child.
    pub fn run(&self, name: &str, module: &dyn Module, inputs: &[Tensor]) -> Result<Tensor> {
        module.forward(&self.child(name), inputs)
    }
    /// A parameter of this layer.
    pub fn parameter(&self, name: &str) -> Result<Tensor> {
        self.parameters.need(&join(&self.path, name)).cloned()
    }
    /// A buffer of this layer.
    pub fn buffer(&self, name: &str) -> Result<Tensor> {
        self.buffers.need(&join(&self.path, name)).cloned()
    }
    /// Replaces a buffer; seen by evaluations that start later.
    pub fn set_buffer(&self, name: &str, value: &Tensor) -> Result<()> {
        self.state.borrow_mut().set_buffer(&join(&self.path, name), value.detach())
    }
    /// Whether this is training.
    pub fn mode(&self) -> Mode {
        self.mode
    }
    /// A key for random numbers of this layer: another one for each training step and each call within it.
    pub fn key(&self) -> Key {
        self.state.borrow_mut().key(&self.path)
    }
    /// The path of this layer.
    pub fn path(&self) -> &str {
        &self.path
    }
    /// The path and kind of a layer, for messages.
    fn place(&self, module: &dyn Module) -> String {
        if self.path.is_empty() { module.describe() } else { format!("{} ({})", self.path, module.describe()) }
    }
    /// The error of an input of the wrong shape.
    pub fn misfit(&self, module: &dyn Module, got: impl std::fmt::Display, expected: impl std::fmt::Display) -> Error {
        Error::shape(format!("{}: the input does not fit", self.place(module))).got(got).expected(expected)
    }
    /// The only input of a layer.
    ///
    /// # Errors
    /// When there are none or several.
    pub fn single<'a>(&self, module: &dyn Module, inputs: &'a [Tensor]) -> Result<&'a Tensor> {
        match inputs {
            [x] => Ok(x),
            _ => Err(self.misfit(module, format!("{} tensors", inputs.len()), "one tensor")),
        }
    }
}
