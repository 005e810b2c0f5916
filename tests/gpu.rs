//! One script, two devices: every example of the reference, equations, samplers, trainings and gradients give the same numbers.
//!
//! Tests whose name begins with `gpu_` are for a machine with a card and run when asked for:
//!
//!     cargo test --release --features cuda --test gpu -- --ignored --test-threads=1
//!
//! `ANSATZ_TEST_DEVICE` names the device, `cuda` when it is not set; `vulkan` with `--features vulkan` needs a Vulkan driver only, if need be
//! one in software (Mesa's lavapipe); `cpu` compares the CPU with itself. The tests `lowered_…` are part of
//! every run: they take the CPU by the tensor operations alone that a card is given, which shows everything but the kernels of the card.
//! Numbers are compared relative to the largest of a result: 1e-5 in `f32`, 2e-4 where products and convolutions sum many terms.

mod common;

use std::rc::Rc;

use ansatz::field::{Field, Path};
use ansatz::script::{Host, Registry, stack};
use ansatz::session::{Limits, Options, Session, Terminal};
use ansatz::tensor::{Complex, Device, Precision, Tensor};
use rhai::{Array, Dynamic, Map};

const TIGHT: f64 = 1e-5;
const PRODUCTS: f64 = 2e-4;

fn other() -> Device {
    let name = std::env::var("ANSATZ_TEST_DEVICE").unwrap_or_else(|_| "cuda".into());
    Device::named(&name).unwrap_or_else(|error| panic!("{error}"))
}

fn host(device: Device, precision: Precision) -> Host {
    let folder = std::env::temp_dir().join(format!("ansatz-gpu-{}-{device}", std::process::id()));
    Host::new(Session::new(Options {
        device,
        precision,
        limits: Limits { granted: vec![common::data()], ..Limits::default() },
        script_folder: Some(common::data().join("reference")),
        run_folder: folder,
        sink: Rc::new(Terminal::new(true)),
        ..Options::default()
    }))
}

/// All numbers of a value in a fixed order; what holds none gives none.
fn numbers(value: &Dynamic, out: &mut Vec<f64>) {
    let tensor = |t: &Tensor, out: &mut Vec<f64>| out.extend(t.to_vec().expect("numbers of a tensor"));
    if let Some(t) = value.read_lock::<Tensor>() {
        tensor(&t, out);
    } else if let Some(z) = value.read_lock::<Complex>() {
        tensor(&z.re, out);
        tensor(&z.im, out);
    } else if let Some(field) = value.read_lock::<Field>() {
        tensor(field.values(), out);
    } else if let Some(path) = value.read_lock::<Path>() {
        tensor(path.values(), out);
    } else if let Some(array) = value.read_lock::<Array>() {
        array.iter().for_each(|v| numbers(v, out));
    } else if let Some(map) = value.read_lock::<Map>() {
        map.values().for_each(|v| numbers(v, out));
    } else if let Ok(number) = value.as_float() {
        out.push(number);
    } else if let Ok(number) = value.as_int() {
        out.push(number as f64);
    }
}

/// The largest difference relative to the largest number; infinite where one is finite and the other not.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let largest = a.iter().filter(|x| x.is_finite()).fold(1e-30f64, |m, x| m.max(x.abs()));
    let apart = |(a, b): (&f64, &f64)| match (a.is_finite(), b.is_finite()) {
        (true, true) => (a - b).abs() / largest,
        _ if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        _ => f64::INFINITY,
    };
    a.iter().zip(b).map(apart).fold(0.0, f64::max)
}

/// What a script gives on a device.
fn run(host: &mut Host, name: &str, script: &str) -> Result<Vec<f64>, String> {
    host.reset();
    let value = host.evaluate(name, script).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    numbers(&value, &mut out);
    Ok(out)
}

/// Runs scripts on both devices and compares; none may fail.
fn compare(device: Device, precision: Precision, rows: Vec<(String, String, f64)>) {
    let work = move || {
        let (mut here, mut there) = (host(Device::CPU, precision), host(device, precision));
        let (mut faults, mut worst) = (Vec::new(), (0.0, String::new()));
        for (name, script, tolerance) in &rows {
            let (a, b) = (run(&mut here, name, script), run(&mut there, name, script));
            match (a, b) {
                (Ok(a), Ok(b)) => {
                    let apart = difference(&a, &b);
                    if apart.is_nan() || apart > *tolerance {
                        faults.push(format!("{name}: differs by {apart:.1e}, tolerated {tolerance:.0e}\n    {script}"));
                    } else if apart > worst.0 {
                        worst = (apart, name.clone());
                    }
                }
                (Err(e), Err(_)) => faults.push(format!("{name}: fails on both\n    {script}\n{e}")),
                (Ok(_), Err(e)) => faults.push(format!("{name}: fails on {device} only\n    {script}\n{e}")),
                (Err(e), Ok(_)) => faults.push(format!("{name}: fails on the CPU only\n    {script}\n{e}")),
            }
        }
        println!("{} scripts on cpu and {device}: at most {:.1e} apart ({})", rows.len(), worst.0, worst.1);
        let counts = there.session().context().counts();
        println!("{:?}", counts.snapshot());
        counts.kernels().iter().take(40).for_each(|(name, n)| println!("  {n:6} launches of {name}"));
        let [to_host, _] = counts.places();
        to_host.iter().take(40).for_each(|(at, n)| println!("  {n:6} to the host at {at}"));
        faults
    };
    let faults = stack::on_large_stack(work).expect("the engine's thread lives");
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}

