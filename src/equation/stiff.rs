//! What implicit methods need of an evolution on points: its linear part, and approximate inverses of its steps.

use std::cell::RefCell;
use std::rc::Rc;

use super::expr::{Expr, Op};
use super::form::Evolution;
use super::jacobian::{Jacobian, Points, both_ways};
use super::shelf::{Lent, Shelf};
use super::split;
use super::stencil::Stencil;
use crate::error::{Error, Result};
use crate::solve::elliptic::krylov::{Method, Operator, Stop};
use crate::solve::elliptic::{Inverse, Preconditioner};
use crate::solve::{Linear, Phi, Reach, Resolvent};
use crate::tensor::{Precision, Tensor};

/// Systems up to this size get a new inverse at each state where none that is near will do; for larger ones it is used for some more.
const SMALL: usize = 4096;
/// For so many.
const USES: usize = 8;

/// The derivative of the rates, and their linear part.
#[derive(Clone)]
pub(super) struct Stiff {
    /// Of all rates; `None` where one is not differentiated symbolically.
    slope: Option<Slope>,
    /// The terms that are linear with coefficients that do not change in time.
    linear: Option<LinearPart>,
}

/// A derivative with the inverses of its steps.
#[derive(Clone)]
struct Slope {
    jacobian: Jacobian,
    kept: Rc<RefCell<Shelf<Inverse>>>,
}

impl Slope {
    fn of(jacobian: Jacobian) -> Self {
        Self { jacobian, kept: Rc::default() }
    }
    /// `(I − γh ∂f/∂y)⁻¹` or what is near it.
    fn inverse(&self, t: f64, y: &Tensor, gamma_h: f64) -> Result<Option<Lent<Inverse>>> {
        let fixed = self.jacobian.state_free && self.jacobian.autonomous;
        let uses = match (fixed, y.len() <= SMALL) {
            (true, _) => usize::MAX,
            (false, true) => 1,
            (false, false) => USES,
        };
        let known = self.kept.borrow_mut().same(gamma_h, uses);
        match known {
            Some(known) => Ok(Some(known)),
            None => self.made(t, y, gamma_h),
        }
    }
    /// As [`inverse`](Self::inverse), or that of another state or step as long as iterations with it take less than a new one would.
    fn near(&self, t: f64, y: &Tensor, gamma_h: f64) -> Result<Option<Lent<Inverse>>> {
        let known = self.kept.borrow_mut().near(gamma_h, self.jacobian.probes());
        match known {
            Some(known) => Ok(Some(known)),
            None => self.made(t, y, gamma_h),
        }
    }
    fn made(&self, t: f64, y: &Tensor, gamma_h: f64) -> Result<Option<Lent<Inverse>>> {
        let made = self.jacobian.inverse(t, y, [1.0, -gamma_h, 0.0], Preconditioner::Automatic)?;
        Ok(made.map(|made| self.kept.borrow_mut().keep(gamma_h, made)))
    }
    /// With other tensors; inverses stay where the numbers are the same.
    fn with_tensors(&self, tensors: &[Tensor], same: bool) -> Self {
        Self {
            jacobian: self.jacobian.with_tensors(tensors),
            kept: if same { self.kept.clone() } else { Rc::default() },
        }
    }
}

/// `f = L u + b(t) + N(t, u)`, where `b` is what edges add to `L u`.
#[derive(Clone)]
pub(super) struct LinearPart {
    slope: Slope,
    /// `L u` with the values of edges, where some are not 0.
    affine: Option<Stencil>,
    /// All other terms; `None` where there are none.
    rest: Option<Stencil>,
}

