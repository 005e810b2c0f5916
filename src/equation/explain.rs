//! What can be read from an equation, as text: residuals, orders, class, linear part, solvers, conserved quantities.

use std::fmt::Write;

use super::base::Equation;
use super::class::{Class, Facts};
use super::conserved::{Fate, Quantity, fates};
use super::expr::{Expr, Op, Rank};
use super::form::Evolution;
use super::split;
use crate::error::Result;
use crate::field::Grid;
use crate::tensor::{Context, Unary};

/// Names of wavenumbers in one dimension and in more.
const WAVENUMBERS: [&str; 3] = ["kx", "ky", "kz"];

/// Reads an equation. Without a grid it is read in as many dimensions as it names, and on a periodic box.
///
/// # Errors
/// None of what is merely unfit for a solver: that is said in the text.
pub fn explain(equation: &Equation, grid: Option<&Grid>, context: &Context) -> Result<String> {
    let mut out = String::new();
    let facts = Facts::of(equation);
    for (i, residual) in equation.residuals().iter().enumerate() {
        line(&mut out, if i == 0 { "equation" } else { "" }, &format!("{residual} = 0"));
    }
    let unknowns = equation.unknowns().iter().map(|u| match u.rank {
        Rank::Vector => format!("{} (vector)", u.name),
        _ => u.name.clone(),
    });
    line(&mut out, "unknowns", &unknowns.collect::<Vec<_>>().join(", "));
    let parameters: Vec<String> = equation.parameters().iter().map(|p| format!("{} = {}", p.name, p.value)).collect();
    if !parameters.is_empty() {
        line(&mut out, "parameters", &parameters.join(", "));
    }
    line(&mut out, "class", &facts.to_string());
    let dimensions = grid.map_or(equation.least_dimensions(), Grid::dimensions);
    if !equation.is_evolution() {
        stationary(&mut out, &facts, grid);
        return Ok(out.trim_end().to_string());
    }
    let dimensions = if equation.has_pairs() { dimensions.max(2) } else { dimensions };
    match equation.evolution(dimensions) {
        Ok(evolution) => {
            rates(&mut out, &evolution);
            let linear = if dimensions > 0 && !equation.has_pairs() {
                symbol(&mut out, equation, &evolution, dimensions)?
            } else {
                None
            };
            let shocks = super::transport::forms_shocks(&evolution);
            solvers(&mut out, equation, &facts, linear, grid, shocks);
            // Kicks and drifts are for forces that depend on positions alone.
            let symplectic = !super::system::velocities(&evolution).is_empty();
            if let Some(grid) = grid.filter(|grid| grid.is_periodic() && grid.dimensions() > 0) {
                let text = match super::native::reason(equation, &evolution, grid, context) {
                    Ok(None) => {
                        let others = if symplectic { ", symplectic" } else { "" };
                        format!(
                            "compiled: explicit, exponential{others} and implicit-explicit steps of given length on the CPU"
                        )
                    }
                    Ok(Some(reason)) => format!("one tensor operation after the other: {reason}"),
                    Err(error) => format!("not decided: {}", error.what()),
                };
                line(&mut out, "lane", &text);
            } else if let Some(grid) = grid {
                let text = match super::points::reason(equation, &evolution, grid, context) {
                    Ok(None) => {
                        let others = if symplectic { " and symplectic" } else { "" };
                        format!("compiled: explicit{others} steps of given length on the CPU")
                    }
                    Ok(Some(reason)) => format!("one tensor operation after the other: {reason}"),
                    Err(error) => format!("not decided: {}", error.what()),
                };
                line(&mut out, "lane", &text);
            }
            conserved(&mut out, equation, &evolution, dimensions, context);
        }
        Err(error) => line(&mut out, "solvers", &format!("none: {}", error.what())),
    }
    Ok(out.trim_end().to_string())
}

fn line(out: &mut String, label: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{label:<11} {text}");
}

