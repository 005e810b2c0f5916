//! What of a cell is Rust: `%%rust` in its first line, with or without `%%time`.

/// A cell in Rust.
#[derive(Debug, PartialEq, Eq)]
pub struct RustCode {
    /// The cell with blanks in the place of its magics, so that every position stays.
    pub code: String,
    /// Whether the time is asked for.
    pub timed: bool,
}

/// The cell as Rust; none when it is not, an error when a magic stands there that Rust cells do not have.
pub fn rust_code(cell: &str) -> Option<Result<RustCode, String>> {
    let (mut code, mut timed, mut rust) = (String::with_capacity(cell.len()), false, false);
    let mut lines = cell.split_inclusive('\n');
    for line in lines.by_ref() {
        let text = line.trim();
        let magic = text.split_whitespace().next().unwrap_or_default();
        match magic {
            "" => {}
            "%%rust" => rust = true,
            "%%time" => timed = true,
            _ if rust && magic.starts_with('%') => {
                return Some(Err(format!("{magic} is a magic of Rhai cells; a cell in Rust has %%time alone")));
            }
            _ if rust => {
                code.push_str(line);
                break;
            }
            _ => return None,
        }
        code.push_str(&line.replacen(magic, &" ".repeat(magic.len()), 1));
    }
    code.extend(lines);
    // It ends the process that evcxr runs in, which is the kernel's own.
    if rust && code.lines().any(|line| line.split_whitespace().next() == Some(":quit")) {
        return Some(Err(":quit would end the kernel; :clear forgets the variables and items of Rust cells".into()));
    }
    rust.then_some(Ok(RustCode { code, timed }))
}

/// Whether a cell is in Rust.
pub fn is_rust(cell: &str) -> bool {
    rust_code(cell).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_leave_their_places() {
        let code = |cell: &str| rust_code(cell).and_then(Result::ok).map(|rust| (rust.code, rust.timed));
        assert_eq!(code("%%rust\n1"), Some(("      \n1".into(), false)));
        assert_eq!(code("%%rust let a = 5 % 2;"), Some(("       let a = 5 % 2;".into(), false)));
        for cell in ["%%time\n%%rust\na", "%%rust\n%%time\na"] {
            assert_eq!(code(cell), Some(("      \n      \na".into(), true)), "{cell}");
        }
        for cell in ["%%rusty\n1", "1\n%%rust", "%time 1", "", "%%time\n1"] {
            assert_eq!(rust_code(cell), None, "{cell}");
        }
        for cell in ["%%rust\n%who", "%%rust\n:quit", "%%rust\nlet a = 1;\n :quit"] {
            assert!(rust_code(cell).is_some_and(|rust| rust.is_err()), "{cell}");
        }
        assert_eq!(code("\n%%rust\na\n% b"), Some(("\n      \na\n% b".into(), false)));
    }
}
