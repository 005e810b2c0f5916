//! Equations in scripts: symbols, what primitives mean for them, tracing.

use rhai::{Array, Dynamic, Engine};

use super::expr::{Expr, Op, Rank};
use super::opaque::Opaque;
use super::parameter::Value;
use super::{Equation, script_trace};
use crate::error::{Error, Result};
use crate::script::engine::printable;
use crate::script::registry::{Code, Entry, entry};
use crate::script::value::{Operand, describe, number_of};
use crate::script::{Call, Closure};
use crate::tensor::{Binary, Context, Tensor, Unary};

pub(crate) fn types(engine: &mut Engine) {
    printable::<Expr>(engine, "Symbol");
    printable::<Equation>(engine, "Equation");
}

/// A script value as a symbol: a number, numbers on points, a symbol, or an array as a vector.
pub(crate) fn symbol_of(value: &Dynamic) -> Option<Result<Expr>> {
    if let Some(e) = value.read_lock::<Expr>() {
        return Some(Ok(e.clone()));
    }
    if let Some(n) = number_of(value) {
        return Some(Ok(Expr::number(n)));
    }
    if let Some(array) = value.read_lock::<Array>() {
        let parts = array.iter().map(symbol_of).collect::<Option<Result<Vec<_>>>>()?;
        return Some(parts.and_then(Expr::vector));
    }
    match Operand::of(value)? {
        Operand::Tensor(t) => Some(Ok(Expr::data(Value::Tensor(t)))),
        Operand::Field(f) => Some(Ok(Expr::data(Value::Field(f)))),
        _ => None,
    }
}

/// An array with a symbol in it, as a vector.
pub(crate) fn vector_of(value: &Dynamic) -> Option<Result<Expr>> {
    let array = value.read_lock::<Array>()?;
    if !array.iter().any(|part| part.is::<Expr>()) {
        return None;
    }
    symbol_of(value)
}

fn symbol(c: &Call, i: usize) -> Result<Expr> {
    symbol_of(&c.value(i)?).unwrap_or_else(|| Err(c.wrong(i, "a symbol of an equation, a number or a field")))
}

fn value(e: Result<Expr>) -> Result<Dynamic> {
    e.map(Dynamic::from)
}

/// An operation of which one operand is a symbol.
pub(crate) fn binary(op: Binary, a: &Operand, b: &Operand) -> Result<Operand> {
    let symbol = |o: &Operand| {
        symbol_of(&o.clone().into_dynamic()).unwrap_or_else(|| {
            Err(Error::typ("complex numbers do not stand in equations")
                .advice("write the real and the imaginary part as two unknowns"))
        })
    };
    symbol(a)?.binary(op, &symbol(b)?).map(Operand::Symbol)
}

/// The error of a function that needs numbers.
pub(crate) fn untraceable(e: &Expr) -> Error {
    Error::typ("this function cannot be part of an equation's graph")
        .got(format!("the symbol {e}"))
        .expected("arithmetic, functions of numbers, derivatives, integrals")
        .advice("wrap it: opaque(|u| …, u) is called with tensors when the equation is solved")
}

/// The error of a comparison with a symbol: it has no value while the equation is traced.
pub(crate) fn compared(e: &Expr) -> Error {
    Error::typ("a symbol cannot be compared: it has no value while the equation is traced")
        .got(format!("the symbol {e}"))
        .advice(
            "heaviside(u - 1), maximum, minimum and abs can be traced; a branch on values goes into opaque(|u| where(u > 1, …, …), u)",
        )
}

/// What primitives of other chapters mean when an argument is a symbol, by full name.
pub(crate) fn meanings() -> Vec<(&'static str, Code)> {
    fn of(f: impl Fn(&mut Call) -> Result<Dynamic> + 'static) -> Code {
        std::rc::Rc::new(f)
    }
    let partial = |axis: usize| {
        of(move |c| {
            let order = if c.has(1) { c.count(1)? } else { 1 };
            let order = u8::try_from(order).ok().filter(|n| *n <= 16);
            let order = order.ok_or_else(|| c.unfit(1, "a larger number", "an order of at most 16"))?;
            let mut orders = [0; 3];
            orders[axis.min(2)] = order;
            value(symbol(c, 0)?.partial(orders))
        })
    };
    vec![
        ("dx", partial(0)),
        ("dy", partial(1)),
        ("dz", partial(2)),
        ("laplacian", of(|c| value(symbol(c, 0)?.laplacian()))),
        ("grad", of(|c| value(symbol(c, 0)?.gradient()))),
        ("div", of(|c| value(symbol(c, 0)?.divergence()))),
        ("curl", of(|c| value(symbol(c, 0)?.curl()))),
        ("dot", of(|c| value(symbol(c, 0)?.dot(&symbol(c, 1)?)))),
        ("integral", of(|c| value(symbol(c, 0)?.integral()))),
        (
            "mean",
            of(|c| {
                let e = symbol(c, 0)?;
                value(e.integral()?.div(&Expr::number(1.0).integral()?))
            }),
        ),
        (
            "norm",
            of(|c| {
                let e = symbol(c, 0)?;
                value(match e.rank() {
                    Rank::Scalar => e.unary(Unary::Abs),
                    _ => e.dot(&e)?.unary(Unary::Sqrt),
                })
            }),
        ),
        (
            "clamp",
            of(|c| {
                let low = symbol(c, 0)?.binary(Binary::Max, &symbol(c, 1)?)?;
                value(low.binary(Binary::Min, &symbol(c, 2)?))
            }),
        ),
        ("where", of(|c| Err(compared(&symbol(c, 1).or_else(|_| symbol(c, 2))?)))),
    ]
}

