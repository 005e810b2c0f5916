//! Kernels of the CPU: loops that the compiler turns into vector instructions of whatever width the processor has.

pub mod math;
pub(crate) mod simd;
