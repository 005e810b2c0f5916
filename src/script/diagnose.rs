//! Errors as a person reads them: what, where with the line of the script, the call stack, got, expected, advice.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use rhai::{Dynamic, EvalAltResult, Map, ParseError, Position, Scope};

use super::elsewhere;
use super::guards::OutOfMemory;
use super::registry::{Form, Registry, nearest};
use super::sources::Sources;
use super::stack;
use super::value::compact;
use crate::error::{Error, Kind};

/// An error with its place in a script.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// What happened, got, expected, advice.
    pub error: Error,
    /// The name of the script or cell.
    pub source: String,
    /// Line and column, from 1; 0 where not known.
    pub line: usize,
    /// Column from 1; 0 where not known.
    pub column: usize,
    /// The line of the script.
    pub excerpt: Option<String>,
    /// Calls from the innermost to the outermost.
    pub stack: Vec<Frame>,
}

/// A call on the way to an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function that was called.
    pub function: String,
    /// The script or cell that the call stands in.
    pub source: String,
    /// Line of the call; 0 where not known.
    pub line: usize,
    /// Column of the call.
    pub column: usize,
}

impl Diagnostic {
    pub(super) fn at(error: Error, name: &str, text: &str, position: Position) -> Self {
        let line = position.line().unwrap_or(0);
        let excerpt = line.checked_sub(1).and_then(|i| text.lines().nth(i)).map(str::to_string);
        Self {
            error,
            source: name.to_string(),
            line,
            column: position.position().unwrap_or(0),
            excerpt,
            stack: Vec::new(),
        }
    }

    pub(super) fn of_parse(error: &ParseError, name: &str, text: &str) -> Self {
        let what = error.err_type().to_string();
        let mut ours = Error::new(Kind::Script, what.clone());
        if what.contains("reserved keyword") {
            ours =
                ours.advice("Rhai reserves this word; quote it as a key: #{ \"default\": 1 }, or choose another name");
        }
        if what.contains("complex") || what.contains("depth") {
            ours = ours.advice("break the expression into several lines, or raise --max-expression-depth");
        }
        Self::at(ours, name, text, error.position())
    }

    pub(super) fn of_eval(
        error: &EvalAltResult,
        sources: &Sources,
        source: usize,
        registry: &Registry,
        scope: &Scope,
    ) -> Box<Self> {
        let mut stack = Vec::new();
        let mut found = Unwind { sources, registry, stack: &mut stack }.walk(error, source);
        if let Some(name) = called_name(error)
            && scope.contains(name)
        {
            found.error =
                found.error.advice(format!("`{name}` is a variable: a closure in it is called with {name}.call(…)"));
        }
        let mut diagnostic = sources.diagnostic(found.error, found.source, found.position);
        diagnostic.stack = stack;
        diagnostic
    }
    /// The same, reached by a call of `function` at a position of a source.
    pub(super) fn called_from(
        mut self: Box<Self>,
        function: &str,
        sources: &Sources,
        source: usize,
        position: Position,
    ) -> Box<Self> {
        self.stack.push(Frame::new(function, sources.name(source), position));
        self
    }
}

impl Frame {
    fn new(function: &str, source: &str, position: Position) -> Self {
        Self {
            function: function.to_string(),
            source: source.to_string(),
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.error.what())?;
        if self.line > 0 {
            writeln!(f, "   --> {}:{}:{}", self.source, self.line, self.column)?;
            if let Some(excerpt) = &self.excerpt {
                let number = self.line.to_string();
                let pad = " ".repeat(number.len());
                let (excerpt, lead) = around(excerpt, self.column.saturating_sub(1));
                writeln!(f, " {pad} |\n {number} | {excerpt}\n {pad} | {lead}^")?;
            }
        } else if !self.source.is_empty() {
            writeln!(f, "   --> {}", self.source)?;
        }
        for (label, text) in self.error.details() {
            writeln!(f, "  {label:>8}: {text}")?;
        }
        write_stack(f, &self.stack)
    }
}

