//! The reverse of a graph: from the cotangents of what it computes to those of the state, the arrays and the numbers.
//!
//! The result is a graph again, in which what the forward values are needed for is computed anew; nodes that both share are one.
//! Real and imaginary parts of a half spectrum count as independent numbers. Then the transpose of the transform `Σ v e^{−ikx}` is
//! `Re Σ Y e^{ikx}` over the half spectrum without the weight 2, and that of the inverse is the transform with it
//! ([`Operator::doubled`](super::graph::Operator)).

use std::collections::HashMap;

use super::graph::{Form, Function, Graph, Id, Kernel, Node, Operation, POINTS, Source, Term, UNIFORM, merged};
use crate::tensor::{Binary, Unary};

/// Cotangents.
pub struct Adjoint {
    /// Of the channels of the state.
    pub states: Vec<Vec<Term>>,
    /// Of arrays, at points, by their numbers.
    pub arrays: Vec<(usize, Id)>,
    /// Of scalars, by their numbers.
    pub scalars: Vec<(usize, Id)>,
}

/// The reverse of `Σ spectra · cotangents`, where channel `i` of the cotangents is [`Source::Cotangent`]`(i)`; `wanted` says which arrays
/// and scalars have one. `points` is the number of points.
///
/// `None` where an operation has no derivative here.
pub fn adjoint(graph: &mut Graph, kernel: &Kernel, points: usize, wanted: impl Fn(&Node) -> bool) -> Option<Adjoint> {
    let mut pass = Pass {
        active: active(graph, &wanted),
        graph,
        points: points as f64,
        at_points: true,
        values: HashMap::new(),
        transforms: HashMap::new(),
        states: vec![Vec::new(); kernel.spectra.len()],
    };
    let last = pass.graph.nodes().len();
    for (channel, terms) in kernel.spectra.iter().enumerate() {
        for term in terms {
            pass.spectrum(term, term.transposed(Source::Cotangent(channel)));
            if let Some(factor) = term.factor.filter(|f| pass.is_active(*f)) {
                // ⟨c, M v⟩ over modes is a sum over points of the values of both.
                let bare = Term { factor: None, ..term.clone() };
                let value = pass.graph.inverse(vec![bare.scaled(1.0 / pass.points)]);
                let cotangent = pass.graph.inverse(vec![Term::of(Source::Cotangent(channel)).doubled(-1)]);
                let product = pass.graph.binary(Binary::Mul, value, cotangent);
                pass.add(factor, product);
            }
        }
    }
    pass.all(last)
}

/// The reverse of `Σ value · cotangent` over pairs of both, at points and faces: cotangents of arrays and scalars that are `wanted`.
///
/// `None` where an operation has no derivative here.
pub fn pulled(graph: &mut Graph, seeds: &[(Id, Id)], wanted: impl Fn(&Node) -> bool) -> Option<Adjoint> {
    let mut pass = Pass {
        active: active(graph, &wanted),
        graph,
        points: 1.0,
        at_points: true,
        values: HashMap::new(),
        transforms: HashMap::new(),
        states: Vec::new(),
    };
    let last = seeds.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
    for (id, g) in seeds {
        pass.count(POINTS);
        pass.add(*id, *g);
    }
    pass.all(last)
}

/// Which nodes depend on something whose cotangent is wanted.
fn active(graph: &Graph, wanted: &impl Fn(&Node) -> bool) -> Vec<bool> {
    let mut active: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let of = |id: &Id| active.get(*id).copied().unwrap_or(false);
        let on = match node {
            Node::Number(_) => false,
            Node::Scalar(_) | Node::Array(_) => wanted(node),
            Node::Unary(_, a) | Node::Sum(a) => of(a),
            Node::Binary(_, a, b) => of(a) || of(b),
            Node::Along(parts) => parts.iter().any(|(_, a)| of(a)),
            Node::Inverse(terms) => terms.iter().any(|term| {
                term.factor.as_ref().is_some_and(of)
                    || match term.source {
                        Source::State(_) => true,
                        Source::Cotangent(_) => false,
                        Source::Transform(id) => of(&id),
                    }
            }),
        };
        active.push(on);
    }
    active
}

struct Pass<'a> {
    graph: &'a mut Graph,
    active: Vec<bool>,
    points: f64,
    /// Whether the node that is gone back over has values at points.
    at_points: bool,
    /// Cotangents of nodes.
    values: HashMap<Id, Id>,
    /// Cotangents of transforms of nodes.
    transforms: HashMap<Id, Vec<Term>>,
    states: Vec<Vec<Term>>,
}

