//! How equations are shown, and what is read from them.

use super::with_host;

/// What scripts may capture.
const PRELUDE: &str = r#"
    let nu = 0.1;
    let k = 2;
    let a = grid::periodic([4], [1]).sample(|x| 1 + x);
    let source = |x, t| sin(x) * t;
    fn react(u, v) { u * v * v }
"#;

/// A closure, its text and its class. `/` begins another residual.
const TEXTS: &[(&str, &str, &str)] = &[
    (
        "|u| dt(u) - nu * laplacian(u)",
        "u_t - nu (Δu) = 0",
        "1st order in t, 2nd in space · linear with constant coefficients · nu = 0.1",
    ),
    (
        "|u| dt(u) + u * dx(u) - nu * dx(dx(u))",
        "u_t + u u_x - nu u_xx = 0",
        "1st order in t, 2nd in space · polynomial of degree 2 in u · nu = 0.1",
    ),
    (
        "|u| dt(u) + u * dx(u) + dx(u, 2) + dx(u, 4)",
        "u_t + u u_x + u_xx + u_xxxx = 0",
        "1st order in t, 4th in space · polynomial of degree 2 in u",
    ),
    (
        "|u| dt(u) + 6 * u * dx(u) + dx(u, 3)",
        "u_t + 6 u u_x + u_xxx = 0",
        "1st order in t, 3rd in space · polynomial of degree 2 in u",
    ),
    (
        "|u| dt(dt(u)) - k ** 2 * dx(u, 2)",
        "u_tt - k² u_xx = 0",
        "2nd order in t, 2nd in space · linear with constant coefficients · k = 2",
    ),
    (
        "|u| dt(u) - dx(a * dx(u))",
        "u_t - (a u_x)_x = 0",
        "1st order in t, 2nd in space · linear, coefficients vary in space · a = a field [1, 1, 4]",
    ),
    (
        "|u| dt(u) - div(a * grad(u))",
        "u_t - ∇·(a (∇u)) = 0",
        "1st order in t, 2nd in space · linear, coefficients vary in space · a = a field [1, 1, 4]",
    ),
    (
        "|u, t| dt(u) - t * u",
        "u_t - t u = 0",
        "1st order in t, no derivatives in space · linear, coefficients vary in time",
    ),
    (
        "|u, x, t| dt(u) - x * t * u",
        "u_t - x t u = 0",
        "1st order in t, no derivatives in space · linear, coefficients vary in space",
    ),
    (
        "|u, x, t| dt(u) - source.call(x, t) * u",
        "u_t - sin(x) t u = 0",
        "1st order in t, no derivatives in space · linear, coefficients vary in space",
    ),
    (
        "|u, v| [dt(u) - laplacian(u) + react(u, v), dt(v) - react(u, v)]",
        "u_t - Δu + u v v = 0 / v_t - u v v = 0",
        "1st order in t, 2nd in space · polynomial of degree 3 in u, v",
    ),
    (
        "[\"w\", \"psi\"], |w, psi| [dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w), laplacian(psi) + w]",
        "w_t + psi_y w_x - psi_x w_y = 0 / Δpsi + w = 0",
        "1st order in t, 2nd in space · polynomial of degree 2 in w, psi",
    ),
    (
        "[vector(\"v\"), \"p\"], |v, p| [dt(v) + advect(v, v) + grad(p) - nu * laplacian(v), div(v)]",
        "v_t + (v ·∇) v + ∇p - nu (Δv) = 0 / ∇·v = 0",
        "1st order in t, 2nd in space · polynomial of degree 2 in v, p · nu = 0.1",
    ),
    (
        "[vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d / norm(d) ** 3)]",
        "r_tt - Σⱼ ((rⱼ - rᵢ)/sqrt((rⱼ - rᵢ) · (rⱼ - rᵢ))³) = 0",
        "2nd order in t, no derivatives in space · nonlinear in r",
    ),
    (
        "|u| dt(u) - u * integral(u)",
        "u_t - u ∫(u) = 0",
        "1st order in t, no derivatives in space · polynomial of degree 2 in u",
    ),
    (
        "|u| dt(u) - opaque(|u| where(u > 1, 0, u), u)",
        "u_t - f(u) = 0",
        "1st order in t, no derivatives in space · nonlinear in u",
    ),
    ("|u| -(u - 1) * (u + 2)", "-(u - 1) (u + 2) = 0", "algebraic · polynomial of degree 2 in u"),
    ("|u| 1 - (u - (u - 1))", "1 - (u - (u - 1)) = 0", "algebraic · linear with constant coefficients"),
    ("|u| u / (u * u) / u", "u/(u u)/u = 0", "algebraic · nonlinear in u"),
    ("|u| (u ** 2) ** 3", "(u²)³ = 0", "algebraic · polynomial of degree 6 in u"),
    ("|u| 2 ** u ** 2", "2^(u²) = 0", "algebraic · nonlinear in u"),
    ("|u| (u + 1) * 3 * 4", "(u + 1) · 3 · 4 = 0", "algebraic · linear with constant coefficients"),
    ("|u| 2 * (3 * u)", "2 (3 u) = 0", "algebraic · linear with constant coefficients"),
    ("|u| u / 3 / 4", "u/3/4 = 0", "algebraic · linear with constant coefficients"),
    ("|u| exp(-u * u / 2) + abs(u) + sqrt(u)", "exp(-u u/2) + |u| + sqrt(u) = 0", "algebraic · nonlinear in u"),
    ("|u| maximum(u, 0) - minimum(u, 1)", "max(u, 0) - min(u, 1) = 0", "algebraic · nonlinear in u"),
    ("|u| dx(u * u) + dx(dy(u))", "(u u)_x + u_xy = 0", "2nd in space · polynomial of degree 2 in u"),
    ("|u| dx(u) ** 2 + laplacian(u) ** 2", "u_x² + (Δu)² = 0", "2nd in space · polynomial of degree 2 in u"),
    ("|u| inverse_laplacian(dx(u))", "Δ⁻¹u_x = 0", "1st in space · linear with constant coefficients"),
    (
        "|u| dt(dt(dt(u))) + dx(dt(u))",
        "u_ttt + u_tx = 0",
        "3rd order in t, 1st in space · linear with constant coefficients",
    ),
    // Numbers among themselves, and what nobody would write.
    (
        "|u| dt(u) + 0 * u - 0 + 1 * u - u / 1 + 2 * 3 * u",
        "u_t + u - u + 6 u = 0",
        "1st order in t, no derivatives in space · linear with constant coefficients",
    ),
    (
        "|u| { let s = 0; for i in 0..3 { s += u ** i; } dt(u) - s }",
        "u_t - (u^0 + u + u²) = 0",
        "1st order in t, no derivatives in space · polynomial of degree 2 in u",
    ),
];

