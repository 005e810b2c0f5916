//! Broken and hostile scripts: each must end in an error that says what is wrong, soon, and leave the session alive.

use std::time::{Duration, Instant};

use ansatz::error::Kind;
use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session};

/// The script, and what its error must contain. `ok` stands for a script that must succeed.
const CASES: &[(&str, &str)] = &[
    // Texts that are not scripts
    ("let", "Expecting"),
    ("let x = ;", "';'"),
    ("(((((", "incomplete"),
    ("1 +", "incomplete"),
    ("\"open", "string"),
    ("`open ${", ""),
    ("/* open", ""),
    ("'ab'", "character"),
    ("#{ a: 1, a: 2 }", "uplicate"),
    ("let default = 1", "reserved"),
    ("#{ default: 1 }", "quote it"),
    ("fn f(a, a) {}", "uplicate"),
    ("fn f() {} fn f() {}", "already"),
    ("break", "break"),
    ("continue;", "continue"),
    ("1 = 2", ""),
    ("@#$%", ""),
    ("\u{0}\u{1}\u{feff}", ""),
    ("let x = 0x", ""),
    ("999999999999999999999999", ""),
    ("fn f() { fn g() {} }", ""),
    ("import 1;", "import needs the path"),
    // Names
    ("nope", "no variable `nope`"),
    ("nope()", "no function `nope`"),
    ("nope::f()", "no namespace `nope`"),
    ("check::nope(1)", "check::nope"),
    ("let x = 1; x.nope", "no property `nope` of an integer"),
    ("let x = tensor([1]); x.nope", "no property `nope`"),
    ("tensor([1]).nope()", "nope"),
    ("let m = #{}; m.nope.deeper", "deeper"),
    ("let f = |x| x; f(1)", "f.call("),
    ("eval(\"1\")", ""),
    ("PI = 3", ""),
    ("const C = 1; C = 2", "C"),
    ("const C = [1]; C.push(2)", "C"),
    ("let n = 1; fn f() { n = 2; } f(); assert(n == 2)", "ok"),
    ("let n = [1]; fn f() { n.push(2); } f(); assert(n.len() == 2)", "ok"),
    ("this", "this"),
    ("global::x", "global::x"),
    // Pictures
    ("plot::heat_map(solve(equation(|u| dt(u)), grid::periodic([8], [1]).sample(|x| x), [0, 1]))", "plot::space_time"),
    (
        "plot::lines([solve(equation(|u| dt(u)), grid::periodic([8], [1]).sample(|x| x), [0, 1])])",
        "a line shows one state",
    ),
    ("plot::heat_map(\"field\")", "this is no tensor"),
    ("plot::lines([[0, 1]], #{ colours: [\"no\"] })", "`colours` does not fit"),
    ("plot::lines([[0, 1]], #{ colours: \"blue\" })", "an array of strings"),
    ("plot::lines([#{ y: [0, 1], colour: \"#12345\" }])", "`colour` does not fit"),
    ("plot::histogram([#{ value: [0, 1] }])", "did you mean `values`?"),
    ("save(plot::histogram([0, 1], #{ bins: [1, 0] }), \"a.png\")", "increasing order"),
    ("save(plot::histogram([#{ values: [0, 1], colour: \"red\" }, [0, 1]], #{ bins: [0, 0.5, 1] }), \"a.svg\")", "ok"),
    // Numbers
    ("9223372036854775807 + 1", "overflow"),
    ("-x ** 2", "no variable `x`"),
    ("-2 ** 63", "too large"),
    ("-2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2", "parentheses"),
    ("-\"a\" ** 2", "`-` does not go together"),
    ("-2 ** \"a\"", "argument 2 (`b`)"),
    ("let t = ones(3); -t ** \"a\"", "argument 2 (`b`)"),
    ("let t = ones(3); -t ** ones(4)", "shapes do not fit"),
    ("-ones(3) ** 2 +", "incomplete"),
    ("- ** 2", ""),
    ("-(((1 ** 2", "')'"),
    ("max(ones(2), 0.0)", "maximum(a, b)"),
    ("min(3, ones(2))", "minimum(a, b)"),
    ("max(ones(2), ones(2))", "maximum(a, b)"),
    ("assert(max(3, 4.5) == 4.5 && item(max(ones(2), 0)) == 1)", "ok"),
    ("[1, 2, 3][1..]", "a.extract(1..3)"),
    // Ranges
    ("ones(3)[4..]", "4.. on an axis of length 3"),
    ("ones(3)[-4..]", "-4.. on an axis of length 3"),
    ("ones(3)[..=3]", "0..=3 on an axis of length 3"),
    ("ones(3)[2..1]", "2..1 on an axis of length 3"),
    ("ones([2, 3])[[.., 3..4]]", "3..4 on an axis of length 3"),
    ("let t = arange(0, 5); assert(t[1..].len == 4 && t[..].len == 5 && t[..-1].len == 4 && t[-2..].len == 2)", "ok"),
    (
        "let t = arange(0, 5); assert(t[0..=-1].len == 5 && t[-2..=-1].len == 2 && t[5..].len == 0 && t[-2..=3].len == 1)",
        "ok",
    ),
    ("let t = ones([2, 3]); assert(t[[.., 1]].shape == [2] && t[[1.., ..2]].shape == [1, 2])", "ok"),
    ("zeros(..)", "a shape"),
    ("-9223372036854775807 - 2", "overflow"),
    ("9223372036854775807 * 2", "overflow"),
    ("let x = -9223372036854775807 - 1; -x", "overflow"),
    ("let x = -9223372036854775807 - 1; abs(x)", ""),
    ("1 % 0", "zero"),
    ("(-9223372036854775807 - 1) % -1", ""),
    ("2 ** 100", "too large"),
    ("1 << 100", ""),
    ("1 << -100", ""),
    ("int(1e300)", "64 bits"),
    ("int(0.0 / 0.0)", "finite"),
    ("int(\"abc\")", "whole number"),
    ("1.5 << 2", "<<"),
    ("1 + \"a\" * 2", "*"),
    ("!5", "!"),
    ("if 1 { 2 }", "boolean"),
    ("while \"a\" { }", "boolean"),
    ("for i in 5 { }", "iterable"),
    ("for i in 0..2.5 { }", "whole numbers"),
    // Indices
    ("[1, 2][5]", "5"),
    ("[1, 2][-5]", "-5"),
    ("\"abc\"[10]", "10"),
    ("#{ a: 1 }[3]", "index"),
    ("5[0][0][0]", ""),
    ("tensor([1, 2])[7]", "7"),
    ("tensor([1, 2])[0.5]", "fractional"),
    ("tensor([1, 2])[[0, 0, 0]]", "more indices"),
    ("tensor([1, 2])[\"a\"]", "property"),
    ("let t = tensor([1, 2]); t[0] = 5;", "assign"),
    ("let s = \"abc\"; s[9] = 'x';", "9"),
    // Calls
    ("sin()", "arguments"),
    ("sin(1, 2)", "arguments"),
    ("sin(\"a\")", "number"),
    ("sin([1])", "number"),
    ("tensor(\"a\")", "nested array"),
    ("tensor([[1], [1, 2]])", "ragged"),
    ("tensor([1, \"a\"])", "not a number"),
    ("tensor([])", "ok"),
    ("zeros([2, -1])", "shape"),
    ("zeros([1000000, 1000000, 1000000, 1000000])", ""),
    ("zeros(100000000)", "limit of tensor memory"),
    ("linspace(0, 1, 1000000000000)", "limit of tensor memory"),
    ("arange(0, 1, 1e-300)", ""),
    ("arange(0, 1, 0)", "different from 0"),
    ("eye(100000)", "limit of tensor memory"),
    ("repeat(ones(1000), 0, 1000000000)", ""),
    ("expand(ones(1), [1000000000000])", ""),
    ("pad(ones(3), 0, 1000000000000, 1)", ""),
    ("reshape(ones(6), [4, -1])", ""),
    ("reshape(ones(6), [-1, -1])", ""),
    ("ones([2, 3]) + ones([4, 5])", "[2, 3]"),
    ("matmul(ones([2, 3]), ones([4, 5]))", ""),
    ("sum(ones(3), 5)", "axis"),
    ("sum(ones(3), 0, #{ kep: true })", "did you mean `keep`"),
    ("item(ones(3))", ""),
    ("concat([])", ""),
    ("stack([1, \"a\"])", "not a tensor"),
    ("mean(tensor([]))", ""),
    ("max(tensor([]))", ""),
    ("argmax(tensor([]), 0)", ""),
    ("gather(ones([2, 2]), 0, tensor([[5, 5]]))", ""),
    ("take(ones(3), [7], 0)", "7"),
    ("permute(ones([2, 2]), [0, 0])", ""),
    ("if ones(3) { 1 }", "any(x > 0)"),
    ("ones(3) && true", "true or false"),
    // Closures
    ("grad(1, 2)", "closure"),
    ("grad(|| 1, 2)", "closure of 0 parameters"),
    ("grad(|x, y| x, 2.0)", "closure of 2 parameters"),
    ("grad(|x| \"a\", 2.0)", "something unfit"),
    ("grad(|x| [x], 2.0)", "something unfit"),
    ("grad(|x| x * ones(3), 2.0)", ""),
    ("grad(|x| nope(x), 2.0)", "no function `nope`"),
    ("grad(|x| x + nope, 2.0)", "nope"),
    ("grad(|x| throw \"mine\", 2.0)", "mine"),
    ("let f = |x| x; f.call()", "number of arguments"),
    ("let f = |x| x; f.call(1, 2)", "number of arguments"),
    ("Fn(\"nope\").call(1)", "nope"),
    ("Fn(\"\")", ""),
    ("[1, 2].map(5)", ""),
    ("[3, 1].sort(|a, b| \"x\")", ""),
    ("[1, 2].reduce(|a, b, c, d, e| a)", ""),
    ("let a = [1, 2, 3]; a.map(|x| { a.push(1); x })", ""),
    ("let a = [1, 2, 3]; a.retain(|x| { a.clear(); true })", ""),
    // Errors of the script itself
    ("throw \"mine\"", "error: mine"),
    ("throw", "without a message"),
    ("throw #{ message: \"mine\", code: 7 }", "error: mine"),
    ("throw 42", "error: 42"),
    ("assert(false, \"mine\")", "mine"),
    ("assert(1 > 2)", "does not hold"),
    ("try { throw 1 } catch (e) { throw e + 1 }", "error: 2"),
    ("try { sin(\"a\") } catch (e) { throw e }", "sin"),
    // Growth
    ("let s = \"ab\"; loop { s += s; }", "string passes its limit"),
    ("let a = [1]; loop { a += a; }", "array passes its limit"),
    ("let a = [1]; loop { a.append(a); }", "passes its limit"),
    ("let a = [1]; loop { a.push(a); }", "passes its limit"),
    ("let m = #{}; let i = 0; loop { m[\"k\" + i] = i; i += 1; }", "limit"),
    ("let s = `x`; loop { s = `${s}${s}`; }", "passes its limit"),
    ("let s = \"\"; s.pad(10000000000, 'x'); s", ""),
    ("let s = \"\"; s.pad(10000000000, \"xyz\"); s", ""),
    ("let a = []; a.pad(10000000000, 1); a", "passes its limit"),
    ("let a = []; a.pad(9223372036854775807, [1, 2, 3]); a", ""),
    ("let a = [[1, 2, 3]]; a.pad(6000000000000000000, [[1, 2, 3, 4]]); a", ""),
    ("blob(1000000000000)", ""),
    ("blob(9223372036854775807, 1)", ""),
    ("let b = blob(5); b.pad(1000000000000, 1); b", ""),
    ("let b = blob(1000); loop { b.append(b); }", ""),
    ("\"a\".repeat(10000000000)", ""),
    ("(0..10000000000).to_array()", ""),
    (
        "let s = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; loop { s.replace(\"a\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"); }",
        "",
    ),
    ("parse_json(\"[\" + \"[\")", "EOF"),
    ("let s = \"[\"; for i in 0..16 { s += s; } parse_json(s)", ""),
    // Loops and recursion
    ("loop { }", "limit of script operations"),
    ("while true { }", "limit of script operations"),
    ("do { } while true", "limit of script operations"),
    ("for i in 0..9223372036854775807 { }", "limit of script operations"),
    ("for i in range(0, 9223372036854775807, 1) { }", "limit of script operations"),
    ("loop { try { loop { } } catch { } }", "limit of script operations"),
    ("loop { try { throw 1 } catch { } }", "limit of script operations"),
    ("grad(|x| { loop { } }, 1.0)", "limit of script operations"),
    ("loop { try { grad(|x| { loop { } }, 1.0) } catch { } }", "limit of script operations"),
    ("let f = |f| f.call(f); f.call(f)", "deep"),
    ("fn f() { f() } f()", "deep"),
    ("fn f(n) { g(n) + 1 } fn g(n) { f(n) * 2 } f(1)", "deep"),
    ("fn f(x) { grad(|y| f(y), x) } f(1.0)", "deep"),
    ("fn f(n) { [1].map(|x| f(n + x)) } f(1)", "deep"),
    ("fn f(n) { try { f(n + 1) } catch { f(n + 1) } } f(0)", "deep"),
    ("fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(900)", "ok"),
    ("sleep(0.0 / 0.0)", "finite"),
    ("exit()", "ok"),
    ("exit(3); throw 1", "ok"),
    ("if true { return 4; } throw 1", "ok"),
    ("fn f() { exit(5) } f(); throw 1", "ok"),
    ("grad(|x| exit(6), 1.0); throw 1", "ok"),
    ("try { grad(|x| exit(6), 1.0); } catch { throw 1 } throw 2", "ok"),
    // Files
    ("import \"/etc/passwd\";", "its own folder"),
    ("import \"../../../etc/passwd\";", ""),
    ("import \"nothing\";", "no file"),
    ("import \"a\\0b\";", ""),
    ("if true { import \"x\" as x; }", "top of a script"),
    ("fn f() { import \"x\" as x; } f()", "top of a script"),
    // Reports
    ("report(1)", "a map"),
    ("report(#{ f: |x| x })", "ok"),
    ("report(#{ x: [[[[[[[[[[1]]]]]]]]]] })", "ok"),
    ("metric(\"a\")", "a map"),
    ("table([])", "names of the columns"),
    ("table([\"a\"]).add([1, 2])", "2 cells"),
    ("table([\"a\"]).add(#{ b: 1 })", "no column `b`"),
    ("add(1, 2)", "a table"),
    ("param(1, 2)", "a string"),
];

