//! The one error type of the library: what went wrong, what was got, what was expected, what to do.

use std::fmt;
use std::rc::Rc;

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What sort of failure an [`Error`] is; a caller that wants to react matches on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value of the wrong type.
    Type,
    /// Shapes, ranks or axes that do not fit.
    Shape,
    /// A number or a choice outside its domain.
    Value,
    /// An option map with an unknown key or an unfit value.
    Option,
    /// A limit of the session was reached (memory, time, operations, size).
    Limit,
    /// A file that cannot be read, written or granted.
    File,
    /// The user stopped the evaluation.
    Interrupted,
    /// A NaN or an infinity where a finite number was needed.
    NotFinite,
    /// Equations that an iteration did not solve.
    Unsolved,
    /// An error that the script itself raised or ran into.
    Script,
    /// A fault of this program, caught before it could end the session.
    Internal,
}

/// An error with the four things a user needs to know. Built by chaining:
/// `Error::shape("matmul: inner lengths differ").got("[2, 3] and [4, 5]").expected("…").advice("…")`.
#[derive(Debug, Clone)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    what: String,
    got: Option<String>,
    expected: Option<String>,
    advice: Option<String>,
    /// The key of an option map that it is about.
    key: Option<String>,
    /// How far a solution in time came.
    reached: Option<f64>,
    /// The script's own error, when a closure failed inside a primitive.
    script: Option<Rc<rhai::EvalAltResult>>,
}

impl Error {
    /// An error of `kind` that says `what` happened.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            what: what.into(),
            got: None,
            expected: None,
            advice: None,
            key: None,
            reached: None,
            script: None,
        }))
    }
    /// A value of the wrong type.
    pub fn typ(what: impl Into<String>) -> Self {
        Self::new(Kind::Type, what)
    }
    /// Shapes, ranks or axes that do not fit.
    pub fn shape(what: impl Into<String>) -> Self {
        Self::new(Kind::Shape, what)
    }
    /// A number or a choice outside its domain.
    pub fn value(what: impl Into<String>) -> Self {
        Self::new(Kind::Value, what)
    }
    /// An option map with an unknown key or an unfit value.
    pub fn option(what: impl Into<String>) -> Self {
        Self::new(Kind::Option, what)
    }
    /// A limit of the session.
    pub fn limit(what: impl Into<String>) -> Self {
        Self::new(Kind::Limit, what)
    }
    /// A file that cannot be read, written or granted.
    pub fn file(what: impl Into<String>) -> Self {
        Self::new(Kind::File, what)
    }
    /// A NaN or an infinity where a finite number was needed.
    pub fn not_finite(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFinite, what)
    }
    /// Equations that an iteration did not solve.
    pub fn unsolved(what: impl Into<String>) -> Self {
        Self::new(Kind::Unsolved, what)
    }
    /// A fault of this program.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Kind::Internal, what)
    }
    /// The user stopped the evaluation.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// How far a solution in time came.
    #[must_use]
    pub fn at_time(mut self, t: f64) -> Self {
        self.0.reached = Some(t);
        self
    }
    /// How far a solution in time came, where that is known.
    pub fn reached(&self) -> Option<f64> {
        self.0.reached
    }

    /// An error that a script function raised while a primitive ran it. The kind of an error of ours inside is kept.
    pub(crate) fn from_script(error: rhai::EvalAltResult) -> Self {
        fn inner(error: &rhai::EvalAltResult) -> Option<Error> {
            match error {
                rhai::EvalAltResult::ErrorInFunctionCall(_, _, next, _)
                | rhai::EvalAltResult::ErrorInModule(_, next, _) => inner(next),
                rhai::EvalAltResult::ErrorRuntime(value, _) => value.read_lock::<Error>().map(|e| e.clone()),
                _ => None,
            }
        }
        let mut out = inner(&error).unwrap_or_else(|| Self::new(Kind::Script, error.unwrap_inner().to_string()));
        out.0.script = Some(Rc::new(error));
        out
    }
    /// Keeps the script's own error, for its place.
    pub(crate) fn with_script(mut self, error: rhai::EvalAltResult) -> Self {
        self.0.script = Some(Rc::new(error));
        self
    }
    /// Forgets the script's own error and its place.
    pub(crate) fn without_script(mut self) -> Self {
        self.0.script = None;
        self
    }
    /// The script's own error, when a closure failed inside a primitive.
    pub(crate) fn script(&self) -> Option<&rhai::EvalAltResult> {
        self.0.script.as_deref()
    }

    /// Adds what was got.
    pub fn got(mut self, got: impl fmt::Display) -> Self {
        self.0.got = Some(got.to_string());
        self
    }
    /// Adds what was expected.
    pub fn expected(mut self, expected: impl fmt::Display) -> Self {
        self.0.expected = Some(expected.to_string());
        self
    }
    /// Adds what to do about it.
    pub fn advice(mut self, advice: impl fmt::Display) -> Self {
        self.0.advice = Some(advice.to_string());
        self
    }
    /// Puts the place or the operation before the text: `"step 12: …"`.
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.0.what = format!("{place}: {}", self.0.what);
        self
    }

    /// Takes a place off the front again, where the one who knows a better one adds it.
    pub fn without(mut self, place: impl fmt::Display) -> Self {
        if let Some(rest) = self.0.what.strip_prefix(&format!("{place}: ")) {
            self.0.what = rest.to_string();
        }
        self
    }
    /// Names the key of an option map that it is about: its place is found by it.
    pub(crate) fn about_key(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_string());
        self
    }
    /// The key of an option map that it is about.
    pub(crate) fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    /// Got, expected and advice, where they are known, with their labels.
    pub fn details(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("got", &self.0.got), ("expected", &self.0.expected), ("advice", &self.0.advice)]
            .into_iter()
            .filter_map(|(label, text)| text.as_deref().map(|text| (label, text)))
    }
    /// What happened, in one line.
    pub fn what(&self) -> &str {
        &self.0.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.what)?;
        for (label, text) in self.details() {
            write!(f, "\n  {label:>8}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::file(error.to_string())
    }
}
