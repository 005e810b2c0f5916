//! Reading and checking equations in scripts: `explain`, `symbol`, `residual`, observed orders, conservation.

use rhai::{Dynamic, Map};

use super::base::Equation;
use super::explain::explain;
use super::script_solve::with_parameters;
use super::setting::Setting;
use super::spectral::Spectral;
use crate::error::{Error, Result};
use crate::field::{Field, Grid, SpectralOperator};
use crate::script::registry::{Entry, entry};
use crate::script::{Call, Options};
use crate::tensor::{Complex, Precision};

pub(super) fn equation(c: &Call, i: usize) -> Result<Equation> {
    c.object::<Equation>(i, "an equation: equation(|u| dt(u) - laplacian(u))")
}

/// The option map in argument `i`: keys of the entry and parameters of the equation.
pub(super) fn options(c: &Call, i: usize, keys: &[&str], equation: &Equation) -> Result<Options> {
    let map = if c.has(i) { c.map(i)? } else { Map::new() };
    let options = Options::new(c.name(), map);
    let mut known = keys.to_vec();
    known.extend(equation.parameters().iter().map(|p| p.name.as_str()));
    options.refuse_unknown(&known)?;
    Ok(options)
}

/// The grid in an option.
pub(super) fn grid_option(options: &Options) -> Result<Option<Grid>> {
    let Some(value) = options.get("grid") else { return Ok(None) };
    if let Some(field) = value.read_lock::<Field>() {
        return Ok(Some(field.grid().clone()));
    }
    let grid = value.read_lock::<Grid>().map(|g| g.clone());
    grid.map(Some).ok_or_else(|| options.wrong("grid", "a grid, such as grid::periodic([128], [TAU])"))
}

/// The symbol of the linear part, `[m, m, k…]`, or `[k…]` for one unknown, and whether it is everything.
pub(crate) fn symbol_of(c: &Call, equation: &Equation, grid: &Grid) -> Result<(Complex, bool)> {
    grid.require_periodic("a symbol in Fourier space")?;
    let evolution = equation.evolution(grid.dimensions())?;
    let setting = Setting::new(equation, grid, c.session.context(), Precision::F64)?;
    let lane = Spectral::new(&evolution, setting, false)?;
    let symbol = lane.symbol()?;
    let shape = symbol.shape();
    let [1, tail @ ..] = shape.as_slice() else {
        return Err(Error::shape("a symbol is that of one sample")
            .got(format!("{} values of a parameter", shape.first().copied().unwrap_or(0)))
            .advice("give one value: symbol(equation, grid, #{ nu: 0.1 })"));
    };
    let own = if let [1, 1, k @ ..] = tail { k } else { tail };
    Ok((symbol.map(|t| t.reshape(own))?, lane.is_linear()))
}

/// A linear equation of one unknown as a spectral operator.
pub(crate) fn operator_of(c: &Call, equation: &Equation, grid: &Grid) -> Result<SpectralOperator> {
    let (symbol, all) = symbol_of(c, equation, grid)?;
    if !all || equation.unknowns().len() != 1 || symbol.shape() != grid.spectral_shape() {
        return Err(Error::value("a spectral operator is a linear equation of one unknown, of first order in time")
            .got(equation)
            .advice("symbol(equation, grid) gives the linear part of any equation"));
    }
    SpectralOperator::new(grid.clone(), symbol)
}

pub(super) fn entries() -> Vec<Entry> {
    let mut table = readings();
    table.extend(super::script_residual::entries());
    table.extend(super::script_order::entries());
    table.extend(super::script_conservation::entries());
    table
}

fn readings() -> Vec<Entry> {
    vec![
        entry("explain(equation, [options])")
            .brief("What can be read from an equation, as text of several lines.")
            .text("Residuals, unknowns, parameters, orders and class; the rates it is solved for; the linear part with constant coefficients in Fourier space, λ(k) with \
                   u ~ e^(ikx), a matrix for coupled unknowns, and the rest; what solvers do with it; which of ∫u and ∫u²/2 it keeps.\n\
                   Conserved quantities are found by evaluating the rates of three random smooth states on a periodic box in f64: an integral is kept where the \
                   integral of its rate is below 1e-9 of that of the rate's absolute value. A square decreases where its rate is negative for them, for 0.05, 8, -0.05, -1 and -8 \
                   times them, and at t = 0 and 5. Coefficients that are fields are replaced by random positive ones.")
            .option("grid", "a grid whose number of axes is taken (as many axes as the equation names)")
            .example(
                "let nu = 0.1; explain(equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2)))",
                "equation    u_t + u u_x - nu u_xx = 0\n\
                 unknowns    u\n\
                 parameters  nu = 0.1\n\
                 class       1st order in t, 2nd in space · polynomial of degree 2 in u\n\
                 solved for  d(u)/dt = -u u_x + nu u_xx\n\
                 linear part λ(k) = -nu k²\n\
                 the rest    N(u) = -u u_x\n\
                 solvers     periodic grid: etdrk4: the linear part exact, the rest of fourth order, products dealiased\n            \
                 grid with edges: central differences of order 2, 4 or 6, weno5 for transport, dormand_prince by default; explicit steps shrink as the spacing to the power 2\n\
                 conserved   ∫u\n\
                 decreasing  ∫u²/2\n            \
                 conservative: the rate of each unknown is a divergence\n            \
                 (rates integrated over a periodic box for three random smooth states in f64, to 1e-9)",
            )
            .run(|c| {
                let equation = equation(c, 0)?;
                let options = options(c, 1, &["grid"], &equation)?;
                let equation = with_parameters(&equation, &options, &super::script_solve::KEYS)?;
                explain(&equation, grid_option(&options)?.as_ref(), c.session.context()).map(Dynamic::from)
            }),
        entry("symbol(equation, grid, [options])")
            .brief("The linear part with constant coefficients in Fourier space, λ(k), a Complex.")
            .text("On the half spectrum of a periodic grid: [k…] for one unknown, [m, m, k…] for m coupled ones, rows first, in double precision; 0 where an equation has no such part. \
                   An unknown of second order in time counts twice: with its rate. Options are parameters of the equation.")
            .example("let nu = 0.5; symbol(equation(|u| dt(u) + 3 * dx(u) + u * u - nu * dx(u, 2)), grid::periodic([8], [TAU])).re", "[0, -0.5, -2, -4.5, -8]")
            .example("symbol(equation(|u| dt(dt(u)) - dx(u, 2)), grid::periodic([4], [TAU])).re[[1, 0]]", "[0, -1, -4]")
            .run(|c| {
                let equation = equation(c, 0)?;
                let equation = with_parameters(&equation, &options(c, 2, &["parameters"], &equation)?, &super::script_solve::KEYS)?;
                let grid = crate::field::script::grid(c, 1)?;
                Ok(Dynamic::from(symbol_of(c, &equation, &grid)?.0))
            }),
    ]
}
