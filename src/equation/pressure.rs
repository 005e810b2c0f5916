//! Velocity and pressure between walls are refused: an equation for the pressure without its condition at a wall does not keep
//! the velocity free of divergence there.
//!
//! `Δp = −∇·((v·∇)v)` needs `∂p/∂n` from the equation of `v` at the wall, and values of both at one place do not see each other's
//! shortest wave. `flow::` puts velocities on faces and projects them.

use super::base::Equation;
use super::expr::{Expr, Op, Rank};
use super::form::Evolution;
use crate::error::{Error, Result};
use crate::field::Grid;

/// Whether `∂/∂x_axis` of a potential that depends on channels in `own` stands in a rate.
fn pushes(rate: &Expr, axis: usize, own: &std::ops::Range<usize>) -> bool {
    let velocity = |e: &Expr| e.any(&mut |op| matches!(op, Op::Unknown(i, _) if own.contains(i)));
    rate.any(&mut |op| match op {
        Op::Partial(a, orders) => {
            orders.get(axis) == Some(&1) && matches!(a.op(), Op::InverseLaplacian(source, _) if velocity(source))
        }
        _ => false,
    })
}

/// Refuses a vector that is moved by the gradient of a potential of itself, on a grid with edges.
pub(super) fn refuse_walls(equation: &Equation, evolution: &Evolution, grid: &Grid) -> Result<()> {
    if grid.is_periodic() || grid.dimensions() < 2 {
        return Ok(());
    }
    for (index, unknown) in equation.unknowns().iter().enumerate().filter(|(_, u)| u.rank == Rank::Vector) {
        let first = evolution.channels.iter().position(|c| c.unknown == index && c.rate == 0);
        let Some(first) = first else { continue };
        let own = first..first + grid.dimensions();
        let moved = |axis: usize| evolution.rates.get(first + axis).is_some_and(|rate| pushes(rate, axis, &own));
        if (0..grid.dimensions()).all(moved) {
            return Err(Error::value(format!("the pressure that moves `{}` has no condition at the walls here", unknown.name))
                .got(grid)
                .expected("a periodic grid, where an equation for the pressure is enough")
                .advice("between walls: flow::advect and flow::make_incompressible in a loop, or physics::smoke; in the plane also physics::navier_stokes_vorticity with dirichlet(0) for psi, walls that slip"));
        }
    }
    Ok(())
}
