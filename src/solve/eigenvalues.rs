//! Eigenvalues of small matrices, to the few digits that a bound of the step needs.

use rustfft::num_complex::Complex as Number;

use super::phi::balance;

type C = Number<f64>;

/// The eigenvalues of one `m × m` matrix: the characteristic polynomial by Faddeev and LeVerrier, its roots by Durand and Kerner. Good
/// to several digits for the few unknowns that equations have; nothing to compute functions of matrices with.
pub(crate) fn eigenvalues(matrix: &[C], m: usize) -> Vec<C> {
    let mut a = matrix.to_vec();
    balance(&mut a, m);
    let size = a.chunks(m).map(|row| row.iter().map(|z| z.norm()).sum::<f64>()).fold(0.0, f64::max);
    if size == 0.0 || !size.is_finite() {
        return vec![C::new(0.0, 0.0); m];
    }
    a.iter_mut().for_each(|z| *z /= size);
    let polynomial = characteristic(&a, m);
    let value = |x: C| polynomial.iter().fold(C::new(0.0, 0.0), |sum, c| sum * x + c);
    // Starting points that are neither real nor symmetric.
    let mut roots: Vec<C> = (0..m).map(|i| C::new(0.4, 0.9).powi(i as i32)).collect();
    for _ in 0..200 {
        let mut moved = 0.0f64;
        for i in 0..m {
            let others: C = (0..m).filter(|j| *j != i).map(|j| roots[i] - roots[j]).product();
            let change = value(roots[i]) / others;
            if !change.is_finite() {
                continue;
            }
            roots[i] -= change;
            moved = moved.max(change.norm());
        }
        if moved < 1e-13 {
            break;
        }
    }
    roots.iter().map(|root| root * size).collect()
}

/// Coefficients of `det(x − A)`, the highest power first.
fn characteristic(a: &[C], m: usize) -> Vec<C> {
    let mut coefficients = vec![C::new(1.0, 0.0)];
    let mut power = vec![C::new(0.0, 0.0); m * m];
    for k in 1..=m {
        // M ← A M + c I, then the next coefficient is −tr(A M)/k.
        let last = coefficients[k - 1];
        let mut next: Vec<C> = product(a, &power, m);
        (0..m).for_each(|i| next[i * (m + 1)] += last);
        power = next;
        let trace: C = (0..m).map(|i| (0..m).map(|j| a[i * m + j] * power[j * m + i]).sum::<C>()).sum();
        coefficients.push(-trace / k as f64);
    }
    coefficients
}

fn product(a: &[C], b: &[C], m: usize) -> Vec<C> {
    (0..m * m).map(|e| (0..m).map(|j| a[e / m * m + j] * b[j * m + e % m]).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_waves_rotations_and_triangles() {
        let real = |x: &[f64]| x.iter().map(|x| C::new(*x, 0.0)).collect::<Vec<C>>();
        for (matrix, m, expected) in [
            (real(&[0.0, 1.0, -1e6, 0.0]), 2, vec![C::new(0.0, -1000.0), C::new(0.0, 1000.0)]),
            (real(&[-5.0]), 1, vec![C::new(-5.0, 0.0)]),
            (real(&[-2.0, 7.0, 0.0, -0.5]), 2, vec![C::new(-2.0, 0.0), C::new(-0.5, 0.0)]),
            (
                real(&[0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 8.0, 0.0, 0.0]),
                3,
                vec![C::new(-1.0, -1.732_050_8), C::new(-1.0, 1.732_050_8), C::new(2.0, 0.0)],
            ),
        ] {
            let got = eigenvalues(&matrix, m);
            for e in &expected {
                let nearest = got.iter().map(|g| (g - e).norm()).fold(f64::INFINITY, f64::min);
                assert!(nearest < 1e-5 * e.norm(), "{got:?} {e}");
            }
        }
    }
}
