//! What is read from equations.

use super::{number, text};

fn explained(script: &str) -> String {
    text(&format!("explain({script})"))
}

#[test]
fn linear_parts_as_symbols() {
    let cases = [
        ("equation(|u| dt(u) + 2 * dx(u) - 0.1 * dx(u, 2))", "λ(k) = -2 i k"),
        ("equation(|u| dt(u) + dx(u, 3) - dx(u, 4))", "λ(k) = i k³"),
        ("equation(|u| dt(u) - 0.5 * laplacian(u) + dy(u))", "λ(k⃗) = -0.5 |k|²"),
        ("equation(|w| dt(w) - dy(inverse_laplacian(w)))", "λ(k⃗) = -i ky/|k|²"),
        ("equation(|u| dt(dt(u)) - dx(u, 2))", "[ 0    1 ]"),
    ];
    for (equation, expected) in cases {
        let text = explained(equation);
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn conserved_quantities() {
    // Equation, what is kept and what is not.
    let cases: [(&str, &[&str], &[&str]); 10] = [
        ("equation(|u| dt(u) + u * dx(u))", &["∫u", "∫u²/2"], &[]),
        ("equation(|u| dt(u) + 6 * u * dx(u) + dx(u, 3))", &["∫u", "∫u²/2"], &[]),
        ("equation(|u| dt(u) - dx(u, 2))", &["∫u"], &["∫u²/2"]),
        ("equation(|u| dt(u) - u * (1 - u))", &[], &["∫u", "∫u²/2"]),
        ("equation(|u| dt(u) - laplacian(u ** 3 - u - laplacian(u)))", &["∫u"], &["∫u²/2"]),
        ("equation(|u| dt(u) + sin(u) * dx(u))", &["∫u", "∫u²/2"], &[]),
        ("equation(|u| dt(u) + u * dy(u) + u * dx(u, 2))", &[], &["∫u", "∫u²/2"]),
        ("equation(|u| dt(u) - dx(u, 2) - 0.5 * (1 - u))", &[], &["∫u"]),
        ("equation(|u, v| [dt(u) + u * v, dt(v) - u * v])", &["u + v"], &["u,", "v²/2"]),
        ("equation(|h, q| [dt(h) + dx(q), dt(q) + dx(q * q / h + 5 * h * h)])", &["∫h", "∫q"], &["∫h²/2"]),
    ];
    for (equation, kept, lost) in cases {
        let text = explained(equation);
        let line = text.lines().find(|l| l.starts_with("conserved")).unwrap_or_default().to_string();
        let names: Vec<&str> = line.trim_start_matches("conserved").split(',').map(str::trim).collect();
        for name in kept {
            assert!(names.contains(name), "{equation}: {name} is kept\n{text}");
        }
        for name in lost {
            assert!(!names.contains(name), "{equation}: {name} is not kept\n{text}");
        }
    }
}

#[test]
fn coefficients_that_are_fields() {
    let text = text(
        "let g = grid::rectangle([0, 2], [0, 1], [8, 8], #{ edges: neumann(0) }); let k = g.sample(|x, y| 1 + x);
         explain(equation(|u| dt(u) - div(k * grad(u))))",
    );
    assert!(text.contains("conserved   ∫u\n") && text.contains("decreasing  ∫u²/2"), "{text}");
}

#[test]
fn squares_that_grow_somewhere_do_not_decrease() {
    for equation in [
        // Falls above 1 and grows below.
        "equation(|u| dt(u) - u * (1 - u))",
        "equation(|u| dt(u) - dx(u, 2) - u + u ** 3)",
        // Falls where v is positive, and while the source is small.
        "equation([\"u\", \"v\"], |u, v, t| [dt(u) - 0.1 * dx(u, 2), dt(v) + u * v - exp(-t)])",
    ] {
        let text = text(&format!("explain({equation})"));
        let line = text.lines().find(|line| line.starts_with("decreasing")).unwrap_or("");
        assert!(!line.contains("v²") && (equation.contains("\"v\"") || line.is_empty()), "{text}");
    }
}

#[test]
fn equations_without_rates_are_explained_too() {
    for equation in [
        "equation(|u| laplacian(u) + u ** 3)",
        "equation(|u| dt(u) * dt(u) - u)",
        "equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d)])",
    ] {
        assert!(explained(equation).contains("solvers"), "{equation}");
    }
}

#[test]
fn the_symbol_solves_the_equation() {
    let worst = number(
        "let g = grid::periodic([16, 12], [TAU, 3]);
         let eq = equation(|u| dt(u) + 0.7 * dx(u) - 0.1 * laplacian(u) + 0.02 * dy(u, 3));
         let u = g.sample(|x, y| exp(sin(x)) * cos(TAU * y / 3));
         max(abs(spectral::operator(g, eq).propagate(u, 0.4).values - solve(eq, u, 0.4).values))",
    );
    assert!(worst < 1e-12, "{worst:e}");
}
