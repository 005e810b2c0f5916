//! Compiled rollouts against the lane of tensors and against exact laws of the same discrete steps; statistics; what falls back.

use std::cell::Cell;
use std::rc::Rc;

use super::pointwise::Evaluate;
use super::rollout::{Rollout, Sampled, Statistics};
use super::*;
use crate::equation::{Expr, LaneChoice, Rank};
use crate::error::Result;
use crate::tensor::random::{Key, NoiseColumns, PathNoise, normal};
use crate::tensor::{Binary, Context, Precision, Tensor, Unary, value_and_gradient};

fn symbol(c: usize) -> Expr {
    Expr::unknown(c, &format!("x{c}"), Rank::Scalar)
}
/// A function from expressions of channels and time; both lanes read the same graph, by other programs.
fn function(context: &Context, values: Vec<Expr>) -> Pointwise {
    let traced = Traced::new(&values, Vec::new()).unwrap();
    let (own, context) = (traced.clone(), context.clone());
    let evaluate: Evaluate = Rc::new(move |parts, t| own.evaluate(&context, parts, t));
    Pointwise { evaluate, trace: Rc::new(move || Some(traced.clone())) }
}
fn n(value: f64) -> Expr {
    Expr::number(value)
}
fn op(op: Binary, a: &Expr, b: &Expr) -> Expr {
    a.binary(op, b).unwrap()
}
fn context() -> Context {
    Context::cpu(Precision::F64)
}
fn rollout<'a>(times: &'a [f64], steps: usize, samples: usize, lane: LaneChoice) -> Rollout<'a> {
    let statistics = Some(Statistics::default());
    Rollout { times, steps, seed: 7, samples, numbers: None, lane, keep: Some(0), statistics }
}
fn run(process: &Process, start: &Tensor, how: &Rollout<'_>) -> Result<Sampled> {
    process.rollout(&State::new(start.clone(), None), how, None)
}
fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_vec().unwrap()
}
fn close(a: &Tensor, b: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    for (a, b) in numbers(a).into_iter().zip(numbers(b)) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: {a} and {b}");
    }
}

/// A drift that stays bounded, from a few random operations.
fn random_drift(seed: u64, channels: usize) -> Vec<Expr> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut values: Vec<Expr> = (0..channels).map(symbol).chain([Expr::time(), n(0.7), n(-1.5)]).collect();
    for _ in 0..8 {
        let (a, b) = (values[draw(values.len())].clone(), values[draw(values.len())].clone());
        values.push(match draw(7) {
            0 => op(Binary::Add, &a, &b),
            1 => op(Binary::Sub, &a, &b),
            2 => op(Binary::Mul, &a, &b),
            3 => a.unary(Unary::Sin).unwrap(),
            4 => a.unary(Unary::Tanh).unwrap(),
            5 => op(Binary::Min, &a, &b),
            _ => op(Binary::Pow, &a, &n(2.0)),
        });
    }
    let last = values.len() - channels;
    values[last..].iter().map(|e| e.unary(Unary::Tanh).unwrap()).collect()
}

#[test]
fn compiled_rollouts_are_those_of_tensors() {
    // Channels, shape of a sample, samples: rows of fewer and of more than four numbers, whole and broken tiles.
    let shapes: &[(usize, &[usize], usize)] = &[
        (1, &[], 1),
        (1, &[], 2500),
        (1, &[3], 700),
        (1, &[2, 5], 33),
        (2, &[2], 1500),
        (3, &[3], 17),
        (2, &[2, 3], 400),
        (1, &[200], 40),
    ];
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 2e-5)] {
        let c = Context::cpu(precision);
        for (i, (channels, one, samples)) in shapes.iter().enumerate() {
            let seed = i as u64;
            let shape: Vec<usize> = [*samples].iter().chain(*one).copied().collect();
            let start = normal(&c, Key::new(seed), &shape).unwrap();
            let noises = [
                Diffusion::Constant(0.3),
                Diffusion::Constant(0.0),
                Diffusion::Function(Rc::new(|t| Ok(0.1 + t))),
                Diffusion::State(function(&c, random_drift(seed + 100, *channels))),
            ];
            let each = one.first().filter(|n| **n > 1 && (*channels == 1 || **n == *channels)).map(|n| {
                let of = |c: usize| match c % 3 {
                    0 => Diffusion::Constant(0.0),
                    1 => Diffusion::Constant(0.4),
                    _ => Diffusion::Function(Rc::new(|t| Ok(0.1 + t))),
                };
                Diffusion::Channels((0..*n).map(of).collect())
            });
            for (k, noise) in noises.into_iter().chain(each).enumerate() {
                let drift = function(&c, random_drift(seed + 10 * k as u64, *channels));
                let process = Process::new(Drift::Pointwise(drift, *channels), noise);
                let what = format!("{precision:?} {channels} {shape:?}, noise {k}");
                let times = [0.0, 0.1, 0.35];
                let of = |lane| run(&process, &start, &rollout(&times, 5, *samples, lane)).unwrap();
                let (ours, theirs) = (of(LaneChoice::Native), of(LaneChoice::Tensors));
                close(&ours.states.unwrap(), &theirs.states.unwrap(), tolerance, &what);
                let (a, b) = (ours.summary.unwrap(), theirs.summary.unwrap());
                for (a, b) in [(a.mean, b.mean), (a.variance, b.variance), (a.least, b.least), (a.greatest, b.greatest)]
                {
                    close(&a, &b, 4.0 * tolerance, &what);
                }
            }
        }
    }
}

