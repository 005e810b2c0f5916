//! Banded maps against dense matrices, and measured orders of finite differences.

use crate::field::stencil::{derivative, divergence_of_faces, face_derivative, fornberg, padding, to_faces};
use crate::field::{Axis, AxisOperator, Banded, EdgeKind, Location};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Precision, Tensor, Unary, value_and_gradient};

use EdgeKind::{Dirichlet, Free, Neumann, Periodic, Robin};
use Location::{Centres, Nodes};

fn axis(points: usize, location: Location, periodic: bool) -> Axis {
    Axis::new("x", (0.3, 1.5), points, location, periodic).unwrap()
}
/// Maps with special rows at both ends, wrapped ones, and ones that are not square.
fn maps() -> Vec<(&'static str, Banded)> {
    let mixed = [Dirichlet, Robin(1.0, 0.4)];
    vec![
        ("ring", Banded::ring(7, &[(-2, 0.5), (0, -1.5), (1, 2.0)]).unwrap()),
        ("ring narrower than its stencil", Banded::ring(3, &[(-2, 0.5), (0, -1.5), (2, 2.0)]).unwrap()),
        ("identity", Banded::identity(5)),
        ("derivative", derivative(&axis(9, Centres, false), mixed, 1, 4).unwrap().matrix),
        ("padding", padding(&axis(8, Nodes, false), mixed, 2, 4).unwrap().matrix),
        ("wrapped padding", padding(&axis(6, Centres, true), [Periodic; 2], 2, 2).unwrap().matrix),
        ("faces", to_faces(&axis(6, Centres, false), [Free; 2], 2).unwrap().matrix),
        ("divergence", divergence_of_faces(&axis(12, Centres, false), 4).unwrap()),
        ("one row", Banded::from_rows(4, vec![vec![(0, 1.0), (3, 2.0)]]).unwrap()),
        ("one column", Banded::from_rows(1, vec![vec![(0, 1.0)], vec![], vec![(0, 3.0)]]).unwrap()),
    ]
}
fn largest(a: &Tensor) -> f64 {
    a.unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap()
}
fn dense(m: &Banded, of: &Tensor) -> Tensor {
    Tensor::new(of.context(), m.to_dense(of.context()).unwrap(), &[m.rows(), m.columns()]).unwrap()
}

#[test]
fn banded_maps_are_their_dense_matrices() {
    let c = context();
    for (name, m) in maps() {
        for (spec, shape, at) in [
            ("ik,k->i", vec![0], 0),
            ("ik,abk->abi", vec![2, 3, 0], 2),
            ("ik,akb->aib", vec![2, 0, 3], -2),
            ("ik,kab->iab", vec![0, 1, 4], 0),
        ] {
            let shape: Vec<usize> = shape.iter().map(|&n| if n == 0 { m.columns() } else { n }).collect();
            let x = sample(&c, &shape, 3);
            let expected = crate::tensor::einsum(spec, &[dense(&m, &x), x.clone()]).unwrap();
            let got = m.apply(&x, at).unwrap();
            assert!(largest(&got.sub(&expected).unwrap()) < 1e-11 * (1.0 + largest(&expected)), "{name} {spec}");
            let single = m.apply(&x.cast(Precision::F32).unwrap(), at).unwrap();
            assert_eq!(single.precision(), Precision::F32);
            assert!(
                largest(&single.sub(&expected).unwrap()) < 1e-4 * (1.0 + largest(&expected)),
                "{name} {spec} single"
            );
        }
        let x = sample(&c, &[m.columns()], 1);
        let t = dense(&m.transpose(), &x).sub(&dense(&m, &x).swap(0, 1).unwrap()).unwrap();
        assert_eq!(largest(&t), 0.0, "{name}");
        let square = m.transpose().compose(&m).unwrap();
        let expected = crate::tensor::einsum("ki,kj->ij", &[dense(&m, &x), dense(&m, &x)]).unwrap();
        assert!(largest(&dense(&square, &x).sub(&expected).unwrap()) < 1e-9 * (1.0 + largest(&expected)), "{name}");
        assert_eq!(square.diagonal().len(), m.columns());
        assert!(m.apply(&sample(&c, &[m.columns() + 1], 1), 0).is_err() && m.apply(&x, 1).is_err());
    }
    assert!(Banded::from_rows(2, vec![vec![(2, 1.0)]]).is_err());
    assert!(Banded::from_rows(2, vec![vec![(1, f64::NAN)]]).is_err());
}

