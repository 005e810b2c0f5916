//! Interrupts that meet the cell they were meant for.
//!
//! A cell clears the flag when it begins, so one request could be lost: between the moment when the cell was read and the
//! one when it began. So the request is made again until the cell has ended.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ansatz::session::interrupt;

/// Between two requests.
const AGAIN: Duration = Duration::from_millis(5);

#[derive(Default)]
pub struct Interrupts {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Cells that were read and have not ended.
    open: usize,
    /// Whether a thread asks for a stop.
    asking: bool,
}

impl Interrupts {
    /// A cell was read.
    pub fn expect(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.open += 1;
        }
    }
    /// A cell has ended.
    pub fn done(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.open = state.open.saturating_sub(1);
            state.asking = false;
            interrupt::clear();
            self.changed.notify_all();
        }
    }
    /// Stops the cell that runs; without one it does nothing.
    pub fn request(self: &Arc<Self>) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.open == 0 || state.asking {
            return;
        }
        state.asking = true;
        interrupt::request(interrupt::Reason::User);
        drop(state);
        let all = self.clone();
        std::thread::spawn(move || all.insist());
    }
    fn insist(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        while state.asking {
            interrupt::request(interrupt::Reason::User);
            match self.changed.wait_timeout(state, AGAIN) {
                Ok((next, _)) => state = next,
                Err(_) => return,
            }
        }
    }
}

/// The flag belongs to the process: tests that ask for a stop, and those that evaluate code, run one at a time.
#[cfg(test)]
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_outlives_the_clearing_at_the_start_of_a_cell() {
        let _guard = alone();
        let interrupts = Arc::new(Interrupts::default());
        interrupts.request();
        assert_eq!(interrupt::pending(), None, "nothing runs");
        interrupts.expect();
        interrupts.request();
        interrupt::clear();
        std::thread::sleep(AGAIN * 10);
        assert_eq!(interrupt::pending(), Some(interrupt::Reason::User));
        interrupts.done();
        std::thread::sleep(AGAIN * 4);
        assert_eq!(interrupt::pending(), None);
    }
}
