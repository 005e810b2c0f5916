//! Every named equation against a solution that is known.

use super::catalogue;
use crate::script::Host;
use crate::script::value::Operand;
use crate::session::{Options, Session};
use crate::tensor::Precision;

/// Name, a script that gives an error, and the most it may be.
const ROWS: &[(&str, &str, f64)] = &[
    (
        "advection",
        "let g = grid::periodic([32], [1.0]); relative_error(solve(physics::advection(#{ velocity: 0.5 }), g.sample(|x| sin(TAU * x)), 0.3), g.sample(|x| sin(TAU * (x - 0.15))))",
        1e-12,
    ),
    (
        "advection",
        "let g = grid::periodic([8, 8], [TAU, TAU]); relative_error(solve(physics::advection(#{ velocity: [1, -2] }), g.sample(|x, y| sin(x + y)), 0.3), g.sample(|x, y| sin(x + y + 0.3)))",
        1e-12,
    ),
    (
        "diffusion",
        "let g = grid::interval(0, 1, 64, #{ edges: dirichlet(0) }); let d = g.sample(|x| 0.1 + 0 * x); relative_error(solve(physics::diffusion(#{ diffusivity: d }), g.sample(|x| sin(PI * x)), 1.0), g.sample(|x| exp(-0.1 * PI * PI) * sin(PI * x)))",
        1e-3,
    ),
    (
        "heat",
        "let g = grid::periodic([8, 8], [TAU, TAU]); relative_error(solve(physics::heat(), g.sample(|x, y| sin(x) * cos(2 * y)), 0.2), g.sample(|x, y| exp(-1) * sin(x) * cos(2 * y)))",
        1e-12,
    ),
    (
        "advection_diffusion",
        "let g = grid::periodic([16], [TAU]); relative_error(solve(physics::advection_diffusion(#{ velocity: 2, diffusivity: 0.1 }), g.sample(|x| sin(x)), 0.5), g.sample(|x| exp(-0.05) * sin(x - 1)))",
        1e-12,
    ),
    // A wave of Burgers' equation that keeps its form: u = 1 − tanh((x − t)/(2 ν)).
    (
        "burgers",
        "let g = grid::interval(-2, 4, 181, #{ left: dirichlet(2), right: dirichlet(0), values: \"nodes\" }); let u = |x, t| 1 - tanh((x - t) / 0.2); relative_error(solve(physics::burgers(#{ nu: 0.1 }), g.sample(|x| u.call(x, 0)), 1.0, #{ accuracy: 4, rtol: 1e-5, atol: 1e-6 }), g.sample(|x| u.call(x, 1)))",
        1e-4,
    ),
    (
        "burgers_vector",
        "let g = grid::periodic([32, 32], [TAU, TAU]); let v = solve(physics::burgers_vector(#{ nu: 0.2 }), #{ v: [|x, y| sin(x), 0] }, 0.5, #{ grid: g }).v.values[[0, 0, ALL, 5]]; let h = grid::periodic([32], [TAU]); relative_error(v, solve(physics::burgers(#{ nu: 0.2 }), h.sample(|x| sin(x)), 0.5).values[[0, 0]])",
        1e-7,
    ),
    // u = 1 + 0.5 sin ξ with x = ξ + u t.
    (
        "inviscid_burgers",
        "let g = grid::periodic([256], [TAU]); let end = solve(physics::inviscid_burgers(), g.sample(|x| 1 + 0.5 * sin(x)), 0.5); let u = 1.0 + 0 * end; for i in 0..60 { u = g.sample(|x| 1 + 0.5 * sin(x - 0.5 * u.values[[0, 0]])); } relative_error(end, u)",
        1e-7,
    ),
    (
        "wave",
        "let g = grid::periodic([16], [TAU]); relative_error(solve(physics::wave(#{ speed: 2 }), g.sample(|x| cos(x)), 0.4).u, g.sample(|x| cos(x) * cos(0.8)))",
        1e-10,
    ),
    (
        "klein_gordon",
        "let g = grid::periodic([16], [TAU]); relative_error(solve(physics::klein_gordon(#{ mass: 2 }), g.sample(|x| cos(x)), 0.4).u, g.sample(|x| cos(x) * cos(0.4 * sqrt(5))))",
        1e-10,
    ),
    (
        "korteweg_de_vries",
        "let g = grid::periodic([128], [40.0]); let u = |x| 3 / cosh(0.5 * (x - 20)) ** 2; relative_error(solve(physics::korteweg_de_vries(), g.sample(|x| u.call(x)), 2.0), g.sample(|x| u.call(x - 2)))",
        1e-6,
    ),
    // A plane wave: ω = a k² − b A².
    (
        "nonlinear_schroedinger",
        "let g = grid::periodic([16], [TAU]); let p = solve(physics::nonlinear_schroedinger(), #{ u: |x| 0.8 * cos(x), v: |x| 0.8 * sin(x) }, 0.5, #{ grid: g }); let w = 0.5 - 0.64; relative_error(p.u, g.sample(|x| 0.8 * cos(x - 0.5 * w))) + relative_error(p.v, g.sample(|x| 0.8 * sin(x - 0.5 * w)))",
        1e-7,
    ),
    (
        "shallow_water_linear",
        "let g = grid::periodic([8, 8], [TAU, TAU]); relative_error(solve(physics::shallow_water_linear(#{ depth: 2, gravity: 3, coriolis: 1 }), #{ eta: |x, y| cos(x), u: 0, v: |x, y| 0 * x }, 0.3, #{ grid: g }).eta, g.sample(|x, y| cos(x) * (1 + 6 * (cos(0.3 * sqrt(7)) - 1) / 7)))",
        1e-10,
    ),
    // Small waves are those of the linear equations; water is neither made nor lost.
    (
        "shallow_water",
        "let g = grid::periodic([16, 4], [TAU, TAU]); let p = solve(physics::shallow_water(), #{ h: |x, y| 1 + 1e-4 * cos(x), hu: 0, hv: 0 }, 0.5, #{ grid: g }).h; relative_error((p - 1) * 1e4, g.sample(|x, y| cos(x) * cos(0.5)))",
        1e-3,
    ),
    (
        "shallow_water",
        "let w = grid::rectangle(1, 1, [24, 24], #{ edges: #{ hu: dirichlet(0), hv: dirichlet(0), others: neumann(0) } }); let h = initial::bumps(w, #{ seed: 1 }) * 0.2 + 1; let p = solve(physics::shallow_water(), #{ h: h, hu: 0, hv: 0 }, 0.3, #{ grid: w, rtol: 1e-5 }).h; abs(mean(p - h))",
        1e-10,
    ),
    // Growth of a small wave, here and below.
    (
        "kuramoto_sivashinsky",
        "let g = grid::periodic([32], [22.0]); let k = TAU / 22; let u = solve(physics::kuramoto_sivashinsky(#{ nu: 1.5 }), g.sample(|x| 1e-6 * cos(2 * k * x)), 3.0) * 1e6; relative_error(u, g.sample(|x| exp(3 * (4 * k * k - 1.5 * (2 * k) ** 4)) * cos(2 * k * x)))",
        1e-5,
    ),
    (
        "fisher_kpp",
        "let g = grid::interval(-20, 30, 501, #{ left: dirichlet(1), right: dirichlet(0), values: \"nodes\" }); let u = |x, t| (1 + exp((x - 5 / sqrt(6) * t) / sqrt(6))) ** -2; relative_error(solve(physics::fisher_kpp(), g.sample(|x| u.call(x, 0)), 1.0, #{ accuracy: 4, rtol: 1e-5, atol: 1e-6 }), g.sample(|x| u.call(x, 1)))",
        1e-4,
    ),
    (
        "allen_cahn",
        "let g = grid::interval(-1, 1, 400, #{ edges: neumann(0) }); let u = g.sample(|x| tanh(x / (0.1 * sqrt(2)))); relative_error(solve(physics::allen_cahn(#{ epsilon: 0.1 }), u, 0.5, #{ accuracy: 4, rtol: 1e-5, atol: 1e-6 }), u)",
        1e-4,
    ),
    (
        "cahn_hilliard",
        "let g = grid::periodic([16, 16], [TAU, TAU]); let u = solve(physics::cahn_hilliard(#{ epsilon: 0.5 }), g.sample(|x, y| 1e-6 * sin(x)), 1.0) * 1e6; relative_error(u, g.sample(|x, y| exp(0.75) * sin(x)))",
        1e-8,
    ),
    (
        "swift_hohenberg",
        "let g = grid::periodic([16, 16], [TAU, TAU]); let u = solve(physics::swift_hohenberg(), g.sample(|x, y| 1e-6 * sin(x + y)), 1.0) * 1e6; relative_error(u, g.sample(|x, y| exp(0.3 - 1) * sin(x + y)))",
        1e-8,
    ),
    // Without v the equation of u is linear.
    (
        "gray_scott",
        "let g = grid::periodic([16, 16], [2.5, 2.5]); let k = TAU / 2.5; relative_error(solve(physics::gray_scott(), #{ u: |x, y| 1 + 0.5 * sin(k * x), v: 0 }, 5.0, #{ grid: g }).u, g.sample(|x, y| 1 + 0.5 * exp(-5 * (0.04 + 0.0005 * k * k)) * sin(k * x)))",
        1e-8,
    ),
    (
        "gray_scott",
        "let g = grid::periodic([4, 4], [2.5, 2.5]); relative_error(solve(physics::gray_scott(), #{ u: 0.6, v: 0.2 }, 5.0, #{ grid: g }).v.values[[0, 0, 1, 1]], solve(equation([\"u\", \"v\"], |u, v| [dt(u) + u * v * v - 0.04 * (1 - u), dt(v) - u * v * v + 0.1 * v]), #{ u: 0.6, v: 0.2 }, 5.0).v.values[[0, 0]])",
        1e-6,
    ),
    (
        "fitzhugh_nagumo",
        "let g = grid::periodic([8], [10.0]); let v = solve(physics::fitzhugh_nagumo(), #{ v: -1.19940803524404, w: -0.624260044055049 }, 5.0, #{ grid: g }).v; max(abs(v + 1.19940803524404))",
        1e-10,
    ),
    // Decaying vortices of Taylor and Green, in both forms.
    (
        "navier_stokes_vorticity",
        "let g = grid::periodic([16, 16], [TAU, TAU]); relative_error(solve(physics::navier_stokes_vorticity(#{ nu: 0.1 }), #{ w: |x, y| 2 * sin(x) * sin(y) }, 1.0, #{ grid: g }).w, g.sample(|x, y| 2 * exp(-0.2) * sin(x) * sin(y)))",
        1e-8,
    ),
    (
        "navier_stokes",
        "let g = grid::periodic([16, 16], [TAU, TAU]); relative_error(solve(physics::navier_stokes(#{ nu: 0.1 }), #{ v: [|x, y| sin(x) * cos(y), |x, y| -cos(x) * sin(y)] }, 1.0, #{ grid: g })[\"v.x\"], g.sample(|x, y| exp(-0.2) * sin(x) * cos(y)))",
        1e-8,
    ),
    (
        "navier_stokes",
        "let g = grid::periodic([32, 32], [TAU, TAU]); let psi = g.sample(|x, y| sin(x) * sin(y) + 0.3 * cos(2 * x + y)); let w = solve(physics::navier_stokes_vorticity(#{ nu: 0.1 }), #{ w: -laplacian(psi) }, 0.3, #{ grid: g, steps: 20 }).w; let v = solve(physics::navier_stokes(#{ nu: 0.1 }), #{ v: field(concat([dy(psi).values, -dx(psi).values], 1), g) }, 0.3, #{ grid: g, steps: 20 }).v; relative_error(curl(v), w)",
        1e-5,
    ),
    (
        "smoke",
        "let b = flow::domain([16, 20], [16, 20], #{ open: [\"top\"], obstacles: disk(flow::domain([16, 20], [16, 20]).cells, [8, 12], 2) }); let s = b.cells.sample(|x, y| exp(-((x - 8) ** 2 + (y - 4) ** 2))); let p = physics::smoke(#{ domain: b, smoke: s, steps: 5, buoyancy: [0, 0.5] }); let height = |s| sum(s.values * b.cells.points[1]) / sum(s.values); if item(height.call(p.smoke) - height.call(s)) > 0.5 { item(max(abs(flow::divergence(p.velocity)))) } else { 1.0 }",
        1e-8,
    ),
    // The kinds of equation that `poisson`, `elliptic` and `linear_solve` solve.
    ("poisson", "if `${physics::poisson()}`.contains(\"Δu + f = 0\") { 0.0 } else { 1.0 }", 0.0),
    ("darcy", "if `${physics::darcy()}`.contains(\"∇·(permeability (∇p)) + f = 0\") { 0.0 } else { 1.0 }", 0.0),
    ("helmholtz", "if `${physics::helmholtz()}`.contains(\"Δu + k² u - f = 0\") { 0.0 } else { 1.0 }", 0.0),
    // Two bodies on a circle, half a turn.
    (
        "gravity",
        "let v = sqrt(0.5); let end = solve(physics::gravity(), #{ r: [[-0.5, 0], [0.5, 0]], r_t: [[0, -v], [0, v]] }, PI / (2 * v)).r; relative_error(end, tensor([[0.5, 0], [-0.5, 0]]))",
        1e-6,
    ),
    (
        "springs",
        "let end = solve(physics::springs(#{ stiffness: 2, rest: 1, mass: 4 }), #{ r: [[-0.6, 0], [0.6, 0]] }, 1.0).r; relative_error(end, tensor([[-0.5 - 0.1 * cos(1), 0], [0.5 + 0.1 * cos(1), 0]]))",
        1e-7,
    ),
    (
        "pendulum",
        "abs(solve(physics::pendulum(), #{ angle: 1e-4 }, 0.5).angle.values[[0, 0]] * 1e4 - cos(0.5 * sqrt(9.81)))",
        1e-6,
    ),
    (
        "pendulum",
        "let p = solve(physics::pendulum(), #{ angle: 2 }, 3.0); abs(p.angle_t.values ** 2 / 2 - 9.81 * (cos(p.angle.values) - cos(2)))[[0, 0]]",
        1e-5,
    ),
    (
        "lorenz",
        "let r = sqrt(72); let p = solve(physics::lorenz(), #{ x: r, y: r, z: 27 }, 1.0).values; relative_error(p, tensor([[r, r, 27]]))",
        1e-7,
    ),
];

