//! Orders of convergence, exact steps, step control, stiffness, energy.

use super::systems::{Logistic, Modes, Pendulum, VanDerPol};
use super::*;
use crate::error::{Kind, Result};
use crate::session::{Options, Session};
use crate::solve::explicit;
use crate::tensor::{Context, Precision};

fn modes(nu: f64) -> (Modes, Complex) {
    let system = Modes::new(tensor(&[nu], &[1]), tensor(&[0.4], &[1])).unwrap();
    (system, complex(&[0.8, -0.3, 0.5], &[0.2, 0.6, -0.4], &[1, 1, 3]))
}
fn pendulum() -> (Motion<Pendulum>, Pair<Tensor>) {
    let y = Pair { x: tensor(&[1.0, 0.3], &[1, 1, 2]), v: tensor(&[0.0, 1.1], &[1, 1, 2]) };
    (Motion { acceleration: Pendulum { w: tensor(&[1.5], &[1]) } }, y)
}

/// The slope of the error over four halvings of the step.
fn observed<S: Parametrized>(method: &str, system: &S, y0: &S::State, first: usize, exact: &[f64]) -> f64 {
    let error = |n: usize| largest_difference(&numbers(&last(&fixed(method, n), system, y0, &[0.0, 1.0])), exact);
    (error(first) / error(first << 4)).log2() / 4.0
}

#[test]
fn every_method_has_its_order() {
    let (system, y0) = modes(0.5);
    let exact = numbers(&last(&fixed("dormand_prince", 1000), &system, &y0, &[0.0, 1.0]));
    let (bodies, start) = pendulum();
    let orbit = numbers(&last(&fixed("dormand_prince", 1000), &bodies, &start, &[0.0, 1.0]));
    for (name, method) in Method::ALL {
        let Some(order) = method.order() else { continue };
        // High orders reach rounding soon, low ones begin with small steps.
        let first = match order {
            1 => 64,
            2 => 24,
            3 => 12,
            4 => 8,
            _ => 4,
        };
        let slope = match method {
            Method::Symplectic(_) => observed(name, &bodies, &start, first, &orbit),
            _ => observed(name, &system, &y0, first, &exact),
        };
        assert!((slope - order as f64).abs() < 0.15, "{name}: observed {slope:.3}, theory {order}");
    }
}

#[test]
fn unequal_steps_keep_the_order_of_two_step_methods() {
    let (system, y0) = modes(0.5);
    let exact = numbers(&last(&fixed("dormand_prince", 1000), &system, &y0, &[0.0, 1.0]));
    for name in ["bdf2", "cnab2"] {
        let error = |n: usize| {
            let y = last(&fixed(name, n), &system, &y0, &[0.0, 0.2, 0.5, 0.6, 1.0]);
            largest_difference(&numbers(&y), &exact)
        };
        let slope = (error(10) / error(80)).log2() / 3.0;
        assert!((slope - 2.0).abs() < 0.15, "{name}: {slope:.3}");
    }
}

/// A linear system is the symbol alone.
#[derive(Clone)]
struct Waves(Symbol);
impl System for Waves {
    type State = Complex;
    fn nonlinear(&self, _: f64, y: &Complex) -> Result<Complex> {
        y.zeros_like()
    }
    fn linear(&self) -> Option<&dyn Linear<Complex>> {
        Some(&self.0)
    }
    fn is_linear(&self) -> bool {
        true
    }
}
impl Parametrized for Waves {
    fn with_parameters(&self, _: &[Tensor]) -> Result<Self> {
        Ok(self.clone())
    }
}

