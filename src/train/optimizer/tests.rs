//! Optimisers against updates computed by hand, and on functions with known minima.

use super::*;
use crate::tensor::{Context, Precision, Unary};
use crate::train::minimize_step;

fn context() -> Context {
    Context::cpu(Precision::F64)
}
fn vector(c: &Context, values: &[f64]) -> Tensor {
    Tensor::new(c, values.to_vec(), &[values.len()]).unwrap()
}
/// `½ Σ k x²`, whose gradient is `k x`.
fn bowl(x: &Tensor) -> Result<Tensor> {
    let k = vector(x.context(), &[1.0, 10.0]);
    x.unary(Unary::Square)?.mul(&k)?.sum_all()?.scale(0.5)
}
/// `(1 − x)² + 100 (y − x²)²`
fn rosenbrock(p: &Tensor) -> Result<Tensor> {
    let (x, y) = (p.select(0, 0)?, p.select(0, 1)?);
    let a = x.scale(-1.0)?.shift(1.0)?.unary(Unary::Square)?;
    a.add(&y.sub(&x.unary(Unary::Square)?)?.unary(Unary::Square)?.scale(100.0)?)
}
fn run(mut optimizer: Optimizer, start: &[f64], steps: usize, f: fn(&Tensor) -> Result<Tensor>) -> (Vec<f64>, usize) {
    let mut x = vec![vector(&context(), start)];
    let mut evaluations = 0;
    for _ in 0..steps {
        let (moved, report) = minimize_step(&mut optimizer, &x, |x| f(&x[0])).unwrap();
        x = moved;
        evaluations += report.evaluations;
    }
    (x[0].to_vec().unwrap(), evaluations)
}

#[test]
fn updates_by_hand() {
    let sgd = |m: Sgd| Optimizer::new(Method::Sgd(m), 0.1);
    let adam = |m: Adam| Optimizer::new(Method::Adam(m), 0.1);
    // Two steps from (1, 1) on ½(x² + 10 y²), written out for the first coordinate, where g = x.
    let nesterov = {
        let (mut x, mut v) = (1.0f64, 0.0);
        for _ in 0..2 {
            v = 0.9 * v + x;
            x -= 0.1 * (x + 0.9 * v);
        }
        x
    };
    let adam_by_hand = |decay: f64, decoupled: bool| {
        let (mut x, mut m, mut v) = (1.0f64, 0.0, 0.0);
        for t in 1..=2 {
            let g = if decoupled { x } else { x + decay * x };
            if decoupled {
                x *= 1.0 - 0.1 * decay;
            }
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let m_hat = m / (1.0 - 0.9f64.powi(t));
            let v_hat = v / (1.0 - 0.999f64.powi(t));
            x -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
        }
        x
    };
    let cases = [
        ("plain", sgd(Sgd::default()), 0.9 * 0.9),
        ("decay", sgd(Sgd { decay: 0.5, ..Sgd::default() }), 0.85 * 0.85),
        ("momentum", sgd(Sgd { momentum: 0.9, ..Sgd::default() }), 0.9 - 0.1 * (0.9 + 0.9)),
        ("nesterov", sgd(Sgd { momentum: 0.9, nesterov: true, decay: 0.0 }), nesterov),
        ("adam", adam(Adam::default()), adam_by_hand(0.0, false)),
        ("adam decay", adam(Adam { decay: 0.3, ..Adam::default() }), adam_by_hand(0.3, false)),
        ("adamw", adam(Adam { decay: 0.3, ..Adam::decoupled() }), adam_by_hand(0.3, true)),
    ];
    for (name, optimizer, expected) in cases {
        let (x, _) = run(optimizer, &[1.0, 1.0], 2, bowl);
        assert!((x[0] - expected).abs() < 1e-14, "{name}: {} instead of {expected}", x[0]);
    }
}

#[test]
fn amsgrad_keeps_the_largest_square() {
    let mut optimizer = Optimizer::new(Method::Adam(Adam { amsgrad: true, ..Adam::default() }), 0.0);
    let c = context();
    for slope in [3.0, 0.01, 0.01] {
        let x = [vector(&c, &[1.0])];
        minimize_step(&mut optimizer, &x, |x| x[0].scale(slope)?.sum_all()).unwrap();
    }
    let top = optimizer.memory().tensors.get("v_max/0").unwrap().to_vec().unwrap()[0];
    let now = optimizer.memory().tensors.get("v/0").unwrap().to_vec().unwrap()[0];
    assert!((top - 0.009).abs() < 1e-4 && now < top, "{top} {now}");
}

