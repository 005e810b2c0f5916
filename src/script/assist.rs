//! Completion, whether an input is complete, and which name the cursor stands on: for the shell and the notebook.

use std::collections::{BTreeMap, BTreeSet};

use super::Registry;
use super::registry::Form;

const KEYWORDS: [&str; 18] = [
    "let", "const", "fn", "if", "else", "switch", "while", "until", "loop", "for", "in", "do", "break", "continue",
    "return", "throw", "try", "catch",
];

/// Knows the names of a session.
pub struct Names {
    /// Primitives and keywords, always there.
    fixed: BTreeSet<String>,
    /// Properties, offered behind a dot beside functions.
    properties: BTreeSet<String>,
    /// Keys of the option map by primitive.
    options: BTreeMap<String, Vec<&'static str>>,
    /// Variables and functions of the session.
    session: BTreeSet<String>,
    /// Keys of its maps, by what stands before the dot.
    members: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// The names of the primitives.
    pub fn new(registry: &Registry) -> Self {
        let (mut fixed, mut properties, mut options) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for entry in registry.entries() {
            match entry.form {
                Form::Function | Form::Constant => fixed.insert(entry.full_name()),
                Form::Property => properties.insert(entry.name.to_string()),
                Form::Operator | Form::Index => false,
            };
            if !entry.options.is_empty() {
                options.insert(entry.full_name(), entry.option_names());
            }
        }
        fixed.extend(KEYWORDS.map(String::from));
        fixed.insert("print".into());
        Self { fixed, properties, options, session: BTreeSet::new(), members: BTreeMap::new() }
    }
    /// Takes over the names that the session has now; `a.b` is the key `b` of the map `a`.
    pub fn refresh(&mut self, names: impl IntoIterator<Item = String>) {
        self.session.clear();
        self.members.clear();
        for name in names {
            if let Some((of, key)) = name.rsplit_once('.') {
                self.members.entry(of.to_string()).or_default().push(key.to_string());
            } else {
                self.session.insert(name);
            }
        }
    }

    /// Where the word before the cursor begins, and what it may become.
    pub fn candidates(&self, before: &str) -> (usize, Vec<String>) {
        let start = word_start(before);
        let word = before.get(start..).unwrap_or_default();
        if inside_string(before) {
            return (start, Vec::new());
        }
        if let Some(call) = open_option_map(before.get(..start).unwrap_or_default())
            && let Some(keys) = self.options.get(&call)
        {
            let keys = keys.iter().filter(|key| key.starts_with(word));
            return (start, keys.map(|key| format!("{key}: ")).collect());
        }
        if before.get(..start).is_some_and(|text| text.ends_with('.') && !text.ends_with("..")) {
            if let Some(keys) = self.members.get(owner(before.get(..start).unwrap_or_default())) {
                let keys: Vec<String> = keys.iter().filter(|key| key.starts_with(word)).cloned().collect();
                if word.is_empty() || !keys.is_empty() {
                    return (start, keys);
                }
            }
            let methods = self.fixed.iter().filter(|n| {
                !n.contains("::") && n.chars().all(|c| !c.is_uppercase()) && !KEYWORDS.contains(&n.as_str())
            });
            let names =
                self.properties.iter().chain(methods).filter(|n| {
                    n.starts_with(word) && !word.is_empty() || self.properties.contains(*n) && word.is_empty()
                });
            return (start, names.cloned().collect::<BTreeSet<_>>().into_iter().collect());
        }
        let names = self.session.iter().chain(&self.fixed).filter(|name| !word.is_empty() && name.starts_with(word));
        let mut names: Vec<String> = names.cloned().collect();
        // Of a namespace that is not yet written, its name is enough.
        if !word.contains(':') {
            for name in &mut names {
                if let Some(at) = name.find("::") {
                    name.truncate(at + 2);
                }
            }
            names.dedup();
        }
        (start, names)
    }
}

/// Where the name before the cursor begins; namespaces belong to it.
fn word_start(text: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(text.len(), |(at, _)| at)
}

/// What stands before the dot that ends a text: `1 + a.b.` gives `a.b`.
fn owner(text: &str) -> &str {
    let text = text.strip_suffix('.').unwrap_or(text);
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.get(text.trim_end_matches(part).len()..).unwrap_or_default()
}

/// Whether a text ends inside of a string.
pub fn inside_string(text: &str) -> bool {
    scan(text).in_string
}

