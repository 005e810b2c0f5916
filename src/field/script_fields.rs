//! What is done to fields on any grid, in scripts: derivatives, measures, transport, changes of resolution.

use rhai::{Dynamic, Map};

use super::measure::{self, Norm};
use super::script::{field, grid, operand_field};
use super::transport::{advect_mac_cormack, advect_semi_lagrangian};
use super::{Field, Interpolation, Refinement, difference, interpolate, resample};
use crate::error::Result;
use crate::script::Call;
use crate::script::options::Options;
use crate::script::registry::{Entry, entry};
use crate::tensor::Tensor;

pub(super) fn entries() -> Vec<Entry> {
    let mut table = derivatives();
    table.extend(measures());
    table.extend(moves());
    table
}

/// The text of the option that every derivative has.
const ACCURACY: &str = "order of the error of stencils: 2, 4, 6 or 8 (Fourier modes on periodic grids, 2 on others)";

/// The options of a derivative, which may come without the argument before them.
fn accuracy(c: &Call, i: usize) -> Result<Option<usize>> {
    c.options(i)?.count_if("accuracy")
}

fn derivative(c: &mut Call, axis: &'static str) -> Result<Dynamic> {
    let u = field(c, 0)?;
    let options_at = if c.object_if::<Map>(1).is_some() { 1 } else { 2 };
    let order = if options_at == 2 && c.has(1) { c.count(1)? } else { 1 };
    if order > 16 {
        return Err(c.unfit(1, order, "an order of at most 16"));
    }
    Ok(Dynamic::from(difference::derivative(&u, u.grid().axis(axis)?, order, accuracy(c, options_at)?)?))
}

fn derivatives() -> Vec<Entry> {
    vec![
        entry("dx(u, [order], [options])")
            .brief("∂u/∂x of a field, or a higher derivative.")
            .text("By Fourier modes on periodic grids. On grids with edges by stencils, which lean inwards near an edge: a field need not fulfil the \
                   edge conditions of its grid.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([16], [TAU]).sample(|x| sin(x)); max(abs(u.dx(2) + u)) < 1e-5", "1")
            .example("let u = grid::interval(0, 1, 8, #{ edges: neumann(0) }).sample(|x| x ** 3); max(abs(u.dx(3, #{ accuracy: 4 }) - 6)) < 0.01", "1")
            .run(|c| derivative(c, "x")),
        entry("dy(u, [order], [options])")
            .brief("∂u/∂y of a field, or a higher derivative.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([8, 8], [TAU, TAU]).sample(|x, y| sin(y)); max(abs(dy(dy(u)) + u)) < 1e-5", "1")
            .run(|c| derivative(c, "y")),
        entry("dz(u, [order], [options])")
            .brief("∂u/∂z of a field, or a higher derivative.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([4, 4, 8], [TAU, TAU, TAU]).sample(|x, y, z| sin(z)); max(abs(dz(dz(u)) + u)) < 1e-5", "1")
            .run(|c| derivative(c, "z")),
        entry("laplacian(u, [options])")
            .brief("Δu of a field: the sum of its second derivatives.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([8, 8], [TAU, TAU]).sample(|x, y| sin(x) * sin(y)); max(abs(laplacian(u) + 2 * u)) < 1e-5", "1")
            .run(|c| Ok(Dynamic::from(difference::laplacian(&field(c, 0)?, accuracy(c, 1)?)?))),
        entry("grad(u)")
            .brief("∇u of a field: for each channel its derivatives along x, y, …")
            .text("Channels [c] become [c · d], the axes of a channel side by side. The gradient of a function is grad(f, x).")
            .example("grid::periodic([8, 8], [TAU, TAU]).sample(|x, y| sin(y)).grad().shape", "[1, 2, 8, 8]")
            .run(|c| Ok(Dynamic::from(difference::gradient(&operand_field(c, 0, "grad(f, x) is the gradient of a function")?, None)?))),
        entry("div(v, [options])")
            .brief("∇·v of a field with one channel per axis; of several vectors in a row, one number for each.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([8, 8], [TAU, TAU]).sample(|x, y| sin(y)); max(abs(div(grad(u)) - laplacian(u))) < 1e-5", "1")
            .run(|c| Ok(Dynamic::from(difference::divergence(&field(c, 0)?, accuracy(c, 1)?)?))),
        entry("curl(v, [options])")
            .brief("∇×v: of a plane vector field the number ∂v_y/∂x − ∂v_x/∂y, in three dimensions a vector.")
            .option("accuracy", ACCURACY)
            .example("let u = grid::periodic([8, 8], [TAU, TAU]).sample(|x, y| sin(x + y)); max(abs(curl(grad(u)))) < 1e-5", "1")
            .run(|c| Ok(Dynamic::from(difference::curl(&field(c, 0)?, accuracy(c, 1)?)?))),
    ]
}

