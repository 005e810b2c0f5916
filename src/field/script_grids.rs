//! Grids with edges in scripts, and what is done to fields on any grid.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};

use super::measure::{self, Norm};
use super::script::{field, grid, operand_field, sampled};
use super::transport::{advect_mac_cormack, advect_semi_lagrangian};
use super::{
    Edge, EdgeFunction, EdgeValue, Field, Grid, Interpolation, Location, Refinement, SideEdges, difference,
    interpolate, resample,
};
use crate::error::{Error, Result};
use crate::script::engine::printable;
use crate::script::options::Options;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe, number_of};
use crate::script::{Call, Closure};
use crate::tensor::{Compare, Context, Tensor, Unary, number};

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
fn side(options: &Options, key: &str, dimensions: usize) -> Result<Option<SideEdges>> {
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
fn rings(options: &Options, dimensions: usize) -> Result<Vec<bool>> {
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

/// `[low, high]`, or a length.
fn ends(c: &Call, i: usize) -> Result<(f64, f64)> {
    let numbers = c.numbers(i).map_err(|_| c.wrong(i, "[low, high], or a length"))?;
    match numbers.as_slice() {
        [length] => Ok((0.0, *length)),
        [low, high] => Ok((*low, *high)),
        _ => Err(c.wrong(i, "[low, high], or a length")),
    }
}

/// A grid from bounds and points, with the options of its sides.
fn bounded(points: &[usize], bounds: &[(f64, f64)], options: &Options) -> Result<Dynamic> {
    let dimensions = points.len();
    let location = options.choice("values", &[("centres", Location::Centres), ("nodes", Location::Nodes)])?;
    let every = side(options, "edges", dimensions)?;
    let mut sides = Vec::with_capacity(dimensions);
    for (ring, keys) in rings(options, dimensions)?.into_iter().zip(Grid::SIDES) {
        let mut pair = Vec::with_capacity(2);
        for key in keys {
            let own = side(options, key, dimensions)?;
            pair.push(match (ring, own) {
                (true, Some(_)) => {
                    return Err(Error::option(format!("the side `{key}` closes a periodic axis"))
                        .advice("leave the side out, or take its axis out of `periodic`"));
                }
                (true, None) => Edge::Periodic.into(),
                (false, own) => own.or_else(|| every.clone()).ok_or_else(|| {
                    Error::option(format!("nothing is said about the side `{key}`"))
                        .expected(format!("{key}: dirichlet(0), neumann(0) or robin(1, 1, 0)"))
                        .advice(
                            "edges: neumann(0) holds for every side that is not named; periodic: [\"x\"] makes a ring",
                        )
                })?,
            });
        }
        sides.extend(<[SideEdges; 2]>::try_from(pair).ok());
    }
    Ok(Dynamic::from(Grid::new(points, bounds, location, sides)?))
}

/// The options that every grid with edges has.
fn with_options(entry: Entry, sides: &'static [[&'static str; 2]]) -> Entry {
    let text =
        "what holds there: dirichlet(…), neumann(…), robin(…), or a map of unknowns to them, `others` for the rest";
    let entry = sides.iter().flatten().fold(entry, |entry, side| entry.option(side, text));
    entry
        .option("edges", "what holds at every side that is not named")
        .option("values", "\"centres\" of cells, or \"nodes\", the outermost on the edges (\"centres\")")
        .option("periodic", "axes whose ends are one place, [\"x\"]; true for all ([])")
}

pub(super) fn entries() -> Vec<Entry> {
    let mut table = grids();
    table.extend(regions());
    table.extend(derivatives());
    table.extend(measures());
    table.extend(moves());
    table
}

