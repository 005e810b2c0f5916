//! Maps along an axis that the values of edge conditions enter.

use super::kernel::add_side;
use super::{Banded, Row, lowered};
use crate::error::{Error, Result};
use crate::tensor::{Tensor, axis_index, broadcast, in_precision};

/// An affine map along one axis, `M u + l ⊗ b_low + r ⊗ b_high`, with the values `b` of the edge conditions at its two ends.
#[derive(Clone, Debug)]
pub struct AxisOperator {
    /// What multiplies the points.
    pub matrix: Banded,
    /// For each row, what multiplies the value at the low end.
    pub low: Vec<f64>,
    /// For each row, what multiplies the value at the high end.
    pub high: Vec<f64>,
}

impl AxisOperator {
    /// A linear map that no edge value enters.
    pub fn linear(matrix: Banded) -> Self {
        let zero = vec![0.0; matrix.rows()];
        Self { matrix, low: zero.clone(), high: zero }
    }
    /// Whether no edge value enters.
    pub fn is_linear(&self) -> bool {
        self.low.iter().chain(&self.high).all(|w| *w == 0.0)
    }
    /// This map after another one.
    ///
    /// # Errors
    /// When the inner lengths differ.
    pub fn compose(&self, before: &Self) -> Result<Self> {
        let matrix = self.matrix.compose(&before.matrix)?;
        // Few rows see the ends.
        let through = |own: &[f64], inner: &[f64]| -> Vec<f64> {
            let mut sum = own.to_vec();
            for (column, value) in inner.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                for (row, weight) in self.matrix.transpose().row(column) {
                    sum[row] += weight * value;
                }
            }
            sum
        };
        Ok(Self { matrix, low: through(&self.low, &before.low), high: through(&self.high, &before.high) })
    }
    /// Every weight times a number.
    pub fn scale(&self, factor: f64) -> Self {
        let times = |v: &[f64]| v.iter().map(|w| w * factor).collect();
        Self { matrix: self.matrix.scale(factor), low: times(&self.low), high: times(&self.high) }
    }
    /// The sum of two maps.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn add(&self, other: &Self) -> Result<Self> {
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let matrix = self.matrix.add(&other.matrix)?;
        Ok(Self { matrix, low: sum(&self.low, &other.low), high: sum(&self.high, &other.high) })
    }

    /// The map along an axis of `u`. `edges` are the values at the two ends, with length 1 along the axis and broadcasting against
    /// `u`; `None` means 0. Differentiable with respect to `u` and the values.
    ///
    /// # Errors
    /// When lengths do not fit.
    pub fn apply(&self, u: &Tensor, axis: i64, edges: [Option<&Tensor>; 2]) -> Result<Tensor> {
        let ends = [(&self.low, edges[0]), (&self.high, edges[1])];
        let ends =
            ends.map(|(weights, value)| value.filter(|_| weights.iter().any(|w| *w != 0.0)).map(|v| (weights, v)));
        if ends.iter().all(Option::is_none) {
            return self.matrix.apply(u, axis);
        }
        let (u, sides) = self.sides(u, axis, &ends)?;
        let along = self.matrix.along(&u, axis)?;
        let device = u.context().device();
        let mut out = if !device.has_kernels() && !along.shape.contains(&0) && lowered::fits(&self.matrix) {
            let place = axis_index("a map along an axis", axis, u.rank())?;
            let mut sum = lowered::apply(&self.matrix, &u, place)?;
            for (weights, value) in &sides {
                sum = sum.add(&lowered::side(weights, value, place)?)?;
            }
            sum
        } else {
            in_precision!(u.precision(), T => {
            let mut numbers = vec![T::default(); along.outer * self.matrix.rows() * along.inner];
            along.multiply::<T>(&self.matrix, &u, &mut numbers)?;
            for (weights, value) in &sides {
                add_side(&mut numbers, weights, &value.detach().read::<T>()?, along.inner);
            }
            Tensor::from_vec(u.context(), numbers, &along.shape)?
            })
        };
        out = self.matrix.with_rule(out, &u, axis);
        for (weights, value) in sides {
            let column = |(i, &w): (usize, &f64)| (i, w);
            let row: Row = weights.iter().enumerate().map(column).collect();
            let back = Banded::from_rows(weights.len(), vec![row])?;
            out = out.from(&value, || move |g: &Tensor| back.apply(g, axis));
        }
        Ok(out)
    }
    /// The points and the edge values, stretched to fit each other.
    #[allow(clippy::type_complexity)]
    fn sides<'a>(
        &self,
        u: &Tensor,
        axis: i64,
        ends: &[Option<(&'a Vec<f64>, &Tensor)>; 2],
    ) -> Result<(Tensor, Vec<(&'a Vec<f64>, Tensor)>)> {
        let place = axis_index("a map along an axis", axis, u.rank())?;
        let mut side = u.shape();
        side.iter_mut().skip(place).take(1).for_each(|n| *n = 1);
        for (_, value) in ends.iter().flatten() {
            let fitted = broadcast("edge", &side, &value.shape())?;
            if fitted.len() != side.len() || fitted.get(place) != Some(&1) {
                return Err(Error::shape("the value of an edge does not fit")
                    .got(format!("shape {:?}", value.shape()))
                    .expected(format!("a shape that broadcasts to {side:?}")));
            }
            side = fitted;
        }
        let stretched = |value: &Tensor| value.cast(u.precision())?.expand(&side);
        let sides = ends.iter().flatten().map(|(weights, value)| Ok((*weights, stretched(value)?)));
        let sides = sides.collect::<Result<Vec<_>>>()?;
        let mut whole = side.clone();
        whole.iter_mut().zip(u.shape()).skip(place).take(1).for_each(|(n, own)| *n = own);
        Ok((u.expand(&whole)?, sides))
    }
}
