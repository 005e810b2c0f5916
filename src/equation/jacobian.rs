//! How expressions of channels change with the channels: the Gateaux derivative as a program of its own, and its matrix.

use std::rc::Rc;

use super::calculus::derivative;
use super::expr::{Expr, Op, Rank};
use super::form::Channel;
use super::setting::Setting;
use super::split;
use super::stencil::Stencil;
use super::transport::Transport;
use crate::error::Result;
use crate::solve::Reach;
use crate::solve::elliptic::krylov::{BothWays, Method, Operator, Stop, Way, transpose};
use crate::solve::elliptic::{Inverse, Lattice, Preconditioner};
use crate::tensor::{Tensor, jvp};

/// How expressions are evaluated on points.
#[derive(Clone)]
pub(super) struct Points {
    /// Names of the unknowns.
    pub names: Vec<String>,
    /// Where.
    pub setting: Setting,
    /// Order of differences.
    pub accuracy: usize,
    /// Differences of what is carried along.
    pub transport: Transport,
}

/// `∂F/∂u · v` for the outputs `F` of channels `u`. Cheap to clone.
#[derive(Clone)]
pub(super) struct Jacobian {
    /// Of channels and directions.
    lane: Stencil,
    /// The part of it that looks a few points far.
    local: Option<(Stencil, Rc<Lattice>)>,
    /// Whether that is all of it.
    whole: bool,
    /// Whether the derivative is the same for all states.
    pub state_free: bool,
    /// Whether it is the same at all times.
    pub autonomous: bool,
}

