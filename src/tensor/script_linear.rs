//! Linear algebra, convolutions and pooling in scripts.

use rhai::Dynamic;

use super::script::on_parts;
use super::{ConvOptions, Padding, Tensor, Upsample, einsum, same_padding};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe, ints_of};
use crate::script::{Call, Options};

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = products();
    table.extend(systems());
    table.extend(convolutions());
    table.extend(pools());
    table
}

fn done(tensor: Tensor) -> Result<Dynamic> {
    Ok(Dynamic::from(tensor))
}

fn products() -> Vec<Entry> {
    vec![
        entry("einsum(spec, operands)")
            .brief("The sum of products by index names, over all indices that the output does not name.")
            .text("One letter names each axis: \"ij,jk->ik\" is the matrix product. An index that stands twice in an operand takes its diagonal; ... stands for \
                   axes that are not named, which broadcast; without -> the output has the indices that stand once, in alphabetical order.")
            .example("einsum(\"ij,j->i\", [tensor([[1, 2], [3, 4]]), tensor([1, 10])])", "[21, 43]")
            .example("einsum(\"ii\", tensor([[1, 2], [3, 4]]))", "5")
            .run(|c| {
                let spec = c.string(0)?;
                let value = c.value(1)?;
                let operands = match Operand::of(&value) {
                    Some(_) => vec![c.tensor(1)?],
                    None => c
                        .array(1)?
                        .iter()
                        .map(|v| match Operand::of(v).and_then(|o| o.into_tensor(c.session.context())) {
                            Some(tensor) => Ok(tensor),
                            None => Err(Error::typ("einsum: an operand is not a real tensor").got(describe(v)).expected("an array of tensors")),
                        })
                        .collect::<Result<_>>()?,
                };
                done(einsum(&spec, &operands)?)
            }),
        entry("dot(a, b)").brief("The sum of products of two vectors.").example("dot(tensor([1, 2]), tensor([3, 4]))", "11").run(|c| done(c.tensor(0)?.dot(&c.tensor(1)?)?)),
        entry("outer(a, b)").brief("All products of the elements of two vectors: [m] and [n] give [m, n].").example("outer(tensor([1, 2]), tensor([3, 4]))", "[[3, 4], [6, 8]]").run(|c| {
            done(c.tensor(0)?.outer(&c.tensor(1)?)?)
        }),
        entry("trace(x)").brief("The sum of the diagonal of [.., n, n].").example("trace(tensor([[1, 2], [3, 4]]))", "5").run(|c| on_parts(c, Tensor::trace)),
        entry("diagonal(x)").brief("The diagonals of [.., n, n], as [.., n].").example("diagonal(tensor([[1, 2], [3, 4]]))", "[1, 4]").run(|c| on_parts(c, Tensor::diagonal)),
        entry("diag(x)").brief("A matrix with this vector on its diagonal, or the diagonal of this matrix.").example("diag(tensor([1, 2]))", "[[1, 0], [0, 2]]").run(|c| on_parts(c, Tensor::diag)),
    ]
}

fn systems() -> Vec<Entry> {
    vec![
        entry("inverse(a)")
            .brief("The inverse of [.., n, n].")
            .text("solve(a, b) is faster and more accurate than inverse(a) times b.")
            .example("inverse(tensor([[2, 0], [0, 4]]))", "[[0.5, 0], [0, 0.25]]")
            .run(|c| done(c.tensor(0)?.inverse()?)),
    ]
}

/// A number for each of `dims` axes: one for all, or an array of as many; 1 or more.
pub(crate) fn per_axis(o: &Options, key: &str, dims: usize) -> Result<Vec<usize>> {
    let Some(value) = o.get(key) else { return Ok(vec![1; dims]) };
    spread(value, dims).ok_or_else(|| {
        o.wrong(key, &format!("a whole number of 1 or more, or an array of {dims} for the spatial axes"))
    })
}
fn spread(value: &Dynamic, dims: usize) -> Option<Vec<usize>> {
    let numbers =
        ints_of(value)?.into_iter().map(|n| usize::try_from(n).ok().filter(|&n| n > 0)).collect::<Option<Vec<_>>>()?;
    match numbers[..] {
        [n] => Some(vec![n; dims]),
        _ => (numbers.len() == dims).then_some(numbers),
    }
}

/// What lies beyond the edges in a convolution of tensors.
enum Beyond {
    /// So many zeros on both sides of each axis.
    Zeros(Vec<usize>),
    /// As many points as keep the length, filled in this way.
    Same(Padding),
}

