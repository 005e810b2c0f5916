//! Functions of two tensors, element by element, with broadcasting.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::backend::{Dispatch, DispatchTensor};

use super::base::Tensor;
use super::context::Precision;
use super::elementwise::Operation;
use super::shape::{Shape, broadcast};
use super::tape::unbroadcast;
use super::unary::Unary;
use crate::error::Result;

/// An operation on pairs of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a − b`
    Sub,
    /// `a b`
    Mul,
    /// `a / b`
    Div,
    /// `a` to the power `b`
    Pow,
    /// the remainder with the sign of `b`
    Rem,
    /// the angle of the point (x = b, y = a)
    Atan2,
    /// the smaller one; where equal, each takes half of the gradient
    Min,
    /// the larger one; where equal, each takes half of the gradient
    Max,
}

/// A comparison; the result is 1 where it holds and 0 where not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a < b`
    Lower,
    /// `a <= b`
    LowerEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
}

impl Binary {
    /// The name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Pow => "**",
            Self::Rem => "%",
            Self::Atan2 => "atan2",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

impl Tensor {
    /// Operands as Burn wants them: of one rank.
    fn lifted(&self, shape: &[usize]) -> DispatchTensor {
        let from = self.shape();
        let data = self.data().clone();
        if from.len() == shape.len() {
            return data;
        }
        let mut lifted = vec![1; shape.len() - from.len()];
        lifted.extend_from_slice(&from);
        Dispatch::float_reshape(data, lifted.as_slice().into())
    }

    /// Both operands in one precision, and the shape that they stretch to; its memory is there.
    fn paired(&self, other: &Self, op: &str) -> Result<(Self, Self, Shape)> {
        let (a, b) = self.joined(other)?;
        let shape = broadcast(op, &a.shape(), &b.shape())?;
        let count = super::shape::element_count(&shape)?;
        self.context().reserve(count.saturating_mul(a.precision().bytes()))?;
        Ok((a.detach(), b.detach(), shape))
    }

    /// Applies an operation to pairs of elements.
    pub fn binary(&self, op: Binary, other: &Self) -> Result<Self> {
        let (a, b, shape) = self.paired(other, op.name())?;
        let out = match a.elementwise(Operation::Binary(op), &[&a, &b], shape.clone())? {
            Some(out) => out,
            None => {
                if let Some(data) = a.with_known(op, &b, &shape) {
                    let out = Self::made_in(self.context(), data, &shape);
                    return Ok(self.recorded(op, other, out));
                }
                let (a, b) = (a.lifted(&shape), b.lifted(&shape));
                let data = match op {
                    Binary::Add => Dispatch::float_add(a, b),
                    Binary::Sub => Dispatch::float_sub(a, b),
                    Binary::Mul => Dispatch::float_mul(a, b),
                    Binary::Div => Dispatch::float_div(a, b),
                    Binary::Pow => Dispatch::float_powf(a, b),
                    Binary::Rem => Dispatch::float_remainder(a, b),
                    Binary::Atan2 => Dispatch::float_atan2(a, b),
                    Binary::Min | Binary::Max => return self.extremum(op, other, None),
                };
                Self::made_in(self.context(), data, &shape)
            }
        };
        if matches!(op, Binary::Min | Binary::Max) {
            return self.extremum(op, other, Some(out));
        }
        Ok(self.recorded(op, other, out))
    }
    /// An operation with a number that is everywhere in one of the operands, where the other one has the shape of the result.
    fn with_known(&self, op: Binary, other: &Self, shape: &[usize]) -> Option<DispatchTensor> {
        if let Some(number) = other.known_number()
            && *self.shape() == *shape
        {
            let data = || self.data().clone();
            return match op {
                Binary::Add => Some(Dispatch::float_add_scalar(data(), number.into())),
                Binary::Sub => Some(Dispatch::float_sub_scalar(data(), number.into())),
                Binary::Mul => Some(Dispatch::float_mul_scalar(data(), number.into())),
                Binary::Div => Some(Dispatch::float_div_scalar(data(), number.into())),
                _ => None,
            };
        }
        if let Some(number) = self.known_number()
            && *other.shape() == *shape
        {
            let data = || other.data().clone();
            return match op {
                Binary::Add => Some(Dispatch::float_add_scalar(data(), number.into())),
                Binary::Mul => Some(Dispatch::float_mul_scalar(data(), number.into())),
                _ => None,
            };
        }
        None
    }
    /// The result with its rules for both operands.
    fn recorded(&self, op: Binary, other: &Self, out: Self) -> Self {
        if matches!(op, Binary::Add | Binary::Sub) {
            // Sums need no operand in their reverse pass: keeping none alive saves memory in long rollouts.
            let sign = if op == Binary::Sub { -1.0 } else { 1.0 };
            let rule = |back: &Self, sign: f64| {
                let (shape, precision) = (back.shape(), back.precision());
                move |g: &Tensor| {
                    let g = if sign < 0.0 { g.unary(Unary::Neg)? } else { g.clone() };
                    unbroadcast(&g, &shape)?.cast(precision)
                }
            };
            return out.from(self, || rule(self, 1.0)).from(other, || rule(other, sign));
        }
        let rule = |side: Side, back: &Self| {
            let (a, b) = (self.clone(), other.clone());
            let (shape, precision) = (back.shape(), back.precision());
            move |g: &Tensor| unbroadcast(&side(op, &a, &b, g)?, &shape)?.cast(precision)
        };
        out.from(self, || rule(left_rule, self)).from(other, || rule(right_rule, other))
    }

