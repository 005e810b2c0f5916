//! Text and end marks in the output of the worker.

use crate::wire::end_mark;

/// A piece of output.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// The cell with this number has ended.
    End(u64),
}

/// Finds marks in what comes piece by piece.
#[derive(Default)]
pub struct Marks {
    /// What may be the beginning of a mark or of a letter.
    kept: Vec<u8>,
}

impl Marks {
    pub fn parts(&mut self, new: &[u8]) -> Vec<Part> {
        self.kept.extend_from_slice(new);
        let mut parts = Vec::new();
        let sample = end_mark(0);
        let lead = sample.trim_end_matches("0\u{3}").as_bytes();
        loop {
            let start = self.kept.iter().enumerate().position(|(at, &byte)| {
                let rest = self.kept.get(at..).unwrap_or_default();
                byte == 2 && (rest.starts_with(lead) || lead.starts_with(rest))
            });
            let Some(start) = start else { break };
            let end = self.kept.iter().skip(start).position(|&byte| byte == 3).map(|at| start + at);
            let text: Vec<u8> = self.kept.drain(..start).collect();
            push(&mut parts, &text);
            let Some(end) = end else { return parts };
            let mark: Vec<u8> = self.kept.drain(..=end - start).collect();
            let number = mark.get(lead.len()..mark.len() - 1).and_then(|d| std::str::from_utf8(d).ok());
            if let Some(id) = number.and_then(|digits| digits.parse().ok()) {
                parts.push(Part::End(id));
            }
        }
        let whole = match std::str::from_utf8(&self.kept) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.kept.len(),
        };
        let text: Vec<u8> = self.kept.drain(..whole).collect();
        push(&mut parts, &text);
        parts
    }
}

fn push(parts: &mut Vec<Part>, text: &[u8]) {
    if !text.is_empty() {
        parts.push(Part::Text(String::from_utf8_lossy(text).into_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_across_pieces() {
        let output = format!("a é b{}c\u{2}d{}", end_mark(7), end_mark(18));
        for size in 1..output.len() {
            let mut marks = Marks::default();
            let parts: Vec<Part> = output.as_bytes().chunks(size).flat_map(|piece| marks.parts(piece)).collect();
            let mut text = String::new();
            let mut ends = Vec::new();
            for part in parts {
                match part {
                    Part::Text(t) => text += &t,
                    Part::End(id) => ends.push((id, text.clone())),
                }
            }
            assert_eq!(ends, [(7, "a é b".to_string()), (18, "a é bc\u{2}d".to_string())], "pieces of {size}");
        }
    }
}
