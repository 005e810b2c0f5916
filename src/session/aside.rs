//! Work that cannot be stopped half-way, done on a thread of its own: whoever waits for it can stop waiting.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use super::interrupt;
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The thread that works for this one. It is kept: it remembers plans and buffers as this one would.
    static WORKER: RefCell<Option<Sender<Job>>> = const { RefCell::new(None) };
}

/// Between two looks at the flag.
const LOOK: Duration = Duration::from_millis(10);

/// Does `work` while looking at the interrupt flag. After an interrupt the work goes on unseen until it ends, and what it gives is
/// dropped. Costs some 20 µs: for work of milliseconds and more that nothing inside of it polls.
///
/// # Errors
/// When the user or the limit of time asked to stop.
pub fn aside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    interrupt::poll()?;
    let (done, outcome) = mpsc::sync_channel(1);
    let job: Job = Box::new(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    let worker = WORKER.take().or_else(start).ok_or_else(|| Error::internal("no thread could be started"))?;
    if worker.send(job).is_err() {
        return Err(Error::internal("a thread ended early"));
    }
    loop {
        match outcome.recv_timeout(LOOK) {
            Ok(result) => {
                WORKER.set(Some(worker));
                return result.map_err(|panic| resume_unwind(panic));
            }
            // The worker is left to end its work and itself.
            Err(RecvTimeoutError::Timeout) => interrupt::poll()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a thread ended early")),
        }
    }
}

fn start() -> Option<Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let work = move || jobs.into_iter().for_each(|job| job());
    std::thread::Builder::new().name("ansatz aside".into()).spawn(work).ok().map(|_| sender)
}
