//! `solve(equation, options)` and `solve(equation, guess, options)` in scripts, for equations without time.

use rhai::{Dynamic, Map};

use super::base::Equation;
use super::form::Evolution;
use super::jacobian::Points;
use super::problem::{Space, refuse_unfit};
use super::script_solve::{Domain, grid_of, means, options, result_at, space_of, spread, start, with_parameters};
use super::setting::Setting;
use super::stationary::{Search, solve};
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::field::{Grid, Names};
use crate::script::value::describe;
use crate::script::{Call, Options};
use crate::solve::elliptic::Preconditioner;
use crate::solve::elliptic::krylov::Method;
use crate::tensor::{Precision, Tensor};

/// Keys of the option map that are no parameters of the equation.
pub(crate) const KEYS: [(&str, &str); 12] = [
    ("grid", "the grid, where the guess is no field"),
    ("derivatives", "\"fourier\" or \"central\" (fourier where the grid is periodic)"),
    ("accuracy", "order of central differences: 2, 4 or 6 (2)"),
    (
        "mean",
        "what fields in a of div(a * grad(u)) are at faces between cells: \"arithmetic\", or \"harmonic\", exact for layers that meet at a face (arithmetic)",
    ),
    ("parameters", "a map of parameters, for names that are options too"),
    (
        "tolerance",
        "without dt: the residual relative to the terms of the equation at which to stop (1e-10, in f32 1e-5)",
    ),
    ("iterations", "without dt: most iterations of one linear solve (1000)"),
    ("newton_steps", "without dt: most steps of Newton's method (50)"),
    ("method", "without dt: \"gmres\" or \"bicgstab\", where there is no elimination (gmres)"),
    (
        "preconditioner",
        "without dt: \"direct\" (elimination), \"multigrid\", \"diagonal\" or \"none\" (direct where it takes less than some 10⁹ operations, else multigrid)",
    ),
    ("report", "without dt: return a map of solution, newton_steps, iterations, residual and method (false)"),
    ("quiet", "false prints iterations and residual (true)"),
];

/// Solves the equation in argument 0.
pub(crate) fn stationary(c: &Call, equation: &Equation) -> Result<Dynamic> {
    if c.has(3) {
        return Err(Error::typ("an equation without dt has no times")
            .got(describe(&c.value(2)?))
            .expected("solve(equation, #{ … }) or solve(equation, guess, #{ … })"));
    }
    // solve(equation, #{ … }): without a guess.
    let guessed = c.has(2) || c.object_if::<Map>(1).is_none();
    let at = if guessed { 2 } else { 1 };
    if c.has(at) && c.map(at).is_err() {
        return Err(Error::typ("an equation without dt has no times")
            .got(describe(&c.value(at)?))
            .expected("solve(equation, #{ … }) or solve(equation, guess, #{ … })")
            .advice("leave the times out to solve for a stationary state, or add dt(u) to the equation"));
    }
    let map = if c.has(at) { c.map(at)? } else { Map::new() };
    let options = options(c, map, equation, &KEYS)?;
    let equation = with_parameters(equation, &options, &KEYS)?;
    if equation.has_pairs() {
        return Err(Error::value("equilibria of bodies are not solved for").advice("minimize their potential energy"));
    }
    let given = c.value(1)?;
    let found = grid_of(&given, &options)?;
    let dimensions = found.as_ref().map_or(0, Grid::dimensions);
    refuse_unfit(&equation, found.as_ref().unwrap_or(&Grid::point()))?;
    let stationary = equation.stationary(dimensions)?;
    let names: Names = stationary.channels.iter().map(|channel| channel.name.clone()).collect();
    let context = c.session.context();
    let (values, space) = if guessed {
        let as_evolution = Evolution {
            channels: stationary.channels.clone(),
            rates: stationary.residuals.clone(),
            derived: Vec::new(),
        };
        let start = start(c, &equation, &as_evolution, found, &options, &given)?;
        (start.values, start.space)
    } else {
        let grid = match found {
            Some(grid) => grid,
            None if equation.is_spatial() => return Err(options.missing("grid", "a grid")),
            None => Grid::point(),
        };
        let tensors = equation.parameters().iter().filter_map(|p| p.value.tensor().map(Tensor::precision));
        let precision = tensors.fold(context.precision(), Precision::join);
        let mut shape = vec![1, stationary.channels.len()];
        shape.extend(grid.shape());
        (Tensor::full_in(context, precision, &shape, 0.0)?, Domain::Grid(grid))
    };
    let Domain::Grid(grid) = &space else { return Err(Error::internal("a stationary equation of bodies")) };
    let setting = Setting::new(&equation, grid, context, values.precision())?.with_means(means(&options)?);
    let guess = spread(&values, &setting)?;
    let (fourier, accuracy) = derivatives(&options, grid)?;
    let names_of_unknowns = equation.unknowns().iter().map(|u| u.name.clone()).collect();
    let points = Points { names: names_of_unknowns, setting, accuracy, transport: Transport::Central };
    let (solution, report) = solve(&stationary, &points, fourier, &guess, search(&options)?)?;
    if !options.boolean("quiet", true)? {
        c.session.sink().note(&format!(
            "solve: {}, {} Newton steps, {} iterations, residual {:.1e}",
            report.method, report.newton_steps, report.iterations, report.residual
        ));
    }
    let solution = result_at(&solution, &space, &names)?;
    if !options.boolean("report", false)? {
        return Ok(solution);
    }
    let mut map = Map::new();
    map.insert("solution".into(), solution);
    map.insert("newton_steps".into(), Dynamic::from(report.newton_steps as i64));
    map.insert("iterations".into(), Dynamic::from(report.iterations as i64));
    map.insert("residual".into(), Dynamic::from(report.residual));
    map.insert("method".into(), Dynamic::from(report.method));
    Ok(map.into())
}

/// Whether derivatives are taken in Fourier space, and the order of differences.
fn derivatives(options: &Options, grid: &Grid) -> Result<(bool, usize)> {
    match space_of(options)? {
        Space::Fourier => {
            grid.require_periodic("derivatives: \"fourier\"")?;
            Ok((true, 2))
        }
        Space::Automatic => Ok((grid.is_periodic(), 2)),
        Space::Central(accuracy) => Ok((false, accuracy)),
    }
}

fn search(options: &Options) -> Result<Search> {
    let usual = Search::default();
    let tolerance = options.number_if("tolerance")?;
    if tolerance.is_some_and(|t| !(t > 0.0 && t < 1.0)) {
        return Err(options.wrong("tolerance", "between 0 and 1, such as 1e-8"));
    }
    Ok(Search {
        method: options.choice("method", &[("gmres", usual.method), ("bicgstab", Method::BiCgStab)])?,
        preconditioner: options.choice(
            "preconditioner",
            &[
                ("automatic", Preconditioner::Automatic),
                ("direct", Preconditioner::Direct),
                ("multigrid", Preconditioner::Multigrid),
                ("diagonal", Preconditioner::Diagonal),
                ("none", Preconditioner::None),
            ],
        )?,
        tolerance,
        iterations: options.count("iterations", usual.iterations)?,
        newton_steps: options.count("newton_steps", usual.newton_steps)?.max(1),
    })
}
