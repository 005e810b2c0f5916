//! Functions of Rhai that take a size from the script, made safe, and the memory of the whole process.

use std::cell::Cell;

use rhai::{Array, Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::closure::into_rhai;
use crate::error::Error;
use crate::session::Limits;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Takes the place of what Rhai computes sizes for with an overflow.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn(
        "pad",
        |context: NativeCallContext, array: &mut Array, length: i64, item: Dynamic| -> Outcome<()> {
            let wanted = usize::try_from(length).unwrap_or(0);
            let most = context.engine().max_array_size();
            let each = 1usize.saturating_add(elements(&item));
            if most > 0 && wanted.saturating_mul(each) > most {
                return Err(too_large("the array", wanted.saturating_mul(each), most));
            }
            if wanted > array.len() {
                array.resize(wanted, item);
            }
            Ok(())
        },
    );
}

fn too_large(what: &str, got: usize, most: usize) -> Box<EvalAltResult> {
    into_rhai(Error::limit(format!("{what} passes its limit")).got(got).expected(format!("at most {most}")))
}

/// Elements of nested arrays.
fn elements(value: &Dynamic) -> usize {
    value
        .read_lock::<Array>()
        .map_or(0, |array| array.iter().fold(array.len(), |sum, v| sum.saturating_add(elements(v))))
}

/// Why an evaluation was stopped: the process holds too much memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutOfMemory;

/// Looks, now and then, at how much memory the process holds: maps and closures of a script are on no other account.
pub(super) struct MemoryGuard {
    limit: usize,
    calls: Cell<u32>,
}

impl MemoryGuard {
    /// One look in so many operations: some milliseconds of script.
    const EVERY: u32 = 1 << 15;

    pub fn new() -> Self {
        // The system's own needs, and the moment until the next look.
        Self { limit: Limits::physical_memory().map_or(usize::MAX, |bytes| bytes / 10 * 9), calls: Cell::new(0) }
    }
    /// Whether the process holds more than nine tenths of the machine's memory.
    pub fn is_exceeded(&self) -> bool {
        let calls = self.calls.get().wrapping_add(1);
        self.calls.set(calls);
        calls % Self::EVERY == 0 && resident().is_some_and(|bytes| bytes > self.limit)
    }
}

/// Bytes of this process in memory, where the system says it.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(4096)
}
