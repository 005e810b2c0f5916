//! Small systems with known solutions, batches, gradients, and what goes wrong.

use std::rc::Rc;

use super::*;
use crate::error::Kind;
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Padding, value_and_gradient};

/// `−u″` of points along the last axis, 0 beyond both ends, plus advection and a reaction.
fn operator(advection: f64, reaction: f64) -> impl Fn(&Tensor) -> Result<Tensor> {
    move |x: &Tensor| {
        let n = x.shape().last().copied().unwrap_or(0);
        let axis = x.rank() - 1;
        let wide = x.pad(-1, 1, 1, Padding::Constant(0.0))?;
        let (left, right) = (wide.narrow(axis, 0, n)?, wide.narrow(axis, 2, n)?);
        x.scale(2.0 + reaction)?.add(&left.scale(-1.0 - advection)?)?.add(&right.scale(-1.0 + advection)?)
    }
}
fn residual(a: &Apply, x: &Tensor, b: &Tensor) -> f64 {
    let r = b.sub(&a(x).unwrap()).unwrap().to_vec().unwrap();
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    norm(&r) / norm(&b.to_vec().unwrap())
}
const METHODS: [Method; 3] = [Method::ConjugateGradients, Method::BiCgStab, Method::Gmres { restart: 20 }];

#[test]
fn every_method_solves() {
    let c = context();
    let stop = Stop { tolerance: 1e-11, iterations: 400 };
    for method in METHODS {
        let advection = if method == Method::ConjugateGradients { 0.0 } else { 0.3 };
        for shape in [vec![50], vec![1, 50], vec![4, 3, 20]] {
            let a = operator(advection, 0.05);
            let b = sample(&c, &shape, 3);
            let jacobi = |r: &Tensor| r.scale(1.0 / 2.05);
            for (guess, m) in [(None, None), (Some(sample(&c, &shape, 9)), Some(&jacobi as &Apply))] {
                let (x, report) = krylov(method, &a, &b, guess.as_ref(), m, stop).unwrap();
                assert!(residual(&a, &x, &b) < 1e-9, "{method:?} {shape:?}: {report:?}");
                assert_eq!(report.history.len(), report.iterations + 1);
                assert_eq!(report.history.last(), Some(&report.residual));
            }
        }
        // In single precision, to what it can carry.
        let b = sample(&c, &[2, 30], 4).cast(Precision::F32).unwrap();
        let a = operator(advection, 0.5);
        let (x, _) = krylov(method, &a, &b, None, None, Stop::usual(Precision::F32)).unwrap();
        assert_eq!(x.precision(), Precision::F32);
        assert!(residual(&a, &x, &b) < 1e-4, "{method:?}");
    }
}

/// Samples of very different size and difficulty must not disturb each other: each gets what it gets alone.
#[test]
fn samples_are_systems_of_their_own() {
    let c = context();
    let scale = Tensor::new(&c, vec![1e-9, 0.0, 1.0, 1e6], &[4, 1]).unwrap();
    let b = sample(&c, &[4, 24], 1).mul(&scale).unwrap();
    let stop = Stop { tolerance: 1e-10, iterations: 200 };
    for method in METHODS {
        let a = operator(0.0, 0.1);
        let (x, _) = krylov(method, &a, &b, None, None, stop).unwrap();
        for i in 0..4 {
            let (own_b, own_x) = (b.narrow(0, i, 1).unwrap(), x.narrow(0, i, 1).unwrap());
            if i == 1 {
                assert!(own_x.to_vec().unwrap().iter().all(|x| *x == 0.0), "{method:?}");
                continue;
            }
            assert!(residual(&a, &own_x, &own_b) < 1e-9, "{method:?}, sample {i}");
        }
    }
}

#[test]
fn gradients_reach_the_right_hand_side_and_the_operator() {
    let c = context();
    let stop = Stop { tolerance: 1e-14, iterations: 500 };
    for method in METHODS {
        let solve = move |x: &[Tensor]| -> Result<Tensor> {
            let (k, b) = (x[0].clone(), &x[1]);
            let skew = if method == Method::ConjugateGradients { 0.0 } else { 0.3 };
            let a: Operator = Rc::new(move |u: &Tensor| operator(skew, 0.5)(u)?.add(&k.mul(u)?));
            Ok(linear_solve(method, &a, b, None, None, stop, false)?.0)
        };
        let inputs = [sample(&c, &[6], 1), sample(&c, &[2, 6], 2)];
        let error = gradient_error(&inputs, solve);
        assert!(error < 1e-7, "{method:?}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| solve(y)?.unary(crate::tensor::Unary::Square)?.sum_all())?;
            g[0].unary(crate::tensor::Unary::Square)?
                .sum_all()?
                .add(&g[1].unary(crate::tensor::Unary::Square)?.sum_all()?)
        });
        assert!(second < 1e-6, "{method:?}, second order: {second:e}");
    }
}

#[test]
fn failures_name_what_can_be_changed() {
    let c = context();
    let b = sample(&c, &[2, 40], 1);
    let few = Stop { tolerance: 1e-12, iterations: 5 };
    for method in METHODS {
        let error = krylov(method, &operator(0.0, 0.0), &b, None, None, few).err().unwrap().to_string();
        for word in ["tolerance", "iterations", "preconditioner", "5 iterations"] {
            assert!(error.contains(word), "{method:?}: {error}");
        }
        let nan = b.scale(f64::NAN).unwrap();
        assert_eq!(krylov(method, &operator(0.0, 0.1), &nan, None, None, few).err().unwrap().kind(), Kind::NotFinite);
        let hostile = |x: &Tensor| x.scale(f64::NAN);
        assert!(krylov(method, &hostile, &b, None, None, few).is_err());
        let zero = |x: &Tensor| x.scale(0.0);
        assert!(krylov(method, &zero, &b, None, None, few).is_err(), "{method:?}");
        let other = |x: &Tensor| x.narrow(1, 0, 3);
        assert_eq!(krylov(method, &other, &b, None, None, few).err().unwrap().kind(), Kind::Shape);
    }
    let negative = |x: &Tensor| x.scale(-1.0);
    let error = krylov(Method::ConjugateGradients, &negative, &b, None, None, few).err().unwrap().to_string();
    assert!(error.contains("positive definite"), "{error}");
    let wrong = Stop { tolerance: f64::NAN, iterations: 5 };
    assert!(krylov(Method::ConjugateGradients, &negative, &b, None, None, wrong).is_err());
}
