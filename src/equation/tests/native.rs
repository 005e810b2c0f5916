//! Compiled steps against tensor operations: the same steps, equal to rounding.

use super::lanes::{Dice, expression};
use super::{number, refused, text, with_host};

/// The largest difference of two paths relative to the largest element.
const APART: &str = r#"
    fn apart(a, b) { item(max(abs(a - b)) / maximum(max(abs(b)), 1e-30)) }
    fn both(eq, start, times, options) {
        let native = solve(eq, start, times, options + #{ lane: "native", quiet: true });
        let burn = solve(eq, start, times, options + #{ lane: "burn", quiet: true });
        apart(native.values, burn.values)
    }
"#;

/// A flow, waves, coupled unknowns, a coefficient that varies, integrals, forcing in time: what occurs in the lane.
const EQUATIONS: [(&str, &str); 9] = [
    ("heat", "let eq = equation(|u| dt(u) - 0.1 * laplacian(u)); let start = g.sample(|x| sin(x) + 0.3 * cos(3 * x));"),
    (
        "burgers",
        "let nu = 0.2; let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
         let start = g.sample(|x| sin(x) + 0.3 * cos(2 * x));",
    ),
    (
        "one wave inside of another",
        "let eq = equation(|u| dt(u) - 0.1 * dx(u, 2) - u * dx(u * dx(u)) - 0.1 * sin(dx(tanh(u))));
         let start = g.sample(|x| 0.3 * sin(x) + 0.2 * cos(2 * x));",
    ),
    (
        "a coefficient",
        "let eq = equation(|u, x, t| dt(u) - 0.1 * dx(u, 2) - dx((1 + 0.5 * cos(x)) * dx(u)) - exp(-t) * sin(x) - cos(t) * dx(u) - 0.3);
         let start = g.sample(|x| 0.3 * sin(x));",
    ),
    (
        "an integral",
        "let eq = equation(|u| dt(u) - 0.1 * dx(u, 2) + u * integral(u * u) - integral(u + 1) * dx(u) / (1 + integral(u * u)));
         let start = g.sample(|x| 0.3 * sin(x) + 0.1);",
    ),
    (
        "two unknowns",
        "let eq = equation([\"u\", \"v\"], |u, v| [dt(u) - 0.1 * laplacian(u) - 0.3 * v + u * v * v, dt(v) - 0.2 * dx(u) - u * u + v]);
         let start = #{ u: g.sample(|x| 0.3 * sin(x)), v: g.sample(|x| 0.2 * cos(x) + 0.1) };",
    ),
    (
        "a wave",
        "let eq = equation(|u| dt(dt(u)) - laplacian(u) + 0.5 * u * u * u);
         let start = #{ u: g.sample(|x| sin(x)) };",
    ),
    (
        "many samples",
        "let nu = tensor([0.1, 0.2, 0.3]); let a = tensor([0.5, 1, 1.5]);
         let eq = equation(|u| dt(u) + a * u * dx(u) - nu * dx(u, 2) + abs(u) * u - maximum(u, 0.1));
         let start = g.sample(|x| sin(x));",
    ),
    (
        "nothing but a linear part",
        "let eq = equation([\"u\", \"v\"], |u, v| [dt(u) - 0.1 * dx(u, 2) - v, dt(v) + u - dx(v)]);
         let start = #{ u: g.sample(|x| sin(x)), v: 0.2 };",
    ),
];

#[test]
fn every_method_on_a_line() {
    let methods =
        ["euler", "rk4", "dormand_prince", "etdrk1", "etdrk2", "etdrk3", "etdrk4", "ars222", "ars443", "cnab2"];
    with_host(move |mut host| {
        for (name, equation) in EQUATIONS {
            for (i, method) in methods.iter().enumerate() {
                let points = [16, 15, 17, 24][i % 4];
                let dealias = i % 3 != 1;
                let script = format!(
                    "{APART} let g = grid::periodic([{points}], [TAU]); {equation}
                     both(eq, start, [0, 0.05, 0.1, 0.2], #{{ scheme: \"{method}\", steps: 3, dealias: {dealias} }})"
                );
                let value = host.evaluate("native", &script).unwrap_or_else(|e| panic!("{name}, {method}\n{e}"));
                let error = value.as_float().unwrap();
                assert!(error <= 1e-12, "{name}, {method}, {points} points: {error:e}");
            }
        }
    });
}

#[test]
fn planes_and_boxes() {
    for (shape, lengths, sample) in [
        ("[16, 12]", "[TAU, TAU]", "|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x - y)"),
        ("[9, 15]", "[TAU, 3.0]", "|x, y| sin(x) * cos(TAU * y / 3) + 0.3 * cos(2 * x)"),
        ("[12, 2]", "[TAU, 1.0]", "|x, y| sin(x) + 0 * y"),
        // Columns that are kept by bands.
        ("[1024, 12]", "[TAU, TAU]", "|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x - y)"),
        ("[1030, 9]", "[TAU, TAU]", "|x, y| sin(x) * cos(y) + 0.3 * cos(2 * x - y)"),
        ("[8, 6, 10]", "[TAU, TAU, TAU]", "|x, y, z| sin(x) * cos(y) + 0.3 * cos(2 * x - y + z)"),
        ("[5, 7, 9]", "[TAU, TAU, TAU]", "|x, y, z| sin(x) * cos(y) + 0.3 * cos(2 * x - y + z)"),
    ] {
        for dealias in [true, false] {
            let error = number(&format!(
                "{APART} let g = grid::periodic({shape}, {lengths});
                 let eq = equation(|u| dt(u) + u * dx(u) - 0.05 * laplacian(u) + 0.3 * dy(u) * dx(dy(u)) - dy(u * dx(u)));
                 let start = g.sample({sample});
                 both(eq, start, [0, 0.05, 0.1], #{{ scheme: \"etdrk4\", steps: 3, dealias: {dealias} }})"
            ));
            assert!(error <= 1e-12, "{shape}, {dealias}: {error:e}");
        }
    }
}

#[test]
fn a_flow_with_a_potential() {
    let error = number(&format!(
        "{APART} let g = grid::periodic([24, 20], [TAU, TAU]);
         let eq = equation([\"w\", \"psi\"], |w, psi| [
             dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 1e-2 * laplacian(w), laplacian(psi) + w,
         ]);
         both(eq, random::normal([3, 1, 24, 20], #{{ seed: 1 }}).field(g), [0, 0.01, 0.02], #{{ scheme: \"etdrk2\", steps: 5 }})"
    ));
    assert!(error <= 1e-12, "{error:e}");
}

#[test]
fn a_lane_that_cannot_says_why() {
    let script = |options: &str| {
        format!(
            "solve(equation(|u| dt(u) + u * dx(u)), grid::periodic([16], [TAU]).sample(|x| sin(x)), 0.1, #{{ {options} }})"
        )
    };
    let error = refused(&script("lane: \"native\", derivatives: \"fourier\", scheme: \"dormand_prince\""));
    assert!(error.contains("cannot be compiled") && error.contains("tolerance"), "{error}");
}

#[test]
fn a_state_that_grows_without_bound_is_found_at_the_same_step() {
    let error = |lane: &str| {
        refused(&format!(
            "solve(equation(|u| dt(u) - u * u), grid::periodic([8], [TAU]).sample(|x| 2 + 0 * x), 3.0,
                   #{{ scheme: \"rk4\", steps: 30, lane: \"{lane}\" }})"
        ))
    };
    assert_eq!(error("native"), error("burn"));
}

/// Start, parameters of the linear part and of the rest, by both lanes.
fn gradients_apart(equation: &str, options: &str) -> f64 {
    number(&format!(
        "let g = grid::periodic([15], [TAU]);
         let start = tensor(stack([g.sample(|x| sin(x) + 0.3 * cos(2 * x)).values[[0, 0]], g.sample(|x| 0.5 * cos(x)).values[[0, 0]]])).reshape([2, 1, 15]);
         let nu = 0.2; let a = 0.7; let field = g.sample(|x| 1 + 0.3 * cos(x)).values;
         {equation}
         fn loss(eq, g, lane, p) {{
             let path = solve(eq, p[0], [0.0, 0.1, 0.25], #{{ grid: g, nu: p[1], a: p[2], field: p[3], lane: lane, quiet: true, {options} }});
             mean(path.values ** 3) + mean(path.values[[ALL, 1]] ** 2)
         }}
         let p = [start, tensor(nu), tensor([a, 1.1]), field];
         let native = grad(|p0, p1, p2, p3| loss(eq, g, \"native\", [p0, p1, p2, p3]), p);
         let burn = grad(|p0, p1, p2, p3| loss(eq, g, \"burn\", [p0, p1, p2, p3]), p);
         let error = 0.0;
         for i in 0..4 {{ error = maximum(error, max(abs(native[i] - burn[i])) / maximum(max(abs(burn[i])), 1e-12)); }}
         item(error)"
    ))
}

#[test]
fn gradients_of_start_and_parameters() {
    let equations = [
        "let eq = equation(|u| dt(u) + a * u * dx(u) - nu * dx(u, 2) - 0.1 * field);",
        "let eq = equation(|u, x, t| dt(u) - nu * dx(u, 2) - dx(field * dx(u)) + a * sin(u) * dx(u * dx(u)) / (2 + u * u) - nu * exp(-t) * sin(x));",
        "let eq = equation(|u| dt(u) - nu * dx(u, 2) - a * dx(u) + u * integral(field * u * u) - integral(u) * dx(u) + a * tanh(field * u));",
    ];
    for (i, equation) in equations.iter().enumerate() {
        for (j, (scheme, options)) in [
            ("etdrk2", "steps: 3"),
            ("etdrk4", "steps: 3, dealias: false"),
            ("rk4", "steps: 4, checkpoints: 2"),
            ("dormand_prince", "steps: 3"),
            ("cnab2", "steps: 4"),
            ("ars443", "steps: 2, checkpoints: \"sqrt\""),
        ]
        .iter()
        .enumerate()
        {
            let error = gradients_apart(equation, &format!("scheme: \"{scheme}\", {options}"));
            assert!(error <= 1e-10, "equation {i}, {scheme} ({j}): {error:e}");
        }
    }
}

/// Two random expressions of `u`, `v`, a field `a` and a number `k`.
pub(super) fn system(dice: &mut Dice, axes: u64) -> [String; 2] {
    std::array::from_fn(|_| {
        let depth = 2 + dice.roll(2) as u32;
        let one = expression(dice, depth, 2, axes);
        one.chars().map(|c| if c == 'u' && dice.roll(2) == 0 { 'v' } else { c }).collect()
    })
}

#[test]
fn random_systems_and_their_gradients() {
    with_host(|mut host| {
        let mut dice = Dice(77);
        let schemes = ["euler", "rk4", "etdrk2", "etdrk4", "ars222", "cnab2", "bogacki_shampine"];
        let (mut worst, mut worst_gradient) = (0.0f64, 0.0f64);
        for case in 0..36 {
            let axes = 1 + dice.roll(3);
            let sizes = [[7, 16, 11, 12], [5, 8, 6, 7], [4, 5, 6, 3]][axes as usize - 1];
            let shape: Vec<usize> = (0..axes).map(|_| sizes[dice.roll(4) as usize]).collect();
            let axes_of = &["x", "y", "z"][..axes as usize];
            let arguments = axes_of.join(", ");
            let [f, g] = system(&mut dice, axes.min(2));
            let scheme = schemes[dice.roll(7) as usize];
            let dealias = dice.roll(2) == 0;
            let checkpoints = ["\"none\"", "\"sqrt\"", "2"][dice.roll(3) as usize];
            let last = axes_of[axes as usize - 1];
            let script = format!(
                "let g = grid::periodic({shape:?}, {:?});
                 let a = g.sample(|{arguments}| 0.8 + 0.3 * cos(x) * sin({last})).values;
                 let u = g.sample(|{arguments}| 0.4 * sin(x + 1) + 0.2 * cos(2 * {last} - x)).values;
                 let v = g.sample(|{arguments}| 0.3 * cos(x) - 0.2 * sin({last})).values;
                 let k = 0.3;
                 let eq = equation([\"u\", \"v\"], |u, v| [
                     dt(u) - 0.05 * laplacian(u) + 0.1 * k * v - 0.2 * ({f}) + 1e-3 * a, dt(v) - 0.03 * laplacian(v) + 0.1 * u - 0.2 * ({g}),
                 ]);
                 fn path(eq, g, lane, u, v, k, a) {{
                     solve(eq, #{{ u: u, v: v }}, [0.0, 0.02, 0.06], #{{ grid: g, k: k, a: a, lane: lane, quiet: true,
                         scheme: \"{scheme}\", steps: 3, dealias: {dealias}, checkpoints: {checkpoints} }}).values
                 }}
                 fn apart(a, b) {{ item(max(abs(a - b)) / maximum(max(abs(b)), 1e-9)) }}
                 let forward = apart(path(eq, g, \"native\", u, v, k, a), path(eq, g, \"burn\", u, v, k, a));
                 let loss = |lane| grad(|u, v, k, a| mean(path(eq, g, lane, u, v, k, a) ** 3), [u, v, tensor(k), a]);
                 let (native, burn) = (loss.call(\"native\"), loss.call(\"burn\"));
                 [forward, apart(native[0], burn[0]), apart(native[1], burn[1]), apart(native[2], burn[2]), apart(native[3], burn[3])]",
                vec![std::f64::consts::TAU; axes as usize]
            )
            .replace("let (native, burn) = (loss.call(\"native\"), loss.call(\"burn\"));", "let native = loss.call(\"native\"); let burn = loss.call(\"burn\");");
            let value = host.evaluate("native", &script).unwrap_or_else(|e| panic!("case {case}: {f} | {g}\n{e}"));
            let errors: Vec<f64> = value.into_array().unwrap().iter().map(|e| e.as_float().unwrap()).collect();
            worst = worst.max(errors[0]);
            worst_gradient = errors[1..].iter().copied().fold(worst_gradient, f64::max);
            assert!(errors[0] <= 1e-12, "case {case}, {shape:?}, {scheme}, {dealias}: {f} | {g}: {:e}", errors[0]);
            assert!(
                errors.iter().all(|e| *e <= 1e-10),
                "case {case}, {shape:?}, {scheme}, {checkpoints}: {f} | {g}: {errors:?}"
            );
        }
        println!("largest differences: {worst:.1e}, of gradients {worst_gradient:.1e}");
    });
}

#[test]
fn single_precision_and_the_number_of_steps() {
    let error = number(&format!(
        "{APART} let g = grid::periodic([32], [TAU]);
         let eq = equation(|u| dt(u) + u * dx(u) - 0.1 * dx(u, 2));
         let start = g.sample(|x| sin(x)).values.cast(\"f32\");
         both(eq, start, [0, 0.5, 1], #{{ grid: g, scheme: \"etdrk4\", steps: 20 }})"
    ));
    assert!(error <= 2e-6, "{error:e}");
    // Without a number of steps both lanes halve them until it is enough.
    let error = number(&format!(
        "{APART} let g = grid::periodic([32], [TAU]);
         both(equation(|u| dt(u) + u * dx(u) - 0.1 * dx(u, 2)), g.sample(|x| sin(x)), [0, 0.5, 1], #{{}})"
    ));
    assert!(error <= 1e-12, "{error:e}");
}

#[test]
fn explain_says_which_lane() {
    let of =
        |body: &str| text(&format!("explain(equation(|u| dt(u) + {body}), #{{ grid: grid::periodic([16], [TAU]) }})"));
    assert!(of("u * dx(u)").contains("lane        compiled"), "{}", of("u * dx(u)"));
}
