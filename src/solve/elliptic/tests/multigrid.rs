//! Iterations of the multigrid solver: bounded whatever the number of cells, the jumps of `a` and the shape of cells.

use super::diffusion::{cells, held};
use crate::field::{Edge, Field, Grid, Location};
use crate::solve::elliptic::{Diffusion, FaceMean, Incompatible, Solve, SolveReport};
use crate::tensor::tests::{context, sample};
use crate::tensor::{Context, Precision, Tensor};

fn solve(c: &Context, grid: Grid, a: &Tensor, mean: FaceMean) -> SolveReport {
    let shape = grid.shape();
    let f = Field::new(sample(c, &shape, 3).shift(-0.4).unwrap(), grid).unwrap();
    let how = Solve { tolerance: Some(1e-8), iterations: 60, incompatible: Incompatible::Remove };
    let problem = Diffusion { mean, ..Diffusion::new(a.clone()) };
    problem.solve(&f, None, how).unwrap_or_else(|e| panic!("{shape:?}: {e}")).1
}
/// A chequerboard of blocks of `size` cells, 1 and `jump`.
fn blocks(c: &Context, n: [usize; 2], size: usize, jump: f64) -> Tensor {
    let at = |i: usize, j: usize| if (i / size + j / size).is_multiple_of(2) { 1.0 } else { jump };
    let values = (0..n[0]).flat_map(|i| (0..n[1]).map(move |j| at(i, j))).collect();
    Tensor::new(c, values, &n).unwrap()
}

#[test]
fn iterations_do_not_grow_with_the_grid() {
    let c = context();
    let slopes = [Edge::neumann(0.0), Edge::neumann(0.0)];
    let wraps = [Edge::Periodic, Edge::Periodic];
    let mut table = Vec::new();
    for n in [32usize, 45, 128, 311, 512] {
        let one = Tensor::scalar(&c, 1.0);
        let counts = [
            solve(&c, cells(&[n, n], &[held(), held()]), &one, FaceMean::Arithmetic).iterations,
            solve(&c, cells(&[n, n], &[slopes.clone(), slopes.clone()]), &one, FaceMean::Arithmetic).iterations,
            solve(&c, cells(&[n, n], &[wraps.clone(), held()]), &one, FaceMean::Arithmetic).iterations,
            solve(&c, cells(&[n, n], &[held(), held()]), &blocks(&c, [n, n], 5, 0.1), FaceMean::Arithmetic).iterations,
            solve(&c, cells(&[n, n], &[held(), slopes.clone()]), &blocks(&c, [n, n], 8, 0.1), FaceMean::Harmonic)
                .iterations,
        ];
        println!("{n:4}: {counts:?}");
        table.push(counts);
    }
    assert!(table.iter().all(|counts| counts.iter().all(|&n| n <= 20)), "{table:?}");
}

#[test]
fn long_and_thin_cells() {
    let c = context();
    let mut table = Vec::new();
    for ratio in [1.0, 3.0, 10.0, 100.0, 1e4] {
        let sides = vec![[Edge::dirichlet(0.0).into(), Edge::dirichlet(0.0).into()]; 2];
        let grid = Grid::new(&[96, 80], &[(0.0, ratio), (0.0, 1.0)], Location::Centres, sides).unwrap();
        let one = Tensor::scalar(&c, 1.0);
        table.push((
            ratio,
            solve(&c, grid.clone(), &one, FaceMean::Arithmetic).iterations,
            solve(&c, grid, &blocks(&c, [96, 80], 7, 0.1), FaceMean::Arithmetic).iterations,
        ));
    }
    println!("{table:?}");
    assert!(table.iter().all(|(_, a, b)| *a <= 20 && *b <= 30), "{table:?}");
}

#[test]
fn one_and_three_axes_and_single_precision() {
    let c = context();
    let one = Tensor::scalar(&c, 1.0);
    let slopes = [Edge::neumann(0.0), Edge::neumann(0.0)];
    let counts = [
        solve(&c, cells(&[2], &[held()]), &one, FaceMean::Arithmetic).iterations,
        solve(&c, cells(&[1000], &[held()]), &one, FaceMean::Arithmetic).iterations,
        solve(&c, cells(&[999], std::slice::from_ref(&slopes)), &one, FaceMean::Arithmetic).iterations,
        solve(&c, cells(&[20, 33, 26], &[held(), slopes.clone(), held()]), &one, FaceMean::Arithmetic).iterations,
        solve(&c, cells(&[2, 3, 50], &[slopes.clone(), slopes, held()]), &one, FaceMean::Arithmetic).iterations,
    ];
    assert!(counts.iter().all(|&n| n <= 20), "{counts:?}");
    let single = Context::cpu(Precision::F32);
    let report = solve(
        &single,
        cells(&[200, 200], &[held(), held()]),
        &blocks(&single, [200, 200], 9, 0.1),
        FaceMean::Arithmetic,
    );
    assert!(report.iterations <= 20, "{report:?}");
}

/// Obstacles close faces altogether.
#[test]
fn closed_faces() {
    let c = context();
    for n in [64usize, 256] {
        let radius = n as f64 * 0.15;
        let solid = |i: usize, j: usize| {
            let d = |x: f64, y: f64| (i as f64 - x * n as f64).hypot(j as f64 - y * n as f64);
            d(0.3, 0.4) < radius || d(0.7, 0.65) < radius || (i == n / 2 && !j.is_multiple_of(7))
        };
        let open = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| if solid(i, j) { 0.0 } else { 1.0 });
        let a = Tensor::new(&c, open.collect(), &[n, n]).unwrap();
        let f = sample(&c, &[n, n], 3).shift(-0.4).unwrap().mul(&a).unwrap();
        for edges in
            [[held(), held()], [[Edge::neumann(0.0), Edge::neumann(0.0)], [Edge::neumann(0.0), Edge::neumann(0.0)]]]
        {
            let field = Field::new(f.clone(), cells(&[n, n], &edges)).unwrap();
            let how = Solve { tolerance: Some(1e-8), iterations: 80, incompatible: Incompatible::Remove };
            let problem = Diffusion { mean: FaceMean::Harmonic, ..Diffusion::new(a.clone()) };
            let (_, report) = problem.solve(&field, None, how).unwrap();
            println!("{n}: {} iterations", report.iterations);
            assert!(report.iterations <= 45, "{n}: {report:?}");
        }
    }
}
