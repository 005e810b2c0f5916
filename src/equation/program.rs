//! Expressions as a list of instructions, each value computed once: what both lanes run.

use std::collections::HashMap;
use std::rc::Rc;

use super::expr::{Expr, Op, Orders};
use super::opaque::Opaque;
use super::parameter::Value;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// One value.
#[derive(Clone)]
pub enum Code {
    /// A number.
    Number(f64),
    /// A parameter of the equation.
    Parameter(usize),
    /// Numbers without a name, by their place in [`Program::data`].
    Data(usize),
    /// A channel of the state.
    Channel(usize),
    /// A coordinate.
    Coordinate(usize),
    /// The time.
    Time,
    /// A function of a value.
    Unary(Unary, usize),
    /// An operation on two values.
    Binary(Binary, usize, usize),
    /// A partial derivative.
    Partial(usize, Orders),
    /// `∇ · (a ∇u)` over the marked axes.
    Diffusion(usize, usize, [bool; 3]),
    /// `v ∂u/∂xᵢ` against the direction of `v`.
    Upwind(usize, usize, usize),
    /// `∂F/∂xᵢ` by fluxes through faces: of `F`, for `u`, with waves no faster than the third.
    FluxDifference(usize, usize, usize, usize),
    /// The integral over the domain.
    Integral(usize),
    /// `Δ⁻¹`
    InverseLaplacian(usize, Option<Rc<str>>),
    /// A function that is not looked into.
    Opaque(Rc<Opaque>, Vec<usize>),
    /// The sum over other bodies.
    PairSum(usize),
    /// `r_j − r_i`
    Separation(usize),
    /// A quantity of the other body.
    Other(usize),
}

impl Code {
    /// The values it is computed from.
    pub fn arguments(&self) -> Vec<usize> {
        match self {
            Self::Number(_)
            | Self::Parameter(_)
            | Self::Data(_)
            | Self::Channel(_)
            | Self::Coordinate(_)
            | Self::Time => vec![],
            Self::Unary(_, a)
            | Self::Partial(a, _)
            | Self::Integral(a)
            | Self::InverseLaplacian(a, _)
            | Self::PairSum(a)
            | Self::Separation(a)
            | Self::Other(a) => vec![*a],
            Self::Binary(_, a, b) | Self::Diffusion(a, b, _) | Self::Upwind(a, b, _) => vec![*a, *b],
            Self::FluxDifference(f, u, speed, _) => vec![*f, *u, *speed],
            Self::Opaque(_, arguments) => arguments.clone(),
        }
    }
}

/// Instructions in an order in which arguments come first.
#[derive(Clone, Default)]
pub struct Program {
    /// The values.
    pub code: Vec<Code>,
    /// Which of them are asked for.
    pub outputs: Vec<usize>,
    /// Numbers without a name.
    pub data: Vec<Value>,
}

/// What makes two instructions the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Number(u64),
    Leaf(u8, usize),
    Unary(u8, usize),
    Binary(u8, usize, usize),
    Partial(usize, Orders),
    Diffusion(usize, usize, [bool; 3]),
    Linear(u8, usize),
    Potential(usize, Option<Rc<str>>),
    Transport(Vec<usize>),
    Opaque(usize, Vec<usize>),
}

impl Program {
    /// The program of scalar expressions (vectors have been written in components).
    ///
    /// # Errors
    /// When an expression still is a vector.
    pub fn new(outputs: &[Expr]) -> Result<Self> {
        let mut builder = Builder { program: Self::default(), by_key: HashMap::new(), by_node: HashMap::new() };
        let outputs = outputs.iter().map(|e| builder.place(e)).collect::<Result<_>>()?;
        builder.program.outputs = outputs;
        Ok(builder.program)
    }
    /// For each value the last instruction that needs it; outputs are needed to the end.
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.code.len()).collect();
        for (at, code) in self.code.iter().enumerate() {
            for argument in code.arguments() {
                if let Some(last) = last.get_mut(argument) {
                    *last = at;
                }
            }
        }
        for &output in &self.outputs {
            if let Some(last) = last.get_mut(output) {
                *last = usize::MAX;
            }
        }
        last
    }
    /// Whether an instruction is of a kind.
    pub fn has(&self, found: impl Fn(&Code) -> bool) -> bool {
        self.code.iter().any(found)
    }
}

