//! Gradients through integrators against central differences; checkpoints against none; memory.

use super::systems::{Downhill, Logistic, Modes, Pendulum};
use super::*;
use crate::error::Result;
use crate::tensor::tests::{gradient_error, sample};
use crate::tensor::{Unary, value_and_gradient};

fn joined<V: Vector>(states: &[V]) -> Result<Tensor> {
    let flat: Vec<Tensor> =
        states.iter().flat_map(Vector::tensors).map(|t| t.reshape(&[t.len()])).collect::<Result<_>>()?;
    Tensor::concat(&flat, 0)
}

/// All outputs as a function of the initial spectrum, `ν` and `w`.
fn modes(rollout: &Rollout, x: &[Tensor], times: &[f64]) -> Result<Tensor> {
    let system = Modes::new(x[2].clone(), x[3].clone())?;
    let y0 = Complex { re: x[0].clone(), im: x[1].clone() };
    joined(&rollout.run(&system, &y0, times, None)?.states)
}
/// The same of positions, velocities and `w`.
fn bodies(rollout: &Rollout, x: &[Tensor], times: &[f64]) -> Result<Tensor> {
    let system = Motion { acceleration: Pendulum { w: x[2].clone() } };
    joined(&rollout.run(&system, &Pair { x: x[0].clone(), v: x[1].clone() }, times, None)?.states)
}
type Problem = fn(&Rollout, &[Tensor], &[f64]) -> Result<Tensor>;

fn problem(method: Method) -> (Problem, Vec<Tensor>) {
    let c = context();
    match method {
        Method::Symplectic(_) => {
            (bodies, vec![sample(&c, &[1, 1, 2], 1), sample(&c, &[1, 1, 2], 2), sample(&c, &[1], 3)])
        }
        _ => {
            let parts = [sample(&c, &[1, 1, 3], 1), sample(&c, &[1, 1, 3], 2)];
            (modes, [parts.to_vec(), vec![sample(&c, &[1], 3), sample(&c, &[1], 4)]].concat())
        }
    }
}

/// Every method with equal steps, and those with step control once more.
fn rollouts() -> Vec<(String, Rollout)> {
    let mut all = Vec::new();
    for (name, method) in Method::ALL {
        if method.order().is_none() {
            continue;
        }
        all.push((name.to_string(), fixed(name, 3)));
        if method.is_adaptive() {
            // So exact that a perturbed solution with other steps differs by less than the differences see.
            let rule = Adaptive { atol: 1e-11, rtol: 1e-11, ..Adaptive::default() };
            all.push((format!("{name} adaptive"), Rollout { steps: StepRule::Adaptive(rule), ..fixed(name, 1) }));
        }
    }
    all
}

const TIMES: [f64; 3] = [0.0, 0.3, 0.5];

#[test]
fn gradients_of_every_method() {
    for (name, rollout) in rollouts() {
        if name == "bogacki_shampine adaptive" {
            continue; // thousands of steps at this tolerance
        }
        let (f, inputs) = problem(rollout.method);
        let error = gradient_error(&inputs, |x| f(&rollout, x, &TIMES));
        assert!(error < 1e-6, "{name}: {error:e}");
    }
}

#[test]
fn checkpoints_change_neither_results_nor_gradients() {
    let c = context();
    for (name, rollout) in rollouts() {
        let rollout = match rollout.steps {
            StepRule::Fixed(_) => Rollout { steps: StepRule::Fixed(5), ..rollout },
            _ => {
                let rule = Adaptive { atol: 1e-5, rtol: 1e-5, ..Adaptive::default() };
                Rollout { steps: StepRule::Adaptive(rule), ..rollout }
            }
        };
        let (f, inputs) = problem(rollout.method);
        let weighted = |checkpoints: Checkpoints| {
            let rollout = Rollout { checkpoints, ..rollout };
            let (value, gradients) = value_and_gradient(&c, &inputs, |x| {
                let y = f(&rollout, x, &TIMES)?;
                y.mul(&sample(&c, &y.shape(), 9))?.unary(Unary::Sin)?.sum_all()
            })
            .unwrap();
            (value.item().unwrap(), gradients.iter().flat_map(|g| g.to_vec().unwrap()).collect::<Vec<f64>>())
        };
        let (value, gradient) = weighted(Checkpoints::None);
        let size = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        for checkpoints in [Checkpoints::Sqrt, Checkpoints::Every(1), Checkpoints::Every(4)] {
            let (again, other) = weighted(checkpoints);
            assert!((value - again).abs() <= 1e-12 * value.abs(), "{name} {checkpoints:?}: {value} {again}");
            // The adjoint of an implicit step is solved by iteration, to this accuracy.
            let tolerance = if rollout.method.is_implicit() { 1e-11 } else { 1e-12 };
            let error = largest_difference(&gradient, &other) / size;
            assert!(error <= tolerance, "{name} {checkpoints:?}: {error:e}");
        }
    }
}

