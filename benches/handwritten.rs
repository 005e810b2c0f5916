//! Steps on stencils beside a loop that was written by hand for one equation.
//!
//! `cargo bench --bench handwritten` solves three unknowns that react and diffuse, with a coefficient that varies and a mixed derivative, on a large periodic
//! plane, by `solve` and by the loop below: one pass over the plane for each stage of Heun's method, rows shared by threads. It prints a line of JSON with both
//! times and their ratio; states that differ end in failure. `--smoke` takes a small plane once.

use std::process::ExitCode;
use std::time::Instant;

use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session};
use rayon::prelude::*;
use serde_json::json;

/// One equation, as a user writes it.
const SCRIPT: &str = r#"
    let plane = grid::periodic([N, N], [N, N]);
    let k = plane.sample(|x, y| 0.2 + 0.1 * cos(TAU * x / N) * sin(2 * TAU * y / N)).values.cast("f32");
    let eq = equation(["u", "v", "w"], |u, v, w| [
        dt(u) - div(k * grad(u)) - 0.05 * dx(dy(v)) + u * v * v - 0.03 * (1 - u),
        dt(v) - 0.5 * div(k * grad(v)) - u * v * v + 0.09 * v + 0.02 * w,
        dt(w) - 0.3 * laplacian(w) - 0.1 * dx(v) - v + w,
    ]);
    let start = |phase| plane.sample(|x, y| 0.5 + 0.3 * cos(TAU * x / N + phase) * sin(TAU * y / N)).values.cast("f32");
    let u = start.call(0); let v = start.call(1); let w = start.call(2);
    fn run() {
        solve(eq, #{ u: u, v: v, w: w }, STEPS * 0.1, #{ grid: plane, derivatives: "central", scheme: "heun", steps: STEPS, quiet: true }).values
    }
"#;

/// A row.
fn line(n: usize, f: &[f32], start: usize) -> &[f32] {
    &f[start..start + n]
}

/// What one row of a stage reads: each array here, above and below.
struct Rows<'a> {
    k: [&'a [f32]; 3],
    u: [&'a [f32]; 3],
    v: [&'a [f32]; 3],
    w: [&'a [f32]; 3],
    base: [&'a [f32]; 3],
    scale: f32,
}

impl Rows<'_> {
    /// Three results from a place and those on its left and right.
    #[inline(always)]
    fn point(&self, j: usize, l: usize, r: usize) -> [f32; 3] {
        let ([k, km, kp], [u, um, up]) = (self.k, self.u);
        let ([v, vm, vp], [w, wm, wp]) = (self.v, self.w);
        let (fp, fm) = (0.5 * (k[j] + kp[j]), 0.5 * (k[j] + km[j]));
        let (fr, fl) = (0.5 * (k[j] + k[r]), 0.5 * (k[j] + k[l]));
        let of_u = fp * (up[j] - u[j]) - fm * (u[j] - um[j]) + fr * (u[r] - u[j]) - fl * (u[j] - u[l]);
        let of_v = fp * (vp[j] - v[j]) - fm * (v[j] - vm[j]) + fr * (v[r] - v[j]) - fl * (v[j] - v[l]);
        let mixed = 0.25 * (vp[r] - vp[l] - vm[r] + vm[l]);
        let reaction = u[j] * v[j] * v[j];
        let of_u = of_u + 0.05 * mixed - reaction + 0.03 * (1.0 - u[j]);
        let of_v = 0.5 * of_v + reaction - 0.09 * v[j] - 0.02 * w[j];
        let of_w = 0.3 * (wp[j] + wm[j] + w[l] + w[r] - 4.0 * w[j]) + 0.05 * (vp[j] - vm[j]) + v[j] - w[j];
        [(of_u, 0), (of_v, 1), (of_w, 2)].map(|(rate, i)| self.base[i][j] + self.scale * rate)
    }
    fn ends(&self, out: [&mut [f32]; 3]) {
        let n = self.k[0].len();
        let (first, last) = (self.point(0, n - 1, 1), self.point(n - 1, n - 2, 0));
        for (out, (first, last)) in out.into_iter().zip(first.into_iter().zip(last)) {
            (out[0], out[n - 1]) = (first, last);
        }
    }
    /// All but the ends, by the widest vectors that there are.
    fn middle(&self, out: [&mut [f32]; 3]) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            fn avx2(rows: &Rows<'_>, out: [&mut [f32]; 3]) {
                rows.loops(out);
            }
            #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
            fn avx512(rows: &Rows<'_>, out: [&mut [f32]; 3]) {
                rows.loops(out);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: the processor has it.
                return unsafe { avx512(self, out) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the processor has it.
                return unsafe { avx2(self, out) };
            }
        }
        self.loops(out);
    }
    // Written out, with slices of one length and no closures: so the compiler makes vectors of it, three times as fast as of calls of `point`.
    #[inline(always)]
    fn loops(&self, [a, b, c]: [&mut [f32]; 3]) {
        let (n, scale) = (a.len(), self.scale);
        let (a, b, c) = (&mut a[..n], &mut b[..n], &mut c[..n]);
        let (k, km, kp) = (&self.k[0][..n], &self.k[1][..n], &self.k[2][..n]);
        let (u, um, up) = (&self.u[0][..n], &self.u[1][..n], &self.u[2][..n]);
        let (v, vm, vp) = (&self.v[0][..n], &self.v[1][..n], &self.v[2][..n]);
        let (w, wm, wp) = (&self.w[0][..n], &self.w[1][..n], &self.w[2][..n]);
        let (bu, bv, bw) = (&self.base[0][..n], &self.base[1][..n], &self.base[2][..n]);
        for j in 1..n - 1 {
            let (l, r) = (j - 1, j + 1);
            let (fp, fm) = (0.5 * (k[j] + kp[j]), 0.5 * (k[j] + km[j]));
            let (fr, fl) = (0.5 * (k[j] + k[r]), 0.5 * (k[j] + k[l]));
            let of_u = fp * (up[j] - u[j]) - fm * (u[j] - um[j]) + fr * (u[r] - u[j]) - fl * (u[j] - u[l]);
            let of_v = fp * (vp[j] - v[j]) - fm * (v[j] - vm[j]) + fr * (v[r] - v[j]) - fl * (v[j] - v[l]);
            let mixed = 0.25 * (vp[r] - vp[l] - vm[r] + vm[l]);
            let reaction = u[j] * v[j] * v[j];
            a[j] = bu[j] + scale * (of_u + 0.05 * mixed - reaction + 0.03 * (1.0 - u[j]));
            b[j] = bv[j] + scale * (0.5 * of_v + reaction - 0.09 * v[j] - 0.02 * w[j]);
            let of_w = 0.3 * (wp[j] + wm[j] + w[l] + w[r] - 4.0 * w[j]) + 0.05 * (vp[j] - vm[j]) + v[j] - w[j];
            c[j] = bw[j] + scale * of_w;
        }
    }
}

/// Numbers on a plane of `n × n` points.
struct Plane {
    n: usize,
    k: Vec<f32>,
}

impl Plane {
    fn start(&self, phase: f32) -> Vec<f32> {
        let angle = std::f32::consts::TAU / self.n as f32;
        let at = |i: usize| {
            let (x, y) = ((i / self.n) as f32, (i % self.n) as f32);
            0.5 + 0.3 * (angle * x + phase).cos() * (angle * y).sin()
        };
        (0..self.n * self.n).map(at).collect()
    }
    /// `out = base + scale · rates(state)`.
    fn stage(&self, state: &[Vec<f32>; 3], base: &[Vec<f32>; 3], scale: f32, out: &mut [Vec<f32>; 3]) {
        let n = self.n;
        let [u, v, w] = state;
        let [a, b, c] = out;
        let rows = a.par_chunks_mut(n).zip(b.par_chunks_mut(n)).zip(c.par_chunks_mut(n)).enumerate();
        rows.with_min_len(16).for_each(|(i, ((a, b), c))| {
            let (up, down) = ((i + n - 1) % n * n, (i + 1) % n * n);
            let here = i * n;
            let three = |f| [line(n, f, here), line(n, f, up), line(n, f, down)];
            let rows = Rows {
                k: three(&self.k),
                u: three(u),
                v: three(v),
                w: three(w),
                base: base.each_ref().map(|f| line(n, f, here)),
                scale,
            };
            rows.ends([&mut *a, &mut *b, &mut *c]);
            rows.middle([a, b, c]);
        });
    }
    fn run(&self, steps: usize, h: f32) -> [Vec<f32>; 3] {
        let mut y = [0.0, 1.0, 2.0].map(|phase| self.start(phase));
        let (mut half, mut next) = (y.clone(), y.clone());
        let mut mean = y.clone();
        for _ in 0..steps {
            // Heun: y + h/2 (f(y) + f(y + h f(y))) = (y + z)/2 + h/2 f(z) with z = y + h f(y).
            self.stage(&y, &y, h, &mut half);
            for ((mean, y), half) in mean.iter_mut().zip(&y).zip(&half) {
                mean.par_chunks_mut(1 << 14).zip(y.par_chunks(1 << 14)).zip(half.par_chunks(1 << 14)).for_each(
                    |((mean, y), half)| mean.iter_mut().zip(y).zip(half).for_each(|((m, y), z)| *m = 0.5 * (y + z)),
                );
            }
            self.stage(&half, &mean, 0.5 * h, &mut next);
            std::mem::swap(&mut y, &mut next);
        }
        y
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn compare(n: usize, steps: usize, repeats: usize) -> Result<(), String> {
    let options = Options {
        limits: Limits { operations: u64::MAX, ..Limits::default() },
        run_folder: std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("handwritten"),
        ..Options::default()
    };
    let mut host = Host::new(Session::new(options));
    let text = SCRIPT.replace("STEPS", &steps.to_string()).replace('N', &n.to_string());
    let mut evaluate = |text: &str| host.evaluate("handwritten", text).map_err(|error| error.to_string());
    drop(evaluate(&text)?);
    let angle = std::f32::consts::TAU / n as f32;
    let k = |i: usize| 0.2 + 0.1 * (angle * (i / n) as f32).cos() * (2.0 * angle * (i % n) as f32).sin();
    let plane = Plane { n, k: (0..n * n).map(k).collect() };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut error = 0.0f64;
    for _ in 0..repeats {
        let began = Instant::now();
        let found = evaluate("ready(run())")?;
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        let expected = plane.run(steps, 0.1);
        theirs.push(began.elapsed().as_secs_f64() * 1e3);
        let found = found.try_cast::<ansatz::tensor::Tensor>().ok_or("run() gives a tensor")?;
        let found = found.to_vec().map_err(|error| error.to_string())?;
        for (a, b) in found.iter().zip(expected.iter().flatten()) {
            let apart = (a - f64::from(*b)).abs();
            error = if apart.is_nan() { f64::INFINITY } else { error.max(apart) };
        }
    }
    if error > 1e-4 {
        return Err(format!("the states differ by {error:e}"));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours / theirs;
    println!(
        "{}",
        json!({ "workload": format!("reaction_{n}x{n}_{steps}_steps"), "ms": ours, "handwritten_ms": theirs, "ratio": ratio, "error": error })
    );
    Ok(())
}

fn main() -> ExitCode {
    let smoke = std::env::args().any(|word| word == "--smoke");
    let run = move || {
        let sizes: &[(usize, usize, usize)] = if smoke { &[(64, 5, 1)] } else { &[(256, 20, 9), (1024, 20, 7)] };
        sizes.iter().try_for_each(|(n, steps, repeats)| compare(*n, *steps, *repeats))
    };
    match stack::on_large_stack(run) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}
