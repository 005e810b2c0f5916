//! Interpolation, semi-Lagrangian steps, upwind derivatives and WENO against closed forms, with measured orders.

use std::f64::consts::TAU;

use crate::field::stencil::padding;
use crate::field::transport::{
    advect_mac_cormack, advect_semi_lagrangian, upwind_derivatives, upwind_ghosts, weno5_derivatives, weno5_faces,
};
use crate::field::{Axis, Edge, EdgeKind, Grid, Interpolation, Location, interpolate};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Tensor, Unary, value_and_gradient};

fn ring(n: usize) -> Grid {
    Grid::periodic(&[n], &[(0.0, TAU)]).unwrap()
}
fn walls(points: &[usize], location: Location) -> Grid {
    let sides = points.iter().map(|_| [Edge::neumann(0.0).into(), Edge::neumann(0.0).into()]).collect();
    let bounds = [(0.0, 1.0), (0.0, 2.0), (-1.0, 0.5)];
    Grid::new(points, &bounds[..points.len()], location, sides).unwrap()
}
fn on(grid: &Grid, f: impl Fn(f64) -> f64) -> Tensor {
    let values = grid.axes()[0].positions().into_iter().map(f).collect();
    Tensor::new(&context(), values, &[1, 1, grid.points()]).unwrap()
}
fn worst(a: &Tensor, b: &Tensor) -> f64 {
    a.sub(b).unwrap().unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap()
}

/// A step of transport: `u`, grid, velocity and time.
type Step = fn(&Tensor, &Grid, &[Tensor], f64) -> crate::error::Result<Tensor>;
type Pair = fn(&Tensor) -> crate::error::Result<(Tensor, Tensor)>;

#[test]
fn interpolation_has_its_order_and_wraps() {
    for (method, order, n) in [(Interpolation::Linear, 2.0, 64), (Interpolation::Cubic, 4.0, 32)] {
        for periodic in [true, false] {
            let f = |x: f64| if periodic { (x.sin() + 0.3 * (2.0 * x).cos()).exp() } else { (2.0 * x).exp() };
            let error = |n: usize| {
                let g = if periodic { ring(n) } else { walls(&[n], Location::Centres) };
                let reach = if periodic { 3.0 * TAU } else { 1.0 };
                let places: Vec<f64> = (0..2001).map(|i| reach * (i as f64 / 2000.0)).collect();
                let x = Tensor::new(&context(), places.clone(), &[2001]).unwrap();
                let got = interpolate(&on(&g, f), &g, &[x], false, method).unwrap();
                let exact = Tensor::new(&context(), places.iter().map(|&x| f(x)).collect(), &[1, 1, 2001]).unwrap();
                worst(&got, &exact)
            };
            let seen = (error(n) / error(2 * n)).log2();
            assert!((seen - order).abs() < 0.15, "{method:?} periodic {periodic}: {seen}");
        }
    }
    // Beyond an edge stands the value at the edge.
    let g = walls(&[5], Location::Nodes);
    let u = on(&g, |x| 1.0 + x);
    let x = Tensor::new(&context(), vec![-3.0, 0.0, 0.3, 1.0, 7.0], &[5]).unwrap();
    let got = interpolate(&u, &g, &[x], false, Interpolation::Linear).unwrap().to_vec().unwrap();
    for (got, expected) in got.iter().zip([1.0, 1.0, 1.3, 2.0, 2.0]) {
        assert!((got - expected).abs() < 1e-14);
    }
}

#[test]
fn interpolation_in_two_and_three_dimensions() {
    let c = context();
    for (points, method) in [
        (vec![4, 5], Interpolation::Linear),
        (vec![5, 4], Interpolation::Cubic),
        (vec![4, 3, 5], Interpolation::Linear),
        (vec![4, 4, 5], Interpolation::Cubic),
    ] {
        for location in [Location::Centres, Location::Nodes] {
            let g = walls(&points, location);
            // Trilinear functions are met exactly.
            let coordinates = g.coordinates(&c, crate::tensor::Precision::F64).unwrap();
            let of = |x: &[Tensor]| -> Tensor {
                x.iter().skip(1).fold(x[0].shift(0.3).unwrap(), |u, x| u.mul(&x.shift(1.7).unwrap()).unwrap())
            };
            let u = of(&coordinates).reshape(&[&[1, 1], &g.shape()[..]].concat()).unwrap();
            let places: Vec<Tensor> = g
                .axes()
                .iter()
                .enumerate()
                .map(|(i, a)| sample(&c, &[7], i).scale(a.length()).unwrap().shift(a.low).unwrap())
                .collect();
            let got = interpolate(&u, &g, &places, false, method).unwrap();
            assert_eq!(got.shape(), [1, 1, 7]);
            assert!(worst(&got, &of(&places)) < 1e-13, "{g} {method:?}");
        }
    }
}

