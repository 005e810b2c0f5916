//! A right-hand side as a graph of values: spectra, values at points, and numbers.
//!
//! Spectra occur as sums of [`Term`]s: a source times the multiplier of a linear operator. Every other value is a node. Equal nodes are
//! one node, so that what two terms share is computed once; numbers are folded. The reverse of a graph is a
//! graph again ([`adjoint`](super::adjoint)).

use rustc_hash::FxHashMap;

use crate::field::Banded;
use crate::tensor::{Binary, Unary};

/// A node of a graph.
pub type Id = usize;

/// What points a value is given at, by its place among [`Graph::shape`]s: 0 is the same everywhere, 1 the points of the grid, others are
/// faces, sides, windows.
pub type Form = usize;
/// The same everywhere.
pub const UNIFORM: Form = 0;
/// At the points of the grid.
pub const POINTS: Form = 1;

/// A linear map along an axis.
#[derive(Clone, Debug)]
pub struct Map {
    /// Which axis.
    pub axis: usize,
    /// The weights.
    pub matrix: Banded,
    /// Where the results are.
    pub to: Form,
}

/// Orders of derivatives along the axes, and inverse Laplacians, in the order in which they are applied.
pub type Chain = Vec<([u8; 3], u8)>;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A number, by its bits.
    Number(u64),
    /// A number that is known before the evaluation: the time, a parameter.
    Scalar(usize),
    /// Numbers at points that are known before.
    Array(usize),
    /// A function of a value.
    Unary(Function, Id),
    /// An operation on two values.
    Binary(Operation, Id, Id),
    /// The values at points of a spectrum `Y`: `Σ c(k) Re(Y(k) e^{ikx})` over the half spectrum, with `c = 2` for the wavenumbers
    /// whose opposites are not stored; not divided by the number of points.
    Inverse(Vec<Term>),
    /// The sum over all points.
    Sum(Id),
    /// The sum of maps along axes, by their numbers, of values. A value that is the same everywhere is one column.
    Along(Vec<(usize, Id)>),
}

/// A function of one value, as [`Node`]s have it: comparable, and with those that only gradients need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Function(pub Unary);
impl Eq for Function {}
impl std::hash::Hash for Function {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(&self.0).hash(state);
    }
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One that expressions have.
    Of(Binary),
    /// 1 where `a < b`, ½ where they are equal, 0 where `a > b`: the share of `a` in the gradient of the smaller one.
    Below,
}
impl std::hash::Hash for Operation {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Of(op) => (1 + *op as u8).hash(state),
            Self::Below => 0u8.hash(state),
        }
    }
}

/// Where a spectrum comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A channel of the state.
    State(usize),
    /// A channel of what the reverse pass comes with.
    Cotangent(usize),
    /// The transform `Σ v(x) e^{−ikx}` of values at points.
    Transform(Id),
}

/// A linear operator on spectra: a real or purely imaginary multiplier for each mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operator {
    /// Derivatives and inverse Laplacians.
    pub chain: Chain,
    /// Whether the modes that products alias into are cut.
    pub cut: bool,
    /// The power of the weight 2 of wavenumbers whose opposites are not stored.
    pub doubled: i8,
}

impl Operator {
    /// Whether the multiplier is imaginary: an odd number of derivatives.
    pub fn is_imaginary(&self) -> bool {
        self.chain.iter().map(|(orders, _)| orders.iter().map(|n| usize::from(*n)).sum::<usize>()).sum::<usize>() % 2
            == 1
    }
}

/// `weight · factor · operator(source)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The spectrum.
    pub source: Source,
    /// What is applied to it.
    pub operator: Operator,
    /// A number, by its bits.
    pub weight: u64,
    /// A value that is the same at all points.
    pub factor: Option<Id>,
}

impl Term {
    /// The spectrum of a source as it is.
    pub fn of(source: Source) -> Self {
        Self { source, operator: Operator::default(), weight: 1f64.to_bits(), factor: None }
    }
    /// The number.
    pub fn weight(&self) -> f64 {
        f64::from_bits(self.weight)
    }
    /// With a further number as a factor.
    pub fn scaled(&self, by: f64) -> Self {
        Self { weight: (self.weight() * by).to_bits(), ..self.clone() }
    }
    /// The transpose of the operator, applied to another source.
    pub fn transposed(&self, source: Source) -> Self {
        // The conjugate of an imaginary multiplier is its negative.
        let sign = if self.operator.is_imaginary() { -1.0 } else { 1.0 };
        Self { source, ..self.scaled(sign) }
    }
    /// With a further power of the weight of wavenumbers whose opposites are not stored.
    pub fn doubled(mut self, by: i8) -> Self {
        self.operator.doubled += by;
        self
    }
}

