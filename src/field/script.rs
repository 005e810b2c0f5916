//! Grids and fields in scripts.

use std::rc::Rc;

use rhai::{Dynamic, Engine};

use super::random::GaussianField;
use super::spectrum::{Amplitude, spectral_error, spectrum};
use super::{Field, Grid, Path, SpectralOperator, State, script_edges, script_fields, script_grids};
use crate::error::{Error, Result};
use crate::script::engine::printable;
use crate::script::registry::{Entry, entry, property};
use crate::script::value::{Operand, describe};
use crate::script::{Call, Closure};
use crate::tensor::{Compare, Complex, Context, Precision, Tensor};
use crate::train::Batch;

pub(crate) fn types(engine: &mut Engine) {
    printable::<Grid>(engine, "Grid");
    printable::<Field>(engine, "Field");
    printable::<SpectralOperator>(engine, "SpectralOperator");
    script_edges::types(engine);
}

/// The field in argument `i`.
pub(crate) fn field(c: &Call, i: usize) -> Result<Field> {
    c.object::<Field>(i, "a field: values on a grid")
}

/// `field.heat`, `path.heat`: an unknown by its name; a component of a vector symbol. `None` for an index that is no name.
pub(crate) fn by_name(c: &Call) -> Result<Option<Dynamic>> {
    let Ok(name) = c.value(1)?.into_immutable_string() else { return Ok(None) };
    if let Some(field) = c.object_if::<Field>(0) {
        return Ok(Some(Dynamic::from(field.channel(&name)?)));
    }
    if let Some(path) = c.object_if::<Path>(0) {
        return crate::equation::script_solve::unknown_of(&path, &name).map(Some);
    }
    if let Some(symbol) = c.object_if::<crate::equation::Expr>(0) {
        let axis = Grid::NAMES.iter().position(|axis| *axis == name);
        let axis = axis.ok_or_else(|| {
            Error::value(format!("a symbol has no property `{name}`")).expected("x, y or z, the components of a vector")
        })?;
        return symbol.component(axis).map(|e| Some(Dynamic::from(e)));
    }
    Ok(None)
}

/// The grid in argument `i`, or that of a field.
pub(crate) fn grid(c: &Call, i: usize) -> Result<Grid> {
    match c.object_if::<Field>(i) {
        Some(field) => Ok(field.grid().clone()),
        None => c.object::<Grid>(i, "a grid, such as grid::periodic([32, 32], [TAU, TAU])"),
    }
}

/// Bounds of a box per axis: lengths, or `[low, high]` pairs.
fn bounds(c: &Call, i: usize, axes: usize) -> Result<Vec<(f64, f64)>> {
    let wrong = || c.wrong(i, "a length for each axis, or [low, high] for each axis");
    let value = c.value(i)?;
    let parts = match value.clone().into_array() {
        Ok(parts) => parts,
        Err(_) => vec![value; axes],
    };
    let number = |part: &rhai::Dynamic| -> Result<Option<f64>> {
        let Some(tensor) = part.read_lock::<Tensor>() else { return Ok(crate::script::value::number_of(part)) };
        if tensor.is_tracked() {
            return Err(Error::value("no gradient goes to the box of a grid")
                .got("a length that is being differentiated")
                .advice("scale the coordinates of the equation instead: on a box of length 1, dx(u)/length"));
        }
        if tensor.len() == 1 { tensor.item().map(Some) } else { Ok(None) }
    };
    parts
        .iter()
        .map(|part| match number(part)? {
            Some(length) => Ok((0.0, length)),
            None => match part.clone().into_array().ok().as_deref() {
                Some([low, high]) => number(low)?.zip(number(high)?).ok_or_else(wrong),
                _ => match part.read_lock::<Tensor>().map(|t| t.to_vec()).transpose()?.as_deref() {
                    Some([low, high]) => Ok((*low, *high)),
                    _ => Err(wrong()),
                },
            },
        })
        .collect()
}

