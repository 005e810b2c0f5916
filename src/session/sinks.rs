//! Where a session's output goes: a terminal here, a notebook's messages elsewhere.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use rhai::Dynamic;

use super::progress::{Bar, Lines, ProgressSink, Silent};
use crate::error::{Error, Result};

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
    /// A value is to be shown as richly as can be; `text` is how `print` shows it.
    fn show(&self, value: &Dynamic, text: &str) {
        let _ = value;
        self.text(text);
    }
    /// Asks the user for a line; a password is not to be seen.
    ///
    /// # Errors
    /// When there is nobody to ask.
    fn input(&self, prompt: &str, password: bool) -> Result<String> {
        let _ = (prompt, password);
        Err(Error::file("there is nobody to ask"))
    }
    /// Removes what was shown so far, where that can be done; with `wait` when the next output comes.
    fn clear(&self, wait: bool) {
        let _ = wait;
    }
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
    fn input(&self, prompt: &str, password: bool) -> Result<String> {
        if password {
            return Err(Error::file("a terminal would show the password")
                .advice("read it from a file that is granted with --allow"));
        }
        let _ = write!(std::io::stderr(), "{prompt}");
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read? == 0 {
            return Err(Error::file("the input has ended"));
        }
        Ok(line.trim_end_matches(['\n', '\r']).to_string())
    }
}