/// Names whose results sum many products.
fn tolerance(name: &str) -> f64 {
    let sums =
        ["conv", "matmul", "einsum", "nn::", "train", "solve", "minimize", "linalg", "fft", "spectr", "smdp", "sde"];
    if sums.iter().any(|part| name.contains(part)) { PRODUCTS } else { TIGHT }
}

/// What cannot be the same twice: clocks, names of devices, the state of the machine.
const NOT_COMPARED: [&str; 3] = ["device", "seconds", "tensor.device"];

fn examples(device: Device) {
    let registry = Registry::new();
    let rows = registry.entries().iter().filter(|entry| !NOT_COMPARED.contains(&entry.full_name().as_str())).flat_map(
        |entry| {
            let name = entry.full_name();
            let fits = |code: &str| device.supports(Precision::F64) || !code.contains("\"f64\"");
            let row = |code: &str| (name.clone(), code.to_string(), tolerance(&name));
            entry.examples.iter().filter(|e| fits(e.code)).map(|e| row(e.code)).collect::<Vec<_>>()
        },
    );
    compare(device, Precision::F32, rows.collect());
}

/// Time steps of every lane and scheme, short enough that nothing chaotic grows.
const EQUATIONS: &[(&str, &str)] = &[
    (
        "heat, exact",
        "let g = grid::periodic([48, 40], [TAU, TAU]); solve(equation(|u| dt(u) - laplacian(u)), g.sample(|x, y| sin(x) * cos(2 * y)), 0.3)",
    ),
    (
        "Burgers, etdrk2",
        "let g = grid::periodic([90], [[-1, 2]]); solve(equation(|u| dt(u) + u * dx(u) - 0.05 * dx(u, 2)), g.sample(|x| sin(TAU * x / 3)), 0.5, #{ scheme: \"etdrk2\", steps: 50 })",
    ),
    (
        "Kuramoto and Sivashinsky, etdrk4",
        "let g = grid::periodic([300], [60]); solve(equation(|u| dt(u) + u * dx(u) + dx(u, 2) + dx(u, 4)), g.sample(|x| cos(TAU * x / 30)), 2.0, #{ scheme: \"etdrk4\", steps: 20 })",
    ),
    (
        "vorticity",
        "let g = grid::periodic([32, 32], [TAU, TAU]); let flow = equation([\"w\", \"psi\"], |w, psi| [dt(w) + dy(psi) * dx(w) - dx(psi) * dy(w) - 1e-2 * laplacian(w), laplacian(psi) + w]); solve(flow, g.sample(|x, y| cos(x) + sin(2 * y) * cos(x)), 0.2, #{ scheme: \"etdrk2\", steps: 20 })",
    ),
    (
        "waves",
        "let g = grid::periodic([101], [2]); solve(equation(|u| dt(dt(u)) - 4 * dx(u, 2)), g.sample(|x| exp(cos(PI * x))), 0.77).u",
    ),
    (
        "Schrödinger",
        "let g = grid::periodic([33], [TAU]); let nls = equation(|p, q| [dt(p) + 0.5 * dx(q, 2) + (p * p + q * q) * q, dt(q) - 0.5 * dx(p, 2) - (p * p + q * q) * p]); let end = solve(nls, #{ p: |x| 0.7 * cos(2 * x), q: |x| 0.7 * sin(2 * x) }, 0.5, #{ grid: g, steps: 50, scheme: \"etdrk4\" }); [end.p, end.q]",
    ),
    (
        "between walls, rk4",
        "let g = grid::interval(0, 1, 40, #{ edges: dirichlet(0) }); solve(equation(|u| dt(u) + u * dx(u) - 0.05 * dx(u, 2)), g.sample(|x| sin(PI * x)), 0.1, #{ scheme: \"rk4\", steps: 200 })",
    ),
    (
        "walls with fluxes",
        "let g = grid::interval(-2, 3, 60, #{ edges: neumann(0) }); solve(equation(|u| dt(u) - dx(u, 2) - u * (1 - u)), g.sample(|x| exp(-x * x)), 0.2, #{ scheme: \"rk4\", steps: 200 })",
    ),
    (
        "reaction and diffusion",
        "let eq = equation(|u, v| [dt(u) - 2e-3 * laplacian(u) + u * v * v - 0.03 * (1 - u), dt(v) - 1e-3 * laplacian(v) - u * v * v + 0.085 * v]); solve(eq, #{ u: |x, y| 1 - 0.4 * exp(cos(TAU * x) + cos(PI * y) - 2), v: |x, y| 0.3 * exp(cos(TAU * x - 1) + cos(PI * y) - 2) }, 2.0, #{ grid: grid::periodic([24, 30], [1, 2]), scheme: \"etdrk4\", step: 0.5 }).values",
    ),
    (
        "adaptive",
        "let g = grid::periodic([64], [TAU]); solve(equation(|u| dt(u) + u * dx(u) - 0.1 * dx(u, 2)), g.sample(|x| sin(x)), 0.5, #{ rtol: 1e-4 })",
    ),
];

