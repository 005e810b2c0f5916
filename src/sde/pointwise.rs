//! Functions of state and time that stand for themselves at every number of the state: called with tensors, or traced once.
//!
//! A drift, a noise that depends on the state and what is observed of paths are such functions. A closure is called with
//! tensors in the tensor lane, at every step; where a call with symbols succeeds, the graph that comes back is compiled. Both mean the same.

use std::rc::Rc;

use super::process::Clock;
use crate::equation::{Code, Equation, Expr, Program, Value};
use crate::error::{Error, Result};
use crate::native::graph::{Graph, Id};
use crate::tensor::{Binary, Context, Tensor};

/// Values from the channels of the state and the time, by tensors.
pub type Evaluate = Rc<dyn Fn(&[Tensor], &Tensor) -> Result<Vec<Tensor>>>;
/// The same as a graph, where there is one.
pub type Trace = Rc<dyn Fn() -> Option<Traced>>;

/// A function of the channels of a state and of time.
#[derive(Clone)]
pub struct Pointwise {
    /// By tensors.
    pub evaluate: Evaluate,
    /// As a graph.
    pub trace: Trace,
}

impl Pointwise {
    /// Its values for a state, `[sample, channel, …]`, as a tensor of the same shape. One value may count for all channels.
    ///
    /// # Errors
    /// Those of the function; values that do not fit the state.
    pub fn of_state(&self, x: &Tensor, channels: usize, clock: &Clock, one_for_all: bool) -> Result<Tensor> {
        let parts = split(x, channels)?;
        let first = parts.first().unwrap_or(x);
        let values = (self.evaluate)(&parts, &clock.spread(first, |t, _| t)?)?;
        let fit = |value: &Tensor| {
            let value = value.cast(x.precision())?.expand(&first.shape());
            value.map_err(|e| e.within("what the closure returned"))
        };
        match &values[..] {
            [one] if channels == 1 => fit(one),
            [one] if one_for_all => Tensor::stack(&vec![fit(one)?; channels], 1),
            many if many.len() == channels => Tensor::stack(&many.iter().map(fit).collect::<Result<Vec<_>>>()?, 1),
            many => Err(Error::shape("a closure has not returned a value for each channel")
                .got(format!("{} values", many.len()))
                .expected(format!("{channels}"))),
        }
    }
    /// Its graph. Closures are traced twice: one whose graph is another at the second time depends on something that changes while it runs.
    pub fn lower(&self, graph: &mut Graph, channels: &[Id], time: Id) -> Option<Vec<Id>> {
        let first = (self.trace)()?.lower(graph, channels, time)?;
        let again = (self.trace)()?.lower(graph, channels, time)?;
        (first == again).then_some(first)
    }
}

/// The channels of a state, `[sample, …]` each; the state itself where there is one.
pub(super) fn split(x: &Tensor, channels: usize) -> Result<Vec<Tensor>> {
    if channels == 1 {
        return Ok(vec![x.clone()]);
    }
    (0..channels as i64).map(|c| x.select(1, c)).collect()
}

/// Expressions of channels and time alone, with the values of their parameters.
#[derive(Clone)]
pub struct Traced {
    program: Program,
    parameters: Vec<Value>,
}

