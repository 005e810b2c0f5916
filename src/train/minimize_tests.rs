//! Minima that are known, with every optimiser, bounds and transforms.

use std::collections::HashMap;
use std::rc::Rc;

use super::*;
use crate::error::{Kind, Result};
use crate::nn::Parameters;
use crate::session::{Options, Session, Terminal};
use crate::tensor::{Precision, Tensor, Unary};

fn session(name: &str) -> Session {
    let run_folder = std::env::temp_dir().join(format!("ansatz-minimize-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&run_folder);
    Session::new(Options {
        run_folder,
        precision: Precision::F64,
        sink: Rc::new(Terminal::new(true)),
        ..Options::default()
    })
}
fn named(session: &Session, values: &[(&str, &[f64])]) -> Parameters {
    let tensor = |v: &[f64]| Tensor::new(session.context(), v.to_vec(), &[v.len()]).unwrap();
    Parameters::from_pairs(values.iter().map(|(name, v)| (name.to_string(), tensor(v)))).unwrap()
}
fn numbers(parameters: &Parameters) -> Vec<f64> {
    parameters.values().iter().flat_map(|t| t.to_vec().unwrap()).collect()
}
fn square(x: &Tensor) -> Result<Tensor> {
    x.unary(Unary::Square)
}
/// `(1 − x)² + 100 (y − x²)²`
fn rosenbrock(p: &Parameters) -> Result<Tensor> {
    let p = &p.values()[0];
    let (x, y) = (p.select(0, 0)?, p.select(0, 1)?);
    square(&x.scale(-1.0)?.shift(1.0)?)?.add(&square(&y.sub(&square(&x)?)?)?.scale(100.0)?)
}
fn quiet(steps: u64) -> Minimization {
    Minimization { steps, progress: false, ..Minimization::default() }
}

#[test]
fn the_valley_with_every_optimiser() {
    let s = session("valley");
    let start = named(&s, &[("x", &[-1.2, 1.0])]);
    let momentum = Optimizer::new(Method::Sgd(Sgd { momentum: 0.95, ..Sgd::default() }), 2e-4);
    for (name, optimizer, steps, tolerance) in [
        ("sgd", Optimizer::sgd(1e-3), 40_000, 1e-2),
        ("momentum", momentum, 10_000, 1e-2),
        ("adam", Optimizer::adam(0.02), 6_000, 1e-2),
        ("adamw", Optimizer::new(Method::Adam(Adam { decay: 0.0, ..Adam::decoupled() }), 0.02), 6_000, 1e-2),
        ("lbfgs", Optimizer::lbfgs(), 60, 1e-8),
    ] {
        let found = minimize(&s, &optimizer, &start, &quiet(steps), &mut rosenbrock).unwrap();
        let x = numbers(&found.x);
        assert!(x.iter().all(|x| (x - 1.0).abs() < tolerance), "{name}: {x:?}");
        assert_eq!(found.losses.len() as u64, found.steps + 1);
        assert!((found.losses[0] - 24.2).abs() < 1e-12, "{name}");
        assert!(found.loss <= found.losses.iter().copied().fold(f64::INFINITY, f64::min));
        assert_eq!(optimizer.steps(), 0, "{name}: what was given is not changed");
    }
}

/// `x` below ½ leaves the minimum on the bound: `x = ½`, `y = ¼`.
#[test]
fn bounds_hold_with_every_optimiser() {
    let s = session("bounds");
    let start = named(&s, &[("x", &[-1.2, 1.0])]);
    for (name, optimizer, steps, tolerance) in [
        ("sgd", Optimizer::sgd(1e-3), 20_000, 1e-3),
        ("adam", Optimizer::adam(0.02), 6_000, 1e-2),
        ("lbfgs", Optimizer::lbfgs(), 80, 1e-7),
    ] {
        let plan = Minimization { upper: named(&s, &[("x", &[0.5, 10.0])]), ..quiet(steps) };
        let mut outside = 0;
        let found = minimize(&s, &optimizer, &start, &plan, &mut |p| {
            outside += usize::from(p.values()[0].to_vec()?[0] > 0.5);
            rosenbrock(p)
        })
        .unwrap();
        let x = numbers(&found.x);
        assert_eq!(outside, 0, "{name}: evaluated outside of the bounds");
        assert!((x[0] - 0.5).abs() < tolerance && (x[1] - 0.25).abs() < tolerance, "{name}: {x:?}");
    }
    // A box with the minimum in one of its corners, and one number free.
    let corner = |p: &Parameters| {
        let x = &p.values()[0];
        x.mul(&Tensor::new(x.context(), vec![1.0, -1.0, 0.0], &[3])?)?
            .sum_all()?
            .add(&square(&x.select(0, 2)?.shift(-0.3)?)?)
    };
    let plan =
        Minimization { lower: named(&s, &[("x", &[-1.0; 3])]), upper: named(&s, &[("x", &[2.0; 3])]), ..quiet(50) };
    let found = minimize(&s, &Optimizer::lbfgs(), &named(&s, &[("x", &[0.0; 3])]), &plan, &mut { corner }).unwrap();
    let x = numbers(&found.x);
    assert!(x[0] == -1.0 && x[1] == 2.0 && (x[2] - 0.3).abs() < 1e-7, "{x:?}");
    assert!(found.converged());
    let start = named(&s, &[("x", &[5.0, 0.0, 0.0])]);
    let error = minimize(&s, &Optimizer::lbfgs(), &start, &plan, &mut { corner }).err().unwrap();
    assert!(error.to_string().contains("outside of its bounds"), "{error}");
}

#[test]
fn transforms_keep_the_domain() {
    let s = session("transforms");
    // Two coefficients, seven orders of magnitude apart, and one without a transform.
    let wanted = [1e-4f64, 2e3, -0.5];
    let loss = |p: &Parameters| {
        let [a, b, c] = p.values() else { unreachable!() };
        let log = |x: &Tensor, to: f64| square(&x.unary(Unary::Log)?.shift(-to.ln())?);
        log(a, wanted[0])?.add(&log(b, wanted[1])?)?.add(&square(&c.shift(-wanted[2])?)?)?.sum_all()
    };
    let start = named(&s, &[("a", &[1.0]), ("b", &[1.0]), ("c", &[1.0])]);
    let transforms = HashMap::from([("a".to_string(), Transform::Log), ("b".to_string(), Transform::Log)]);
    for (name, optimizer, steps, tolerance) in
        [("lbfgs", Optimizer::lbfgs(), 30, 1e-8), ("adam", Optimizer::adam(0.1), 1500, 1e-3)]
    {
        let plan = Minimization { transforms: transforms.clone(), ..quiet(steps) };
        let found = minimize(&s, &optimizer, &start, &plan, &mut { loss }).unwrap();
        for (x, wanted) in numbers(&found.x).iter().zip(wanted) {
            assert!((x / wanted - 1.0).abs() < tolerance, "{name}: {x:e} instead of {wanted:e}");
        }
    }
    // The minimum lies outside of the bounds: sigmoid approaches them, log with a bound stops there.
    let one = |x: f64| named(&s, &[("x", &[x])]);
    let far = |p: &Parameters| square(&p.values()[0].shift(-3.0)?)?.sum_all();
    let bound = |x: f64| Tensor::new(s.context(), vec![x], &[1]).unwrap();
    for (transform, lower, least) in [
        (Transform::Sigmoid { lower: bound(0.5), upper: bound(2.0) }, 0.5, 1.99),
        (Transform::Log, 0.5, 2.0),
        (Transform::Softplus, 0.0, 2.0),
    ] {
        let transforms = HashMap::from([("x".to_string(), transform)]);
        let plan = Minimization { transforms, lower: one(lower), upper: one(2.0), ..quiet(100) };
        let found = minimize(&s, &Optimizer::lbfgs(), &one(1.0), &plan, &mut { far }).unwrap();
        let x = numbers(&found.x)[0];
        assert!(x > least - 1e-12 && x < 2.0 + 1e-12, "{x}");
    }
    let plan = Minimization { transforms: HashMap::from([("x".into(), Transform::Log)]), ..quiet(3) };
    assert_eq!(minimize(&s, &Optimizer::lbfgs(), &one(-1.0), &plan, &mut { far }).err().unwrap().kind(), Kind::Value);
}

/// `y = (x₀, x₁²)`, `½|y|²` from (3, 3): ten steps of gradient descent as published by the physics-based deep learning book.
#[test]
fn ten_steps_of_gradient_descent() {
    let s = session("toy");
    let loss = |p: &Parameters| {
        let x = &p.values()[0];
        square(&x.select(0, 0)?)?.add(&square(&square(&x.select(0, 1)?)?)?)?.scale(0.5)
    };
    let plan = Minimization { keep_last: true, ..quiet(10) };
    let start = named(&s, &[("x", &[3.0, 3.0])]);
    let found = minimize(&s, &Optimizer::sgd(0.02), &start, &plan, &mut { loss }).unwrap();
    let (mut x, mut losses) = ([3.0f64, 3.0], vec![]);
    for _ in 0..10 {
        losses.push(0.5 * (x[0].powi(2) + x[1].powi(4)));
        x = [x[0] - 0.02 * x[0], x[1] - 0.02 * 2.0 * x[1].powi(3)];
    }
    let got = numbers(&found.x);
    assert!((got[0] - 2.4512).abs() < 5e-5 && (got[1] - 0.9617).abs() < 5e-5, "{got:?}");
    assert!(got.iter().zip(x).all(|(a, b)| (a - b).abs() < 1e-14));
    assert!(found.losses.iter().zip(&losses).all(|(a, b)| (a - b).abs() < 1e-12 * b));
    assert_eq!(found.losses.len(), 11);
}

#[test]
fn it_ends_where_it_should() {
    let s = session("ends");
    let bowl = |p: &Parameters| square(&p.values()[0])?.sum_all();
    let start = named(&s, &[("x", &[1.0, -2.0])]);
    for (tolerance, optimizer, steps, end) in [
        (1e-3, Optimizer::sgd(0.25), 100, End::Gradient),
        (0.0, Optimizer::sgd(0.25), 5, End::Steps),
        (1e-6, Optimizer::lbfgs(), 50, End::Gradient),
    ] {
        let plan = Minimization { tolerance, ..quiet(steps) };
        let found = minimize(&s, &optimizer, &start, &plan, &mut { bowl }).unwrap();
        assert_eq!(found.end, end);
        // 0.5 per step: ten steps make it a thousandth.
        assert!(end != End::Gradient || found.steps <= 10, "{}", found.steps);
    }
    let found = minimize(&s, &Optimizer::lbfgs(), &start, &quiet(0), &mut { bowl }).unwrap();
    assert_eq!((numbers(&found.x), found.losses), (vec![1.0, -2.0], vec![5.0]));
    // The best point, although the last ones are worse.
    let jumping = Optimizer::new(Method::Sgd(Sgd::default()), Schedule::Piecewise(vec![(0, 0.45), (1, 10.0)]));
    for keep_last in [false, true] {
        let plan = Minimization { keep_last, ..quiet(3) };
        let found = minimize(&s, &jumping, &start, &plan, &mut { bowl }).unwrap();
        let at = if keep_last { 3 } else { 1 };
        assert!((found.loss - found.losses[at]).abs() < 1e-12 && found.losses[1] < found.losses[3]);
        assert!((bowl(&found.x).unwrap().item().unwrap() - found.loss).abs() < 1e-12 * found.loss);
    }
}

#[test]
fn what_is_not_finite_stops_with_the_step() {
    let s = session("nan");
    let start = named(&s, &[("x", &[1.0])]);
    let mut count = 0;
    let mut f = |p: &Parameters| {
        count += 1;
        square(&p.values()[0])?.sum_all()?.scale(if count > 3 { f64::NAN } else { 1.0 })
    };
    let error = minimize(&s, &Optimizer::sgd(0.1), &start, &quiet(9), &mut f).err().unwrap();
    assert_eq!(error.kind(), Kind::NotFinite);
    let text = error.to_string();
    assert!(text.contains("step 3") && text.contains("minimize.safetensors"), "{text}");
    let kept = checkpoint::Checkpoint::read(s.context(), &s.run().path().join("minimize.safetensors")).unwrap();
    assert!((numbers(kept.group("x").unwrap())[0] - 0.64).abs() < 1e-12);

    // Broken off: the best point is kept, under the name that was given, and the kind of the error stays.
    let mut count = 0;
    let mut f = |p: &Parameters| {
        count += 1;
        if count > 4 {
            return Err(crate::Error::interrupted());
        }
        square(&p.values()[0])?.sum_all()
    };
    let plan = Minimization { name: "inverse".into(), ..quiet(9) };
    let error = minimize(&s, &Optimizer::sgd(0.1), &start, &plan, &mut f).err().unwrap();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert!(error.to_string().contains("inverse.safetensors"), "{error}");
    let kept = checkpoint::Checkpoint::read(s.context(), &s.run().path().join("inverse.safetensors")).unwrap();
    assert!((numbers(kept.group("x").unwrap())[0] - 0.512).abs() < 1e-12);
}

#[test]
fn scripts_get_back_what_they_gave() {
    let mut host = crate::script::Host::new(session("scripts"));
    let mut run = |code: &str| host.evaluate("test", code);
    for (code, expected) in [
        (
            "let g = grid::periodic([16], [TAU]); let wanted = g.sample(|x| sin(x)); \
             let found = minimize(|u| mse(u, wanted), zeros_like(wanted), #{ optimizer: optim::lbfgs(), steps: 50 }); \
             type_name(found) == \"Field\" && all(abs(found - wanted) < 1e-6)",
            "true",
        ),
        ("type_name(minimize(|x| (x - 2) ** 2, 0))", "float"),
        ("minimize(|x| (x - 2) ** 2, 0.5, #{ steps: 0 })", "0.5"),
        // One step from 3 at a rate of 5: 3 − 5 · 0.1 · 3.
        (
            "let h = minimize_history(|x| 0.05 * x * x, 3.0, #{ optimizer: optim::sgd(#{ lr: 5 }), steps: 1, keep: \"last\" }); \
             abs(h.x - 1.5) < 1e-12 && h.losses.len() == 2 && abs(item(h.losses[0]) - 0.45) < 1e-12 && h.steps == 1 && !h.converged",
            "true",
        ),
        (
            "let p = minimize(|p| (ln(p.nu) - ln(1e-4)) ** 2 + sum((p.u0 - 1) ** 2), #{ nu: 0.1, u0: zeros([3]) }, #{ transform: #{ nu: \"log\" } }); \
             abs(p.nu / 1e-4 - 1) < 1e-5 && type_name(p.u0) == \"Tensor\"",
            "true",
        ),
        (
            "let adam = optim::adam(); minimize(|x| x * x, 1.0, #{ optimizer: adam, steps: 3 }); `${adam}`.contains(\"after 0 steps\")",
            "true",
        ),
    ] {
        let value = run(code).unwrap_or_else(|e| panic!("{code}\n{e}"));
        assert_eq!(crate::script::value::compact(&value), expected, "{code}");
    }
    for (code, expected) in [
        ("minimize(|x| x * x, \"1\")", "a number, a tensor or a field"),
        ("minimize(|x| x, tensor([1, 2]))", "single number"),
        ("minimize(|p| p.drift ** 2, #{ drift: 1.0 }, #{ lower: #{ drfit: 0 } })", "did you mean `drift`"),
        ("minimize(|x| x * x, 1.0, #{ transform: \"lgo\" })", "did you mean \"log\""),
        ("minimize(|x| x * x, 1.0, #{ transform: \"sigmoid\" })", "lower` and `upper"),
        ("minimize(|x| x * x, 1.0, #{ lower: 2 })", "outside of its bounds"),
        ("minimize(|x| x * x, 1.0, #{ lower: 2, upper: 1 })", "leave no room"),
        ("minimize(|x| x * x, tensor([1, 2]), #{ lower: tensor([1, 2, 3]) })", "fits the unknown"),
        ("minimize(|x| 0.0 / (x - x), 1.0)", "not finite"),
        ("minimize(|x| x * x, #{})", "map of them"),
    ] {
        let error = run(code).err().unwrap_or_else(|| panic!("{code} gave a value")).to_string();
        assert!(error.contains(expected), "{code}: {error}");
    }
}
