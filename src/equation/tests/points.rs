//! Compiled steps at points against tensor operations: the same differences, edges and steps, equal to rounding.

use super::lanes::Dice;
use super::native::system;
use super::{number, refused, with_host};
use crate::native::simd::at_each_level;
use crate::script::value::Operand;

/// The largest difference of paths and of their gradients with respect to start, numbers, fields and values of edges, by both lanes.
pub(super) const BOTH: &str = r#"
    fn apart(a, b) { item(max(abs(a - b)) / maximum(max(abs(b)), 1e-9)) }
    fn both(make, p) {
        let native = make.call("native", p); let burn = make.call("burn", p);
        let errors = [apart(native.values, burn.values)];
        let n = p.len();
        let of = |lane| grad(|a, b, c, d| {
            let end = make.call(lane, [a, b, c, d]).values;
            mean(end ** 3) + mean(end ** 2) + 0.3 * mean(end * arange(0, end.shape[-1]))
        }, p);
        let gn = of.call("native"); let gb = of.call("burn");
        for i in 0..n { errors.push(apart(gn[i], gb[i])); }
        errors
    }
"#;

pub(super) fn check(host: &mut crate::script::Host, name: &str, script: &str, tolerance: f64) {
    let value = host.evaluate("points", &format!("{BOTH}{script}")).unwrap_or_else(|e| panic!("{name}\n{script}\n{e}"));
    let errors: Vec<f64> = value.into_array().unwrap().iter().map(|e| e.as_float().unwrap()).collect();
    assert!(errors.len() > 1 && errors.iter().all(|e| *e <= tolerance), "{name}: {errors:?}\n{script}");
}