#[test]
fn linear_systems_are_exact_with_any_step() {
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 1e-5)] {
        let c = Context::cpu(precision);
        let k = [0.0, 1.0, 3.0, 20.0];
        let t = |values: Vec<f64>, shape: &[usize]| Tensor::from_vec::<f64>(&c, values, shape).unwrap();
        // Diffusion and advection of two unknowns; then waves x' = v, v' = −k² x.
        let re: Vec<f64> = k.iter().map(|k| -0.1 * k * k).chain(k.iter().map(|k| -0.02 * k * k)).collect();
        let im: Vec<f64> = k.iter().map(|k| 0.7 * k).chain(k.iter().map(|k| -0.3 * k)).collect();
        let diagonal = Symbol::diagonal(Complex { re: t(re.clone(), &[1, 2, 4]), im: t(im.clone(), &[1, 2, 4]) });
        let waves: Vec<f64> = [0.0, 1.0, -1.0, 0.0]
            .iter()
            .flat_map(|c| k.iter().map(move |k| if *c < 0.0 { -k * k } else { *c }))
            .collect();
        let zero = t(vec![0.0; 16], &[1, 2, 2, 4]);
        let matrix = Symbol::matrix(Complex { re: t(waves, &[1, 2, 2, 4]), im: zero });
        let values = |shift: f64| (0..8).map(|i| (i as f64 + shift).sin()).collect::<Vec<f64>>();
        let part = |shift: f64| t(values(shift), &[1, 2, 4]).cast(precision).unwrap();
        let y0 = Complex { re: part(0.3), im: part(1.7) };
        let (a, b) = (values(0.3), values(1.7));
        for (symbol, is_waves) in [(diagonal.unwrap(), false), (matrix.unwrap(), true)] {
            assert_eq!(symbol.is_diagonal(), !is_waves);
            for (n, span) in [(1, 2.5), (7, 2.5), (1, 0.001)] {
                let y = last(&fixed("exact", n), &Waves(symbol.clone()), &y0, &[0.5, 0.5 + span]);
                let mut expected = vec![0.0; 16];
                for i in 0..8 {
                    let (first, second, k) = (i % 4, 4 + i % 4, k[i % 4]);
                    let (s, c) = (if k == 0.0 { span } else { (k * span).sin() / k }, (k * span).cos());
                    let mix = |x: &[f64]| match (is_waves, i < 4) {
                        (true, true) => c * x[first] + s * x[second],
                        (true, false) => -k * (k * span).sin() * x[first] + c * x[second],
                        _ => 0.0,
                    };
                    let (size, angle) = ((re[i] * span).exp(), im[i] * span);
                    (expected[i], expected[8 + i]) = if is_waves {
                        (mix(&a), mix(&b))
                    } else {
                        (
                            size * (a[i] * angle.cos() - b[i] * angle.sin()),
                            size * (a[i] * angle.sin() + b[i] * angle.cos()),
                        )
                    };
                }
                let scale = if is_waves { 20.0 } else { 1.0 };
                let error = largest_difference(&numbers(&y), &expected) / scale;
                assert!(error < tolerance, "{precision:?} {n} steps over {span}: {error:e}");
            }
        }
    }
}

#[test]
fn a_symbol_for_each_sample_and_its_resolvent() {
    let l = complex(&[-1.0, -2.0, -3.0, -4.0], &[0.5, 0.0, 1.0, -1.0], &[2, 1, 2]);
    let symbol = Symbol::diagonal(l.clone()).unwrap();
    let y = complex(&[1.0, 2.0], &[0.0, -1.0], &[1, 1, 2]);
    let back = |y: &Complex| y.add_scaled(&[(-0.3, &symbol.apply(y).unwrap())]).unwrap();
    let solved = back(&symbol.resolve(0.3, &y).unwrap());
    assert!(largest_difference(&numbers(&solved), &[1.0, 2.0, 1.0, 2.0, 0.0, -1.0, 0.0, -1.0]) < 1e-14);
    // Coupled unknowns, the matrix written out.
    let l = complex(&[-1.0, 0.5, 2.0, -3.0], &[0.2, 0.0, -0.7, 0.1], &[1, 2, 2, 1]);
    let symbol = Symbol::matrix(l).unwrap();
    let y = complex(&[1.0, 2.0], &[0.0, -1.0], &[1, 2, 1]);
    let solved = symbol.resolve(0.3, &y).unwrap();
    let back = solved.add_scaled(&[(-0.3, &symbol.apply(&solved).unwrap())]).unwrap();
    assert!(largest_difference(&numbers(&back), &numbers(&y)) < 1e-14);
}

