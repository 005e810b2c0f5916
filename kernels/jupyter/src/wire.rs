//! What front and worker say to each other: frames of JSON, each after its length.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// From the front to the worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// A Rhai cell.
    Execute {
        id: u64,
        /// The number in `In [count]`.
        count: usize,
        code: String,
        /// Nothing is to be shown.
        silent: bool,
        /// Expressions whose values go into the reply.
        expressions: Vec<(String, String)>,
    },
    /// A part of a Rust cell that was compiled.
    Load { id: u64, library: String, function: String },
    /// What the user typed; none when there is nobody to ask.
    Input(Option<String>),
    /// Stop what runs, keep the session.
    Interrupt,
}

/// From the worker to the front.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The session stands.
    Ready,
    /// Text that was printed.
    Text {
        stderr: bool,
        text: String,
    },
    /// Something to be shown, or shown in the place of what has the same name.
    Display {
        bundle: Bundle,
        id: Option<String>,
        update: bool,
    },
    Clear {
        wait: bool,
    },
    Input {
        prompt: String,
        password: bool,
    },
    /// A cell has ended.
    Done {
        id: u64,
        outcome: Outcome,
        expressions: Vec<(String, Outcome)>,
        names: Vec<Named>,
    },
    /// A part of a Rust cell has run.
    Loaded {
        id: u64,
        failure: Option<String>,
        names: Vec<Named>,
    },
}

/// How a cell ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Outcome {
    Value(Option<Bundle>),
    Error(Failure),
}

/// An error as the protocol has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub name: String,
    pub value: String,
    pub traceback: Vec<String>,
}

/// A value in several forms, by their media types.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    pub data: Map<String, Value>,
    pub metadata: Map<String, Value>,
}

impl Bundle {
    pub fn text(text: impl Into<String>) -> Self {
        let data = Map::from_iter([("text/plain".to_string(), Value::String(text.into()))]);
        Self { data, metadata: Map::new() }
    }
}

/// A name that the session has, for completion and tooltips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    /// Of a variable its type and what it holds, of a function how it is called.
    pub about: String,
}

/// Stands in the worker's own output where a cell has ended, so that nothing printed before comes after.
pub fn end_mark(id: u64) -> String {
    format!("\u{2}ansatz-end {id}\u{3}")
}

/// More than any cell shows; a length above it is not one.
const LONGEST: usize = 1 << 30;

/// A message as it travels.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    if body.len() > LONGEST {
        return Err(io::Error::other("a message of more than a gigabyte"));
    }
    let mut out = (body.len() as u32).to_le_bytes().to_vec();
    out.extend(body);
    Ok(out)
}

/// Writes a message.
pub fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message)?)?;
    to.flush()
}

/// Reads a message; an error when the other side has gone.
pub fn read<T: for<'a> Deserialize<'a>>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::other("a message of more than a gigabyte"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Request::Input(Some("é\n".into()))).unwrap();
        write(&mut pipe, &Request::Interrupt).unwrap();
        let mut from = pipe.as_slice();
        assert!(matches!(read(&mut from), Ok(Request::Input(Some(text))) if text == "é\n"));
        assert!(matches!(read(&mut from), Ok(Request::Interrupt)));
        assert!(read::<Request>(&mut from).is_err());
    }
}
