//! Expressions: what an equation is made of.
//!
//! An expression is an immutable tree with shared parts. It knows nothing of grids: `laplacian(u)` is one node until the
//! number of dimensions is known. Building simplifies only what no reader would miss (`0 + x`, `1 · x`, numbers among
//! themselves), so that an equation is shown as it was written.

use std::rc::Rc;

use super::opaque::Opaque;
use super::parameter::Value;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// The deepest nesting of an expression: readings of it are recursive.
const DEEPEST: u32 = 4000;

/// What stands at a point: one number, or one per axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// One number.
    Scalar,
    /// One number per axis of space.
    Vector,
    /// A curl: a vector in three dimensions, one number in two. Known when the grid is.
    Either,
}

/// Orders of differentiation along x, y and z.
pub type Orders = [u8; 3];

/// A function applied to expressions.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // an equation has tens of nodes; a box would cost a pattern at every reading
pub enum Op {
    /// A number.
    Number(f64),
    /// A captured variable: its place among the equation's parameters and its name.
    Parameter(usize, Rc<str>),
    /// Numbers on points that have no name.
    Data(Value),
    /// An unknown: its place among the equation's unknowns and its name.
    Unknown(usize, Rc<str>),
    /// A coordinate of the point: 0 is x.
    Coordinate(usize),
    /// The time.
    Time,
    /// A function of each number.
    Unary(Unary, Expr),
    /// An operation on two numbers at the same point. Of a scalar and a vector: of the scalar with each component.
    Binary(Binary, Expr, Expr),
    /// `∂e/∂t`
    TimeDerivative(Expr),
    /// `∂^(a+b+c) e / ∂xᵃ ∂yᵇ ∂zᶜ`
    Partial(Expr, Orders),
    /// `∇e`
    Gradient(Expr),
    /// `∇ · v`
    Divergence(Expr),
    /// `Σ ∂(a ∂e/∂xᵢ)/∂xᵢ` over the axes marked: kept as one, so that it is discretised by fluxes through faces.
    Diffusion(Expr, Expr, [bool; 3]),
    /// `v ∂u/∂xᵢ`, differenced against the direction of `v`; made when a solver is planned.
    Upwind(Expr, Expr, usize),
    /// `∂F/∂xᵢ` from fluxes through faces, with waves of `u` no faster than `a`: `(F, u, a)`; made when a solver is planned.
    FluxDifference(Expr, Expr, Expr, usize),
    /// `Δe`, also of each component of a vector
    Laplacian(Expr),
    /// `∇ × v`: a vector in three dimensions; in two the scalar `∂v_y/∂x − ∂v_x/∂y`
    Curl(Expr),
    /// `v · w`
    Dot(Expr, Expr),
    /// `(v · ∇) e`
    Advect(Expr, Expr),
    /// A component of a vector.
    Component(Expr, usize),
    /// A vector given by its components.
    Vector(Vec<Expr>),
    /// The integral over the domain, the same number at each point.
    Integral(Expr),
    /// The solution `p` of `Δp = e` with the edges that the grid has for the name of `p` (mean 0 where they leave it free).
    InverseLaplacian(Expr, Option<Rc<str>>),
    /// A function that is not looked into: a closure on tensors, a network, a native operator.
    Opaque(Rc<Opaque>, Vec<Expr>),
    /// `Σ_{j ≠ i} e_ij` over the other bodies.
    PairSum(Expr),
    /// `r_j − r_i`, inside of a pair sum.
    Separation(Expr),
    /// A quantity of the other body j, inside of a pair sum.
    Other(Expr),
}

/// An expression. Cheap to clone.
#[derive(Clone)]
pub struct Expr(Rc<Node>);

struct Node {
    op: Op,
    rank: Rank,
    depth: u32,
}

