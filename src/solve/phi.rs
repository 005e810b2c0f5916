//! The functions `φ₀(z) = eᶻ`, `φⱼ₊₁(z) = (φⱼ(z) − 1/j!)/z` of exponential integrators, of numbers and of small matrices.
//!
//! A quotient such as `(eᶻ − 1 − z)/z²` loses all digits near 0. Kassam and Trefethen (2005) take a mean over a contour; here the Taylor
//! series of the highest one is summed near 0 and the recurrence run downwards, which is as exact and has no radius to
//! choose. Further out the recurrence runs upwards. Matrices are scaled by powers of two until the series converges fast, and doubled
//! back (Skaflestad and Wright, *Appl. Numer. Math.* 59 (2009) 783).
//!
//! Derivatives need no new function: `φⱼ′ = φⱼ − j φⱼ₊₁`, and that of a matrix function in a direction is a block of the same
//! function of a matrix twice as large (Higham, *Functions of Matrices*, theorem 3.6).

use rayon::prelude::*;
use rustfft::num_complex::Complex as Number;

use crate::error::{Error, Result};
use crate::tensor::{Complex, Precision, Tensor, record_joint};

type C = Number<f64>;

/// `Σ wⱼ φⱼ(z)` for each element; in double precision, differentiable to any order.
pub(crate) fn phi_elements(z: &Complex, weights: &[f64]) -> Result<Complex> {
    let z = z.map(|t| t.cast(Precision::F64))?;
    let outputs = computed(&z, |values| {
        let f = |z: &mut C| *z = phi_of_number(*z, weights);
        if values.len() <= 256 {
            values.iter_mut().for_each(f);
        } else {
            values.par_iter_mut().with_min_len(256).for_each(f);
        }
    })?;
    let (input, slope) = (z.clone(), derivative(weights));
    recorded(&z, outputs, move |g| phi_elements(&input, &slope)?.conj()?.mul(&g))
}

/// As [`phi_elements`], of real numbers through which no gradient goes.
pub(crate) fn phi_real(z: &Tensor, weights: &[f64]) -> Result<Tensor> {
    let mut values = z.cast(Precision::F64)?.read::<f64>()?;
    let f = |z: &mut f64| *z = phi_of_real(*z, weights);
    if values.len() <= 256 {
        values.iter_mut().for_each(f);
    } else {
        values.par_iter_mut().with_min_len(256).for_each(f);
    }
    Tensor::from_vec::<f64>(z.context(), values, &z.shape())
}

/// `Σ wⱼ φⱼ(Z)` for the matrices along axes 1 and 2 of `[sample, m, m, …]`; in double precision, differentiable to any order.
pub(crate) fn phi_matrices(z: &Complex, weights: &[f64]) -> Result<Complex> {
    let z = z.map(|t| t.cast(Precision::F64))?;
    let shape = z.shape();
    let [samples, m, columns, modes @ ..] = &shape[..] else {
        return Err(Error::internal("functions of matrices need axes [sample, m, m, …]"));
    };
    if m != columns {
        return Err(Error::internal("functions of matrices need square matrices"));
    }
    let (m, inner) = (*m, modes.iter().product::<usize>());
    let outputs = computed(&z, |values| {
        let place = |i: usize| (i / inner * m * m * inner, i % inner);
        let gathered: Vec<Vec<C>> = (0..samples * inner)
            .into_par_iter()
            .map(|i| {
                let (start, mode) = place(i);
                let matrix: Vec<C> = (0..m * m).map(|e| values[start + e * inner + mode]).collect();
                phi_of_matrix(&matrix, m, weights)
            })
            .collect();
        for (i, matrix) in gathered.iter().enumerate() {
            let (start, mode) = place(i);
            for (e, value) in matrix.iter().enumerate() {
                values[start + e * inner + mode] = *value;
            }
        }
    })?;
    let (input, weights) = (z.clone(), weights.to_vec());
    recorded(&z, outputs, move |g| {
        // f([[Zᴴ, G], [0, Zᴴ]]) holds the derivative of f at Zᴴ in the direction G in its upper right block.
        let adjoint = input.map(|t| t.swap(1, 2))?.conj()?;
        let block = |a: &Tensor, g: &Tensor| {
            let upper = Tensor::concat(&[a.clone(), g.clone()], 2)?;
            let lower = Tensor::concat(&[a.full_like(0.0)?, a.clone()], 2)?;
            Tensor::concat(&[upper, lower], 1)
        };
        let z = Complex { re: block(&adjoint.re, &g.re)?, im: block(&adjoint.im, &g.im)? };
        phi_matrices(&z, &weights)?.map(|t| t.narrow(1, 0, m)?.narrow(2, m, m))
    })
}