#[test]
fn gradients_of_gradients() {
    let c = context();
    for (name, checkpoints) in [
        ("rk4", Checkpoints::None),
        ("rk4", Checkpoints::Sqrt),
        ("etdrk2", Checkpoints::None),
        ("etdrk2", Checkpoints::Every(2)),
        ("crank_nicolson", Checkpoints::None),
        ("bdf2", Checkpoints::Sqrt),
    ] {
        let rollout = Rollout { checkpoints, ..fixed(name, 2) };
        let (f, inputs) = problem(rollout.method);
        let error = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |x| f(&rollout, x, &[0.0, 0.3, 0.5])?.powf(2.0)?.sum_all())?;
            g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(error < 1e-6, "{name} {checkpoints:?}: {error:e}");
    }
}

#[test]
fn gradients_of_coupled_and_sampled_symbols() {
    #[derive(Clone)]
    struct Coupled(Tensor, Symbol);
    impl Coupled {
        fn new(a: Tensor) -> Result<Self> {
            let im = a.scale(0.3)?;
            Ok(Self(a.clone(), Symbol::matrix(Complex { re: a, im })?))
        }
    }
    impl System for Coupled {
        type State = Complex;
        fn nonlinear(&self, _: f64, y: &Complex) -> Result<Complex> {
            y.mul(y)
        }
        fn linear(&self) -> Option<&dyn Linear<Complex>> {
            Some(&self.1)
        }
    }
    impl Parametrized for Coupled {
        fn parameters(&self) -> Vec<Tensor> {
            vec![self.0.clone()]
        }
        fn with_parameters(&self, p: &[Tensor]) -> Result<Self> {
            Self::new(p[0].clone())
        }
    }
    let c = context();
    for name in ["etdrk4", "ars443", "bdf2", "rk4"] {
        for (samples, checkpoints) in [(1, Checkpoints::None), (2, Checkpoints::None), (2, Checkpoints::Sqrt)] {
            let rollout = Rollout { checkpoints, ..fixed(name, 2) };
            let inputs = [sample(&c, &[2, 2, 2], 1), sample(&c, &[2, 2, 2], 2), sample(&c, &[samples, 2, 2, 2], 3)];
            let error = gradient_error(&inputs, |x| {
                let y0 = Complex { re: x[0].clone(), im: x[1].clone() };
                joined(&rollout.run(&Coupled::new(x[2].clone())?, &y0, &[0.0, 0.2], None)?.states)
            });
            assert!(error < 1e-6, "{name}, {samples} samples, {checkpoints:?}: {error:e}");
        }
    }
}

#[test]
fn a_right_hand_side_may_take_gradients_itself() {
    let c = context();
    let inputs = [sample(&c, &[1, 1, 3], 1), sample(&c, &[3], 2)];
    // y' = −a y³ has the solution y₀/√(1 + 2 a y₀² t).
    let (y, a) = (inputs[0].to_vec().unwrap(), inputs[1].to_vec().unwrap());
    let exact: Vec<f64> = y.iter().zip(&a).map(|(y, a)| y / (1.0 + a * y * y).sqrt()).collect();
    for (name, n) in [("rk4", 20), ("bdf2", 4)] {
        for checkpoints in [Checkpoints::None, Checkpoints::Sqrt] {
            let rollout = Rollout { checkpoints, ..fixed(name, n) };
            let end = |x: &[Tensor]| {
                let solution = rollout.run(&Downhill { a: x[1].clone() }, &x[0], &[0.0, 0.5], None)?;
                Ok(solution.states[1].clone())
            };
            let error = largest_difference(&end(&inputs).unwrap().to_vec().unwrap(), &exact);
            assert!(error < if name == "rk4" { 1e-7 } else { 1e-2 }, "{name} {checkpoints:?}: {error:e}");
            let error = gradient_error(&inputs, end);
            assert!(error < 1e-6, "{name} {checkpoints:?}: {error:e}");
        }
    }
}

