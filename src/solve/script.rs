//! `solve` in scripts: one name for equations in time, stationary equations and linear systems.

use rhai::Dynamic;

use crate::equation::{Equation, script_solve, script_stationary};
use crate::script::registry::{Entry, entry};

pub(crate) fn entries() -> Vec<Entry> {
    let solve = entry("solve(problem, given, [times], [options])")
        .brief("The solution of an equation in time, of a stationary equation, or of a linear system.")
        .text("solve(equation, start, times, options): from the start at times[0] through the times, as a path; with a single time T, the state at T of what \
               started at 0. start: a field, a number, or a map with a number, a field, a tensor or a closure of the coordinates for each unknown; u_t for the rate of an \
               unknown with a second time derivative (0 when left out). For bodies positions [body, axis].\n\
               Parameters of the equation are options by name: solve(…, #{ nu: 0.1 }); gradients flow to them and to the start.\n\
               solve(equation, options) and solve(equation, guess, options), for an equation without dt: the field that fulfils it on `grid`. Linear equations with constant \
               coefficients on a periodic grid are solved mode by mode, all others by Newton's method from the guess (0), with elimination or a Krylov method \
               inside. Gradients reach parameters, sources and values of edges by one solve with the transpose. Where the solution is known up to a constant, its mean is 0.\n\
               solve(a, b): x with a x = b for a square matrix, b a vector or the columns of a matrix.")
        .example("solve(equation(|u| dt(u) + 2 * u), 1.0, 1.0).u.values", "[[0.13534]]")
        .example("let g = grid::periodic([16], [TAU]); let u = solve(equation(|u| dt(u) - dx(u, 2)), g.sample(|x| sin(x)), 1.0); max(u)", "0.36788")
        .example("let g = grid::interval(0, 1, 32, #{ left: dirichlet(0), right: dirichlet(1) }); let u = solve(equation(|u| laplacian(u)), #{ grid: g }); max(abs(u - g.sample(|x| x))) < 1e-5", "1")
        .example("solve(equation(|w| w * w - 2), 1.0).w.values", "[[1.4142]]")
        .example("solve(tensor([[2, 0], [1, 4]]), tensor([2, 5]))", "[1, 1]")
        .run(|c| match c.object_if::<Equation>(0) {
            Some(equation) if !equation.is_evolution() => script_stationary::stationary(c, &equation),
            Some(equation) => script_solve::evolve(c, &equation),
            None => Ok(Dynamic::from(c.tensor(0)?.solve(&c.tensor(1)?)?)),
        });
    let others =
        script_stationary::KEYS.iter().filter(|(key, _)| !script_solve::KEYS.iter().any(|(own, _)| own == key));
    let all = script_solve::KEYS.iter().chain(others);
    vec![all.fold(solve, |entry, (key, text)| entry.option(key, text)).further_options()]
}
