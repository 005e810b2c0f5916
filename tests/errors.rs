//! The texts of errors: place, excerpt, what was got and expected, advice, calls on the way.

use std::path::PathBuf;

use ansatz::script::{Host, stack};
use ansatz::session::{Options, Session};

/// A script and the whole text of its error.
const CASES: &[(&str, &str)] = &[
    (
        "let a = ones([2, 3]);\nlet b = a + ones([4, 5]);",
        "\
error: +: shapes do not fit together
   --> script:2:11
   |
 2 | let b = a + ones([4, 5]);
   |           ^
       got: [2, 3] and [4, 5] (2 against 4)
  expected: equal lengths, or 1, aligned at the last axis
    advice: reshape one of them, or add an axis of length 1: unsqueeze(t, axis)
",
    ),
    (
        "sum(ones(3), 0, #{ kep: true })",
        "\
error: sum: there is no option `kep`
   --> script:1:20
   |
 1 | sum(ones(3), 0, #{ kep: true })
   |                    ^
  expected: one of keep
    advice: did you mean `keep`?
",
    ),
    (
        "let t = arange(0, 5);\nt[t > 2]",
        "\
error: a mask is no list of positions
   --> script:2:2
   |
 2 | t[t > 2]
   |  ^
       got: 5 numbers that are 0 or 1, for an axis of length 5
    advice: x[nonzero(x > 2)] are the elements where it holds; where(x > 2, x, 0) keeps the shape
",
    ),
    (
        "let m = #{ error: 1 };\nm.eror",
        "\
error: the map has no key `eror`
   --> script:2:3
   |
 2 | m.eror
   |   ^
    advice: \"eror\" in map says whether it has; map.get(\"eror\") is () where it has not
",
    ),
    (
        "[1, 2].map(sin)",
        "\
error: there is no variable `sin`
   --> script:1:12
   |
 1 | [1, 2].map(sin)
   |            ^
    advice: it is a function: sin(x); as a value, a closure: |x| sin(x)
",
    ),
    (
        "let learning_rate = 0.1;\nprint(learning_rat);",
        "\
error: there is no variable `learning_rat`
   --> script:2:7
   |
 2 | print(learning_rat);
   |       ^
    advice: did you mean `learning_rate`?
",
    ),
    (
        "2 ^ 3",
        "\
error: there is no ^ of numbers
   --> script:1:3
   |
 1 | 2 ^ 3
   |   ^
    advice: a power is a ** b
",
    ),
    // The name is that of the function that was called, not of its parts.
    (
        "inverse(zeros([2, 2]))",
        "\
error: inverse: the matrix is singular
   --> script:1:1
   |
 1 | inverse(zeros([2, 2]))
   | ^
       got: no pivot in column 0 of 2
    advice: the equations contradict or repeat each other; add a small multiple of the identity
",
    ),
    (
        "assign(zeros(3), 0..2, ones([5, 1]))",
        "\
error: assign: only axes of length 1 can be stretched
   --> script:1:1
   |
 1 | assign(zeros(3), 0..2, ones([5, 1]))
   | ^
       got: [5, 1] to [2]
",
    ),
    (
        "conv(ones([1, 1, 4]), ones([1, 1, 9]), #{ padding: 1 })",
        "\
error: conv: the kernel is wider than the padded input
   --> script:1:1
   |
 1 | conv(ones([1, 1, 4]), ones([1, 1, 9]), #{ padding: 1 })
   | ^
       got: input [1, 1, 4], weight [1, 1, 9], stride [1], padding [1], dilation [1], spatial axis 0
  expected: 1 ≤ dilation · (kernel − 1) + 1 ≤ input + padding
",
    ),
    (
        "let a = -ones([2]) ** 2;\nlet b = -a ** ones([3]);",
        "\
error: **: shapes do not fit together
   --> script:2:12
   |
 2 | let b = -a ** ones([3]);
   |            ^
       got: [2] and [3] (2 against 3)
  expected: equal lengths, or 1, aligned at the last axis
    advice: reshape one of them, or add an axis of length 1: unsqueeze(t, axis)
",
    ),
    (
        "zeros([-1])",
        "\
error: zeros: argument 1 (`shape`) does not fit
   --> script:1:1
   |
 1 | zeros([-1])
   | ^
       got: the array [-1]
  expected: lengths of axes, 0 or more each
",
    ),
    (
        "zeros([4611686018427387904, 4])",
        "\
error: zeros: a tensor of this shape is too large
   --> script:1:1
   |
 1 | zeros([4611686018427387904, 4])
   | ^
       got: the array [4.6117e18, 4]
",
    ),
    (
        "arange(0, 1, 1e-15)",
        "\
error: arange: a tensor of this length is too large
   --> script:1:1
   |
 1 | arange(0, 1, 1e-15)
   | ^
       got: 0 to 1 in steps of 0.000000000000001: about 1e15 numbers
    advice: a larger step; linspace(start, stop, count) takes the number of points
",
    ),
    (
        "conv(ones([1, 2, 8]), ones([4, 3, 3]))",
        "\
error: conv: channels do not fit
   --> script:1:1
   |
 1 | conv(ones([1, 2, 8]), ones([4, 3, 3]))
   | ^
       got: input [1, 2, 8] with 2 channels, weight [4, 3, 3] for 3
  expected: a weight [channel out, 2, …]
",
    ),
    (
        "conv(ones([1, 1, 8]), ones(3))",
        "\
error: conv: ranks do not fit
   --> script:1:1
   |
 1 | conv(ones([1, 1, 8]), ones(3))
   | ^
       got: input [1, 1, 8], weight [3]
  expected: an input [sample, channel, 1 to 3 spatial axes] and a weight [channel out, channel in, as many axes]
    advice: for one channel: reshape(weight, [1, 1, 3])
",
    ),
    (
        "optim::adam(#{ lr: \"fast\" })",
        "\
error: optim::adam: option `lr` does not fit
   --> script:1:8
   |
 1 | optim::adam(#{ lr: \"fast\" })
   |        ^
       got: the string \"fast\"
  expected: a number greater than 0, a schedule such as optim::cosine(…), or a closure |step|
",
    ),
    (
        "equation(|u| dt(u) - matmul(u, u))",
        "\
error: matmul cannot be part of an equation's graph
   --> script:1:22
   |
 1 | equation(|u| dt(u) - matmul(u, u))
   |                      ^
       got: the symbol u
  expected: arithmetic, functions of numbers, derivatives, integrals
    advice: wrap it: opaque(|u| matmul(u), u) is called with tensors when the equation is solved
  in a closure, called at script:1:1
",
    ),
    (
        "[1, 2].lenght()",
        "\
error: there is no function `lenght` for (array)
   --> script:1:8
   |
 1 | [1, 2].lenght()
   |        ^
    advice: did you mean len?
",
    ),
    (
        "let a = [1];\na.pussh(2);",
        "\
error: there is no function `pussh` for (array, integer)
   --> script:2:3
   |
 2 | a.pussh(2);
   |   ^
    advice: did you mean push?
",
    ),
    (
        "fn advance(u) { u }\nadvanze(1)",
        "\
error: there is no function `advanze` for (integer)
   --> script:2:1
   |
 2 | advanze(1)
   | ^
    advice: did you mean advance?
",
    ),
    (
        "solve(equation(|u| dt(u) - laplacian(u)), #{ u: 1 }, 1.0)",
        "\
error: the equation needs more dimensions than there are
   --> script:1:1
   |
 1 | solve(equation(|u| dt(u) - laplacian(u)), #{ u: 1 }, 1.0)
   | ^
       got: no grid, so a single point
  expected: 1 or more axes
    advice: give a grid: #{ grid: grid::periodic([128], [TAU]) }, or start from a field on one
",
    ),
    (
        "solve(equation(|speed| dt(speed) + speed), #{ sped: 1 }, 1.0)",
        "\
error: solve: the start: the equation has no unknown `sped`
   --> script:1:1
   |
 1 | solve(equation(|speed| dt(speed) + speed), #{ sped: 1 }, 1.0)
   | ^
       got: a start for `sped`
  expected: starts of `speed`
    advice: did you mean `speed`?
",
    ),
    // A mark before the text and a first line for the system count as nothing.
    (
        "\u{feff}nope",
        "\
error: there is no variable `nope`
   --> script:1:1
   |
 1 | nope
   | ^
    advice: did you mean `note`? A variable is made with let nope = …
",
    ),
    (
        "#!/usr/bin/env ansatz run \" {\nlet a = 1;\nnope",
        "\
error: there is no variable `nope`
   --> script:3:1
   |
 3 | nope
   | ^
    advice: did you mean `note`? A variable is made with let nope = …
",
    ),
    (
        "fn inner(x) {\n    sin(\"a\")\n}\nfn outer(x) { inner(x) + 1 }\nprint(outer(1));",
        "\
error: sin: argument 1 (`x`) does not fit
   --> script:2:5
   |
 2 |     sin(\"a\")
   |     ^
       got: the string \"a\"
  expected: a number, tensor or field
    advice: usage: sin(x)
  in inner, called at script:4:15
  in outer, called at script:5:7
",
    ),
    // Through a closure that Rust calls
    (
        "fn loss(x) { ones(2) + ones(3) }\nlet g = grad(|x| sum(x * loss(x)), 2.0);",
        "\
error: +: shapes do not fit together
   --> script:1:22
   |
 1 | fn loss(x) { ones(2) + ones(3) }
   |                      ^
       got: [2] and [3] (2 against 3)
  expected: equal lengths, or 1, aligned at the last axis
    advice: reshape one of them, or add an axis of length 1: unsqueeze(t, axis)
  in loss, called at script:2:26
  in a closure, called at script:2:9
",
    ),
    (
        "grad(|x, y| x, 2.0)",
        "\
error: grad: argument 1 (`f`) does not fit
   --> script:1:1
   |
 1 | grad(|x, y| x, 2.0)
   | ^
       got: a closure of 2 parameters
  expected: a closure of one parameter, such as |x| x * x
",
    ),
    // The caret stands under the place behind tabs, umlauts and wide signs.
    (
        "if true {\n\tlet g = \"ü 漢字\" + nope;\n}",
        "\
error: there is no variable `nope`
   --> script:2:19
   |
 2 | \tlet g = \"ü 漢字\" + nope;
   | \t                   ^
    advice: did you mean `note`? A variable is made with let nope = …
",
    ),
    (
        "let x = tensr([1]);",
        "\
error: there is no function `tensr` for (array)
   --> script:1:9
   |
 1 | let x = tensr([1]);
   |         ^
    advice: did you mean tensor?
",
    ),
    (
        "let f = |x| x * 2;\nf(3)",
        "\
error: there is no function `f` for (integer)
   --> script:2:1
   |
 2 | f(3)
   | ^
    advice: `f` is a variable: a closure in it is called with f.call(…)
",
    ),
    (
        "let n = 5;\nfor i in 0..n / 2 { }",
        "\
error: the ends of a range are whole numbers
   --> script:2:11
   |
 2 | for i in 0..n / 2 { }
   |           ^
       got: integer .. float
    advice: int(x) takes the whole part: 0..int(n / 2)
",
    ),
    (
        "throw \"the residual grew\"",
        "\
error: the residual grew
   --> script:1:1
   |
 1 | throw \"the residual grew\"
   | ^
",
    ),
    (
        "throw #{ message: \"the residual grew\", step: 12 }",
        "\
error: the residual grew
   --> script:1:1
   |
 1 | throw #{ message: \"the residual grew\", step: 12 }
   | ^
       got: #{ step: 12 }
",
    ),
    (
        "fn f(n) { f(n + 1) }\nf(0)",
        "\
error: functions call each other too deeply
   --> script:2:1
   |
 2 | f(0)
   | ^
    advice: a recursion that does not end? Raise the depth with --max-call-depth
",
    ),
    (
        "import \"library\";\nbad(2)",
        "\
error: sin: argument 1 (`x`) does not fit
   --> library.rhai:3:5
   |
 3 |     sin(\"a\")
   |     ^
       got: the string \"a\"
  expected: a number, tensor or field
    advice: usage: sin(x)
  in bad, called at script:2:1
",
    ),
    (
        "import \"broken\";",
        "\
error: Unexpected ';'
   --> broken.rhai:1:9
   |
 1 | let x = ;
   |         ^
  in import, called at script:1:1
",
    ),
];

/// Made once: the tests of this file run at the same time.
fn folder() -> PathBuf {
    static FOLDER: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    FOLDER.get_or_init(make_folder).clone()
}

fn make_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ansatz-errors-{}", std::process::id()));
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(
        folder.join("library.rhai"),
        "const SCALE = 3;\nfn bad(x) {\n    sin(\"a\")\n}\nfn scaled(x) { helper(x) * SCALE }\nfn helper(x) { x + 1 }\nfn maker(a) { |x| helper(x) * a }\n",
    );
    let _ = std::fs::write(folder.join("broken.rhai"), "let x = ;");
    let _ = std::fs::write(folder.join("circle.rhai"), "import \"circle\";");
    folder
}

fn host() -> Host {
    Host::new(Session::new(Options {
        script_folder: Some(folder()),
        run_folder: folder().join("run"),
        ..Options::default()
    }))
}

#[test]
fn errors_read_as_they_should() {
    let faults = stack::on_large_stack(|| {
        let mut host = host();
        let mut faults = Vec::new();
        for (script, expected) in CASES {
            host.reset();
            let got = host.evaluate("script", script).map_or_else(|d| d.to_string(), |v| format!("no error but {v}\n"));
            if got != *expected {
                faults.push(format!("--- {script}\n--- expected\n{expected}--- got\n{got}"));
            }
        }
        faults
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_step_of_a_training_is_named_once() {
    let text = stack::on_large_stack(|| {
        let script = "let net = nn::net(nn::linear(1, 1)); let x = ones([1, 1]); let adam = optim::adam(#{ lr: 0.1 }); let n = 0;
            step(adam, net, |net| mean(net.forward(x)));
            train(net, #{ steps: 9, optimizer: adam, loss: |net, batch| { n += 1; mean(net.forward(x)) / (if n == 3 { 0 } else { 1 }) } });";
        host().evaluate("script", script).map_or_else(|d| d.to_string(), |_| String::new())
    });
    let text = text.unwrap_or_default();
    assert!(text.starts_with("error: training \"train\": step 2: the loss is not finite"), "{text}");
}

/// Scripts that must hold, cell by cell: what one cell defines, the next ones see.
const SESSIONS: &[&[&str]] = &[
    // Functions of earlier cells stay, and see variables as they stand.
    &[
        "let n = 1; fn f() { n }",
        "assert(f() == 1)",
        "n = 5; assert(f() == 5)",
        "let n = 7; assert(f() == 7)",
        "assert(f() == 7)",
    ],
    // Also inside a loop, and in functions that functions call.
    &[
        "let n = 0; fn f() { n } fn g() { f() + 1 } let seen = []; while n < 3 { n += 1; seen.push(g()); } assert(seen == [2, 3, 4])",
    ],
    // A local hides the session's variable; a parameter too.
    &["let n = 1; fn f() { let n = 2; n } fn g(n) { n } assert(f() == 2 && g(3) == 3 && n == 1)"],
    // Closures inside of functions capture session variables.
    &["let n = 2; fn scale() { |x| x * n } let f = scale(); assert(f.call(3) == 6)", "n = 10; assert(f.call(3) == 30)"],
    // Closures capture constants of the language and of the session.
    &[
        "const K = 3; let f = |x| x * K * PI; assert(f.call(1) > 9.4)",
        "fn area(r) { PI * r * r * K } assert(area(1) > 9.4)",
    ],
    // A variable named like a constant of the language hides it.
    &["let E = 200.0; fn modulus() { E } assert(modulus() == 200.0 && E == 200.0)"],
    // A function changes a session variable as a closure does.
    &["let n = 0; fn count() { n += 1; } count(); count(); assert(n == 2)"],
    &["let log = []; fn keep(x) { log.push(x); } keep(1); keep(2); assert(log == [1, 2])"],
    // Gradients of functions that read session variables.
    &[
        "let a = 3.0; fn f(x) { a * x * x } assert(grad(|x| f(x), 2.0) == 12.0)",
        "a = 1.0; assert(grad(|x| f(x), 2.0) == 4.0)",
    ],
    // What a closure returns may go into arrays.
    &["let n = [1]; let f = || n; let a = [1, 2].map(|x| f.call()); let b = [a]; b.push(a); assert(b.len() == 2)"],
    // Errors leave what was before.
    &["let n = 1", "assert(n == 1)"],
    // Errors caught by a script say what they are.
    &[
        "let said = (); try { sin(\"a\") } catch (e) { said = e.message + \" \" + e.kind; } assert(said.contains(\"does not fit\") && said.contains(\"type\"))",
    ],
    &["let said = (); try { nope() } catch (e) { said = e.message; } assert(said.contains(\"nope\"))"],
    // Libraries
    &["import \"library\"; assert(scaled(1) == 6 && SCALE == 3)", "assert(scaled(2) == 9)"],
    &["import \"library\" as lib; assert(lib::scaled(1) == 6 && lib::SCALE == 3)", "assert(lib::scaled(2) == 9)"],
    &["import \"library\" as lib; let f = lib::maker(10); assert(f.call(1) == 20)", "assert(grad(f, 2.0) == 10.0)"],
    &[
        "import \"library\"; import \"library\" as b; fn through(x) { b::scaled(x) } assert(through(1) == 6 && b::scaled(1) == 6)",
    ],
    &["let hidden = 1; if true { let hidden = 2; } assert(hidden == 1)"],
    // Names as they are in formulas
    &[
        "let σ = 2.0; let ν_t = 0.5; fn ρ(x) { x * σ } let f = |ξ| ρ(ξ) + ν_t; assert(f.call(3) == 6.5)",
        "σ = 1.0; assert(f.call(3) == 3.5)",
    ],
    // Numbers in arrays and maps show the digits that single precision has; a number alone as text keeps all.
    &[
        "assert([1 / 3, 2.5e-7 / 3, 2, 3.0, 1234567.0].to_string() == \"[0.333333, 8.33333e-8, 2, 3.0, 1234567.0]\")",
        "assert(#{ a: [2 / 3] }.to_string() == \"#{\\\"a\\\": [0.666667]}\")",
        "assert((1 / 3).to_string() == \"0.3333333333333333\" && `${[1 / 3]}` == \"[0.333333]\")",
    ],
    // Numbers
    &[
        "assert(1 / 2 == 0.5 && int(7 / 2) == 3 && type_name(int(7 / 2)) == \"integer\")",
        "for i in 0..int(5 / 2) { }",
        "let x = 1; x /= 2; assert(x == 0.5)",
    ],
    &["assert(round(2.5) == 2 && item(round(tensor(2.5))) == 2)"],
];

#[test]
fn sessions_keep_what_cells_define() {
    let faults = stack::on_large_stack(|| {
        let mut faults = Vec::new();
        for session in SESSIONS {
            let mut host = host();
            for (at, cell) in session.iter().enumerate() {
                if let Err(d) = host.evaluate(&format!("cell {at}"), cell) {
                    faults.push(d.to_string());
                }
            }
        }
        faults
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_library_that_imports_itself_is_an_error() {
    let text = stack::on_large_stack(|| {
        host().evaluate("script", "import \"circle\";").map_or_else(|d| d.to_string(), |_| String::new())
    });
    assert!(text.as_deref().is_ok_and(|t| t.contains("imports itself")), "{text:?}");
}

#[test]
fn an_error_in_a_function_of_an_earlier_cell_shows_that_cell() {
    let text = stack::on_large_stack(|| {
        let mut host = host();
        let _ = host.evaluate("cell 1", "// first\nfn f(x) { x + nope }");
        let _ = host.evaluate("cell 2", "let a = 1;");
        host.evaluate("cell 3", "f(1)").map_or_else(|d| d.to_string(), |_| String::new())
    });
    let text = text.unwrap_or_default();
    assert!(
        text.contains("--> cell 1:2:15")
            && text.contains("fn f(x) { x + nope }")
            && text.contains("called at cell 3:1:1"),
        "{text}"
    );
}

#[test]
fn a_let_that_is_run_again_frees_the_old_value() {
    let (once, after) = stack::on_large_stack(|| {
        let mut host = host();
        let _ = host.evaluate("cell", "fn f() { x } let x = zeros(1000);");
        let once = host.session().context().live_bytes();
        for _ in 0..5 {
            let _ = host.evaluate("cell", "let x = zeros(1000);");
        }
        let _ = host.evaluate("cell", "let x = zeros(1000); let x = zeros(1000); let x = zeros(1000);");
        (once, host.session().context().live_bytes())
    })
    .expect("the engine's thread lives");
    assert_eq!(once, after);
}

#[test]
fn valid_scripts_have_no_findings_and_broken_ones_have_all() {
    let faults = stack::on_large_stack(|| {
        let host = host();
        let mut faults = Vec::new();
        let examples: Vec<&str> = host.registry().entries().iter().flat_map(|e| &e.examples).map(|e| e.code).collect();
        for script in examples.into_iter().chain(SESSIONS.iter().filter(|s| s.len() == 1).map(|s| s[0])) {
            for finding in ansatz::script::check::check(&host, "valid", script) {
                // One session tries a function that does not exist.
                if !script.contains("nope") {
                    faults.push(finding.to_string());
                }
            }
        }
        let broken = "let x = tensr([1]);\nsum(x, 0, #{ kep: true });\nfn f(a) { a + b }\nf(1, 2);\nlet g = |q| q * late;\nlet late = 1;\nx.nothing();\nchek::gradient(1, 2);";
        let found: Vec<(usize, String)> = ansatz::script::check::check(&host, "broken", broken)
            .iter()
            .map(|d| (d.line, d.error.what().to_string()))
            .collect();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        if lines != [1, 2, 3, 4, 5, 7, 8] {
            faults.push(format!("{found:?}"));
        }
        faults
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
