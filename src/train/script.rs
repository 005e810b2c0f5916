//! Training in scripts: optimisers, schedules, `train`, `step`.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};
use serde_json::Value;

use super::*;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::nn::Net;
use crate::script::engine::printable;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe, number_of};
use crate::script::{Call, Options};
use crate::session::Session;
use crate::tensor::{Context, Tensor};

/// An optimiser as scripts hold it: it remembers its moments from step to step.
#[derive(Clone)]
pub(crate) struct Handle(pub(super) Rc<RefCell<Optimizer>>);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_borrow() {
            Ok(optimizer) => {
                let all = optimizer.describe();
                write!(f, "{}", in_words(&all["rule"], "method"))?;
                write!(f, " at rate {}", in_words(&all["rate"], "schedule"))?;
                for (key, name) in [("clip_value", "clip"), ("clip_norm", "clip_norm")] {
                    if let Some(bound) = all[key].as_f64() {
                        write!(f, ", {name} {bound}")?;
                    }
                }
                write!(f, ", after {} steps", optimizer.steps())
            }
            Err(_) => write!(f, "optimizer at work"),
        }
    }
}
impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch of {} samples, step {}, epoch {}", self.indices.len(), self.step, self.epoch)
    }
}
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate {}", in_words(&self.describe(), "schedule"))
    }
}

/// `name(key value, …)` of a description, without what is switched off; a constant is its number.
fn in_words(description: &Value, name: &str) -> String {
    let kind = description[name].as_str().unwrap_or_default();
    if kind == "constant" {
        return description["rate"].to_string();
    }
    let own = description.as_object().into_iter().flatten();
    let set = own.filter(|(key, value)| *key != name && !value.is_null() && **value != Value::Bool(false));
    let words: Vec<String> = set.map(|(key, value)| format!("{key} {value}")).collect();
    format!("{kind}({})", words.join(", "))
}

pub(crate) fn types(engine: &mut Engine) {
    printable::<Handle>(engine, "Optimizer");
    printable::<Batch>(engine, "Batch");
    printable::<Schedule>(engine, "Schedule");
    engine.register_get("seed", |b: &mut Batch| b.seed as i64);
    engine.register_get("step", |b: &mut Batch| b.step as i64);
    engine.register_get("epoch", |b: &mut Batch| b.epoch as i64);
    engine.register_get("indices", |b: &mut Batch| {
        b.indices.iter().map(|&i| Dynamic::from(i as i64)).collect::<rhai::Array>()
    });
}

/// The options that every optimiser with a rate takes.
fn rated(entry: Entry, rate: &'static str) -> Entry {
    guarded(entry.option("lr", rate).option("weight_decay", "pull of the parameters towards 0 (0; adamw 0.01)"))
}
fn guarded(entry: Entry) -> Entry {
    entry
        .option("clip", "largest size of an element of the gradient (none)")
        .option("clip_norm", "largest Euclidean norm of the gradient (none)")
        .option("not_finite", "what a NaN gradient does: \"stop\" or \"zero\" (\"stop\")")
}

/// What a rate may be.
const RATE: &str = "a number greater than 0, a schedule such as optim::cosine(…), or a closure |step|";

fn schedule(o: &Options, default: f64) -> Result<Schedule> {
    match o.get("lr") {
        None => Ok(Schedule::Constant(default)),
        Some(value) => match number_of(value) {
            Some(_) => Ok(Schedule::Constant(o.positive("lr", default)?)),
            None => match value.read_lock::<Schedule>() {
                Some(schedule) => Ok(schedule.clone()),
                None => match o.closure_if("lr", 1).map_err(|_| o.wrong("lr", RATE))? {
                    Some(closure) => Ok(Schedule::Custom {
                        name: "closure".into(),
                        rate: Rc::new(move |t| closure.number(&[t as f64])),
                    }),
                    None => Err(o.wrong("lr", RATE)),
                },
            },
        },
    }
}
fn guard(o: &Options) -> Result<Guard> {
    let bound =
        |key: &str| -> Result<Option<f64>> { if o.has(key) { o.positive(key, 1.0).map(Some) } else { Ok(None) } };
    Ok(Guard {
        clip_value: bound("clip")?,
        clip_norm: bound("clip_norm")?,
        not_finite: o.choice("not_finite", &[("stop", NotFinite::Stop), ("zero", NotFinite::Zero)])?,
    })
}
fn optimizer(o: &Options, method: Method, rate: f64) -> Result<Dynamic> {
    let mut optimizer = Optimizer::new(method, schedule(o, rate)?);
    optimizer.guard = guard(o)?;
    Ok(Dynamic::from(Handle(Rc::new(RefCell::new(optimizer)))))
}
fn adam(o: &Options, base: Adam) -> Result<Adam> {
    let betas = o.numbers_if("betas")?.unwrap_or_else(|| vec![base.beta1, base.beta2]);
    let [beta1, beta2] = betas[..] else { return Err(o.wrong("betas", "two numbers, [0.9, 0.999]")) };
    if !(0.0..1.0).contains(&beta1) || !(0.0..1.0).contains(&beta2) {
        return Err(o.wrong("betas", "two numbers from 0 to below 1"));
    }
    Ok(Adam {
        beta1,
        beta2,
        epsilon: o.positive("epsilon", base.epsilon)?,
        decay: o.number("weight_decay", base.decay)?,
        amsgrad: o.boolean("amsgrad", false)?,
        ..base
    })
}