/// The part of a line around a column, and what stands before the caret below it.
fn around(line: &str, column: usize) -> (String, String) {
    const BEFORE: usize = 70;
    const AFTER: usize = 50;
    let length = line.chars().count();
    let start = if length <= BEFORE + AFTER { 0 } else { column.saturating_sub(BEFORE) };
    let end = if length <= BEFORE + AFTER { length } else { (column + AFTER).max(BEFORE + AFTER).min(length) };
    // Control characters would move the cursor or colour the terminal.
    let part: String = line
        .chars()
        .skip(start)
        .take(end - start)
        .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    let lead: String = part.chars().take(column - start).map(blank).collect();
    let (front, gap) = if start > 0 { ("…", " ") } else { ("", "") };
    let back = if end < length { "…" } else { "" };
    (format!("{front}{part}{back}"), format!("{gap}{lead}"))
}

/// A blank as wide as the character: a tab stays a tab so that both lines shift alike, East Asian signs take two columns.
fn blank(c: char) -> &'static str {
    match c {
        '\t' => "\t",
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => "",
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => "  ",
        _ => " ",
    }
}

/// The calls, innermost first; in a deep recursion the middle is left out.
fn write_stack(f: &mut fmt::Formatter<'_>, stack: &[Frame]) -> fmt::Result {
    const ENDS: usize = 4;
    let hidden = if stack.len() > 2 * ENDS + 1 { ENDS..stack.len() - ENDS } else { 0..0 };
    for (at, frame) in stack.iter().enumerate() {
        if at == hidden.start && !hidden.is_empty() {
            writeln!(f, "  … {} more calls …", hidden.len())?;
        }
        if hidden.contains(&at) {
            continue;
        }
        let function = if frame.function.starts_with("anon$") { "a closure" } else { &frame.function };
        if frame.line == 0 {
            writeln!(f, "  in {function}, called in {}", frame.source)?;
        } else {
            writeln!(f, "  in {function}, called at {}:{}:{}", frame.source, frame.line, frame.column)?;
        }
    }
    Ok(())
}

/// Goes to the innermost error and collects the calls on the way.
struct Unwind<'a> {
    sources: &'a Sources,
    registry: &'a Registry,
    stack: &'a mut Vec<Frame>,
}

/// The innermost error and its place.
struct Found {
    error: Error,
    position: Position,
    source: usize,
}

impl Unwind<'_> {
    fn walk(&mut self, error: &EvalAltResult, source: usize) -> Found {
        match error {
            EvalAltResult::ErrorInFunctionCall(function, _, inner, position) => {
                let found = self.walk(inner, self.sources.of_function(function, source));
                self.stack.push(Frame::new(function, self.sources.name(source), *position));
                found
            }
            EvalAltResult::ErrorInModule(_, inner, _) => self.walk(inner, source),
            EvalAltResult::ErrorRuntime(value, position) => match value.read_lock::<Error>() {
                Some(ours) => match ours.script() {
                    Some(script) => {
                        let found = self.walk(script, source);
                        if found.position.is_none() { Found { position: *position, source, ..found } } else { found }
                    }
                    None => Found { error: ours.clone(), position: *position, source },
                },
                None => Found { error: thrown(value), position: *position, source },
            },
            EvalAltResult::ErrorFunctionNotFound(signature, position) => {
                let scripted: Vec<String> = self.sources.functions().map(str::to_string).collect();
                let error = unknown_function(signature, self.registry, &scripted);
                Found { error, position: *position, source }
            }
            EvalAltResult::ErrorVariableNotFound(name, position) => {
                let own = nearest(name, self.sources.variables(source));
                let error = match own.first() {
                    Some(near) => Error::new(Kind::Script, format!("there is no variable `{name}`"))
                        .advice(format!("did you mean `{near}`?")),
                    None => explain(error, self.registry),
                };
                Found { error, position: *position, source }
            }
            other => Found { error: explain(other, self.registry), position: other.position(), source },
        }
    }
}

