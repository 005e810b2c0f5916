//! `ansatz repl`: evaluates line by line.

mod assist;
mod commands;
mod history;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use ansatz::script::{Diagnostic, Host, stack};
use ansatz::session::Session;
use rhai::Dynamic;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::options::SessionOptions;
use super::{FAILED, OK, complain, say, stop_on_ctrl_c};
use assist::Assistant;
use commands::Next;

/// Reads and evaluates until the input ends; returns the exit code.
pub fn repl(options: SessionOptions) -> i32 {
    let work = move || {
        if let Err(error) = options.check() {
            complain(&format!("error: {error}\n"));
            return FAILED;
        }
        let out = options.out.clone().unwrap_or_else(|| PathBuf::from("runs/repl"));
        let session = Session::new(options.session(Some(PathBuf::from(".")), out));
        let mut shell = Shell { host: Host::new(session), inputs: 0, failed: false };
        if std::io::stdin().is_terminal() {
            shell.talk(options.quiet);
        } else {
            shell.read();
        }
        let code = if shell.failed { FAILED } else { OK };
        std::mem::forget(shell);
        code
    };
    stack::on_large_stack(work).unwrap_or_else(|error| {
        complain(&format!("error: {error}\n"));
        FAILED
    })
}

/// What leaves the shell, with or without parentheses; `:quit` does too.
const LEAVE: [&str; 3] = ["exit", "quit", "q"];

/// A session and how many inputs it has had.
pub struct Shell {
    host: Host,
    inputs: usize,
    /// Whether an input from a file or a pipe failed.
    failed: bool,
}

impl Shell {
    /// With a person at a terminal.
    fn talk(&mut self, quiet: bool) {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .max_history_size(10_000)
            .map(rustyline::config::Builder::build);
        let editor = config.and_then(Editor::<Assistant, DefaultHistory>::with_config);
        let Ok(mut editor) = editor else { return self.read() };
        // After the editor, which puts a handler of its own in place; while it reads, Ctrl-C is a key like others. (Its feature
        // `signal-hook` would leave the handler alone, but then reads only the first key of what is pasted.)
        stop_on_ctrl_c(4);
        editor.set_helper(Some(Assistant::new(&self.host)));
        let history = history::file();
        if let Some(path) = &history {
            let _ = editor.load_history(path);
        }
        if !quiet {
            say(&format!("ansatz {} · :help explains, Ctrl-D leaves\n", env!("CARGO_PKG_VERSION")));
        }
        loop {
            if let Some(helper) = editor.helper_mut() {
                helper.refresh(&self.host);
            }
            match editor.readline("> ") {
                Ok(line) => {
                    if self.input(&line) == Next::Leave {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(_) => break,
            }
        }
        if let Some(path) = &history {
            let _ = editor.save_history(path);
        }
    }

    /// From a file or a pipe: complete inputs one after the other, no prompt.
    fn read(&mut self) {
        stop_on_ctrl_c(4);
        let mut pending = String::new();
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            pending.push_str(&line);
            pending.push('\n');
            if assist::is_complete(&pending) {
                let input = std::mem::take(&mut pending);
                if self.input(&input) == Next::Leave {
                    return;
                }
            }
        }
        self.input(&pending);
    }

    /// Evaluates one input, or obeys a command.
    fn input(&mut self, input: &str) -> Next {
        let input = input.trim();
        if input.is_empty() {
            return Next::Stay;
        }
        if let Some(command) = input.strip_prefix(':') {
            return commands::obey(self, command);
        }
        // As other shells have it: `?` and `help` explain, `?name` shows a primitive.
        if let Some(name) = input.strip_prefix('?') {
            let name = name.trim();
            return commands::obey(self, &if name.is_empty() { "help".to_string() } else { format!("doc {name}") });
        }
        if ["help", "help()"].contains(&input) && !self.knows(input) {
            return commands::obey(self, "help");
        }
        if LEAVE.contains(&input.trim_end_matches(';').trim_end_matches("()")) && !self.knows(input) {
            return Next::Leave;
        }
        match self.evaluate(input) {
            Ok(value) if value.is_unit() => {}
            Ok(value) => say(&format!("{}\n", self.shown(&value))),
            Err(diagnostic) => self.fail(&diagnostic),
        }
        if self.host.has_exited() { Next::Leave } else { Next::Stay }
    }

    /// Whether an input is a name of the session's own.
    fn knows(&self, input: &str) -> bool {
        let name = input.trim_end_matches(|c: char| !c.is_alphanumeric());
        self.host.variables().any(|(n, ..)| n == name) || self.host.functions().any(|(n, _)| n == name)
    }

    fn evaluate(&mut self, text: &str) -> Result<Dynamic, Box<Diagnostic>> {
        self.inputs += 1;
        self.host.evaluate(&format!("input {}", self.inputs), text)
    }

    fn fail(&mut self, diagnostic: &Diagnostic) {
        self.failed = true;
        complain(&diagnostic.to_string());
    }

    /// A value as the shell shows it: text in quotes, a closure as such, the rest as `print` does.
    fn shown(&self, value: &Dynamic) -> String {
        match value.clone().into_immutable_string() {
            Ok(text) => format!("{text:?}"),
            Err(_) if value.is_fnptr() => "a closure".into(),
            Err(_) => self.host.show(value),
        }
    }
}
