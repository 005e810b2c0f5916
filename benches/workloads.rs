//! Benchmarks as a user meets them: scripts, run through the library's host.
//!
//! `cargo bench` runs all, `cargo bench -- NAME…` those whose names contain one of the words, `cargo bench -- --smoke` the small
//! ones once, `cargo bench --features cuda -- --large --device cuda` those that fill a card, on it. For each workload it prints a line of JSON: `ms`, the median time of one run; `first_s`, the time of the first, in
//! which things are traced, planned and allocated; `ready_s`, from the start of the process until the
//! engine was there, where the environment says when it was started; `peak_bytes`, the most bytes that tensors held;
//! `resident_bytes`, the most memory of the process meanwhile; `allocations` and `allocated_bytes`, the blocks that one more run takes from the heap and their sizes;
//! `checked`, what the first result was compared with before anything was timed. A result that differs from its reference ends in failure.
//!
//! A script in `workloads/` makes its data, defines `run()`, which is timed until its numbers are there, and `check(result)`, which compares a result with an
//! independent and slower computation. Sizes are parameters: one script serves several workloads.

#[path = "measure/account.rs"]
mod account;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::Instant;

use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session, Terminal};
use ansatz::tensor::Device;
use rhai::{Dynamic, Map};
use serde_json::{Value, json};

#[global_allocator]
static MEMORY: account::Counting = account::Counting;

/// One row of the table: a script with its sizes.
struct Workload {
    name: &'static str,
    script: &'static str,
    sizes: &'static [(&'static str, &'static str)],
    /// Runs, of whose times the median counts.
    repeats: usize,
    /// Calls in one run, for what is too short to be timed alone.
    calls: usize,
    /// Whether it is small enough to be run in every check of the project.
    small: bool,
}

const fn row(
    name: &'static str,
    script: &'static str,
    sizes: &'static [(&'static str, &'static str)],
    repeats: usize,
) -> Workload {
    Workload { name, script, sizes, repeats, calls: 1, small: false }
}
const fn short(name: &'static str, script: &'static str, calls: usize) -> Workload {
    Workload { name, script, sizes: &[], repeats: 7, calls, small: true }
}
impl Workload {
    const fn small(self) -> Self {
        Self { small: true, ..self }
    }
}

const WORKLOADS: &[Workload] = &[
    short("matmul_512", "matmul", 10),
    short("add_1m", "add", 20),
    short("tanh_1m", "tanh", 20),
    short("rfft2_irfft2_64x128x128", "rfft2_irfft2", 1),
    short("conv2d_16x32x32x32_k3_fwd_bwd", "conv2d", 1),
    row("heat_2d_64x128x128_100_steps", "heat_2d", &[("samples", "64"), ("points", "128")], 5),
    row("heat_2d_1x128x128_100_steps", "heat_2d", &[("samples", "1"), ("points", "128")], 5).small(),
    row("heat_2d_4x512x512_100_steps", "heat_2d", &[("samples", "4"), ("points", "512")], 5),
    row("burgers_1d_32x256_32_steps_gradient", "burgers_gradient", &[], 7).small(),
    row("ks_1d_256x256_1000_steps", "ks_1d", &[("samples", "256"), ("points", "256")], 5),
    row("ks_1d_1x256_1000_steps", "ks_1d", &[("samples", "1"), ("points", "256")], 5).small(),
    row("ks_1d_16x4096_1000_steps", "ks_1d", &[("samples", "16"), ("points", "4096")], 5),
    row("ns_2d_1x256x256_100_steps", "ns_2d", &[("samples", "1"), ("points", "256")], 3),
    row("ns_2d_16x64x64_100_steps", "ns_2d", &[("samples", "16"), ("points", "64")], 3).small(),
    row("ns_2d_1x1024x1024_100_steps", "ns_2d", &[("samples", "1"), ("points", "1024")], 3),
    row("ns_2d_128_200_steps_gradient", "ns_2d_gradient", &[], 3),
    row("smdp_window_4_batch_32_gradient", "smdp_window", &[], 7).small(),
    row("sde_double_well_1e6_paths_1000_steps", "sde_double_well", &[], 5),
    row("sde_process_1e6_paths_100_steps", "sde_process", &[], 5),
    row("sde_langevin_1e6_paths_100_steps", "sde_langevin", &[], 5),
    row("mlp_step_4x64_batch_10000", "mlp_step", &[], 7).small(),
    row("pinn_burgers_4x64_10000_points", "pinn_burgers", &[], 7).small(),
    row(COLD_START, "cold_start", &[], 5).small(),
];

