//! Sums over pairs of bodies as compiled steps against tensor operations.

use super::points::{BOTH, check};
use super::{number, refused, with_host};

const FORCES: [&str; 5] = [
    // Masses of bodies, a softening.
    "pair_sum(r, |d| other(m) * d / (dot(d, d) + a * a + k) ** 1.5)",
    // Springs, one number for each pair; something outside of the sum.
    "pair_sum(r, |d| k * (1 - a / norm(d)) * d) / m - 0.1 * r",
    // What both bodies have, what only time has, two sums.
    "pair_sum(r, |d| a * m * other(m) * d * exp(-dot(d, d)) * cos(t)) + m * pair_sum(r, |d| sin(k) * d)",
    // Of the other body what depends on its state.
    "pair_sum(r, |d| other(m * dot(r, r)) * d / (k + dot(d, d))) + a * pair_sum(r, |d| tanh(norm(d)) * d)",
    // What is the same for all others.
    "a * m * pair_sum(r, |d| d) - pair_sum(r, |d| a * m * k * d)",
];

#[test]
fn forces_between_bodies() {
    with_host(|mut host| {
        let schemes = ["rk4", "verlet", "dormand_prince", "yoshida4"];
        for (i, force) in FORCES.iter().enumerate() {
            for (j, scheme) in schemes.iter().enumerate() {
                let bodies = 2 + (i + j) % 4;
                let checkpoints = ["\"none\"", "3", "\"sqrt\""][(i + j) % 3];
                let script = format!(
                    "let r = 2 * random::normal([2, {bodies}, 2], #{{ seed: {i} }}); let m = 1 + random::uniform([{bodies}], #{{ seed: 2 }});
                     let k = 0.3 + random::uniform([{bodies}, {bodies}], #{{ seed: 3 }}); let a = 0.7;
                     let eq = equation(vector(\"r\"), |r, t| dt(dt(r)) - ({force}));
                     both(|lane, p| solve(eq, #{{ r: p[0], r_t: 0.1 * p[0] }}, [0.0, 0.1, 0.3], #{{ m: p[1], k: p[2], a: p[3], lane: lane, quiet: true,
                         scheme: \"{scheme}\", steps: 5, checkpoints: {checkpoints} }}), [r, m, k, tensor(a)])"
                );
                check(&mut host, &format!("{force}, {scheme}, {bodies}"), &script, 1e-10);
            }
        }
    });
}

#[test]
fn bodies_of_samples_with_masses_of_their_own() {
    with_host(|mut host| {
        let script = "let r = 2 * random::normal([40, 3, 3], #{ seed: 1 }); let m = 1 + random::uniform([40, 1, 3], #{ seed: 2 }); let c = 0.1;
             let eq = equation(vector(\"r\"), |r| dt(dt(r)) + c * dt(r) - pair_sum(r, |d| other(m) * d / (dot(d, d) + 0.3) ** 1.5));
             both(|lane, p| solve(eq, #{ r: p[0] }, [0.0, 0.1, 0.3], #{ m: p[1], c: p[2] + 0 * p[3], lane: lane, quiet: true, scheme: \"heun\", steps: 5 }),
                 [r, m, tensor(c), tensor(0.0)])";
        check(&mut host, "samples", script, 1e-10);
    });
}

#[test]
fn gradients_are_those_of_central_differences() {
    for scheme in ["verlet", "rk4"] {
        let error = number(&format!(
            "let m = tensor([1.0, 2.0, 0.5]); let eq = equation(vector(\"r\"), |r| dt(dt(r)) - pair_sum(r, |d| other(m) * d / (dot(d, d) + 0.1) ** 1.5));
             let r = tensor([[0, 0], [1, 0.2], [0.3, 1]]);
             let of = |m, r| sum(solve(eq, #{{ r: r }}, 1.0, #{{ m: m, scheme: \"{scheme}\", steps: 40, lane: \"native\", quiet: true }}).r ** 3);
             maximum(check::gradient(|m| of.call(m, r), m).error, check::gradient(|r| of.call(m, r), r).error)"
        ));
        assert!(error <= 1e-6, "{scheme}: {error:e}");
    }
}

#[test]
fn steps_of_tolerance_and_many_bodies() {
    let error = number(&format!(
        "{BOTH} let eq = equation(vector(\"r\"), |r| dt(dt(r)) - pair_sum(r, |d| d / (dot(d, d) + 0.1) ** 1.5));
         let of = |lane, n, options| solve(eq, #{{ r: random::normal([n, 3], #{{ seed: 4 }}) }}, [0, 0.2, 0.5], #{{ lane: lane, quiet: true }} + options).values;
         let tolerance = #{{ rtol: 1e-9, atol: 1e-11 }}; let few = #{{ scheme: \"rk4\", steps: 2 }};
         maximum(apart(of.call(\"auto\", 5, tolerance), of.call(\"burn\", 5, tolerance)), apart(of.call(\"auto\", 70, few), of.call(\"burn\", 70, few)))"
    ));
    assert!(error <= 1e-7, "{error:e}");
    let many = "solve(equation(vector(\"r\"), |r| dt(dt(r)) - pair_sum(r, |d| d)), #{ r: random::normal([70, 2], #{ seed: 1 }) }, 0.1,
                    #{ scheme: \"rk4\", steps: 2, lane: \"native\" })";
    let error = refused(many);
    assert!(error.contains("cannot be compiled") && error.contains("many bodies"), "{error}");
}

#[test]
fn one_body_alone() {
    let error = number(&format!(
        "{BOTH} let eq = equation(vector(\"r\"), |r| dt(dt(r)) + r - pair_sum(r, |d| d));
         let of = |lane| solve(eq, #{{ r: [[1.0, 0.5]] }}, [0, 0.2, 0.5], #{{ lane: lane, scheme: \"verlet\", steps: 5, quiet: true }}).values;
         apart(of.call(\"native\"), of.call(\"burn\"))"
    ));
    assert!(error <= 1e-12, "{error:e}");
}
