//! Functions of numbers as loops of machine code.
//!
//! A [`Function`] is a list of operations on numbers that lie side by side: what a pass over a grid does at each of its points, without branches. It is
//! compiled when a solution begins, to one loop that reads every number once, keeps what is between in registers, and writes results: what a compiler
//! would have made of a loop that was written for this equation. No product is fused with a sum, and sums keep their order, so that the
//! results are those of the [plain](plain) loops, bit for bit, on every processor.
//!
//! | file | what it is |
//! |---|---|
//! | `function` | operations, each of them once |
//! | `plain` | the same by loops, one for each operation: where there is no machine code, and what it is tested against |
//! | `registers` | which value is in which register, and for how long |
//! | `x86` | instructions of AVX2 and AVX-512 |
//! | `memory` | pages that can be run |

mod function;
#[cfg(target_arch = "x86_64")]
mod memory;
mod plain;
#[cfg(target_arch = "x86_64")]
mod registers;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use function::{Function, Operation, Stream, Value};

use crate::tensor::Real;

/// A function, ready to run.
pub struct Kernel<T> {
    function: Function,
    #[cfg(target_arch = "x86_64")]
    code: Option<std::sync::Arc<memory::Code>>,
    tiles: std::marker::PhantomData<fn(T)>,
}

/// Whether functions become machine code here: on x86-64 with AVX2, where pages can be made executable.
#[cfg(test)]
fn is_compiled() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use super::simd::{Level, level};
        level() > Level::Portable && memory::is_allowed()
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl<T: Real> Kernel<T> {
    /// Compiles a function.
    pub fn new(function: Function) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            code: x86::compile::<T>(&function),
            function,
            tiles: std::marker::PhantomData,
        }
    }
    /// The function at `len` places side by side: array `k` of its streams begins at `slots[k]`.
    ///
    /// # Safety
    /// Every stream lies, from its shift on, for `len` numbers in memory that may be read, or written where the function stores there; what is written is read
    /// by no stream of another place. There are as many numbers as the function has.
    pub unsafe fn run(&self, slots: &[*mut T], numbers: &[T], len: usize) {
        debug_assert!(slots.len() >= self.function.slots() && numbers.len() >= self.function.numbers());
        #[cfg(target_arch = "x86_64")]
        if let Some(code) = &self.code {
            // SAFETY: what the caller promises; the code was made for numbers of this type and a processor like this one.
            return unsafe { code.call(slots.as_ptr().cast(), numbers.as_ptr().cast(), len, size_of::<T>()) };
        }
        // SAFETY: what the caller promises.
        unsafe { plain::run(&self.function, slots, numbers, len) };
    }
    /// Bytes of machine code; 0 where there is none.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        return self.code.as_ref().map_or(0, |code| code.len());
        #[cfg(not(target_arch = "x86_64"))]
        0
    }
}
