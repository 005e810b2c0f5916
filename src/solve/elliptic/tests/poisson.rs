//! The direct solver: every pair of ends, at centres and nodes, against its own stencil and against smooth solutions.

use std::f64::consts::PI;

use crate::error::{Kind, Result};
use crate::field::{Edge, EdgeKind, EdgeValue, Field, Grid, Location};
use crate::solve::elliptic::{Incompatible, poisson};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Context, Precision, Tensor};

/// `u = sin(1.3x + 0.4) cos(0.7y − 0.2)`: no edge is a symmetry.
fn u(x: f64, y: f64) -> f64 {
    (1.3 * x + 0.4).sin() * (0.7 * y - 0.2).cos()
}
fn u_x(x: f64, y: f64) -> f64 {
    1.3 * (1.3 * x + 0.4).cos() * (0.7 * y - 0.2).cos()
}
fn u_y(x: f64, y: f64) -> f64 {
    -0.7 * (1.3 * x + 0.4).sin() * (0.7 * y - 0.2).sin()
}
/// `−Δu/u`
const MINUS_LAPLACIAN: f64 = 1.3 * 1.3 + 0.7 * 0.7;

fn on(grid: &Grid, c: &Context, f: impl Fn(f64, f64) -> f64) -> Field {
    let [x, y] = [grid.axes()[0].positions(), grid.axes()[1].positions()];
    let values = x.iter().flat_map(|&x| y.iter().map(move |&y| (x, y))).map(|(x, y)| f(x, y)).collect();
    Field::new(Tensor::new(c, values, &grid.shape()).unwrap(), grid.clone()).unwrap()
}
fn worst(a: &Tensor, b: &Tensor) -> f64 {
    a.sub(b).unwrap().to_vec().unwrap().iter().fold(0.0, |m, e| e.abs().max(m))
}

/// A box whose edges carry the values or the outward slopes of `u`.
fn box_of(c: &Context, kinds: [[EdgeKind; 2]; 2], points: [usize; 2], location: Location) -> Grid {
    let bounds = [(0.0, 1.0), (-0.5, 1.0)];
    let free: Vec<[_; 2]> = vec![[Edge::dirichlet(0.0).into(), Edge::dirichlet(0.0).into()]; 2];
    let plain = Grid::new(&points, &bounds, location, free).unwrap();
    let edge = |axis: usize, end: usize| {
        let at = if end == 0 { bounds[axis].0 } else { bounds[axis].1 };
        let outward = if end == 0 { -1.0 } else { 1.0 };
        let along = plain.axes()[1 - axis].positions();
        let place = |s: f64| if axis == 0 { (at, s) } else { (s, at) };
        let value = |f: fn(f64, f64) -> f64, sign: f64| {
            let values = along.iter().map(|&s| place(s)).map(|(x, y)| sign * f(x, y)).collect();
            EdgeValue::Tensor(Tensor::new(c, values, &[along.len()]).unwrap())
        };
        match kinds[axis][end] {
            EdgeKind::Neumann => Edge::Neumann(value(if axis == 0 { u_x } else { u_y }, outward)),
            _ => Edge::Dirichlet(value(u, 1.0)),
        }
    };
    let sides = (0..2).map(|axis| [edge(axis, 0).into(), edge(axis, 1).into()]).collect();
    Grid::new(&points, &bounds, location, sides).unwrap()
}

#[test]
fn every_pair_of_ends_is_of_second_order() {
    let c = context();
    let (d, n) = (EdgeKind::Dirichlet, EdgeKind::Neumann);
    let pairs = [[d, d], [d, n], [n, d], [n, n]];
    for location in [Location::Centres, Location::Nodes] {
        for x in pairs {
            for y in pairs {
                let singular = [x, y].concat().iter().all(|kind| *kind == n);
                let error = |points: [usize; 2]| {
                    let grid = box_of(&c, [x, y], points, location);
                    let f = on(&grid, &c, |x, y| MINUS_LAPLACIAN * u(x, y));
                    let found = poisson(&f, 0.0, None, Incompatible::Refuse).unwrap();
                    let exact = on(&grid, &c, u);
                    let difference = found.values().sub(exact.values()).unwrap();
                    // In the singular case up to a constant.
                    let shift = if singular { difference.mean(&[], false).unwrap().item().unwrap() } else { 0.0 };
                    difference.shift(-shift).unwrap().to_vec().unwrap().iter().fold(0.0f64, |m, e| e.abs().max(m))
                };
                // Sizes that are no powers of two; nodes have one point more than cells.
                let more = usize::from(location == Location::Nodes);
                let (coarse, fine) = (error([18 + more, 25 + more]), error([36 + more, 50 + more]));
                let order = (coarse / fine).log2();
                assert!((order - 2.0).abs() < 0.15, "{location:?} {x:?} {y:?}: order {order:.2}, error {fine:.1e}");
            }
        }
    }
}

