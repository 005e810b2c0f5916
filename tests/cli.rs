//! The program as a user runs it: exit codes, output, what the run folder holds.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ansatz-cli-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn ansatz(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ansatz"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn run_leaves_a_folder() {
    let folder = folder("run");
    let script = "let steps = param(\"steps\", 3);\nmetric(#{ step: 1, loss: 0.5 });\nreport(#{ error: 0.25, lost: 0.0 / 0.0, x: tensor([1, 2]) });\nreport(#{ steps: steps });\nprint(tensor([1, 2]) * steps);";
    std::fs::write(folder.join("heat.rhai"), script).expect("a script");
    let old = folder.join("runs/heat");
    std::fs::create_dir_all(old.join("checkpoints")).expect("an old run");
    std::fs::write(old.join("metrics.jsonl"), "{\"old\":1}\n").expect("old metrics");
    std::fs::write(old.join("mine.txt"), "kept").expect("a file of the user");

    let output = ansatz(
        &folder,
        &["run", "heat.rhai", "--set", "steps=5", "--set", "stpes=7", "--seed", "9", "--precision", "f64"],
        "",
    );
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("[ 5, 10]"), "{}", out(&output));
    assert!(err(&output).contains("stpes") && err(&output).contains("did you mean steps?"), "{}", err(&output));
    assert!(err(&output).contains("null in results.json: lost"), "{}", err(&output));

    assert_eq!(std::fs::read_to_string(old.join("script.rhai")).expect("the script"), script);
    assert_eq!(std::fs::read_to_string(old.join("metrics.jsonl")).expect("metrics"), "{\"loss\":0.5,\"step\":1}\n");
    assert!(!old.join("checkpoints").exists() && old.join("mine.txt").exists());
    let results = json(&old.join("results.json"));
    assert_eq!(results, serde_json::json!({ "error": 0.25, "lost": null, "steps": 5, "x": [1.0, 2.0] }));
    let run = json(&old.join("run.json"));
    assert_eq!(
        (&run["status"], &run["exit"], &run["seed"], &run["precision"]),
        (&"ok".into(), &0.into(), &9.into(), &"f64".into())
    );
    assert_eq!((&run["parameters"]["steps"], &run["set"]["stpes"]), (&"5".into(), &"7".into()));
    assert_eq!(run["versions"]["burn"], "0.22.1");
    assert!(run["start"].as_str().is_some_and(|s| s.ends_with('Z')) && run["seconds"].is_number());
}

#[test]
fn exit_codes_say_how_it_ended() {
    let folder = folder("codes");
    std::fs::write(folder.join("good.rhai"), "1 + 1").expect("a script");
    std::fs::write(folder.join("bad.rhai"), "let x = 1;\nx + nope").expect("a script");
    let good = ansatz(&folder, &["run", "good.rhai", "--out", "here"], "");
    assert_eq!((good.status.code(), out(&good).as_str()), (Some(0), "2\n"), "{}", err(&good));
    assert!(folder.join("here/run.json").exists());
    let bad = ansatz(&folder, &["run", "bad.rhai"], "");
    assert_eq!(bad.status.code(), Some(1));
    assert!(err(&bad).contains("no variable `nope`") && err(&bad).contains("bad.rhai:2:5"), "{}", err(&bad));
    assert_eq!(json(&folder.join("runs/bad/run.json"))["status"], "failed");
    for arguments in [
        vec!["run"],
        vec!["nothing"],
        vec!["run", "good.rhai", "--device", "cuda:4000"],
        vec!["run", "good.rhai", "--set", "x"],
        vec!["run", "good.rhai", "--max-tensor-bytes", "lots"],
    ] {
        assert_eq!(ansatz(&folder, &arguments, "").status.code(), Some(2), "{arguments:?}");
    }
    // Whether it was built without CUDA, has no driver or not so many cards: it says so.
    let device = ansatz(&folder, &["run", "good.rhai", "--device", "cuda:4000"], "");
    assert!(err(&device).contains("CUDA") && err(&device).contains("advice"), "{}", err(&device));
    assert_eq!(ansatz(&folder, &["run", "missing.rhai"], "").status.code(), Some(1));
    let input = ansatz(&folder, &["run", "-"], "print(3 * 4);");
    assert_eq!((input.status.code(), out(&input).as_str()), (Some(0), "12\n"), "{}", err(&input));
    let limited = ansatz(&folder, &["run", "-", "--max-operations", "1000"], "loop { }");
    assert!(limited.status.code() == Some(1) && err(&limited).contains("--max-operations"), "{}", err(&limited));
    let slow = ansatz(&folder, &["run", "-", "--max-seconds", "0.1"], "loop { }");
    assert!(slow.status.code() == Some(1) && err(&slow).contains("--max-seconds"), "{}", err(&slow));
}

