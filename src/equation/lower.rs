//! The part of a spectral evolution that is not its symbol, as a graph of the native lane.

use super::program::{Code, Program};
use super::spectral::{Place, Spectral};
use crate::error::Result;
use crate::native::graph::{Graph, Id, Kernel, Node, Source, Term, merged};
use crate::tensor::{Binary, Tensor, Unary};

/// More terms of one spectrum would be computed again too often.
const MOST_TERMS: usize = 256;

/// A graph with what its leaves stand for.
pub(super) struct Lowered {
    pub graph: Graph,
    pub kernel: Kernel,
    /// Scalars from number 1 on; number 0 is the time.
    pub scalars: Vec<Leaf>,
    /// Arrays, each to be written out on all points.
    pub arrays: Vec<Leaf>,
}

/// A leaf: numbers, `[sample | 1, 1, x… | 1]`.
pub(super) struct Leaf {
    pub values: Tensor,
}

/// Why there is no graph.
pub(super) type Unfit = &'static str;

/// The graph of the nonlinear part.
///
/// # Errors
/// What tensors refuse; the inner error says why the native lane cannot take it.
pub(super) fn lower(lane: &Spectral) -> Result<std::result::Result<Lowered, Unfit>> {
    let (program, places) = lane.program();
    let setting = lane.setting();
    let data = setting.data(program)?;
    let weights = setting.weights()?;
    let mut volume = 1.0;
    for weights in &weights {
        let values = weights.to_vec()?;
        let first = values.first().copied().unwrap_or(1.0);
        if values.iter().any(|w| (w - first).abs() > 1e-6 * first.abs()) {
            return Ok(Err("its points have different weights"));
        }
        volume *= first;
    }
    let mut lowering = Lowering {
        program,
        places,
        cut: lane.kept_modes()?.is_some(),
        points: setting.grid.shape().iter().product::<usize>() as f64,
        volume,
        coordinates: setting.coordinates()?,
        parameters: &setting.parameters,
        data,
        known: vec![None; program.code.len()],
        out: Lowered { graph: Graph::default(), kernel: Kernel::default(), scalars: Vec::new(), arrays: Vec::new() },
    };
    let spectra = program.outputs.iter().map(|&output| match program.code.get(output) {
        Some(Code::Number(0.0)) => Ok(Vec::new()),
        _ => lowering.spectrum(output),
    });
    Ok(match spectra.collect::<std::result::Result<Vec<_>, Unfit>>() {
        Ok(spectra) => {
            let mut out = lowering.out;
            out.kernel.spectra = spectra;
            Ok(out)
        }
        Err(unfit) => Err(unfit),
    })
}

struct Lowering<'a> {
    program: &'a Program,
    places: &'a [Place],
    cut: bool,
    points: f64,
    volume: f64,
    coordinates: Vec<Tensor>,
    parameters: &'a [Tensor],
    data: Vec<Tensor>,
    /// Values at points that were made.
    known: Vec<Option<Id>>,
    out: Lowered,
}

type Lowers<A> = std::result::Result<A, Unfit>;

