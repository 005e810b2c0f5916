//! Errors as a notebook shows them: coloured, with the line of the cell that they point into.

use ansatz::error::Kind;
use ansatz::script::Diagnostic;

use crate::wire::Failure;

const RED: &str = "\u{1b}[1;31m";
const BLUE: &str = "\u{1b}[34m";
const BOLD: &str = "\u{1b}[1m";
const END: &str = "\u{1b}[0m";

/// What the program advises, and what it is in a notebook.
const ADVICE: [(&str, &str); 13] = [
    ("--max-tensor-bytes", "%limits tensor_bytes=…"),
    ("--max-seconds", "%limits seconds=…"),
    ("--max-operations", "%limits operations=…"),
    ("--max-call-depth", "%limits calls=…"),
    ("--max-expression-depth", "%limits nesting=…"),
    ("--max-string", "%limits string=…"),
    ("--max-array", "%limits array=…"),
    ("--max-map", "%limits map=…"),
    ("ansatz doc lists", "Tab and ?name tell of"),
    ("ansatz devices lists", "%device lists"),
    ("choose it in the first line of the script, or with --device", "choose it with %device"),
    (
        "relative to the script's folder, then to the run folder",
        "relative to the folder of the notebook, then to runs/notebook",
    ),
    ("grant another folder with --allow DIR", "files are read below the folder of the notebook"),
];

fn in_notebook(mut text: String) -> String {
    for (program, notebook) in ADVICE {
        if text.contains(program) {
            text = text.replace(program, notebook);
        }
    }
    text
}

/// An error with a name that says its kind.
pub fn failure(diagnostic: &Diagnostic) -> Failure {
    let traceback = in_notebook(diagnostic.to_string()).trim_end().lines().map(coloured).collect();
    Failure { name: name(diagnostic.error.kind()), value: diagnostic.error.what().into(), traceback }
}

/// An error of the kernel's own.
pub fn plain(name: &str, value: impl Into<String>) -> Failure {
    let value = in_notebook(value.into());
    Failure { name: name.into(), traceback: vec![format!("{RED}error{END}: {value}")], value }
}

fn name(kind: Kind) -> String {
    match kind {
        Kind::Interrupted => "Interrupted".into(),
        kind => format!("{kind:?}Error"),
    }
}

/// A line of a diagnostic: the head and the caret in red, places in blue.
fn coloured(line: &str) -> String {
    if let Some(rest) = line.strip_prefix("error: ") {
        return format!("{RED}error{END}: {BOLD}{rest}{END}");
    }
    if line.trim_start().starts_with("-->") {
        return format!("{BLUE}{line}{END}");
    }
    match line.split_once(" | ") {
        Some((lead, text)) if text.trim() == "^" => format!("{lead} | {RED}{text}{END}"),
        _ => line.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ansatz::script::Host;
    use ansatz::session::{Options, Session};

    #[test]
    fn an_error_in_a_function_points_into_its_cell() {
        let _guard = crate::worker::interrupts::alone();
        let mut host = Host::new(Session::new(Options::default()));
        let _ = host.evaluate("In [1]", "fn f(x) {\n    undefined_name + x\n}").unwrap();
        let failure = failure(&host.evaluate("In [2]", "let a = 1;\nf(a)").unwrap_err());
        assert_eq!(failure.name, "ScriptError");
        assert_eq!(failure.value, "there is no variable `undefined_name`");
        let text = failure.traceback.join("\n");
        assert!(text.contains("--> In [1]:2:5") && text.contains("undefined_name + x"), "{text}");
        assert!(text.contains("called at In [2]:2:1"), "{text}");
    }

    #[test]
    fn advice_is_what_can_be_done_in_a_notebook() {
        let _guard = crate::worker::interrupts::alone();
        let mut host = Host::new(Session::new(Options::default()));
        for (code, advice) in [("ones([1000000, 1000000])", "%limits tensor_bytes="), ("nothing_such()", "?name")] {
            let text = failure(&host.evaluate("In [1]", code).unwrap_err()).traceback.join("\n");
            assert!(text.contains(advice) && !text.contains("--max"), "{text}");
        }
    }
}