#[test]
fn an_interrupt_stops_a_script_and_says_so() {
    let folder = folder("interrupt");
    std::fs::write(folder.join("endless.rhai"), "metric(#{ step: 1 }); print(\"begun\"); loop { }").expect("a script");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ansatz"))
        .args(["run", "endless.rhai"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The script is running once it has printed.
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    assert_eq!(line, "begun\n");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|s| s.success()));
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(130), "{}", err(&output));
    assert_eq!(json(&folder.join("runs/endless/run.json"))["status"], "interrupted");
    assert!(folder.join("runs/endless/metrics.jsonl").exists());
}

#[test]
fn a_closed_pipe_is_no_reason_to_fail() {
    let folder = folder("pipe");
    std::fs::write(folder.join("talk.rhai"), "for i in 0..20000 { print(i); } report(#{ done: true });")
        .expect("a script");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ansatz"))
        .args(["run", "talk.rhai"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(folder.join("runs/talk/results.json").exists());
}

/// Parameters of an equation are options that only the call knows.
const GOOD: &str = "let x = tensor([1]); print(sum(x, 0, #{ keep: true }));
let rate = 1.0;
solve(equation(|u| dt(u) + rate * u), 1.0, 1.0, #{ rate: 2.0 });
";

#[test]
fn check_reports_all_findings_without_running() {
    let folder = folder("check");
    std::fs::write(
        folder.join("bad.rhai"),
        "print(\"ran\");\nlet x = tensr([1]);\nsum(x, 0, #{ kep: true });\nfn f(a) { a + b }\n",
    )
    .expect("a script");
    let output = ansatz(&folder, &["check", "bad.rhai"], "");
    let text = err(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in ["bad.rhai:2:9", "did you mean tensor?", "bad.rhai:3:14", "bad.rhai:4:15", "3 problems in bad.rhai"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!out(&output).contains("ran") && !folder.join("runs").exists());
    std::fs::write(folder.join("good.rhai"), GOOD).expect("a script");
    let output = ansatz(&folder, &["check", "good.rhai"], "");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
fn check_and_run_report_an_unknown_option_in_the_same_words() {
    let folder = folder("same");
    std::fs::write(folder.join("bad.rhai"), "// A comment\n\nrandom::normal([3], #{ sed: 1 });\n").expect("a script");
    let expected = "\
error: random::normal: there is no option `sed`
   --> bad.rhai:3:24
   |
 3 | random::normal([3], #{ sed: 1 });
   |                        ^
  expected: one of seed
    advice: did you mean `seed`?
";
    assert_eq!(err(&ansatz(&folder, &["run", "bad.rhai"], "")), expected);
    let checked = err(&ansatz(&folder, &["check", "bad.rhai"], ""));
    assert!(checked.starts_with(expected), "{checked}");
}

#[test]
fn a_resumed_run_of_another_script_is_warned_of() {
    let folder = folder("changed");
    let run = |text: &str| {
        std::fs::write(folder.join("a.rhai"), text).expect("a script");
        let output = ansatz(&folder, &["run", "a.rhai", "--resume"], "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        err(&output)
    };
    assert_eq!((run("let a = 1;").as_str(), run("let a = 1;").as_str()), ("", ""));
    let warned = run("let a = 2;");
    assert!(warned.starts_with("warning: --resume: the script has changed"), "{warned}");
    assert_eq!((warned.lines().count(), run("let a = 2;").as_str()), (1, ""));
}

#[test]
fn the_limit_of_time_ends_long_primitives() {
    let folder = folder("time");
    for (name, script) in [
        (
            "path",
            "sample(sde::process(|x, t| -x, #{ diffusion: 1.0 }), zeros([2]), linspace(0, 1, 2_000_001), #{ seed: 1 })",
        ),
        ("system", "let a = random::normal([4000, 4000], #{ seed: 1 }); solve(a, a)"),
        ("product", "let a = random::normal([6000, 6000], #{ seed: 1 }); matmul(a, a)"),
    ] {
        std::fs::write(folder.join("long.rhai"), script).expect("a script");
        let begin = std::time::Instant::now();
        let output = ansatz(&folder, &["run", "long.rhai", "--max-seconds", "0.5"], "");
        let (text, seconds) = (err(&output), begin.elapsed().as_secs_f64());
        assert!(text.contains("limit of wall time"), "{name}: {text}");
        assert!(seconds < 10.0, "{name}: {seconds:.1} s");
    }
}

#[test]
fn numbers_are_printed_with_the_digits_of_the_precision() {
    let folder = folder("digits");
    let script =
        "let third = 1 / 3; print(third); print([third]); print(#{ a: third }); report(#{ third: third }); third";
    std::fs::write(folder.join("a.rhai"), script).expect("a script");
    let single = out(&ansatz(&folder, &["run", "a.rhai"], ""));
    assert_eq!(single, "0.333333\n[0.333333]\n#{\"a\": 0.333333}\nthird  0.33333\n0.333333\n");
    let stored = json(&folder.join("runs/a/results.json"));
    assert_eq!(stored["third"], serde_json::json!(1.0 / 3.0));
    let double = out(&ansatz(&folder, &["run", "a.rhai", "--precision", "f64"], ""));
    assert!(double.starts_with("0.3333333333333333\n[0.3333333333333333]\n"), "{double}");
}

#[test]
fn doc_tells_about_primitives() {
    let folder = folder("doc");
    let all = out(&ansatz(&folder, &["doc"], ""));
    for part in ["Tensors", "linspace(start, stop, count)", "The gradient of a scalar function"] {
        assert!(all.contains(part), "{part}");
    }
    let one = out(&ansatz(&folder, &["doc", "check::gradient"], ""));
    for part in ["check::gradient(f, x, [options])", "tolerance", "examples", "// true"] {
        assert!(one.contains(part), "{part}\n{one}");
    }
    assert!(out(&ansatz(&folder, &["doc", "check"], "")).contains("check::gradient"));
    let none = ansatz(&folder, &["doc", "linspce"], "");
    assert!(none.status.code() == Some(1) && err(&none).contains("linspace"), "{}", err(&none));
    let markdown = out(&ansatz(&folder, &["doc", "--markdown"], ""));
    assert!(markdown.starts_with("# Reference") && markdown.contains("### `grad(f, x)`"));
    let devices = out(&ansatz(&folder, &["devices"], ""));
    assert!(devices.starts_with("cpu") && devices.contains("cuda"), "{devices}");
}

#[test]
fn the_shell_reads_a_pipe() {
    let folder = folder("repl");
    let input = "let x = tensor([1, 2])\nfn twice(a) {\n  a * 2\n}\ntwice(x)\n\"text\"\nnope\n:vars\n:doc linspace\n:time 1 + 1\n:nothing\n:reset\nx\n:quit\n271828182\n";
    let output = ansatz(&folder, &["repl"], input);
    let (text, errors) = (out(&output), err(&output));
    for part in ["[2, 4]", "\"text\"", "linspace(start, stop, count)", "twice", "function"] {
        assert!(text.contains(part), "{part}\n{text}\n{errors}");
    }
    for part in ["no variable `nope`", "no command :nothing", "no variable `x`"] {
        assert!(errors.contains(part), "{part}\n{errors}");
    }
    assert!(!text.contains("271828182") && output.status.code() == Some(1));
    let fine = ansatz(&folder, &["repl"], "1 + 1\n");
    assert_eq!((fine.status.code(), out(&fine).as_str()), (Some(0), "2\n"), "{}", err(&fine));
}

#[test]
fn a_script_may_begin_with_a_mark_or_a_line_for_the_system() {
    let folder = folder("begin");
    for (name, text) in [
        ("mark", "\u{feff}print(-2 ** 2);\nprint(\"done\");"),
        ("line", "#!/usr/bin/env -S ansatz run\nprint(-2 ** 2);\nprint(\"done\");"),
    ] {
        let file = format!("{name}.rhai");
        std::fs::write(folder.join(&file), text).expect("a script");
        let output = ansatz(&folder, &["run", &file], "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert_eq!(out(&output), "-4\ndone\n");
        let output = ansatz(&folder, &["check", &file], "");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    }
}

#[test]
fn the_shell_is_left_by_name() {
    let folder = folder("leave");
    for word in ["exit", "exit()", "quit", "quit();", ":quit", "if true { exit() }", "exit(3)"] {
        let output = ansatz(&folder, &["repl"], &format!("print(\"before\")\n{word}\nprint(\"after\")\n"));
        assert_eq!(output.status.code(), Some(0), "{word}: {}", err(&output));
        assert!(out(&output).contains("before") && !out(&output).contains("after"), "{word}: {}", out(&output));
    }
    let output = ansatz(&folder, &["repl"], "let quit = 41\nquit\nprint(\"after\")\n");
    assert!(out(&output).contains("41\nafter"), "{}", out(&output));
}

#[test]
fn the_shell_says_what_its_variables_are() {
    let folder = folder("vars");
    let input = "let c = 2; let f = |x, y| c * x * y;\nlet g = grid::periodic([8], [1]);\n\
                 let e = equation(|u| dt(u) - laplacian(u));\nlet n = nn::net(nn::linear(2, 3));\n:vars\n";
    let shown = out(&ansatz(&folder, &["repl"], input));
    for part in ["|x, y| … with c", "periodic grid: x in [0, 1)", "u_t - Δu = 0", "network of 9 parameters"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn problems_that_have_no_solution_are_said_to_be_such() {
    let folder = folder("ill-posed");
    let sine = "let g = grid::periodic([32], [TAU]); let s = g.sample(|x| sin(x));\n";
    // (script, whether it ends well, what is said)
    for (script, well, said) in [
        ("solve(equation(|u| dt(u) + dx(u, 2)), s, 1.0);", true, "the finest modes grow fastest, by e^256"),
        ("solve(equation(|u| dt(u) - dx(u, 2)), s, [1.0, 0.0]);", true, "does time run backward?"),
        (
            "solve(equation(|u| dt(u) - dx(u, 2) + u * u), s, [9.0, 0.0], #{ steps: 300 });",
            false,
            "does time run backward?",
        ),
        (
            "let q = s * NAN; solve(equation(|u| dt(u) - dx(u, 2) - q), s, 1.0);",
            false,
            "`q` in the equation is not finite",
        ),
        (
            "let q = s.values / 0; solve(equation(|u| dt(u) - u * dx(u) - q), s, 1.0, #{ derivatives: \"central\" });",
            false,
            "`q` in the equation is not finite",
        ),
        // Growth that ends with the wavenumber is a property of the equation.
        (
            "solve(physics::kuramoto_sivashinsky(), grid::periodic([64], [64.0]).sample(|x| cos(x / 8)), 150, #{ steps: 600 });",
            true,
            "",
        ),
        ("solve(equation(|u| dt(u) - 3 * u - 0.01 * dx(u, 2)), s, 40.0);", true, ""),
        ("solve(equation(|u| dt(u) - dx(u, 2)), s, 1.0);", true, ""),
    ] {
        std::fs::write(folder.join("script.rhai"), format!("{sine}{script}")).expect("a script");
        let output = ansatz(&folder, &["run", "script.rhai", "--precision", "f64"], "");
        let text = out(&output) + &err(&output);
        assert_eq!(output.status.success(), well, "{script}: {text}");
        if said.is_empty() {
            assert!(!text.contains("finest modes grow"), "{script}: {text}");
        } else {
            assert!(text.contains(said), "{script}: {text}");
        }
    }
}

#[test]
fn reverse_paths_that_grow_are_warned_of() {
    let folder = folder("reverse");
    let script = "let g = grid::periodic([32], [TAU]); let times = linspace(0, 0.5, 33);
        let p = sde::process(spectral::operator(g, |k| -k * k), #{ diffusion: 0.1, scheme: param(\"scheme\", \"exact\") });
        let score = sde::gaussian_score(p, g, times);
        let end = sample(p, random::normal([4, 1, 32], #{ seed: 1 }).field(g), times, #{ seed: 2 }).last();
        reverse(p, score, end, times, #{ seed: 3, integrator: param(\"integrator\", \"euler\") });";
    std::fs::write(folder.join("script.rhai"), script).expect("a script");
    for (scheme, integrator, warned) in [("exact", "euler", true), ("exponential", "conditional_mean", false)] {
        let (scheme, set) = (format!("scheme={scheme}"), format!("integrator={integrator}"));
        let output = ansatz(&folder, &["run", "script.rhai", "--set", &scheme, "--set", &set], "");
        assert!(output.status.success(), "{integrator}: {}", err(&output));
        let text = out(&output) + &err(&output);
        assert_eq!(text.contains("have grown"), warned, "{integrator}: {text}");
    }
}
