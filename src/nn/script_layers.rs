//! Layers in scripts: convolutions, norms, pooling, embeddings of time, functions, and whole networks made of them.

use std::rc::Rc;

use rhai::Dynamic;

use super::script::{activation, build, part};
use super::*;
use crate::error::{Error, Result};
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe};
use crate::script::{Call, Options};
use crate::tensor::script_linear::{METHODS, per_axis};

/// No layer has more channels or features than this; a larger number is a mistake, and would be refused for its memory.
const MOST: usize = 1 << 24;

fn size(c: &Call, i: usize) -> Result<usize> {
    match c.count(i)? {
        n @ 1..=MOST => Ok(n),
        n => Err(c.unfit(i, n, &format!("a whole number from 1 to {MOST}"))),
    }
}
fn bounded(o: &Options, key: &str, default: usize, most: usize) -> Result<usize> {
    let n = o.count(key, default)?;
    if (1..=most).contains(&n) { Ok(n) } else { Err(o.wrong(key, &format!("a whole number from 1 to {most}"))) }
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = convolutions();
    table.extend(norms());
    table.extend(grids());
    table.extend(times());
    table.extend(wholes());
    table
}

/// The options of `nn::conv` and `nn::conv_transpose`.
fn convolution(c: &Call) -> Result<Conv> {
    let (inputs, outputs, o) = (size(c, 0)?, size(c, 1)?, c.options(2)?);
    let given = o.shape_if("kernel")?.unwrap_or_else(|| vec![3]);
    let dims = if given.len() > 1 && !o.has("dims") { given.len() } else { bounded(&o, "dims", 2, 3)? };
    let kernel = match given[..] {
        [n] => vec![n; dims],
        _ if given.len() == dims => given,
        _ => return Err(o.wrong("kernel", &format!("a whole number, or an array of {dims}"))),
    };
    let edges = match o.get("padding") {
        Some(value) if !value.is_string() => {
            let widths = o.shape_if("padding")?.unwrap_or_default();
            Edges::Zeros(match widths[..] {
                [n] => vec![(n, n); dims],
                _ if widths.len() == dims => widths.into_iter().map(|n| (n, n)).collect(),
                _ => {
                    return Err(o.wrong(
                        "padding",
                        "\"same\", \"periodic\", \"valid\", a number of zeros on each side, or one for each axis",
                    ));
                }
            })
        }
        _ => match o.choice("padding", &[("same", 0), ("zero", 0), ("periodic", 1), ("valid", 2)])? {
            0 => Edges::Same,
            1 => Edges::Periodic,
            _ => Edges::Valid,
        },
    };
    Ok(Conv {
        stride: per_axis(&o, "stride", dims)?,
        dilation: per_axis(&o, "dilation", dims)?,
        groups: bounded(&o, "groups", 1, MOST)?,
        bias: o.boolean("bias", true)?,
        edges,
        ..Conv::new(inputs, outputs, &kernel)
    })
}

fn with_conv_options(entry: Entry) -> Entry {
    entry
        .option("dims", "spatial axes: 1, 2 or 3 (as many as the kernel has numbers, else 2)")
        .option("kernel", "points of the kernel: a number, or one for each axis (3)")
        .option("stride", "distance between outputs in points of the input; transposed, of inputs in points of the output (1)")
        .option("dilation", "distance between points of the kernel (1)")
        .option("groups", "into how many groups the channels are split (1)")
        .option("padding", "\"same\" (zeros that keep the length), \"periodic\" (the other side of the field), \"valid\" (none), or a number of zeros on each side (\"same\")")
        .option("bias", "whether a bias is added (true)")
}

