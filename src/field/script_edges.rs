//! What scripts say about the sides of a grid.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};

use super::{Edge, EdgeFunction, EdgeValue, Grid, SideEdges};
use crate::error::{Error, Result};
use crate::script::engine::printable;
use crate::script::options::Options;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe, number_of};
use crate::script::{Call, Closure};
use crate::tensor::{Context, Tensor, number};

/// What a script says about one side; which grid it closes is known later.
#[derive(Clone)]
struct Condition {
    kind: Kind,
    value: Value,
    context: Context,
}
#[derive(Clone, Copy)]
enum Kind {
    Dirichlet,
    Neumann,
    Robin(f64, f64),
}
#[derive(Clone)]
enum Value {
    Number(f64),
    Tensor(Box<Tensor>),
    Closure(Closure),
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = match &self.value {
            Value::Number(n) => number(*n),
            Value::Tensor(t) => format!("Tensor {:?}", t.shape()),
            Value::Closure(_) => "f(…)".to_string(),
        };
        match self.kind {
            Kind::Dirichlet => write!(f, "u = {value}"),
            Kind::Neumann => write!(f, "∂u/∂n = {value}"),
            Kind::Robin(a, b) => write!(f, "{} u + {} ∂u/∂n = {value}", number(a), number(b)),
        }
    }
}

pub(super) fn types(engine: &mut Engine) {
    printable::<Condition>(engine, "Edge");
}

impl Condition {
    fn read(c: &Call, i: usize, kind: Kind) -> Result<Dynamic> {
        let expected = "a number, a tensor along the side, or a closure of the coordinates along the side (and t)";
        let given = c.value(i)?;
        let value = if let Some(n) = number_of(&given) {
            if !n.is_finite() {
                return Err(c.unfit(i, n, "a finite number"));
            }
            Value::Number(n)
        } else if let Some(pointer) = given.clone().try_cast::<rhai::FnPtr>() {
            Value::Closure(Closure::new(pointer))
        } else {
            Value::Tensor(Box::new(c.tensor(i).map_err(|_| c.wrong(i, expected))?))
        };
        Ok(Dynamic::from(Self { kind, value, context: c.session.context().clone() }))
    }
    /// The edge of a grid with `dimensions` axes.
    fn edge(&self, dimensions: usize) -> Result<Edge> {
        let along = dimensions.saturating_sub(1);
        let value = match &self.value {
            Value::Number(n) => EdgeValue::Number(*n),
            Value::Tensor(t) => EdgeValue::Tensor((**t).clone()),
            Value::Closure(closure) => {
                let takes_time = match closure.parameters() {
                    Some(n) if n == along => false,
                    Some(n) if n == along + 1 => true,
                    None => false,
                    Some(n) => {
                        return Err(Error::typ("the closure of an edge has an unfit number of parameters")
                            .got(n)
                            .expected(format!("{along}, the coordinates along the side, or one more for the time")));
                    }
                };
                let (closure, context) = (closure.clone(), self.context.clone());
                let call = move |x: &[Tensor], t: f64| -> Result<Tensor> {
                    let coordinates = x.iter().cloned().map(Dynamic::from);
                    let value = closure.call(coordinates.chain(takes_time.then(|| Dynamic::from(t))))?;
                    Operand::of(&value).and_then(|o| o.into_tensor(&context)).ok_or_else(|| {
                        Error::typ("the closure of an edge returned something unfit")
                            .got(describe(&value))
                            .expected("a tensor or a number")
                    })
                };
                let f: Rc<EdgeFunction> = Rc::new(call);
                EdgeValue::Function { takes_time, f }
            }
        };
        match self.kind {
            Kind::Dirichlet => Ok(Edge::Dirichlet(value)),
            Kind::Neumann => Ok(Edge::Neumann(value)),
            Kind::Robin(a, b) => Edge::robin(a, b, value),
        }
    }
}

/// The key for unknowns that a side does not name.
const OTHERS: &str = "others";

/// An option that holds an edge, or a map of unknowns to edges.
pub(super) fn side(options: &Options, key: &str, dimensions: usize) -> Result<Option<SideEdges>> {
    let expected = "an edge such as dirichlet(0), neumann(0) or robin(1, 1, 0), or a map of unknowns to edges";
    let Some(value) = options.get(key) else { return Ok(None) };
    let of = |value: &Dynamic| -> Result<Edge> {
        match value.read_lock::<Condition>() {
            Some(condition) => condition.edge(dimensions).map_err(|e| e.within(format!("side `{key}`"))),
            None => Err(options
                .wrong(key, expected)
                .advice("a number alone does not say of what: dirichlet(1) or neumann(1)")),
        }
    };
    let Some(map) = value.read_lock::<Map>() else { return Ok(Some(of(value)?.into())) };
    let mut edges = SideEdges { others: None, named: Vec::new() };
    for (unknown, value) in map.iter() {
        match unknown.as_str() {
            OTHERS => edges.others = Some(of(value)?),
            name => edges.named.push((name.to_string(), of(value)?)),
        }
    }
    if edges.all().next().is_none() {
        return Err(options.wrong(key, expected));
    }
    Ok(Some(edges))
}

/// The names of the axes that the option `periodic` lists.
pub(super) fn rings(options: &Options, dimensions: usize) -> Result<Vec<bool>> {
    let names = Grid::NAMES.get(..dimensions).unwrap_or(&Grid::NAMES);
    let expected = format!("true, or a list of axes such as {:?}", &names[..names.len().min(1)]);
    let given: Vec<String> = match options.get("periodic") {
        None => Vec::new(),
        Some(value) => match (value.as_bool(), value.clone().into_string()) {
            (Ok(all), _) => names.iter().filter(|_| all).map(|n| n.to_string()).collect(),
            (_, Ok(one)) => vec![one],
            _ => options.strings_if("periodic").map_err(|_| options.wrong("periodic", &expected))?.unwrap_or_default(),
        },
    };
    if given.iter().any(|name| !names.contains(&name.as_str())) {
        return Err(options.wrong("periodic", &expected));
    }
    Ok(names.iter().map(|name| given.iter().any(|g| g == name)).collect())
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("dirichlet(value)")
            .brief("An edge where u = value.")
            .text("value: a number; a tensor along the side (gradients go through it); or a closure of the coordinates along the side, with \
                   t as one more parameter when it changes in time.")
            .example("`${dirichlet(2)}`", "u = 2")
            .example("grid::interval(0, 1, 4, #{ left: dirichlet(|t| sin(t)), right: dirichlet(0) }).shape", "[4]")
            .run(|c| Condition::read(c, 0, Kind::Dirichlet)),
        entry("neumann(value)")
            .brief("An edge where ∂u/∂n = value, with the normal that points outwards.")
            .text("value: as of dirichlet. On the low side of an axis ∂u/∂n is −∂u/∂x.")
            .example("`${neumann(0)}`", "∂u/∂n = 0")
            .run(|c| Condition::read(c, 0, Kind::Neumann)),
        entry("robin(a, b, value)")
            .brief("An edge where a u + b ∂u/∂n = value, with the normal that points outwards.")
            .text("a, b: numbers, not both 0; of one sign where heat leaves through the edge. value: as of dirichlet.")
            .example("`${robin(1, 0.5, 2)}`", "1 u + 0.5 ∂u/∂n = 2")
            .run(|c| {
                let (a, b) = (c.finite(0)?, c.finite(1)?);
                Edge::robin(a, b, EdgeValue::Number(0.0))?;
                Condition::read(c, 2, Kind::Robin(a, b))
            }),
    ]
}
