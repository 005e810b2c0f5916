//! What closures capture, and what cannot be traced.

use super::with_host;

/// Scripts that must hold.
const CAPTURES: &[&str] = &[
    // whole numbers, floats, tensors, fields are parameters by name
    "let n = 3; equation(|u| dt(u) - n * u).parameters.n == 3",
    "let a = 0.5; let e = equation(|u| dt(u) - a * u); a = 7.0; e.parameters.a == 0.5",
    "let w = tensor([1, 2]); item(sum(equation(|u| dt(u) - w * u).parameters.w)) == 3",
    "let f = grid::periodic([4], [1]).sample(|x| x); equation(|u| dt(u) - f * u).parameters.f.grid.shape == [4]",
    "let a = 1.0; let b = 2.0; equation(|u| dt(u) - b * u).parameters.keys() == [\"b\"]",
    // those that do not occur are none
    "let a = 1.0; equation(|u| { if a > 0 { dt(u) - u } else { dt(u) } }).parameters.len() == 0",
    // a number that steers a loop or a branch is plain, others stay
    "let n = 3; let a = 2.0; let e = equation(|u| { let s = 0; for i in 0..n { s += a * u; } dt(u) - s }); e.parameters.keys() == [\"a\"]",
    "let n = 3; let s = solve(equation(|u| { let s = 0; for i in 0..n { s += u; } dt(u) - s }), 1.0, 0.5); abs(item(s.u.values) - exp(1.5)) < 1e-6",
    "let a = 2.0; let e = equation(|u| if a > 1 { dt(u) - a * u } else { dt(u) }); `${e}`.contains(\"u_t - 2 u\")",
    "let w = tensor([1, 2, 3]); abs(item(solve(equation(|u| dt(u) + w[1] * u), 1.0, 1.0).u.values) - exp(-2)) < 1e-6",
    // closures and functions
    "let f = |x, t| x * t; `${equation(|u| dt(u) - f)}`.starts_with(\"u_t - x t = 0\")",
    "let f = |v| v * v; `${equation(|u| dt(u) - f.call(u))}`.starts_with(\"u_t - u u = 0\")",
    "fn g(v) { v ** 3 } fn f(v) { 1 + g(v) } `${equation(|u| dt(u) - f(u))}`.starts_with(\"u_t - (1 + u³) = 0\")",
    "let a = 2.0; let f = |v| a * v; `${equation(|u| dt(u) - f.call(u))}`.starts_with(\"u_t - 2 u = 0\")",
    "let c = #{ a: 2.0 }; `${equation(|u| dt(u) - c.a * u)}`.starts_with(\"u_t - 2 u = 0\")",
    "let c = [2.0, 3.0]; `${equation(|u| dt(u) - c[1] * u)}`.starts_with(\"u_t - 3 u = 0\")",
    // an opaque closure gets the values of captured parameters
    "let a = 2.0; let e = equation(|u| dt(u) + opaque(|v| a * v, u)); abs(item(solve(e, 1.0, 1.0, #{ a: 3 }).u.values) - exp(-3)) < 1e-6",
    // coordinates and time
    "equation(|u, x, t| dt(u) - x * t).unknowns == [\"u\"]",
    "equation([\"x\", \"y\"], |x, y| [dt(x) - y, dt(y) + x]).unknowns == [\"x\", \"y\"]",
    "let e = equation([\"x\"], |x, t| dt(x) - t); abs(item(solve(e, 0.0, 2.0).x.values) - 2) < 1e-6",
    // tracing calls the closure more than once; what it changes is its own copy each time
    "let n = 0; let e = equation(|u| { n += 1; dt(u) + n * u }); abs(item(solve(e, 1.0, 1.0).u.values) - exp(-1)) < 1e-6",
    // replaced, by name or in a map; the equation stays
    "let k = 1.0; let e = equation(|u| dt(u) + k * u); abs(item(solve(e, 1.0, 1.0, #{ k: 2 }).u.values) - exp(-2)) < 1e-6 && e.parameters.k == 1",
    "let steps = 1.0; let e = equation(|u| dt(u) + steps * u); abs(item(solve(e, 1.0, 1.0, #{ steps: 64, scheme: \"rk4\", parameters: #{ steps: 2 } }).u.values) - exp(-2)) < 1e-6",
    // gradients reach what was captured, by whatever way
    "let f = |a| sum(solve(equation(|u| dt(u) + a * u), 1.0, 1.0).u.values); abs(grad(f, 2.0) + exp(-2)) < 1e-6",
    "let f = |a| { let m = #{ a: a }; sum(solve(equation(|u| dt(u) + m.a * u), 1.0, 1.0).u.values) }; abs(item(grad(f, tensor(2.0))) + exp(-2)) < 1e-6",
    "let f = |a| { let m = #{ a: a }; sum(solve(equation(|u| dt(u) - laplacian(u) + m.a * u), grid::periodic([8], [1]).sample(|x| 1 + 0 * x), 1.0).values) / 8 }; abs(item(grad(f, tensor(2.0))) + exp(-2)) < 1e-6",
    "let f = |a| sum(solve(equation(|u| dt(u) + opaque(|v| a * v, u)), 1.0, 1.0).u.values); abs(grad(f, 2.0) + exp(-2)) < 1e-6",
];

