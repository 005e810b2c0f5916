//! `solve(equation, start, times, options)` in scripts: starts in every form, options, results by name.

use rhai::{Dynamic, FnPtr, Map};

use super::base::Equation;
use super::form::{Channel, Evolution};
use super::parameter::Value;
use super::problem::{Choices, LaneChoice, Solved, Space, Steps, refuse_unfit};
use super::setting::Setting;
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::field::{Field, Grid, Names, Path, State};
use crate::script::value::{Operand, describe, number_of};
use crate::script::{Call, Closure, Options, nearest};
use crate::session::Progress;
use crate::solve::elliptic::FaceMean;
use crate::solve::{Adaptive, Checkpoints, MOST_STEPS, Method, StepRule};
use crate::tensor::{Precision, Tensor};

/// Keys of the option map that are no parameters of the equation.
pub(crate) const KEYS: [(&str, &str); 15] = [
    ("grid", "the grid, where the start is no field"),
    (
        "scheme",
        "the integrator: \"rk4\", \"dormand_prince\", \"etdrk4\", \"crank_nicolson\", \"verlet\" … (by the equation: exact where it is linear and periodic, etdrk4 where its linear part can be kept apart, else dormand_prince; on grids with edges ars443 or esdirk4 where diffusion bounds explicit steps to more than 10 000)",
    ),
    ("steps", "so many steps between two output times"),
    ("step", "the longest step, or \"adaptive\" (adaptive)"),
    ("rtol", "tolerated error relative to the state, where steps are adaptive (1e-5; in f64 1e-8)"),
    ("atol", "tolerated error where the state is 0 (1e-7; in f64 1e-10)"),
    ("derivatives", "\"fourier\" or \"central\" (fourier where the grid is periodic)"),
    ("accuracy", "order of central differences: 2, 4 or 6 (2)"),
    (
        "mean",
        "what fields in a of div(a * grad(u)) are at faces between cells: \"arithmetic\", or \"harmonic\", exact for layers that meet at a face (arithmetic)",
    ),
    (
        "transport",
        "differences of what is carried along: \"central\", \"upwind\" (order 1, of terms as they are written), \"upwind3\" or \"weno5\" (which take u dx(u) as a flux, so shocks have their speed); weno5 on grids with edges and where shocks form, else central",
    ),
    ("dealias", "whether products lose the modes above a third (true)"),
    ("checkpoints", "what is kept for gradients: \"none\", \"sqrt\", or every so many steps (none)"),
    (
        "lane",
        "how a CPU makes the steps on periodic grids: \"native\" (compiled, an error where they cannot be), \"burn\" (one tensor operation after the other) or \"auto\" (auto)",
    ),
    ("parameters", "a map of parameters, for names that are options too"),
    ("quiet", "no progress bar (false)"),
];

/// What a start is made of.
pub(super) struct Start {
    /// `[sample, channel, x…]`
    pub values: Tensor,
    pub space: Domain,
}

/// Where the state lives.
pub(super) enum Domain {
    Grid(Grid),
    Bodies(usize),
}

/// Solves the equation in argument 0 from the start in argument 1 through the times in argument 2.
pub(crate) fn evolve(c: &Call, equation: &Equation) -> Result<Dynamic> {
    let options = if c.has(3) { c.map(3)? } else { Map::new() };
    let course = Course::read(c, equation, &c.value(1)?, options.clone())?;
    let times = Times::read(c, 2)?;
    if times.is_still() {
        return result_at(&course.values, &course.space, &course.names);
    }
    let solved = course.solve(c, &times)?;
    if times.single {
        let last = solved.states.last().ok_or_else(|| Error::internal("a solution without states"))?;
        return result_at(last, &course.space, &course.names);
    }
    let origin = Origin { equation: equation.clone(), start: c.value(1)?, times: times.values.clone(), options };
    let path = course.path(solved, &times.values)?;
    Ok(Dynamic::from(path.with_origin(std::rc::Rc::new(origin))))
}

/// How a path was made.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The equation, with the values that its parameters had.
    pub equation: Equation,
    /// The start, as the script gave it.
    pub start: Dynamic,
    /// The output times.
    pub times: Vec<f64>,
    /// The options.
    pub options: Map,
}

