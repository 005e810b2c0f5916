//! `check::order` in scripts: the order of convergence that is observed, in time and in space.

use rhai::{Array, Dynamic, Map};

use super::refined::{interpolated, moved, moved_equation};
use super::script_check::equation;
use super::script_solve::{Course, KEYS, Origin, Times};
use crate::error::{Error, Kind, Result};
use crate::field::{Axis, Grid, Path};
use crate::script::Call;
use crate::script::registry::{Entry, entry};
use crate::script::table::Table;
use crate::tensor::{Precision, Tensor, Unary, number};

/// A problem as the script wrote it: `(equation, start, times, [options])` or `(equation, path, [options])`.
pub(super) fn problem(c: &Call, own: &[&str]) -> Result<(Origin, Map)> {
    let equation = equation(c, 0)?;
    let mut mine = Map::new();
    let mut take = |map: &mut Map| {
        for key in own {
            if let Some(value) = map.remove(*key) {
                mine.insert((*key).into(), value);
            }
        }
    };
    let Some(path) = c.object_if::<Path>(1) else {
        if !c.has(2) {
            return Err(c.wrong(1, "a path made by solve, or a start with times"));
        }
        let mut options = if c.has(3) { c.map(3)? } else { Map::new() };
        take(&mut options);
        let times = Times::read(c, 2)?.values;
        return Ok((Origin { equation, start: c.value(1)?, times, options }, mine));
    };
    let origin = path.origin::<Origin>().cloned().ok_or_else(|| {
        Error::value(format!("{}: the path does not know how it was made", c.name()))
            .expected("a whole path as solve returned it")
            .advice("or give the start and the times: (equation, start, times, options)")
    })?;
    let mut options = origin.options.clone();
    if c.has(2) {
        let mut more = c.map(2)?;
        take(&mut more);
        options.extend(more);
    }
    Ok((Origin { equation, options, ..origin }, mine))
}

/// A problem whose number of steps and grid are varied.
struct Study<'a, 'b, 'c> {
    c: &'a Call<'b, 'c>,
    origin: Origin,
    ends: [f64; 2],
}

/// The last state with what led to it.
struct Outcome {
    state: Tensor,
    steps: usize,
    scheme: String,
    order: Option<usize>,
}

impl Study<'_, '_, '_> {
    /// The problem on a grid, with so many steps.
    fn course(&self, grid: Option<(&Grid, &Grid)>, steps: Option<usize>) -> Result<Course> {
        let mut options = self.origin.options.clone();
        options.insert("quiet".into(), true.into());
        if let Some(n) = steps {
            options.remove("step");
            options.insert("steps".into(), (n as i64).into());
        }
        let (equation, start) = match grid {
            Some((from, to)) => {
                options = moved(&options.into(), from, to)?.try_cast::<Map>().unwrap_or_default();
                options.insert("grid".into(), Dynamic::from(to.clone()));
                (moved_equation(&self.origin.equation, from, to)?, moved(&self.origin.start, from, to)?)
            }
            None => (self.origin.equation.clone(), self.origin.start.clone()),
        };
        Course::read(self.c, &equation, &start, options)
    }
    /// Names of coefficients and parts of the start that jump: whose neighbouring values do not come nearer on a finer grid.
    fn jumps(&self, grid: &Grid, finer: &Grid) -> Result<Vec<String>> {
        let steps_of = |to: &Grid| -> Result<Vec<(String, f64)>> {
            let course = self.course(Some((grid, to)), None)?;
            let mut all = Vec::new();
            for (name, values) in course.setting.named() {
                all.push((format!("`{name}`"), largest_step(values, to)?));
            }
            for (i, name) in course.names.iter().enumerate() {
                all.push((format!("the start of `{name}`"), largest_step(&course.values.narrow(1, i, 1)?, to)?));
            }
            Ok(all)
        };
        let pairs = steps_of(grid)?.into_iter().zip(steps_of(finer)?);
        Ok(pairs
            .filter(|((_, coarse), (_, fine))| *coarse > 0.0 && *fine > 0.6 * coarse)
            .map(|((n, _), _)| n)
            .collect())
    }
    /// Solves with so many steps on a grid; `None` where the solution does not stay finite.
    fn solve(&self, grid: Option<(&Grid, &Grid)>, steps: Option<usize>) -> Result<Option<Outcome>> {
        let course = self.course(grid, steps)?;
        match course.solved(self.c, &Times::plain(self.ends.to_vec())) {
            Ok(solved) => {
                let state = solved.states.last().ok_or_else(|| Error::internal("a solution without states"))?.detach();
                let scheme = solved.method.name().to_string();
                Ok(Some(Outcome { state, steps: solved.statistics.steps.len(), scheme, order: solved.method.order() }))
            }
            Err(error) if error.kind() == Kind::NotFinite => Ok(None),
            Err(error) => Err(error),
        }
    }
    /// The number of steps that the options ask for over the whole span, if they do.
    fn given(&self) -> Option<usize> {
        let whole = self.origin.times.len().max(2) - 1;
        let number = |key: &str| self.origin.options.get(key).and_then(crate::script::value::number_of);
        match (number("steps"), number("step")) {
            (Some(n), _) => Some((n.max(1.0) as usize).saturating_mul(whole)),
            (_, Some(h)) if h > 0.0 => {
                Some((((self.ends[1] - self.ends[0]).abs() / h) - 1e-9).ceil().max(1.0) as usize)
            }
            _ => None,
        }
    }
}

