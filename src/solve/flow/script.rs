//! Flows in scripts.

use rhai::{Array, Dynamic, Engine, Map};

use super::{Advection, Domain, Side, SmokeStep, Staggered, advect, advect_velocity, buoyancy};
use crate::error::Result;
use crate::field::{Edge, Field, Grid, Location};
use crate::script::engine::printable;
use crate::script::registry::{Entry, entry, property};
use crate::script::value::{Operand, number_of, tensor_of};
use crate::script::{Call, Options};
use crate::solve::elliptic::{Incompatible, Solve};
use crate::tensor::Tensor;

pub(crate) fn types(engine: &mut Engine) {
    printable::<Domain>(engine, "FlowDomain");
    printable::<Staggered>(engine, "Staggered");
}

fn domain(c: &Call, i: usize) -> Result<Domain> {
    match c.object_if::<Staggered>(i) {
        Some(velocity) => Ok(velocity.domain().clone()),
        None => c.object::<Domain>(i, "a flow domain, such as flow::domain([32, 32], [1.0, 1.0])"),
    }
}
fn velocity(c: &Call, i: usize) -> Result<Staggered> {
    c.object::<Staggered>(i, "a velocity, such as flow::velocity(domain)")
}
fn smoke(c: &Call, i: usize) -> Result<Field> {
    c.object::<Field>(i, "a field on the cells of the flow")
}

