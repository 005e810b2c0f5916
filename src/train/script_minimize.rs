//! `minimize` in scripts: numbers, tensors, fields, or several of them by name.

use std::collections::HashMap;

use rhai::{Dynamic, Map};

use super::minimize::{Minimization, Minimum, minimize};
use super::optimizer::Optimizer;
use super::script::{handle, loss_of};
use super::transform::Transform;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::nn::Parameters;
use crate::script::registry::{Entry, entry, nearest};
use crate::script::value::{Operand, tensor_of};
use crate::script::{Call, Options};
use crate::tensor::{Context, Tensor};

/// The name of unknowns that are not in a map.
const ALONE: &str = "x";

/// The unknowns as the script gave them.
struct Unknowns {
    by_name: bool,
    kinds: Vec<Operand>,
    start: Parameters,
}

impl Unknowns {
    fn read(c: &Call, i: usize) -> Result<Self> {
        let wrong = || c.wrong(i, "a number, a tensor or a field, or a map of them such as #{ nu: 0.1, u0: field }");
        let context = c.session.context();
        let value = c.value(i)?;
        let named: Vec<(String, Dynamic)> = match value.read_lock::<Map>() {
            Some(map) => map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            None => vec![(ALONE.into(), value.clone())],
        };
        let (mut kinds, mut start) = (Vec::new(), Parameters::new());
        for (name, value) in named {
            let operand = match Operand::of(&value) {
                Some(operand) => operand,
                None if value.is_array() => Operand::Tensor(tensor_of(context, &value)?),
                None => return Err(wrong()),
            };
            start.push(name, operand.clone().into_tensor(context).ok_or_else(wrong)?)?;
            kinds.push(operand);
        }
        if kinds.is_empty() {
            return Err(wrong());
        }
        Ok(Self { by_name: value.is_map(), kinds, start })
    }
    /// Numbers as the closure gets them: in the form of the start.
    fn dress(&self, values: &Parameters) -> Result<Dynamic> {
        self.form(values, |kind, value| match kind {
            Operand::Field(field) => Field::new(value.clone(), field.grid().clone()).map(Dynamic::from),
            _ => Ok(Dynamic::from(value.clone())),
        })
    }
    /// Numbers as the script gets them back: a number is a number again.
    fn answer(&self, values: &Parameters) -> Result<Dynamic> {
        self.form(values, |kind, value| match kind {
            Operand::Field(field) => Field::new(value.clone(), field.grid().clone()).map(Dynamic::from),
            Operand::Number(_) => value.item().map(Dynamic::from),
            _ => Ok(Dynamic::from(value.clone())),
        })
    }
    fn form(&self, values: &Parameters, f: impl Fn(&Operand, &Tensor) -> Result<Dynamic>) -> Result<Dynamic> {
        let mut map = Map::new();
        for (kind, (name, value)) in self.kinds.iter().zip(values.iter()) {
            map.insert(name.into(), f(kind, value)?);
        }
        if self.by_name {
            return Ok(map.into());
        }
        map.remove(ALONE).ok_or_else(|| Error::internal("an unknown without its name"))
    }

    /// An option for each unknown: one value for all of them, or a map by name.
    fn each(&self, o: &Options, key: &str) -> Result<Vec<(String, Dynamic)>> {
        let Some(value) = o.get(key) else { return Ok(Vec::new()) };
        match value.read_lock::<Map>() {
            Some(map) if self.by_name => map
                .iter()
                .filter(|(_, value)| !value.is_unit())
                .map(|(name, value)| {
                    if self.start.get(name).is_some() {
                        return Ok((name.to_string(), value.clone()));
                    }
                    let names = self.start.names();
                    let error = o.wrong(key, &format!("a value for some of {}", names.join(", "))).got(name);
                    Err(match nearest(name, names.iter().cloned()).first() {
                        Some(near) => error.advice(format!("did you mean `{near}`?")),
                        None => error,
                    })
                })
                .collect(),
            _ => Ok(self.start.names().iter().map(|name| (name.clone(), value.clone())).collect()),
        }
    }
    /// Bounds in the shapes of the unknowns.
    fn bounds(&self, context: &Context, o: &Options, key: &str) -> Result<Parameters> {
        let mut out = Parameters::new();
        for (name, value) in self.each(o, key)? {
            let wrong =
                || o.wrong(key, "a number, or a tensor or field that fits the unknown; or a map of them by name");
            let bound = match Operand::of(&value) {
                Some(operand) => operand.into_tensor(context).ok_or_else(wrong)?,
                None => tensor_of(context, &value).map_err(|_| wrong())?,
            };
            let bound = bound.detach().expand(&self.start.need(&name)?.shape()).map_err(|_| wrong())?;
            out.push(name, bound)?;
        }
        Ok(out)
    }
    fn transforms(&self, o: &Options, lower: &Parameters, upper: &Parameters) -> Result<HashMap<String, Transform>> {
        const WORDS: [&str; 4] = ["none", "log", "softplus", "sigmoid"];
        let transform = |name: &str, word: &str| match word {
            "none" => Ok(Transform::None),
            "log" => Ok(Transform::Log),
            "softplus" => Ok(Transform::Softplus),
            "sigmoid" => match (lower.get(name), upper.get(name)) {
                (Some(lower), Some(upper)) => Ok(Transform::Sigmoid { lower: lower.clone(), upper: upper.clone() }),
                _ => Err(o.missing("lower` and `upper", "the bounds between which \"sigmoid\" keeps a parameter")),
            },
            _ => {
                let error = o.wrong("transform", &format!("one of \"{}\"", WORDS.join("\", \"")));
                Err(match nearest(word, WORDS.map(String::from)).first() {
                    Some(near) => error.advice(format!("did you mean \"{near}\"?")),
                    None => error,
                })
            }
        };
        self.each(o, "transform")?
            .into_iter()
            .map(|(name, word)| {
                let word = word.into_string().map_err(|_| o.wrong("transform", "a word, or a map of words by name"))?;
                Ok((name.clone(), transform(&name, &word)?))
            })
            .collect()
    }
}

