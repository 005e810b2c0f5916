//! The registry runs its own examples.

use super::value::compact;
use super::{Host, Registry};
use crate::session::{Options, Session};

pub(crate) fn host() -> Host {
    let run_folder = std::env::temp_dir().join(format!("ansatz-test-{}", std::process::id()));
    Host::new(Session::new(Options { run_folder, ..Options::default() }))
}

#[test]
fn every_example_gives_its_result() {
    let mut failures = Vec::new();
    let mut host = host();
    for entry in Registry::new().entries() {
        for example in &entry.examples {
            host.reset();
            match host.evaluate(&entry.full_name(), example.code) {
                Err(e) => failures.push(format!("{}\n{e}", example.code)),
                Ok(value) => {
                    let got = compact(&value);
                    if !example.result.is_empty() && got != example.result {
                        failures.push(format!("{}\n  expected {}\n  got      {got}", example.code, example.result));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_entry_is_documented() {
    for entry in Registry::new().entries() {
        assert!(!entry.brief.is_empty(), "{} has no brief text", entry.full_name());
        assert!(!entry.examples.is_empty(), "{} has no example", entry.full_name());
    }
}

#[test]
fn no_call_means_two_entries() {
    let registry = Registry::new();
    let entries = registry.entries();
    for (i, a) in entries.iter().enumerate() {
        for b in &entries[i + 1..] {
            if a.full_name() != b.full_name() || a.form != b.form {
                continue;
            }
            let ((from, to), (other_from, other_to)) = (a.arity(), b.arity());
            assert!(
                to < other_from || other_to < from,
                "{} and {} take the same number of arguments",
                a.signature,
                b.signature
            );
        }
    }
}

/// Networks whose forward pass is a closure: evaluated, trained, and used by later cells that define functions of their own.
#[test]
fn closures_in_layers_live_as_long_as_the_session() {
    let mut host = host();
    let mut cell = |text: &str| match host.evaluate("cell", text) {
        Ok(value) => compact(&value),
        Err(e) => panic!("{text}\n{e}"),
    };
    cell("let scale = 0.5; fn bend(x) { tanh(x) * 2 }");
    cell(
        "let net = nn::net(nn::sequential([
            nn::custom(#{ inner: nn::linear(1, 8) }, |parts, x| bend(parts.inner.forward(x)) * scale),
            nn::function(|x| x + 0.1 * x * x),
            nn::custom(#{ a: nn::linear(8, 1), b: nn::linear(8, 1) }, |parts, x| parts.a.forward(x) + parts.b.forward(x), #{ name: \"sum\" }),
        ]), #{ seed: 1 });
        let x = linspace(-1, 1, 16).reshape([16, 1]);",
    );
    assert_eq!(cell("net.forward(x).shape"), "[16, 1]");
    // Other closures and functions come and go.
    cell("let other = [1, 2, 3].map(|v| v * 2); fn unrelated(x) { x }");
    let before = cell("let before = item(mse(net.forward(x), x * x)); before");
    let trained = "train(net, #{ steps: 150, name: \"custom\", optimizer: optim::adam(#{ lr: 0.02 }), loss: |net, batch| mse(net.forward(x), x * x), validate: |net| mse(net.forward(x), x * x), check_every: 50 }).loss";
    cell(trained);
    assert_eq!(cell("item(mse(net.forward(x), x * x)) < 0.1 * before"), "true", "from {before}");
    cell("for i in 0..3 { step(optim::sgd(#{ lr: 0.01 }), net, |net| mse(net.forward(x), x * x)); }");
    // Inside of a function, of a gradient with respect to the input, and of a copy.
    assert_eq!(cell("fn value_of(n, x) { n.forward(x) } value_of(net, x).shape"), "[16, 1]");
    assert_eq!(cell("grad(|y| sum(net.forward(y)), x).shape"), "[16, 1]");
    assert_eq!(cell("max(abs(copy(net).forward(x) - net.forward(x)))"), "0");
    // A variable that the closure captured was captured by value; the function it calls is the one of now.
    cell("let scale = 0.0; fn bend(x) { x * 0 }");
    assert_eq!(cell("std(net.forward(x)) < 1e-6"), "1");
    // A closure that fails in training leaves the network as it was.
    let error =
        host.evaluate("cell", "step(optim::adam(), net, |net| mse(net.forward(x), nothing))").unwrap_err().to_string();
    assert!(error.contains("nothing"), "{error}");
    assert_eq!(compact(&host.evaluate("cell", "net.forward(x).shape").unwrap()), "[16, 1]");
}

#[test]
fn complex_tensors_print_and_meet_gradients() {
    let mut host = host();
    let mut run = |text: &str| match host.evaluate("script", text) {
        Ok(value) => compact(&value),
        Err(e) => format!("{e}"),
    };
    assert_eq!(run("complex([1, 2], [0.5, -1]).to_string()").matches("imaginary part").count(), 1);
    assert_eq!(run("`${complex(1, -2)}`"), "1 - 2i  ([] complex)");
    assert_eq!(run("complex(1, 2) == complex(1, 2)"), "1");
    assert_eq!(run("complex([1, 2], 0) != 1"), "[0, 1]");
    assert_eq!(run("2 / complex(0, 1)"), "0 - 2i");
    assert_eq!(run("-complex(0, 1) - 1"), "-1 - 1i");
    assert_eq!(run("where([1, 0], complex(0, 1), 5)"), "[0 + 1i, 5 + 0i]");
    assert_eq!(run("complex([[1, 2], [3, 4]], 1)[[1, 0]]"), "3 + 1i");
    assert_eq!(run("let z = complex(1, 2); z.shape"), "[]");
    assert_eq!(run("sum(complex([1, 2], [3, 4]))"), "3 + 7i");
    // ∂|z|²/∂x + i ∂|z|²/∂y = 2z.
    assert_eq!(run("grad(|z| sum(abs_squared(z)), complex([1, 2], [3, 4]))"), "[2 + 6i, 4 + 8i]");
    assert_eq!(run("type_name(complex(1, 2))"), "Complex");
}

/// Each pair gives the same value; x = 3, y = 2, t = [1, 2], f(x) = x + 1, m = #{ a: #{ b: 3 } }.
#[test]
fn powers_bind_as_in_mathematics() {
    const PAIRS: &[(&str, &str)] = &[
        ("-x ** 2", "-9"),
        ("-2 ** 2", "-4"),
        ("-2.0 ** 2", "-4"),
        ("-2 ** 3", "-8"),
        ("-2 ** 0.5", "-sqrt(2)"),
        ("(-x) ** 2", "9"),
        ("(-2) ** 2", "4"),
        ("-(x) ** 2", "-9"),
        ("-(-x) ** 2", "-9"),
        ("- -x ** 2", "9"),
        ("- - -x ** 2", "-9"),
        ("-x ** 2 + 1", "-8"),
        ("1 - x ** 2", "-8"),
        ("1 -x ** 2", "-8"),
        ("1 - -x ** 2", "10"),
        ("1 + -x ** 2", "-8"),
        ("2 * -x ** 2", "-18"),
        ("-x ** 2 * 2", "-18"),
        ("-x * -x ** 2", "27"),
        ("2 ** -x", "0.125"),
        ("2 ** -1", "0.5"),
        ("-2 ** -1", "-0.5"),
        ("2 ** 3 ** 2", "512"),
        ("2.0 ** 3 ** 2", "512"),
        ("-2 ** 3 ** 2", "-512"),
        ("2 ** -x ** 2", "2 ** (-9)"),
        ("2 ** -1 ** y", "0.5"),
        ("2 ** -1 ** 3 ** 2", "0.5"),
        ("-2 ** -1 ** -2", "-(2 ** (-1))"),
        ("(2 ** 3) ** 2", "64"),
        ("-f(x) ** 2", "-16"),
        ("-f(-x ** 2) ** 2", "-64"),
        ("-m.a.b ** 2", "-9"),
        ("-m.a[\"b\"] ** 2", "-9"),
        ("-[1, x][-1] ** 2", "-9"),
        ("-m.a.b.to_float() ** 2", "-9"),
        ("-x.square() ** 2", "-81"),
        ("[-x ** 2, (-x) ** 2]", "[-9, 9]"),
        ("#{ a: -x ** 2 }.a", "-9"),
        ("`${-x ** 2} -x ** 2 ${-y ** 2}`", "\"-9 -x ** 2 -4\""),
        ("\"-x ** 2\"", "`-x ** 2`"),
        ("/* - */ -x /* ( */ ** 2 // -x ** 2", "-9"),
        ("(|x| -x ** 2).call(4)", "-16"),
        ("(|| -x ** 2).call()", "-9"),
        ("if x > -y ** 2 { -x ** 2 } else { 0 }", "-9"),
        ("if x > 0 { } -x ** 2", "-9"),
        ("let a = if x > 0 { 10 } else { 0 } - x ** 2; a", "1"),
        ("(if x > 0 { 10 } else { 0 } - x ** 2)", "1"),
        ("let a = switch x { 3 => 10, _ => 0 } - x ** 2; a", "1"),
        ("let a = { 10 } - x ** 2; a", "1"),
        ("return -x ** 2;", "-9"),
        ("-x ** 2 == -9 && -x ** 2 < 0", "true"),
        ("let a = 5; a -= x ** 2; a", "-4"),
        ("for i in 0..1 { } -x ** 2", "-9"),
        ("-if x > 0 { 3 } else { 1 } ** 2", "-9"),
        ("1 - -if x > -1 ** 2 { 3 } else { 1 } ** 2 + 1", "11"),
        ("let a = -if x < 0 { 3 } else if y < 0 { 2 } else { 4 } ** 2 - 1; a", "-17"),
        ("-switch x { 3 => -2 ** 2, _ => 0 } ** 2", "-16"),
        ("if x > 0 { if y > 0 { let b = 1; } else { } let a = 1; if a > 0 { } -x ** 2 } else { 0 }", "-9"),
        ("fn g(x) { let a = 1; a } -x ** 2", "-9"),
        ("[-if x > 0 { 3 } else { 1 }, 2 ** 2]", "[-3, 4]"),
        ("if x > 0 { let a = -if x > 0 { x } else { 1 } ** 2; a } -x ** 2", "-9"),
    ];
    let mut failures = Vec::new();
    let mut host = host();
    let set = "let x = 3; let y = 2; let t = tensor([1, 2]); let m = #{ a: #{ b: 3 } }; fn f(x) { x + 1 }\n";
    let mut value = |text: &str| {
        host.reset();
        // A text that was not parsed to its end leaves nothing behind.
        let _ = host.evaluate("broken", "(-x");
        host.evaluate("test", &format!("{set}{text}")).map_or_else(|e| e.to_string(), |v| compact(&v))
    };
    for (text, other) in PAIRS.iter().copied() {
        let (got, wanted) = (value(text), value(other));
        if got != wanted {
            failures.push(format!("{text}\n  expected {wanted}\n  got      {got}"));
        }
    }
    let tensors = [
        ("-t ** 2", "[-1, -4]"),
        ("-t ** 3", "[-1, -8]"),
        ("exp(-t ** 2) - exp(-(t ** 2))", "[0, 0]"),
        ("-t ** 0.5 + sqrt(t)", "[0, 0]"),
        ("-t ** t", "[-1, -4]"),
        ("-2 ** t", "[-2, -4]"),
        ("-t ** 0", "[-1, -1]"),
        ("-t ** -1", "[-1, -0.5]"),
        ("-t[1] ** 2", "-4"),
        ("grad(|t| sum(-t ** 2), t)", "[-2, -4]"),
        ("grad(|t| sum(-t ** 3), t)", "[-3, -12]"),
        ("-t ** 2 ** 1.5 + t ** (2 ** 1.5)", "[0, 0]"),
        (
            "`${equation(|u| dt(u) - exp(-u ** 2))}`",
            "u_t - exp(-u²) = 0 · 1st order in t, no derivatives in space · nonlinear in u",
        ),
    ];
    for (text, wanted) in tensors {
        let got = value(text);
        if got != wanted {
            failures.push(format!("{text}\n  expected {wanted}\n  got      {got}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is caught of the language's own errors is printed in the same words as when it is not caught.
#[test]
fn caught_errors_read_like_others() {
    let mut host = host();
    let mut caught = |text: &str| {
        let script = format!("let said = \"\"; try {{ said = {text}; }} catch (e) {{ said = `${{e}}`; }} said");
        host.evaluate("test", &script).map_or_else(|e| e.to_string(), |value| compact(&value))
    };
    for (text, expected) in [
        ("[1].lenght()", "there is no function `lenght` for (array)\n    advice: did you mean len?"),
        ("(|| [1].lenght()).call()", "there is no function `lenght` for (array)\n    advice: did you mean len?"),
        ("if ones(2) { 1 }", "a condition needs true or false\n       got: a Tensor\n"),
        ("{ let m = #{}; m.a.b }", "the map has no key `a`"),
        ("{ let m = (); m.b }", "there is no property `b` of nothing: ()"),
        ("[1, 2][5]", "Array index 5 out of bounds"),
        ("zeros([-1])", "zeros: argument 1 (`shape`) does not fit\n"),
        ("{ throw \"mine\" }", "mine"),
        ("{ throw #{ message: \"mine\", code: 3 } }", "\"code\": 3"),
    ] {
        let got = caught(text);
        assert!(got.contains(expected), "{text}\n{got}");
    }
    assert_eq!(caught("`${#{ a: 1, b: [1, \"x\"] }}`"), "#{\"a\": 1, \"b\": [1, \"x\"]}");
}