#[test]
fn noise_by_columns_is_that_of_rows() {
    fn columns<T: crate::tensor::random::Drawable + crate::tensor::Real>(precision: Precision) {
        let (c, key) = (Context::cpu(precision), Key::new(3));
        let samples: Vec<u64> = (0..300).map(|i| i * i + 5).collect();
        for row in [1, 2, 3, 4, 5, 8, 9] {
            let (mut rows, mut columns) = (PathNoise::new(key, row), NoiseColumns::<T>::new(key, row, 320));
            for step in [0, 1, 2, 3, 4, 9] {
                let expected = numbers(&rows.of(&c, step, &samples, &[row]).unwrap());
                for (j, column) in columns.of(step, &samples).enumerate() {
                    for (i, x) in column.iter().enumerate() {
                        assert_eq!(x.f64(), expected[i * row + j], "{precision:?}, row {row}, step {step}");
                    }
                }
            }
        }
    }
    columns::<f32>(Precision::F32);
    columns::<f64>(Precision::F64);
}

#[test]
fn moments_are_those_of_the_discrete_law() {
    let c = context();
    let (samples, steps, end) = (100_000, 40, 2.0);
    let (dt, x0) = (end / steps as f64, 1.5);
    // Within five standard errors.
    let check = |got: f64, expected: f64, deviation: f64, what: &str| {
        let error = (got - expected).abs() / (deviation / (samples as f64).sqrt());
        assert!(error < 5.0, "{what}: {got} against {expected}, {error} standard errors");
    };
    let of = |process: &Process, start: Tensor| {
        let times = [0.0, end];
        let how = Rollout { keep: None, ..rollout(&times, steps, samples, LaneChoice::Native) };
        let sampled = run(process, &start, &how).unwrap();
        assert!(sampled.states.is_none());
        let s = sampled.summary.unwrap();
        (numbers(&s.mean), numbers(&s.variance))
    };
    let one = |x: f64| Tensor::full(&c, &[1], x).unwrap();

    // Ornstein–Uhlenbeck: x ← a x + g √Δt ξ.
    let (g, a) = (0.7, 1.0 - dt);
    let ou = Process::new(
        Drift::Pointwise(function(&c, vec![op(Binary::Mul, &n(-1.0), &symbol(0))]), 1),
        Diffusion::Constant(g),
    );
    let (mean, variance) = of(&ou, one(x0));
    let expected: f64 = (0..steps).map(|k| g * g * dt * a.powi(2 * k as i32)).sum();
    check(mean[1], x0 * a.powi(steps as i32), expected.sqrt(), "mean of OU");
    check(variance[1], expected, expected * 2f64.sqrt(), "variance of OU");

    // Geometric Brownian motion, Itô: E x ← (1 + μ Δt) E x, E x² ← ((1 + μ Δt)² + σ² Δt) E x².
    let (mu, sigma) = (0.3, 0.4);
    let of_x = |k: f64| function(&c, vec![op(Binary::Mul, &n(k), &symbol(0))]);
    let gbm = Process::new(Drift::Pointwise(of_x(mu), 1), Diffusion::State(of_x(sigma)));
    let (mean, variance) = of(&gbm, one(x0));
    let power = |k: f64| {
        x0.powf(k) * {
            // The moment of order k of 1 + μ Δt + σ √Δt ξ, for k = 1, 2, 4.
            let (m, s) = (1.0 + mu * dt, sigma * dt.sqrt());
            let each: f64 = match k as u32 {
                1 => m,
                2 => m * m + s * s,
                _ => m.powi(4) + 6.0 * m * m * s * s + 3.0 * s.powi(4),
            };
            each.powi(steps as i32)
        }
    };
    let expected = power(2.0) - power(1.0).powi(2);
    check(mean[1], power(1.0), expected.sqrt(), "mean of GBM");
    check(
        variance[1] + mean[1] * mean[1],
        power(2.0),
        (power(4.0) - power(2.0).powi(2)).sqrt(),
        "second moment of GBM",
    );

    // Langevin's equation in a harmonic well: the covariance of x and v is carried along by the same steps.
    let (gamma, s) = (0.5, 0.8);
    let pull = op(Binary::Add, &symbol(0), &op(Binary::Mul, &n(gamma), &symbol(1)));
    let langevin = Process::new(
        Drift::Pointwise(function(&c, vec![symbol(1), pull.unary(Unary::Neg).unwrap()]), 2),
        Diffusion::Channels(vec![Diffusion::Constant(0.0), Diffusion::Constant(s)]),
    );
    let (mean, variance) = of(&langevin, Tensor::new(&c, vec![x0, 0.0], &[1, 2]).unwrap());
    let (mut m, mut p) = ([x0, 0.0], [0.0f64; 3]);
    for _ in 0..steps {
        m = [m[0] + dt * m[1], m[1] - dt * (m[0] + gamma * m[1])];
        let (xx, xv, vv, b) = (p[0], p[1], p[2], 1.0 - gamma * dt);
        p = [
            xx + 2.0 * dt * xv + dt * dt * vv,
            -dt * xx + (b - dt * dt) * xv + dt * b * vv,
            dt * dt * xx - 2.0 * dt * b * xv + b * b * vv + s * s * dt,
        ];
    }
    check(mean[2], m[0], p[0].sqrt(), "mean of x");
    check(mean[3], m[1], p[2].sqrt(), "mean of v");
    check(variance[2], p[0], p[0] * 2f64.sqrt(), "variance of x");
    check(variance[3], p[2], p[2] * 2f64.sqrt(), "variance of v");
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let results: Vec<Vec<Vec<f64>>> = [1, 2, 5]
        .iter()
        .map(|&threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let c = Context::cpu(Precision::F32);
                let process =
                    Process::new(Drift::Pointwise(function(&c, random_drift(4, 1)), 1), Diffusion::Constant(0.5));
                let start = Tensor::full(&c, &[1], 0.2).unwrap();
                let mut how = rollout(&[0.0, 0.5, 1.0], 3, 30_001, LaneChoice::Native);
                how.statistics = Some(Statistics { observe: None, bins: Some(Bins { from: -2.0, to: 2.0, count: 9 }) });
                let sampled = run(&process, &start, &how).unwrap();
                let s = sampled.summary.unwrap();
                let all = [sampled.states.unwrap(), s.mean, s.variance, s.least, s.greatest, s.counts.unwrap()];
                all.iter().map(numbers).collect()
            })
        })
        .collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    let counts = results[0].last().unwrap();
    assert_eq!(counts[..9], [0.0, 0.0, 0.0, 0.0, 30_001.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(counts[18..].iter().sum::<f64>() <= 30_001.0 && counts[18] > 0.0);
}

#[test]
fn a_path_depends_on_its_number_alone() {
    let c = context();
    let process = Process::new(Drift::Pointwise(function(&c, random_drift(9, 1)), 1), Diffusion::Constant(0.5));
    let start = Tensor::full(&c, &[1], 0.2).unwrap();
    for lane in [LaneChoice::Native, LaneChoice::Tensors] {
        let all = run(&process, &start, &rollout(&[0.0, 1.0], 7, 1100, lane)).unwrap().states.unwrap();
        let chosen = [1040, 3, 512];
        let how = Rollout { numbers: Some(&chosen), ..rollout(&[0.0, 1.0], 7, 3, lane) };
        let some = run(&process, &start, &how).unwrap().states.unwrap();
        let expected = all.take(0, &chosen.map(|i| i as i64)).unwrap();
        assert_eq!(numbers(&some), numbers(&expected), "{lane:?}");
    }
}

#[test]
fn gradients_go_step_by_step() {
    // The mean of x ← (1 − Δt) x + noise has the derivative (1 − Δt)ⁿ / samples to each start.
    let c = context();
    let ou = Process::new(
        Drift::Pointwise(function(&c, vec![op(Binary::Mul, &n(-1.0), &symbol(0))]), 1),
        Diffusion::Constant(0.3),
    );
    let start = Tensor::new(&c, vec![0.5, -1.0, 2.0], &[3]).unwrap();
    let last = |s: &Summary| -> Result<Tensor> { s.mean.select(0, 1)?.add(&s.variance.select(0, 1)?) };
    let (_, gradient) = value_and_gradient(&c, std::slice::from_ref(&start), |x| {
        let how = Rollout { keep: None, ..rollout(&[0.0, 1.0], 10, 3, LaneChoice::Automatic) };
        last(&process_summary(&ou, &x[0], &how)?)
    })
    .unwrap();
    let value = |x: &Tensor| {
        let how = Rollout { keep: None, ..rollout(&[0.0, 1.0], 10, 3, LaneChoice::Native) };
        last(&process_summary(&ou, x, &how).unwrap()).unwrap().item().unwrap()
    };
    for (i, g) in numbers(&gradient[0]).into_iter().enumerate() {
        let moved = |h: f64| {
            let mut x = numbers(&start);
            x[i] += h;
            value(&Tensor::new(&c, x, &[3]).unwrap())
        };
        let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((g - expected).abs() < 1e-8, "{i}: {g} against {expected}");
    }
    let refused = value_and_gradient(&c, std::slice::from_ref(&start), |x| {
        last(&process_summary(&ou, &x[0], &rollout(&[0.0, 1.0], 10, 3, LaneChoice::Native))?)
    });
    assert!(refused.unwrap_err().to_string().contains("no compiled lane"));
}

fn process_summary(process: &Process, start: &Tensor, how: &Rollout<'_>) -> Result<Summary> {
    run(process, start, how)?.summary.ok_or_else(|| crate::error::Error::internal("no summary"))
}

#[test]
fn a_function_that_changes_while_it_runs_is_not_compiled() {
    let c = context();
    let calls = Rc::new(Cell::new(0.0));
    let own = calls.clone();
    let mut changing = function(&c, vec![symbol(0)]);
    changing.trace = Rc::new(move || {
        own.set(own.get() + 1.0);
        Traced::new(&[op(Binary::Mul, &n(own.get()), &symbol(0))], Vec::new())
    });
    let process = Process::new(Drift::Pointwise(changing, 1), Diffusion::Constant(0.0));
    let start = Tensor::full(&c, &[2], 1.0).unwrap();
    let error = run(&process, &start, &rollout(&[0.0, 1.0], 1, 2, LaneChoice::Native)).err().unwrap().to_string();
    assert!(error.contains("no compiled lane"), "{error}");
    let states = run(&process, &start, &rollout(&[0.0, 1.0], 1, 2, LaneChoice::Automatic)).unwrap().states.unwrap();
    assert_eq!(numbers(&states), [1.0, 2.0, 1.0, 2.0]);
}

#[test]
fn refusals_of_rollouts() {
    let c = context();
    let cubic = function(&c, vec![op(Binary::Pow, &symbol(0), &n(3.0))]);
    let process = Process::new(Drift::Pointwise(cubic, 1), Diffusion::Constant(0.0));
    let start = Tensor::full(&c, &[5], 10.0).unwrap();
    for lane in [LaneChoice::Native, LaneChoice::Tensors] {
        let message = |how: &Rollout<'_>| run(&process, &start, how).err().unwrap().to_string();
        let diverges = message(&rollout(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2, 5, lane));
        assert!(diverges.contains("no longer finite at step") && diverges.contains("t ="), "{lane:?}: {diverges}");
        assert!(message(&rollout(&[0.0], 1, 5, lane)).contains("ascend"));
        assert!(message(&rollout(&[0.0, 1.0], 0, 5, lane)).contains("number of steps"));
        assert!(message(&rollout(&[0.0, 1.0], 1, 7, lane)).contains("number of paths"));
        let small = Context::cpu(Precision::F64);
        small.set_memory_limit(1 << 20);
        let one = Tensor::full(&small, &[1], 0.0).unwrap();
        let error = run(&process, &one, &rollout(&[0.0, 1.0], 1, 1 << 20, lane)).err().unwrap().to_string();
        assert!(error.contains("limit of tensor memory"), "{error}");
    }
    let channels = Diffusion::Channels(vec![Diffusion::Constant(1.0); 3]);
    let process = Process { diffusion: channels, ..process };
    for lane in [LaneChoice::Native, LaneChoice::Tensors] {
        let error = run(&process, &start, &rollout(&[0.0, 1.0], 1, 5, lane)).err().unwrap().to_string();
        assert!(error.contains("for each channel"), "{error}");
    }
}
