//! Networks in scripts.

use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};

use super::*;
use crate::error::{Error, Result};
use crate::field::{Field, Grid};
use crate::script::engine::printable;
use crate::script::registry::{Entry, entry, property};
use crate::script::value::{Operand, describe};
use crate::script::{Call, Options};
use crate::tensor::Tensor;

/// A layer as scripts hold it: structure without numbers, a part of networks to be.
#[derive(Clone)]
pub(crate) struct Part(pub Layer);

/// A child of a network whose forward pass is a closure: the layer with the numbers of this evaluation.
#[derive(Clone)]
pub(crate) struct Bound {
    layer: Layer,
    scope: Scope,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer: {}", self.0.describe())
    }
}
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}: {}", self.scope.path(), self.layer.describe())
    }
}
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network of {} parameters: {}", self.count(), self.module().describe())
    }
}

/// Longest axis of a layer that scripts may ask for.
const MOST: usize = 1 << 24;

pub(crate) fn types(engine: &mut Engine) {
    printable::<Part>(engine, "Layer");
    printable::<Bound>(engine, "BoundLayer");
    printable::<Net>(engine, "Net");
}

/// A layer in argument `i`: one made by `nn::…`, or the structure of a network.
pub(crate) fn layer_of(value: &Dynamic) -> Option<Layer> {
    if let Some(part) = value.read_lock::<Part>() {
        return Some(part.0.clone());
    }
    value.read_lock::<Net>().map(|net| net.layer())
}
/// A layer as a script value.
pub(crate) fn part(layer: impl Module) -> Result<Dynamic> {
    Ok(Dynamic::from(Part(Rc::new(layer))))
}
pub(crate) fn need_layer(c: &Call, value: &Dynamic) -> Result<Layer> {
    layer_of(value).ok_or_else(|| {
        Error::typ(format!("{}: not a layer", c.name()))
            .got(describe(value))
            .expected("a layer such as nn::linear(2, 20), or a network")
    })
}
/// A network from a layer, with the seed of the options or the session's next.
pub(crate) fn build(c: &Call, layer: Layer, o: &Options) -> Result<Dynamic> {
    let seed = o.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
    Ok(Dynamic::from(Net::new(c.session.context(), layer, seed)?))
}
/// An activation by name.
pub(crate) fn activation(o: &Options, default: Activation) -> Result<Activation> {
    if o.has("activation") { o.choice("activation", &Activation::NAMED) } else { Ok(default) }
}

/// The inputs of a call: tensors and fields; a field among them makes the result one.
fn forward(c: &mut Call) -> Result<Dynamic> {
    let mut grid: Option<Grid> = None;
    let mut inputs = Vec::new();
    for i in 1..c.len() {
        if let Some(field) = c.object_if::<Field>(i) {
            grid.get_or_insert(field.grid().clone());
            inputs.push(field.values().clone());
        } else if let Some(array) = c
            .object_if::<rhai::Array>(i)
            .filter(|a| a.iter().any(|v| matches!(Operand::of(v), Some(Operand::Tensor(_) | Operand::Field(_)))))
        {
            for value in &array {
                let tensor = Operand::of(value).and_then(|o| o.into_tensor(c.session.context()));
                inputs.push(tensor.ok_or_else(|| c.wrong(i, "tensors"))?);
            }
        } else {
            inputs.push(c.tensor(i)?);
        }
    }
    let value = if let Some(bound) = c.object_if::<Bound>(0) {
        bound.layer.forward(&bound.scope, &inputs)?
    } else {
        if c.object_if::<Part>(0).is_some() {
            return Err(c
                .wrong(0, "a network: a layer has no numbers yet")
                .advice("nn::net(layer, #{ seed: 1 }) makes a network of it"));
        }
        c.object::<Net>(0, "a network")?.call(&inputs)?
    };
    Ok(match grid {
        Some(grid) if value.shape().ends_with(&grid.shape()) => Dynamic::from(Field::new(value, grid)?),
        _ => Dynamic::from(value),
    })
}

