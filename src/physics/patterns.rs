//! Instabilities, fronts and patterns.

use super::Named;

pub(super) const NAMED: &[Named] = &[
    Named {
        name: "kuramoto_sivashinsky",
        brief: "The Kuramoto–Sivashinsky equation: chaos in space and time.",
        formula: r"u_t + u u_x + u_{xx} + \nu u_{xxxx} = 0",
        parameters: &[(
            "nu",
            "1.0",
            "ν, the hyperviscosity; with 1 the domain's length is the only parameter, chaotic from about 22 on",
        )],
        source: "equation(|u| dt(u) + u * dx(u) + dx(u, 2) + nu * dx(u, 4))",
        example: "let grid = grid::periodic([64], [22.0]);\n\
                  solve(physics::kuramoto_sivashinsky(), grid.sample(|x| cos(TAU * x / 22)), 1.0)",
        text: "Good values: a periodic line of length 22 to 100, points every 0.5 or closer. Paths that differ by 1e-12 part after about t = 200.\n\
               Source: A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005).",
    },
    Named {
        name: "fisher_kpp",
        brief: "The Fisher–KPP equation: a species that spreads and grows.",
        formula: r"u_t = D \Delta u + r u (1 - u)",
        parameters: &[("diffusivity", "1.0", "D"), ("growth", "1.0", "r")],
        source: "equation(|u| dt(u) - diffusivity * laplacian(u) - growth * u * (1 - u))",
        example: "let line = grid::interval(-10, 10, 64, #{ edges: neumann(0) });\n\
                  solve(physics::fisher_kpp(), line.sample(|x| exp(-x * x)), 1.0)",
        text: "u from 0 to 1. Fronts run at 2 √(r D). Source: R. A. Fisher (1937); A. Kolmogorov, I. Petrovsky, N. Piskunov (1937).",
    },
    Named {
        name: "allen_cahn",
        brief: "The Allen–Cahn equation: two phases that do not keep their amounts.",
        formula: r"u_t = \epsilon^2 \Delta u + u - u^3",
        parameters: &[("epsilon", "0.05", "ε: interfaces are about 3 ε wide, on a domain of length 1 to 2π")],
        source: "equation(|u| dt(u) - epsilon ** 2 * laplacian(u) - u + u ** 3)",
        example: "let grid = grid::periodic([32, 32], [1.0, 1.0]);\n\
                  solve(physics::allen_cahn(), 0.1 * random::gaussian_field(grid, #{ seed: 1 }), 1.0)",
        text: "The phases are u = ±1; a flat interface is tanh(x/(√2 ε)). Source: S. M. Allen, J. W. Cahn, Acta Metall. 27 (1979).",
    },
    Named {
        name: "cahn_hilliard",
        brief: "The Cahn–Hilliard equation: two phases that separate and keep their amounts.",
        formula: r"u_t = \Delta (u^3 - u - \epsilon^2 \Delta u)",
        parameters: &[("epsilon", "0.05", "ε: interfaces are about 3 ε wide, on a domain of length 1 to 2π")],
        source: "equation(|u| dt(u) - laplacian(u ** 3 - u - epsilon ** 2 * laplacian(u)))",
        example: "let grid = grid::periodic([32, 32], [1.0, 1.0]);\n\
                  solve(physics::cahn_hilliard(#{ epsilon: 0.1 }), 0.1 * random::gaussian_field(grid, #{ seed: 1 }), 0.01)",
        text: "∫u is constant. Modes with ε k < 1 grow at k² (1 − ε² k²). Source: J. W. Cahn, J. E. Hilliard, J. Chem. Phys. 28 (1958).",
    },
    Named {
        name: "swift_hohenberg",
        brief: "The Swift–Hohenberg equation: stripes of wavelength 2π.",
        formula: r"u_t = r u - (1 + \Delta)^2 u - u^3",
        parameters: &[("r", "0.3", "above 0 stripes grow, from 0.1 to 0.9")],
        source: "equation(|u| dt(u) - r * u + u + 2 * laplacian(u) + laplacian(laplacian(u)) + u ** 3)",
        example: "let grid = grid::periodic([32, 32], [8 * PI, 8 * PI]);\n\
                  solve(physics::swift_hohenberg(), 0.1 * random::gaussian_field(grid, #{ power: 0, seed: 1 }), 2.0)",
        text: "A mode grows at r − (1 − k²)². Good domain: many times 2π. Source: J. Swift, P. C. Hohenberg, Phys. Rev. A 15 (1977).",
    },
    Named {
        name: "gray_scott",
        brief: "The Gray–Scott reaction: u feeds v, v multiplies and decays.",
        formula: r"u_t = D_u \Delta u - u v^2 + F (1 - u), \quad v_t = D_v \Delta v + u v^2 - (F + k) v",
        parameters: &[
            ("feed", "0.04", "F"),
            ("kill", "0.06", "k; F, k: 0.04, 0.06 solitons; 0.03, 0.062 spots that divide; 0.029, 0.057 labyrinths"),
            ("diffusivity_u", "0.0005", "D_u, on a box of length 2.5"),
            ("diffusivity_v", "0.00025", "D_v"),
        ],
        source: "equation([\"u\", \"v\"], |u, v| [\n    \
                     dt(u) - diffusivity_u * laplacian(u) + u * v ** 2 - feed * (1 - u),\n    \
                     dt(v) - diffusivity_v * laplacian(v) - u * v ** 2 + (feed + kill) * v,\n])",
        example: "let grid = grid::periodic([32, 32], [2.5, 2.5]);\n\
                  let spot = |x, y| exp(-((x - 1.25) ** 2 + (y - 1.25) ** 2) / 0.05);\n\
                  solve(physics::gray_scott(), #{ u: |x, y| 1 - 0.5 * spot.call(x, y), v: |x, y| 0.25 * spot.call(x, y) }, 5.0, #{ grid: grid })",
        text: "Starts from u = 1, v = 0 with spots of v; patterns form within t = 1000. Source: J. E. Pearson, Science 261 (1993).",
    },
    Named {
        name: "fitzhugh_nagumo",
        brief: "The FitzHugh–Nagumo equations: pulses on a nerve.",
        formula: r"v_t = D \Delta v + v - v^3/3 - w + I, \quad w_t = \epsilon (v + a - b w)",
        parameters: &[
            ("diffusivity", "1.0", "D"),
            ("epsilon", "0.08", "how slow the recovery w is"),
            ("a", "0.7", ""),
            ("b", "0.8", ""),
            ("current", "0.0", "I; about 0.5 makes the rest unstable"),
        ],
        source: "equation([\"v\", \"w\"], |v, w| [\n    \
                     dt(v) - diffusivity * laplacian(v) - v + v ** 3 / 3 + w - current,\n    \
                     dt(w) - epsilon * (v + a - b * w),\n])",
        example: "let nerve = grid::interval(0, 100, 64, #{ edges: neumann(0) });\n\
                  solve(physics::fitzhugh_nagumo(), #{ v: |x| -1.1994 + 2 * exp(-x * x / 25), w: -0.6243 }, 5.0, #{ grid: nerve })",
        text: "At rest v = −1.1994, w = −0.62426 for these values. Source: R. FitzHugh, Biophys. J. 1 (1961); J. Nagumo et al. (1962).",
    },
];
