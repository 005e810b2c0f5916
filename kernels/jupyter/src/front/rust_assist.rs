//! Completion and tooltips in Rust cells, by evcxr.

use std::time::Duration;

use evcxr::CommandContext;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Shared;
use super::assist::{byte_of, found};
use super::compiler::Work;

/// evcxr answers no sooner than the cell that it compiles; an editor does not wait for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a cell uses of the session, known before there is a compiler.
const OFFERED: [&str; 9] =
    ["Array", "ansatz_cell", "function", "input", "interrupted", "operator", "password", "set_variable", "variable"];

/// Asks evcxr; none when it does not run or has no time.
async fn ask<T: Send + 'static>(
    shared: &Shared,
    question: impl FnOnce(&mut CommandContext) -> Option<T> + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let work = Work::Question(Box::new(move |context| {
        if !answer.is_closed() {
            let _ = answer.send(question(context));
        }
    }));
    shared.compiler.lock().ok()?.as_ref()?.send(work).ok()?;
    tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()?
}

/// The content of a completion reply.
pub async fn complete(shared: &Shared, cell: String, code: String, position: usize) -> Value {
    let at = byte_of(&cell, position);
    let asked = code.clone();
    let found = ask(shared, move |context| {
        let found = context.completions(&asked, at).ok()?;
        let typed = asked.get(found.start_offset..at).unwrap_or_default();
        let mut matches: Vec<String> =
            found.completions.iter().filter_map(|one| name(&one.code, typed)).map(str::to_string).collect();
        matches.sort();
        matches.dedup();
        Some((found.start_offset, matches))
    })
    .await;
    let before = code.get(..at).unwrap_or(&code);
    let (start, matches) = found.filter(|(_, matches)| !matches.is_empty()).unwrap_or_else(|| {
        let start = before.trim_end_matches(of_word).len();
        let word = before.get(start..).unwrap_or_default();
        let offered = OFFERED.iter().filter(|name| !word.is_empty() && name.starts_with(word));
        (start, offered.map(|name| name.to_string()).collect())
    });
    let characters = |to: usize| cell.get(..to).unwrap_or(&cell).chars().count();
    json!({
        "status": "ok",
        "matches": matches,
        "cursor_start": characters(start),
        "cursor_end": characters(at),
        "metadata": {},
    })
}

/// The content of an inspection reply.
pub async fn inspect(shared: &Shared, cell: String, code: String, position: usize) -> Value {
    let at = byte_of(&cell, position);
    let rest = cell.get(at..).unwrap_or_default();
    let end = at + rest.len() - rest.trim_start_matches(of_word).len();
    let about = ask(shared, move |context| Some(context.hover_at(&code, end).ok()?.0)).await;
    found(about.map(|text| text.trim().to_string()).filter(|text| !text.is_empty() && text != UNKNOWN))
}

/// What evcxr says of what it does not know.
const UNKNOWN: &str = "No documentation found";

fn of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A name without what is to follow it: rust-analyzer writes arguments and bodies too.
fn name<'a>(code: &'a str, typed: &str) -> Option<&'a str> {
    let name = code.split(['(', ';', '<']).next().unwrap_or(code).trim_end();
    (name.starts_with(typed) && !name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_alone() {
        assert_eq!(name("operator(name, parameters)", "op"), Some("operator"));
        assert_eq!(name("println!(\"\")", "pri"), Some("println!"));
        assert_eq!(name("if x {\n}", "i"), None);
        assert_eq!(name("other", "op"), None);
    }
}