/// A network whose forward pass is a script closure over its parts.
fn custom(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(2)?;
    let parts = c
        .map(0)?
        .iter()
        .map(|(name, value)| Ok((name.to_string(), need_layer(c, value)?)))
        .collect::<Result<Vec<(String, Layer)>>>()?;
    let inputs = o.count("inputs", 1)?;
    let closure = c.closure(1, inputs + 1)?;
    let (context, children) = (c.session.context().clone(), parts.clone());
    let forward: Forward = Rc::new(move |scope, inputs| {
        let bound: Map = children
            .iter()
            .map(|(name, layer)| {
                (name.as_str().into(), Dynamic::from(Bound { layer: layer.clone(), scope: scope.child(name) }))
            })
            .collect();
        let arguments = std::iter::once(Dynamic::from(bound)).chain(inputs.iter().cloned().map(Dynamic::from));
        let value = closure.call(arguments)?;
        let tensor = Operand::of(&value).and_then(|o| o.into_tensor(&context));
        tensor.ok_or_else(|| {
            Error::typ("the closure of nn::custom returned something unfit").got(describe(&value)).expected("a tensor")
        })
    });
    let name = o.string_if("name")?.unwrap_or_else(|| "custom".into());
    part(Custom { name, parts, forward })
}

fn names(o: &Options, key: &str, letter: &str) -> Result<Vec<String>> {
    match o.count_if(key) {
        // One name each: no more than a layer could have.
        Ok(Some(n)) if n > 1 << 20 => Err(o.wrong(key, "at most 1048576")),
        Ok(Some(n)) => Ok((0..n).map(|i| format!("{letter}{i}")).collect()),
        Ok(None) => Err(o.missing(key, "a number, or an array of names")),
        Err(_) => o.strings_if(key).ok().flatten().ok_or_else(|| o.wrong(key, "a number, or an array of names")),
    }
}