fn beyond(o: &Options, dims: usize) -> Result<Beyond> {
    const EXPECTED: &str = "a number of zeros on each side, an array of them, or one of \"valid\", \"zero\", \"periodic\", \"reflect\", \"edge\"";
    let Some(value) = o.get("padding") else { return Ok(Beyond::Zeros(vec![0; dims])) };
    if value.is_string() {
        let words = [
            ("valid", None),
            ("zero", Some(Padding::Constant(0.0))),
            ("same", Some(Padding::Constant(0.0))),
            ("periodic", Some(Padding::Periodic)),
            ("reflect", Some(Padding::Reflect)),
            ("edge", Some(Padding::Edge)),
        ];
        return Ok(match o.choice("padding", &words)? {
            None => Beyond::Zeros(vec![0; dims]),
            Some(padding) => Beyond::Same(padding),
        });
    }
    let numbers =
        ints_of(value).and_then(|n| n.into_iter().map(|n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>());
    match numbers.as_deref() {
        Some(&[n]) => Ok(Beyond::Zeros(vec![n; dims])),
        Some(numbers) if numbers.len() == dims => Ok(Beyond::Zeros(numbers.to_vec())),
        _ => Err(o.wrong("padding", EXPECTED)),
    }
}

/// Spatial axes of `[sample, channel, space…]`.
fn spatial(c: &Call, x: &Tensor) -> Result<usize> {
    match x.rank() {
        rank @ 3..=5 => Ok(rank - 2),
        rank => {
            let error = Error::shape(format!("{}: the input does not fit", c.name()))
                .got(format!("shape {:?}", x.shape()))
                .expected("[sample, channel, 1 to 3 spatial axes]");
            Err(match rank {
                1 | 2 => error.advice(format!(
                    "for one sample of one channel: reshape(x, {:?})",
                    [&[1, 1], &x.shape()[..]].concat()
                )),
                _ => error,
            })
        }
    }
}

/// A field where the input was one and its points are still the grid's.
fn placed(c: &Call, value: Tensor) -> Result<Dynamic> {
    match c.object_if::<Field>(0) {
        Some(field) if value.shape().ends_with(&field.grid().shape()) => Ok(Dynamic::from(field.with(value)?)),
        _ => done(value),
    }
}

fn walk(c: &Call, o: &Options, dims: usize) -> Result<ConvOptions> {
    let groups = o.count("groups", 1)?;
    if groups == 0 {
        return Err(o.wrong("groups", "1 or more"));
    }
    let options = ConvOptions {
        stride: per_axis(o, "stride", dims)?,
        dilation: per_axis(o, "dilation", dims)?,
        groups,
        ..ConvOptions::new(dims)
    };
    if options.stride.iter().chain(&options.dilation).any(|&n| n > 1 << 40) {
        return Err(Error::value(format!("{}: stride and dilation are too large", c.name())).got(options));
    }
    Ok(options)
}

fn convolve(c: &mut Call) -> Result<Dynamic> {
    let (mut x, weight, o) = (c.tensor(0)?, c.tensor(1)?, c.options(2)?);
    let dims = spatial(c, &x)?;
    let mut options = walk(c, &o, dims)?;
    match beyond(&o, dims)? {
        Beyond::Zeros(widths) => options.padding = widths.into_iter().map(|n| (n, n)).collect(),
        Beyond::Same(padding) => {
            let (shape, kernel) = (x.shape(), weight.shape());
            let axes = shape.iter().zip(&kernel).skip(2).zip(options.stride.iter().zip(&options.dilation));
            let widths: Vec<(usize, usize)> = axes
                .map(|((&len, &kernel), (&stride, &dilation))| {
                    same_padding(len, kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1), stride)
                })
                .collect();
            if matches!(padding, Padding::Constant(_)) && widths.len() == dims {
                options.padding = widths;
            } else if padding == Padding::Periodic && widths.len() == dims {
                return placed(c, x.conv_periodic(&weight, &widths, &options)?);
            } else {
                for (i, (before, after)) in widths.into_iter().enumerate() {
                    x = x.pad(i as i64 + 2, before, after, padding)?;
                }
            }
        }
    }
    placed(c, x.conv(&weight, &options)?)
}

fn convolve_transposed(c: &mut Call) -> Result<Dynamic> {
    let (x, weight, o) = (c.tensor(0)?, c.tensor(1)?, c.options(2)?);
    let dims = spatial(c, &x)?;
    let mut options = walk(c, &o, dims)?;
    let cut = |key: &str| -> Result<Vec<usize>> {
        match o.shape_if(key)? {
            None => Ok(vec![0; dims]),
            Some(widths) => match widths[..] {
                [n] => Ok(vec![n; dims]),
                _ if widths.len() == dims => Ok(widths),
                _ => Err(o.wrong(key, &format!("a whole number, or an array of {dims}"))),
            },
        }
    };
    options.padding = cut("padding")?.into_iter().map(|n| (n, n)).collect();
    placed(c, x.conv_transpose(&weight, &options, &cut("output_padding")?)?)
}