fn grids() -> Vec<Entry> {
    let (sides, sample) = (
        &Grid::SIDES,
        "The points of n cells sit at low + (i + ½) h, h = (high − low)/n; n nodes at low + i h, \
                                          h = (high − low)/(n − 1). A side that is neither named nor periodic is an error.",
    );
    vec![
        with_options(entry("grid::interval(low, high, points, [options])"), &sides[..1])
            .brief("A line with edges at both ends.")
            .text(sample)
            .example("grid::interval(0, 1, 4, #{ edges: dirichlet(0) }).points[0]", "[0.125, 0.375, 0.625, 0.875]")
            .example("grid::interval(0, 1, 3, #{ left: dirichlet(1), right: neumann(0), values: \"nodes\" }).points[0]", "[0, 0.5, 1]")
            .run(|c| {
                let bounds = (c.finite(0)?, c.finite(1)?);
                bounded(&[c.count(2)?], &[bounds], &c.options(3)?)
            }),
        with_options(entry("grid::rectangle(x, y, points, [options])"), &sides[..2])
            .brief("A rectangle with four sides: left and right end x, bottom and top end y.")
            .text("x, y: [low, high], or a length. points: [nx, ny]. The points of n cells sit at low + (i + ½) h; those of nodes on the edges too.")
            .example("grid::rectangle([0, 2], [0, 1], [8, 4], #{ edges: neumann(0), left: dirichlet(|y| sin(PI * y)) }).spacing", "[0.25, 0.25]")
            .example("grid::rectangle(TAU, 1, [8, 4], #{ periodic: [\"x\"], edges: neumann(0), top: #{ heat: dirichlet(1), others: neumann(0) } }).shape", "[8, 4]")
            .run(|c| {
                let bounds = [ends(c, 0)?, ends(c, 1)?];
                bounded(&points(c, 2, 2)?, &bounds, &c.options(3)?)
            }),
        with_options(entry("grid::box(x, y, z, points, [options])"), sides)
            .brief("A box with six sides: left and right end x, bottom and top y, front and back z.")
            .text("x, y, z: [low, high], or a length. points: [nx, ny, nz].")
            .example("grid::box(1, 1, [-1, 1], [4, 4, 8], #{ edges: dirichlet(0) }).spacing", "[0.25, 0.25, 0.25]")
            .run(|c| {
                let bounds = [ends(c, 0)?, ends(c, 1)?, ends(c, 2)?];
                bounded(&points(c, 3, 3)?, &bounds, &c.options(4)?)
            }),
        entry("grid::point()")
            .brief("The grid without axes: fields on it, [sample, channel], are states of ordinary differential equations.")
            .example("field([1.0, 0.5], grid::point()).shape", "[1, 2]")
            .run(|_| Ok(Dynamic::from(Grid::point()))),
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

fn points(c: &Call, i: usize, axes: usize) -> Result<Vec<usize>> {
    let points = c.shape(i)?;
    if points.len() != axes {
        return Err(c.unfit(i, format!("{points:?}"), &format!("{axes} numbers of points")));
    }
    Ok(points)
}

fn regions() -> Vec<Entry> {
    vec![
        entry("mask(grid, f)")
            .brief("1 at the points of a grid where f(x, y, …) holds, 0 elsewhere.")
            .text("The closure has one parameter per axis and is called once, with tensors of coordinates; what is not 0 holds.")
            .example("sum(grid::periodic([8], [1.0]).mask(|x| x < 0.5))", "4")
            .run(|c| {
                let grid = grid(c, 0)?;
                let u = sampled(c, &grid, 1)?;
                u.map(|v| v.compare(Compare::NotEqual, &v.full_like(0.0)?)).map(Dynamic::from)
            }),
        entry("disk(grid, centre, radius)")
            .brief("1 at the points of a grid no further than radius from a centre, 0 elsewhere: an interval, a disk or a ball.")
            .text("centre: one coordinate per axis. Along periodic axes the nearest image counts.")
            .example("sum(disk(grid::periodic([8], [1.0]), 0, 0.125))", "3")
            .run(|c| {
                let (grid, centre, radius) = (grid(c, 0)?, c.numbers(1)?, c.number(2)?);
                refuse_other_count(c, 1, &grid, centre.len())?;
                let x = grid.coordinates(c.session.context(), c.session.context().precision())?;
                let mut square = Tensor::full(c.session.context(), &grid.shape(), 0.0)?;
                for ((x, axis), centre) in x.iter().zip(grid.axes()).zip(centre) {
                    let mut distance = x.shift(-centre)?;
                    if axis.periodic {
                        let turns = distance.scale(1.0 / axis.length())?.unary(Unary::Round)?;
                        distance = distance.sub(&turns.scale(axis.length())?)?;
                    }
                    square = square.add(&distance.unary(Unary::Square)?)?;
                }
                // A point on the rim belongs to the disk whatever rounding says.
                let limit = square.full_like(radius * radius * (1.0 + 4.0 * square.precision().epsilon()))?;
                Field::new(square.compare(Compare::LowerEqual, &limit)?, grid).map(Dynamic::from)
            }),
        entry("block(grid, low, high)")
            .brief("1 at the points of a grid with low ≤ x ≤ high along every axis, 0 elsewhere.")
            .text("low, high: one coordinate per axis.")
            .example("sum(block(grid::periodic([4, 4], [1.0, 1.0]), [0, 0], [0.5, 0.25]))", "6")
            .run(|c| {
                let (grid, low, high) = (grid(c, 0)?, c.numbers(1)?, c.numbers(2)?);
                refuse_other_count(c, 1, &grid, low.len())?;
                refuse_other_count(c, 2, &grid, high.len())?;
                let x = grid.coordinates(c.session.context(), c.session.context().precision())?;
                let mut inside = Tensor::full(c.session.context(), &grid.shape(), 1.0)?;
                for (x, (low, high)) in x.iter().zip(low.into_iter().zip(high)) {
                    inside = inside.mul(&x.compare(Compare::GreaterEqual, &x.full_like(low)?)?)?;
                    inside = inside.mul(&x.compare(Compare::LowerEqual, &x.full_like(high)?)?)?;
                }
                Field::new(inside, grid).map(Dynamic::from)
            }),
    ]
}

fn refuse_other_count(c: &Call, i: usize, grid: &Grid, count: usize) -> Result<()> {
    if count == grid.dimensions() {
        return Ok(());
    }
    Err(c.unfit(i, format!("{count} numbers"), &format!("one coordinate per axis, {}", grid.dimensions())))
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