/// The norm that the option `kind` names, when it was given: `norm` of a field by the weights of its grid.
pub(crate) fn norm_of_kind(c: &Call, options: &Options) -> Result<Option<Dynamic>> {
    if !options.has("kind") {
        return Ok(None);
    }
    let kind = options.choice("kind", &[("L2", Norm::L2), ("L1", Norm::L1), ("max", Norm::Max)])?;
    let u = c.object_if::<Field>(0).ok_or_else(|| c.wrong(0, "a field, which option `kind` needs for its grid"))?;
    Ok(Some(Dynamic::from(measure::norm(&u, kind)?)))
}

fn measures() -> Vec<Entry> {
    vec![
        entry("integral(u)")
            .brief("∫ u over the grid of a field, [sample, channel].")
            .text("Midpoint rule for cells and periodic axes, trapezoidal rule for nodes.")
            .example("integral(grid::interval(0, 1, 50, #{ edges: neumann(0) }).sample(|x| 2 * x))", "[[1]]")
            .run(|c| Ok(Dynamic::from(measure::integral(&field(c, 0)?)?))),
        entry("inner(u, v)")
            .brief("∫ u v over the grid of two fields, summed over channels: one number per sample.")
            .example("let u = grid::periodic([16], [TAU]).sample(|x| cos(x)); inner(u, u) / PI", "[1]")
            .run(|c| Ok(Dynamic::from(measure::inner(&field(c, 0)?, &field(c, 1)?)?))),
    ]
}

fn interpolation(options: &Options) -> Result<Interpolation> {
    options.choice("method", &[("linear", Interpolation::Linear), ("cubic", Interpolation::Cubic)])
}

