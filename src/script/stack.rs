//! The thread's stack: scripts run on a large one, and stop with an error before it is used up.
//!
//! Rhai bounds the depth of calls and of expressions, but a thousand calls of a thousand nested expressions each pass any
//! stack. So the distance from the frame where the evaluation began is looked at with every operation.

use std::cell::Cell;

/// The stack that scripts run on.
pub const SIZE: usize = 128 << 20;
/// What the thread gets where the system gives it: address space, which costs nothing until it is used. A chain of closures that
/// captured one another is dropped recursively, some 200 bytes of stack for each; nothing can stop that half-way.
const ROOMY: usize = 4 << 30;
/// What primitives need below a script's frames.
const RESERVE: usize = 16 << 20;
/// On a thread whose stack is not known: half of what threads of Rust have.
const UNKNOWN: usize = 1 << 20;

thread_local! {
    static ALLOWED: Cell<usize> = const { Cell::new(UNKNOWN) };
    static BASE: Cell<usize> = const { Cell::new(0) };
}

/// Why an evaluation was stopped: its stack was used up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exhausted;

/// Runs `work` on a thread with a large stack and waits for it. Panics of primitives stay quiet there.
///
/// # Errors
/// When the thread cannot be made or ends in a panic.
pub fn on_large_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> crate::Result<T> {
    crate::session::keep_freed();
    let work = std::sync::Arc::new(std::sync::Mutex::new(Some(work)));
    let begin = |size: usize| {
        let work = work.clone();
        let run = move || {
            ALLOWED.set(SIZE - RESERVE);
            let work = work.lock().ok().and_then(|mut work| work.take());
            work.map(|work| work())
        };
        std::thread::Builder::new().name("ansatz-engine".into()).stack_size(size).spawn(run)
    };
    let thread = begin(ROOMY).or_else(|_| begin(SIZE))?;
    let done = thread.join().ok().flatten();
    done.ok_or_else(|| crate::Error::internal("the engine's thread ended in a panic"))
}

/// Notes where the stack of an evaluation begins, the outermost call counts.
pub(super) fn with_base<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            BASE.set(self.0);
        }
    }
    let _restore = Restore(BASE.get());
    if BASE.get() == 0 {
        BASE.set(here());
    }
    work()
}

/// Whether the evaluation has come too near to the end of the stack.
pub(super) fn is_exhausted() -> bool {
    let base = BASE.get();
    base != 0 && base.abs_diff(here()) > ALLOWED.get()
}

#[inline(never)]
fn here() -> usize {
    let marker = 0u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}
