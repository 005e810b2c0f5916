//! `residual(equation, data, options)` in scripts: paths, fields and maps of them.

use rhai::{Dynamic, Map};

use super::expand::component_name;
use super::problem::refuse_unfit;
use super::residual::{Evaluation, Residuals};
use super::script_check::{equation, options};
use super::script_solve::{space_of, with_parameters};
use super::setting::Setting;
use crate::error::{Error, Result};
use crate::field::stencil::fornberg;
use crate::field::{Field, Grid, Names, Path, State};
use crate::script::Call;
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, describe};
use crate::solve::combine;
use crate::tensor::Tensor;

/// Values over times by name.
struct Data {
    /// `[sample, time, x…]`, with one time for what is given at one.
    channels: Vec<(String, Tensor)>,
    times: Option<Vec<f64>>,
    grid: Option<Grid>,
}

impl Data {
    fn read(c: &Call, value: &Dynamic, names: &[String]) -> Result<Self> {
        let mut data = Self { channels: Vec::new(), times: None, grid: None };
        if let Some(map) = value.read_lock::<Map>() {
            for (key, value) in map.iter() {
                data.add(c, value, Some(key.as_str()), names)?;
            }
        } else {
            data.add(c, value, None, names)?;
        }
        Ok(data)
    }
    /// Adds a path, a field or a number under a name, or under the names that it bears, or those of the unknowns.
    fn add(&mut self, c: &Call, value: &Dynamic, key: Option<&str>, unknowns: &[String]) -> Result<()> {
        let wrong = || c.wrong(1, "a path, a field, or a map of them: #{ u: path.u, u_t: … }").got(describe(value));
        let (own, values, at) = if let Some(path) = value.read_lock::<Path>() {
            if self.times.as_ref().is_some_and(|t| t[..] != *path.times()) {
                return Err(Error::shape("residual: the paths have different times"));
            }
            self.times = Some(path.times().to_vec());
            if let Some(grid) = path.grid() {
                self.on(grid)?;
            }
            (path.names().clone(), path.values().clone(), 2)
        } else {
            match Operand::of(value) {
                Some(Operand::Field(field)) => {
                    self.on(field.grid())?;
                    (field.names().clone(), field.values().unsqueeze(1)?, 2)
                }
                Some(Operand::Number(n)) => {
                    (Names::default(), Tensor::scalar(c.session.context(), n).reshape(&[1, 1, 1])?, 2)
                }
                _ => return Err(wrong()),
            }
        };
        let count = values.shape().get(at).copied().unwrap_or(0);
        let named = match key {
            Some(key) if count == 1 => vec![key.to_string()],
            Some(key) => (0..count).map(|axis| component_name(key, axis)).collect(),
            None if own.len() == count => own.to_vec(),
            None if unknowns.len() == count => unknowns.to_vec(),
            None => {
                return Err(Error::shape("residual: the data do not fit the unknowns")
                    .got(format!("{count} channels"))
                    .expected(unknowns.join(", ")));
            }
        };
        for (i, name) in named.into_iter().enumerate() {
            self.channels.push((name, values.narrow(at, i, 1)?.squeeze(at)?));
        }
        Ok(())
    }
    fn on(&mut self, grid: &Grid) -> Result<()> {
        match &self.grid {
            Some(own) if own != grid => {
                Err(Error::shape("residual: data on different grids").got(format!("{own} and {grid}")))
            }
            _ => {
                self.grid = Some(grid.clone());
                Ok(())
            }
        }
    }
    fn of(&self, name: &str) -> Option<&Tensor> {
        self.channels.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }
    /// The state at time number `i`, `[sample, channel, x…]`, with rates by differences where they are not given.
    fn state(&self, residuals: &Residuals, i: usize, accuracy: usize, space: &[usize]) -> Result<Tensor> {
        let mut parts: Vec<Tensor> = Vec::new();
        for channel in &residuals.channels {
            let stem = channel.name.trim_end_matches(&format!("_{}", "t".repeat(channel.rate.max(1)))).to_string();
            // The highest time derivative that is given; the rest by differences.
            let name = |rate: usize| if rate == 0 { stem.clone() } else { format!("{stem}_{}", "t".repeat(rate)) };
            let base = (0..=channel.rate).rev().find_map(|rate| Some((rate, self.of(&name(rate))?)));
            let Some((rate, values)) = base else {
                // One that a constraint gives is not read.
                parts.push(Tensor::scalar(self.context()?, 0.0));
                continue;
            };
            parts.push(self.rate(values, channel.rate - rate, i, accuracy, &channel.name)?);
        }
        let precision =
            parts.iter().filter(|p| p.rank() > 0).map(Tensor::precision).reduce(crate::tensor::Precision::join);
        let samples =
            parts.iter().filter(|p| p.rank() > 0).filter_map(|p| p.shape().first().copied()).max().unwrap_or(1);
        let mut full = vec![samples, 1];
        full.extend_from_slice(space);
        let parts = parts.iter().map(|part| {
            let mut shape = part.shape();
            shape.insert(1.min(shape.len()), 1);
            while shape.len() < full.len() {
                shape.push(1);
            }
            part.reshape(&shape)?.cast(precision.unwrap_or(part.precision()))?.expand(&full)
        });
        Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)
    }
    fn context(&self) -> Result<&crate::tensor::Context> {
        self.channels.first().map(|(_, t)| t.context()).ok_or_else(|| Error::value("residual: there are no data"))
    }
    /// The `order`-th difference over the times at time number `i`, `[sample, x…]`.
    fn rate(&self, values: &Tensor, order: usize, i: usize, accuracy: usize, name: &str) -> Result<Tensor> {
        let own = values.shape().get(1).copied().unwrap_or(1);
        if order == 0 {
            return values.select(1, if own == 1 { 0 } else { i as i64 });
        }
        let times = self.times.as_deref().unwrap_or_default();
        if own == 1 && times.len() > 1 {
            return values.select(1, 0)?.full_like(0.0);
        }
        if own <= order {
            return Err(Error::value(format!("residual: `{name}` is not known"))
                .got(format!("{own} time{}", if own == 1 { "" } else { "s" }))
                .expected(format!("a path of {} times or more, or #{{ {name}: … }}", order + 1)));
        }
        let width = (accuracy + order).min(own);
        let first = i.saturating_sub(width / 2).min(own - width);
        let (window, t) = (times.get(first..first + width).unwrap_or_default(), times.get(i).copied().unwrap_or(0.0));
        let slices = (first..first + width).map(|k| values.select(1, k as i64)).collect::<Result<Vec<_>>>()?;
        let weights = fornberg(t, window, order);
        combine(&weights.into_iter().zip(&slices).collect::<Vec<_>>())
    }
}