/// The field in argument `i`; what else the caller may have meant is said when it is none.
pub(super) fn operand_field(c: &Call, i: usize, otherwise: &str) -> Result<Field> {
    field(c, i).map_err(|e| e.advice(otherwise))
}

/// The closure in argument `i` at the points of a grid; the field remembers it.
pub(super) fn sampled(c: &Call, grid: &Grid, i: usize) -> Result<Field> {
    let closure = c.closure(i, grid.dimensions())?;
    let (name, context) = (c.name(), c.session.context().clone());
    Field::sampled(
        grid.clone(),
        Rc::new(move |grid: &Grid| {
            let x = grid.coordinates(&context, context.precision())?;
            real_on_axes(&name, &context, &closure, &x, &grid.shape())
        }),
    )
}

/// Coordinates of the points, one tensor per axis, shaped to broadcast against each other.
fn coordinates(c: &Call, grid: &Grid) -> Result<Vec<Tensor>> {
    grid.coordinates(c.session.context(), c.session.context().precision())
}

/// Calls a closure with one tensor per axis and brings its result to `shape`.
fn on_axes(name: &str, context: &Context, closure: &Closure, arguments: &[Tensor], shape: &[usize]) -> Result<Complex> {
    let value = closure.call(arguments.iter().cloned().map(Dynamic::from))?;
    let complex = match value.read_lock::<Complex>().map(|z| z.clone()) {
        Some(z) => z,
        None => {
            let tensor = Operand::of(&value).and_then(|o| o.into_tensor(context));
            Complex::real(tensor.ok_or_else(|| {
                Error::typ(format!("{}: the closure returned something unfit", name))
                    .got(describe(&value))
                    .expected("a tensor or a number")
            })?)?
        }
    };
    Complex::new(complex.re.expand(shape)?, complex.im.expand(shape)?)
}

/// [`on_axes`] for what must be real.
fn real_on_axes(
    name: &str,
    context: &Context,
    closure: &Closure,
    arguments: &[Tensor],
    shape: &[usize],
) -> Result<Tensor> {
    let z = on_axes(name, context, closure, arguments, shape)?;
    if z.im.detach().compare(Compare::NotEqual, &z.im.full_like(0.0)?)?.max(&[], false)?.item()? != 0.0 {
        return Err(Error::typ(format!("{}: the closure returned something unfit", name))
            .got(format!("a Complex {:?}", z.shape()))
            .expected("real numbers")
            .advice("z.re, z.im, abs(z) and angle(z) are real"));
    }
    Ok(z.re)
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = grids();
    table.extend(script_grids::entries());
    table.extend(script_edges::entries());
    table.extend(script_fields::entries());
    table.extend(fields());
    table.extend(operators());
    table.extend(spectra());
    table
}

fn grids() -> Vec<Entry> {
    vec![
        entry("grid::periodic(points, lengths)")
            .brief("A periodic box of one to three dimensions.")
            .text("points: numbers of points per axis. lengths: per axis a length (the box is [0, length)) or [low, high]. \
                   Points sit at low + i · spacing.")
            .example("grid::periodic([32, 32], [TAU, TAU]).shape", "[32, 32]")
            .example("grid::periodic(64, [[-1, 1]]).spacing", "[0.03125]")
            .run(|c| {
                let points = c.shape(0)?;
                let bounds = bounds(c, 1, points.len())?;
                Ok(Dynamic::from(Grid::periodic(&points, &bounds)?))
            }),
        property("grid.spacing").brief("Distances between neighbouring points, per axis.").example("grid::periodic([4], [2.0]).spacing", "[0.5]").run(|c| {
            let grid = grid(c, 0)?;
            Ok(grid.axes().iter().map(|a| Dynamic::from(a.spacing())).collect::<rhai::Array>().into())
        }),
        property("grid.points").brief("Coordinates of the points, one tensor per axis, shaped to broadcast.").example("grid::periodic([4], [1.0]).points[0]", "[0, 0.25, 0.5, 0.75]").run(|c| {
            let grid = grid(c, 0)?;
            Ok(coordinates(c, &grid)?.into_iter().map(Dynamic::from).collect::<rhai::Array>().into())
        }),
        entry("sample(grid, f)")
            .brief("The field with the values f(x, y, …) at the points of a grid.")
            .text("The closure has one parameter per axis and is called once, with tensors of coordinates. The field remembers it: resample(u, grid) \
                   samples it on another grid.")
            .example("mean(grid::periodic([8], [TAU]).sample(|x| sin(x) ** 2))", "0.5")
            .run(|c| {
                let grid = grid(c, 0)?;
                sampled(c, &grid, 1).map(Dynamic::from)
            }),
    ]
}

