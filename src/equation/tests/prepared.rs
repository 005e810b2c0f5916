//! What an equation keeps from one solution to the next changes no result. Each solution is compared with one of an equation written anew, which
//! has kept nothing, by tensor operations.

use super::{evaluate, number};

const DIFFER: &str = r#"
    fn apart(a, b) { item(max(abs(a - b))) }
    // Of the equation that is kept, and of a new one.
    fn differ(e, written, u, t, options) {
        apart(solve(e, u, t, options + #{ quiet: true }), solve(written.call(), u, t, options + #{ quiet: true, lane: "burn" }))
    }
"#;

const PRELUDE: &str = r#"
    let g = grid::periodic([32], [TAU]);
    let u = g.sample(|x| sin(x) + 0.3 * cos(2 * x));
    let nu = 0.1;
    let written = || equation(|u| dt(u) + u * dx(u) - nu * laplacian(u) - 0.1 * sin(u));
    let e = written.call();
"#;

#[test]
fn kept_steps_are_those_of_a_new_equation() {
    // In turn, so that each is met after others were kept, and met again.
    let script = format!(
        r#"{DIFFER}{PRELUDE}
        let worst = 0.0;
        for round in 0..2 {{
            for options in [
                #{{ steps: 4 }}, #{{ steps: 5 }}, #{{ steps: 4, scheme: "rk4" }}, #{{ steps: 4, dealias: false }},
                #{{ steps: 4, nu: 0.2 }}, #{{ steps: 4, nu: 0.3 }}, #{{ step: 0.02 }}, #{{ rtol: 1e-6 }}, #{{}},
            ] {{
                for t in [0.1, 0.2] {{
                    let start = u * (1 + round);
                    worst = max([worst, differ(e, written, start, t, options)]);
                }}
            }}
            // Other points, another box, more samples, single precision.
            for h in [grid::periodic([40], [TAU]), grid::periodic([32], [2 * TAU])] {{
                worst = max([worst, differ(e, written, h.sample(|x| cos(x / 2) ** 2), 0.1, #{{ steps: 4 }})]);
            }}
            let several = stack([u.values, 2 * u.values], 0).reshape([2, 1, 32]).field(g);
            worst = max([worst, differ(e, written, several, 0.1, #{{ steps: 4, nu: tensor([0.1, 0.2 + 0.1 * round]) }})]);
        }}
        worst"#
    );
    assert!(number(&script) < 1e-12, "{:e}", number(&script));
}

#[test]
fn coefficients_at_points_are_looked_at() {
    let script = format!(
        r#"{DIFFER}{PRELUDE}
        let of = |a| equation(|u| dt(u) - dx(a * dx(u)));
        let a = g.sample(|x| 1 + 0.5 * sin(x));
        let e = of.call(a);
        let worst = 0.0;
        for factor in [1.0, 2.0, 1.0] {{
            let b = a * factor;
            let kept = solve(e, u, 0.1, #{{ steps: 8, a: b, scheme: "rk4", quiet: true }});
            let anew = solve(of.call(b), u, 0.1, #{{ steps: 8, scheme: "rk4", lane: "burn", quiet: true }});
            worst = max([worst, apart(kept, anew)]);
        }}
        worst"#
    );
    assert!(number(&script) < 1e-12, "{:e}", number(&script));
}

#[test]
fn gradients_are_taken_after_solutions_were_kept() {
    // The same differences of the loss as without anything kept; to the start, to the parameter, to both.
    let script = format!(
        r#"{DIFFER}{PRELUDE}
        let end = |u, nu| mean(square(solve(e, u, 0.2, #{{ steps: 4, nu: nu, quiet: true }}).values));
        let h = 1e-5;
        let difference = (end.call(u, 0.1 + h) - end.call(u, 0.1 - h)) / (2 * h);
        end.call(u, 0.1);
        let slope = grad(|nu| end.call(u, nu), 0.1);
        end.call(u, 0.1);
        let of_start = grad(|s| end.call(u * s, 0.1), 1.0);
        let by_start = (end.call(u * (1 + h), 0.1) - end.call(u * (1 - h), 0.1)) / (2 * h);
        [item(abs(slope / difference - 1)), item(abs(of_start / by_start - 1))]"#
    );
    let found = evaluate(&script).into_typed_array::<rhai::Dynamic>().unwrap();
    for error in found {
        let error = error.as_float().unwrap();
        assert!(error < 1e-6, "{error:e}");
    }
}

const WALLS: &str = r#"
    let g = grid::interval(0, 1, 24, #{ edges: dirichlet(0.5) });
    let u = g.sample(|x| exp(x));
    let nu = 0.1;
    let written = || equation(|u, t| dt(u) + u * dx(u) - nu * laplacian(u) - 0.1 * sin(t));
    let e = written.call();
"#;

#[test]
fn kept_steps_on_stencils_are_those_of_a_new_equation() {
    let script = format!(
        r#"{DIFFER}{WALLS}
        let worst = 0.0;
        for round in 0..2 {{
            for options in [
                #{{ steps: 4, scheme: "rk4" }}, #{{ steps: 5, scheme: "rk4" }}, #{{ steps: 4, scheme: "heun" }}, #{{ steps: 4, scheme: "rk4", nu: 0.2 }},
                #{{ steps: 4, scheme: "rk4", nu: 0.3 }}, #{{ steps: 4, scheme: "rk4", transport: "central" }},
                #{{ steps: 4, scheme: "rk4", derivatives: "central", accuracy: 4 }}, #{{ step: 0.0002, scheme: "rk4" }},
            ] {{
                for t in [0.001, 0.002] {{
                    worst = max([worst, differ(e, written, u * (1 + round), t, options)]);
                }}
            }}
            let options = #{{ steps: 4, scheme: "rk4" }};
            for h in [
                grid::interval(0, 1, 30, #{{ edges: dirichlet(0.5) }}), grid::interval(0, 1, 24, #{{ edges: dirichlet(0.2) }}),
                grid::interval(0, 1, 24, #{{ edges: neumann(0) }}), grid::interval(0, 2, 24, #{{ edges: dirichlet(0.5) }}),
            ] {{
                worst = max([worst, differ(e, written, h.sample(|x| cos(x / 2) ** 2), 0.001, options)]);
            }}
            let several = stack([u.values, 2 * u.values], 0).reshape([2, 1, 24]).field(g);
            worst = max([worst, differ(e, written, several, 0.001, options)]);
            worst = max([worst, differ(e, written, several, 0.001, options + #{{ nu: tensor([0.1, 0.2 + 0.1 * round]) }})]);
        }}
        worst"#
    );
    assert!(number(&script) < 1e-12, "{:e}", number(&script));
}

#[test]
fn closures_of_edges_are_asked_each_time() {
    let script = format!(
        r#"{DIFFER}{WALLS}
        let level = 1.0;
        let fixed = grid::interval(0, 1, 24, #{{ edges: dirichlet(|| level) }});
        let moving = grid::interval(0, 1, 24, #{{ edges: dirichlet(|t| level + t) }});
        let worst = 0.0;
        for value in [1.0, 2.0, 3.0] {{
            level = value;
            for h in [fixed, moving] {{
                worst = max([worst, differ(e, written, u.values.field(h), 0.001, #{{ steps: 4, scheme: "rk4" }})]);
            }}
        }}
        worst"#
    );
    assert!(number(&script) < 1e-12, "{:e}", number(&script));
}

#[test]
fn gradients_use_kept_steps() {
    let script = format!(
        r#"{DIFFER}{WALLS}
        let end = |e, u, nu, lane| mean(square(solve(e, u.field(g), 0.002, #{{ steps: 4, scheme: "rk4", nu: nu, lane: lane, quiet: true }}).values));
        let worst = 0.0;
        for factor in [1.0, 2.0, 1.5] {{
            let start = u.values * factor;
            end.call(e, start, 0.1, "auto");
            for nu in [0.1, 0.2] {{
                let kept = grad(|v| end.call(e, v, nu, "auto"), start);
                let anew = grad(|v| end.call(written.call(), v, nu, "burn"), start);
                worst = max([worst, apart(kept, anew)]);
            }}
            for nu in [0.1, 0.2] {{
                let both = grad(|v, nu| end.call(e, v, nu, "auto"), [start, tensor(nu)]);
                let anew = grad(|v, nu| end.call(written.call(), v, nu, "burn"), [start, tensor(nu)]);
                worst = max([worst, apart(both[0], anew[0]), apart(both[1], anew[1])]);
                let alone = grad(|nu| end.call(e, start, nu, "auto"), tensor(nu));
                worst = max([worst, apart(alone, anew[1])]);
            }}
        }}
        worst"#
    );
    assert!(number(&script) < 1e-12, "{:e}", number(&script));
}

#[test]
fn integrals_that_are_kept_are_those_of_each_start() {
    let lost = number(
        r#"
        let g = grid::interval(0, 1, 64, #{ edges: neumann(0) });
        let e = equation(|u| dt(u) - 0.1 * dx(u, 2));
        let worst = 0.0;
        for level in [1.0, 3.0, 2.0] {
            let start = g.sample(|x| level + cos(PI * x)).values.cast("f32");
            let end = solve(e, start, 0.2, #{ grid: g, scheme: "rk4", steps: 800, lane: "native", quiet: true }).values;
            worst = max([worst, item(abs(mean(end.cast("f64")) / mean(start.cast("f64")) - 1))]);
        }
        worst"#,
    );
    assert!(lost <= 1e-7, "{lost:e}");
}

#[test]
fn gradients_to_coefficients_use_kept_steps_with_the_numbers_of_now() {
    // At points, between them in fluxes, at faces of what is carried along, for each sample; and of the same equation without a gradient between.
    let script = format!(
        r#"{DIFFER}
        let g = grid::interval(0, 1, 24, #{{ edges: neumann(0) }});
        let u = stack([g.sample(|x| exp(x)).values, g.sample(|x| cos(2 * x)).values], 0).reshape([2, 1, 24]);
        let k = g.sample(|x| 1 + 0.3 * x).values;
        let nu = tensor([0.1, 0.2]);
        let written = || equation(|u| dt(u) + dx(k * u * u) - div(k * grad(u)) - nu * laplacian(u) + exp(k) * nu * u);
        let e = written.call();
        let end = |e, k, nu, lane| mean(square(solve(e, u.field(g), 0.0005, #{{ steps: 4, scheme: "heun", transport: "weno5", k: k.field(g), nu: nu, lane: lane, quiet: true }}).values) * arange(1, 25));
        let worst = 0.0;
        for factor in [1.0, 2.0, 0.5] {{
            end.call(e, k * factor, nu, "auto");
            for scale in [1.0, 3.0] {{
                let kept = grad(|k, nu| end.call(e, k, nu, "auto"), [k * factor, nu * scale]);
                let anew = grad(|k, nu| end.call(written.call(), k, nu, "burn"), [k * factor, nu * scale]);
                for i in 0..2 {{ worst = max([worst, apart(kept[i], anew[i]) / item(max(abs(anew[i])))]); }}
                let half = grad(|k| end.call(e, k, nu * scale, "auto"), k * factor);
                worst = max([worst, apart(half, anew[0]) / item(max(abs(anew[0])))]);
            }}
        }}
        worst"#
    );
    assert!(number(&script) < 1e-11, "{:e}", number(&script));
}
