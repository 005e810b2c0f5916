//! Fields against closed forms: trigonometric polynomials, random fields, operators; and what is refused.

mod edges;
mod stencils;
mod transport;

use std::f64::consts::TAU;

use super::random::GaussianField;
use super::spectrum::{Amplitude, band, spectral_error, spectrum};
use super::*;
use crate::tensor::{Complex, Context, Precision, Tensor, Unary, rfft};

fn context() -> Context {
    Context::cpu(Precision::F64)
}
/// Points, boxes that are not [0, 2π), and the highest mode of each axis below Nyquist.
fn grids() -> Vec<Grid> {
    let bounds = [(-1.0, 2.0), (0.5, 0.5 + TAU), (3.0, 4.0)];
    [vec![8], vec![9], vec![2], vec![6, 7], vec![5, 8], vec![4, 5, 6], vec![3, 4, 5]]
        .into_iter()
        .map(|points| Grid::periodic(&points, &bounds[..points.len()]).unwrap())
        .collect()
}
/// `Π cos(mᵢ κᵢ (xᵢ − lowᵢ) + φᵢ)` with `κᵢ = 2π/lengthᵢ` at every point.
fn wave(c: &Context, grid: &Grid, modes: &[f64], phases: &[f64]) -> Field {
    let mut values = vec![1.0];
    for ((axis, m), phase) in grid.axes().iter().zip(modes).zip(phases) {
        let factors: Vec<f64> =
            axis.positions().iter().map(|x| (m * TAU / axis.length() * (x - axis.low) + phase).cos()).collect();
        values = values.iter().flat_map(|v| factors.iter().map(move |f| v * f)).collect();
    }
    Field::new(Tensor::new(c, values, &grid.shape()).unwrap(), grid.clone()).unwrap()
}
fn difference(a: &Field, b: &Field) -> f64 {
    a.values().sub(b.values()).unwrap().unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap()
}
fn below_nyquist(axis: &Axis) -> f64 {
    ((axis.points - 1) / 2) as f64
}

#[test]
fn derivatives_are_exact_on_trigonometric_polynomials() {
    let c = context();
    for grid in grids() {
        let modes: Vec<f64> = grid.axes().iter().map(below_nyquist).collect();
        let phases = [0.3, 1.1, -0.8];
        let u = wave(&c, &grid, &modes, &phases);
        let mut sum = u.map(|v| v.scale(0.0)).unwrap();
        for (axis, of) in grid.axes().iter().enumerate() {
            let k = modes[axis] * TAU / of.length();
            for order in 0..5 {
                // Each derivative of cos adds a quarter of a turn.
                let mut turned = phases;
                turned[axis] += order as f64 * TAU / 4.0;
                let exact = wave(&c, &grid, &modes, &turned).map(|v| v.scale(k.powi(order))).unwrap();
                let got = spectral::derivative(&u, axis, order as usize).unwrap();
                assert!(difference(&got, &exact) < 1e-10 * (1.0 + k.powi(order)), "{grid}, axis {axis}, order {order}");
            }
            let second = spectral::derivative(&u, axis, 2).unwrap();
            sum = sum.zip(&second, Tensor::add).unwrap();
        }
        assert!(difference(&spectral::laplacian(&u).unwrap(), &sum) < 1e-9, "{grid}");
    }
}

#[test]
fn nyquist_is_kept_by_even_derivatives_and_dropped_by_odd_ones() {
    let c = context();
    for grid in grids() {
        for (axis, of) in grid.axes().iter().enumerate().filter(|(_, a)| a.points % 2 == 0) {
            let mut modes: Vec<f64> = grid.axes().iter().map(below_nyquist).collect();
            modes[axis] = (of.points / 2) as f64;
            let mut phases = [0.3; 3];
            phases[axis] = 0.0;
            let u = wave(&c, &grid, &modes, &phases);
            let k = modes[axis] * TAU / of.length();
            for order in 1..5usize {
                let got = spectral::derivative(&u, axis, order).unwrap();
                let factor =
                    if order % 2 == 1 { 0.0 } else { k.powi(order as i32) * if order % 4 == 2 { -1.0 } else { 1.0 } };
                let exact = u.map(|v| v.scale(factor)).unwrap();
                assert!(
                    difference(&got, &exact) < 1e-10 * (1.0 + k.powi(order as i32)),
                    "{grid}, axis {axis}, order {order}"
                );
            }
        }
    }
}

