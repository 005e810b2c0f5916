//! What values look like in a notebook.

use super::html::base64;
use super::{Rich, evcxr, rich, table};
use crate::script::Host;
use crate::session::{Options, Session};

fn shown(code: &str) -> Rich {
    let mut host = Host::new(Session::new(Options::default()));
    let value = host.evaluate("shown", code).unwrap_or_else(|e| panic!("{e}"));
    rich(&value, &host.show(&value))
}

#[test]
fn figures_are_pictures() {
    let figure = shown("plot::lines([[0, 1]])");
    assert!(figure.png.is_some_and(|png| png.starts_with(b"\x89PNG")));
    assert!(figure.svg.is_some_and(|svg| svg.contains("<svg")));
    assert!(shown("plot::animation([plot::lines([[0, 1]])])").gif.is_some_and(|gif| gif.starts_with(b"GIF")));
}

#[test]
fn an_array_of_pictures_shows_them() {
    let html = |code: &str| shown(code).html.unwrap_or_default();
    let figures = html("let f = plot::lines([[0, 1]]); [f, plot::animation([f])]");
    assert!(
        figures.contains("data:image/png;base64,iVBOR") && figures.contains("data:image/gif;base64,R0lG"),
        "{figures}"
    );
    let fields =
        html("let u = grid::periodic([16], [TAU]).sample(|x| sin(x)); let all = []; for i in 0..14 { all += u; } all");
    assert_eq!(fields.matches("<b>Field</b>").count(), 12);
    assert!(fields.ends_with("<p>… and 2 more</p>"), "{fields}");
    for code in ["[]", "[1, 2]", "[plot::lines([[0, 1]]), 1]"] {
        assert_eq!(html(code), "", "{code}");
    }
}

#[test]
fn equations_are_formulas() {
    let equation = shown("equation(|u| dt(u) - dx(u, 2))");
    assert_eq!(equation.latex.as_deref(), Some("$\\displaystyle \\begin{aligned} u_{t} - u_{xx} &= 0 \\end{aligned}$"));
}

#[test]
fn tensors_and_fields_are_cards() {
    let html = |code: &str| shown(code).html.unwrap_or_default();
    let tensor = html("linspace(0, 1, 33)");
    assert!(tensor.contains("<b>Tensor</b> [33] f32 on cpu · from 0 to 1, mean 0.5"), "{tensor}");
    assert!(tensor.contains("data:image/png;base64,iVBOR"), "{tensor}");
    for code in [
        "ones([3, 4, 5])",
        "ones([1, 40])",
        "random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ seed: 1, samples: 3 })",
        "grid::periodic([16, 16], [TAU, TAU]).sample(|x, y| sin(x) + y)",
        "grid::periodic([16], [TAU]).sample(|x| sin(x))",
        "solve(equation(|u| dt(u) - dx(u, 2)), grid::periodic([16], [TAU]).sample(|x| sin(x)), linspace(0, 1, 5))",
        "solve(equation(|u| dt(u) + u), 1.0, linspace(0, 1, 5))",
    ] {
        assert!(html(code).contains("base64,iVBOR"), "{code}: {}", html(code));
    }
    // A few numbers are text; what is not finite does not hinder.
    assert_eq!(html("tensor([1, 2])"), "");
    assert!(html("full([40], NAN)").contains("40 not finite"));
}

#[test]
fn tables_are_tables() {
    let html = table("a & b", &["n".into(), "name".into()], &[vec!["1".into(), "<x>".into()]]);
    assert!(html.contains("a &amp; b") && html.contains("<td style=\"text-align:left\">&lt;x&gt;</td>"), "{html}");
    assert!(html.contains("<td style=\"text-align:right\">1</td>"), "{html}");
    assert!(shown("#{ a: 1.5, b: #{ c: 2 } }").html.is_some_and(|html| html.contains("1.5") && html.contains("<th")));
    assert_eq!(shown("#{}").html, None);
    assert!(shown("let t = table([\"n\"]); t.add([3]); t").html.is_some_and(|html| html.contains("<td")));
}

#[test]
fn sixty_four_letters() {
    for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")] {
        assert_eq!(base64(bytes), text);
    }
}

#[test]
fn evcxr_reads_the_forms() {
    let text = evcxr::message(&Rich { latex: Some("$x$".into()), ..Rich::plain("x") });
    assert_eq!(
        text,
        "EVCXR_BEGIN_CONTENT text/plain\nx\nEVCXR_END_CONTENT\nEVCXR_BEGIN_CONTENT text/latex\n$x$\nEVCXR_END_CONTENT\n"
    );
}
