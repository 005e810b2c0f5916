//! Waves: linear, dispersive, of shallow water.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "wave",
        brief: "The wave equation.",
        formula: r"u_{tt} = c^2 \Delta u",
        parameters: &[("speed", "1.0", "c, a number or a field")],
        source: "equation(|u| dt(dt(u)) - speed ** 2 * laplacian(u))",
        example: "let string = grid::interval(0, 1, 64, #{ edges: dirichlet(0) });\n\
                  solve(physics::wave(), string.sample(|x| exp(-200 * (x - 0.5) ** 2)), linspace(0, 0.4, 3), #{ scheme: \"verlet\", steps: 40 })",
        text: "The channels are u and its rate u_t, which starts at 0 unless it is given: #{ u: …, u_t: … }. \"verlet\" keeps the energy for any time where c Δt/Δx < 1.",
    },
    Named {
        name: "klein_gordon",
        brief: "The Klein–Gordon equation: waves with a lowest frequency.",
        formula: r"u_{tt} = c^2 \Delta u - m^2 u",
        parameters: &[("speed", "1.0", "c"), ("mass", "1.0", "m: the frequency of the longest wave")],
        source: "equation(|u| dt(dt(u)) - speed ** 2 * laplacian(u) + mass ** 2 * u)",
        example: "let grid = grid::periodic([64], [TAU]);\n\
                  solve(physics::klein_gordon(#{ mass: 2 }), grid.sample(|x| exp(-4 * (x - PI) ** 2)), 1.0)",
        text: "Dispersion: ω² = c² k² + m².",
    },
    Named {
        name: "korteweg_de_vries",
        brief: "The Korteweg–de Vries equation: long waves on shallow water.",
        formula: r"u_t + u u_x + \delta u_{xxx} = 0",
        parameters: &[("dispersion", "1.0", "δ; 0.022² with cos πx on [0, 2] is the case of Zabusky and Kruskal")],
        source: "equation(|u| dt(u) + u * dx(u) + dispersion * dx(u, 3))",
        example: "let grid = grid::periodic([64], [40.0]);\n\
                  solve(physics::korteweg_de_vries(), grid.sample(|x| 3 / cosh(0.5 * (x - 20)) ** 2), 1.0)",
        text: "A soliton of speed c is 3 c sech²(½ √(c/δ) (x − c t)). Good domain: a periodic line some widths long.\n\
               Source: N. J. Zabusky, M. D. Kruskal, Phys. Rev. Lett. 15 (1965).",
    },
    Named {
        name: "nonlinear_schroedinger",
        brief: "The cubic nonlinear Schrödinger equation for h = u + i v.",
        formula: r"i h_t + a h_{xx} + b |h|^2 h = 0",
        parameters: &[("a", "0.5", "dispersion"), ("b", "1.0", "focusing where a b is above 0")],
        source: "equation([\"u\", \"v\"], |u, v| [\n    \
                     dt(u) + a * laplacian(v) + b * (u ** 2 + v ** 2) * v,\n    \
                     dt(v) - a * laplacian(u) - b * (u ** 2 + v ** 2) * u,\n])",
        example: "let grid = grid::periodic([64], [[-5, 5]]);\n\
                  solve(physics::nonlinear_schroedinger(), #{ u: |x| 2 / cosh(x), v: 0 }, 0.1, #{ grid: grid, steps: 20 })",
        text: "Good values: h(0) = 2 sech x on [−5, 5), t up to π/2, 256 points. ∫|h|² is constant. Set the steps: about Δt = 0.005 for these.\n\
               Source of the case: M. Raissi, P. Perdikaris, G. E. Karniadakis, J. Comput. Phys. 378 (2019).",
    },
    Named {
        name: "shallow_water_linear",
        brief: "Small waves on shallow water, with rotation.",
        formula: r"\eta_t + H (u_x + v_y) = 0, \quad u_t - f v + g \eta_x = 0, \quad v_t + f u + g \eta_y = 0",
        parameters: &[("depth", "1.0", "H"), ("gravity", "1.0", "g"), ("coriolis", "0.0", "f")],
        source: "equation([\"eta\", \"u\", \"v\"], |eta, u, v| [\n    \
                     dt(eta) + depth * (dx(u) + dy(v)),\n    \
                     dt(u) - coriolis * v + gravity * dx(eta),\n    \
                     dt(v) + coriolis * u + gravity * dy(eta),\n])",
        example: "let grid = grid::periodic([16, 16], [TAU, TAU]);\n\
                  solve(physics::shallow_water_linear(), #{ eta: |x, y| exp(-4 * ((x - PI) ** 2 + (y - PI) ** 2)), u: 0, v: 0 }, 1.0, #{ grid: grid })",
        text: "Waves travel at √(g H). On periodic grids it is solved exactly, mode by mode.",
    },
    Named {
        name: "shallow_water",
        brief: "The shallow-water equations in conservative form: height h and the flows h u, h v.",
        formula: r"h_t + (hu)_x + (hv)_y = 0, \quad (hu)_t + (hu^2 + \tfrac12 g h^2)_x + (huv)_y = \nu \Delta (hu), \quad (hv)_t + (huv)_x + (hv^2 + \tfrac12 g h^2)_y = \nu \Delta (hv)",
        parameters: &[
            ("gravity", "1.0", "g"),
            ("viscosity", "0.0", "ν, which smooths bores; about √(g h) Δx where there are any"),
        ],
        source: "equation([\"h\", \"hu\", \"hv\"], |h, hu, hv| [\n    \
                     dt(h) + dx(hu) + dy(hv),\n    \
                     dt(hu) + dx(hu ** 2 / h + gravity * h ** 2 / 2) + dy(hu * hv / h) - viscosity * laplacian(hu),\n    \
                     dt(hv) + dx(hu * hv / h) + dy(hv ** 2 / h + gravity * h ** 2 / 2) - viscosity * laplacian(hv),\n])",
        example: "let grid = grid::periodic([16, 16], [[-2.5, 2.5], [-2.5, 2.5]]);\n\
                  solve(physics::shallow_water(), #{ h: |x, y| 1 + 0.2 * exp(-(x ** 2 + y ** 2)), hu: 0, hv: 0 }, 0.5, #{ grid: grid })",
        text: "Smooth waves without viscosity. Bores, as after initial::dam_break, need it with Fourier modes or central differences, which oscillate at jumps; transport: \"weno5\", which grids with edges take by default, keeps them sharp without. Walls: edges #{ hu: dirichlet(0), \
               hv: dirichlet(0), others: neumann(0) } keep water in, to rounding: both flows vanish there. The radial dam break of PDEBench: height 2 within a radius of 0.3 to 0.7 on [−2.5, 2.5]², g = 1, up to t = 1.",
    },
];
