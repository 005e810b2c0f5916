//! Even and odd at an edge: what is known there of values that are computed from unknowns.
//!
//! An unknown with an outward derivative of 0 continues evenly beyond its edge, one with the value 0 oddly, as far as second order
//! goes. So `u³` of an even `u` has no slope at the edge either, `u v` of an even and an odd one vanishes there, and a
//! derivative across the edge turns one into the other. Derivatives of such values use that instead of leaning inwards. For a
//! derivative of higher order it is the natural second condition: `∂u/∂n = 0` with `∂Δu/∂n = 0`.

use super::program::{Code, Program};
use super::setting::Setting;
use crate::field::{Edge, EdgeKind, EdgeValue};
use crate::tensor::{Binary, Unary};

/// How a value continues beyond an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parity {
    /// As it is inside: its slope is 0.
    Even,
    /// As minus the inside: it is 0.
    Odd,
    /// Not known.
    None,
}

use Parity::{Even, Odd};

impl Parity {
    /// Of an unknown with this edge.
    fn of(edge: &Edge) -> Self {
        match (edge.kind(), edge.value()) {
            (EdgeKind::Neumann, Some(EdgeValue::Number(0.0))) => Even,
            (EdgeKind::Dirichlet, Some(EdgeValue::Number(0.0))) => Odd,
            _ => Self::None,
        }
    }
    fn times(self, other: Self) -> Self {
        match (self, other) {
            (Even, Even) | (Odd, Odd) => Even,
            (Even, Odd) | (Odd, Even) => Odd,
            _ => Self::None,
        }
    }
    fn plus(self, other: Self) -> Self {
        if self == other { self } else { Self::None }
    }
    /// Of the `order`-th derivative across the edge.
    fn derivative(self, order: u8) -> Self {
        if order.is_multiple_of(2) { self } else { self.times(Odd) }
    }
    fn through(self, f: Unary) -> Self {
        match (self, f) {
            (Even, _) => Even,
            (
                Odd,
                Unary::Neg
                | Unary::Sin
                | Unary::Tan
                | Unary::Asin
                | Unary::Atan
                | Unary::Sinh
                | Unary::Tanh
                | Unary::Asinh
                | Unary::Atanh
                | Unary::Erf
                | Unary::Sign,
            ) => Odd,
            (Odd, Unary::Abs | Unary::Square | Unary::Cos | Unary::Cosh) => Even,
            _ => Self::None,
        }
    }
    /// The edge condition that a value without one of its own fulfils.
    pub fn kind(self) -> EdgeKind {
        match self {
            Even => EdgeKind::Neumann,
            Odd => EdgeKind::Dirichlet,
            Self::None => EdgeKind::Free,
        }
    }
}

/// Of a value at the two ends of each axis.
pub(super) type Parities = [[Parity; 2]; 3];

fn each(f: impl Fn(usize, usize) -> Parity) -> Parities {
    std::array::from_fn(|axis| std::array::from_fn(|end| f(axis, end)))
}

/// Of every instruction. `edges` are those of channels, for directions of change those of what they change; `potentials` gives the
/// edges of a potential.
pub(super) fn parities<'a>(
    program: &Program,
    setting: &Setting,
    edges: impl Fn(usize) -> Option<&'a Vec<[Edge; 2]>>,
    potentials: impl Fn(usize) -> Option<&'a Vec<[Edge; 2]>>,
) -> Vec<Parities> {
    let mut all: Vec<Parities> = Vec::with_capacity(program.code.len());
    let of_edges = |edges: Option<&Vec<[Edge; 2]>>| {
        each(|axis, end| edges.and_then(|e| e.get(axis)).map_or(Parity::None, |pair| Parity::of(&pair[end])))
    };
    for (index, code) in program.code.iter().enumerate() {
        let at = |i: usize, axis: usize, end: usize| all.get(i).map_or(Parity::None, |p: &Parities| p[axis][end]);
        let uniform = |yes: bool| each(|_, _| if yes { Even } else { Parity::None });
        let made = match code {
            Code::Number(_) | Code::Time | Code::Integral(_) => uniform(true),
            Code::Parameter(i) => uniform(setting.is_uniform(*i)),
            Code::Data(i) => uniform(program.data.get(*i).is_some_and(|value| value.is_uniform(&setting.space))),
            Code::Coordinate(along) => each(|axis, _| if axis == *along { Parity::None } else { Even }),
            Code::Channel(channel) => of_edges(edges(*channel)),
            Code::InverseLaplacian(..) => of_edges(potentials(index)),
            Code::Unary(f, a) => each(|axis, end| at(*a, axis, end).through(*f)),
            Code::Binary(op, a, b) => each(|axis, end| {
                let (p, q) = (at(*a, axis, end), at(*b, axis, end));
                match op {
                    Binary::Mul | Binary::Div => p.times(q),
                    Binary::Add | Binary::Sub => p.plus(q),
                    Binary::Pow => match (p, program.code.get(*b)) {
                        (Odd, Some(Code::Number(n))) if n.fract() == 0.0 && *n > 0.0 => {
                            if n % 2.0 == 0.0 {
                                Even
                            } else {
                                Odd
                            }
                        }
                        (Even, _) => q,
                        _ => Parity::None,
                    },
                    _ if p == Even => q.plus(Even),
                    _ => Parity::None,
                }
            }),
            Code::Partial(a, orders) => each(|axis, end| at(*a, axis, end).derivative(orders[axis])),
            Code::Diffusion(a, u, _) => each(|axis, end| at(*a, axis, end).times(at(*u, axis, end))),
            Code::Upwind(v, u, along) => {
                each(|axis, end| at(*v, axis, end).times(at(*u, axis, end).derivative(u8::from(axis == *along))))
            }
            Code::FluxDifference(f, _, _, along) => {
                each(|axis, end| at(*f, axis, end).derivative(u8::from(axis == *along)))
            }
            Code::Opaque(..) | Code::PairSum(_) | Code::Separation(_) | Code::Other(_) => uniform(false),
        };
        all.push(made);
    }
    all
}