/// Output times, and whether a gradient goes to them.
pub(crate) struct Times {
    pub values: Vec<f64>,
    /// One time was given: from 0 to there, and only the last state is wanted.
    pub single: bool,
    /// `[time]`
    clock: Option<Tensor>,
}

impl Times {
    /// A number, or numbers in any form.
    pub fn read(c: &Call, i: usize) -> Result<Self> {
        let tensor = c.tensor(i).map_err(|_| c.wrong(i, "a time, or times that ascend or descend"))?;
        let single = tensor.rank() == 0;
        let (mut values, mut clock) = (tensor.to_vec()?, tensor.is_tracked().then_some(tensor));
        if single {
            values.insert(0, 0.0);
            clock =
                clock.map(|t| Tensor::concat(&[t.full_like(0.0)?.reshape(&[1])?, t.reshape(&[1])?], 0)).transpose()?;
        }
        Ok(Self { values, single, clock })
    }
    /// Plain times.
    pub fn plain(values: Vec<f64>) -> Self {
        Self { values, single: false, clock: None }
    }
    fn is_still(&self) -> bool {
        self.single && self.values.last() == Some(&0.0) && self.clock.is_none()
    }
}

/// An equation on its domain with a start, ready to be solved.
pub(crate) struct Course {
    pub equation: Equation,
    pub evolution: Evolution,
    pub setting: Setting,
    /// The start, `[sample, channel, x…]`.
    pub values: Tensor,
    pub names: Names,
    pub choices: Choices,
    space: Domain,
    quiet: bool,
}

impl Course {
    /// Reads what the script gave; `map` holds options and parameters.
    pub fn read(c: &Call, equation: &Equation, given: &Dynamic, map: Map) -> Result<Self> {
        let options = options(c, map, equation, &KEYS)?;
        let equation = with_parameters(equation, &options, &KEYS)?;
        let bodies = equation.has_pairs();
        let found = grid_of(given, &options)?;
        let dimensions =
            if bodies { axes_of_bodies(c, &equation, given)? } else { found.as_ref().map_or(0, Grid::dimensions) };
        if !bodies {
            refuse_unfit(&equation, found.as_ref().unwrap_or(&Grid::point()))?;
        }
        let evolution = equation.evolution(dimensions)?;
        let start = start(c, &equation, &evolution, found, &options, given)?;
        let precision = start.values.precision();
        let context = c.session.context();
        let setting = match &start.space {
            Domain::Grid(grid) => Setting::new(&equation, grid, context, precision)?.with_means(means(&options)?),
            Domain::Bodies(n) => Setting::bodies(&equation, *n, context, precision)?,
        };
        let values = spread(&start.values, &setting)?;
        let choices = choices(&options, precision)?;
        let names: Names = evolution.channels.iter().map(|channel| channel.name.clone()).collect();
        let quiet = options.boolean("quiet", false)?;
        Ok(Self { equation, evolution, setting, values, names, choices, space: start.space, quiet })
    }
    /// The states at the times; what the user should know is shown.
    pub fn solve(&self, c: &Call, times: &Times) -> Result<Solved> {
        let solved = self.solved(c, times)?;
        if let (Some(note), false) = (&solved.note, self.quiet) {
            c.session.sink().note(&format!("solve: {note}"));
        }
        if let Some(warning) = &solved.warning {
            c.session.sink().text(&format!("warning: {warning}"));
        }
        Ok(solved)
    }
    /// The states at the times.
    pub fn solved(&self, c: &Call, times: &Times) -> Result<Solved> {
        let begin = |total: u64| c.session.progress("solve", total);
        let progress: Option<&dyn Fn(u64) -> Progress> = if self.quiet { None } else { Some(&begin) };
        let Self { equation, evolution, setting, values, choices, .. } = self;
        match &times.clock {
            Some(clock) => choices.solve_timed(equation, evolution, setting, values, &times.values, clock, progress),
            None => choices.solve(equation, evolution, setting.clone(), values, &times.values, progress),
        }
    }
    /// The grid, where the state is no bodies.
    pub fn grid(&self) -> Option<&Grid> {
        match &self.space {
            Domain::Grid(grid) => Some(grid),
            Domain::Bodies(_) => None,
        }
    }
    /// States over times.
    pub fn path(&self, solved: Solved, times: &[f64]) -> Result<Path> {
        if let Some(values) = solved.path {
            return Path::joined(values, times, self.grid().cloned(), self.names.clone());
        }
        let state =
            |values: &Tensor| State { values: values.clone(), grid: self.grid().cloned(), names: self.names.clone() };
        Path::new(&solved.states.iter().map(state).collect::<Vec<_>>(), times)
    }
}

