//! `−div(a grad u) + c u = f` against an independent solution, smooth solutions, and its own gradients.

use crate::error::{Kind, Result};
use crate::field::{Edge, EdgeValue, Field, Grid, Location};
use crate::solve::elliptic::{Diffusion, FaceMean, Incompatible, Solve, poisson};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Context, Precision, Tensor, value_and_gradient};

pub(super) fn cells(points: &[usize], edges: &[[Edge; 2]]) -> Grid {
    let sides = edges.iter().map(|[low, high]| [low.clone().into(), high.clone().into()]).collect();
    Grid::new(points, &vec![(0.0, 1.0); points.len()], Location::Centres, sides).unwrap()
}
pub(super) fn held() -> [Edge; 2] {
    [Edge::dirichlet(0.0), Edge::dirichlet(0.0)]
}
fn largest(x: &Tensor) -> f64 {
    x.to_vec().unwrap().iter().fold(0.0, |m, e| e.abs().max(m))
}
fn precise() -> Solve {
    Solve { tolerance: Some(1e-13), ..Solve::default() }
}

/// `−div(a grad u) = 1`, `a` in {0.1, 1}, 32² cells, by a sparse direct solver.
#[test]
fn darcy_flow_as_an_independent_code_has_it() {
    let c = context();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/darcy_2d.npz");
    let arrays = crate::tensor::file::load_npz(&c, &path).unwrap();
    let array = |name: &str| arrays[name].clone();
    let f = Field::new(Tensor::full(&c, &[32, 32], 1.0).unwrap(), cells(&[32, 32], &[held(), held()])).unwrap();
    let (u, report) = Diffusion::new(array("a")).solve(&f, None, precise()).unwrap();
    let wanted = array("u");
    let error = largest(&u.values().sub(&wanted).unwrap()) / largest(&wanted);
    assert!(error < 1e-9, "{error:e}");
    assert!(report.iterations <= 15, "{report:?}");
}

/// `u = sin(1.3x + 0.4) cos(0.7y − 0.2) e^{0.3z}` with `a = 1 + x y/2 + z/4`, every kind of edge.
#[test]
fn smooth_problems_are_of_second_order() {
    let c = context();
    let u = |x: f64, y: f64, z: f64| (1.3 * x + 0.4).sin() * (0.7 * y - 0.2).cos() * (0.3 * z).exp();
    let a = |x: f64, y: f64, z: f64| 1.0 + 0.5 * x * y + 0.25 * z;
    let f = |x: f64, y: f64, z: f64| {
        let (s, co) = (1.3 * x + 0.4).sin_cos();
        let (sy, cy) = (0.7 * y - 0.2).sin_cos();
        let e = (0.3 * z).exp();
        let minus_laplacian = (1.69 + 0.49 - 0.09) * s * cy * e;
        let slopes = 0.5 * y * 1.3 * co * cy * e - 0.5 * x * 0.7 * s * sy * e + 0.25 * 0.3 * s * cy * e;
        a(x, y, z) * minus_laplacian - slopes + (2.0 + x) * u(x, y, z)
    };
    for mean in [FaceMean::Arithmetic, FaceMean::Harmonic] {
        let error = |m: usize| {
            let n = [8 * m, 7 * m, 5 * m];
            let at = |i: usize, axis: usize| (i as f64 + 0.5) / n[axis] as f64;
            let on = |f: &dyn Fn(f64, f64, f64) -> f64| {
                let mut values = Vec::new();
                for i in 0..n[0] {
                    for j in 0..n[1] {
                        values.extend((0..n[2]).map(|k| f(at(i, 0), at(j, 1), at(k, 2))));
                    }
                }
                Tensor::new(&c, values, &n).unwrap()
            };
            let side = |axis: usize, f: &dyn Fn(f64, f64) -> f64| {
                let (p, q) = [(1, 2), (0, 2), (0, 1)][axis];
                let values = (0..n[p]).flat_map(|i| (0..n[q]).map(move |j| (i, j))).map(|(i, j)| f(at(i, p), at(j, q)));
                EdgeValue::Tensor(Tensor::new(&c, values.collect(), &[n[p], n[q]]).unwrap())
            };
            let u_x = |x: f64, y: f64, z: f64| 1.3 * (1.3 * x + 0.4).cos() * (0.7 * y - 0.2).cos() * (0.3 * z).exp();
            let u_y = |x: f64, y: f64, z: f64| -0.7 * (1.3 * x + 0.4).sin() * (0.7 * y - 0.2).sin() * (0.3 * z).exp();
            let edges = [
                [Edge::Dirichlet(side(0, &|y, z| u(0.0, y, z))), Edge::Neumann(side(0, &|y, z| u_x(1.0, y, z)))],
                [
                    // 2u + 0.5 ∂u/∂n, where n points to −y
                    Edge::robin(2.0, 0.5, side(1, &|x, z| 2.0 * u(x, 0.0, z) - 0.5 * u_y(x, 0.0, z))).unwrap(),
                    Edge::Dirichlet(side(1, &|x, z| u(x, 1.0, z))),
                ],
                [
                    Edge::Neumann(side(2, &|x, y| -0.3 * u(x, y, 0.0))),
                    Edge::robin(1.0, 1.0, side(2, &|x, y| 1.3 * u(x, y, 1.0))).unwrap(),
                ],
            ];
            let problem = Diffusion { c: Some(on(&|x, _, _| 2.0 + x)), mean, ..Diffusion::new(on(&a)) };
            let rhs = Field::new(on(&f), cells(&n, &edges)).unwrap();
            let (found, report) = problem.solve(&rhs, None, Solve::default()).unwrap();
            assert!(report.iterations < 30, "{report:?}");
            largest(&found.values().sub(&on(&u)).unwrap())
        };
        let order = (error(2) / error(4)).log2();
        assert!((order - 2.0).abs() < 0.15, "{mean:?}: {order}");
    }
}

