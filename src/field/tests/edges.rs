//! Grids with edges, values of edges, measures and changes of resolution.

use std::rc::Rc;

use crate::field::measure::{Norm, inner, integral, norm};
use crate::field::resample::{refine, restrict};
use crate::field::{Edge, EdgeKind, EdgeValue, Field, Grid, Location, Refinement, SideEdges, difference};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Precision, Tensor, Unary};

use Location::{Centres, Nodes};

fn walls(count: usize) -> Vec<[SideEdges; 2]> {
    (0..count).map(|i| [Edge::dirichlet(i as f64).into(), Edge::neumann(0.5).into()]).collect()
}
fn grid(points: &[usize], location: Location) -> Grid {
    let bounds = [(0.0, 1.0), (-1.0, 2.0), (0.5, 3.0)];
    Grid::new(points, &bounds[..points.len()], location, walls(points.len())).unwrap()
}
fn channel(points: &[usize]) -> Grid {
    let ring = [Edge::Periodic.into(), Edge::Periodic.into()];
    Grid::new(points, &[(0.0, std::f64::consts::TAU), (0.0, 1.0)], Centres, vec![ring, walls(1).remove(0)]).unwrap()
}
/// A field with the values of a function of the coordinates.
fn field(grid: &Grid, f: impl Fn(&[f64]) -> f64) -> Field {
    let mut places: Vec<Vec<f64>> = vec![vec![]];
    for axis in grid.axes() {
        places =
            places.iter().flat_map(|p| axis.positions().into_iter().map(move |x| [&p[..], &[x]].concat())).collect();
    }
    let values = places.iter().map(|p| f(p)).collect();
    Field::new(Tensor::new(&context(), values, &grid.shape()).unwrap(), grid.clone()).unwrap()
}
fn difference(a: &Field, b: &Field) -> f64 {
    assert!(a.grid() == b.grid());
    a.values().sub(b.values()).unwrap().unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap()
}

#[test]
fn points_sit_where_they_should() {
    let c = context();
    for (location, expected, spacing, weights) in [
        (Centres, [0.125, 0.375, 0.625, 0.875], 0.25, [0.25; 4]),
        (Nodes, [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0], 1.0 / 3.0, [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0]),
    ] {
        let g = grid(&[4], location);
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(near(&g.axes()[0].positions(), &expected) && near(&g.axes()[0].weights(), &weights), "{g}");
        assert!((g.cell_volume() - spacing).abs() < 1e-15 && !g.is_periodic());
        assert!(near(&g.coordinates(&c, Precision::F64).unwrap()[0].to_vec().unwrap(), &expected));
    }
    let g = channel(&[4, 5]);
    assert_eq!(g.coordinates(&c, Precision::F32).unwrap()[1].shape(), [1, 5]);
    assert_eq!(g.coordinates(&c, Precision::F32).unwrap()[1].precision(), Precision::F32);
    assert_eq!(g.to_string(), "grid: x in [0, 6.2832) periodic, 4 points · y in [0, 1], 5 cells, u = 0 | ∂u/∂n = 0.5");
    assert_eq!(grid(&[3], Nodes).to_string(), "grid: x in [0, 1], 3 nodes, u = 0 | ∂u/∂n = 0.5");
    assert_eq!(g.with_points(&[8, 10]).unwrap().shape(), [8, 10]);
    let point = Grid::point();
    assert_eq!((point.points(), point.dimensions(), point.to_string().as_str()), (1, 0, "grid of one point"));
    let state = Field::new(sample(&c, &[2, 3], 1), point).unwrap();
    assert_eq!((state.samples(), state.channels()), (2, 3));
    assert_eq!(integral(&state).unwrap().shape(), [2, 3]);
}

#[test]
fn edges_belong_to_unknowns() {
    let named = SideEdges {
        others: None,
        named: vec![
            ("heat".into(), Edge::dirichlet(1.0)),
            ("fuel".into(), Edge::robin(1.0, 2.0, EdgeValue::Number(0.0)).unwrap()),
        ],
    };
    let mut sides = walls(1);
    sides[0][0] = named;
    let g = Grid::new(&[4], &[(0.0, 1.0)], Centres, sides.clone()).unwrap();
    assert_eq!(g.edges(Some("fuel")).unwrap()[0][0].kind(), EdgeKind::Robin(1.0, 2.0));
    assert_eq!(g.edges(Some("heat")).unwrap()[0][1].kind(), EdgeKind::Neumann);
    assert!(g.edges(Some("smoke")).is_err() && g.edges(None).is_err());
    sides[0][0].others = Some(Edge::neumann(0.0));
    let g = Grid::new(&[4], &[(0.0, 1.0)], Centres, sides).unwrap();
    assert!(g.edges(Some("smoke")).is_ok() && g.edges(None).unwrap()[0][0] == Edge::neumann(0.0));
    // One end only, or a number of sides that does not fit.
    let half = vec![[Edge::Periodic.into(), Edge::neumann(0.0).into()]];
    assert!(Grid::new(&[4], &[(0.0, 1.0)], Centres, half).is_err());
    assert!(Grid::new(&[4], &[(0.0, 1.0)], Centres, vec![]).is_err());
    assert!(Edge::robin(0.0, 0.0, EdgeValue::Number(1.0)).is_err());
    assert!(Edge::robin(f64::NAN, 1.0, EdgeValue::Number(1.0)).is_err());
}

