//! Values on a two-dimensional grid.

use super::error::PlotError;

/// Most cells of one map.
const MAX_CELLS: usize = 100_000_000;

/// A field on a plane: `values[i * ny + j]` is the value at place `i` along the first axis and `j` along the second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values2d {
    /// `[nx, ny]`
    pub shape: [usize; 2],
    pub values: Vec<f64>,
}

impl Values2d {
    /// Values in row-major order, the last axis fastest.
    ///
    /// # Errors
    /// Those of a drawing: [`PlotError::Empty`], [`PlotError::Length`].
    pub fn new(shape: [usize; 2], values: Vec<f64>) -> Result<Self, PlotError> {
        let made = Values2d { shape, values };
        made.check("the field")?;
        Ok(made)
    }

    pub(crate) fn check(&self, what: &str) -> Result<(), PlotError> {
        let [nx, ny] = self.shape;
        let cells = nx.checked_mul(ny).filter(|cells| *cells <= MAX_CELLS);
        let cells = cells.ok_or(PlotError::Value {
            what: format!("the number of cells of {what}"),
            value: nx as f64 * ny as f64,
            expected: "at most 100 million",
        })?;
        if cells == 0 {
            return Err(PlotError::Empty { what: what.to_string() });
        }
        if self.values.len() != cells {
            let why = format!("its shape is [{nx}, {ny}]");
            return Err(PlotError::Length { what: what.to_string(), got: self.values.len(), expected: cells, why });
        }
        Ok(())
    }

    /// The value at (i, j); NaN outside.
    pub(crate) fn at(&self, i: usize, j: usize) -> f64 {
        let [nx, ny] = self.shape;
        if i < nx && j < ny { self.values.get(i * ny + j).copied().unwrap_or(f64::NAN) } else { f64::NAN }
    }

    /// Exchanges the axes.
    pub(crate) fn transposed(&self) -> Values2d {
        let [nx, ny] = self.shape;
        let values = (0..ny).flat_map(|j| (0..nx).map(move |i| self.at(i, j))).collect();
        Values2d { shape: [ny, nx], values }
    }
}