const SAMPLERS: &[(&str, &str)] = &[
    ("normal", "random::normal([1000, 3], #{ seed: 7 })"),
    ("uniform", "random::uniform([1001], #{ low: -2, high: 3, seed: 7 })"),
    ("signs", "random::rademacher([77], #{ seed: 1 })"),
    ("a field of noise", "random::gaussian_field(grid::periodic([20, 24], [TAU, TAU]), #{ samples: 3, seed: 2 })"),
    ("paths", "sample(sde::process(|x, t| -x, #{ diffusion: 0.7 }), ones([200, 2]), linspace(0, 1, 21), #{ seed: 3 })"),
    (
        "a spectral process",
        "let g = grid::periodic([32], [TAU]); let heat = spectral::operator(g, |k| -k * k); sample(sde::process(heat, #{ diffusion: 0.1 }), g.sample(|x| sin(x)), linspace(0, 0.2, 11), #{ seed: 3 })",
    ),
    (
        "reverse time",
        "reverse(sde::process(|x, t| -x, #{ diffusion: 1.0 }), |x, t| -x, random::normal([100, 2], #{ seed: 1 }), linspace(0, 1, 21), #{ seed: 4 })",
    ),
    (
        "probability flow",
        "probability_flow(sde::process(|x, t| -x, #{ diffusion: 1.0 }), |x, t| -x, random::normal([100, 2], #{ seed: 1 }), linspace(0, 1, 21))",
    ),
];

/// Processes whose steps are one kernel on a card: the lane that is asked for is refused where there is none.
const PROCESSES: &[(&str, &str)] = &[
    (
        "a number a path",
        "sample(sde::process(|x, t| x - x * x * x + sin(3 * t), #{ diffusion: 0.5 }), zeros([1]), [0, 0.25, 1], #{ steps: 37, paths: 1000, seed: 3, lane: \"native\" })",
    ),
    (
        "more steps than a launch has",
        "sample(sde::process(|x, t| -x, #{ diffusion: |t| 1 + t }), ones([300]), linspace(0, 1, 3), #{ steps: 5001, seed: 3, lane: \"native\" }).last()",
    ),
    (
        "two numbers of a channel, samples out of order",
        "sample(sde::process(|x, t| -2 * x + t, #{ diffusion: 0.7 }), ones([6, 2]), linspace(0, 1, 5), #{ steps: 7, samples: [7, 3, 4294967303, 0, 9, 2], seed: 3, lane: \"native\" })",
    ),
    (
        "a row of seven",
        "sample(sde::process(|x, t| -x, #{ diffusion: 0.3 }), ones([50, 7]), [0, 1], #{ steps: 20, seed: 5, lane: \"native\" })",
    ),
    (
        "Langevin: noise in one of two channels",
        "sample(sde::process(equation([\"x\"], |x| dt(dt(x)) + 0.5 * dt(x) + sin(x)), #{ diffusion: [0, 0.8] }), tensor([[1.5, 0.0]]), [0, 0.5, 1], #{ steps: 30, paths: 500, seed: 1, lane: \"native\" })",
    ),
    (
        "three channels, points",
        "sample(sde::process(|x, y, z, t| [y - x, x * (1 - z) - y, x * y - z], #{ diffusion: [0.1, 0.2, 0.3] }), 0.1 * random::normal([40, 3, 5], #{ seed: 8 }), [0, 0.2], #{ steps: 20, seed: 2, lane: \"native\" })",
    ),
    (
        "five channels of a path",
        "sample(sde::process(|a, b, c, d, e, t| [b, c, d, e, -a], #{ diffusion: [0.1, 0.2, 0, 0.3, 0.4] }), ones([100, 5]), [0, 0.5], #{ steps: 25, seed: 2, lane: \"native\" })",
    ),
    (
        "noise that depends on the state",
        "sample(sde::process(|x, t| 0.1 * x, #{ diffusion: |x, t| 0.3 * sqrt(x ** 2 + 0.01) }), ones([1]), linspace(0, 1, 3), #{ steps: 40, paths: 700, seed: 4, lane: \"native\" })",
    ),
    (
        "without noise",
        "sample(sde::process(|x, t| cos(t) - x, #{ diffusion: 0 }), ones([9]), [0, 1], #{ steps: 40, lane: \"native\" }).last()",
    ),
    (
        "statistics",
        "let s = sde::statistics(sde::process(|x, t| -x, #{ diffusion: 1 }), tensor([1.0]), [0, 0.5, 1], #{ steps: 25, paths: 4000, seed: 1, observe: |x, t| [x, x ** 2], last: true, lane: \"native\" }); [s.mean, s.variance, s.minimum, s.maximum, s.last]",
    ),
];