/// The weights of `d/dz Σ wⱼ φⱼ(z)`.
fn derivative(weights: &[f64]) -> Vec<f64> {
    let mut out = weights.to_vec();
    out.push(0.0);
    for (j, w) in weights.iter().enumerate() {
        out[j + 1] -= j as f64 * w;
    }
    while out.len() > 1 && out.last() == Some(&0.0) {
        out.pop();
    }
    out
}

fn computed(z: &Complex, f: impl FnOnce(&mut [C])) -> Result<Vec<Tensor>> {
    let (context, shape) = (z.re.context(), z.shape());
    context.reserve(z.re.len().saturating_mul(16))?;
    let (re, im) = (z.re.read::<f64>()?, z.im.read::<f64>()?);
    let mut values: Vec<C> = re.into_iter().zip(im).map(|(re, im)| C::new(re, im)).collect();
    f(&mut values);
    let (re, im) = values.into_iter().map(|z| (z.re, z.im)).unzip();
    Ok(vec![Tensor::from_vec::<f64>(context, re, &shape)?, Tensor::from_vec::<f64>(context, im, &shape)?])
}

fn recorded(z: &Complex, outputs: Vec<Tensor>, rule: impl Fn(Complex) -> Result<Complex> + 'static) -> Result<Complex> {
    let outputs = record_joint(&[&z.re, &z.im], outputs, move |g| {
        let g = match g {
            [Some(re), Some(im)] => Complex { re: re.clone(), im: im.clone() },
            [Some(re), None] => Complex { re: re.clone(), im: re.full_like(0.0)? },
            [None, Some(im)] => Complex { re: im.full_like(0.0)?, im: im.clone() },
            _ => return Ok(vec![None, None]),
        };
        let back = rule(g)?;
        Ok(vec![Some(back.re), Some(back.im)])
    });
    match <[Tensor; 2]>::try_from(outputs) {
        Ok([re, im]) => Ok(Complex { re, im }),
        Err(_) => Err(Error::internal("a complex function without two parts")),
    }
}

/// `1/j!`
fn inverse_factorial(j: usize) -> f64 {
    (1..=j).fold(1.0, |p, i| p / i as f64)
}

/// `Σ wⱼ φⱼ(z)`.
fn phi_of_number(z: C, weights: &[f64]) -> C {
    let top = weights.len() - 1;
    let mut sum = z.exp() * weights[0];
    // Inside, the series of the highest; outside, dividing by z no longer amplifies what rounding left.
    if z.norm() <= 2.0 {
        let mut phi = C::new(0.0, 0.0);
        for n in (0..=28).rev() {
            phi = phi * z + inverse_factorial_at(n + top);
        }
        for j in (1..=top).rev() {
            sum += phi * weights[j];
            phi = phi * z + inverse_factorial_at(j - 1);
        }
    } else {
        let mut phi = z.exp();
        for (j, w) in weights.iter().enumerate().skip(1) {
            phi = (phi - inverse_factorial_at(j - 1)) / z;
            sum += phi * *w;
        }
    }
    sum
}

/// `Σ wⱼ φⱼ(x)`, as [`phi_of_number`].
fn phi_of_real(x: f64, weights: &[f64]) -> f64 {
    let top = weights.len() - 1;
    // Below, the exponential is 0, which the C library takes a long way round to find out.
    let e = if x < -745.2 { 0.0 } else { x.exp() };
    let mut sum = e * weights[0];
    if x.abs() <= 2.0 {
        if top == 0 {
            return sum;
        }
        let mut phi = 0.0;
        for n in (0..=28).rev() {
            phi = phi * x + inverse_factorial_at(n + top);
        }
        for j in (1..=top).rev() {
            sum += phi * weights[j];
            phi = phi * x + inverse_factorial_at(j - 1);
        }
    } else {
        let mut phi = e;
        for (j, w) in weights.iter().enumerate().skip(1) {
            phi = (phi - inverse_factorial_at(j - 1)) / x;
            sum += phi * *w;
        }
    }
    sum
}

/// `1/j!` from a table.
fn inverse_factorial_at(j: usize) -> f64 {
    static TABLE: std::sync::LazyLock<[f64; 64]> = std::sync::LazyLock::new(|| std::array::from_fn(inverse_factorial));
    TABLE.get(j).copied().unwrap_or(0.0)
}

/// `a b` of `m × m` matrices.
fn product(a: &[C], b: &[C], m: usize) -> Vec<C> {
    let mut out = vec![C::new(0.0, 0.0); m * m];
    for (row, out) in a.chunks(m).zip(out.chunks_mut(m)) {
        for (a, b) in row.iter().zip(b.chunks(m)) {
            out.iter_mut().zip(b).for_each(|(o, b)| *o += a * b);
        }
    }
    out
}