/// What the scripts about equations begin with.
const PHYSICS: &str = "
    let g = grid::periodic([8], [TAU]);
    let line = grid::interval(0, 1, 8, #{ edges: neumann(0) });
    let u = g.sample(|x| 1.5 + sin(x));
    let heat = equation(|u| dt(u) - dx(u, 2));
    let grows = equation(|u| dt(u) - u * u);
    let pull = equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d)]);
    let k = 1.0;
    let rated = equation(|u| dt(u) - k * dx(u, 2));
";

/// Equations and their solutions.
const EQUATIONS: &[(&str, &str)] = &[
    // grids that do not do
    (
        "solve(heat, grid::interval(0, 1, 2, #{ edges: dirichlet(0) }).sample(|x| x), 1.0, #{ accuracy: 6 })",
        "too few points",
    ),
    ("solve(heat, line.sample(|x| x), 1.0, #{ derivatives: \"fourier\" })", "periodic"),
    ("solve(heat, u, 1.0, #{ grid: grid::periodic([9], [TAU]) })", "another grid"),
    ("solve(heat, u, 1.0, #{ grid: 5 })", "`grid` does not fit"),
    ("solve(equation(|u| dt(u) - dy(u, 2)), u, 1.0)", "more dimensions"),
    ("solve(heat, ones([8]), 1.0)", "more dimensions"),
    (
        "solve(heat, grid::interval(0, 1, 8, #{ left: #{ v: dirichlet(0) }, right: neumann(0) }).sample(|x| x), 1.0)",
        "does not say what holds for `u`",
    ),
    (
        "solve(heat, grid::interval(0, 1, 8, #{ left: dirichlet(|t| \"a\"), right: neumann(0) }).sample(|x| x), 1.0)",
        "unfit",
    ),
    (
        "solve(heat, grid::interval(0, 1, 8, #{ left: dirichlet(|t| 1 / (t - 0.5)), right: neumann(0) }).sample(|x| x), 1.0)",
        "t = 0.4",
    ),
    (
        "solve(heat, grid::interval(0, 1, 8, #{ left: robin(0, 0, 0), right: neumann(0) }).sample(|x| x), 1.0)",
        "needs a factor",
    ),
    // operators that are not linear
    ("linear_solve(|x| x + 1, ones([4]))", "is not linear"),
    ("linear_solve(|x| x * x, ones([4]))", "is not linear"),
    // starts
    ("solve(heat, NAN * u, 1.0)", "initial state is not finite"),
    ("solve(heat, 1e300 * u, 1.0)", "initial state is not finite"),
    ("solve(heat, ones([7]), 1.0, #{ grid: g })", "does not fit the points"),
    ("solve(heat, ones([2, 7]), 1.0, #{ grid: g })", "does not fit the points"),
    ("solve(heat, ones([2, 8]), 1.0, #{ grid: g })", "ok"),
    ("solve(heat, \"a\", 1.0, #{ grid: g })", "start of `u` does not fit"),
    ("solve(heat, #{ v: 1 }, 1.0, #{ grid: g })", "no unknown `v`"),
    ("solve(heat, #{ }, 1.0, #{ grid: g })", "start of `u` is missing"),
    ("solve(heat, |x, y| x, 1.0, #{ grid: g })", "number of arguments"),
    ("solve(heat, #{ u: |x| \"a\" }, 1.0, #{ grid: g })", "unfit"),
    ("solve(heat, field(ones([1, 2, 8]), g), 1.0)", "a field of 2 channels"),
    // times
    ("solve(heat, u, [1.0, 0.5, 0.7])", "ascend or descend"),
    ("solve(heat, u, [0, NAN])", "finite"),
    ("solve(heat, u, INFINITY)", "finite"),
    ("solve(heat, u, [])", "ascend"),
    ("solve(heat, u, [0, 0, 1])", "ascend"),
    ("solve(heat, u, \"now\")", "(`times`) does not fit"),
    ("solve(heat, u)", "(`times`) does not fit"),
    ("solve(heat, u, [1.0, 0.5, 0.2], #{ scheme: \"exact\" })", "ok"),
    // options
    ("solve(heat, u, 1.0, 5)", "(`options`) does not fit"),
    ("solve(heat, u, 1.0, #{ sceme: \"rk4\" })", "did you mean `scheme`"),
    ("solve(heat, u, 1.0, #{ scheme: \"rk5\" })", "dormand_prince"),
    ("solve(heat, u, 1.0, #{ scheme: 4 })", "a string"),
    ("solve(heat, u, 1.0, #{ steps: -1 })", "0 or more"),
    ("solve(heat, u, 1.0, #{ steps: 0 })", "1 or more"),
    ("solve(heat, u, 1.0, #{ steps: 1e18 })", "`steps` does not fit"),
    ("solve(heat, u, 1.0, #{ step: 0 })", "greater than 0"),
    ("solve(heat, u, 1.0, #{ step: NAN })", "greater than 0"),
    ("solve(heat, u, 1.0, #{ step: 1e-300 })", "more steps than can ever be made"),
    ("solve(heat, u, 1.0, #{ step: \"fast\" })", "adaptive"),
    ("solve(heat, u, 1.0, #{ steps: 5, step: 0.1 })", "not both"),
    ("solve(heat, u, 1.0, #{ rtol: -1 })", "`rtol` does not fit"),
    ("solve(grows, u, 1.0, #{ rtol: 1e-30, atol: 1e-300 })", "`rtol` does not fit"),
    ("solve(heat, u, 1.0, #{ accuracy: 3 })", "2, 4 or 6"),
    ("solve(heat, u, 1.0, #{ derivatives: \"spline\" })", "central"),
    ("solve(heat, u, 1.0, #{ checkpoints: 0 })", "checkpoints"),
    ("solve(heat, u, 1.0, #{ dealias: 3 })", "true or false"),
    // schemes that do not fit
    ("solve(grows, u, 0.1, #{ scheme: \"etdrk4\" })", "linear part"),
    ("solve(grows, u, 0.1, #{ scheme: \"exact\" })", "linear part"),
    ("solve(heat, u, 0.1, #{ scheme: \"verlet\" })", "x'' = a(t, x)"),
    ("solve(heat, u, 0.1, #{ scheme: \"rk4\", step: \"adaptive\" })", "ok"),
    // solutions that do not exist, and steps that are too long
    ("solve(grows, 1.0, 2.0)", "t = 1.0"),
    ("solve(grows, 1.0, 2.0, #{ scheme: \"rk4\", steps: 100 })", "step 5"),
    ("solve(grows, 1.0, 5.0, #{ scheme: \"crank_nicolson\" })", "relative residual"),
    ("solve(grows, 1e30, 1.0, #{ scheme: \"euler\", steps: 3 })", "step 1"),
    ("solve(heat, grid::periodic([64], [TAU]).sample(|x| sin(x)), 10.0, #{ scheme: \"euler\", steps: 2000 })", "step "),
    ("solve(equation(|u| dt(u) + dx(u, 2)), grid::periodic([64], [TAU]).sample(|x| sin(3 * x)), 10.0)", "from t = 0"),
    ("solve(rated, u, 1.0, #{ k: -1e10 })", "no longer finite"),
    ("solve(equation(|u| dt(u) - 1 / (u - u)), u, 1.0, #{ scheme: \"rk4\", steps: 3 })", "no longer finite"),
    ("solve(equation(|u, t| dt(u) - sqrt(0.5 - t)), u, 1.0, #{ scheme: \"rk4\", steps: 10 })", "step "),
    // parameters
    ("solve(rated, u, 1.0, #{ k: \"a\" })", "a number, a tensor or a field"),
    ("solve(rated, u, 1.0, #{ k: NAN })", "not finite"),
    ("solve(rated, u, 1.0, #{ k: ones([5, 5]) })", "`k` does not fit the points"),
    ("solve(rated, u, 1.0, #{ k: line.sample(|x| x) })", "`k` lies on another grid"),
    ("solve(rated, field(ones([2, 1, 8]), g), 1.0, #{ k: tensor([1, 2, 3]) })", "different numbers of samples"),
    ("solve(rated, u, 1.0, #{ k: tensor([1, 2, 3]) }).shape", "ok"),
    ("solve(rated, u, 1.0, #{ parameters: #{ q: 1 } })", "no parameter `q`"),
    ("solve(rated, u, 1.0, #{ parameters: 1 })", "a map"),
    // what is no equation
    ("solve(\"a\", 1.0, 1.0)", "(`problem`) does not fit"),
    ("solve(|u| dt(u), 1.0, 1.0)", "(`problem`) does not fit"),
    ("solve(u, u, 1.0)", ""),
    ("solve(equation(|u| u - 1), 1.0, 1.0)", "without dt has no times"),
    ("equation(|u| \"a\")", "returned something unfit"),
    ("equation(|u| ())", "returned something unfit"),
    ("equation(|u| [])", "0 residuals, 1 unknowns"),
    ("equation(|u| [\"a\"])", "returned something unfit"),
    ("equation(|u| heat)", "returned something unfit"),
    ("equation(|u| 1.0)", "contains no unknown"),
    ("equation(|u| throw \"mine\")", "mine"),
    ("equation(|u| { loop { } })", "limit of script operations"),
    ("fn f(u) { f(u) } equation(|u| f(u))", "deep"),
    ("equation(5)", "a closure of the unknowns"),
    ("equation([], |u| dt(u))", "0 unknowns"),
    ("equation([\"u\", \"u\"], |u, v| [dt(u), dt(v)])", "listed twice"),
    ("equation([\"1u\"], |u| dt(u))", "a letter first"),
    ("equation(|u| dt(u) + dx(u, 17))", "at most 16"),
    ("solve(equation(|u| dt(u) * dt(u) - u), 1.0, 1.0)", "not linear in its time derivatives"),
    ("solve(equation(|u| dt(u) - dx(dt(u), 2)), u, 1.0)", "inside of a derivative in space"),
    (
        "solve(equation(|u, v| [dt(u) + dt(v), dt(u) + dt(v)]), #{ u: 1, v: 1 }, 1.0)",
        "two residuals determine the same",
    ),
    ("solve(equation(|u, v| [dt(u) - v, v * v - u]), #{ u: 1, v: 1 }, 1.0)", "no residual determines v"),
    // nesting, and parts that are shared
    ("equation(|u| { let e = u; for i in 0..10000 { e = e + u; } dt(u) - e })", "nested too deeply"),
    ("equation(|u| { let e = u; for i in 0..10000 { e = sin(e); } dt(u) - e })", "nested too deeply"),
    ("`${equation(|u| { let e = u; for i in 0..3900 { e = e * u; } dt(u) - e })}`", "ok"),
    ("`${equation(|u| { let e = u; for i in 0..60 { e = e * e; } dt(u) - e })}`", "ok"),
    ("latex(equation(|u| { let e = u; for i in 0..60 { e = e * e + sin(e); } dt(u) - e }))", "ok"),
    (
        "solve(equation(|u| { let e = u; for i in 0..60 { e = e * e; } dt(u) - e }), 0.5 * u / u, 0.01, #{ steps: 1, scheme: \"rk4\" })",
        "ok",
    ),
    ("solve(equation(|u| { let e = u; for i in 0..60 { e = e + e; } dt(u) - e }), u, 0.01)", "too many terms"),
    (
        "solve(equation(|u| { let e = u + 1; for i in 0..60 { e = e + e; } dt(u) - e * dx(u) }), u, 0.01)",
        "too many terms",
    ),
    (
        "solve(equation(|u| { let e = dx(u); for i in 0..60 { e = e + e; } dt(u) - (u + 1) * e }), u, 0.01)",
        "too many terms",
    ),
    ("equation(|u| { let e = u; for i in 0..60 { e = e + dx(e); } dt(u) - e })", "ok"),
    ("solve(equation(|u| { let e = u; for i in 0..30 { e = e + dx(e); } dt(u) - e }), u, 0.1)", "too high an order"),
    (
        "solve(equation(|u| { let e = u; for i in 0..60 { e = e * (1 + e); } dt(e) - u }), 0.5, 0.1, #{ steps: 1, scheme: \"rk4\" })",
        "",
    ),
    // bodies
    ("solve(pull, #{ r: ones([3, 2]), r_t: ones([2, 2]) }, 1.0)", "[1, 1, 2] and [1, 1, 3]"),
    ("solve(pull, #{ r: ones([3]) }, 1.0)", "[body, axis]"),
    ("solve(pull, ones([3, 2]), 1.0)", "[body, axis]"),
    ("solve(pull, #{ r: ones([1, 2]) }, 1.0)", "ok"),
    ("solve(pull, #{ r: ones([0, 2]) }, 1.0)", ""),
    (
        "solve(equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d / norm(d) ** 3)]), #{ r: ones([3, 2]) }, 1.0, #{ scheme: \"rk4\", steps: 3 })",
        "no longer finite",
    ),
    ("solve(equation(|u| dt(u) - other(u)), 1.0, 1.0)", "inside of pair_sum only"),
    ("solve(equation(|u| dt(u) - opaque(|u| ones([3, 3]), u)), 1.0, 1.0)", "returned something unfit"),
    ("solve(equation(|u| dt(u) - opaque(|u| \"a\", u)), 1.0, 1.0)", "returned something unfit"),
    ("solve(equation(|u| dt(u) - opaque(|u| throw \"mine\", u)), 1.0, 1.0)", "mine"),
    ("solve(equation(|u| dt(opaque(|u| u, u)) - u), 1.0, 1.0)", "write dt of the unknowns"),
    ("opaque(|u| u)", ""),
];