fn convolutions() -> Vec<Entry> {
    vec![
        with_conv_options(entry("nn::conv(inputs, outputs, [options])"))
            .brief("A convolution of [sample, inputs, space…] to [sample, outputs, space…].")
            .text("The weight begins as LeCun-normal numbers, the bias at 0.")
            .example(
                "nn::net(nn::conv(1, 8, #{ kernel: 5, padding: \"periodic\" })).forward(ones([2, 1, 16, 16])).shape",
                "[2, 8, 16, 16]",
            )
            .example("nn::net(nn::conv(3, 8, #{ dims: 1, kernel: 3, stride: 2 })).parameters", "80")
            .run(|c| part(convolution(c)?)),
        with_conv_options(entry("nn::conv_transpose(inputs, outputs, [options])"))
            .brief(
                "A transposed convolution: each point is spread over a kernel; with a stride it makes the grid finer.",
            )
            .text("With padding \"same\" or \"periodic\" the axes become stride times as long.")
            .example(
                "nn::net(nn::conv_transpose(8, 1, #{ kernel: 4, stride: 2 })).forward(ones([2, 8, 8, 8])).shape",
                "[2, 1, 16, 16]",
            )
            .run(|c| part(ConvTranspose(convolution(c)?))),
    ]
}

fn norms() -> Vec<Entry> {
    const EPSILON: &str = "added to the variance (1e-5)";
    vec![
        entry("nn::layer_norm(features, [options])")
            .brief("Mean 0 and variance 1 over the last axis, then a trained scale and offset.")
            .text("Ba et al. (2016).")
            .option("epsilon", EPSILON)
            .example("nn::net(nn::layer_norm(3)).forward(tensor([[1, 2, 3]]))", "[[-1.2247, 0, 1.2247]]")
            .run(|c| part(LayerNorm { epsilon: c.options(1)?.positive("epsilon", 1e-5)?, ..LayerNorm::new(size(c, 0)?) })),
        entry("nn::group_norm(channels, groups, [options])")
            .brief("Mean 0 and variance 1 of each sample over the points and channels of a group, then a trained scale and offset.")
            .text("Wu and He (2018). Good values: 8 to 32 groups.")
            .option("epsilon", EPSILON)
            .example("nn::net(nn::group_norm(8, 4)).forward(ones([2, 8, 4, 4])).shape", "[2, 8, 4, 4]")
            .run(|c| part(GroupNorm { epsilon: c.options(2)?.positive("epsilon", 1e-5)?, ..GroupNorm::new(size(c, 0)?, size(c, 1)?) })),
        entry("nn::instance_norm(channels, [options])")
            .brief("Mean 0 and variance 1 of each channel of each sample over its points, then a trained scale and offset.")
            .text("Ulyanov et al. (2016).")
            .option("epsilon", EPSILON)
            .example("nn::net(nn::instance_norm(1)).forward(tensor([[[1, 2, 3]]]))", "[[[-1.2247, 0, 1.2247]]]")
            .run(|c| part(GroupNorm { epsilon: c.options(1)?.positive("epsilon", 1e-5)?, ..GroupNorm::instance(size(c, 0)?) })),
        entry("nn::batch_norm(channels, [options])")
            .brief("In training, mean 0 and variance 1 of each channel over samples and points; elsewhere, by running statistics.")
            .text("r ← (1 − momentum) r + momentum · now. Ioffe and Szegedy (2015).")
            .option("momentum", "how fast the running statistics follow (0.1)")
            .option("epsilon", EPSILON)
            .example("nn::net(nn::batch_norm(8)).parameters", "16")
            .run(|c| {
                let o = c.options(1)?;
                part(BatchNorm { channels: size(c, 0)?, momentum: o.number("momentum", 0.1)?, epsilon: o.positive("epsilon", 1e-5)? })
            }),
        entry("nn::dropout(rate, [options])")
            .brief("In training, sets elements to 0 with probability rate and scales the others by 1/(1 − rate).")
            .text("The masks depend on the seed of the training, the step and the layer. Srivastava et al. (2014).")
            .option("channels", "whether whole channels are set to 0 (false)")
            .option("always", "whether it acts outside of training too (false)")
            .example("nn::net(nn::dropout(0.5)).forward(tensor([1, 2]))", "[1, 2]")
            .run(|c| {
                let o = c.options(1)?;
                part(Dropout { rate: c.number(0)?, channels: o.boolean("channels", false)?, always: o.boolean("always", false)? })
            }),
    ]
}

/// Numbers for the spatial axes in argument 0: one for all, or one each.
fn widths(c: &Call) -> Result<Vec<usize>> {
    let widths = c.shape(0)?;
    if (1..=3).contains(&widths.len()) && widths.iter().all(|&n| n > 0) {
        return Ok(widths);
    }
    Err(c.wrong(0, "a whole number of 1 or more, or one for each of 1 to 3 spatial axes"))
}

