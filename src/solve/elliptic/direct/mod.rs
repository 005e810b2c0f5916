//! `−Δu + c u = f` with constant coefficients on a box, solved exactly by transforms along its axes.
//!
//! The three-point stencils of all axes share their eigenvectors with a cosine, sine or Hartley transform (see `basis`), whatever
//! holds at the ends; so `u` is `f` divided by `Σ λ + c` between a transform and its inverse: `n log n`.

mod basis;
mod lines;

use rayon::prelude::*;

pub(in crate::solve::elliptic) use self::basis::Basis;
use self::lines::{Number, Plan, transpose};
use crate::error::{Error, Result};
use crate::session::interrupt;
use crate::tensor::{Tensor, in_precision};

/// The unknowns along one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::solve::elliptic) struct Line {
    /// Which functions diagonalise the stencil.
    pub basis: Basis,
    /// How many unknowns there are.
    pub unknowns: usize,
    /// Distance between neighbours.
    pub spacing: f64,
    /// Order of the second difference.
    pub accuracy: usize,
}

impl Line {
    /// Eigenvalues of `−∂²`: with `s = 2 − 2 cos θ` that of the centred stencil of order 2, `s + s²/12 + s³/90 + …` of higher ones.
    fn eigenvalues(&self) -> Vec<f64> {
        let of = |s: f64| {
            let factors = [1.0, 1.0 / 12.0, 1.0 / 90.0, 1.0 / 560.0];
            factors.iter().take(self.accuracy / 2).rev().fold(0.0, |sum, factor| (sum + factor) * s)
        };
        let spacing = self.spacing * self.spacing;
        self.basis.eigenvalues(self.unknowns).into_iter().map(|s| of(s) / spacing).collect()
    }
}

/// The part of `f` that has no solution: where the operator is singular, its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incompatible {
    /// A mean of up to 1 % of the root mean square, as discretisation leaves it, is removed; more is refused.
    Refuse,
    /// It is removed, whatever its size.
    Remove,
}

/// The inverse of `−Δ + c` on the unknowns of a box.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::solve::elliptic) struct Direct {
    lines: Vec<Line>,
    shift: f64,
    /// Whether constants are in the kernel.
    singular: bool,
}

/// A mean above this part of the root mean square is refused.
const MEAN: f64 = 1e-2;

