//! Tracing: a closure is called once with symbols, and what comes back is the equation.
//!
//! Variables that the closure captured are handed to it as symbols too, so that they stay in the graph by name. A closure
//! may need some of them as plain values, for a loop, a branch or an index of its own: then it is traced again with whole numbers
//! plain, with all numbers plain, and at last with tensors and fields plain too.

use rhai::{Array, Dynamic, FnPtr};

use super::base::{Equation, Unknown};
use super::expr::{Expr, Op, Rank};
use super::parameter::{Parameter, Value};
use super::script::{declared, symbol_of};
use crate::error::{Error, Result};
use crate::script::value::{Operand, describe};
use crate::script::{Call, Closure};

/// Names of coordinates and of the time.
const PLACES: [&str; 4] = ["x", "y", "z", "t"];

/// Constants of the language.
const CONSTANTS: [(&str, f64); 3] =
    [("PI", std::f64::consts::PI), ("TAU", std::f64::consts::TAU), ("E", std::f64::consts::E)];

/// What is handed over as a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plain {
    Nothing,
    WholeNumbersAndFunctions,
    Numbers,
    Everything,
}

/// The equation that the closure in argument `at` writes.
pub(super) fn equation(c: &Call, names: Option<Dynamic>, at: usize) -> Result<Equation> {
    let value = c.value(at)?;
    let Some(pointer) = value.try_cast::<FnPtr>() else {
        return Err(c.wrong(at, "a closure of the unknowns, such as |u| dt(u) - laplacian(u)"));
    };
    let closure = Closure::new(pointer);
    let all = closure.names().ok_or_else(|| {
        Error::typ("equation: the closure's parameters are not known").advice("write the closure in place: |u| …")
    })?;
    let captured = closure.captured();
    let (outer, own) = all.split_at(captured.len().min(all.len()));
    let (unknowns, slots) = unknowns(names, own)?;

    let mut failed = None;
    for plain in [Plain::Nothing, Plain::WholeNumbersAndFunctions, Plain::Numbers, Plain::Everything] {
        let (arguments, parameters) = symbols(outer, &captured, plain)?;
        if failed.is_some() && parameters.len() == outer.len() {
            continue;
        }
        match traced(&closure.with_captured(arguments), own, &unknowns, &slots) {
            Ok(residuals) => return finish(unknowns, parameters, &residuals),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| Error::internal("an equation was not traced")))
}

/// What the closure is called with in the place of captured variables, and those that became parameters.
fn symbols(names: &[String], values: &[Dynamic], plain: Plain) -> Result<(Vec<Dynamic>, Vec<Parameter>)> {
    let (mut arguments, mut parameters) = (Vec::new(), Vec::new());
    for (name, value) in names.iter().zip(values) {
        let parameter = match Operand::of(value) {
            _ if plain == Plain::Everything => None,
            // The same in every script, and nothing that one would vary.
            Some(Operand::Number(n)) if CONSTANTS.contains(&(name.as_str(), n)) => None,
            Some(Operand::Number(_)) if plain == Plain::Numbers => None,
            Some(Operand::Number(_)) if value.is_int() && plain == Plain::WholeNumbersAndFunctions => None,
            Some(Operand::Number(n)) => Some(Value::Number(n)),
            Some(Operand::Tensor(t)) => Some(Value::Tensor(t)),
            Some(Operand::Field(f)) if f.channels() == 1 => Some(Value::Field(f)),
            _ => None,
        };
        if let Some(value) = parameter {
            arguments.push(Dynamic::from(Expr::parameter(parameters.len(), name)));
            parameters.push(Parameter { name: name.clone(), value });
        } else if let (Plain::Nothing, Some(pointer)) = (plain, value.read_lock::<FnPtr>()) {
            arguments.push(coefficient(&Closure::new(pointer.clone()))?.map_or(value.clone(), Dynamic::from));
        } else {
            arguments.push(value.clone());
        }
    }
    Ok((arguments, parameters))
}

/// A captured closure of coordinates, `|x, t| …`, as an expression; `None` when it is of something else.
fn coefficient(closure: &Closure) -> Result<Option<Expr>> {
    let Some(names) = closure.names() else { return Ok(None) };
    let own = names.get(closure.captured().len()..).unwrap_or(&[]);
    if own.is_empty() || own.iter().any(|name| place(name).is_none()) {
        return Ok(None);
    }
    let arguments: Vec<Dynamic> = own.iter().filter_map(|name| place(name)).map(Dynamic::from).collect();
    // A helper that cannot be traced is left as it is; the equation may call it with something else.
    Ok(closure.call(arguments).ok().and_then(|value| symbol_of(&value)?.ok()))
}

fn place(name: &str) -> Option<Expr> {
    match PLACES.iter().position(|p| *p == name)? {
        3 => Some(Expr::time()),
        axis => Some(Expr::coordinate(axis)),
    }
}