impl Jacobian {
    /// The derivative of `outputs`, as many as there are channels.
    ///
    /// # Errors
    /// When an output is not differentiated symbolically: functions that are not looked into, planned fluxes.
    pub fn of(channels: &[Channel], outputs: &[Expr], points: &Points) -> Result<Self> {
        let count = channels.len();
        let moved = |e: &Expr| {
            derivative(e, &mut |e| match e.op() {
                Op::Unknown(i, name) => Some(Expr::unknown(count + i, name, Rank::Scalar)),
                _ => None,
            })
        };
        let slopes = outputs.iter().map(moved).collect::<Result<Vec<_>>>()?;
        let any = |found: &dyn Fn(&Op) -> bool| slopes.iter().any(|e| e.any(&mut |op| found(op)));
        let state_free = !any(&|op| matches!(op, Op::Unknown(i, _) if *i < count));
        let autonomous = !any(&|op| matches!(op, Op::Time));
        let far = |op: &Op| {
            matches!(op, Op::Integral(_) | Op::InverseLaplacian(..) | Op::PairSum(_) | Op::Separation(_) | Op::Other(_))
        };
        let whole = !any(&far);
        let plan = |outputs: &[Expr]| {
            let Points { names, setting, accuracy, transport } = points.clone();
            Stencil::with_directions(channels, outputs, &names, setting, accuracy, transport)
        };
        let lane = plan(&slopes)?;
        let near = if whole {
            lane.clone()
        } else {
            let constant = |e: &Expr| points.setting.is_constant(e);
            let near = slopes.iter().map(|e| {
                let terms = split::terms(e, &constant)?;
                split::sum(&terms.into_iter().filter(|(_, body)| !body.any(&mut |op| far(op))).collect::<Vec<_>>())
            });
            plan(&near.collect::<Result<Vec<_>>>()?)?
        };
        let grid = &points.setting.grid;
        // Bodies are not on a grid.
        let local = if points.setting.space.len() == grid.dimensions() { near.widths()? } else { None };
        let local = local.map(|width| {
            let periodic = grid.axes().iter().map(|axis| axis.periodic).collect();
            (near, Rc::new(Lattice { channels: count, points: grid.shape(), periodic, width }))
        });
        Ok(Self { lane, local, whole, state_free, autonomous })
    }
    /// The same with other tensors, in the order of [`Stencil::tensors`].
    pub fn with_tensors(&self, tensors: &[Tensor]) -> Self {
        let local = self.local.as_ref().map(|(lane, lattice)| (lane.with_tensors(tensors), lattice.clone()));
        Self { lane: self.lane.with_tensors(tensors), local, ..self.clone() }
    }
    /// `∂F/∂u · v`, 0 at nodes whose value an edge gives.
    pub fn apply(&self, t: f64, u: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (u, v) = alike(u, v)?;
        self.lane.rates(t, &Tensor::concat(&[u, v], 1)?)
    }
    /// Something near the inverse of `identity · v + scale · ∂F/∂u v` at a state; at nodes whose value an edge gives the row of
    /// that is `pinned · v`. `None` where there is no part that looks a few points far.
    pub fn inverse(
        &self,
        t: f64,
        u: &Tensor,
        [identity, scale, pinned]: [f64; 3],
        wanted: Preconditioner,
    ) -> Result<Option<Inverse>> {
        let Some((lane, lattice)) = &self.local else { return Ok(None) };
        let mut shape = u.shape();
        let u = self.looked_at(lane, u)?;
        shape.iter_mut().take(1).for_each(|samples| *samples = 1);
        let made = u.context().without_recording(|| {
            Inverse::of(lattice, wanted, |probe| {
                let v = Tensor::from_vec(u.context(), probe.to_vec(), &shape)?.cast(u.precision())?;
                let (u, v) = alike(&u, &v)?;
                let product = lane.rates(t, &Tensor::concat(&[u, v.clone()], 1)?)?.detach().scale(scale)?;
                let product = if identity == 0.0 { product } else { product.add(&v.scale(identity)?)? };
                match lane.pinned(&v)? {
                    Some(known) => product.add(&known.scale(pinned)?),
                    None => Ok(product),
                }
            })
        });
        made.map(Some)
    }
    /// Products that something near an inverse takes to make.
    pub fn probes(&self) -> usize {
        self.local.as_ref().map_or(0, |(_, lattice)| lattice.probes())
    }
    /// Where the eigenvalues of the derivative lie, as those of waves that see the coefficients at one point as constant.
    pub fn reach(&self, t: f64, u: &Tensor) -> Result<Option<Reach>> {
        let Some((lane, lattice)) = &self.local else { return Ok(None) };
        let mut shape = u.shape();
        let u = self.looked_at(lane, u)?;
        shape.iter_mut().take(1).for_each(|samples| *samples = 1);
        u.context().without_recording(|| {
            let reach = lattice.reach(|probe| {
                let v = Tensor::from_vec(u.context(), probe.to_vec(), &shape)?.cast(u.precision())?;
                let (u, v) = alike(&u, &v)?;
                Ok(lane.rates(t, &Tensor::concat(&[u, v], 1)?)?.detach())
            });
            reach.map(Some)
        })
    }
    /// The state that the derivative is taken at: of one sample where all samples have the same derivative.
    fn looked_at(&self, lane: &Stencil, u: &Tensor) -> Result<Tensor> {
        if !self.state_free {
            return Ok(u.detach());
        }
        let mut shape = u.shape();
        // Coefficients may differ between samples where states do not matter.
        shape.iter_mut().take(1).for_each(|samples| *samples = lane.samples());
        u.detach().narrow(0, 0, 1)?.full_like(0.0)?.expand(&shape)
    }
    /// Whether the matrix holds all of the derivative.
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

/// Two states with as many samples.
fn alike(u: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
    let shape = crate::tensor::broadcast("a state and its change", &u.shape(), &v.shape())?;
    Ok((u.expand(&shape)?, v.expand(&shape)?))
}

/// The derivative of any function of a state, by differentiating it twice.
pub(super) fn differentiated(f: impl Fn(&Tensor) -> Result<Tensor> + 'static, u: &Tensor) -> Operator {
    let u = u.clone();
    Rc::new(move |v: &Tensor| {
        let context = u.context();
        Ok(context.with_recording(|| jvp(context, &u, v, &f))?.1)
    })
}

/// An operator with its transpose and something near its inverse.
pub(super) fn both_ways(
    a: Operator,
    inverse: Option<Rc<Inverse>>,
    whole: bool,
    method: Method,
    stop: Stop,
) -> BothWays {
    let exact = whole && inverse.as_ref().is_some_and(|i| i.is_exact());
    let way = |a: Operator, transposed: bool| {
        let near = inverse.clone().map(|inverse| {
            let near: Operator = Rc::new(move |b: &Tensor| inverse.apply(b, transposed));
            near
        });
        Way { a, inverse: near, exact }
    };
    let back = transpose(&a);
    BothWays { direct: way(a, false), back: way(back, true), method, stop }
}
