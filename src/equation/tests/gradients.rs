//! Gradients with respect to times and to values of edges, against central differences.

use super::{number, refused};

/// Burgers' equation with a forcing in time, in Fourier space: every kind of method, and what it is called with.
const PERIODIC: &str = "
    let nu = 0.2;
    let eq = equation(|u, x, t| dt(u) + u * dx(u) - nu * dx(u, 2) - 0.5 * sin(3 * t + x));
    let start = grid::periodic([16], [TAU]).sample(|x| sin(x) + 0.3 * cos(2 * x));";

fn error_of_gradient(script: &str) -> f64 {
    number(script)
}

#[test]
fn the_final_time() {
    let cases = [
        ("rk4", "steps: 40"),
        ("etdrk4", "steps: 40"),
        ("etdrk2", "steps: 40"),
        ("crank_nicolson", "steps: 20"),
        ("bdf2", "steps: 20"),
        ("ars443", "steps: 40"),
        ("cnab2", "steps: 40"),
        ("rk4", "steps: 40, checkpoints: \"sqrt\""),
        ("etdrk4", "steps: 40, checkpoints: 7"),
        ("rk4", "steps: 40, derivatives: \"central\""),
        ("crank_nicolson", "steps: 20, derivatives: \"central\""),
        ("dormand_prince", "rtol: 1e-11, atol: 1e-12"),
        ("dormand_prince", "rtol: 1e-11, atol: 1e-12, derivatives: \"central\""),
    ];
    for (scheme, options) in cases {
        let error = error_of_gradient(&format!(
            "{PERIODIC} check::gradient(|T| sum(solve(eq, start, T, #{{ scheme: \"{scheme}\", {options} }}).values ** 2), 0.7).error"
        ));
        assert!(error <= 1e-6, "{scheme}, {options}: {error:e}");
    }
}

#[test]
fn the_final_time_of_linear_equations() {
    // d/dT of e^(−νT) sin x, and of a wave with its exact steps.
    let gradient = number(
        "let eq = equation(|u| dt(u) - 0.3 * dx(u, 2)); let u0 = grid::periodic([16], [TAU]).sample(|x| sin(x));
         grad(|T| max(solve(eq, u0, T)), 2.0)",
    );
    assert!((gradient + 0.3 * (-0.6f64).exp()).abs() < 1e-12, "{gradient}");
    let error = number(
        "let eq = equation(|u| dt(dt(u)) - dx(u, 2)); let u0 = grid::periodic([16], [TAU]).sample(|x| sin(x) + cos(3 * x));
         check::gradient(|T| sum(exp(solve(eq, u0, T).u.values) * linspace(0, 1, 16)), 0.7).error",
    );
    assert!(error <= 1e-6, "{error:e}");
}