fn pool(c: &mut Call, kind: PoolKind) -> Result<Dynamic> {
    let (window, o) = (widths(c)?, c.options(1)?);
    let stride = o.shape_if("stride")?.unwrap_or_else(|| window.clone());
    part(Pool { kind, window, stride })
}

fn grids() -> Vec<Entry> {
    const STRIDE: &str = "distance between windows: a number, or one for each axis (the window)";
    vec![
        entry("nn::max_pool(window, [options])")
            .brief("A layer that takes the largest element of windows over the spatial axes.")
            .option("stride", STRIDE)
            .example("nn::net(nn::max_pool(2)).forward(ones([1, 3, 8, 8])).shape", "[1, 3, 4, 4]")
            .run(|c| pool(c, PoolKind::Max)),
        entry("nn::avg_pool(window, [options])")
            .brief("A layer that takes the mean over windows of the spatial axes.")
            .option("stride", STRIDE)
            .example("nn::net(nn::avg_pool(2)).forward(tensor([[[1, 3, 2, 0]]]))", "[[[2, 1]]]")
            .run(|c| pool(c, PoolKind::Mean)),
        entry("nn::upsample(factor, [options])")
            .brief("A layer that makes every spatial axis longer by a whole factor.")
            .option("method", "\"nearest\" or \"linear\" (\"nearest\")")
            .example("nn::net(nn::upsample(2)).forward(tensor([[[0, 4]]]))", "[[[0, 0, 4, 4]]]")
            .run(|c| part(Refine { factor: widths(c)?, method: c.options(1)?.choice("method", &METHODS)? })),
    ]
}

fn times() -> Vec<Entry> {
    vec![
        entry("nn::sinusoidal(features, [options])")
            .brief("An embedding of time: [sin(ω₀ t), …, cos(ω₀ t), …] with frequencies from scale down to scale/longest.")
            .text("t [sample] or [] gives [sample, features] or [features]. Good values: scale 1000 for times in 0…1, 1 for step numbers. \
                   Vaswani et al. (2017), in the form of Ho et al. (2020).")
            .option("scale", "the largest frequency (1000)")
            .option("longest", "the ratio of the largest frequency to the smallest (10000)")
            .example("nn::net(nn::sinusoidal(4)).forward(tensor([0.0, 1.0])).shape", "[2, 4]")
            .run(|c| {
                let o = c.options(1)?;
                part(Sinusoidal { features: size(c, 0)?, scale: o.positive("scale", 1000.0)?, longest: o.positive("longest", 10_000.0)? })
            }),
        entry("nn::fourier_features(features, [options])")
            .brief("An embedding of time by random frequencies, drawn once: [sin(2π b t), …, cos(2π b t), …], b ~ N(0, scale²).")
            .text("t [sample] or [] gives [sample, features] or [features]. Tancik et al. (2020).")
            .option("scale", "the spread of the frequencies (16)")
            .example("nn::net(nn::fourier_features(6), #{ seed: 1 }).forward(0.0)", "[0, 0, 0, 1, 1, 1]")
            .run(|c| part(FourierFeatures { features: size(c, 0)?, scale: c.options(1)?.number("scale", 16.0)? })),
        entry("nn::time_channel()")
            .brief("A layer of a state and a time that adds the raw time as one more channel, constant in space.")
            .text("x [sample, channel, space…] and t [] or [sample] give [sample, channel + 1, space…].")
            .example("nn::net(nn::time_channel()).forward(zeros([1, 1, 2]), 0.5)", "[[[0, 0], [0.5, 0.5]]]")
            .run(|_| part(TimeChannel)),
    ]
}

