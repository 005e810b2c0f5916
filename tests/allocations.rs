//! Compiled steps take nothing from the heap: a rollout of many steps makes as many blocks as one of few.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ansatz::script::{Host, stack};
use ansatz::session::{Options, Session};

struct Counting;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static MEMORY: Counting = Counting;

/// A script that defines `run(steps)`.
const RUNS: [(&str, &str); 3] = [
    (
        "one axis, nonlinear",
        r#"let u = grid::periodic([64], [TAU]).sample(|x| sin(x));
           let e = equation(|u| dt(u) + u * dx(u) - 0.1 * laplacian(u));
           fn run(n) { solve(e, u, 0.1, #{ scheme: "etdrk4", steps: n, lane: "native", quiet: true }); }"#,
    ),
    (
        "two axes, two unknowns and a function at points",
        r#"let g = grid::periodic([16, 12], [TAU, TAU]);
           let start = #{ u: g.sample(|x, y| sin(x)), v: g.sample(|x, y| cos(y)) };
           let e = equation(["u", "v"], |u, v| [dt(u) - laplacian(u) - u * v + tanh(u), dt(v) - laplacian(v) + u * dy(v)]);
           fn run(n) { solve(e, start, 0.1, #{ scheme: "cnab2", steps: n, lane: "native", quiet: true }); }"#,
    ),
    (
        "samples, with their own coefficients",
        r#"let start = random::normal([8, 1, 32], #{ seed: 1 }).field(grid::periodic([32], [TAU]));
           let nu = linspace(0.1, 0.2, 8);
           let e = equation(|u| dt(u) + u * dx(u) - nu * laplacian(u));
           fn run(n) { solve(e, start, 0.01, #{ scheme: "rk4", steps: n, lane: "native", quiet: true }); }"#,
    ),
];

/// Blocks that `run(steps)` takes.
fn blocks(host: &mut Host, steps: usize) -> usize {
    let call = format!("run({steps});");
    // The first time things are planned and compiled.
    for _ in 0..2 {
        drop(host.evaluate("run", &call).unwrap_or_else(|e| panic!("{e}")));
    }
    let before = BLOCKS.load(Relaxed);
    drop(host.evaluate("run", &call).unwrap_or_else(|e| panic!("{e}")));
    BLOCKS.load(Relaxed) - before
}

#[test]
fn a_step_makes_nothing_on_the_heap() {
    let found = stack::on_large_stack(|| {
        let mut found = Vec::new();
        for (name, script) in RUNS {
            let mut host = Host::new(Session::new(Options::default()));
            drop(host.evaluate("run", script).unwrap_or_else(|e| panic!("{e}")));
            let (few, many) = (blocks(&mut host, 100), blocks(&mut host, 1100));
            found.push((name, few, many));
        }
        found
    });
    for (name, few, many) in found.unwrap() {
        // The list of steps grows by doubling, and threads that wait for work have blocks of their own.
        assert!(many < few + 50, "{name}: {few} blocks for 100 steps, {many} for 1100");
    }
}