impl Op {
    /// The expressions it is applied to.
    pub fn arguments(&self) -> Vec<&Expr> {
        match self {
            Self::Number(_)
            | Self::Parameter(..)
            | Self::Data(_)
            | Self::Unknown(..)
            | Self::Coordinate(_)
            | Self::Time => vec![],
            Self::Unary(_, a)
            | Self::TimeDerivative(a)
            | Self::Partial(a, _)
            | Self::Gradient(a)
            | Self::Divergence(a)
            | Self::Laplacian(a)
            | Self::Curl(a)
            | Self::Component(a, _)
            | Self::Integral(a)
            | Self::InverseLaplacian(a, _)
            | Self::PairSum(a)
            | Self::Separation(a)
            | Self::Other(a) => vec![a],
            Self::Binary(_, a, b) | Self::Dot(a, b) | Self::Advect(a, b) | Self::Diffusion(a, b, _) => vec![a, b],
            Self::Upwind(a, b, _) => vec![a, b],
            Self::FluxDifference(a, b, c, _) => vec![a, b, c],
            Self::Vector(parts) | Self::Opaque(_, parts) => parts.iter().collect(),
        }
    }
    /// The same function of other expressions, as many as [`arguments`](Self::arguments) gives.
    pub fn with(&self, new: &[Expr]) -> Result<Expr> {
        let at = |i: usize| new.get(i).cloned().ok_or_else(|| Error::internal("an operation lost an argument"));
        match self {
            Self::Number(_)
            | Self::Parameter(..)
            | Self::Data(_)
            | Self::Unknown(..)
            | Self::Coordinate(_)
            | Self::Time => Expr::new(self.clone(), Rank::Scalar),
            Self::Unary(f, _) => at(0)?.unary(*f),
            Self::TimeDerivative(_) => at(0)?.time_derivative(),
            Self::Partial(_, orders) => at(0)?.partial(*orders),
            Self::Gradient(_) => at(0)?.gradient(),
            Self::Divergence(_) => at(0)?.divergence(),
            Self::Laplacian(_) => at(0)?.laplacian(),
            Self::Curl(_) => at(0)?.curl(),
            Self::Component(_, i) => at(0)?.component(*i),
            Self::Integral(_) => at(0)?.integral(),
            Self::InverseLaplacian(_, name) => at(0)?.potential(name.clone()),
            Self::PairSum(_) => at(0)?.pair_sum(),
            Self::Separation(_) => at(0)?.separation(),
            Self::Other(_) => at(0)?.other(),
            Self::Binary(op, ..) => at(0)?.binary(*op, &at(1)?),
            Self::Dot(..) => at(0)?.dot(&at(1)?),
            Self::Advect(..) => at(0)?.advect(&at(1)?),
            Self::Diffusion(_, _, axes) => at(0)?.diffusion(&at(1)?, *axes),
            Self::Upwind(_, _, axis) => at(0)?.upwind(&at(1)?, *axis),
            Self::FluxDifference(.., axis) => at(0)?.flux_difference(&at(1)?, &at(2)?, *axis),
            Self::Vector(_) => Expr::vector(new.to_vec()),
            Self::Opaque(f, _) => Expr::opaque(f.clone(), new.to_vec()),
        }
    }
}

impl Expr {
    fn new(op: Op, rank: Rank) -> Result<Self> {
        let depth = 1 + op.arguments().iter().map(|a| a.0.depth).max().unwrap_or(0);
        if depth > DEEPEST {
            return Err(Error::limit("an expression is nested too deeply")
                .expected(format!("at most {DEEPEST} operations inside of one another"))
                .advice("sums of many terms can be made pairwise; loops over steps belong to the solver"));
        }
        Ok(Self(Rc::new(Node { op, rank, depth })))
    }
    /// A leaf, which cannot be too deep.
    fn leaf(op: Op, rank: Rank) -> Self {
        Self(Rc::new(Node { op, rank, depth: 1 }))
    }
    /// A number.
    pub fn number(value: f64) -> Self {
        Self::leaf(Op::Number(value), Rank::Scalar)
    }
    /// An unknown.
    pub fn unknown(index: usize, name: &str, rank: Rank) -> Self {
        Self::leaf(Op::Unknown(index, name.into()), rank)
    }
    /// A named parameter.
    pub fn parameter(index: usize, name: &str) -> Self {
        Self::leaf(Op::Parameter(index, name.into()), Rank::Scalar)
    }
    /// Numbers without a name.
    pub fn data(value: Value) -> Self {
        Self::leaf(Op::Data(value), Rank::Scalar)
    }
    /// A coordinate.
    pub fn coordinate(axis: usize) -> Self {
        Self::leaf(Op::Coordinate(axis), Rank::Scalar)
    }
    /// The time.
    pub fn time() -> Self {
        Self::leaf(Op::Time, Rank::Scalar)
    }