impl Pass<'_> {
    /// Back over all nodes before `last`.
    fn all(mut self, last: Id) -> Option<Adjoint> {
        let (mut arrays, mut scalars) = (Vec::new(), Vec::new());
        for id in (0..last).rev() {
            if let Some(terms) = self.transforms.remove(&id) {
                let value = self.graph.inverse(terms.into_iter().map(|term| term.doubled(-1)).collect());
                self.add(id, value);
            }
            let form = self.graph.form(id);
            self.at_points = form != UNIFORM;
            self.count(form);
            let Some(g) = self.values.remove(&id) else { continue };
            match self.graph.nodes()[id].clone() {
                Node::Array(i) => arrays.push((i, g)),
                Node::Scalar(i) => scalars.push((i, g)),
                node => self.back(id, &node, g)?,
            }
        }
        Some(Adjoint { states: self.states.into_iter().map(merged).collect(), arrays, scalars })
    }
    /// Values have as many numbers as those of a form, where there is more than one.
    fn count(&mut self, form: Form) {
        if !self.graph.shapes().is_empty() {
            self.points = self.graph.count(form) as f64;
        }
    }
    fn is_active(&self, id: Id) -> bool {
        self.active.get(id).copied().unwrap_or(false)
    }
    /// Adds to the cotangent of a node; what is the same at all points gets the sum over them.
    fn add(&mut self, id: Id, g: Id) {
        if !self.is_active(id) || self.graph.as_number(g) == Some(0.0) {
            return;
        }
        let g = match (self.graph.is_uniform(id), self.graph.is_uniform(g)) {
            (true, false) => self.graph.node(Node::Sum(g)),
            // One number that acted at every point.
            (true, true) if self.at_points => self.scale(g, self.points),
            _ => g,
        };
        let sum = match self.values.get(&id) {
            Some(&sum) => self.graph.binary(Binary::Add, sum, g),
            None => g,
        };
        self.values.insert(id, sum);
    }
    /// Adds to the cotangent of the source of a term.
    fn spectrum(&mut self, of: &Term, cotangent: Term) {
        match of.source {
            Source::State(channel) => self.states.get_mut(channel).into_iter().for_each(|s| s.push(cotangent.clone())),
            Source::Transform(id) if self.is_active(id) => self.transforms.entry(id).or_default().push(cotangent),
            Source::Transform(_) | Source::Cotangent(_) => {}
        }
    }
    fn unary(&mut self, f: Unary, a: Id) -> Id {
        self.graph.unary(f, a)
    }
    fn mul(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Mul, a, b)
    }
    fn div(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Div, a, b)
    }
    fn scale(&mut self, a: Id, by: f64) -> Id {
        let by = self.graph.number(by);
        self.mul(by, a)
    }
    fn shift(&mut self, a: Id, by: f64) -> Id {
        let by = self.graph.number(by);
        self.graph.binary(Binary::Add, a, by)
    }
    /// `factor · e^(rate x²)`
    fn bell(&mut self, x: Id, rate: f64, factor: f64) -> Id {
        let square = self.mul(x, x);
        let exponent = self.scale(square, rate);
        let bell = self.unary(Unary::Exp, exponent);
        self.scale(bell, factor)
    }
    fn one_minus(&mut self, a: Id) -> Id {
        let one = self.graph.number(1.0);
        self.graph.binary(Binary::Sub, one, a)
    }

    /// From the cotangent of a node to those of its arguments.
    fn back(&mut self, id: Id, node: &Node, g: Id) -> Option<()> {
        match node {
            Node::Number(_) | Node::Scalar(_) | Node::Array(_) => {}
            Node::Sum(a) => self.add(*a, g),
            Node::Along(parts) => {
                let g = self.graph.spread(g, self.graph.form(id));
                for (map, a) in parts {
                    if !self.is_active(*a) {
                        continue;
                    }
                    let back = self.graph.transposed(*map, self.graph.form(*a));
                    let to_a = self.graph.along(vec![(back, g)]);
                    self.add(*a, to_a);
                }
            }
            Node::Unary(Function(f), a) => {
                if let Some(slope) = self.slope(*f, *a, id) {
                    let product = self.mul(g, slope);
                    self.add(*a, product);
                }
            }
            Node::Binary(op, a, b) => self.back_binary(*op, id, (*a, *b), g)?,
            Node::Inverse(terms) => {
                for term in terms {
                    let back = term.transposed(Source::Transform(g)).doubled(1);
                    self.spectrum(term, back);
                    if let Some(factor) = term.factor.filter(|f| self.is_active(*f)) {
                        let value = self.graph.inverse(vec![Term { factor: None, ..term.clone() }]);
                        let product = self.mul(g, value);
                        self.add(factor, product);
                    }
                }
            }
        }
        Some(())
    }
    fn back_binary(&mut self, op: Operation, id: Id, (a, b): (Id, Id), g: Id) -> Option<()> {
        let Operation::Of(op) = op else { return Some(()) };
        let (to_a, to_b) = (self.is_active(a), self.is_active(b));
        match op {
            Binary::Add => {
                self.add(a, g);
                self.add(b, g);
            }
            Binary::Sub => {
                self.add(a, g);
                let minus = self.unary(Unary::Neg, g);
                self.add(b, minus);
            }
            Binary::Mul => {
                if to_a {
                    let of_a = self.mul(g, b);
                    self.add(a, of_a);
                }
                if to_b {
                    let of_b = self.mul(g, a);
                    self.add(b, of_b);
                }
            }
            Binary::Div => {
                let of_a = self.div(g, b);
                self.add(a, of_a);
                if to_b {
                    // −g a/b²
                    let product = self.mul(of_a, id);
                    let of_b = self.unary(Unary::Neg, product);
                    self.add(b, of_b);
                }
            }
            Binary::Pow => {
                if to_b {
                    return None;
                }
                let less = self.shift(b, -1.0);
                let power = self.graph.binary(Binary::Pow, a, less);
                let slope = self.mul(b, power);
                let of_a = self.mul(g, slope);
                self.add(a, of_a);
            }
            Binary::Atan2 => {
                let (x, y) = (self.mul(a, a), self.mul(b, b));
                let squared = self.graph.binary(Binary::Add, x, y);
                let g = self.div(g, squared);
                let of_a = self.mul(g, b);
                self.add(a, of_a);
                let product = self.mul(g, a);
                let of_b = self.unary(Unary::Neg, product);
                self.add(b, of_b);
            }
            Binary::Rem => {
                self.add(a, g);
                if to_b {
                    let quotient = self.div(a, b);
                    let whole = self.unary(Unary::Floor, quotient);
                    let product = self.mul(g, whole);
                    let of_b = self.unary(Unary::Neg, product);
                    self.add(b, of_b);
                }
            }
            Binary::Min | Binary::Max => {
                let below = self.graph.below(a, b);
                let above = self.one_minus(below);
                let (share_a, share_b) = if op == Binary::Min { (below, above) } else { (above, below) };
                let (of_a, of_b) = (self.mul(g, share_a), self.mul(g, share_b));
                self.add(a, of_a);
                self.add(b, of_b);
            }
        }
        Some(())
    }

    /// The derivative of a function at `x`, where the value is `y`; `None` where it is 0 everywhere.
    fn slope(&mut self, f: Unary, x: Id, y: Id) -> Option<Id> {
        use Unary as U;
        Some(match f {
            U::Sign | U::Floor | U::Ceil | U::Round | U::Heaviside => return None,
            U::Neg => self.graph.number(-1.0),
            U::Abs => self.unary(U::Sign, x),
            U::Exp => y,
            U::Expm1 => self.shift(y, 1.0),
            U::Log => self.unary(U::Recip, x),
            U::Log1p => {
                let shifted = self.shift(x, 1.0);
                self.unary(U::Recip, shifted)
            }
            U::Sqrt => {
                let recip = self.unary(U::Recip, y);
                self.scale(recip, 0.5)
            }
            U::Rsqrt => {
                let square = self.mul(y, y);
                let cube = self.mul(square, y);
                self.scale(cube, -0.5)
            }
            U::Recip => {
                let square = self.mul(y, y);
                self.unary(U::Neg, square)
            }
            U::Square => self.scale(x, 2.0),
            U::Sin => self.unary(U::Cos, x),
            U::Cos => {
                let sin = self.unary(U::Sin, x);
                self.unary(U::Neg, sin)
            }
            U::Tan => {
                let square = self.mul(y, y);
                self.shift(square, 1.0)
            }
            U::Asin | U::Acos => {
                let square = self.mul(x, x);
                let rest = self.one_minus(square);
                let slope = self.unary(U::Rsqrt, rest);
                if f == U::Acos { self.unary(U::Neg, slope) } else { slope }
            }
            U::Atan => {
                let square = self.mul(x, x);
                let sum = self.shift(square, 1.0);
                self.unary(U::Recip, sum)
            }
            U::Sinh => self.unary(U::Cosh, x),
            U::Cosh => self.unary(U::Sinh, x),
            U::Tanh => {
                let square = self.mul(y, y);
                self.one_minus(square)
            }
            U::Asinh | U::Acosh => {
                let square = self.mul(x, x);
                let sum = self.shift(square, if f == U::Asinh { 1.0 } else { -1.0 });
                self.unary(U::Rsqrt, sum)
            }
            U::Atanh => {
                let square = self.mul(x, x);
                let rest = self.one_minus(square);
                self.unary(U::Recip, rest)
            }
            U::Sigmoid => {
                let rest = self.one_minus(y);
                self.mul(y, rest)
            }
            U::Softplus => self.unary(U::Sigmoid, x),
            U::Relu => {
                let sign = self.unary(U::Sign, x);
                self.unary(U::Relu, sign)
            }
            U::Silu => {
                // s (1 + x (1 − s))
                let s = self.unary(U::Sigmoid, x);
                let rest = self.one_minus(s);
                let product = self.mul(x, rest);
                let sum = self.shift(product, 1.0);
                self.mul(s, sum)
            }
            U::Erf => self.bell(x, -1.0, std::f64::consts::FRAC_2_SQRT_PI),
            U::Gelu => {
                // Φ(x) + x φ(x)
                let root = self.scale(x, std::f64::consts::FRAC_1_SQRT_2);
                let erf = self.unary(U::Erf, root);
                let half = self.scale(erf, 0.5);
                let distribution = self.shift(half, 0.5);
                let density = self.bell(x, -0.5, 1.0 / std::f64::consts::TAU.sqrt());
                let product = self.mul(x, density);
                self.graph.binary(Binary::Add, distribution, product)
            }
        })
    }
}
