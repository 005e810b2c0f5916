//! Gradients through solved equations: against central differences for every kind of integrator, with checkpoints against
//! without, products with a Jacobian from both sides, and the memory that they take.

mod common;

use ansatz::script::stack;
use ansatz::tensor::Precision::F64;
use common::judge;

/// `worst(schemes, f, x)` is the largest difference between gradients of `f(options)` at the tensors `x` and central differences
/// along a direction, relative to the largest of the derivatives, over the schemes.
const PRELUDE: &str = r#"
    fn score(v) { let t = flatten(v); sum(cos(arange(0, len(t)) * 0.7 + 0.3) * t) + 0.5 * sum(t * t) }
    fn direction(x, i) { reshape(cos(arange(0, len(flatten(x))) * 1.3 + i), x.shape) }
    fn apply_to(f, x) {
        switch x.len() { 1 => f.call(x[0]), 2 => f.call(x[0], x[1]), 3 => f.call(x[0], x[1], x[2]), _ => f.call(x[0], x[1], x[2], x[3]) }
    }
    fn gradient_error(f, x) {
        let g = grad(f, x);
        let worst = 0.0;
        let scale = 1e-9;
        // Two directions for each input; a number has one.
        for k in 0..2 * x.len() {
            let i = int(k / 2);
            if k % 2 == 1 && len(flatten(x[i])) == 1 { continue; }
            let d = direction(x[i], k);
            let up = x;
            let down = x;
            up[i] = x[i] + 1e-5 * d;
            down[i] = x[i] - 1e-5 * d;
            let numeric = item(apply_to(f, up) - apply_to(f, down)) / 2e-5;
            worst = maximum(worst, abs(item(sum(g[i] * d)) - numeric));
            scale = maximum(scale, abs(numeric));
        }
        worst / scale
    }
    fn worst(schemes, f, x) {
        let most = 0.0;
        for scheme in schemes {
            let error = gradient_error(f.call(#{ scheme: scheme, steps: 20 }), x);
            if !(error <= 1e-6) { throw `${scheme}: ${error}`; }
            most = maximum(most, error);
        }
        most
    }
    let general = ["euler", "heun", "rk4", "dormand_prince", "ssp_rk3", "backward_euler", "crank_nicolson", "bdf2"];
    let linear = ["etdrk1", "etdrk2", "etdrk3", "etdrk4", "ars222", "ars443", "cnab2"];
    let all = general + linear;

    let nu = 0.1;
    let ring = grid::periodic([12], [TAU]);
    let plane = grid::periodic([8, 6], [TAU, TAU]);
    let wave = ring.sample(|x| 1 + 0.5 * sin(x) + 0.2 * cos(2 * x)).values;
    let source = ring.sample(|x| 0.5 * cos(2 * x));
    let coefficient = ring.sample(|x| 1.2 + 0.3 * sin(x));
    // Gradients with respect to start, number and source, in Fourier space and by differences.
    fn both(eq, f, x) { maximum(worst(all, |o| f.call(eq, o), x), worst(general, |o| f.call(eq, o + #{ accuracy: 4 }), x)) }
"#;

const EQUATIONS: &[(&str, &str, f64)] = &[
    (
        "heat",
        "both(equation(|u| dt(u) - nu * dx(u, 2) - source), |eq, o| |u, k, f| score(solve(eq, field(u, ring), 0.1, o + #{ nu: k, source: f })),
            [wave, tensor(0.1), source.values])",
        1e-6,
    ),
    (
        "Burgers",
        "both(equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2) - source), |eq, o| |u, k, f| score(solve(eq, field(u, ring), 0.1, o + #{ nu: k, source: f })),
            [wave, tensor(0.1), source.values])",
        1e-6,
    ),
    (
        "Kuramoto–Sivashinsky",
        "both(equation(|u| dt(u) + u * dx(u) + dx(u, 2) + nu * dx(u, 4)), |eq, o| |u, k| score(solve(eq, field(u, ring), 0.02, o + #{ nu: k })), [wave, tensor(0.1)])",
        1e-6,
    ),
    (
        "Korteweg–de Vries",
        "both(equation(|u| dt(u) + 6 * u * dx(u) + nu * dx(u, 3)), |eq, o| |u, k| score(solve(eq, field(u, ring), 0.05, o + #{ nu: k })), [wave, tensor(0.1)])",
        1e-6,
    ),
    (
        "Schrödinger",
        "both(equation(|p, q| [dt(p) + nu * dx(q, 2) + (p * p + q * q) * q, dt(q) - nu * dx(p, 2) - (p * p + q * q) * p]),
            |eq, o| |u, k| score(solve(eq, field(u, ring), 0.1, o + #{ nu: k })), [concat([wave, 0.5 * wave], 1), tensor(0.1)])",
        1e-6,
    ),
    (
        "vorticity",
        r#"let eq = equation(["w", "psi"], |w, psi| [dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - nu * laplacian(w), laplacian(psi) + w]);
           let start = plane.sample(|x, y| sin(x) * cos(y) + 0.5 * cos(2 * x + y)).values;
           worst(all, |o| |u, k| score(solve(eq, field(u, plane), 0.1, o + #{ nu: k })), [start, tensor(0.1)])"#,
        1e-6,
    ),
    (
        "variable diffusion",
        "let eq = equation(|u| dt(u) - div(coefficient * grad(u)) - source);
         let f = |eq, o| |u, a, s| score(solve(eq, field(u, ring), 0.05, o + #{ coefficient: a, source: s }));
         let x = [wave, coefficient.values, source.values];
         maximum(worst(general, |o| f.call(eq, o), x), worst(general, |o| f.call(eq, o + #{ accuracy: 2 }), x))",
        1e-6,
    ),
    (
        "Gray–Scott",
        "let eq = equation(|u, v| [dt(u) - nu * laplacian(u) + u * v * v - 0.04 * (1 - u), dt(v) - 0.5 * nu * laplacian(v) - u * v * v + 0.1 * v]);
         let start = plane.sample(|x, y| 1 + 0.2 * sin(x) * cos(y)).values.repeat(1, 2);
         both(eq, |eq, o| |u, k| score(solve(eq, field(u, plane), 0.2, o + #{ nu: k })), [start, tensor(0.1)])",
        1e-6,
    ),
    (
        "waves",
        r#"let eq = equation(|u| dt(dt(u)) - nu * dx(u, 2) + u ** 3);
           let f = |eq, o| |u, v, k| score(solve(eq, #{ u: u, u_t: v }, 0.2, o + #{ nu: k, grid: ring }));
           let x = [flatten(wave), 0.5 * flatten(wave), tensor(0.1)];
           maximum(both(eq, f, x), worst(["verlet", "leapfrog", "yoshida4"], |o| f.call(eq, o + #{ accuracy: 2 }), x))"#,
        1e-6,
    ),
    (
        "Lorenz",
        r#"let eq = equation(["p", "q", "r"], |p, q, r| [dt(p) - nu * (q - p), dt(q) - p * (28 - r) + q, dt(r) - p * q + 8 / 3 * r]);
           worst(general, |o| |u, k| score(solve(eq, #{ p: u[0], q: u[1], r: u[2] }, 0.05, o + #{ nu: k })), [tensor([1, 2, 20]), tensor(10)])"#,
        1e-6,
    ),
    (
        "times, by every integrator",
        r#"let eq = equation(|u, t| dt(u) + u * dx(u) - nu * dx(u, 2) - sin(t) * source);
           let f = |o| |u, k, t| score(solve(eq, field(u, ring), t, o + #{ nu: k }));
           let x = [wave, tensor(0.1), tensor(0.3)];
           maximum(worst(all, f, x), worst(general + ["ars222", "ars443", "cnab2"], |o| f.call(o + #{ accuracy: 2 }), x))"#,
        1e-6,
    ),
    (
        "times between edges, and a path",
        r#"let line = |e| grid::interval(0, 1, 9, #{ left: dirichlet(e), right: robin(1, 0.5, 0.2) });
           let start = line.call(0).sample(|x| 1 + 0.5 * sin(2 * x)).values;
           let eq = equation(|u| dt(u) - nu * dx(u, 2) + u * u);
           let f = |o| |u, e, t| score(solve(eq, field(u, line.call(e)), t, o).values);
           // With several times that are differentiated, methods with a memory begin anew at each: another discretisation.
           let alone = (general + ["ars222", "ars443"]).filter(|s| s != "bdf2");
           worst(alone, f, [start, tensor(0.7), tensor([0.0, 0.05, 0.12])])"#,
        1e-6,
    ),
    (
        "transport by upwind differences",
        r#"let v = ring.sample(|x| 1 + 0.3 * cos(x));
           let eq = equation(|u| dt(u) + dx(v * u) - nu * dx(u, 2));
           let most = 0.0;
           for transport in ["upwind", "upwind3", "weno5"] {
               let f = |o| |u, k, c| score(solve(eq, field(u, ring), 0.1, o + #{ nu: k, v: c, transport: transport }));
               most = maximum(most, worst(["rk4", "ssp_rk3", "backward_euler", "bdf2", "ars222"], f, [wave, tensor(0.1), v.values]));
           }
           most"#,
        1e-6,
    ),
    (
        "gravity",
        r#"let m = tensor([1, 2, 0.5]);
           let eq = equation([vector("r")], |r| [dt(dt(r)) - pair_sum(r, |d| nu * other(m) * d / norm(d) ** 3)]);
           let f = |o| |r, v, k, m| { let end = solve(eq, #{ r: r, r_t: v }, 0.1, o + #{ nu: k, m: m }); score(end.r) + score(end.r_t) };
           worst(general + ["verlet", "symplectic_euler"], f,
               [tensor([[0, 0.1], [1, 0], [0.3, 0.9]]), tensor([[0, 0.1], [0.4, 0], [0.3, 0.2]]), tensor(0.8), m])"#,
        1e-6,
    ),
    (
        "springs with a stiffness for each pair",
        r#"let c = tensor([[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]]);
           let eq = equation([vector("r")], |r| [dt(dt(r)) - pair_sum(r, |d| c * d * (1 - 0.3 / norm(d)))]);
           let f = |o| |r, c| score(solve(eq, #{ r: r }, 0.3, o + #{ c: c }).r);
           worst(["rk4", "verlet"], f, [tensor([[0, 0.1, 0], [1, 0, 0.2], [0.3, 0.9, -0.4]]), c])"#,
        1e-6,
    ),
];

/// A third of the table, so that they run side by side.
fn equations(third: usize) {
    let rows: Vec<_> = EQUATIONS.iter().copied().skip(third).step_by(3).collect();
    judge(F64, PRELUDE, rows.leak());
}
#[test]
fn gradients_of_every_equation_by_every_integrator() {
    equations(0);
}
#[test]
fn gradients_of_every_equation_by_every_integrator_second_part() {
    equations(1);
}
#[test]
fn gradients_of_every_equation_by_every_integrator_third_part() {
    equations(2);
}

const EDGES_PRELUDE: &str = r#"
    fn at_edges(values, kind) {
        let line = |e| grid::interval(0, 1, 9, #{ left: switch kind { "dirichlet" => dirichlet(e), "neumann" => neumann(e), _ => robin(1, 0.5, e) }, right: neumann(0.3), values: values });
        let start = line.call(0).sample(|x| 1 + 0.5 * sin(2 * x) + 0.2 * x * x).values;
        let a = line.call(0).sample(|x| 1 + 0.4 * x).values;
        let flux = equation(|u| dt(u) - dx(a * dx(u)));
        let most = worst(general, |o| |u, c, e| score(solve(flux, field(u, line.call(e)), 0.01, o + #{ a: c })), [start, flatten(a), tensor(0.7)]);
        let burgers = equation(|u| dt(u) - 0.3 * dx(u, 2) + u * dx(u));
        for accuracy in [2, 4, 6] {
            most = maximum(most, worst(general, |o| |u, e| score(solve(burgers, field(u, line.call(e)), 0.01, o + #{ accuracy: accuracy })), [start, tensor(0.7)]));
        }
        most
    }
    fn in_the_plane(values) {
        let room = |e| grid::rectangle([0, 1], [0, 2], [6, 5], #{ left: dirichlet(e), bottom: neumann(0.1), right: robin(1, 1, 0), top: dirichlet(0), values: values });
        let start = room.call(0).sample(|x, y| sin(x + y)).values;
        let eq = equation(|u| dt(u) - div((1 + u * u) * grad(u)));
        worst(general, |o| |u, e| score(solve(eq, field(u, room.call(e)), 0.01, o)), [start, tensor([0.1, 0.2, 0.3, 0.4, 0.5])])
    }
"#;
const EDGES: &[(&str, &str, f64)] = &[
    ("Dirichlet, centres", "at_edges(\"centres\", \"dirichlet\")", 1e-6),
    ("Dirichlet, nodes", "at_edges(\"nodes\", \"dirichlet\")", 1e-6),
    ("Neumann, centres", "at_edges(\"centres\", \"neumann\")", 1e-6),
    ("Neumann, nodes", "at_edges(\"nodes\", \"neumann\")", 1e-6),
    ("Robin, centres", "at_edges(\"centres\", \"robin\")", 1e-6),
    ("Robin, nodes", "at_edges(\"nodes\", \"robin\")", 1e-6),
    ("plane, centres", "in_the_plane(\"centres\")", 1e-6),
    ("plane, nodes", "in_the_plane(\"nodes\")", 1e-6),
];

#[test]
fn gradients_of_coefficients_and_of_values_at_edges() {
    let prelude = format!("{PRELUDE}\n{EDGES_PRELUDE}");
    judge(F64, prelude.leak(), EDGES);
}

/// Rows run with each of these schemes in the place of `SCHEME`.
const AGREEMENT: &[(&str, &str, f64)] = &[
    (
        "checkpoints, Fourier",
        r#"let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
           let most = 0.0;
           for scheme in all {
               let g = |c| grad(|u, k| score(solve(eq, field(u, ring), [0, 0.05, 0.1], #{ nu: k, scheme: scheme, steps: 7, checkpoints: c }).values), [wave, tensor(0.1)]);
               let none = g.call("none");
               for c in ["sqrt", 1, 3, 100] {
                   let other = g.call(c);
                   for i in 0..2 { most = maximum(most, item(max(abs(other[i] - none[i])) / max(abs(none[i])))); }
               }
           }
           most"#,
        1e-12,
    ),
    (
        "checkpoints, edges",
        r#"let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
           let line = |e| grid::interval(0, 1, 9, #{ left: dirichlet(e), right: robin(1, 0.5, 0.1), values: "nodes" });
           let start = line.call(0.2).sample(|x| sin(x) + 1).values;
           let most = 0.0;
           for scheme in general {
               let g = |c| grad(|u, k, e| score(solve(eq, field(u, line.call(e)), [0, 0.01, 0.03], #{ nu: k, scheme: scheme, steps: 7, checkpoints: c }).values), [start, tensor(0.1), tensor(0.2)]);
               let none = g.call("none");
               for c in ["sqrt", 4] {
                   let other = g.call(c);
                   for i in 0..3 { most = maximum(most, item(max(abs(other[i] - none[i])) / max(abs(none[i])))); }
               }
           }
           most"#,
        1e-12,
    ),
    (
        "checkpoints, steps by tolerance",
        r#"let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
           let most = 0.0;
           for o in [#{ scheme: "dormand_prince" }, #{ scheme: "etdrk4", rtol: 1e-5 }, #{ accuracy: 4 }] {
               let g = |c| grad(|k| score(solve(eq, field(wave, ring), 0.1, o + #{ nu: k, checkpoints: c })), tensor(0.1));
               most = maximum(most, item(abs(g.call("sqrt") / g.call("none") - 1)));
           }
           most"#,
        1e-12,
    ),
    (
        "w · (J v) = (w J) · v, and J v = f(v) for what is linear",
        r#"let eq = equation(|u| dt(u) + dx(u) - nu * dx(u, 2) - 0.3 * u);
           let v = reshape(cos(arange(0, 12) * 1.7), [1, 1, 12]);
           let w = sin(arange(0, 12) * 0.9 + 1);
           let most = 0.0;
           let options = all.map(|s| #{ scheme: s }) + general.map(|s| #{ scheme: s, accuracy: 4 });
           for o in options {
               let f = |u| flatten(solve(eq, field(u, ring), 0.3, o + #{ steps: 5 }));
               let forward = jvp(f, wave, v)[1];
               let a = sum(forward * w);
               most = maximum(most, item(abs(sum(v * vjp(f, wave, w)[1]) - a) / abs(a)));
               most = maximum(most, item(max(abs(forward - f.call(v)))));
           }
           most"#,
        1e-12,
    ),
    (
        "samples with parameters of their own are solved like each alone",
        r#"let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
           let rates = tensor([0.1, 0.2, 0.3]);
           let most = 0.0;
           for o in [#{ scheme: "etdrk4" }, #{ scheme: "rk4", accuracy: 4 }, #{ scheme: "bdf2" }] {
               let together = solve(eq, field(wave, ring), 0.1, o + #{ nu: rates, steps: 4 }).values;
               let g = grad(|k| sum(solve(eq, field(wave, ring), 0.1, o + #{ nu: k, steps: 4 }) ** 2), rates);
               for i in 0..3 {
                   let f = |k| solve(eq, field(wave, ring), 0.1, o + #{ nu: k, steps: 4 });
                   most = maximum(most, item(max(abs(f.call(rates[i]).values[0] - together[i]))));
                   most = maximum(most, item(abs(grad(|k| sum(f.call(k) ** 2), rates[i]) - g[i])));
               }
           }
           most"#,
        1e-12,
    ),
];

#[test]
fn checkpoints_samples_and_both_products_agree() {
    judge(F64, PRELUDE, AGREEMENT);
}

/// The gradient of 2-D vorticity over so many steps, its bytes above what was held before, and its numbers.
fn vorticity(points: usize, steps: usize, checkpoints: &str) -> (usize, Vec<f64>) {
    let script = format!(
        r#"let flow = equation(["w", "psi"], |w, psi| [
               dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 0.01 * laplacian(w),
               laplacian(psi) + w,
           ]);
           grad(|u| mean(square(solve(flow, field(u, start.grid), {steps} * 1e-3, #{{ scheme: "etdrk2", steps: {steps}, checkpoints: "{checkpoints}" }}))), start.values)"#
    );
    let run = move || {
        let mut host = common::host(F64);
        let start = format!(
            "let start = grid::periodic([{points}, {points}], [TAU, TAU]).sample(|x, y| sin(3 * x) * cos(2 * y) + cos(x - 4 * y));"
        );
        let _ = host.evaluate("start", &start).unwrap_or_else(|d| panic!("{d}"));
        let context = host.session().context().clone();
        let before = context.live_bytes();
        context.reset_peak();
        let gradient = host.evaluate("vorticity", &script).unwrap_or_else(|d| panic!("{d}"));
        let peak = context.peak_bytes() - before;
        (peak, gradient.cast::<ansatz::tensor::Tensor>().to_vec().unwrap())
    };
    stack::on_large_stack(run).expect("the engine's thread lives")
}

fn memory_of_checkpoints(points: usize, steps: usize) {
    let (peak, gradient) = vorticity(points, steps, "sqrt");
    let (one_step, _) = vorticity(points, 1, "none");
    let state = points * (points / 2 + 1) * 16;
    let allowed = 2.5 * (steps as f64).sqrt() * state as f64 + one_step as f64;
    let states = (peak as f64 - one_step as f64) / state as f64;
    println!("{points}², {steps} steps: {peak} bytes, {states:.1} states above one step ({one_step} bytes)");
    assert!(peak as f64 <= allowed, "{points}²: {peak} bytes, {states:.1} states of {state} bytes above one step");
    let (all, exact) = vorticity(points, steps, "none");
    println!("without checkpoints {all} bytes");
    assert!(all > 4 * peak, "checkpoints save memory: {peak} of {all} bytes");
    let size = exact.iter().fold(0.0f64, |m, g| m.max(g.abs()));
    let error = gradient.iter().zip(&exact).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / size;
    assert!(error < 1e-6, "{error:e}");
}

#[test]
fn memory_grows_with_the_root_of_the_steps() {
    memory_of_checkpoints(16, 1000);
}
#[test]
#[ignore = "minutes, and gigabytes for the gradient without checkpoints"]
fn memory_grows_with_the_root_of_the_steps_on_a_fine_grid() {
    memory_of_checkpoints(128, 1000);
}
