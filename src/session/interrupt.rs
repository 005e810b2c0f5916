//! The one global flag: set by Ctrl-C, by a watchdog at the wall-time limit, or by the notebook; polled by every loop.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Result};

/// Why an evaluation has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The user asked for it.
    User,
    /// The wall-time limit was reached.
    Time,
}

static FLAG: AtomicU8 = AtomicU8::new(0);

/// Asks the running evaluation to stop at its next poll. Safe to call from any thread.
pub fn request(reason: Reason) {
    FLAG.store(if reason == Reason::User { 1 } else { 2 }, Ordering::SeqCst);
}

/// Forgets a request; called where an evaluation begins.
pub fn clear() {
    FLAG.store(0, Ordering::SeqCst);
}

/// The pending request, if there is one.
pub fn pending() -> Option<Reason> {
    match FLAG.load(Ordering::Relaxed) {
        0 => None,
        1 => Some(Reason::User),
        _ => Some(Reason::Time),
    }
}

/// Returns an error when a stop was asked for. A relaxed load: cheap enough for every step of every loop.
pub fn poll() -> Result<()> {
    match pending() {
        None => Ok(()),
        Some(Reason::User) => Err(Error::interrupted()),
        Some(Reason::Time) => {
            Err(Error::limit("the limit of wall time was reached")
                .advice("raise it with --max-seconds, or do less work"))
        }
    }
}