#[test]
fn step_control_keeps_the_tolerance() {
    let system = Logistic { a: tensor(&[1.7], &[1]) };
    let y0 = tensor(&[0.02, 0.3], &[1, 1, 2]);
    let times = [0.0, 0.37, 1.0, 1.01, 4.0];
    for (name, factor) in [("dormand_prince", 20.0), ("bogacki_shampine", 20.0)] {
        let mut evaluations = 0;
        for tolerance in [1e-4, 1e-6, 1e-8] {
            let rule = Adaptive { atol: tolerance, rtol: tolerance, ..Adaptive::default() };
            let rollout = Rollout { steps: StepRule::Adaptive(rule), ..fixed(name, 1) };
            let solution = rollout.run(&system, &y0, &times, None).unwrap();
            assert_eq!(solution.states.len(), times.len());
            for (state, t) in solution.states.iter().zip(times) {
                let exact = [Logistic::exact(0.02, 1.7, t), Logistic::exact(0.3, 1.7, t)];
                let error = largest_difference(&numbers(state), &exact);
                assert!(error < factor * tolerance, "{name}, tolerance {tolerance:e}, t = {t}: {error:e}");
            }
            assert!(solution.statistics.evaluations > evaluations);
            evaluations = solution.statistics.evaluations;
            let (t, h) = *solution.statistics.steps.last().unwrap();
            assert!((t + h - 4.0).abs() < 1e-14);
        }
    }
    // Backwards in time to where it came from.
    let rule = StepRule::Adaptive(Adaptive { atol: 1e-10, rtol: 1e-10, ..Adaptive::default() });
    let rollout = Rollout { steps: rule, ..fixed("dormand_prince", 1) };
    let there = last(&rollout, &system, &y0, &[0.0, 2.0]);
    let back = last(&rollout, &system, &there, &[2.0, 0.7, 0.0]);
    assert!(largest_difference(&numbers(&back), &[0.02, 0.3]) < 1e-7);
}

#[test]
fn states_inside_a_step_have_the_order_of_the_polynomial() {
    let system = Logistic { a: tensor(&[1.7], &[1]) };
    for tableau in [&BOGACKI_SHAMPINE, &DORMAND_PRINCE] {
        let error = |h: f64| {
            let y0 = tensor(&[0.3], &[1, 1, 1]);
            let step = explicit::step(tableau, &system, 0.0, h, &Memory::start(y0.clone())).unwrap();
            let theta = 0.4;
            let y = explicit::inside(tableau, theta, &y0, h, &step.stages).unwrap();
            (y.item().unwrap() - Logistic::exact(0.3, 1.7, theta * h)).abs()
        };
        let slope = (error(0.08) / error(0.01)).log2() / 3.0;
        let order = tableau.embedded.as_ref().unwrap().dense_order as f64 + 1.0;
        assert!((slope - order).abs() < 0.25, "{}: {slope:.3}, theory {order}", tableau.name);
    }
}

/// Values of the test set for initial value problems of the University of Bari (problem VDPOL, ε = 10⁻⁶), in its time 2.
#[test]
fn step_control_through_the_jumps_of_a_stiff_system() {
    let y0 = vec![tensor(&[2.0], &[1, 1, 1]), tensor(&[0.0], &[1, 1, 1])];
    let rule = Adaptive { atol: 1e-9, rtol: 1e-6, ..Adaptive::default() };
    let rollout = Rollout { steps: StepRule::Adaptive(rule), ..fixed("esdirk4", 1) };
    let solution = rollout.run(&VanDerPol { mu: 1000.0, by_hand: true }, &y0, &[0.0, 2000.0], None).unwrap();
    let y = numbers(solution.states.last().unwrap());
    assert!((y[0] - 1.706_167_732_170_469).abs() < 1e-4, "x = {}", y[0]);
    assert!((y[1] + 0.892_809_701_024_812_5e-3).abs() < 1e-6, "v = {}", y[1]);
    let (made, rejected) = (solution.statistics.steps.len(), solution.statistics.rejected);
    assert!(made < 2000 && rejected < made, "{made} steps, {rejected} refused");
}

