//! Observed orders, conservation and residuals.

use super::{number, refused};

#[test]
fn orders_in_time() {
    let cases = [("euler", 1.0), ("heun", 2.0), ("rk4", 4.0), ("crank_nicolson", 2.0), ("bdf2", 2.0)];
    for (scheme, expected) in cases {
        let order = number(&format!(
            "let eq = equation([\"u\", \"v\"], |u, v| [dt(u) - v, dt(v) + sin(u)]);
             check::order(eq, #{{ u: 1.0, v: 0.0 }}, 1.0, #{{ scheme: \"{scheme}\", steps: 10 }}).time"
        ));
        assert!((order - expected).abs() < 0.2, "{scheme}: {order}");
    }
    for (scheme, expected) in [("etdrk2", 2.0), ("etdrk4", 4.0), ("ars222", 2.0)] {
        let order = number(&format!(
            "let eq = equation(|u| dt(u) + u * dx(u) - 0.1 * dx(u, 2)); let start = grid::periodic([16], [TAU]).sample(|x| sin(x));
             let path = solve(eq, start, [0, 0.5, 1], #{{ scheme: \"{scheme}\", steps: 10 }});
             check::order(eq, path).time"
        ));
        assert!((order - expected).abs() < 0.3, "{scheme}: {order}");
    }
}

#[test]
fn jumps_are_noted() {
    for (coefficient, expected) in [("where(x < 0.3, 1.0, 2.0)", true), ("1 + x * x", false)] {
        let noted = number(&format!(
            "let g = grid::interval(0, 1, 16, #{{ edges: dirichlet(0) }}); let k = g.sample(|x| {coefficient});
             let eq = equation(|u| dt(u) - 0.1 * dx(k * dx(u)));
             let found = check::order(eq, g.sample(|x| sin(PI * x)), 0.1, #{{ grids: \"finer\" }});
             if found.note == () {{ 0 }} else if found.note.contains(\"`k` jumps\") {{ 1 }} else {{ 2 }}"
        ));
        assert_eq!(noted, f64::from(u8::from(expected)), "{coefficient}");
    }
}

#[test]
fn orders_in_space() {
    for (edges, options) in [
        ("left: dirichlet(0), right: dirichlet(0)", ""),
        ("edges: neumann(0), values: \"nodes\"", ""),
        ("edges: dirichlet(0)", ", scheme: \"crank_nicolson\", steps: 20"),
    ] {
        let order = number(&format!(
            "let k = 1.0; let g = grid::interval(0, 1, 16, #{{ {edges} }}); k = g.sample(|x| 1 + 0.5 * x);
             let eq = equation(|u| dt(u) - 0.1 * dx(k * dx(u)));
             check::order(eq, g.sample(|x| sin(PI * x) ** 3), 0.1, #{{ grids: \"finer\" {options} }}).space"
        ));
        assert!((order - 2.0).abs() < 0.2, "{edges} {options}: {order}");
    }
    for accuracy in [2, 4, 6] {
        let order = number(&format!(
            "let eq = equation(|u| dt(u) + dx(u)); let g = grid::periodic([16], [TAU]);
             check::order(eq, g.sample(|x| exp(sin(x))), 0.5, #{{ accuracy: {accuracy}, grids: \"finer\", rtol: 1e-12, atol: 1e-13 }}).space"
        ));
        assert!((order - f64::from(accuracy)).abs() < 0.5, "{accuracy}: {order}");
    }
}

#[test]
fn what_has_no_order() {
    assert_eq!(
        number(
            "let eq = equation(|u| dt(u) - dx(u, 2)); let u = grid::periodic([16], [TAU]).sample(|x| sin(x)); if check::order(eq, u, 1.0).time == () { 1 } else { 0 }"
        ),
        1.0
    );
    let error = refused(
        "let eq = equation(|u| dt(u) - dx(u, 2)); let u = grid::periodic([16], [TAU]).sample(|x| sin(x)); check::order(eq, solve(eq, u, [0, 1]).u)",
    );
    assert!(error.contains("does not know how it was made"), "{error}");
}

#[test]
fn drifts() {
    let worst = number(
        "let eq = equation(|u| dt(u) + 6 * u * dx(u) + dx(u, 3));
         let d = check::conservation(eq, grid::periodic([32], [TAU]).sample(|x| cos(x)), linspace(0, 0.2, 5)).drift;
         max(d[\"∫u\"], d[\"∫u²/2\"])",
    );
    assert!(worst < 1e-6, "{worst:e}");
    // u decays as e^(−t): half of ∫u is lost at ln 2.
    let drift = number(
        "let eq = equation(|u| dt(u) + u); let path = solve(eq, grid::periodic([8], [1]).sample(|x| 1 + 0 * x), [0, ln(2)]);
         check::conservation(eq, path).drift[\"∫u\"]",
    );
    assert!((drift - 0.5).abs() < 1e-7, "{drift}");
    let momentum = number(
        "let m = tensor([1, 2, 3]);
         let eq = equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| other(m) * d / (1 + dot(d, d)))]);
         let path = solve(eq, #{ r: tensor([[0, 0], [1, 0.2], [0.3, 1]]) }, [0, 1, 2], #{ scheme: \"verlet\", steps: 50 });
         let d = check::conservation(eq, path, #{ masses: m }).drift; max(d[\"Σ m r.x_t\"], d[\"Σ m r.y_t\"])",
    );
    assert!(momentum < 1e-12, "{momentum:e}");
}

#[test]
fn residuals_of_solutions_fall() {
    let residual = |times: usize, options: &str| {
        number(&format!(
            "let nu = 0.2; let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
             let path = solve(eq, grid::periodic([32], [TAU]).sample(|x| sin(x)), linspace(0, 0.5, {times}));
             max(abs(residual(eq, path, #{{ dealias: true{options} }}).values))"
        ))
    };
    // Fourth order one-sided at the ends.
    let (coarse, fine) = (residual(11, ""), residual(41, ""));
    assert!(fine < coarse / 60.0 && fine < 1e-4, "{coarse:e} {fine:e}");
    let (coarse, fine) = (residual(11, ", time_accuracy: 2"), residual(41, ", time_accuracy: 2"));
    assert!(fine < coarse / 8.0, "{coarse:e} {fine:e}");
    // On stencils with edges; the first times are left out, where a start that does not fit its edges has a layer.
    let edges = |times: usize| {
        number(&format!(
            "let g = grid::interval(0, 1, 16, #{{ left: dirichlet(1), right: neumann(0), values: \"nodes\" }});
             let eq = equation(|u| dt(u) - 0.1 * dx(u, 2) + u * dx(u));
             let path = solve(eq, g.sample(|x| 1 + sin(PI * x / 2)), linspace(0, 0.2, {times}), #{{ transport: \"central\" }});
             max(abs(residual(eq, path).values[[0, {}..{times}]]))",
            times / 2
        ))
    };
    let (coarse, fine) = (edges(21), edges(81));
    assert!(fine < coarse / 30.0, "{coarse:e} {fine:e}");
}

#[test]
fn residuals_with_given_rates() {
    // The rate that the equation gives leaves nothing.
    let left = number(
        "let eq = equation(|u| dt(u) + u * dx(u)); let u = grid::periodic([32], [TAU]).sample(|x| sin(x));
         max(abs(residual(eq, #{ u: u, u_t: -0.5 * dx(u * u) })))",
    );
    assert!(left < 1e-12, "{left:e}");
    // A wave: its path has u_t, so that one derivative by differences is left.
    let left = number(
        "let eq = equation(|u| dt(dt(u)) - dx(u, 2)); let path = solve(eq, grid::periodic([16], [TAU]).sample(|x| sin(x)), linspace(0, 1, 41));
         max(abs(residual(eq, path).values))",
    );
    assert!(left < 1e-5, "{left:e}");
    // The stream function is not in the path: it follows from its constraint.
    let left = number(
        "let eq = equation([\"w\", \"psi\"], |w, psi| [dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 0.1 * laplacian(w), laplacian(psi) + w]);
         let path = solve(eq, grid::periodic([16, 16], [TAU, TAU]).sample(|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x)), linspace(0, 0.2, 21), #{ dealias: false });
         max(abs(residual(eq, path).values))",
    );
    assert!(left < 1e-4, "{left:e}");
    let error = refused(
        "let eq = equation(|u| dt(u) - dx(u, 2)); residual(eq, grid::periodic([16], [TAU]).sample(|x| sin(x)))",
    );
    assert!(error.contains("u_t"), "{error}");
}

#[test]
fn factors_from_another_state() {
    let left = number(
        "let g = grid::periodic([32], [TAU]); let u = g.sample(|x| sin(x)); let v = g.sample(|x| cos(2 * x));
         let eq = equation(|u| u * dx(u) - 0.1 * dx(u, 2));
         let first = residual(eq, u, #{ other: v, factors: [0] }) - (v * dx(u) - 0.1 * dx(u, 2));
         let second = residual(eq, u, #{ other: v, factors: [1] }) - (u * dx(v) - 0.1 * dx(u, 2));
         max(abs(first)) + max(abs(second))",
    );
    assert!(left < 1e-12, "{left:e}");
    let error = refused(
        "let g = grid::periodic([32], [TAU]); let u = g.sample(|x| sin(x)); residual(equation(|u| u * dx(u)), u, #{ other: u, factors: [2] })",
    );
    assert!(error.contains("0: u, 1: u_x"), "{error}");
}

#[test]
fn residuals_are_differentiable() {
    let error = number(
        "let nu = 0.2; let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
         let u = grid::periodic([12], [TAU]).sample(|x| exp(sin(x)));
         check::gradient(|u, k| mean(residual(eq, #{ u: u, u_t: 0.3 * u }, #{ nu: k }) ** 2), [u, 0.3]).error",
    );
    assert!(error < 1e-6, "{error:e}");
}

#[test]
fn products_in_fourier_space_bound_explicit_steps() {
    // Products keep wavenumbers up to 10 of 30 points; the linear part has them up to 15, odd derivatives up to 14.
    for (equation, start, real, imaginary) in [
        ("equation(|u| dt(u) + u * dx(u))", "1 + sin(x)", 1.0, 20.0),
        ("equation(|u, x| dt(u) - div((2 + sin(x)) * grad(u)))", "sin(x)", 300.0, 0.0),
        ("equation(|u| dt(u) + 3 * dx(u) + u * dx(u) - 0.1 * dx(u, 2))", "1 + 0 * x", 0.1 * 225.0, 42.0),
        ("equation(|u| dt(dt(u)) - u * dx(u, 2))", "4 + 0 * x", 0.0, 20.0),
    ] {
        super::with_host(move |mut host| {
            let script = format!("[{equation}, grid::periodic([30], [TAU]).sample(|x| {start})]");
            let pair = host.evaluate("reach", &script).unwrap().into_array().unwrap();
            let eq = pair[0].read_lock::<crate::equation::Equation>().unwrap().clone();
            let field = pair[1].read_lock::<crate::field::Field>().unwrap().clone();
            let setting =
                crate::equation::Setting::new(&eq, field.grid(), field.context(), crate::tensor::Precision::F64)
                    .unwrap();
            let evolution = eq.evolution(1).unwrap();
            let system = crate::equation::SpectralSystem::new(&evolution, setting, true).unwrap();
            let channels = evolution.channels.len();
            let zero = field.values().full_like(0.0).unwrap();
            let parts: Vec<_> =
                (0..channels).map(|i| if i == 0 { field.values().clone() } else { zero.clone() }).collect();
            let state = crate::tensor::Tensor::concat(&parts, 1).unwrap();
            let y = system.lane().spectrum(&state).unwrap();
            let reach = crate::solve::System::reach(&system, 0.0, &y).unwrap().unwrap();
            let near = |got: f64, expected: f64| (got - expected).abs() < 0.02 * expected + 1e-6;
            assert!(near(reach.real, real) && near(reach.imaginary, imaginary), "{equation}: {reach:?}");
        });
    }
}