#[test]
fn captured_variables() {
    with_host(|mut host| {
        for script in CAPTURES {
            let holds = host.evaluate("capture", script).unwrap_or_else(|d| panic!("{script}\n{d}"));
            assert_eq!(holds.as_bool(), Ok(true), "{script}");
            host.reset();
        }
    });
}

/// Scripts, what their error says, and the column where it points to, counted from 1.
const ERRORS: &[(&str, &str, usize)] = &[
    ("equation(|u| if u > 1 { dt(u) } else { u })", "cannot be compared", 19),
    ("equation(|u| dt(u) - where(u < 1, u, 0))", "cannot be compared", 30),
    ("equation(|u| dt(u) - (u == 0))", "cannot be compared", 25),
    ("equation(|u| { while u > 0 { u -= 1; } dt(u) })", "cannot be compared", 24),
    ("equation(|u, v| dt(u) - v)", "one residual for each unknown", 1),
    ("equation(|u| [dt(u), u])", "2 residuals, 1 unknowns", 1),
    ("equation(|u| dt(u) - q)", "no variable `q`", 22),
    ("equation(|u| dt(u) - q(u))", "no function `q`", 22),
    ("equation(|x, y, t| dt(x))", "has no unknown", 1),
    ("equation([vector(\"v\")], |v| dt(v) + 1)", "does not join a scalar and a vector", 35),
    ("equation([vector(\"v\")], |v| dt(v) + v * v)", "product of two vectors", 39),
    ("equation([vector(\"v\")], |v| dt(v) + sin(v))", "met a vector", 37),
    ("equation([vector(\"v\")], |v| dt(v) + grad(v))", "the vector v", 37),
    ("equation(|u| dt(u) + div(u))", "the scalar u", 22),
    ("equation(|u| dt(u) + dx(u, 17))", "at most 16", 22),
    ("equation(|u| dt(u) - fft::rfft(u))", "the symbol u", 27),
    ("equation(|u| dt(u) - sum(u))", "the symbol u", 22),
    ("equation(|u| dt(u) - u.q)", "no property `q`", 23),
    ("equation(|u| dt(u) + \"a\")", "the string \"a\"", 20),
    ("equation(|u| for i in u { })", "walk through", 23),
    ("solve(equation(|u| dt(u) - dy(u)), grid::periodic([8], [1]).sample(|x| x), 1.0)", "more dimensions", 1),
    ("equation(|u| dt(u) - grad(u))", "does not join a scalar and a vector", 20),
    (
        "let e = equation([vector(\"v\")], |v| dt(v) + v); solve(e, #{ v: [1, 2, 3] }, 1.0, #{ grid: grid::periodic([4, 4], [1, 1]) })",
        "v",
        49,
    ),
    ("let e = equation(|u| dt(u) - opaque(|v| q(v), u)); solve(e, 1.0, 1.0)", "no function `q`", 41),
];

#[test]
fn what_cannot_be_traced_is_an_error_with_its_place() {
    with_host(|mut host| {
        let mut faults = Vec::new();
        for (script, expected, column) in ERRORS {
            match host.evaluate("case", script) {
                Ok(value) => faults.push(format!("{script}\n  gives {value}")),
                Err(diagnosis) => {
                    let text = diagnosis.to_string();
                    if !text.contains(expected) || !text.contains(&format!(":1:{column}\n")) {
                        faults.push(format!("{script}\n  does not say {expected:?} at 1:{column}:\n{text}"));
                    }
                }
            }
            host.reset();
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}
