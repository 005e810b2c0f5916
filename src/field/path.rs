//! States and their paths over time.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use super::base::{Field, Names, channels_named};
use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A batch of states: `[sample, …]`, on a grid or not.
#[derive(Clone, Debug)]
pub struct State {
    /// The numbers, samples first.
    pub values: Tensor,
    /// The grid of the last axes, when there is one.
    pub grid: Option<Grid>,
    /// Names of the channels; empty when they have none.
    pub names: Names,
}

impl State {
    /// A state without names.
    pub fn new(values: Tensor, grid: Option<Grid>) -> Self {
        Self { values, grid, names: Names::default() }
    }
    /// Other numbers on the same grid.
    pub fn with(&self, values: Tensor) -> Self {
        Self { values, grid: self.grid.clone(), names: self.names.clone() }
    }
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.values.shape().first().copied().unwrap_or(1)
    }
}

impl From<Field> for State {
    fn from(field: Field) -> Self {
        Self { values: field.values().clone(), grid: Some(field.grid().clone()), names: field.names().clone() }
    }
}

/// States over times: `[sample, time, …]`. Cheap to clone.
#[derive(Clone)]
pub struct Path {
    values: Tensor,
    times: Rc<[f64]>,
    grid: Option<Grid>,
    names: Names,
    origin: Option<Rc<dyn Any>>,
}

impl Path {
    /// Joins the states at `times`.
    ///
    /// # Errors
    /// When there are not as many states as times, or none.
    pub fn new(states: &[State], times: &[f64]) -> Result<Self> {
        let first = states.first().ok_or_else(|| Error::shape("a path of no states"))?;
        if states.len() != times.len() {
            return Err(Error::shape("a path needs a state for each time").got(format!(
                "{} states, {} times",
                states.len(),
                times.len()
            )));
        }
        let parts: Vec<Tensor> = states.iter().map(|s| s.values.clone()).collect();
        let (grid, names) = (first.grid.clone(), first.names.clone());
        Ok(Self { values: Tensor::stack(&parts, 1)?, times: times.into(), grid, names, origin: None })
    }
    /// From one tensor, `[sample, time, …]`.
    ///
    /// # Errors
    /// When there are not as many states as times.
    pub fn joined(values: Tensor, times: &[f64], grid: Option<Grid>, names: Names) -> Result<Self> {
        if values.shape().get(1) != Some(&times.len()) {
            return Err(Error::shape("a path needs a state for each time").got(format!(
                "shape {:?}, {} times",
                values.shape(),
                times.len()
            )));
        }
        Ok(Self { values, times: times.into(), grid, names, origin: None })
    }
    /// The same with a memory of how it was made, for whoever knows its type.
    pub fn with_origin(self, origin: Rc<dyn Any>) -> Self {
        Self { origin: Some(origin), ..self }
    }
    /// How it was made, when that is a `T`.
    pub fn origin<T: 'static>(&self) -> Option<&T> {
        self.origin.as_ref()?.downcast_ref()
    }
    /// The numbers, `[sample, time, …]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }
    /// Names of the channels; empty when they have none.
    pub fn names(&self) -> &Names {
        &self.names
    }
    /// The channels of an unknown: the one of that name, or the components of a vector.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn channel(&self, name: &str) -> Result<Self> {
        let (at, names) = channels_named("path", &self.names, name)?;
        let values = self.values.narrow(2, at.start, at.len())?;
        Ok(Self { values, times: self.times.clone(), grid: self.grid.clone(), names, origin: None })
    }
    /// The times.
    pub fn times(&self) -> &[f64] {
        &self.times
    }
    /// The grid, when there is one.
    pub fn grid(&self) -> Option<&Grid> {
        self.grid.as_ref()
    }
    /// The states at time number `index`.
    pub fn state(&self, index: usize) -> Result<State> {
        Ok(State { values: self.values.select(1, index as i64)?, grid: self.grid.clone(), names: self.names.clone() })
    }
    /// The states at the time nearest to `t`.
    ///
    /// # Errors
    /// When `t` is further from every time than half a step.
    pub fn at(&self, t: f64) -> Result<State> {
        let nearest = self.times.iter().enumerate().min_by(|a, b| (a.1 - t).abs().total_cmp(&(b.1 - t).abs()));
        let (index, found) = nearest.ok_or_else(|| Error::shape("a path of no states"))?;
        let span = self.times.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        if t.is_nan() || (found - t).abs() > 0.5 * span + 1e-12 {
            let (first, last) = (self.times.first().copied().unwrap_or(0.0), self.times.last().copied().unwrap_or(0.0));
            return Err(Error::value("the path has no such time").got(t).expected(format!("{first} to {last}")));
        }
        self.state(index)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = crate::tensor::number;
        let (first, last) = (self.times.first().copied().unwrap_or(0.0), self.times.last().copied().unwrap_or(0.0));
        write!(f, "Path {:?}, {} times from {} to {}", self.values.shape(), self.times.len(), n(first), n(last))?;
        match &self.grid {
            Some(grid) => write!(f, ", on a {grid}"),
            None => Ok(()),
        }
    }
}