#[test]
fn gradients_of_interpolation_and_transport() {
    let c = context();
    let g = Grid::periodic(&[5, 6], &[(0.0, 1.0), (0.0, 2.0)]).unwrap();
    for method in [Interpolation::Linear, Interpolation::Cubic] {
        let f = |x: &[Tensor]| interpolate(&x[0], &g, &[x[1].clone(), x[2].clone()], true, method);
        for lead in [1, 2] {
            let inputs = [sample(&c, &[2, 2, 5, 6], 1), sample(&c, &[lead, 4], 2), sample(&c, &[lead, 4], 3)];
            let error = gradient_error(&inputs, f);
            assert!(error < 1e-7, "{method:?} {error}");
            let second = gradient_error(&inputs, |x| {
                let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
                g.iter().skip(1).try_fold(g[0].unary(Unary::Square)?.sum_all()?, |sum, g| {
                    sum.add(&g.unary(Unary::Square)?.sum_all()?)
                })
            });
            assert!(second < 1e-6, "{method:?} second {second}");
        }
    }
    let g = walls(&[4, 5], Location::Centres);
    let inputs = [sample(&c, &[2, 1, 4, 5], 1), sample(&c, &[2, 4, 5], 2), sample(&c, &[4, 5], 3)];
    let steps: [Step; 2] = [|u, g, v, t| advect_semi_lagrangian(u, g, v, t, Interpolation::Linear), advect_mac_cormack];
    for (i, step) in steps.iter().enumerate() {
        let error = gradient_error(&inputs, |x| step(&x[0], &g, &[x[1].clone(), x[2].clone()], 0.21));
        assert!(error < 1e-6, "{i}: {error}");
    }
    let padded = [sample(&c, &[2, 11], 4)];
    let pairs: [Pair; 4] = [
        |x| upwind_derivatives(x, 1, 0.5, 3),
        |x| upwind_derivatives(x, 1, 0.5, 1),
        |x| weno5_derivatives(x, 1, 0.5),
        |x| weno5_faces(x, 1),
    ];
    for (i, pair) in pairs.iter().enumerate() {
        let error = gradient_error(&padded, |x| pair(&x[0]).and_then(|(a, b)| a.add(&b.scale(0.3)?)));
        assert!(error < 1e-6, "{i}: {error}");
    }
}

#[test]
fn burgers_backtrace() {
    // v'(x) = v(x − v Δt) by straight lines on a ring, written out.
    let g = ring(12);
    let (n, h, dt) = (12, TAU / 12.0, 0.7);
    let v: Vec<f64> = g.axes()[0].positions().iter().map(|x| 1.5 * x.sin() + 0.4).collect();
    let expected: Vec<f64> = (0..n)
        .map(|i| {
            let s = (i as f64 * h - v[i] * dt) / h;
            let (base, f) = (s.floor(), s - s.floor());
            let at = |k: f64| v[(k.rem_euclid(n as f64)) as usize];
            at(base) * (1.0 - f) + at(base + 1.0) * f
        })
        .collect();
    let u = Tensor::new(&context(), v, &[1, 1, n]).unwrap();
    let velocity = [u.reshape(&[1, n]).unwrap()];
    let got = advect_semi_lagrangian(&u, &g, &velocity, dt, Interpolation::Linear).unwrap().to_vec().unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-13);
    }
}

