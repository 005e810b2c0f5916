//! Equations without time.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "poisson",
        brief: "The Poisson equation.",
        formula: r"-\Delta u = f",
        parameters: &[("f", "1.0", "a number or a field")],
        source: "equation(|u| laplacian(u) + f)",
        example: "let grid = grid::rectangle(1, 1, [16, 16], #{ edges: dirichlet(0) });\n\
                  let f = grid.sample(|x, y| sin(PI * x) * sin(PI * y));\n\
                  solve(physics::poisson(#{ f: f }), #{ grid: grid })",
        text: "solve(equation, #{ grid: grid }) solves it; poisson(f) does the same on the grid of f by transforms.",
    },
    Named {
        name: "darcy",
        brief: "Flow through a porous medium: the pressure.",
        formula: r"-\nabla \cdot (a \nabla p) = f",
        parameters: &[
            ("permeability", "1.0", "a: a number or a field above 0; 0.1 and 1 in patches is usual"),
            ("f", "1.0", "the source, a number or a field"),
        ],
        source: "equation(|p| div(permeability * grad(p)) + f)",
        example: "let grid = grid::rectangle(1, 1, [16, 16], #{ edges: dirichlet(0) });\n\
                  let a = where(random::gaussian_field(grid::periodic([16, 16], [1, 1]), #{ seed: 1 }).values > 0, 1, 0.1);\n\
                  solve(physics::darcy(#{ permeability: field(a, grid) }), #{ grid: grid })",
        text: "solve(equation, #{ grid: grid }) solves it; elliptic(f, #{ a: a }) takes a field a at the points, in finite volumes with its means at faces (mean: \"harmonic\" for layers), by conjugate gradients with multigrid, for large grids; both tend to the same solution with second order.",
    },
    Named {
        name: "helmholtz",
        brief: "Waves of one frequency, with damping where the wavenumber allows none.",
        formula: r"\Delta u + k^2 u = f",
        parameters: &[("k", "1.0", "the wavenumber, a number or a field"), ("f", "1.0", "a number or a field")],
        source: "equation(|u| laplacian(u) + k ** 2 * u - f)",
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::helmholtz(#{ k: 1.5, f: grid.sample(|x, y| sin(x) * cos(2 * y)) }), #{ grid: grid })",
        text: "Indefinite for a real k beyond the first resonance: iterations without a factorisation do not converge there.",
    },
];
