//! A tensor that knows its grid.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::{Context, Tensor, position};

/// Names of channels; empty when they have none.
pub type Names = Rc<[String]>;

/// The channels that bear a name, or the components `name.x`, `name.y`… of a vector, with the names they keep.
pub(super) fn channels_named(what: &str, names: &Names, name: &str) -> Result<(Range<usize>, Names)> {
    let own = |n: &String| n == name || n.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    if let Some(start) = names.iter().position(own) {
        let len = names[start..].iter().take_while(|n| own(n)).count();
        return Ok((start..start + len, names[start..start + len].into()));
    }
    let error = Error::value(format!("a {what} has no property or unknown `{name}`"));
    Err(if names.is_empty() {
        error.advice("ansatz doc lists properties and functions")
    } else {
        error.expected(format!("one of {}", names.join(", ")))
    })
}
/// What a field was sampled from: its values at the points of any grid.
pub type Source = dyn Fn(&Grid) -> Result<Tensor>;

/// Values on the points of a grid: `[sample, channel, x, y, z]`. Cheap to clone.
#[derive(Clone)]
pub struct Field {
    values: Tensor,
    grid: Grid,
    names: Names,
    source: Option<Rc<Source>>,
}

impl Field {
    /// Values on a grid. Shape `[sample, channel, x…]`, `[channel, x…]` when the first axis is left out, or the grid's own.
    ///
    /// # Errors
    /// When the last axes are not the grid's.
    pub fn new(values: Tensor, grid: Grid) -> Result<Self> {
        let (shape, space) = (values.shape(), grid.shape());
        let lead = shape.len().checked_sub(space.len()).filter(|&lead| lead <= 2 && shape[lead..] == space[..]);
        let Some(lead) = lead else {
            return Err(Error::shape("values do not fit the grid")
                .got(format!("shape {shape:?}"))
                .expected(format!("[sample, channel, …] with the grid's {space:?} last")));
        };
        let mut full = vec![1; 2 - lead];
        full.extend_from_slice(&shape);
        Ok(Self { values: values.reshape(&full)?, grid, names: Names::default(), source: None })
    }
    /// A field that remembers what it was sampled from.
    ///
    /// # Errors
    /// What the source raises, and values that do not fit the grid.
    pub fn sampled(grid: Grid, source: Rc<Source>) -> Result<Self> {
        Ok(Self { source: Some(source.clone()), ..Self::new(source(&grid)?, grid)? })
    }
    /// The same function at the points of another grid; `None` when the field was not sampled, or was changed since.
    pub fn sampled_again(&self, grid: &Grid) -> Option<Result<Self>> {
        let source = self.source.clone().filter(|_| self.grid.dimensions() == grid.dimensions())?;
        Some(Self::sampled(grid.clone(), source))
    }
    /// The numbers, `[sample, channel, x…]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }
    /// Where they sit.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// The session's part that tensors share.
    pub fn context(&self) -> &Context {
        self.values.context()
    }
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.values.shape().first().copied().unwrap_or(1)
    }
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.values.shape().get(1).copied().unwrap_or(1)
    }
    /// Names of the channels; empty when they have none.
    pub fn names(&self) -> &Names {
        &self.names
    }
    /// The same with names for its channels.
    ///
    /// # Errors
    /// When there are not as many names as channels.
    pub fn named(self, names: Names) -> Result<Self> {
        if names.len() != self.channels() && !names.is_empty() {
            return Err(Error::shape("a field needs a name for each channel").got(format!(
                "{} names, {} channels",
                names.len(),
                self.channels()
            )));
        }
        Ok(Self { names, ..self })
    }
    /// The channels of an unknown: the one of that name, or the components of a vector.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn channel(&self, name: &str) -> Result<Self> {
        let (at, names) = channels_named("field", &self.names, name)?;
        Self::new(self.values.narrow(1, at.start, at.len())?, self.grid.clone())?.named(names)
    }
    /// Another field on the same grid; with as many channels they keep their names.
    pub fn with(&self, values: Tensor) -> Result<Self> {
        let new = Self::new(values, self.grid.clone())?;
        if new.channels() == self.channels() { new.named(self.names.clone()) } else { Ok(new) }
    }
    /// A function of the numbers that keeps them on the grid.
    pub fn map(&self, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Self> {
        self.with(f(&self.values)?)
    }
    /// A function of two fields on the same grid.
    pub fn zip(&self, other: &Self, f: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        self.same_grid(other)?;
        self.with(f(&self.values, &other.values)?)
    }
    /// Refuses a field on another grid.
    pub fn same_grid(&self, other: &Self) -> Result<()> {
        if self.grid == other.grid {
            return Ok(());
        }
        Err(Error::shape("fields on different grids").got(format!("{} and {}", self.grid, other.grid)))
    }
    /// Some of the samples, in the order given.
    pub fn take_samples(&self, indices: &[i64]) -> Result<Self> {
        let count = self.samples();
        // A run of neighbours is a view; anything else a copy.
        let run = indices.windows(2).all(|w| w[1] == w[0] + 1 && (w[0] < 0) == (w[1] < 0));
        match indices.first() {
            Some(&first) if run => {
                let start = position("samples", first, count)?;
                if let Some(&last) = indices.last() {
                    position("samples", last, count)?;
                }
                self.map(|v| v.narrow(0, start, indices.len()))
            }
            _ => self.map(|v| v.take(0, indices)),
        }
    }
    /// Mean 0 and variance 1 over all samples, channels and points together.
    ///
    /// # Errors
    /// When all numbers are the same.
    pub fn standardize(&self) -> Result<Self> {
        let mean = self.values.mean(&[], false)?;
        let centred = self.values.sub(&mean)?;
        let deviation = centred.variance(&[], false, 0.0)?.unary(crate::tensor::Unary::Sqrt)?;
        if deviation.item()? == 0.0 {
            return Err(Error::value("standardize: all numbers are the same"));
        }
        self.with(centred.div(&deviation)?)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = |t: &Tensor| -> Result<(f64, f64, f64)> {
            let t = t.detach();
            Ok((t.min(&[], false)?.item()?, t.max(&[], false)?.item()?, t.mean(&[], false)?.item()?))
        };
        let (samples, channels) = (self.samples(), self.channels());
        write!(f, "Field of {samples} sample{}", if samples == 1 { "" } else { "s" })?;
        if channels != 1 {
            write!(f, " with {channels} channels")?;
        }
        write!(f, " on a {}", self.grid)?;
        if let Ok((low, high, mean)) = facts(&self.values) {
            let n = crate::tensor::number;
            write!(f, "\n{} to {}, mean {} ({})", n(low), n(high), n(mean), self.values.precision().name())?;
        }
        Ok(())
    }
}
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field {:?}", self.values.shape())
    }
}