/// λ = −i (c · k) − ν |k|² + i β kₓ³: transport, decay and dispersion.
fn operator(c: &Context, grid: &Grid) -> SpectralOperator {
    let mut im = Tensor::full(c, &grid.spectral_shape(), 0.0).unwrap();
    for axis in 0..grid.dimensions() {
        im = im.add(&grid.wavenumbers(c, Precision::F64, axis).unwrap().scale(-0.7 - axis as f64).unwrap()).unwrap();
    }
    let cube = grid.wavenumbers(c, Precision::F64, 0).unwrap().powf(3.0).unwrap();
    let re = grid.wavenumber_squared(c, Precision::F64).unwrap().scale(-0.02).unwrap();
    SpectralOperator::new(grid.clone(), Complex::new(re, im.add(&cube.scale(0.01).unwrap()).unwrap()).unwrap()).unwrap()
}

#[test]
fn propagators_form_a_group_and_solve_the_equation() {
    let c = context();
    for grid in grids() {
        let u = GaussianField::power_law(&grid, &c, 0.0).unwrap().draw(&grid, &c, 1, 2, 1).unwrap();
        let l = operator(&c, &grid);
        let at = |t: f64| u.map(|v| l.propagate(v, t)).unwrap();
        let twice = u.map(|v| l.propagate(&l.propagate(v, 0.2)?, 0.3)).unwrap();
        assert!(difference(&twice, &at(0.5)) < 1e-12, "{grid}");
        assert!(difference(&at(0.0), &u) < 1e-13, "{grid}");
        let h = 1e-4;
        let rate = at(0.5 + h).zip(&at(0.5 - h), |a, b| a.sub(b)?.scale(0.5 / h)).unwrap();
        let exact = at(0.5).map(|v| l.apply(v)).unwrap();
        let size = exact.values().unary(Unary::Abs).unwrap().max(&[], false).unwrap().item().unwrap();
        assert!(difference(&rate, &exact) < 1e-5 * (1.0 + size), "{grid}: {}", difference(&rate, &exact));
    }
}

#[test]
fn transport_moves_fields_by_whole_points() {
    let c = context();
    for points in [7, 9] {
        let grid = Grid::periodic(&[points], &[(1.0, 4.0)]).unwrap();
        let u = GaussianField::power_law(&grid, &c, 1.0).unwrap().draw(&grid, &c, 2, 1, 1).unwrap();
        let k = grid.wavenumbers(&c, Precision::F64, 0).unwrap();
        let advection =
            SpectralOperator::new(grid.clone(), Complex::new(k.scale(0.0).unwrap(), k.scale(-1.5).unwrap()).unwrap())
                .unwrap();
        let moved = u.map(|v| advection.propagate(v, 2.0 * 3.0 / points as f64 / 1.5)).unwrap();
        assert!(difference(&moved, &u.map(|v| v.roll(2, -1)).unwrap()) < 1e-13);
    }
}