impl Direct {
    /// Plans the inverse.
    ///
    /// # Errors
    /// When `c` is not finite, or is minus an eigenvalue of `−Δ` other than that of the constant.
    pub fn new(lines: Vec<Line>, shift: f64) -> Result<Self> {
        if !shift.is_finite() {
            return Err(Error::not_finite("poisson: c is not finite").got(shift));
        }
        let singular = shift == 0.0 && lines.iter().all(|line| line.basis.has_constant());
        Ok(Self { lines, shift, singular })
    }
    fn lens(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.unknowns).collect()
    }

    /// `u` of `f [.., unknowns…]`; differentiable. In the singular case the mean of `u` is 0 (nodes on an edge count half).
    ///
    /// # Errors
    /// When the last axes are not the unknowns', when `f` is not finite, when `c` makes the operator singular, and when `f` has a mean
    /// that is to be refused.
    pub fn solve(&self, f: &Tensor, incompatible: Incompatible) -> Result<Tensor> {
        let (shape, lens) = (f.shape(), self.lens());
        if shape.len() < lens.len() || shape[shape.len() - lens.len()..] != lens[..] {
            return Err(Error::shape("poisson: the right-hand side does not fit the unknowns")
                .got(format!("shape {shape:?}"))
                .expected(format!("{lens:?} last")));
        }
        let u = self.apply(f, incompatible)?;
        Ok(u.from(f, || {
            let inverse = self.clone();
            move |g: &Tensor| inverse.transposed(g)
        }))
    }
    /// The transpose of the inverse. The stencil is symmetric in an inner product in which nodes on a reflected edge count half, so
    /// that the transpose is the inverse between two weightings.
    fn transposed(&self, g: &Tensor) -> Result<Tensor> {
        match self.weights(g)? {
            None => self.solve(g, Incompatible::Remove),
            Some(weights) => self.solve(&g.div(&weights)?, Incompatible::Remove)?.mul(&weights),
        }
    }
    fn weights(&self, like: &Tensor) -> Result<Option<Tensor>> {
        let mut product: Option<Tensor> = None;
        for (axis, line) in self.lines.iter().enumerate() {
            let [low, high] = line.basis.halves();
            if !(low || high) {
                continue;
            }
            let last = line.unknowns.saturating_sub(1);
            let weight = |i: usize| if (i == 0 && low) || (i == last && high) { 0.5 } else { 1.0 };
            let mut shape = vec![1; self.lines.len()];
            shape[axis] = line.unknowns;
            let own = Tensor::from_vec(like.context(), (0..line.unknowns).map(weight).collect::<Vec<f64>>(), &shape)?;
            let own = own.cast(like.precision())?;
            product = Some(match product {
                Some(product) => product.mul(&own)?,
                None => own,
            });
        }
        Ok(product)
    }

    fn apply(&self, f: &Tensor, incompatible: Incompatible) -> Result<Tensor> {
        let context = f.context();
        context.reserve(f.len().saturating_mul(3 * f.precision().bytes()))?;
        if f.is_empty() {
            return Ok(f.detach());
        }
        in_precision!(f.precision(), T => {
            let mut data = f.read::<T>()?;
            self.on_slices::<T>(&mut data, incompatible)?;
            Tensor::from_vec(context, data, &f.shape())
        })
    }

    fn on_slices<T: Number>(&self, data: &mut [T], incompatible: Incompatible) -> Result<()> {
        interrupt::poll()?;
        let lens = self.lens();
        let count: usize = lens.iter().product();
        let inverse = self.inverse_eigenvalues::<T>()?;
        let plans: Vec<Plan<T>> = self.lines.iter().map(|line| Plan::new(line.basis, line.unknowns)).collect();
        let faults: Vec<Option<Fault>> = data
            .par_chunks_mut(count)
            .map_init(
                || vec![T::default(); count],
                |other, box_| {
                    for axis in (0..lens.len()).rev() {
                        plans[axis].lines(box_, lens[axis], true);
                        // The next axis comes last; after the first one everything stays.
                        if axis > 0 {
                            transpose(box_, other, count / lens[axis], lens[axis]);
                            box_.copy_from_slice(other);
                        }
                    }
                    let fault = self.fault(box_, &inverse, incompatible);
                    box_.par_iter_mut().with_min_len(1 << 14).zip(&inverse).for_each(|(x, &factor)| *x = *x * factor);
                    for axis in 0..lens.len() {
                        plans[axis].lines(box_, lens[axis], false);
                        if axis + 1 < lens.len() {
                            transpose(box_, other, lens[axis + 1], count / lens[axis + 1]);
                            box_.copy_from_slice(other);
                        }
                    }
                    fault
                },
            )
            .collect();
        match faults.into_iter().enumerate().find_map(|(i, fault)| Some((i, fault?))) {
            None => Ok(()),
            Some((sample, fault)) => Err(fault.error(sample)),
        }
    }

    /// What is wrong with a right-hand side, from its modes.
    fn fault<T: Number>(&self, modes: &[T], inverse: &[T], incompatible: Incompatible) -> Option<Fault> {
        let square: f64 = modes.iter().map(|x| x.f64() * x.f64()).sum();
        if !square.is_finite() {
            return Some(Fault::NotFinite);
        }
        if !self.singular || incompatible == Incompatible::Remove {
            return None;
        }
        // Mode 0 of a cosine transform counts twice in the square; enough for a bound of this kind.
        let null = inverse.iter().position(|&factor| factor == T::default()).and_then(|at| modes.get(at))?.f64();
        (null.abs() > MEAN * square.sqrt()).then(|| Fault::Mean(null.abs() / square.sqrt()))
    }

    /// `1/(Σ λ + c)` with the factors of the transforms, in the order in which the modes lie; 0 for the constant when that is in the
    /// kernel.
    fn inverse_eigenvalues<T: Number>(&self) -> Result<Vec<T>> {
        let axes: Vec<Vec<f64>> = self.lines.iter().map(Line::eigenvalues).collect();
        let factor: f64 = self.lines.iter().map(|line| line.basis.factor(line.unknowns)).product();
        // The axes were turned until the first one came last: [x, y, z] lies as [y, z, x].
        let mut order: Vec<usize> = (1..axes.len()).collect();
        order.push(0);
        let sums = order.iter().fold(vec![self.shift], |sums, &axis| {
            sums.iter().flat_map(|sum| axes[axis].iter().map(move |v| sum + v)).collect()
        });
        let largest = sums.iter().fold(0.0f64, |m, s| m.max(s.abs()));
        let mut first = true;
        sums.iter()
            .map(|&sum| {
                let constant = std::mem::take(&mut first) && self.singular;
                if constant {
                    return Ok(T::default());
                }
                if sum.abs() <= 4.0 * f64::EPSILON * largest {
                    return Err(Error::value("poisson: −Δ + c has no inverse")
                        .got(format!("c = {}, minus an eigenvalue of −Δ", self.shift))
                        .expected("c of 0 or more, or another one below 0"));
                }
                Ok(T::of(factor / sum))
            })
            .collect()
    }
}

/// Why there is no solution; can cross threads.
enum Fault {
    NotFinite,
    /// The mean in parts of the root mean square.
    Mean(f64),
}

impl Fault {
    fn error(self, sample: usize) -> Error {
        match self {
            Self::NotFinite => {
                Error::not_finite(format!("poisson: the right-hand side of sample {sample} is not finite"))
            }
            Self::Mean(part) => {
                Error::value("poisson: with these edges there is no solution unless the right-hand side has the mean 0")
                    .got(format!(
                        "a mean of {:.2} of the root mean square in sample {sample}, fluxes at the edges included",
                        part
                    ))
                    .advice("subtract it: f − mean(f); or let it be removed: incompatible: \"remove\"")
            }
        }
    }
}
