//! Networks made of others.

use std::rc::Rc;

use super::initializer::{Fan, Initializer};
use super::module::{Init, Layer, Module, Scope};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// One layer after the other; the first takes all inputs. Children are named `0`, `1`, …
pub struct Sequential {
    /// The layers in order.
    pub layers: Vec<Layer>,
}

impl Module for Sequential {
    fn describe(&self) -> String {
        format!("sequential of {}", self.layers.len())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        if self.layers.is_empty() {
            return Err(init.unfit("a sequence needs at least one layer"));
        }
        init.children(&self.children())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let mut value: Option<Tensor> = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let x = value.as_ref().map_or(inputs, std::slice::from_ref);
            value = Some(scope.run(&i.to_string(), &**layer, x)?);
        }
        value.ok_or_else(|| Error::internal("an empty sequence"))
    }
    fn children(&self) -> Vec<(String, Layer)> {
        self.layers.iter().enumerate().map(|(i, layer)| (i.to_string(), layer.clone())).collect()
    }
}

/// `y = x + f(x)`, or `y = s(x) + f(x)` with a `shortcut` where the shapes differ. Further inputs go to `f` alone.
pub struct Residual {
    /// What is added.
    pub body: Layer,
    /// The way past it; the identity if there is none.
    pub shortcut: Option<Layer>,
}

impl Module for Residual {
    fn describe(&self) -> String {
        "residual".to_string()
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        init.children(&self.children())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let Some(x) = inputs.first() else { return Err(scope.misfit(self, "no tensor", "at least one")) };
        let change = scope.run("body", &*self.body, inputs)?;
        let kept = match &self.shortcut {
            Some(shortcut) => scope.run("shortcut", &**shortcut, std::slice::from_ref(x))?,
            None => x.clone(),
        };
        if kept.shape() != change.shape() {
            return Err(scope.misfit(
                self,
                format!("the body turns {:?} into {:?}", x.shape(), change.shape()),
                format!("{:?}, or a shortcut to that shape", kept.shape()),
            ));
        }
        kept.add(&change)
    }
    fn children(&self) -> Vec<(String, Layer)> {
        let mut children = vec![("body".to_string(), self.body.clone())];
        children.extend(self.shortcut.iter().map(|s| ("shortcut".to_string(), s.clone())));
        children
    }
}

/// What a [`Custom`] module computes: it runs its children through the scope.
pub type Forward = Rc<dyn Fn(&Scope, &[Tensor]) -> Result<Tensor>>;

/// A module defined by a closure over its children: `scope.run("name", child, inputs)`. The closure must be a function
/// of its inputs and of the parameters that the scope holds.
pub struct Custom {
    /// What to call it in tables and messages.
    pub name: String,
    /// The modules it uses, with the names of their parameters' paths.
    pub parts: Vec<(String, Layer)>,
    /// Its value.
    pub forward: Forward,
}

impl Module for Custom {
    fn describe(&self) -> String {
        self.name.clone()
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        init.children(&self.parts)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        (self.forward)(scope, inputs)
    }
    fn children(&self) -> Vec<(String, Layer)> {
        self.parts.clone()
    }
}

/// Parts without a value of their own: what [`Net::group`](super::Net::group) makes.
pub struct Group {
    /// The parts.
    pub children: Vec<(String, Layer)>,
}

impl Module for Group {
    fn describe(&self) -> String {
        format!("group of {}", self.children.len())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        init.children(&self.children)
    }
    fn forward(&self, scope: &Scope, _: &[Tensor]) -> Result<Tensor> {
        let names: Vec<&str> = self.children.iter().map(|(name, _)| name.as_str()).collect();
        Err(Error::value(format!(
            "{}: a group has no value of its own",
            if scope.path.is_empty() { "net" } else { &scope.path }
        ))
        .advice(format!("call one of its parts: {}", names.join(", "))))
    }
    fn children(&self) -> Vec<(String, Layer)> {
        self.children.clone()
    }
}

/// Free numbers that are trained beside a network, such as an unknown coefficient of an equation. Its value without
/// inputs is the first of them; all are found with `net.parameter(name)`.
#[derive(Debug, Clone)]
pub struct Variables {
    /// Name, shape and the number that each begins with.
    pub list: Vec<(String, Vec<usize>, f64)>,
}

impl Module for Variables {
    fn describe(&self) -> String {
        format!("variables of {}", self.list.len())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        self.list.iter().try_for_each(|(name, shape, value)| {
            init.parameter(name, shape, Initializer::Constant(*value), Fan { inputs: 1, outputs: 1 })
        })
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        match (self.list.first(), inputs) {
            (Some((name, ..)), []) => scope.parameter(name),
            _ => Err(scope.misfit(self, format!("{} tensors", inputs.len()), "none")),
        }
    }
}