/// The unknowns: those listed, or the closure's parameters that are no coordinates; and which parameter is which unknown.
fn unknowns(names: Option<Dynamic>, own: &[String]) -> Result<(Vec<Unknown>, Vec<Option<usize>>)> {
    let Some(names) = names else {
        let unknowns: Vec<Unknown> = own
            .iter()
            .filter(|name| place(name).is_none())
            .map(|name| Unknown { name: name.clone(), rank: Rank::Scalar })
            .collect();
        if unknowns.is_empty() {
            return Err(Error::typ("equation: the closure has no unknown")
                .got(format!("parameters ({})", own.join(", ")))
                .expected("at least one that is not x, y, z or t")
                .advice("unknowns with these names are listed: equation([\"x\", \"y\"], |x, y| …)"));
        }
        let mut next = 0..unknowns.len();
        let slots = own.iter().map(|name| if place(name).is_none() { next.next() } else { None }).collect();
        return Ok((unknowns, slots));
    };
    let wrong = |value: &Dynamic| {
        Error::typ("equation: the unknowns do not fit")
            .got(describe(value))
            .expected("names such as [\"u\", \"v\"], or vector(\"u\")")
    };
    let list = match names.read_lock::<Array>() {
        Some(array) => array.clone(),
        None => vec![names.clone()],
    };
    let mut unknowns: Vec<Unknown> = Vec::new();
    for value in &list {
        let (name, rank) = match value.read_lock::<Expr>() {
            Some(e) => declared(&e).ok_or_else(|| wrong(value))?,
            None => (value.clone().into_string().map_err(|_| wrong(value))?, Rank::Scalar),
        };
        refuse_name(&name)?;
        if unknowns.iter().any(|u| u.name == name) {
            return Err(Error::value("equation: an unknown is listed twice").got(name));
        }
        unknowns.push(Unknown { name, rank });
    }
    let rest = own.get(unknowns.len()..);
    let slots = (0..own.len()).map(|i| Some(i).filter(|&i| i < unknowns.len())).collect();
    match rest {
        Some(rest) if !unknowns.is_empty() && rest.iter().all(|name| place(name).is_some()) => Ok((unknowns, slots)),
        _ => Err(Error::typ("equation: the closure does not fit the unknowns")
            .got(format!("parameters ({})", own.join(", ")))
            .expected(format!("one for each of {} unknowns, then at most x, y, z and t", unknowns.len()))),
    }
}

/// Refuses a name that could not be written in a script.
pub(super) fn refuse_name(name: &str) -> Result<()> {
    let letters = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if letters && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::value("an unknown needs a name")
        .got(format!("{name:?}"))
        .expected("letters, digits and _, a letter first"))
}

fn traced(closure: &Closure, own: &[String], unknowns: &[Unknown], slots: &[Option<usize>]) -> Result<Vec<Expr>> {
    let symbol = |(name, slot): (&String, &Option<usize>)| match slot.and_then(|i| Some((i, unknowns.get(i)?))) {
        Some((i, unknown)) => Dynamic::from(Expr::unknown(i, &unknown.name, unknown.rank)),
        None => place(name).map_or(Dynamic::UNIT, Dynamic::from),
    };
    let arguments: Vec<Dynamic> = own.iter().zip(slots).map(symbol).collect();
    let value = closure.call(arguments)?;
    let unfit = |value: &Dynamic| {
        Error::typ("equation: the closure returned something unfit")
            .got(describe(value))
            .expected("what should vanish: an expression of the unknowns, or an array of one for each")
    };
    let single = |value: &Dynamic| symbol_of(value).unwrap_or_else(|| Err(unfit(value)));
    let list = value.read_lock::<Array>().map(|array| array.clone());
    match list {
        Some(array) => array.iter().map(single).collect(),
        None => Ok(vec![single(&value)?]),
    }
}

/// Keeps the parameters that occur, in their order.
fn finish(unknowns: Vec<Unknown>, parameters: Vec<Parameter>, residuals: &[Expr]) -> Result<Equation> {
    let occurs =
        |index: usize| residuals.iter().any(|r| r.any(&mut |op| matches!(op, Op::Parameter(i, _) if *i == index)));
    let kept: Vec<usize> = (0..parameters.len()).filter(|&i| occurs(i)).collect();
    let renumbered = residuals
        .iter()
        .map(|r| {
            super::calculus::replace(r, &mut |e| match e.op() {
                Op::Parameter(i, name) => Ok(kept.iter().position(|k| k == i).map(|new| Expr::parameter(new, name))),
                _ => Ok(None),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let parameters = kept.iter().filter_map(|&i| parameters.get(i).cloned()).collect();
    Equation::new(unknowns, parameters, renumbered)
}