#[test]
fn minima() {
    let lbfgs = |reuse| Optimizer::new(Method::Lbfgs(Lbfgs { reuse, ..Lbfgs::default() }), 1.0);
    let momentum = Optimizer::new(Method::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }), 0.05);
    for (name, optimizer, steps, start, f, minimum, tolerance) in [
        ("sgd on a bowl", momentum, 300, [1.0, 1.0], bowl as fn(&Tensor) -> _, 0.0, 1e-5),
        ("adam on a bowl", Optimizer::adam(0.05), 500, [1.0, 1.0], bowl, 0.0, 1e-3),
        ("lbfgs on a bowl", lbfgs(false), 12, [1.0, 1.0], bowl, 0.0, 1e-7),
        ("lbfgs on Rosenbrock's valley", lbfgs(false), 60, [-1.2, 1.0], rosenbrock, 1.0, 1e-6),
        ("lbfgs reusing values", lbfgs(true), 60, [-1.2, 1.0], rosenbrock, 1.0, 1e-6),
        ("adam on Rosenbrock's valley", Optimizer::adam(0.02), 6000, [-1.2, 1.0], rosenbrock, 1.0, 1e-2),
    ] {
        let (x, _) = run(optimizer, &start, steps, f);
        assert!(x.iter().all(|x| (x - minimum).abs() < tolerance), "{name}: {x:?}");
    }
    // Reused values change nothing but the count of evaluations.
    let (a, more) = run(lbfgs(false), &[-1.2, 1.0], 20, rosenbrock);
    let (b, fewer) = run(lbfgs(true), &[-1.2, 1.0], 20, rosenbrock);
    assert_eq!(a, b);
    assert_eq!(more, fewer + 19);
}

#[test]
fn guards() {
    let c = context();
    let gradients = |values: &[f64]| Parameters::from_pairs([("w".to_string(), vector(&c, values))]).unwrap();
    let guard = |clip_value, clip_norm, not_finite| Guard { clip_value, clip_norm, not_finite };
    let (stop, zero) = (NotFinite::Stop, NotFinite::Zero);
    for (guard, given, expected, norm) in [
        (guard(None, None, stop), [3.0, -4.0], [3.0, -4.0], 5.0),
        (guard(None, Some(1.0), stop), [3.0, -4.0], [0.6, -0.8], 5.0),
        (guard(None, Some(6.0), stop), [3.0, -4.0], [3.0, -4.0], 5.0),
        (guard(Some(3.0), None, stop), [3.0, -4.0], [3.0, -3.0], 18f64.sqrt()),
        (guard(Some(10.0), None, zero), [f64::NAN, f64::INFINITY], [0.0, 0.0], 0.0),
    ] {
        let (out, n) = guard.apply(gradients(&given), 0).unwrap();
        let out = out.get("w").unwrap().to_vec().unwrap();
        assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{guard:?}: {out:?}");
        assert!((n - norm).abs() < 1e-12);
    }
    let error = guard(None, None, stop).apply(gradients(&[1.0, f64::NAN]), 7).err().unwrap().to_string();
    assert!(error.contains("step 7") && error.contains("\"w\"") && error.contains("1 of 2"), "{error}");
}

#[test]
fn refuses_numbers_outside_their_domain() {
    let x = [vector(&context(), &[1.0, 1.0])];
    let cases = [
        Optimizer::adam(f64::NAN),
        Optimizer::adam(-1.0),
        Optimizer::new(Method::Adam(Adam { beta1: 1.0, ..Adam::default() }), 0.1),
        Optimizer::new(Method::Sgd(Sgd { momentum: -0.1, ..Sgd::default() }), 0.1),
        Optimizer::new(Method::Lbfgs(Lbfgs { history: 0, ..Lbfgs::default() }), 0.1),
    ];
    for mut optimizer in cases {
        assert!(minimize_step(&mut optimizer, &x, |x| bowl(&x[0])).is_err());
    }
    let mut used = Optimizer::adam(0.1);
    minimize_step(&mut used, &x, |x| bowl(&x[0])).unwrap();
    let other = [vector(&context(), &[1.0])];
    let error = minimize_step(&mut used, &other, |x| x[0].sum_all()).err().unwrap();
    assert!(error.to_string().contains("another network"), "{error}");
}