/// Options that are no parameters.
const KEYS: [&str; 9] =
    ["dealias", "derivatives", "accuracy", "time_accuracy", "time", "other", "factors", "parameters", "grid"];

fn residual(c: &mut Call) -> Result<Dynamic> {
    let equation = equation(c, 0)?;
    let options = options(c, 2, &KEYS, &equation)?;
    let equation = with_parameters(&equation, &options, &super::script_solve::KEYS)?;
    let unknowns: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
    let data = Data::read(c, &c.value(1)?, &unknowns)?;
    let grid = match super::script_check::grid_option(&options)? {
        Some(grid) => grid,
        None => data.grid.clone().unwrap_or_else(Grid::point),
    };
    let pairs = equation.has_pairs();
    if !pairs {
        refuse_unfit(&equation, &grid)?;
    }
    let bodies = data.channels.first().and_then(|(_, t)| t.shape().last().copied()).unwrap_or(1);
    let axes = |name: &str| {
        data.channels.iter().filter(|(n, _)| n.split('.').next() == Some(name) && !n.contains('_')).count()
    };
    let dimensions = match (pairs, unknowns.first()) {
        (true, Some(first)) => axes(first).clamp(1, 3),
        _ => grid.dimensions(),
    };
    let held: Vec<usize> = options.ints_if("factors")?.unwrap_or_default().into_iter().map(|n| n as usize).collect();
    let residuals = equation.residuals_of(dimensions, &|name| data.of(name).is_some(), &held)?;
    for channel in residuals.channels.iter().take(residuals.unknowns) {
        let read = residuals
            .rows
            .iter()
            .any(|row| row.any(&mut |op| matches!(op, super::expr::Op::Unknown(_, n) if **n == channel.name)));
        if read && data.of(&channel.name).is_none() {
            let got = data.channels.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::value(format!("residual: there are no data for `{}`", channel.name)).got(got));
        }
    }
    let precision = data.channels.iter().map(|(_, t)| t.precision()).reduce(crate::tensor::Precision::join);
    let precision = precision.ok_or_else(|| Error::value("residual: there are no data"))?;
    let context = c.session.context();
    let setting = match pairs {
        true => Setting::bodies(&equation, bodies, context, precision)?,
        false => Setting::new(&equation, &grid, context, precision)?,
    };
    let space = setting.space.clone();
    let dealias = options.boolean("dealias", false)?;
    let evaluation = Evaluation::new(&equation, &residuals, setting, space_of(&options)?, dealias)?;
    let other = options.get("other").map(|value| Data::read(c, value, &unknowns)).transpose()?;
    if other.is_some() != !held.is_empty() {
        return Err(options.wrong(
            if held.is_empty() { "factors" } else { "other" },
            "`other`, another path or field, together with `factors`, numbers of factors",
        ));
    }
    let accuracy = options.count("time_accuracy", 4)?.clamp(1, 8);
    let at = |i: usize, t: f64| -> Result<Tensor> {
        let state = data.state(&residuals, i, accuracy, &space)?;
        let other = other.as_ref().map(|other| other.state(&residuals, i, accuracy, &space)).transpose()?;
        evaluation.at(t, &state, other.as_ref())
    };
    let names: Names = residuals.channels.iter().take(residuals.unknowns).map(|channel| channel.name.clone()).collect();
    let Some(times) = &data.times else {
        let values = at(0, options.number("time", 0.0)?)?;
        return match pairs {
            true => Ok(Dynamic::from(values)),
            false => Field::new(values, grid)?.named(names).map(Dynamic::from),
        };
    };
    let state = |(i, t): (usize, &f64)| {
        Ok(State { values: at(i, *t)?, grid: (!pairs).then(|| grid.clone()), names: names.clone() })
    };
    let states = times.iter().enumerate().map(state).collect::<Result<Vec<_>>>()?;
    Path::new(&states, times).map(Dynamic::from)
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("residual(equation, data, [options])")
            .brief("What is left of an equation when data are put into it: 0 for a solution.")
            .text("data: a path of the unknowns, a field, or a map of paths and fields by name. Time derivatives are differences over the times of a path, central inside and \
                   one-sided at its ends, where they are not given by name: #{ u: path.u, u_t: … }. An unknown without data is taken from its constraint. The result is a path or a field \
                   with a channel for each unknown; it is 0 at nodes whose value an edge gives. Gradients go to the data and the parameters.\n\
                   Products may take some of their factors from another state: factors: [1], other: v makes u dx(u) the bilinear u dx(v). Factors are counted from 0 as they are read.\n\
                   Options are also parameters of the equation.")
            .option("derivatives", "\"fourier\" or \"central\" (fourier where the grid is periodic)")
            .option("accuracy", "order of central differences in space: 2, 4 or 6 (2)")
            .option("dealias", "whether products lose the modes above a third, as those of solve do (false: the data as they are)")
            .option("time_accuracy", "order of differences in time, as far as there are times (4)")
            .option("time", "the time of a field, where the equation speaks of t (0)")
            .option("other", "a path or field of the unknowns, for some factors")
            .option("factors", "which factors of products are taken from `other` ([])")
            .option("parameters", "a map of parameters, for names that are options too")
            .option("grid", "the grid, where the data have none")
            .example(
                "let g = grid::periodic([16], [TAU]); let u = g.sample(|x| sin(x)); max(abs(residual(equation(|u| dx(u, 2) + u), u))) < 1e-5",
                "1",
            )
            .example(
                "let eq = equation(|u| dt(u) - dx(u, 2)); let path = solve(eq, grid::periodic([16], [TAU]).sample(|x| sin(x)), linspace(0, 1, 21)); max(abs(residual(eq, path).values)) < 1e-3",
                "1",
            )
            .run(residual),
    ]
}
