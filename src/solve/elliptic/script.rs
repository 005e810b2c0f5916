//! Equations without time and linear systems in scripts.

use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::krylov::{Method, Operator, Stop, linear_solve};
use super::{Diffusion, FaceMean, Incompatible, Solve, SolveReport, poisson};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::script::registry::{Entry, entry};
use crate::script::value::Operand;
use crate::script::{Call, Closure, Options};
use crate::tensor::{Context, Tensor};

const REMOVE: &str = "where a solution exists only for balanced f: \"refuse\" one whose mean is above 1 % of its root mean square, or \"remove\" the mean (\"refuse\")";

fn incompatible(o: &Options) -> Result<Incompatible> {
    o.choice("incompatible", &[("refuse", Incompatible::Refuse), ("remove", Incompatible::Remove)])
}
/// A number, a tensor or a field as a coefficient.
fn coefficient(context: &Context, o: &Options, key: &str) -> Result<Option<Tensor>> {
    let Some(value) = o.get(key) else { return Ok(None) };
    let tensor = Operand::of(value).and_then(|operand| operand.into_tensor(context));
    tensor.map(Some).ok_or_else(|| o.wrong(key, "a number, a tensor or a field"))
}

fn run_poisson(c: &mut Call) -> Result<Dynamic> {
    let (f, o) = (c.object::<Field>(0, "a field: the right-hand side")?, c.options(1)?);
    let unknown = o.string_if("unknown")?;
    Ok(Dynamic::from(poisson(&f, o.number("c", 0.0)?, unknown.as_deref(), incompatible(&o)?)?))
}

fn run_elliptic(c: &mut Call) -> Result<(Dynamic, SolveReport)> {
    let (f, o) = (c.object::<Field>(0, "a field: the right-hand side")?, c.options(1)?);
    let context = c.session.context();
    let base = Solve::default();
    let how = Solve {
        tolerance: o.number_if("tolerance")?,
        iterations: o.count("iterations", base.iterations)?,
        incompatible: incompatible(&o)?,
    };
    if how.tolerance.is_some_and(|t| !(t > 0.0 && t < 1.0)) {
        return Err(o.wrong("tolerance", "between 0 and 1, such as 1e-8"));
    }
    let problem = Diffusion {
        a: coefficient(context, &o, "a")?.unwrap_or_else(|| Tensor::scalar(context, 1.0)),
        c: coefficient(context, &o, "c")?,
        mean: o.choice("mean", &[("arithmetic", FaceMean::Arithmetic), ("harmonic", FaceMean::Harmonic)])?,
    };
    let (u, report) = problem.solve(&f, o.string_if("unknown")?.as_deref(), how)?;
    Ok((Dynamic::from(u), report))
}

/// A solution with how it was found.
fn reported(c: &Call, (x, report): (Dynamic, SolveReport)) -> Result<Dynamic> {
    let (mut map, len) = (Map::new(), report.history.len());
    map.insert("x".into(), x);
    map.insert("iterations".into(), Dynamic::from(report.iterations as i64));
    map.insert("residual".into(), report.residual.into());
    map.insert("residuals".into(), Dynamic::from(Tensor::from_vec(c.session.context(), report.history, &[len])?));
    map.insert("method".into(), report.method.into());
    Ok(map.into())
}

/// A closure as a linear function of tensors; fields are handed over as fields.
fn operator(context: &Context, closure: Closure, field: Option<Field>) -> Operator {
    let context = context.clone();
    Rc::new(move |x: &Tensor| {
        let argument = match &field {
            Some(field) => Dynamic::from(field.with(x.clone())?),
            None => Dynamic::from(x.clone()),
        };
        let value = closure.call([argument])?;
        Operand::of(&value).and_then(|operand| operand.into_tensor(&context)).ok_or_else(|| {
            Error::typ("the operator of a linear system returned something unfit")
                .got(crate::script::value::describe(&value))
                .expected("a tensor or a field")
        })
    })
}

fn run_linear(c: &mut Call) -> Result<(Dynamic, SolveReport)> {
    let (closure, o) = (c.closure(0, 1)?, c.options(2)?);
    let field = c.object_if::<Field>(1);
    let b = c.tensor(1)?;
    let context = c.session.context();
    let restart = o.count("restart", 30)?.max(1);
    let method = o.choice(
        "method",
        &[("gmres", Method::Gmres { restart }), ("cg", Method::ConjugateGradients), ("bicgstab", Method::BiCgStab)],
    )?;
    let usual = Stop::usual(b.precision());
    let stop = Stop {
        tolerance: o.positive("tolerance", usual.tolerance)?,
        iterations: o.count("iterations", usual.iterations)?,
    };
    let a = operator(context, closure, field.clone());
    let preconditioner = o.closure_if("preconditioner", 1)?.map(|m| operator(context, m, field.clone()));
    let guess = coefficient(context, &o, "guess")?;
    let (x, report) =
        linear_solve(method, &a, &b, guess.as_ref(), preconditioner.as_ref(), stop, o.boolean("symmetric", false)?)?;
    context.without_recording(|| refuse_nonlinear(&a, &x.detach(), &b.detach(), report.residual))?;
    let x = match field {
        Some(field) => Dynamic::from(field.with(x)?),
        None => Dynamic::from(x),
    };
    Ok((x, report))
}

