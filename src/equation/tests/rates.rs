//! The right-hand side as one compiled pass, for integrators that are more than sums and evaluations.

use super::with_host;

#[test]
fn integrators_with_compiled_right_hand_sides() {
    with_host(|mut host| {
        let problems = [
            // Bodies without a grid; a time of its own.
            ("lorenz", "let g = (); let start = #{ x: 1.0, y: 2.0, z: 20.0 }; let span = 0.5;
              let eq = equation([\"x\", \"y\", \"z\"], |x, y, z, t| [dt(x) - 10 * (y - x), dt(y) - x * (28 - z) + y, dt(z) - x * y + 8 / 3 * z + sin(t)]);"),
            // Edges that move, a coefficient that varies, a source that depends on time.
            ("edges", "let g = grid::interval(0, 1, 40, #{ left: dirichlet(|t| sin(3 * t)), right: neumann(0.2) });
              let k = g.sample(|x| 1 + 0.5 * x).values; let start = g.sample(|x| x * (1 - x)); let span = 0.02;
              let eq = equation(|u, x, t| dt(u) - dx(k * dx(u)) + u * u - x * exp(-t));"),
            // Two unknowns in the plane, several samples with coefficients of their own.
            ("plane", "let g = grid::periodic([6, 5], [TAU, TAU]); let span = 0.2; let a = tensor([0.5, 1.5]);
              let s = |p| stack([g.sample(|x, y| sin(x + p) * cos(y)).values[[0, 0]], g.sample(|x, y| cos(x) + 0.1 * p * sin(2 * y)).values[[0, 0]]]).reshape([2, 1, 6, 5]);
              let start = #{ u: s.call(0), v: s.call(1) };
              let eq = equation([\"u\", \"v\"], |u, v| [dt(u) - a * laplacian(u) + u * v * v, dt(v) - 0.3 * laplacian(v) + dx(u) - v + integral(u * v)]);"),
        ];
        let schemes = [
            ("dormand_prince", "rtol: 1e-8, atol: 1e-10, step: \"adaptive\""),
            ("bogacki_shampine", "rtol: 1e-5, atol: 1e-7, step: \"adaptive\""),
            ("esdirk4", "rtol: 1e-5, atol: 1e-7, step: \"adaptive\""),
            ("backward_euler", "steps: 12"),
            ("crank_nicolson", "steps: 12"),
            ("bdf2", "steps: 12"),
        ];
        for (name, problem) in problems {
            for (scheme, options) in schemes {
                let mut operations = [0; 2];
                for (count, lane) in operations.iter_mut().zip(["auto", "burn"]) {
                    let derivatives = if name == "lorenz" { "" } else { "derivatives: \"central\", grid: g, " };
                    let before = host.session().context().counts().snapshot().operations;
                    let script = format!(
                        "{problem} let of_{lane} = solve(eq, start, [0, span / 3, span], #{{ {derivatives}scheme: \"{scheme}\", {options}, lane: \"{lane}\", quiet: true }});"
                    );
                    let _ =
                        host.evaluate("rates", &script).unwrap_or_else(|e| panic!("{name} {scheme}\n{script}\n{e}"));
                    *count = host.session().context().counts().snapshot().operations - before;
                }
                let value = |host: &mut crate::script::Host, script: &str| {
                    let value =
                        host.evaluate("rates", script).unwrap_or_else(|e| panic!("{name} {scheme} {script}\n{e}"));
                    value.as_float().unwrap_or_else(|_| panic!("{name} {scheme} {script}"))
                };
                let error = value(
                    &mut host,
                    "item(max(abs(tensor(of_auto.values) - tensor(of_burn.values)))) / item(max(abs(tensor(of_burn.values))))",
                );
                // Newton's iterations end a little apart.
                assert!(error <= 1e-8, "{name} {scheme}: {error:e}");
                // Steps of implicit methods are mostly products with the Jacobian.
                let explicit = matches!(scheme, "dormand_prince" | "bogacki_shampine");
                assert!(!explicit || 2 * operations[0] < operations[1], "{name} {scheme}: {operations:?} operations");
            }
        }
    });
}