/// What is computed from a graph.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// Spectra, one per channel.
    pub spectra: Vec<Vec<Term>>,
    /// Values at points: which, and whether they are added to what is there.
    pub points: Vec<(Id, bool)>,
    /// Numbers that are the same at all points, added to what is there.
    pub numbers: Vec<Id>,
}

/// Nodes in an order in which arguments come first.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    forms: Vec<Form>,
    known: FxHashMap<Node, Id>,
    /// Lengths of the axes of each form; nothing where all arrays are at the points of one grid.
    shapes: Vec<[usize; 3]>,
    /// Forms of arrays that are not at the points.
    arrays: FxHashMap<usize, Form>,
    scalars: usize,
    maps: Vec<Map>,
    /// Maps by what they are.
    known_maps: FxHashMap<Vec<u64>, usize>,
}

impl Graph {
    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// A node, the one that is there if it is known.
    pub fn node(&mut self, node: Node) -> Id {
        if let Some(&known) = self.known.get(&node) {
            return known;
        }
        let form = match &node {
            Node::Array(i) => self.arrays.get(i).copied().unwrap_or(POINTS),
            Node::Inverse(_) => POINTS,
            Node::Number(_) | Node::Scalar(_) | Node::Sum(_) => UNIFORM,
            Node::Unary(_, a) => self.form(*a),
            Node::Binary(_, a, b) => self.form(*a).max(self.form(*b)),
            Node::Along(parts) => parts.first().and_then(|(map, _)| self.maps.get(*map)).map_or(UNIFORM, |map| map.to),
        };
        self.forms.push(form);
        self.nodes.push(node.clone());
        self.known.insert(node, self.nodes.len() - 1);
        self.nodes.len() - 1
    }
    pub(super) fn shapes(&self) -> &[[usize; 3]] {
        &self.shapes
    }
    pub(super) fn set_shapes(&mut self, shapes: Vec<[usize; 3]>) {
        self.shapes = shapes;
    }
    pub(super) fn add_shape(&mut self, shape: [usize; 3]) -> Form {
        self.shapes.push(shape);
        self.shapes.len() - 1
    }
    /// A new array, at the points of a form: its number, and its node.
    pub fn fresh_array(&mut self, form: Form) -> (usize, Id) {
        let number = self.arrays.len();
        self.arrays.insert(number, form);
        (number, self.node(Node::Array(number)))
    }
    /// Forms of arrays by their numbers.
    pub fn array_forms(&self) -> Vec<Form> {
        (0..self.arrays.len()).map(|i| self.arrays.get(&i).copied().unwrap_or(POINTS)).collect()
    }
    /// A new scalar: its number, and its node.
    pub fn fresh_scalar(&mut self) -> (usize, Id) {
        self.scalars += 1;
        (self.scalars - 1, self.node(Node::Scalar(self.scalars - 1)))
    }
    /// How many scalars there are.
    pub fn scalars(&self) -> usize {
        self.scalars
    }
    /// All maps, by their numbers.
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }
    /// The number of a map, the one that it has if it is known.
    pub fn map_to(&mut self, map: Map) -> usize {
        let key = key(&map);
        let next = self.maps.len();
        let number = *self.known_maps.entry(key).or_insert(next);
        if number == next {
            self.maps.push(map);
        }
        number
    }
    /// A number.
    pub fn number(&mut self, n: f64) -> Id {
        self.node(Node::Number(n.to_bits()))
    }
    /// The number that a node is.
    pub fn as_number(&self, id: Id) -> Option<f64> {
        match self.nodes.get(id) {
            Some(Node::Number(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }
    /// Whether a value is the same at all points.
    pub fn is_uniform(&self, id: Id) -> bool {
        self.form(id) == UNIFORM
    }
    /// What points a value is given at.
    pub fn form(&self, id: Id) -> Form {
        self.forms.get(id).copied().unwrap_or(POINTS)
    }
    /// The nodes that a node is computed from, with those behind transforms.
    pub fn arguments(&self, id: Id) -> Vec<Id> {
        match self.nodes.get(id) {
            Some(Node::Unary(_, a) | Node::Sum(a)) => vec![*a],
            Some(Node::Binary(_, a, b)) => vec![*a, *b],
            Some(Node::Inverse(terms)) => behind(terms).collect(),
            Some(Node::Along(parts)) => parts.iter().map(|(_, a)| *a).collect(),
            _ => Vec::new(),
        }
    }

    /// A function of a value.
    pub fn unary(&mut self, f: Unary, a: Id) -> Id {
        match (f, self.nodes.get(a)) {
            (Unary::Neg, Some(Node::Number(bits))) => {
                let n = -f64::from_bits(*bits);
                self.number(n)
            }
            (Unary::Neg, Some(Node::Unary(Function(Unary::Neg), inner))) => *inner,
            (Unary::Square, _) => self.binary(Binary::Mul, a, a),
            (Unary::Neg, Some(Node::Along(_))) => self.scaled(a, -1.0),
            _ => self.node(Node::Unary(Function(f), a)),
        }
    }
    /// An operation on two values, simplified where numbers allow it.
    pub fn binary(&mut self, op: Binary, a: Id, b: Id) -> Id {
        let (x, y) = (self.as_number(a), self.as_number(b));
        match (op, x, y) {
            (Binary::Add, Some(x), Some(y)) => self.number(x + y),
            (Binary::Sub, Some(x), Some(y)) => self.number(x - y),
            (Binary::Mul, Some(x), Some(y)) => self.number(x * y),
            (Binary::Div, Some(x), Some(y)) => self.number(x / y),
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) => b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div | Binary::Pow, _, Some(1.0)) => a,
            (Binary::Sub, Some(0.0), _) | (Binary::Mul, Some(-1.0), _) => self.unary(Unary::Neg, b),
            (Binary::Mul | Binary::Div, _, Some(-1.0)) => self.unary(Unary::Neg, a),
            (Binary::Mul, Some(0.0), _) | (Binary::Mul, _, Some(0.0)) => self.number(0.0),
            (Binary::Pow, _, Some(0.0)) => self.number(1.0),
            (Binary::Pow, _, Some(0.5)) => self.unary(Unary::Sqrt, a),
            (Binary::Pow, _, Some(n)) if n.fract() == 0.0 && n.abs() <= 64.0 => self.power(a, n),
            (Binary::Mul, Some(n), _) if self.is_along(b) => self.scaled(b, n),
            (Binary::Mul, _, Some(n)) if self.is_along(a) => self.scaled(a, n),
            (Binary::Div, _, Some(n)) if self.is_along(a) => self.scaled(a, 1.0 / n),
            (Binary::Add, ..) if self.is_along(a) && self.is_along(b) => self.joined(a, b),
            (Binary::Sub, ..) if self.is_along(a) && self.is_along(b) => {
                let minus = self.scaled(b, -1.0);
                self.joined(a, minus)
            }
            // Sums and products have one order, so that equal ones are found.
            (Binary::Add | Binary::Mul, ..) if a > b => self.node(Node::Binary(Operation::Of(op), b, a)),
            _ => self.node(Node::Binary(Operation::Of(op), a, b)),
        }
    }
    /// 1 where `a < b`, ½ where they are equal.
    pub fn below(&mut self, a: Id, b: Id) -> Id {
        self.node(Node::Binary(Operation::Below, a, b))
    }
    /// A whole power by squares and products.
    fn power(&mut self, a: Id, n: f64) -> Id {
        if n < 0.0 {
            let positive = self.power(a, -n);
            return self.unary(Unary::Recip, positive);
        }
        let (mut left, mut square, mut product) = (n as u32, a, None);
        loop {
            if left % 2 == 1 {
                product = Some(product.map_or(square, |p| self.binary(Binary::Mul, p, square)));
            }
            left /= 2;
            if left == 0 {
                break product.unwrap_or(a);
            }
            square = self.binary(Binary::Mul, square, square);
        }
    }
    /// The values at points of a sum of terms; like ones are added up.
    pub fn inverse(&mut self, terms: Vec<Term>) -> Id {
        let terms = merged(terms);
        if terms.is_empty() {
            return self.number(0.0);
        }
        self.node(Node::Inverse(terms))
    }
}

