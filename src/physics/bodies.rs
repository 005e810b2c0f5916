//! Bodies, pendulums, ordinary differential equations.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "gravity",
        brief: "Bodies that attract each other.",
        formula: r"\ddot r_i = G \sum_{j \ne i} m_j \frac{r_j - r_i}{(|r_j - r_i|^2 + \epsilon^2)^{3/2}}",
        parameters: &[
            ("mass", "1.0", "m: a number, or one per body as a tensor [body]"),
            ("constant", "1.0", "G"),
            ("softening", "0.0", "ε: a length below which the force no longer grows"),
        ],
        source: "equation(vector(\"r\"), |r| dt(dt(r))\n    \
                 - constant * pair_sum(r, |d| other(mass) * d / (dot(d, d) + softening ** 2) ** 1.5))",
        example: "solve(physics::gravity(), #{ r: [[-0.5, 0], [0.5, 0]], r_t: [[0, -0.7], [0, 0.7]] }, 1.0)",
        text: "The start is a map of positions r and velocities r_t, [body, axis] or [sample, body, axis]. \"verlet\" or another symplectic scheme keeps the energy over many turns; near encounters need \
               adaptive steps or softening.",
    },
    Named {
        name: "springs",
        brief: "Masses that are joined by springs.",
        formula: r"m_i \ddot r_i = \sum_{j \ne i} k_{ij} (1 - l / |r_j - r_i|) (r_j - r_i) - c \dot r_i",
        parameters: &[
            ("stiffness", "1.0", "k: a number, or one per pair as a tensor [body, body], 0 where there is no spring"),
            ("rest", "0.0", "l, the length at which a spring is at rest"),
            ("mass", "1.0", "m: a number, or one per body"),
            ("damping", "0.0", "c"),
        ],
        source: "equation(vector(\"r\"), |r| mass * dt(dt(r)) + damping * dt(r)\n    \
                 - pair_sum(r, |d| stiffness * (1 - rest / norm(d)) * d))",
        example: "solve(physics::springs(#{ stiffness: 0.1 }), #{ r: [[0, 0], [1, 0], [0, 1]] }, 1.0)",
        text: "Two bodies at one place are an error where springs have a length.",
    },
    Named {
        name: "pendulum",
        brief: "The mathematical pendulum.",
        formula: r"\ddot\theta = -(g/l) \sin \theta - c \dot\theta",
        parameters: &[("gravity", "9.81", "g"), ("length", "1.0", "l"), ("damping", "0.0", "c")],
        source: "equation(|angle| dt(dt(angle)) + damping * dt(angle) + gravity / length * sin(angle))",
        example: "solve(physics::pendulum(), #{ angle: 1.0 }, linspace(0, 2, 11)).angle",
        text: "The channels are angle and its rate angle_t. Small swings have the period 2π √(l/g).",
    },
    Named {
        name: "lorenz",
        brief: "The Lorenz system: three numbers that never repeat.",
        formula: r"\dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad \dot z = x y - \beta z",
        parameters: &[("sigma", "10.0", "σ"), ("rho", "28.0", "ρ; chaotic from 24.74 on"), ("beta", "8 / 3", "β")],
        source: "equation([\"x\", \"y\", \"z\"], |x, y, z| [\n    \
                     dt(x) - sigma * (y - x),\n    \
                     dt(y) - x * (rho - z) + y,\n    \
                     dt(z) - x * y + beta * z,\n])",
        example: "solve(physics::lorenz(), #{ x: 1, y: 1, z: 1 }, linspace(0, 1, 11)).z",
        text: "Paths part as e^(0.9 t). Source: E. N. Lorenz, J. Atmos. Sci. 20 (1963).",
    },
];