/// The loss that a closure returned.
pub(super) fn loss_of(context: &Context, value: Dynamic) -> Result<Tensor> {
    let tensor = Operand::of(&value).and_then(|o| o.into_tensor(context));
    let tensor = tensor.ok_or_else(|| {
        Error::typ("the loss is not a number").got(describe(&value)).expected("a tensor of one element")
    })?;
    if tensor.len() != 1 {
        return Err(Error::shape("the loss is not a single number")
            .got(format!("shape {:?}", tensor.shape()))
            .advice("reduce it: mean(…)"));
    }
    Ok(tensor)
}

pub(super) fn handle(value: Option<&Dynamic>) -> Option<Handle> {
    value.and_then(|v| v.read_lock::<Handle>().map(|h| h.clone()))
}
pub(super) fn busy() -> Error {
    Error::value("this optimizer is already at work in a step around this one")
        .advice("make another optimizer for the inner loop")
}
fn net(c: &Call, i: usize) -> Result<Net> {
    c.object::<Net>(i, "a network")
}

/// How many samples the data set has that the option `samples` names: a number, a field or a tensor.
fn data_set(o: &Options) -> Result<Option<usize>> {
    match o.get("samples") {
        None => Ok(None),
        Some(value) => {
            if let Some(field) = value.read_lock::<Field>() {
                return Ok(Some(field.samples()));
            }
            match value.read_lock::<Tensor>() {
                Some(tensor) if tensor.rank() > 0 => Ok(tensor.shape().first().copied()),
                _ => o.count_if("samples"),
            }
        }
    }
}

/// "every" as steps, or as passes over the samples.
fn every(o: &Options, epochs: bool) -> Result<Option<Every>> {
    Ok(o.count_if("check_every")?.map(|n| if epochs { Every::Epochs(n as u64) } else { Every::Steps(n as u64) }))
}

fn plan(o: &Options, session: &Session) -> Result<Plan> {
    let samples = data_set(o)?;
    let mut plan = match (o.count_if("epochs")?, o.count_if("steps")?) {
        (Some(_), Some(_)) => return Err(o.wrong("steps", "either epochs or steps, not both")),
        (Some(epochs), None) => match samples {
            Some(n) => Plan { check: None, ..Plan::epochs(epochs as u64, n, n) },
            None => {
                return Err(
                    o.missing("samples", "the data set, or the number of its samples: an epoch is one pass over them")
                );
            }
        },
        (None, Some(steps)) => Plan { samples, ..Plan::steps(steps as u64) },
        (None, None) => return Err(o.missing("steps", "how long: steps, or epochs")),
    };
    let epochs = matches!(plan.length, Length::Epochs(_));
    plan.batch = o.count_if("batch")?;
    plan.seed = o.seed_if("seed")?.unwrap_or(session.seed());
    plan.name = o.string_if("name")?.unwrap_or_else(|| session.next_training());
    plan.shuffle = o.boolean("shuffle", plan.shuffle)?;
    plan.drop_last = o.boolean("drop_last", plan.drop_last)?;
    plan.check = every(o, epochs)?;
    if o.has("patience") {
        plan.early_stop =
            Some(EarlyStop { patience: o.count("patience", 10)? as u64, least_gain: o.number("least_gain", 0.0)? });
    }
    if plan.check.is_none() && (o.has("validate") || o.has("patience") || o.has("keep_best")) {
        plan.check = Some(if epochs { Every::Epochs(1) } else { Every::Steps(100) });
    }
    plan.keep_best = o.boolean("keep_best", plan.early_stop.is_some())?;
    plan.average = o.number_if("ema")?;
    plan.log_every = o.count("log_every", plan.log_every as usize)? as u64;
    plan.checkpoint_steps = o.count("checkpoint_every", plan.checkpoint_steps as usize)? as u64;
    plan.checkpoint_seconds = o.number("checkpoint_seconds", plan.checkpoint_seconds)?;
    if plan.average.is_some_and(|d| !(0.0..1.0).contains(&d)) {
        return Err(o.wrong("ema", "a decay from 0 to below 1, such as 0.999"));
    }
    Ok(plan)
}

