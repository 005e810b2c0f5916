//! Smoke that rises in a box.

use super::advect::{Advection, advect, advect_velocity, buoyancy};
use super::staggered::Staggered;
use crate::error::Result;
use crate::field::Field;
use crate::solve::elliptic::Solve;

/// One step of smoke in an incompressible flow without viscosity.
#[derive(Clone)]
pub struct SmokeStep {
    /// The step `Δt`; 1.
    pub dt: f64,
    /// The force per smoke, a component for each axis.
    pub buoyancy: Vec<f64>,
    /// What is added to the smoke in a unit of time.
    pub inflow: Option<Field>,
    /// How the smoke is carried; MacCormack.
    pub advection: Advection,
    /// How the pressure is found.
    pub pressure: Solve,
}

impl SmokeStep {
    /// With this force per smoke and the usual choices.
    pub fn new(buoyancy: Vec<f64>) -> Self {
        Self { dt: 1.0, buoyancy, inflow: None, advection: Advection::MacCormack, pressure: Solve::default() }
    }
    /// Smoke and velocity after a step:
    ///
    /// ```text
    /// s ← advect(s, v) + Δt inflow
    /// v ← advect(v, v) + Δt buoyancy s
    /// v ← v − ∇p        without divergence
    /// ```
    ///
    /// Differentiable in smoke, velocity and inflow.
    ///
    /// # Errors
    /// When grids do not fit, and as of [`Staggered::make_incompressible`].
    pub fn step(&self, smoke: &Field, velocity: &Staggered) -> Result<(Field, Staggered)> {
        let mut smoke = advect(smoke, velocity, self.dt, self.advection)?;
        if let Some(inflow) = &self.inflow {
            smoke = smoke.with(smoke.values().add(&inflow.values().scale(self.dt)?)?)?;
        }
        let force = buoyancy(&smoke, velocity.domain(), &self.buoyancy)?.map(|_, f| f.scale(self.dt))?;
        let moved = advect_velocity(velocity, velocity, self.dt)?.add(&force)?;
        let (velocity, _, _) = moved.make_incompressible(self.pressure)?;
        Ok((smoke, velocity))
    }
}