/// Lengths, or `[low, high]` pairs.
fn bounds(c: &Call, i: usize) -> Result<Vec<(f64, f64)>> {
    let wrong = || c.wrong(i, "a length for each axis, or [low, high] for each axis");
    let bound = |part: &Dynamic| match (number_of(part), part.read_lock::<Array>()) {
        (Some(length), _) => Ok((0.0, length)),
        (None, Some(pair)) => match pair.iter().map(number_of).collect::<Option<Vec<_>>>().as_deref() {
            Some([low, high]) => Ok((*low, *high)),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    };
    c.value(i)?.into_array().map_err(|_| wrong())?.iter().map(bound).collect()
}

fn make_domain(c: &mut Call) -> Result<Dynamic> {
    let (points, bounds, o) = (c.shape(0)?, bounds(c, 1)?, c.options(2)?);
    let axes = points.len();
    if axes == 0 || axes > 3 || bounds.len() != axes {
        return Err(c.unfit(
            0,
            format!("{axes} numbers of cells, {} lengths", bounds.len()),
            "one to three axes with a length each",
        ));
    }
    let mut sides = vec![[Side::Closed; 2]; axes];
    for name in o.strings_if("periodic")?.unwrap_or_default() {
        let axis = Grid::NAMES.iter().take(axes).position(|n| *n == name);
        let axis =
            axis.ok_or_else(|| o.wrong("periodic", &format!("names of axes: {}", Grid::NAMES[..axes].join(", "))))?;
        sides[axis] = [Side::Periodic; 2];
    }
    for name in o.strings_if("open")?.unwrap_or_default() {
        let place = Grid::SIDES
            .iter()
            .take(axes)
            .enumerate()
            .find_map(|(axis, pair)| pair.iter().position(|side| *side == name).map(|end| (axis, end)));
        let known = Grid::SIDES[..axes].concat().join(", ");
        let (axis, end) = place.ok_or_else(|| o.wrong("open", &format!("names of sides: {known}")))?;
        if sides[axis][end] == Side::Periodic {
            return Err(o.wrong("open", "a side of an axis that is not periodic"));
        }
        sides[axis][end] = Side::Open;
    }
    let edge = |side: &Side| if *side == Side::Periodic { Edge::Periodic } else { Edge::neumann(0.0) };
    let edges = sides.iter().map(|[low, high]| [edge(low).into(), edge(high).into()]).collect();
    let grid = Grid::new(&points, &bounds, Location::Centres, edges)?;
    let solid = match o.get("obstacles") {
        None => None,
        Some(value) => {
            let context = c.session.context();
            let wrong = || o.wrong("obstacles", "numbers on the cells: 1 where it is solid, 0 elsewhere");
            let mask = match Operand::of(value) {
                Some(operand) => operand.into_tensor(context).ok_or_else(wrong)?,
                None => tensor_of(context, value).map_err(|_| wrong())?,
            };
            Some(Field::new(mask, grid.clone())?)
        }
    };
    Ok(Dynamic::from(Domain::new(&grid, sides, solid.as_ref())?))
}

fn make_velocity(c: &mut Call) -> Result<Dynamic> {
    let (domain, context) = (domain(c, 0)?, c.session.context());
    if !c.has(1) {
        return Ok(Dynamic::from(Staggered::still(&domain, context, 1)?));
    }
    let parts = c.array(1)?;
    if parts.len() != domain.dimensions() {
        return Err(c.unfit(1, format!("{} components", parts.len()), "one for each axis"));
    }
    let samples = parts
        .iter()
        .filter_map(|p| p.read_lock::<Tensor>().filter(|t| t.rank() == domain.dimensions() + 2).map(|t| t.shape()[0]));
    let samples = samples.max().unwrap_or(1);
    let component = |(axis, part): (usize, &Dynamic)| -> Result<Tensor> {
        let wrong = || c.wrong(1, "a number or a tensor for each axis, [sample, 1, faces…]");
        let tensor = match Operand::of(part) {
            Some(operand) => operand.into_tensor(context).ok_or_else(wrong)?,
            None => tensor_of(context, part).map_err(|_| wrong())?,
        };
        // A number is the same at all faces.
        if tensor.len() == 1 {
            tensor.reshape(&[])?.expand(&[&[samples, 1], &domain.faces(axis)[..]].concat())
        } else {
            Ok(tensor)
        }
    };
    let components = parts.iter().enumerate().map(component).collect::<Result<_>>()?;
    Ok(Dynamic::from(Staggered::new(&domain, components)?))
}

/// The options of whatever finds a pressure.
fn pressed(entry: Entry) -> Entry {
    entry
        .option(
            "tolerance",
            "the residual relative to the divergence at which to stop, with obstacles (1e-10, in f32 1e-6)",
        )
        .option("iterations", "most iterations, with obstacles (100)")
}
fn pressure(o: &Options) -> Result<Solve> {
    let base = Solve::default();
    let tolerance = o.number_if("tolerance")?;
    if tolerance.is_some_and(|t| !(t > 0.0 && t < 1.0)) {
        return Err(o.wrong("tolerance", "between 0 and 1, such as 1e-8"));
    }
    Ok(Solve { tolerance, iterations: o.count("iterations", base.iterations)?, incompatible: Incompatible::Remove })
}
fn vector(o: &Options, key: &str, axes: usize) -> Result<Vec<f64>> {
    let vector = o.numbers_if(key)?.unwrap_or_else(|| vec![0.0; axes]);
    if vector.len() == axes { Ok(vector) } else { Err(o.wrong(key, "a number for each axis, such as [0, 1]")) }
}
const METHODS: &[(&str, Advection)] =
    &[("mac_cormack", Advection::MacCormack), ("semi_lagrangian", Advection::SemiLagrangian)];

fn run_advect(c: &mut Call) -> Result<Dynamic> {
    let (flow, dt, o) = (velocity(c, 1)?, c.finite(2)?, c.options(3)?);
    let method = o.choice("method", METHODS)?;
    match c.object_if::<Staggered>(0) {
        Some(_) if o.has("method") && method == Advection::MacCormack => {
            Err(o.wrong("method", "\"semi_lagrangian\" for a velocity"))
        }
        Some(carried) => Ok(Dynamic::from(advect_velocity(&carried, &flow, dt)?)),
        None => Ok(Dynamic::from(advect(&smoke(c, 0)?, &flow, dt, method)?)),
    }
}

fn run_smoke(c: &mut Call) -> Result<Dynamic> {
    let (s, v, o) = (smoke(c, 0)?, velocity(c, 1)?, c.options(2)?);
    let step = SmokeStep {
        dt: o.number("dt", 1.0)?,
        buoyancy: vector(&o, "buoyancy", v.domain().dimensions())?,
        inflow: o.object_if::<Field>("inflow", "a field on the cells of the flow")?,
        advection: o.choice("method", METHODS)?,
        pressure: pressure(&o)?,
    };
    let (s, v) = step.step(&s, &v)?;
    let mut map = Map::new();
    map.insert("smoke".into(), Dynamic::from(s));
    map.insert("velocity".into(), Dynamic::from(v));
    Ok(map.into())
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        entry("flow::domain(points, lengths, [options])")
            .brief("The box of a flow: cells with pressure and smoke at their centres, a velocity at their faces.")
            .text("points: numbers of cells per axis. lengths: per axis a length, or [low, high]. All sides are walls unless they are named.")
            .option("open", "names of sides beyond which the pressure is 0: [\"top\"] of left, right, bottom, top, front, back (none)")
            .option("periodic", "names of axes, [\"x\"] (none)")
            .option("obstacles", "numbers on the cells: solid where they are above ½ (none)")
            .example("flow::domain([32, 40], [32, 40], #{ open: [\"top\"] }).cells.shape", "[32, 40]")
            .run(make_domain),
        property("domain.cells")
            .brief("The cells of a flow domain, as a grid.")
            .example("flow::domain([4, 3], [1, 1]).cells.shape", "[4, 3]")
            .run(|c| Ok(Dynamic::from(domain(c, 0)?.grid().clone()))),
        entry("flow::velocity(domain, [components])")
            .brief("A velocity in a flow domain: at rest, or from a component for each axis.")
            .text("A component is a number, or a tensor [sample, 1, faces…] at the faces across its axis: one more than cells along it, as many where it is \
                   periodic. Sample and channel may be left out.")
            .example("flow::velocity(flow::domain([4, 3], [1, 1]), [1.0, 0.0]).components[0].shape", "[1, 1, 5, 3]")
            .run(make_velocity),
        property("velocity.components")
            .brief("The components of a velocity in a flow, a tensor for each axis.")
            .example("flow::velocity(flow::domain([4, 3], [1, 1])).components.len()", "2")
            .run(|c| Ok(velocity(c, 0)?.components().iter().cloned().map(Dynamic::from).collect::<Array>().into())),
        entry("flow::at_centres(velocity)")
            .brief("The velocity at the centres of cells: a field with a channel for each axis.")
            .example("flow::at_centres(flow::velocity(flow::domain([4, 3], [1, 1]), [2.0, 0.0])).values[[0, 0, 1, 1]]", "2")
            .run(|c| Ok(Dynamic::from(velocity(c, 0)?.at_centres()?))),
        entry("flow::divergence(velocity)")
            .brief("The divergence of a velocity in each cell, a field.")
            .example("max(flow::divergence(flow::velocity(flow::domain([4, 3], [1, 1]), [tensor([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]]), 0.0])))", "4")
            .run(|c| Ok(Dynamic::from(velocity(c, 0)?.divergence()?))),
        pressed(entry("flow::make_incompressible(velocity, [options])"))
            .brief("The nearest velocity without divergence that goes through no wall and no obstacle.")
            .text("Takes away the gradient of the pressure p with Δp = div v: by transforms in a box without obstacles, else by conjugate gradients with \
                   multigrid. Differentiable.")
            .example(
                "let d = flow::domain([8, 8], [1, 1], #{ open: [\"top\"] }); let v = flow::velocity(d, [1.0, 0.5]); \
                 max(abs(flow::divergence(flow::make_incompressible(v)))) < 1e-4",
                "1",
            )
            .run(|c| Ok(Dynamic::from(velocity(c, 0)?.make_incompressible(pressure(&c.options(1)?)?)?.0))),
        entry("flow::advect(x, velocity, dt, [options])")
            .brief("A field of cells, or a velocity, after the flow has carried it for a time.")
            .text("x(t + dt) at a point is x where the point came from, by linear interpolation. \"mac_cormack\" goes forth and back and adds half of what \
                   was lost, within the values around: of second order. Velocities are carried by the first of the two steps alone.")
            .option("method", "of fields: \"mac_cormack\" or \"semi_lagrangian\" (\"mac_cormack\")")
            .example(
                "let d = flow::domain([4, 3], [4, 3], #{ periodic: [\"x\"] }); let s = field(tensor([[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]]), d.cells); \
                 flow::advect(s, flow::velocity(d, [1.0, 0.0]), 1.0).values[[0, 0, ALL, 0]]",
                "[4, 1, 2, 3]",
            )
            .run(run_advect),
        entry("flow::add(a, b, [factor])")
            .brief("The sum a + factor · b of two velocities in one domain.")
            .example("let d = flow::domain([4, 3], [1, 1]); let v = flow::velocity(d, [1.0, 2.0]); max(flow::add(v, v, 0.5).components[1])", "3")
            .run(|c| {
                let factor = if c.has(2) { c.finite(2)? } else { 1.0 };
                let (a, b) = (velocity(c, 0)?, velocity(c, 1)?);
                Ok(Dynamic::from(a.add(&b.map(|_, v| v.scale(factor))?)?))
            }),
        entry("flow::buoyancy(smoke, domain, vector)")
            .brief("The force vector · smoke at the faces of a flow domain, as a velocity per time.")
            .example("let d = flow::domain([4, 3], [1, 1]); max(flow::buoyancy(d.cells.sample(|x, y| 1 + 0 * x), d, [0, 2]).components[1])", "2")
            .run(|c| {
                let (s, d) = (smoke(c, 0)?, domain(c, 1)?);
                Ok(Dynamic::from(buoyancy(&s, &d, &c.numbers(2)?)?))
            }),
        pressed(entry("flow::smoke_step(smoke, velocity, [options])"))
            .brief("Smoke and velocity after a step of an incompressible flow without viscosity: #{ smoke, velocity }.")
            .text("Both are carried by the velocity; the inflow is added to the smoke, then the buoyancy of the smoke to the velocity, which is made \
                   incompressible. Differentiable in all of them.")
            .option("dt", "the step (1)")
            .option("buoyancy", "force per smoke, [0, 1] (0)")
            .option("inflow", "a field: smoke that is added in a unit of time (none)")
            .option("method", "how smoke is carried, \"mac_cormack\" or \"semi_lagrangian\" (\"mac_cormack\")")
            .example(
                "let d = flow::domain([8, 10], [8, 10]); let s = d.cells.sample(|x, y| exp(-((x - 4) ** 2 + (y - 3) ** 2))); let v = flow::velocity(d); \
                 for i in 0..3 { let next = flow::smoke_step(s, v, #{ buoyancy: [0, 0.5] }); s = next.smoke; v = next.velocity; } \
                 abs(sum(s.values * d.cells.points[1]) / sum(s.values)) > 3",
                "1",
            )
            .run(run_smoke),
    ]
}