fn convolutions() -> Vec<Entry> {
    const STRIDE: &str = "distance between outputs, in points of the input: a number, or one for each axis (1)";
    const DILATION: &str = "distance between points of the kernel (1)";
    const GROUPS: &str = "into how many groups the channels are split, each convolved on its own (1)";
    vec![
        entry("conv(x, weight, [options])")
            .brief("The convolution y[n, o, p] = Σ x[n, c, p · stride + k · dilation − before] w[o, c, k] over 1 to 3 spatial axes.")
            .text("x: [sample, channel, space…] or a field; weight: [channel out, channel in / groups, kernel…]. The kernel is not mirrored. \
                   A field gives a field when the number of points stays.")
            .option("stride", STRIDE)
            .option(
                "padding",
                "zeros on each side: a number, or one for each axis; or \"valid\" for none; or what fills the points that keep the length: \"zero\" (\"same\"), \
                 \"periodic\", \"reflect\", \"edge\" (0)",
            )
            .option("dilation", DILATION)
            .option("groups", GROUPS)
            .example("conv(tensor([[[1, 2, 4, 8]]]), tensor([[[-1, 0, 1]]]))", "[[[3, 6]]]")
            .example("conv(tensor([[[1, 2, 4, 8]]]), tensor([[[-1, 0, 1]]]), #{ padding: \"periodic\" })", "[[[-6, 3, 6, -3]]]")
            .example("conv(ones([1, 2, 8, 8]), ones([4, 1, 3, 3]), #{ stride: 2, padding: 1, groups: 2 }).shape", "[1, 4, 4, 4]")
            .run(convolve),
        entry("conv_transpose(x, weight, [options])")
            .brief("The transpose of conv: each point is spread over a kernel; with a stride it makes the grid finer.")
            .text("x: [sample, channel in, space…]; weight: [channel in, channel out / groups, kernel…]. Lengths become \
                   (n − 1) · stride − 2 · padding + dilation · (kernel − 1) + 1 + output_padding.")
            .option("stride", "distance of the inputs in points of the output (1)")
            .option("padding", "points cut off on each side of the output: a number, or one for each axis (0)")
            .option("output_padding", "points added after the output, fewer than stride or dilation (0)")
            .option("dilation", DILATION)
            .option("groups", GROUPS)
            .example("conv_transpose(tensor([[[1, 2]]]), tensor([[[1, 10]]]), #{ stride: 2 })", "[[[1, 10, 2, 20]]]")
            .run(convolve_transposed),
    ]
}

/// A kernel, stride or factor in argument `i` for each spatial axis.
fn sizes(c: &Call, i: usize, dims: usize) -> Result<Vec<usize>> {
    spread(&c.value(i)?, dims)
        .ok_or_else(|| c.wrong(i, &format!("a whole number of 1 or more, or an array of {dims} for the spatial axes")))
}

fn pool(c: &Call, f: impl Fn(&Tensor, &[usize], &[usize]) -> Result<Tensor>) -> Result<Dynamic> {
    let (x, o) = (c.tensor(0)?, c.options(2)?);
    let dims = spatial(c, &x)?;
    let kernel = sizes(c, 1, dims)?;
    let stride = if o.has("stride") { per_axis(&o, "stride", dims)? } else { kernel.clone() };
    placed(c, f(&x, &kernel, &stride)?)
}

fn pools() -> Vec<Entry> {
    const STRIDE: &str = "distance between windows: a number, or one for each axis (the window)";
    vec![
        entry("max_pool(x, window, [options])")
            .brief("The largest element of windows over the spatial axes; equal ones share the gradient.")
            .text("x: [sample, channel, 1 to 3 spatial axes]. Windows that would leave the input are dropped.")
            .option("stride", STRIDE)
            .example("max_pool(tensor([[[1, 3, 2, 0]]]), 2)", "[[[3, 2]]]")
            .run(|c| pool(c, Tensor::max_pool)),
        entry("avg_pool(x, window, [options])")
            .brief("The mean over windows of the spatial axes.")
            .text("x: [sample, channel, 1 to 3 spatial axes]. Windows that would leave the input are dropped.")
            .option("stride", STRIDE)
            .example("avg_pool(tensor([[[1, 3, 2, 0]]]), 2, #{ stride: 1 })", "[[[2, 2.5, 1]]]")
            .run(|c| pool(c, Tensor::avg_pool)),
        entry("upsample(x, factor, [options])")
            .brief("Every spatial axis made longer by a whole factor.")
            .text("x: [sample, channel, 1 to 3 spatial axes]; factor: a number, or one for each axis.")
            .option("method", "\"nearest\" repeats each point, \"linear\" lays straight lines between the centres of cells (\"nearest\")")
            .example("upsample(tensor([[[0, 4]]]), 2)", "[[[0, 0, 4, 4]]]")
            .example("upsample(tensor([[[0, 4]]]), 2, #{ method: \"linear\" })", "[[[0, 1, 3, 4]]]")
            .run(|c| {
                let (x, method) = (c.tensor(0)?, c.options(2)?.choice("method", &METHODS)?);
                let dims = spatial(c, &x)?;
                placed(c, x.upsample(&sizes(c, 1, dims)?, method)?)
            }),
    ]
}

/// How upsampling fills new points, by the names that scripts use.
pub(crate) const METHODS: [(&str, Upsample); 2] = [("nearest", Upsample::Nearest), ("linear", Upsample::Linear)];