impl Stiff {
    /// Of an evolution on points of a grid.
    ///
    /// # Errors
    /// When a part cannot be planned.
    pub fn of(evolution: &Evolution, points: &Points) -> Result<Self> {
        let jacobian = Jacobian::of(&evolution.channels, &evolution.rates, points).ok();
        Ok(Self { slope: jacobian.map(Slope::of), linear: LinearPart::of(evolution, points)? })
    }
    pub fn with_tensors(&self, tensors: &[Tensor], same: bool) -> Self {
        Self {
            slope: self.slope.as_ref().map(|slope| slope.with_tensors(tensors, same)),
            linear: self.linear.as_ref().map(|linear| linear.with_tensors(tensors, same)),
        }
    }
    pub fn linear(&self) -> Option<&LinearPart> {
        self.linear.as_ref()
    }
    /// `∂f/∂y · v`.
    pub fn jvp(&self, t: f64, y: &Tensor, v: &Tensor) -> Option<Result<Tensor>> {
        self.slope.as_ref().map(|slope| slope.jacobian.apply(t, y, v))
    }
    /// Whether there is such a derivative.
    pub fn has_jvp(&self) -> bool {
        self.slope.is_some()
    }
    /// Something near `(I − γh ∂f/∂y)⁻¹`: of all rates where that is known, else of their linear part; `fresh` asks for that of this very state,
    /// but for large systems.
    pub fn resolvent(&self, t: f64, y: &Tensor, gamma_h: f64, fresh: bool) -> Result<Option<Resolvent<Tensor>>> {
        let slope = self.slope.as_ref().or(self.linear.as_ref().map(|linear| &linear.slope));
        let Some(slope) = slope else { return Ok(None) };
        let lent = if fresh { slope.inverse(t, y, gamma_h)? } else { slope.near(t, y, gamma_h)? };
        let Some(lent) = lent else { return Ok(None) };
        Ok(Some(Rc::new(move |v: &Tensor, transposed: bool| {
            lent.count();
            lent.of.apply(v, transposed)
        })))
    }
    /// Where the eigenvalues of `∂f/∂y` lie.
    pub fn reach(&self, t: f64, y: &Tensor) -> Result<Option<Reach>> {
        match &self.slope {
            Some(slope) => slope.jacobian.reach(t, y),
            None => Ok(None),
        }
    }
}

impl LinearPart {
    fn of(evolution: &Evolution, points: &Points) -> Result<Option<Self>> {
        let constant = |e: &Expr| points.setting.is_constant(e);
        let (mut linear, mut rest) = (Vec::new(), Vec::new());
        for rate in &evolution.rates {
            let (mut own, mut others) = (Vec::new(), Vec::new());
            for (c, body) in split::terms(rate, &constant)? {
                if is_linear(&body)? { own.push((c, body)) } else { others.push((c, body)) }
            }
            linear.push(split::sum(&own)?);
            rest.push(split::sum(&others)?);
        }
        let zero = |all: &[Expr]| all.iter().all(|e| e.as_number() == Some(0.0));
        if zero(&linear) {
            return Ok(None);
        }
        let jacobian = Jacobian::of(&evolution.channels, &linear, points)?;
        let plan = |outputs: &[Expr]| {
            let Points { names, setting, accuracy, transport } = points.clone();
            Stencil::of(&evolution.channels, outputs, &names, setting, accuracy, transport)
        };
        let affine = plan(&linear)?;
        Ok(Some(Self {
            slope: Slope::of(jacobian),
            affine: affine.has_edge_values().then_some(affine),
            rest: if zero(&rest) { None } else { Some(plan(&rest)?) },
        }))
    }
    fn with_tensors(&self, tensors: &[Tensor], same: bool) -> Self {
        let with = |lane: &Option<Stencil>| lane.as_ref().map(|lane| lane.with_tensors(tensors));
        Self { slope: self.slope.with_tensors(tensors, same), affine: with(&self.affine), rest: with(&self.rest) }
    }
    /// Where the eigenvalues of `L` lie.
    pub fn reach(&self, t: f64, y: &Tensor) -> Result<Option<Reach>> {
        self.slope.jacobian.reach(t, y)
    }
    /// `N(t, u)`.
    pub fn others(&self, t: f64, u: &Tensor) -> Result<Tensor> {
        match &self.rest {
            Some(rest) => rest.rates(t, u)?.expand(&u.shape()),
            None => u.full_like(0.0),
        }
    }
}

