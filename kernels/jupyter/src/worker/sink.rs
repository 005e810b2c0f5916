//! Output of the session as messages to the front.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ansatz::display::{self, Rich};
use ansatz::error::{Error, Result};
use ansatz::session::{ProgressSink, Sink, interrupt};
use rhai::Dynamic;

use super::Front;
use super::values::of_rich;
use crate::wire::{Bundle, Event};

pub struct NotebookSink {
    front: Front,
    typed: RefCell<mpsc::Receiver<Option<String>>>,
    /// Whether the cell that runs is to show nothing.
    silent: Cell<bool>,
    bars: Cell<u64>,
}

impl NotebookSink {
    pub fn new(front: Front, typed: mpsc::Receiver<Option<String>>) -> Self {
        Self { front, typed: RefCell::new(typed), silent: Cell::new(false), bars: Cell::new(0) }
    }
    /// A cell begins.
    pub fn begin(&self, silent: bool) {
        self.silent.set(silent);
        // What was typed for a cell that did not wait for it belongs to no other.
        while self.typed.borrow().try_recv().is_ok() {}
    }
    fn tell(&self, event: &Event) {
        if !self.silent.get() {
            self.front.tell(event);
        }
    }
    fn display(&self, bundle: Bundle) {
        self.tell(&Event::Display { bundle, id: None, update: false });
    }
}

impl Sink for NotebookSink {
    fn text(&self, line: &str) {
        self.tell(&Event::Text { stderr: false, text: format!("{line}\n") });
    }
    fn note(&self, line: &str) {
        // What only the program can do.
        let line = line.replace("; --resume would have gone on from them", "");
        self.tell(&Event::Text { stderr: true, text: format!("{line}\n") });
    }
    fn picture(&self, path: &Path, _png: &[u8]) {
        self.note(&format!("wrote {}", path.display()));
    }
    fn table(&self, text: &str, header: &[String], rows: &[Vec<String>]) {
        // A title is the line that is left when header, rule and rows are taken away.
        let lines = text.lines().count();
        let named = header.iter().any(|h| !h.is_empty());
        let title = if lines > rows.len() + if named { 2 } else { 0 } { text.lines().next() } else { None };
        let html = display::table(title.unwrap_or_default(), header, rows);
        self.display(of_rich(&Rich { html: Some(html), ..Rich::plain(text) }));
    }
    fn progress(&self, title: &str, total: u64) -> Box<dyn ProgressSink> {
        let number = self.bars.get();
        self.bars.set(number + 1);
        Box::new(Bar {
            front: (!self.silent.get()).then(|| self.front.clone()),
            id: format!("progress-{}-{number}", std::process::id()),
            title: title.to_string(),
            total,
            done: 0,
            start: Instant::now(),
            shown: false,
        })
    }
    fn show(&self, value: &Dynamic, text: &str) {
        self.display(of_rich(&display::rich(value, text)));
    }
    fn input(&self, prompt: &str, password: bool) -> Result<String> {
        self.front.tell(&Event::Input { prompt: prompt.to_string(), password });
        loop {
            match self.typed.borrow().recv_timeout(Duration::from_millis(20)) {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => return Err(Error::file("there is nobody to ask: this notebook runs without a user")),
                Err(mpsc::RecvTimeoutError::Timeout) => interrupt::poll()?,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::file("the notebook has gone")),
            }
        }
    }
    fn clear(&self, wait: bool) {
        self.tell(&Event::Clear { wait });
    }
}

/// A bar that is updated in its place. Work that is done at once shows none.
struct Bar {
    front: Option<Front>,
    id: String,
    title: String,
    total: u64,
    done: u64,
    start: Instant,
    shown: bool,
}

impl Bar {
    const SOON: Duration = Duration::from_millis(300);

    fn draw(&mut self, message: &str, ended: bool) {
        let Some(front) = &self.front else { return };
        let bundle = drawn(&self.title, self.done, self.total, self.start.elapsed(), message, ended);
        front.tell(&Event::Display { bundle, id: Some(self.id.clone()), update: self.shown });
        self.shown = true;
    }
}

impl ProgressSink for Bar {
    fn update(&mut self, done: u64, message: &str) {
        self.done = done;
        if self.start.elapsed() >= Self::SOON {
            self.draw(message, false);
        }
    }
    fn finish(&mut self, message: &str) {
        if self.shown {
            self.draw(message, true);
        }
    }
}

/// Title, bar, steps, rate and what is left; `message` says how it goes.
fn drawn(title: &str, done: u64, total: u64, taken: Duration, message: &str, ended: bool) -> Bundle {
    let seconds = taken.as_secs_f64();
    let rate = done as f64 / seconds.max(1e-9);
    let of = if total > 0 { format!("/{total}") } else { String::new() };
    let time = if !ended && total > 0 && rate > 0.0 {
        format!("{:.0} s left", total.saturating_sub(done) as f64 / rate)
    } else {
        format!("{seconds:.1} s")
    };
    let facts = format!("{done}{of} · {rate:.1}/s · {time}{}{message}", if message.is_empty() { "" } else { " · " });
    let filled = (20 * done.min(total)).checked_div(total).unwrap_or(0) as usize;
    let text = format!("{title} {}{} {facts}", "█".repeat(filled), "░".repeat(20 - filled));
    let bar = if total > 0 {
        format!("<progress value=\"{done}\" max=\"{total}\" style=\"width:16em\"></progress>")
    } else {
        String::new()
    };
    let (title, facts) = (display::escaped(title), display::escaped(&facts));
    let html = format!("<div style=\"font-family:monospace\">{title} {bar} {facts}</div>");
    of_rich(&Rich { html: Some(html), ..Rich::plain(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_it_is() {
        let bundle = drawn("train", 30, 120, Duration::from_secs(3), "loss <1", false);
        assert_eq!(bundle.data["text/plain"], "train █████░░░░░░░░░░░░░░░ 30/120 · 10.0/s · 9 s left · loss <1");
        let html = bundle.data["text/html"].as_str().unwrap_or_default();
        assert!(html.contains("value=\"30\" max=\"120\"") && html.contains("loss &lt;1"), "{html}");
        let unknown = drawn("steps", 5, 0, Duration::from_secs(1), "", true);
        assert_eq!(unknown.data["text/plain"], "steps ░░░░░░░░░░░░░░░░░░░░ 5 · 5.0/s · 1.0 s");
    }
}