/// The name of a function that does not exist.
fn called_name(error: &EvalAltResult) -> Option<&str> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => called_name(inner),
        EvalAltResult::ErrorRuntime(..) => None,
        EvalAltResult::ErrorFunctionNotFound(signature, _) => signature.split([' ', '(']).next(),
        _ => None,
    }
}

/// What a script threw: text as it is; of a map its message.
fn thrown(value: &Dynamic) -> Error {
    if let Some(map) = value.read_lock::<Map>()
        && let Some(message) = map.get("message")
    {
        let rest: Map =
            map.iter().filter(|(key, _)| key.as_str() != "message").map(|(k, v)| (k.clone(), v.clone())).collect();
        let error = Error::new(Kind::Script, compact(message));
        return if rest.is_empty() { error } else { error.got(compact(&Dynamic::from(rest))) };
    }
    if value.is_unit() {
        return Error::new(Kind::Script, "the script threw an error without a message");
    }
    Error::new(Kind::Script, compact(value))
}

/// Rhai's own errors in our words.
pub(super) fn explain(error: &EvalAltResult, registry: &Registry) -> Error {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, registry, &[]),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let near = registry.nearest(name);
            let error = Error::new(Kind::Script, format!("there is no variable `{name}`"));
            if let Some(function) = registry.find(name).into_iter().find(|entry| entry.form == Form::Function) {
                let signature = &function.signature;
                return error.advice(format!("it is a function: {signature}; as a value, a closure: |x| {name}(x)"));
            }
            if let Some(advice) = elsewhere::library(name) {
                return error.advice(advice);
            }
            match near.first() {
                Some(near) => error.advice(format!("did you mean `{near}`? A variable is made with let {name} = …")),
                None => error.advice(format!("make it with let {name} = …")),
            }
        }
        EvalAltResult::ErrorDotExpr(text, _) | EvalAltResult::ErrorPropertyNotFound(text, _) => no_property(text),
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) if wanted == "bool" => {
            Error::typ("a condition needs true or false")
                .got(with_article(short_type(got)))
                .advice("compare it: x > 0; of a tensor, any(x > 0) or all(x > 0)")
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) if !wanted.is_empty() => {
            let error = Error::typ("a value of another type is needed")
                .got(with_article(short_type(got)))
                .expected(with_article(short_type(wanted)));
            // An array in the place of a tensor.
            if short_type(got) == "range" && short_type(wanted) == "integer" {
                error.advice("a range of an array: a.extract(1..3), or tensor(a)[1..3]")
            } else {
                error
            }
        }
        EvalAltResult::ErrorIndexingType(text, _) => {
            let words: Vec<&str> = text.split_whitespace().map(short_type).collect();
            let error = Error::typ(format!("this cannot be indexed so: {}", words.join(" ")));
            if text.contains('=') {
                error.advice("a tensor is never changed in place: t = assign(t, at, value)")
            } else {
                error
            }
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            Error::new(Kind::Script, format!("`{name}` is a constant and keeps its value"))
                .advice(format!("make a variable: let {name} = …"))
        }
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            Error::new(Kind::Script, format!("`{name}` would change a constant")).advice("make it a variable with let")
        }
        EvalAltResult::ErrorArrayBounds(count, index, _) => {
            Error::value(format!("index {index} is outside of the array")).expected(if *count == 0 {
                "nothing: the array is empty".into()
            } else {
                format!("-{count} to {}", count - 1)
            })
        }
        EvalAltResult::ErrorStringBounds(count, index, _) => {
            Error::value(format!("index {index} is outside of the string")).expected(if *count == 0 {
                "nothing: the string is empty".into()
            } else {
                format!("-{count} to {}", count - 1)
            })
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => {
            let spaces: Vec<String> =
                registry.entries().iter().map(|e| e.namespace.trim_end_matches("::").to_string()).collect();
            let error = Error::new(Kind::Script, format!("there is no namespace `{name}`"));
            match super::registry::nearest(name, spaces).first() {
                Some(near) => error.advice(format!("did you mean `{near}`?")),
                None => error,
            }
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            Error::limit("the limit of script operations was reached").advice("raise it with --max-operations")
        }
        EvalAltResult::ErrorStackOverflow(_) => Error::limit("functions call each other too deeply")
            .advice("a recursion that does not end? Raise the depth with --max-call-depth"),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            let (what, option) = match what.to_lowercase() {
                w if w.contains("string") => ("a string", "--max-string"),
                w if w.contains("map") => ("a map", "--max-map"),
                _ => ("an array", "--max-array"),
            };
            Error::limit(format!("{what} passes its limit"))
                .advice(format!("raise {option}; large data belongs in a tensor"))
        }
        EvalAltResult::ErrorTerminated(token, _) if token.is::<stack::Exhausted>() => Error::limit(
            "functions and expressions nest too deeply",
        )
        .advice("a recursion that does not end? Fewer nested calls, and expressions in several lines, need less"),
        EvalAltResult::ErrorTerminated(token, _) if token.is::<OutOfMemory>() => {
            Error::limit("the process holds nearly all memory of the machine")
                .advice("large data belongs in tensors, which have a limit of their own")
        }
        EvalAltResult::ErrorTerminated(..) => {
            crate::session::interrupt::poll().err().unwrap_or_else(Error::interrupted)
        }
        EvalAltResult::ErrorDataRace(name, _) => {
            Error::new(Kind::Script, format!("`{name}` is in use by the call around this one"))
                .advice("a method locks its object: call it as a free function, f(x, …), when the closure uses x too")
        }
        EvalAltResult::ErrorFor(_) => Error::typ("for … in needs something to walk through")
            .expected("an array, a range such as 0..10, or a string")
            .advice("the ends of a range are whole numbers: 0..int(n / 2)"),
        other => Error::new(Kind::Script, strip_position(&other.to_string())),
    }
}

