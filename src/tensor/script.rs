//! Tensors in scripts: making, looking, reducing, arranging.

use rhai::{Array, Dynamic, Map};

use super::{Complex, Padding, Precision, Tensor, axis_index, infer_shape};
use crate::error::{Error, Result};
use crate::field::{Field, Grid};
use crate::script::Call;
use crate::script::registry::{Entry, entry, index, property};
use crate::script::table::SharedTable;
use crate::script::value::{Operand, array_of, tensor_of};
use crate::sde::Path;

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = making();
    table.extend(looking());
    table.extend(reducing());
    table.extend(arranging());
    table
}

/// Has everything in a value computed.
fn settle(value: &Dynamic) {
    let now = |tensor: &Tensor| {
        tensor.data();
    };
    if let Some(tensor) = value.read_lock::<Tensor>() {
        now(&tensor);
    } else if let Some(z) = value.read_lock::<Complex>() {
        now(&z.re);
        now(&z.im);
    } else if let Some(field) = value.read_lock::<Field>() {
        now(field.values());
    } else if let Some(path) = value.read_lock::<Path>() {
        now(path.values());
    } else if let Some(array) = value.read_lock::<Array>() {
        array.iter().for_each(settle);
    } else if let Some(map) = value.read_lock::<Map>() {
        map.values().for_each(settle);
    }
}

fn done(tensor: Tensor) -> Result<Dynamic> {
    Ok(Dynamic::from(tensor))
}