#[test]
fn edge_values_lie_along_their_side() {
    let c = context();
    let g = grid(&[3, 4], Centres);
    let value = |shape: &[usize], axis: usize| {
        EdgeValue::Tensor(sample(&c, shape, 1)).at(&c, &g.side(&c, axis).unwrap(), 0.0).map(|t| t.shape())
    };
    for (shape, axis, expected) in [
        (&[][..], 0, Some(&[][..])),
        (&[4], 0, Some(&[1, 4])),
        (&[3], 1, Some(&[3, 1])),
        (&[2, 3], 1, Some(&[2, 3, 1])),
        (&[5, 2, 4], 0, Some(&[5, 2, 1, 4])),
        (&[5, 2, 1, 4], 0, Some(&[5, 2, 1, 4])),
        (&[1], 0, Some(&[1, 1])),
        (&[3], 0, None),
        (&[5, 2, 3, 4], 0, None),
    ] {
        assert_eq!(value(shape, axis).ok().as_deref(), expected, "{shape:?} {axis}");
    }
    let f: Rc<crate::field::EdgeFunction> = Rc::new(|x: &[Tensor], t: f64| x[0].scale(t));
    let function = EdgeValue::Function { takes_time: true, f };
    let side = g.side(&c, 0).unwrap();
    let along = function.at(&c, &side, 2.0).unwrap();
    assert_eq!(along.shape(), [1, 4]);
    let expected: Vec<f64> = g.axes()[1].positions().iter().map(|y| 2.0 * y).collect();
    assert_eq!(along.to_vec().unwrap(), expected);
    assert!(function == function.clone() && function != EdgeValue::Number(0.0) && function.takes_time());
    // In one dimension a side is a point: channels, or samples written out.
    let line = grid(&[3], Nodes);
    let side = line.side(&c, 0).unwrap();
    for (shape, expected) in [(&[2][..], &[2, 1][..]), (&[5, 1, 1], &[5, 1, 1]), (&[5, 2], &[5, 2, 1])] {
        assert_eq!(EdgeValue::Tensor(sample(&c, shape, 1)).at(&c, &side, 0.0).unwrap().shape(), expected);
    }
}

#[test]
fn derivatives_of_fields_are_exact_on_parabolas() {
    for location in [Centres, Nodes] {
        let g = grid(&[5, 6, 7], location);
        let u = field(&g, |p| p[0] * p[0] + 2.0 * p[1] * p[1] - p[2] * p[2] + p[0] * p[1] * p[2]);
        let d = difference::gradient(&u, None).unwrap();
        assert_eq!(d.channels(), 3);
        let exact = field(&g, |p| 4.0 * p[1] + p[0] * p[2]);
        assert!(difference(&d.map(|v| v.narrow(1, 1, 1)).unwrap(), &exact) < 1e-12);
        let four = field(&g, |_| 4.0);
        assert!(difference(&difference::laplacian(&u, None).unwrap(), &four) < 1e-10);
        assert!(difference(&difference::divergence(&d, None).unwrap(), &four) < 1e-10);
        let rotation = difference::curl(&d, None).unwrap();
        assert!(difference(&rotation, &rotation.map(|v| v.scale(0.0)).unwrap()) < 1e-10);
    }
    // A ring in x, edges in y.
    let g = channel(&[32, 9]);
    let u = field(&g, |p| p[0].sin() * p[1] * p[1]);
    let exact = field(&g, |p| p[0].cos() * p[1] * p[1]);
    assert!(difference(&difference::derivative(&u, 0, 1, Some(6)).unwrap(), &exact) < 1e-6);
    let plane = difference::gradient(&u, Some(4)).unwrap();
    let zero = field(&g, |_| 0.0);
    assert!(difference(&difference::curl(&plane, Some(4)).unwrap(), &zero) < 1e-12);
    assert!(difference::curl(&u, None).is_err() && difference::divergence(&u, None).is_err());
    assert!(difference::derivative(&u, 2, 1, None).is_err() && difference::derivative(&u, 1, 1, Some(3)).is_err());
}

#[test]
fn what_needs_fourier_modes_says_so() {
    let (c, g) = (context(), channel(&[4, 4]));
    let u = field(&g, |p| p[0]);
    let needs = [
        crate::field::spectral::derivative(&u, 0, 1).map(|_| ()),
        crate::field::spectral::laplacian(&u).map(|_| ()),
        crate::field::GaussianField::power_law(&g, &c, 2.0).map(|_| ()),
        crate::field::spectrum::spectrum(&u, crate::field::spectrum::Amplitude::Energy).map(|_| ()),
        refine(&u, 2, Refinement::Spectral).map(|_| ()),
        g.wavenumbers(&c, Precision::F64, 0).map(|_| ()),
        Grid::point().wavenumber_squared(&c, Precision::F64).map(|_| ()),
    ];
    for (i, needs) in needs.into_iter().enumerate() {
        assert!(needs.is_err_and(|e| e.to_string().contains("needs a periodic grid")), "{i}");
    }
}