#[test]
fn a_captured_tensor_is_differentiated_or_refused() {
    let c = context();
    let gradient = |rollout: Rollout, named: bool| {
        value_and_gradient(&c, &[sample(&c, &[3], 1), sample(&c, &[3], 2)], |x| {
            let captured = x[1].clone();
            let system = if named {
                Function::new(|_, y: &Tensor, p| y.mul(&p[0]), vec![captured])
            } else {
                Function::new(move |_, y: &Tensor, _| y.mul(&captured), vec![])
            };
            rollout.run(&system, &x[0], &[0.0, 0.5], None)?.states[1].sum_all()
        })
        .map(|(_, g)| g[1].to_vec().unwrap())
    };
    let expected = gradient(fixed("rk4", 3), true).unwrap();
    assert_eq!(gradient(fixed("rk4", 3), false).unwrap(), expected);
    for rollout in [Rollout { checkpoints: Checkpoints::Sqrt, ..fixed("rk4", 3) }, fixed("bdf2", 3)] {
        assert!(gradient(rollout, true).is_ok());
        assert!(gradient(rollout, false).unwrap_err().to_string().contains("among its parameters"));
    }
}

#[test]
fn a_rate_gives_the_gradient_of_the_final_time() {
    let (c, span) = (context(), 1.5);
    let (_, g) = value_and_gradient(&c, &[Tensor::new(&c, vec![1.0], &[1]).unwrap()], |rate| {
        let y0 = Tensor::new(&c, vec![2.0], &[1])?;
        let decay = Function::new(|_, y: &Tensor, rate| y.mul(&rate[0])?.scale(-0.8), rate.to_vec());
        fixed("dormand_prince", 40).run(&decay, &y0, &[0.0, span], None)?.states[1].sum_all()
    })
    .unwrap();
    let exact = -0.8 * 2.0 * (-0.8f64 * span).exp();
    let got = g[0].item().unwrap() / span;
    assert!((got - exact).abs() < 1e-9, "{got} {exact}");
}

#[test]
fn memory_grows_with_the_root_of_the_number_of_steps() {
    let c = context();
    let (points, steps) = (8192, 400);
    let state = points * 8;
    let y0 = sample(&c, &[1, 1, points], 1);
    let inputs = [y0, sample(&c, &[1], 2)];
    let peak = |checkpoints: Checkpoints, n: usize| {
        let rollout = Rollout { checkpoints, ..fixed("rk4", n) };
        let before = c.live_bytes();
        c.reset_peak();
        let gradient = value_and_gradient(&c, &inputs, |x| {
            rollout.run(&Logistic { a: x[1].clone() }, &x[0], &[0.0, 1.0], None)?.states[1].sum_all()
        });
        assert!(gradient.is_ok());
        c.peak_bytes() - before
    };
    let one_step = peak(Checkpoints::None, 1);
    let roots = peak(Checkpoints::Sqrt, steps);
    let bound = (2.5 * (steps as f64).sqrt() * state as f64) as usize + one_step;
    assert!(roots <= bound, "{roots} bytes, at most {bound} allowed");
    assert!(peak(Checkpoints::None, steps) > 10 * roots);
    // Without a gradient nothing is kept: the peak does not depend on the number of steps.
    let forward = |n: usize| {
        let before = c.live_bytes();
        c.reset_peak();
        let system = Logistic { a: inputs[1].clone() };
        drop(last(&fixed("rk4", n), &system, &inputs[0], &[0.0, 1.0]));
        c.peak_bytes() - before
    };
    assert_eq!(forward(100), forward(5));
}
