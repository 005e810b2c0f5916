//! Option maps, `#{ lr: 1e-3 }`: unknown keys are refused, wrong types are named.

use rhai::{Dynamic, FnPtr, Map};

use super::closure::Closure;
use super::registry::nearest;
use super::value::{Operand, describe, ints_of, number_of, shape_of};
use crate::error::{Error, Result};
use crate::tensor::{Context, Shape, Tensor};

/// The options given in one call.
#[derive(Clone, Debug)]
pub struct Options {
    owner: String,
    map: Map,
}

/// The error of a key that the primitive `owner` does not know.
pub(super) fn unknown(owner: &str, key: &str, known: &[&str]) -> Error {
    let error = Error::option(format!("{owner}: there is no option `{key}`")).about_key(key);
    let error = if known.is_empty() {
        error.expected("no options")
    } else {
        error.expected(format!("one of {}", known.join(", ")))
    };
    match nearest(key, known.iter().map(|s| s.to_string())).first() {
        Some(near) => error.advice(format!("did you mean `{near}`?")),
        None => error,
    }
}

impl Options {
    /// Options of the primitive `owner`.
    pub fn new(owner: String, map: Map) -> Self {
        Self { owner, map }
    }
    /// The primitive they belong to.
    pub fn owner(&self) -> &str {
        &self.owner
    }
    /// Refuses keys that are not known, naming those that are and the nearest.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<()> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(unknown(&self.owner, key, known)),
            None => Ok(()),
        }
    }
    /// The value of a key, when given and not `()`.
    pub fn get(&self, key: &str) -> Option<&Dynamic> {
        self.map.get(key).filter(|v| !v.is_unit())
    }
    /// Whether the key was given.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
    /// The error of an option with an unfit value.
    pub fn wrong(&self, key: &str, expected: &str) -> Error {
        let got = self.map.get(key).map_or("nothing".into(), describe);
        Error::option(format!("{}: option `{key}` does not fit", self.owner)).got(got).expected(expected)
    }
    /// The error of an option that must be given.
    pub fn missing(&self, key: &str, expected: &str) -> Error {
        Error::option(format!("{}: option `{key}` is needed", self.owner)).expected(expected)
    }
    fn read<T>(&self, key: &str, expected: &str, f: impl Fn(&Dynamic) -> Option<T>) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => f(value).map(Some).ok_or_else(|| self.wrong(key, expected)),
        }
    }
    /// A number, or the default.
    pub fn number(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.number_if(key)?.unwrap_or(default))
    }
    /// A number when given.
    pub fn number_if(&self, key: &str) -> Result<Option<f64>> {
        self.read(key, "a finite number", |v| number_of(v).filter(|n| n.is_finite()))
    }
    /// A number greater than zero, or the default.
    pub fn positive(&self, key: &str, default: f64) -> Result<f64> {
        let number = self.number(key, default)?;
        if number > 0.0 { Ok(number) } else { Err(self.wrong(key, "a number greater than 0")) }
    }
    /// A whole number that is not negative, or the default.
    pub fn count(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.count_if(key)?.unwrap_or(default))
    }
    /// A whole number that is not negative, when given.
    pub fn count_if(&self, key: &str) -> Result<Option<usize>> {
        self.read(key, "a whole number, 0 or more", |v| {
            number_of(v).filter(|n| n.fract() == 0.0 && (0.0..9.0e15).contains(n)).map(|n| n as usize)
        })
    }
    /// A seed when given.
    pub fn seed_if(&self, key: &str) -> Result<Option<u64>> {
        // Read as it is: a number of 64 bits does not survive the way through a float.
        if let Some(seed) = self.get(key).and_then(|v| v.as_int().ok()).and_then(|n| u64::try_from(n).ok()) {
            return Ok(Some(seed));
        }
        Ok(self.count_if(key)?.map(|n| n as u64))
    }
    /// `true` or `false`, or the default.
    pub fn boolean(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.read(key, "true or false", |v| v.as_bool().ok())?.unwrap_or(default))
    }
    /// A text when given.
    pub fn string_if(&self, key: &str) -> Result<Option<String>> {
        self.read(key, "a string", |v| v.clone().into_string().ok())
    }
    /// One of several words; the first is the default.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let expected = format!("one of {}", words.join(", "));
        match self.string_if(key).map_err(|_| self.wrong(key, &expected))? {
            None => choices.first().map(|(_, v)| *v).ok_or_else(|| Error::internal("a choice of nothing")),
            Some(word) => choices.iter().find(|(w, _)| *w == word).map(|(_, v)| *v).ok_or_else(|| {
                let error = self.wrong(key, &expected);
                match nearest(&word, choices.iter().map(|(w, _)| w.to_string())).first() {
                    Some(near) => error.advice(format!("did you mean \"{near}\"?")),
                    None => error,
                }
            }),
        }
    }
    /// Texts when given.
    pub fn strings_if(&self, key: &str) -> Result<Option<Vec<String>>> {
        self.read(key, "an array of strings", |v| {
            v.read_lock::<rhai::Array>()?.iter().map(|s| s.clone().into_string().ok()).collect()
        })
    }
    /// Numbers when given: `[1, 2.5]`, or one.
    pub fn numbers_if(&self, key: &str) -> Result<Option<Vec<f64>>> {
        self.read(key, "a number or an array of numbers", |v| match number_of(v) {
            Some(number) => Some(vec![number]),
            None => match Operand::of(v) {
                Some(Operand::Tensor(t)) => t.to_vec().ok(),
                _ => v.read_lock::<rhai::Array>()?.iter().map(number_of).collect(),
            },
        })
    }
    /// Lengths of axes when given.
    pub fn shape_if(&self, key: &str) -> Result<Option<Shape>> {
        self.read(key, "an array of whole numbers such as [2, 3]", shape_of)
    }
    /// Whole numbers when given.
    pub fn ints_if(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.read(key, "a whole number or an array of them", ints_of)
    }
    /// A tensor when given.
    pub fn tensor_if(&self, context: &Context, key: &str) -> Result<Option<Tensor>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match Operand::of(value).and_then(|o| o.into_tensor(context)) {
                Some(tensor) => Ok(Some(tensor)),
                None => super::value::tensor_of(context, value).map(Some).map_err(|_| self.wrong(key, "a tensor")),
            },
        }
    }
    /// A script function when given.
    pub fn closure_if(&self, key: &str, parameters: usize) -> Result<Option<Closure>> {
        let expected = format!("a closure of {parameters} parameter{}", if parameters == 1 { "" } else { "s" });
        let closure = self.read(key, &expected, |v| v.clone().try_cast::<FnPtr>().map(Closure::new))?;
        match closure.as_ref().and_then(Closure::parameters) {
            Some(n) if n != parameters => Err(self.wrong(key, &expected)),
            _ => Ok(closure),
        }
    }
    /// A value of a registered type when given.
    pub fn object_if<T: Clone + 'static>(&self, key: &str, expected: &str) -> Result<Option<T>> {
        self.read(key, expected, |v| v.read_lock::<T>().map(|v| v.clone()))
    }
}
