//! What an equation keeps from one solution to the next changes no result. Each solution is compared with one of an equation written anew, which
//! has kept nothing, by tensor operations.

use super::{evaluate, number};

const PRELUDE: &str = r#"
    let g = grid::periodic([32], [TAU]);
    let u = g.sample(|x| sin(x) + 0.3 * cos(2 * x));
    let nu = 0.1;
    let written = || equation(|u| dt(u) + u * dx(u) - nu * laplacian(u) - 0.1 * sin(u));
    let e = written.call();
    fn apart(a, b) { item(max(abs(a - b))) }
    // Of the equation that is kept, and of a new one.
    fn differ(e, written, u, t, options) {
        apart(solve(e, u, t, options + #{ quiet: true }), solve(written.call(), u, t, options + #{ quiet: true, lane: "burn" }))
    }
"#;

#[test]
fn kept_steps_are_those_of_a_new_equation() {
    // In turn, so that each is met after others were kept, and met again.
    let script = format!(
        r#"{PRELUDE}
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
        r#"{PRELUDE}
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
        r#"{PRELUDE}
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