#[test]
fn integrals_and_norms() {
    for location in [Centres, Nodes] {
        let errors = |n: usize| {
            let g = grid(&[n, n], location);
            let u = field(&g, |p| p[0].exp() * p[1]);
            // ∫₀¹ eˣ dx ∫₋₁² y dy, and of the square.
            let exact = (1f64.exp() - 1.0) * 1.5;
            let square = (2f64.exp() - 1.0) / 2.0 * 3.0;
            let one = |t: Tensor| t.item().unwrap();
            [
                (one(integral(&u).unwrap()) - exact).abs(),
                (one(norm(&u, Norm::L2).unwrap()) - square.sqrt()).abs(),
                (one(inner(&u, &u).unwrap()) - square).abs(),
            ]
        };
        let (coarse, fine) = (errors(17), errors(33));
        let h = |n: usize| grid(&[n], location).cell_volume();
        for (a, b) in coarse.iter().zip(fine) {
            let order = (a / b).ln() / (h(17) / h(33)).ln();
            assert!((order - 2.0).abs() < 0.15, "{location:?} {order}");
        }
    }
    let c = context();
    let g = grid(&[3, 4], Nodes);
    for which in [Norm::L1, Norm::L2, Norm::Max] {
        let error =
            gradient_error(&[sample(&c, &[2, 2, 3, 4], 3)], |x| norm(&Field::new(x[0].clone(), g.clone())?, which));
        assert!(error < 1e-7, "{which:?} {error}");
    }
    let zero = field(&g, |_| 0.0);
    let g = crate::tensor::value_and_gradient(&c, &[zero.values().clone()], |x| {
        norm(&zero.with(x[0].clone())?, Norm::L2)?.sum_all()
    });
    assert_eq!(g.unwrap().1[0].sum_all().unwrap().item().unwrap(), 0.0);
}

#[test]
fn coarser_and_finer_fields() {
    let wave = |p: &[f64]| (2.0 * p[0]).sin() * (0.5 * p[1]).cos();
    let rings =
        |n: usize| Grid::periodic(&[n, n], &[(0.0, std::f64::consts::PI), (0.0, 4.0 * std::f64::consts::PI)]).unwrap();
    for (method, order) in [(Refinement::Linear, 2.0), (Refinement::Cubic, 4.0)] {
        for at in [|n: usize| grid(&[n, n], Centres), |n: usize| grid(&[n + 1, n + 1], Nodes)] {
            let error = |n: usize| {
                let fine = refine(&field(&at(n), wave), 2, method).unwrap();
                difference(&fine, &field(fine.grid(), wave))
            };
            let seen = (error(20) / error(40)).log2();
            assert!(seen > order - 0.15, "{method:?} {seen}");
        }
        let fine = refine(&field(&rings(64), wave), 3, method).unwrap();
        assert!(difference(&fine, &field(fine.grid(), wave)) < 0.05 / 16f64.powf(order - 2.0));
    }
    for n in [6, 7] {
        let fine = refine(&field(&rings(n), wave), 3, Refinement::Spectral).unwrap();
        assert!(difference(&fine, &field(fine.grid(), wave)) < 1e-13, "{n}");
        assert!(difference(&restrict(&fine, 3).unwrap(), &field(&rings(n), wave)) < 1e-13);
    }
    let u = field(&grid(&[6, 4], Centres), wave);
    let coarse = restrict(&u, 2).unwrap();
    assert!((integral(&u).unwrap().item().unwrap() - integral(&coarse).unwrap().item().unwrap()).abs() < 1e-14);
    let nodes = field(&grid(&[7, 5], Nodes), wave);
    assert!(difference(&restrict(&nodes, 2).unwrap(), &field(&grid(&[4, 3], Nodes), wave)) < 1e-15);
    assert!(restrict(&u, 4).is_err() && restrict(&u, 0).is_err() && refine(&u, 0, Refinement::Linear).is_err());
    assert!(refine(&u, usize::MAX, Refinement::Linear).is_err());
    let c = context();
    for (g, f) in [(grid(&[4, 6], Centres), 2), (grid(&[5, 5], Nodes), 2), (rings(6), 3)] {
        let x = sample(&c, &[2, 1, g.shape()[0], g.shape()[1]], 1);
        let both = |x: &Tensor| {
            let u = Field::new(x.clone(), g.clone())?;
            let down = restrict(&u, f)?;
            let up = refine(&u, 2, Refinement::Cubic)?;
            Tensor::concat(
                &[down.values().reshape(&[down.values().len()])?, up.values().reshape(&[up.values().len()])?],
                0,
            )
        };
        assert!(gradient_error(&[x], |x| both(&x[0])) < 1e-8, "{g}");
    }
}
