//! Grids with edges, and regions of grids, in scripts.

use rhai::Dynamic;

use super::script::{grid, sampled};
use super::script_edges::{rings, side};
use super::{Edge, Field, Grid, Location, SideEdges};
use crate::error::{Error, Result};
use crate::script::Call;
use crate::script::options::Options;
use crate::script::registry::{Entry, entry};
use crate::tensor::{Compare, Tensor, Unary};

pub(super) fn entries() -> Vec<Entry> {
    let mut table = grids();
    table.extend(regions());
    table
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
    if options.has("values") && rings(options, dimensions)?.iter().all(|ring| *ring) {
        return Err(Error::option("values at centres or nodes are a matter of edges, and all axes are periodic")
            .expected("points at low + i h, h = (high − low)/n")
            .advice("leave `values` out; for points in the middle of cells shift the box by half a spacing"));
    }
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