#[test]
fn every_output_time() {
    for scheme in ["rk4", "etdrk4", "crank_nicolson"] {
        let error = number(&format!(
            "{PERIODIC}
             check::gradient(|times| {{
                 let path = solve(eq, start, times, #{{ scheme: \"{scheme}\", steps: 20 }});
                 sum(path.values[[0, 1]] ** 3) + 2 * sum(path.values[[0, 2]] ** 2)
             }}, tensor([0.1, 0.4, 0.9])).error"
        ));
        assert!(error <= 1e-6, "{scheme}: {error:e}");
    }
}

#[test]
fn the_final_time_of_bodies_and_numbers() {
    let error = number(
        "let eq = equation([\"u\", \"v\"], |u, v, t| [dt(u) - v, dt(v) + sin(u) - 0.1 * t]);
         check::gradient(|T| { let s = solve(eq, #{ u: 0.5, v: 1.0 }, T, #{ scheme: \"rk4\", steps: 40 }); sum(s.u.values * s.v.values) }, 1.3).error",
    );
    assert!(error <= 1e-6, "{error:e}");
    for scheme in ["verlet", "rk4"] {
        let error = number(&format!(
            "let eq = equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d / (1 + dot(d, d)))]);
             check::gradient(|T| sum(solve(eq, #{{ r: tensor([[0, 0], [1, 0.2], [0.3, 1]]) }}, T, #{{ scheme: \"{scheme}\", steps: 30 }}).r ** 3), 1.3).error"
        ));
        assert!(error <= 1e-6, "{scheme}: {error:e}");
    }
}

#[test]
fn edges_that_move_have_no_gradient_to_times() {
    let error = refused(
        "let g = grid::interval(0, 1, 16, #{ left: dirichlet(|t| t), right: neumann(0) });
         grad(|T| mean(solve(equation(|u| dt(u) - dx(u, 2)), #{ u: 0 }, T, #{ grid: g })), 0.1)",
    );
    assert!(error.contains("edge depends on time"), "{error}");
}

#[test]
fn values_of_edges() {
    let of_left = "left: dirichlet(b), right: neumann(0)";
    let of_right = ["left: dirichlet(0.1), right: neumann(b)", "left: neumann(0), right: robin(1.0, 0.5, b)"];
    for edges in [of_left, of_right[0], of_right[1]] {
        for values in ["centres", "nodes"] {
            for options in [
                "scheme: \"rk4\", steps: 200",
                "scheme: \"rk4\", steps: 200, checkpoints: \"sqrt\"",
                "scheme: \"crank_nicolson\", steps: 20",
            ] {
                let error = number(&format!(
                    "let eq = equation(|u| dt(u) + 0.2 * u * dx(u) - 0.3 * dx(u, 2));
                     check::gradient(|b| {{
                         let g = grid::interval(0, 1, 16, #{{ {edges}, values: \"{values}\" }});
                         mean(solve(eq, g.sample(|x| x * x), 0.1, #{{ {options} }}) ** 2)
                     }}, 0.5).error"
                ));
                assert!(error <= 1e-6, "{edges}, {values}, {options}: {error:e}");
            }
        }
    }
}

#[test]
fn values_along_an_edge() {
    let error = number(
        "let eq = equation(|u| dt(u) - 0.3 * laplacian(u));
         check::gradient(|b| {
             let g = grid::rectangle([0, 1], [0, 1], [8, 8], #{ left: dirichlet(b), edges: neumann(0) });
             mean(solve(eq, #{ u: 0.2 }, 0.1, #{ grid: g, scheme: \"rk4\", steps: 60 }) ** 2)
         }, linspace(0, 1, 8)).error",
    );
    assert!(error <= 1e-6, "{error:e}");
}

#[test]
fn a_coefficient_field_through_solve() {
    let error = number(
        "let room = grid::rectangle([0.0, 2.0], [0.0, 1.0], [8, 6], #{ left: dirichlet(1.0), right: robin(1.0, 0.5, 0.0), bottom: neumann(0.0), top: neumann(0.0) });
         let conductivity = room.sample(|x, y| 0.02 + 0.08 * heaviside(x - 1.0));
         let flame = equation([\"heat\", \"fuel\"], |heat, fuel| [
             dt(heat) - div(conductivity * grad(heat)) - fuel * exp(-1.0 / (heat + 0.1)),
             dt(fuel) - 1e-3 * laplacian(fuel) + fuel * exp(-1.0 / (heat + 0.1))]);
         let path = solve(flame, #{ heat: 0.2, fuel: 1.0 }, linspace(0.0, 1.0, 3), #{ grid: room, scheme: \"rk4\", steps: 20 });
         check::gradient(|k| mean(solve(flame, path.first(), 0.5, #{ grid: room, scheme: \"rk4\", steps: 20, conductivity: k }).heat), conductivity).error",
    );
    assert!(error <= 1e-6, "{error:e}");
}

#[test]
fn parameters_and_starts_in_a_map() {
    let error = number(
        "let nu = 0.1; let c = 1.0; let eq = equation(|u| dt(u) + c * u * dx(u) - nu * dx(u, 2));
         let start = grid::periodic([12], [TAU]).sample(|x| exp(sin(x)));
         check::gradient(|p| mean(solve(eq, p.start, 0.3, #{ scheme: \"etdrk4\", steps: 5, nu: p.nu, c: p.c }) ** 2), #{ start: start, nu: 0.2, c: 0.7 }).error",
    );
    assert!(error <= 1e-6, "{error:e}");
}
