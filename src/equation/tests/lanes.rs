//! Random expressions: in Fourier space, by differences, and directly on fields.
//!
//! One step of Euler's method is `u + h F(u)`: it shows the right-hand side that a lane evaluates. The text of an expression
//! means the same for symbols and for fields, so that the same closure is traced, and called with numbers.

use super::with_host;

/// Numbers that only look random.
pub(super) struct Dice(pub(super) u64);
impl Dice {
    pub(super) fn roll(&mut self, faces: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % faces
    }
}

/// A smooth expression of `u`, a field `a` and a number `k`, with at most `derivatives` derivatives inside of one another.
pub(super) fn expression(dice: &mut Dice, depth: u32, derivatives: u32, axes: u64) -> String {
    let sub = |dice: &mut Dice, derivatives| expression(dice, depth.saturating_sub(1), derivatives, axes);
    if depth == 0 {
        return ["u", "u", "a", "k", "0.7", "(-1.5)"][dice.roll(6) as usize].into();
    }
    let axis = ["dx", "dy"][dice.roll(axes) as usize];
    match dice.roll(13) {
        0 | 1 => format!("({} + {})", sub(dice, derivatives), sub(dice, derivatives)),
        2 => format!("({} - {})", sub(dice, derivatives), sub(dice, derivatives)),
        3 | 4 => format!("({} * {})", sub(dice, derivatives), sub(dice, derivatives)),
        5 => format!("({} / (2 + sin({})))", sub(dice, derivatives), sub(dice, derivatives)),
        6 => format!("sin({})", sub(dice, derivatives)),
        7 => format!("tanh({})", sub(dice, derivatives)),
        8 => format!("(-{})", sub(dice, derivatives)),
        9 => format!("(0.5 * {}) ** 2", sub(dice, derivatives)),
        10 if derivatives > 0 => format!("{axis}(u * {})", sub(dice, derivatives - 1)),
        11 if derivatives > 1 => format!("{axis}(a * {axis}(u + {}))", sub(dice, derivatives - 2)),
        _ if derivatives > 1 => format!("laplacian(u + {})", sub(dice, derivatives - 2)),
        _ => "u".into(),
    }
}

const PRELUDE: &str = r#"
    let k = 0.3;
    fn rate(eq, u, options) { (solve(eq, u, 1.0, options + #{ scheme: "euler", steps: 1, dealias: false }) - u) }
    fn apart(a, b) { item(max(abs(a - b)) / maximum(max(abs(b)), 1)) }
    fn line(n) { grid::periodic([n], [TAU]) }
    fn plane(n) { grid::periodic([n, n - 2], [TAU, TAU]) }
"#;
const LINE: &str = "
    let g = line(N);
    let u = g.sample(|x| 0.6 * sin(x) + 0.3 * cos(2 * x + 1));
    let a = g.sample(|x| 0.8 + 0.3 * cos(x));
";
const PLANE: &str = "
    let g = plane(N);
    let u = g.sample(|x, y| 0.6 * sin(x + y) + 0.3 * cos(2 * x - y + 1));
    let a = g.sample(|x, y| 0.8 + 0.3 * cos(x) * sin(y));
";

#[test]
fn both_lanes_and_fields_agree_on_random_expressions() {
    with_host(|mut host| {
        let mut dice = Dice(2024);
        let number = |host: &mut crate::script::Host, script: &str| {
            let value = host.evaluate("lanes", script).unwrap_or_else(|d| panic!("{script}\n{d}"));
            value.as_float().unwrap_or_else(|kind| panic!("{script}\nends in {kind}"))
        };
        let mut compared = 0;
        for case in 0..40 {
            let axes = 1 + case % 2;
            let text = expression(&mut dice, 2 + (case % 3) as u32, 2, axes);
            let start = if axes == 1 { LINE } else { PLANE };
            // u alone makes sure that the unknown occurs.
            let at = |n: usize, last: &str| {
                format!(
                    "{PRELUDE} {} let f = |u| 0 * u + 0.1 * u + {text}; let eq = equation(|u| dt(u) - f.call(u)); {last}",
                    start.replace('N', &n.to_string())
                )
            };
            // With odd numbers of points no mode is its own mirror image, and derivatives of derivatives are second ones.
            let odd = if axes == 1 { 33 } else { 17 };
            let direct = number(&mut host, &at(odd, "apart(rate(eq, u, #{ derivatives: \"fourier\" }), f.call(u))"));
            assert!(direct <= 1e-12, "{text}: fields and Fourier space differ by {direct:e}");
            let mut error = |n: usize| {
                number(
                    &mut host,
                    &at(n, "apart(rate(eq, u, #{ accuracy: 6 }), rate(eq, u, #{ derivatives: \"fourier\" }))"),
                )
            };
            let (coarse, fine) = (error(64), error(if axes == 1 { 128 } else { 96 }));
            // Order 6 is 64 times, and 11 times for half as many more; expressions far from smooth converge later. Fluxes,
            // ∂(a ∂u), are of second order whatever is asked for: two derivatives may be one.
            let least = match (axes == 1, text.matches("dx(").count() + text.matches("dy(").count() > 1) {
                (true, false) => 25.0,
                (false, false) => 6.0,
                (true, true) => 3.3,
                (false, true) => 2.0,
            };
            assert!(fine < 1e-9 || fine < coarse / least, "{text}: differences {coarse:.1e}, then {fine:.1e}");
            compared += usize::from(fine >= 1e-9);
        }
        assert!(compared > 5, "derivatives occur: {compared}");
    });
}