#[test]
fn stiff_relaxation_by_implicit_steps() {
    // Between its jumps the solution obeys v ≈ x/(μ(1 − x²)), so ln x − x²/2 = t/μ + const to first order in 1/μ².
    for (precision, by_hand) in [(Precision::F64, false), (Precision::F64, true), (Precision::F32, false)] {
        let c = Context::cpu(precision);
        let mu = 1000.0;
        let x0: f64 = 2.0;
        let t = |x: f64| Tensor::new(&c, vec![x], &[1, 1, 1]).unwrap();
        let y0 = vec![t(x0), t(x0 / (mu * (1.0 - x0 * x0)))];
        let y = last(&fixed("bdf2", 40), &VanDerPol { mu, by_hand }, &y0, &[0.0, 200.0]);
        let x = numbers(&y)[0];
        let invariant = |x: f64| x.ln() - x * x / 2.0;
        let drift = invariant(x) - invariant(x0) - 200.0 / mu;
        assert!(drift.abs() < 1e-3, "{precision:?}: x = {x}, {drift:e}");
    }
    // The same steps are hopeless for an explicit method, which says so.
    let y0 = vec![tensor(&[2.0], &[1, 1, 1]), tensor(&[-0.000_67], &[1, 1, 1])];
    let stopped =
        fixed("rk4", 40).run(&VanDerPol { mu: 1000.0, by_hand: false }, &y0, &[0.0, 200.0], None).err().unwrap();
    assert_eq!(stopped.kind(), Kind::NotFinite);
    assert!(stopped.to_string().contains("step ") && stopped.to_string().contains("t = "), "{stopped}");
}

#[test]
fn stiff_linear_parts_do_not_bound_the_step() {
    // Eigenvalues to −4e6, followed with steps of 0.05: an explicit method would need 1.5 million of them.
    let (system, y0) = modes(1e6);
    let exact = numbers(&last(&fixed("etdrk4", 4000), &system, &y0, &[0.0, 2.0]));
    let cases = [
        ("etdrk1", 0.1),
        ("etdrk2", 2e-3),
        ("etdrk3", 1e-4),
        ("etdrk4", 1e-5),
        ("ars222", 5e-3),
        ("ars443", 2e-4),
        ("backward_euler", 0.1),
        ("bdf2", 5e-3),
    ];
    for (name, tolerance) in cases {
        let error = largest_difference(&numbers(&last(&fixed(name, 40), &system, &y0, &[0.0, 2.0])), &exact);
        let size = exact.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!(error < tolerance * size, "{name}: {error:e} of {size:e}");
    }
}

#[test]
fn energy_stays_near_its_value_under_symplectic_steps() {
    let (bodies, start) = pendulum();
    let energy = |y: &Pair<Tensor>| {
        let (x, v) = (y.x.to_vec().unwrap(), y.v.to_vec().unwrap());
        x.iter().zip(&v).map(|(x, v)| 0.5 * v * v - 1.5 * x.cos()).collect::<Vec<f64>>()
    };
    let times: Vec<f64> = (0..=40).map(|i| 5.0 * i as f64).collect();
    let before = energy(&start);
    let worst = |name: &str| {
        let solution = fixed(name, 50).run(&bodies, &start, &times, None).unwrap();
        solution.states.iter().map(|y| largest_difference(&energy(y), &before)).fold(0.0, f64::max)
    };
    for name in ["verlet", "leapfrog"] {
        assert!(worst(name) < 4e-3, "{name}: {:e}", worst(name));
    }
    assert!(worst("heun") > 2e-2, "a method that is not symplectic drifts: {:e}", worst("heun"));
}

