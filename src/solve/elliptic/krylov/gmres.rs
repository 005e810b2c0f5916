//! Generalised minimal residuals with restarts.

use super::vectors::negated;
use super::{Apply, Course, applied};
use crate::error::Result;
use crate::session::interrupt;
use crate::tensor::Tensor;

/// Saad, *Iterative Methods for Sparse Linear Systems*, algorithms 6.9 and 9.5 (preconditioned from the right, so that the residual
/// is that of the system itself), with modified Gram–Schmidt and Givens rotations, one small matrix for each sample.
pub(super) fn solve(
    a: &Apply,
    m: &Apply,
    b: &Tensor,
    (mut x, mut r): (Tensor, Tensor),
    restart: usize,
    course: &mut Course,
) -> Result<Tensor> {
    let samples = course.samples.clone();
    let mut norms = samples.norms(&r)?;
    let mut best = f64::INFINITY;
    if course.open(&norms)?.is_none() {
        return Ok(x);
    }
    loop {
        let start = norms.iter().copied().fold(0.0, f64::max);
        if start >= best {
            return Err(course.breakdown(
                "a whole cycle did not reduce the residual",
                "keep more vectors (`restart`), use a better `preconditioner`, or a larger `tolerance`",
            ));
        }
        best = start;
        let mut systems: Vec<Triangle> = norms.iter().map(|&norm| Triangle::new(norm)).collect();
        let mut basis = vec![samples.scale(&inverses(&norms), &r)?];
        let mut done = false;
        for j in 0..restart.max(1) {
            interrupt::poll()?;
            let Some(v) = basis.last() else { break };
            let mut w = applied(a, &applied(m, v)?)?;
            let mut columns = vec![Vec::with_capacity(j + 2); systems.len()];
            for v in &basis {
                let h = samples.dot(&w, v)?;
                w = samples.add(&w, &negated(&h), v)?;
                columns.iter_mut().zip(&h).for_each(|(column, h)| column.push(*h));
            }
            let lengths = samples.norms(&w)?;
            columns.iter_mut().zip(&lengths).for_each(|(column, h)| column.push(*h));
            let residuals: Vec<f64> = systems.iter_mut().zip(columns).map(|(s, column)| s.add(column)).collect();
            basis.push(samples.scale(&inverses(&lengths), &w)?);
            if course.open(&residuals)?.is_none() {
                done = true;
                break;
            }
        }
        let solutions: Vec<Vec<f64>> = systems.iter().map(Triangle::solve).collect();
        let mut sum = x.full_like(0.0)?;
        for (j, v) in basis.iter().enumerate().take(solutions.first().map_or(0, Vec::len)) {
            let factors: Vec<f64> = solutions.iter().map(|y| y.get(j).copied().unwrap_or(0.0)).collect();
            sum = samples.add(&sum, &factors, v)?;
        }
        x = x.add(&applied(m, &sum)?)?;
        if done {
            return Ok(x);
        }
        r = b.sub(&applied(a, &x)?)?;
        norms = samples.norms(&r)?;
    }
}

/// A vector of length 0 stays 0.
fn inverses(norms: &[f64]) -> Vec<f64> {
    norms.iter().map(|&n| if n > 0.0 { 1.0 / n } else { 0.0 }).collect()
}

/// The least-squares problem of one sample, made triangular column by column.
struct Triangle {
    columns: Vec<Vec<f64>>,
    rotations: Vec<(f64, f64)>,
    right: Vec<f64>,
}

impl Triangle {
    fn new(norm: f64) -> Self {
        Self { columns: Vec::new(), rotations: Vec::new(), right: vec![norm] }
    }
    /// Takes the next column of the Hessenberg matrix; the residual that remains.
    fn add(&mut self, mut column: Vec<f64>) -> f64 {
        for (i, (c, s)) in self.rotations.iter().enumerate() {
            let (a, b) = (column[i], column[i + 1]);
            (column[i], column[i + 1]) = (c * a + s * b, c * b - s * a);
        }
        let j = self.columns.len();
        let (a, b) = (column[j], column[j + 1]);
        let length = a.hypot(b);
        // A column of zeros reduces nothing. NaN stays NaN, for the look at the residual.
        let (c, s) = if length == 0.0 { (0.0, 1.0) } else { (a / length, b / length) };
        (column[j], column[j + 1]) = (length, 0.0);
        let old = self.right[j];
        self.right[j] = c * old;
        self.right.push(-s * old);
        self.rotations.push((c, s));
        self.columns.push(column);
        (s * old).abs()
    }
    fn solve(&self) -> Vec<f64> {
        let n = self.columns.len();
        let mut y = self.right.iter().take(n).copied().collect::<Vec<f64>>();
        for j in (0..n).rev() {
            let pivot = self.columns[j][j];
            // A sample that was done has columns of zeros.
            y[j] = if pivot > 0.0 { y[j] / pivot } else { 0.0 };
            for i in 0..j {
                y[i] -= self.columns[j][i] * y[j];
            }
        }
        y
    }
}
