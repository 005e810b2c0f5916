//! Diagonally implicit Runge–Kutta methods with an explicit first stage (ESDIRK), for stiff systems with step control.
//!
//! Stage `i` solves `yᵢ − γh f(t + cᵢ h, yᵢ) = y + h Σⱼ aᵢⱼ kⱼ`, all with one `γ`. Its rate is what the equation says it is,
//! `kᵢ = (yᵢ − known)/(γh)`: evaluating `f(yᵢ)` would multiply what Newton's iteration left over by the stiffness. The last stage is
//! the result.

use super::method::{Memory, Step};
use super::newton::Stage;
use super::system::Parametrized;
use super::tableau::{Embedded, Tableau};
use super::vector::Vector;
use crate::error::{Error, Result};

/// The weights of the last row of [`ESDIRK4`].
const B: [f64; 6] = [82889.0 / 524892.0, 0.0, 15625.0 / 83664.0, 69875.0 / 102672.0, -2260.0 / 8211.0, 0.25];

/// Kennedy and Carpenter's pair 4(3), ESDIRK4(3)6L\[2\]SA: six stages, L-stable, stiffly accurate (*Additive Runge–Kutta schemes for
/// convection–diffusion–reaction equations*, 2003). The rows hold the diagonal too. The polynomial is the cubic through both ends with both slopes.
pub static ESDIRK4: Tableau = Tableau {
    name: "esdirk4",
    order: 4,
    a: &[
        &[0.0],
        &[0.25, 0.25],
        &[8611.0 / 62500.0, -1743.0 / 31250.0, 0.25],
        &[5012029.0 / 34652500.0, -654441.0 / 2922500.0, 174375.0 / 388108.0, 0.25],
        &[
            15267082809.0 / 155376265600.0,
            -71443401.0 / 120774400.0,
            730878875.0 / 902184768.0,
            2285395.0 / 8070912.0,
            0.25,
        ],
        &B,
    ],
    b: &B,
    c: &[0.0, 0.5, 0.332, 0.62, 0.85, 1.0],
    embedded: Some(Embedded {
        error: &[
            B[0] - 4586570599.0 / 29645900160.0,
            0.0,
            B[2] - 178811875.0 / 945068544.0,
            B[3] - 814220225.0 / 1159782912.0,
            B[4] + 3700637.0 / 11593932.0,
            B[5] - 61727.0 / 225920.0,
        ],
        order: 3,
        dense: &[
            &[1.0, 3.0 * B[0] - 2.0, 1.0 - 2.0 * B[0]],
            &[0.0, 0.0, 0.0],
            &[0.0, 3.0 * B[2], -2.0 * B[2]],
            &[0.0, 3.0 * B[3], -2.0 * B[3]],
            &[0.0, 3.0 * B[4], -2.0 * B[4]],
            &[0.0, 3.0 * B[5] - 1.0, 1.0 - 2.0 * B[5]],
        ],
        dense_order: 3,
    }),
};

/// One step. The rate of the last stage is the first of the next step.
pub(super) fn step<S: Parametrized>(
    tableau: &Tableau,
    system: &S,
    t: f64,
    h: f64,
    memory: &Memory<S::State>,
) -> Result<Step<S::State>> {
    let y = &memory.y;
    let mut stages: Vec<S::State> = Vec::with_capacity(tableau.b.len());
    let mut last = y.clone();
    for (row, c) in tableau.a.iter().zip(tableau.c) {
        let Some((&diagonal, known)) = row.split_last() else {
            return Err(Error::internal("a row of a table without its diagonal"));
        };
        if diagonal == 0.0 {
            stages.push(match memory.past.first() {
                Some(rate) => rate.clone(),
                None => system.rhs(t, y)?,
            });
            continue;
        }
        let terms: Vec<(f64, &S::State)> =
            known.iter().zip(&stages).filter(|(w, _)| **w != 0.0).map(|(w, k)| (h * w, k)).collect();
        let known = y.add_scaled(&terms)?;
        let stage = Stage { system: system.clone(), t: t + c * h, gamma_h: diagonal * h };
        let solved = stage.solve(&known, &last)?;
        stages.push(S::State::combination(&[(1.0 / (diagonal * h), &solved), (-1.0 / (diagonal * h), &known)])?);
        last = solved;
    }
    let past = stages.last().cloned().into_iter().collect();
    Ok(Step { memory: Memory { y: system.settle(t + h, last)?, past, last_step: h }, stages })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conditions of order up to 4, for both results of the pair.
    #[test]
    fn conditions_of_order() {
        let t = &ESDIRK4;
        let Some(pair) = &t.embedded else { panic!("a pair") };
        let times =
            |v: &[f64]| -> Vec<f64> { t.a.iter().map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum()).collect() };
        let power = |k: i32| -> Vec<f64> { t.c.iter().map(|c| c.powi(k)).collect() };
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
        assert!(times(&[1.0; 6]).iter().zip(t.c).all(|(sum, c)| (sum - c).abs() < 1e-15));
        let (c, a_c) = (power(1), times(&power(1)));
        // (vector, what its product with the weights is, the order that asks for it)
        let conditions = [
            (vec![1.0; 6], 1.0, 1),
            (c.clone(), 1.0 / 2.0, 2),
            (power(2), 1.0 / 3.0, 3),
            (a_c.clone(), 1.0 / 6.0, 3),
            (power(3), 1.0 / 4.0, 4),
            (product(&c, &a_c), 1.0 / 8.0, 4),
            (times(&power(2)), 1.0 / 12.0, 4),
            (times(&a_c), 1.0 / 24.0, 4),
        ];
        for (vector, value, order) in &conditions {
            let sum = |weights: &[f64]| -> f64 { weights.iter().zip(vector).map(|(w, v)| w * v).sum() };
            assert!((sum(t.b) - value).abs() < 1e-14, "order {order}");
            let error = sum(pair.error);
            // The lower result fulfils those up to its own order, and not all of the next.
            assert!(*order == 4 || error.abs() < 1e-14, "order {order}: {error}");
        }
        assert!(
            conditions
                .iter()
                .filter(|c| c.2 == 4)
                .any(|(vector, ..)| { pair.error.iter().zip(vector).map(|(w, v)| w * v).sum::<f64>().abs() > 1e-4 })
        );
        for (row, b) in pair.dense.iter().zip(t.b) {
            assert!((row.iter().sum::<f64>() - b).abs() < 1e-15);
        }
    }
}
