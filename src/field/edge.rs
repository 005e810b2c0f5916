//! What holds at the sides of a box: periodic, or a condition of the first, second or third kind with its value.

use std::fmt;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::tensor::{Context, Tensor, broadcast, number};

/// The value of an edge condition at the coordinates along its side and at a time.
pub type EdgeFunction = dyn Fn(&[Tensor], f64) -> Result<Tensor>;

/// The value of an edge condition.
#[derive(Clone)]
pub enum EdgeValue {
    /// The same number along the whole side.
    Number(f64),
    /// Numbers along the side; a gradient goes through them. See [`EdgeValue::at`] for shapes.
    Tensor(Tensor),
    /// A function of the coordinates along the side, and of time.
    Function {
        /// Whether the value depends on time; if not, it may be computed once.
        takes_time: bool,
        /// Gets one tensor per axis along the side, shaped as in [`Side::coordinates`], and the time.
        f: Rc<EdgeFunction>,
    },
}

/// One side of a grid: the axis it closes, and the points along it.
#[derive(Clone)]
pub struct Side {
    /// The axis that ends here.
    pub axis: usize,
    /// The grid's shape with length 1 along `axis`.
    pub shape: Vec<usize>,
    /// Coordinates along the other axes, each of the grid's rank and broadcasting to `shape`.
    pub coordinates: Vec<Tensor>,
}

impl EdgeValue {
    /// Whether the value depends on time.
    pub fn takes_time(&self) -> bool {
        matches!(self, Self::Function { takes_time: true, .. })
    }
    /// The value along a side at time `t`, shaped to broadcast against `[sample, channel, x…]` with length 1 along the side's axis.
    ///
    /// A tensor is one number, or has the side's own shape (the grid's without `axis`), with channels or samples and channels
    /// before it; or it is written out with length 1 along `axis`, up to `[sample, channel, x…]`. In one dimension the side is a
    /// point: `[c]` is a value per channel, `[s, 1, 1]` one per sample.
    ///
    /// # Errors
    /// When a tensor does not fit the side, and what the function raises.
    pub fn at(&self, context: &Context, side: &Side, t: f64) -> Result<Tensor> {
        match self {
            Self::Number(value) => Ok(Tensor::scalar(context, *value)),
            Self::Tensor(value) => side.fit(value),
            // A function is made of coordinates, so its result is written out already.
            Self::Function { f, .. } => {
                let value = f(&side.coordinates, t)?;
                if side.is_written_out(&value.shape()) || value.rank() == 0 { Ok(value) } else { side.fit(&value) }
            }
        }
    }
}

impl Side {
    /// Whether a shape has length 1 along the axis and fits the other ones.
    fn is_written_out(&self, shape: &[usize]) -> bool {
        let tail = shape.len().checked_sub(self.shape.len()).and_then(|lead| shape.get(lead..));
        tail.is_some_and(|tail| broadcast("edge", tail, &self.shape).is_ok_and(|s| s == self.shape))
            && shape.len() <= self.shape.len() + 2
    }
    fn fit(&self, value: &Tensor) -> Result<Tensor> {
        let shape = value.shape();
        if shape.is_empty() || self.is_written_out(&shape) {
            return Ok(value.clone());
        }
        // The side's own axes last: the missing axis goes back to its place.
        let own = self.shape.len().saturating_sub(1);
        let mut wide = vec![1; own.saturating_sub(shape.len())];
        wide.extend_from_slice(&shape);
        wide.insert(wide.len() - own + self.axis.min(own), 1);
        if !self.is_written_out(&wide) {
            let mut expected = self.shape.clone();
            expected.remove(self.axis.min(own));
            return Err(Error::shape("the value of an edge does not fit its side")
                .got(format!("shape {shape:?}"))
                .expected(format!("a number, or a tensor that broadcasts to {expected:?}")));
        }
        value.reshape(&wide)
    }
}

impl PartialEq for EdgeValue {
    /// Functions are equal when they are the same function; numbers and tensors by value.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Tensor(a), Self::Tensor(b)) => {
                a.shape() == b.shape() && matches!((a.to_vec(), b.to_vec()), (Ok(a), Ok(b)) if a == b)
            }
            (Self::Function { f: a, .. }, Self::Function { f: b, .. }) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl fmt::Display for EdgeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{}", number(*value)),
            Self::Tensor(value) => write!(f, "Tensor {:?}", value.shape()),
            Self::Function { takes_time: true, .. } => write!(f, "f(…, t)"),
            Self::Function { .. } => write!(f, "f(…)"),
        }
    }
}

