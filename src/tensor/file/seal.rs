//! A checksum inside of the file that it is of.
//!
//! The SHA-256 of all bytes, with zeros in the place of its own 64 digits. A flipped bit anywhere is noticed: in the numbers,
//! in shapes and names, in the digits.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What stands in the place of the digits while the sum is made.
pub const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Puts the sum in the place of [`BLANK`], which stands in the first `header` bytes.
pub fn seal(bytes: &mut [u8], header: usize) -> Result<()> {
    let sum = sha256(bytes);
    let place = find(bytes, header, BLANK).ok_or_else(|| Error::internal("a file without a place for its checksum"))?;
    let slots = bytes.get_mut(place..place + BLANK.len());
    slots.ok_or_else(|| Error::internal("a file without a place for its checksum"))?.copy_from_slice(sum.as_bytes());
    Ok(())
}

/// Compares the bytes of a file with the sum that it says of itself.
pub fn check(bytes: &[u8], header: usize, sum: &str) -> Result<()> {
    let damaged = || {
        Error::file("the file is damaged: its bytes do not fit the checksum in it")
            .advice("copy it again, or take another checkpoint")
    };
    if sum.len() != BLANK.len() {
        return Err(damaged());
    }
    let place = find(bytes, header, sum).ok_or_else(damaged)?;
    let (before, rest) = bytes.split_at_checked(place).ok_or_else(damaged)?;
    let after = rest.get(BLANK.len()..).ok_or_else(damaged)?;
    let mut hash = Sha256::new();
    for part in [before, BLANK.as_bytes(), after] {
        hash.update(part);
    }
    let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    if found == sum { Ok(()) } else { Err(damaged()) }
}

fn find(bytes: &[u8], header: usize, text: &str) -> Option<usize> {
    bytes.get(..header)?.windows(text.len()).position(|window| window == text.as_bytes())
}
