//! An equation as the drift of a process.

use std::rc::Rc;

use super::Drift;
use super::process::DriftFunction;
use crate::equation::{Equation, Setting, SpectralSystem, StencilSystem, Transport};
use crate::error::{Error, Result};
use crate::field::{Grid, SpectralOperator};
use crate::solve::System;
use crate::tensor::{Complex, Context, Precision, Tensor};

/// The drift that an equation in time is on a grid: its symbol where it is linear with constant coefficients, has one unknown and the
/// grid is periodic, so that steps are exact; otherwise its rates.
///
/// # Errors
/// When the equation cannot be solved for `∂u/∂t` on the grid.
pub fn drift(equation: &Equation, grid: &Grid, context: &Context) -> Result<Drift> {
    let evolution = equation.evolution(grid.dimensions())?;
    let setting = |precision| Setting::new(equation, grid, context, precision);
    if !grid.is_periodic() {
        let names: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
        let system = StencilSystem::new(&evolution, &names, setting(context.precision())?, 2, Transport::Central)?;
        return Ok(Drift::Function(rates(grid, context, move |t, x| system.rhs(t, x))));
    }
    let system = SpectralSystem::new(&evolution, setting(context.precision())?, true)?;
    if system.is_linear() && evolution.channels.len() == 1 {
        let exact = SpectralSystem::new(&evolution, setting(Precision::F64)?, true)?;
        let symbol = exact.lane().symbol()?;
        if symbol.shape().first() == Some(&1) {
            let part = |part: &Tensor| part.reshape(&grid.spectral_shape());
            let symbol = Complex::new(part(&symbol.re)?, part(&symbol.im)?)?;
            return Ok(Drift::Spectral(SpectralOperator::new(grid.clone(), symbol)?));
        }
    }
    Ok(Drift::Function(rates(grid, context, move |t, x| {
        let spectrum = system.lane().spectrum(x)?;
        let rest = system.nonlinear(t, &spectrum)?;
        let all = match system.linear() {
            Some(linear) => rest.add(&linear.apply(&spectrum)?)?,
            None => rest,
        };
        system.lane().points(&all)
    })))
}

/// Rates as a drift: states of any precision, times of one number or one for each sample.
fn rates(grid: &Grid, context: &Context, f: impl Fn(f64, &Tensor) -> Result<Tensor> + 'static) -> DriftFunction {
    let (space, precision) = (grid.shape(), context.precision());
    Rc::new(move |x: &Tensor, t: &Tensor| {
        let shape = x.shape();
        if shape.len() != space.len() + 2 || !shape.ends_with(&space) {
            return Err(Error::shape("the states do not lie on the grid of the process")
                .got(format!("shape {shape:?}"))
                .expected(format!("[sample, channel] and then {space:?}")));
        }
        let inner = x.cast(precision)?;
        let times = t.detach().to_vec()?;
        let first = times.first().copied().unwrap_or(0.0);
        let rates = if times.iter().all(|t| *t == first) {
            f(first, &inner)?
        } else {
            let rows = times.iter().enumerate().map(|(i, t)| f(*t, &inner.narrow(0, i, 1)?));
            Tensor::concat(&rows.collect::<Result<Vec<_>>>()?, 0)?
        };
        rates.cast(x.precision())
    })
}
