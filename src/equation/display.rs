//! Expressions as text and as LaTeX.
//!
//! Derivatives of a name are subscripts, `u_xx`; those of anything else are written out, `(u v)_x`. A product is a space.

use std::cell::Cell;
use std::fmt;

use super::expr::{Expr, Op, Orders};
use crate::tensor::{Binary, Unary, number};

/// How tightly an expression is bound: what is looser than its surroundings wants brackets.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Tie {
    Sum,
    Product,
    Sign,
    Power,
    Whole,
}

/// How many operations are written out. What is shared is written each time, so that a few lines of a script make texts
/// of any length: `e = e * e`, thirty times.
const MOST: usize = 500;

struct Style {
    latex: bool,
    left: Cell<usize>,
}

impl Style {
    fn new(latex: bool) -> Self {
        Self { latex, left: Cell::new(MOST) }
    }
    fn bracket(&self, (text, tie): (String, Tie), least: Tie) -> String {
        match (tie < least, self.latex) {
            (false, _) => text,
            (true, false) => format!("({text})"),
            (true, true) => format!("\\left({text}\\right)"),
        }
    }
    fn name(&self, name: &str) -> String {
        if !self.latex {
            return name.to_string();
        }
        let greek = [
            "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi",
            "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
        ];
        let (stem, index) = name.split_once(['_', '.']).unwrap_or((name, ""));
        let stem = if greek.contains(&stem.to_lowercase().as_str()) {
            format!("\\{stem}")
        } else if stem.chars().count() > 1 {
            format!("\\mathrm{{{}}}", stem.replace('_', "\\_"))
        } else {
            stem.to_string()
        };
        if index.is_empty() { stem } else { format!("{stem}_{{\\mathrm{{{}}}}}", index.replace('_', "\\_")) }
    }
    fn number(&self, n: f64) -> String {
        let text = number(n);
        match text.split_once('e') {
            Some((mantissa, exponent)) if self.latex => format!("{mantissa} \\cdot 10^{{{exponent}}}"),
            _ => text,
        }
    }
    fn call(&self, name: &str, inside: &str) -> (String, Tie) {
        if self.latex {
            (format!("{name}\\left({inside}\\right)"), Tie::Whole)
        } else {
            (format!("{name}({inside})"), Tie::Whole)
        }
    }
    fn subscript(&self, e: &Expr, marks: &str) -> (String, Tie) {
        // What bears a subscript already takes one more: u_t and then x is u_tx.
        let base = match e.op() {
            Op::Unknown(..) | Op::Parameter(..) | Op::Data(_) => self.bracket(self.write(e), Tie::Whole),
            Op::TimeDerivative(inner) if matches!(inner.op(), Op::Unknown(..)) => {
                return self.subscript(inner, &format!("t{marks}"));
            }
            _ if self.latex => format!("\\left({}\\right)", self.write(e).0),
            _ => format!("({})", self.write(e).0),
        };
        let text = if self.latex { format!("{base}_{{{marks}}}") } else { format!("{base}_{marks}") };
        (text, Tie::Whole)
    }