fn strip_position(text: &str) -> String {
    text.rfind(" (line ").and_then(|at| text.get(..at)).unwrap_or(text).to_string()
}

/// "name (type, type)" that nothing fits: an unknown name, a wrong number of arguments, or types that no overload takes.
fn unknown_function(signature: &str, registry: &Registry, scripted: &[String]) -> Error {
    let (name, arguments) =
        signature.split_once('(').map_or((signature, ""), |(n, a)| (n.trim(), a.trim_end_matches(')')));
    let types: Vec<String> = split_types(arguments);
    let name = name.strip_prefix("get$").unwrap_or(name);
    if name.is_empty() {
        return Error::typ("a function pointer needs a name").expected("Fn(\"name\")");
    }
    if name.starts_with("anon$") {
        return Error::typ("a closure was called with the wrong number of arguments")
            .got(format!("{} arguments", types.len()));
    }
    if ["..", "..="].contains(&name) {
        return Error::typ("the ends of a range are whole numbers")
            .got(format!("{} {name} {}", types.first().map_or("?", |s| s), types.get(1).map_or("?", |s| s)))
            .advice("int(x) takes the whole part: 0..int(n / 2)");
    }
    let known = registry.find(name);
    let operators = registry.entries().iter().filter(|e| e.form == Form::Operator && e.name == name);
    if operators.count() > 0 || !name.chars().any(char::is_alphabetic) {
        return Error::typ(format!("`{name}` does not go together with these values"))
            .got(types.join(&format!(" {name} ")));
    }
    let elsewhere = elsewhere::advice(name);
    let qualified = known.iter().all(|e| !e.namespace.is_empty()) && !name.contains("::");
    if let Some(entry) = known.first()
        && !(qualified && elsewhere.is_some())
    {
        let (least, most) = entry.arity();
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let error = Error::typ(format!("{name}: wrong number of arguments")).got(types.len()).expected(expected);
        return if qualified {
            let names: Vec<String> = known.iter().map(|e| e.full_name()).collect();
            Error::typ(format!("there is no function `{name}`")).advice(format!("did you mean {}?", names.join(" or ")))
        } else {
            error.advice(format!("usage: {}", entry.signature))
        };
    }
    let language = language();
    if scripted.iter().chain(&language).any(|n| n == name) {
        let error = Error::typ(format!("{name}: these arguments do not fit")).got(list(&types));
        return match elsewhere {
            Some(advice) if !scripted.iter().any(|n| n == name) => error.advice(advice),
            _ => error,
        };
    }
    let error = Error::new(Kind::Script, format!("there is no function `{name}` for {}", list(&types)));
    if let Some(advice) = elsewhere {
        return error.advice(advice);
    }
    let primitives = registry.entries().iter().filter(|e| e.form == Form::Function).map(|e| e.full_name());
    match nearest(name, primitives.chain(language).chain(scripted.iter().cloned())).as_slice() {
        [] => error.advice("ansatz doc lists all functions"),
        near => error.advice(format!("did you mean {}?", near.join(", "))),
    }
}