/// Layers that meet at a face: with harmonic means the piecewise linear solution is exact.
#[test]
fn layers_are_exact_with_harmonic_means() {
    let c = context();
    let n = 10;
    let a: Vec<f64> = (0..n).map(|i| if i < n / 2 { 1.0 } else { 0.01 }).collect();
    let grid = cells(&[n], &[[Edge::dirichlet(1.0), Edge::dirichlet(0.0)]]);
    let f = Field::new(Tensor::full(&c, &[n], 0.0).unwrap(), grid).unwrap();
    let problem = Diffusion { mean: FaceMean::Harmonic, ..Diffusion::new(Tensor::new(&c, a, &[n]).unwrap()) };
    let (u, _) = problem.solve(&f, None, precise()).unwrap();
    // The flux through both layers: 1/(0.5/1 + 0.5/0.01).
    let flux = 1.0 / (0.5 + 50.0);
    for (i, u) in u.values().to_vec().unwrap().iter().enumerate() {
        let x = (i as f64 + 0.5) / n as f64;
        let exact = if x < 0.5 { 1.0 - flux * x } else { flux / 0.01 * (1.0 - x) };
        assert!((u - exact).abs() < 1e-11, "{x}: {u} instead of {exact}");
    }
}

#[test]
fn with_constant_coefficients_it_is_the_direct_solver() {
    for precision in [Precision::F64, Precision::F32] {
        let c = Context::cpu(precision);
        let wraps = [Edge::Periodic, Edge::Periodic];
        let slopes = [Edge::neumann(0.3), Edge::neumann(-0.3)];
        for (edges, shift) in [
            ([[Edge::dirichlet(1.0), Edge::neumann(0.5)], wraps.clone()], 0.0),
            ([slopes.clone(), wraps.clone()], 0.0),
            ([slopes, [Edge::dirichlet(0.2), Edge::dirichlet(-1.0)]], 3.0),
            ([wraps.clone(), wraps], 0.7),
        ] {
            let f = Field::new(sample(&c, &[2, 2, 23, 18], 3), cells(&[23, 18], &edges)).unwrap();
            let mean = if shift == 0.0 {
                f.values().mean(&[-1, -2], true).unwrap()
            } else {
                f.values().full_like(0.0).unwrap()
            };
            let f = f.with(f.values().sub(&mean).unwrap()).unwrap();
            let direct = poisson(&f, shift, None, Incompatible::Remove).unwrap();
            let problem = Diffusion { c: Some(Tensor::scalar(&c, shift)), ..Diffusion::new(Tensor::scalar(&c, 1.0)) };
            let how = Solve { incompatible: Incompatible::Remove, ..Solve::default() };
            let (u, _) = problem.solve(&f, None, how).unwrap();
            let error = largest(&u.values().sub(direct.values()).unwrap()) / largest(direct.values());
            let tolerance = if precision == Precision::F64 { 1e-8 } else { 2e-5 };
            assert!(error < tolerance, "{precision:?}: {error:e}");
        }
    }
}