/// What makes two maps the same.
fn key(Map { axis, matrix, to }: &Map) -> Vec<u64> {
    let (regular, taps) = matrix.stencil();
    let mut key = vec![*axis as u64, *to as u64, matrix.rows() as u64, matrix.columns() as u64];
    key.extend(taps.iter().flat_map(|(s, w)| [*s as u64, w.to_bits()]));
    for i in (0..regular.start).chain(regular.end..matrix.rows()) {
        key.push(u64::MAX);
        key.extend(matrix.row(i).iter().flat_map(|(c, w)| [*c as u64, w.to_bits()]));
    }
    key.extend([regular.start as u64, regular.end as u64]);
    key
}

/// The nodes that terms are computed from.
pub fn behind(terms: &[Term]) -> impl Iterator<Item = Id> {
    terms.iter().flat_map(|term| {
        let source = if let Source::Transform(id) = term.source { Some(id) } else { None };
        source.into_iter().chain(term.factor)
    })
}

/// Terms with like ones added up and those of weight 0 left out.
pub fn merged(terms: Vec<Term>) -> Vec<Term> {
    let mut out: Vec<Term> = Vec::with_capacity(terms.len());
    for term in terms {
        let like = |o: &&mut Term| o.source == term.source && o.operator == term.operator && o.factor == term.factor;
        match out.iter_mut().find(like) {
            Some(own) => own.weight = (own.weight() + term.weight()).to_bits(),
            None => out.push(term),
        }
    }
    out.retain(|term| term.weight() != 0.0);
    out
}