/// Steps on stencils, whose passes are kernels on a card.
const STENCILS: &[(&str, &str)] = &[
    (
        "Burgers between walls",
        "let g = grid::interval(0, 1, 40, #{ edges: dirichlet(0) }); solve(equation(|u| dt(u) + u * dx(u) - 0.05 * dx(u, 2)), g.sample(|x| sin(PI * x)), [0, 0.05, 0.1], #{ scheme: \"rk4\", steps: 200, lane: \"native\" })",
    ),
    (
        "a mixed derivative and a coefficient in two dimensions, two unknowns",
        "let g = grid::rectangle([0, 1], [0, 2], [24, 20], #{ edges: neumann(0) }); let k = g.sample(|x, y| 1 + 0.3 * x * y).values;
         let eq = equation(|u, v| [dt(u) - 0.01 * div(k * grad(u)) - 0.002 * dx(dy(u)) + u * v, dt(v) - 0.02 * laplacian(v) - sin(u)]);
         solve(eq, #{ u: |x, y| cos(PI * x), v: |x, y| y }, 0.1, #{ grid: g, scheme: \"heun\", steps: 40, lane: \"native\" }).values",
    ),
    (
        "fourth order in space, three samples",
        "let g = grid::periodic([30], [TAU]); let u = stack([g.sample(|x| sin(x)).values, g.sample(|x| cos(2 * x)).values, g.sample(|x| exp(sin(x))).values], 0).reshape([3, 1, 30]).field(g);
         solve(equation(|u| dt(u) - 0.1 * dx(u, 2) + 0.3 * dx(u)), u, 0.2, #{ scheme: \"bogacki_shampine\", steps: 50, derivatives: \"central\", accuracy: 4, lane: \"native\" })",
    ),
    (
        "upwind, in three dimensions",
        "let g = grid::periodic([8, 9, 10], [1, 1, 1]); solve(equation(|u| dt(u) + 0.5 * dx(u) - 0.3 * dy(u) + 0.2 * dz(u)), g.sample(|x, y, z| sin(TAU * x) * cos(TAU * y) + z), 0.1, #{ scheme: \"rk4\", steps: 30, transport: \"upwind\", lane: \"native\" })",
    ),
    (
        "shocks by weno5",
        "let g = grid::periodic([80], [TAU]); solve(equation(|u| dt(u) + u * dx(u)), g.sample(|x| 1 + sin(x)), 1.5, #{ scheme: \"ssp_rk3\", steps: 120, transport: \"weno5\", lane: \"native\" })",
    ),
    (
        "an edge that moves, and the time",
        "let g = grid::interval(0, 1, 33, #{ edges: dirichlet(|t| sin(5 * t)) }); solve(equation(|u, t| dt(u) - 0.1 * dx(u, 2) - cos(t)), g.sample(|x| 0 * x), 0.3, #{ scheme: \"rk4\", steps: 400, lane: \"native\" })",
    ),
    (
        "a method of order 2",
        "let g = grid::interval(0, 1, 40, #{ edges: dirichlet(0) }); solve(equation(|u| dt(u) - 0.02 * dx(u, 2) + u * dx(u)), g.sample(|x| sin(PI * x)), 0.2, #{ scheme: \"ralston\", steps: 300, lane: \"native\" })",
    ),
    (
        "many steps and times of output",
        "let g = grid::interval(-2, 3, 64, #{ edges: neumann(0) }); solve(equation(|u| dt(u) - 0.1 * dx(u, 2) - u * (1 - u)), g.sample(|x| exp(-x * x)), linspace(0, 2, 9), #{ scheme: \"midpoint\", steps: 700, lane: \"native\" })",
    ),
    // Right-hand sides are kernels from the 24th evaluation on, of two states in turn.
    (
        "steps by a tolerance",
        "let g = grid::interval(0, 1, 40, #{ edges: dirichlet(0) }); let eq = equation(|u| dt(u) + u * dx(u) - 0.05 * dx(u, 2)); let o = #{ scheme: \"dormand_prince\", rtol: 1e-5, transport: \"central\" };
         [solve(eq, g.sample(|x| sin(PI * x)), [0, 0.1, 0.2], o), solve(eq, g.sample(|x| x * (1 - x)), 0.1, o)]",
    ),
    (
        "steps that are implicit",
        "let g = grid::interval(0, 1, 40, #{ edges: neumann(0) }); solve(equation(|u| dt(u) - 0.1 * dx(u, 2) + u ** 3), g.sample(|x| cos(PI * x)), 0.5, #{ scheme: \"esdirk4\", steps: 12 })",
    ),
];

/// Gradients of gradients, which steps on a card do not have: by tensors.
const NESTED: &[(&str, &str)] = &[(
    "twice",
    "let g = grid::interval(0, 1, 12, #{ edges: dirichlet(0) }); let f = |u| sum(solve(equation(|u| dt(u) - 0.1 * dx(u, 2) + u ** 3), u.field(g), 0.02, #{ scheme: \"heun\", steps: 3 }).values ** 2);
     let h = |u| sum(square(grad(f, u))); grad(h, g.sample(|x| sin(PI * x)).values)",
)];

/// Solutions and paths that end with an error, the same in compiled steps on both devices.
const LOST: &[(&str, &str)] = &[
    (
        "grows beyond all bounds",
        "solve(equation(|u| dt(u) - u * u), grid::interval(0, 1, 8, #{ edges: neumann(0) }).sample(|x| 2 + 0 * x), 3.0, #{ scheme: \"rk4\", steps: 30, lane: \"native\" })",
    ),
    (
        "grows late, between times of output",
        "solve(equation(|u| dt(u) - u * u), grid::interval(0, 1, 8, #{ edges: neumann(0) }).sample(|x| 0.5 + 0 * x), [0, 1, 3], #{ scheme: \"rk4\", steps: 3000, lane: \"native\" })",
    ),
    (
        "steps that are too long, of what is kept",
        "solve(equation(|u| dt(u) - dx(u, 2)), grid::interval(0, 1, 50, #{ edges: neumann(0) }).sample(|x| exp(-x)), 1, #{ scheme: \"rk4\", steps: 300, lane: \"native\" })",
    ),
    (
        "a start that is not finite",
        "solve(equation(|u| dt(u) - dx(u, 2)), grid::interval(0, 1, 16, #{ edges: neumann(0) }).sample(|x| sqrt(x - 0.5)), 0.1, #{ scheme: \"rk4\", steps: 200, lane: \"native\" })",
    ),
    (
        "paths",
        "sample(sde::process(|x, t| x * x, #{ diffusion: 0.1 }), 2 * ones([100]), linspace(0, 4, 5), #{ steps: 500, seed: 3, lane: \"native\" })",
    ),
];

/// What only the CPU compiles, with a part of what a card says.
const UNFIT: &[(&str, &str, &str)] = &[
    (
        "a coefficient for each sample",
        "let g = grid::interval(0, 1, 16, #{ edges: neumann(0) }); let k = tensor([1.0, 2.0]); let u = ones([2, 1, 16]).field(g);
         solve(equation(|u| dt(u) - k * dx(u, 2)), u, 0.01, #{ scheme: \"rk4\", steps: 20, lane: \"native\" })",
        "differs between samples",
    ),
    (
        "an edge that changes along it",
        "let g = grid::rectangle([0, 1], [0, 1], [12, 12], #{ edges: dirichlet(|s, t| t * s) });
         solve(equation(|u| dt(u) - laplacian(u)), g.sample(|x, y| 0 * x), 0.001, #{ scheme: \"rk4\", steps: 20, lane: \"native\" })",
        "change with time",
    ),
    (
        "a long drift",
        "sample(sde::process(|x, t| { let y = x; for i in 0..300 { y = y - sin(y + i) / 1000; } y }, #{ diffusion: 0.1 }), zeros([5]), [0, 1], #{ steps: 3, lane: \"native\" })",
        "operations",
    ),
];

/// A process for each function, at places on both sides of 0 and near it, where the function has a value there.
fn functions_in_processes() -> Vec<(String, String, f64)> {
    let names = ansatz::tensor::Unary::ALL.iter().map(|(name, _)| *name);
    let row = |name: &str| {
        let start = match name {
            "ln" | "sqrt" | "rsqrt" => "linspace(0.01, 9, 200)",
            "acosh" => "linspace(1.01, 9, 200)",
            "recip" => "linspace(-5, 5, 200)",
            "asin" | "acos" => "linspace(-1, 1, 201)",
            "atanh" => "linspace(-0.97, 0.97, 200)",
            "log1p" => "concat([linspace(-0.9, 5, 200), linspace(-1e-6, 1e-6, 20)])",
            _ => "concat([linspace(-5, 5, 201), linspace(-1e-6, 1e-6, 20)])",
        };
        let of = match name {
            "neg" => "-x".to_string(),
            name => format!("{name}(x)"),
        };
        // From 0 the step adds what the function is, where the start itself would hide its last digits.
        let script = format!(
            "let p = sde::process(|x, y, t| [0 * x, {of}], #{{ diffusion: [0, 0] }}); let x = {start};
             sample(p, stack([x, 0 * x], 1), [0, 1], #{{ lane: \"native\" }}).last()[[ALL, 1]]"
        );
        (format!("a process with {name}"), script, TIGHT)
    };
    let pairs = [
        "asin(x / 1000) / x",
        "x ** y",
        "x % y",
        "atan2(x - 1, y)",
        "minimum(x, y)",
        "maximum(x, y)",
        "x / y",
        "x ** -3",
    ];
    let pair = |of: &&str| {
        let script = format!(
            "let p = sde::process(|x, y, z, t| [0 * x, 0 * y, {of}], #{{ diffusion: [0, 0, 0] }}); let x = linspace(0.1, 3, 100); let y = linspace(2, -1.5, 100);
             sample(p, stack([x, y, 0 * x], 1), [0, 1], #{{ lane: \"native\" }}).last()[[ALL, 2]]"
        );
        (format!("a process with {of}"), script, TIGHT)
    };
    names.map(row).chain(pairs.iter().map(pair)).collect()
}

const GRADIENTS: &[(&str, &str)] = &[
    (
        "functions",
        "grad(|x| sum(tanh(x) * sin(3 * x) + exp(-x * x) + softplus(x) + gelu(x)), random::normal([50], #{ seed: 1 }))",
    ),
    (
        "a filter",
        "let g = grid::periodic([30, 25], [TAU, TAU]); grad(|x| sum(square(fft::irfft(fft::rfft(x, [0, 1]), 25, [0, 1]))), random::normal([30, 25], #{ seed: 1 }))",
    ),
    (
        "convolution",
        "value_and_grad(|w, x| mean(square(conv(x, w, #{ padding: \"periodic\" }))), [0.1 * random::normal([4, 3, 3, 3], #{ seed: 2 }), random::normal([2, 3, 12, 12], #{ seed: 1 })])",
    ),
    (
        "through a rollout",
        "let g = grid::periodic([48], [TAU]); let burgers = equation(|u| dt(u) + u * dx(u) - 0.05 * dx(u, 2)); grad(|u| mean(square(solve(burgers, u.field(g), 0.2, #{ scheme: \"etdrk2\", steps: 20 }).values)), g.sample(|x| sin(x)).values)",
    ),
    (
        "through walls",
        "let g = grid::interval(0, 1, 30, #{ edges: dirichlet(0) }); let heat = equation(|u| dt(u) - dx(u, 2) + u * u); grad(|u| mean(square(solve(heat, u.field(g), 0.01, #{ scheme: \"rk4\", steps: 40 }).values)), g.sample(|x| sin(PI * x)).values)",
    ),
    (
        "through walls, to a coefficient and a number, with outputs between",
        "let g = grid::interval(0, 1, 30, #{ edges: neumann(0) });
         let f = |u, k, nu| { let eq = equation(|u| dt(u) - div(k * grad(u)) + nu * u * u); let p = solve(eq, u.field(g), [0, 0.004, 0.01], #{ scheme: \"rk4\", steps: 37, lane: \"native\" }); mean(square(p.values)) + mean(p.last().values ** 3) };
         value_and_grad(f, [g.sample(|x| exp(x)).values, g.sample(|x| 1 + 0.3 * x).values, tensor(0.7)])",
    ),
    (
        "the same with checkpoints, of three samples",
        "let g = grid::interval(0, 1, 30, #{ edges: neumann(0) }); let u = stack([g.sample(|x| exp(x)).values, g.sample(|x| x).values, g.sample(|x| cos(x)).values], 0).reshape([3, 1, 30]);
         let f = |u, k, nu| { let eq = equation(|u| dt(u) - div(k * grad(u)) + nu * u * u); mean(square(solve(eq, u.field(g), [0, 0.004, 0.01], #{ scheme: \"heun\", steps: 43, lane: \"native\", checkpoints: 5 }).values)) };
         value_and_grad(f, [u, g.sample(|x| 1 + 0.3 * x).values, tensor(0.7)])",
    ),
    (
        "of what is kept, in two dimensions, two unknowns",
        "let g = grid::rectangle([0, 1], [0, 2], [40, 30], #{ edges: neumann(0) });
         let f = |a, nu| { let eq = equation(|u, v| [dt(u) - nu * laplacian(u) + dx(u * v), dt(v) - 0.02 * laplacian(v) - sin(u)]);
             let end = solve(eq, #{ u: |x, y| cos(PI * x) * a, v: |x, y| y }, 0.1, #{ grid: g, scheme: \"rk4\", steps: 40, lane: \"native\", checkpoints: \"sqrt\" }); mean(end.u.values ** 2 * end.v.values) };
         value_and_grad(f, [tensor(1.2), tensor(0.01)])",
    ),
    (
        "upwind, with a value at an edge",
        "let g = grid::interval(0, 1, 200, #{ edges: neumann(0) });
         let f = |u, c| mean(square(solve(equation(|u| dt(u) + c * dx(u)), u.field(g), 0.2, #{ scheme: \"ssp_rk3\", steps: 100, transport: \"weno5\", lane: \"native\" }).values));
         value_and_grad(f, [g.sample(|x| exp(-40 * (x - 0.4) ** 2)).values, tensor(0.8)])",
    ),
    (
        "of steps whose number is found",
        "let g = grid::interval(0, 1, 24, #{ edges: dirichlet(0) }); grad(|u| mean(square(solve(equation(|u| dt(u) - 0.1 * dx(u, 2) + u ** 3), u.field(g), 0.1, #{ scheme: \"rk4\" }).values)), g.sample(|x| sin(PI * x)).values)",
    ),
    // Not odd in x: a gradient that is 0 by symmetry is rounding only, which Adam would scale up to whole steps.
    (
        "a training",
        "let net = nn::mlp(#{ inputs: [\"x\"], outputs: [\"y\"], hidden: [8, 8], activation: \"tanh\", seed: 3 }); let x = linspace(-0.7, 2, 32).reshape([32, 1]); let o = optim::adam(#{ lr: 1e-2 }); train(net, #{ steps: 20, optimizer: o, samples: 32, loss: |net, batch| mse(net.forward(x.samples(batch)), exp(-x.samples(batch))) }); net.forward(x)",
    ),
];

/// Transforms of lengths that take every way, along the last axis and another one, and back.
fn transforms() -> Vec<(String, String, f64)> {
    [1, 2, 3, 4, 6, 8, 64, 100, 128, 131, 256, 1000, 1024, 1031, 2048, 4096]
        .iter()
        .map(|n| {
            let script = format!(
                "let x = random::normal([3, {n}, 2], #{{ seed: 1 }}); let y = random::normal([5, {n}], #{{ seed: 2 }});
                 let a = fft::fft(complex(x, 2 * x), [1]); let b = fft::rfft(y, [1]); let c = fft::rfft(x, [1]);
                 [a, fft::ifft(a, [1]), b, fft::irfft(b, {n}, [1]), c, fft::irfft(c, {n}, [1])]"
            );
            (format!("transforms of {n}"), script, TIGHT)
        })
        .collect()
}

/// Functions whose accuracy a driver may choose, over their whole range.
const FUNCTIONS: &[(&str, &str)] = &[
    ("inverse sine and cosine", "let x = linspace(-1, 1, 2001); [asin(x), acos(x)]"),
    ("outside of it", "let x = tensor([1.1, -1.5, 0.5]); [is_finite(asin(x)), is_finite(acos(x))]"),
    ("inverse sine near 0", "let x = concat([linspace(-0.6, 0.6, 400), 1e-4 * linspace(-1, 1, 100)]); asin(x) / x"),
    ("inverse cosine near 1", "let x = linspace(0.0001, 0.6, 400); acos(1 - x) / sqrt(x)"),
    ("functions of an angle", "let x = linspace(-40, 40, 2001); [sin(x), cos(x), atan(x), tan(x / 27)]"),
    (
        "exponentials",
        "let x = linspace(-5, 5, 2001); [tanh(x), erf(x), sigmoid(x), exp(x), sinh(x), cosh(x), asinh(x), expm1(x), softplus(x), gelu(x)]",
    ),
    ("logarithms", "let x = linspace(0.001, 40, 2001); [ln(x), log1p(x), sqrt(x), rsqrt(x), acosh(1 + x)]"),
];

/// Draws whose every bit is the CPU's: no rounding comes in.
const BITS: &[(&str, &str)] = &[
    ("uniform", "random::uniform([1001], #{ seed: 7 })"),
    ("uniform, in rows", "random::uniform([33, 7], #{ seed: 8 })"),
    ("signs", "random::rademacher([770], #{ seed: 1 })"),
    ("permutation", "let order = random::permutation(50, #{ seed: 1 }); order"),
];

fn table(rows: &[(&str, &str)], tolerance: f64) -> Vec<(String, String, f64)> {
    rows.iter().map(|(name, script)| (name.to_string(), script.to_string(), tolerance)).collect()
}
/// The same where nothing is compiled.
fn in_any_lane(rows: Vec<(String, String, f64)>) -> Vec<(String, String, f64)> {
    let any = |script: String| script.replace("lane: \"native\"", "lane: \"auto\"");
    rows.into_iter().map(|(name, script, tolerance)| (name, any(script), tolerance)).collect()
}

/// A stop that is asked for after some time ends a script: how long it takes from there.
fn stopped_after(device: Device, script: &str) -> f64 {
    use ansatz::session::interrupt;
    let mut host = host(device, Precision::F32);
    let asked = std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_secs(4));
        interrupt::request(interrupt::Reason::User);
        std::time::Instant::now()
    });
    let error = run(&mut host, "endless", script).expect_err("an endless script");
    let ended = std::time::Instant::now();
    let asked = asked.join().expect("a thread that sleeps");
    assert!(error.contains("interrupt") && ended > asked, "{error}");
    ended.duration_since(asked).as_secs_f64()
}

/// Two runs on one device give the same bits.
fn deterministic(device: Device) {
    let work = move || {
        for (name, script) in EQUATIONS.iter().take(3).chain(SAMPLERS).chain(PROCESSES).chain(STENCILS).chain(GRADIENTS)
        {
            let once =
                || run(&mut host(device, Precision::F32), name, script).unwrap_or_else(|e| panic!("{name}: {e}"));
            let (a, b) = (once(), once());
            let differ = a.iter().zip(&b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            assert_eq!(differ, 0, "{name} on {device}: {differ} of {} numbers", a.len());
        }
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}

/// Tensors of a loop are freed: as many bytes are held after many steps as after a few. And what a step copies is a few numbers.
fn memory_is_flat(device: Device, steps: usize) {
    let work = move || {
        let mut host = host(device, Precision::F32);
        let script = |steps: usize| {
            format!(
                "let g = grid::periodic([64, 64], [TAU, TAU]); let heat = spectral::operator(g, |k, l| -k * k - l * l);
                 let w = 0.1 * random::normal([8, 1, 3, 3], #{{ seed: 1 }}); let u = g.sample(|x, y| sin(x) * cos(y));
                 for i in 0..{steps} {{
                     let got = value_and_grad(|w| mean(square(conv(u.values, w, #{{ padding: \"periodic\" }}))), w);
                     w -= 0.01 * got[1]; u = heat.propagate(u, 1e-4);
                 }}
                 sum(w)"
            )
        };
        run(&mut host, "a few", &script(5)).unwrap_or_else(|e| panic!("{e}"));
        host.reset();
        let context = host.session().context().clone();
        let held = context.live_bytes();
        context.reset_peak();
        run(&mut host, "peak", &script(5)).unwrap_or_else(|e| panic!("{e}"));
        let peak = context.peak_bytes();
        context.reset_peak();
        let before = context.counts().snapshot();
        run(&mut host, "many", &script(steps)).unwrap_or_else(|e| panic!("{e}"));
        host.reset();
        assert!(context.live_bytes() <= held, "{} bytes held, {held} before", context.live_bytes());
        assert!(context.peak_bytes() <= peak, "a peak of {} bytes, {peak} in the first steps", context.peak_bytes());
        let made = context.counts().snapshot().since(before);
        println!("{steps} steps on {device}: {made:?}");
        if device != Device::CPU {
            let [to_host, to_device] = context.counts().places();
            assert!(made.bytes_to_host <= 64 * steps as u64, "{made:?} {to_host:?}");
            assert!(made.bytes_to_device <= (64 * steps as u64).max(1 << 20), "{made:?} {to_device:?}");
        }
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}

#[test]
fn lowered_examples() {
    examples(Device::LOWERED);
}
#[test]
fn lowered_equations() {
    compare(Device::LOWERED, Precision::F32, table(EQUATIONS, PRODUCTS));
}
#[test]
fn lowered_functions() {
    compare(Device::LOWERED, Precision::F32, table(FUNCTIONS, TIGHT));
}
#[test]
fn lowered_samplers() {
    compare(Device::LOWERED, Precision::F32, table(SAMPLERS, TIGHT));
}
#[test]
fn lowered_transforms() {
    compare(Device::LOWERED, Precision::F32, transforms());
}
#[test]
fn lowered_gradients() {
    compare(Device::LOWERED, Precision::F32, in_any_lane(table(GRADIENTS, PRODUCTS)));
}
#[test]
fn lowered_in_double_precision() {
    let rows = in_any_lane([EQUATIONS, SAMPLERS, GRADIENTS].map(|rows| table(rows, 1e-9)).concat());
    compare(Device::LOWERED, Precision::F64, rows);
}
#[test]
fn lowered_loops_hold_and_copy_little() {
    memory_is_flat(Device::LOWERED, 50);
}

#[test]
#[ignore = "needs a card"]
fn gpu_examples() {
    examples(other());
}
#[test]
#[ignore = "needs a card"]
fn gpu_equations() {
    compare(other(), Precision::F32, table(EQUATIONS, TIGHT));
}
#[test]
#[ignore = "needs a card"]
fn gpu_samplers() {
    compare(other(), Precision::F32, table(SAMPLERS, TIGHT));
}
#[test]
#[ignore = "needs a card"]
fn gpu_stencils() {
    compare(other(), Precision::F32, table(STENCILS, TIGHT));
}
#[test]
#[ignore = "needs a card"]
fn gpu_processes() {
    let rows = [table(PROCESSES, TIGHT), functions_in_processes()].concat();
    compare(other(), Precision::F32, rows);
}
#[test]
#[ignore = "needs a card"]
fn gpu_functions() {
    compare(other(), Precision::F32, table(FUNCTIONS, TIGHT));
}
#[test]
#[ignore = "needs a card"]
fn gpu_bits_of_draws() {
    compare(other(), Precision::F32, table(BITS, 0.0));
}
#[test]
#[ignore = "needs a card"]
fn gpu_transforms() {
    compare(other(), Precision::F32, transforms());
}
#[test]
#[ignore = "needs a card"]
fn gpu_gradients() {
    compare(other(), Precision::F32, [table(GRADIENTS, PRODUCTS), table(NESTED, PRODUCTS)].concat());
}
#[test]
#[ignore = "needs a card"]
fn gpu_double_precision() {
    let device = other();
    if !device.supports(Precision::F64) {
        println!("{device} does not compute in double precision: left out");
        return;
    }
    let rows = in_any_lane([EQUATIONS, SAMPLERS, GRADIENTS].map(|rows| table(rows, 1e-9)).concat());
    compare(device, Precision::F64, rows);
}
#[test]
#[ignore = "needs a card"]
fn gpu_determinism() {
    deterministic(other());
}
#[test]
#[ignore = "needs a card"]
fn gpu_memory_over_1000_steps() {
    memory_is_flat(other(), 1000);
}
#[test]
#[ignore = "needs a card"]
fn gpu_out_of_memory_is_an_error() {
    let work = || {
        let mut host = host(other(), Precision::F32);
        let error = run(&mut host, "too much", "let x = zeros([1000000, 1000000]); sum(x * x)");
        assert!(error.as_ref().is_err_and(|e| e.contains("memory")), "{error:?}");
        assert_eq!(run(&mut host, "after it", "sum(ones(10))"), Ok(vec![10.0]));
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}
#[test]
#[ignore = "needs a card"]
fn gpu_errors() {
    let work = || {
        let (mut here, mut there) = (host(Device::CPU, Precision::F32), host(other(), Precision::F32));
        for (name, script) in LOST {
            // How many numbers are lost at the end is a matter of lanes.
            let said = |error: String| {
                error.lines().filter(|line| !line.contains("of the numbers")).collect::<Vec<_>>().join("\n")
            };
            let errors = [&mut here, &mut there].map(|host| said(run(host, name, script).expect_err(name)));
            println!("{name}: {}", errors[0]);
            assert_eq!(errors[0], errors[1], "{name}");
            assert!(errors[0].contains("finite"), "{name}: {}", errors[0]);
        }
        for (name, script, why) in UNFIT {
            run(&mut here, name, script).unwrap_or_else(|error| panic!("{name}: {error}"));
            let error = run(&mut there, name, script).expect_err(name);
            assert!(error.contains(why) && error.contains("compiled"), "{name}: {error}");
            let script = script.replace("lane: \"native\"", "lane: \"auto\"");
            run(&mut there, name, &script).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}
#[test]
#[ignore = "needs a card"]
fn gpu_interrupts() {
    let heat = |n: usize| {
        format!(
            "let g = grid::rectangle([0, 1], [0, 1], [{n}, {n}], #{{ edges: dirichlet(0) }}); solve(equation(|u| dt(u) - laplacian(u)), g.sample(|x, y| x), 1e-5, #{{ scheme: \"rk4\", steps: 50000, lane: \"native\" }})"
        )
    };
    let paths = |paths: usize| {
        format!(
            "sample(sde::process(|x, t| x - x * x * x + sin(3 * t), #{{ diffusion: 0.5 }}), zeros([1]), [0, 1], #{{ steps: 100000000, paths: {paths}, seed: 3, lane: \"native\" }})"
        )
    };
    let rows = [("16²", heat(16)), ("300²", heat(300)), ("10 paths", paths(10)), ("300,000 paths", paths(300_000))];
    let work = move || {
        for (name, script) in rows {
            let took = stopped_after(other(), &script);
            println!("a stop of {name} took {took:.2} s");
            assert!(took < 1.0, "{name}: {took} s");
        }
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}
#[test]
#[ignore = "needs a card"]
fn gpu_limit_of_memory() {
    let work = || {
        let mut host = host(other(), Precision::F32);
        let context = host.session().context().clone();
        let script = |n: usize| {
            format!(
                "let g = grid::rectangle([0, 1], [0, 1], [{n}, {n}], #{{ edges: neumann(0) }}); let u = solve(equation(|u, v| [dt(u) - laplacian(u) - u * v, dt(v) - laplacian(v) + sin(u)]), #{{ u: |x, y| x, v: |x, y| y }}, linspace(0, 1e-6, 5), #{{ grid: g, scheme: \"rk4\", steps: 2, lane: \"native\" }}); sum(u.values)"
            )
        };
        let mut ran = [false; 2];
        for limit in (1..=24).map(|n| n << 20) {
            host.reset();
            context.set_memory_limit(limit);
            context.reset_peak();
            let result = run(&mut host, "limited", &script(256));
            assert!(context.peak_bytes() <= limit, "{} of {limit} bytes: {result:?}", context.peak_bytes());
            match result {
                Ok(_) => ran[1] = true,
                Err(error) => {
                    assert!(error.contains("memory"), "{error}");
                    ran[0] = true;
                }
            }
        }
        assert_eq!(ran, [true; 2]);
    };
    stack::on_large_stack(work).expect("the engine's thread lives");
}
