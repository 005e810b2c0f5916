//! Completion in the shell: names of the session, and commands.

use ansatz::script::Host;
use ansatz::script::assist::Names;
pub use ansatz::script::assist::is_complete;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::commands::COMMANDS;

/// Knows the names of a session.
pub struct Assistant(Names);

impl Assistant {
    pub fn new(host: &Host) -> Self {
        Self(Names::new(host.registry()))
    }
    /// Takes over the names that the session has now.
    pub fn refresh(&mut self, host: &Host) {
        let variables = host.variables().map(|(name, ..)| name.to_string());
        self.0.refresh(variables.chain(host.functions().map(|(name, _)| name.to_string())));
    }
    fn candidates(&self, before: &str) -> (usize, Vec<String>) {
        match before.strip_prefix(':') {
            Some(command) if !command.contains(' ') => {
                let names = COMMANDS.iter().map(|(name, _)| name.to_string()).filter(|n| n.starts_with(command));
                (1, names.collect())
            }
            _ => self.0.candidates(before),
        }
    }
}

impl Completer for Assistant {
    type Candidate = Pair;
    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, names) = self.candidates(line.get(..position).unwrap_or(line));
        Ok((start, names.into_iter().map(|name| Pair { display: name.clone(), replacement: name }).collect()))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let complete = context.input().trim_start().starts_with(':') || is_complete(context.input());
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}
impl Highlighter for Assistant {}
impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;
    use ansatz::session::{Options, Session};

    #[test]
    fn commands_are_completed() {
        let assistant = Assistant::new(&Host::new(Session::new(Options::default())));
        assert_eq!(assistant.candidates(":qu").1, ["quit"]);
        assert!(assistant.candidates("linsp").1.contains(&"linspace".to_string()));
    }
}
