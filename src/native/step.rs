//! A step of an integrator as a list of sums and evaluations.
//!
//! The integrators of [`solve`](crate::solve) are written once, for any state and system. Here they are called once with states
//! that only write down what is done to them, as a closure of an equation is traced.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::solve::{Linear, Memory, Method, Parametrized, Phi, Separable, System, Vector};
use crate::tensor::{Context, Precision, Tensor};

/// A function of the linear part `L`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `L`
    Itself,
    /// `hᵖ Σ wⱼ φⱼ(c h L)`
    Phi(Phi),
    /// `(I − γh L)⁻¹`
    Resolvent(f64),
}

/// What an integrator does. States are numbered in the order in which they come.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A sum of states, each with a number and a function of `L`, by its place in [`Step::functions`].
    Sum { to: usize, parts: Vec<(f64, Option<usize>, usize)> },
    /// The nonlinear part of the right-hand side, so long after the beginning of the step.
    Nonlinear { to: usize, from: usize, after: f64 },
    /// Positions that move with their velocities, `x + by · v`, until so long after the beginning of the step.
    Drift { to: usize, from: usize, by: f64, after: f64 },
    /// Velocities that change by rates, `v + by · dv/dt`.
    Kick { to: usize, from: usize, rates: usize, by: f64 },
}

impl Operation {
    /// The state that it makes.
    pub fn to(&self) -> usize {
        let (Self::Sum { to, .. } | Self::Nonlinear { to, .. } | Self::Drift { to, .. } | Self::Kick { to, .. }) = self;
        *to
    }
}

/// A step of length `h`.
#[derive(Clone, Debug)]
pub struct Step {
    /// The length.
    pub h: f64,
    /// What is done.
    pub operations: Vec<Operation>,
    /// Functions of the linear part.
    pub functions: Vec<Function>,
    /// States that it begins with: the state, and what the method remembers.
    pub given: usize,
    /// States that it ends with: the state, and what the method remembers.
    pub ends: Vec<usize>,
    /// How often the right-hand side, or its nonlinear part, is evaluated.
    pub evaluations: usize,
}

impl Step {
    /// What `method` does in a step of length `h`, when it remembers `past` states and the step before had the length `last`. `linear` says whether there is a linear
    /// part, and whether there is nothing else. `None` where a method needs more than sums and evaluations.
    pub fn of(method: Method, h: f64, past: usize, last: f64, linear: (bool, bool)) -> Option<Self> {
        if !matches!(
            method,
            Method::Explicit(_) | Method::Exponential(_) | Method::Imex(_) | Method::Cnab2 | Method::Symplectic(_)
        ) {
            return None;
        }
        let written = Rc::new(RefCell::new(Written { states: 1 + past, ..Written::default() }));
        let state = |number: usize| State { number, written: written.clone() };
        let memory = Memory { y: state(0), past: (1..=past).map(state).collect(), last_step: last };
        let system = Traced { linear: Part(written.clone()), has_linear: linear.0, is_linear: linear.1 };
        let after = method.step(&system, 0.0, h, &memory).ok()?.memory;
        let ends = std::iter::once(&after.y).chain(&after.past).map(|s| s.number).collect();
        let written = written.take();
        Some(Self {
            h,
            operations: written.operations,
            functions: written.functions,
            given: 1 + past,
            ends,
            evaluations: written.evaluations,
        })
    }
}

#[derive(Default)]
struct Written {
    operations: Vec<Operation>,
    functions: Vec<Function>,
    states: usize,
    evaluations: usize,
}

impl Written {
    fn fresh(&mut self) -> usize {
        self.states += 1;
        self.states - 1
    }
    fn function(&mut self, function: Function) -> usize {
        self.functions.iter().position(|own| *own == function).unwrap_or_else(|| {
            self.functions.push(function);
            self.functions.len() - 1
        })
    }
}

/// A state that stands for any.
#[derive(Clone)]
struct State {
    number: usize,
    written: Rc<RefCell<Written>>,
}

impl State {
    fn sum(written: &Rc<RefCell<Written>>, parts: Vec<(f64, Option<usize>, usize)>) -> Self {
        let parts: Vec<_> = parts.into_iter().filter(|(weight, ..)| *weight != 0.0).collect();
        let mut list = written.borrow_mut();
        if let [(1.0, None, number)] = parts[..] {
            return Self { number, written: written.clone() };
        }
        let to = list.fresh();
        list.operations.push(Operation::Sum { to, parts });
        Self { number: to, written: written.clone() }
    }
}

