//! Where tensors lie in memory, and what becomes of it when they are freed.
//!
//! Tensors of a step are freed and made again in the next one. By default the C library gives large blocks back to the system and gets
//! fresh ones, which the system clears page by page: more than a third of the time of a training step.

use std::alloc::{GlobalAlloc, Layout, System};

/// Tells the C library to keep what is freed, for the next tensors. Called before threads are made: those that
/// exist have their own portions already.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: `mallopt` takes two numbers and may be called at any time; it refuses what it does not know.
            unsafe {
                libc::mallopt(libc::M_ARENA_MAX, 1);
                libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX);
                libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
            }
        });
    }
}

/// Blocks of at least so many bytes are placed by [`Placed`].
const LARGE: usize = 1 << 16;
/// A cache line.
const LINE: usize = 64;

/// The allocator of the programs: the C library's, with large blocks at the start of cache lines.
///
/// The C library places large blocks 16 bytes behind the start of a line. Every other vector that is read then lies across two lines, and
/// what is read lies a few bytes before what was just written, modulo a page, which processors take for the same place and wait for. (Large pages
/// are not asked for: finding them took longer than they saved, twice the start of a run on a busy machine.)
pub struct Placed;

// SAFETY: small blocks are those of `System`. A large one lies inside of a block of `System` that is longer by a line and a pointer; the
// pointer to that block is kept right before it, and is what is freed.
unsafe impl GlobalAlloc for Placed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on as it is, or with the same promise for a longer block.
        unsafe { if is_placed(layout) { place(System.alloc(longer(layout))) } else { System.alloc(layout) } }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if is_placed(layout) { place(System.alloc_zeroed(longer(layout))) } else { System.alloc_zeroed(layout) }
        }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: a placed block has the pointer to its own before it, and was allocated with the longer layout.
        unsafe {
            if is_placed(layout) {
                System.dealloc(block.cast::<*mut u8>().sub(1).read(), longer(layout));
            } else {
                System.dealloc(block, layout);
            }
        }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` fits the alignment; both blocks hold what is copied.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            if !is_placed(layout) && !is_placed(new) {
                return System.realloc(block, layout, size);
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

fn is_placed(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= LINE
}

/// The layout of the block that a placed one lies in. Too long a block is refused by `System`.
fn longer(layout: Layout) -> Layout {
    let size = layout.size().saturating_add(LINE + size_of::<*mut u8>());
    Layout::from_size_align(size, align_of::<*mut u8>()).unwrap_or(layout)
}

/// The place of a block in a longer one.
unsafe fn place(longer: *mut u8) -> *mut u8 {
    if longer.is_null() {
        return longer;
    }
    // SAFETY: there is room for a pointer and the rest of a line before the block.
    unsafe {
        let first = longer.add(size_of::<*mut u8>());
        let block = first.add(first.align_offset(LINE));
        block.cast::<*mut u8>().sub(1).write(longer);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_placed_kept_and_cleared() {
        for size in [1, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 3] {
            for next in [1, LARGE - 1, LARGE, 3 * LARGE] {
                let layout = Layout::from_size_align(size, 16).expect("a layout");
                // SAFETY: blocks of these layouts, written and read inside of them, and freed once.
                unsafe {
                    let block = Placed.alloc_zeroed(layout);
                    assert!(size < LARGE || block.addr().is_multiple_of(LINE), "{size}");
                    assert!((0..size).all(|i| *block.add(i) == 0), "{size}");
                    (0..size).for_each(|i| *block.add(i) = (i % 251) as u8);
                    let moved = Placed.realloc(block, layout, next);
                    assert!(next < LARGE || moved.addr().is_multiple_of(LINE), "{size} {next}");
                    assert!((0..size.min(next)).all(|i| *moved.add(i) == (i % 251) as u8), "{size} {next}");
                    Placed.dealloc(moved, Layout::from_size_align(next, 16).expect("a layout"));
                }
            }
        }
        let endless = Layout::from_size_align(isize::MAX as usize - 15, 16).expect("a layout");
        // SAFETY: what is not there is not used.
        assert!(unsafe { Placed.alloc(endless) }.is_null());
    }
}
