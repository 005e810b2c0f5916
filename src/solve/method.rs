//! Every integrator by its name, and what one step of it gives.

use super::diagonal::{self, ESDIRK4};
use super::explicit;
use super::exponential::{self, Exponential};
use super::imex::{self, ARS_222, ARS_443, ImexTableau};
use super::implicit::{self, Implicit};
use super::symplectic::{self, LEAPFROG, SYMPLECTIC_EULER, Splitting, VERLET, YOSHIDA_4};
use super::system::Parametrized;
use super::tableau::{
    BOGACKI_SHAMPINE, DORMAND_PRINCE, EULER, Embedded, HEUN, MIDPOINT, RALSTON, RK4, SSP_RK3, Tableau,
};
use super::vector::Vector;
use crate::error::{Error, Result};

/// An integrator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// An explicit Runge–Kutta method; takes every system.
    Explicit(&'static Tableau),
    /// The linear part exact, the rest explicit; needs a [`Linear`](super::Linear) part.
    Exponential(Exponential),
    /// The linear part implicit, the rest explicit; needs a [`Linear`](super::Linear) part.
    Imex(&'static ImexTableau),
    /// Crank–Nicolson for the linear part, Adams–Bashforth for the rest; needs a [`Linear`](super::Linear) part.
    Cnab2,
    /// Everything implicit, by Newton and Krylov; takes every system.
    Implicit(Implicit),
    /// Stages that are implicit one after the other, with an estimate of the error; takes every system.
    Diagonal(&'static Tableau),
    /// Kicks and drifts; needs a [`Separable`](super::Separable) system.
    Symplectic(&'static Splitting),
}

impl Method {
    /// Every integrator with the name that scripts use.
    pub const ALL: [(&'static str, Self); 24] = [
        ("euler", Self::Explicit(&EULER)),
        ("heun", Self::Explicit(&HEUN)),
        ("midpoint", Self::Explicit(&MIDPOINT)),
        ("ralston", Self::Explicit(&RALSTON)),
        ("ssp_rk3", Self::Explicit(&SSP_RK3)),
        ("rk4", Self::Explicit(&RK4)),
        ("bogacki_shampine", Self::Explicit(&BOGACKI_SHAMPINE)),
        ("dormand_prince", Self::Explicit(&DORMAND_PRINCE)),
        ("exact", Self::Exponential(Exponential::Exact)),
        ("etdrk1", Self::Exponential(Exponential::Etdrk1)),
        ("etdrk2", Self::Exponential(Exponential::Etdrk2)),
        ("etdrk3", Self::Exponential(Exponential::Etdrk3)),
        ("etdrk4", Self::Exponential(Exponential::Etdrk4)),
        ("ars222", Self::Imex(&ARS_222)),
        ("ars443", Self::Imex(&ARS_443)),
        ("cnab2", Self::Cnab2),
        ("backward_euler", Self::Implicit(Implicit::BackwardEuler)),
        ("crank_nicolson", Self::Implicit(Implicit::CrankNicolson)),
        ("bdf2", Self::Implicit(Implicit::Bdf2)),
        ("esdirk4", Self::Diagonal(&ESDIRK4)),
        ("symplectic_euler", Self::Symplectic(&SYMPLECTIC_EULER)),
        ("leapfrog", Self::Symplectic(&LEAPFROG)),
        ("verlet", Self::Symplectic(&VERLET)),
        ("yoshida4", Self::Symplectic(&YOSHIDA_4)),
    ];

    /// The integrator of a name.
    ///
    /// # Errors
    /// When there is none; names all of them.
    pub fn named(name: &str) -> Result<Self> {
        if let Some((_, method)) = Self::ALL.iter().find(|(own, _)| *own == name) {
            return Ok(*method);
        }
        let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
        Err(Error::value("there is no integrator of this name").got(format!("\"{name}\"")).expected(names.join(", ")))
    }
    /// The name that scripts use.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("an integrator", |(name, _)| name)
    }
    /// The order of convergence; `None` where there is no error in time.
    pub fn order(self) -> Option<usize> {
        Some(match self {
            Self::Explicit(tableau) | Self::Diagonal(tableau) => tableau.order,
            Self::Exponential(method) => return method.order(),
            Self::Imex(tableau) => tableau.order,
            Self::Cnab2 => 2,
            Self::Implicit(Implicit::BackwardEuler) => 1,
            Self::Implicit(_) => 2,
            Self::Symplectic(splitting) => splitting.order,
        })
    }
    /// Whether step control is possible: the method estimates its own error.
    pub fn is_adaptive(self) -> bool {
        self.pair().is_some()
    }
    /// What estimates the error of a step.
    pub(super) fn pair(self) -> Option<&'static Embedded> {
        match self {
            Self::Explicit(tableau) | Self::Diagonal(tableau) => tableau.embedded.as_ref(),
            _ => None,
        }
    }
    /// Whether its steps solve equations by iteration.
    pub fn is_implicit(self) -> bool {
        matches!(self, Self::Implicit(_) | Self::Diagonal(_))
    }

    /// One step from `t` to `t + h`.
    ///
    /// # Errors
    /// When the system lacks what the method needs, or the equations of an implicit step have no solution nearby.
    pub fn step<S: Parametrized>(
        self,
        system: &S,
        t: f64,
        h: f64,
        memory: &Memory<S::State>,
    ) -> Result<Step<S::State>> {
        match self {
            Self::Explicit(tableau) => explicit::step(tableau, system, t, h, memory),
            Self::Exponential(method) => exponential::step(method, system, t, h, &memory.y).map(Step::plain),
            Self::Imex(tableau) => imex::step(tableau, system, t, h, &memory.y).map(Step::plain),
            Self::Cnab2 => imex::cnab2(system, t, h, memory).map(Step::of),
            Self::Implicit(scheme) => implicit::step(scheme, system, t, h, memory).map(Step::of),
            Self::Diagonal(tableau) => diagonal::step(tableau, system, t, h, memory),
            Self::Symplectic(splitting) => symplectic::step(splitting, system, t, h, memory).map(Step::of),
        }
    }
}

/// What a step needs: the state, and what multistep methods keep of earlier ones.
#[derive(Debug, Clone)]
pub struct Memory<V> {
    /// The state now.
    pub y: V,
    /// Earlier states or rates, as the method wants them; empty before the first step.
    pub past: Vec<V>,
    /// The step before this one.
    pub last_step: f64,
}

impl<V: Vector> Memory<V> {
    /// Before the first step.
    pub fn start(y: V) -> Self {
        Self { y, past: Vec::new(), last_step: 0.0 }
    }
    /// Every tensor of it.
    pub fn tensors(&self) -> Vec<crate::tensor::Tensor> {
        self.past.iter().fold(self.y.tensors(), |mut all, v| {
            all.extend(v.tensors());
            all
        })
    }
    /// The same with other tensors, in the order of [`tensors`](Self::tensors).
    pub fn with_tensors(&self, mut tensors: Vec<crate::tensor::Tensor>) -> Result<Self> {
        let mut take = |v: &V| -> Result<V> {
            let count = v.tensors().len();
            if count > tensors.len() {
                return Err(Error::internal("too few tensors for what a step remembers"));
            }
            let rest = tensors.split_off(count);
            v.with_tensors(std::mem::replace(&mut tensors, rest))
        };
        let y = take(&self.y)?;
        let past = self.past.iter().map(take).collect::<Result<_>>()?;
        Ok(Self { y, past, last_step: self.last_step })
    }
    /// Outside of any gradient.
    pub fn detach(&self) -> Result<Self> {
        self.with_tensors(self.tensors().iter().map(crate::tensor::Tensor::detach).collect())
    }
}

/// What a step gives.
#[derive(Debug, Clone)]
pub struct Step<V> {
    /// The state after it, and what the next step needs.
    pub memory: Memory<V>,
    /// The rates `kᵢ` of its stages, where the method estimates its error from them.
    pub stages: Vec<V>,
}

impl<V: Vector> Step<V> {
    fn of(memory: Memory<V>) -> Self {
        Self { memory, stages: Vec::new() }
    }
    fn plain(y: V) -> Self {
        Self::of(Memory::start(y))
    }
}
