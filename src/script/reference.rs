//! The reference, made from the registry: as text for a terminal, as Markdown for pages.

use super::registry::{Entry, Form, Registry};
use super::{nearest, tables};

/// One line per primitive, chapter by chapter.
pub fn overview(registry: &Registry) -> String {
    let mut out = String::new();
    for chapter in chapters(registry) {
        out += &format!("{chapter}\n");
        let entries: Vec<&Entry> = registry.entries().iter().filter(|e| e.chapter == chapter).collect();
        let width = entries.iter().map(|e| e.signature.chars().count()).max().unwrap_or(0).min(44);
        for entry in entries {
            out += &format!("  {:<width$}  {}\n", entry.signature, entry.brief);
        }
        out.push('\n');
    }
    out += "ansatz doc NAME tells more about one of them, or about a namespace such as random.\n";
    out
}

/// All that is known about a name: full, without namespace, or a namespace. `None` when nothing has this name.
pub fn about(registry: &Registry, name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches("()").trim_start_matches('.');
    let found = registry.find(name);
    if !found.is_empty() {
        return Some(found.iter().map(|e| text_of(e)).collect::<Vec<_>>().join("\n"));
    }
    let bare = name.trim_end_matches("::");
    let inside: Vec<&Entry> =
        registry.entries().iter().filter(|e| e.namespace.trim_end_matches("::") == bare && !bare.is_empty()).collect();
    if !inside.is_empty() {
        let width = inside.iter().map(|e| e.signature.chars().count()).max().unwrap_or(0).min(60);
        return Some(inside.iter().map(|e| format!("{:<width$}  {}\n", e.signature, e.brief)).collect());
    }
    let inside: Vec<&Entry> = registry.entries().iter().filter(|e| e.chapter.eq_ignore_ascii_case(name)).collect();
    (!inside.is_empty()).then(|| inside.iter().map(|e| text_of(e)).collect::<Vec<_>>().join("\n"))
}

/// Names near to one that nothing has: primitives, then namespaces.
pub fn near(registry: &Registry, name: &str) -> Vec<String> {
    let spaces =
        registry.entries().iter().map(|e| e.namespace.trim_end_matches("::").to_string()).filter(|s| !s.is_empty());
    let names = registry.entries().iter().map(Entry::full_name);
    nearest(name, names.chain(spaces))
}

fn text_of(entry: &Entry) -> String {
    let mut out = format!("{}\n    {}\n", entry.signature, entry.brief);
    if !entry.text.is_empty() {
        out += &format!("\n{}\n", wrapped(entry.text, "    "));
    }
    if !entry.options.is_empty() {
        out += "\n    options\n";
        let width = entry.options.iter().map(|o| o.name.len()).max().unwrap_or(0);
        for option in &entry.options {
            let text = wrapped(option.text, &" ".repeat(width + 8));
            out += &format!("      {:<width$}  {}\n", option.name, text.trim_start());
        }
    }
    if !entry.examples.is_empty() {
        out += "\n    examples\n";
        for example in &entry.examples {
            out += &format!("      {}\n", example.code.replace('\n', "\n      "));
            if !example.result.is_empty() {
                out += &format!("      // {}\n", example.result);
            }
        }
    }
    out
}

/// Lines of at most 96 characters; line breaks of the text stay.
fn wrapped(text: &str, indent: &str) -> String {
    const WIDTH: usize = 96;
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = indent.to_string();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + word.chars().count() + 1 > WIDTH && line.trim() != "" {
                lines.push(std::mem::replace(&mut line, indent.to_string()));
            }
            if line.len() > indent.len() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn chapters(registry: &Registry) -> Vec<&'static str> {
    let used = |chapter: &&str| registry.entries().iter().any(|e| e.chapter == *chapter);
    let mut names: Vec<&'static str> = tables().into_iter().map(|(chapter, _)| chapter).filter(used).collect();
    names.dedup();
    names
}

/// The whole reference as Markdown.
pub fn markdown(registry: &Registry) -> String {
    let mut out = String::from(
        "# Reference\n\nMade by `ansatz doc --markdown` from the table that the program itself runs on; every example is executed by a test.\n\n",
    );
    for chapter in chapters(registry) {
        out += &format!("- [{chapter}](#{})\n", anchor(chapter));
    }
    for chapter in chapters(registry) {
        out += &format!("\n## {chapter}\n");
        for entry in registry.entries().iter().filter(|e| e.chapter == chapter) {
            out += &markdown_of(entry);
        }
    }
    out
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
        .collect::<String>()
        .replace(' ', "-")
}

fn markdown_of(entry: &Entry) -> String {
    let kind = match entry.form {
        Form::Property => " (property)",
        Form::Constant => " (constant)",
        Form::Function | Form::Operator | Form::Index => "",
    };
    let mut out = format!("\n### `{}`{kind}\n\n{}\n", entry.signature, escaped(entry.brief));
    if !entry.text.is_empty() {
        let text: Vec<String> = entry.text.lines().map(|line| escaped(line.trim())).collect();
        out += &format!("\n{}\n", text.join("  \n"));
    }
    if !entry.options.is_empty() {
        out += "\n| option | |\n|---|---|\n";
        for option in &entry.options {
            out +=
                &format!("| `{}` | {} |\n", option.name, escaped(option.text).replace('|', "\\|").replace('\n', " "));
        }
    }
    if !entry.examples.is_empty() {
        out += "\n```rust\n";
        for example in &entry.examples {
            out += example.code;
            out += &if example.result.is_empty() { "\n".to_string() } else { format!("  // {}\n", example.result) };
        }
        out += "```\n";
    }
    out
}

/// Signs that Markdown would read as its own.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_")
}