fn fields() -> Vec<Entry> {
    vec![
        entry("field(values, grid)")
            .brief("Values on a grid: [sample, channel, x, …], [channel, x, …] or the grid's own shape.")
            .example("field(ones([3, 1, 8]), grid::periodic([8], [1.0])).shape", "[3, 1, 8]")
            .run(|c| Ok(Dynamic::from(Field::new(c.tensor(0)?, grid(c, 1)?)?))),
        property("field.values").brief("The numbers of a field, [sample, channel, x, …]; of a path, [sample, time, …].").example("grid::periodic([4], [1.0]).sample(|x| x).values.shape", "[1, 1, 4]").run(|c| match c.object_if::<Path>(0) {
            Some(path) => Ok(Dynamic::from(path.values().clone())),
            None => Ok(Dynamic::from(c.tensor(0)?)),
        }),
        property("field.grid").brief("The grid of a field or a path.").example("grid::periodic([4], [1.0]).sample(|x| x).grid.shape", "[4]").run(|c| match c.object_if::<Path>(0) {
            Some(path) => path.grid().cloned().map(Dynamic::from).ok_or_else(|| Error::value("this path is on no grid")),
            None => Ok(Dynamic::from(field(c, 0)?.grid().clone())),
        }),
        entry("samples(x, which)")
            .brief("Some of the samples of a field or tensor: a range, a list of numbers, or a training batch.")
            .example("grid::periodic([4], [1.0]).sample(|x| x).samples([0, 0, 0]).shape", "[3, 1, 4]")
            .run(|c| {
                let which: Vec<i64> = match c.object_if::<Batch>(1) {
                    Some(batch) => batch.indices.iter().map(|&i| i as i64).collect(),
                    None => c.ints(1)?,
                };
                match c.object_if::<Field>(0) {
                    Some(field) => Ok(Dynamic::from(field.take_samples(&which)?)),
                    None => Ok(Dynamic::from(c.tensor(0)?.take(0, &which)?)),
                }
            }),
        entry("standardize(field)")
            .brief("Mean 0 and variance 1 over all samples, channels and points together.")
            .example("std(standardize(grid::periodic([8], [TAU]).sample(|x| 3 + sin(x))))", "1")
            .run(|c| Ok(Dynamic::from(field(c, 0)?.standardize()?))),
        entry("random::gaussian_field(grid, [options])")
            .brief("Gaussian random fields with the power spectral density |k|^(−power), mean 0.")
            .text("White noise from counters times √P(k) in Fourier space; the mean mode is left out. Sample i is the same however many are \
                   drawn. At a point the variance is 1 in expectation. Good values: power 4 for smooth fields, 2 for rough ones.")
            .option("samples", "how many (1)")
            .option("channels", "how many (1)")
            .option("power", "the exponent of the spectrum (4)")
            .option("density", "a closure P(kx, ky, …) instead of the power law")
            .option("variance", "expected variance at a point (1)")
            .option("seed", "the seed (the session's next)")
            .example("random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ samples: 3, seed: 1 }).shape", "[3, 1, 16, 16]")
            .run(|c| {
                let (grid, options) = (grid(c, 0)?, c.options(1)?);
                let model = gaussian_model(c, &grid, &options)?;
                let seed = options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
                let (samples, channels) = (options.count("samples", 1)?, options.count("channels", 1)?);
                Ok(Dynamic::from(model.draw(&grid, c.session.context(), seed, samples, channels)?))
            }),
    ]
}

