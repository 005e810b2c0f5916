//! Observed orders of everything that differences, interpolates or carries, in double precision over four refinements.
//!
//! A row is a script that gives the error on a grid of `n` points and the spacing there; the order is the slope of the line through
//! five errors. Sizes lie where the leading error rules: above rounding, with several points to a wave.

mod common;

use ansatz::script::stack;
use ansatz::tensor::Precision::F64;

/// Name, theory, numbers of points, and the error as a function of `n`.
type Row = (String, Theory, &'static [usize], String);

/// The order of the leading error. Where the error of the edges is of an order more but larger at all sizes above rounding, what is
/// seen lies between the two.
#[derive(Clone, Copy)]
struct Theory {
    least: f64,
    most: f64,
}

impl From<usize> for Theory {
    fn from(order: usize) -> Self {
        Self { least: order as f64, most: order as f64 }
    }
}

/// How far from theory an observed order may be.
const NEAR: f64 = 0.15;

/// The right-hand side of an evolution is what an Euler step of length 1 adds.
const PRELUDE: &str = r#"
    fn size(e) { sqrt(item(mean(square(cast(e.values, "f64"))))) }
    fn largest(e) { item(max(abs(e.values))) }
    fn rates(eq, u, options) { solve(eq, u, 1.0, options + #{ scheme: "euler", steps: 1, quiet: true }) - u }
    fn slope(f, sizes) {
        let x = []; let y = [];
        for n in sizes { let e = f.call(n); x.push(log(e[1])); y.push(log(e[0])); }
        x = tensor(x); y = tensor(y);
        let dx = x - mean(x);
        item(sum(dx * (y - mean(y))) / sum(dx * dx))
    }
    fn ring(n) { grid::periodic([n], [TAU]) }
    fn plane(n) { grid::periodic([n, n], [TAU, TAU]) }
    fn h(g) { g.spacing[0] }
"#;

fn judge(rows: Vec<Row>, prelude: &'static str) {
    let run = move || {
        let mut faults = Vec::new();
        for (name, theory, sizes, script) in rows {
            let mut host = common::host(F64);
            let begun = std::time::Instant::now();
            let text = format!("{PRELUDE}\n{prelude}\nslope(|n| {{ {script} }}, {sizes:?})");
            match host.evaluate(&name, &text) {
                Ok(value) => {
                    let seen = common::number(&value);
                    println!("{name}: observed {seen:.3}, theory {} in {:.1?}", theory.least, begun.elapsed());
                    if !(seen >= theory.least - NEAR && seen <= theory.most + NEAR) {
                        faults.push(format!("{name}: observed {seen:.3}, theory {}", theory.least));
                    }
                }
                Err(diagnosis) => faults.push(format!("{name}: {diagnosis}")),
            }
        }
        faults
    };
    let faults = stack::on_large_stack(run).expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

/// Refinements for an order: fine enough for the asymptotic rate, coarse enough for rounding.
fn sizes(order: usize) -> &'static [usize] {
    match order {
        1 => &[256, 512, 1024, 2048, 4096],
        2 => &[40, 60, 90, 135, 200],
        3 => &[40, 60, 90, 135, 200],
        4 => &[32, 45, 64, 90, 128],
        5 => &[48, 64, 80, 100, 128],
        _ => &[24, 30, 38, 48, 60],
    }
}

#[test]
fn derivatives() {
    let mut rows: Vec<Row> = Vec::new();
    let wave = "let g = ring(n); let u = g.sample(|x| sin(x) + 0.2 * cos(2 * x));";
    for accuracy in [2, 4, 6] {
        for order in 1..=4 {
            let quarter = format!("{order} * PI / 2");
            let exact = format!("g.sample(|x| sin(x + {quarter}) + 0.2 * 2 ** {order} * cos(2 * x + {quarter}))");
            rows.push((
                format!("derivative {order} of an unknown, accuracy {accuracy}"),
                accuracy.into(),
                sizes(accuracy),
                format!("{wave} [size(rates(equation(|u| dt(u) - dx(u, {order})), u, #{{ accuracy: {accuracy} }}) - {exact}), h(g)]"),
            ));
            rows.push((
                format!("derivative {order} of a field, accuracy {accuracy}"),
                accuracy.into(),
                sizes(accuracy),
                format!("{wave} [size(dx(u, {order}, #{{ accuracy: {accuracy} }}) - {exact}), h(g)]"),
            ));
        }
        let product = "let g = plane(n); let u = g.sample(|x, y| sin(x) * cos(y));";
        for (name, equation, exact) in [
            ("mixed", "dx(dy(u))", "-cos(x) * sin(y)"),
            ("Laplacian", "laplacian(u)", "-2 * sin(x) * cos(y)"),
            (
                "div(a grad u), a given",
                "div((2 + sin(x) * sin(y)) * grad(u))",
                "cos(x) ** 2 * sin(y) * cos(y) - sin(x) ** 2 * cos(y) * sin(y) - 2 * (2 + sin(x) * sin(y)) * sin(x) * cos(y)",
            ),
            (
                "div(a grad u), a of u",
                "div((1 + u * u) * grad(u))",
                "-2 * (1 + (sin(x) * cos(y)) ** 2) * sin(x) * cos(y) + 2 * sin(x) * cos(y) * ((cos(x) * cos(y)) ** 2 + (sin(x) * sin(y)) ** 2)",
            ),
        ] {
            let few: &[usize] = match accuracy {
                2 => &[32, 40, 50, 64, 80],
                4 => &[24, 30, 38, 48, 60],
                _ => &[20, 24, 30, 38, 48],
            };
            rows.push((
                format!("{name}, accuracy {accuracy}"),
                accuracy.into(),
                few,
                format!("{product} [size(rates(equation(|u, x, y| dt(u) - {equation}), u, #{{ accuracy: {accuracy} }}) - g.sample(|x, y| {exact})), h(g)]"),
            ));
        }
    }
    judge(rows, "");
}

#[test]
fn transport() {
    let mut rows: Vec<Row> = Vec::new();
    for (transport, order) in [("upwind", 1), ("upwind3", 3), ("weno5", 5)] {
        for (name, equation, exact) in [
            ("a constant speed", "dx(0.7 * u)", "-0.7 * du"),
            ("Burgers' flux", "dx(u * u / 2)", "-u * du"),
            ("a flux that depends on place", "dx((1.5 + cos(x)) * u)", "sin(x) * u - (1.5 + cos(x)) * du"),
            ("u ∂u/∂x", "u * dx(u)", "-u * du"),
            ("v(x) ∂u/∂x", "(1.5 + cos(x)) * dx(u)", "-(1.5 + cos(x)) * du"),
        ] {
            rows.push((
                format!("{transport}, {name}"),
                order.into(),
                sizes(order),
                format!(
                    "let g = ring(n);
                     let e = |x| {{ let u = 1.3 + sin(x) + 0.2 * cos(2 * x); let du = cos(x) - 0.4 * sin(2 * x); {exact} }};
                     let u = g.sample(|x| 1.3 + sin(x) + 0.2 * cos(2 * x));
                     [size(rates(equation(|u, x| dt(u) + {equation}), u, #{{ transport: \"{transport}\" }}) - g.sample(|x| e.call(x))), h(g)]"
                ),
            ));
        }
    }
    judge(rows, "");
}

/// `F(u) = 0` with a source that makes `u` the solution, on a line whose ends have the values of `u`.
const EDGES: &str = r#"
    fn u(x, m) { 5.0 ** m * cos(5 * x + 0.3 + m * PI / 2) + 3.0 ** m * exp(3 * x) }
    fn side(kind, out, x) {
        let slope = out * u(x, 1);
        switch kind { "dirichlet" => dirichlet(u(x, 0)), "neumann" => neumann(slope), _ => robin(1, 0.7, u(x, 0) + 0.7 * slope) }
    }
    fn line(n, low, high, values) {
        let count = if values == "nodes" { n + 1 } else { n };
        grid::interval(0.3, 1.5, count, #{ left: side(low, -1, 0.3), right: side(high, 1, 1.5), values: values })
    }
"#;

#[test]
fn edges() {
    let mut rows: Vec<Row> = Vec::new();
    let kinds = ["dirichlet", "neumann", "robin"];
    for accuracy in [2, 4, 6] {
        for values in ["centres", "nodes"] {
            for (low, high) in kinds.into_iter().flat_map(|low| kinds.map(|high| (low, high))) {
                for (name, operator, source) in [
                    ("u″", "dx(q, 2)", "u(x, 2)"),
                    ("(a u′)′", "dx(exp(x / 2) * dx(q))", "exp(x / 2) * (u(x, 2) + 0.5 * u(x, 1))"),
                    ("(a u′)′ with a field", "dx(a * dx(q))", "exp(x / 2) * (u(x, 2) + 0.5 * u(x, 1))"),
                ] {
                    // Beyond a node whose value is known the error is of one order more.
                    let known = values == "nodes" && low == "dirichlet" && high == "dirichlet";
                    let most = (accuracy + usize::from(known && accuracy == 6)) as f64;
                    rows.push((
                        format!("{name}, {low} and {high} at {values}, accuracy {accuracy}"),
                        Theory { least: accuracy as f64, most },
                        match (accuracy, name) {
                            (2, _) => &[64, 96, 144, 216, 324],
                            (4, "u″") => &[100, 128, 160, 200, 250],
                            (4, _) => &[180, 225, 280, 350, 440],
                            (_, "u″") => &[72, 84, 98, 114, 132],
                            _ if values == "nodes" => &[72, 84, 98, 114, 132],
                            _ => &[98, 110, 124, 139, 156],
                        },
                        format!(
                            "let g = line(n, \"{low}\", \"{high}\", \"{values}\");
                             let a = g.sample(|x| exp(x / 2));
                             let f = g.sample(|x| {source} - u(x, 0));
                             let eq = equation(|q, x| {operator} - q - f);
                             [largest(abs(solve(eq, #{{ grid: g, accuracy: {accuracy}, tolerance: 1e-13 }}) - g.sample(|x| u(x, 0)))), h(g)]"
                        ),
                    ));
                }
            }
        }
    }
    judge(rows, EDGES);
}

/// `Δp = f` with `p = cos(6x + 4y) + x y` on a rectangle, as part of a right-hand side.
const POTENTIALS: &str = r#"
    fn exact(x, y) { cos(6 * x + 4 * y) + x * y }
    fn along_x(x, y) { -6 * sin(6 * x + 4 * y) + y }
    fn along_y(x, y) { -4 * sin(6 * x + 4 * y) + x }
    fn vertical(kind, out, x) {
        switch kind {
            "dirichlet" => dirichlet(|y| exact(x, y)),
            "neumann" => neumann(|y| out * along_x(x, y)),
            _ => robin(1, 0.5, |y| exact(x, y) + 0.5 * out * along_x(x, y))
        }
    }
    fn level(kind, out, y) {
        switch kind {
            "dirichlet" => dirichlet(|x| exact(x, y)),
            "neumann" => neumann(|x| out * along_y(x, y)),
            _ => robin(1, 0.5, |x| exact(x, y) + 0.5 * out * along_y(x, y))
        }
    }
    fn error(n, values, kinds, accuracy) {
        let more = if values == "nodes" { 1 } else { 0 };
        let of = |edge| #{ p: edge, others: neumann(0) };
        let g = grid::rectangle([0.2, 1.2], [0.5, 1.5], [n + more, n + more], #{ values: values,
            left: of.call(vertical(kinds[0], -1, 0.2)), right: of.call(vertical(kinds[1], 1, 1.2)),
            bottom: of.call(level(kinds[2], -1, 0.5)), top: of.call(level(kinds[3], 1, 1.5)) });
        let f = g.sample(|x, y| -52 * cos(6 * x + 4 * y));
        let eq = equation(["w", "p"], |w, p| [dt(w) - p, laplacian(p) - f]);
        let e = rates(eq, g.sample(|x, y| 0 * x), #{ accuracy: accuracy }) - g.sample(|x, y| exact(x, y));
        let e = if kinds == ["neumann", "neumann", "neumann", "neumann"] { e - mean(e) } else { e };
        [size(e), h(g)]
    }
"#;

#[test]
fn potentials() {
    let mut rows: Vec<Row> = Vec::new();
    for accuracy in [2, 4, 6] {
        for values in ["centres", "nodes"] {
            for kinds in
                [["dirichlet"; 4], ["neumann"; 4], ["robin"; 4], ["dirichlet", "neumann", "robin", "dirichlet"]]
            {
                // Beyond a node whose value is known the error is of one order more.
                let most = accuracy + usize::from(values == "nodes" && kinds[0] == "dirichlet");
                rows.push((
                    format!("a potential with {} at {values}, accuracy {accuracy}", kinds.join(", ")),
                    Theory { least: accuracy as f64, most: most as f64 },
                    match accuracy {
                        2 => &[16, 22, 30, 40, 54],
                        4 => &[56, 64, 73, 83, 95],
                        _ => &[44, 50, 57, 65, 74],
                    },
                    format!("error(n, \"{values}\", {kinds:?}, {accuracy})"),
                ));
            }
        }
    }
    judge(rows, POTENTIALS);
}

/// What is carried along, and values between points.
const CARRIED: &str = r#"
    fn turn(n, method) {
        let g = ring(n);
        let start = g.sample(|x| exp(sin(x)));
        let u = start;
        let steps = int(0.625 * n);
        for i in 0..steps { u = advect(u, 0 * u + 1, TAU / steps, #{ method: method }); }
        // In the mean: where the limiter of MacCormack's steps flattens an extremum the largest error is of lower order.
        [item(mean(abs(u.values - start.values))), h(g)]
    }
    fn between(g, length, f, method) {
        let x = linspace(0, length, 4001);
        let u = g.sample(f);
        [item(max(abs(interpolate(u, x, #{ method: method }) - f.call(x)))), h(g)]
    }
    fn doubled(g, length, f, method) {
        let u = g.sample(f);
        let fine = refine(u, 2, #{ method: method });
        [size(fine - fine.grid.sample(f)), h(g)]
    }
"#;

#[test]
fn carrying_and_interpolation() {
    let fine: &[usize] = &[256, 384, 576, 864, 1296];
    let mut rows: Vec<Row> = Vec::new();
    // One order of the interpolation goes to the number of steps, which grows with that of points.
    for (method, order, points) in
        [("linear", 1, fine), ("mac_cormack", 2, &[96, 128, 192, 256, 384]), ("cubic", 3, &[64, 90, 128, 180, 256])]
    {
        rows.push((format!("a turn on the ring, {method}"), order.into(), points, format!("turn(n, \"{method}\")")));
    }
    for (method, order, points) in [("linear", 2, &[64, 90, 128, 180, 256]), ("cubic", 4, &[48, 64, 90, 128, 180])] {
        for (place, grid, length, f) in [
            ("a ring", "ring(n)", "TAU", "|x| exp(sin(x))"),
            (
                "an interval",
                "grid::interval(0, 1, n, #{ left: neumann(0), right: neumann(0), values: \"nodes\" })",
                "1",
                "|x| exp(2 * x)",
            ),
        ] {
            for way in ["between", "doubled"] {
                rows.push((
                    format!("{way}, {place}, {method}"),
                    order.into(),
                    points,
                    format!("{way}({grid}, {length}, {f}, \"{method}\")"),
                ));
            }
        }
    }
    judge(rows, CARRIED);
}

/// Walls that nothing passes: fluxes of even order, whose derivatives vanish at both ends.
#[test]
fn closed_walls() {
    let mut rows: Vec<Row> = Vec::new();
    for accuracy in [2, 4, 6] {
        for values in ["centres", "nodes"] {
            for (name, equation, exact) in [
                ("u″", "dx(u, 2)", "-PI ** 2 * cos(PI * x)"),
                (
                    "(u³ − u − u″ / 10)″",
                    "laplacian(u ** 3 - u - 0.1 * laplacian(u))",
                    "-0.75 * PI ** 2 * (cos(PI * x) + 3 * cos(3 * PI * x)) + (PI ** 2 - 0.1 * PI ** 4) * cos(PI * x)",
                ),
                ("(u²)″", "dx(u * u, 2)", "-2 * PI ** 2 * cos(2 * PI * x)"),
                (
                    "(u² u′)′",
                    "dx(u * u * dx(u))",
                    "2 * PI ** 2 * sin(PI * x) ** 2 * cos(PI * x) - PI ** 2 * cos(PI * x) ** 3",
                ),
            ] {
                rows.push((
                    format!("{name} between closed walls at {values}, accuracy {accuracy}"),
                    accuracy.into(),
                    match accuracy {
                        2 => &[32, 48, 72, 108, 162],
                        4 => &[32, 45, 64, 90, 128],
                        _ => &[24, 30, 38, 48, 60],
                    },
                    format!(
                        "let g = grid::interval(0, 1, n, #{{ left: neumann(0), right: neumann(0), values: \"{values}\" }});
                         let u = g.sample(|x| cos(PI * x));
                         [size(rates(equation(|u| dt(u) - {equation}), u, #{{ accuracy: {accuracy} }}) - g.sample(|x| {exact})), h(g)]"
                    ),
                ));
            }
        }
    }
    judge(rows, "");
}