#[test]
fn random_fields_have_their_spectrum() {
    let c = context();
    for grid in grids().into_iter().filter(|g| g.points() > 2) {
        let samples = 4000;
        let model = GaussianField::power_law(&grid, &c, 3.0).unwrap();
        let u = model.draw(&grid, &c, 5, samples, 1).unwrap();
        let square = u.values().unary(Unary::Square).unwrap().mean(&[], false).unwrap().item().unwrap();
        assert!((square - 1.0).abs() < 0.06, "{grid}: {square}");
        let mean = u
            .values()
            .mean(&grid.space_axes(), false)
            .unwrap()
            .unary(Unary::Abs)
            .unwrap()
            .max(&[], false)
            .unwrap()
            .item()
            .unwrap();
        assert!(mean < 1e-12, "{grid}: {mean}");
        // E|û|²/N mode by mode, within five deviations of the estimate.
        let spectrum =
            rfft(u.values(), &grid.space_axes()).unwrap().abs_squared().unwrap().mean(&[0, 1], false).unwrap();
        let got = spectrum.scale(1.0 / grid.points() as f64).unwrap().to_vec().unwrap();
        let expected = model.eigenvalues(&grid).unwrap().to_vec().unwrap();
        for (got, expected) in got.iter().zip(&expected) {
            assert!(
                (got - expected).abs() <= 5.0 * expected * (2.0 / samples as f64).sqrt() + 1e-12,
                "{grid}: {got} against {expected}"
            );
        }
        let k2 = grid.wavenumber_squared(&c, Precision::F64).unwrap().to_vec().unwrap();
        let law: Vec<f64> =
            expected.iter().zip(&k2).filter(|(e, _)| **e > 0.0).map(|(e, k2)| e * k2.powf(1.5)).collect();
        assert!(law.iter().all(|v| (v / law[0] - 1.0).abs() < 1e-12), "{grid}: {law:?}");
        // Sample i is the same however many are drawn.
        let fewer = model.draw(&grid, &c, 5, 2, 1).unwrap();
        assert_eq!(fewer.values().to_vec().unwrap(), u.take_samples(&[0, 1]).unwrap().values().to_vec().unwrap());
    }
}

#[test]
fn spectra_and_their_distance() {
    let c = context();
    let grid = Grid::periodic(&[8, 8], &[(0.0, TAU), (0.0, TAU)]).unwrap();
    let u = wave(&c, &grid, &[3.0, 2.0], &[0.2, 0.9]);
    let energy = spectrum(&u, Amplitude::Energy).unwrap();
    let mean_square = u.values().unary(Unary::Square).unwrap().mean(&[], false).unwrap().item().unwrap();
    // Parseval; and √13 lies in shell 3.
    assert!((energy.rows[0].iter().sum::<f64>() - mean_square / 2.0).abs() < 1e-14);
    assert!((energy.rows[0][3] - mean_square / 2.0).abs() < 1e-14);
    let random = GaussianField::power_law(&grid, &c, 2.0).unwrap().draw(&grid, &c, 1, 3, 1).unwrap();
    let scaled = random.map(|v| v.scale(2.0)).unwrap();
    assert!((spectral_error(&random, &scaled, 3).unwrap() - 2f64.ln()).abs() < 1e-12);
    assert_eq!(spectral_error(&random, &random, 3).unwrap(), 0.0);
    let flat = random.map(|v| v.scale(0.0)).unwrap();
    assert!(spectral_error(&random, &flat, 3).is_err());
    assert!(spectral_error(&random, &scaled, 0).is_err());
    assert!(spectral_error(&random, &scaled, usize::MAX).is_err());
    assert!(spectral_error(&random, &scaled.take_samples(&[0]).unwrap(), 3).is_err());
    let none = random.take_samples(&[]).unwrap();
    assert!(spectral_error(&none, &none, 3).is_err());
    assert_eq!(band(&spectrum(&none, Amplitude::Energy).unwrap(), 0.05, 0.95).0.len(), energy.radii.len());
}

