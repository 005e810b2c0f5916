//! Incompressible flows.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "navier_stokes_vorticity",
        brief: "Incompressible flow in the plane: vorticity and stream function.",
        formula: r"w_t + \psi_y w_x - \psi_x w_y = \nu \Delta w, \quad \Delta \psi = -w",
        parameters: &[("nu", "0.01", "ν, the viscosity: 1/ν is the Reynolds number of a flow of size and speed 1")],
        source: "equation([\"w\", \"psi\"], |w, psi| [\n    \
                     dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - nu * laplacian(w),\n    \
                     laplacian(psi) + w,\n])",
        example: "let grid = grid::periodic([32, 32], [TAU, TAU]);\n\
                  solve(physics::navier_stokes_vorticity(), random::gaussian_field(grid, #{ seed: 1 }), 0.5)",
        text: "The velocity is (ψ_y, −ψ_x). Only w has a start. Good domain: periodic, of length 2π; grids with Dirichlet edges for ψ are boxes with walls that slip.",
    },
    Named {
        name: "navier_stokes",
        brief: "Incompressible flow: velocity and pressure.",
        formula: r"v_t + (v \cdot \nabla) v = -\nabla p + \nu \Delta v, \quad \Delta p = -\nabla \cdot ((v \cdot \nabla) v)",
        parameters: &[("nu", "0.01", "ν, the viscosity")],
        source: "equation([vector(\"v\"), \"p\"], |v, p| [\n    \
                     dt(v) + advect(v, v) + grad(p) - nu * laplacian(v),\n    \
                     laplacian(p) + div(advect(v, v)),\n])",
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::navier_stokes(), #{ v: [|x, y| sin(x) * cos(y), |x, y| -cos(x) * sin(y)] }, 0.5, #{ grid: grid })",
        text: "On periodic grids of two or three dimensions. The pressure keeps ∇·v where it is: start without divergence. Between walls and around obstacles the velocity is made incompressible by projection: \
               flow::advect and flow::make_incompressible, or physics::smoke.",
    },
    Named {
        name: "smoke",
        brief: "Smoke that rises in a box with obstacles: steps of an incompressible flow with buoyancy.",
        formula: r"s_t + v \cdot \nabla s = q, \quad v_t + (v \cdot \nabla) v = -\nabla p + b s, \quad \nabla \cdot v = 0",
        parameters: &[
            ("domain", "flow::domain([32, 40], [32, 40])", "the box with its open sides and obstacles"),
            ("smoke", "0 * domain.cells.sample(|x, y| x)", "s at the start, a field on domain.cells"),
            ("velocity", "flow::velocity(domain)", "v at the start"),
            ("inflow", "0 * smoke", "q, a field: smoke per time"),
            ("buoyancy", "[0, 0.1]", "b, an array with a number per axis"),
            ("steps", "20", "how many"),
            ("dt", "1.0", "of a step"),
            ("method", "\"mac_cormack\"", "how smoke is carried, or \"semi_lagrangian\""),
        ],
        source: "let frames = [smoke];\n\
                 for i in 0..steps {\n    \
                     let next = flow::smoke_step(smoke, velocity, #{ dt: dt, buoyancy: buoyancy, inflow: inflow, method: method });\n    \
                     smoke = next.smoke;\n    \
                     velocity = next.velocity;\n    \
                     frames.push(smoke);\n\
                 }\n\
                 #{ smoke: smoke, velocity: velocity, frames: frames }",
        example: "let box = flow::domain([16, 20], [16, 20], #{ open: [\"top\"] });\n\
                  physics::smoke(#{ domain: box, inflow: box.cells.sample(|x, y| exp(-((x - 8) ** 2 + (y - 3) ** 2))), steps: 3 }).frames.len()",
        text: "Not an equation but steps of one, with the pressure found by projection: what comes back is #{ smoke, velocity, frames }. Gradients flow to smoke, velocity and inflow. \
               Carrying is stable for any step; a few cells per step are good.",
    },
];
