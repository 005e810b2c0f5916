//! Where a session's output goes: a terminal here, a notebook's messages elsewhere.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::progress::{Bar, Lines, ProgressSink, Silent};

/// Receives everything a session shows.
pub trait Sink {
    /// A line of text from `print`.
    fn text(&self, line: &str);
    /// Something the user should know that is not a result: a warning, a hint.
    fn note(&self, line: &str);
    /// A picture was written to `path`; `png` holds it as PNG where it can be shown.
    fn picture(&self, path: &Path, png: &[u8]);
    /// A table, already laid out as text, and as rows for richer displays.
    fn table(&self, text: &str, header: &[String], rows: &[Vec<String>]);
    /// Long work begins.
    fn progress(&self, title: &str, total: u64) -> Box<dyn ProgressSink>;
}

/// Standard output for results, standard error for notes and progress.
pub struct Terminal {
    quiet: bool,
}

impl Terminal {
    /// A quiet one shows results only.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }
}

impl Sink for Terminal {
    fn text(&self, line: &str) {
        // A closed pipe (`ansatz run … | head`) is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    fn note(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
    fn picture(&self, path: &Path, _png: &[u8]) {
        self.note(&format!("wrote {}", path.display()));
    }
    fn table(&self, text: &str, _header: &[String], _rows: &[Vec<String>]) {
        self.text(text);
    }
    fn progress(&self, title: &str, total: u64) -> Box<dyn ProgressSink> {
        if self.quiet {
            Box::new(Silent)
        } else if std::io::stderr().is_terminal() {
            Box::new(Bar::new(title, total))
        } else {
            Box::new(Lines::new(title, total))
        }
    }
}
