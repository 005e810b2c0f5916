//! What a flow carries along.

use super::domain::Domain;
use super::interpolate::{Rule, extremes, interpolate};
use super::staggered::Staggered;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::tensor::{Binary, Tensor};

/// How a quantity is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Advection {
    /// The value where the point came from, `x − Δt v(x)`, by linear interpolation: stable for every step, of first order, and it smears.
    /// Stam, *Stable Fluids* (1999).
    #[default]
    SemiLagrangian,
    /// Forth and back again: half of what that has lost is added, within the values that the interpolation used. Of second order where it is
    /// smooth. Selle et al., *An Unconditionally Stable MacCormack Method* (2008).
    MacCormack,
}

/// A field on the cells of the flow after a time `dt`. Beyond the sides it is as at the edge.
///
/// # Errors
/// When the field is not on the cells of the flow.
pub fn advect(field: &Field, velocity: &Staggered, dt: f64, method: Advection) -> Result<Field> {
    let domain = velocity.domain();
    let shape = domain.grid().shape();
    if field.grid().shape() != shape || field.grid().axes().iter().any(|axis| axis.has_nodes()) {
        return Err(Error::shape("a flow carries fields on its own cells")
            .got(field.grid())
            .expected(format!("centres of {shape:?} cells")));
    }
    let values = field.values();
    let points = domain.points(values.context(), values.precision(), None)?;
    let speed = velocity.at(&points)?.cast(values.precision())?;
    let rule = Rule::new(&shape, &domain.beyond_smoke());
    // Centre i lies at i + ½ cells from the corner.
    let origins = |dt: f64| points.sub(&speed.scale(dt)?)?.shift(-0.5);
    let back = origins(dt)?;
    let carried = interpolate(values, &back, &rule)?;
    match method {
        Advection::SemiLagrangian => field.with(carried),
        Advection::MacCormack => {
            let returned = interpolate(&carried, &origins(-dt)?, &rule)?;
            let corrected = carried.add(&values.sub(&returned)?.scale(0.5)?)?;
            let (low, high) = extremes(values, &back, &rule)?;
            field.with(corrected.binary(Binary::Max, &low)?.binary(Binary::Min, &high)?)
        }
    }
}

/// A velocity after a time `dt` in a flow (its own, as a rule), by the semi-Lagrangian method.
pub fn advect_velocity(carried: &Staggered, velocity: &Staggered, dt: f64) -> Result<Staggered> {
    let domain = velocity.domain();
    if !domain.same(carried.domain()) {
        return Err(Error::shape("a flow carries velocities in its own domain"));
    }
    carried.map(|axis, v| {
        let points = domain.points(v.context(), v.precision(), Some(axis))?;
        let origins = points.sub(&velocity.at(&points)?.scale(dt)?)?;
        carried.component_at(axis, &origins)
    })
}

/// A force that is proportional to smoke, `vector · smoke`, at the faces.
pub fn buoyancy(smoke: &Field, domain: &Domain, vector: &[f64]) -> Result<Staggered> {
    if vector.len() != domain.dimensions() {
        return Err(Error::shape("buoyancy has a component for each axis")
            .got(vector.len())
            .expected(domain.dimensions()));
    }
    if smoke.channels() != 1 || smoke.grid().shape() != domain.grid().shape() {
        return Err(Error::shape("buoyancy comes from one channel on the cells of the flow")
            .got(format!("shape {:?}", smoke.values().shape())));
    }
    let force =
        |(axis, factor): (usize, &f64)| -> Result<Tensor> { domain.at_faces(smoke.values(), axis)?.scale(*factor) };
    Staggered::new(domain, vector.iter().enumerate().map(force).collect::<Result<_>>()?)
}