/// The same scripts at sizes that fill a card: at least ten times the points or samples. `benches/gpu/peers.py` has the same names.
const LARGE: &[Workload] = &[
    row("matmul_8192", "matmul", &[("points", "8192")], 7),
    row("add_256m", "add", &[("points", "268435456")], 7),
    row("tanh_256m", "tanh", &[("points", "268435456")], 7),
    row("rfft2_irfft2_1024x128x128", "rfft2_irfft2", &[("samples", "1024"), ("points", "128")], 7),
    row("conv2d_256x32x32x32_k3_fwd_bwd", "conv2d", &[("samples", "256")], 7),
    row("heat_2d_1024x128x128_100_steps", "heat_2d", &[("samples", "1024"), ("points", "128")], 5),
    row("heat_2d_64x512x512_100_steps", "heat_2d", &[("samples", "64"), ("points", "512")], 5),
    row("burgers_1d_4096x256_32_steps_gradient", "burgers_gradient", &[("samples", "4096")], 5),
    row("ks_1d_16384x256_1000_steps", "ks_1d", &[("samples", "16384"), ("points", "256")], 3),
    row("ks_1d_1024x4096_1000_steps", "ks_1d", &[("samples", "1024"), ("points", "4096")], 3),
    row("ns_2d_1024x64x64_100_steps", "ns_2d", &[("samples", "1024"), ("points", "64")], 3),
    row("ns_2d_16x1024x1024_100_steps", "ns_2d", &[("samples", "16"), ("points", "1024")], 3),
    row("ns_2d_512_200_steps_gradient", "ns_2d_gradient", &[("points", "512")], 3),
    row("smdp_window_4_batch_1024_gradient", "smdp_window", &[("samples", "1024")], 5),
    row("sde_double_well_1e8_paths_1000_steps", "sde_double_well", &[("paths", "100000000")], 3),
];