/// One state as the script gets it: a field, or for bodies a map of `[sample, body, axis]` tensors that can be a start again.
pub(super) fn result_at(values: &Tensor, space: &Domain, names: &Names) -> Result<Dynamic> {
    match space {
        Domain::Grid(grid) => Field::new(values.clone(), grid.clone())?.named(names.clone()).map(Dynamic::from),
        Domain::Bodies(_) => {
            let mut map = Map::new();
            for name in unknown_names(names) {
                map.insert(name.as_str().into(), Dynamic::from(of_bodies(values, names, &name, 1)?));
            }
            Ok(map.into())
        }
    }
}

/// Names without components: `r`, `r_t`.
pub(crate) fn unknown_names(names: &Names) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in names.iter() {
        let stem = stem(name);
        if !out.contains(&stem) {
            out.push(stem);
        }
    }
    out
}

/// `r.x` belongs to `r`, `r.x_t` to `r_t`.
fn stem(name: &str) -> String {
    match name.split_once('.') {
        Some((stem, rest)) => format!("{stem}{}", rest.trim_start_matches(['x', 'y', 'z'])),
        None => name.to_string(),
    }
}

/// Channels of an unknown of bodies with the axis last: `[…, body, axis]`; `at` is the axis of channels.
fn of_bodies(values: &Tensor, names: &Names, name: &str, at: usize) -> Result<Tensor> {
    let which: Vec<i64> = (0..names.len()).filter(|&i| stem(&names[i]) == name).map(|i| i as i64).collect();
    if which.is_empty() {
        return Err(Error::value(format!("there is no unknown `{name}`")).expected(names.join(", ")));
    }
    let picked = values.take(at as i64, &which)?;
    if which.len() == 1 { picked.squeeze(at) } else { picked.swap(at as i64, -1) }
}

/// `path.heat`: a path of that unknown; where there is no grid its numbers over time.
pub(crate) fn unknown_of(path: &Path, name: &str) -> Result<Dynamic> {
    match path.grid() {
        Some(grid) if grid.dimensions() > 0 => path.channel(name).map(Dynamic::from),
        Some(_) => {
            let one = path.channel(name)?;
            let values = one.values().clone();
            Ok(Dynamic::from(if one.names().len() == 1 { values.squeeze(2)? } else { values }))
        }
        None if path.names().is_empty() => path.channel(name).map(Dynamic::from),
        None => of_bodies(path.values(), path.names(), name, 2).map(Dynamic::from),
    }
}

/// The option map: its own keys and the equation's parameters.
pub(super) fn options(c: &Call, map: Map, equation: &Equation, keys: &[(&str, &str)]) -> Result<Options> {
    let options = Options::new(c.name(), map);
    let mut known: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
    known.extend(equation.parameters().iter().map(|p| p.name.as_str()));
    options.refuse_unknown(&known)?;
    Ok(options)
}

/// The equation with the values that options give its parameters.
pub(super) fn with_parameters(equation: &Equation, options: &Options, keys: &[(&str, &str)]) -> Result<Equation> {
    let mut values = Vec::new();
    let given = options
        .get("parameters")
        .map(|v| v.clone().try_cast::<Map>().ok_or_else(|| options.wrong("parameters", "a map such as #{ nu: 0.1 }")));
    let given = given.transpose()?.unwrap_or_default();
    for parameter in equation.parameters() {
        let name = parameter.name.as_str();
        let own = keys.iter().any(|(key, _)| *key == name);
        let value = given.get(name).or_else(|| if own { None } else { options.get(name) });
        let Some(value) = value else { continue };
        let value = match Operand::of(value) {
            Some(Operand::Number(n)) => Value::Number(n),
            Some(Operand::Tensor(t)) => Value::Tensor(t),
            Some(Operand::Field(f)) => Value::Field(f),
            _ => return Err(options.wrong(name, "a number, a tensor or a field")),
        };
        values.push((name.to_string(), value));
    }
    for key in given.keys() {
        if equation.parameter(key).is_none() {
            return equation.with_parameters(&[(key.to_string(), Value::Number(0.0))]);
        }
    }
    equation.with_parameters(&values)
}

