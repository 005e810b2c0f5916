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
    /// Names that a text, and those before it, give to variables with `let`, `const` and `for`.
    pub fn variables(&self, source: usize) -> Vec<String> {
        let mut names = Vec::new();
        for (_, text) in self.texts.iter().take(source.saturating_add(1)) {
            let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
            while let Some(word) = words.next() {
                if matches!(word, "let" | "const" | "for") {
                    names.extend(words.next().map(str::to_string));
                }
            }
        }
        names
    }
    /// The text of a function, or `otherwise`.
    pub fn of_function(&self, name: &str, otherwise: usize) -> usize {
        self.functions.get(name).copied().unwrap_or(otherwise)
    }
    /// Names of the functions that the texts define, closures left out.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str).filter(|name| !name.starts_with("anon$"))
    }
    /// The name of a text.
    pub fn name(&self, source: usize) -> &str {
        self.texts.get(source).map_or("", |(name, _)| name)
    }
    /// An error at a position of a text, or at the option that it is about in the call there.
    pub fn diagnostic(&self, error: Error, source: usize, position: Position) -> Box<Diagnostic> {
        let text = self.texts.get(source).map_or("", |(_, text)| &**text);
        let position = error.key().and_then(|key| place_of_key(text, position, key)).unwrap_or(position);
        Box::new(Diagnostic::at(error, self.name(source), text, position))
    }
}

/// Where `key:` stands in the arguments of the call at a position.
fn place_of_key(text: &str, position: Position, key: &str) -> Option<Position> {
    let (line, column) = (position.line()?, position.position()?);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(|line| line.chars().count()).sum();
    let chars: Vec<char> = text.chars().collect();
    let wanted: Vec<char> = key.chars().collect();
    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let mut depth = 0usize;
    let mut quote = None;
    let mut at = before + column - 1;
    while let Some(&c) = chars.get(at) {
        match (quote, c) {
            (Some(_), '\\') => at += 1,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth <= 1 => return None,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) if depth > 0 && chars.get(at..)?.starts_with(&wanted) => {
                let mut after = chars.get(at + wanted.len()..)?.iter();
                let longer = word(after.as_slice().first()) || at > 0 && word(chars.get(at - 1));
                if !longer && after.find(|c| !c.is_whitespace()) == Some(&':') {
                    let line = chars.get(..at)?.iter().filter(|c| **c == '\n').count() + 1;
                    let column = chars.get(..at)?.iter().rev().take_while(|c| **c != '\n').count() + 1;
                    return Some(Position::new(u16::try_from(line).ok()?, u16::try_from(column).ok()?));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_the_call_they_belong_to() {
        let text = "let a = f(#{ sed: 1 });\nlet b = g(\"(sed:\", [2], #{\n  used: 2, sed : 3 });\nh(#{ sed: 1 })";
        let place = |line, column| place_of_key(text, Position::new(line, column), "sed");
        assert_eq!(place(1, 9), Some(Position::new(1, 14)));
        assert_eq!(place(2, 9), Some(Position::new(3, 12)));
        assert_eq!(place(4, 1), Some(Position::new(4, 6)));
        assert_eq!(place_of_key("k(x); h(#{ sed: 1 })", Position::new(1, 1), "sed"), None);
    }
}