fn rates(out: &mut String, evolution: &Evolution) {
    for (i, (channel, rate)) in evolution.channels.iter().zip(&evolution.rates).enumerate() {
        line(out, if i == 0 { "solved for" } else { "" }, &format!("d({})/dt = {rate}", channel.name));
    }
    for (name, value) in &evolution.derived {
        line(out, "", &format!("{name} = {value}"));
    }
}

/// What the linear part with constant coefficients is.
struct Parts {
    /// Whether there is one.
    any: bool,
    /// Whether there is nothing else.
    all: bool,
}

/// The linear part in Fourier space, and the rest.
fn symbol(out: &mut String, equation: &Equation, evolution: &Evolution, dimensions: usize) -> Result<Option<Parts>> {
    let constant = |e: &Expr| is_constant(equation, e);
    let m = evolution.channels.len();
    let (mut entries, mut rest) = (vec![vec![Vec::new(); m]; m], Vec::new());
    for (row, rate) in entries.iter_mut().zip(&evolution.rates) {
        let mut others = Vec::new();
        for (c, body) in split::terms(rate, &constant)? {
            match split::linear(&body) {
                Some(linear) => {
                    row.get_mut(linear.channel).into_iter().for_each(|entry| entry.push((c.clone(), linear)))
                }
                None => others.push((c, body)),
            }
        }
        rest.push(split::sum(&others)?);
    }
    let any = entries.iter().flatten().any(|entry| !entry.is_empty());
    let entries: Vec<Vec<String>> =
        entries.iter().map(|row| row.iter().map(|entry| entry_text(entry, dimensions)).collect()).collect();
    let mark = if dimensions == 1 { "k" } else { "k⃗" };
    match entries.as_slice() {
        [row] if any => line(out, "linear part", &format!("λ({mark}) = {}", row.join(""))),
        _ if any => {
            let widths: Vec<usize> = (0..m)
                .map(|j| entries.iter().filter_map(|r| r.get(j)).map(|e| e.chars().count()).max().unwrap_or(0))
                .collect();
            for (i, row) in entries.iter().enumerate() {
                let cells =
                    row.iter().zip(&widths).map(|(e, w)| format!("{e}{}", " ".repeat(w - e.chars().count().min(*w))));
                let label = if i == 0 { format!("L({mark}) = ") } else { " ".repeat(6 + mark.chars().count()) };
                line(
                    out,
                    if i == 0 { "linear part" } else { "" },
                    &format!("{label}[ {} ]", cells.collect::<Vec<_>>().join("  ")),
                );
            }
        }
        _ => line(out, "linear part", "none with constant coefficients"),
    }
    let all = rest.iter().all(|r| r.as_number() == Some(0.0));
    if all {
        line(out, "the rest", "nothing");
    }
    let mut first = true;
    for (channel, rest) in evolution.channels.iter().zip(&rest) {
        if rest.as_number() != Some(0.0) {
            line(out, if first { "the rest" } else { "" }, &format!("N({}) = {rest}", channel.name));
            first = false;
        }
    }
    Ok(Some(Parts { any, all }))
}

/// Whether an expression is one number at all points and times.
fn is_constant(equation: &Equation, e: &Expr) -> bool {
    !e.any(&mut |op| match op {
        Op::Number(_) | Op::Unary(..) | Op::Binary(..) => false,
        Op::Parameter(index, _) => !equation.parameters().get(*index).is_some_and(|p| p.value.is_uniform(&[])),
        Op::Data(value) => !value.is_uniform(&[]),
        _ => true,
    })
}