/// The function whose option map is open where `text` ends: `step(x, #{ a: 1, ` gives `step`.
fn open_option_map(text: &str) -> Option<String> {
    let open = scan(text).open;
    let (map, call) = (open.last()?, open.iter().rev().nth(1)?);
    if map.0 != '#' || call.0 != '(' {
        return None;
    }
    // Behind a colon stands a value, not a key.
    let inside = text.get(map.1..)?;
    let last = inside.trim_end().chars().last()?;
    if last != '{' && last != ',' {
        return None;
    }
    let name = text.get(..call.1)?;
    let start = word_start(name.trim_end());
    name.trim_end().get(start..).map(|name| name.trim_start_matches(':').to_string())
}

/// What is open at the end of a text.
#[derive(Default)]
struct Scan {
    /// Brackets with their byte positions; `#` stands for `#{`.
    open: Vec<(char, usize)>,
    in_string: bool,
    in_comment: bool,
    /// A closing bracket that nothing opened: the parser will say so.
    broken: bool,
    /// The last character that is neither space nor comment.
    last: char,
}

/// Brackets, strings and comments of a text. Escapes are respected; the contents of strings are skipped.
fn scan(text: &str) -> Scan {
    let mut out = Scan::default();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let comment = c == '/' && chars.peek().is_some_and(|(_, c)| ['/', '*'].contains(c));
        if !comment && !c.is_whitespace() {
            out.last = c;
        }
        match c {
            '/' if chars.peek().is_some_and(|(_, c)| *c == '/') => {
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '/' if chars.peek().is_some_and(|(_, c)| *c == '*') => {
                chars.next();
                let mut depth = 1;
                let mut last = ' ';
                while depth > 0 {
                    let Some((_, c)) = chars.next() else {
                        out.in_comment = true;
                        return out;
                    };
                    // Comments nest in Rhai.
                    match (last, c) {
                        ('*', '/') => (depth, last) = (depth - 1, ' '),
                        ('/', '*') => (depth, last) = (depth + 1, ' '),
                        _ => last = c,
                    }
                }
            }
            '"' | '`' => {
                let mut closed = false;
                while let Some((_, inner)) = chars.next() {
                    if inner == '\\' && c == '"' {
                        chars.next();
                    } else if inner == c {
                        closed = true;
                        break;
                    }
                }
                if !closed {
                    out.in_string = true;
                    return out;
                }
            }
            '\'' => {
                // A character: at most an escape between the quotes.
                chars.next_if(|(_, c)| *c == '\\');
                chars.next();
                chars.next_if(|(_, c)| *c == '\'');
            }
            '#' if chars.peek().is_some_and(|(_, c)| *c == '{') => {
                chars.next();
                out.open.push(('#', at));
            }
            '(' | '[' | '{' => out.open.push((c, at)),
            ')' | ']' | '}' => {
                let fits = matches!(
                    (out.open.pop(), c),
                    (Some(('(', _)), ')') | (Some(('[', _)), ']') | (Some(('{' | '#', _)), '}')
                );
                if !fits {
                    out.broken = true;
                    return out;
                }
            }
            _ => {}
        }
    }
    out
}

/// Whether an input can be evaluated, or goes on in the next line.
pub fn is_complete(text: &str) -> bool {
    let scan = scan(text);
    // No statement ends with an operator.
    let waits = ['+', '-', '*', '/', '%', '=', '&', '<', ','].contains(&scan.last);
    scan.broken || (scan.open.is_empty() && !scan.in_string && !scan.in_comment && !waits)
}

/// The last character of a text that is neither space nor comment.
pub fn last_character(text: &str) -> Option<char> {
    let scan = scan(text);
    (scan.last != char::default()).then_some(scan.last)
}

/// The name that a position of a text lies in or behind, namespace included; inside the arguments of a call, the function.
pub fn name_at(text: &str, at: usize) -> Option<String> {
    let before = text.get(..at)?;
    let rest = text.get(at..)?;
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let tail: String = rest.chars().take_while(|c| part(*c)).collect();
    let name = format!("{}{tail}", before.get(word_start(before)..).unwrap_or_default());
    let name = name.trim_matches(':');
    if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(name.to_string());
    }
    call_at(text, at)
}

/// The function inside of whose arguments a position of a text lies.
pub fn call_at(text: &str, at: usize) -> Option<String> {
    let before = text.get(..at)?;
    let call = scan(before).open.iter().rev().find(|(bracket, _)| *bracket == '(').map(|(_, at)| *at)?;
    let head = before.get(..call)?.trim_end();
    let name = head.get(word_start(head)..)?.trim_matches(':');
    (!name.is_empty()).then(|| name.to_string())
}

