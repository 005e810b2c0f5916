//! The limit of wall time.

use std::sync::mpsc;
use std::time::Duration;

use crate::session::interrupt;

/// Between two requests.
const AGAIN: Duration = Duration::from_millis(50);

/// Asks the evaluation to stop when its time is over.
pub(super) struct Watchdog(Option<mpsc::Sender<()>>);

impl Watchdog {
    /// Begins to wait; no bound when `seconds` is not a positive number.
    pub fn start(seconds: f64) -> Self {
        if !(seconds > 0.0 && seconds.is_finite()) {
            return Self(None);
        }
        let (stop, stopped) = mpsc::channel();
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        std::thread::spawn(move || {
            let mut wait = limit;
            // Again and again until it has stopped: another session of this process may have cleared the flag.
            while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
                interrupt::request(interrupt::Reason::Time);
                wait = AGAIN;
            }
        });
        Self(Some(stop))
    }
}
impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.take();
    }
}