#[test]
fn samples_are_counted_from_both_ends() {
    let c = context();
    let grid = Grid::periodic(&[2], &[(0.0, 1.0)]).unwrap();
    let u = Field::new(Tensor::new(&c, (0..6).map(f64::from).collect(), &[3, 1, 2]).unwrap(), grid).unwrap();
    let taken = |which: &[i64]| {
        u.take_samples(which).map(|f| f.values().to_vec().unwrap().into_iter().step_by(2).collect::<Vec<_>>())
    };
    for (which, expected) in [
        (&[1, 2][..], &[2.0, 4.0][..]),
        (&[-2, -1], &[2.0, 4.0]),
        (&[-1, 0], &[4.0, 0.0]),
        (&[2, 0], &[4.0, 0.0]),
        (&[], &[]),
    ] {
        assert_eq!(taken(which).unwrap(), expected, "{which:?}");
    }
    for which in [&[3][..], &[2, 3], &[-4], &[-4, -3], &[i64::MAX], &[i64::MIN]] {
        assert!(taken(which).is_err(), "{which:?}");
    }
}

#[test]
fn misuse_is_an_error() {
    let c = context();
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for (points, bounds) in [
        (vec![], vec![]),
        (vec![4], vec![]),
        (vec![1], vec![(0.0, 1.0)]),
        (vec![0], vec![(0.0, 1.0)]),
        (vec![4; 4], vec![(0.0, 1.0); 4]),
        (vec![4], vec![(0.0, 0.0)]),
        (vec![4], vec![(1.0, 0.0)]),
        (vec![4], vec![(nan, 1.0)]),
        (vec![4], vec![(0.0, nan)]),
        (vec![4], vec![(0.0, inf)]),
        (vec![4], vec![(-1e308, 1e308)]),
        (vec![4], vec![(0.0, 1e-320)]),
        (vec![4], vec![(0.0, 1e-200)]),
        (vec![4], vec![(1e20, 1e20 + 1e4)]),
        (vec![usize::MAX], vec![(0.0, 1.0)]),
        (vec![1 << 30; 3], vec![(0.0, 1.0); 3]),
    ] {
        assert!(Grid::periodic(&points, &bounds).is_err(), "{points:?} {bounds:?}");
    }
    let grid = Grid::periodic(&[4, 4], &[(0.0, 1e9), (0.0, 1e-3)]).unwrap();
    let u = Field::new(Tensor::full(&c, &[4, 4], 1.0).unwrap(), grid.clone()).unwrap();
    assert!(spectrum(&u, Amplitude::Energy).is_err());
    for shape in [&[4][..], &[5, 4], &[1, 1, 1, 4, 4], &[]] {
        assert!(Field::new(Tensor::full(&c, shape, 1.0).unwrap(), grid.clone()).is_err(), "{shape:?}");
    }
    assert!(u.standardize().is_err());
    assert!(grid.wavenumbers(&c, Precision::F64, 2).is_err() && grid.axis("z").is_err());
    assert!(spectral::derivative(&u, 2, 1).is_err());
    // (2π · 2/1e-3)¹⁶ ≈ 1e65 is no number in single precision.
    let single = u.map(|v| v.cast(Precision::F32)).unwrap();
    assert!(spectral::derivative(&single, 1, 16).is_err() && spectral::derivative(&u, 1, 16).is_ok());
    let symbol = |value: f64| Complex::real(Tensor::full(&c, &[], value).unwrap()).unwrap();
    assert!(SpectralOperator::new(grid.clone(), symbol(nan)).is_err());
    assert!(SpectralOperator::new(grid.clone(), Complex::real(Tensor::full(&c, &[5], 1.0).unwrap()).unwrap()).is_err());
    let density = |value: f64| GaussianField::new(Tensor::full(&c, &grid.spectral_shape(), value).unwrap(), 1.0);
    assert!(density(nan).is_err() && density(-1.0).is_err());
    assert!(density(0.0).unwrap().eigenvalues(&grid).is_err() && density(1e308).unwrap().eigenvalues(&grid).is_err());
    c.set_memory_limit(1 << 20);
    assert!(density(1.0).unwrap().draw(&grid, &c, 1, 1 << 40, 1).is_err());
    let wide = Grid::periodic(&[1 << 40], &[(0.0, 1.0)]).unwrap();
    assert!(wide.wavenumbers(&c, Precision::F64, 0).is_err() && GaussianField::power_law(&wide, &c, 1.0).is_err());
}
