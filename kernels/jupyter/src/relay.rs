//! The child that evcxr sees: it hands lines to the front and back.

use std::io::{BufRead, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The variable with the front's socket.
pub const SOCKET: &str = "ANSATZ_RELAY";
/// What evcxr reads at the end of an execution.
#[cfg(feature = "rust-cells")]
pub const COMPLETE: &[u8] = b"\x04EVCXR_EXECUTION_COMPLETE\n";
/// Stands before the end: on a line of its own also where the last output was not a whole line.
const END: u8 = 4;

/// The text with what evcxr reads itself on lines of its own.
#[cfg(feature = "rust-cells")]
pub fn lined(text: &str) -> Vec<u8> {
    text.replace("EVCXR_", "\u{4}EVCXR_").into_bytes()
}

/// Hands over until one side goes.
pub fn run(socket: &Path) -> i32 {
    let Ok(mut from) = UnixStream::connect(socket) else { return 2 };
    let Ok(mut to) = from.try_clone() else { return 2 };
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if writeln!(to, "{line}").is_err() {
                break;
            }
        }
        // evcxr has gone.
        std::process::exit(0);
    });
    let mut out = std::io::stdout();
    let mut last = b'\n';
    let mut bytes = [0; 1 << 14];
    while let Ok(count) = from.read(&mut bytes) {
        let new = bytes.get(..count).unwrap_or_default();
        if new.is_empty() || out.write_all(&lines(new, &mut last)).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    3
}

/// Puts the end on a line of its own.
fn lines(new: &[u8], last: &mut u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(new.len() + 1);
    for &byte in new {
        match byte {
            END if *last != b'\n' => out.push(b'\n'),
            END => {}
            byte => out.push(byte),
        }
        *last = if byte == END { b'\n' } else { byte };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_has_a_line_of_its_own() {
        let mut last = b'\n';
        assert_eq!(lines(b"a\n\x04END\n", &mut last), b"a\nEND\n");
        assert_eq!(lines(b"b", &mut last), b"b");
        assert_eq!(lines(b"\x04END\n", &mut last), b"\nEND\n");
    }
}