/// The key of a map that a position of a text lies in or behind, with the map: `1 + a.b.c` gives `a.b.c`.
pub fn member_at(text: &str, at: usize) -> Option<String> {
    let tail: String = text.get(at..)?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let head = text.get(..at + tail.len())?;
    let path = owner(head);
    (path.contains('.') && !head.ends_with('.')).then(|| path.to_string())
}

/// The function and the option whose key a position of a text lies in or behind: `step(x, #{ size: 1 })` gives `step`, `size`.
pub fn option_at(text: &str, at: usize) -> Option<(String, String)> {
    let before = text.get(..at)?;
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let start = before.trim_end_matches(part).len();
    let call = open_option_map(before.get(..start)?)?;
    let key: String = text.get(start..)?.chars().take_while(|c| part(*c)).collect();
    (!key.is_empty()).then_some((call, key))
}

/// How deep the brackets are that an incomplete input leaves open.
pub fn depth(text: &str) -> usize {
    scan(text).open.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_goes_on_while_something_is_open() {
        for text in [
            "1 + 1",
            "f(x, [1, #{ a: 2 }])",
            "\"(\"",
            "'('",
            "// (",
            "/* ( */ 1",
            "\"a\\\"(\"",
            ")",
            "`a ${b}`",
            "x /* a /* b */ c */",
            "x // +",
            "\"+\"",
            "x /* + */",
            "f(x) +)",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "f(",
            "let a = [1,",
            "#{ a: 1",
            "\"text",
            "`text",
            "/* a",
            "fn f(x) {",
            "x /* a /* b */",
            "1 +",
            "let a = // b",
            "x ** /* y */",
            "a ==",
            "1,",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }

    #[test]
    fn the_key_of_an_option_is_found() {
        let text = "a::step(x, #{ size: 1, depth: [y] })";
        let found =
            |word: &str| option_at(text, text.find(word).unwrap() + 2).map(|(call, key)| format!("{call} {key}"));
        assert_eq!(found("size"), Some("a::step size".to_string()));
        assert_eq!(found("depth"), Some("a::step depth".to_string()));
        assert_eq!(found("1,"), None);
        assert_eq!(found("step"), None);
    }

    #[test]
    fn names_and_options_are_completed() {
        let names = Names::new(&Registry::new());
        let offered = |text: &str| names.candidates(text).1;
        assert!(offered("let x = linsp").contains(&"linspace".to_string()));
        assert!(offered("check::gr").contains(&"check::gradient".to_string()));
        assert!(offered("chec").contains(&"check::".to_string()));
        assert_eq!(offered("check::gradient(f, x, #{ to"), ["tolerance: "]);
        assert_eq!(offered("sum(x, 0, #{ "), ["keep: "]);
        assert!(offered("sum(x, 0, #{ keep: ").is_empty());
        assert!(offered("print(\"lins").is_empty());
        assert!(offered("x.sha").contains(&"shape".to_string()));
    }

    #[test]
    fn keys_of_maps_are_completed() {
        let mut names = Names::new(&Registry::new());
        names.refresh(["m", "m.alpha", "m.inner", "m.inner.gamma", "u"].map(String::from));
        let offered = |text: &str| names.candidates(text).1;
        assert_eq!(offered("1 + m."), ["alpha", "inner"]);
        assert_eq!(offered("f(m.al"), ["alpha"]);
        assert_eq!(offered("m.inner."), ["gamma"]);
        assert!(offered("m.me").contains(&"mean".to_string()));
        assert!(offered("u.").contains(&"shape".to_string()));
        assert!(!offered("m").iter().any(|name| name.contains('.')));
        assert_eq!(member_at("1 + m.inner.gamma", 10).as_deref(), Some("m.inner"));
        assert_eq!(member_at("m.inner.gamma", 13).as_deref(), Some("m.inner.gamma"));
        assert_eq!(member_at("inner", 5), None);
    }

    #[test]
    fn the_name_under_the_cursor() {
        let name = |text: &str| name_at(&text.replace('|', ""), text.find('|').unwrap_or(text.len()));
        assert_eq!(name("grad|").as_deref(), Some("grad"));
        assert_eq!(name("plot::li|nes(x)").as_deref(), Some("plot::lines"));
        assert_eq!(name("solve(u, [1, |").as_deref(), Some("solve"));
        assert_eq!(name("solve(u, 1) + |"), None);
        assert_eq!(call_at("f(g(x", 5).as_deref(), Some("g"));
        assert_eq!(depth("f(#{ a: [1"), 3);
    }
}