#[test]
fn periodic_axes_and_reactions() {
    let c = context();
    for (points, shift) in [([12, 15], 0.0), ([16, 9], 2.5), ([16, 9], -3.3)] {
        let error = |m: usize| {
            let grid = Grid::periodic(&[points[0] * m, points[1] * m], &[(0.0, 2.0 * PI), (0.0, 1.0)]).unwrap();
            let wave = |x: f64, y: f64| (2.0 * x).sin() * (2.0 * PI * y).cos() + if shift == 0.0 { 0.0 } else { 1.0 };
            let f = on(&grid, &c, |x, y| {
                (4.0 + 4.0 * PI * PI) * (2.0 * x).sin() * (2.0 * PI * y).cos() + shift * wave(x, y)
            });
            let found = poisson(&f, shift, None, Incompatible::Refuse).unwrap();
            worst(found.values(), on(&grid, &c, wave).values())
        };
        let order = (error(2) / error(4)).log2();
        assert!((order - 2.0).abs() < 0.15, "{points:?}: {order}");
    }
    // Periodic along x, walls along y, in three dimensions and in both precisions; a batch of samples and channels.
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 1e-4)] {
        let c = Context::cpu(precision);
        let wall = || Edge::dirichlet(0.0).into();
        let wraps = || Edge::Periodic.into();
        let slope = || Edge::neumann(0.0).into();
        let sides = vec![[wraps(), wraps()], [wall(), slope()], [slope(), slope()]];
        let grid = Grid::new(&[5, 6, 7], &[(0.0, 1.0); 3], Location::Centres, sides).unwrap();
        let f = Field::new(sample(&c, &[3, 2, 5, 6, 7], 4), grid.clone()).unwrap();
        let found = poisson(&f, 0.3, None, Incompatible::Refuse).unwrap();
        let back = found.values().scale(0.3).unwrap().sub(stencil(found.values()).as_ref().unwrap()).unwrap();
        assert!(worst(&back, f.values()) < tolerance, "{precision:?}: {:e}", worst(&back, f.values()));
    }
}

/// `Δu` on `[5, 6, 7]` cells of the unit cube: periodic, Dirichlet | Neumann, Neumann | Neumann.
fn stencil(u: &Tensor) -> Result<Tensor> {
    let mut sum = u.full_like(0.0)?;
    for (axis, n, low, high) in [(2usize, 5usize, 0.0, 0.0), (3, 6, -1.0, 1.0), (4, 7, 1.0, 1.0)] {
        let first = u.narrow(axis, 0, 1)?;
        let last = u.narrow(axis, n - 1, 1)?;
        let (before, after) = if axis == 2 { (last, first) } else { (first.scale(low)?, last.scale(high)?) };
        let wide = Tensor::concat(&[before, u.clone(), after], axis)?;
        let second = wide.narrow(axis, 0, n)?.add(&wide.narrow(axis, 2, n)?)?.sub(&u.scale(2.0)?)?;
        sum = sum.add(&second.scale((n * n) as f64)?)?;
    }
    Ok(sum)
}

