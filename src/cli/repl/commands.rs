//! Commands of the shell, `:name`.

use std::time::Instant;

use ansatz::script::reference;
use ansatz::script::table::{Table, cell};
use rhai::{Dynamic, FnPtr};

use super::Shell;
use crate::cli::{complain, say};

/// Whether the shell goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stay,
    Leave,
}

/// Names and what they do.
pub const COMMANDS: [(&str, &str); 6] = [
    ("help", "this list"),
    ("doc", "what a primitive does; without a name, all of them"),
    ("vars", "variables and functions of the session"),
    ("time", "how long an expression takes"),
    ("reset", "forget all variables and functions"),
    ("quit", "leave"),
];

/// Obeys a command.
pub fn obey(shell: &mut Shell, command: &str) -> Next {
    let (name, rest) =
        command.split_once(char::is_whitespace).map_or((command, ""), |(name, rest)| (name, rest.trim()));
    match name {
        "help" | "h" | "?" => {
            let lines: String = COMMANDS.iter().map(|(name, text)| format!("  :{name:<6} {text}\n")).collect();
            say(&format!(
                "{lines}  Tab completes, twice lists; an input goes on while a bracket is open; ?name is :doc name;\n  Ctrl-C stops what runs and keeps the session.\n"
            ));
        }
        "doc" => doc(shell, rest),
        "vars" => vars(shell),
        "reset" => shell.host.reset(),
        "time" => time(shell, rest),
        "quit" | "q" | "exit" => return Next::Leave,
        _ => {
            let near = ansatz::script::nearest(name, COMMANDS.iter().map(|(n, _)| n.to_string()));
            let advice =
                near.first().map_or("; :help lists them".to_string(), |near| format!("; did you mean :{near}?"));
            complain(&format!("there is no command :{name}{advice}\n"));
        }
    }
    Next::Stay
}

fn doc(shell: &Shell, name: &str) {
    let registry = shell.host.registry();
    if name.is_empty() {
        return say(&reference::overview(registry));
    }
    match reference::about(registry, name) {
        Some(text) => say(&text),
        None => {
            let near = reference::near(registry, name);
            let advice = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) };
            complain(&format!("nothing is called {name:?}{advice}\n"));
        }
    }
}

fn vars(shell: &Shell) {
    let mut table = Table::new("", vec!["name".into(), "type".into(), "value".into()]);
    for (name, constant, value) in shell.host.variables() {
        let name = if constant { format!("{name} (constant)") } else { name.to_string() };
        let text = summary(shell, &value);
        table.rows.push(vec![name, ansatz::script::value::type_name(&value).to_string(), text]);
    }
    for (name, parameters) in shell.host.functions() {
        table.rows.push(vec![name.to_string(), "function".into(), format!("of {parameters}")]);
    }
    if !table.rows.is_empty() {
        say(&format!("{table}\n"));
    }
}

/// A value in one line.
fn summary(shell: &Shell, value: &Dynamic) -> String {
    const MOST: usize = 90;
    let short = |text: &str| {
        let mut line: String = text.lines().next().unwrap_or_default().trim_end().chars().take(MOST).collect();
        if line.len() < text.trim_end().len() {
            line.push_str(" …");
        }
        line
    };
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        return match shell.host.parameters_of(&pointer) {
            Some((parameters, captured)) if captured.is_empty() => format!("|{}| …", parameters.join(", ")),
            Some((parameters, captured)) => format!("|{}| … with {}", parameters.join(", "), captured.join(", ")),
            None => pointer.fn_name().to_string(),
        };
    }
    let text = cell(value);
    // Values of a type of our own say what they are when they are printed.
    if text == ansatz::script::value::type_name(value) { short(&shell.host.show(value)) } else { short(&text) }
}

fn time(shell: &mut Shell, expression: &str) {
    if expression.is_empty() {
        return complain(":time EXPRESSION\n");
    }
    let start = Instant::now();
    match shell.evaluate(expression) {
        Ok(value) => {
            let taken = start.elapsed();
            if !value.is_unit() {
                say(&format!("{}\n", shell.shown(&value)));
            }
            say(&format!("{taken:.3?}\n"));
        }
        Err(diagnostic) => shell.fail(&diagnostic),
    }
}