fn run_training(c: &mut Call) -> Result<Dynamic> {
    let (net, options) = (net(c, 0)?, c.options(1)?);
    let context = c.session.context().clone();
    let Some(loss) = options.closure_if("loss", 2)? else {
        return Err(options.missing("loss", "a closure |net, batch| that returns the loss"));
    };
    let mut validate = options.closure_if("validate", 1)?.map(|closure| {
        let context = context.clone();
        move |net: &Net| loss_of(&context, closure.call([Dynamic::from(net.clone())])?)?.item()
    });
    let plan = plan(&options, c.session)?;
    let handle = match options.get("optimizer") {
        None => Handle(Rc::new(RefCell::new(Optimizer::adam(1e-3)))),
        value => handle(value)
            .ok_or_else(|| options.wrong("optimizer", "an optimizer such as optim::adam(#{ lr: 1e-3 })"))?,
    };
    let mut optimizer = handle.0.try_borrow_mut().map_err(|_| busy())?;
    let mut on_batch = |net: &Net, batch: &Batch| {
        loss_of(&context, loss.call([Dynamic::from(net.clone()), Dynamic::from(batch.clone())])?)
    };
    let outcome = train(
        c.session,
        &net,
        &mut optimizer,
        &plan,
        &mut on_batch,
        validate.as_mut().map(|v| v as &mut dyn FnMut(&Net) -> Result<f64>),
    )?;
    let mut map = Map::new();
    map.insert("steps".into(), Dynamic::from(outcome.steps as i64));
    map.insert("loss".into(), outcome.loss.map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("stopped_early".into(), outcome.stopped_early.into());
    if let Some((score, step)) = outcome.best {
        map.insert("best".into(), score.into());
        map.insert("best_step".into(), Dynamic::from(step as i64));
    }
    if let Some(average) = outcome.average {
        map.insert("average".into(), Dynamic::from(average));
    }
    Ok(map.into())
}

fn one_step(c: &mut Call) -> Result<Dynamic> {
    let handle =
        handle(Some(&c.value(0)?)).ok_or_else(|| c.wrong(0, "an optimizer such as optim::adam(#{ lr: 1e-3 })"))?;
    let (net, closure, context) = (net(c, 1)?, c.closure(2, 1)?, c.session.context().clone());
    let mut optimizer = handle.0.try_borrow_mut().map_err(|_| busy())?;
    let report = step(&mut optimizer, &net, |net| loss_of(&context, closure.call([Dynamic::from(net.clone())])?))?;
    Ok(Dynamic::from(report.loss))
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = optimizers();
    table.extend(super::script_minimize::entries());
    table.extend([
        entry("train(net, options)")
            .brief("Trains a network: so many steps of an optimizer down the gradient of a loss.")
            .text("loss: a closure |net, batch| that returns one number. batch has indices, seed, step and epoch; x.samples(batch) takes its samples of x. \
                   The network that is given is the one that learns. Lines go to metrics.jsonl, checkpoints to checkpoints/<name>/, the end to \
                   checkpoints/<name>.safetensors and checkpoints/final.safetensors. `ansatz run --resume` goes on from the last checkpoint, and what comes \
                   out equals an uninterrupted training bit for bit, if random numbers of the loss take their seed from batch.seed. \
                   Returns #{ steps, loss, stopped_early, best, best_step, average }.")
            .option("loss", "a closure |net, batch| (needed)")
            .option("steps", "how many steps; or epochs")
            .option("epochs", "how many passes over the samples; or steps")
            .option("samples", "the data set (a field or tensor), or the number of its samples")
            .option("batch", "samples per step (all)")
            .option("shuffle", "another order in each pass (true)")
            .option("drop_last", "leave out a last batch with fewer samples (false)")
            .option("optimizer", "an optimizer (optim::adam(#{ lr: 1e-3 }))")
            .option("seed", "of the order, of dropout and of batch.seed (the session's)")
            .option("name", "of the lines and the files; each training of a run needs its own (train, train-2, …)")
            .option("validate", "a closure |net| that returns a score, lower is better (the mean loss)")
            .option("check_every", "epochs, or steps, between scores (1 epoch or 100 steps when one is asked for)")
            .option("patience", "stop after so many scores in a row without a better one (never)")
            .option("least_gain", "how much lower a score must be to count as better (0)")
            .option("keep_best", "end with the parameters of the best score (true with patience)")
            .option("ema", "decay of an average of the parameters, returned as `average` (none)")
            .option("log_every", "steps between lines in metrics.jsonl (10)")
            .option("checkpoint_every", "steps between checkpoints (by time)")
            .option("checkpoint_seconds", "seconds between checkpoints (60)")
            .example(
                "let net = nn::mlp(#{ inputs: 1, outputs: 1, hidden: [8], seed: 1 }); let x = linspace(0, 1, 8).reshape([8, 1]); \
                 train(net, #{ steps: 200, name: \"example\", optimizer: optim::adam(#{ lr: 0.02 }), loss: |net, batch| mse(net.forward(x), x * x) }).loss < 1e-2",
                "true",
            )
            .run(run_training),
        entry("step(optimizer, net, loss)")
            .brief("One step of an optimizer, for training loops written by hand; returns the loss before it.")
            .text("loss: a closure |net| that returns one number.")
            .example(
                "let net = nn::mlp(#{ inputs: 1, outputs: 1, hidden: [8], seed: 1 }); let x = linspace(0, 1, 8).reshape([8, 1]); let adam = optim::adam(#{ lr: 0.02 }); \
                 let loss = 0.0; for i in 0..100 { loss = step(adam, net, |net| mse(net.forward(x), x)); } loss < 1e-2",
                "true",
            )
            .run(one_step),
    ]);
    table
}

fn optimizers() -> Vec<Entry> {
    vec![
        rated(entry("optim::adam([options])"), "the learning rate: a number, a schedule or a closure |step| (1e-3)")
            .brief("Adam: steps scaled by running means of the gradient and of its square.")
            .text("m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr · m̂/(√v̂ + ε), with m̂, v̂ corrected for their start. Kingma and Ba (2015).")
            .option("betas", "[β₁, β₂] ([0.9, 0.999])")
            .option("epsilon", "ε (1e-8)")
            .option("amsgrad", "v may not shrink (false)")
            .example("optim::adam(#{ lr: 1e-3 })", "Optimizer")
            .run(|c| {
                let o = c.options(0)?;
                optimizer(&o, Method::Adam(adam(&o, Adam::default())?), 1e-3)
            }),
        rated(entry("optim::adamw([options])"), "the learning rate: a number, a schedule or a closure |step| (1e-3)")
            .brief("AdamW: Adam with weight decay that acts on the parameters directly.")
            .text("Loshchilov and Hutter (2019).")
            .option("betas", "[β₁, β₂] ([0.9, 0.999])")
            .option("epsilon", "ε (1e-8)")
            .option("amsgrad", "v may not shrink (false)")
            .example("optim::adamw(#{ weight_decay: 0.1 })", "Optimizer")
            .run(|c| {
                let o = c.options(0)?;
                optimizer(&o, Method::Adam(adam(&o, Adam::decoupled())?), 1e-3)
            }),
        rated(entry("optim::sgd([options])"), "the learning rate: a number, a schedule or a closure |step| (1e-2)")
            .brief("Gradient descent, with momentum where wanted.")
            .option("momentum", "weight of the step before (0)")
            .option("nesterov", "look ahead along the momentum (false)")
            .example("optim::sgd(#{ lr: 0.1, momentum: 0.9 })", "Optimizer")
            .run(|c| {
                let o = c.options(0)?;
                let method = Sgd { momentum: o.number("momentum", 0.0)?, nesterov: o.boolean("nesterov", false)?, decay: o.number("weight_decay", 0.0)? };
                optimizer(&o, Method::Sgd(method), 1e-2)
            }),
        guarded(entry("optim::lbfgs([options])"))
            .brief("L-BFGS: quasi-Newton steps from the last gradients, with a strong-Wolfe line search.")
            .text("For losses without noise. The loss is evaluated several times in one step. Nocedal and Wright, Numerical Optimization, chapters 3 and 7.")
            .option("lr", "the first step length (1)")
            .option("history", "how many gradients are kept (10)")
            .option("evaluations", "most evaluations in one line search (25)")
            .example("optim::lbfgs(#{ history: 20 })", "Optimizer")
            .run(|c| {
                let o = c.options(0)?;
                let base = Lbfgs::default();
                let method = Lbfgs { history: o.count("history", base.history)?, evaluations: o.count("evaluations", base.evaluations)?, ..base };
                optimizer(&o, Method::Lbfgs(method), 1.0)
            }),
        entry("optim::cosine(options)")
            .brief("A rate that rises over a warm-up and falls along half a cosine.")
            .option("lr", "the highest rate (needed)")
            .option("steps", "how many steps in all (needed)")
            .option("warmup", "steps of linear rise from 0 (0)")
            .option("last", "the rate at the end (0)")
            .example("optim::adam(#{ lr: optim::cosine(#{ lr: 1e-3, steps: 1000 }) })", "Optimizer")
            .run(|c| {
                let o = c.options(0)?;
                let (Some(rate), Some(steps)) = (o.number_if("lr")?, o.count_if("steps")?) else {
                    return Err(o.missing("lr` and `steps", "the highest rate and the number of steps"));
                };
                Ok(Dynamic::from(Schedule::Cosine { rate, last: o.number("last", 0.0)?, warmup: o.count("warmup", 0)? as u64, steps: steps as u64 }))
            }),
        entry("optim::step_decay(options)")
            .brief("A rate multiplied by a factor every so many steps.")
            .option("lr", "the rate at first (1e-3)")
            .option("every", "steps between reductions (1000)")
            .option("factor", "what the rate is multiplied by (0.5)")
            .example("optim::step_decay(#{ lr: 1e-3, every: 100 })", "Schedule")
            .run(|c| {
                let o = c.options(0)?;
                let every = o.count("every", 1000)?.max(1) as u64;
                Ok(Dynamic::from(Schedule::Step { rate: o.positive("lr", 1e-3)?, every, factor: o.positive("factor", 0.5)? }))
            }),
        entry("optim::exponential(options)")
            .brief("A rate multiplied by a factor at every step.")
            .option("lr", "the rate at first (1e-3)")
            .option("factor", "what the rate is multiplied by (0.999)")
            .example("optim::exponential(#{ factor: 0.99 })", "Schedule")
            .run(|c| {
                let o = c.options(0)?;
                Ok(Dynamic::from(Schedule::Exponential { rate: o.positive("lr", 1e-3)?, factor: o.positive("factor", 0.999)? }))
            }),
        entry("optim::one_cycle(options)")
            .brief("A rate that rises from lr/25 to lr and falls to lr/10⁴.")
            .text("Smith and Topin (2018).")
            .option("lr", "the highest rate (1e-3)")
            .option("steps", "how many steps in all (needed)")
            .option("rise", "the part of the steps in which it rises (0.3)")
            .example("optim::one_cycle(#{ lr: 1e-2, steps: 1000 })", "Schedule")
            .run(|c| {
                let o = c.options(0)?;
                let steps = o.count_if("steps")?.ok_or_else(|| o.missing("steps", "the number of steps"))? as u64;
                Ok(Dynamic::from(Schedule::OneCycle { rate: o.positive("lr", 1e-3)?, rise: o.positive("rise", 0.3)?, steps }))
            }),
        entry("optim::piecewise(pairs)")
            .brief("Rates that hold from given steps on: [[0, 1e-2], [500, 1e-3]].")
            .example("optim::piecewise([[0, 1e-2], [500, 1e-3]])", "Schedule")
            .run(|c| {
                let given = c.array(0)?;
                let pairs = given.iter().map(|pair| {
                    let pair = pair.clone().into_array().ok()?;
                    let [start, rate] = pair.as_slice() else { return None };
                    let start = number_of(start).filter(|s| *s >= 0.0 && s.fract() == 0.0)?;
                    Some((start as u64, number_of(rate)?))
                });
                let pairs = pairs.collect::<Option<Vec<_>>>().filter(|p| !p.is_empty());
                pairs.map(|p| Dynamic::from(Schedule::Piecewise(p))).ok_or_else(|| c.wrong(0, "pairs of a step and a rate, [[0, 1e-2], [500, 1e-3]]"))
            }),
    ]
}
