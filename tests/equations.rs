//! Equations against what is known without a solver: exact solutions, conserved integrals, exact steps of linear equations.
//!
//! A row is a script that ends in its error, and the most that this may be: a few times what was measured. Grids have odd and even
//! numbers of points, boxes of any place and length.

mod common;

use ansatz::tensor::Precision::{F32, F64};
use common::judge;

const PRELUDE: &str = "
    fn relative(a, b) { max(abs(a - b)) / max(abs(b)) }
";

/// Travelling and decaying waves that are known in closed form.
const EXACT: &[(&str, &str, f64)] = &[
    (
        "front of Fisher's equation (Ablowitz, Zeppetella)",
        "let g = grid::interval(-40, 60, 1000, #{ edges: neumann(0) });
         let front = |t| g.sample(|x| (1 + exp((x - 5 * t / sqrt(6)) / sqrt(6))) ** -2);
         let fisher = equation(|u| dt(u) - dx(u, 2) - u * (1 - u));
         relative(solve(fisher, front.call(0), 4.0, #{ accuracy: 4, rtol: 1e-6 }), front.call(4))",
        1e-6,
    ),
    (
        "soliton of Korteweg and de Vries, odd number of points",
        "let g = grid::periodic([255], [[-3, 37]]);
         let c = 1.3;
         let soliton = |t| g.sample(|x| 3 * c / cosh(sqrt(c) / 2 * (x - 12 - c * t)) ** 2);
         let kdv = equation(|u| dt(u) + u * dx(u) + dx(u, 3));
         relative(solve(kdv, soliton.call(0), 5.0, #{ scheme: \"etdrk4\", step: 0.005 }), soliton.call(5))",
        1e-6,
    ),
    (
        "Burgers by Cole and Hopf",
        "let g = grid::periodic([90], [[-1, 2]]);
         let nu = 0.05;
         let k = TAU / 3;
         let u = |t| { let q = exp(-nu * k * k * t); g.sample(|x| 2 * nu * k * q * sin(k * x) / (1.5 + q * cos(k * x))) };
         relative(solve(equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2)), u.call(0), 3.0), u.call(3))",
        1e-7,
    ),
    (
        "Burgers by Cole and Hopf, between walls that move with it",
        "let nu = 0.05;
         let exact = |x, t| { let q = exp(-nu * t); 2 * nu * q * sin(x) / (1.5 + q * cos(x)) };
         let g = grid::interval(0.4, 2, 120, #{ left: dirichlet(|t| exact.call(0.4, t)), right: dirichlet(|t| exact.call(2, t)) });
         let burgers = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
         relative(solve(burgers, g.sample(|x| exact.call(x, 0)), 2.0, #{ accuracy: 6, rtol: 1e-7 }), g.sample(|x| exact.call(x, 2)))",
        1e-6,
    ),
    (
        "Taylor–Green vortices",
        "let g = grid::periodic([30, 37], [TAU, TAU]);
         let start = g.sample(|x, y| 2 * cos(x) * cos(y));
         let flow = equation([\"w\", \"psi\"], |w, psi| [
             dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 0.1 * laplacian(w),
             laplacian(psi) + w,
         ]);
         relative(solve(flow, start, 2.0), exp(-0.4) * start)",
        1e-12,
    ),
    (
        "plane wave of the nonlinear Schrödinger equation",
        "let g = grid::periodic([33], [TAU]);
         let a = 0.7;
         let turn = 2 - a * a;
         let nls = equation(|p, q| [dt(p) + 0.5 * dx(q, 2) + (p * p + q * q) * q, dt(q) - 0.5 * dx(p, 2) - (p * p + q * q) * p]);
         let end = solve(nls, #{ p: |x| a * cos(2 * x), q: |x| a * sin(2 * x) }, 1.7, #{ grid: g });
         relative(end.p, g.sample(|x| a * cos(2 * x - turn * 1.7))) + relative(end.q, g.sample(|x| a * sin(2 * x - turn * 1.7)))",
        1e-7,
    ),
    (
        "d'Alembert: two waves that run apart",
        "let g = grid::periodic([101], [2]);
         let hill = |s| exp(cos(PI * s));
         let end = solve(equation(|u| dt(dt(u)) - 4 * dx(u, 2)), g.sample(|x| hill.call(x)), 0.77).u;
         relative(end, g.sample(|x| 0.5 * (hill.call(x - 1.54) + hill.call(x + 1.54))))",
        1e-12,
    ),
    (
        "a force that depends on place and time",
        "let g = grid::periodic([16], [TAU]);
         let forced = equation(|u, x, t| dt(u) - dx(u, 2) - sin(x) * cos(t));
         relative(solve(forced, g.sample(|x| 0 * x), 1.0), g.sample(|x| sin(x) * (cos(1) + sin(1) - exp(-1)) / 2))",
        1e-7,
    ),
    (
        "back in time",
        "let g = grid::periodic([24], [TAU]);
         let k = 0.3;
         let burgers = equation(|u| dt(u) + u * dx(u) - 1e-3 * dx(u, 3));
         let start = g.sample(|x| sin(x));
         let o = #{ scheme: \"rk4\", steps: 200, dealias: false };
         let path = solve(burgers, solve(burgers, start, 0.3, o), [0.3, 0], o);
         relative(path.last(), start)",
        1e-8,
    ),
    (
        "Gray and Scott, refined",
        "let f = 0.03;
         let eq = equation(|u, v| [dt(u) - 2e-3 * laplacian(u) + u * v * v - f * (1 - u), dt(v) - 1e-3 * laplacian(v) - u * v * v + (f + 0.055) * v]);
         let start = #{ u: |x, y| 1 - 0.4 * exp(cos(TAU * x) + cos(PI * y) - 2), v: |x, y| 0.3 * exp(cos(TAU * x - 1) + cos(PI * y) - 2) };
         let at = |n, m| solve(eq, start, 10.0, #{ grid: grid::periodic([n, m], [1, 2]), scheme: \"etdrk4\", step: 0.5 });
         relative(at.call(45, 54).values, restrict(at.call(90, 108), 2).values)",
        1e-6,
    ),
];

#[test]
fn exact_solutions() {
    judge(F64, PRELUDE, EXACT);
}

/// Heat between edges: single modes with their decay, by orders of differences and by places of values.
const EDGES: &[(&str, &str, f64)] = &[
    ("centres, 2", "edges(\"centres\", 2)", 1.5e-3),
    ("nodes, 2", "edges(\"nodes\", 2)", 1.5e-3),
    ("centres, 4", "edges(\"centres\", 4)", 2e-5),
    ("nodes, 4", "edges(\"nodes\", 4)", 2e-5),
    ("centres, 6", "edges(\"centres\", 6)", 5e-7),
    ("nodes, 6", "edges(\"nodes\", 6)", 5e-7),
    ("manufactured in the plane, centres", "manufactured(\"centres\")", 0.28),
    ("manufactured in the plane, nodes", "manufactured(\"nodes\")", 0.28),
];
const EDGES_PRELUDE: &str = "
    fn relative(a, b) { max(abs(a - b)) / max(abs(b)) }
    fn edges(values, accuracy) {
        let heat = equation(|u| dt(u) - 0.3 * dx(u, 2));
        let error = |g, mode, T| relative(solve(heat, g.sample(|x| mode.call(x, 0)), T, #{ accuracy: accuracy, rtol: 1e-7, atol: 1e-8 }), g.sample(|x| mode.call(x, T)));
        // Dirichlet and Neumann
        let g = grid::interval(0, 1, 41, #{ left: dirichlet(0), right: neumann(0), values: values });
        let wave = |k, x, t| exp(-0.3 * k * k * t) * sin(k * x);
        let worst = error.call(g, |x, t| wave.call(PI / 2, x, t) + wave.call(2.5 * PI, x, t), 0.1);
        // Robin: cos k = k sin k / 2
        let k = 1.0;
        for i in 0..50 { k -= (cos(k) - 0.5 * k * sin(k)) / (-1.5 * sin(k) - 0.5 * k * cos(k)); }
        let g = grid::interval(0, 1, 41, #{ left: neumann(0), right: robin(1, 0.5, 0), values: values });
        worst = maximum(worst, error.call(g, |x, t| exp(-0.3 * k * k * t) * cos(k * x), 0.5));
        // values that are not 0
        let g = grid::interval(0, 2, 41, #{ left: dirichlet(1), right: neumann(-0.5), values: values });
        worst = maximum(worst, error.call(g, |x, t| 1 - 0.5 * x + wave.call(PI / 4, x, t), 0.5));
        // and that change in time
        let g = grid::interval(0.3, 1, 41, #{ left: dirichlet(|t| exp(-1.2 * t) * cos(0.6)), right: neumann(|t| -2 * exp(-1.2 * t) * sin(2)), values: values });
        maximum(worst, error.call(g, |x, t| exp(-1.2 * t) * cos(2 * x), 0.5))
    }
    // div(a grad u) with a source that makes u = e^(-t) sin(px) cos(qy): the error on twice as many points, as a share.
    fn manufactured(values) {
        let p = PI / 2;
        let q = PI / 4;
        let source = |x, y, t| exp(-t) * ((-1 + (1 + 0.3 * x * y) * (p * p + q * q)) * sin(p * x) * cos(q * y)
            - 0.3 * y * p * cos(p * x) * cos(q * y) + 0.3 * x * q * sin(p * x) * sin(q * y));
        let error = |n| {
            let g = grid::rectangle([0, 1], [0, 2], [n + 1, n], #{ left: dirichlet(0), right: neumann(0), bottom: neumann(0), top: dirichlet(0), values: values });
            let a = g.sample(|x, y| 1 + 0.3 * x * y);
            let heat = equation(|u, x, y, t| dt(u) - div(a * grad(u)) - source.call(x, y, t));
            let u = |t| g.sample(|x, y| exp(-t) * sin(p * x) * cos(q * y));
            relative(solve(heat, u.call(0), 0.3, #{ rtol: 1e-6 }), u.call(0.3))
        };
        error.call(24) / error.call(12)
    }
";

#[test]
fn heat_between_edges() {
    judge(F64, EDGES_PRELUDE, EDGES);
}

/// Linear equations with constant coefficients in Fourier space, over spans of any length in one step.
const LINEAR_PRELUDE: &str = "
    fn relative(a, b) { max(abs(a - b)) / max(abs(b)) }
    // The largest error over odd and even numbers of points and over spans; f(grid, k, span) is the error of one.
    fn over(f) {
        let worst = 0.0;
        for n in [31, 32] { for span in [0.01, 3.7, 100.0] {
            worst = maximum(worst, item(f.call(grid::periodic([n], [[-1, 3]]), 3 * TAU / 4, span)));
        } }
        worst
    }
";
/// The phase is taken off whole turns in double precision, so that single precision knows it.
const LINEAR: &[(&str, &str)] = &[
    (
        "advection",
        "over(|g, k, t| { let turn = (0.7 * k * t) % TAU;
            relative(solve(equation(|u| dt(u) + 0.7 * dx(u)), g.sample(|x| sin(k * x)), t), g.sample(|x| sin(k * x - turn))) })",
    ),
    (
        "dispersion",
        "over(|g, k, t| { let turn = (k ** 3 * t) % TAU;
            relative(solve(equation(|u| dt(u) + dx(u, 3)), g.sample(|x| sin(k * x)), t), g.sample(|x| sin(k * x + turn))) })",
    ),
    (
        "diffusion",
        "over(|g, k, t| relative(solve(equation(|u| dt(u) - 1e-3 * dx(u, 2)), g.sample(|x| sin(k * x)), t), exp(-1e-3 * k * k * t) * g.sample(|x| sin(k * x))))",
    ),
    (
        "waves",
        "over(|g, k, t| max(abs(solve(equation(|u| dt(dt(u)) - dx(u, 2)), g.sample(|x| sin(k * x)), t).u - cos(k * t) * g.sample(|x| sin(k * x)))))",
    ),
    (
        "damped waves",
        "over(|g, k, t| { let w = sqrt(k * k + 0.99); let size = exp(-0.1 * t) * (cos(w * t) + 0.1 / w * sin(w * t));
            max(abs(solve(equation(|u| dt(dt(u)) + 0.2 * dt(u) - dx(u, 2) + u), g.sample(|x| sin(k * x)), t).u - size * g.sample(|x| sin(k * x)))) })",
    ),
    (
        "shallow water",
        "over(|g, k, t| { let end = solve(equation(|h, u| [dt(h) + 2 * dx(u), dt(u) + 0.5 * dx(h)]), #{ h: |x| sin(k * x), u: 0 }, t, #{ grid: g });
            maximum(max(abs(end.h - cos(k * t) * g.sample(|x| sin(k * x)))), max(abs(end.u + 0.5 * sin(k * t) * g.sample(|x| cos(k * x))))) })",
    ),
    (
        "mixed derivatives in the plane",
        "let g = grid::periodic([15, 16], [1, 2]);
         let eq = equation(|u| dt(u) + 0.5 * dx(u) - 0.3 * dy(u) - 0.01 * (dx(u, 2) + 0.5 * dx(dy(u)) + 2 * dy(u, 2)));
         relative(solve(eq, g.sample(|x, y| sin(TAU * (x + y))), 1.3), exp(-0.01 * 1.3 * TAU * TAU * 3.5) * g.sample(|x, y| sin(TAU * (x - 0.65) + TAU * (y + 0.39))))",
    ),
];

fn linear(precision: ansatz::tensor::Precision, tolerance: f64) {
    let rows: Vec<(&str, &str, f64)> = LINEAR.iter().map(|(name, script)| (*name, *script, tolerance)).collect();
    judge(precision, LINEAR_PRELUDE, rows.leak());
}
#[test]
fn linear_equations_take_any_step() {
    linear(F64, 1e-12);
}
#[test]
fn linear_equations_take_any_step_in_single_precision() {
    linear(F32, 1e-5);
}

/// What integrals change by in 1,000 steps, relative to the integral of the modulus.
const CONSERVED_PRELUDE: &str = "
    // Sums in double precision: what is measured is the state, not its addition.
    fn total(u) { sum(cast(u.values, \"f64\")) }
    fn drift(from, to) { abs(total(to) - total(from)) / total(abs(from)) }
    fn of(eq, from, span, options) { options.steps = 1000; drift(from, solve(eq, from, span, options)) }
    let ring = grid::periodic([64], [TAU]);
    let odd = grid::periodic([45], [[-2, 1]]);
    let hills = ring.sample(|x| 1 + 0.5 * sin(x) + 0.3 * cos(3 * x + 1));
    let alloy = ring.sample(|x| 0.1 + 0.3 * sin(x) + 0.2 * cos(3 * x + 1));
    let heat = equation(|u| dt(u) - 0.1 * dx(u, 2));
    let burgers = equation(|u| dt(u) + dx(u * u / 2) - 0.05 * dx(u, 2));
    let kdv = equation(|u| dt(u) + 6 * u * dx(u) + 0.01 * dx(u, 3));
    let cahn_hilliard = equation(|c| dt(c) - dx(c ** 3 - c - 0.05 * dx(c, 2), 2));
    let line = grid::interval(0, 1, 50, #{ edges: neumann(0) });
    let pile = line.sample(|x| 1 + cos(PI * x) + x ** 2);
    let a = line.sample(|x| 1 + 0.5 * x);
";
const CONSERVED: &[(&str, &str)] = &[
    ("heat", "of(heat, hills, 0.5, #{ scheme: \"rk4\" })"),
    ("heat, exact", "of(heat, hills, 0.5, #{ scheme: \"exact\" })"),
    ("heat, central", "of(heat, hills, 0.5, #{ scheme: \"rk4\", accuracy: 4 })"),
    ("heat, odd", "of(heat, odd.sample(|x| 2 + cos(TAU * x / 3)), 0.5, #{ scheme: \"exact\" })"),
    ("advection, central", "of(equation(|u| dt(u) + dx(u)), hills, 0.5, #{ scheme: \"rk4\", accuracy: 2 })"),
    ("Burgers", "of(burgers, hills, 0.5, #{ scheme: \"etdrk4\" })"),
    ("Burgers, central", "of(burgers, hills, 0.5, #{ scheme: \"ssp_rk3\", accuracy: 6 })"),
    ("Korteweg–de Vries", "of(kdv, hills, 0.5, #{ scheme: \"etdrk4\" })"),
    ("Cahn–Hilliard", "of(cahn_hilliard, alloy, 0.5, #{ scheme: \"etdrk2\" })"),
    ("finite volumes", "of(equation(|u| dt(u) - div(a * grad(u))), pile, 0.1, #{ scheme: \"rk4\" })"),
];

/// In double precision alone: rounding in differences of fourth order moves the integral by 1.1e-6 in single precision.
const STIFF: &[(&str, &str, f64)] =
    &[("Cahn–Hilliard, central", "of(cahn_hilliard, alloy, 0.01, #{ scheme: \"rk4\", accuracy: 2 })", 1e-13)];

fn conserved(precision: ansatz::tensor::Precision, tolerance: f64) {
    let rows: Vec<(&str, &str, f64)> = CONSERVED.iter().map(|(name, script)| (*name, *script, tolerance)).collect();
    judge(precision, CONSERVED_PRELUDE, rows.leak());
}
#[test]
fn integrals_are_kept() {
    conserved(F64, 1e-13);
    judge(F64, CONSERVED_PRELUDE, STIFF);
}
#[test]
fn integrals_are_kept_in_single_precision() {
    conserved(F32, 1e-6);
}

const ENERGY: &[(&str, &str, f64)] = &[
    (
        "a ring of oscillators, 2,500 steps of Verlet",
        "let g = grid::periodic([40], [TAU]);
         let path = solve(equation(|u| dt(dt(u)) - dx(u, 2) + u ** 3), g.sample(|x| sin(x)), linspace(0, 50, 51), #{ scheme: \"verlet\", step: 0.02, accuracy: 2 });
         let u = path.u.values[0];
         let v = path.u_t.values[0];
         let slope = (concat([u[[ALL, ALL, 1..40]], u[[ALL, ALL, 0..1]]], 2) - u) * 40 / TAU;
         let energy = sum(v * v / 2 + slope * slope / 2 + u ** 4 / 4, [1, 2]);
         max(abs(energy / energy[0] - 1))",
        1e-3,
    ),
    (
        "a planet on an ellipse, 5,000 steps of Verlet",
        "let orbit = equation([\"p\", \"q\"], |p, q| [dt(dt(p)) + p / (p * p + q * q) ** 1.5, dt(dt(q)) + q / (p * p + q * q) ** 1.5]);
         let path = solve(orbit, #{ p: 1, q: 0, p_t: 0, q_t: 1.2 }, linspace(0, 50, 101), #{ scheme: \"verlet\", step: 0.01 });
         let energy = (path.p_t ** 2 + path.q_t ** 2) / 2 - 1 / sqrt(path.p ** 2 + path.q ** 2);
         max(abs(energy / energy[[0, 0]] - 1))",
        1e-3,
    ),
];

#[test]
fn energy_is_bounded_by_symplectic_steps() {
    judge(F64, PRELUDE, ENERGY);
}
