//! Interpolation, projection, advection and smoke: exact cases, orders, gradients, and the published run.

use std::f64::consts::{PI, TAU};

use super::interpolate::{Outside, Rule, interpolate};
use super::*;
use crate::error::{Kind, Result};
use crate::field::{Edge, Field, Grid, Location};
use crate::solve::elliptic::Solve;
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Context, Precision, Tensor, Unary, value_and_gradient};

fn box_of(points: &[usize], lengths: &[f64], periodic: &[bool]) -> Grid {
    let side = |wraps: bool| if wraps { Edge::Periodic } else { Edge::neumann(0.0) };
    let sides = periodic.iter().map(|&p| [side(p).into(), side(p).into()]).collect();
    let bounds: Vec<(f64, f64)> = lengths.iter().map(|&l| (0.0, l)).collect();
    Grid::new(points, &bounds, Location::Centres, sides).unwrap()
}
fn largest(x: &Tensor) -> f64 {
    x.to_vec().unwrap().iter().fold(0.0, |m, e| e.abs().max(m))
}
fn dot(a: &Staggered, b: &Staggered) -> f64 {
    let pairs = a.components().iter().zip(b.components());
    pairs.map(|(a, b)| a.mul(b).unwrap().sum_all().unwrap().item().unwrap()).sum()
}
/// A field of cells from a function of their centres.
fn on(grid: &Grid, c: &Context, f: impl Fn(f64, f64) -> f64) -> Field {
    let [x, y] = [grid.axes()[0].positions(), grid.axes()[1].positions()];
    let values = x.iter().flat_map(|&x| y.iter().map(move |&y| (x, y))).map(|(x, y)| f(x, y)).collect();
    Field::new(Tensor::new(c, values, &grid.shape()).unwrap(), grid.clone()).unwrap()
}
/// A component from a function of its faces.
fn across(domain: &Domain, c: &Context, axis: usize, f: impl Fn(f64, f64) -> f64) -> Tensor {
    let (shape, axes) = (domain.faces(axis), domain.grid().axes());
    // Points of a periodic axis begin at its low end, faces half a cell before.
    let at = |i: usize, a: usize| axes[a].low + axes[a].spacing() * (i as f64 + if a == axis { 0.0 } else { 0.5 });
    let values = (0..shape[0]).flat_map(|i| (0..shape[1]).map(move |j| (i, j))).map(|(i, j)| f(at(i, 0), at(j, 1)));
    Tensor::new(c, values.collect(), &shape).unwrap()
}
const CLOSED: [Side; 2] = [Side::Closed, Side::Closed];
const WRAPS: [Side; 2] = [Side::Periodic, Side::Periodic];

