//! The texts that functions come from: an error in a function of an earlier cell or of a library shows its own line.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{AST, Position};

use super::diagnose::Diagnostic;
use crate::error::Error;

/// Texts of a session in the order they came.
#[derive(Default)]
pub(super) struct Sources {
    texts: Vec<(String, Rc<str>)>,
    /// The text that a function was last defined in.
    functions: BTreeMap<String, usize>,
}

impl Sources {
    /// Adds a text and its functions.
    pub fn add(&mut self, name: &str, text: &str, ast: &AST) -> usize {
        let at = self.texts.len();
        let mut defines = false;
        for function in ast.iter_functions() {
            self.functions.insert(function.name.to_string(), at);
            defines = true;
        }
        // A cell without functions is needed only while it runs: its place is used again.
        if let Some((last, text_of_last)) = self.texts.last_mut()
            && !self.functions.values().any(|&f| f + 1 == at)
            && !defines
        {
            *last = name.to_string();
            *text_of_last = text.into();
            return at - 1;
        }
        self.texts.push((name.to_string(), text.into()));
        at
    }
    /// The text of a function, or `otherwise`.
    pub fn of_function(&self, name: &str, otherwise: usize) -> usize {
        self.functions.get(name).copied().unwrap_or(otherwise)
    }
    /// The name of a text.
    pub fn name(&self, source: usize) -> &str {
        self.texts.get(source).map_or("", |(name, _)| name)
    }
    /// An error at a position of a text.
    pub fn diagnostic(&self, error: Error, source: usize, position: Position) -> Box<Diagnostic> {
        let text = self.texts.get(source).map_or("", |(_, text)| &**text);
        Box::new(Diagnostic::at(error, self.name(source), text, position))
    }
}
