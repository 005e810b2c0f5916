//! A system that counts how often it is evaluated.

use std::cell::Cell;
use std::rc::Rc;

use super::system::{Linear, Parametrized, Reach, Resolvent, Separable, System};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Counts evaluations of the right-hand side and of the nonlinear part; otherwise the system inside.
#[derive(Clone)]
pub(super) struct Counting<S> {
    pub system: S,
    pub evaluations: Rc<Cell<usize>>,
}

impl<S> Counting<S> {
    fn count(&self) {
        self.evaluations.set(self.evaluations.get() + 1);
    }
}

impl<S: System> System for Counting<S> {
    type State = S::State;
    fn nonlinear(&self, t: f64, y: &S::State) -> Result<S::State> {
        self.count();
        self.system.nonlinear(t, y)
    }
    fn rhs(&self, t: f64, y: &S::State) -> Result<S::State> {
        self.count();
        self.system.rhs(t, y)
    }
    fn linear(&self) -> Option<&dyn Linear<S::State>> {
        self.system.linear()
    }
    fn is_linear(&self) -> bool {
        self.system.is_linear()
    }
    fn settle(&self, t: f64, y: S::State) -> Result<S::State> {
        self.system.settle(t, y)
    }
    fn reach(&self, t: f64, y: &S::State) -> Result<Option<Reach>> {
        self.system.reach(t, y)
    }
    fn jvp(&self, t: f64, y: &S::State, v: &S::State) -> Option<Result<S::State>> {
        self.system.jvp(t, y, v)
    }
    fn has_jvp(&self) -> bool {
        self.system.has_jvp()
    }
    fn resolvent(&self, t: f64, y: &S::State, gamma_h: f64, fresh: bool) -> Result<Option<Resolvent<S::State>>> {
        self.system.resolvent(t, y, gamma_h, fresh)
    }
    fn separable(&self) -> Option<&dyn Separable<S::State>> {
        self.system.separable().is_some().then_some(self as &dyn Separable<S::State>)
    }
}

impl<S: System> Counting<S> {
    fn halves(&self) -> Result<&dyn Separable<S::State>> {
        self.system.separable().ok_or_else(|| Error::internal("a system without halves"))
    }
}

impl<S: System> Separable<S::State> for Counting<S> {
    fn drift(&self, h: f64, y: &S::State) -> Result<S::State> {
        self.halves()?.drift(h, y)
    }
    fn force(&self, t: f64, y: &S::State) -> Result<S::State> {
        self.count();
        self.halves()?.force(t, y)
    }
    fn kick(&self, h: f64, y: &S::State, force: &S::State) -> Result<S::State> {
        self.halves()?.kick(h, y, force)
    }
}

impl<S: Parametrized> Parametrized for Counting<S> {
    fn parameters(&self) -> Vec<Tensor> {
        self.system.parameters()
    }
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self> {
        Ok(Self { system: self.system.with_parameters(parameters)?, evaluations: self.evaluations.clone() })
    }
}