/// What was observed.
struct Observed {
    /// Steps, or points of the first axis.
    sizes: Vec<usize>,
    /// Between each and the next finer one, relative to the state.
    differences: Vec<f64>,
    /// log₂ of the ratio of neighbouring differences; the last that rounding does not spoil.
    orders: Vec<f64>,
    order: Option<f64>,
}

impl Observed {
    fn new(sizes: Vec<usize>, differences: Vec<f64>, floor: f64) -> Self {
        let orders: Vec<f64> = differences.windows(2).map(|w| (w[0] / w[1]).log2()).collect();
        let mut sound = orders.iter().zip(differences.iter().skip(1)).filter(|(o, d)| o.is_finite() && **d > floor);
        let order = sound.next_back().map(|(o, _)| *o);
        Self { sizes, differences, orders, order }
    }
}

/// The root mean square of a difference relative to that of the second.
fn difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    let square = |t: &Tensor| -> Result<f64> { t.mul(t)?.mean(&[], false)?.item() };
    Ok((square(&a.cast(Precision::F64)?.sub(&b.cast(Precision::F64)?)?)?
        / square(&b.cast(Precision::F64)?)?.max(f64::MIN_POSITIVE))
    .sqrt())
}

/// The largest difference between neighbours.
fn largest_step(values: &Tensor, grid: &Grid) -> Result<f64> {
    let mut most = 0.0f64;
    for (axis, of) in grid.axes().iter().enumerate() {
        if values.shape().get(axis + 2) == Some(&of.points) {
            let side = |from: usize| values.detach().narrow(axis + 2, from, of.points - 1);
            let step = side(1)?.sub(&side(0)?)?.unary(Unary::Abs)?.max(&[], false)?.item()?;
            most = most.max(step);
        }
    }
    Ok(most)
}

/// Differences below this are rounding.
fn floor(precision: Precision) -> f64 {
    if precision == Precision::F64 { 1e-12 } else { 2e-6 }
}

fn in_time(study: &Study) -> Result<(Option<Observed>, String)> {
    let failed = || {
        Error::not_finite("check::order: the solution is not finite with any number of steps that was tried")
            .advice("give more steps, or times over which the solution stays finite")
    };
    let first = study.solve(None, study.given())?;
    let Some(mut first) = first else { return Err(failed()) };
    if first.order.is_none() {
        return Ok((None, first.scheme));
    }
    // What was found to be enough leaves little error to be seen.
    let mut n = if study.given().is_some() { first.steps } else { (first.steps / 4).max(1) };
    for _ in 0..8 {
        let runs = (0..4).map(|k| study.solve(None, Some(n << k))).collect::<Result<Vec<_>>>()?;
        let Some(runs) = runs.into_iter().collect::<Option<Vec<_>>>() else {
            n *= 2;
            continue;
        };
        let differences = runs.windows(2).map(|w| difference(&w[0].state, &w[1].state)).collect::<Result<Vec<_>>>()?;
        // Steps too long to be stable grow without bound long before they overflow.
        if differences.iter().any(|d| *d > 1.0) {
            n *= 2;
            continue;
        }
        let least = floor(first.state.precision());
        let observed = Observed::new((0..4).map(|k| n << k).collect(), differences, least);
        first.steps = n;
        if observed.order.is_some() || n == 1 {
            return Ok((Some(observed), first.scheme));
        }
        n = (n / 4).max(1);
    }
    Err(failed())
}