fn host() -> Host {
    let run_folder = std::env::temp_dir().join(format!("ansatz-physics-{}", std::process::id()));
    Host::new(Session::new(Options { precision: Precision::F64, run_folder, ..Options::default() }))
}

/// The number that a row gives.
fn error(host: &mut Host, script: &str) -> Result<f64, String> {
    let value = host.evaluate("row", script).map_err(|e| e.to_string())?;
    let tensor = Operand::of(&value).and_then(|o| o.into_tensor(host.session().context()));
    tensor.and_then(|t| t.item().ok()).ok_or_else(|| format!("got {value}"))
}

#[test]
fn named_equations_have_their_solutions() {
    let mut failures = Vec::new();
    for (name, script, most) in ROWS {
        match error(&mut host(), script) {
            Ok(error) if error <= *most => {}
            Ok(error) => failures.push(format!("{name}: {error:e}, at most {most:e}")),
            Err(e) => failures.push(format!("{name}: {e}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn initial_states_do_not_depend_on_the_grid_or_on_other_samples() {
    for family in ["fourier", "sine_waves", "bumps"] {
        let script = format!(
            "let of = |n, samples| initial::{family}(grid::periodic([n, n], [1, 1]), #{{ samples: samples, seed: 3 }}).values; \
             max(abs(of.call(8, 1)[0] - of.call(16, 2)[[0, ALL, 0..16, 0..16]].reshape([1, 8, 2, 8, 2])[[ALL, ALL, 0, ALL, 0]]))"
        );
        assert_eq!(error(&mut host(), &script).map(|e| e < 1e-12), Ok(true), "{family}");
    }
}

#[test]
fn every_equation_has_a_row() {
    let without: Vec<&str> =
        catalogue().map(|named| named.name).filter(|name| !ROWS.iter().any(|(row, ..)| row == name)).collect();
    assert!(without.is_empty(), "no row for {without:?}");
}