    /// What it is.
    pub fn op(&self) -> &Op {
        &self.0.op
    }
    /// Scalar or vector.
    pub fn rank(&self) -> Rank {
        self.0.rank
    }
    /// A key that is equal for the same node in memory.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }
    /// The number that this is, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self.op() {
            Op::Number(n) => Some(*n),
            _ => None,
        }
    }
    fn is(&self, n: f64) -> bool {
        self.as_number() == Some(n)
    }
    /// Whether it is a function of unknowns and coefficients at the same point, with an unknown in it.
    pub fn is_pointwise(&self) -> bool {
        let far = |op: &Op| {
            !matches!(
                op,
                Op::Number(_)
                    | Op::Parameter(..)
                    | Op::Data(_)
                    | Op::Unknown(..)
                    | Op::Coordinate(_)
                    | Op::Time
                    | Op::Unary(..)
                    | Op::Binary(..)
            )
        };
        !self.any(&mut |op| far(op)) && self.any(&mut |op| matches!(op, Op::Unknown(..)))
    }
    /// Whether `found` holds for this node or one below it.
    pub fn any(&self, found: &mut dyn FnMut(&Op) -> bool) -> bool {
        let mut seen = std::collections::HashSet::new();
        self.search(found, &mut seen)
    }
    fn search(&self, found: &mut dyn FnMut(&Op) -> bool, seen: &mut std::collections::HashSet<usize>) -> bool {
        seen.insert(self.address()) && (found(self.op()) || self.op().arguments().iter().any(|a| a.search(found, seen)))
    }

    /// A function of each number.
    pub fn unary(&self, f: Unary) -> Result<Self> {
        if let Some(n) = self.as_number() {
            return Ok(Self::number(super::numbers::unary(f, n)));
        }
        match (f, self.op()) {
            (Unary::Neg, Op::Unary(Unary::Neg, inner)) => return Ok(inner.clone()),
            (Unary::Neg, _) => {}
            _ if self.rank() == Rank::Vector => {
                return Err(
                    Error::typ("a function of numbers met a vector").advice("take components, dot(v, v), or norm(v)")
                );
            }
            _ => {}
        }
        Self::new(Op::Unary(f, self.clone()), self.rank())
    }
    /// The opposite.
    pub fn neg(&self) -> Result<Self> {
        self.unary(Unary::Neg)
    }
    /// An operation on two.
    pub fn binary(&self, op: Binary, other: &Self) -> Result<Self> {
        if let (Some(a), Some(b)) = (self.as_number(), other.as_number()) {
            return Ok(Self::number(super::numbers::binary(op, a, b)));
        }
        let (a, b) = (self, other);
        match op {
            Binary::Add if a.is(0.0) => return Ok(b.clone()),
            Binary::Add | Binary::Sub if b.is(0.0) => return Ok(a.clone()),
            Binary::Sub if a.is(0.0) => return b.neg(),
            Binary::Mul if a.is(1.0) => return Ok(b.clone()),
            Binary::Mul | Binary::Div | Binary::Pow if b.is(1.0) => return Ok(a.clone()),
            Binary::Mul if a.is(0.0) && b.rank() == Rank::Scalar || b.is(0.0) && a.rank() == Rank::Scalar => {
                return Ok(Self::number(0.0));
            }
            Binary::Mul if a.is(-1.0) => return b.neg(),
            Binary::Mul if b.is(-1.0) => return a.neg(),
            _ => {}
        }
        use Rank::{Either, Scalar, Vector};
        let rank = match (op, a.rank(), b.rank()) {
            (_, Scalar, Scalar) => Scalar,
            (Binary::Add | Binary::Sub, Either, Vector) | (Binary::Add | Binary::Sub, Vector, Either) => Vector,
            (_, Either, Scalar | Either) | (_, Scalar, Either) => Either,
            (Binary::Add | Binary::Sub, Vector, Vector) => Vector,
            (Binary::Mul, Scalar, Vector) | (Binary::Mul | Binary::Div, Vector, Scalar) => Vector,
            (Binary::Mul, Vector, Vector) => {
                return Err(Error::typ("the product of two vectors is not one thing")
                    .advice("dot(v, w) is the scalar product; advect(v, f) is (v · ∇) f"));
            }
            _ => {
                return Err(Error::typ(format!("{} does not join a scalar and a vector", op.name()))
                    .got(format!("{a} and {b}"))
                    .advice("vectors add to vectors; [a, b] is a vector of two components"));
            }
        };
        Self::new(Op::Binary(op, a.clone(), b.clone()), rank)
    }
    /// The sum.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Add, other)
    }
    /// The difference.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Sub, other)
    }
    /// The product.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Mul, other)
    }
    /// The quotient.
    pub fn div(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Div, other)
    }
    /// `∂/∂t`
    pub fn time_derivative(&self) -> Result<Self> {
        match self.op() {
            Op::Number(_) => Ok(Self::number(0.0)),
            _ => Self::new(Op::TimeDerivative(self.clone()), self.rank()),
        }
    }
    /// A partial derivative in space; those of derivatives are joined.
    pub fn partial(&self, orders: Orders) -> Result<Self> {
        if orders == [0; 3] {
            return Ok(self.clone());
        }
        if let Op::Partial(inner, before) = self.op() {
            let mut sum = orders;
            for (s, b) in sum.iter_mut().zip(before) {
                *s = s.checked_add(*b).filter(|n| *n <= 16).ok_or_else(|| {
                    Error::value("a derivative of too high an order").expected("at most 16 along an axis")
                })?;
            }
            return Self::new(Op::Partial(inner.clone(), sum), self.rank());
        }
        match self.op() {
            Op::Number(_) => Ok(Self::number(0.0)),
            _ => Self::new(Op::Partial(self.clone(), orders), self.rank()),
        }
    }
    /// `∇`
    pub fn gradient(&self) -> Result<Self> {
        self.expect(Rank::Scalar, "grad")?;
        Self::new(Op::Gradient(self.clone()), Rank::Vector)
    }
    /// `∇ ·`; `∇ · ∇e` is `Δe`
    pub fn divergence(&self) -> Result<Self> {
        self.expect(Rank::Vector, "div")?;
        match self.op() {
            Op::Gradient(e) => e.laplacian(),
            _ => Self::new(Op::Divergence(self.clone()), Rank::Scalar),
        }
    }
    /// `Σ ∂(self ∂e/∂xᵢ)/∂xᵢ` over the axes marked.
    pub fn diffusion(&self, e: &Self, axes: [bool; 3]) -> Result<Self> {
        if self.is(0.0) || e.as_number().is_some() {
            return Ok(Self::number(0.0));
        }
        Self::new(Op::Diffusion(self.clone(), e.clone(), axes), Rank::Scalar)
    }
    /// `self ∂u/∂xᵢ`, differenced against the direction of `self`.
    pub fn upwind(&self, u: &Self, axis: usize) -> Result<Self> {
        Self::new(Op::Upwind(self.clone(), u.clone(), axis), Rank::Scalar)
    }
    /// `∂self/∂xᵢ` from fluxes through faces, with waves of `u` no faster than `speed`.
    pub fn flux_difference(&self, u: &Self, speed: &Self, axis: usize) -> Result<Self> {
        Self::new(Op::FluxDifference(self.clone(), u.clone(), speed.clone(), axis), Rank::Scalar)
    }
    /// `Δ`
    pub fn laplacian(&self) -> Result<Self> {
        match self.op() {
            Op::Number(_) => Ok(Self::number(0.0)),
            _ => Self::new(Op::Laplacian(self.clone()), self.rank()),
        }
    }
    /// `∇ ×`
    pub fn curl(&self) -> Result<Self> {
        self.expect(Rank::Vector, "curl")?;
        Self::new(Op::Curl(self.clone()), Rank::Either)
    }
    /// The scalar product.
    pub fn dot(&self, other: &Self) -> Result<Self> {
        self.expect(Rank::Vector, "dot")?;
        other.expect(Rank::Vector, "dot")?;
        Self::new(Op::Dot(self.clone(), other.clone()), Rank::Scalar)
    }
    /// `(self · ∇) other`
    pub fn advect(&self, other: &Self) -> Result<Self> {
        self.expect(Rank::Vector, "advect")?;
        Self::new(Op::Advect(self.clone(), other.clone()), other.rank())
    }
    /// A component.
    pub fn component(&self, axis: usize) -> Result<Self> {
        self.expect(Rank::Vector, "a component")?;
        match self.op() {
            Op::Vector(parts) => parts
                .get(axis)
                .cloned()
                .ok_or_else(|| Error::shape(format!("a vector of {} components has no component {axis}", parts.len()))),
            _ if axis < 3 => Self::new(Op::Component(self.clone(), axis), Rank::Scalar),
            _ => Err(Error::shape("a vector has at most three components").got(axis)),
        }
    }
    /// A vector of scalars.
    pub fn vector(parts: Vec<Self>) -> Result<Self> {
        if parts.is_empty() || parts.len() > 3 {
            return Err(Error::shape("a vector has one component per axis").got(parts.len()).expected("1 to 3"));
        }
        for part in &parts {
            part.expect(Rank::Scalar, "a vector's component")?;
        }
        Self::new(Op::Vector(parts), Rank::Vector)
    }
    /// The integral over the domain.
    pub fn integral(&self) -> Result<Self> {
        self.expect(Rank::Scalar, "integral")?;
        Self::new(Op::Integral(self.clone()), Rank::Scalar)
    }
    /// `Δ⁻¹`
    pub fn inverse_laplacian(&self) -> Result<Self> {
        self.potential(None)
    }
    /// `Δ⁻¹` with the edges of an unknown.
    pub fn potential(&self, name: Option<Rc<str>>) -> Result<Self> {
        self.expect(Rank::Scalar, "inverse_laplacian")?;
        if self.is(0.0) {
            return Ok(self.clone());
        }
        Self::new(Op::InverseLaplacian(self.clone(), name), Rank::Scalar)
    }
    /// A function that is not looked into.
    pub fn opaque(function: Rc<Opaque>, arguments: Vec<Self>) -> Result<Self> {
        for argument in &arguments {
            argument.expect(Rank::Scalar, "opaque")?;
        }
        Self::new(Op::Opaque(function, arguments), Rank::Scalar)
    }
    /// The sum over other bodies.
    pub fn pair_sum(&self) -> Result<Self> {
        Self::new(Op::PairSum(self.clone()), self.rank())
    }
    /// `r_j − r_i`
    pub fn separation(&self) -> Result<Self> {
        Self::new(Op::Separation(self.clone()), self.rank())
    }
    /// The quantity of the other body.
    pub fn other(&self) -> Result<Self> {
        Self::new(Op::Other(self.clone()), self.rank())
    }
    fn expect(&self, rank: Rank, who: &str) -> Result<()> {
        if self.rank() == rank || self.rank() == Rank::Either {
            return Ok(());
        }
        Err(Error::typ(format!("{who} does not take this"))
            .got(format!("{} {self}", if self.rank() == Rank::Vector { "the vector" } else { "the scalar" }))
            .expected(if rank == Rank::Vector { "a vector: grad(u), [a, b], or a vector unknown" } else { "a scalar" }))
    }
}