fn in_space(study: &Study, grid: &Grid, coarser: bool) -> Result<(Observed, usize)> {
    let cells = |axis: &Axis| if axis.has_nodes() { axis.points - 1 } else { axis.points };
    let scaled = |up: usize, down: usize| {
        let points = grid.axes().iter().map(|a| cells(a) * up / down + usize::from(a.has_nodes()));
        grid.with_points(&points.collect::<Vec<_>>())
    };
    let grids = if coarser {
        [scaled(1, 4)?, scaled(1, 2)?, grid.clone()]
    } else {
        [grid.clone(), scaled(2, 1)?, scaled(4, 1)?]
    };
    let [.., finest] = &grids;
    let mut steps = match study.given() {
        Some(n) => n,
        None => study.solve(Some((grid, finest)), None)?.map_or(1, |o| o.steps),
    };
    for _ in 0..8 {
        let states = grids.iter().map(|to| Ok(study.solve(Some((grid, to)), Some(steps))?.map(|o| o.state)));
        let Some(states) = states.collect::<Result<Vec<_>>>()?.into_iter().collect::<Option<Vec<_>>>() else {
            steps *= 2;
            continue;
        };
        let pairs = states.windows(2).zip(grids.windows(2));
        let differences = pairs.map(|(s, g)| difference(&interpolated(&s[1], &g[1], &g[0])?, &s[0]));
        let differences = differences.collect::<Result<Vec<_>>>()?;
        if differences.iter().any(|d| *d > 1.0) {
            steps *= 2;
            continue;
        }
        let least = floor(states.first().map_or(Precision::F64, Tensor::precision));
        let sizes = grids.iter().map(|g| g.axes().first().map_or(1, |a| a.points)).collect();
        return Ok((Observed::new(sizes, differences, least), steps));
    }
    Err(Error::not_finite(
        "check::order: the solution on the finest grid is not finite with any number of steps that was tried",
    )
    .got(format!("{steps} steps"))
    .advice("give more steps, a scheme that is stable for longer ones, or grids: \"coarser\""))
}

fn rows(table: &mut Table, what: &str, observed: &Observed) {
    for (i, size) in observed.sizes.iter().enumerate() {
        let cell =
            |values: &[f64], at: Option<usize>| at.and_then(|at| values.get(at)).map_or("–".into(), |v| number(*v));
        table.rows.push(vec![
            what.to_string(),
            size.to_string(),
            cell(&observed.differences, Some(i)),
            cell(&observed.orders, Some(i)),
        ]);
    }
}

fn value_of(order: Option<f64>) -> Dynamic {
    order.map_or(Dynamic::UNIT, Dynamic::from)
}

