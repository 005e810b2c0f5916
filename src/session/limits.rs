//! What a script may use.

use std::path::PathBuf;

/// Bounds on what a script may use; each can be set from the command line.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Script operations (statements, calls, loop turns); 0 means no bound.
    pub operations: u64,
    /// Wall time in seconds; 0 means no bound.
    pub seconds: f64,
    /// Nested calls of script functions.
    pub call_depth: usize,
    /// Nested expressions.
    pub expression_depth: usize,
    /// Characters of a string.
    pub string_length: usize,
    /// Elements of an array, nested ones counted.
    pub array_length: usize,
    /// Entries of a map, nested ones counted.
    pub map_length: usize,
    /// Bytes that all tensors together may hold.
    pub tensor_bytes: usize,
    /// Folders, beside the script's and the run's, that may be read.
    pub granted: Vec<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 0,
            seconds: 0.0,
            call_depth: 1000,
            expression_depth: 1000,
            string_length: 64 << 20,
            array_length: 16 << 20,
            map_length: 1 << 20,
            tensor_bytes: Self::physical_memory().map_or(8 << 30, |bytes| bytes / 4 * 3),
            granted: Vec::new(),
        }
    }
}

impl Limits {
    /// The machine's memory in bytes, where the system says it.
    pub fn physical_memory() -> Option<usize> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
        kib.checked_mul(1024)
    }
}