struct Builder {
    program: Program,
    by_key: HashMap<Key, usize>,
    by_node: HashMap<usize, usize>,
}

impl Builder {
    fn place(&mut self, e: &Expr) -> Result<usize> {
        if let Some(&at) = self.by_node.get(&e.address()) {
            return Ok(at);
        }
        let places = e.op().arguments().into_iter().map(|a| self.place(a)).collect::<Result<Vec<_>>>()?;
        let at = |i: usize| places.get(i).copied().unwrap_or(0);
        let (key, code) = match e.op() {
            Op::Number(n) => (Key::Number(n.to_bits()), Code::Number(*n)),
            Op::Parameter(i, _) => (Key::Leaf(0, *i), Code::Parameter(*i)),
            Op::Unknown(i, _) => (Key::Leaf(1, *i), Code::Channel(*i)),
            Op::Coordinate(i) => (Key::Leaf(2, *i), Code::Coordinate(*i)),
            Op::Time => (Key::Leaf(3, 0), Code::Time),
            Op::Data(value) => {
                self.program.data.push(value.clone());
                (Key::Leaf(4, e.address()), Code::Data(self.program.data.len() - 1))
            }
            Op::Unary(f, _) => (Key::Unary(function_number(*f), at(0)), Code::Unary(*f, at(0))),
            Op::Binary(op, ..) => (Key::Binary(*op as u8, at(0), at(1)), Code::Binary(*op, at(0), at(1))),
            Op::Partial(_, orders) => (Key::Partial(at(0), *orders), Code::Partial(at(0), *orders)),
            Op::Diffusion(_, _, axes) => (Key::Diffusion(at(0), at(1), *axes), Code::Diffusion(at(0), at(1), *axes)),
            Op::Upwind(_, _, axis) => (Key::Transport(vec![at(0), at(1), *axis]), Code::Upwind(at(0), at(1), *axis)),
            Op::FluxDifference(.., axis) => {
                (Key::Transport(vec![at(0), at(1), at(2), *axis]), Code::FluxDifference(at(0), at(1), at(2), *axis))
            }
            Op::Integral(_) => (Key::Linear(0, at(0)), Code::Integral(at(0))),
            Op::InverseLaplacian(_, name) => {
                (Key::Potential(at(0), name.clone()), Code::InverseLaplacian(at(0), name.clone()))
            }
            Op::PairSum(_) => (Key::Linear(2, at(0)), Code::PairSum(at(0))),
            Op::Separation(_) => (Key::Linear(3, at(0)), Code::Separation(at(0))),
            Op::Other(_) => (Key::Linear(4, at(0)), Code::Other(at(0))),
            Op::Opaque(f, _) => (Key::Opaque(Rc::as_ptr(f) as usize, places.clone()), Code::Opaque(f.clone(), places)),
            Op::TimeDerivative(_)
            | Op::Gradient(_)
            | Op::Divergence(_)
            | Op::Laplacian(_)
            | Op::Curl(_)
            | Op::Dot(..)
            | Op::Advect(..)
            | Op::Component(..)
            | Op::Vector(_) => {
                return Err(Error::internal("an expression was not written in components").got(e));
            }
        };
        let place = *self.by_key.entry(key).or_insert_with(|| {
            self.program.code.push(code);
            self.program.code.len() - 1
        });
        self.by_node.insert(e.address(), place);
        Ok(place)
    }
}

fn function_number(f: Unary) -> u8 {
    Unary::ALL.iter().position(|(_, g)| *g == f).unwrap_or(usize::MAX) as u8
}