#[test]
fn misuse_is_an_error() {
    let (system, y0) = modes(0.5);
    let logistic = Logistic { a: tensor(&[1.0], &[1]) };
    let y = tensor(&[0.5], &[1, 1, 1]);
    let refused = |error: crate::Error, text: &str| assert!(error.to_string().contains(text), "{error}");
    refused(fixed("etdrk4", 4).run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "linear part");
    refused(fixed("ars222", 4).run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "linear part");
    refused(fixed("verlet", 4).run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "x'' = a(t, x)");
    refused(fixed("exact", 4).run(&system, &y0, &[0.0, 1.0], None).err().unwrap(), "etdrk4");
    refused(fixed("rk4", 0).run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "at least one step");
    refused(fixed("rk4", 1).run(&logistic, &y, &[0.0, 1.0, 1.0], None).err().unwrap(), "ascend");
    refused(Method::named("rk5").err().unwrap(), "rk4");
    let rule = StepRule::Adaptive(Adaptive::default());
    let rollout = Rollout { steps: rule, ..fixed("rk4", 1) };
    refused(rollout.run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "dormand_prince");
    let rollout = Rollout { steps: StepRule::MaxStep(-1.0), ..fixed("rk4", 1) };
    refused(rollout.run(&logistic, &y, &[0.0, 1.0], None).err().unwrap(), "positive");
    refused(fixed("rk4", 1).run(&logistic, &tensor(&[f64::NAN], &[1]), &[0.0, 1.0], None).err().unwrap(), "initial");
    // A solution that leaves the numbers in finite time stops step control, too.
    let rollout = Rollout { steps: rule, ..fixed("dormand_prince", 1) };
    refused(rollout.run(&logistic, &tensor(&[-1.0], &[1, 1, 1]), &[0.0, 9.0], None).err().unwrap(), "t = ");
    let (stiff, y0) = modes(400.0);
    let warning = fixed("rk4", 10).run(&stiff, &y0, &[0.0, 0.01], None).unwrap().warning;
    assert!(warning.is_none());
    let warning = fixed("rk4", 1).run(&stiff, &y0, &[0.0, 0.01], None).unwrap().warning.unwrap();
    assert!(warning.contains("stable up to"), "{warning}");
    assert!(fixed("etdrk4", 1).run(&stiff, &y0, &[0.0, 0.01], None).unwrap().warning.is_none());
}

#[test]
fn progress_is_reported_for_every_step() {
    let session = Session::new(Options::default());
    let mut progress = session.progress("solve", 8);
    let logistic = Logistic { a: tensor(&[1.0], &[1]) };
    let solution =
        fixed("rk4", 4).run(&logistic, &tensor(&[0.5], &[1]), &[0.0, 1.0, 2.0], Some(&mut progress)).unwrap();
    assert_eq!((solution.statistics.steps.len(), solution.statistics.evaluations), (8, 32));
    let pair = fixed("dormand_prince", 4).run(&logistic, &tensor(&[0.5], &[1]), &[0.0, 1.0, 2.0], None).unwrap();
    // The last stage of each step is the first of the next.
    assert_eq!(pair.statistics.evaluations, 8 * 6 + 1);
    let (bodies, start) = pendulum();
    for (name, evaluations) in [("symplectic_euler", 8), ("leapfrog", 8), ("verlet", 8 + 1), ("yoshida4", 8 * 3)] {
        let solution = fixed(name, 4).run(&bodies, &start, &[0.0, 1.0, 2.0], None).unwrap();
        assert_eq!(solution.statistics.evaluations, evaluations, "{name}");
    }
}

#[test]
fn equal_output_times_share_their_multipliers() {
    let (system, y0) = modes(0.5);
    let times: Vec<f64> = (0..=30).map(|i| 0.1 * i as f64).collect();
    let rollout = fixed("etdrk4", 3);
    let lengths = rollout.run(&system, &y0, &times, None).unwrap().statistics.steps;
    assert!(lengths.iter().all(|(_, h)| *h == lengths[0].1));
    let rollout = Rollout { steps: StepRule::MaxStep(0.05), ..rollout };
    assert_eq!(rollout.run(&system, &y0, &[0.0, 0.1, 0.2], None).unwrap().statistics.steps.len(), 4);
    assert_eq!(rollout.total(&[0.0, 0.1, 0.2]), 4);
}

#[test]
fn times_of_lost_steps_have_the_digits_of_the_step() {
    let rows = [
        (0.0006, 0.0002, "from t = 0.0006 to 0.0008"),
        (0.001_400_000_066_5, 0.000_200_000_009, "from t = 0.0014 to 0.0016"),
        (12.5, 1e-6, "from t = 12.5 to 12.500001"),
        (0.0, 0.1, "from t = 0.0 to 0.1"),
        (-1.0, 0.3, "from t = -1.0 to -0.7"),
        (1.0, 0.0, "from t = 1.0 to 1.0"),
    ];
    for (t, h, text) in rows {
        let error = crate::solve::not_finite(3, &crate::solve::Planned { t, h, outputs: Vec::new() }).to_string();
        assert!(error.contains(text), "{text}: {error}");
    }
}