fn run(c: &mut Call) -> Result<(Unknowns, Minimum)> {
    let (closure, unknowns, o) = (c.closure(0, 1)?, Unknowns::read(c, 1)?, c.options(2)?);
    let context = c.session.context().clone();
    let optimizer = match o.get("optimizer") {
        None => Optimizer::lbfgs(),
        value => {
            let handle = handle(value).ok_or_else(|| o.wrong("optimizer", "an optimizer such as optim::lbfgs()"))?;
            handle.copy()?
        }
    };
    let base = Minimization::default();
    let (lower, upper) = (unknowns.bounds(&context, &o, "lower")?, unknowns.bounds(&context, &o, "upper")?);
    let plan = Minimization {
        steps: o.count("steps", base.steps as usize)? as u64,
        tolerance: o.number("tolerance", base.tolerance)?,
        transforms: unknowns.transforms(&o, &lower, &upper)?,
        lower,
        upper,
        keep_last: o.choice("keep", &[("best", false), ("last", true)])?,
        progress: o.boolean("progress", base.progress)?,
        name: o.string_if("name")?.unwrap_or(base.name),
    };
    if plan.tolerance < 0.0 {
        return Err(o.wrong("tolerance", "0 or more"));
    }
    let mut f = |x: &Parameters| loss_of(&context, closure.call([unknowns.dress(x)?])?);
    let minimum = minimize(c.session, &optimizer, &unknowns.start, &plan, &mut f)?;
    Ok((unknowns, minimum))
}

fn history(c: &mut Call) -> Result<Dynamic> {
    let (unknowns, minimum) = run(c)?;
    let context = c.session.context();
    // In doubles: the losses were computed one by one, and differences between them matter.
    let line = |values: &[f64]| Tensor::from_vec(context, values.to_vec(), &[values.len()]).map(Dynamic::from);
    let mut map = Map::new();
    map.insert("x".into(), unknowns.answer(&minimum.x)?);
    map.insert("loss".into(), minimum.loss.into());
    map.insert("losses".into(), line(&minimum.losses)?);
    map.insert("gradients".into(), line(&minimum.gradients)?);
    map.insert("steps".into(), Dynamic::from(minimum.steps as i64));
    map.insert("evaluations".into(), Dynamic::from(minimum.evaluations as i64));
    map.insert("converged".into(), minimum.converged().into());
    map.insert("reason".into(), minimum.end.name().into());
    Ok(map.into())
}

/// The options of both primitives.
fn minimizing(entry: Entry) -> Entry {
    entry
        .option("optimizer", "rule and rates; it starts anew and is not changed (optim::lbfgs())")
        .option("steps", "most steps (100)")
        .option("lower", "lower bounds: a number, or numbers that fit x; by name where x is a map (none)")
        .option("upper", "upper bounds (none)")
        .option("transform", "what is varied in place of x: \"log\" ln x, \"softplus\", \"sigmoid\" between the bounds; by name where x is a map (\"none\")")
        .option("tolerance", "stop once the gradient is so many times smaller than at the start (0: only where it vanishes)")
        .option("keep", "the end is the \"best\" point that was seen, or the \"last\" (\"best\")")
        .option("progress", "show it (true)")
        .option("name", "in messages, and of the file that keeps the best point when the work is broken off (\"minimize\")")
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        minimizing(entry("minimize(f, x, [options])"))
            .brief("The place where a function of x is lowest, searched down its gradient from x.")
            .text("f: a closure |x| that returns one number, the same function each time. x: a number, tensor or field, or a map of them for several \
                   unknowns: minimize(|p| loss(p.nu, p.u0), #{ nu: 0.1, u0: field }). What comes back has the form of x. \
                   Adam and SGD keep bounds by projection, L-BFGS by a line search that bends at them. transform: \"log\" suits positive \
                   coefficients known up to orders of magnitude. minimize_history also tells how it went. \
                   A loss that is not finite stops it; when it is broken off, the best point so far is in the run folder.")
            .example("minimize(|x| sum(square(x - tensor([1, 2]))), tensor([0, 0]))", "[1, 2]")
            .example("minimize(|p| square(p.a - 3) + square(p.b + 1), #{ a: 0.0, b: 0.0 }, #{ upper: #{ a: 2 } })", "#{ a: 2, b: -1 }")
            .run(|c| {
                let (unknowns, minimum) = run(c)?;
                unknowns.answer(&minimum.x)
            }),
        minimizing(entry("minimize_history(f, x, [options])"))
            .brief("As minimize, with how it went: #{ x, loss, losses, gradients, steps, evaluations, converged, reason }.")
            .text("losses[k] is the loss after k steps and losses[0] that at the start: one more than there are steps. gradients[k] is the norm of the \
                   gradient before step k.")
            .example("minimize_history(|x| square(x - 1) / 2, 0.0, #{ steps: 3, optimizer: optim::sgd(#{ lr: 0.5 }) }).losses", "[0.5, 0.125, 0.03125, 0.0078125]")
            .run(history),
    ]
}

impl super::script::Handle {
    /// The optimiser it holds, to be changed apart from it.
    fn copy(&self) -> Result<Optimizer> {
        self.0.try_borrow().map(|optimizer| optimizer.clone()).map_err(|_| super::script::busy())
    }
}
