//! How long the steps of an explicit method may be.
//!
//! For `y' = λy` a step multiplies by `R(hλ)`, a polynomial that the table gives: `R(z) = 1 + Σ zᵏ bᵀ Aᵏ⁻¹ 1`. The method is stable where
//! `|R| ≤ 1` (Hairer and Wanner, volume II, section IV.2).

use rustfft::num_complex::Complex as Number;

use super::system::Reach;
use super::tableau::Tableau;
use crate::tensor::number;

/// Growth that counts as none: over 10⁴ steps it would be one percent.
const ROUNDING: f64 = 1e-6;
/// No explicit method of this list reaches further.
const FURTHEST: f64 = 20.0;

impl Tableau {
    /// Coefficients of the stability polynomial, the constant first.
    pub fn stability_polynomial(&self) -> Vec<f64> {
        let n = self.b.len();
        let mut coefficients = vec![1.0];
        let mut powers = vec![1.0; n];
        for _ in 0..n {
            coefficients.push(self.b.iter().zip(&powers).map(|(b, p)| b * p).sum());
            powers = self.a.iter().map(|row| row.iter().zip(&powers).map(|(a, p)| a * p).sum()).collect();
        }
        coefficients
    }
    /// The largest `|hλ|` along the direction of `λ` up to which every step is stable; 0 when no step is.
    pub fn stability_limit(&self, lambda: Number<f64>) -> f64 {
        let size = lambda.norm();
        if size == 0.0 {
            return f64::INFINITY;
        }
        let polynomial = self.stability_polynomial();
        let direction = lambda / size;
        let stable = |x: f64| {
            let z = direction * x;
            polynomial.iter().rev().fold(Number::new(0.0, 0.0), |sum, c| sum * z + c).norm() <= 1.0 + ROUNDING
        };
        let grid = 4000;
        let at = |i: usize| FURTHEST * i as f64 / grid as f64;
        let Some(first) = (1..=grid).find(|&i| !stable(at(i))) else { return FURTHEST };
        let (mut low, mut high) = (at(first - 1), at(first));
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if stable(middle) { low = middle } else { high = middle }
        }
        // Near 0 every consistent polynomial is within rounding of 1; without damping that is no stability.
        if low < 0.1 && direction.re == 0.0 { 0.0 } else { low }
    }
    /// The limit on the negative real axis (diffusion).
    pub fn real_limit(&self) -> f64 {
        self.stability_limit(Number::new(-1.0, 0.0))
    }
    /// The limit on the imaginary axis (advection, waves).
    pub fn imaginary_limit(&self) -> f64 {
        self.stability_limit(Number::new(0.0, 1.0))
    }
    /// The longest stable step for eigenvalues that reach so far.
    pub fn stable_step(&self, reach: Reach) -> f64 {
        let Reach { real, imaginary } = reach;
        let along = |re: f64, im: f64| {
            let lambda = Number::new(-re, im);
            self.stability_limit(lambda) / lambda.norm()
        };
        // The corner is an eigenvalue where the shortest waves diffuse and move at once. A flow without any diffusion has
        // its own limit on the axis.
        let corner = along(real, imaginary);
        if real > 0.0 { corner.min(along(real, 0.0)) } else { corner }
    }
}

/// Growth of a wave over all steps that is not worth a word.
const HARMLESS: f64 = 1.01;

/// A text when `steps` of length `h` are too long for the method, with the longest that is stable.
pub(super) fn warning(tableau: &Tableau, reach: Reach, h: f64, steps: usize) -> Option<String> {
    let longest = tableau.stable_step(reach);
    if h <= longest * (1.0 + 1e-9) {
        return None;
    }
    let Reach { real, imaginary } = reach;
    // What grows slowly has not grown after few steps.
    let factor = |z: Number<f64>| {
        tableau.stability_polynomial().iter().rev().fold(Number::new(0.0, 0.0), |sum, c| sum * z + c).norm()
    };
    let corners = [(real, imaginary), (real, 0.0), (0.0, imaginary)];
    let growth = corners.map(|(re, im)| factor(Number::new(-re, im) * h)).into_iter().fold(0.0, f64::max);
    if growth.powf(steps as f64) <= HARMLESS {
        return None;
    }
    let where_ = format!("eigenvalues reach −{} ± {}i", number(real), number(imaginary));
    Some(if longest == 0.0 {
        format!(
            "{} is unstable here with any step: {where_}. Take \"rk4\", or an exponential or implicit method",
            tableau.name
        )
    } else {
        format!(
            "steps of {} are too long for {}: {where_}, stable up to {}. Take shorter steps, or an exponential or implicit method",
            number(h),
            tableau.name,
            number(longest)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::{DORMAND_PRINCE, EULER, HEUN, RK4, SSP_RK3};

    #[test]
    fn limits_are_the_known_ones() {
        for (tableau, real, imaginary) in [
            (&EULER, 2.0, 0.0),
            (&HEUN, 2.0, 0.0),
            (&SSP_RK3, 2.5127, 1.7321),
            (&RK4, 2.7853, 2.8284),
            (&DORMAND_PRINCE, 3.3066, 0.9999),
        ] {
            assert!((tableau.real_limit() - real).abs() < 1e-3, "{}: {}", tableau.name, tableau.real_limit());
            let got = tableau.imaginary_limit();
            assert!((got - imaginary).abs() < 0.05, "{}: {got}", tableau.name);
        }
        // Euler with advection and diffusion: h ≤ 2d/(d² + a²).
        let step = EULER.stable_step(Reach { real: 3.0, imaginary: 4.0 });
        assert!((step - 6.0 / 25.0).abs() < 1e-4, "{step}");
    }

    #[test]
    fn a_warning_names_the_longest_stable_step() {
        let reach = Reach { real: 100.0, imaginary: 0.0 };
        assert!(warning(&RK4, reach, 0.027, 1000).is_none());
        let text = warning(&RK4, reach, 0.03, 1).unwrap();
        assert!(text.contains("0.0278") && text.contains("rk4"), "{text}");
        assert!(warning(&EULER, Reach { real: 0.0, imaginary: 1.0 }, 1e-3, 100_000).unwrap().contains("any step"));
        assert!(warning(&EULER, Reach { real: 0.0, imaginary: 1.0 }, 1e-3, 100).is_none());
        assert!(warning(&EULER, Reach { real: 0.0, imaginary: 0.0 }, 1e9, 1).is_none());
    }
}
