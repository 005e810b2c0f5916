//! The shell as a person meets it: on a terminal, where Ctrl-C is a key while a line is typed and a signal while it runs.
#![cfg(unix)]

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

/// The shell on a terminal of its own, at its first prompt.
fn shell(name: &str) -> PtySession {
    let folder = std::env::temp_dir().join(format!("ansatz-terminal-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ansatz"));
    command.arg("repl").current_dir(&folder).env("XDG_STATE_HOME", &folder).env("TERM", "xterm");
    let mut shell = spawn_command(command, Some(60_000)).expect("the shell starts");
    shell.exp_string("> ").expect("a prompt");
    shell
}

/// Types a line and waits for what it shows.
fn ask(shell: &mut PtySession, line: &str, shown: &str) {
    shell.send_line(line).expect("the line is typed");
    shell.exp_string(shown).unwrap_or_else(|e| panic!("{line} does not show {shown}: {e}"));
}

/// Types a line that does not end by itself, waits until it runs, and presses Ctrl-C.
fn stop(shell: &mut PtySession, line: &str) {
    // In two parts, so that the echo of the line is not taken for what it prints.
    ask(shell, &format!("print(\"be\" + \"gun\"); {line}"), "begun");
    shell.send_control('c').expect("Ctrl-C is pressed");
    shell.exp_string("interrupted").unwrap_or_else(|e| panic!("{line} is not interrupted: {e}"));
}

#[test]
fn ctrl_c_ends_an_evaluation_and_nothing_else() {
    let mut shell = shell("stop");
    ask(&mut shell, "let kept = 40 + 2; kept", "42");
    // Three within two seconds: each is answered, so none ends the shell.
    for _ in 0..3 {
        stop(&mut shell, "loop { }");
    }
    ask(&mut shell, "kept + 1", "43");
    let path =
        "sample(sde::process(|x, t| -x, #{ diffusion: 1.0 }), zeros([2]), linspace(0, 1, 2_000_001), #{ seed: 1 })";
    stop(&mut shell, path);
    let training = "let net = nn::net(nn::linear(1, 1)); let x = zeros([4, 1]); \
                    train(net, #{ steps: 100_000_000, optimizer: optim::sgd(#{ lr: 0.1 }), loss: |net, batch| mse(net.forward(x), x) })";
    stop(&mut shell, training);
    stop(&mut shell, "solve(random::normal([4000, 4000]), random::normal([4000]))");
    ask(&mut shell, "kept + 2", "44");
    shell.send_control('d').expect("Ctrl-D is pressed");
    shell.exp_eof().expect("the shell ends");
}

#[test]
fn ctrl_c_at_a_prompt_gives_a_new_one() {
    let mut shell = shell("prompt");
    ask(&mut shell, "let kept = 7; kept + 1", "8");
    shell.exp_string("> ").expect("a prompt");
    // What was typed so far is dropped.
    for part in ["", "", "", "kept = 1000; "] {
        shell.send(part).and_then(|_| shell.flush()).expect("a part of a line");
        shell.exp_string(part.trim_end()).expect("its echo");
        shell.send_control('c').expect("Ctrl-C is pressed");
        shell.exp_string("> ").expect("a new prompt");
    }
    ask(&mut shell, "kept * 11", "77");
}

#[test]
fn what_is_pasted_is_read_to_its_end() {
    let mut shell = shell("paste");
    shell.send("let a = 20;\nlet b = 1;\na + b * 3\n").expect("three lines at once");
    shell.exp_string("23").expect("the value of the last line");
    // What is typed while an evaluation runs comes after it.
    shell.send("let n = 0; while n < 300_000 { n += 1; }; n * 3\n").expect("a line");
    shell.send("a + b * 4\n").expect("another");
    shell.exp_string("900000").expect("the value of the first");
    shell.exp_string("24").expect("the value of the second");
}
