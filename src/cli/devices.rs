//! `ansatz devices`.

use ansatz::session::Limits;
use ansatz::tensor::human_bytes;

use super::{OK, say};

/// Lists what tensors can be computed on.
pub fn devices() -> i32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = Limits::physical_memory()
        .map_or("an unknown amount of memory".into(), |bytes| format!("{} of memory", human_bytes(bytes)));
    say(&format!("cpu   {cores} core{}, {memory}\n", if cores == 1 { "" } else { "s" }));
    OK
}