#[test]
fn gradients_reach_f_and_the_edges() {
    let c = context();
    for location in [Location::Centres, Location::Nodes] {
        for [low, high] in [[true, true], [true, false], [false, true], [false, false]] {
            let error =
                gradient_error(&[sample(&c, &[2, 1, 4, 5], 1), sample(&c, &[5], 2), sample(&c, &[4], 3)], |x| {
                    let edge = |dirichlet: bool, value: &Tensor| {
                        let value = EdgeValue::Tensor(value.clone());
                        if dirichlet { Edge::Dirichlet(value) } else { Edge::Neumann(value) }
                    };
                    let sides = vec![
                        [edge(low, &x[1]).into(), Edge::dirichlet(0.5).into()],
                        [Edge::neumann(0.2).into(), edge(high, &x[2]).into()],
                    ];
                    let grid = Grid::new(&[4, 5], &[(0.0, 1.0), (0.0, 2.0)], location, sides)?;
                    let f = Field::new(x[0].clone(), grid)?;
                    Ok(poisson(&f, 0.1, None, Incompatible::Refuse)?.values().clone())
                });
            assert!(error < 1e-7, "{location:?} {low} {high}: {error:e}");
        }
    }
    // The singular case: what is out of balance has no influence, forwards and backwards.
    let error = gradient_error(&[sample(&c, &[1, 1, 4, 6], 1)], |x| {
        let sides = vec![
            [Edge::neumann(0.0).into(), Edge::neumann(0.0).into()],
            [Edge::Periodic.into(), Edge::Periodic.into()],
        ];
        let grid = Grid::new(&[4, 6], &[(0.0, 1.0), (0.0, 2.0)], Location::Nodes, sides)?;
        Ok(poisson(&Field::new(x[0].clone(), grid)?, 0.0, None, Incompatible::Remove)?.values().clone())
    });
    assert!(error < 1e-7, "{error:e}");
}

#[test]
fn what_cannot_be_solved_is_refused() {
    let c = context();
    let grid = Grid::periodic(&[8, 8], &[(0.0, 2.0 * PI); 2]).unwrap();
    let ones = on(&grid, &c, |_, _| 1.0);
    let error = poisson(&ones, 0.0, None, Incompatible::Refuse).err().unwrap();
    assert!(error.to_string().contains("mean"), "{error}");
    let removed = poisson(&ones, 0.0, None, Incompatible::Remove).unwrap();
    assert!(worst(removed.values(), &removed.values().full_like(0.0).unwrap()) < 1e-14);
    // An eigenvalue of the stencil: 2 (1 − cos h)/h² with h = 2π/8.
    let h = PI / 4.0;
    let resonant = -(2.0 - 2.0 * h.cos()) / (h * h);
    assert!(poisson(&ones, resonant, None, Incompatible::Refuse).err().unwrap().to_string().contains("no inverse"));
    assert_eq!(poisson(&ones, f64::NAN, None, Incompatible::Refuse).err().unwrap().kind(), Kind::NotFinite);
    let nan = ones.map(|v| v.scale(f64::NAN)).unwrap();
    assert_eq!(poisson(&nan, 1.0, None, Incompatible::Refuse).err().unwrap().kind(), Kind::NotFinite);
    let robin = || Edge::robin(1.0, 1.0, EdgeValue::Number(0.0)).unwrap().into();
    let grid = Grid::new(&[8], &[(0.0, 1.0)], Location::Centres, vec![[robin(), robin()]]).unwrap();
    let f = Field::new(Tensor::full(&c, &[8], 1.0).unwrap(), grid).unwrap();
    assert!(poisson(&f, 0.0, None, Incompatible::Refuse).is_err());
    // A box without an unknown: all its nodes are given.
    let given = || Edge::dirichlet(2.0).into();
    let grid = Grid::new(&[2], &[(0.0, 1.0)], Location::Nodes, vec![[given(), given()]]).unwrap();
    let f = Field::new(Tensor::full(&c, &[2], 1.0).unwrap(), grid).unwrap();
    assert_eq!(poisson(&f, 0.0, None, Incompatible::Refuse).unwrap().values().to_vec().unwrap(), [2.0, 2.0]);
}

#[test]
fn lines_do_not_depend_on_each_other() {
    let c = context();
    let ends = [Edge::dirichlet(0.0), Edge::neumann(0.0)];
    for location in [Location::Centres, Location::Nodes] {
        for (low, high) in ends.iter().flat_map(|low| ends.iter().map(move |high| (low, high))) {
            for n in 3..90 {
                // The same numbers in each of nine lines.
                let line = [low.clone().into(), high.clone().into()];
                let across = [Edge::neumann(0.0).into(), Edge::neumann(0.0).into()];
                let grid = Grid::new(&[n, 9], &[(0.0, 1.0), (0.0, 1.0)], location, vec![line, across]).unwrap();
                let f = on(&grid, &c, |x, _| (3.0 * x).cos() + x);
                let u = poisson(&f, 1.0, None, Incompatible::Refuse).unwrap();
                let first = u.values().narrow(3, 0, 1).unwrap().expand(&u.values().shape()).unwrap();
                let error = worst(u.values(), &first);
                assert!(error < 1e-12, "{location:?} {low} {high} {n}: {error:e}");
            }
        }
    }
}
