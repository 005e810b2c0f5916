//! Progress of long work: a bar in a terminal, a line now and then where there is none.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::interrupt;
use crate::error::Result;

/// Receives the progress of one piece of work.
pub trait ProgressSink {
    /// `done` steps are done; `message` says how it goes (a loss, a time).
    fn update(&mut self, done: u64, message: &str);
    /// The work ended.
    fn finish(&mut self, message: &str);
}

/// A piece of long work that reports how far it is. Ends when dropped.
pub struct Progress {
    sink: Box<dyn ProgressSink>,
    done: u64,
    total: u64,
    message: String,
    shown: Option<Instant>,
}

impl Progress {
    /// Updates more frequent than this are not shown: drawing would cost more than the work.
    const INTERVAL: Duration = Duration::from_millis(100);

    pub(super) fn new(sink: Box<dyn ProgressSink>, total: u64) -> Self {
        Self { sink, done: 0, total, message: String::new(), shown: None }
    }
    /// One step is done. Also the place where a loop notices an interrupt.
    ///
    /// # Errors
    /// When the user or the time limit asked to stop.
    pub fn step(&mut self, message: impl FnOnce() -> String) -> Result<()> {
        self.at(self.done + 1, message)
    }
    /// `done` steps are done.
    ///
    /// # Errors
    /// When the user or the time limit asked to stop.
    pub fn at(&mut self, done: u64, message: impl FnOnce() -> String) -> Result<()> {
        self.done = done;
        let due = self.shown.is_none_or(|t| t.elapsed() >= Self::INTERVAL);
        if due || (self.total > 0 && done >= self.total) {
            self.message = message();
            self.sink.update(done, &self.message);
            self.shown = Some(Instant::now());
        }
        interrupt::poll()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.sink.finish(&self.message);
    }
}

/// Shows nothing.
pub(super) struct Silent;
impl ProgressSink for Silent {
    fn update(&mut self, _: u64, _: &str) {}
    fn finish(&mut self, _: &str) {}
}

/// Steps in a second, with three digits.
fn rate_text(rate: f64) -> String {
    match rate {
        r if r >= 100.0 => format!("{r:.0}/s"),
        r if r >= 10.0 => format!("{r:.1}/s"),
        r => format!("{r:.2}/s"),
    }
}

/// A bar with rate and time left.
pub(super) struct Bar(ProgressBar);
impl Bar {
    pub fn new(title: &str, total: u64) -> Self {
        let (bar, template) = if total > 0 {
            (ProgressBar::new(total), "{prefix} {bar:30.cyan/blue} {pos}/{len} · {rate} · {left} · {msg}")
        } else {
            (ProgressBar::new_spinner(), "{prefix} {spinner} {pos} · {rate} · {msg}")
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", rate_text(state.per_sec()));
            };
            let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = match state.eta() {
                    _ if state.is_finished() => write!(out, "{:#}", HumanDuration(state.elapsed())),
                    eta if state.per_sec() > 0.0 => write!(out, "{:#} left", HumanDuration(eta)),
                    _ => write!(out, "…"),
                };
            };
            bar.set_style(style.with_key("rate", rate).with_key("left", left).progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(title.to_string());
        Self(bar)
    }
}
impl ProgressSink for Bar {
    fn update(&mut self, done: u64, message: &str) {
        self.0.set_message(message.to_string());
        self.0.set_position(done);
    }
    fn finish(&mut self, _: &str) {
        self.0.abandon();
    }
}

/// A line every few seconds.
pub(super) struct Lines {
    title: String,
    total: u64,
    done: u64,
    start: Instant,
    last: Instant,
}
impl Lines {
    const EVERY: Duration = Duration::from_secs(10);
    pub fn new(title: &str, total: u64) -> Self {
        let now = Instant::now();
        Self { title: title.to_string(), total, done: 0, start: now, last: now }
    }
    fn line(&self, message: &str) {
        let rate = self.done as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
        let (of, left) = if self.total > 0 {
            let left = (self.total.saturating_sub(self.done)) as f64 / rate.max(1e-9);
            (format!("/{}", self.total), format!(" · {left:.0} s left"))
        } else {
            (String::new(), String::new())
        };
        let _ = writeln!(std::io::stderr(), "{} {}{of} · {}{left} · {message}", self.title, self.done, rate_text(rate));
    }
}
impl ProgressSink for Lines {
    fn update(&mut self, done: u64, message: &str) {
        self.done = done;
        if self.last.elapsed() >= Self::EVERY {
            self.last = Instant::now();
            self.line(message);
        }
    }
    fn finish(&mut self, message: &str) {
        // Work of less than an interval has left no line: it needs none.
        if self.start.elapsed() >= Self::EVERY {
            self.line(message);
        }
    }
}
