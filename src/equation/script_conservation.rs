//! `check::conservation` in scripts: how far integrals drift along a solution.

use rhai::{Dynamic, Map};

use super::script_order::problem;
use super::script_solve::{Course, KEYS, Times};
use crate::error::{Error, Result};
use crate::field::Path;
use crate::script::registry::{Entry, entry};
use crate::script::table::Table;
use crate::script::{Call, Options};
use crate::tensor::{Precision, Tensor, Unary, number};

/// The largest of all elements.
fn largest(t: &Tensor) -> Result<f64> {
    t.max(&[], false)?.item()
}

/// A quantity over time, `[sample, time]`, and its drift relative to a size.
struct Quantity {
    name: String,
    values: Tensor,
    /// `[time]`, the largest of all samples.
    drift: Tensor,
}

impl Quantity {
    /// `sizes`, `[sample, time]`, is what the drift is relative to: the largest over time.
    fn new(name: String, values: Tensor, sizes: &Tensor) -> Result<Self> {
        let size = sizes.max(&[1], true)?.shift(f64::MIN_POSITIVE)?;
        let drift = values.sub(&values.narrow(1, 0, 1)?)?.unary(Unary::Abs)?.div(&size)?.max(&[0], false)?;
        Ok(Self { name, values, drift })
    }
}

/// The sum over points with quadrature weights, `[sample, time]`, of `[sample, time, x…]`.
fn integral(values: &Tensor, weights: &[Tensor]) -> Result<Tensor> {
    let mut weighted = values.clone();
    for weights in weights {
        weighted = weighted.mul(weights)?;
    }
    let axes: Vec<i64> = (2..weighted.rank() as i64).collect();
    if axes.is_empty() { Ok(weighted) } else { weighted.sum(&axes, false) }
}

fn courses(path: &Path, masses: Option<&Tensor>) -> Result<Vec<Quantity>> {
    let values = path.values().detach().cast(Precision::F64)?;
    let weights = match path.grid() {
        Some(grid) => grid.weights(values.context(), Precision::F64)?,
        None => Vec::new(),
    };
    let mut out = Vec::new();
    for (i, name) in path.names().iter().enumerate() {
        let own = values.narrow(2, i, 1)?.squeeze(2)?;
        if path.grid().is_none() {
            // Bodies: sums of m v are momenta, and nothing else is known of them.
            let (Some(masses), true) = (masses, name.ends_with("_t")) else { continue };
            let weighted = own.mul(masses)?;
            let sizes = weighted.unary(Unary::Abs)?.sum(&[2], false)?;
            out.push(Quantity::new(format!("Σ m {name}"), weighted.sum(&[2], false)?, &sizes)?);
            continue;
        }
        let (open, space) =
            path.grid().map_or(("", false), |g| if g.dimensions() > 0 { ("∫", true) } else { ("", false) });
        let sizes = integral(&own.unary(Unary::Abs)?, &weights)?;
        out.push(Quantity::new(format!("{open}{name}"), integral(&own, &weights)?, &sizes)?);
        let squares = integral(&own.mul(&own)?.scale(0.5)?, &weights)?;
        let name = if space { format!("∫{name}²/2") } else { format!("{name}²/2") };
        out.push(Quantity::new(name, squares.clone(), &squares)?);
    }
    Ok(out)
}

fn conservation(c: &mut Call) -> Result<Dynamic> {
    let (origin, own) = problem(c, &["masses"])?;
    let own = Options::new(c.name(), own);
    let path = match c.object_if::<Path>(1) {
        Some(path) => path,
        None => {
            let course = Course::read(c, &origin.equation, &origin.start, origin.options.clone())?;
            let solved =
                c.session.context().without_recording(|| course.solve(c, &Times::plain(origin.times.clone())))?;
            course.path(solved, &origin.times)?
        }
    };
    let masses = match own.get("masses") {
        Some(value) => Some(
            crate::script::value::tensor_of(c.session.context(), value)
                .or_else(|e| {
                    crate::script::value::Operand::of(value).and_then(|o| o.into_tensor(c.session.context())).ok_or(e)
                })?
                .cast(Precision::F64)?,
        ),
        None => None,
    };
    let courses = courses(&path, masses.as_ref())?;
    if courses.is_empty() {
        return Err(Error::value("check::conservation: of bodies nothing is known without their masses")
            .expected("masses: one for each body, where velocities are among the unknowns"));
    }
    let mut table = Table::new(
        format!(
            "drift, t = {} to {}",
            number(path.times().first().copied().unwrap_or(0.0)),
            number(path.times().last().copied().unwrap_or(0.0))
        ),
        ["quantity", "at first", "at last", "largest drift"].map(String::from).to_vec(),
    );
    let mut map = Map::new();
    let mut drift = Map::new();
    for course in &courses {
        let ends = [course.values.narrow(1, 0, 1)?, course.values.narrow(1, path.times().len() - 1, 1)?];
        let worst = largest(&course.drift)?;
        let mean = |t: &Tensor| -> Result<String> { Ok(number(t.mean(&[], false)?.item()?)) };
        table.rows.push(vec![course.name.clone(), mean(&ends[0])?, mean(&ends[1])?, number(worst)]);
        let mut of = Map::new();
        of.insert("values".into(), Dynamic::from(course.values.clone()));
        of.insert("drift".into(), Dynamic::from(course.drift.clone()));
        map.insert(course.name.as_str().into(), of.into());
        drift.insert(course.name.as_str().into(), worst.into());
    }
    map.insert("drift".into(), drift.into());
    map.insert(
        "times".into(),
        Dynamic::from(Tensor::new(c.session.context(), path.times().to_vec(), &[path.times().len()])?),
    );
    c.session.sink().text(&table.to_string());
    Ok(map.into())
}

pub(super) fn entries() -> Vec<Entry> {
    let check = entry("check::conservation(equation, start, [times], [options])")
        .brief("How far ∫u and ∫u²/2 of each unknown drift along a solution.")
        .text("check::conservation(equation, path, options), or check::conservation(equation, start, times, options) with the arguments of solve. Prints a table and returns a map: for each quantity, \
               under names such as \"∫u\" and \"∫u²/2\", #{ values, drift }, values [sample, time] and drift [time]; drift, the largest of each over time and samples; times.\n\
               The drift of ∫u is |∫u(t) − ∫u(0)| divided by the largest ∫|u|, that of ∫u²/2 by its own largest value. It is a property of the solution: an equation with a source drifts. explain says what \
               an equation keeps. For bodies momenta Σ m v, whose masses must be given.")
        .option("masses", "masses of bodies, [body]")
        .example(
            "let eq = equation(|u| dt(u) + u * dx(u)); let d = check::conservation(eq, grid::periodic([32], [TAU]).sample(|x| 2 + sin(x)), linspace(0, 0.5, 3)).drift; d[\"∫u\"] < 1e-5",
            "true",
        )
        .run(conservation);
    vec![KEYS.iter().fold(check, |entry, (key, text)| entry.option(key, text))]
}