/// A process of its own: from its start to its end, the first result printed.
const COLD_START: &str = "cold_start";
/// What other tools are timed on and what is not there yet.
const MISSING: &[(&str, &str)] =
    &[("pinn_burgers_10k_4x64_step", "an equation cannot yet be the residual of a network")];

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let device = match words.iter().position(|word| word == "--device") {
        None => Device::CPU,
        Some(at) => {
            let name = words.drain(at..(at + 2).min(words.len())).nth(1).unwrap_or_default();
            match Device::named(&name) {
                Ok(device) => device,
                Err(error) => {
                    eprintln!("error: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    };
    let [smoke, large] = ["--smoke", "--large"].map(|flag| words.iter().any(|word| word == flag));
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|word| name.contains(word.as_str()));
    for (name, reason) in MISSING.iter().filter(|(name, _)| !large && wanted(name)) {
        eprintln!("{name}: left out: {reason}");
    }
    let table = if large { LARGE } else { WORKLOADS };
    // What stands before any workload: the engine with all its functions.
    let ready = stack::on_large_stack(|| drop(Host::new(Session::new(Options::default()))))
        .ok()
        .and_then(|()| account::since_start());
    let chosen = table.iter().filter(|w| wanted(w.name) && (w.small || !smoke));
    let mut failed = false;
    for workload in chosen {
        let repeats = if smoke { 0 } else { workload.repeats };
        let measured = stack::on_large_stack(move || measure(workload, device, repeats, ready));
        match measured.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(line) => println!("{line}"),
            Err(message) => {
                eprintln!("{}: {message}", workload.name);
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(workload: &Workload, device: Device, repeats: usize, ready: Option<f64>) -> Result<Value, String> {
    if workload.name == COLD_START {
        return cold_start(repeats.max(1));
    }
    let file = folder().join(format!("{}.rhai", workload.script));
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let session = Session::new(Options {
        device,
        limits: Limits { tensor_bytes: device.usual_limit(), ..Limits::default() },
        parameters: workload.sizes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        sink: Rc::new(Terminal::new(true)),
        script_folder: Some(folder()),
        run_folder: out(),
        ..Options::default()
    });
    let context = session.context().clone();
    let mut host = Host::new(session);
    let mut evaluate = |text: &str| host.evaluate(workload.script, text).map_err(|error| error.to_string());
    drop(evaluate(&text)?);
    context.reset_peak();
    account::reset_resident_peak();
    let began = Instant::now();
    drop(evaluate("let result = ready(run());")?);
    context.synchronise().map_err(|error| error.to_string())?;
    let first = began.elapsed().as_secs_f64();
    let (peak, resident) = (context.peak_bytes(), account::resident_peak());
    let checked = judged(&evaluate("check(result)")?)?;
    drop(evaluate("let result = ();")?);
    let call = if workload.calls == 1 {
        "ready(run())".to_string()
    } else {
        format!("for i in 0..{} {{ ready(run()); }}", workload.calls)
    };
    let mut times = Vec::new();
    let mut counts = context.counts().snapshot().since(context.counts().snapshot());
    for _ in 0..repeats {
        let began = Instant::now();
        let before = context.counts().snapshot();
        drop(evaluate(&call)?);
        // A device answers before it has worked: what counts is when it is done.
        context.synchronise().map_err(|error| error.to_string())?;
        counts = context.counts().snapshot().since(before);
        times.push(began.elapsed().as_secs_f64() * 1e3 / workload.calls as f64);
    }
    let mut line = line(workload.name, times, Some(first), Some(peak), checked);
    // One run more than is timed: counting costs time.
    let (done, blocks, bytes) = account::counted(|| evaluate("ready(run())").map(drop));
    done?;
    line["ready_s"] = json!(ready);
    line["resident_bytes"] = json!(resident);
    line["allocations"] = json!(blocks);
    line["allocated_bytes"] = json!(bytes);
    if device != Device::CPU {
        line["device"] = device.to_string().into();
        line["operations"] = counts.operations.into();
        line["copies_to_host"] = counts.to_host.into();
        line["copies_to_device"] = counts.to_device.into();
    }
    Ok(line)
}

/// From the start of the program to its end, with one number printed.
fn cold_start(repeats: usize) -> Result<Value, String> {
    let expected = 8.0 * 1f64.sin();
    let (mut times, mut error) = (Vec::new(), 0f64);
    for _ in 0..repeats {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ansatz"));
        command.arg("run").arg(folder().join("cold_start.rhai")).arg("--quiet").arg("--out").arg(out());
        let output = command.output().map_err(|error| error.to_string())?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        let text = String::from_utf8_lossy(&output.stdout);
        let number: f64 = text.trim().parse().map_err(|_| format!("no number was printed: {text:?}"))?;
        error = error.max((number / expected - 1.0).abs());
    }
    let found: Map = [
        ("against".into(), Dynamic::from("8 sin 1".to_string())),
        ("error".into(), Dynamic::from(error)),
        ("tolerance".into(), Dynamic::from(1e-5)),
    ]
    .into_iter()
    .collect();
    Ok(line(COLD_START, times, None, None, judged(&Dynamic::from(found))?))
}

/// What `check` returned, once its error is within the tolerance.
fn judged(found: &Dynamic) -> Result<Value, String> {
    let found = found.clone().try_cast::<Map>().ok_or("check(result) gives #{ against, error, tolerance }")?;
    let number = |name: &str| {
        let value = found.get(name).ok_or(format!("check(result) gives no `{name}`"))?;
        let number = value.as_float().ok().or_else(|| value.as_int().ok().map(|n| n as f64));
        let tensor = || value.clone().try_cast::<ansatz::tensor::Tensor>().and_then(|t| t.item().ok());
        number.or_else(tensor).ok_or(format!("`{name}` of check(result) is no number"))
    };
    let (error, tolerance) = (number("error")?, number("tolerance")?);
    let against = found.get("against").map(ToString::to_string).unwrap_or_default();
    // Not the other way round: NaN is above every tolerance.
    if error <= tolerance {
        let digits: f64 = format!("{error:.2e}").parse().unwrap_or(error);
        return Ok(json!({ "against": against, "error": digits, "tolerance": tolerance }));
    }
    Err(format!("the result differs from {against}: {error:e}, tolerated {tolerance:e}"))
}

fn line(name: &str, mut times: Vec<f64>, first: Option<f64>, peak: Option<usize>, checked: Value) -> Value {
    times.sort_by(f64::total_cmp);
    let rounded = |x: f64| (x * 1e4).round() / 1e4;
    let ms = times.get(times.len() / 2).map(|t| rounded(*t));
    json!({
        "peer": concat!("ansatz ", env!("CARGO_PKG_VERSION")), "workload": name, "ms": ms,
        "first_s": first.map(rounded), "peak_bytes": peak, "checked": checked,
    })
}

/// Below `ANSATZ_ROOT`, where benchmarks run on another machine than the one that built them.
fn folder() -> PathBuf {
    std::env::var_os("ANSATZ_ROOT")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
        .join("benches/workloads")
}
fn out() -> PathBuf {
    let elsewhere = std::env::var_os("ANSATZ_ROOT").is_some();
    let folder = if elsewhere { std::env::temp_dir() } else { Path::new(env!("CARGO_TARGET_TMPDIR")).to_path_buf() };
    folder.join("benchmarks")
}
