//! Explicit Runge–Kutta methods: each is its table of numbers.
//!
//! Stage `i`: `kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ)`; the step: `y + h Σ bᵢ kᵢ`. Source of the tables unless stated otherwise: Hairer, Nørsett,
//! Wanner, *Solving Ordinary Differential Equations I*, chapter II.

/// A table of an explicit Runge–Kutta method.
#[derive(Debug, PartialEq)]
pub struct Tableau {
    /// The name in messages.
    pub name: &'static str,
    /// The order of convergence.
    pub order: usize,
    /// Row `i` holds `aᵢ₀ … aᵢ,ᵢ₋₁`.
    pub a: &'static [&'static [f64]],
    /// Weights of the step.
    pub b: &'static [f64],
    /// Times of the stages.
    pub c: &'static [f64],
    /// What makes it fit for step control.
    pub embedded: Option<Embedded>,
}

/// The second result of an embedded pair, and the polynomial through a step.
#[derive(Debug, PartialEq)]
pub struct Embedded {
    /// Weights `b − b̂` of the difference of both results.
    pub error: &'static [f64],
    /// The order of the lower result.
    pub order: usize,
    /// `y(t + θh) = y + h Σᵢ kᵢ Σⱼ dᵢⱼ θʲ⁺¹`.
    pub dense: &'static [&'static [f64]],
    /// The order of that polynomial.
    pub dense_order: usize,
}

impl Tableau {
    /// Whether the last stage is the first of the next step (first same as last).
    pub fn is_fsal(&self) -> bool {
        self.a.last().is_some_and(|row| self.b.last() == Some(&0.0) && row.len() + 1 == self.b.len())
            && self.a.last().is_some_and(|row| self.b.starts_with(row))
    }
    /// How many times a step evaluates the right-hand side, after the first.
    pub fn evaluations(&self) -> usize {
        if self.is_fsal() { self.b.len() - 1 } else { self.b.len() }
    }
}

/// Forward Euler.
pub static EULER: Tableau = Tableau { name: "euler", order: 1, a: &[&[]], b: &[1.0], c: &[0.0], embedded: None };

/// Heun's method, the trapezoidal rule with a predicted end.
pub static HEUN: Tableau =
    Tableau { name: "heun", order: 2, a: &[&[], &[1.0]], b: &[0.5, 0.5], c: &[0.0, 1.0], embedded: None };

/// The explicit midpoint rule.
pub static MIDPOINT: Tableau =
    Tableau { name: "midpoint", order: 2, a: &[&[], &[0.5]], b: &[0.0, 1.0], c: &[0.0, 0.5], embedded: None };

/// Ralston's method: the two stages with the smallest bound of the error.
pub static RALSTON: Tableau = Tableau {
    name: "ralston",
    order: 2,
    a: &[&[], &[2.0 / 3.0]],
    b: &[0.25, 0.75],
    c: &[0.0, 2.0 / 3.0],
    embedded: None,
};

/// Shu and Osher's third order method: strong stability preserving for steps up to that of forward Euler (1988).
pub static SSP_RK3: Tableau = Tableau {
    name: "ssp_rk3",
    order: 3,
    a: &[&[], &[1.0], &[0.25, 0.25]],
    b: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0],
    c: &[0.0, 1.0, 0.5],
    embedded: None,
};

/// The classical fourth order method.
pub static RK4: Tableau = Tableau {
    name: "rk4",
    order: 4,
    a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    c: &[0.0, 0.5, 0.5, 1.0],
    embedded: None,
};

/// Bogacki and Shampine's pair 3(2), for low accuracy (1989).
pub static BOGACKI_SHAMPINE: Tableau = Tableau {
    name: "bogacki_shampine",
    order: 3,
    a: &[&[], &[0.5], &[0.0, 0.75], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]],
    b: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
    c: &[0.0, 0.5, 0.75, 1.0],
    embedded: Some(Embedded {
        error: &[2.0 / 9.0 - 7.0 / 24.0, 1.0 / 3.0 - 0.25, 4.0 / 9.0 - 1.0 / 3.0, -0.125],
        order: 2,
        // The cubic through both ends with both slopes.
        dense: &[
            &[1.0, -4.0 / 3.0, 5.0 / 9.0],
            &[0.0, 1.0, -2.0 / 3.0],
            &[0.0, 4.0 / 3.0, -8.0 / 9.0],
            &[0.0, -1.0, 1.0],
        ],
        dense_order: 3,
    }),
};

/// Dormand and Prince's pair 5(4), the usual choice (1980); the polynomial is Shampine's (1986).
pub static DORMAND_PRINCE: Tableau = Tableau {
    name: "dormand_prince",
    order: 5,
    a: &[
        &[],
        &[1.0 / 5.0],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    b: &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
    c: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    embedded: Some(Embedded {
        error: &[71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0],
        order: 4,
        dense: &[
            &[1.0, -8048581381.0 / 2820520608.0, 8663915743.0 / 2820520608.0, -12715105075.0 / 11282082432.0],
            &[0.0, 0.0, 0.0, 0.0],
            &[0.0, 131558114200.0 / 32700410799.0, -68118460800.0 / 10900136933.0, 87487479700.0 / 32700410799.0],
            &[0.0, -1754552775.0 / 470086768.0, 14199869525.0 / 1410260304.0, -10690763975.0 / 1880347072.0],
            &[0.0, 127303824393.0 / 49829197408.0, -318862633887.0 / 49829197408.0, 701980252875.0 / 199316789632.0],
            &[0.0, -282668133.0 / 205662961.0, 2019193451.0 / 616988883.0, -1453857185.0 / 822651844.0],
            &[0.0, 40617522.0 / 29380423.0, -110615467.0 / 29380423.0, 69997945.0 / 29380423.0],
        ],
        dense_order: 4,
    }),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_consistent() {
        let all = [&EULER, &HEUN, &MIDPOINT, &RALSTON, &SSP_RK3, &RK4, &BOGACKI_SHAMPINE, &DORMAND_PRINCE];
        for t in all {
            assert!((t.b.iter().sum::<f64>() - 1.0).abs() < 1e-15, "{}", t.name);
            assert!(t.a.len() == t.b.len() && t.c.len() == t.b.len(), "{}", t.name);
            for (row, c) in t.a.iter().zip(t.c) {
                assert!((row.iter().sum::<f64>() - c).abs() < 1e-14, "{}", t.name);
            }
            let Some(e) = &t.embedded else { continue };
            assert!(e.error.iter().sum::<f64>().abs() < 1e-15, "{}", t.name);
            for (row, b) in e.dense.iter().zip(t.b) {
                assert!((row.iter().sum::<f64>() - b).abs() < 1e-13, "{}", t.name);
            }
        }
        assert!(DORMAND_PRINCE.is_fsal() && BOGACKI_SHAMPINE.is_fsal());
        assert!(!RK4.is_fsal() && !EULER.is_fsal() && !MIDPOINT.is_fsal());
    }
}
