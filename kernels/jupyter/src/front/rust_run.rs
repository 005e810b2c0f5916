//! What is noted while a Rust cell is compiled and run: its time, and the words of a panic.

use std::time::{Duration, Instant};

use super::execute::failure;
use crate::wire::Failure;

/// How long a cell was compiled, and how long it ran.
pub struct Watch {
    start: Instant,
    running: Option<Instant>,
    ran: Duration,
}

impl Watch {
    pub fn start() -> Self {
        Self { start: Instant::now(), running: None, ran: Duration::ZERO }
    }
    pub fn begin(&mut self) {
        self.running = Some(Instant::now());
    }
    pub fn end(&mut self) {
        if let Some(began) = self.running.take() {
            self.ran += began.elapsed();
        }
    }
    pub fn shown(&mut self) -> String {
        self.end();
        format!("{:.3?} (compiled in {:.3?})\n", self.ran, self.start.elapsed().saturating_sub(self.ran))
    }
}

/// What a panic has said: evcxr tells that there was one, its words are on the standard error.
#[derive(Default)]
pub struct Panic {
    pub happened: bool,
    words: String,
}

impl Panic {
    /// The text without the words of a panic, which are kept.
    pub fn without(&mut self, mut text: String) -> String {
        let start = if self.words.is_empty() {
            text.find("thread '").filter(|&at| text.get(at..).is_some_and(|rest| rest.contains(" panicked at ")))
        } else {
            Some(0)
        };
        if let Some(at) = start {
            self.words.push_str(&text.split_off(at));
        }
        if text.trim().is_empty() { String::new() } else { text }
    }
    pub fn failure(&self) -> Failure {
        let lines = self.words.lines().skip(1).take_while(|line| !line.starts_with("note: run with"));
        let said = lines.collect::<Vec<_>>().join("\n");
        failure("Panic", if said.is_empty() { "a panic in Rust" } else { said.trim_end() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_panic_are_its_error() {
        let mut panic = Panic::default();
        assert_eq!(panic.without("warned\n".into()), "warned\n");
        let said = "\nthread '<unnamed>' (7) panicked at src/lib.rs:1:2:\nindex 3 is wrong\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(panic.without(said.into()), "");
        assert_eq!(panic.failure().value, "index 3 is wrong");
    }
}