/// The random field that the options of `random::gaussian_field` describe.
pub(crate) fn gaussian_model(c: &Call, grid: &Grid, options: &crate::script::Options) -> Result<GaussianField> {
    let context = c.session.context();
    let mut model = match options.closure_if("density", grid.dimensions())? {
        None => GaussianField::power_law(grid, context, options.number("power", 4.0)?)?,
        Some(closure) => {
            let k = wavenumbers(c, grid)?;
            let density = real_on_axes(&c.name(), context, &closure, &k, &grid.spectral_shape())?;
            // Only the mean mode may be infinite: it is left out.
            let mut values = density.cast(Precision::F64)?.to_vec()?;
            if let Some(first) = values.first_mut() {
                *first = 0.0;
            }
            GaussianField::new(Tensor::from_vec(context, values, &density.shape())?, 1.0)?
        }
    };
    model.variance = options.positive("variance", 1.0)?;
    Ok(model)
}

fn wavenumbers(c: &Call, grid: &Grid) -> Result<Vec<Tensor>> {
    (0..grid.dimensions()).map(|axis| grid.wavenumbers(c.session.context(), Precision::F64, axis)).collect()
}

fn operators() -> Vec<Entry> {
    vec![
        entry("spectral::operator(grid, symbol)")
            .brief("A linear operator with constant coefficients, L u = F⁻¹(λ(k) F u).")
            .text("symbol: a linear equation of one unknown, equation(|u| dt(u) - laplacian(u)), whose rate it is; or a closure of one wavenumber per axis that returns λ, a tensor or a Complex; called once on the half spectrum. \
                   The Laplacian is |kx, ky| -(kx * kx + ky * ky); advection with velocity c is |k| Complex(0 * k, -c * k). \
                   Wavenumbers are 2π m / length. Of a mode that is its own mirror image, such as Nyquist, only the real part of λ counts.")
            .example("spectral::operator(grid::periodic([8], [TAU]), |k| -k * k)", "SpectralOperator")
            .example("let g = grid::periodic([8], [TAU]); max(spectral::operator(g, equation(|u| dt(u) - dx(u, 2))).propagate(g.sample(|x| cos(x)), 1.0))", "0.36788")
            .example(
                "let g = grid::periodic([9], [TAU]); let u = g.sample(|x| exp(cos(x))); let advection = spectral::operator(g, |k| Complex(0 * k, -2 * k)); \
                 max(abs(advection.propagate(u, 2 * TAU / 18).values - roll(u.values, 2, 2))) < 1e-5",
                "1",
            )
            .run(|c| {
                let grid = grid(c, 0)?;
                if let Some(equation) = c.object_if::<crate::equation::Equation>(1) {
                    return crate::equation::script_check::operator_of(c, &equation, &grid).map(Dynamic::from);
                }
                let closure = c.closure(1, grid.dimensions())?;
                let symbol = on_axes(&c.name(), c.session.context(), &closure, &wavenumbers(c, &grid)?, &grid.spectral_shape())?;
                Ok(Dynamic::from(SpectralOperator::new(grid, symbol)?))
            }),
        entry("apply(operator, u)").brief("L u for a spectral operator and a field.").example("let g = grid::periodic([8], [TAU]); let u = g.sample(|x| cos(x)); max(abs(spectral::operator(g, |k| -k * k).apply(u) + u)) < 1e-5", "1").run(|c| {
            let operator = operator(c, 0)?;
            let u = on_its_grid(c, 1, &operator)?;
            Ok(Dynamic::from(u.map(|v| operator.apply(v))?))
        }),
        entry("propagate(operator, u, time)")
            .brief("The exact solution of ∂u/∂t = L u after a time: e^(L t) u.")
            .text("Stable for any time when Re λ ≤ 0. A negative time runs backwards and amplifies what forward time damps.")
            .example("let g = grid::periodic([8], [TAU]); let u = g.sample(|x| cos(x)); max(spectral::operator(g, |k| -k * k).propagate(u, 1.0))", "0.36788")
            .run(|c| {
                let operator = operator(c, 0)?;
                let (u, time) = (on_its_grid(c, 1, &operator)?, c.finite(2)?);
                Ok(Dynamic::from(u.map(|v| operator.propagate(v, time))?))
            }),
    ]
}