fn check_order(c: &mut Call) -> Result<Dynamic> {
    let (origin, own) = problem(c, &["grids"])?;
    let own = crate::script::Options::new(c.name(), own);
    let course = Course::read(c, &origin.equation, &origin.start, origin.options.clone())?;
    let grid = course.grid().filter(|g| g.dimensions() > 0).cloned();
    let ends = match (origin.times.first(), origin.times.last()) {
        (Some(a), Some(b)) if a != b => [*a, *b],
        _ => return Err(Error::value("check::order needs a time to solve to").got(format!("{:?}", origin.times))),
    };
    let study = Study { c, origin, ends };
    let words = [("auto", None), ("finer", Some(false)), ("coarser", Some(true))];
    let coarser = own.choice("grids", &words)?;
    let (time, scheme) = c.session.context().without_recording(|| in_time(&study))?;
    let space = match &grid {
        None => None,
        Some(grid) => {
            let divisible = grid.axes().iter().all(|a| {
                let cells = if a.has_nodes() { a.points - 1 } else { a.points };
                cells.is_multiple_of(4) && cells >= 32
            });
            let large = grid.points().saturating_mul(1 << (2 * grid.dimensions())) > 1 << 14;
            let coarser = coarser.unwrap_or(divisible && large);
            Some(c.session.context().without_recording(|| in_space(&study, grid, coarser))?)
        }
    };
    let title = format!("observed order, {scheme}, t = {} to {}", number(ends[0]), number(ends[1]));
    let mut table =
        Table::new(title, ["", "steps or points", "difference to the next", "order"].map(String::from).to_vec());
    let mut map = Map::new();
    map.insert("scheme".into(), scheme.clone().into());
    let list = |v: &[f64]| Dynamic::from(v.iter().map(|x| Dynamic::from(*x)).collect::<Array>());
    let sizes = |v: &[usize]| Dynamic::from(v.iter().map(|x| Dynamic::from(*x as i64)).collect::<Array>());
    match &time {
        Some(observed) => {
            rows(&mut table, "time", observed);
            map.insert("steps".into(), sizes(&observed.sizes));
            map.insert("time_differences".into(), list(&observed.differences));
        }
        None => table.rows.push(vec!["time".into(), "exact steps".into()]),
    }
    if let Some((observed, steps)) = &space {
        rows(&mut table, "space", observed);
        map.insert("points".into(), sizes(&observed.sizes));
        map.insert("space_steps".into(), Dynamic::from(*steps as i64));
        map.insert("space_differences".into(), list(&observed.differences));
    }
    let jumps = match &grid {
        Some(grid) => {
            let cells = |a: &Axis| if a.has_nodes() { a.points - 1 } else { a.points };
            let points = grid.axes().iter().map(|a| 4 * cells(a) + usize::from(a.has_nodes())).collect::<Vec<_>>();
            study.jumps(grid, &grid.with_points(&points)?)?
        }
        None => Vec::new(),
    };
    let note = match jumps.as_slice() {
        [] => None,
        names => Some(format!(
            "{} jumps between neighbouring points: where a jump is not at a face between cells, solutions are of first order in space or less, whatever the stencil",
            names.join(" and ")
        )),
    };
    map.insert("note".into(), note.clone().map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("time".into(), value_of(time.and_then(|o| o.order)));
    map.insert("space".into(), value_of(space.and_then(|(o, _)| o.order)));
    c.session.sink().text(&table.to_string());
    if let Some(note) = note {
        c.session.sink().text(&format!("note: {note}"));
    }
    Ok(map.into())
}

pub(super) fn entries() -> Vec<Entry> {
    let order = entry("check::order(equation, start, [times], [options])")
        .brief("The order of convergence that a solution shows, in time and in space.")
        .text("check::order(equation, path, options), with a path made by solve, or check::order(equation, start, times, options) with the arguments of solve. Prints a table and returns \
               #{ time, space, scheme, steps, time_differences, points, space_steps, space_differences, note }; note says when a coefficient or the start jumps, which \
               no stencil resolves with more than first order.\n\
               In time: the last state with N, 2N, 4N and 8N equal steps; differences d of neighbours give log₂(d₁/d₂). N is the number of steps of the solution, a quarter of it where they \
               were found by an error estimate, and fewer where rounding hides the differences. () where steps are exact or all differences are rounding.\n\
               In space: three grids, each twice as fine, with one number of steps; start and coefficients are sampled again from their closures, or interpolated where they have none. \
               A periodic grid in Fourier space shows no order but a fast fall: () once differences are rounding. Best with --precision f64.")
        .option("grids", "\"finer\": n, 2n, 4n points per axis; \"coarser\": n/4, n/2, n; \"auto\": coarser for large grids (auto)")
        .example(
            "let eq = equation(|u| dt(u) + u * u); abs(check::order(eq, 1.0, 1.0, #{ scheme: \"heun\", steps: 2 }).time - 2) < 0.2",
            "true",
        )
        .run(check_order);
    vec![KEYS.iter().fold(order, |entry, (key, text)| entry.option(key, text))]
}
