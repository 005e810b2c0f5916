//! Pages that can be run: written first, then executable, never both.

use std::sync::OnceLock;

use memmap2::{Mmap, MmapMut};

/// Machine code of one function.
pub struct Code {
    pages: Mmap,
    len: usize,
    /// Whether it is for vectors of 64 bytes, and not of 32.
    wide: bool,
}

/// What code is called with: arrays, numbers, bytes of each array, and the places of the last, shorter vector.
type Entry = unsafe extern "sysv64" fn(*const *mut u8, *const u8, usize, usize);

/// Whether a system lets programs make code.
pub fn is_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    // One instruction that returns.
    *ALLOWED.get_or_init(|| Code::new(&[0xc3], false).is_some())
}

/// For the last vector of AVX2: so many lanes as are wanted, from the right place on.
static LANES: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Code {
    /// `None` where a system does not allow it.
    pub fn new(bytes: &[u8], wide: bool) -> Option<Self> {
        let mut pages = MmapMut::map_anon(bytes.len().max(1)).ok()?;
        pages.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { pages: pages.make_exec().ok()?, len: bytes.len(), wide })
    }
    /// Bytes of code.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }
    /// Runs it on so many numbers of a size.
    ///
    /// # Safety
    /// The bytes are a function of this kind, for this processor, and what it reads and writes is there.
    pub unsafe fn call(&self, slots: *const *mut u8, numbers: *const u8, len: usize, size: usize) {
        debug_assert!(self.len > 0);
        // SAFETY: what the caller promises.
        let entry: Entry = unsafe { std::mem::transmute(self.pages.as_ptr()) };
        let rest = if self.wide {
            (1usize << (len % (64 / size))) - 1
        } else {
            // 32 bytes of the table, of which as many are set as numbers are left.
            LANES.as_ptr().wrapping_byte_add(32 - len % (32 / size) * size) as usize
        };
        // SAFETY: as above.
        unsafe { entry(slots, numbers, len * size, rest) };
    }
}
