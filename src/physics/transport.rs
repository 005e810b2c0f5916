//! What is carried, and what spreads.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "advection",
        brief: "Transport with a constant velocity.",
        formula: r"u_t + c \cdot \nabla u = 0",
        parameters: &[("velocity", "1.0", "c: a number on a line, an array with a number per axis elsewhere")],
        source: r#"if type_name(velocity) == "array" {
    equation(|u| dt(u) + advect(velocity, u))
} else {
    equation(|u| dt(u) + velocity * dx(u))
}"#,
        example: "let grid = grid::periodic([64], [1.0]);\n\
                  solve(physics::advection(#{ velocity: 0.5 }), grid.sample(|x| sin(TAU * x)), linspace(0, 1, 5))",
        text: "On periodic grids it is solved exactly, mode by mode. PDEBench takes velocities 0.1, 0.2, 0.4, 0.7, 1, 2, 4 on [0, 1] up to t = 2 from \
               initial::sine_waves.",
    },
    Named {
        name: "diffusion",
        brief: "Diffusion with a diffusivity that may vary in space.",
        formula: r"u_t = \nabla \cdot (D \nabla u)",
        parameters: &[("diffusivity", "0.1", "D: a number, or a field; above 0")],
        source: "equation(|u| dt(u) - div(diffusivity * grad(u)))",
        example: "let rod = grid::interval(0, 1, 32, #{ left: dirichlet(1), right: neumann(0) });\n\
                  solve(physics::diffusion(#{ diffusivity: rod.sample(|x| 0.1 + 0.05 * x) }), 0 * rod.sample(|x| x), 0.1)",
        text: "For a constant diffusivity on a periodic grid physics::heat is the same and is solved exactly.",
    },
    Named {
        name: "heat",
        brief: "The heat equation.",
        formula: r"u_t = \alpha \Delta u",
        parameters: &[(
            "diffusivity",
            "1.0",
            "α, above 0; 1 on a box of length 2π up to t = 0.2 in score matching via differentiable physics",
        )],
        source: "equation(|u| dt(u) - diffusivity * laplacian(u))",
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::heat(), random::gaussian_field(grid, #{ seed: 1 }), 0.2)",
        text: "On periodic grids it is solved exactly, mode by mode: û_k(t) = e^(−α k² t) û_k(0).",
    },
    Named {
        name: "advection_diffusion",
        brief: "Transport with a constant velocity, and diffusion.",
        formula: r"u_t + c \cdot \nabla u = D \Delta u",
        parameters: &[
            ("velocity", "1.0", "c: a number on a line, an array with a number per axis elsewhere"),
            ("diffusivity", "0.01", "D, above 0"),
        ],
        source: r#"if type_name(velocity) == "array" {
    equation(|u| dt(u) + advect(velocity, u) - diffusivity * laplacian(u))
} else {
    equation(|u| dt(u) + velocity * dx(u) - diffusivity * laplacian(u))
}"#,
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::advection_diffusion(#{ velocity: [1, 0.5] }), grid.sample(|x, y| sin(x) * cos(y)), 1.0)",
        text: "On periodic grids it is solved exactly, mode by mode.",
    },
    Named {
        name: "burgers",
        brief: "The viscous Burgers equation.",
        formula: r"u_t + u u_x = \nu u_{xx}",
        parameters: &[(
            "nu",
            "0.01",
            "ν, the viscosity; 0.01/π on [−1, 1] from −sin πx is the classical case, 0.001 to 0.1 those of PDEBench",
        )],
        source: "equation(|u| dt(u) + u * dx(u) - nu * laplacian(u))",
        example: "let grid = grid::periodic([128], [[-1, 1]]);\n\
                  solve(physics::burgers(#{ nu: 0.02 }), grid.sample(|x| -sin(PI * x)), linspace(0, 0.5, 5))",
        text: "A shock has a width of about ν over its jump; the grid needs a few points in it. The nonlinearity is that of a line; physics::burgers_vector has one per axis.\n\
               Source: J. M. Burgers (1948); the case with ν = 0.01/π: Basdevant et al., Comput. Fluids 14 (1986).",
    },
    Named {
        name: "burgers_vector",
        brief: "The viscous Burgers equation of a velocity with a component per axis.",
        formula: r"v_t + (v \cdot \nabla) v = \nu \Delta v",
        parameters: &[("nu", "0.01", "ν, the viscosity")],
        source: "equation(vector(\"v\"), |v| dt(v) + advect(v, v) - nu * laplacian(v))",
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::burgers_vector(#{ nu: 0.1 }), #{ v: [|x, y| sin(y), |x, y| sin(x)] }, 0.5, #{ grid: grid })",
        text: "",
    },
    Named {
        name: "inviscid_burgers",
        brief: "The inviscid Burgers equation in conservative form.",
        formula: r"u_t + (u^2/2)_x = 0",
        parameters: &[],
        source: "equation(|u| dt(u) + dx(u ** 2 / 2))",
        example: "let grid = grid::periodic([64], [TAU]);\n\
                  solve(physics::inviscid_burgers(), grid.sample(|x| 1 + 0.5 * sin(x)), 0.5)",
        text: "Smooth until t = −1/min u₀′, when a shock forms. Neither Fourier modes nor central differences resolve what comes after: take physics::burgers with a small viscosity.",
    },
];