/// A layer without parameters whose value a closure computes.
fn function(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let inputs = o.count("inputs", 1)?;
    let closure = c.closure(0, inputs)?;
    let context = c.session.context().clone();
    let forward: Forward = Rc::new(move |_, given| {
        if given.len() != inputs {
            return Err(Error::shape("the closure of nn::function takes another number of tensors")
                .got(given.len())
                .expected(inputs));
        }
        let value = closure.call(given.iter().cloned().map(Dynamic::from))?;
        let tensor = Operand::of(&value).and_then(|o| o.into_tensor(&context));
        tensor.ok_or_else(|| {
            Error::typ("the closure of nn::function returned something unfit")
                .got(describe(&value))
                .expected("a tensor")
        })
    });
    part(Custom { name: o.string_if("name")?.unwrap_or_else(|| "function".into()), parts: Vec::new(), forward })
}

fn resnet(c: &mut Call) -> Result<Dynamic> {
    let (grid, o) = (crate::field::script::grid(c, 0)?, c.options(1)?);
    let surround = match o.choice("padding", &[("tiled", 0), ("periodic", 1), ("zero", 2)])? {
        0 => Surround::Tiled(o.count("frame", 16)?),
        1 => Surround::Periodic,
        _ => Surround::Zeros,
    };
    let channels = bounded(&o, "channels", 1, MOST)?;
    let net = ResNet {
        channels,
        outputs: bounded(&o, "outputs", channels, MOST)?,
        width: bounded(&o, "width", 32, MOST)?,
        bottleneck: bounded(&o, "bottleneck", 1, MOST)?,
        blocks: bounded(&o, "blocks", 5, 1000)?,
        kernel: bounded(&o, "kernel", 4, 1 << 10)?,
        last_kernel: bounded(&o, "last_kernel", 5, 1 << 10)?,
        dims: grid.dimensions(),
        time: o.boolean("time", true)?,
        surround,
        activation: activation(&o, Activation::LeakyRelu(0.01))?,
        dropout: o.number("dropout", 0.0)?,
        published: o.boolean("published", false)?,
    };
    build(c, Rc::new(net), &o)
}

fn wholes() -> Vec<Entry> {
    vec![
        entry("nn::function(f, [options])")
            .brief("A layer without parameters whose value a closure computes.")
            .text("f: a closure |x| (with more inputs |x, t|) of tensors that returns a tensor. It must be a function of its inputs alone.")
            .option("inputs", "how many tensors it takes (1)")
            .option("name", "what summaries call it (\"function\")")
            .example("nn::net(nn::function(|x| x * x)).forward(tensor([2, 3]))", "[4, 9]")
            .run(function),
        entry("nn::resnet_score(grid, [options])")
            .brief("The encoder and decoder of residual blocks that Holzschuh et al. (2023) use as their score, for states on a grid.")
            .text("Inputs: the state [sample, channels, space…] and the time [] or [sample], which enters as one more channel, constant in space. Output: \
                   [sample, outputs, space…]. \"tiled\" puts `frame` points of the other side around the field, as published: four times the work of \
                   \"periodic\" at 32 × 32, which has the same parameters and is exactly equivariant to shifts.")
            .option("channels", "of the state (1)")
            .option("outputs", "channels of the result (those of the state)")
            .option("width", "channels in between (32)")
            .option("bottleneck", "channels of the bottleneck (1)")
            .option("blocks", "residual blocks of the encoder and of the decoder (5)")
            .option("kernel", "points of the kernels along each axis (4)")
            .option("last_kernel", "points of the last kernel (5)")
            .option("padding", "\"tiled\", \"periodic\" or \"zero\" (\"tiled\")")
            .option("frame", "points put around a tiled field on each side (16)")
            .option("time", "whether there is a time (true)")
            .option("activation", "the function between (\"leaky_relu\")")
            .option("dropout", "its rate in the decoder (0)")
            .option("published", "whether the middle block of the decoder drops its convolutions, as in the authors' code (false)")
            .option("seed", "the seed of the first parameters (the session's next)")
            .example("nn::resnet_score(grid::periodic([32, 32], [TAU, TAU]), #{ seed: 1 }).parameters", "330754")
            .example(
                "let g = grid::periodic([8, 8], [TAU, TAU]); let net = nn::resnet_score(g, #{ width: 4, blocks: 2, padding: \"periodic\", seed: 1 }); \
                 net.forward(g.sample(|x, y| sin(x)), 0.5).shape",
                "[1, 1, 8, 8]",
            )
            .run(resnet),
    ]
}
