//! Systems of linear equations.

use rayon::prelude::*;

use super::base::{Real, Tensor, in_precision};
use super::shape::{broadcast, element_count};
use crate::error::{Error, Result};
use crate::session::interrupt;

impl Tensor {
    /// The `x` with `A x = b`: `A` is this tensor, `[…, n, n]`; `b` is `[n]` or `[…, n, m]`, one system for each column; axes
    /// before the last two broadcast. Elimination with row pivots, on the CPU.
    ///
    /// # Errors
    /// When a matrix is singular.
    pub fn solve(&self, b: &Self) -> Result<Self> {
        if b.rank() == 1 {
            let x = self.solve(&b.unsqueeze(1)?)?;
            return x.squeeze(x.rank() - 1);
        }
        let (from_a, from_b) = (self.shape(), b.shape());
        let (ra, rb) = (from_a.len(), from_b.len());
        if ra < 2 || rb < 2 || from_a[ra - 2] != from_a[ra - 1] || from_a[ra - 1] != from_b[rb - 2] {
            return Err(Error::shape("solve: matrix and right-hand side do not fit")
                .got(format!("{from_a:?} and {from_b:?}"))
                .expected("[…, n, n] and [n] or […, n, m]"));
        }
        let batch = broadcast("solve", &from_a[..ra - 2], &from_b[..rb - 2])?;
        let (n, m) = (from_b[rb - 2], from_b[rb - 1]);
        let (a, b) = self.joined(b)?;
        let (a, b) = (a.expand(&[&batch[..], &[n, n]].concat())?, b.expand(&[&batch[..], &[n, m]].concat())?);
        let shape = b.shape();
        let count = element_count(&shape)?;
        self.context().reserve((count + a.len()).saturating_mul(a.precision().bytes()))?;
        let x = in_precision!(a.precision(), T => {
            let (mut rows, mut x) = (a.read::<T>()?, b.read::<T>()?);
            if count > 0 {
                let systems = rows.par_chunks_mut(n * n).zip(x.par_chunks_mut(n * m));
                systems.with_min_len((1 << 14) / (n * n * n) + 1).try_for_each(|(a, x)| eliminate(a, x, n, m)).map_err(|fault| fault.error(n))?;
            }
            Self::from_vec(self.context(), x, &shape)?
        });
        let value = x.clone();
        Ok(x.from(&a, || {
            let (a, b) = (a.clone(), b.clone());
            // ∂L/∂A = −A⁻ᵀ g xᵀ, where x depends on A.
            move |g: &Tensor| {
                let x = if a.context().is_recording() { a.solve(&b)? } else { value.clone() };
                a.swap(-1, -2)?.solve(g)?.matmul(&x.swap(-1, -2)?)?.scale(-1.0)
            }
        })
        .from(&b, || {
            let a = a.clone();
            move |g: &Tensor| a.swap(-1, -2)?.solve(g)
        }))
    }

    /// The inverse of `[…, n, n]`.
    pub fn inverse(&self) -> Result<Self> {
        let shape = self.shape();
        let n = match shape[..] {
            [.., m, n] if m == n => n,
            _ => {
                return Err(Error::shape("inverse: a square matrix is needed")
                    .got(format!("shape {shape:?}"))
                    .expected("[…, n, n]"));
            }
        };
        self.context().reserve(element_count(&[n, n])?.saturating_mul(8))?;
        let identity = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        self.solve(&Self::from_vec(self.context(), identity, &[n, n])?.cast(self.precision())?)
    }
}

/// Why a system has no solution; can cross threads, which an [`Error`] with its script values cannot.
enum Fault {
    NotFinite,
    Singular { column: usize },
    Stopped,
}

impl Fault {
    fn error(self, n: usize) -> Error {
        match self {
            Self::NotFinite => Error::not_finite("solve: the matrix has elements that are not finite"),
            Self::Singular { column } => Error::value("solve: the matrix is singular")
                .got(format!("no pivot in column {column} of {n}"))
                .advice("the equations contradict or repeat each other; add a small multiple of the identity"),
            Self::Stopped => interrupt::poll().err().unwrap_or_else(Error::interrupted),
        }
    }
}

