//! Kicks and drifts as compiled steps against tensor operations, at points, of spectra and of bodies; their orders and gradients.

use super::points::{BOTH, check};
use super::{number, refused, text, with_host};

const SCHEMES: [&str; 4] = ["symplectic_euler", "leapfrog", "verlet", "yoshida4"];
const CHECKPOINTS: [&str; 3] = ["\"none\"", "3", "\"sqrt\""];

#[test]
fn waves_between_edges() {
    with_host(|mut host| {
        let edges = [
            "left: dirichlet(0.3), right: neumann(0.2)",
            "left: robin(1, 0.5, 0.4), right: dirichlet(b)",
            "left: dirichlet(|t| 0.3 * sin(3 * t)), right: neumann(|t| 0.1 * cos(t))",
        ];
        let forces = ["a * dx(u, 2) - nu * u ** 3", "dx((1 + a * x) * dx(u)) + nu * sin(t) * x"];
        for values in ["centres", "nodes"] {
            for (i, edges) in edges.iter().enumerate() {
                for (j, force) in forces.iter().enumerate() {
                    for (k, scheme) in SCHEMES.iter().enumerate() {
                        let (accuracy, checkpoints) = ([2, 4][j], CHECKPOINTS[(i + j + k) % 3]);
                        let script = format!(
                            "let nu = 0.2; let a = 0.3; let start = tensor([[0.3, 0.5, 0.2], [0.1, -0.4, 0.3]]);
                             let eq = equation(|u, x, t| dt(dt(u)) - ({force}));
                             both(|lane, p| {{
                                 let b = p[3];
                                 let g = grid::interval(0, 1.5, 14, #{{ values: \"{values}\", {edges} }});
                                 let x = g.sample(|x| x).values;
                                 let c = p[0].reshape([2, 1, 3]);
                                 let u = c[[ALL, ALL, 0..1]] + c[[ALL, ALL, 1..2]] * sin(3 * x) + c[[ALL, ALL, 2..3]] * x;
                                 solve(eq, #{{ u: u, u_t: 0.3 * u * x }}, [0.0, 0.1, 0.25], #{{ grid: g, nu: p[1], a: p[2], lane: lane, quiet: true,
                                     derivatives: \"central\", accuracy: {accuracy}, scheme: \"{scheme}\", steps: 4, checkpoints: {checkpoints} }})
                             }}, [start, tensor(nu), tensor(a), tensor(0.3)])"
                        );
                        check(&mut host, &format!("{values}, {edges}, {force}, {scheme}"), &script, 1e-10);
                    }
                }
            }
        }
    });
}

#[test]
fn planes_of_several_unknowns() {
    with_host(|mut host| {
        for (i, scheme) in SCHEMES.iter().enumerate() {
            let checkpoints = CHECKPOINTS[i % 3];
            let script = format!(
                "let g = grid::rectangle([0, 1], [0, 2], [7, 9], #{{ left: dirichlet(0.1), right: neumann(|y| 0.1 * y), bottom: robin(1, 0.2, |x, t| x + t), top: dirichlet(0) }});
                 let k = 0.3; let a = g.sample(|x, y| 1 + 0.5 * x * y).values;
                 let start = 0.3 * random::normal([2, 1, 7, 9], #{{ seed: {i} }});
                 let eq = equation([\"u\", \"v\"], |u, v| [dt(dt(u)) - laplacian(u) + k * u * v, dt(dt(v)) - div(a * grad(v)) + u - v * integral(u * u)]);
                 both(|lane, p| solve(eq, #{{ u: p[0], v: 0.5 * p[1], v_t: p[0] * p[1] }}, [0.0, 0.02, 0.07], #{{ grid: g, k: p[2], a: p[3], lane: lane, quiet: true,
                     scheme: \"{scheme}\", steps: 5, checkpoints: {checkpoints} }}), [start, start ** 2, tensor([k, 0.7]), a])"
            );
            check(&mut host, scheme, &script, 1e-10);
        }
    });
}

#[test]
fn spectra() {
    with_host(|mut host| {
        let forces = [
            ("a * laplacian(u) - nu * field * sin(u)", "nu: p[1], a: p[2], field: p[3]", "field"),
            ("a * laplacian(u) - (nu + b) * u", "nu: p[1], a: p[2], b: p[3]", "tensor(b)"),
            ("a * dx(field * dx(u)) - nu * u ** 3 + cos(t) * field", "nu: p[1], a: p[2], field: p[3]", "field"),
        ];
        for (i, scheme) in SCHEMES.iter().enumerate() {
            for (j, (force, options, last)) in forces.iter().enumerate() {
                let checkpoints = CHECKPOINTS[(i + j) % 3];
                let script = format!(
                    "let g = grid::periodic([12, 9], [TAU, TAU]); let start = g.sample(|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x - y)).values;
                     let field = g.sample(|x, y| 1 + 0.3 * cos(x + y)).values;
                     let nu = 0.3; let a = 0.7; let b = 0.1; let eq = equation(|u, x, y, t| dt(dt(u)) - ({force}));
                     both(|lane, p| solve(eq, #{{ u: p[0], u_t: 0.2 * p[0] }}, [0.0, 0.1, 0.3], #{{ grid: g, {options}, lane: lane, quiet: true,
                         scheme: \"{scheme}\", steps: 5, checkpoints: {checkpoints} }}), [start, tensor(nu), tensor(a), {last}])"
                );
                check(&mut host, &format!("{force}, {scheme}"), &script, 1e-10);
            }
        }
    });
}

#[test]
fn orders_of_compiled_steps() {
    // A standing wave between walls that move, and one of spectra: errors of the time steps alone, against those that are much shorter.
    let problems = [
        "let g = grid::interval(0, 1, 12, #{ values: \"nodes\", left: dirichlet(|t| 0.2 * sin(2 * t)), right: neumann(0) });
         let eq = equation(|u| dt(dt(u)) - dx(u, 2) + u ** 3); let start = g.sample(|x| sin(PI * x / 2));",
        "let g = grid::periodic([12], [TAU]); let eq = equation(|u| dt(dt(u)) - dx(u, 2) + u ** 3); let start = g.sample(|x| sin(x));",
    ];
    for problem in problems {
        for (scheme, order) in SCHEMES.iter().zip([1.0, 2.0, 2.0, 4.0]) {
            let found = number(&format!(
                "{problem}
                 let of = |n| solve(eq, start, 1.0, #{{ grid: g, scheme: \"{scheme}\", steps: n, lane: \"native\", quiet: true }}).values;
                 let exact = solve(eq, start, 1.0, #{{ grid: g, scheme: \"rk4\", steps: 4000, lane: \"native\", quiet: true }}).values;
                 let error = |n| item(max(abs(of.call(n) - exact)));
                 log(error.call(40) / error.call(80)) / log(2.0)"
            ));
            assert!((found - order).abs() < 0.25, "{scheme}: {found}\n{problem}");
        }
    }
}

#[test]
fn gradients_are_those_of_central_differences() {
    for scheme in SCHEMES {
        let error = number(&format!(
            "let k = 0.5; let eq = equation(|u| dt(dt(u)) - k * dx(u, 2) + u ** 3);
             fn loss(eq, c, k, b) {{
                 let g = grid::interval(0, 1, 24, #{{ left: dirichlet(b), right: neumann(0.1) }});
                 let u = c * g.sample(|x| 0.3 + 0.5 * sin(3 * x)).values;
                 mean(solve(eq, u, 0.5, #{{ grid: g, k: k, scheme: \"{scheme}\", steps: 50, lane: \"native\", quiet: true, checkpoints: 7 }}).values ** 2)
             }}
             let p = [tensor(1.1), tensor(k), tensor(0.3)];
             let found = grad(|c, k, b| loss(eq, c, k, b), p);
             let h = 1e-5; let error = 0.0;
             for i in 0..3 {{
                 let up = p; up[i] = p[i] + h; let down = p; down[i] = p[i] - h;
                 let slope = (loss(eq, up[0], up[1], up[2]) - loss(eq, down[0], down[1], down[2])) / (2 * h);
                 error = maximum(error, abs(found[i] / slope - 1));
             }}
             item(error)"
        ));
        assert!(error <= 1e-6, "{scheme}: {error:e}");
    }
}

#[test]
fn as_many_steps_as_are_enough_are_the_same() {
    let error = number(&format!(
        "{BOTH} let g = grid::interval(0, 1, 20, #{{ edges: neumann(0) }});
         let eq = equation(|u| dt(dt(u)) - dx(u, 2) + sin(u));
         let of = |lane| solve(eq, g.sample(|x| cos(PI * x)), [0.0, 0.3, 1.0], #{{ scheme: \"verlet\", lane: lane, rtol: 1e-4, quiet: true }}).values;
         apart(of.call(\"native\"), of.call(\"burn\"))"
    ));
    assert!(error <= 1e-10, "{error:e}");
}

#[test]
fn a_state_that_grows_without_bound_is_found_at_the_same_step() {
    for scheme in SCHEMES {
        let error = |lane: &str| {
            refused(&format!(
                "solve(equation(|u| dt(dt(u)) - u * u), grid::interval(0, 1, 8, #{{ edges: neumann(0) }}).sample(|x| 2 + 0 * x), 300.0,
                       #{{ scheme: \"{scheme}\", steps: 60, lane: \"{lane}\" }})"
            ))
        };
        assert_eq!(error("native"), error("burn"));
        assert!(error("native").contains("no longer finite"), "{}", error("native"));
    }
}

#[test]
fn forces_that_depend_on_velocities_are_refused_by_both_lanes() {
    for lane in ["auto", "burn"] {
        let error = refused(&format!(
            "solve(equation(|u| dt(dt(u)) + dt(u) - dx(u, 2)), grid::interval(0, 1, 16, #{{ edges: neumann(0) }}).sample(|x| sin(x)), 0.1,
                 #{{ lane: \"{lane}\", scheme: \"verlet\", steps: 2 }})"
        ));
        assert!(error.contains("x'' = a(t, x)"), "{error}");
    }
}

#[test]
fn explain_names_them() {
    let text = text(
        "explain(equation(|u| dt(dt(u)) - dx(u, 2)), #{ grid: grid::interval(0, 1, 16, #{ edges: neumann(0) }) })",
    );
    assert!(text.contains("compiled: explicit and symplectic steps"), "{text}");
}
