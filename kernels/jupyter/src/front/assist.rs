//! Completion, tooltips, and whether an input is complete: from the registry and from what the session told last.

use std::path::Path;

use ansatz::script::assist::{self, Names};
use ansatz::script::{Registry, reference};
use rhai::{Engine, LexError, ParseErrorType};
use serde_json::{Value, json};

use super::rust_code::is_rust;
use crate::wire::Named;
use crate::worker::{MAGIC_ARGUMENTS, MAGICS};

/// The byte that a position in characters stands for.
pub(super) fn byte_of(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// The content of a completion reply; `position` counts characters.
pub fn complete(names: &Names, code: &str, position: usize) -> Value {
    let before = code.get(..byte_of(code, position)).unwrap_or(code);
    let (start, matches) = candidates(names, before);
    let start = before.get(..start).unwrap_or(before).chars().count();
    json!({
        "status": "ok",
        "matches": matches,
        "cursor_start": start,
        "cursor_end": before.chars().count(),
        "metadata": {},
    })
}

fn candidates(names: &Names, before: &str) -> (usize, Vec<String>) {
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let word = before.get(line..).unwrap_or_default();
    if word.starts_with('%') && !word.contains(char::is_whitespace) {
        let magics = MAGICS.iter().map(|(name, _)| name.to_string()).chain(["%%time".to_string()]);
        return (line, magics.filter(|name| name.starts_with(word)).collect());
    }
    let known = MAGIC_ARGUMENTS.iter().find(|(magic, _)| word.split_whitespace().next() == Some(magic));
    if let Some((_, arguments)) = known {
        let part = word.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let typed = word.get(part..).unwrap_or_default();
        let fitting = arguments.iter().filter(|argument| argument.starts_with(typed) && **argument != typed);
        return (line + part, fitting.map(|argument| argument.to_string()).collect());
    }
    if assist::inside_string(before) {
        let start = before.rfind(['"', '`']).map_or(0, |at| at + 1);
        return files(before.get(start..).unwrap_or_default(), start);
    }
    names.candidates(before)
}

/// Files below the folder of the notebook; the part after the last slash is completed.
fn files(typed: &str, start: usize) -> (usize, Vec<String>) {
    let (folder, part) = typed.rsplit_once('/').unwrap_or(("", typed));
    let shown = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let at = start + typed.len() - part.len();
    if shown.is_absolute() || folder.split('/').any(|step| step == "..") {
        return (at, Vec::new());
    }
    let mut names: Vec<String> = std::fs::read_dir(shown)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let fits = name.starts_with(part) && (part.starts_with('.') || !name.starts_with('.'));
            fits.then(|| if file.path().is_dir() { format!("{name}/") } else { name })
        })
        .collect();
    names.sort();
    (at, names)
}

/// The content of an inspection reply.
pub fn inspect(session: &[Named], code: &str, position: usize) -> Value {
    let at = byte_of(code, position);
    let line = code.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let word = code.get(line..).and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    if let Some((magic, text)) = MAGICS.iter().find(|(magic, _)| *magic == word && at <= line + word.len()) {
        return found(Some(format!("{magic}: {text}")));
    }
    let option = assist::option_at(code, at).and_then(|(call, key)| option(&call, &key));
    // A word that nobody knows stands in a call that may be known.
    let names = [assist::member_at(code, at), assist::name_at(code, at), assist::call_at(code, at)];
    found(option.or_else(|| names.into_iter().flatten().find_map(|name| about(session, &name))))
}

/// What is known of an option.
fn option(call: &str, key: &str) -> Option<String> {
    let registry = Registry::new();
    let mut entries = registry.find(call).into_iter();
    entries.find_map(|entry| {
        let option = entry.options.iter().find(|option| option.name == key)?;
        Some(format!("{key}: {}\n\nan option of {}", option.text, entry.signature))
    })
}

/// The content of an inspection reply with what is known.
pub(super) fn found(about: Option<String>) -> Value {
    match about {
        Some(text) => json!({
            "status": "ok",
            "found": true,
            "data": { "text/plain": text, "text/markdown": format!("```text\n{text}\n```") },
            "metadata": {},
        }),
        None => json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }),
    }
}

/// What is known of a name: of the session first, then of the primitives.
pub fn about(session: &[Named], name: &str) -> Option<String> {
    match session.iter().find(|named| named.name == name) {
        Some(named) => Some(format!("{}: {}", named.name, named.about)),
        None => reference::about(&Registry::new(), name).map(|text| text.trim_end().to_string()),
    }
}

