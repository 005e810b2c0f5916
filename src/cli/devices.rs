//! `ansatz devices`.

use ansatz::tensor::device::devices as found;

use super::{OK, say};

/// Lists what tensors can be computed on, and why something cannot be used.
pub fn devices() -> i32 {
    for device in found() {
        say(&format!("{:<7} {}\n", device.name, device.text));
        if let Some(why) = device.unusable {
            say(&format!("{:<7} not usable: {why}\n", ""));
        }
    }
    OK
}