/// Gaussian elimination of the rows of `a` (`n × n`), with the same done to `x` (`n × m`), and substitution.
fn eliminate<T: Real>(a: &mut [T], x: &mut [T], n: usize, m: usize) -> std::result::Result<(), Fault> {
    let go_on = || if interrupt::pending().is_some() { Err(Fault::Stopped) } else { Ok(()) };
    for column in 0..n {
        go_on()?;
        let size = |row: usize| a[row * n + column].abs();
        let pivot = (column..n).fold(column, |best, row| if size(row) > size(best) { row } else { best });
        let value = a[pivot * n + column];
        if !value.is_finite() {
            return Err(Fault::NotFinite);
        }
        if value == T::default() {
            return Err(Fault::Singular { column });
        }
        if pivot != column {
            for k in 0..n {
                a.swap(pivot * n + k, column * n + k);
            }
            for k in 0..m {
                x.swap(pivot * m + k, column * m + k);
            }
        }
        let (above, below) = a.split_at_mut((column + 1) * n);
        let (x_above, x_below) = x.split_at_mut((column + 1) * m);
        let (lead, lead_x) = (&above[column * n..], &x_above[column * m..]);
        for (row, row_x) in below.chunks_mut(n).zip(x_below.chunks_mut(m)) {
            let factor = row[column] / value;
            if factor != T::default() {
                row[column..].iter_mut().zip(&lead[column..]).for_each(|(r, &l)| *r = *r - factor * l);
                row_x.iter_mut().zip(lead_x).for_each(|(r, &l)| *r = *r - factor * l);
            }
        }
    }
    for row in (0..n).rev() {
        go_on()?;
        let (above, below) = x.split_at_mut((row + 1) * m);
        let own = &mut above[row * m..];
        for (k, known) in below.chunks(m).enumerate() {
            let factor = a[row * n + row + 1 + k];
            own.iter_mut().zip(known).for_each(|(x, &k)| *x = *x - factor * k);
        }
        let pivot = a[row * n + row];
        own.iter_mut().for_each(|x| *x = *x / pivot);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::random::{Key, normal};
    use crate::tensor::tests::{context, gradient_error, sample};
    use crate::tensor::{Context, Precision, Unary, value_and_gradient};

    #[test]
    fn systems_are_solved() {
        for (precision, tolerance) in [(Precision::F32, 1e-3), (Precision::F64, 1e-11)] {
            let c = Context::cpu(precision);
            for (a, b) in [
                (vec![1, 1], vec![1]),
                (vec![20, 20], vec![20]),
                (vec![3, 5, 5], vec![5, 2]),
                (vec![4, 4], vec![2, 4, 3]),
                (vec![2, 1, 3, 3], vec![4, 3, 1]),
            ] {
                let (a, b) = (normal(&c, Key::new(1), &a).unwrap(), normal(&c, Key::new(2), &b).unwrap());
                let x = a.solve(&b).unwrap();
                let error = a
                    .matmul(&x)
                    .unwrap()
                    .sub(&b)
                    .unwrap()
                    .to_vec()
                    .unwrap()
                    .into_iter()
                    .fold(0.0f64, |m, e| m.max(e.abs()));
                assert!(error < tolerance, "{a:?} {b:?}: {error:e}");
            }
        }
        let c = context();
        let swap = Tensor::new(&c, vec![0.0, 1.0, 1.0, 0.0], &[2, 2]).unwrap();
        assert_eq!(swap.inverse().unwrap().to_vec().unwrap(), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(
            Tensor::full(&c, &[0, 0], 0.0).unwrap().solve(&Tensor::full(&c, &[0], 0.0).unwrap()).unwrap().len(),
            0
        );
    }

    #[test]
    fn gradients_to_second_order() {
        let c = context();
        let identity =
            Tensor::new(&c, vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], &[3, 3]).unwrap().scale(2.0).unwrap();
        for (a, b) in [(vec![3, 3], vec![3]), (vec![2, 3, 3], vec![3, 2])] {
            let inputs = [sample(&c, &a, 1), sample(&c, &b, 2)];
            let f = |x: &[Tensor]| x[0].add(&identity)?.solve(&x[1]);
            let error = gradient_error(&inputs, f);
            assert!(error < 1e-6, "{error:e}");
            let second = gradient_error(&inputs, |x| {
                let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
                g[0].unary(Unary::Square)?.sum_all()?.add(&g[1].unary(Unary::Square)?.sum_all()?)
            });
            assert!(second < 1e-6, "second order: {second:e}");
        }
    }

    #[test]
    fn misuse_is_an_error() {
        let t = |shape: &[usize]| Tensor::full(&context(), shape, 1.0).unwrap();
        for (a, b) in [
            (vec![2, 3], vec![2]),
            (vec![2, 2], vec![3]),
            (vec![2], vec![2]),
            (vec![2, 2, 2], vec![3, 2, 1]),
            (vec![2, 2], vec![2]),
        ] {
            assert!(t(&a).solve(&t(&b)).is_err(), "{a:?} {b:?}");
        }
        let bad = t(&[2, 2]).scale(f64::NAN).unwrap();
        assert!(bad.solve(&t(&[2])).is_err());
        assert!(t(&[]).inverse().is_err());
    }
}
