//! What a scripted operation costs over Burn's own. Run with `cargo test --release --test overhead -- --ignored --nocapture`.

use std::time::Instant;

use ansatz::script::{Host, stack};
use ansatz::session::{Options, Session};
use burn::tensor::{Device, Tensor};

const TURNS: usize = 200_000;

/// The fastest of several runs, in nanoseconds per turn: the others were disturbed.
fn nanoseconds(mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / TURNS as f64);
    }
    best
}

#[test]
#[ignore = "a measurement, not a test"]
fn a_scripted_operation_costs_little_more_than_burn() {
    let lines = stack::on_large_stack(|| {
        let device = Device::default();
        let x = Tensor::<1>::from_floats([1.0, 2.0], &device);
        let y = Tensor::<1>::from_floats([3.0, 4.0], &device);
        let direct = nanoseconds(|| {
            for _ in 0..TURNS {
                std::hint::black_box(x.clone() + y.clone());
            }
        });
        let mut host = Host::new(Session::new(Options::default()));
        host.evaluate("setup", "let x = tensor([1, 2]); let y = tensor([3, 4]); fn f(a, b) { a + b }")
            .map_err(|d| d.to_string())
            .expect("the setup");
        let mut script = |text: &str| {
            nanoseconds(|| {
                host.evaluate("loop", text).map_err(|d| d.to_string()).expect("the loop");
            })
        };
        let empty = script(&format!("for i in 0..{TURNS} {{ }}"));
        let mut lines = vec![
            format!("burn alone                 {direct:7.0} ns"),
            format!("an empty turn of a loop    {empty:7.0} ns"),
        ];
        for (what, body) in [
            ("x + y", "x + y;"),
            ("x + 1.5", "x + 1.5;"),
            ("sin(x)", "sin(x);"),
            ("x.rank", "x.rank;"),
            ("f(x, y), a script function", "f(x, y);"),
        ] {
            let taken = script(&format!("for i in 0..{TURNS} {{ {body} }}")) - empty;
            lines.push(format!("{what:<26} {taken:7.0} ns, {:+.0} ns over burn", taken - direct));
        }
        let closure = script(&format!("let s = [0]; s.pad({TURNS}, 0); s.for_each(|i| x + y);"));
        lines.push(format!("x + y in a closure called from Rust {closure:7.0} ns"));
        lines
    });
    println!("{}", lines.expect("the engine's thread lives").join("\n"));
}
