//! Hostile calls of grids, fields, processes, layers and transforms: each ends soon, in a value or in an error that says what is
//! wrong, and never in a fault of the program.

use std::time::Instant;

use ansatz::error::Kind;
use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session};

/// What the scripts use.
const PRELUDE: &str = "
    let g = grid::periodic([8], [TAU]);
    let g2 = grid::periodic([4, 5], [TAU, 1.0]);
    let u = g.sample(|x| sin(x));
    let p = sde::process(|x, t| -x, #{ diffusion: 0.1 });
    let q = sde::process(spectral::operator(g, |k| -k * k), #{ diffusion: 0.1 });
    let path = sample(p, ones([2, 3]), [0, 0.5, 1], #{ seed: 1 });
    let empty = zeros([0, 1, 8]);
";

/// Each must fail.
const FAIL: &[&str] = &[
    // grids
    "grid::periodic([1e15], [1.0]).points",
    "grid::periodic([1e12], [1.0]).points",
    "grid::periodic([1e12], [1.0]).sample(|x| x)",
    "random::gaussian_field(grid::periodic([1e12], [1.0]))",
    "random::gaussian_field(grid::periodic([1e6, 1e6], [1.0, 1.0]))",
    "spectral::operator(grid::periodic([1e12], [1.0]), |k| k)",
    "spectral::operator(grid::periodic([1e6, 1e6], [1.0, 1.0]), |k, l| k + l)",
    "nn::spectral_score(grid::periodic([1e6, 1e6], [1.0, 1.0]), #{ times: [0, 1] })",
    "nn::resnet_score(grid::periodic([4], [1.0]), #{ blocks: 1e15 })",
    "grid::periodic([4], [[0, 1, 2]])",
    "grid::periodic([4, 4], \"ab\")",
    "grid::periodic([4], [NAN])",
    "grid::periodic([4], [[INFINITY, 1]])",
    "grid::periodic([], [])",
    "grid::periodic(-1, 1.0)",
    "g.sample(|x| \"a\")",
    "g.sample(|x| g)",
    "g.sample(|x| complex(x, x))",
    "g.sample(|x| ones([8, 8, 8]))",
    "g.sample(|x| g.sample(|y| nothing))",
    // fields
    "field(ones([0]), g)",
    "u.samples([1])",
    "u.samples([-2])",
    "u.samples(0..5)",
    "u.samples([0.5])",
    "u.samples(\"all\")",
    "dx(u, -1)",
    "dx(u, 17)",
    "dx(u, 0.5)",
    "dx(u, 1e18)",
    "dy(u)",
    "standardize(0 * u)",
    "spectrum(field(zeros([0, 1, 8]), g), #{ kind: \"x\" })",
    "spectral_error(u, u, #{ shells: 0 })",
    "spectral_error(u, u, #{ shells: 1e15 })",
    "spectral_error(u, 0 * u)",
    "spectrum(grid::periodic([4, 4], [1e12, 1e-3]).sample(|x, y| x + y))",
    "random::gaussian_field(g, #{ samples: 1e15 })",
    "random::gaussian_field(g, #{ samples: 1e12, channels: 1e3 })",
    "random::gaussian_field(g, #{ variance: -1 })",
    "random::gaussian_field(g, #{ variance: NAN })",
    "random::gaussian_field(g, #{ power: INFINITY })",
    "random::gaussian_field(g, #{ density: |k| -k })",
    "random::gaussian_field(g, #{ density: |k| 0 * k })",
    "random::gaussian_field(g, #{ density: |k| k / 0 })",
    "random::gaussian_field(g, #{ density: |k| complex(k, k) })",
    "random::gaussian_field(g, #{ density: |k, l| k })",
    "spectral::operator(g, |k| k * NAN)",
    "spectral::operator(g, |k| \"a\")",
    "spectral::operator(g2, |k| k)",
    "spectral::operator(g, |k| ones(7))",
    "spectral::operator(g, |k| -k).propagate(u, NAN)",
    "spectral::operator(g, |k| -k).propagate(ones(8), 1)",
    "spectral::operator(g, |k| -k).apply(g2.sample(|x, y| x * y))",
    // processes
    "sde::process(|x, t| -x, #{ diffusion: NAN })",
    "sde::process(|x, t| -x, #{ diffusion: -1 })",
    "sde::process(|x, t| -x, #{ diffusion: \"a\" })",
    "sde::process(|x, t| -x, #{ diffusion: |a, b| 1 })",
    "sde::process(|x, t| -x, #{ diffusion: 1, scheme: \"exact\" })",
    "sde::process(u, #{ diffusion: 1 })",
    "sample(p, 1.0, [0, 1])",
    "sample(p, ones(2), [])",
    "sample(p, ones(2), [0])",
    "sample(p, ones(2), [0, NAN])",
    "sample(p, ones(2), [1, 0])",
    "sample(p, ones(2), \"times\")",
    "sample(p, ones(2), [0, 1], #{ samples: [-1, 0] })",
    "sample(p, ones(2), [0, 1], #{ samples: 3 })",
    "sample(p, ones(2), [0, 1], #{ seed: -1 })",
    "sample(p, complex(1, 1), [0, 1])",
    "sample(q, ones(1), [0, 1])",
    "sample(q, ones([1]), [0, 1])",
    "sample(q, ones([2, 7]), [0, 1])",
    "sample(q, g2.sample(|x, y| x * y), [0, 1])",
    "sample(sde::process(spectral::operator(g2, |k, l| -k * k), #{ diffusion: 1 }), ones([3]), [0, 1])",
    "sample(sde::process(|x, t| x / 0, #{ diffusion: 0 }), ones(2), [0, 1])",
    "sample(sde::process(|x, t| \"a\", #{ diffusion: 0 }), ones(2), [0, 1])",
    "sample(sde::process(|x, t| x, #{ diffusion: |t| 0 / t }), ones(2), [0, 1])",
    "sample(sde::process(|x, t| x, #{ diffusion: 0, grid: g }), ones([2, 7]), [0, 1])",
    "sample(sde::process(|x, t, dt| x, #{ diffusion: 0, grid: 3, solver: true }), ones([2, 7]), [0, 1])",
    "sample(sde::process(spectral::operator(g, |k| 1e6 * (k + 1)), #{ diffusion: 1, scheme: \"exact\" }), u, [0, 1])",
    "reverse(p, 3, ones(2), [0, 1])",
    "reverse(p, |x| x, ones(2), [0, 1])",
    "reverse(p, |x, t| t, ones([2, 3]), [0, 1], #{ factor: 0 })",
    "reverse(p, |x, t| ones(7), ones([2, 3]), [0, 1])",
    "reverse(q, |x, t| x, ones([2, 7]), [0, 1])",
    "reverse(p, |x, t| x / 0, ones(2), [0, 1])",
    "probability_flow(p, |x, t| x, ones(2), [0, 1], #{ seed: 1 })",
    "sde::gaussian_score(p, g, [0, 1])",
    "sde::gaussian_score(q, g2, [0, 1])",
    "sde::gaussian_score(q, g, [0])",
    "reverse(q, sde::gaussian_score(q, g, [0, 1]), u, [0, 0.5])",
    "reverse(q, sde::gaussian_score(q, g, [0, 1]), ones([2, 4]), [0, 1])",
    "sde::jittered([])",
    "sde::jittered([0])",
    "sde::jittered([0, 0])",
    "sde::jittered([0, NAN, 1])",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 0 })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 3 })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1e15 })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, starts: [] })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, starts: [2] })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, starts: [9e14] })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, offset: 1e15 })",
    "smdp::window_loss(q, |x, t| x, path)",
    "smdp::window_loss(p, u, path)",
    "smdp::window_loss(p, |x, t| ones(5), path, #{ window: 1 })",
    "smdp::denoising_loss(p, |x, t| x, path, #{ steps: [] })",
    "smdp::denoising_loss(p, |x, t| x, path, #{ steps: [0] })",
    "smdp::denoising_loss(p, |x, t| x, path, #{ steps: [3] })",
    "smdp::denoising_loss(sde::process(|x, t| x, #{ diffusion: 0 }), |x, t| x, path)",
    "smdp::window_loss(p, |x, t| x, sample(p, zeros([0, 3]), [0, 1]), #{ window: 1 })",
    "path.at(NAN)",
    "path.at(1e300)",
    "path.grid",
    // layers
    "nn::linear(1e15, 1)",
    "nn::net(nn::linear(1e15, 1))",
    "nn::net(nn::linear(1e7, 1e7))",
    "nn::mlp(#{ inputs: 1e15, outputs: 1 })",
    "nn::mlp(#{ inputs: 1, outputs: 1, hidden: [1e12] })",
    "nn::conv(0, 1)",
    "nn::conv(1, 1e15)",
    "nn::net(nn::conv(1, 1, #{ kernel: 1e12 }))",
    "nn::net(nn::conv(1, 1, #{ kernel: 0 }))",
    "nn::net(nn::conv(1, 1, #{ stride: 1e15 })).forward(ones([1, 1, 4, 4]))",
    "nn::conv(1, 1, #{ dims: 4 })",
    "nn::conv(1, 1, #{ padding: [1, 2, 3] })",
    "nn::net(nn::conv(1, 1, #{ padding: 1e15 })).forward(ones([1, 1, 4, 4]))",
    "nn::net(nn::conv(1, 1, #{ kernel: 5, padding: \"valid\" })).forward(ones([1, 1, 4, 4]))",
    "nn::net(nn::conv(1, 1)).forward(ones([0, 1, 4, 4]))",
    "nn::net(nn::conv_transpose(1, 1, #{ stride: 1e9 })).forward(ones([1, 1, 4, 4]))",
    "nn::layer_norm(1e15)",
    "nn::layer_norm(3, #{ epsilon: 0 })",
    "nn::net(nn::batch_norm(3, #{ momentum: 2 }))",
    "nn::net(nn::dropout(NAN))",
    "nn::max_pool([1, 2, 3, 4])",
    "nn::max_pool(0)",
    "nn::net(nn::max_pool(2, #{ stride: 0 }))",
    "nn::net(nn::max_pool([2, 2])).forward(ones([1, 1, 4]))",
    "nn::net(nn::upsample(1e12)).forward(ones([1, 1, 4]))",
    "nn::sinusoidal(1e15)",
    "nn::net(nn::sinusoidal(4, #{ longest: 0 }))",
    "nn::net(nn::fourier_features(4, #{ scale: -1 }))",
    "nn::net(nn::time_channel()).forward(ones([2, 1, 4]), ones(3))",
    "nn::net(nn::time_channel()).forward(ones(2), 1)",
    "nn::function(3)",
    "nn::function(|x, y| x)",
    "nn::net(nn::function(|x| g)).forward(1.0)",
    "nn::net(nn::function(|x| x)).forward(1.0, 2.0)",
    "nn::net(nn::custom(#{}, |parts, x| parts.a.forward(x))).forward(1.0)",
    "nn::custom(#{ a: 3 }, |parts, x| x)",
    "nn::net(nn::residual(nn::linear(2, 2), #{ shortcut: 3 }))",
    "nn::resnet_score(g, #{ width: 0 })",
    "nn::resnet_score(g, #{ width: 1e7 })",
    "nn::resnet_score(g, #{ blocks: 1 })",
    "nn::resnet_score(g, #{ frame: 1e15, width: 1, blocks: 2 }).forward(u, 0.1)",
    "nn::resnet_score(g, #{ width: 1, blocks: 2 }).forward(u, 0.1)",
    "nn::resnet_score(g, #{ width: 1, blocks: 2, padding: \"zero\" }).forward(u)",
    "nn::resnet_score(g, #{ width: 1, blocks: 2, padding: \"zero\" }).forward(g2.sample(|x, y| x + y), 0)",
    // tensors
    "complex(\"a\", 1)",
    "complex(1, complex(1, 2))",
    "complex(ones([2, 0]), ones(3))",
    "complex(1, 2)[0]",
    "complex([1, 2], 0) % 2",
    "complex([1, 2], 0) ** complex(1, 1)",
    "maximum(complex(1, 2), 1)",
    "fft::fft(zeros(0))",
    "fft::fft(ones(4), [0, 0])",
    "fft::irfft(complex(ones(3), 0), -4)",
    "fft::irfft(complex(ones(3), 0), 1e15)",
    "fft::freq(1e15)",
    "fft::rfreq(1e12)",
    "einsum(\"\", [])",
    "einsum(\"->->\", ones(2))",
    "einsum(\"ij,jk,kl,lm->i\", [ones(2)])",
    "einsum(\"i,j,k,l->ijkl\", [ones(10000), ones(10000), ones(10000), ones(10000)])",
    "conv(ones([1, 1, 4]), ones([1, 1, 2]), #{ padding: 1e15 })",
    "conv(ones([1, 1, 4]), ones([1, 1, 2]), #{ padding: -1 })",
    "conv(ones([1, 1, 4]), ones([1, 1, 2]), #{ groups: 0 })",
    "conv(ones([1, 1, 4]), ones([1, 1, 2]), #{ groups: 1e15 })",
    "conv(ones([1, 1, 4]), ones([1, 1, 2]), #{ dilation: 1e15 })",
    "conv(ones([1, 1, 4]), ones([1, 1, 9]), #{ padding: \"reflect\" })",
    "conv(ones([1, 1, 4]), ones([1, 1]), #{ padding: \"periodic\" })",
    "conv(ones([1, 1, 4]), 3, #{ padding: \"periodic\" })",
    "conv_transpose(ones([1, 1, 4]), ones([1, 1, 2]), #{ stride: 1e12 })",
    "conv_transpose(ones([1, 1, 4]), ones([1, 1, 2]), #{ padding: 1e15 })",
    "conv_transpose(ones([1, 1, 4]), ones([1, 1, 2]), #{ output_padding: 1e15 })",
    "max_pool(ones([1, 1, 4]), 0)",
    "max_pool(ones([1, 1, 4]), 1e15)",
    "max_pool(expand(ones([1, 1, 1, 1, 1]), [1, 1, 1000, 1000, 1000]), [900, 900, 900])",
    "upsample(ones([1, 1, 4]), 1e15)",
    "upsample(ones([1, 1, 4]), 1e9, #{ method: \"linear\" })",
    "solve(ones([2, 2]) * NAN, ones(2))",
    "inverse(zeros([2, 2]))",
    "inverse(ones(2))",
];

