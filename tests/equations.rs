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
        "arrays of symbols are vectors",
        "let g = grid::periodic([12, 10], [TAU, TAU]);
         let c = 0.4;
         let s = 0.7;
         let start = g.sample(|x, y| sin(x) * cos(y));
         let a = solve(equation(|u| dt(u) + advect(2 * [c, s] - [0.5 * c, s], u)), start, 0.5);
         let b = solve(equation(|u| dt(u) - advect(-[3 * c, 2 * s] / 2, u)), start, 0.5);
         relative(a, g.sample(|x, y| sin(x - 0.3) * cos(y - 0.35))) + relative(b, a)",
        1e-12,
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
    fn of(eq, from, span, options) {
        options.steps = 1000;
        if type_name(from) != \"map\" { return drift(from, solve(eq, from, span, options)); }
        let first = from.h;
        options.grid = first;
        drift(first, solve(eq, from, span, options).h)
    }
    // On a grid of its own, by its weights.
    fn within(eq, grid, from, span, options) {
        options.steps = 1000;
        let to = solve(eq, from, span, options);
        let w = cast(weights(grid).values, \"f64\");
        let whole = |u| sum(w * cast(u.values, \"f64\"));
        abs(whole.call(to) - whole.call(from)) / whole.call(abs(from))
    }
    let ring = grid::periodic([64], [TAU]);
    let odd = grid::periodic([45], [[-2, 1]]);
    let hills = ring.sample(|x| 1 + 0.5 * sin(x) + 0.3 * cos(3 * x + 1));
    let alloy = ring.sample(|x| 0.1 + 0.3 * sin(x) + 0.2 * cos(3 * x + 1));
    let heat = equation(|u| dt(u) - 0.1 * dx(u, 2));
    let burgers = equation(|u| dt(u) + dx(u * u / 2) - 0.05 * dx(u, 2));
    let kdv = equation(|u| dt(u) + 6 * u * dx(u) + 0.01 * dx(u, 3));
    let cahn_hilliard = equation(|c| dt(c) - dx(c ** 3 - c - 0.05 * dx(c, 2), 2));
    let k = ring.sample(|x| 0.1 + 0.03 * cos(x));
    let plane = grid::periodic([12, 10], [TAU, TAU]);
    let eddies = plane.sample(|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x));
    let pond = plane.sample(|x, y| 1 + 0.1 * sin(x) * cos(y));
    let line = grid::interval(0, 1, 50, #{ edges: neumann(0) });
    let pile = line.sample(|x| 1 + cos(PI * x) + x ** 2);
    let a = line.sample(|x| 1 + 0.5 * x);
    let fence = grid::interval(0, 1, 41, #{ edges: neumann(0), values: \"nodes\" });
    let stack = fence.sample(|x| 1 + cos(PI * x) + x ** 2);
    let pen = grid::interval(0, 1, 16, #{ edges: neumann(0) });
    let short = pen.sample(|x| 1 + 0.3 * cos(PI * x) + 0.1 * cos(3 * PI * x));
    fn weights(grid) {
        let n = grid.shape[0];
        grid.sample(|x| if n == 41 { 1 - 0.5 * heaviside(1e-9 - x) - 0.5 * heaviside(x - 1 + 1e-9) } else { 0 * x + 1 })
    }
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
    ("Cahn–Hilliard, central", "of(cahn_hilliard, alloy, 0.01, #{ scheme: \"rk4\", accuracy: 2 })"),
    ("Cahn–Hilliard, central, implicit", "of(cahn_hilliard, alloy, 0.01, #{ scheme: \"bdf2\", accuracy: 2 })"),
    ("heat, implicit", "of(heat, hills, 0.5, #{ scheme: \"crank_nicolson\", accuracy: 2 })"),
    ("heat, implicit and explicit", "of(heat, hills, 0.5, #{ scheme: \"ars222\", accuracy: 4 })"),
    ("Burgers, upwind", "of(burgers, hills, 0.5, #{ scheme: \"ssp_rk3\", transport: \"upwind3\" })"),
    ("finite volumes", "of(equation(|u| dt(u) - div(a * grad(u))), pile, 0.1, #{ scheme: \"rk4\" })"),
];

/// Every equation of the catalogue that keeps an integral: name, equation, start, span; by each of these ways.
const CATALOGUE: &[(&str, &str, &str, f64)] = &[
    ("heat", "physics::heat(#{ diffusivity: 0.1 })", "hills", 0.5),
    ("diffusion", "physics::diffusion(#{ diffusivity: k })", "hills", 0.2),
    ("advection", "physics::advection(#{ velocity: 0.7 })", "hills", 0.5),
    ("advection and diffusion", "physics::advection_diffusion(#{ velocity: 0.7, diffusivity: 0.1 })", "hills", 0.5),
    ("Burgers", "physics::burgers(#{ nu: 0.05 })", "hills", 0.5),
    ("Burgers without viscosity", "physics::inviscid_burgers()", "hills", 0.2),
    ("Korteweg–de Vries", "physics::korteweg_de_vries(#{ dispersion: 0.01 })", "hills", 0.2),
    ("Kuramoto–Sivashinsky", "physics::kuramoto_sivashinsky(#{ nu: 0.1 })", "hills", 0.01),
    ("Cahn–Hilliard", "physics::cahn_hilliard(#{ epsilon: 0.2 })", "alloy", 0.01),
    ("vorticity", "physics::navier_stokes_vorticity()", "eddies", 0.3),
    ("shallow water", "physics::shallow_water()", "#{ h: pond, hu: 0, hv: 0 }", 0.2),
];
const WAYS: &[&str] = &[
    "#{ scheme: \"rk4\" }",
    "#{ scheme: \"rk4\", accuracy: 2 }",
    "#{ scheme: \"ssp_rk3\", accuracy: 6 }",
    "#{ scheme: \"ssp_rk3\", transport: \"weno5\" }",
];
/// Between walls that nothing passes.
const CLOSED: &[(&str, &str)] = &[
    (
        "heat, accuracy 4",
        "within(physics::heat(#{ diffusivity: 0.1 }), line, pile, 0.1, #{ scheme: \"rk4\", accuracy: 4 })",
    ),
    (
        "heat, accuracy 6, nodes",
        "within(physics::heat(#{ diffusivity: 0.1 }), fence, stack, 0.1, #{ scheme: \"rk4\", accuracy: 6 })",
    ),
    (
        "finite volumes, accuracy 4",
        "within(equation(|u| dt(u) - div(a * grad(u))), line, pile, 0.05, #{ scheme: \"rk4\", accuracy: 4 })",
    ),
    (
        "finite volumes, accuracy 6",
        "within(equation(|u| dt(u) - div((1 + u * u) * grad(u))), line, pile, 0.01, #{ scheme: \"rk4\", accuracy: 6 })",
    ),
    (
        "finite volumes, accuracy 6, nodes",
        "within(equation(|u, x| dt(u) - div((1 + x) * grad(u))), fence, stack, 0.02, #{ scheme: \"rk4\", accuracy: 6 })",
    ),
    (
        "Cahn–Hilliard",
        "within(physics::cahn_hilliard(#{ epsilon: 0.05 }), line, pile - 1, 1e-4, #{ scheme: \"rk4\", accuracy: 2 })",
    ),
    (
        "Cahn–Hilliard, accuracy 4, implicit",
        "within(physics::cahn_hilliard(#{ epsilon: 0.05 }), pen, short - 1, 1e-3, #{ scheme: \"bdf2\", accuracy: 4 })",
    ),
    ("heat, implicit", "within(physics::heat(#{ diffusivity: 0.1 }), line, pile, 1.0, #{ scheme: \"bdf2\" })"),
    (
        "heat, implicit and explicit",
        "within(physics::heat(#{ diffusivity: 0.1 }), line, pile, 1.0, #{ scheme: \"ars443\" })",
    ),
    (
        "a flow that ends at the walls",
        "within(equation(|u, x| dt(u) + dx((x - x * x) * u)), line, pile, 0.5, #{ scheme: \"ssp_rk3\" })",
    ),
    (
        "shallow water in a channel",
        "let tank = grid::interval(0, 1, 40, #{ edges: #{ h: neumann(0), hu: dirichlet(0) } });
         let water = equation([\"h\", \"hu\"], |h, hu| [dt(h) + dx(hu), dt(hu) + dx(hu * hu / h + h * h / 2)]);
         let start = tank.sample(|x| 1 + 0.3 * cos(PI * x));
         let end = solve(water, #{ h: start, hu: 0 }, 0.5, #{ grid: tank, scheme: \"ssp_rk3\", steps: 1000 });
         drift(start, end.h)",
    ),
];

fn conserved(precision: ansatz::tensor::Precision, tolerance: f64) {
    let rows: Vec<(&str, &str, f64)> =
        CONSERVED.iter().chain(CLOSED).map(|(name, script)| (*name, *script, tolerance)).collect();
    judge(precision, CONSERVED_PRELUDE, rows.leak());
}
fn catalogue(precision: ansatz::tensor::Precision, tolerance: f64) {
    let mut rows: Vec<(&str, &str, f64)> = Vec::new();
    for (name, equation, start, span) in CATALOGUE {
        // Upwind differences of the advective form of the vorticity are no fluxes; those of shallow water stand among the closed ones.
        let ways = if matches!(*name, "vorticity" | "shallow water") { 3 } else { 4 };
        for way in WAYS.iter().take(ways) {
            let script = format!("of({equation}, {start}, {span:?}, {way})");
            rows.push((format!("{name} {way}").leak(), script.leak(), tolerance));
        }
    }
    judge(precision, CONSERVED_PRELUDE, rows.leak());
}
#[test]
fn integrals_are_kept() {
    conserved(F64, 1e-13);
}
#[test]
fn integrals_are_kept_in_single_precision() {
    conserved(F32, 1e-6);
}
#[test]
fn integrals_of_the_catalogue_are_kept() {
    catalogue(F64, 1e-13);
}
#[test]
fn integrals_of_the_catalogue_are_kept_in_single_precision() {
    catalogue(F32, 1e-6);
}

/// Solutions with shocks: the sum of absolute differences, relative to that of the exact solution.
const SHOCKS_PRELUDE: &str = "
    fn part(u, exact) { sum(abs(u - exact)) / sum(abs(exact)) }
    let box = |x, low, high| heaviside(x - low) * heaviside(high - x);
    // The root of a function that falls from low to high, at all points.
    fn root(f, low, high) {
        for i in 0..60 {
            let middle = 0.5 * (low + high);
            let above = f.call(middle) > 0;
            low = where(above, middle, low);
            high = where(above, high, middle);
        }
        low
    }
";
const SHOCKS: &[(&str, &str, f64)] = &[
    (
        "Burgers: a box becomes a ramp and a shock",
        "let line = grid::interval(0, 1.2, 240, #{ edges: neumann(0) });
         let u = solve(physics::inviscid_burgers(), line.sample(|x| box.call(x, 0.2, 0.6)), 0.3, #{ rtol: 1e-4 });
         part(u, line.sample(|x| minimum(maximum((x - 0.2) / 0.3, 0), 1) * heaviside(0.75 - x)))",
        2e-2,
    ),
    (
        "Burgers as u u_x: the shock has its speed",
        "let line = grid::interval(0, 1.2, 240, #{ left: dirichlet(1), right: dirichlet(0) });
         let u = solve(equation(|u| dt(u) + u * dx(u)), line.sample(|x| box.call(x, -1, 0.3)), 0.8, #{ rtol: 1e-4 });
         part(u, line.sample(|x| box.call(x, -1, 0.7)))",
        2e-2,
    ),
    (
        "a box carried once around",
        "let ring = grid::periodic([400], [1]);
         let start = ring.sample(|x| box.call(x, 0.3, 0.7));
         part(solve(physics::advection(#{ velocity: 1.0 }), start, 1.0, #{ transport: \"weno5\", rtol: 1e-4 }), start)",
        2e-2,
    ),
    (
        "a dam breaks (Stoker)",
        "let line = grid::interval(-1, 1, 300, #{ edges: neumann(0) });
         let water = equation([\"h\", \"hu\"], |h, hu| [dt(h) + dx(hu), dt(hu) + dx(hu * hu / h + h * h / 2)]);
         let t = 0.4;
         let end = solve(water, #{ h: |x| 1 + 2 * heaviside(-x), hu: 0 }, t, #{ grid: line, rtol: 1e-4 });
         // Between a fan from 3 and a shock into 1.
         let h = item(root(|h| 2 * (sqrt(3) - sqrt(h)) - (h - 1) * sqrt(0.5 * (1 / h + 1)), tensor(1.0), tensor(3.0)));
         let u = 2 * (sqrt(3) - sqrt(h));
         let exact = line.sample(|x| {
             let fan = (2 * sqrt(3) - x / t) ** 2 / 9;
             let wet = where(x < -sqrt(3) * t, 3, where(x < (u - sqrt(h)) * t, fan, h));
             where(x < h * u / (h - 1) * t, wet, 1)
         });
         part(end.h, exact)",
        2e-2,
    ),
    (
        "water drives out oil (Buckley, Leverett)",
        "let line = grid::interval(0, 1, 200, #{ left: dirichlet(1), right: neumann(0) });
         let flux = |u| u ** 2 / (u ** 2 + 0.5 * (1 - u) ** 2);
         let speed = |u| u * (1 - u) / (u ** 2 + 0.5 * (1 - u) ** 2) ** 2;
         let u = solve(equation(|u| dt(u) + dx(flux.call(u))), line.sample(|x| 0 * x), 0.5, #{ rtol: 1e-4 });
         let front = sqrt(1 / 3);
         let exact = line.sample(|x| where(x < 0.5 * speed.call(front), root(|u| speed.call(u) - x / 0.5, 0 * x + front, 0 * x + 1), 0 * x));
         part(u, exact)",
        2e-2,
    ),
];

#[test]
fn shocks() {
    judge(F64, SHOCKS_PRELUDE, SHOCKS);
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

const PER_SAMPLE_PRELUDE: &str = "
    let nus = [0.1, 0.2, 0.3];
    let heat = |g, nu, u, options| solve(equation(|u| dt(u) - nu * laplacian(u)), u, 0.01, options + #{ grid: g });
    fn worst(g, heat, nus, options) {
        let u = random::normal([3, 1, 48], #{ seed: 1 });
        let all = heat.call(g, tensor(nus), field(u, g), options).values;
        let error = 0.0;
        for i in 0..3 {
            let one = heat.call(g, nus[i], field(u[[i..i + 1]], g), options).values;
            error = max(error, item(max(abs(all[[i..i + 1]] - one))));
        }
        error
    }
";

/// A coefficient that differs between samples is the coefficient of each.
const PER_SAMPLE: &[(&str, &str, f64)] = &[
    (
        "explicit and implicit steps between edges",
        "let g = grid::interval(0, 1, 48, #{ edges: dirichlet(0) });
         let error = 0.0;
         for scheme in [\"crank_nicolson\", \"backward_euler\", \"ars443\", \"esdirk4\"] {
             error = max(error, worst(g, heat, nus, #{ scheme: scheme, steps: 10 }));
         }
         for lane in [\"native\", \"burn\"] {
             error = max(error, worst(g, heat, nus, #{ scheme: \"rk4\", steps: 40, lane: lane }));
         }
         error",
        1e-10,
    ),
    (
        "differences on a ring",
        "worst(grid::periodic([48], [1]), heat, nus, #{ derivatives: \"central\", scheme: \"rk4\", steps: 40 })",
        1e-10,
    ),
    (
        "gradients of implicit steps",
        "let g = grid::interval(0, 1, 24, #{ edges: dirichlet(0) });
         let u = random::normal([3, 1, 24], #{ seed: 1 });
         let of = |nu, u| sum(heat.call(g, nu, field(u, g), #{ scheme: \"crank_nicolson\", steps: 5 }).values ** 2);
         let all = grad(|nu| of.call(nu, u), tensor(nus));
         let error = 0.0;
         for i in 0..3 {
             let one = grad(|nu| of.call(nu, u[[i..i + 1]]), tensor(nus[i]));
             error = max(error, abs(item(all[i]) / item(one) - 1));
         }
         error",
        1e-9,
    ),
];

#[test]
fn coefficients_of_samples() {
    judge(F64, PER_SAMPLE_PRELUDE, PER_SAMPLE);
}

/// Solutions that exist although a derivative of the right-hand side does not, everywhere.
const NOT_SMOOTH: &[(&str, &str, f64)] = &[
    (
        "fronts from flat ground",
        "let g = grid::interval(0, 1, 32, #{ edges: neumann(0) });
         let front = |lane| solve(equation(|u| dt(u) + norm(grad(u))), g.sample(|x| max(x - 0.5, 0)), 0.1, #{ scheme: \"rk4\", steps: 20, lane: lane });
         max(abs(front.call(\"native\") - front.call(\"burn\")))",
        1e-12,
    ),
    (
        "growth like a root, (1 + t/2)² and 0",
        "let u = solve(equation(|u| dt(u) - sqrt(u)), tensor([[0.0], [1.0]]), 1.0, #{ scheme: \"rk4\", steps: 20 });
         max(abs(reshape(u, [2]) - tensor([0, 2.25])))",
        1e-6,
    ),
];

#[test]
fn right_hand_sides_without_a_derivative_are_solved() {
    judge(F64, PRELUDE, NOT_SMOOTH);
}

/// What is refused, with a part of the text that says so.
const REFUSED: &[(&str, &str)] = &[
    (
        "solve(equation(|u| dt(u) - dx(u, 9)), grid::periodic([5], [1]).sample(|x| x), 0.1, #{ accuracy: 2 })",
        "too few points",
    ),
    (
        "solve(equation(|u| dt(u) - dx(u, 9)), grid::interval(0, 1, 5, #{ edges: neumann(0) }).sample(|x| x), 0.1)",
        "too few points",
    ),
    ("solve(equation(|u| dt(u) - ln(u - 5)), 1.0, 1.0)", "not finite at the start"),
    ("solve(equation(|u| dt(u) - ln(u - 5)), 1.0, 1.0, #{ scheme: \"rk4\" })", "not finite at the start"),
    ("solve(equation(|u| dt(u) - u * u), 1.0, 3.0, #{ scheme: \"rk4\" })", "from t = 1.0"),
    (
        "solve(equation(|u| dt(u) - u * u), grid::periodic([16], [1]).sample(|x| 2 + sin(TAU * x)), 3.0, #{ scheme: \"rk4\" })",
        "from t = 0.4",
    ),
    (
        "solve(physics::navier_stokes(), #{ v: [|x, y| y, |x, y| 0 * x] }, 0.1, #{ grid: grid::rectangle(1, 1, [8, 8], #{ edges: dirichlet(0) }) })",
        "flow::make_incompressible",
    ),
    (
        "let m = tensor([1, 2, 3, 4]); solve(equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| other(m) * d)]), #{ r: [[0, 0], [1, 0], [0, 1]] }, 0.1)",
        "a number of each body",
    ),
    (
        "let g = grid::interval(0, 1, 8, #{ edges: neumann(0) }); solve(equation(|u| dt(u) - laplacian(u)), g.sample(|x| 0 * x / 0), 0.1)",
        "the initial state is not finite",
    ),
    (
        "let g = grid::interval(0, 1, 8, #{ edges: neumann(0) }); solve(equation(|u| dt(u) - u * laplacian(u)), g.sample(|x| 0 * x / 0), 0.1, #{ scheme: \"rk4\", steps: 2 })",
        "the initial state is not finite",
    ),
    (
        "solve(equation(|u| dt(u) + u), 1.0, 1.0, #{ scheme: \"rk4\", steps: 5_000_000_000_000 })",
        "1 to 1 000 000 000 000 steps",
    ),
    (
        "solve(equation(|u| dt(u) + u), 1.0, 1.0, #{ scheme: \"rk4\", steps: 9223372036854775807 })",
        "1 to 1 000 000 000 000 steps",
    ),
    (
        "sde::statistics(sde::process(|x, t| -x, #{ diffusion: 1 }), tensor([1.0]), [0, 1], #{ paths: 9, histogram: #{ from: 0, to: 1, bins: 0 } })",
        "bins",
    ),
    ("pair_sum(1.0, |d| d)", "stands in equations"),
    ("2 * [1, 2]", "not a vector of numbers"),
    ("grid::interval(0, 1, 4, #{ periodic: true, values: \"centres\" })", "a matter of edges"),
    ("grad(|l| sum(grid::periodic([8], [l]).points[0]), tensor(1.0))", "no gradient goes to the box"),
];

#[test]
fn what_cannot_be_solved_says_why() {
    let run = || {
        let mut faults = Vec::new();
        for (script, expected) in REFUSED {
            let mut host = common::host(F64);
            let begun = std::time::Instant::now();
            match host.evaluate("refused", script) {
                Ok(value) => faults.push(format!("{script}: {value:?}")),
                Err(diagnosis) if !diagnosis.to_string().contains(expected) => {
                    faults.push(format!("{script}: {diagnosis}"));
                }
                Err(_) => println!("{script} in {:.1?}", begun.elapsed()),
            }
        }
        faults
    };
    let faults = ansatz::script::stack::on_large_stack(run).expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