#[test]
fn large_maps_are_split_over_threads() {
    let c = context();
    for shape in [vec![8, 40_000], vec![200, 700], vec![40, 50, 60]] {
        for at in 0..shape.len() {
            let m =
                derivative(&Axis::new("x", (0.0, 1.0), shape[at], Centres, false).unwrap(), [Free; 2], 1, 4).unwrap();
            let x = sample(&c, &shape, 2);
            let got = m.matrix.apply(&x, at as i64).unwrap();
            let order: Vec<usize> = (0..shape.len()).filter(|&a| a != at).chain([at]).collect();
            // Lines one by one are too short to be split.
            let lines = x.permute(&order).unwrap().reshape(&[x.len() / shape[at], shape[at]]).unwrap();
            let got = got.permute(&order).unwrap().reshape(&[x.len() / shape[at], shape[at]]).unwrap();
            for line in [0, (x.len() / shape[at]) / 2, x.len() / shape[at] - 1] {
                let own = m.matrix.apply(&lines.narrow(0, line, 1).unwrap().reshape(&[shape[at]]).unwrap(), 0).unwrap();
                let from = got.narrow(0, line, 1).unwrap().reshape(&[shape[at]]).unwrap();
                assert_eq!(own.to_vec().unwrap(), from.to_vec().unwrap(), "{shape:?} {at} {line}");
            }
        }
    }
}

#[test]
fn gradients_of_maps_and_edge_values() {
    let c = context();
    let operators: Vec<(&str, AxisOperator)> = vec![
        ("derivative", derivative(&axis(6, Centres, false), [Dirichlet, Neumann], 2, 2).unwrap()),
        ("nodes", derivative(&axis(7, Nodes, false), [Dirichlet, Robin(2.0, 0.5)], 1, 4).unwrap()),
        ("faces", face_derivative(&axis(5, Centres, false), [Dirichlet, Free], 2).unwrap()),
    ];
    for (name, operator) in operators {
        let n = operator.matrix.columns();
        // A value per sample and point of the side, and one for all.
        let inputs = [sample(&c, &[1, n, 2], 1), sample(&c, &[3, 1, 2], 2), sample(&c, &[], 3)];
        let f = |x: &[Tensor]| operator.apply(&x[0], 1, [Some(&x[1]), Some(&x[2])]);
        let error = gradient_error(&inputs, f);
        assert!(error < 1e-8, "{name}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
            g.iter()
                .skip(1)
                .try_fold(g[0].unary(Unary::Square)?.sum_all()?, |sum, g| sum.add(&g.unary(Unary::Square)?.sum_all()?))
        });
        assert!(second < 1e-7, "{name}, second order: {second:e}");
        // Values along an edge must have length 1 there.
        assert!(operator.apply(&inputs[0], 1, [Some(&inputs[0]), None]).is_err());
    }
}

#[test]
fn classic_stencils() {
    let close = |got: &[(i64, f64)], expected: &[(i64, f64)], name: &str| {
        assert_eq!(got.len(), expected.len(), "{name}: {got:?}");
        for (g, e) in got.iter().zip(expected) {
            assert!(g.0 == e.0 && (g.1 - e.1).abs() < 1e-12 * (1.0 + e.1.abs()), "{name}: {got:?}");
        }
    };
    let a = Axis::new("x", (0.0, 8.0), 8, Centres, false).unwrap();
    let nodes = Axis::new("x", (0.0, 8.0), 9, Nodes, false).unwrap();
    let second = |a: &Axis, kind| derivative(a, [kind; 2], 2, 2).unwrap();
    close(second(&a, Free).matrix.stencil().1, &[(-1, 1.0), (0, -2.0), (1, 1.0)], "second");
    let fourth = derivative(&a, [Free; 2], 1, 4).unwrap();
    close(fourth.matrix.stencil().1, &[(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)], "first");
    let row = |o: &AxisOperator, i: usize| o.matrix.row(i).iter().map(|&(c, w)| (c as i64, w)).collect::<Vec<_>>();
    // 2b − u₀ and u₀ + h b
    let d = second(&a, Dirichlet);
    close(&row(&d, 0), &[(0, -3.0), (1, 1.0)], "value");
    assert!((d.low[0] - 2.0).abs() < 1e-14 && d.low[1..].iter().all(|w| *w == 0.0) && (d.high[7] - 2.0).abs() < 1e-14);
    let n = second(&a, Neumann);
    close(&row(&n, 7), &[(6, 1.0), (7, -1.0)], "derivative");
    assert!((n.high[7] - 1.0).abs() < 1e-14);
    // u₁ + 2h b
    let n = second(&nodes, Neumann);
    close(&row(&n, 0), &[(0, -2.0), (1, 2.0)], "derivative at a node");
    assert!((n.low[0] - 2.0).abs() < 1e-13);
    close(&row(&second(&a, Free), 0), &[(0, 2.0), (1, -5.0), (2, 4.0), (3, -1.0)], "one-sided");
    // A node whose value is known is that value.
    let d = second(&nodes, Dirichlet);
    close(&row(&d, 1), &[(1, -2.0), (2, 1.0)], "beside a node");
    assert!((d.low[1] - 1.0).abs() < 1e-14);
    // (u₀ − b)/(h/2), and the derivative itself.
    let f = face_derivative(&a, [Dirichlet, Neumann], 2).unwrap();
    close(&row(&f, 0), &[(0, 2.0)], "flux from a value");
    assert!((f.low[0] + 2.0).abs() < 1e-14 && f.matrix.row(8).is_empty() && (f.high[8] - 1.0).abs() < 1e-14);
    let v = to_faces(&a, [Dirichlet, Dirichlet], 2).unwrap();
    assert!(v.matrix.row(0).is_empty() && v.low[0] == 1.0 && v.high[8] == 1.0);
    assert_eq!(fornberg(0.0, &[-1.0, 0.0, 1.0], 2), [1.0, -2.0, 1.0]);
}