/// What holds at one side of a box.
#[derive(Clone, PartialEq)]
pub enum Edge {
    /// The opposite side is the same place.
    Periodic,
    /// `u = value`
    Dirichlet(EdgeValue),
    /// `∂u/∂n = value`, with the normal that points outwards.
    Neumann(EdgeValue),
    /// `a u + b ∂u/∂n = value`, with the normal that points outwards.
    Robin {
        /// Factor of the value.
        a: f64,
        /// Factor of the outward derivative.
        b: f64,
        /// The right-hand side.
        value: EdgeValue,
    },
}

/// An edge condition without its value: what the weights of stencils depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EdgeKind {
    /// The opposite side is the same place.
    Periodic,
    /// The value is known.
    Dirichlet,
    /// The outward derivative is known.
    Neumann,
    /// `a u + b ∂u/∂n` is known.
    Robin(f64, f64),
    /// Nothing is known: stencils lean inwards.
    Free,
}

impl Edge {
    /// `u = value` along the whole side.
    pub fn dirichlet(value: f64) -> Self {
        Self::Dirichlet(EdgeValue::Number(value))
    }
    /// `∂u/∂n = value` along the whole side.
    pub fn neumann(value: f64) -> Self {
        Self::Neumann(EdgeValue::Number(value))
    }
    /// `a u + b ∂u/∂n = value` along the whole side.
    ///
    /// # Errors
    /// Factors that are not finite, or both zero.
    pub fn robin(a: f64, b: f64, value: EdgeValue) -> Result<Self> {
        if !(a.is_finite() && b.is_finite()) || (a == 0.0 && b == 0.0) {
            return Err(Error::value("a Robin condition a u + b ∂u/∂n = value needs a factor")
                .got(format!("a = {a}, b = {b}"))
                .expected("finite numbers, not both 0"));
        }
        Ok(Self::Robin { a, b, value })
    }
    /// The kind without the value.
    pub fn kind(&self) -> EdgeKind {
        match self {
            Self::Periodic => EdgeKind::Periodic,
            Self::Dirichlet(_) => EdgeKind::Dirichlet,
            Self::Neumann(_) => EdgeKind::Neumann,
            Self::Robin { a, b, .. } => EdgeKind::Robin(*a, *b),
        }
    }
    /// The value, where there is one.
    pub fn value(&self) -> Option<&EdgeValue> {
        match self {
            Self::Periodic => None,
            Self::Dirichlet(value) | Self::Neumann(value) | Self::Robin { value, .. } => Some(value),
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Periodic => write!(f, "periodic"),
            Self::Dirichlet(value) => write!(f, "u = {value}"),
            Self::Neumann(value) => write!(f, "∂u/∂n = {value}"),
            Self::Robin { a, b, value } => write!(f, "{} u + {} ∂u/∂n = {value}", number(*a), number(*b)),
        }
    }
}
impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What holds at one side for each unknown.
#[derive(Clone, PartialEq, Debug)]
pub struct SideEdges {
    /// For unknowns that are not named.
    pub others: Option<Edge>,
    /// For unknowns by name.
    pub named: Vec<(String, Edge)>,
}

impl SideEdges {
    /// What holds for `unknown`; `None` where nothing was said.
    pub fn of(&self, unknown: Option<&str>) -> Option<&Edge> {
        let named = unknown.and_then(|name| self.named.iter().find(|(n, _)| n == name));
        named.map(|(_, edge)| edge).or(self.others.as_ref())
    }
    /// Every edge that is mentioned.
    pub fn all(&self) -> impl Iterator<Item = &Edge> {
        self.others.iter().chain(self.named.iter().map(|(_, edge)| edge))
    }
}

impl From<Edge> for SideEdges {
    fn from(edge: Edge) -> Self {
        Self { others: Some(edge), named: Vec::new() }
    }
}

impl fmt::Display for SideEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named.iter().map(|(name, edge)| format!("{name}: {edge}"));
        let others = self.others.iter().map(|edge| match self.named.is_empty() {
            true => edge.to_string(),
            false => format!("others: {edge}"),
        });
        write!(f, "{}", named.chain(others).collect::<Vec<_>>().join(", "))
    }
}
