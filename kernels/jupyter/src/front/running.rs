//! What runs, and how it is stopped: first asked, then ended.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::wire::Request;

/// A second request within this time is a double click.
const AGAIN: Duration = Duration::from_secs(1);

/// What a stop has to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Ask,
    End,
}

#[derive(Default)]
pub struct Running {
    state: Mutex<State>,
    /// The worker is to be ended.
    pub end: Notify,
    /// The user has asked for a stop.
    pub asked: Notify,
}

#[derive(Default)]
struct State {
    worker: Option<UnboundedSender<Request>>,
    asked: Option<Instant>,
}

impl State {
    fn stop(&mut self, now: Instant) -> Step {
        match (&self.worker, self.asked) {
            (None, _) => Step::Nothing,
            (Some(_), None) => {
                self.asked = Some(now);
                Step::Ask
            }
            (Some(_), Some(before)) if now.duration_since(before) >= AGAIN => Step::End,
            _ => Step::Nothing,
        }
    }
}

impl Running {
    /// Forgets what was asked of a cell that had just ended.
    pub async fn fresh(&self) {
        for asked in [&self.end, &self.asked] {
            tokio::select! {
                biased;
                () = asked.notified() => {}
                () = std::future::ready(()) => {}
            }
        }
    }
    /// A cell begins.
    pub fn begin(&self, worker: UnboundedSender<Request>) {
        if let Ok(mut state) = self.state.lock() {
            *state = State { worker: Some(worker), asked: None };
        }
    }
    /// A cell has ended.
    pub fn done(&self) {
        if let Ok(mut state) = self.state.lock() {
            *state = State::default();
        }
    }
    /// Stops the cell that runs; asked for again when it does not stop, ends the worker.
    pub fn interrupt(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        match state.stop(Instant::now()) {
            Step::Ask => {
                if let Some(worker) = &state.worker {
                    let _ = worker.send(Request::Interrupt);
                }
                self.asked.notify_one();
            }
            Step::End => self.end.notify_one(),
            Step::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_request_ends_what_did_not_stop() {
        let mut state = State::default();
        let now = Instant::now();
        assert_eq!(state.stop(now), Step::Nothing);
        state.worker = Some(tokio::sync::mpsc::unbounded_channel().0);
        assert_eq!(state.stop(now), Step::Ask);
        assert_eq!(state.stop(now + Duration::from_millis(300)), Step::Nothing);
        assert_eq!(state.stop(now + Duration::from_secs(2)), Step::End);
    }
}
