//! The arguments of one call, checked and named: every primitive reads its arguments through [`Call`], so every
//! primitive reports a wrong one in the same words.

use rhai::{Dynamic, FnPtr, Map, Position};

use super::closure::Closure;
use super::options::Options;
use super::registry::{Entry, Form};
use super::value::{Operand, describe, shape_of, spans_of, unfit_length};
use crate::equation::Expr;
use crate::error::{Error, Result};
use crate::field::Path;
use crate::session::Session;
use crate::tensor::{Shape, Tensor};

/// One call of a primitive from a script.
pub struct Call<'a, 'b> {
    /// The session the script runs in.
    pub session: &'a Session,
    pub(super) entry: &'a Entry,
    pub(super) arguments: &'a mut [&'b mut Dynamic],
    pub(super) position: Position,
}

impl Call<'_, '_> {
    /// The number of arguments.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }
    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }
    /// Where in the script the call stands.
    pub fn position(&self) -> Position {
        self.position
    }
    /// Whether argument `i` was given and is not `()`.
    pub fn has(&self, i: usize) -> bool {
        self.arguments.get(i).is_some_and(|a| !a.is_unit())
    }
    /// Argument `i` as it is.
    pub fn value(&self, i: usize) -> Result<Dynamic> {
        match self.arguments.get(i) {
            Some(value) => Ok((**value).clone()),
            None => Err(Error::typ(format!("{}: argument {} is missing", self.name(), i + 1))),
        }
    }
    /// Argument `i` as `print` shows it.
    pub fn shown(&self, i: usize) -> Result<String> {
        let value = self.value(i)?;
        if let Some(number) = super::value::number_of(&value) {
            return Ok(Dynamic::from(super::value::printed(number, self.session.context().precision())).to_string());
        }
        let text = super::closure::evaluate("value.to_string()", vec![("value", value.clone())])?;
        Ok(text.into_string().unwrap_or_else(|_| super::value::compact(&value)))
    }
    /// The name of the primitive.
    pub fn name(&self) -> String {
        self.entry.full_name()
    }

    /// The error of an argument of the wrong type.
    pub fn wrong(&self, i: usize, expected: &str) -> Error {
        let got = self.arguments.get(i).map_or("nothing".into(), |a| describe(a));
        Error::typ(self.place(i)).got(got).expected(expected).advice(format!("usage: {}", self.entry.signature))
    }
    /// The error of an argument with a value outside its domain.
    pub fn unfit(&self, i: usize, got: impl std::fmt::Display, expected: &str) -> Error {
        Error::value(self.place(i)).got(got).expected(expected)
    }
    fn place(&self, i: usize) -> String {
        let name = self.entry.parameters.get(i).map_or("?", |p| p.name.as_str());
        format!("{}: argument {} (`{name}`) does not fit", self.name(), i + 1)
    }

    /// A number, whole or not. A tensor with one element counts as one.
    pub fn number(&self, i: usize) -> Result<f64> {
        let wrong = || self.wrong(i, "a number");
        let value = self.arguments.get(i).ok_or_else(wrong)?;
        if let Some(number) = super::value::number_of(value) {
            return Ok(number);
        }
        match Operand::of(value) {
            Some(Operand::Tensor(t)) if t.len() == 1 => t.item(),
            _ => Err(wrong()),
        }
    }
    /// A finite number.
    pub fn finite(&self, i: usize) -> Result<f64> {
        let number = self.number(i)?;
        if number.is_finite() { Ok(number) } else { Err(self.unfit(i, number, "a finite number")) }
    }
    /// A whole number. `4.0` counts; `4.5` does not.
    pub fn int(&self, i: usize) -> Result<i64> {
        let number = self.number(i)?;
        if number.fract() == 0.0 && number.abs() < 9.0e15 {
            return Ok(number as i64);
        }
        Err(self.wrong(i, "a whole number").advice("int(x) takes the whole part: int(a / b)"))
    }
    /// A whole number that is not negative.
    pub fn count(&self, i: usize) -> Result<usize> {
        let n = self.int(i)?;
        usize::try_from(n).map_err(|_| self.unfit(i, n, "0 or more"))
    }
    /// A text.
    pub fn string(&self, i: usize) -> Result<String> {
        let value = self.value(i)?;
        value.into_string().map_err(|_| self.wrong(i, "a string"))
    }
    /// `true` or `false`.
    pub fn boolean(&self, i: usize) -> Result<bool> {
        self.value(i)?.as_bool().map_err(|_| self.wrong(i, "true or false"))
    }
    /// A tensor, or what can be read as one: a number, the values of a field or of a path.
    pub fn tensor(&self, i: usize) -> Result<Tensor> {
        let value = self.arguments.get(i).ok_or_else(|| self.wrong(i, "a tensor"))?;
        if let Some(path) = value.read_lock::<Path>() {
            return Ok(path.values().clone());
        }
        match Operand::of(value) {
            Some(Operand::Symbol(e)) => Err(self.untraceable(&e)),
            Some(operand) => operand.into_tensor(self.session.context()).ok_or_else(|| {
                self.wrong(i, "real numbers: a tensor, a field, a number or an array of numbers")
                    .advice("z.re, z.im, abs(z) and angle(z) of a Complex are real")
            }),
            None if value.is_array() => {
                super::value::tensor_of(self.session.context(), value).map_err(|e| e.within(self.place(i)))
            }
            None => Err(self.wrong(i, "a tensor, a field, a number or an array of numbers")),
        }
    }
    /// The error of a symbol of an equation where numbers are needed.
    fn untraceable(&self, e: &Expr) -> Error {
        let (what, call) = match self.entry.form {
            Form::Function => (self.name(), format!("{}(u)", self.name())),
            Form::Index => ("an index".into(), "u[…]".into()),
            _ => (self.name(), "…".into()),
        };
        Error::typ(format!("{what} cannot be part of an equation's graph"))
            .got(format!("the symbol {e}"))
            .expected("arithmetic, functions of numbers, derivatives, integrals")
            .advice(format!("wrap it: opaque(|u| {call}, u) is called with tensors when the equation is solved"))
    }
    /// A number, tensor, field or complex tensor: what functions applied element by element take.
    pub fn operand(&self, i: usize) -> Result<Operand> {
        let value = self.arguments.get(i).ok_or_else(|| self.wrong(i, "a number, tensor or field"))?;
        if let Some(path) = value.read_lock::<Path>() {
            return Ok(Operand::Tensor(path.values().clone()));
        }
        Operand::of(value).ok_or_else(|| self.wrong(i, "a number, tensor or field"))
    }
    /// Lengths of axes: `[2, 3]`, or one whole number for one axis.
    pub fn shape(&self, i: usize) -> Result<Shape> {
        let value = self.arguments.get(i).ok_or_else(|| self.wrong(i, "a shape"))?;
        shape_of(value).ok_or_else(|| match unfit_length(value) {
            Some(length) if length < 0.0 => {
                Error::value(self.place(i)).got(describe(value)).expected("lengths of axes, 0 or more each")
            }
            Some(length) if length.fract() == 0.0 => {
                Error::limit(format!("{}: a tensor of this shape is too large", self.name())).got(describe(value))
            }
            Some(_) => self.wrong(i, "whole lengths of axes").advice("int(x) takes the whole part: [int(a / b), 3]"),
            None => self.wrong(i, "a shape: an array of whole numbers such as [2, 3]"),
        })
    }
    /// Whole numbers: `[0, -1]`, or one.
    pub fn ints(&self, i: usize) -> Result<Vec<i64>> {
        let value = self.arguments.get(i).ok_or_else(|| self.wrong(i, "whole numbers"))?;
        super::value::ints_of(value).ok_or_else(|| self.wrong(i, "a whole number or an array of them"))
    }
    /// Numbers: `[0.5, 1]`, a tensor, or one number.
    pub fn numbers(&self, i: usize) -> Result<Vec<f64>> {
        self.tensor(i).and_then(|t| t.to_vec()).map_err(|_| self.wrong(i, "a number or an array of numbers"))
    }
    /// Axes, all when the argument is left out.
    pub fn axes(&self, i: usize) -> Result<Vec<i64>> {
        if self.has(i) { self.ints(i) } else { Ok(Vec::new()) }
    }
    /// Positions along the axes of a shape, as an index expression gives them.
    pub fn spans(&self, i: usize, shape: &[usize]) -> Result<super::value::Selection> {
        let value = self.value(i)?;
        spans_of(&value, shape)
    }
    /// A script function with `parameters` parameters.
    pub fn closure(&self, i: usize, parameters: usize) -> Result<Closure> {
        let expected = || match parameters {
            1 => "a closure of one parameter, such as |x| x * x".to_string(),
            n => format!("a closure of {n} parameters"),
        };
        let value = self.value(i)?;
        let pointer = value.try_cast::<FnPtr>().ok_or_else(|| self.wrong(i, &expected()))?;
        let closure = Closure::new(pointer);
        match closure.parameters() {
            Some(n) if n != parameters => Err(Error::typ(self.place(i))
                .got(format!("a closure of {n} parameter{}", if n == 1 { "" } else { "s" }))
                .expected(expected())),
            _ => Ok(closure),
        }
    }
    /// A value of a registered type.
    pub fn object<T: Clone + 'static>(&self, i: usize, expected: &str) -> Result<T> {
        let value = self.arguments.get(i).ok_or_else(|| self.wrong(i, expected))?;
        value.read_lock::<T>().map(|v| v.clone()).ok_or_else(|| self.wrong(i, expected))
    }
    /// A value of a registered type, if that is what argument `i` is.
    pub fn object_if<T: Clone + 'static>(&self, i: usize) -> Option<T> {
        self.arguments.get(i).and_then(|v| v.read_lock::<T>().map(|v| v.clone()))
    }
    /// The option map in argument `i`; an empty one when it is left out. Unknown keys are refused.
    pub fn options(&self, i: usize) -> Result<Options> {
        if !self.has(i) {
            return Ok(Options::new(self.name(), Map::new()));
        }
        let example = self.entry.options.first().map_or(String::new(), |o| format!(" such as #{{ {}: … }}", o.name));
        let map = self.value(i)?.try_cast::<Map>().ok_or_else(|| self.wrong(i, &format!("an option map{example}")))?;
        let options = Options::new(self.name(), map);
        options.refuse_unknown(&self.entry.option_names())?;
        Ok(options)
    }
    /// The elements of an array.
    pub fn array(&self, i: usize) -> Result<Vec<Dynamic>> {
        self.value(i)?.into_array().map_err(|_| self.wrong(i, "an array"))
    }
    /// A map.
    pub fn map(&self, i: usize) -> Result<Map> {
        self.value(i)?.try_cast::<Map>().ok_or_else(|| self.wrong(i, "a map such as #{ a: 1 }"))
    }
}