/// Whether a term is linear in the unknowns, with coefficients that do not change in time, and looks a few points far.
fn is_linear(body: &Expr) -> Result<bool> {
    let reads = |op: &Op| matches!(op, Op::Unknown(..));
    let others = |op: &Op| {
        matches!(
            op,
            Op::Time
                | Op::Opaque(..)
                | Op::Integral(_)
                | Op::InverseLaplacian(..)
                | Op::PairSum(_)
                | Op::Upwind(..)
                | Op::FluxDifference(..)
        )
    };
    if !body.any(&mut |op| reads(op)) || body.any(&mut |op| others(op)) {
        return Ok(false);
    }
    // F is linear where its derivative in a direction no longer contains the unknowns; a constant in it is a term of its own.
    let slope = super::calculus::derivative(body, &mut |e| match e.op() {
        Op::Unknown(_, name) => Some(Expr::parameter(usize::MAX, name)),
        _ => None,
    })?;
    Ok(!slope.any(&mut |op| reads(op)))
}

impl Linear<Tensor> for LinearPart {
    fn apply(&self, y: &Tensor) -> Result<Tensor> {
        self.slope.jacobian.apply(0.0, y, y)
    }
    fn combine(&self, _: f64, _: &[(Phi, &Tensor)]) -> Result<Tensor> {
        Err(Error::value("differences at points have no exponential here")
            .got("an exponential integrator on a grid with edges, or with central differences")
            .advice("take \"ars443\" or \"ars222\" (the linear part implicit), or \"esdirk4\""))
    }
    fn resolve(&self, gamma_h: f64, y: &Tensor) -> Result<Tensor> {
        self.resolved(gamma_h, None, y)
    }
    fn offset(&self, t: f64, like: &Tensor) -> Result<Option<Tensor>> {
        let edges = |lane: &Stencil| lane.rates(t, &like.full_like(0.0)?)?.expand(&like.shape());
        self.affine.as_ref().map(edges).transpose()
    }
}

impl LinearPart {
    /// `(I − γh ρ L)⁻¹ y`, where the value of the rate `ρ` is 1.
    fn resolved(&self, gamma_h: f64, rate: Option<&Tensor>, y: &Tensor) -> Result<Tensor> {
        let free = y.detach();
        let inverse = y.context().without_recording(|| self.slope.inverse(0.0, &free, gamma_h))?;
        let jacobian = self.slope.jacobian.clone();
        let rate = rate.cloned();
        let a: Operator = Rc::new(move |v: &Tensor| {
            let product = jacobian.apply(0.0, v, v)?.scale(gamma_h)?;
            match &rate {
                Some(rate) => v.sub(&product.mul(rate)?),
                None => v.sub(&product),
            }
        });
        let tolerance = if y.precision() == Precision::F64 { 1e-12 } else { 1e-6 };
        let stop = Stop { tolerance, iterations: 1000 };
        let both = both_ways(
            a,
            inverse.map(|lent| lent.of),
            self.slope.jacobian.is_whole(),
            Method::Gmres { restart: 60 },
            stop,
        );
        Ok(both.solve(y, None)?.0)
    }
}

/// A linear part by a clock whose rate is differentiated.
pub(super) struct Clocked {
    /// The part.
    pub linear: LinearPart,
    /// What multiplies it; its value is 1.
    pub rate: Tensor,
}

impl Linear<Tensor> for Clocked {
    fn apply(&self, y: &Tensor) -> Result<Tensor> {
        self.linear.apply(y)?.mul(&self.rate)
    }
    fn combine(&self, h: f64, terms: &[(Phi, &Tensor)]) -> Result<Tensor> {
        self.linear.combine(h, terms)
    }
    fn resolve(&self, gamma_h: f64, y: &Tensor) -> Result<Tensor> {
        self.linear.resolved(gamma_h, Some(&self.rate), y)
    }
    fn offset(&self, t: f64, like: &Tensor) -> Result<Option<Tensor>> {
        self.linear.offset(t, like)?.map(|edges| edges.mul(&self.rate)).transpose()
    }
}