/// The grid: that of the options, of the start, or of a field in it.
pub(super) fn grid_of(given: &Dynamic, options: &Options) -> Result<Option<Grid>> {
    if let Some(value) = options.get("grid") {
        if let Some(grid) = value.read_lock::<Grid>() {
            return Ok(Some(grid.clone()));
        }
        if let Some(field) = value.read_lock::<Field>() {
            return Ok(Some(field.grid().clone()));
        }
        return Err(options.wrong("grid", "a grid, such as grid::periodic([128], [TAU])"));
    }
    if let Some(field) = given.read_lock::<Field>() {
        return Ok(Some(field.grid().clone()));
    }
    let Some(map) = given.read_lock::<Map>() else { return Ok(None) };
    Ok(map.values().find_map(|v| v.read_lock::<Field>().map(|f| f.grid().clone())))
}

/// The number of axes in which bodies move: the last length of a position.
fn axes_of_bodies(c: &Call, equation: &Equation, given: &Dynamic) -> Result<usize> {
    let wrong = || c.wrong(1, "a map of positions [body, axis], such as #{ r: …, r_t: … }");
    let map = given.read_lock::<Map>().ok_or_else(wrong)?;
    let first = equation.unknowns().first().ok_or_else(wrong)?;
    let value = map.get(first.name.as_str()).ok_or_else(wrong)?;
    let tensor = read_tensor(c, value).ok_or_else(wrong)?;
    match tensor.shape().last() {
        Some(&axes) if (1..=3).contains(&axes) && tensor.rank() >= 2 => Ok(axes),
        _ => Err(wrong()),
    }
}

fn read_tensor(c: &Call, value: &Dynamic) -> Option<Tensor> {
    match Operand::of(value) {
        Some(operand) => operand.into_tensor(c.session.context()),
        None => crate::script::value::tensor_of(c.session.context(), value).ok(),
    }
}