/// Each must give a value.
const PASS: &[&str] = &[
    "u.samples([]).shape",
    "field(empty, g).dx().shape",
    "field(empty, g).laplacian().shape",
    "field(empty, g).to_string()",
    "spectrum(field(empty, g)).k.shape",
    "sample(q, field(empty, g), [0, 1]).last().shape",
    "sample(p, zeros([0]), [0, 1]).last().shape",
    "reverse(p, |x, t| x, zeros([0, 2]), [0, 1]).first().shape",
    "path.to_string(); p.to_string(); q.to_string()",
    "path.at(0.2)",
    "dx(u, 0)",
    "sde::process(|x, t| x, #{ diffusion: |t| 1 / t }).to_string()",
    "sample(sde::process(|x, t| x, #{ diffusion: |t| 1 / t }), ones(2), [0.5, 1]).last().shape",
    "sde::jittered([0, 1])",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, starts: [0, 0, 1, 1] })",
    "smdp::window_loss(p, |x, t| x, path, #{ window: 1, stride: 1e15 })",
    "complex(zeros([0]), 1) * 2",
    "complex(ones([2, 0]), 1).to_string()",
    "fft::shift(zeros(0))",
    "fft::freq(0)",
    "fft::fft(3.0)",
    "fft::ifft(fft::fft(ones([3, 5, 7])), [1, -1]).shape",
    "conv(zeros([0, 1, 4]), ones([1, 1, 2])).shape",
    "nn::net(nn::sequential([nn::function(|x| x), nn::residual(nn::linear(1, 1))])).forward(ones([1, 1])).shape",
    "nn::net(nn::linear(1, 1)).forward(zeros([0, 1])).shape",
    "solve(zeros([0, 0]), zeros([0])).shape",
    "einsum(\"i,i\", [zeros(0), zeros(0)])",
    "upsample(ones([1, 1, 4]), 1e6).shape",
    "upsample(ones([1, 1, 4]), 1e6, #{ method: \"linear\" }).shape",
    "max_pool(ones([1, 1, 100_001]), 100_000).shape",
];

#[test]
fn hostile_calls_end_in_errors() {
    stack::on_large_stack(|| {
        let run_folder = std::env::temp_dir().join(format!("ansatz-sde-{}", std::process::id()));
        let limits = Limits { tensor_bytes: 1 << 30, ..Limits::default() };
        let mut host = Host::new(Session::new(Options { run_folder, limits, ..Options::default() }));
        let mut failures = Vec::new();
        let cases = FAIL.iter().map(|code| (code, false)).chain(PASS.iter().map(|code| (code, true)));
        for (code, passes) in cases {
            host.reset();
            if let Err(e) = host.evaluate("prelude", PRELUDE) {
                panic!("{e}");
            }
            let begin = Instant::now();
            let outcome = host.evaluate("script", code);
            let seconds = begin.elapsed().as_secs_f64();
            if seconds > 5.0 {
                failures.push(format!("{code}\ntook {seconds:.1} s"));
            }
            match outcome {
                Ok(_) if !passes => failures.push(format!("{code}\ngave a value")),
                Err(e) if passes || e.error.kind() == Kind::Internal => failures.push(format!("{code}\n{e}")),
                _ => {}
            }
        }
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    })
    .unwrap();
}