/// A closure as a node. Symbols that it captured, parameters of the equation, become arguments behind its own: it is called with
/// their values, and gradients flow to them.
fn opaque(context: Context, closure: Closure, mut arguments: Vec<Expr>) -> Result<Expr> {
    let captured = closure.captured();
    let symbols = captured.iter().enumerate().filter_map(|(i, value)| Some((i, value.read_lock::<Expr>()?.clone())));
    let (places, symbols): (Vec<usize>, Vec<Expr>) = symbols.unzip();
    let own = arguments.len();
    arguments.extend(symbols);
    let call = move |values: &[Tensor]| {
        let (values, extra) = values.split_at(own.min(values.len()));
        let mut filled = captured.clone();
        for (&place, value) in places.iter().zip(extra) {
            if let Some(slot) = filled.get_mut(place) {
                *slot = Dynamic::from(value.clone());
            }
        }
        closure.with_captured(filled).tensor(&context, values)
    };
    Expr::opaque(std::rc::Rc::new(Opaque::new("f", call)), arguments)
}

fn equation(c: &Call, i: usize) -> Result<Equation> {
    c.object::<Equation>(i, "an equation: equation(|u| dt(u) - laplacian(u))")
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = symbols();
    table.extend(super::script_check::entries());
    table
}

fn symbols() -> Vec<Entry> {
    vec![
        entry("equation(unknowns, [residuals])")
            .brief("An equation from a closure of its unknowns that returns what should vanish, one residual per unknown.")
            .text("The closure is called once with symbols; what it returns is kept as a graph, which solvers, gradients and displays read. \
                   Loops, script functions and arithmetic run while it is traced; a branch on the value of an unknown cannot be traced and is an error.\n\
                   unknowns: names, such as [\"u\", \"v\"], or vector(\"velocity\") for one with a component per axis; left out, the closure's parameters are the \
                   unknowns. Parameters named x, y, z or t that are not listed as unknowns are the coordinates and the time.\n\
                   Variables that the closure captures become parameters by name: solve(…, #{ nu: 0.1 }) replaces one, gradients flow to them, and a \
                   tensor of one number per sample makes them differ between samples.")
            .example("let nu = 0.1; `${equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2))}`", "u_t + u u_x - nu u_xx = 0 · 1st order in t, 2nd in space · polynomial of degree 2 in u · nu = 0.1")
            .example("equation([\"p\", \"q\"], |p, q| [dt(p) + sin(q), dt(q) - p]).unknowns", "[p, q]")
            .run(|c| {
                let (names, at) = if c.has(1) { (Some(c.value(0)?), 1) } else { (None, 0) };
                script_trace::equation(c, names, at).map(Dynamic::from)
            }),
        entry("vector(name)")
            .brief("An unknown of an equation with one component per axis of space.")
            .example("`${equation([vector(\"v\")], |v| [dt(v) + advect(v, v)])}`", "v_t + (v ·∇) v = 0 · 1st order in t, 1st in space · polynomial of degree 2 in v")
            .run(|c| {
                let name = c.string(0)?;
                script_trace::refuse_name(&name)?;
                value(Ok(Expr::unknown(0, &name, Rank::Vector)))
            }),
        entry("dt(u)").brief("∂u/∂t in an equation.").example("`${equation(|u| dt(dt(u)) - dx(u, 2))}`", "u_tt - u_xx = 0 · 2nd order in t, 2nd in space · linear with constant coefficients").run(|c| {
            match c.object_if::<Expr>(0) {
                Some(e) => value(e.time_derivative()),
                None => Err(c.wrong(0, "a symbol of an equation").advice("dt stands in equations: equation(|u| dt(u) - laplacian(u))")),
            }
        }),
        entry("advect(v, u)").brief("(v · ∇) u in an equation, with v a vector: an unknown, grad(p), or an array of components.").example("`${equation(|u| dt(u) + advect([1, 0.5], u))}`", "u_t + ((1, 0.5) ·∇) u = 0 · 1st order in t, 1st in space · linear with constant coefficients").run(|c| {
            value(symbol(c, 0)?.advect(&symbol(c, 1)?))
        }),
        entry("inverse_laplacian(u)").brief("The solution p of Δp = u in an equation, with the edges of the grid; its mean is 0 where they leave it free.").example("`${equation(|w| dt(w) - dy(inverse_laplacian(w)))}`", "w_t - (Δ⁻¹w)_y = 0 · 1st order in t, 1st in space · linear with constant coefficients").run(|c| value(symbol(c, 0)?.inverse_laplacian())),
        entry("opaque(f, [a], [b], [c], [d])")
            .brief("A function of tensors as a node of an equation: a network, a branch on values.")
            .text("f is called with the values of its arguments at the points, [sample, 1, x, …] each, whenever the equation is evaluated, and returns values of the same shape. \
                   Gradients go through it; nothing else is known of it.")
            .example("`${equation(|u| dt(u) - opaque(|u| where(u > 1, 0, u), u))}`", "u_t - f(u) = 0 · 1st order in t, no derivatives in space · nonlinear in u")
            .run(|c| {
                let arguments = (1..c.len()).map(|i| symbol(c, i)).collect::<Result<Vec<_>>>()?;
                let closure = c.closure(0, arguments.len())?;
                opaque(c.session.context().clone(), closure, arguments).map(Dynamic::from)
            }),
        entry("pair_sum(r, f)")
            .brief("Σ over the other bodies j of f(r_j − r_i), in an equation of bodies.")
            .text("r is the position, a vector unknown. Inside of f, a quantity m of one number per body is that of body i, and other(m) that of body j; an n × n tensor is a number per pair.")
            .example("`${equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| d / norm(d) ** 3)])}`", "r_tt - Σⱼ ((rⱼ - rᵢ)/sqrt((rⱼ - rᵢ) · (rⱼ - rᵢ))³) = 0 · 2nd order in t, no derivatives in space · nonlinear in r")
            .run(|c| {
                let r = c.object_if::<Expr>(0).ok_or_else(|| {
                    c.wrong(0, "the position of the bodies, a vector unknown of an equation")
                        .advice("pair_sum stands in equations: equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| …)])")
                })?;
                let d = r.separation()?;
                let closure = c.closure(1, 1)?;
                let body = closure.call([Dynamic::from(d)])?;
                let body = symbol_of(&body).unwrap_or_else(|| {
                    Err(Error::typ("pair_sum: the closure returned something unfit").got(describe(&body)).expected("a symbol"))
                })?;
                value(body.pair_sum())
            }),
        entry("other(m)").brief("The quantity of the other body, inside of pair_sum.").example("let m = tensor([1, 2]); `${equation([vector(\"r\")], |r| [dt(dt(r)) - pair_sum(r, |d| other(m) * d)])}`", "r_tt - Σⱼ (mⱼ (rⱼ - rᵢ)) = 0 · 2nd order in t, no derivatives in space · linear with constant coefficients · m = a tensor [2]").run(|c| value(symbol(c, 0)?.other())),
        entry("latex(equation)").brief("An equation as LaTeX.").example("latex(equation(|u| dt(u) - dx(u, 2)))", "\\begin{aligned} u_{t} - u_{xx} &= 0 \\end{aligned}").run(|c| {
            match c.object_if::<Expr>(0) {
                Some(e) => Ok(e.latex().into()),
                None => Ok(equation(c, 0)?.latex().into()),
            }
        }),
        crate::script::property("equation.unknowns").brief("The names of what an equation is solved for.").example("equation(|u| dt(u) - dx(u)).unknowns", "[u]").run(|c| {
            Ok(equation(c, 0)?.unknowns().iter().map(|u| Dynamic::from(u.name.clone())).collect::<Array>().into())
        }),
    ]
}

/// `equation.parameters`: the captured variables with their values.
pub(crate) fn parameters(equation: &Equation) -> Dynamic {
    let mut map = rhai::Map::new();
    for parameter in equation.parameters() {
        let value = match &parameter.value {
            Value::Number(n) => Dynamic::from(*n),
            Value::Tensor(t) => Dynamic::from(t.clone()),
            Value::Field(f) => Dynamic::from(f.clone()),
        };
        map.insert(parameter.name.as_str().into(), value);
    }
    map.into()
}

/// Whether an expression is a vector unknown made by `vector(name)`.
pub(super) fn declared(e: &Expr) -> Option<(String, Rank)> {
    match e.op() {
        Op::Unknown(_, name) => Some((name.to_string(), e.rank())),
        _ => None,
    }
}