/// The state at the first time from what the script gave.
pub(super) fn start(
    c: &Call,
    equation: &Equation,
    evolution: &Evolution,
    grid: Option<Grid>,
    options: &Options,
    given: &Dynamic,
) -> Result<Start> {
    let value = given.clone();
    if equation.has_pairs() {
        return bodies(c, evolution, given);
    }
    let grid = match grid {
        Some(grid) => grid,
        None if equation.is_spatial() => {
            return Err(options.missing("grid", "a grid, because the start is no field"));
        }
        None => Grid::point(),
    };
    // A field or tensor of all channels, or of those that are no rates.
    if let Some(Operand::Field(field)) = Operand::of(&value) {
        let names = evolution.channels.iter().filter(|ch| ch.rate == 0).count();
        let all = evolution.channels.len();
        if field.grid() != &grid {
            return Err(Error::shape("the start lies on another grid than `grid`").got(field.grid()).expected(&grid));
        }
        return if field.channels() == all {
            Ok(Start { values: field.values().clone(), space: Domain::Grid(grid) })
        } else if field.channels() == names {
            let mut shape = field.values().shape();
            shape[1] = all - names;
            let zero = Tensor::full_in(c.session.context(), field.values().precision(), &shape, 0.0)?;
            // Unknowns come before rates.
            let values = Tensor::concat(&[field.values().clone(), zero], 1)?;
            Ok(Start { values, space: Domain::Grid(grid) })
        } else {
            Err(Error::shape("the start does not fit the equation")
                .got(format!("a field of {} channels", field.channels()))
                .expected(channel_list(&evolution.channels)))
        };
    }
    let map = match value.clone().try_cast::<Map>() {
        Some(map) => map,
        None => {
            let [channel] = &evolution.channels.iter().filter(|ch| ch.rate == 0).collect::<Vec<_>>()[..] else {
                return Err(c.wrong(1, "a map with a value for each unknown, such as #{ u: 0.2, v: 1 }"));
            };
            let mut map = Map::new();
            map.insert(channel.name.as_str().into(), value);
            map
        }
    };
    let mut known: Vec<String> = Vec::new();
    for channel in &evolution.channels {
        for name in [channel.name.clone(), stem(&channel.name)] {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if let Some(name) = map.keys().find(|name| !known.iter().any(|k| k == name.as_str())) {
        let error = Error::option(format!("solve: the start: the equation has no unknown `{name}`"))
            .got(format!("a start for {}", map.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")))
            .expected(format!("starts of {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")));
        return Err(match nearest(name, known.iter().cloned()).first() {
            Some(near) => error.advice(format!("did you mean `{near}`?")),
            None => error.advice("the names are those of the parameters of the equation's closure"),
        });
    }
    let mut parts = Vec::new();
    for channel in &evolution.channels {
        parts.push(channel_start(c, channel, &map, &grid)?);
    }
    let precision = parts.iter().flatten().map(Tensor::precision).reduce(Precision::join);
    let precision = precision.unwrap_or(c.session.context().precision());
    let samples = parts.iter().flatten().map(|t| t.shape().first().copied().unwrap_or(1)).max().unwrap_or(1);
    let mut shape = vec![samples, 1];
    shape.extend(grid.shape());
    let parts = parts.into_iter().map(|part| match part {
        Some(tensor) => tensor.cast(precision)?.expand(&shape),
        None => Tensor::full_in(c.session.context(), precision, &shape, 0.0),
    });
    let values = Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)?;
    Ok(Start { values, space: Domain::Grid(grid) })
}

fn channel_list(channels: &[Channel]) -> String {
    channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The start of one channel, `[sample, 1, x…]`; `None` for a rate that was not given and is 0.
fn channel_start(c: &Call, channel: &Channel, map: &Map, grid: &Grid) -> Result<Option<Tensor>> {
    let context = c.session.context();
    let mut one = vec![1, 1];
    one.extend(grid.shape().iter().map(|_| 1));
    let unfit = |value: &Dynamic| {
        Error::typ(format!("the start of `{}` does not fit", channel.name))
            .got(describe(value))
            .expected("a number, a field, a tensor of the grid's shape, or a closure of the coordinates")
    };
    let whole = stem(&channel.name);
    let (value, component) = match (map.get(channel.name.as_str()), map.get(whole.as_str())) {
        (Some(value), _) => (value.clone(), None),
        (None, Some(value)) => {
            let axis = channel.name.split_once('.').and_then(|(_, rest)| "xyz".find(rest.chars().next()?));
            (value.clone(), axis)
        }
        (None, None) if channel.rate > 0 => return Ok(None),
        (None, None) => {
            return Err(Error::option(format!("solve: the start of `{whole}` is missing"))
                .expected(format!("#{{ {whole}: … }}")));
        }
    };
    // A vector as an array of components.
    let value = match (component, value.read_lock::<rhai::Array>()) {
        (Some(axis), Some(array)) if array.len() == grid.dimensions() => {
            array.get(axis).cloned().ok_or_else(|| unfit(&value))?
        }
        _ => value.clone(),
    };
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        let closure = Closure::new(pointer.clone());
        let coordinates = grid.coordinates(context, context.precision())?;
        let sampled = closure.tensor(context, &coordinates)?;
        let mut shape = vec![1, 1];
        shape.extend(grid.shape());
        return sampled.expand(&grid.shape())?.reshape(&shape).map(Some);
    }
    match Operand::of(&value) {
        Some(Operand::Number(n)) => Tensor::scalar(context, n).reshape(&one).map(Some),
        Some(Operand::Field(field)) => {
            if field.grid() != grid {
                return Err(Error::shape(format!("the start of `{}` lies on another grid", channel.name))
                    .got(field.grid())
                    .expected(grid));
            }
            match (component, field.channels()) {
                (_, 1) => Ok(Some(field.values().clone())),
                (Some(axis), channels) if channels == grid.dimensions() => field.values().narrow(1, axis, 1).map(Some),
                _ => Err(unfit(&value)),
            }
        }
        operand => {
            let tensor = match operand {
                Some(Operand::Tensor(t)) => t,
                _ => crate::script::value::tensor_of(context, &value).map_err(|_| unfit(&value))?,
            };
            // A row that is as long as nothing here: samples stand on an axis of their own, [sample, x, …].
            if tensor.rank() == 1 && tensor.len() != 1 && grid.dimensions() > 0 && tensor.shape() != grid.shape() {
                return Err(Error::shape(format!("the start of `{}` does not fit the points", channel.name))
                    .got(format!("shape {:?}", tensor.shape()))
                    .expected(format!("{:?}, or [sample, …] before it", grid.shape())));
            }
            let name = format!("the start of {}", channel.name);
            Value::Tensor(tensor).on(&name, context, &grid.shape(), Some(grid)).map(Some)
        }
    }
}

/// The start of bodies: positions and velocities `[sample, body, axis]` or `[body, axis]`.
fn bodies(c: &Call, evolution: &Evolution, given: &Dynamic) -> Result<Start> {
    let map = given.clone().try_cast::<Map>().ok_or_else(|| c.wrong(1, "a map such as #{ r: …, r_t: … }"))?;
    let known: Vec<String> = evolution.channels.iter().map(|channel| stem(&channel.name)).collect();
    Options::new("solve: the start".into(), map.clone())
        .refuse_unknown(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut parts: Vec<Option<Tensor>> = Vec::new();
    let mut like: Option<Tensor> = None;
    for channel in &evolution.channels {
        let whole = stem(&channel.name);
        let Some(value) = map.get(whole.as_str()) else {
            if channel.rate == 0 {
                return Err(Error::option(format!("solve: the start of `{whole}` is missing")));
            }
            parts.push(None);
            continue;
        };
        let unfit = || {
            Error::shape(format!("the start of `{whole}` does not fit"))
                .got(describe(value))
                .expected("[body, axis] or [sample, body, axis]")
        };
        let tensor = read_tensor(c, value).ok_or_else(unfit)?;
        let tensor = match tensor.rank() {
            2 => tensor.unsqueeze(0)?,
            3 => tensor,
            _ => return Err(unfit()),
        };
        let axis = channel.name.split_once('.').and_then(|(_, rest)| "xyz".find(rest.chars().next()?)).unwrap_or(0);
        // [sample, body, axis] → [sample, 1, body]
        let part = tensor.narrow(2, axis, 1)?.swap(1, 2)?;
        like.get_or_insert_with(|| part.clone());
        parts.push(Some(part));
    }
    let like = like.ok_or_else(|| Error::internal("bodies without positions"))?;
    let shape = like.shape();
    let parts = parts.into_iter().map(|part| match part {
        Some(part) => part.cast(like.precision())?.expand(&shape),
        None => like.full_like(0.0),
    });
    let values = Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)?;
    Ok(Start { values, space: Domain::Bodies(shape.last().copied().unwrap_or(1)) })
}

/// As many samples as the start or a parameter has.
pub(super) fn spread(values: &Tensor, setting: &Setting) -> Result<Tensor> {
    let of = |t: &Tensor| t.shape().first().copied().unwrap_or(1);
    let most = setting.parameters.iter().map(of).fold(of(values), usize::max);
    for (what, samples) in [("the start".to_string(), of(values))]
        .into_iter()
        .chain(setting.named().map(|(name, t)| (format!("`{name}`"), of(t))))
    {
        if samples != 1 && samples != most {
            return Err(Error::shape("start and parameters have different numbers of samples")
                .got(format!("{what} has {samples}, something else {most}"))
                .expected("1, or the same number everywhere"));
        }
    }
    let mut shape = values.shape();
    if let Some(samples) = shape.first_mut() {
        *samples = most;
    }
    values.expand(&shape)
}

/// The means of coefficients at faces.
pub(super) fn means(options: &Options) -> Result<FaceMean> {
    options.choice("mean", &[("arithmetic", FaceMean::Arithmetic), ("harmonic", FaceMean::Harmonic)])
}

/// How derivatives in space are taken.
pub(super) fn space_of(options: &Options) -> Result<Space> {
    let accuracy = options.count_if("accuracy")?;
    if accuracy.is_some_and(|n| ![2, 4, 6].contains(&n)) {
        return Err(options.wrong("accuracy", "2, 4 or 6"));
    }
    let harmonic = means(options)? == FaceMean::Harmonic;
    if harmonic && accuracy.is_some_and(|n| n != 2) {
        return Err(options.wrong("mean", "\"harmonic\" with accuracy 2"));
    }
    match options.string_if("derivatives")?.as_deref() {
        Some("fourier") if harmonic => Err(options.wrong("mean", "\"harmonic\" with derivatives: \"central\"")),
        None if harmonic => Ok(Space::Central(2)),
        None if accuracy.is_some() => Ok(Space::Central(accuracy.unwrap_or(2))),
        None => Ok(Space::Automatic),
        Some("fourier") => Ok(Space::Fourier),
        Some("central") => Ok(Space::Central(accuracy.unwrap_or(2))),
        Some(_) => Err(options.wrong("derivatives", "\"fourier\" or \"central\"")),
    }
}

fn choices(options: &Options, precision: Precision) -> Result<Choices> {
    let space = space_of(options)?;
    let method = options.string_if("scheme")?.map(|name| Method::named(&name)).transpose()?;
    // The least is some ten roundings.
    let (rtol, atol, least) = if precision == Precision::F64 { (1e-8, 1e-10, 2e-15) } else { (1e-5, 1e-7, 1e-6) };
    if options.positive("rtol", rtol)? < least {
        return Err(options.wrong("rtol", &format!("{least:.0e} or more: numbers are rounded to {}", precision.name())));
    }
    let rule = Adaptive {
        rtol: options.positive("rtol", rtol)?,
        atol: options.positive("atol", atol)?,
        ..Adaptive::default()
    };
    if options.get("steps").and_then(number_of).is_some_and(|n| n > MOST_STEPS) {
        return Err(options.wrong("steps", "1 to 1 000 000 000 000 steps between two output times"));
    }
    let steps = options.count_if("steps")?;
    let length = options.get("step").and_then(number_of);
    let steps = match (steps, length, options.get("step")) {
        (Some(_), _, Some(_)) => return Err(options.wrong("steps", "either `steps` or `step`, not both")),
        (Some(0), ..) => return Err(options.wrong("steps", "1 or more")),
        (Some(n), ..) => Steps::Given(StepRule::Fixed(n)),
        (None, Some(h), _) if h > 0.0 && h.is_finite() => Steps::Given(StepRule::MaxStep(h)),
        (None, None, Some(word)) if word.clone().into_string().is_ok_and(|w| w == "adaptive") => Steps::Automatic(rule),
        (None, None, None) => Steps::Automatic(rule),
        _ => return Err(options.wrong("step", "a number greater than 0, or \"adaptive\"")),
    };
    let checkpoints = match options.get("checkpoints") {
        None => Checkpoints::None,
        Some(value) => match (value.clone().into_string().ok().as_deref(), number_of(value)) {
            (Some("none"), _) => Checkpoints::None,
            (Some("sqrt"), _) => Checkpoints::Sqrt,
            (_, Some(n)) if n >= 1.0 && n.fract() == 0.0 => Checkpoints::Every(n as usize),
            _ => return Err(options.wrong("checkpoints", "\"none\", \"sqrt\", or a whole number of steps")),
        },
    };
    let asked = space != Space::Automatic || options.has("transport");
    let transport = options.choice(
        "transport",
        &[
            ("automatic", if asked { Transport::Central } else { Transport::Automatic }),
            ("central", Transport::Central),
            ("upwind", Transport::Upwind),
            ("upwind3", Transport::Upwind3),
            ("weno5", Transport::Weno5),
        ],
    )?;
    if transport != Transport::Central && space == Space::Fourier {
        return Err(options.wrong("transport", "\"central\" with derivatives: \"fourier\""));
    }
    let lanes = [("auto", LaneChoice::Automatic), ("native", LaneChoice::Native), ("burn", LaneChoice::Tensors)];
    let lane = match std::env::var("ANSATZ_LANE") {
        // For a whole run, where a script does not say it: what the compiled lane is compared with.
        Ok(word) if !options.has("lane") && word == "burn" => LaneChoice::Tensors,
        _ => options.choice("lane", &lanes)?,
    };
    Ok(Choices { space, transport, method, steps, checkpoints, dealias: options.boolean("dealias", true)?, lane })
}