/// `e^(1.5 x)` and its derivatives.
fn wave(x: f64, order: usize) -> f64 {
    1.5f64.powi(order as i32) * (1.5 * x).exp()
}
/// The exact values of an edge condition for [`wave`] at the ends of an axis.
fn edge_values(a: &Axis, kind: EdgeKind) -> [f64; 2] {
    let of = |x: f64, outward: f64| match kind {
        Dirichlet => wave(x, 0),
        Neumann => outward * wave(x, 1),
        Robin(p, q) => p * wave(x, 0) + q * outward * wave(x, 1),
        Free | Periodic => 0.0,
    };
    [of(a.low, -1.0), of(a.high, 1.0)]
}
fn apply(operator: &AxisOperator, u: &[f64], edges: [f64; 2]) -> Vec<f64> {
    let c = context();
    let u = Tensor::new(&c, u.to_vec(), &[u.len()]).unwrap();
    let [low, high] = edges.map(|b| Tensor::full(&c, &[], b).unwrap());
    operator.apply(&u, 0, [Some(&low), Some(&high)]).unwrap().to_vec().unwrap()
}
const KINDS: [EdgeKind; 5] = [Dirichlet, Neumann, Robin(1.0, 0.7), Robin(2.0, 0.0), Free];

/// Errors inside, and in the rows that an edge touches.
fn truncation(points: usize, location: Location, kind: EdgeKind, order: usize, accuracy: usize) -> (f64, f64) {
    let a = axis(points, location, false);
    let u: Vec<f64> = a.positions().iter().map(|&x| wave(x, 0)).collect();
    let got = apply(&derivative(&a, [kind; 2], order, accuracy).unwrap(), &u, edge_values(&a, kind));
    let width = order.div_ceil(2) + accuracy / 2 - 1;
    let (mut inside, mut edge) = (0.0f64, 0.0f64);
    for (i, (got, x)) in got.iter().zip(a.positions()).enumerate() {
        let error = (got / wave(x, order) - 1.0).abs();
        let worst = if i < width || i + width >= points { &mut edge } else { &mut inside };
        *worst = worst.max(error);
    }
    (inside, edge)
}

#[test]
fn truncation_errors_have_their_order() {
    for location in [Centres, Nodes] {
        for kind in KINDS {
            for accuracy in [2, 4, 6] {
                for order in 1..=4 {
                    // Rounding takes over at (1/h)^order times 1e-16. Leaning stencils near their order from below.
                    let points = [(2, 48), (4, 48), (6, 32)].iter().find(|p| p.0 == accuracy).unwrap().1;
                    let (coarse, fine) = (
                        truncation(points, location, kind, order, accuracy),
                        truncation(2 * points, location, kind, order, accuracy),
                    );
                    let h = |n: usize| axis(n, location, false).spacing();
                    let ratio = (h(points) / h(2 * points)).ln();
                    let floor = 1e-13 * h(2 * points).powi(-(order as i32));
                    let inside = (coarse.0 / fine.0).ln() / ratio;
                    let edge = (coarse.1 / fine.1).ln() / ratio;
                    let p = accuracy as f64;
                    let value_between = matches!(kind, Dirichlet | Robin(_, 0.0)) && location == Centres;
                    let expected = match kind {
                        Free => p,
                        _ if value_between => p - order as f64,
                        _ => p + 1.0 - order as f64,
                    }
                    .min(p);
                    let place = format!("{location:?} {kind:?} accuracy {accuracy} order {order}");
                    assert!(fine.0 < 30.0 * floor || (inside - p).abs() < 0.15, "{place}: inside {inside:.2} {fine:?}");
                    assert!(
                        fine.1 < 30.0 * floor || edge > expected - 0.4,
                        "{place}: edge {edge:.2} for {expected} {coarse:?} {fine:?}"
                    );
                }
            }
        }
    }
}