/// Functions of the language itself, on arrays, maps, strings and numbers. Looked up when a name is wrong, which is rare.
fn language() -> Vec<String> {
    let named = |info: rhai::FuncInfo| {
        let name = info.metadata.name.to_string();
        name.starts_with(char::is_alphabetic).then_some(name)
    };
    let mut names = rhai::Engine::new().collect_fn_metadata(None, named, true);
    // Those that read properties bear their names in another form.
    names.retain(|name| !name.contains('$'));
    names.sort();
    names.dedup();
    names
}

fn split_types(arguments: &str) -> Vec<String> {
    if arguments.trim().is_empty() {
        return Vec::new();
    }
    arguments.split(',').map(|t| short_type(t).to_string()).collect()
}

/// A type as users know it.
fn short_type(name: &str) -> &str {
    let name = name.trim();
    if name.contains("ImmutableString") {
        return "string";
    }
    match name.rsplit("::").next().unwrap_or(name) {
        "i64" => "integer",
        "f64" => "float",
        "&str" | "String" => "string",
        "()" => "nothing",
        "Fn" | "FnPtr" => "function",
        "Range<i64>" | "RangeInclusive<i64>" => "range",
        other => other,
    }
}

fn with_article(name: &str) -> String {
    match name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'A' | 'E' | 'I' | 'O' | 'U') => format!("an {name}"),
        _ if name == "nothing" => "nothing: ()".into(),
        _ => format!("a {name}"),
    }
}

/// "Unknown property 'x' - a getter is not registered for type 'T'".
fn no_property(text: &str) -> Error {
    let quoted: Vec<&str> = text.split('\'').collect();
    match (quoted.get(1), quoted.get(3)) {
        (None, _) => Error::new(Kind::Script, format!("the map has no key `{text}`"))
            .advice(format!("\"{text}\" in map says whether it has; map.get(\"{text}\") is () where it has not")),
        (Some(name), Some(&"()")) => Error::new(Kind::Script, format!("there is no property `{name}` of nothing: ()"))
            .advice("what stands before the dot gave nothing; a missing key of a map does"),
        (Some(name), Some(owner)) => {
            let error = Error::new(
                Kind::Script,
                format!("there is no property `{name}` of {}", with_article(short_type(owner))),
            );
            match nearest(name, language()).first() {
                Some(near) => error
                    .advice(format!("did you mean the function `{near}`? It is called with parentheses: .{near}()")),
                None => error,
            }
        }
        _ => Error::new(Kind::Script, text.to_string()),
    }
}

fn list(types: &[String]) -> String {
    if types.is_empty() { "no arguments".into() } else { format!("({})", types.join(", ")) }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics of primitives quiet and remembers where they happened; those elsewhere are printed as usual.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let worker = std::thread::current().name().is_some_and(|n| n.starts_with("ansatz"));
        if worker && std::env::var_os("RUST_BACKTRACE").is_none() {
            LAST_PANIC.with(|last| {
                *last.borrow_mut() = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
            });
        } else {
            usual(info);
        }
    }));
}

/// What a caught panic said.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()))
        .unwrap_or_else(|| "a panic without a message".into());
    let place = LAST_PANIC.with(|last| last.borrow_mut().take()).map_or(String::new(), |at| format!(" at {at}"));
    format!("{}{place}", text.lines().next().unwrap_or_default())
}