#[test]
fn steps_have_their_order() {
    // A turn on the ring with a fixed Courant number: linear interpolation loses one order to the number of steps.
    let run = |n: usize, step: Step| {
        let g = ring(n);
        let f = |x: f64| x.sin().exp();
        let (velocity, steps) = (Tensor::full(&context(), &[1, n], 1.0).unwrap(), n * 10 / 16);
        let mut u = on(&g, f);
        for _ in 0..steps {
            u = step(&u, &g, std::slice::from_ref(&velocity), TAU / steps as f64).unwrap();
        }
        // In the mean: where the limiter flattens an extremum the largest error is of lower order.
        u.sub(&on(&g, f)).unwrap().unary(Unary::Abs).unwrap().mean(&[], false).unwrap().item().unwrap()
    };
    let cases: [(&str, Step, f64, usize); 3] = [
        ("linear", |u, g, v, dt| advect_semi_lagrangian(u, g, v, dt, Interpolation::Linear), 1.0, 512),
        ("cubic", |u, g, v, dt| advect_semi_lagrangian(u, g, v, dt, Interpolation::Cubic), 3.0, 64),
        ("MacCormack", advect_mac_cormack, 2.0, 256),
    ];
    for (name, step, order, n) in cases {
        let seen = (run(n, step) / run(2 * n, step)).log2();
        assert!((seen - order).abs() < 0.15, "{name}: {seen}");
    }
    // No new extrema.
    let g = walls(&[40], Location::Centres);
    let mut u = on(&g, |x| if (0.2..0.5).contains(&x) { 1.0 } else { 0.0 });
    let velocity = Tensor::full(&context(), &[1, 40], 0.37).unwrap();
    for _ in 0..30 {
        u = advect_mac_cormack(&u, &g, std::slice::from_ref(&velocity), 0.031).unwrap();
    }
    let values = u.to_vec().unwrap();
    assert!(values.iter().all(|v| (-1e-12..=1.0 + 1e-12).contains(v)));
}

fn padded(g: &Grid, u: &Tensor, width: usize) -> Tensor {
    padding(&g.axes()[0], [EdgeKind::Periodic; 2], width, 2).unwrap().apply(u, 2, [None, None]).unwrap()
}

#[test]
fn one_sided_derivatives_have_their_order() {
    let f = |x: f64| x.sin() + 0.2 * (2.0 * x).cos();
    let slope = |x: f64| x.cos() - 0.4 * (2.0 * x).sin();
    for (order, n) in [(1, 64), (3, 32), (5, 32), (0, 64)] {
        let errors = |n: usize| {
            let g = ring(n);
            let h = g.cell_volume();
            let (minus, plus) = match order {
                0 => weno5_derivatives(&padded(&g, &on(&g, f), 3), 2, h).unwrap(),
                _ => upwind_derivatives(&padded(&g, &on(&g, f), upwind_ghosts(order).unwrap()), 2, h, order).unwrap(),
            };
            [worst(&minus, &on(&g, slope)), worst(&plus, &on(&g, slope))]
        };
        let (coarse, fine) = (errors(n), errors(2 * n));
        for i in 0..2 {
            let seen = (coarse[i] / fine[i]).log2();
            let expected = if order == 0 { 5.0 } else { order as f64 };
            // The weights of WENO5 reach their limits only where no critical point is near.
            let tolerance = if order == 0 { 0.6 } else { 0.15 };
            assert!((seen - expected).abs() < tolerance, "order {order}: {seen}");
        }
    }
    assert!(upwind_ghosts(2).is_err());
    assert!(upwind_derivatives(&Tensor::full(&context(), &[2], 1.0).unwrap(), 0, 1.0, 1).is_err());
}

#[test]
fn weno_faces_are_sharp_at_jumps_and_accurate_elsewhere() {
    // Averages of sin + cos/2 over cells, and the value at faces.
    let error = |n: usize| {
        let g = ring(n);
        let h = g.cell_volume();
        let average = |x: f64| ((x.cos() - (x + h).cos()) + 0.5 * ((x + h).sin() - x.sin())) / h;
        let (left, right) = weno5_faces(&padded(&g, &on(&g, average), 3), 2).unwrap();
        let exact: Vec<f64> = (0..=n).map(|i| (i as f64 * h).sin() + 0.5 * (i as f64 * h).cos()).collect();
        let exact = Tensor::new(&context(), exact, &[1, 1, n + 1]).unwrap();
        worst(&left, &exact).max(worst(&right, &exact))
    };
    let seen = (error(64) / error(128)).log2();
    assert!(seen > 4.5, "{seen}");
    let g = ring(20);
    let step = on(&g, |x| if x < 3.0 { 1.0 } else { -1.0 });
    let (left, right) = weno5_faces(&padded(&g, &step, 3), 2).unwrap();
    for side in [left, right] {
        assert!(side.to_vec().unwrap().iter().all(|v| v.abs() < 1.0 + 1e-3));
    }
    let axis = Axis::new("x", (0.0, 1.0), 6, Location::Centres, false).unwrap();
    assert!(padding(&axis, [EdgeKind::Dirichlet; 2], 3, 4).is_ok());
}