/// The error of `u'' − u = f` with an edge condition, solved with the dense matrix.
fn solution_error(points: usize, location: Location, kinds: [EdgeKind; 2], accuracy: usize) -> f64 {
    let c = context();
    let a = axis(points, location, false);
    let operator = derivative(&a, kinds, 2, accuracy).unwrap();
    let edges = [edge_values(&a, kinds[0])[0], edge_values(&a, kinds[1])[1]];
    let mut m = operator.matrix.to_dense(&c).unwrap();
    let offsets = apply(&operator, &vec![0.0; points], edges);
    let mut f: Vec<f64> = a.positions().iter().zip(&offsets).map(|(&x, o)| wave(x, 2) - wave(x, 0) - o).collect();
    for i in 0..points {
        m[i * points + i] -= 1.0;
    }
    for (end, i) in [(0, 0), (1, points - 1)] {
        if location == Nodes && matches!(kinds[end], Dirichlet | Robin(_, 0.0)) {
            m[i * points..][..points].fill(0.0);
            m[i * points + i] = 1.0;
            f[i] = wave(a.positions()[i], 0);
        }
    }
    let (m, f) = (Tensor::new(&c, m, &[points, points]).unwrap(), Tensor::new(&c, f, &[points, 1]).unwrap());
    let u = m.solve(&f).unwrap().to_vec().unwrap();
    u.iter().zip(a.positions()).map(|(u, x)| (u - wave(x, 0)).abs()).fold(0.0, f64::max)
}

#[test]
fn solutions_have_the_order_of_the_stencil() {
    let kinds = [Dirichlet, Neumann, Robin(1.0, 0.7), Robin(2.0, 0.0)];
    let pairs = kinds.iter().flat_map(|&low| kinds.iter().map(move |&high| [low, high]));
    for pair in pairs {
        for location in [Centres, Nodes] {
            for (accuracy, points) in [(2, 40), (4, 32), (6, 32)] {
                // At accuracy 6 rounding comes before the asymptotic order is reached to 0.15.
                let h = |n: usize| axis(n, location, false).spacing();
                let (coarse, fine) = (
                    solution_error(points, location, pair, accuracy),
                    solution_error(2 * points, location, pair, accuracy),
                );
                let order = (coarse / fine).ln() / (h(points) / h(2 * points)).ln();
                assert!(
                    order > accuracy as f64 - if accuracy == 6 { 0.25 } else { 0.15 } || fine < 3e-11,
                    "{location:?} {pair:?} accuracy {accuracy}: {order:.2}, {fine:e}"
                );
            }
        }
    }
}

#[test]
fn heat_with_edges_decays() {
    // Explicit steps well below the limit: a ghost that feeds energy in would grow.
    for kinds in [[Dirichlet; 2], [Dirichlet, Neumann], [Robin(1.0, 0.3), Dirichlet], [Neumann; 2]] {
        for location in [Centres, Nodes] {
            for accuracy in [2, 4, 6] {
                let c = context();
                let a = Axis::new("x", (0.0, 1.0), 24, location, false).unwrap();
                let operator = derivative(&a, kinds, 2, accuracy).unwrap();
                let step = 0.1 * a.spacing().powi(2);
                let mut u = sample(&c, &[24], 7);
                // A node whose value is known stays what it is.
                let moves = |end: EdgeKind| if location == Nodes && end == Dirichlet { 0.0 } else { step };
                let mut steps = vec![step; 24];
                (steps[0], steps[23]) = (moves(kinds[0]), moves(kinds[1]));
                let steps = Tensor::new(&c, steps, &[24]).unwrap();
                for _ in 0..4000 {
                    u = u.add(&operator.apply(&u, 0, [None, None]).unwrap().mul(&steps).unwrap()).unwrap();
                }
                assert!(largest(&u) < 1.0, "{kinds:?} {location:?} {accuracy}: {}", largest(&u));
            }
        }
    }
}