/// Scales rows and columns by powers of two until their norms are alike (Parlett and Reinsch 1969), which is exact: the wave
/// operator `[[0, 1], [−k², 0]]` becomes as small as its eigenvalues. Returns the factors.
pub(super) fn balance(a: &mut [C], m: usize) -> Vec<f64> {
    let mut factors = vec![1.0; m];
    for _ in 0..20 {
        let mut changed = false;
        for i in 0..m {
            let others = || (0..m).filter(|j| *j != i);
            let row: f64 = others().map(|j| a[i * m + j].l1_norm()).sum();
            let column: f64 = others().map(|j| a[j * m + i].l1_norm()).sum();
            if !(row > 0.0 && column > 0.0 && row.is_finite() && column.is_finite()) {
                continue;
            }
            let f = ((row / column).log2() / 2.0).round().exp2();
            if f == 1.0 || row / f + column * f > 0.95 * (row + column) {
                continue;
            }
            changed = true;
            factors[i] *= f;
            for j in 0..m {
                a[i * m + j] /= f;
                a[j * m + i] *= f;
            }
        }
        if !changed {
            break;
        }
    }
    factors
}

/// `Σ wⱼ φⱼ(A)` of one `m × m` matrix.
fn phi_of_matrix(a: &[C], m: usize, weights: &[f64]) -> Vec<C> {
    let mut a = a.to_vec();
    let factors = balance(&mut a, m);
    let norm = a.chunks(m).map(|row| row.iter().map(|z| z.l1_norm()).sum::<f64>()).fold(0.0, f64::max);
    if !norm.is_finite() {
        return vec![C::new(f64::NAN, f64::NAN); m * m];
    }
    let halvings = if norm > 0.5 { (norm / 0.5).log2().ceil() as i32 } else { 0 };
    let small = (-f64::from(halvings)).exp2();
    a.iter_mut().for_each(|z| *z *= small);
    let top = (weights.len() - 1).max(1);
    let add_identity = |x: &mut [C], c: f64| (0..m).for_each(|i| x[i * (m + 1)] += c);
    // With a norm of ½ at most, the first term left out is below 1e-17.
    let mut phi = vec![C::new(0.0, 0.0); m * m];
    for n in (0..=14).rev() {
        phi = product(&a, &phi, m);
        add_identity(&mut phi, inverse_factorial_at(n + top));
    }
    let mut all = vec![phi];
    for j in (1..top).rev() {
        let mut lower = product(&a, &all[all.len() - 1], m);
        add_identity(&mut lower, inverse_factorial_at(j));
        all.push(lower);
    }
    // In the place of φ₀ stands φ₀ − 1 = A φ₁. Squaring φ₀ itself would lose, beside a fast mode, as many digits of a slow one as
    // there are halvings.
    all.push(product(&a, &all[all.len() - 1], m));
    all.reverse();
    for _ in 0..halvings {
        let doubled = |j: usize| -> Vec<C> {
            let mut out = product(&all[0], &all[j], m);
            if j == 0 {
                out.iter_mut().zip(&all[0]).for_each(|(o, e)| *o += e * 2.0);
                return out;
            }
            out.iter_mut().zip(&all[j]).for_each(|(o, phi)| *o += phi);
            for (i, lower) in all.iter().enumerate().take(j + 1).skip(1) {
                let c = inverse_factorial_at(j - i);
                out.iter_mut().zip(lower).for_each(|(o, phi)| *o += phi * c);
            }
            let half = (-(j as f64)).exp2();
            out.iter_mut().for_each(|o| *o *= half);
            out
        };
        all = (0..=top).map(doubled).collect();
    }
    let mut out = vec![C::new(0.0, 0.0); m * m];
    add_identity(&mut out, weights[0]);
    for (phi, w) in all.iter().zip(weights) {
        out.iter_mut().zip(phi).for_each(|(o, phi)| *o += phi * *w);
    }
    for i in 0..m {
        for j in 0..m {
            out[i * m + j] *= factors[i] / factors[j];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::tests::{context, gradient_error, sample};
    use crate::tensor::value_and_gradient;

    /// `φⱼ(z)` by its integral, `∫₀¹ e^((1−s)z) s^(j−1)/(j−1)! ds`, with Gauss–Legendre panels.
    fn integral(z: C, j: usize) -> C {
        let nodes: [(f64, f64); 5] = [
            (0.0, 0.568_888_888_888_888_9),
            (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
            (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
            (0.906_179_845_938_664, 0.236_926_885_056_189_1),
            (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
        ];
        let panels = 200;
        let mut sum = C::new(0.0, 0.0);
        for p in 0..panels {
            for (x, w) in nodes {
                let s = (p as f64 + 0.5 + 0.5 * x) / panels as f64;
                sum += ((1.0 - s) * z).exp() * s.powi(j as i32 - 1) * (w / 2.0 / panels as f64);
            }
        }
        sum * inverse_factorial(j - 1)
    }

    #[test]
    fn numbers_near_and_far_from_zero() {
        for size in [0.0, 1e-12, 1e-5, 0.3, 1.9, 2.1, 7.0, 40.0] {
            for angle in [0.0, 0.8, 1.6, 2.4, std::f64::consts::PI] {
                let z = C::from_polar(size, angle);
                for j in 1..=4 {
                    let mut weights = vec![0.0; j + 1];
                    weights[j] = 1.0;
                    let (got, expected) = (phi_of_number(z, &weights), integral(z, j));
                    assert!((got - expected).norm() < 3e-14 * expected.norm().max(1e-3), "φ{j}({z}): {got} {expected}");
                    let matrix = phi_of_matrix(&[z, C::new(0.0, 0.0), C::new(0.0, 0.0), z * 0.5], 2, &weights);
                    assert!((matrix[0] - expected).norm() < 1e-13 * expected.norm().max(1e-3), "matrix φ{j}({z})");
                }
            }
        }
        assert_eq!(phi_of_number(C::new(-1e8, 0.0), &[0.0, 1.0]).re, 1e-8);
        for x in [0.0, 1e-12, -1e-5, 0.3, -1.9, 2.1, -7.0, 40.0, -744.0, -746.0, -1e8, 1e3, f64::NAN] {
            for weights in [&[1.0][..], &[0.0, 1.0], &[0.3, 0.0, -3.0, 4.0]] {
                let (got, expected) = (phi_of_real(x, weights), phi_of_number(C::new(x, 0.0), weights).re);
                let close = (got - expected).abs() <= 1e-15 * expected.abs();
                assert!(close || got == expected || got.is_nan() && !expected.is_finite(), "{x}: {got} {expected}");
            }
        }
    }

    #[test]
    fn a_slow_mode_beside_a_fast_one() {
        // Q diag(λ) Qᵀ with the functions known from those of numbers.
        let (c, s) = (0.7f64.cos(), 0.7f64.sin());
        for fast in [-3.0, -1e3, -1e6] {
            let rotated =
                |a: f64, b: f64| [a * c * c + b * s * s, (a - b) * c * s, (a - b) * c * s, a * s * s + b * c * c];
            let matrix: Vec<C> = rotated(fast, -0.3).iter().map(|x| C::new(*x, 0.0)).collect();
            for weights in [&[1.0][..], &[0.0, 1.0], &[0.0, 1.0, -3.0, 4.0]] {
                let f = |x: f64| phi_of_number(C::new(x, 0.0), weights).re;
                let got = phi_of_matrix(&matrix, 2, weights);
                for (got, expected) in got.iter().zip(rotated(f(fast), f(-0.3))) {
                    assert!(
                        (got.re - expected).abs() < 2e-10 * fast.abs() / 1e6 + 1e-14,
                        "{fast} {weights:?}: {got} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_exponential_of_a_rotation_with_unequal_parts() {
        // x'' = −ω² x: cos ωt and sin ωt, exact also where ω² is large.
        for omega in [0.1, 3.0, 1000.0] {
            let z = |x: f64| C::new(x, 0.0);
            let e = phi_of_matrix(&[z(0.0), z(1.0), z(-omega * omega), z(0.0)], 2, &[1.0]);
            let expected = [omega.cos(), omega.sin() / omega, -omega * omega.sin(), omega.cos()];
            for (got, expected) in e.iter().zip(expected) {
                assert!(
                    (got.re - expected).abs() < 1e-12 * omega.max(1.0) * omega.max(1.0),
                    "{omega}: {got} {expected}"
                );
            }
        }
    }

    #[test]
    fn gradients_to_second_order() {
        let c = context();
        let weights = [0.3, 1.0, -3.0, 4.0];
        type F = fn(&Complex, &[f64]) -> Result<Complex>;
        for (shape, f) in [(&[4][..], phi_elements as F), (&[2, 2, 2, 1], phi_matrices as F)] {
            let inputs = [sample(&c, shape, 1).scale(4.0).unwrap(), sample(&c, shape, 2)];
            let g = |x: &[Tensor]| {
                let y = f(&Complex { re: x[0].clone(), im: x[1].clone() }, &weights)?;
                Tensor::concat(&[y.re, y.im], 0)
            };
            let error = gradient_error(&inputs, g);
            assert!(error < 1e-7, "{shape:?}: {error:e}");
            let second = gradient_error(&inputs, |x| {
                let (_, d) = value_and_gradient(&c, x, |y| g(y)?.powf(2.0)?.sum_all())?;
                d[0].mul(&d[1])
            });
            assert!(second < 1e-6, "{shape:?}, second order: {second:e}");
        }
    }
}
