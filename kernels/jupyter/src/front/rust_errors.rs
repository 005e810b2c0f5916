//! Errors of the compiler, pointing into the cell.

use evcxr::{CompilationError, Theme};

use crate::wire::Failure;

/// The errors of a cell that has this name.
pub fn compilation(errors: &[CompilationError], name: &str, code: &str) -> Failure {
    let mut traceback = Vec::new();
    for error in errors.iter().filter(|error| error.is_from_user_code() || errors.len() == 1) {
        let text = drawn(error, name, code).or_else(|| plain(error, name, code)).unwrap_or_else(|| error.rendered());
        traceback.extend(text.lines().map(str::to_string));
        traceback.extend(error.help().into_iter().map(|help| format!("help: {help}")));
    }
    let value = errors.first().map_or_else(String::new, CompilationError::message);
    Failure { name: "CompilationError".into(), value, traceback }
}

/// `In [3]:2:5`
fn place(error: &CompilationError, name: &str) -> Option<(String, usize, usize)> {
    let span = error.primary_spanned_message()?.span?;
    Some((format!("{name}:{}:{}", span.start_line, span.start_column), span.start_line, span.start_column))
}

/// With all its labels; evcxr draws cells in ASCII alone.
fn drawn(error: &CompilationError, name: &str, code: &str) -> Option<String> {
    let mut text = Vec::new();
    let report = error.build_report(name.into(), code.to_string(), Theme::Light)?;
    report.write((name.to_string(), ariadne::Source::from(code)), &mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The report counts from the start of the cell; its head is to say where the error is.
    let place = place(error, name).map_or(name.to_string(), |(place, ..)| place);
    Some(text.replacen(&format!("{name}:1:1"), &place, 1))
}

/// With its line and a caret.
fn plain(error: &CompilationError, name: &str, code: &str) -> Option<String> {
    let (place, line, column) = place(error, name)?;
    Some(pointed(&error.message(), &place, code.lines().nth(line.checked_sub(1)?)?, line, column))
}

fn pointed(message: &str, place: &str, text: &str, line: usize, column: usize) -> String {
    let gap = " ".repeat(line.to_string().len());
    let indent = " ".repeat(column.saturating_sub(1));
    format!("error: {message}\n {gap}--> {place}\n {gap} |\n {line} | {text}\n {gap} | {indent}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_the_column() {
        let text = pointed("no such name", "In [3]:12:5", "let é = b;", 12, 9);
        assert_eq!(text, "error: no such name\n   --> In [3]:12:5\n    |\n 12 | let é = b;\n    |         ^");
    }
}