#[test]
fn faces_have_their_order_and_conserve() {
    for kind in [Dirichlet, Neumann, Robin(1.0, 0.7), Free] {
        for (accuracy, points) in [(2, 40), (4, 32), (6, 32)] {
            let errors = |n: usize| {
                let a = axis(n, Centres, false);
                let u: Vec<f64> = a.positions().iter().map(|&x| wave(x, 0)).collect();
                let faces: Vec<f64> = (0..=n).map(|i| a.low + i as f64 * a.spacing()).collect();
                let worst = |got: &[f64], order: usize, at: &[f64]| {
                    got.iter().zip(at).map(|(g, &x)| (g - wave(x, order)).abs()).fold(0.0, f64::max)
                };
                let edges = edge_values(&a, kind);
                let values = apply(&to_faces(&a, [kind; 2], accuracy).unwrap(), &u, edges);
                let slopes = apply(&face_derivative(&a, [kind; 2], accuracy).unwrap(), &u, edges);
                let exact: Vec<f64> = faces.iter().map(|&x| wave(x, 0)).collect();
                let back = AxisOperator::linear(divergence_of_faces(&a, accuracy).unwrap());
                let back = apply(&back, &exact, [0.0; 2]);
                [worst(&values, 0, &faces), worst(&slopes, 1, &faces), worst(&back, 1, &a.positions())]
            };
            let (coarse, fine) = (errors(points), errors(2 * points));
            let p = accuracy as f64;
            // A slope beside a known value is one order less.
            let expected = [p, if kind == Dirichlet { p - 1.0 } else { p }, p];
            for i in 0..3 {
                let order = (coarse[i] / fine[i]).log2();
                assert!(order > expected[i] - 0.2 || fine[i] < 1e-13, "{kind:?} {accuracy} {i}: {order:.2} {fine:?}");
            }
        }
    }
    // What leaves one cell enters the next.
    let c = context();
    for (a, faces) in [(axis(9, Centres, false), 10), (axis(9, Centres, true), 9)] {
        let flux = sample(&c, &[faces], 4);
        let out = divergence_of_faces(&a, 2).unwrap().apply(&flux, 0).unwrap();
        let total = out.sum_all().unwrap().item().unwrap() * a.spacing();
        let f = flux.to_vec().unwrap();
        let expected = if a.periodic { 0.0 } else { f[9] - f[0] };
        assert!((total - expected).abs() < 1e-14);
    }
}

#[test]
fn periodic_stencils_are_exact_to_their_order() {
    for accuracy in [2, 4, 6, 8] {
        for order in 1..=4 {
            let errors = |n: usize| {
                let a = Axis::new("x", (0.0, std::f64::consts::TAU), n, Nodes, true).unwrap();
                let u: Vec<f64> = a.positions().iter().map(|x| x.sin()).collect();
                let got = apply(&derivative(&a, [Periodic; 2], order, accuracy).unwrap(), &u, [0.0; 2]);
                let quarter = order as f64 * std::f64::consts::FRAC_PI_2;
                got.iter().zip(a.positions()).map(|(g, x)| (g - (x + quarter).sin()).abs()).fold(0.0, f64::max)
            };
            let n = [0, 64, 32, 24, 16][accuracy / 2];
            let order_seen = (errors(n) / errors(2 * n)).log2();
            assert!((order_seen - accuracy as f64).abs() < 0.15, "{accuracy} {order}: {order_seen}");
        }
    }
}

#[test]
fn misuse_is_an_error() {
    let a = axis(4, Centres, false);
    assert!(derivative(&a, [Dirichlet; 2], 2, 3).is_err() && derivative(&a, [Dirichlet; 2], 17, 2).is_err());
    assert!(derivative(&a, [Free; 2], 4, 6).is_err() && divergence_of_faces(&axis(3, Centres, false), 6).is_err());
    assert!(
        padding(&a, [Periodic; 2], 1, 2).is_err() && padding(&axis(4, Centres, true), [Dirichlet; 2], 1, 2).is_err()
    );
    // The parabola through 0 at both first points, (s − ½)(s − 3/2), fulfils ¾ a + 2 b/h = 0: the condition fixes no ghost.
    let h = a.spacing();
    assert!(padding(&a, [Robin(1.0, 0.375 * h), Free], 1, 2).is_ok());
    assert!(padding(&a, [Robin(1.0, -0.375 * h), Free], 1, 2).is_err());
}
