//! Named tensors in a fixed order: the numbers of a network, their gradients, the moments of an optimiser.

use std::collections::HashMap;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Tensors with names such as `encoder.0.conv.weight`, in the order in which they were added. Cheap to clone: names
/// and buffers are shared.
#[derive(Clone, Default)]
pub struct Parameters {
    names: Rc<Names>,
    values: Vec<Tensor>,
}

#[derive(Clone, Default)]
struct Names {
    list: Vec<String>,
    index: HashMap<String, usize>,
}

impl Parameters {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }
    /// Named tensors, in this order.
    ///
    /// # Errors
    /// When a name comes twice.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, Tensor)>) -> Result<Self> {
        let mut out = Self::new();
        for (name, value) in pairs {
            out.push(name, value)?;
        }
        Ok(out)
    }
    /// Adds a tensor at the end.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn push(&mut self, name: String, value: Tensor) -> Result<()> {
        if self.names.index.contains_key(&name) {
            return Err(
                Error::value(format!("two parameters have the name {name:?}")).advice("give each layer its own name")
            );
        }
        let names = Rc::make_mut(&mut self.names);
        names.index.insert(name.clone(), self.values.len());
        names.list.push(name);
        self.values.push(value);
        Ok(())
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// How many numbers there are in all.
    pub fn count(&self) -> usize {
        self.values.iter().map(Tensor::len).sum()
    }
    /// Bytes of all numbers.
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|t| t.len() * t.precision().bytes()).sum()
    }
    /// The names in order.
    pub fn names(&self) -> &[String] {
        &self.names.list
    }
    /// The tensors in order.
    pub fn values(&self) -> &[Tensor] {
        &self.values
    }
    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.list.iter().map(String::as_str).zip(&self.values)
    }
    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.names.index.get(name).and_then(|&i| self.values.get(i))
    }
    /// The tensor of that name.
    ///
    /// # Errors
    /// When there is none; the nearest name is told.
    pub fn need(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| {
            let near = self.names().iter().max_by(|a, b| {
                let nearness = |n: &str| strsim::jaro_winkler(n, name);
                nearness(a).total_cmp(&nearness(b))
            });
            let error = Error::value(format!("there is no parameter {name:?}"));
            match near {
                Some(near) => error.advice(format!("the nearest is {near:?}")),
                None => error.advice("there are no parameters at all"),
            }
        })
    }
    /// Replaces the tensor of that name by one of the same shape.
    pub fn set(&mut self, name: &str, value: Tensor) -> Result<()> {
        let shape = self.need(name)?.shape();
        if value.shape() != shape {
            return Err(Error::shape(format!("the parameter {name:?} has another shape"))
                .got(format!("{:?}", value.shape()))
                .expected(format!("{shape:?}")));
        }
        if let Some(&i) = self.names.index.get(name)
            && let Some(slot) = self.values.get_mut(i)
        {
            *slot = value;
        }
        Ok(())
    }

    /// The same names with other tensors of the same shapes.
    pub fn with_values(&self, values: Vec<Tensor>) -> Result<Self> {
        if values.len() != self.len() {
            return Err(Error::shape("another number of tensors than of names").got(values.len()).expected(self.len()));
        }
        for ((name, old), new) in self.iter().zip(&values) {
            if old.shape() != new.shape() {
                return Err(Error::shape(format!("the parameter {name:?} has another shape"))
                    .got(format!("{:?}", new.shape()))
                    .expected(format!("{:?}", old.shape())));
            }
        }
        Ok(Self { names: self.names.clone(), values })
    }
    /// A function applied to each tensor with its name.
    pub fn map(&self, mut f: impl FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let values = self.iter().map(|(name, value)| f(name, value)).collect::<Result<Vec<_>>>()?;
        Ok(Self { names: self.names.clone(), values })
    }
    /// A function applied to pairs of tensors of the same place: parameters and their gradients, for example.
    pub fn zip(&self, other: &Self, mut f: impl FnMut(&str, &Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        self.agrees_with(other)?;
        let values = self.iter().zip(&other.values).map(|((name, a), b)| f(name, a, b)).collect::<Result<Vec<_>>>()?;
        Ok(Self { names: self.names.clone(), values })
    }
    /// The part whose names `keep` accepts.
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut out = Self::new();
        for (name, value) in self.iter().filter(|(name, _)| keep(name)) {
            // Names were unique and stay so.
            let _ = out.push(name.to_string(), value.clone());
        }
        out
    }
    /// This list with those tensors replaced that `part` has, by name.
    pub fn merged(&self, part: &Self) -> Result<Self> {
        if Rc::ptr_eq(&self.names, &part.names) {
            return Ok(part.clone());
        }
        let mut out = self.clone();
        for (name, value) in part.iter() {
            out.set(name, value.clone())?;
        }
        Ok(out)
    }
    /// Outside of any gradient.
    pub fn detach(&self) -> Self {
        Self { names: self.names.clone(), values: self.values.iter().map(Tensor::detach).collect() }
    }

    /// Checks that names and shapes are the same as in `other`.
    ///
    /// # Errors
    /// Names the first difference.
    pub fn agrees_with(&self, other: &Self) -> Result<()> {
        if !Rc::ptr_eq(&self.names, &other.names) {
            if let Some(name) = other.names().iter().find(|n| self.get(n).is_none()) {
                return Err(Error::value(format!("the parameter {name:?} does not belong here"))
                    .advice("these numbers come from another network"));
            }
            if let Some(name) = self.names().iter().find(|n| other.get(n).is_none()) {
                return Err(Error::value(format!("the parameter {name:?} is missing"))
                    .advice("these numbers come from another network"));
            }
            if self.names() != other.names() {
                return Err(Error::value("the parameters come in another order"));
            }
        }
        for ((name, a), b) in self.iter().zip(&other.values) {
            if a.shape() != b.shape() {
                return Err(Error::shape(format!("the parameter {name:?} has another shape"))
                    .got(format!("{:?}", b.shape()))
                    .expected(format!("{:?}", a.shape())));
            }
        }
        Ok(())
    }
}