fn limits() -> Limits {
    Limits {
        operations: 300_000,
        string_length: 1 << 20,
        array_length: 100_000,
        map_length: 1000,
        tensor_bytes: 64 << 20,
        ..Limits::default()
    }
}

fn host(limits: Limits) -> Host {
    let folder = std::env::temp_dir().join(format!("ansatz-hostile-{}", std::process::id()));
    Host::new(Session::new(Options {
        limits,
        run_folder: folder.join("run"),
        script_folder: Some(folder),
        ..Options::default()
    }))
}

/// One test at a time: the flag that stops an evaluation is the process's.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Evaluates a script and says what is wrong with the outcome.
fn judge(host: &mut Host, script: &str, expected: &str) -> Option<String> {
    let start = Instant::now();
    let outcome = host.evaluate("case", script);
    let taken = start.elapsed();
    let short: String = script.chars().take(200).collect();
    let mut faults = Vec::new();
    match &outcome {
        Ok(value) if expected != "ok" && !expected.is_empty() => {
            faults.push(format!("succeeded with {}", value.to_string().chars().take(100).collect::<String>()))
        }
        Ok(_) => {}
        Err(d) if expected == "ok" => faults.push(format!("failed:\n{d}")),
        Err(d) if d.error.kind() == Kind::Internal => faults.push(format!("an internal error:\n{d}")),
        Err(d) if !d.to_string().contains(expected) => faults.push(format!("does not say {expected:?}:\n{d}")),
        Err(d) if d.to_string().len() > 5000 => faults.push(format!("is too long: {} bytes", d.to_string().len())),
        Err(_) => {}
    }
    if std::env::var_os("SHOW").is_some() {
        match &outcome {
            Ok(value) => println!("--- {short}\n{}", value.to_string().chars().take(200).collect::<String>()),
            Err(d) => println!("--- {short}\n{}", d.to_string().chars().take(1500).collect::<String>()),
        }
    }
    drop(outcome);
    if taken > Duration::from_secs(1) {
        faults.push(format!("took {taken:?}"));
    }
    // The session lives on, with nothing left behind.
    match host.evaluate("after", "let alive = tensor([1, 2]); item(sum(alive * 3)) == 9") {
        Ok(value) if value.as_bool() == Ok(true) => {}
        Ok(value) => faults.push(format!("afterwards the session says {value}")),
        Err(d) => faults.push(format!("afterwards the session says {d}")),
    }
    (!faults.is_empty()).then(|| format!("--- {short}\n{}", faults.join("\n")))
}