#[test]
fn periodic_grids() {
    with_host(|mut host| {
        let equations = [
            ("central", "equation(|u| dt(u) + a * u * dx(u) - nu * dx(u, 2) - 0.1 * field)"),
            ("upwind", "equation(|u| dt(u) + a * u * dx(u) - nu * dx(u, 2) - 0.1 * field)"),
            ("upwind3", "equation(|u| dt(u) + a * u * dx(u) - nu * dx(u, 2) + field * dx(u))"),
            ("weno5", "equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2) + a * field * dx(u))"),
            ("weno5", "equation(|u| dt(u) + dx(field * u * u) - nu * a)"),
            (
                "central",
                "equation(|u, x, t| dt(u) - dx(field * dx(u)) - dx((nu + u * u) * dx(u)) - a * exp(-t) * sin(x))",
            ),
            ("central", "equation(|u| dt(u) - nu * dx(u, 2) + a * u * integral(field * u * u) - integral(u) * dx(u))"),
        ];
        for (i, (transport, equation)) in equations.iter().enumerate() {
            for (scheme, options) in [
                ("euler", "steps: 3"),
                ("rk4", "steps: 4, checkpoints: 2"),
                ("dormand_prince", "steps: 3"),
                ("ssp_rk3", "steps: 5, checkpoints: \"sqrt\""),
            ] {
                let accuracy = [2, 4, 6][i % 3];
                let script = format!(
                    "let g = grid::periodic([23], [TAU]); let x = g.sample(|x| x).values;
                     let start = sin(tensor([1, 2]).reshape([2, 1, 1]) * x) + 0.3 * cos(x);
                     let nu = 0.2; let a = 0.7; let field = 1 + 0.3 * cos(x);
                     let eq = {equation};
                     both(|lane, p| solve(eq, p[0], [0.0, 0.01, 0.03], #{{ grid: g, nu: p[1], a: p[2], field: p[3], lane: lane, quiet: true,
                          transport: \"{transport}\", derivatives: \"central\", accuracy: {accuracy}, scheme: \"{scheme}\", {options} }}),
                          [start, tensor(nu), tensor([a, 1.1]), field])"
                );
                check(&mut host, &format!("{i} {transport} {scheme}"), &script, 1e-10);
            }
        }
    });
}

#[test]
fn edges_of_every_kind() {
    with_host(|mut host| {
        let edges = [
            "left: dirichlet(0.3), right: neumann(0.2)",
            "left: robin(1, 0.5, 0.4), right: dirichlet(0)",
            "left: neumann(0), right: neumann(0)",
            "left: dirichlet(|t| 0.3 * sin(t)), right: robin(2, 1, |t| cos(t))",
            "left: dirichlet(b), right: neumann(b)",
        ];
        let bodies = [
            ("central", "a * u * dx(u) - nu * dx(u, 2)"),
            ("upwind", "a * u * dx(u) - nu * dx(u, 2)"),
            ("weno5", "dx(a * u * u) - nu * dx(u, 2)"),
            ("central", "-dx((nu + a * u * u) * dx(u)) - dx((1 + x) * dx(u)) + dx(u * dx(u))"),
            ("central", "a * integral(u) * u - nu * dx(u, 2) + dx(u, 4) * 1e-5"),
        ];
        for values in ["centres", "nodes"] {
            for edges in edges {
                for (i, (transport, body)) in bodies.iter().enumerate() {
                    let (accuracy, checkpoints) = ([2, 4][i % 2], ["\"none\"", "3", "\"sqrt\""][i % 3]);
                    let script = format!(
                        "let nu = 0.2; let a = 0.3; let start = tensor([[0.3, 0.5, 0.2], [0.1, -0.4, 0.3]]);
                         let eq = equation(|u, x, t| dt(u) + {body});
                         both(|lane, p| {{
                             let b = p[3];
                             let g = grid::interval(0, 1.5, 14, #{{ values: \"{values}\", {edges} }});
                             let x = g.sample(|x| x).values;
                             let c = p[0].reshape([2, 1, 3]);
                             let u = c[[ALL, ALL, 0..1]] + c[[ALL, ALL, 1..2]] * sin(3 * x) + c[[ALL, ALL, 2..3]] * x;
                             solve(eq, u, [0.0, 2e-3, 5e-3], #{{ grid: g, nu: p[1], a: p[2], lane: lane, quiet: true, transport: \"{transport}\",
                                 derivatives: \"central\", accuracy: {accuracy}, scheme: \"rk4\", steps: 4, checkpoints: {checkpoints} }})
                         }}, [start, tensor(nu), tensor(a), tensor(0.3)])"
                    );
                    check(&mut host, &format!("{values}, {edges}, {transport}, {body}"), &script, 1e-10);
                }
            }
        }
    });
}

#[test]
fn planes_and_boxes_with_edges() {
    with_host(|mut host| {
        let grids = [
            (
                "grid::rectangle([0, 1], [0, 2], [7, 9], #{ left: dirichlet(b), right: neumann(|y| 0.1 * y), bottom: robin(1, 0.2, |x, t| x + t), top: dirichlet(0) })",
                "dx(dy(u)) - dy(u) * dx(v)",
            ),
            (
                "grid::rectangle([0, 1], [0, 1], [8, 6], #{ values: \"nodes\", periodic: [\"y\"], left: dirichlet(|y, t| 0.2 * sin(TAU * y) * cos(t)), right: neumann(0.2) })",
                "dx(u * dy(v))",
            ),
            ("grid::periodic([6, 11], [1, 1])", "dx(dy(u)) + dx(u * v)"),
            ("grid::box(1, 1, 1, [6, 7, 8], #{ edges: dirichlet(b) })", "dz(u * v) + dy(dz(v))"),
        ];
        for (i, (grid, body)) in grids.iter().enumerate() {
            for transport in ["central", "upwind", "weno5"] {
                let script = format!(
                    "let nu = 0.02; let b = tensor(0.2); let a = tensor(0.5); let g = {grid};
                     let n = g.shape; let start = 0.3 * random::normal([2, 1] + n, #{{ seed: {i} }});
                     let eq = equation([\"u\", \"v\"], |u, v| [dt(u) - nu * laplacian(u) + u * dx(u) + 0.1 * ({body}), dt(v) - div(a * grad(v)) * 1e-2 + dy(u * v)]);
                     both(|lane, p| {{ let b = p[3]; let g = {grid};
                         solve(eq, #{{ u: p[0], v: 0.5 * p[0] }}, [0.0, 2e-3, 5e-3], #{{ grid: g, nu: p[1], a: p[2], lane: lane, quiet: true, transport: \"{transport}\",
                             derivatives: \"central\", scheme: \"heun\", steps: 3 }}) }}, [start, tensor(nu), a, b])"
                );
                check(&mut host, &format!("{grid}, {transport}"), &script, 1e-10);
            }
        }
    });
}

#[test]
fn random_systems_and_their_gradients() {
    with_host(|mut host| {
        let mut dice = Dice(1234);
        for case in 0..24 {
            let axes = 1 + dice.roll(3);
            let sizes = [[7, 16, 11, 12], [5, 8, 6, 7], [4, 5, 6, 7]][axes as usize - 1];
            let shape: Vec<usize> = (0..axes).map(|_| sizes[dice.roll(4) as usize]).collect();
            let axes_of = &["x", "y", "z"][..axes as usize];
            let (arguments, last) = (axes_of.join(", "), axes_of[axes as usize - 1]);
            let [f, g] = system(&mut dice, axes.min(2));
            let scheme = ["euler", "rk4", "heun", "ssp_rk3", "bogacki_shampine"][dice.roll(5) as usize];
            let transport = ["central", "upwind", "upwind3"][dice.roll(3) as usize];
            let checkpoints = ["\"none\"", "\"sqrt\"", "2"][dice.roll(3) as usize];
            let script = format!(
                "let g = grid::periodic({shape:?}, {:?});
                 let a = g.sample(|{arguments}| 0.8 + 0.3 * cos(x) * sin({last})).values;
                 let u = g.sample(|{arguments}| 0.4 * sin(x + 1) + 0.2 * cos(2 * {last} - x)).values;
                 let v = g.sample(|{arguments}| 0.3 * cos(x) - 0.2 * sin({last})).values;
                 let k = 0.3;
                 let eq = equation([\"u\", \"v\"], |u, v| [
                     dt(u) - 0.05 * laplacian(u) + 0.1 * k * v - 0.2 * ({f}) + 1e-3 * a, dt(v) - 0.03 * laplacian(v) + 0.1 * u - 0.2 * ({g}),
                 ]);
                 both(|lane, p| solve(eq, #{{ u: p[0], v: p[1] }}, [0.0, 0.02, 0.06], #{{ grid: g, k: p[2], a: p[3], lane: lane, quiet: true,
                         scheme: \"{scheme}\", steps: 3, derivatives: \"central\", transport: \"{transport}\", checkpoints: {checkpoints} }}), [u, v, tensor(k), a])",
                vec![std::f64::consts::TAU; axes as usize]
            );
            check(&mut host, &format!("case {case}, {shape:?}, {scheme}, {transport}: {f} | {g}"), &script, 1e-9);
        }
    });
}

/// Threads begin and end in the middle of lines; boxes have lines, planes and corners of their own.
#[test]
fn threads_share_large_states() {
    let cases = [
        (
            "grid::interval(0, 1, 20011, #{ left: dirichlet(0.2), right: neumann(0.1) })",
            "u * dx(u) + tanh(u) - sqrt(1 + u * u)",
        ),
        ("grid::periodic([131, 133], [3, 2])", "u * dx(u) + dy(u * u) - div((1 + u * u) * grad(u)) * 1e-7"),
        (
            "grid::rectangle([0, 1], [0, 1], [3, 9001], #{ edges: neumann(0), left: dirichlet(0.1) })",
            "dy(u * u) + sin(u)",
        ),
        (
            "grid::rectangle([0, 1], [0, 1], [6001, 3], #{ edges: neumann(0), periodic: [\"y\"] })",
            "u * dx(u) + 0.2 * dy(u)",
        ),
        (
            "grid::box([0, 1], [0, 1], [0, 1], [26, 30, 25], #{ left: dirichlet(0.1), edges: neumann(0) })",
            "u * dx(u) - dz(u * u) + exp(-u * u)",
        ),
        ("grid::periodic([27, 25, 31], [1, 1, 1])", "dx(dy(u)) * 1e-6 + u * dz(u)"),
    ];
    with_host(move |mut host| {
        for (grid, rate) in cases {
            let script = format!(
                "let g = {grid}; let nu = 0.2; let a = 0.7; let b = 0.1;
                 let eq = equation(|u| dt(u) + {rate} - nu * 1e-6 * laplacian(u) + a * u - b * u * u);
                 both(|lane, p| solve(eq, p[0], 1e-5, #{{ grid: g, nu: p[1], a: p[2], b: p[3], scheme: \"heun\", steps: 2, lane: lane,
                      transport: \"central\", derivatives: \"central\", quiet: true }}),
                      [0.3 * random::normal([1, 1] + g.shape, #{{ seed: 3 }}), tensor(nu), tensor(a), tensor(b)])"
            );
            check(&mut host, grid, &script, 1e-11);
        }
    });
}

#[test]
fn levels_of_instructions_give_the_same_bits() {
    with_host(|mut host| {
        let script = "let g = grid::rectangle([0, 1], [0, 1], [19, 37], #{ edges: neumann(0), left: dirichlet(0.2) });
             let eq = equation(|u| dt(u) + u * dx(u) + dy(u * u) - 0.01 * laplacian(u) - div((1 + u * u) * grad(u)) * 1e-3);
             let start = (0.3 * random::normal([3, 1, 19, 37], #{ seed: 2 })).cast(\"f32\");
             let r = value_and_grad(|u| mean(solve(eq, u, 0.01, #{ grid: g, scheme: \"rk4\", steps: 5, transport: \"upwind\", lane: \"native\", quiet: true }).values ** 2), start);
             r[1] * r[0]";
        let mut results: Vec<Vec<f64>> = Vec::new();
        at_each_level(|_| {
            let value = host.evaluate("points", script).unwrap_or_else(|e| panic!("{e}"));
            let Some(Operand::Tensor(t)) = Operand::of(&value) else { panic!("not a tensor") };
            results.push(t.to_vec().unwrap());
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    });
}

#[test]
fn single_precision_keeps_what_differences_keep() {
    let lost = number(
        "let g = grid::interval(0, 1, 64, #{ edges: neumann(0) });
         let eq = equation(|u| dt(u) - dx((0.1 + u * u) * dx(u)));
         let start = g.sample(|x| 1 + 0.5 * cos(PI * x)).values.cast(\"f32\");
         let end = solve(eq, start, 0.05, #{ grid: g, scheme: \"euler\", steps: 2000, lane: \"native\", quiet: true }).values;
         item(abs(mean(end.cast(\"f64\")) / mean(start.cast(\"f64\")) - 1))",
    );
    assert!(lost <= 1e-7, "{lost:e}");
}

#[test]
fn gradients_are_those_of_central_differences() {
    let error = number(
        "let nu = 0.05;
         let eq = equation(|u| dt(u) + u * dx(u) - div(nu * (1 + u * u) * grad(u)));
         fn loss(eq, c, nu, b) {
             let g = grid::interval(0, 1, 24, #{ left: dirichlet(b), right: neumann(0.1) });
             let u = c * g.sample(|x| 0.3 + 0.5 * sin(3 * x)).values;
             mean(solve(eq, u, 0.02, #{ grid: g, nu: nu, scheme: \"rk4\", steps: 20, transport: \"weno5\", lane: \"native\", quiet: true }).values ** 2)
         }
         let p = [tensor(1.1), tensor(nu), tensor(0.3)];
         let found = grad(|c, nu, b| loss(eq, c, nu, b), p);
         let h = 1e-5; let error = 0.0;
         for i in 0..3 {
             let up = p; up[i] = p[i] + h; let down = p; down[i] = p[i] - h;
             let slope = (loss(eq, up[0], up[1], up[2]) - loss(eq, down[0], down[1], down[2])) / (2 * h);
             error = maximum(error, abs(found[i] / slope - 1));
         }
         item(error)",
    );
    assert!(error <= 1e-6, "{error:e}");
}

#[test]
fn what_is_not_compiled_says_why() {
    let script = |body: &str, options: &str| {
        format!(
            "solve(equation(|u| dt(u) {body}), grid::interval(0, 1, 16, #{{ edges: neumann(0) }}).sample(|x| sin(x)), 0.1, #{{ lane: \"native\", {options} }})"
        )
    };
    let error = refused(&script("- dx(u, 2)", "scheme: \"esdirk4\", steps: 2"));
    assert!(error.contains("cannot be compiled") && error.contains("more than sums"), "{error}");
    let error = refused(&script("- dx(u, 2) - potential(u)", "scheme: \"rk4\", steps: 2"));
    assert!(error.contains("cannot be compiled") || error.contains("potential"), "{error}");
}

#[test]
fn a_state_that_grows_without_bound_is_found_at_the_same_step() {
    let error = |lane: &str| {
        refused(&format!(
            "solve(equation(|u| dt(u) - u * u), grid::interval(0, 1, 8, #{{ edges: neumann(0) }}).sample(|x| 2 + 0 * x), 3.0,
                   #{{ scheme: \"rk4\", steps: 30, lane: \"{lane}\" }})"
        ))
    };
    assert_eq!(error("native"), error("burn"));
}

#[test]
fn explain_says_which_lane() {
    let of = |body: &str, options: &str| {
        super::text(&format!(
            "explain(equation(|u| dt(u) + {body}), #{{ grid: grid::interval(0, 1, 16, #{{ {options} }}) }})"
        ))
    };
    let text = of("u * dx(u) - dx(u, 2)", "edges: neumann(0)");
    assert!(text.contains("lane        compiled: explicit steps"), "{text}");
    let text = of("opaque(|v| v * v, u)", "left: dirichlet(0), right: neumann(1)");
    assert!(text.contains("not looked into"), "{text}");
}

#[test]
fn long_steps_of_large_states_are_judged_when_they_blow_up() {
    let error = refused(
        "let g = grid::periodic([300, 300], [TAU, TAU]); let u = g.sample(|x, y| sin(x) * cos(y) + 1e-3 * cos(150 * x) * cos(150 * y));
         solve(equation(|u| dt(u) - laplacian(u)), u, 0.8, #{ derivatives: \"central\", scheme: \"euler\", steps: 400 })",
    );
    assert!(error.contains("no longer finite") && error.contains("too long for euler"), "{error}");
}