    fn extremum(&self, op: Binary, other: &Self, value: Option<Self>) -> Result<Self> {
        // (a + b ± |a − b|) / 2 would lose digits; select instead, with half of the gradient to each where equal.
        let (strictly, loosely) = match op {
            Binary::Max => (Compare::Greater, Compare::GreaterEqual),
            _ => (Compare::Lower, Compare::LowerEqual),
        };
        let value = match value {
            Some(value) => value,
            None => self.detach().compare(loosely, &other.detach())?.choose(&self.detach(), &other.detach())?,
        };
        let weight = move |near: &Tensor, far: &Tensor| -> Result<Tensor> {
            let (near, far) = (near.detach(), far.detach());
            near.compare(strictly, &far)?.add(&near.compare(loosely, &far)?)?.scale(0.5)
        };
        let share = |near: &Self, far: &Self| {
            let (near, far) = (near.clone(), far.clone());
            move |g: &Tensor| unbroadcast(&g.mul(&weight(&near, &far)?)?, &near.shape())?.cast(near.precision())
        };
        Ok(value.from(self, || share(self, other)).from(other, || share(other, self)))
    }

    /// `a + b`
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Add, other)
    }
    /// `a − b`
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Sub, other)
    }
    /// `a b`
    pub fn mul(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Mul, other)
    }
    /// `a / b`
    pub fn div(&self, other: &Self) -> Result<Self> {
        self.binary(Binary::Div, other)
    }

    /// 1 where the comparison holds, 0 where not; no gradient goes through it.
    pub fn compare(&self, op: Compare, other: &Self) -> Result<Self> {
        let precision = self.precision().join(other.precision());
        let (a, b, shape) = self.paired(other, "comparison")?;
        if let Some(out) = a.elementwise(Operation::Compare(op), &[&a, &b], shape.clone())? {
            return Ok(out);
        }
        if let Some(number) = b.known_number()
            && *a.shape() == *shape
        {
            let (a, n, store) = (a.data().clone(), number.into(), self.context().bool_store());
            let mask = match op {
                Compare::Equal => Dispatch::float_equal_elem(a, n, store),
                Compare::NotEqual => Dispatch::float_not_equal_elem(a, n, store),
                Compare::Lower => Dispatch::float_lower_elem(a, n, store),
                Compare::LowerEqual => Dispatch::float_lower_equal_elem(a, n, store),
                Compare::Greater => Dispatch::float_greater_elem(a, n, store),
                Compare::GreaterEqual => Dispatch::float_greater_equal_elem(a, n, store),
            };
            return Ok(Self::made_in(self.context(), Dispatch::bool_into_float(mask, precision.dtype()), &shape));
        }
        let (a, b) = (a.lifted(&shape), b.lifted(&shape));
        let store = self.context().bool_store();
        let mask = match op {
            Compare::Equal => Dispatch::float_equal(a, b, store),
            Compare::NotEqual => Dispatch::float_not_equal(a, b, store),
            Compare::Lower => Dispatch::float_lower(a, b, store),
            Compare::LowerEqual => Dispatch::float_lower_equal(a, b, store),
            Compare::Greater => Dispatch::float_greater(a, b, store),
            Compare::GreaterEqual => Dispatch::float_greater_equal(a, b, store),
        };
        Ok(Self::made_in(self.context(), Dispatch::bool_into_float(mask, precision.dtype()), &shape))
    }

    /// `yes` where this mask is not zero, `no` where it is. Neither branch's NaN reaches the other's gradient.
    pub fn choose(&self, yes: &Self, no: &Self) -> Result<Self> {
        let (yes_wide, no_wide) = yes.joined(no)?;
        let shape = broadcast("where", &broadcast("where", &self.shape(), &yes.shape())?, &no.shape())?;
        let precision = yes_wide.precision();
        let mask = self.detach().cast(precision)?;
        let out = match yes_wide.elementwise(Operation::Choose, &[&mask, &yes_wide, &no_wide], shape.clone())? {
            Some(out) => out,
            None => {
                let mask = mask.expand(&shape)?;
                let store = self.context().bool_store();
                let holds = Dispatch::float_not_equal_elem(mask.data().clone(), 0.0.into(), store);
                let (y, n) = (yes_wide.detach().expand(&shape)?, no_wide.detach().expand(&shape)?);
                let data = match (y.known_number(), n.known_number()) {
                    (Some(number), None) => Dispatch::float_mask_fill(n.data().clone(), holds, number.into()),
                    (None, Some(number)) => {
                        Dispatch::float_mask_fill(y.data().clone(), Dispatch::bool_not(holds), number.into())
                    }
                    _ => Dispatch::float_mask_where(n.data().clone(), holds, y.data().clone()),
                };
                Self::made_in(self.context(), data, &shape)
            }
        };
        let branch = |keep: bool, back: &Self| {
            let (mask, shape) = (mask.clone(), back.shape());
            move |g: &Tensor| {
                let zero = Self::scalar_in(g.context(), g.precision(), 0.0);
                unbroadcast(&if keep { mask.choose(g, &zero)? } else { mask.choose(&zero, g)? }, &shape)
            }
        };
        Ok(out.from(&yes_wide, || branch(true, &yes_wide)).from(&no_wide, || branch(false, &no_wide)).chosen())
    }

    /// 1 where an element is finite, 0 where it is NaN or infinite.
    pub fn is_finite(&self) -> Result<Self> {
        // Not x − x = 0, which drivers of cards take for true of every number. NaN is not less than anything.
        let most = if self.precision() == Precision::F32 { f64::from(f32::MAX) } else { f64::MAX };
        let most = Self::scalar_in(self.context(), self.precision(), most);
        self.detach().unary(Unary::Abs)?.compare(Compare::LowerEqual, &most)?.cast(self.precision())
    }
}

