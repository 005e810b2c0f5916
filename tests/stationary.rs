//! Equations without time, and stiff equations on grids with edges, as scripts: against known solutions, each other, reference data
//! and central differences.

use std::path::PathBuf;

use ansatz::script::Host;
use ansatz::session::{Options, Session};
use ansatz::tensor::Precision;

/// `gap(f, p)`: how far the gradient is from central differences, relative to its largest element.
const PRELUDE: &str = r#"
    fn gap(f, p) {
        let g = grad(f, p);
        let e = 1e-5;
        let worst = 0.0;
        for i in 0..len(p) {
            let d = assign(zeros([len(p)]), [i], e);
            let slope = (item(f.call(p + d)) - item(f.call(p - d))) / (2 * e);
            worst = max(worst, abs(slope - item(g[i])));
        }
        worst / item(max(abs(g)))
    }
    fn worst(a) { item(max(abs(a))) }
"#;

fn host() -> Host {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let run_folder = std::env::temp_dir().join(format!("ansatz-stationary-{}", std::process::id()));
    let mut host = Host::new(Session::new(Options {
        precision: Precision::F64,
        script_folder: Some(folder),
        run_folder,
        ..Options::default()
    }));
    let _ = host.evaluate("prelude", PRELUDE).unwrap_or_else(|e| panic!("{e}"));
    host
}
fn numbers(host: &mut Host, script: &str) -> Vec<f64> {
    let value = host.evaluate("script", script).unwrap_or_else(|e| panic!("{e}\n{script}"));
    let number = |v: &rhai::Dynamic| v.as_float().or_else(|_| v.as_int().map(|n| n as f64));
    if let Ok(one) = number(&value) {
        return vec![one];
    }
    let array = value.into_array().unwrap_or_else(|t| panic!("numbers, not {t}\n{script}"));
    array.iter().map(|v| number(v).unwrap_or_else(|t| panic!("a number, not {t}\n{script}"))).collect()
}
fn number(host: &mut Host, script: &str) -> f64 {
    numbers(host, script)[0]
}
fn refused(host: &mut Host, script: &str, words: &[&str]) {
    let text = host.evaluate("script", script).map_or_else(|e| e.to_string(), |v| format!("no error but {v}"));
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

/// `u = sin(1.3x + 0.4)` on [0, 1] with what holds at the ends.
const EDGES: [(&str, &str, &str); 3] = [
    ("dirichlet", "dirichlet(sin(0.4))", "dirichlet(sin(1.7))"),
    ("neumann", "neumann(-1.3 * cos(0.4))", "neumann(1.3 * cos(1.7))"),
    ("robin", "robin(2, 1, 2 * sin(0.4) - 1.3 * cos(0.4))", "robin(2, 1, 2 * sin(1.7) + 1.3 * cos(1.7))"),
];

#[test]
fn nonlinear_equations_converge_with_their_order_at_all_edges() {
    let mut host = host();
    for (kind, left, right) in EDGES {
        for values in ["cells", "nodes"] {
            for (accuracy, n) in [(2, 24), (4, 20), (6, 12)] {
                let mut error = |n: usize| {
                    let script = format!(
                        "let o = #{{ left: {left}, right: {right} }}; if \"{values}\" == \"nodes\" {{ o.values = \"nodes\"; }}
                         let g = grid::interval(0, 1, {n}, o);
                         let u = solve(equation(|u, x| -laplacian(u) + u * u * u + u - (2.69 * sin(1.3 * x + 0.4) + sin(1.3 * x + 0.4) ** 3)),
                                       #{{ grid: g, accuracy: {accuracy}, tolerance: 1e-13 }});
                         worst(u - g.sample(|x| sin(1.3 * x + 0.4)))"
                    );
                    number(&mut host, &script)
                };
                let (coarse, fine) = (error(n), error(2 * n));
                let order = (coarse / fine).log2();
                assert!(
                    order > f64::from(accuracy) - 0.4,
                    "{kind} {values} accuracy {accuracy}: order {order:.2}, {coarse:.1e} {fine:.1e}"
                );
            }
        }
    }
}

#[test]
fn darcy_is_the_reference_with_every_preconditioner() {
    let mut host = host();
    let errors = numbers(
        &mut host,
        r#"
        let d = load("darcy_2d.npz");
        let g = grid::rectangle(1, 1, [32, 32], #{ edges: dirichlet(0) });
        let a = field(d.a, g);
        ["direct", "multigrid", "diagonal"].map(|p| {
            worst(solve(equation(|u| -div(a * grad(u)) - 1), #{ grid: g, preconditioner: p }).values - d.u)
        })"#,
    );
    assert!(errors.iter().all(|e| *e < 1e-8), "{errors:?}");
}

#[test]
fn iterations_with_multigrid_do_not_grow_with_the_grid() {
    let mut host = host();
    let iterations = numbers(
        &mut host,
        r#"[16, 32, 64].map(|n| {
            let g = grid::rectangle(1, 1, [n, n], #{ left: dirichlet(0), right: neumann(1), bottom: robin(1, 1, 0), top: dirichlet(0) });
            solve(equation(|u, x, y| -div((1 + x * y) * grad(u)) + u - sin(5 * x)), #{ grid: g, preconditioner: "multigrid", report: true }).iterations
        })"#,
    );
    assert!(iterations.iter().all(|n| *n <= 20.0), "{iterations:?}");
    assert!(iterations[2] <= iterations[1] + 3.0, "{iterations:?}");
}

#[test]
fn indefinite_and_unbalanced_equations() {
    let mut host = host();
    // −Δu − k² u with k² between eigenvalues of −Δ, and u = sin(πx) sin(2πy).
    let error = number(
        &mut host,
        r#"let g = grid::rectangle(1, 1, [64, 64], #{ edges: dirichlet(0) });
           let u = solve(equation(|u, x, y| -laplacian(u) - 400 * u - (5 * PI * PI - 400) * sin(PI * x) * sin(2 * PI * y)), #{ grid: g });
           worst(u - g.sample(|x, y| sin(PI * x) * sin(2 * PI * y)))"#,
    );
    assert!(error < 5e-4, "{error}");
    // Neumann edges all around: known up to a constant, at nodes too, where the matrix is not symmetric.
    let error = number(
        &mut host,
        r#"let g = grid::rectangle(1, 1, [40, 32], #{ edges: neumann(0), values: "nodes" });
           let b = g.sample(|x, y| 1 + x * y);
           let u = solve(equation(|u, x, y| -div(b * grad(u)) + y * -PI * sin(PI * x) * 1 - (1 + x * y) * PI * PI * cos(PI * x)), #{ grid: g });
           worst(u - g.sample(|x, y| cos(PI * x)))"#,
    );
    assert!(error < 5e-3, "{error}");
    refused(
        &mut host,
        "solve(equation(|u| -laplacian(u) - 1), #{ grid: grid::interval(0, 1, 16, #{ edges: neumann(0) }) })",
        &["no solution unless sources and fluxes balance", "subtract the mean"],
    );
    refused(
        &mut host,
        "solve(equation(|u| -laplacian(u) - 1), #{ grid: grid::periodic([16], [TAU]) })",
        &["maps some modes to 0", "mean 0"],
    );
    refused(
        &mut host,
        r#"let g = grid::rectangle(1, 1, [32, 32], #{ edges: dirichlet(0) });
           solve(equation(|u| -laplacian(u) - 1), #{ grid: g, preconditioner: "none", iterations: 5 })"#,
        &["iterations", "preconditioner"],
    );
    refused(
        &mut host,
        r#"let g = grid::interval(0, 1, 32, #{ edges: dirichlet(0) });
           solve(equation(|u| -laplacian(u) - 6 * exp(u)), #{ grid: g })"#,
        &["Newton", "guess"],
    );
    refused(
        &mut host,
        "solve(equation(|u| -laplacian(u) - 1), 0.0, 1.0, #{})",
        &["an equation without dt has no times"],
    );
    refused(
        &mut host,
        "solve(equation(|u| -laplacian(u) - 1), 0.0, 1.0)",
        &["an equation without dt has no times", "add dt(u)"],
    );
    refused(
        &mut host,
        "solve(equation([\"u\", \"v\"], |u, v| [dt(u) - u, dt(u) + u]), #{ u: 1, v: 2 }, 1.0)",
        &["no residual contains the unknown `v`"],
    );
    refused(
        &mut host,
        "solve(equation([\"u\", \"v\"], |u, v| [dt(u) - u - v, dt(u) + u]), #{ u: 1, v: 2 }, 1.0)",
        &["time derivatives of 1 unknowns in 2 residuals", "each unknown that moves"],
    );
}

#[test]
fn periodic_equations_are_solved_in_fourier_space() {
    let mut host = host();
    let errors = numbers(
        &mut host,
        r#"let g = grid::periodic([24, 16], [TAU, TAU]);
           let f = g.sample(|x, y| sin(x) * cos(y) + 0.3 * cos(3 * x));
           let one = solve(equation(|u| laplacian(laplacian(u)) + 2 * u + dx(u) - f), #{ grid: g });
           let two = solve(equation(|u, v| [-laplacian(u) + u + dy(v) - f, -laplacian(v) - u + v]), #{ grid: g });
           let cubic = solve(equation(|u| -laplacian(u) + u + u * u * u - f), #{ grid: g });
           [worst(laplacian(laplacian(one)) + 2 * one + dx(one) - f),
            worst(-laplacian(two.u) + two.u + dy(two.v) - f), worst(-laplacian(two.v) - two.u + two.v),
            worst(-laplacian(cubic) + cubic + cubic * cubic * cubic - f)]"#,
    );
    assert!(errors.iter().all(|e| *e < 1e-9), "{errors:?}");
}

#[test]
fn gradients_of_stationary_solutions() {
    let mut host = host();
    for (name, script) in [
        (
            "coefficients, sources and edges of a nonlinear equation",
            r#"gap(|q| {
                let h = grid::rectangle(1, 1, [9, 8], #{ left: dirichlet(q[2]), right: neumann(q[1]), bottom: robin(1, 1, 0.2), top: dirichlet(1) });
                let f = h.sample(|x, y| sin(3 * x) * y);
                let (k, s) = (q[0], q[1]);
                let u = solve(equation(|u, x| -div((1 + k * x) * grad(u)) + s * u * u * u - k * f), #{ grid: h });
                sum(u * u * f) }, tensor([0.7, 1.3, 0.4]))"#,
        ),
        (
            "nodes, an equation that is not symmetric",
            r#"gap(|q| {
                let h = grid::rectangle(1, 1, [9, 8], #{ left: dirichlet(q[0]), right: neumann(q[1]), edges: dirichlet(0), values: "nodes" });
                let u = solve(equation(|u, y| -laplacian(u) + exp(u) + 5 * dx(u) * y), #{ grid: h });
                sum(u * u) }, tensor([0.7, 1.3]))"#,
        ),
        (
            "a field as coefficient, with multigrid",
            r#"let g = grid::rectangle(1, 1, [4, 4], #{ edges: dirichlet(0) });
               gap(|q| { let a = field(reshape(q, [4, 4]), g);
                         sum(solve(equation(|u, x| -div(a * grad(u)) - x), #{ grid: g, preconditioner: "multigrid" }) ** 2) },
                   1 + 0.3 * cos(arange(0, 16)))"#,
        ),
        (
            "a solution up to a constant",
            r#"let g = grid::interval(0, 1, 12, #{ edges: neumann(0) });
               gap(|q| { let (k, s) = (q[0], q[1]);
                         sum(solve(equation(|u, x| -div((k + x) * grad(u)) - s * cos(PI * x)), #{ grid: g }) ** 3) }, tensor([0.7, 1.3]))"#,
        ),
        (
            "modes",
            r#"let g = grid::periodic([8, 8], [TAU, TAU]);
               let f = g.sample(|x, y| sin(x) * cos(y) + 0.3);
               gap(|q| { let (k, s) = (q[0], q[1]);
                         let r = solve(equation(|u, v| [-k * laplacian(u) + u + v - f, -laplacian(v) - s * u + v]), #{ grid: g });
                         sum(r.u * r.v * f) }, tensor([0.7, 1.3]))"#,
        ),
        (
            "a nonlinear equation in Fourier space",
            r#"let g = grid::periodic([8], [TAU]);
               let f = g.sample(|x| sin(x) + 0.3);
               gap(|q| { let (k, s) = (q[0], q[1]);
                         sum(solve(equation(|u| -k * laplacian(u) + u + s * u * u * u - f), #{ grid: g }) ** 2 * f) }, tensor([0.7, 1.3]))"#,
        ),
        (
            "second derivatives",
            r#"let g = grid::interval(0, 1, 10, #{ left: dirichlet(0.3), right: neumann(0.5) });
               gap(|q| sum(grad(|q| { let (k, s) = (q[0], q[1]);
                         sum(solve(equation(|u, x| -dx((1 + k * x) * dx(u)) + s * u * u * u - sin(3 * x)), #{ grid: g }) ** 2) }, q) * tensor([0.3, 1.1])),
                   tensor([0.7, 1.3]))"#,
        ),
    ] {
        let gap = number(&mut host, &script.replace("let (k, s) = (q[0], q[1]);", "let k = q[0]; let s = q[1];"));
        assert!(gap < 1e-6, "{name}: {gap:e}");
    }
}

#[test]
fn stiff_steps_on_edges_follow_the_reference() {
    let mut host = host();
    for (scheme, most) in
        [("crank_nicolson", 1e-4), ("bdf2", 3e-4), ("ars222", 1e-4), ("ars443", 1e-4), ("cnab2", 1e-4)]
    {
        let error = number(
            &mut host,
            &format!(
                r#"let g = grid::interval(0, 1, 400, #{{ left: dirichlet(0), right: neumann(0) }});
                   let d = load("diffusion_1d_variable.npz");
                   let e = equation(|u, x| dt(u) - dx((1 + 0.5 * sin(2 * PI * x)) * dx(u)) - exp(-40 * (x - 0.6) * (x - 0.6)));
                   let u = solve(e, g.sample(|x| sin(PI * x / 2)), item(d.t[1]), #{{ grid: g, scheme: "{scheme}", steps: 20, quiet: true }});
                   worst(mean(reshape(u.values, [40, 10]), 1) - d.u[1])"#
            ),
        );
        assert!(error < most, "{scheme}: {error:e}");
    }
}

#[test]
fn layers_are_exact_with_harmonic_means() {
    let mut host = host();
    // Resistances in series: the flux through three layers is (1 − 0)/Σ d/k.
    let layers = r#"let g = grid::rectangle(3, 1, [60, 4], #{ left: dirichlet(0), right: dirichlet(1), bottom: neumann(0), top: neumann(0) });
        let k = g.sample(|x, y| 1 + heaviside(x - 1) * (0.001 - 1) + heaviside(x - 2) * (10 - 0.001)).values;
        let q = 1 / (1 / 1 + 1 / 0.001 + 1 / 10);
        let exact = g.sample(|x, y| q * (minimum(x, 1) + maximum(minimum(x, 2) - 1, 0) / 0.001 + maximum(x - 2, 0) / 10));
        let e = equation(|u| -div(k * grad(u)));
        let f = equation(|u| dt(u) - div(k * grad(u)));
        let step = |lane| solve(f, exact, 0.1, #{ mean: "harmonic", scheme: "rk4", steps: 1000, lane: lane, quiet: true });"#;
    let errors = numbers(
        &mut host,
        &format!(
            r#"{layers} [worst(solve(e, #{{ grid: g, mean: "harmonic" }}) - exact), worst(step.call("native") - exact), worst(step.call("burn") - exact),
                worst(solve(f, exact, 100, #{{ mean: "harmonic", scheme: "ars443", steps: 20, quiet: true }}) - exact)]"#
        ),
    );
    assert!(errors.iter().all(|e| *e < 1e-9), "{errors:?}");
    let arithmetic = number(&mut host, &format!("{layers} worst(solve(e, #{{ grid: g }}) - exact)"));
    assert!(arithmetic > 1e-3, "{arithmetic:e}");
    let gap = number(
        &mut host,
        &format!(
            r#"{layers} gap(|p| sum(solve(equation(|u| -div(h * grad(u))), #{{ grid: g, mean: "harmonic", h: k * p[0] + p[1] }}) ** 2), tensor([1.0, 0.2]))"#
        )
        .replace("let e =", "let h = k; let e ="),
    );
    assert!(gap < 1e-6, "{gap:e}");
    for (options, said) in [
        ("mean: \"harmonic\", accuracy: 4", "accuracy 2"),
        ("mean: \"harmonic\", derivatives: \"fourier\"", "central"),
        ("mean: \"geometric\"", "harmonic"),
    ] {
        refused(&mut host, &format!("{layers} solve(e, #{{ grid: g, {options} }})"), &["mean", said]);
    }
}

#[test]
fn stiff_steps_keep_their_order_where_edges_move() {
    let mut host = host();
    for (scheme, least, most) in
        [("ars222", 1.85, 2e-5), ("ars443", 1.85, 2e-6), ("cnab2", 1.85, 4e-5), ("esdirk4", 3.0, 1e-8)]
    {
        let mut error = |steps: usize| {
            number(
                &mut host,
                &format!(
                    r#"let g = grid::interval(0, 1, 30, #{{ left: dirichlet(|t| sin(3 * t)), right: dirichlet(|t| cos(t)) }});
                       let e = equation(|u, x, t| dt(u) - dx(u, 2)
                           - (3 * cos(3 * t) * (1 - x) - sin(t) * x + (PI ** 2 - 1) * sin(PI * x) * exp(-t)));
                       let end = g.sample(|x| sin(3.0) * (1 - x) + cos(1.0) * x + sin(PI * x) * exp(-1.0));
                       let u = solve(e, g.sample(|x| x + sin(PI * x)), 1.0, #{{ scheme: "{scheme}", steps: {steps}, accuracy: 6, quiet: true }});
                       item(max(abs(u - end)))"#
                ),
            )
        };
        let (coarse, fine) = (error(50), error(200));
        let order = (coarse / fine).log2() / 2.0;
        assert!(order > least && fine < most, "{scheme}: {coarse:e}, {fine:e}, order {order:.2}");
    }
}

#[test]
fn the_drift_of_a_process_between_walls_is_the_whole_equation() {
    let mut host = host();
    let error = number(
        &mut host,
        r#"let g = grid::interval(0, 1, 16, #{ left: dirichlet(0.5), right: neumann(0.2) });
           let e = equation(|u, x| dt(u) - 0.1 * dx(u, 2) + 0.3 * u * u - x);
           let start = g.sample(|x| 0.5 + 0.2 * x);
           let times = linspace(0, 0.1, 101);
           let path = sample(sde::process(e, #{ grid: g, diffusion: 0 }), start, times);
           worst(path.last() - solve(e, start, 0.1, #{ scheme: "euler", steps: 100, quiet: true }))"#,
    );
    assert!(error < 1e-12, "{error:e}");
}

#[test]
fn many_short_steps_in_single_precision() {
    let mut host = host();
    // What a step rounds, 6e-8 at most, adds up over 3,200 steps to no more than 2e-4, in bdf2 to 3e-4; backward Euler is 6e-5 off by itself.
    for (scheme, most) in
        [("backward_euler", 1e-4), ("crank_nicolson", 1e-4), ("bdf2", 2e-4), ("esdirk4", 1e-4), ("ars443", 1e-4)]
    {
        for (equation, derivatives) in [
            ("equation(|u| dt(u) + 0.5 * u)", "fourier"),
            ("equation(|u| dt(u) - 0.1 * dx(u, 2) + 0.5 * u)", "central"),
            ("equation(|u| dt(u) - 0.1 * dx(u, 2) + 0.5 * sin(u))", "fourier"),
        ] {
            let error = number(
                &mut host,
                &format!(
                    r#"let g = grid::periodic([32], [TAU]); let s = g.sample(|x| sin(x)); let e = {equation};
                       let few = solve(e, s.cast("f32"), 1.0, #{{ scheme: "{scheme}", derivatives: "{derivatives}", steps: 3200, quiet: true }});
                       let exact = solve(e, s.cast("f64"), 1.0, #{{ scheme: "rk4", derivatives: "{derivatives}", steps: 400, quiet: true }});
                       item(relative_error(few.cast("f64"), exact))"#
                ),
            );
            assert!(error < most, "{scheme} {equation}: {error:e}");
        }
    }
}

#[test]
fn gradients_through_stiff_steps_on_edges() {
    let mut host = host();
    for scheme in ["ars222", "ars443", "cnab2", "crank_nicolson", "bdf2", "backward_euler"] {
        for values in ["cells", "nodes"] {
            for checkpoints in ["none", "sqrt"] {
                let script = format!(
                    r#"gap(|q| {{ let k = q[0]; let c = q[1];
                        let o = #{{ left: dirichlet(k), right: neumann(c) }}; if "{values}" == "nodes" {{ o.values = "nodes"; }}
                        let h = grid::interval(0, 1, 12, o);
                        let e = equation(|u, x| dt(u) - dx((k + x) * dx(u)) + c * u * u * u - sin(3 * x));
                        sum(solve(e, h.sample(|x| 0.7 + x * x), 0.2, #{{ grid: h, scheme: "{scheme}", steps: 3, quiet: true, checkpoints: "{checkpoints}" }}) ** 2)
                    }}, tensor([0.7, 1.3]))"#
                );
                let gap = number(&mut host, &script);
                assert!(gap < 1e-6, "{scheme} {values} {checkpoints}: {gap:e}");
            }
        }
    }
}

#[test]
fn potentials_have_their_own_edges() {
    let mut host = host();
    // −Δψ = w with ψ = 0 at the left and slope 0 at the right; dw/dt = ψ for one short step shows ψ.
    let error = number(
        &mut host,
        r#"let g = grid::interval(0, 1, 200, #{ left: #{ psi: dirichlet(0), w: neumann(0) }, right: #{ psi: neumann(0), w: neumann(0) } });
           let w = g.sample(|x| sin(PI * x / 2));
           let after = solve(equation(|w, psi| [dt(w) - psi, laplacian(psi) + w]), w, 1e-3, #{ grid: g, scheme: "euler", steps: 1, quiet: true });
           worst((after - w) / 1e-3 - w * 4 / (PI * PI))"#,
    );
    assert!(error < 1e-4, "{error:e}");
    for scheme in ["rk4", "ars222", "crank_nicolson"] {
        let gap = number(
            &mut host,
            &format!(
                r#"gap(|q| {{ let k = q[0];
                    let h = grid::rectangle(1, 1, [8, 7], #{{ edges: #{{ psi: dirichlet(0), w: neumann(0) }}, left: #{{ psi: dirichlet(q[1]), w: dirichlet(q[0]) }}, values: "nodes" }});
                    let e = equation(|w, psi, x, y| [dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 0.1 * k * laplacian(w) - sin(3 * x) * y, laplacian(psi) + w]);
                    sum(solve(e, #{{ w: |x, y| cos(2 * x) * y }}, 0.1, #{{ grid: h, scheme: "{scheme}", steps: 3, quiet: true }}) ** 2)
                }}, tensor([0.7, 1.3]))"#
            ),
        );
        assert!(gap < 1e-6, "{scheme}: {gap:e}");
    }
}

#[test]
fn diffusion_chooses_implicit_steps_and_explicit_ones_know_their_limit() {
    use ansatz::session::{ProgressSink, Sink};
    use std::cell::RefCell;
    use std::path::Path;
    use std::rc::Rc;

    struct Heard(RefCell<String>, ansatz::session::Terminal);
    impl Sink for Heard {
        fn text(&self, line: &str) {
            self.0.borrow_mut().push_str(line);
        }
        fn note(&self, line: &str) {
            self.0.borrow_mut().push_str(line);
        }
        fn picture(&self, _: &Path, _: &[u8]) {}
        fn table(&self, _: &str, _: &[String], _: &[Vec<String>]) {}
        fn progress(&self, title: &str, total: u64) -> Box<dyn ProgressSink> {
            self.1.progress(title, total)
        }
    }
    let heard = Rc::new(Heard(RefCell::default(), ansatz::session::Terminal::new(true)));
    let mut host =
        Host::new(Session::new(Options { precision: Precision::F64, sink: heard.clone(), ..Options::default() }));
    let mut said = |script: &str| {
        heard.0.borrow_mut().clear();
        let value = host.evaluate("script", script).unwrap_or_else(|e| panic!("{e}\n{script}"));
        (value, heard.0.borrow().clone())
    };
    // A mode of the heat equation on 256 cells: 40 000 explicit steps.
    let (error, note) = said(
        "let g = grid::interval(0, 1, 256, #{ left: dirichlet(0), right: neumann(0) }); let f = g.sample(|x| sin(PI * x / 2));
         let u = solve(equation(|u| dt(u) - laplacian(u)), f, 0.5, #{ grid: g }); item(max(abs(u - exp(-PI * PI / 8) * f)))",
    );
    assert!(note.contains("ars443") && note.contains("diffusion"), "{note}");
    assert!(error.as_float().unwrap() < 1e-5);
    // Few steps, and waves, stay explicit.
    let few = "solve(equation(|u| dt(u) - laplacian(u)), f, 1e-3, #{ grid: g, rtol: 1e-4 }); 0";
    assert_eq!(said(few).1, "");
    // The second difference on 100 cells reaches −4/h² = −40 000, waves ±2i/h = ±200i.
    let grid = "let h = grid::interval(0, 1, 100, #{ edges: dirichlet(0) }); let f = h.sample(|x| sin(PI * x));";
    let (_, warning) = said(&format!(
        "{grid} solve(equation(|u| dt(u) - laplacian(u)), f, 1e-3, #{{ grid: h, scheme: \"rk4\", steps: 10 }}); 0"
    ));
    assert!(warning.contains("stable up to 6.96"), "{warning}");
    let wave = |steps: usize| {
        format!(
            "{grid} solve(equation(|u| dt(dt(u)) - laplacian(u)), f, 0.1, #{{ grid: h, scheme: \"rk4\", steps: {steps} }}); 0"
        )
    };
    assert!(said(&wave(7)).1.contains("200i"));
    assert_eq!(said(&wave(8)).1, "");
    // A large state is judged when it has grown.
    let large = |steps: usize| {
        format!(
            "let g = grid::periodic([300, 300], [TAU, TAU]); let u = g.sample(|x, y| sin(x) * cos(y) + 1e-3 * cos(150 * x) * cos(150 * y));
             solve(equation(|u| dt(u) - laplacian(u)), u, 0.008, #{{ derivatives: \"central\", scheme: \"euler\", steps: {steps} }}); 0"
        )
    };
    assert!(said(&large(4)).1.contains("too long for euler"));
    assert_eq!(said(&large(200)).1, "");
    // Nothing smooths: a wave breaks at t = 1. Fourier modes do not bear that, and say so when they are asked for.
    let broken = |options: &str| {
        format!(
            "let g = grid::periodic([128], [TAU]); let e = equation(|u| dt(u) + u * dx(u));
             item(max(abs(solve(e, g.sample(|x| sin(x)), 1.5{options}))))"
        )
    };
    let (size, note) = said(&broken(""));
    assert!(note.contains("weno5") && size.as_float().unwrap() <= 1.0 + 1e-6, "{note} {size}");
    let (_, warning) = said(&broken(", #{ derivatives: \"fourier\", scheme: \"rk4\", steps: 200 }"));
    assert!(warning.contains("does not resolve"), "{warning}");
    // What is smooth, or smoothed, is left alone.
    for (equation, end) in [("dt(u) + u * dx(u) - 0.1 * dx(u, 2)", 1.5), ("dt(u) + (2 + sin(x)) * dx(u)", 0.5)] {
        let smooth = format!(
            "let g = grid::periodic([128], [TAU]); let x = g.sample(|x| x);
             solve(equation(|u| {}), g.sample(|x| sin(x)), {end}); 0",
            equation
        );
        assert_eq!(said(&smooth).1, "", "{equation}");
    }
}