#[test]
fn interpolation_and_its_gradients() {
    let c = context();
    let x = Tensor::new(&c, vec![1.0, 3.0, 7.0], &[1, 1, 3]).unwrap();
    let at = [-1.5, -0.25, 0.0, 0.5, 1.75, 2.0, 2.5, 4.0];
    let p = Tensor::new(&c, at.to_vec(), &[1, 1, 8]).unwrap();
    for (outside, expected) in [
        (Outside::Clamp, [1.0, 1.0, 1.0, 2.0, 6.0, 7.0, 7.0, 7.0]),
        (Outside::Zero, [0.0, 0.75, 1.0, 2.0, 6.0, 7.0, 3.5, 0.0]),
        (Outside::Wrap, [5.0, 2.5, 1.0, 2.0, 6.0, 7.0, 4.0, 3.0]),
    ] {
        let y = interpolate(&x, &p, &Rule::new(&[3], &[[outside; 2]])).unwrap().to_vec().unwrap();
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{outside:?}: {y:?}");
    }
    // Positions inside, outside and far away, but off the kinks.
    let rules = [
        Rule::new(&[4, 5], &[[Outside::Wrap; 2], [Outside::Clamp; 2]]),
        Rule::new(&[4, 5], &[[Outside::Zero; 2], [Outside::Zero, Outside::Clamp]]),
    ];
    for rule in rules {
        let inputs =
            [sample(&c, &[2, 3, 4, 5], 1), sample(&c, &[2, 2, 9], 2).scale(8.0).unwrap().shift(-1.77).unwrap()];
        let error = gradient_error(&inputs, |x| interpolate(&x[0], &x[1], &rule));
        assert!(error < 1e-7, "{rule:?}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| interpolate(&y[0], &y[1], &rule)?.powf(2.0)?.sum_all())?;
            g.iter().map(|g| g.powf(2.0)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(second < 1e-6, "{rule:?}, second order: {second:e}");
    }
    let far = p.scale(1e300).unwrap();
    for outside in [Outside::Clamp, Outside::Zero, Outside::Wrap] {
        for p in [&far, &far.scale(1e300).unwrap(), &p.scale(f64::NAN).unwrap()] {
            assert!(interpolate(&x, p, &Rule::new(&[3], &[[outside; 2]])).is_ok());
        }
    }
}

fn domains(c: &Context) -> Vec<(&'static str, Domain)> {
    let disc = |grid: &Grid| on(grid, c, |x, y| if (x - 0.5).hypot(y - 0.6) < 0.22 { 1.0 } else { 0.0 });
    let grids = [
        ("closed", [false, false], [CLOSED, CLOSED]),
        ("open above", [false, false], [CLOSED, [Side::Closed, Side::Open]]),
        ("channel", [false, false], [[Side::Open, Side::Open], CLOSED]),
        ("periodic", [true, false], [WRAPS, CLOSED]),
    ];
    let mut all = Vec::new();
    for (name, periodic, sides) in grids {
        let grid = box_of(&[14, 19], &[1.0, 1.3], &periodic);
        all.push((name, Domain::new(&grid, sides.to_vec(), None).unwrap()));
        all.push((name, Domain::new(&grid, sides.to_vec(), Some(&disc(&grid))).unwrap()));
    }
    all
}
fn some(domain: &Domain, c: &Context, salt: usize) -> Staggered {
    let parts =
        (0..2).map(|axis| sample(c, &[&[2, 1], &domain.faces(axis)[..]].concat(), salt + axis).shift(-0.5).unwrap());
    Staggered::new(domain, parts.collect()).unwrap()
}

#[test]
fn projection_leaves_no_divergence() {
    let c = context();
    let how = Solve { tolerance: Some(1e-12), ..Solve::default() };
    for (name, domain) in domains(&c) {
        let (v, w) = (some(&domain, &c, 1), some(&domain, &c, 5));
        let (free, pressure, report) = v.make_incompressible(how).unwrap();
        let left = largest(free.divergence().unwrap().values()) / largest(v.divergence().unwrap().values());
        assert!(left < 1e-10, "{name} {}: {left:e}, {report:?}", domain.has_obstacles());
        // Nothing goes through what is closed.
        for (axis, v) in free.components().iter().enumerate() {
            let shut = domain.open(&c, Precision::F64, axis).unwrap().scale(-1.0).unwrap().shift(1.0).unwrap();
            assert_eq!(largest(&v.mul(&shut).unwrap()), 0.0, "{name}");
        }
        // The same operator, put together in two ways: by faces, and as the divergence of the slope.
        let operator = domain.conductances(&c, Precision::F64).unwrap().apply(pressure.values()).unwrap();
        let source = v.held().unwrap().divergence().unwrap();
        assert!(largest(&operator.add(source.values()).unwrap()) < 1e-9 * largest(source.values()), "{name}");
        // An orthogonal projection where pressure is 0 at the faces or nothing goes through; half cells at open sides weigh otherwise.
        let (again, _, _) = free.make_incompressible(how).unwrap();
        for (a, b) in again.components().iter().zip(free.components()) {
            assert!(largest(&a.sub(b).unwrap()) < 1e-10, "{name}");
        }
        if domain.sides().iter().flatten().all(|side| *side != Side::Open) {
            let (other, _, _) = w.make_incompressible(how).unwrap();
            assert!((dot(&free, &w) - dot(&v, &other)).abs() < 1e-9, "{name}");
        }
    }
}

#[test]
fn projection_in_three_dimensions_and_single_precision() {
    for (precision, tolerance) in [(Precision::F64, 1e-8), (Precision::F32, 1e-4)] {
        let c = Context::cpu(precision);
        let grid = box_of(&[8, 9, 7], &[1.0; 3], &[false, false, true]);
        let solid = (0..8 * 9 * 7).map(|i| if i % 63 / 7 == 4 && i / 63 < 5 { 1.0 } else { 0.0 }).collect();
        let solid = Field::new(Tensor::new(&c, solid, &[8, 9, 7]).unwrap(), grid.clone()).unwrap();
        for solid in [None, Some(&solid)] {
            let domain = Domain::new(&grid, vec![CLOSED, [Side::Open, Side::Closed], WRAPS], solid).unwrap();
            let parts = (0..3).map(|axis| sample(&c, &domain.faces(axis), axis + 1));
            let v = Staggered::new(&domain, parts.collect()).unwrap();
            let (free, _, _) = v.make_incompressible(Solve::default()).unwrap();
            let left = largest(free.divergence().unwrap().values()) / largest(v.divergence().unwrap().values());
            assert!(left < tolerance, "{precision:?}: {left:e}");
        }
    }
}

#[test]
fn gradients_go_through_projection_and_smoke() {
    let c = context();
    let how = Solve { tolerance: Some(1e-13), ..Solve::default() };
    let grid = box_of(&[5, 6], &[5.0, 6.0], &[false, false]);
    let block = on(&grid, &c, |x, y| if x > 2.0 && x < 3.0 && y > 3.0 && y < 4.0 { 1.0 } else { 0.0 });
    for sides in [vec![CLOSED, CLOSED], vec![CLOSED, [Side::Closed, Side::Open]]] {
        for solid in [None, Some(&block)] {
            let domain = Domain::new(&grid, sides.clone(), solid).unwrap();
            let shapes: Vec<Vec<usize>> = (0..2).map(|axis| [&[1, 1], &domain.faces(axis)[..]].concat()).collect();
            let inputs = [sample(&c, &shapes[0], 1), sample(&c, &shapes[1], 2), sample(&c, &[1, 1, 5, 6], 3)];
            let all = |v: &Staggered, s: &Field| -> Result<Tensor> {
                let parts: Vec<Tensor> =
                    v.components().iter().chain([s.values()]).map(|t| t.reshape(&[t.len()])).collect::<Result<_>>()?;
                Tensor::concat(&parts, 0)
            };
            let error = gradient_error(&inputs, |x| {
                let v = Staggered::new(&domain, x[..2].to_vec())?;
                let (free, p, _) = v.make_incompressible(how)?;
                all(&free, &p)
            });
            assert!(error < 1e-7, "projection: {error:e}");
            let step = SmokeStep {
                pressure: how,
                advection: Advection::SemiLagrangian,
                dt: 0.7,
                ..SmokeStep::new(vec![0.1, 0.6])
            };
            let error = gradient_error(&inputs, |x| {
                let mut v = Staggered::new(&domain, x[..2].to_vec())?;
                let mut s = Field::new(x[2].clone(), grid.clone())?;
                for _ in 0..3 {
                    (s, v) = step.step(&s, &v)?;
                }
                all(&v, &s)
            });
            assert!(error < 1e-6, "three steps: {error:e}");
        }
    }
}

#[test]
fn advection_shifts_and_converges() {
    let c = context();
    // A shift by whole cells is exact.
    let grid = box_of(&[12, 10], &[12.0, 10.0], &[true, true]);
    let domain = Domain::new(&grid, vec![WRAPS, WRAPS], None).unwrap();
    let wind = Staggered::new(
        &domain,
        vec![Tensor::full(&c, &[12, 10], 1.0).unwrap(), Tensor::full(&c, &[12, 10], -2.0).unwrap()],
    )
    .unwrap();
    let f = Field::new(sample(&c, &[2, 3, 12, 10], 1), grid).unwrap();
    for method in [Advection::SemiLagrangian, Advection::MacCormack] {
        let moved = advect(&f, &wind, 1.0, method).unwrap();
        let rolled = f.values().roll(1, 2).unwrap().roll(-2, 3).unwrap();
        assert!(largest(&moved.values().sub(&rolled).unwrap()) < 1e-13, "{method:?}");
        let moved = advect_velocity(&wind, &wind, 1.0).unwrap();
        assert!(moved.components().iter().zip(wind.components()).all(|(a, b)| largest(&a.sub(b).unwrap()) < 1e-13));
    }
    // A flow that shears and turns: to a quarter of its time and back by the opposite flow.
    for (method, order) in [(Advection::SemiLagrangian, 1.0), (Advection::MacCormack, 2.0)] {
        let error = |n: usize| {
            let grid = box_of(&[n, n], &[1.0, 1.0], &[true, true]);
            let domain = Domain::new(&grid, vec![WRAPS, WRAPS], None).unwrap();
            let parts = vec![across(&domain, &c, 0, |_, _| 1.0), across(&domain, &c, 1, |_, _| 0.5)];
            let v = Staggered::new(&domain, parts).unwrap();
            let wave = |x: f64, y: f64| (TAU * x).sin() * (TAU * y).cos();
            let steps = n / 4;
            let dt = 0.6 * 2.0 / n as f64;
            let mut s = on(&grid, &c, wave);
            for _ in 0..steps {
                s = advect(&s, &v, dt, method).unwrap();
            }
            let t = steps as f64 * dt;
            let exact = on(&grid, &c, |x, y| wave(x - t, y - 0.5 * t));
            s.values().sub(exact.values()).unwrap().unary(Unary::Abs).unwrap().mean(&[], false).unwrap().item().unwrap()
        };
        let observed = (error(64) / error(128)).log2();
        assert!((observed - order).abs() < 0.2, "{method:?}: order {observed:.2}");
    }
    // MacCormack stays within the values around.
    let grid = box_of(&[20, 20], &[1.0, 1.0], &[false, false]);
    let domain = Domain::new(&grid, vec![CLOSED, CLOSED], None).unwrap();
    let turn = |axis: usize| {
        across(&domain, &c, axis, move |x, y| {
            let (a, b) = if axis == 0 { (x, y) } else { (y, x) };
            (PI * a).sin() * (PI * b).cos() * if axis == 0 { 1.0 } else { -1.0 }
        })
    };
    let v = Staggered::new(&domain, vec![turn(0), turn(1)]).unwrap();
    let mut s = on(&grid, &c, |x, y| if x < 0.5 && y < 0.3 { 1.0 } else { 0.0 });
    for _ in 0..30 {
        s = advect(&s, &v, 0.05, Advection::MacCormack).unwrap();
    }
    let values = s.values().to_vec().unwrap();
    assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{values:?}");
}

/// The field reconstruction of *Physics-based Deep Learning* (Thuerey et al. 2021): smoke of 32 × 40 cells in a closed box, 20 steps,
/// buoyancy 1, an inflow of 1/3 within a radius of 3 at four places; the squared distance of the first three from the fourth, and how it
/// falls when gradient descent at a rate of 1e-3 changes the first velocity. The flow amplifies small differences, such as those of a pressure
/// to five digits there, so that the losses agree in the first two steps only.
#[test]
fn smoke_as_published() {
    const STEPS: usize = 10;
    let c = context();
    let grid = box_of(&[32, 40], &[32.0, 40.0], &[false, false]);
    let domain = Domain::new(&grid, vec![CLOSED, CLOSED], None).unwrap();
    let places = [(12.0, 4.0), (13.0, 6.0), (14.0, 5.0), (16.0, 5.0)];
    let inflows = places.map(|(px, py): (f64, f64)| {
        on(&grid, &c, |x, y| if (x - px).hypot(y - py) <= 3.0 { 1.0 / 3.0 } else { 0.0 }).values().clone()
    });
    let inflow = Field::new(Tensor::concat(&inflows, 0).unwrap(), grid.clone()).unwrap();
    let smoke = SmokeStep { inflow: Some(inflow), ..SmokeStep::new(vec![0.0, 1.0]) };
    let loss = |v: &[Tensor]| -> Result<Tensor> {
        let mut v = Staggered::new(&domain, v.to_vec())?;
        let mut s = Field::new(Tensor::full(&c, &[4, 1, 32, 40], 0.0)?, grid.clone())?;
        for _ in 0..20 {
            (s, v) = smoke.step(&s, &v)?;
        }
        let wanted = s.values().narrow(0, 3, 1)?.detach();
        s.values().sub(&wanted)?.unary(Unary::Square)?.sum_all()?.scale(0.5)
    };
    let mut v = Staggered::still(&domain, &c, 4).unwrap().components().to_vec();
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let (value, gradients) = value_and_gradient(&c, &v, |v| loss(v)).unwrap();
        losses.push(value.item().unwrap());
        v = v.iter().zip(&gradients).map(|(v, g)| v.sub(&g.scale(1e-3).unwrap()).unwrap()).collect();
    }
    println!("{losses:?}");
    assert!((losses[0] - 298.286).abs() < 1e-3, "{losses:?}");
    assert!(losses[9] < 255.0, "{losses:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let c = context();
    let grid = box_of(&[6, 7], &[1.0, 1.0], &[false, true]);
    let shape = |r: Result<Domain>| r.err().map(|e| e.kind());
    assert_eq!(shape(Domain::new(&grid, vec![CLOSED], None)), Some(Kind::Shape));
    assert_eq!(shape(Domain::new(&grid, vec![CLOSED, CLOSED], None)), Some(Kind::Value));
    let domain = Domain::new(&grid, vec![CLOSED, WRAPS], None).unwrap();
    assert_eq!(domain.faces(0), [7, 7]);
    assert_eq!(domain.faces(1), [6, 7]);
    let wrong = Staggered::new(&domain, vec![sample(&c, &[6, 7], 1), sample(&c, &[6, 7], 1)]);
    assert_eq!(wrong.err().unwrap().kind(), Kind::Shape);
    let v = Staggered::still(&domain, &c, 2).unwrap();
    let nan = v.map(|_, v| v.shift(f64::NAN)).unwrap();
    assert_eq!(nan.make_incompressible(Solve::default()).err().unwrap().kind(), Kind::NotFinite);
    let other = on(&box_of(&[5, 7], &[1.0, 1.0], &[false, true]), &c, |x, _| x);
    assert_eq!(advect(&other, &v, 1.0, Advection::MacCormack).err().unwrap().kind(), Kind::Shape);
    assert!(buoyancy(&other, &domain, &[0.0, 1.0]).is_err());
    assert!(buoyancy(&on(&grid, &c, |x, _| x), &domain, &[1.0]).is_err());
    let elsewhere = Domain::new(&grid, vec![CLOSED, WRAPS], None).unwrap();
    assert!(v.add(&Staggered::still(&elsewhere, &c, 1).unwrap()).is_err());
    // All of it solid: nothing flows, nothing fails.
    let full = Domain::new(&grid, vec![CLOSED, WRAPS], Some(&on(&grid, &c, |_, _| 1.0))).unwrap();
    let v = Staggered::new(&full, vec![sample(&c, &[7, 7], 1), sample(&c, &[6, 7], 2)]).unwrap();
    let (free, _, _) = v.make_incompressible(Solve::default()).unwrap();
    assert!(free.components().iter().all(|v| largest(v) == 0.0));
}
