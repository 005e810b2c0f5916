//! Parameters that stay between bounds.

use std::rc::Rc;

use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::tensor::{Binary, Tensor};

/// The numbers between which parameters stay, by name: `lower ≤ p ≤ upper`. A parameter that is not named is free.
#[derive(Clone, Default)]
pub struct Bounds(Rc<Sides>);

#[derive(Default)]
struct Sides {
    lower: Parameters,
    upper: Parameters,
}

impl Bounds {
    /// Bounds of the shapes of the parameters they belong to.
    ///
    /// # Errors
    /// When a lower bound lies above its upper one, or one is NaN.
    pub fn new(lower: Parameters, upper: Parameters) -> Result<Self> {
        for (name, low) in lower.iter() {
            let low = low.to_vec()?;
            let high =
                upper.get(name).map(Tensor::to_vec).transpose()?.unwrap_or_else(|| vec![f64::INFINITY; low.len()]);
            // Written so that a NaN is refused too.
            let ordered = low.len() == high.len() && low.iter().zip(&high).all(|(low, high)| low <= high);
            if !ordered {
                return Err(Error::value(format!("the bounds of {name:?} leave no room"))
                    .expected("lower bounds that are at most the upper ones"));
            }
        }
        for (name, high) in upper.iter() {
            if high.to_vec()?.iter().any(|h| h.is_nan()) {
                return Err(Error::not_finite(format!("an upper bound of {name:?} is NaN")));
            }
        }
        Ok(Self(Rc::new(Sides { lower, upper })))
    }
    /// Whether nothing is bounded.
    pub fn is_empty(&self) -> bool {
        self.0.lower.is_empty() && self.0.upper.is_empty()
    }
    /// The nearest parameters within the bounds.
    pub fn project(&self, parameters: &Parameters) -> Result<Parameters> {
        parameters.map(|name, p| {
            let raised = match self.0.lower.get(name) {
                Some(low) => p.binary(Binary::Max, &low.cast(p.precision())?)?,
                None => p.clone(),
            };
            match self.0.upper.get(name) {
                Some(high) => raised.binary(Binary::Min, &high.cast(p.precision())?),
                None => Ok(raised),
            }
        })
    }
    /// Refuses parameters outside of the bounds.
    pub fn check(&self, parameters: &Parameters) -> Result<()> {
        let inside = self.project(parameters)?;
        for ((name, p), q) in parameters.iter().zip(inside.values()) {
            let (p, q) = (p.to_vec()?, q.to_vec()?);
            if let Some((p, q)) = p.iter().zip(&q).find(|(p, q)| p != q) {
                return Err(Error::value(format!("the start of {name:?} lies outside of its bounds"))
                    .got(p)
                    .expected(format!("{q} or beyond, on the side of the bounds"))
                    .advice("begin inside: clamp(x0, lower, upper)"));
            }
        }
        Ok(())
    }
    /// The norm of the part of a gradient that a small step against it can follow; `None` without bounds.
    pub(in crate::train) fn inward(&self, parameters: &Parameters, gradients: &Parameters) -> Result<Option<f64>> {
        if self.is_empty() {
            return Ok(None);
        }
        let flat = |all: &Parameters| -> Result<Vec<f64>> {
            Ok(all.values().iter().map(Tensor::to_vec).collect::<Result<Vec<_>>>()?.concat())
        };
        let gradient = flat(gradients)?;
        let free = self.walls(parameters)?.free(&flat(parameters)?, &gradient);
        Ok(Some(masked(&gradient, &free).iter().map(|g| g * g).sum::<f64>().sqrt()))
    }
    /// The bounds as one line of numbers, in the order of the parameters.
    pub(super) fn walls(&self, parameters: &Parameters) -> Result<Walls> {
        let side = |side: &Parameters, free: f64| -> Result<Vec<f64>> {
            let mut all = Vec::with_capacity(parameters.count());
            for (name, p) in parameters.iter() {
                match side.get(name) {
                    // In the precision of the parameter: a projected parameter lies on the bound exactly.
                    Some(bound) => all.extend(bound.cast(p.precision())?.expand(&p.shape())?.to_vec()?),
                    None => all.resize(all.len() + p.len(), free),
                }
            }
            Ok(all)
        };
        Ok(Walls { lower: side(&self.0.lower, f64::NEG_INFINITY)?, upper: side(&self.0.upper, f64::INFINITY)? })
    }
}

/// Bounds of all numbers together.
pub(super) struct Walls {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Walls {
    pub fn project(&self, x: &mut [f64]) {
        for ((x, low), high) in x.iter_mut().zip(&self.lower).zip(&self.upper) {
            *x = x.max(*low).min(*high);
        }
    }
    /// Where a small step against the gradient stays inside.
    pub fn free(&self, x: &[f64], gradient: &[f64]) -> Vec<bool> {
        let sides = self.lower.iter().zip(&self.upper);
        let held = |x: f64, g: f64, low: f64, high: f64| (x <= low && g > 0.0) || (x >= high && g < 0.0);
        x.iter().zip(gradient).zip(sides).map(|((&x, &g), (&low, &high))| !held(x, g, low, high)).collect()
    }
}

/// The numbers where `free` holds, 0 elsewhere.
pub(super) fn masked(x: &[f64], free: &[bool]) -> Vec<f64> {
    x.iter().zip(free).map(|(&x, &free)| if free { x } else { 0.0 }).collect()
}