/// Work without end: the limit of time stops it.
const ENDLESS: &[&str] = &[
    "loop { }",
    "sleep(1000000000)",
    "sleep(1e300)",
    "grad(|x| { loop { } }, 1.0)",
    "loop { try { sleep(1000) } catch { } }",
    "loop { try { loop { } } catch { } }",
    "let x = ones(1000); loop { x = x * 1.0; }",
    "for i in 0..9223372036854775807 { sum(ones(10)); }",
    "[1, 2].map(|x| { loop { } })",
    "let f = || { loop { } }; f.call()",
];

#[test]
fn endless_scripts_are_stopped_in_time() {
    let _alone = alone();
    let faults = stack::on_large_stack(|| {
        let mut host = host(Limits { seconds: 0.05, ..Limits::default() });
        let outcomes = ENDLESS.iter().map(|script| judge(&mut host, script, "limit of wall time"));
        outcomes.flatten().collect::<Vec<_>>()
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Single operations of seconds: the limit of time stops or leaves them.
const LONG: &[&str] = &[
    "sort(sin(arange(0, 4000000)), 0)",
    "fft::fft(ones([4194301]))",
    "fft::rfft(ones([64, 64, 64, 32]))",
    "random::permutation(4000000)",
    "conv(ones([1, 64, 512, 512]), ones([64, 64, 5, 5]))",
    "conv(ones([1, 64, 1024, 1024]), ones([64, 64, 5, 5]), #{ stride: 2 })",
    "conv(ones([1, 64, 1024, 1024]), ones([1, 64, 7, 7]))",
    "grad(|w| sum(conv(ones([4, 32, 256, 256]), w)), ones([32, 32, 7, 7]))",
    "matmul(ones([4000, 4000]), ones([4000, 4000]))",
    "matmul(ones([64, 1000, 1000]), ones([64, 1000, 1000]))",
    "plot::histogram(sin(arange(0, 10000000))).save(\"long.png\")",
];

#[test]
fn long_operations_are_left_in_time() {
    let _alone = alone();
    let faults = stack::on_large_stack(|| {
        let mut host = host(Limits { seconds: 0.1, ..Limits::default() });
        let outcomes = LONG.iter().map(|script| judge(&mut host, script, "limit of wall time"));
        outcomes.flatten().collect::<Vec<_>>()
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_stack_is_never_used_up() {
    // A thousand calls of hundreds of nested expressions each pass any stack.
    let nested = |inner: &str, depth: usize| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let sum = |depth: usize| format!("{}0{}", "(1 + ".repeat(depth), ")".repeat(depth));
    let cases = vec![
        (nested("1", 5000), "depth"),
        (sum(5000), "depth"),
        (format!("{}1", "-".repeat(100_000)), ""),
        (format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)), ""),
        (format!("{}{}", "if true {".repeat(20_000), "}".repeat(20_000)), ""),
        (format!("let f = {} 1;", "|x| ".repeat(20_000)), ""),
        (format!("fn f(n) {{ {} }} f(0)", nested("f(n + 1)", 300)), "deep"),
        (format!("fn f(n) {{ {} + f(n + 1) }} f(0)", sum(450)), "deep"),
        (format!("let f = |f| {}; f.call(f)", nested("f.call(f)", 300)), "deep"),
        ((0..70).map(|i| format!("x{i}")).collect::<Vec<_>>().join(" + "), "no variable"),
        (format!("assert({} == 70)", vec!["1"; 70].join(" + ")), "ok"),
        (format!("assert({} == 900)", vec!["1"; 900].join(" + ")), "ok"),
        ("let f = || 0; for i in 0..200000 { let g = f; f = || g.call(); } f.call()".into(), "deep"),
        ("let a = []; for i in 0..2000 { let b = []; b.push(a); a = b; } print(a); a".into(), ""),
        ("let x = tensor([1.0]); grad(|x| { for i in 0..20000 { x = x * 1.0; } x }, x)".into(), "ok"),
    ];
    let _alone = alone();
    let faults = stack::on_large_stack(move || {
        let mut host = host(Limits::default());
        cases.iter().filter_map(|(script, expected)| judge(&mut host, script, expected)).collect::<Vec<_>>()
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn equations_that_cannot_be_solved_end_in_clear_errors() {
    let _alone = alone();
    let faults = stack::on_large_stack(|| {
        let mut host = host(limits());
        let mut faults = Vec::new();
        for (script, expected) in EQUATIONS {
            let _ = host.evaluate("physics", PHYSICS).unwrap_or_else(|d| panic!("{d}"));
            faults.extend(judge(&mut host, script, expected));
            host.reset();
        }
        faults
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), EQUATIONS.len(), faults.join("\n"));
}

#[test]
fn hostile_scripts_end_in_clear_errors() {
    let _alone = alone();
    let faults = stack::on_large_stack(|| {
        let _ = std::fs::create_dir_all(std::env::temp_dir().join(format!("ansatz-hostile-{}", std::process::id())));
        let mut host = host(limits());
        let mut faults = Vec::new();
        for (script, expected) in CASES {
            faults.extend(judge(&mut host, script, expected));
            host.reset();
        }
        faults
    });
    let faults = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
}
