//! Poisson's and Helmholtz' equation on a field's grid.

use super::direct::{Basis, Direct, Incompatible, Line};
use super::ends::{Ends, add_at_end, robin, within};
use crate::error::{Error, Result};
use crate::field::{EdgeKind, Field};
use crate::tensor::{Span, Tensor};

/// `−Δu + c u = f` by the second-order stencil of the grid's edges, solved exactly in `n log n` operations.
///
/// Axes may be periodic or end in Dirichlet and Neumann conditions, in any combination, with their values; points at centres or at nodes.
/// At nodes with a Dirichlet condition `u` is the condition's value, and `f` there has no meaning. Second order in the spacing. Gradients
/// reach `f` and the values of the edges, by the same solve.
///
/// Where every axis is periodic or ends in Neumann conditions and `c = 0`, a solution exists only if `f` and the fluxes balance, and is
/// known up to a constant: the one with the mean 0 is returned (nodes on edges count half), and `incompatible` says what happens to the
/// part of `f` that is out of balance.
///
/// # Errors
/// Robin conditions; a right-hand side that is not finite or out of balance; a negative `c` that is minus an eigenvalue of `−Δ`.
pub fn poisson(f: &Field, c: f64, unknown: Option<&str>, incompatible: Incompatible) -> Result<Field> {
    poisson_of(f, c, unknown, incompatible, 2)
}

/// As [`poisson`] with second differences of order 2, 4, 6 or 8, whose values beyond edges are mirrored: exact on periodic axes, near the
/// operators of that order elsewhere.
///
/// # Errors
/// As of [`poisson`].
pub fn poisson_of(
    f: &Field,
    c: f64,
    unknown: Option<&str>,
    incompatible: Incompatible,
    accuracy: usize,
) -> Result<Field> {
    let ends = Ends::of(f, unknown)?;
    let shape = f.grid().shape();
    let spans: Vec<Span> = ends.iter().zip(&shape).map(|(ends, &points)| ends.unknowns(points)).collect();
    let lines = ends.iter().zip(&spans).map(|(ends, span)| line(ends, span.end.saturating_sub(span.start), accuracy));
    let direct = Direct::new(lines.collect::<Result<_>>()?, c)?;
    let u = direct.solve(&lifted(f, &ends, &spans)?, incompatible)?;
    f.with(with_edges(u, &ends, &spans, &shape)?)
}

/// The right-hand side at the unknowns with what the edges add to it.
fn lifted(f: &Field, ends: &[Ends], spans: &[Span]) -> Result<Tensor> {
    let whole: Vec<Span> =
        f.values().shape().iter().take(2).map(|&n| Span::all(n)).chain(spans.iter().copied()).collect();
    let mut b = f.values().slice(&whole)?;
    for (axis, ends) in ends.iter().enumerate() {
        for end in 0..2 {
            let (Some(value), Some((a, slope))) = (&ends.values[end], robin(ends.kinds[end])) else { continue };
            let h = ends.spacing;
            let factor = match (ends.nodes, slope == 0.0) {
                // A neighbour beyond the edge: 2g − u, u + h g; at nodes the value itself, the reflected one + 2 h g.
                (false, _) => 1.0 / (h * h * (0.5 * a + slope / h)),
                (true, true) => 1.0 / (h * h),
                (true, false) => 2.0 / h,
            };
            b = add_at_end(&b, axis + 2, end, &within(value, axis, spans)?.scale(factor)?)?;
        }
    }
    Ok(b)
}

/// The unknowns with the nodes whose values are given.
fn with_edges(mut u: Tensor, ends: &[Ends], spans: &[Span], shape: &[usize]) -> Result<Tensor> {
    let mut done = spans.to_vec();
    for (axis, ends) in ends.iter().enumerate() {
        if spans[axis] == Span::all(shape[axis]) {
            continue;
        }
        let mut plane = u.shape();
        plane[axis + 2] = 1;
        let given = |end: usize| -> Result<Tensor> {
            match &ends.values[end] {
                Some(value) => within(value, axis, &done)?.expand(&plane),
                None => Tensor::full_in(u.context(), u.precision(), &plane, 0.0),
            }
        };
        let mut parts = vec![u.clone()];
        if spans[axis].start > 0 {
            parts.insert(0, given(0)?);
        }
        if spans[axis].end < shape[axis] {
            parts.push(given(1)?);
        }
        u = Tensor::concat(&parts, axis + 2)?;
        done[axis] = Span::all(shape[axis]);
    }
    Ok(u)
}

fn line(ends: &Ends, unknowns: usize, accuracy: usize) -> Result<Line> {
    use EdgeKind::{Dirichlet, Neumann, Periodic};
    let basis = match (ends.nodes, ends.kinds) {
        (_, [Periodic, _]) => Basis::Periodic,
        (false, [Neumann, Neumann]) => Basis::Cosine2,
        (false, [Dirichlet, Dirichlet]) => Basis::Sine2,
        (false, [Neumann, Dirichlet]) => Basis::Cosine4,
        (false, [Dirichlet, Neumann]) => Basis::Sine4,
        (true, [Neumann, Neumann]) => Basis::Cosine1,
        (true, [Dirichlet, Dirichlet]) => Basis::Sine1,
        (true, [Neumann, Dirichlet]) => Basis::Cosine3,
        (true, [Dirichlet, Neumann]) => Basis::Sine3,
        (_, [low, high]) => {
            return Err(Error::value("poisson: transforms know periodic, Dirichlet and Neumann edges")
                .got(format!("{low:?} and {high:?}"))
                .advice("elliptic(f, #{ a: 1.0 }) solves with Robin conditions at centres too"));
        }
    };
    Ok(Line { basis, unknowns, spacing: ends.spacing, accuracy })
}
