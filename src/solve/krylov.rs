//! GMRES for operators that are only known by what they do to a state.

use super::vector::Vector;
use crate::error::Result;
use crate::session::interrupt;

/// States kept before GMRES starts anew.
const RESTART: usize = 40;

/// An `x` with `‖b − A x‖ ≤ tolerance · ‖b‖`, by restarted GMRES with preconditioning from the right: `A M⁻¹ (M x) = b`. Saad and
/// Schultz (1986). Returns the best it found within `most` products, and its residual relative to `b`.
pub(super) fn gmres<V: Vector>(
    apply: impl Fn(&V) -> Result<V>,
    precondition: impl Fn(&V) -> Result<V>,
    b: &V,
    tolerance: f64,
    most: usize,
) -> Result<(V, f64)> {
    let size = b.dot(b)?.sqrt();
    let mut x = b.zeros_like()?;
    if size == 0.0 || !size.is_finite() {
        return Ok((x, size));
    }
    let mut residual = b.clone();
    let mut done = 0;
    loop {
        let beta = residual.dot(&residual)?.sqrt();
        if !beta.is_finite() || beta <= tolerance * size || done >= most {
            return Ok((x, beta / size));
        }
        let mut basis = vec![residual.scale(1.0 / beta)?];
        let mut least = Least::new(beta);
        while basis.len() <= RESTART && done < most {
            interrupt::poll()?;
            done += 1;
            let Some(last) = basis.last() else { break };
            let mut w = apply(&precondition(last)?)?;
            let mut column = Vec::with_capacity(basis.len() + 1);
            for v in &basis {
                let h = w.dot(v)?;
                w = w.add_scaled(&[(-h, v)])?;
                column.push(h);
            }
            let norm = w.dot(&w)?.sqrt();
            column.push(norm);
            let left = least.push(column);
            // A vanishing w: the solution lies in the space that was built.
            if !left.is_finite() || left <= tolerance * size || norm <= 1e-300 {
                break;
            }
            basis.push(w.scale(1.0 / norm)?);
        }
        let coefficients = least.solve();
        let terms: Vec<(f64, &V)> = coefficients.iter().copied().zip(&basis).collect();
        if terms.is_empty() {
            return Ok((x, beta / size));
        }
        x = x.add_scaled(&[(1.0, &precondition(&V::combination(&terms)?)?)])?;
        residual = b.add_scaled(&[(-1.0, &apply(&x)?)])?;
        // A cycle that gains nothing will not gain in the next one: rounding sets the limit.
        let after = residual.dot(&residual)?.sqrt();
        if after > 0.99 * beta {
            return Ok((x, after / size));
        }
    }
}

/// The small least-squares problem of GMRES, kept triangular by Givens rotations.
struct Least {
    columns: Vec<Vec<f64>>,
    rotations: Vec<(f64, f64)>,
    right: Vec<f64>,
}

impl Least {
    fn new(beta: f64) -> Self {
        Self { columns: Vec::new(), rotations: Vec::new(), right: vec![beta] }
    }
    /// Adds a column of the Hessenberg matrix; returns the residual that is left.
    fn push(&mut self, mut column: Vec<f64>) -> f64 {
        let n = self.columns.len();
        for (i, (c, s)) in self.rotations.iter().enumerate() {
            let (a, b) = (column[i], column[i + 1]);
            (column[i], column[i + 1]) = (c * a + s * b, c * b - s * a);
        }
        let r = column[n].hypot(column[n + 1]);
        let (c, s) = if r == 0.0 { (1.0, 0.0) } else { (column[n] / r, column[n + 1] / r) };
        column.truncate(n + 1);
        column[n] = r;
        self.columns.push(column);
        self.rotations.push((c, s));
        let last = self.right[n];
        self.right[n] = c * last;
        self.right.push(-s * last);
        (s * last).abs()
    }
    fn solve(&self) -> Vec<f64> {
        let n = self.columns.len();
        let mut y = self.right[..n].to_vec();
        for i in (0..n).rev() {
            let pivot = self.columns[i][i];
            y[i] = if pivot == 0.0 { 0.0 } else { y[i] / pivot };
            for j in 0..i {
                y[j] -= self.columns[i][j] * y[i];
            }
        }
        y
    }
}
