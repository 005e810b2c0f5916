//! What a run takes: memory, and the time before it can begin.

use ansatz::session::Placed;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The allocator of the program, which counts while it is asked to.
pub struct Counting;

static ASKED: AtomicBool = AtomicBool::new(false);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    if ASKED.load(Relaxed) {
        BLOCKS.fetch_add(1, Relaxed);
        BYTES.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { Placed.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { Placed.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise.
        unsafe { Placed.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { Placed.dealloc(block, layout) }
    }
}

/// Blocks and bytes that `work` takes from the heap, on all threads.
pub fn counted<R>(work: impl FnOnce() -> R) -> (R, usize, usize) {
    for number in [&BLOCKS, &BYTES] {
        number.store(0, Relaxed);
    }
    ASKED.store(true, Relaxed);
    let result = work();
    ASKED.store(false, Relaxed);
    (result, BLOCKS.load(Relaxed), BYTES.load(Relaxed))
}

/// Seconds since the process was started, where whoever started it has said when: `BENCHMARK_STARTED`, in seconds of the system's clock.
pub fn since_start() -> Option<f64> {
    let began: f64 = std::env::var("BENCHMARK_STARTED").ok()?.parse().ok()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(now.as_secs_f64() - began)
}

/// Forgets the most memory that the process had, where the system lets it.
pub fn reset_resident_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
/// The most memory that the process had at once, in bytes, where the system says it.
pub fn resident_peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok().map(|kilobytes| kilobytes * 1024)
}
