//! The limit of wall time.

use std::sync::mpsc;
use std::time::Duration;

use crate::session::interrupt;

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
            if let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(limit) {
                interrupt::request(interrupt::Reason::Time);
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