/// The rule of one operand: operation, operands, gradient of the result.
type Side = fn(Binary, &Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn left_rule(op: Binary, a: &Tensor, b: &Tensor, g: &Tensor) -> Result<Tensor> {
    match op {
        Binary::Mul => g.chain(b),
        Binary::Div => g.chain_div(b),
        Binary::Pow => g.chain(&b.mul(&a.binary(Binary::Pow, &b.shift(-1.0)?)?)?),
        Binary::Atan2 => g.chain(&b.div(&a.unary(Unary::Square)?.add(&b.unary(Unary::Square)?)?)?),
        Binary::Add | Binary::Sub | Binary::Rem | Binary::Min | Binary::Max => Ok(g.clone()),
    }
}

fn right_rule(op: Binary, a: &Tensor, b: &Tensor, g: &Tensor) -> Result<Tensor> {
    match op {
        Binary::Sub => g.unary(Unary::Neg),
        Binary::Mul => g.chain(a),
        Binary::Div if g.context().is_chosen() => g.chain(&a.div(&b.unary(Unary::Square)?)?)?.unary(Unary::Neg),
        Binary::Div => g.mul(a)?.div(&b.unary(Unary::Square)?)?.unary(Unary::Neg),
        // ln 0 is −∞ and 0 · −∞ is NaN; the derivative of 0ᵇ with respect to b > 0 is 0.
        Binary::Pow => {
            let value = a.binary(Binary::Pow, b)?;
            let positive = a.compare(Compare::Greater, &a.full_like(0.0)?)?;
            let log = positive.choose(a, &a.full_like(1.0)?)?.unary(Unary::Log)?;
            g.chain(&value.mul(&log)?)
        }
        Binary::Atan2 => g.chain(&a.div(&a.unary(Unary::Square)?.add(&b.unary(Unary::Square)?)?)?)?.unary(Unary::Neg),
        // a − ⌊a/b⌋ b
        Binary::Rem => g.mul(&a.detach().div(&b.detach())?.unary(Unary::Floor)?)?.unary(Unary::Neg),
        Binary::Add | Binary::Min | Binary::Max => Ok(g.clone()),
    }
}