fn moves() -> Vec<Entry> {
    vec![
        entry("interpolate(u, points, [options])")
            .brief("Values of a field at any points, [sample, channel, p].")
            .text("points: [p, d] with one column per axis, the same for all samples, or [sample, p, d]; on a line [p] will do. Periodic axes wrap; \
                   beyond an edge stands the value at the edge. Differentiable with respect to the field and the points.")
            .option("method", "\"linear\", or \"cubic\": Lagrange's polynomials through four points per axis (\"linear\")")
            .example("interpolate(grid::periodic([4], [4.0]).sample(|x| x * x), [0.5, 2.5])", "[[[0.5, 6.5]]]")
            .example("interpolate(grid::periodic([8], [8.0]).sample(|x| x * x), [2.5], #{ method: \"cubic\" })", "[[[6.25]]]")
            .run(|c| {
                let (u, points, options) = (field(c, 0)?, c.tensor(1)?, c.options(2)?);
                let values = at_points(c, &u, &points, interpolation(&options)?)?;
                Ok(Dynamic::from(values))
            }),
        entry("advect(u, velocity, time, [options])")
            .brief("A field after moving with a velocity for a time: one semi-Lagrangian step, u(x − v t).")
            .text("velocity: a field with one channel per axis. Stable for any time; the velocity is that of the beginning. Periodic axes wrap; what would come \
                   from beyond an edge takes the outermost value.")
            .option("method", "\"linear\"; \"cubic\"; \"mac_cormack\": second order, without new extrema (\"linear\")")
            .example("let g = grid::periodic([4], [4.0]); let u = g.sample(|x| x); advect(u, 0 * u + 1, 1.0).values", "[[[3, 0, 1, 2]]]")
            .run(|c| {
                let (u, v, time, options) = (field(c, 0)?, field(c, 1)?, c.finite(2)?, c.options(3)?);
                u.same_grid(&v)?;
                let method = options.choice(
                    "method",
                    &[("linear", Some(Interpolation::Linear)), ("cubic", Some(Interpolation::Cubic)), ("mac_cormack", None)],
                )?;
                if v.channels() != u.grid().dimensions() || u.grid().dimensions() == 0 {
                    return Err(c.unfit(1, format!("{} channels", v.channels()), "one channel per axis of the grid"));
                }
                let parts: Vec<Tensor> = (0..v.channels()).map(|k| v.values().select(1, k as i64)).collect::<Result<_>>()?;
                u.map(|values| match method {
                    Some(method) => advect_semi_lagrangian(values, u.grid(), &parts, time, method),
                    None => advect_mac_cormack(values, u.grid(), &parts, time),
                })
                .map(Dynamic::from)
            }),
        entry("restrict(u, factor)")
            .brief("A field on a grid that is coarser by a whole factor.")
            .text("Cells take the mean of what they hold. Nodes and periodic points, which stay where they are, keep their values.")
            .example("restrict(grid::interval(0, 4, 4, #{ edges: neumann(0) }).sample(|x| x), 2).values", "[[[1, 3]]]")
            .run(|c| Ok(Dynamic::from(resample::restrict(&field(c, 0)?, c.count(1)?)?))),
        entry("refine(u, factor, [options])")
            .brief("A field on a grid that is finer by a whole factor.")
            .option("method", "\"cubic\"; \"linear\"; \"spectral\", the trigonometric polynomial through the points of a periodic grid (\"cubic\")")
            .example("refine(grid::interval(0, 2, 2, #{ edges: neumann(0) }).sample(|x| x), 2, #{ method: \"linear\" }).values", "[[[0.25, 0.75, 1.25, 1.75]]]")
            .run(|c| {
                let methods = [("cubic", Refinement::Cubic), ("linear", Refinement::Linear), ("spectral", Refinement::Spectral)];
                let method = c.options(2)?.choice("method", &methods)?;
                Ok(Dynamic::from(resample::refine(&field(c, 0)?, c.count(1)?, method)?))
            }),
        entry("resample(u, grid, [options])")
            .brief("A field on another grid.")
            .text("A field that sample(grid, f) made remembers f and is sampled again, exactly; any other one is interpolated.")
            .option("method", "\"linear\" or \"cubic\", where the field is interpolated (\"linear\")")
            .example("grid::periodic([4], [1.0]).sample(|x| x * x).resample(grid::periodic([10], [1.0])).values[[0, 0, 3]]", "0.09")
            .run(|c| {
                let (u, to, options) = (field(c, 0)?, grid(c, 1)?, c.options(2)?);
                let method = interpolation(&options)?;
                if let Some(again) = u.sampled_again(&to) {
                    return again.map(Dynamic::from);
                }
                if u.grid().dimensions() != to.dimensions() {
                    return Err(c.unfit(1, &to, &format!("a grid of {} axes", u.grid().dimensions())));
                }
                let whole = to.shape();
                let x = to.coordinates(c.session.context(), u.values().precision())?;
                let x = x.iter().map(|x| x.expand(&whole)).collect::<Result<Vec<_>>>()?;
                Field::new(interpolate(u.values(), u.grid(), &x, false, method)?, to).map(Dynamic::from)
            }),
    ]
}

/// Values `[s, c, p]` at points `[p, d]` or `[s, p, d]`.
fn at_points(c: &Call, u: &Field, points: &Tensor, method: Interpolation) -> Result<Tensor> {
    let d = u.grid().dimensions();
    let mut shape = points.shape();
    if d == 1 && shape.len() == 1 {
        shape.push(1);
    }
    let fits = matches!(shape.len(), 2 | 3) && shape.last() == Some(&d) && d > 0;
    if !fits {
        return Err(c.unfit(1, format!("shape {:?}", points.shape()), &format!("[p, {d}] or [sample, p, {d}]")));
    }
    let points = points.reshape(&shape)?;
    let positions = (0..d).map(|k| points.select(-1, k as i64)).collect::<Result<Vec<_>>>()?;
    interpolate(u.values(), u.grid(), &positions, shape.len() == 3, method)
}