/// `Σ c (ik)ⁿ` as text.
fn entry_text(terms: &[(Expr, split::Linear)], dimensions: usize) -> String {
    let mut left: Vec<(bool, String, split::Linear)> = terms
        .iter()
        .map(|(c, linear)| {
            let (negative, text) = magnitude(c);
            (negative, text, *linear)
        })
        .collect();
    let mut out: Vec<(bool, String)> = Vec::new();
    while !left.is_empty() {
        let (negative, c, linear) = left.remove(0);
        // A term for each axis with one coefficient is the square of the whole wave vector.
        let twice = |axis: usize| {
            let mut orders = [0; 3];
            if let Some(order) = orders.get_mut(axis) {
                *order = 2;
            }
            orders
        };
        let mates: Vec<usize> = (1..dimensions)
            .filter_map(|axis| {
                left.iter().position(|(n, d, l)| {
                    *n == negative && *d == c && l.orders == twice(axis) && l.inverse == linear.inverse
                })
            })
            .collect();
        let whole = dimensions > 1 && linear.orders == twice(0) && mates.len() + 1 == dimensions;
        if whole {
            let mut index = 0;
            left.retain(|_| {
                index += 1;
                !mates.contains(&(index - 1))
            });
        }
        out.push(term_text(negative, &c, &linear, dimensions, whole));
    }
    if out.is_empty() {
        return "0".into();
    }
    let mut text = String::new();
    for (i, (negative, term)) in out.iter().enumerate() {
        text += match (i, negative) {
            (0, true) => "-",
            (0, false) => "",
            (_, true) => " - ",
            (_, false) => " + ",
        };
        text += term;
    }
    text
}

/// The sign of a coefficient and the rest of it; nothing for 1.
fn magnitude(c: &Expr) -> (bool, String) {
    let bracketed = |e: &Expr| match e.op() {
        Op::Binary(crate::tensor::Binary::Add | crate::tensor::Binary::Sub, ..) => format!("({e})"),
        _ => e.to_string(),
    };
    match c.op() {
        Op::Number(n) => (*n < 0.0, if n.abs() == 1.0 { String::new() } else { crate::tensor::number(n.abs()) }),
        Op::Unary(Unary::Neg, inner) => {
            let (negative, text) = magnitude(inner);
            (!negative, text)
        }
        _ => (false, bracketed(c)),
    }
}

/// The sign and the text of `c (i k)ⁿ (−|k|²)⁻ᵖ`.
fn term_text(negative: bool, c: &str, linear: &split::Linear, dimensions: usize, whole: bool) -> (bool, String) {
    let power = |base: &str, n: usize| match n {
        0 => String::new(),
        1 => base.to_string(),
        n => {
            let digits = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"];
            let raised: String =
                n.to_string().chars().filter_map(|d| digits.get(d.to_digit(10)? as usize).copied()).collect();
            format!("{base}{raised}")
        }
    };
    let turns: usize = linear.orders.iter().map(|&n| usize::from(n)).sum();
    let negative = negative ^ (turns % 4 >= 2) ^ (linear.inverse % 2 == 1);
    let mut factors: Vec<String> = Vec::new();
    factors.push(c.to_string());
    if turns % 2 == 1 {
        factors.push("i".into());
    }
    if whole {
        factors.push("|k|²".into());
    } else {
        for (axis, &n) in linear.orders.iter().enumerate() {
            let name = if dimensions == 1 { "k" } else { WAVENUMBERS.get(axis).copied().unwrap_or("k") };
            factors.push(power(name, usize::from(n)));
        }
    }
    let mut text = factors.into_iter().filter(|f| !f.is_empty()).collect::<Vec<_>>().join(" ");
    if linear.inverse > 0 {
        let base = if dimensions == 1 { "k" } else { "|k|" };
        text =
            format!("{}/{}", if text.is_empty() { "1" } else { &text }, power(base, 2 * usize::from(linear.inverse)));
    }
    (negative, if text.is_empty() { "1".into() } else { text })
}