/// Refuses an operator that is affine or not linear: the iteration would solve something else, and its own residual not show it.
fn refuse_nonlinear(a: &Operator, x: &Tensor, b: &Tensor, residual: f64) -> Result<()> {
    let size = |t: &Tensor| t.unary(crate::tensor::Unary::Square)?.sum_all()?.item().map(f64::sqrt);
    let at_zero = size(&a(&x.full_like(0.0)?)?)?;
    if at_zero > 0.0 {
        return Err(Error::value("the closure of a linear system is not linear")
            .got(format!("|operator(0)| = {}", crate::tensor::number(at_zero)))
            .expected("operator(0) = 0")
            .advice("move what does not depend on the unknown to the right-hand side: operator(x) - operator(0), b - operator(0)"));
    }
    let (left, scale) = (size(&b.sub(&a(x)?)?)?, size(b)?);
    if left > scale * (100.0 * residual).max(1e-3) {
        return Err(Error::value("the closure of a linear system is not linear")
            .got(format!(
                "|b − operator(x)| / |b| = {:.1e} where a linear operator would leave {residual:.1e}",
                left / scale
            ))
            .advice("solve(equation, #{ … }) solves nonlinear equations; minimize finds the x that fits best"));
    }
    Ok(())
}

/// The options of both ways to solve an elliptic problem.
fn diffusive(entry: Entry) -> Entry {
    entry
        .option("a", "the diffusivity: a number, tensor or field, 0 or more (1)")
        .option("c", "the reaction: a number, tensor or field (0)")
        .option(
            "mean",
            "of a at faces: \"arithmetic\", or \"harmonic\", exact for layers that meet at a face (\"arithmetic\")",
        )
        .option("tolerance", "the residual relative to f at which to stop (1e-10, in f32 1e-6)")
        .option("iterations", "most iterations (100)")
        .option("incompatible", REMOVE)
        .option("unknown", "the name whose edges hold, where a grid has edges by name")
}
/// The options of both ways to solve a linear system.
fn linear(entry: Entry) -> Entry {
    entry
        .option(
            "method",
            "\"gmres\", \"cg\" for symmetric positive definite operators, \"bicgstab\" for less memory (\"gmres\")",
        )
        .option("tolerance", "|b − A x| / |b| at which to stop (1e-10, in f32 1e-5)")
        .option("iterations", "most iterations (1000)")
        .option("preconditioner", "a closure |r| near the inverse of the operator (none)")
        .option("guess", "where to begin (0)")
        .option("restart", "vectors that gmres keeps (30)")
        .option("symmetric", "the operator is its own transpose (false; true for \"cg\")")
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        entry("poisson(f, [options])")
            .brief("The solution of −Δu + c u = f with constant c, by transforms: exact for the second-order stencil, n log n.")
            .text("On the grid of f with its edges: periodic, Dirichlet and Neumann in any combination, with their values, at centres or nodes. \
                   At nodes with a Dirichlet condition u is the condition's value. Without such an edge and with c = 0 the solution is known up to a \
                   constant; the one with mean 0 is returned. Gradients reach f and the values of the edges.")
            .option("c", "a number (0)")
            .option("incompatible", REMOVE)
            .option("unknown", "the name whose edges hold, where a grid has edges by name")
            .example("let g = grid::periodic([32, 32], [TAU, TAU]); let u = g.sample(|x, y| sin(x) * cos(2 * y)); max(abs(poisson(5 * u) - u)) < 2e-2", "1")
            .run(run_poisson),
        diffusive(entry("elliptic(f, [options])"))
            .brief("The solution of −div(a grad u) + c u = f with a and c that vary, by conjugate gradients with multigrid.")
            .text("Finite volumes on the cells of the grid of f, with its edges: periodic, Dirichlet, Neumann and Robin. A Dirichlet value holds half a cell \
                   outside of the outer centres. Iterations do not grow with the grid; the iteration runs in double precision. \
                   Gradients reach f, a, c and the values of the edges by one more solve.")
            .example(
                "let g = grid::periodic([32], [TAU]); let x = g.sample(|x| x); \
                 let u = elliptic(sin(x) + cos(x), #{ a: 2.0, c: 1.0 }); max(abs(u - (sin(x) + cos(x)) / 3)) < 1e-2",
                "1",
            )
            .run(|c| run_elliptic(c).map(|(u, _)| u)),
        diffusive(entry("elliptic_history(f, [options])"))
            .brief("As elliptic, with how it was found: #{ x, iterations, residual, residuals, method }.")
            .text("residuals: relative to f, before each iteration and at the end; the largest of all samples.")
            .example("let g = grid::periodic([64, 64], [TAU, TAU]); elliptic_history(g.sample(|x, y| sin(x + y)), #{ c: 1.0 }).iterations < 12", "true")
            .run(|c| run_elliptic(c).and_then(|found| reported(c, found))),
        linear(entry("linear_solve(operator, b, [options])"))
            .brief("The x with operator(x) = b, for a closure that is linear in x, by a Krylov method.")
            .text("b: a tensor or a field; x has its form. Axis 0 counts samples, which are systems of their own; a tensor of one axis is a single system. \
                   Gradients reach b and everything that the closure uses, by a solve with the transpose, which is found by differentiating the closure.")
            .example("linear_solve(|x| 3 * x + roll(x, 1, 0), tensor([4, 4, 4, 4]))", "[1, 1, 1, 1]")
            .run(|c| run_linear(c).map(|(x, _)| x)),
        linear(entry("linear_solve_history(operator, b, [options])"))
            .brief("As linear_solve, with how it was found: #{ x, iterations, residual, residuals, method }.")
            .example("linear_solve_history(|x| 2 * x, tensor([4, 4]), #{ method: \"cg\" }).iterations", "1")
            .run(|c| run_linear(c).and_then(|found| reported(c, found))),
    ]
}
