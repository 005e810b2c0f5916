//! Boxes of one to three dimensions and their points.

use std::f64::consts::TAU;
use std::fmt;
use std::rc::Rc;

use crate::error::{Error, Result};

/// One axis of a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// `"x"`, `"y"` or `"z"`.
    pub name: &'static str,
    /// Where the box begins.
    pub low: f64,
    /// Where it ends; on a periodic axis the same point as `low`.
    pub high: f64,
    /// Number of points.
    pub points: usize,
}

impl Axis {
    /// Length of the box along this axis.
    pub fn length(&self) -> f64 {
        self.high - self.low
    }
    /// Distance between neighbouring points.
    pub fn spacing(&self) -> f64 {
        self.length() / self.points as f64
    }
    /// Positions of the points: `low + i · spacing`.
    pub fn positions(&self) -> Vec<f64> {
        (0..self.points).map(|i| self.low + i as f64 * self.spacing()).collect()
    }
    /// Wavenumbers `2π m / length` in the order of the discrete Fourier transform.
    pub fn wavenumbers(&self) -> Vec<f64> {
        let n = self.points as i64;
        (0..n).map(|i| (if 2 * i < n { i } else { i - n }) as f64 * TAU / self.length()).collect()
    }
}

/// A box, its points, and what holds at its edges. Cheap to clone.
///
/// Today every axis is periodic with points at `low + i · spacing`; an axis with edges is another kind of [`Axis`].
#[derive(Clone, PartialEq)]
pub struct Grid(Rc<Vec<Axis>>);

impl Grid {
    /// Names of the axes in order.
    pub const NAMES: [&'static str; 3] = ["x", "y", "z"];

    /// A periodic box `[low, high)` per axis.
    ///
    /// # Errors
    /// More than three axes, fewer than two points, an empty or infinite box.
    pub fn periodic(points: &[usize], bounds: &[(f64, f64)]) -> Result<Self> {
        if points.is_empty() || points.len() > 3 || points.len() != bounds.len() {
            return Err(Error::shape("a grid has one to three axes, each with points and a length").got(format!(
                "{} numbers of points, {} lengths",
                points.len(),
                bounds.len()
            )));
        }
        let axes = points.iter().zip(bounds).zip(Self::NAMES).map(|((&points, &(low, high)), name)| {
            if points < 2 {
                return Err(Error::value(format!("axis {name} needs points")).got(points).expected("2 or more"));
            }
            // The distance of points must be a number, and so must the square of the largest wavenumber.
            let (length, n) = (high - low, points as f64);
            let spaced =
                length.is_finite() && low + length / n > low && (std::f64::consts::PI * n / length).powi(2).is_finite();
            if !(low.is_finite() && high.is_finite() && high > low && spaced) {
                return Err(Error::value(format!("axis {name} has no length"))
                    .got(format!("from {low} to {high}"))
                    .expected("finite ends, the second greater than the first, and points that differ"));
            }
            Ok(Axis { name, low, high, points })
        });
        let axes = axes.collect::<Result<Vec<_>>>()?;
        crate::tensor::element_count(points)?;
        Ok(Self(Rc::new(axes)))
    }
    /// The axes in order.
    pub fn axes(&self) -> &[Axis] {
        &self.0
    }
    /// Axis number `axis`.
    pub fn numbered(&self, axis: usize) -> Result<&Axis> {
        self.0.get(axis).ok_or_else(|| {
            Error::shape(format!("the grid has no axis number {axis}")).got(format!("{} axes", self.0.len()))
        })
    }
    /// Number of axes.
    pub fn dimensions(&self) -> usize {
        self.0.len()
    }
    /// Numbers of points.
    pub fn shape(&self) -> Vec<usize> {
        self.0.iter().map(|a| a.points).collect()
    }
    /// Number of points in all.
    pub fn points(&self) -> usize {
        self.0.iter().map(|a| a.points).product()
    }
    /// The volume (area, length) that one point stands for.
    pub fn cell_volume(&self) -> f64 {
        self.0.iter().map(Axis::spacing).product()
    }
    /// The axes of a field's tensor that belong to space: the last ones.
    pub fn space_axes(&self) -> Vec<i64> {
        (1..=self.dimensions() as i64).rev().map(|i| -i).collect()
    }
    /// An axis by name.
    pub fn axis(&self, name: &str) -> Result<usize> {
        self.0.iter().position(|a| a.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|a| a.name).collect();
            Error::value(format!("the grid has no axis {name:?}")).expected(format!("one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self
            .0
            .iter()
            .map(|a| {
                let n = crate::tensor::number;
                format!("{} in [{}, {}), {} points", a.name, n(a.low), n(a.high), a.points)
            })
            .collect();
        write!(f, "periodic grid: {}", axes.join(" · "))
    }
}
impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