fn solvers(
    out: &mut String,
    equation: &Equation,
    facts: &Facts,
    linear: Option<Parts>,
    grid: Option<&Grid>,
    shocks: bool,
) {
    let mut lines = Vec::new();
    if equation.has_pairs() {
        lines.push(
            "bodies: forces at points, dormand_prince by default; verlet and yoshida4 where no force depends on a rate"
                .into(),
        );
    } else if !equation.is_spatial() && grid.is_none() {
        lines.push("numbers over time: dormand_prince by default".to_string());
    } else {
        let fourier = match linear {
            _ if shocks => "weno5 for transport (nothing smooths, so shocks form), dormand_prince by default",
            Some(Parts { all: true, any: true }) => "exact steps of any length",
            Some(Parts { any: true, .. }) => {
                "etdrk4: the linear part exact, the rest of fourth order, products dealiased"
            }
            _ => "dormand_prince with derivatives in Fourier space, products dealiased",
        };
        lines.push(format!("periodic grid: {fourier}"));
        let order = facts.space_order;
        let stiff = if order >= 2 {
            format!("; explicit steps shrink as the spacing to the power {order}")
        } else {
            String::new()
        };
        lines
            .push(format!("grid with edges: central differences of order 2, 4 or 6, weno5 for transport, dormand_prince by default{stiff}"));
    }
    for (i, text) in lines.iter().enumerate() {
        line(out, if i == 0 { "solvers" } else { "" }, text);
    }
}

fn stationary(out: &mut String, facts: &Facts, grid: Option<&Grid>) {
    let where_ = match grid {
        Some(grid) => format!(" on a {grid}"),
        None => String::new(),
    };
    let text = match facts.class {
        Class::LinearConstant | Class::Linear => format!("no time derivative: one linear system{where_}"),
        _ => format!("no time derivative: a nonlinear system{where_}, by linear ones in turn"),
    };
    line(out, "solvers", &text);
}

fn conserved(out: &mut String, equation: &Equation, evolution: &Evolution, dimensions: usize, context: &Context) {
    if equation.has_pairs() {
        line(out, "conserved", "not looked for among bodies; check::conservation measures it along a path");
        return;
    }
    let found = match fates(equation, evolution, dimensions, context) {
        Ok(found) => found,
        Err(error) => {
            line(out, "conserved", &format!("not decided: {}", error.what()));
            return;
        }
    };
    let space = dimensions > 0;
    let name = |q: &Quantity| match (q, space) {
        (Quantity::Total(names), true) => format!("∫({})", names.join(" + ")),
        (Quantity::Total(names), false) => names.join(" + "),
        (Quantity::Integral(u), true) => format!("∫{u}"),
        (Quantity::Integral(u), false) => u.clone(),
        (Quantity::Square(u), true) => format!("∫{u}²/2"),
        (Quantity::Square(u), false) => format!("{u}²/2"),
        (Quantity::Energy(names), true) => {
            format!("∫({})/2", names.iter().map(|n| format!("{n}²")).collect::<Vec<_>>().join(" + "))
        }
        (Quantity::Energy(names), false) => {
            format!("({})/2", names.iter().map(|n| format!("{n}²")).collect::<Vec<_>>().join(" + "))
        }
    };
    let list =
        |fate: Fate| found.iter().filter(|(_, f)| *f == fate).map(|(q, _)| name(q)).collect::<Vec<_>>().join(", ");
    let (kept, falls) = (list(Fate::Kept), list(Fate::Falls));
    line(out, "conserved", if kept.is_empty() { "nothing of what was looked for" } else { &kept });
    if !falls.is_empty() {
        line(out, "decreasing", &falls);
    }
    let whole = found.iter().all(|(q, f)| !matches!(q, Quantity::Integral(_)) || *f == Fate::Kept);
    if space {
        line(
            out,
            "",
            if whole {
                "conservative: the rate of each unknown is a divergence"
            } else {
                "not conservative: some rate is no divergence"
            },
        );
        line(out, "", "(rates integrated over a periodic box for three random smooth states in f64, to 1e-9)");
    } else {
        line(out, "", "(rates at three random states in f64, to 1e-9)");
    }
}