/// The content of an is-complete reply.
pub fn is_complete(code: &str) -> Value {
    if is_rust(code) {
        return json!({ "status": "unknown" });
    }
    if super::reply::help(code).is_some() {
        return json!({ "status": "complete" });
    }
    // Magics are not the language's.
    let lines = code.lines().map(|line| if line.starts_with('%') { "" } else { line });
    let text = lines.collect::<Vec<_>>().join("\n");
    let incomplete = || json!({ "status": "incomplete", "indent": "    ".repeat(assist::depth(&text)) });
    if !assist::is_complete(&text) {
        return incomplete();
    }
    let mut engine = Engine::new_raw();
    engine.set_max_expr_depths(1000, 1000);
    match engine.compile(&text) {
        Ok(_) => json!({ "status": "complete" }),
        Err(error) => match error.err_type() {
            ParseErrorType::UnexpectedEOF | ParseErrorType::BadInput(LexError::UnterminatedString) => incomplete(),
            // `1 +` and `let x =` want more; a token that stands there is wrong.
            ParseErrorType::MissingToken(..) | ParseErrorType::ExprExpected(..) | ParseErrorType::PropertyExpected
                if at_end(&text, error.position()) =>
            {
                incomplete()
            }
            _ => json!({ "status": "invalid" }),
        },
    }
}

/// Whether nothing stands behind a position.
fn at_end(text: &str, position: rhai::Position) -> bool {
    let Some((line, column)) = position.line().zip(position.position()) else { return true };
    let mut rest = text.lines().skip(line - 1);
    let behind: String = rest.next().unwrap_or_default().chars().skip(column.saturating_sub(1)).collect();
    behind.trim().is_empty() && rest.all(|line| line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_go_on() {
        let status = |code: &str| is_complete(code)["status"].as_str().unwrap_or_default().to_string();
        for code in [
            "1 + 1",
            "let a = |x| x * x;",
            "fn f(x) { x }",
            "%time 1 + 1",
            "print(\"a\")",
            "for i in 0..3 { }",
            "",
            "?sum",
            "sum?",
        ] {
            assert_eq!(status(code), "complete", "{code}");
        }
        for code in ["fn f(x) {", "[1,", "let a =", "1 +", "print(\"a", "/* a", "if true {\n    1"] {
            assert_eq!(status(code), "incomplete", "{code}");
        }
        for code in ["let = 3", "1 )", "fn (", "a b"] {
            assert_eq!(status(code), if code == "fn (" { "incomplete" } else { "invalid" }, "{code}");
        }
        assert_eq!(is_complete("fn f(x) {\n if x {")["indent"], "        ");
    }

    #[test]
    fn positions_are_characters() {
        let names = Names::new(&Registry::new());
        let reply = complete(&names, "let é = linsp + 1", 13);
        assert_eq!(reply["matches"], json!(["linspace"]));
        assert_eq!((&reply["cursor_start"], &reply["cursor_end"]), (&json!(8), &json!(13)));
        assert_eq!(complete(&names, "%ti", 3)["matches"], json!(["%time"]));
        let limits = complete(&names, "1\n%limits seconds=1 te", 22);
        assert_eq!((&limits["matches"], &limits["cursor_start"]), (&json!(["tensor_bytes="]), &json!(20)));
        assert_eq!(complete(&names, "%device ", 8)["matches"], json!(["cpu", "cuda", "vulkan"]));
        assert_eq!(complete(&names, "%time lins", 10)["matches"], json!(["linspace"]));
        let files = complete(&names, "load(\"Car", 9);
        assert_eq!((&files["matches"], &files["cursor_start"]), (&json!(["Cargo.toml"]), &json!(6)));
    }

    #[test]
    fn tooltips_come_from_session_and_registry() {
        let named = |name: &str, about: &str| Named { name: name.into(), about: about.into() };
        let session = [named("u", "a Tensor [3]"), named("m", "a map"), named("m.mean", "the number 1.5")];
        assert_eq!(inspect(&session, "m.mean", 5)["data"]["text/plain"], "m.mean: the number 1.5");
        let call = inspect(&session, "linspace(0, nobody", 15)["data"]["text/plain"].clone();
        assert!(call.as_str().is_some_and(|text| text.starts_with("linspace(")), "{call}");
        assert_eq!(inspect(&session, "u + 1", 1)["data"]["text/plain"], "u: a Tensor [3]");
        let text = inspect(&session, "linspace(0, ", 12)["data"]["text/plain"].clone();
        assert!(text.as_str().is_some_and(|t| t.starts_with("linspace(") && t.contains("examples")), "{text}");
        assert_eq!(inspect(&session, "nothing_such", 5)["found"], false);
        let key = inspect(&session, "sum(x, 0, #{ keep: true })", 15)["data"]["text/plain"].clone();
        assert!(key.as_str().is_some_and(|t| t.starts_with("keep: ") && t.contains("an option of sum(")), "{key}");
        let magic = inspect(&session, "u\n%who", 6)["data"]["text/plain"].clone();
        assert!(magic.as_str().is_some_and(|t| t.starts_with("%who: ")), "{magic}");
    }
}
