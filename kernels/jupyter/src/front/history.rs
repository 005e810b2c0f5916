//! Inputs and outputs of the session.

use jupyter_protocol::HistoryRequest;
use serde_json::{Value, json};

struct Entry {
    line: usize,
    input: String,
    output: Option<String>,
}

#[derive(Default)]
pub struct History(Vec<Entry>);

impl History {
    pub fn add(&mut self, line: usize, input: &str) {
        self.0.push(Entry { line, input: input.to_string(), output: None });
    }
    /// The result of the last input.
    pub fn result(&mut self, text: &str) {
        if let Some(last) = self.0.last_mut() {
            last.output = Some(text.to_string());
        }
    }
    /// The content of a reply.
    pub fn reply(&self, request: &HistoryRequest) -> Value {
        let (entries, output): (Vec<&Entry>, bool) = match request {
            HistoryRequest::Tail { n, output, .. } => (last(self.0.iter().collect(), *n), *output),
            HistoryRequest::Range { session, start, stop, output, .. } => {
                // Session 0 is this one, and so is 1; there is no other.
                let ours = matches!(session, None | Some(0 | 1));
                let end = if *stop <= 0 { usize::MAX } else { *stop as usize };
                let lines = (*start).max(0) as usize..end;
                (self.0.iter().filter(|e| ours && lines.contains(&e.line)).collect(), *output)
            }
            HistoryRequest::Search { pattern, unique, output, n, .. } => {
                let mut found: Vec<&Entry> = self.0.iter().filter(|e| fits(&e.input, pattern)).collect();
                if *unique {
                    let mut seen = std::collections::BTreeSet::new();
                    found.reverse();
                    found.retain(|e| seen.insert(e.input.as_str()));
                    found.reverse();
                }
                (last(found, *n), *output)
            }
        };
        let shown = |e: &&Entry| {
            if output { json!([1, e.line, [e.input, e.output]]) } else { json!([1, e.line, e.input]) }
        };
        json!({ "status": "ok", "history": entries.iter().map(shown).collect::<Vec<_>>() })
    }
}

/// The last `n`; all when `n` is not positive.
fn last(mut entries: Vec<&Entry>, n: i32) -> Vec<&Entry> {
    let count = usize::try_from(n).ok().filter(|&n| n > 0).unwrap_or(entries.len());
    entries.split_off(entries.len().saturating_sub(count))
}

/// Shell patterns: `*` any text, `?` any letter.
fn fits(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // Where to go on when what follows the last star does not fit.
    let (mut t, mut p, mut star) = (0, 0, None);
    while let Some(&c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == c => (t, p) = (t + 1, p + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (t, p) = (from + 1, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&c| c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, fit) in [
            ("1+2", "1?2*", true),
            ("1+2 + 3", "1?2*", true),
            ("21+2", "1?2*", false),
            ("abcabd", "*abd", true),
            ("", "*", true),
            ("a", "", false),
            ("let x = 1", "*x*", true),
        ] {
            assert_eq!(fits(text, pattern), fit, "{text} {pattern}");
        }
    }

    #[test]
    fn what_is_asked_for() {
        let mut history = History::default();
        for (line, input) in [(1, "a"), (2, "b"), (3, "a")] {
            history.add(line, input);
        }
        history.result("7");
        let tail = history.reply(&HistoryRequest::Tail { n: 2, output: true, raw: true });
        assert_eq!(tail["history"], json!([[1, 2, ["b", null]], [1, 3, ["a", "7"]]]));
        let range = HistoryRequest::Range { session: Some(0), start: 1, stop: 3, output: false, raw: true };
        assert_eq!(history.reply(&range)["history"], json!([[1, 1, "a"], [1, 2, "b"]]));
        let search = HistoryRequest::Search { pattern: "a".into(), unique: true, output: false, raw: true, n: 5 };
        assert_eq!(history.reply(&search)["history"], json!([[1, 3, "a"]]));
    }
}
