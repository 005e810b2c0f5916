//! The same problem on another grid: starts and coefficients sampled again, or interpolated where they do not know what they
//! were sampled from.

use rhai::{Array, Dynamic, Map};

use super::base::Equation;
use super::calculus::replace;
use super::expr::{Expr, Op};
use super::parameter::Value;
use crate::error::{Error, Result};
use crate::field::banded::Row;
use crate::field::resample::refine;
use crate::field::stencil::fornberg;
use crate::field::{Banded, Field, Grid, Refinement};
use crate::tensor::Tensor;

/// Points that a polynomial between them goes through.
const TAPS: usize = 8;

/// Values at the points of a grid of another fineness on the same box: those of equal points where there are any, else by polynomials
/// of seventh degree, which near edges lean inwards.
///
/// # Errors
/// When the grids are of different dimensions.
pub fn interpolated(values: &Tensor, from: &Grid, to: &Grid) -> Result<Tensor> {
    if from.dimensions() != to.dimensions() {
        return Err(Error::shape("the grids differ in their dimensions").got(format!("{from} and {to}")));
    }
    let mut values = values.clone();
    for (i, (own, new)) in from.axes().iter().zip(to.axes()).enumerate() {
        if own.points == new.points {
            continue;
        }
        let taps = TAPS.min(own.points);
        let ratio = new.spacing() / own.spacing();
        let row = |at: usize| -> Row {
            // The place of the new point in old spacings.
            let s = (at as f64 + new.inset()) * ratio - own.inset();
            let n = own.points as i64;
            if (s - s.round()).abs() < 1e-9 {
                return vec![(s.round().rem_euclid(n as f64) as usize, 1.0)];
            }
            let first = s.floor() as i64 - (taps as i64 / 2 - 1);
            let first = if own.periodic { first } else { first.clamp(0, n - taps as i64) };
            let places: Vec<f64> = (0..taps).map(|k| (first + k as i64) as f64).collect();
            let column = |k: usize| (first + k as i64).rem_euclid(n) as usize;
            fornberg(s, &places, 0).into_iter().enumerate().map(|(k, w)| (column(k), w)).collect()
        };
        let rows: Vec<Row> = (0..new.points).map(row).collect();
        values = Banded::from_rows(own.points, rows)?.apply(&values, from.tensor_axis(i))?;
    }
    Ok(values)
}

/// A field on another grid of the same box.
fn moved_field(field: &Field, to: &Grid) -> Result<Field> {
    if field.grid() == to || field.grid().points() == 1 {
        return Ok(field.clone());
    }
    if let Some(again) = field.sampled_again(to) {
        return again?.named(field.names().clone());
    }
    let (own, new) = (field.grid().points(), to.points());
    let factor = (new as f64 / own.max(1) as f64).powf(1.0 / to.dimensions().max(1) as f64).round() as usize;
    if field.grid().is_periodic() && new > own {
        let fine = refine(field, factor, Refinement::Spectral)?;
        return Field::new(fine.values().clone(), to.clone())?.named(field.names().clone());
    }
    Field::new(interpolated(field.values(), field.grid(), to)?, to.clone())?.named(field.names().clone())
}

/// A start, or a parameter in an option map, on another grid.
///
/// # Errors
/// For tensors of values at points, which say nothing about other points.
pub fn moved(value: &Dynamic, from: &Grid, to: &Grid) -> Result<Dynamic> {
    if let Some(field) = value.read_lock::<Field>() {
        return moved_field(&field, to).map(Dynamic::from);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut out = Map::new();
        for (key, value) in map.iter() {
            out.insert(key.clone(), moved(value, from, to)?);
        }
        return Ok(out.into());
    }
    if let Some(array) = value.read_lock::<Array>() {
        return Ok(array.iter().map(|v| moved(v, from, to)).collect::<Result<Array>>()?.into());
    }
    if let Some(tensor) = value.read_lock::<Tensor>()
        && tensor.rank() > 0
        && tensor.shape().ends_with(&from.shape())
    {
        return Err(Error::value("a tensor of values at the points cannot be sampled on another grid")
            .got(format!("shape {:?}", tensor.shape()))
            .advice("make it a field, field(values, grid), or give a closure of the coordinates"));
    }
    Ok(value.clone())
}

/// An equation with its coefficients on another grid.
///
/// # Errors
/// As of [`moved`].
pub fn moved_equation(equation: &Equation, from: &Grid, to: &Grid) -> Result<Equation> {
    let value = |v: &Value| -> Result<Option<Value>> {
        Ok(match v {
            Value::Field(field) => Some(Value::Field(moved_field(field, to)?)),
            Value::Tensor(t) if t.len() > 1 && t.shape().ends_with(&from.shape()) => {
                return Err(Error::value("a tensor of values at the points cannot be sampled on another grid")
                    .advice("make it a field: field(values, grid)"));
            }
            _ => None,
        })
    };
    let mut parameters = Vec::new();
    for parameter in equation.parameters() {
        if let Some(new) = value(&parameter.value)? {
            parameters.push((parameter.name.clone(), new));
        }
    }
    let residuals = equation.residuals().iter().map(|row| {
        replace(row, &mut |e: &Expr| match e.op() {
            Op::Data(v) => Ok(value(v)?.map(Expr::data)),
            _ => Ok(None),
        })
    });
    let residuals = residuals.collect::<Result<Vec<_>>>()?;
    Equation::new(equation.unknowns().to_vec(), equation.parameters().to_vec(), residuals)?.with_parameters(&parameters)
}