#[test]
fn gradients_reach_everything() {
    let c = context();
    let solve = |x: &[Tensor]| -> Result<Tensor> {
        let edges = [
            [Edge::Dirichlet(EdgeValue::Tensor(x[3].clone())), Edge::robin(1.0, 0.5, EdgeValue::Tensor(x[3].clone()))?],
            [Edge::Neumann(EdgeValue::Tensor(x[4].clone())), Edge::dirichlet(0.1)],
        ];
        let f = Field::new(x[1].clone(), cells(&[4, 5], &edges))?;
        let problem = Diffusion { c: Some(x[2].clone()), ..Diffusion::new(x[0].clone()) };
        Ok(problem.solve(&f, None, precise())?.0.values().clone())
    };
    // a differs per sample, c is common.
    let inputs = [
        sample(&c, &[2, 1, 4, 5], 1),
        sample(&c, &[2, 1, 4, 5], 2),
        sample(&c, &[4, 5], 3),
        sample(&c, &[5], 4),
        sample(&c, &[4], 5),
    ];
    let error = gradient_error(&inputs, solve);
    assert!(error < 1e-7, "{error:e}");
    let small = [
        sample(&c, &[3, 3], 1),
        sample(&c, &[1, 1, 3, 3], 2),
        sample(&c, &[1], 3),
        sample(&c, &[3], 4),
        sample(&c, &[3], 5),
    ];
    let on_small = |x: &[Tensor]| -> Result<Tensor> {
        let edges = [
            [Edge::Dirichlet(EdgeValue::Tensor(x[3].clone())), Edge::dirichlet(0.3)],
            [Edge::Neumann(EdgeValue::Tensor(x[4].clone())), Edge::neumann(0.0)],
        ];
        let f = Field::new(x[1].clone(), cells(&[3, 3], &edges))?;
        let problem = Diffusion { c: Some(x[2].clone()), mean: FaceMean::Harmonic, a: x[0].clone() };
        Ok(problem.solve(&f, None, precise())?.0.values().clone())
    };
    let second = gradient_error(&small, |x| {
        let (_, g) = value_and_gradient(&c, x, |y| on_small(y)?.powf(2.0)?.sum_all())?;
        g.iter().map(|g| g.powf(2.0)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
    });
    assert!(second < 1e-6, "second order: {second:e}");
}

/// `⟨g, J v⟩ = ⟨Jᵀ g, v⟩`, with `J v` by solving for the change of the conductances.
#[test]
fn the_adjoint_is_the_transpose() {
    let c = context();
    let n = [24, 17];
    let grid = cells(&n, &[held(), [Edge::neumann(0.0), Edge::dirichlet(0.0)]]);
    let (a, da) = (sample(&c, &n, 1), sample(&c, &n, 2));
    let (f, df) = (sample(&c, &[1, 1, 24, 17], 3), sample(&c, &[1, 1, 24, 17], 4));
    let g = sample(&c, &[1, 1, 24, 17], 5).shift(-0.5).unwrap();
    let how = Solve { tolerance: Some(1e-15), iterations: 200, ..Solve::default() };
    let solve = |a: &Tensor, f: &Tensor| -> Result<Tensor> {
        let f = Field::new(f.clone(), grid.clone())?;
        Ok(Diffusion::new(a.clone()).solve(&f, None, how)?.0.values().clone())
    };
    let how_loose = |e: crate::Error| panic!("{e}");
    let u = solve(&a, &f).unwrap_or_else(how_loose);
    // A(a) is linear in a: A(a) du = df − A(da) u.
    let on = |a: &Tensor, u: &Tensor| {
        let f = Field::new(u.clone(), grid.clone()).unwrap();
        Diffusion::new(a.clone()).on(&f, None).unwrap().0.apply(u).unwrap()
    };
    let du = solve(&a, &df.sub(&on(&da, &u)).unwrap()).unwrap();
    let (_, gradients) = value_and_gradient(&c, &[a, f], |x| solve(&x[0], &x[1])?.mul(&g)?.sum_all()).unwrap();
    let dot = |x: &Tensor, y: &Tensor| x.mul(y).unwrap().sum_all().unwrap().item().unwrap();
    let (left, right) = (dot(&g, &du), dot(&gradients[0], &da) + dot(&gradients[1], &df));
    assert!((left - right).abs() <= 1e-12 * left.abs().max(right.abs()), "{left:e} {right:e}");
}

#[test]
fn what_cannot_be_solved_is_refused() {
    let c = context();
    let slopes = [Edge::neumann(0.0), Edge::neumann(0.0)];
    let closed = cells(&[12, 12], &[slopes.clone(), slopes]);
    let ones = Field::new(Tensor::full(&c, &[12, 12], 1.0).unwrap(), closed).unwrap();
    let one = Diffusion::new(Tensor::scalar(&c, 1.0));
    let text = |problem: &Diffusion, f: &Field, how: Solve| problem.solve(f, None, how).err().map(|e| e.to_string());
    let error = text(&one, &ones, Solve::default()).unwrap();
    assert!(error.contains("adds up to 0"), "{error}");
    let removed = Solve { incompatible: Incompatible::Remove, ..Solve::default() };
    assert_eq!(largest(one.solve(&ones, None, removed).unwrap().0.values()), 0.0);
    // Two rooms without a door: each must balance.
    let wall = (0..144).map(|i| if i % 12 == 6 { 0.0 } else { 1.0 }).collect();
    let rooms = Diffusion { mean: FaceMean::Harmonic, ..Diffusion::new(Tensor::new(&c, wall, &[12, 12]).unwrap()) };
    let push = (0..144)
        .map(|i| {
            if i % 12 == 6 {
                0.0
            } else if i % 12 < 6 {
                1.0
            } else {
                -1.2
            }
        })
        .collect();
    let push = ones.with(Tensor::new(&c, push, &[12, 12]).unwrap()).unwrap();
    let error = text(&rooms, &push, Solve::default()).unwrap();
    assert!(error.contains("of 2 of the box"), "{error}");
    let held = ones.with(ones.values().clone()).unwrap();
    let nothing = Diffusion::new(Tensor::scalar(&c, 0.0));
    let error = text(&nothing, &held, Solve::default()).unwrap();
    assert!(error.contains("exchanges with nothing"), "{error}");
    let negative = Diffusion::new(Tensor::scalar(&c, -1.0));
    assert!(text(&negative, &held, Solve::default()).unwrap().contains("negative"));
    let nan = Diffusion::new(Tensor::scalar(&c, f64::NAN));
    assert_eq!(nan.solve(&held, None, Solve::default()).err().unwrap().kind(), Kind::NotFinite);
    let bad = held.with(held.values().scale(f64::NAN).unwrap()).unwrap();
    let reacting = Diffusion { c: Some(Tensor::scalar(&c, 1.0)), ..one.clone() };
    assert_eq!(reacting.solve(&bad, None, Solve::default()).err().unwrap().kind(), Kind::NotFinite);
    let indefinite = Diffusion { c: Some(Tensor::scalar(&c, -500.0)), ..one.clone() };
    assert!(text(&indefinite, &push, Solve::default()).unwrap().contains("positive definite"));
    let f = Field::new(sample(&c, &[12, 12], 1), cells(&[12, 12], &[self::held(), self::held()])).unwrap();
    let error = text(&one, &f, Solve { iterations: 2, ..Solve::default() }).unwrap();
    assert!(error.contains("iterations") && error.contains("tolerance"), "{error}");
    // Cells that exchange with none, each with its own reaction.
    let apart = Diffusion { c: Some(Tensor::scalar(&c, 2.0)), ..Diffusion::new(Tensor::scalar(&c, 0.0)) };
    let many = Field::new(sample(&c, &[200, 200], 1), cells(&[200, 200], &[self::held(), self::held()])).unwrap();
    let (u, _) = apart.solve(&many, None, Solve::default()).unwrap();
    assert!(largest(&u.values().scale(2.0).unwrap().sub(many.values()).unwrap()) < 1e-12);
    let other = Diffusion::new(sample(&c, &[7], 1));
    assert_eq!(other.solve(&f, None, Solve::default()).err().unwrap().kind(), Kind::Shape);
}