    fn write(&self, e: &Expr) -> (String, Tie) {
        let latex = self.latex;
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return (if latex { "\\dots" } else { "…" }.into(), Tie::Whole),
        }
        let pick = |plain: &'static str, tex: &'static str| if latex { tex } else { plain };
        match e.op() {
            Op::Number(n) if *n < 0.0 => (self.number(*n), Tie::Sign),
            Op::Number(n) => (self.number(*n), Tie::Whole),
            Op::Parameter(_, name) | Op::Unknown(_, name) => (self.name(name), Tie::Whole),
            Op::Data(value) => match value {
                super::parameter::Value::Number(n) => (self.number(*n), Tie::Whole),
                _ => (pick("[data]", "[\\mathrm{data}]").into(), Tie::Whole),
            },
            Op::Coordinate(axis) => (["x", "y", "z"].get(*axis).copied().unwrap_or("?").into(), Tie::Whole),
            Op::Time => ("t".into(), Tie::Whole),
            Op::Unary(f, a) => self.unary(*f, a),
            Op::Binary(op, a, b) => self.binary(*op, a, b),
            Op::TimeDerivative(a) => match a.op() {
                Op::TimeDerivative(inner) => self.subscript(inner, "tt"),
                _ => self.subscript(a, "t"),
            },
            Op::Partial(a, orders) => self.subscript(a, &marks(*orders)),
            Op::Gradient(a) => self.prefix(pick("∇", "\\nabla "), a),
            Op::Divergence(a) => self.prefix(pick("∇·", "\\nabla\\cdot "), a),
            Op::Laplacian(a) => self.prefix(pick("Δ", "\\Delta "), a),
            Op::Curl(a) => self.prefix(pick("∇×", "\\nabla\\times "), a),
            Op::InverseLaplacian(a, _) => self.prefix(pick("Δ⁻¹", "\\Delta^{-1} "), a),
            Op::Diffusion(a, u, _) => {
                let (a, u) = (self.bracket(self.write(a), Tie::Product), self.bracket(self.write(u), Tie::Whole));
                (
                    if latex {
                        format!("\\nabla\\cdot\\left({a} \\nabla {u}\\right)")
                    } else {
                        format!("∇·({a} ∇{u})")
                    },
                    Tie::Product,
                )
            }
            Op::Upwind(v, u, axis) => {
                let slope = self.subscript(u, &marks(super::expand::along(*axis))).0;
                (format!("{} {slope}", self.bracket(self.write(v), Tie::Product)), Tie::Product)
            }
            Op::FluxDifference(f, _, _, axis) => self.subscript(f, &marks(super::expand::along(*axis))),
            Op::Dot(a, b) => {
                let (a, b) = (self.bracket(self.write(a), Tie::Power), self.bracket(self.write(b), Tie::Power));
                (format!("{a} {} {b}", pick("·", "\\cdot")), Tie::Product)
            }
            Op::Advect(v, f) => {
                let (v, f) = (self.write(v).0, self.bracket(self.write(f), Tie::Power));
                (format!("({v} {}) {f}", pick("·∇", "\\cdot\\nabla")), Tie::Product)
            }
            Op::Component(a, i) => {
                let axis = ["x", "y", "z"].get(*i).copied().unwrap_or("?");
                let base = self.bracket(self.write(a), Tie::Whole);
                (if latex { format!("{base}_{{{axis}}}") } else { format!("{base}.{axis}") }, Tie::Whole)
            }
            Op::Vector(parts) => {
                let parts: Vec<String> = parts.iter().map(|p| self.write(p).0).collect();
                (format!("({})", parts.join(", ")), Tie::Whole)
            }
            Op::Integral(a) => {
                let inside = self.write(a).0;
                (if latex { format!("\\int {inside}\\,\\mathrm{{d}}x") } else { format!("∫({inside})") }, Tie::Whole)
            }
            Op::Opaque(f, arguments) => {
                let parts: Vec<String> = arguments.iter().map(|p| self.write(p).0).collect();
                self.call(&self.name(&f.name), &parts.join(", "))
            }
            Op::PairSum(a) => self.prefix(pick("Σⱼ ", "\\sum_{j \\ne i} "), a),
            Op::Separation(a) => {
                let r = self.bracket(self.write(a), Tie::Whole);
                (if latex { format!("({r}_j - {r}_i)") } else { format!("({r}ⱼ - {r}ᵢ)") }, Tie::Whole)
            }
            Op::Other(a) => {
                let r = self.bracket(self.write(a), Tie::Whole);
                (if latex { format!("{r}_j") } else { format!("{r}ⱼ") }, Tie::Whole)
            }
        }
    }
    fn prefix(&self, mark: &str, e: &Expr) -> (String, Tie) {
        (format!("{mark}{}", self.bracket(self.write(e), Tie::Whole)), Tie::Product)
    }
    fn unary(&self, f: Unary, a: &Expr) -> (String, Tie) {
        match f {
            Unary::Neg => (format!("-{}", self.bracket(self.write(a), Tie::Product)), Tie::Sign),
            Unary::Square => self.power(a, "2"),
            Unary::Sqrt if self.latex => (format!("\\sqrt{{{}}}", self.write(a).0), Tie::Whole),
            Unary::Abs => (
                if self.latex {
                    format!("\\left|{}\\right|", self.write(a).0)
                } else {
                    format!("|{}|", self.write(a).0)
                },
                Tie::Whole,
            ),
            _ => {
                let name = Unary::ALL.iter().find(|(_, g)| *g == f).map_or("f", |(name, _)| name);
                let known = ["exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "ln"];
                match (self.latex, known.contains(&name)) {
                    (true, true) => self.call(&format!("\\{name}"), &self.write(a).0),
                    (true, false) => self.call(&format!("\\mathrm{{{name}}}"), &self.write(a).0),
                    _ => self.call(name, &self.write(a).0),
                }
            }
        }
    }
    fn power(&self, base: &Expr, exponent: &str) -> (String, Tie) {
        let base = self.bracket(self.write(base), Tie::Whole);
        if self.latex {
            return (format!("{base}^{{{exponent}}}"), Tie::Power);
        }
        let raised = match exponent {
            "2" => "²".to_string(),
            "3" => "³".to_string(),
            "4" => "⁴".to_string(),
            _ => format!("^{exponent}"),
        };
        (format!("{base}{raised}"), Tie::Power)
    }
    fn binary(&self, op: Binary, a: &Expr, b: &Expr) -> (String, Tie) {
        match op {
            Binary::Add => (self.signed(a, b, false), Tie::Sum),
            Binary::Sub => (self.signed(a, b, true), Tie::Sum),
            Binary::Mul => {
                let left = self.bracket(self.write(a), Tie::Product);
                let right = self.bracket(self.write(b), Tie::Power);
                // Two numbers side by side would read as one.
                let digit = |s: &str| s.chars().next().is_some_and(|c| c.is_ascii_digit());
                let sign = if digit(&right) { if self.latex { " \\cdot " } else { " · " } } else { " " };
                (format!("{left}{sign}{right}"), Tie::Product)
            }
            Binary::Div if self.latex => {
                (format!("\\frac{{{}}}{{{}}}", self.write(a).0, self.write(b).0), Tie::Product)
            }
            Binary::Div => (
                format!("{}/{}", self.bracket(self.write(a), Tie::Product), self.bracket(self.write(b), Tie::Power)),
                Tie::Product,
            ),
            Binary::Pow => {
                let exponent = match b.as_number() {
                    Some(_) => self.write(b).0,
                    None if self.latex => self.write(b).0,
                    None => self.bracket(self.write(b), Tie::Whole),
                };
                self.power(a, &exponent)
            }
            Binary::Rem | Binary::Atan2 | Binary::Min | Binary::Max => {
                let name = if self.latex { format!("\\mathrm{{{}}}", op.name()) } else { op.name().into() };
                self.call(&name, &format!("{}, {}", self.write(a).0, self.write(b).0))
            }
        }
    }
    /// `a + b`, or `a − b` with the signs of b drawn into it.
    fn signed(&self, a: &Expr, b: &Expr, minus: bool) -> String {
        let left = self.bracket(self.write(a), Tie::Sum);
        let (sign, right) = match b.op() {
            Op::Unary(Unary::Neg, inner) => (!minus, inner.clone()),
            Op::Number(n) if *n < 0.0 => (!minus, Expr::number(-n)),
            _ => (minus, b.clone()),
        };
        let least = if sign { Tie::Product } else { Tie::Sum };
        format!("{left} {} {}", if sign { "-" } else { "+" }, self.bracket(self.write(&right), least))
    }
}

fn marks(orders: Orders) -> String {
    let mut out = String::new();
    for (name, &order) in ["x", "y", "z"].iter().zip(&orders) {
        out.push_str(&name.repeat(usize::from(order)));
    }
    out
}

impl Expr {
    /// As LaTeX, without dollar signs.
    pub fn latex(&self) -> String {
        Style::new(true).write(self).0
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Style::new(false).write(self).0)
    }
}
impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
