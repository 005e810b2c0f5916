//! A velocity whose components sit at the faces that they cross.

use std::fmt;

use super::domain::Domain;
use super::interpolate::{Rule, interpolate};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::solve::elliptic::{Incompatible, Solve, SolveReport, poisson};
use crate::tensor::{Context, Tensor};

/// A velocity on the faces of a [`Domain`]: one tensor per axis, `[sample, 1, faces…]` (see [`Domain::faces`]). Cheap to clone.
#[derive(Clone)]
pub struct Staggered {
    domain: Domain,
    components: Vec<Tensor>,
}

impl Staggered {
    /// Components on the faces of a domain. A sample axis or a channel axis of length 1 may be left out.
    ///
    /// # Errors
    /// When a shape is not that of the faces.
    pub fn new(domain: &Domain, components: Vec<Tensor>) -> Result<Self> {
        if components.len() != domain.dimensions() {
            return Err(Error::shape("a staggered velocity has a component for each axis")
                .got(components.len())
                .expected(domain.dimensions()));
        }
        let components = components.into_iter().enumerate().map(|(axis, v)| {
            let (shape, faces) = (v.shape(), domain.faces(axis));
            let lead = shape.len().checked_sub(faces.len()).filter(|&lead| lead <= 2 && shape[lead..] == faces[..]);
            let fits = lead.filter(|&lead| lead == 0 || shape[lead - 1] == 1 || lead == 1);
            let Some(lead) = fits else {
                return Err(Error::shape(format!("component {axis} of a velocity does not fit the faces"))
                    .got(format!("shape {shape:?}"))
                    .expected(format!("[sample, 1, …] with {faces:?} last")));
            };
            let samples = if lead == 0 { 1 } else { shape[0] };
            v.reshape(&[&[samples, 1], &faces[..]].concat())
        });
        Ok(Self { domain: domain.clone(), components: components.collect::<Result<_>>()? })
    }
    /// At rest.
    pub fn still(domain: &Domain, context: &Context, samples: usize) -> Result<Self> {
        let components = (0..domain.dimensions())
            .map(|axis| Tensor::full(context, &[&[samples, 1], &domain.faces(axis)[..]].concat(), 0.0));
        Self::new(domain, components.collect::<Result<_>>()?)
    }
    /// The box.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
    /// One tensor per axis.
    pub fn components(&self) -> &[Tensor] {
        &self.components
    }
    fn first(&self) -> Result<&Tensor> {
        self.components.first().ok_or_else(|| Error::internal("a velocity without components"))
    }
    /// A function of each component and its axis.
    pub fn map(&self, f: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let components = self.components.iter().enumerate().map(|(axis, v)| f(axis, v));
        Ok(Self { domain: self.domain.clone(), components: components.collect::<Result<_>>()? })
    }
    /// The sum with another velocity in the same box.
    pub fn add(&self, other: &Self) -> Result<Self> {
        if !self.domain.same(&other.domain) {
            return Err(Error::shape("velocities in different flow domains"));
        }
        self.map(|axis, v| other.components.get(axis).map_or_else(|| Ok(v.clone()), |w| v.add(w)))
    }
    /// `Σ ∂vᵢ/∂xᵢ` of each cell.
    pub fn divergence(&self) -> Result<Field> {
        let mut sum: Option<Tensor> = None;
        for (axis, v) in self.components.iter().enumerate() {
            let part = self.domain.outflow(v, axis)?;
            sum = Some(sum.map_or_else(|| Ok(part.clone()), |sum| sum.add(&part))?);
        }
        let sum = sum.ok_or_else(|| Error::internal("a velocity without components"))?;
        Field::new(sum, self.domain.grid().clone())
    }
    /// The velocity at the centres of cells: a field with a channel for each axis.
    pub fn at_centres(&self) -> Result<Field> {
        let parts = self.components.iter().enumerate().map(|(axis, v)| {
            let (below, above) = self.domain.beside(v, axis)?;
            below.add(&above)?.scale(0.5)
        });
        Field::new(Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)?, self.domain.grid().clone())
    }
    /// The velocity at points `[sample, axes, …]` given in cells from the corner of the box, by linear interpolation, in cells per time.
    pub(super) fn at(&self, points: &Tensor) -> Result<Tensor> {
        let parts = (0..self.components.len()).map(|axis| {
            let spacing = self.domain.grid().numbered(axis)?.spacing();
            self.component_at(axis, points)?.scale(1.0 / spacing)
        });
        Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)
    }
    /// One component at such points.
    pub(super) fn component_at(&self, axis: usize, points: &Tensor) -> Result<Tensor> {
        let v = &self.components[axis];
        let rule = Rule::new(&v.shape()[2..], &self.domain.beyond());
        let inset = (0..self.components.len()).map(|a| if a == axis { 0.0 } else { 0.5 }).collect::<Vec<f64>>();
        let mut shape = vec![1; points.rank()];
        shape[1] = inset.len();
        let inset = Tensor::from_vec(points.context(), inset, &shape)?.cast(points.precision())?;
        interpolate(v, &points.sub(&inset)?, &rule)
    }
    /// Nothing through walls and obstacles.
    pub(super) fn held(&self) -> Result<Self> {
        self.map(|axis, v| v.mul(&self.domain.open(v.context(), v.precision(), axis)?))
    }

    /// The nearest velocity without divergence: what walls and obstacles do not let through is taken away, then the gradient of the pressure
    /// `p` with `Δp = div v`. Also `p`, and how it was found: by transforms in a box without obstacles, by conjugate gradients with multigrid
    /// otherwise. Differentiable.
    ///
    /// # Errors
    /// When the velocity is not finite, or the iterations do not suffice.
    pub fn make_incompressible(&self, how: Solve) -> Result<(Self, Field, SolveReport)> {
        let held = self.held()?;
        let source = held.divergence()?.map(|d| d.scale(-1.0))?;
        // What is out of balance is rounding: walls let nothing through.
        let how = Solve { incompatible: Incompatible::Remove, ..how };
        let first = self.first()?;
        let (pressure, report) = if self.domain.has_obstacles() {
            let operator = self.domain.conductances(first.context(), first.precision())?;
            let (p, report) = operator.solve(source.values(), how)?;
            (source.with(p)?, report)
        } else {
            let report = SolveReport { iterations: 0, residual: 0.0, history: Vec::new(), method: "transforms" };
            (poisson(&source, 0.0, None, Incompatible::Remove)?, report)
        };
        let free = held.map(|axis, v| {
            let open = self.domain.open(v.context(), v.precision(), axis)?;
            v.sub(&self.domain.slope(pressure.values(), axis)?.mul(&open)?)
        })?;
        Ok((free, pressure, report))
    }
}

impl fmt::Display for Staggered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let samples = self.components.first().map_or(0, |v| v.shape()[0]);
        write!(f, "Staggered velocity of {samples} sample{} in a {}", if samples == 1 { "" } else { "s" }, self.domain)
    }
}