#[test]
fn the_least_tolerance_is_the_one_that_is_named() {
    let solved =
        |rtol: &str| format!("solve(equation(|u| dt(u) + u), 1.0, 0.1, #{{ rtol: {rtol}, step: \"adaptive\" }})");
    assert!(super::refused(&solved("1e-15")).contains("2e-15 or more: numbers are rounded to f64"));
    let _ = super::evaluate(&solved("2e-15"));
}

#[test]
fn equations_are_shown_as_they_were_written() {
    with_host(|mut host| {
        for (closure, text, class) in TEXTS {
            let shown = host.evaluate("text", &format!("{PRELUDE} `${{equation({closure})}}`"));
            let shown = shown.unwrap_or_else(|d| panic!("{closure}:\n{d}")).to_string();
            let rows = text.replace(" / ", "\n");
            let expected = format!("{rows}{}{class}", if text.contains(" / ") { "\n" } else { " · " });
            assert_eq!(shown, expected, "{closure}");
        }
    });
}

const LATEX: &[(&str, &str)] = &[
    ("|u| dt(u) - nu * laplacian(u)", "u_{t} - \\nu \\left(\\Delta u\\right)"),
    ("|u| dt(u) + u * dx(u) - nu * dx(u, 2)", "u_{t} + u u_{x} - \\nu u_{xx}"),
    ("|theta| dt(theta) - exp(-(theta ** 2))", "\\theta_{t} - \\exp\\left(-\\theta^{2}\\right)"),
    ("|u| u / (1 + u) + sqrt(u) - abs(u)", "\\frac{u}{1 + u} + \\sqrt{u} - \\left|u\\right|"),
    ("|u| 1e-9 * u", "1 \\cdot 10^{-9} u"),
    ("|u| (u + 1) ** 2 * 3", "\\left(u + 1\\right)^{2} \\cdot 3"),
    ("|heat| dt(heat)", "\\mathrm{heat}_{t}"),
    // A name that bears a subscript takes another one outside of braces.
    ("|u_a| dt(u_a) + dx(u_a, 2)", "{u_{\\mathrm{a}}}_{t} + {u_{\\mathrm{a}}}_{xx}"),
    ("[vector(\"v\")], |v| dt(v) + advect(v, v)", "v_{t} + (v \\cdot\\nabla) v"),
];

#[test]
fn equations_as_latex() {
    with_host(|mut host| {
        for (closure, text) in LATEX {
            let shown = host.evaluate("latex", &format!("{PRELUDE} latex(equation({closure}))"));
            let shown = shown.unwrap_or_else(|d| panic!("{closure}:\n{d}")).to_string();
            assert_eq!(shown, format!("\\begin{{aligned}} {text} &= 0 \\end{{aligned}}"), "{closure}");
            let deep = |c: char| shown.matches(c).count();
            assert_eq!(deep('{'), deep('}'), "{closure}: braces");
        }
    });
}