impl Lowering<'_> {
    fn place(&self, at: usize) -> Place {
        self.places.get(at).copied().unwrap_or(Place::Points)
    }
    /// The spectrum of a value: what comes from points is cut.
    fn spectrum(&mut self, at: usize) -> Lowers<Vec<Term>> {
        let number = |at: usize| match self.program.code.get(at) {
            Some(Code::Number(n)) => Some(*n),
            _ => None,
        };
        let code = self.program.code.get(at).cloned().ok_or("an instruction is missing")?;
        let terms = if self.place(at) == Place::Spectrum {
            match code {
                Code::Channel(c) => vec![Term::of(Source::State(c))],
                Code::Partial(a, orders) => then(self.spectrum(a)?, (orders, 0)),
                Code::InverseLaplacian(a, _) => then(self.spectrum(a)?, ([0; 3], 1)),
                Code::Diffusion(a, u, axes) => {
                    let mut sum = Vec::new();
                    let coefficient = self.points(a)?;
                    for axis in (0..3).filter(|&axis| axes[axis]) {
                        let mut along = [0; 3];
                        along[axis] = 1;
                        let slope = then(self.spectrum(u)?, (along, 0));
                        let slope = self.at_points(slope);
                        let flux = self.out.graph.binary(Binary::Mul, coefficient, slope);
                        sum.extend(then(vec![self.transform(flux)], (along, 0)));
                    }
                    sum
                }
                Code::Unary(Unary::Neg, a) => scaled(self.spectrum(a)?, -1.0),
                Code::Binary(Binary::Add, a, b) => [self.spectrum(a)?, self.spectrum(b)?].concat(),
                Code::Binary(Binary::Sub, a, b) => [self.spectrum(a)?, scaled(self.spectrum(b)?, -1.0)].concat(),
                Code::Binary(Binary::Mul, a, b) => match (number(a), number(b), self.place(a)) {
                    (Some(n), ..) => scaled(self.spectrum(b)?, n),
                    (_, Some(n), _) => scaled(self.spectrum(a)?, n),
                    (.., Place::Uniform) => self.times(b, a, false)?,
                    _ => self.times(a, b, false)?,
                },
                Code::Binary(Binary::Div, a, b) => match number(b) {
                    Some(n) => scaled(self.spectrum(a)?, 1.0 / n),
                    None => self.times(a, b, true)?,
                },
                _ => return Err("a value has no spectrum"),
            }
        } else {
            let value = self.points(at)?;
            vec![self.transform(value)]
        };
        let terms = merged(terms);
        if terms.len() > MOST_TERMS { Err("a sum has too many terms") } else { Ok(terms) }
    }
    /// A spectrum times, or divided by, a value that is the same at all points.
    fn times(&mut self, spectrum: usize, by: usize, divided: bool) -> Lowers<Vec<Term>> {
        let mut by = self.points(by)?;
        if divided {
            by = self.out.graph.unary(Unary::Recip, by);
        }
        let mut terms = self.spectrum(spectrum)?;
        for term in &mut terms {
            term.factor = Some(match term.factor {
                Some(own) => self.out.graph.binary(Binary::Mul, own, by),
                None => by,
            });
        }
        Ok(terms)
    }
    fn transform(&self, value: Id) -> Term {
        let mut term = Term::of(Source::Transform(value));
        term.operator.cut = self.cut;
        term
    }
    /// The values at points of a spectrum, whose modes that alias are cut.
    fn at_points(&mut self, mut terms: Vec<Term>) -> Id {
        terms.iter_mut().for_each(|term| term.operator.cut = self.cut);
        self.out.graph.inverse(scaled(terms, 1.0 / self.points))
    }
    fn points(&mut self, at: usize) -> Lowers<Id> {
        if let Some(Some(known)) = self.known.get(at) {
            return Ok(*known);
        }
        let made = if self.place(at) == Place::Spectrum {
            let terms = self.spectrum(at)?;
            self.at_points(terms)
        } else {
            self.computed(at)?
        };
        if let Some(slot) = self.known.get_mut(at) {
            *slot = Some(made);
        }
        Ok(made)
    }
    fn computed(&mut self, at: usize) -> Lowers<Id> {
        let code = self.program.code.get(at).cloned().ok_or("an instruction is missing")?;
        Ok(match code {
            Code::Number(n) => self.out.graph.number(n),
            Code::Time => self.out.graph.node(Node::Scalar(0)),
            Code::Parameter(i) => {
                let values = self.parameters.get(i).cloned().ok_or("a parameter is missing")?;
                self.leaf(at, values)
            }
            Code::Data(i) => {
                let values = self.data.get(i).cloned().ok_or("a number is missing")?;
                self.leaf(at, values)
            }
            Code::Coordinate(i) => {
                let values = self.coordinates.get(i).cloned().ok_or("a coordinate is missing")?;
                self.leaf(at, values)
            }
            Code::Unary(f, a) => {
                let a = self.points(a)?;
                self.out.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.points(a)?, self.points(b)?);
                self.out.graph.binary(op, a, b)
            }
            Code::Integral(a) => {
                let a = self.points(a)?;
                let graph = &mut self.out.graph;
                let (sum, weight) = if graph.is_uniform(a) {
                    (a, self.volume * self.points)
                } else {
                    (graph.node(Node::Sum(a)), self.volume)
                };
                let weight = graph.number(weight);
                graph.binary(Binary::Mul, weight, sum)
            }
            Code::Opaque(..) => return Err("it calls a function that is not looked into"),
            _ => return Err("it contains an operation that is not compiled"),
        })
    }
    fn leaf(&mut self, at: usize, values: Tensor) -> Id {
        let leaf = Leaf { values };
        if self.place(at) == Place::Uniform {
            self.out.scalars.push(leaf);
            self.out.graph.node(Node::Scalar(self.out.scalars.len()))
        } else {
            self.out.arrays.push(leaf);
            self.out.graph.node(Node::Array(self.out.arrays.len() - 1))
        }
    }
}

fn then(mut terms: Vec<Term>, operator: ([u8; 3], u8)) -> Vec<Term> {
    terms.iter_mut().for_each(|term| term.operator.chain.push(operator));
    terms
}
fn scaled(terms: Vec<Term>, by: f64) -> Vec<Term> {
    terms.iter().map(|term| term.scaled(by)).collect()
}