/// Applies a function that may change the shape; a field gives its values.
fn on_tensor(c: &Call, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Dynamic> {
    done(f(&c.tensor(0)?)?)
}

/// Applies a function that is linear over the real numbers, to both parts of a complex tensor; a field gives its values.
pub(super) fn on_parts(c: &Call, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Dynamic> {
    match c.object_if::<Complex>(0) {
        Some(z) => Ok(Dynamic::from(z.map(f)?)),
        None => on_tensor(c, f),
    }
}

/// The numbers of argument 0, of a complex tensor its real part: enough to tell shape, precision and device.
fn facts(c: &Call) -> Result<Tensor> {
    match c.object_if::<Complex>(0) {
        Some(z) => Ok(z.re),
        None => c.tensor(0),
    }
}

fn making() -> Vec<Entry> {
    vec![
        entry("tensor(values)")
            .brief("A tensor from a number or a nested array of numbers (or of tensors of one shape).")
            .text("Its precision is the session's (`--precision`, f32 by default). Arrays must not be ragged.")
            .example("tensor([[1, 2], [3, 4]]).shape", "[2, 2]")
            .example("tensor(3)", "3")
            .run(|c| {
                let value = c.value(0)?;
                if let Some(operand) = Operand::of(&value) {
                    return operand
                        .into_tensor(c.session.context())
                        .map(Dynamic::from)
                        .ok_or_else(|| c.wrong(0, "numbers"));
                }
                if !value.is_array() {
                    return Err(c.wrong(0, "a number or a nested array of numbers"));
                }
                done(tensor_of(c.session.context(), &value)?)
            }),
        entry("zeros(shape)")
            .brief("Zeros of a shape.")
            .example("zeros([2, 2])", "[[0, 0], [0, 0]]")
            .run(|c| done(Tensor::full(c.session.context(), &c.shape(0)?, 0.0)?)),
        entry("ones(shape)")
            .brief("Ones of a shape.")
            .example("ones(3)", "[1, 1, 1]")
            .run(|c| done(Tensor::full(c.session.context(), &c.shape(0)?, 1.0)?)),
        entry("full(shape, value)")
            .brief("The same number everywhere.")
            .example("full([2], 7)", "[7, 7]")
            .run(|c| done(Tensor::full(c.session.context(), &c.shape(0)?, c.number(1)?)?)),
        entry("zeros_like(x)")
            .brief("Zeros of the same shape and kind.")
            .example("zeros_like(tensor([1, 2]))", "[0, 0]")
            .run(|c| Ok(c.operand(0)?.map_parts(c.session.context(), |t| t.full_like(0.0))?.into_dynamic())),
        entry("ones_like(x)")
            .brief("Ones of the same shape and kind.")
            .example("ones_like(tensor([1, 2]))", "[1, 1]")
            .run(|c| Ok(c.operand(0)?.map(c.session.context(), |t| t.full_like(1.0))?.into_dynamic())),
        entry("linspace(start, stop, count)")
            .brief("Evenly spaced numbers, both ends included.")
            .example("linspace(0, 1, 5)", "[0, 0.25, 0.5, 0.75, 1]")
            .run(|c| {
                let (start, stop, count) = (c.finite(0)?, c.finite(1)?, c.count(2)?);
                super::element_count(&[count])?;
                c.session.context().reserve(count.saturating_mul(16))?;
                let last = count.saturating_sub(1).max(1) as f64;
                // The end is exact: start + (stop − start) · 1 may not be.
                let at = |i: usize| {
                    if i + 1 == count && count > 1 { stop } else { start + (stop - start) * (i as f64 / last) }
                };
                done(Tensor::new(c.session.context(), (0..count).map(at).collect(), &[count])?)
            }),
        entry("arange(start, stop, [step])")
            .brief("start, start + step, … before stop; step is 1 when left out.")
            .example("arange(0, 1, 0.25)", "[0, 0.25, 0.5, 0.75]")
            .run(|c| {
                let (start, stop, step) = (c.finite(0)?, c.finite(1)?, if c.has(2) { c.finite(2)? } else { 1.0 });
                if step == 0.0 {
                    return Err(c.unfit(2, step, "a step different from 0"));
                }
                // A hair less, so that rounding does not add the end itself.
                let count = ((stop - start) / step - 1e-9).ceil().max(0.0);
                if count > 1e14 {
                    return Err(Error::limit("arange: a tensor of this length is too large")
                        .got(format!("{start} to {stop} in steps of {step}: about {} numbers", super::number(count)))
                        .advice("a larger step; linspace(start, stop, count) takes the number of points"));
                }
                let count = count as usize;
                super::element_count(&[count])?;
                c.session.context().reserve(count.saturating_mul(16))?;
                done(Tensor::new(c.session.context(), (0..count).map(|i| start + step * i as f64).collect(), &[count])?)
            }),
        entry("eye(n)").brief("The identity matrix of n rows.").example("eye(2)", "[[1, 0], [0, 1]]").run(|c| {
            let n = c.count(0)?;
            let count = super::element_count(&[n, n])?;
            c.session.context().reserve(count.saturating_mul(16))?;
            done(Tensor::new(
                c.session.context(),
                (0..count).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect(),
                &[n, n],
            )?)
        }),
    ]
}

fn looking() -> Vec<Entry> {
    vec![
        property("tensor.shape").brief("Lengths of the axes, as an array: of a tensor, a field [sample, channel, x, …], a path [sample, time, …] or a grid.").example("zeros([2, 3]).shape", "[2, 3]").run(|c| {
            let shape = if let Some(grid) = c.object_if::<Grid>(0) {
                grid.shape()
            } else if let Some(path) = c.object_if::<Path>(0) {
                path.values().shape()
            } else {
                facts(c)?.shape()
            };
            Ok(shape.iter().map(|&n| Dynamic::from(n as i64)).collect::<Array>().into())
        }),
        property("tensor.rank").brief("Number of axes.").example("zeros([2, 3]).rank", "2").run(|c| Ok(Dynamic::from(facts(c)?.rank() as i64))),
        property("tensor.len").brief("Number of elements.").example("zeros([2, 3]).len", "6").run(|c| Ok(Dynamic::from(facts(c)?.len() as i64))),
        property("tensor.precision").brief("\"f32\" or \"f64\".").example("zeros(1).precision", "f32").run(|c| Ok(facts(c)?.precision().name().into())),
        property("tensor.device").brief("Where the numbers are: \"cpu\" or \"gpu\".").example("zeros(1).device", "cpu").run(|c| Ok(facts(c)?.device_name().into())),
        property("tensor.T").brief("The last two axes exchanged.").example("tensor([[1, 2]]).T", "[[1], [2]]").run(|c| on_parts(c, |t| t.swap(-1, -2))),
        entry("len(x)").brief("Number of elements of a tensor, of rows of a table.").example("len(zeros([2, 3]))", "6").run(|c| match c.object_if::<SharedTable>(0) {
            Some(table) => Ok(Dynamic::from(table.len() as i64)),
            None => Ok(Dynamic::from(facts(c)?.len() as i64)),
        }),
        entry("item(x)").brief("The one element of a tensor as a number.").text("Inside of grad the number counts as constant: the result of the closure stays a tensor.").example("item(sum(ones(3)))", "3").run(|c| Ok(Dynamic::from(c.tensor(0)?.item()?))),
        entry("array(x)").brief("The numbers as nested arrays.").example("array(tensor([[1, 2]]))", "[[1, 2]]").run(|c| array_of(&c.tensor(0)?)),
        entry("ready(x)").brief("The same value, once its numbers are there; only measurements of time need it. Operations on the elements of large tensors are put off until their results are needed, and then done in one pass. Arrays and maps are looked into.").example("ready(ones([2]) + 1)", "[2, 2]").run(|c| {
            let value = c.value(0)?;
            settle(&value);
            Ok(value)
        }),
        entry("detach(x)").brief("The same value, outside of any gradient.").example("grad(|x| x * detach(x), 3.0)", "3").run(|c| {
            Ok(c.operand(0)?.map_parts(c.session.context(), |t| Ok(t.detach()))?.into_dynamic())
        }),
        entry("cast(x, precision)").brief("The same numbers as \"f32\" or \"f64\".").example("cast(tensor([1]), \"f64\").precision", "f64").run(|c| {
            let precision = match c.string(1)?.as_str() {
                "f32" => Precision::F32,
                "f64" => Precision::F64,
                other => return Err(c.unfit(1, other, "\"f32\" or \"f64\"")),
            };
            c.session.context().device().check(precision)?;
            Ok(c.operand(0)?.map_parts(c.session.context(), |t| t.cast(precision))?.into_dynamic())
        }),
        index("tensor[at]")
            .brief("A part of a tensor: a position, a range, positions in any order, or an array of those, one per axis.")
            .text("Negative positions count from the back. A position removes its axis; a range and a list keep it. ALL takes a whole axis.\n\
                   t[0], t[1..3], t[-1], t[[0, 1..3]], t[[ALL, 0]], t[[[0, 2], ALL]].")
            .example("tensor([[1, 2, 3], [4, 5, 6]])[[0, 1..3]]", "[2, 3]")
            .example("tensor([1, 2, 3])[-1]", "3")
            .run(|c| {
                if let Some(named) = crate::field::script::by_name(c)? {
                    return Ok(named);
                }
                let selection = c.spans(1, &facts(c)?.shape())?;
                on_parts(c, |t| selection.of(t))
            }),
    ]
}

/// A reduction with optional axes and `#{ keep: true }`.
fn reduction(
    signature: &'static str,
    brief: &'static str,
    text: &'static str,
    example: (&'static str, &'static str),
    linear: Linear,
    f: impl Fn(&Tensor, &[i64], bool) -> Result<Tensor> + 'static,
) -> Entry {
    entry(signature)
        .brief(brief)
        .text(text)
        .option("keep", "whether the reduced axes stay, with length 1 (false)")
        .example(example.0, example.1)
        .run(move |c| {
            if let Some(error) = meant_in_pairs(c) {
                return Err(error);
            }
            // mean(x, #{ keep: true }): options may come without axes.
            let options_at = if c.object_if::<rhai::Map>(1).is_some() { 1 } else { 2 };
            let axes = if options_at == 1 { Vec::new() } else { c.axes(1)? };
            let keep = c.options(options_at)?.boolean("keep", false)?;
            match linear {
                Linear::Yes => on_parts(c, |t| f(t, &axes, keep)),
                Linear::No => on_tensor(c, |t| f(t, &axes, keep)),
            }
        })
}

/// `max(x, 0.0)` and `max(a, b)` of tensors are meant for pairs of elements, as in other languages; axes would be read there.
fn meant_in_pairs(c: &Call) -> Option<Error> {
    let pair = match c.name().as_str() {
        "max" => "maximum",
        "min" => "minimum",
        _ => return None,
    };
    let second = c.value(1).ok()?;
    let elements = second.is_float() || matches!(Operand::of(&second), Some(o) if !matches!(o, Operand::Number(_)));
    let error = || c.wrong(1, "axes: a whole number or an array of them");
    elements
        .then(|| error().advice(format!("{pair}(a, b) pairs the elements of two tensors, or of a tensor and a number")))
}

/// The plain norm of numbers, and those of fields by the weights of their grids.
fn norm() -> Entry {
    let plain = reduction(
        "norm(x, [axes], [options])",
        "The Euclidean norm, √Σx²; with `kind` a norm of each sample of a field.",
        "Of the numbers as they are, with `kind` by the quadrature weights of the field's grid: \
         \"L2\" is √∫Σu² over the channels, \"L1\" ∫Σ|u|, \"max\" the largest |u|; [sample].",
        ("norm(tensor([3, 4]))", "5"),
        Linear::No,
        Tensor::norm,
    );
    let code = plain.code.clone();
    plain
        .option("kind", "of a field: \"L2\", \"L1\" or \"max\"")
        .example("norm(grid::periodic([8], [TAU]).sample(|x| sin(x)), #{ kind: \"L2\" }) ** 2 / PI", "[1]")
        .run(move |c| {
            let options_at = if c.object_if::<rhai::Map>(1).is_some() { 1 } else { 2 };
            match crate::field::script_fields::norm_of_kind(c, &c.options(options_at)?)? {
                Some(norm) => Ok(norm),
                None => code(c),
            }
        })
}

/// Whether a reduction acts on both parts of a complex tensor alike.
#[derive(Clone, Copy)]
enum Linear {
    Yes,
    No,
}

fn reducing() -> Vec<Entry> {
    vec![
        reduction(
            "sum(x, [axes], [options])",
            "The sum over axes, over all when none is given.",
            "",
            ("sum(tensor([[1, 2], [3, 4]]), 0)", "[4, 6]"),
            Linear::Yes,
            Tensor::sum,
        ),
        reduction(
            "mean(x, [axes], [options])",
            "The mean over axes, over all when none is given.",
            "An empty axis is an error.",
            ("mean(tensor([1, 2, 6]))", "3"),
            Linear::Yes,
            Tensor::mean,
        ),
        reduction(
            "prod(x, [axes], [options])",
            "The product over axes.",
            "",
            ("prod(tensor([2, 3, 4]))", "24"),
            Linear::No,
            Tensor::product,
        ),
        reduction(
            "max(x, [axes], [options])",
            "The largest element over axes; equal ones share the gradient.",
            "max(a, b) of two numbers is the larger one; maximum(a, b) pairs the elements of tensors.",
            ("max(tensor([[1, 5], [3, 4]]), 1)", "[5, 4]"),
            Linear::No,
            |x, axes, keep| x.max(axes, keep),
        ),
        reduction(
            "min(x, [axes], [options])",
            "The smallest element over axes; equal ones share the gradient.",
            "",
            ("min(tensor([[1, 5], [3, 4]]), 1)", "[1, 3]"),
            Linear::No,
            |x, axes, keep| x.min(axes, keep),
        ),
        reduction(
            "variance(x, [axes], [options])",
            "The mean squared deviation, Σ(x − x̄)²/n.",
            "",
            ("variance(tensor([1, 3]))", "1"),
            Linear::No,
            |x, axes, keep| x.variance(axes, keep, 0.0),
        ),
        reduction(
            "std(x, [axes], [options])",
            "The standard deviation, √(Σ(x − x̄)²/n).",
            "Of equal numbers it is 0, and so is its gradient there.",
            ("std(tensor([1, 3]))", "1"),
            Linear::No,
            // As a norm, whose gradient at 0 is 0; that of a root would be NaN.
            |x, axes, keep| {
                let norm = x.sub(&x.mean(axes, true)?)?.norm(axes, keep)?;
                let count = x.len() as f64 / norm.len().max(1) as f64;
                norm.scale(1.0 / count.max(1.0).sqrt())
            },
        ),
        reduction(
            "logsumexp(x, [axes], [options])",
            "ln Σ eˣ, without overflow.",
            "",
            ("logsumexp(tensor([0, 0]))", "0.69315"),
            Linear::No,
            Tensor::logsumexp,
        ),
        norm(),
        entry("argmax(x, axis)")
            .brief("The position of the largest element along an axis.")
            .example("argmax(tensor([1, 5, 3]), 0)", "1")
            .run(|c| on_tensor(c, |t| t.arg_extreme(c.int(1)?, true))),
        entry("argmin(x, axis)")
            .brief("The position of the smallest element along an axis.")
            .example("argmin(tensor([1, 5, 3]), 0)", "0")
            .run(|c| on_tensor(c, |t| t.arg_extreme(c.int(1)?, false))),
        entry("cumsum(x, axis)")
            .brief("Running sums along an axis.")
            .example("cumsum(tensor([1, 2, 3]), 0)", "[1, 3, 6]")
            .run(|c| on_tensor(c, |t| t.cumsum(c.int(1)?))),
        entry("softmax(x, axis)")
            .brief("eˣ/Σeˣ along an axis, without overflow.")
            .example("softmax(tensor([0, 0]), 0)", "[0.5, 0.5]")
            .run(|c| on_tensor(c, |t| t.softmax(c.int(1)?))),
        entry("sort(x, axis, [options])")
            .brief("Elements in order along an axis.")
            .option("descending", "largest first (false)")
            .example("sort(tensor([3, 1, 2]), 0)", "[1, 2, 3]")
            .run(|c| {
                let descending = c.options(2)?.boolean("descending", false)?;
                on_tensor(c, |t| t.sort(c.int(1)?, descending))
            }),
        entry("argsort(x, axis, [options])")
            .brief("The positions that put elements in order along an axis.")
            .option("descending", "largest first (false)")
            .example("argsort(tensor([3, 1, 2]), 0)", "[1, 2, 0]")
            .run(|c| {
                let descending = c.options(2)?.boolean("descending", false)?;
                on_tensor(c, |t| t.argsort(c.int(1)?, descending))
            }),
        entry("nonzero(x)")
            .brief("The positions of the elements that are not 0, as where a comparison holds.")
            .text("[count] of a vector, so that x[nonzero(x > 2)] are its elements above 2; of more axes [count, axis], row by row. NaN is not 0.")
            .example("let x = tensor([5, 1, 7]); x[nonzero(x > 2)]", "[5, 7]")
            .example("nonzero(tensor([[0, 1], [1, 1]]))", "[[0, 1], [1, 0], [1, 1]]")
            .run(|c| on_tensor(c, |t| t.nonzero())),
        entry("mse(a, b)")
            .brief("The mean squared difference, mean((a − b)²).")
            .example("mse(tensor([1, 2]), tensor([1, 4]))", "2")
            .run(|c| {
                let difference = c.operand(0)?.binary(super::Binary::Sub, &c.operand(1)?, c.session.context())?;
                let difference = difference.into_tensor(c.session.context()).ok_or_else(|| c.wrong(0, "a tensor"))?;
                done(difference.unary(super::Unary::Square)?.mean(&[], false)?)
            }),
        entry("relative_error(a, b)")
            .brief("‖a − b‖/‖b‖ with Euclidean norms.")
            .example("relative_error(tensor([1, 1]), tensor([1, 0]))", "1")
            .run(|c| {
                let (a, b) = (c.tensor(0)?, c.tensor(1)?);
                let norm = |t: Tensor| t.unary(super::Unary::Square)?.sum_all()?.unary(super::Unary::Sqrt);
                done(norm(a.sub(&b)?)?.div(&norm(b)?)?)
            }),
        entry("all(x)")
            .brief("Whether all elements are different from 0.")
            .example("all(tensor([1, 2]) > 0)", "true")
            .run(|c| Ok(Dynamic::from(c.tensor(0)?.to_vec()?.iter().all(|&v| v != 0.0)))),
        entry("any(x)")
            .brief("Whether any element is different from 0.")
            .example("any(tensor([1, 2]) > 1)", "true")
            .run(|c| Ok(Dynamic::from(c.tensor(0)?.to_vec()?.iter().any(|&v| v != 0.0)))),
    ]
}

/// The tensors of an array argument.
fn parts(c: &Call) -> Result<Vec<Tensor>> {
    let array = c.array(0)?;
    array
        .iter()
        .map(|v| match Operand::of(v).and_then(|o| o.into_tensor(c.session.context())) {
            Some(t) => Ok(t),
            None => {
                Err(Error::typ(format!("{}: not a tensor in the array", c.name()))
                    .got(crate::script::value::describe(v)))
            }
        })
        .collect()
}

fn padding(c: &Call, i: usize) -> Result<Padding> {
    c.options(i)?.choice(
        "mode",
        &[
            ("zero", Padding::Constant(0.0)),
            ("periodic", Padding::Periodic),
            ("reflect", Padding::Reflect),
            ("edge", Padding::Edge),
        ],
    )
}

fn arranging() -> Vec<Entry> {
    vec![
        entry("reshape(x, shape)").brief("The same elements in row-major order under another shape; one length may be -1.").example("reshape(arange(0, 6), [2, -1])", "[[0, 1, 2], [3, 4, 5]]").run(|c| {
            let wanted = c.ints(1)?;
            on_parts(c, |t| t.reshape(&infer_shape(&wanted, t.len())?))
        }),
        entry("flatten(x)").brief("All elements along one axis.").example("flatten(tensor([[1, 2], [3, 4]]))", "[1, 2, 3, 4]").run(|c| on_parts(c, |t| t.reshape(&[t.len()]))),
        entry("permute(x, order)").brief("Axes in another order: axis i of the result is axis order[i].").example("permute(zeros([2, 3, 4]), [2, 0, 1]).shape", "[4, 2, 3]").run(|c| {
            let order = c.ints(1)?;
            on_parts(c, |t| t.permute(&order.iter().map(|&a| axis_index("permute", a, t.rank())).collect::<Result<Vec<_>>>()?))
        }),
        entry("transpose(x)").brief("The last two axes exchanged.").example("transpose(tensor([[1, 2]]))", "[[1], [2]]").run(|c| on_parts(c, |t| t.swap(-1, -2))),
        entry("swap_axes(x, a, b)").brief("Two axes exchanged.").example("swap_axes(zeros([2, 3, 4]), 0, 2).shape", "[4, 3, 2]").run(|c| on_parts(c, |t| t.swap(c.int(1)?, c.int(2)?))),
        entry("unsqueeze(x, axis)").brief("A new axis of length 1.").example("unsqueeze(tensor([1, 2]), 0).shape", "[1, 2]").run(|c| {
            let axis = c.int(1)?;
            on_parts(c, |t| t.unsqueeze(axis_index("unsqueeze", axis, t.rank() + 1)?))
        }),
        entry("squeeze(x, axis)").brief("An axis of length 1 removed.").example("squeeze(tensor([[1, 2]]), 0)", "[1, 2]").run(|c| {
            let axis = c.int(1)?;
            on_parts(c, |t| t.squeeze(axis_index("squeeze", axis, t.rank())?))
        }),
        entry("expand(x, shape)").brief("Stretched by repetition along axes of length 1.").example("expand(tensor([1, 2]), [2, 2])", "[[1, 2], [1, 2]]").run(|c| {
            let shape = c.shape(1)?;
            on_parts(c, |t| t.expand(&shape))
        }),
        entry("concat(parts, [axis])").brief("Tensors joined along an existing axis, the first when left out.").example("concat([tensor([1]), tensor([2, 3])])", "[1, 2, 3]").run(|c| {
            let parts = parts(c)?;
            let axis = if c.has(1) { c.int(1)? } else { 0 };
            let rank = parts.first().map_or(0, Tensor::rank);
            done(Tensor::concat(&parts, axis_index("concat", axis, rank.max(1))?)?)
        }),
        entry("stack(parts, [axis])").brief("Tensors of one shape joined along a new axis, the first when left out.").example("stack([tensor([1, 2]), tensor([3, 4])])", "[[1, 2], [3, 4]]").run(|c| {
            done(Tensor::stack(&parts(c)?, if c.has(1) { c.int(1)? } else { 0 })?)
        }),
        entry("flip(x, axes)").brief("Elements in opposite order along axes.").example("flip(tensor([1, 2, 3]), 0)", "[3, 2, 1]").run(|c| {
            let axes = c.ints(1)?;
            on_parts(c, |t| t.flip(&super::axes_indices("flip", &axes, t.rank())?))
        }),
        entry("roll(x, shift, axis)").brief("Elements moved along an axis; what leaves one end enters at the other.").example("roll(tensor([1, 2, 3]), 1, 0)", "[3, 1, 2]").run(|c| on_parts(c, |t| t.roll(c.int(1)?, c.int(2)?))),
        entry("repeat(x, axis, times)").brief("The tensor several times over along an axis.").example("repeat(tensor([1, 2]), 0, 2)", "[1, 2, 1, 2]").run(|c| on_parts(c, |t| t.repeat(c.int(1)?, c.count(2)?))),
        entry("pad(x, axis, before, after, [options])")
            .brief("An axis extended on both sides.")
            .option("mode", "\"zero\", \"periodic\" (the other end), \"reflect\" (mirrored, edge not repeated) or \"edge\" (\"zero\")")
            .example("pad(tensor([1, 2, 3]), 0, 1, 1, #{ mode: \"periodic\" })", "[3, 1, 2, 3, 1]")
            .run(|c| {
                let mode = padding(c, 4)?;
                on_parts(c, |t| t.pad(c.int(1)?, c.count(2)?, c.count(3)?, mode))
            }),
        entry("take(x, indices, axis)").brief("Positions of an axis in any order, repetitions allowed.").example("take(tensor([5, 6, 7]), [2, 0, 2], 0)", "[7, 5, 7]").run(|c| {
            let indices = c.ints(1)?;
            on_parts(c, |t| t.take(c.int(2)?, &indices))
        }),
        entry("gather(x, axis, index)").brief("One element per element of the index: out[i, j] = x[index[i, j], j] along axis 0, and so on.").example("gather(tensor([[1, 2], [3, 4]]), 0, tensor([[1, 0]]))", "[[3, 2]]").run(|c| {
            let index = c.tensor(2)?;
            on_tensor(c, |t| t.gather(c.int(1)?, &index))
        }),
        entry("assign(x, at, value)").brief("A copy with the elements at an index replaced; the index is written as in x[at].").example("assign(zeros(3), 1, 5)", "[0, 5, 0]").run(|c| {
            let (x, value) = (c.tensor(0)?, c.tensor(2)?);
            let selection = c.spans(1, &x.shape())?;
            if !selection.taken.is_empty() {
                return Err(c.wrong(1, "positions and ranges (lists of positions cannot be assigned to)"));
            }
            // A dropped axis comes back with length 1 so that the value lines up.
            let mut value = value;
            for &axis in &selection.dropped {
                let from_back = x.rank() - axis;
                if value.rank() >= from_back {
                    value = value.unsqueeze(value.rank() + 1 - from_back)?;
                }
            }
            done(x.assign(&selection.spans, &value)?)
        }),
        entry("matmul(a, b)").brief("The matrix product over the last two axes; axes before them broadcast.").text("A vector counts as a row on the left and as a column on the right.").example("matmul(tensor([[1, 2], [3, 4]]), tensor([1, 1]))", "[3, 7]").run(|c| {
            let b = c.tensor(1)?;
            on_tensor(c, |t| t.matmul(&b))
        }),
    ]
}
