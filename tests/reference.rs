//! Equations against the reference solutions in `tests/data` (what they are is in `cases.json`), each by a short script in
//! `tests/data/reference` that reports its error relative to the largest value.

mod common;

use ansatz::script::stack;
use ansatz::tensor::Precision;

/// Runs a script and compares every error it reports with the tolerance.
fn reference(name: &'static str, tolerance: f64) {
    let errors = stack::on_large_stack(move || {
        let path = common::data().join("reference").join(name).with_extension("rhai");
        let script = std::fs::read_to_string(&path).unwrap();
        assert!(script.lines().count() <= 15, "{name} has {} lines", script.lines().count());
        // The map of errors is the argument of its last call, `report`.
        let (head, last) = script.trim_end().rsplit_once("report(").unwrap();
        let map = last.strip_suffix(");").unwrap();
        let mut host = common::host(Precision::F64);
        let errors = host.evaluate(name, &format!("{head}{map}")).unwrap_or_else(|d| panic!("{name}:\n{d}"));
        let errors = errors.cast::<rhai::Map>();
        errors.into_iter().map(|(key, value)| (key.to_string(), common::number(&value))).collect::<Vec<_>>()
    });
    let errors = errors.expect("the engine's thread lives");
    assert!(!errors.is_empty());
    for (key, error) in errors {
        println!("{name}: {key} {error:.2e}");
        assert!(error <= tolerance, "{name}: {key} is {error:.2e}, more than {tolerance:.0e}");
    }
}

#[test]
fn burgers_between_walls() {
    reference("burgers_1d", 1e-4);
}
#[test]
fn burgers_continued_periodically() {
    reference("burgers_1d_fourier", 1e-4);
}
#[test]
fn kuramoto_sivashinsky() {
    reference("kuramoto_sivashinsky_1d", 1e-6);
}
#[test]
fn korteweg_de_vries() {
    reference("korteweg_de_vries_1d", 1e-6);
}
#[test]
fn nonlinear_schroedinger() {
    reference("nonlinear_schroedinger_1d", 2e-5);
}
#[test]
fn vorticity_in_the_plane() {
    reference("navier_stokes_2d_vorticity", 1e-6);
}
#[test]
fn diffusion_with_a_variable_coefficient() {
    reference("diffusion_1d_variable", 1e-4);
}
#[test]
fn darcy_flow() {
    reference("darcy_2d", 1e-8);
}
#[test]
fn three_bodies() {
    reference("three_body_3d", 1e-7);
}
#[test]
fn five_springs() {
    reference("five_spring_2d", 1e-7);
}
#[test]
fn gray_scott() {
    reference("gray_scott_2d", 2e-4);
}