impl Traced {
    /// Of expressions whose unknowns are the channels; `None` where something in them is neither arithmetic nor a function of numbers.
    pub fn new(values: &[Expr], parameters: Vec<Value>) -> Option<Self> {
        let program = Program::new(values).ok()?;
        let fits = |code: &Code| {
            matches!(
                code,
                Code::Number(_)
                    | Code::Parameter(_)
                    | Code::Data(_)
                    | Code::Channel(_)
                    | Code::Time
                    | Code::Unary(..)
                    | Code::Binary(..)
            )
        };
        program.code.iter().all(fits).then_some(Self { program, parameters })
    }
    /// How many values it has.
    pub fn values(&self) -> usize {
        self.program.outputs.len()
    }
    /// The number that a leaf is everywhere, where it is one and no gradient goes to it.
    fn number(value: Option<&Value>) -> Option<f64> {
        match value? {
            Value::Number(n) => Some(*n),
            Value::Tensor(t) if t.len() == 1 && !t.is_tracked() => t.item().ok(),
            _ => None,
        }
    }
    /// Its values as nodes of a graph; `None` where a parameter is not one number.
    pub fn lower(&self, graph: &mut Graph, channels: &[Id], time: Id) -> Option<Vec<Id>> {
        let mut made: Vec<Id> = Vec::with_capacity(self.program.code.len());
        for code in &self.program.code {
            let at = |i: &usize| made.get(*i).copied();
            let id = match code {
                Code::Number(n) => graph.number(*n),
                Code::Parameter(i) => graph.number(Self::number(self.parameters.get(*i))?),
                Code::Data(i) => graph.number(Self::number(self.program.data.get(*i))?),
                Code::Channel(c) => channels.get(*c).copied()?,
                Code::Time => time,
                Code::Unary(f, a) => graph.unary(*f, at(a)?),
                Code::Binary(op, a, b) => graph.binary(*op, at(a)?, at(b)?),
                _ => return None,
            };
            made.push(id);
        }
        self.program.outputs.iter().map(|i| made.get(*i).copied()).collect()
    }
    /// Its values by tensors.
    ///
    /// # Errors
    /// Those of the operations; a parameter that does not fit the state.
    pub fn evaluate(&self, context: &Context, channels: &[Tensor], time: &Tensor) -> Result<Vec<Tensor>> {
        let missing = || Error::internal("a value of the process is missing");
        let like = channels.first().ok_or_else(missing)?;
        let value = |value: Option<&Value>| match value.ok_or_else(missing)? {
            Value::Number(n) => Ok(Tensor::scalar_in(context, like.precision(), *n)),
            Value::Tensor(t) if t.rank() == 1 && t.shape().first() == like.shape().first() && t.len() > 1 => {
                // One for each sample.
                let mut shape = vec![1; like.rank()];
                shape.iter_mut().take(1).for_each(|n| *n = t.len());
                t.reshape(&shape)
            }
            Value::Tensor(t) => Ok(t.clone()),
            Value::Field(field) => Ok(field.values().clone()),
        };
        let mut made: Vec<Tensor> = Vec::with_capacity(self.program.code.len());
        for code in &self.program.code {
            let at = |i: &usize| made.get(*i).ok_or_else(missing);
            let tensor = match code {
                Code::Number(n) => Tensor::scalar_in(context, like.precision(), *n),
                Code::Parameter(i) => value(self.parameters.get(*i))?,
                Code::Data(i) => value(self.program.data.get(*i))?,
                Code::Channel(c) => channels.get(*c).cloned().ok_or_else(missing)?,
                Code::Time => time.clone(),
                Code::Unary(f, a) => at(a)?.unary(*f)?,
                Code::Binary(Binary::Pow, a, b) if at(b)?.len() == 1 && !at(b)?.is_tracked() => {
                    at(a)?.powf(at(b)?.item()?)?
                }
                Code::Binary(op, a, b) => at(a)?.binary(*op, at(b)?)?,
                _ => return Err(missing()),
            };
            made.push(tensor);
        }
        self.program.outputs.iter().map(|i| made.get(*i).cloned().ok_or_else(missing)).collect()
    }
}

/// The rates of an equation without space, one for each channel: the unknowns, and rates of those whose second derivative it contains.
///
/// # Errors
/// When it has derivatives in space, or cannot be solved for its derivatives in time.
pub fn rates(equation: &Equation, context: &Context) -> Result<(Pointwise, usize)> {
    if equation.is_spatial() {
        return Err(Error::typ("the equation has derivatives in space")
            .got(equation)
            .advice("give the grid on which it is the drift: sde::process(equation, #{ grid: …, diffusion: … })"));
    }
    let evolution = equation.evolution(1)?;
    let parameters = equation.parameters().iter().map(|p| p.value.clone()).collect();
    let traced = Traced::new(&evolution.rates, parameters).ok_or_else(|| {
        Error::typ("this equation cannot be a drift without a grid")
            .got(equation)
            .expected("arithmetic and functions of the unknowns, their time derivatives and t")
    })?;
    let (count, own, context) = (traced.values(), traced.clone(), context.clone());
    let evaluate: Evaluate = Rc::new(move |channels, t| own.evaluate(&context, channels, t));
    Ok((Pointwise { evaluate, trace: Rc::new(move || Some(traced.clone())) }, count))
}