pub(crate) fn entries() -> Vec<Entry> {
    const SEED: &str = "the seed of the first parameters (the session's next)";
    let mut table = super::script_scores::entries();
    table.extend([
        entry("nn::net(layer, [options])")
            .brief("A network: a layer with numbers.")
            .text("Each parameter is drawn from the seed and its own path, so that a layer added elsewhere does not change it.")
            .option("seed", SEED)
            .example("nn::net(nn::linear(2, 3), #{ seed: 1 }).forward(ones([5, 2])).shape", "[5, 3]")
            .run(|c| {
                let layer = need_layer(c, &c.value(0)?)?;
                build(c, layer, &c.options(1)?)
            }),
        entry("nn::linear(inputs, outputs, [options])")
            .brief("A layer y = x W + b over the last axis.")
            .text("W begins as Xavier-uniform numbers, b at 0.")
            .option("bias", "whether b is added (true)")
            .example("nn::net(nn::linear(2, 3)).parameters", "9")
            .run(|c| {
                let (inputs, outputs) = (c.count(0)?, c.count(1)?);
                crate::tensor::element_count(&[inputs, outputs])?;
                for (i, n) in [inputs, outputs].into_iter().enumerate() {
                    if !(1..=MOST).contains(&n) {
                        return Err(c.unfit(i, n, &format!("a whole number from 1 to {MOST}")));
                    }
                }
                part(Linear { bias: c.options(2)?.boolean("bias", true)?, ..Linear::new(inputs, outputs) })
            }),
        entry("nn::activation(name)")
            .brief("A layer that applies a function to each element: \"tanh\", \"relu\", \"silu\", \"gelu\", …")
            .example("nn::net(nn::activation(\"relu\")).forward(tensor([-1, 2]))", "[0, 2]")
            .run(|c| {
                let mut map = Map::new();
                map.insert("activation".into(), c.string(0)?.into());
                part(activation(&Options::new(c.name(), map), Activation::Identity)?)
            }),
        entry("nn::sequential(layers)")
            .brief("Layers one after the other.")
            .example("nn::net(nn::sequential([nn::linear(2, 8), nn::activation(\"tanh\"), nn::linear(8, 1)])).parameters", "33")
            .run(|c| {
                let layers = c.array(0)?.iter().map(|v| need_layer(c, v)).collect::<Result<Vec<_>>>()?;
                part(Sequential { layers })
            }),
        entry("nn::residual(layer, [options])")
            .brief("x + layer(x); with a shortcut, shortcut(x) + layer(x) where the shapes differ.")
            .text("Further inputs go to the layer alone.")
            .option("shortcut", "a layer that turns x into the shape of layer(x) (none)")
            .example("nn::net(nn::residual(nn::linear(2, 2))).forward(ones([1, 2])).shape", "[1, 2]")
            .example("nn::net(nn::residual(nn::linear(2, 3), #{ shortcut: nn::linear(2, 3, #{ bias: false }) })).parameters", "15")
            .run(|c| {
                let body = need_layer(c, &c.value(0)?)?;
                let shortcut = c.options(1)?.get("shortcut").map(|value| need_layer(c, value)).transpose()?;
                part(Residual { body, shortcut })
            }),
        entry("nn::custom(parts, forward, [options])")
            .brief("A layer of your own: parts by name, and a closure that says how they are used.")
            .text("forward: a closure |parts, x| (with more inputs |parts, x, t|) that returns a tensor; parts.name.forward(x) runs a part.")
            .option("inputs", "how many tensors it takes (1)")
            .option("name", "what summaries call it (\"custom\")")
            .example("let twice = nn::custom(#{ a: nn::linear(2, 2) }, |parts, x| parts.a.forward(parts.a.forward(x))); nn::net(twice).parameters", "6")
            .run(custom),
        entry("nn::mlp(options)")
            .brief("A fully connected network: x_(k+1) = σ(x_k W_k + b_k), without σ after the last layer.")
            .text("Several inputs, net.forward(x, t), are joined along the last axis. Good values: 4 to 8 hidden layers of 20 to 100 with tanh for equations.")
            .option("inputs", "how many, or an array of names (needed)")
            .option("outputs", "how many, or an array of names (needed)")
            .option("hidden", "widths of the hidden layers ([64, 64])")
            .option("activation", "\"tanh\", \"silu\", \"relu\", … (\"tanh\")")
            .option("seed", SEED)
            .example("nn::mlp(#{ inputs: [\"x\", \"t\"], outputs: [\"u\"], hidden: [20, 20], seed: 1 }).parameters", "501")
            .run(|c| {
                let o = c.options(0)?;
                let (inputs, outputs) = (names(&o, "inputs", "x")?, names(&o, "outputs", "y")?);
                let hidden = o.shape_if("hidden")?.unwrap_or_else(|| vec![64, 64]);
                let mlp = Mlp { inputs, outputs, ..Mlp::new(1, &hidden, 1, activation(&o, Activation::Tanh)?) };
                build(c, Rc::new(mlp), &o)
            }),
        entry("forward(net, x, [t], [z])")
            .brief("The value of a network for one or more inputs.")
            .text("A field among the inputs makes the result a field where its shape allows. Inputs may also come as one array. Outside of training no gradient is \
                   recorded for the parameters.")
            .example("nn::mlp(#{ inputs: 2, outputs: 1, seed: 1 }).forward(ones([4, 1]), zeros([4, 1])).shape", "[4, 1]")
            .run(forward),
        property("net.parameters").brief("How many numbers a network has; of an equation the variables it captured, with their values.").example("nn::mlp(#{ inputs: 1, outputs: 1, hidden: [] }).parameters", "2").example("let k = 2.0; equation(|u| dt(u) - k * dx(u)).parameters.k", "2").run(|c| {
            if let Some(equation) = c.object_if::<crate::equation::Equation>(0) {
                return Ok(crate::equation::script::parameters(&equation));
            }
            Ok(Dynamic::from(c.object::<Net>(0, "a network or an equation")?.count() as i64))
        }),
        entry("summary(net)").brief("A table of a network's layers, shapes and counts, as text.").example("summary(nn::mlp(#{ inputs: 1, outputs: 1 })).contains(\"linear\")", "true").run(|c| {
            Ok(c.object::<Net>(0, "a network")?.summary().to_string().into())
        }),
        entry("copy(net)").brief("An independent network with the same numbers.").example("copy(nn::mlp(#{ inputs: 1, outputs: 1, hidden: [] })).parameters", "2").run(|c| {
            Ok(Dynamic::from(c.object::<Net>(0, "a network")?.copy()))
        }),
        entry("parameter(net, name)").brief("One parameter of a network as a tensor.").example("nn::net(nn::linear(2, 3)).parameter(\"bias\")", "[0, 0, 0]").run(|c| {
            Ok(Dynamic::from(c.object::<Net>(0, "a network")?.parameter(&c.string(1)?)?))
        }),
        entry("set_parameter(net, name, value)").brief("Replaces one parameter of a network.").example("let net = nn::net(nn::linear(1, 1)); net.set_parameter(\"weight\", tensor([[2]])); net.forward(tensor([[3]]))", "[[6]]").run(|c| {
            let net = c.object::<Net>(0, "a network")?;
            let value: Tensor = c.tensor(2)?;
            net.set_parameter(&c.string(1)?, &value)?;
            Ok(Dynamic::UNIT)
        }),
    ]);
    table
}