pub(crate) fn operator(c: &Call, i: usize) -> Result<SpectralOperator> {
    c.object::<SpectralOperator>(i, "an operator made by spectral::operator(grid, symbol)")
}

fn on_its_grid(c: &Call, i: usize, operator: &SpectralOperator) -> Result<Field> {
    let u = field(c, i)?;
    if u.grid() != operator.grid() {
        return Err(Error::shape(format!("{}: the operator and the field are on different grids", c.name()))
            .got(format!("{} and {}", operator.grid(), u.grid())));
    }
    Ok(u)
}

fn spectra() -> Vec<Entry> {
    vec![
        entry("spectrum(u, [options])")
            .brief("The radial spectrum of a field: #{ k, mean, low, high }.")
            .text("Averages over shells ⌊|m|⌋ of mode numbers; mean over samples with the quantiles 5 % and 95 %. \
                   kind \"energy\": Σ|c|²/2 with c = F u / N; kind \"amplitude\": mean |Re c|.")
            .option("kind", "\"energy\" or \"amplitude\" (\"energy\")")
            .example("spectrum(grid::periodic([8], [TAU]).sample(|x| sin(x))).mean[1]", "0.25")
            .run(|c| {
                let kind = c.options(1)?.choice("kind", &[("energy", Amplitude::Energy), ("amplitude", Amplitude::RealPart)])?;
                let spectrum = spectrum(&field(c, 0)?, kind)?;
                let (mean, low, high) = super::spectrum::band(&spectrum, 0.05, 0.95);
                let mut map = rhai::Map::new();
                for (name, values) in [("k", spectrum.radii), ("mean", mean), ("low", low), ("high", high)] {
                    let len = values.len();
                    map.insert(name.into(), Dynamic::from(Tensor::new(c.session.context(), values, &[len])?));
                }
                Ok(map.into())
            }),
        entry("spectral_error(truth, other, [options])")
            .brief("mean |ln A(truth) − ln A(other)| over shells 1 to `shells` of the amplitude spectrum, averaged over samples.")
            .text("A is the radial mean of |Re F u / N|. Each sample is compared with its own truth. Natural logarithm.")
            .option("shells", "the last shell (10)")
            .example("let u = random::gaussian_field(grid::periodic([32, 32], [TAU, TAU]), #{ seed: 1 }); spectral_error(u, u * E)", "1")
            .run(|c| {
                let shells = c.options(2)?.count("shells", 10)?;
                Ok(Dynamic::from(spectral_error(&field(c, 0)?, &field(c, 1)?, shells)?))
            }),
    ]
}

/// A state in argument `i`: a field, or a tensor with samples first.
pub(crate) fn state(c: &Call, i: usize) -> Result<State> {
    match c.object_if::<Field>(i) {
        Some(field) => Ok(field.into()),
        None => {
            let values = c.tensor(i)?;
            if values.rank() == 0 {
                return Err(c.wrong(i, "a field, or a tensor with samples along its first axis"));
            }
            Ok(State::new(values, None))
        }
    }
}

/// A state as a script value.
pub(crate) fn state_value(state: State) -> Result<Dynamic> {
    Ok(match state.grid {
        Some(grid) => Dynamic::from(Field::new(state.values, grid)?.named(state.names)?),
        None => Dynamic::from(state.values),
    })
}
