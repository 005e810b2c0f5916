//! A parameter that differs between samples gives what each of its values alone gives.

use super::number;

#[test]
fn parameters_of_samples_as_one_by_one() {
    let cases = [
        ("etdrk4", "", 1e-12),
        ("etdrk2", "", 1e-12),
        ("ars443", "", 1e-12),
        ("cnab2", "", 1e-12),
        ("rk4", "", 1e-12),
        // The iterations of implicit steps end where the residual of all samples together is below 1e-13 of their size.
        ("crank_nicolson", "", 1e-11),
        ("bdf2", "", 1e-11),
        ("dormand_prince", "", 1e-12),
        ("rk4", "derivatives: \"central\",", 1e-12),
        ("crank_nicolson", "derivatives: \"central\",", 1e-11),
        ("dormand_prince", "derivatives: \"central\",", 1e-12),
    ];
    for (scheme, more, least) in cases {
        let worst = number(&format!(
            "let nu = 0.1; let c = 1.0;
             let eq = equation(|u| dt(u) + u * dx(u) + c * dx(u) - nu * dx(u, 2));
             let start = grid::periodic([16], [TAU]).sample(|x| sin(x) + 0.3 * cos(2 * x));
             let each = [0.05, 0.1, 0.4]; let speeds = [1.0, -0.5, 0.0];
             let all = solve(eq, start, 0.5, #{{ {more} scheme: \"{scheme}\", steps: 80, nu: tensor(each), c: tensor(speeds) }}).values;
             let worst = tensor(0.0);
             for i in 0..3 {{
                 let one = solve(eq, start, 0.5, #{{ {more} scheme: \"{scheme}\", steps: 80, nu: each[i], c: speeds[i] }}).values;
                 worst = maximum(worst, max(abs(all[[i]] - one[[0]])));
             }}
             worst"
        ));
        assert!(worst <= least, "{scheme} {more}: {worst:e}");
    }
}

#[test]
fn exact_steps_of_samples() {
    let worst = number(
        "let nu = 0.1;
         let eq = equation(|u| dt(u) - nu * dx(u, 2) + 0.3 * dx(u, 3));
         let start = grid::periodic([16], [TAU]).sample(|x| exp(sin(x)));
         let each = [0.05, 0.1, 0.4];
         let all = solve(eq, start, 0.5, #{ nu: tensor(each) }).values;
         let worst = tensor(0.0);
         for i in 0..3 { worst = maximum(worst, max(abs(all[[i]] - solve(eq, start, 0.5, #{ nu: each[i] }).values[[0]]))); }
         worst",
    );
    assert!(worst <= 1e-12, "{worst:e}");
}

#[test]
fn step_control_of_samples_within_the_tolerance() {
    // One sequence of steps serves all samples, so each agrees with its own solution to the tolerance alone.
    let worst = number(
        "let nu = 0.1;
         let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
         let start = grid::periodic([16], [TAU]).sample(|x| sin(x));
         let o = #{ scheme: \"dormand_prince\", step: \"adaptive\", rtol: 1e-10, atol: 1e-12, nu: tensor([0.05, 0.1, 0.4]) };
         let all = solve(eq, start, 0.5, o).values;
         let worst = tensor(0.0);
         for i in 0..3 { o.nu = [0.05, 0.1, 0.4][i]; worst = maximum(worst, max(abs(all[[i]] - solve(eq, start, 0.5, o).values[[0]]))); }
         worst",
    );
    assert!(worst <= 1e-8, "{worst:e}");
}

#[test]
fn gradients_of_samples() {
    let error = number(
        "let nu = 0.1;
         let eq = equation(|u| dt(u) + u * dx(u) - nu * dx(u, 2));
         let start = grid::periodic([16], [TAU]).sample(|x| sin(x));
         check::gradient(|k| sum(solve(eq, start, 0.3, #{ scheme: \"etdrk4\", steps: 10, nu: k }).values ** 2), tensor([0.05, 0.1, 0.4])).error",
    );
    assert!(error <= 1e-6, "{error:e}");
}