impl Vector for State {
    fn tensors(&self) -> Vec<Tensor> {
        Vec::new()
    }
    fn with_tensors(&self, _: Vec<Tensor>) -> Result<Self> {
        Ok(self.clone())
    }
    fn combination(terms: &[(f64, &Self)]) -> Result<Self> {
        let (_, first) = terms.first().ok_or_else(|| Error::internal("a combination of no states"))?;
        Ok(Self::sum(&first.written, terms.iter().map(|(c, y)| (*c, None, y.number)).collect()))
    }
    fn scale(&self, factor: f64) -> Result<Self> {
        Ok(Self::sum(&self.written, vec![(factor, None, self.number)]))
    }
    fn context(&self) -> Result<Context> {
        Err(Error::internal("a state that stands for any has no context"))
    }
    fn precision(&self) -> Precision {
        Precision::F64
    }
}

/// The linear part that stands for any.
struct Part(Rc<RefCell<Written>>);

impl Part {
    fn functions(&self, terms: &[(Function, &State)]) -> State {
        let parts = terms.iter().map(|(f, y)| (1.0, Some(self.0.borrow_mut().function(*f)), y.number)).collect();
        State::sum(&self.0, parts)
    }
}

impl Linear<State> for Part {
    fn apply(&self, y: &State) -> Result<State> {
        Ok(self.functions(&[(Function::Itself, y)]))
    }
    fn combine(&self, _h: f64, terms: &[(Phi, &State)]) -> Result<State> {
        Ok(self.functions(&terms.iter().map(|(phi, y)| (Function::Phi(*phi), *y)).collect::<Vec<_>>()))
    }
    fn resolve(&self, gamma_h: f64, y: &State) -> Result<State> {
        Ok(self.functions(&[(Function::Resolvent(gamma_h), y)]))
    }
}

/// The system that stands for any.
struct Traced {
    linear: Part,
    has_linear: bool,
    is_linear: bool,
}

impl Clone for Traced {
    fn clone(&self) -> Self {
        Self { linear: Part(self.linear.0.clone()), ..*self }
    }
}

impl Traced {
    fn count(&self) {
        self.linear.0.borrow_mut().evaluations += 1;
    }
    fn part(&self, t: f64, y: &State) -> State {
        let mut list = self.linear.0.borrow_mut();
        let to = list.fresh();
        list.operations.push(Operation::Nonlinear { to, from: y.number, after: t });
        State { number: to, written: y.written.clone() }
    }
}

impl System for Traced {
    type State = State;
    fn nonlinear(&self, t: f64, y: &State) -> Result<State> {
        self.count();
        Ok(self.part(t, y))
    }
    fn rhs(&self, t: f64, y: &State) -> Result<State> {
        self.count();
        match (self.has_linear, self.is_linear) {
            (true, true) => self.linear.apply(y),
            (true, false) => self.linear.apply(y)?.add_scaled(&[(1.0, &self.part(t, y))]),
            _ => Ok(self.part(t, y)),
        }
    }
    fn linear(&self) -> Option<&dyn Linear<State>> {
        if self.has_linear { Some(&self.linear) } else { None }
    }
    fn is_linear(&self) -> bool {
        self.is_linear
    }
    fn settle(&self, t: f64, y: State) -> Result<State> {
        // States are settled when they are made; a drift is told here until when.
        if let Some(Operation::Drift { to, after, .. }) = self.linear.0.borrow_mut().operations.last_mut()
            && *to == y.number
        {
            *after = t;
        }
        Ok(y)
    }
    fn separable(&self) -> Option<&dyn Separable<State>> {
        Some(self)
    }
}

impl Separable<State> for Traced {
    fn drift(&self, h: f64, y: &State) -> Result<State> {
        let mut list = self.linear.0.borrow_mut();
        let to = list.fresh();
        list.operations.push(Operation::Drift { to, from: y.number, by: h, after: 0.0 });
        Ok(State { number: to, written: y.written.clone() })
    }
    fn force(&self, t: f64, y: &State) -> Result<State> {
        self.rhs(t, y)
    }
    fn kick(&self, h: f64, y: &State, force: &State) -> Result<State> {
        let mut list = self.linear.0.borrow_mut();
        let to = list.fresh();
        list.operations.push(Operation::Kick { to, from: y.number, rates: force.number, by: h });
        Ok(State { number: to, written: y.written.clone() })
    }
}

impl Parametrized for Traced {
    fn with_parameters(&self, _: &[Tensor]) -> Result<Self> {
        Ok(self.clone())
    }
}
