//! The gradient of every differentiable primitive against central differences, in double precision.
//!
//! A row is a function of x (and y, z) and where it is tried. Each result is brought to one number by weights that treat
//! its elements differently, so that a gradient which lands on the wrong element is seen. A primitive of the registry
//! that is in no row must say in `WITHOUT` why it has no gradient.

use std::collections::BTreeSet;

use ansatz::script::registry::Form;
use ansatz::script::{Entry, Host, Registry};
use ansatz::session::{Options, Session};
use ansatz::tensor::Precision;

/// Values that rows use.
const PRELUDE: &str = r#"
    fn score(value) {
        let t = if type_name(value) == "Complex" { concat([flatten(value.re), flatten(value.im)]) } else { flatten(value) };
        let w = cos(arange(0, len(t)) * 0.7 + 0.3);
        sum(w * t) + 0.5 * sum(square(t))
    }
    let a = tensor([[0.3, -0.7, 1.1], [0.9, 0.45, -0.2]]);
    let b = tensor([[1.2, 0.6, -0.5], [-0.8, 1.4, 0.75]]);
    let row = tensor([0.7, -0.4, 1.6]);
    let positive = tensor([0.4, 1.3, 2.2]);
    let inner = tensor([0.2, -0.6, 0.7]);
    let outer_ = tensor([1.4, 2.2, 3.1]);
    let m = tensor([[3, 1, 0.5], [0.2, 2, -1], [0.3, 0.4, 4]]);
    let z1 = complex(tensor([0.3, -0.8]), tensor([0.5, 1.1]));
    let z2 = complex(tensor([1.2, 0.4]), tensor([-0.6, 0.9]));
    let wave = random::normal([2, 5], #{ seed: 3 });
    let image = random::normal([2, 4, 5, 6], #{ seed: 4 });
    let line = random::normal([2, 2, 7], #{ seed: 5 });
    let cube = random::normal([1, 1, 3, 4, 3], #{ seed: 6 });
    let g1 = grid::periodic([6], [TAU]);
    let g2 = grid::periodic([4, 5], [TAU, 3.0]);
    let g3 = grid::periodic([3, 4, 5], [TAU, 2.0, 5.0]);
    let f1 = field(random::normal([2, 1, 6], #{ seed: 7 }), g1);
    let f2 = field(random::normal([2, 2, 4, 5], #{ seed: 8 }), g2);
    let f3 = field(random::normal([1, 1, 3, 4, 5], #{ seed: 9 }), g3);
    let heat = spectral::operator(g1, |k| -0.3 * k * k);
    let advection = spectral::operator(g1, |k| Complex(-0.1 * k * k, -1.5 * k));
    let process = sde::process(heat, #{ diffusion: 0.4 });
    let pull = sde::process(|x, t| -x * x * x - t, #{ diffusion: |t| 0.3 + t });
    let moments = [0.0, 0.1, 0.25, 0.4];
    let spread = sample(pull, random::normal([3, 2], #{ seed: 10 }), moments, #{ seed: 11 });
    let exact = sde::gaussian_score(process, g1, moments);
"#;

/// Primitives, inputs (`; ` between several), and a function of them.
const ROWS: &[(&str, &str, &str)] = &[
    // functions of one operand
    ("neg", "a", "neg(x)"),
    ("abs", "a", "abs(x)"),
    ("abs", "z1", "abs(x)"),
    ("exp", "a", "exp(x)"),
    ("exp", "z1", "exp(x)"),
    ("expm1", "a", "expm1(x)"),
    ("ln", "positive", "ln(x)"),
    ("ln", "z1", "ln(x)"),
    ("log1p", "positive", "log1p(x)"),
    ("sqrt", "positive", "sqrt(x)"),
    ("rsqrt", "positive", "rsqrt(x)"),
    ("recip", "a", "recip(x)"),
    ("recip", "z1", "recip(x)"),
    ("square", "a", "square(x)"),
    ("square", "z1", "square(x)"),
    ("sin", "a", "sin(x)"),
    ("cos", "a", "cos(x)"),
    ("tan", "a", "tan(x)"),
    ("asin", "inner", "asin(x)"),
    ("acos", "inner", "acos(x)"),
    ("atan", "a", "atan(x)"),
    ("sinh", "a", "sinh(x)"),
    ("cosh", "a", "cosh(x)"),
    ("tanh", "a", "tanh(x)"),
    ("asinh", "a", "asinh(x)"),
    ("acosh", "outer_", "acosh(x)"),
    ("atanh", "inner", "atanh(x)"),
    ("erf", "a", "erf(x)"),
    ("sigmoid", "a", "sigmoid(x)"),
    ("softplus", "a", "softplus(x)"),
    ("relu", "a", "relu(x)"),
    ("silu", "a", "silu(x)"),
    ("gelu", "a", "gelu(x)"),
    ("gelu", "f1", "gelu(x)"),
    // operators, with the broadcasting of their operands
    ("a + b", "a; row", "x + y"),
    ("a + b", "z1; 0.7", "x + y"),
    ("a - b", "row; a", "x - y"),
    ("a - b", "f1; z_field", "x - y"),
    ("a * b", "a; row", "x * y"),
    ("a * b", "z1; z2", "x * y"),
    ("a * b", "z1; inner2", "x * y"),
    ("a * b", "f1; 0.6", "x * y"),
    ("a / b", "a; row", "x / y"),
    ("a / b", "z1; z2", "x / y"),
    ("a / b", "0.3; a", "x / y"),
    ("a % b", "a; 0.37", "x % y"),
    ("a ** b", "positive; row", "x ** y"),
    ("a ** b", "z1", "x ** 3 + x ** -2"),
    ("- a", "a", "-x"),
    ("- a", "z1", "-x"),
    ("pow", "positive; row", "pow(x, y)"),
    ("atan2", "a; row", "atan2(x, y)"),
    ("maximum", "a; row", "maximum(x, y)"),
    ("minimum", "a; row", "minimum(x, y)"),
    ("clamp", "a", "clamp(x, -0.5, 0.6)"),
    ("ready", "a", "ready(x)"),
    ("where", "a; row", "where(a > 0.2, x, y)"),
    ("where", "z1; z2", "where([1, 0], x, y)"),
    ("where", "row - 0.5", "where(x > 0.5, sqrt(x) * ln(x) / (x - 0.9) ** 0.5, 3 * x)"),
    ("a ** b", "positive", "-x ** 2.5"),
    ("a ** b", "a", "exp(-x ** 2) + -x ** 3"),
    ("a ** b", "positive; row", "-x ** -y ** 3"),
    // making and looking
    ("tensor", "row; positive", "tensor([x, y])"),
    ("tensor.T", "a", "x.T"),
    ("cast", "a", "cast(x, \"f64\")"),
    ("tensor[at]", "a", "x[[1, 0..2]]"),
    ("tensor[at]", "a", "x[[[1, 0, 1], -1]]"),
    ("tensor[at]", "z1", "x[1]"),
    // reducing
    ("sum", "a", "sum(x, 0)"),
    ("sum", "z1", "sum(x)"),
    ("mean", "a", "mean(x, 1, #{ keep: true })"),
    ("prod", "a", "prod(x, 1)"),
    ("max", "a", "max(x, 1)"),
    ("min", "a", "min(x, 0)"),
    ("variance", "a", "variance(x, 1)"),
    ("std", "a", "std(x, 1)"),
    ("logsumexp", "a", "logsumexp(x, 0)"),
    ("norm", "a", "norm(x, 1)"),
    ("cumsum", "a", "cumsum(x, 1)"),
    ("softmax", "a", "softmax(x, 1)"),
    ("sort", "a", "sort(x, 1, #{ descending: true })"),
    ("mse", "a; b", "mse(x, y)"),
    ("relative_error", "a; b", "relative_error(x, y)"),
    // arranging
    ("reshape", "a", "reshape(x, [3, -1])"),
    ("flatten", "a", "flatten(x)"),
    ("permute", "image", "permute(x, [2, 0, 3, 1])"),
    ("transpose", "a", "transpose(x)"),
    ("swap_axes", "image", "swap_axes(x, 0, 2)"),
    ("unsqueeze", "a", "unsqueeze(x, 1)"),
    ("squeeze", "a", "squeeze(unsqueeze(x, 1), 1)"),
    ("expand", "row", "expand(x, [2, 3])"),
    ("concat", "a; b", "concat([x, y, x], 1)"),
    ("stack", "a; b", "stack([x, y], 1)"),
    ("flip", "a", "flip(x, [0, 1])"),
    ("roll", "a", "roll(x, 2, 1)"),
    ("repeat", "a", "repeat(x, 0, 3)"),
    ("pad", "a", "pad(x, 1, 2, 1, #{ mode: \"periodic\" })"),
    ("pad", "a", "pad(x, 1, 2, 1, #{ mode: \"reflect\" })"),
    ("pad", "a", "pad(x, 1, 2, 1, #{ mode: \"edge\" })"),
    ("pad", "a", "pad(x, 1, 2, 1)"),
    ("take", "a", "take(x, [2, 0, 2], 1)"),
    ("gather", "a", "gather(x, 0, tensor([[1, 0, 0]]))"),
    ("assign", "a; inner2", "assign(x, [1, 0..2], y)"),
    ("matmul", "a; m", "matmul(x, y)"),
    ("matmul", "a; row", "matmul(x, y)"),
    // complex numbers and transforms
    ("complex", "a; row", "complex(x, y)"),
    ("Complex", "a; 0.4", "Complex(x, y)"),
    ("z.re", "z1", "x.re"),
    ("z.im", "z1", "x.im"),
    ("conj", "z1", "conj(x)"),
    ("angle", "z1", "angle(x)"),
    ("abs_squared", "z1", "abs_squared(x)"),
    ("fft::fft", "z_wave", "fft::fft(x)"),
    ("fft::fft", "wave", "fft::fft(x, 1)"),
    ("fft::ifft", "z_wave", "fft::ifft(x, 0)"),
    ("fft::rfft", "wave", "fft::rfft(x)"),
    ("fft::rfft", "image", "fft::rfft(x, [3, 2])"),
    ("fft::irfft", "z_wave", "fft::irfft(x, 8, 1)"),
    ("fft::irfft", "z_wave", "fft::irfft(x, 9)"),
    ("fft::shift", "wave", "fft::shift(x)"),
    ("fft::unshift", "z_wave", "fft::unshift(x, 1)"),
    // linear algebra and convolutions
    ("einsum", "a; m", "einsum(\"ij,jk->k\", [x, y])"),
    ("einsum", "m; row; a", "einsum(\"ii,i,ji->ij\", [x, y, z])"),
    ("dot", "row; positive", "dot(x, y)"),
    ("outer", "row; positive", "outer(x, y)"),
    ("trace", "m", "trace(x)"),
    ("diagonal", "m", "diagonal(x)"),
    ("diag", "row", "diag(x)"),
    ("solve", "m; row", "solve(x, y)"),
    ("solve", "m; a", "solve(x, y.T)"),
    ("inverse", "m", "inverse(x)"),
    ("conv", "line; kernel1", "conv(x, y, #{ padding: 1, stride: 2 })"),
    ("conv", "image; kernel2", "conv(x, y, #{ padding: \"periodic\", groups: 2 })"),
    ("conv", "image; kernel2", "conv(x, y, #{ padding: \"reflect\", groups: 2, dilation: [1, 2] })"),
    ("conv", "cube; kernel3", "conv(x, y, #{ padding: \"edge\" })"),
    ("conv_transpose", "line; kernel1t", "conv_transpose(x, y, #{ stride: 2, padding: 1, output_padding: 1 })"),
    ("max_pool", "image", "max_pool(x, [2, 3], #{ stride: [1, 2] })"),
    ("avg_pool", "image", "avg_pool(x, 2)"),
    ("upsample", "line", "upsample(x, 3, #{ method: \"linear\" })"),
    ("upsample", "image", "upsample(x, [2, 1])"),
    // gradients of gradients
    ("grad", "a", "grad(|y| sum(sin(y) * y), x)"),
    ("grad", "f1", "grad(|y| sum(dx(y) ** 3), x)"),
    ("value_and_grad", "a", "value_and_grad(|y| sum(y ** 3), x)[1]"),
    ("vjp", "a", "vjp(|y| y ** 3, x, b)[1]"),
    ("vjp", "a", "vjp(|y| y ** 3, x, b)[0]"),
    ("vjp", "a", "vjp(|y| x * y ** 3, b, b)[0]"),
    ("jvp", "a", "jvp(|y| y ** 3, x, b)[1]"),
    // fields
    ("sample", "0.8", "g1.sample(|s| sin(x * s))"),
    ("field", "wave6", "field(x, g1) * f1"),
    ("field.values", "f1", "x.values"),
    ("samples", "f1", "x.samples([1, 0, 1])"),
    ("samples", "a", "samples(x, 1..2)"),
    ("standardize", "f1", "standardize(x)"),
    ("dx", "f1", "dx(x)"),
    ("dx", "f3", "dx(x, 3)"),
    ("dy", "f2", "dy(x, 2)"),
    ("dz", "f3", "dz(x)"),
    ("dx", "e1", "dx(x, 2, #{ accuracy: 4 })"),
    ("dy", "e2", "dy(x, #{ accuracy: 2 })"),
    ("laplacian", "f2", "laplacian(x)"),
    ("laplacian", "f3", "laplacian(x)"),
    ("laplacian", "e2", "laplacian(x)"),
    ("grad", "e2", "grad(x)"),
    ("div", "f2", "div(x)"),
    ("curl", "f2", "curl(x, #{ accuracy: 2 })"),
    ("integral", "e2", "integral(x)"),
    ("inner", "e2; e2b", "inner(x, y)"),
    ("norm", "e2", "norm(x, #{ kind: \"L2\" })"),
    ("norm", "e2", "norm(x, #{ kind: \"L1\" }) + norm(x, #{ kind: \"max\" })"),
    ("interpolate", "f2; spots", "interpolate(x, y)"),
    ("interpolate", "e1; inner", "interpolate(x, y, #{ method: \"cubic\" })"),
    ("advect", "f2; f2", "advect(x, y, 0.07)"),
    ("advect", "e1; e1", "advect(x, y, 0.013, #{ method: \"mac_cormack\" })"),
    ("restrict", "f1", "restrict(x, 2)"),
    ("refine", "e2", "refine(x, 2)"),
    ("refine", "f1", "refine(x, 2, #{ method: \"spectral\" })"),
    ("resample", "e1", "resample(x, grid::interval(0, 1, 4, #{ edges: neumann(0) }))"),
    ("apply", "f1", "advection.apply(x)"),
    ("propagate", "f1", "advection.propagate(x, 0.4)"),
    // equations
    ("residual", "f1", "residual(equation(|u| dt(u) + u * dx(u) - 0.1 * dx(u, 2)), #{ u: x, u_t: 2 * x })"),
    ("symbol", "tensor(0.4)", "symbol(equation(|u| dt(u) - x * dx(u, 2)), g1)"),
    ("solve", "f1", "solve(equation(|u| dt(u) + 0.1 * u * dx(u) - 0.05 * dx(u, 2)), x, 0.1, #{ steps: 2 })"),
    ("solve", "f1; tensor(0.3)", "solve(equation(|u| dt(u) + 0.1 * u * dx(u) - 0.05 * dx(u, 2)), x, y, #{ steps: 3 })"),
    // equations without time
    ("poisson", "f2", "poisson(x, #{ c: 0.7 })"),
    ("elliptic", "f2; weights", "elliptic(x, #{ a: y, c: 0.5, tolerance: 1e-13 })"),
    ("elliptic", "f2; weights", "elliptic(x, #{ c: y, mean: \"harmonic\", tolerance: 1e-13 })"),
    ("elliptic_history", "f2", "elliptic_history(x, #{ c: 0.5, tolerance: 1e-13 }).x"),
    ("linear_solve_history", "row", "linear_solve_history(|u| 3 * u + roll(u, 1, 0), x, #{ tolerance: 1e-13 }).x"),
    ("linear_solve", "outer_; row", "linear_solve(|u| x * u + roll(u, 1, 0), y, #{ tolerance: 1e-13 })"),
    // flows
    ("velocity.components", "vx; vy", "flow::velocity(room, [x, y]).components[1]"),
    ("flow::velocity", "vx; vy", "flow::velocity(room, [x, y]).components[0]"),
    ("flow::at_centres", "vx; vy", "flow::at_centres(flow::velocity(room, [x, y]))"),
    ("flow::divergence", "vx; vy", "flow::divergence(flow::velocity(room, [x, y]))"),
    (
        "flow::add",
        "vx; vy",
        "flow::at_centres(flow::add(flow::velocity(room, [x, 0]), flow::velocity(room, [0, y]), 0.7))",
    ),
    (
        "flow::make_incompressible",
        "vx; vy",
        "flow::at_centres(flow::make_incompressible(flow::velocity(room, [x, y]), #{ tolerance: 1e-13 }))",
    ),
    ("flow::advect", "smoke; vx; vy", "flow::advect(x, flow::velocity(room, [y, z]), 0.3)"),
    (
        "flow::advect",
        "vx; vy",
        "flow::at_centres(flow::advect(flow::velocity(room, [x, y]), flow::velocity(room, [x, y]), 0.2))",
    ),
    ("flow::buoyancy", "smoke", "flow::at_centres(flow::buoyancy(x, room, [0.3, 1]))"),
    (
        "flow::smoke_step",
        "smoke; vx; vy",
        "flow::smoke_step(x, flow::velocity(room, [y, z]), #{ buoyancy: [0, 1], dt: 0.3 }).smoke",
    ),
    // processes
    ("sample", "f1", "sample(process, x, moments, #{ seed: 1 }).last()"),
    ("sde::statistics", "a", "sde::statistics(pull, x, [0, 0.5, 1], #{ seed: 1, steps: 2 }).mean"),
    ("sde::statistics", "a", "sde::statistics(pull, x, [0, 0.5], #{ seed: 1, observe: |x, t| [x, x ** 3] }).variance"),
    ("sample", "a", "sample(pull, x, moments, #{ seed: 1 }).values"),
    ("reverse", "f1", "reverse(process, exact, x, moments, #{ seed: 1, integrator: \"conditional_mean\" }).first()"),
    ("reverse", "a; 0.7", "reverse(pull, |s, t| -y * s, x, moments, #{ seed: 1 }).first()"),
    ("probability_flow", "f1", "probability_flow(process, exact, x, moments).first()"),
    ("probability_flow", "a; 0.7", "probability_flow(pull, |s, t| tanh(-y * s), x, moments).first()"),
    ("smdp::window_loss", "0.7", "smdp::window_loss(pull, |s, t| -x * s * unsqueeze(t, 1), spread, #{ window: 3 })"),
    ("smdp::denoising_loss", "0.7", "smdp::denoising_loss(pull, |s, t| -x * s * unsqueeze(t, 1), spread)"),
    ("first", "a", "sample(pull, x, moments, #{ seed: 1 }).first()"),
    ("last", "a", "sample(pull, x, moments, #{ seed: 1 }).last()"),
    ("at", "a", "sample(pull, x, moments, #{ seed: 1 }).at(0.1)"),
];

/// Layers: how each is made, and the inputs it is tried on.
const LAYERS: &[(&str, &str, &str)] = &[
    ("nn::net", "nn::linear(3, 2)", "a"),
    ("nn::linear", "nn::linear(3, 2)", "a"),
    ("nn::activation", "nn::activation(\"elu\")", "a"),
    ("nn::activation", "nn::activation(\"leaky_relu\")", "a"),
    ("nn::activation", "nn::activation(\"sin\")", "a"),
    ("nn::sequential", "nn::sequential([nn::linear(3, 4), nn::activation(\"tanh\"), nn::linear(4, 1)])", "a"),
    ("nn::residual", "nn::residual(nn::linear(3, 2), #{ shortcut: nn::linear(3, 2) })", "a"),
    ("nn::custom", "nn::custom(#{ p: nn::linear(3, 3) }, |parts, s| sin(parts.p.forward(s)) * s)", "a"),
    ("nn::function", "nn::function(|s, t| s * s * t, #{ inputs: 2 })", "a; row"),
    ("nn::conv", "nn::conv(4, 2, #{ kernel: [3, 2], padding: \"periodic\", stride: 2 })", "image"),
    ("nn::conv", "nn::conv(2, 4, #{ dims: 1, kernel: 4, groups: 2 })", "line"),
    ("nn::conv_transpose", "nn::conv_transpose(4, 2, #{ kernel: 4, stride: 2, padding: \"periodic\" })", "image"),
    ("nn::layer_norm", "nn::layer_norm(3)", "a"),
    ("nn::group_norm", "nn::group_norm(4, 2)", "image"),
    ("nn::instance_norm", "nn::instance_norm(2)", "line"),
    ("nn::batch_norm", "nn::batch_norm(2)", "line"),
    ("nn::dropout", "nn::dropout(0.4)", "a"),
    ("nn::max_pool", "nn::max_pool(2)", "image"),
    ("nn::avg_pool", "nn::avg_pool([2, 3], #{ stride: 1 })", "image"),
    ("nn::upsample", "nn::upsample(2, #{ method: \"linear\" })", "line"),
    ("nn::sinusoidal", "nn::sinusoidal(6, #{ scale: 3 })", "row"),
    ("nn::fourier_features", "nn::fourier_features(6, #{ scale: 1 })", "row"),
    ("nn::time_channel", "nn::time_channel()", "line; inner2"),
    ("forward", "nn::linear(6, 2)", "f1"),
    ("nn::mlp", "nn::mlp(#{ inputs: 2, outputs: 1, hidden: [5, 4] })", "column; column2"),
    ("nn::spectral_score", "trained(nn::spectral_score(g1, #{ times: moments }))", "f1; 0.2"),
    (
        "nn::resnet_score",
        "nn::resnet_score(g2, #{ width: 3, blocks: 2, kernel: 2, padding: \"periodic\", channels: 2, activation: \"tanh\" })",
        "f2; 0.3",
    ),
    ("nn::resnet_score", "nn::resnet_score(g1, #{ width: 2, blocks: 2, frame: 2, activation: \"silu\" })", "f1; 0.3"),
];

/// More values that rows use.
const MORE: &str = r#"
    fn trained(net) {
        net.set_parameter("gain", random::normal(net.parameter("gain").shape, #{ seed: 12 }));
        net
    }
    let z_field = field(random::normal([2, 1, 6], #{ seed: 13 }), g1);
    let inner2 = tensor([0.6, -0.9]);
    let wave6 = random::normal([6], #{ seed: 14 });
    let z_wave = complex(wave, random::normal([2, 5], #{ seed: 15 }));
    let kernel1 = random::normal([3, 2, 3], #{ seed: 16 });
    let kernel1t = random::normal([2, 3, 3], #{ seed: 17 });
    let kernel2 = random::normal([2, 2, 2, 3], #{ seed: 18 });
    let kernel3 = random::normal([2, 1, 2, 3, 2], #{ seed: 19 });
    let column = random::normal([3, 1], #{ seed: 20 });
    let e1 = field(random::normal([1, 1, 8], #{ seed: 22 }), grid::interval(0, 1, 8, #{ left: dirichlet(1), right: neumann(0) }));
    let walls = grid::rectangle([0, 1], [0, 2], [5, 6], #{ edges: robin(1, 2, 0), values: "nodes" });
    let e2 = field(random::normal([2, 1, 5, 6], #{ seed: 23 }), walls);
    let e2b = field(random::normal([2, 1, 5, 6], #{ seed: 24 }), walls);
    let spots = tensor([[0.3, 0.7], [5.1, 2.2], [1.9, 1.3]]);
    let column2 = random::normal([3, 1], #{ seed: 21 });
    let weights = field(exp(random::normal([1, 1, 4, 5], #{ seed: 22 })), g2);
    let solid = tensor([[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]);
    let room = flow::domain([5, 4], [5, 4], #{ open: ["top"], obstacles: solid });
    let vx = random::normal([1, 1, 6, 4], #{ seed: 23 });
    let vy = random::normal([1, 1, 5, 5], #{ seed: 24 });
    let smoke = field(random::normal([1, 1, 5, 4], #{ seed: 25 }), room.cells);
"#;

/// Primitives without a gradient, and why.
const WITHOUT: &[(&str, &[&str])] = &[
    ("steps, whose derivative is 0 or undefined", &["sign", "floor", "ceil", "round", "heaviside"]),
    ("0 or 1", &["a == b", "a != b", "a < b", "a <= b", "a > b", "a >= b", "is_finite", "all", "any"]),
    ("constants of a shape", &["zeros", "ones", "full", "zeros_like", "ones_like", "linspace", "arange", "eye"]),
    ("regions with sharp rims", &["mask", "disk", "block"]),
    ("positions", &["argmax", "argmin", "argsort", "nonzero"]),
    (
        "facts about a value",
        &[
            "tensor.shape",
            "tensor.rank",
            "tensor.len",
            "tensor.precision",
            "tensor.device",
            "len",
            "grid.spacing",
            "grid.points",
            "field.grid",
            "path.times",
        ],
    ),
    ("leaves the gradient on purpose", &["detach", "item", "array"]),
    ("checks a gradient itself", &["check::gradient"]),
    ("text", &["explain"]),
    ("checks a finished solution, outside of any gradient", &["check::order", "check::conservation"]),
    (
        "random numbers",
        &[
            "random::normal",
            "random::normal_like",
            "random::uniform",
            "random::rademacher",
            "random::permutation",
            "random::gaussian_field",
            "sde::jittered",
        ],
    ),
    ("wavenumbers", &["fft::freq", "fft::rfreq"]),
    ("measures of finished fields, outside of any gradient", &["spectrum", "spectral_error"]),
    (
        "grids, operators and processes: tensors go through what uses them",
        &[
            "grid::periodic",
            "grid::interval",
            "grid::rectangle",
            "grid::box",
            "grid::point",
            "dirichlet",
            "neumann",
            "robin",
            "spectral::operator",
            "sde::process",
            "sde::gaussian_score",
            "flow::domain",
            "domain.cells",
        ],
    ),
    (
        "a part of an equation, not a tensor: gradients of solutions are in tests/adjoints.rs",
        &["dt", "equation", "equation.unknowns", "inverse_laplacian", "latex", "opaque", "other", "pair_sum", "vector"],
    ),
    ("a network, not a tensor", &["net.parameters", "summary", "copy", "parameter", "set_parameter"]),
];

/// Chapters whose primitives return no tensor that depends on another one. Gradients of named equations are in `src/physics/tests.rs`.
const CHAPTERS: &[&str] = &["Language", "Files", "Physics", "Initial states", "Training", "Pictures", "Results"];

fn host() -> Host {
    let run_folder = std::env::temp_dir().join(format!("ansatz-gradients-{}", std::process::id()));
    let mut host = Host::new(Session::new(Options { precision: Precision::F64, run_folder, ..Options::default() }));
    for script in [PRELUDE, MORE] {
        if let Err(e) = host.evaluate("prelude", script) {
            panic!("{e}");
        }
    }
    host
}

/// The relative error of the gradient of a function of x, y, z at some inputs.
fn error(host: &mut Host, setup: &str, inputs: &str, function: &str) -> Result<f64, String> {
    let inputs: Vec<&str> = inputs.split("; ").collect();
    let names = ["x", "y", "z"][..inputs.len()].join(", ");
    let at = if inputs.len() == 1 { inputs[0].to_string() } else { format!("[{}]", inputs.join(", ")) };
    let script = format!(
        "{setup} let outcome = check::gradient(|{names}| score({function}), {at}); if outcome.numeric == 0 && outcome.exact == 0 {{ 1.0 }} else {{ outcome.error }}"
    );
    let value = host.evaluate("row", &script).map_err(|e| e.to_string())?;
    value.as_float().map_err(|e| e.to_string())
}

fn key(entry: &Entry) -> String {
    match entry.form {
        Form::Function | Form::Constant => entry.full_name(),
        Form::Property | Form::Operator | Form::Index => entry.signature.to_string(),
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let mut host = host();
    let mut failures = Vec::new();
    let rows = ROWS.iter().map(|&(name, inputs, function)| (name, String::new(), inputs, function.to_string()));
    let layers = LAYERS.iter().map(|&(name, layer, inputs)| {
        let names = ["x", "y", "z"][..inputs.split("; ").count()].join(", ");
        let net = if layer.starts_with("nn::mlp") || layer.starts_with("nn::resnet") || layer.starts_with("trained") {
            layer.to_string()
        } else {
            format!("nn::net({layer}, #{{ seed: 1 }})")
        };
        (name, format!("let net = {net};"), inputs, format!("net.forward({names})"))
    });
    for (name, setup, inputs, function) in rows.chain(layers) {
        match error(&mut host, &setup, inputs, &function) {
            Ok(error) if error <= 1e-6 => {}
            Ok(error) => failures.push(format!("{name}: {setup} {function} at {inputs}: {error:e}")),
            Err(e) => failures.push(format!("{name}: {setup} {function} at {inputs}: {e}")),
        }
    }
    assert!(failures.is_empty(), "{} rows\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_primitive_is_in_a_row_or_has_a_reason() {
    let tried: BTreeSet<&str> = ROWS.iter().chain(LAYERS).map(|(name, ..)| *name).collect();
    let without: BTreeSet<&str> = WITHOUT.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let known: BTreeSet<String> =
        Registry::new().entries().iter().filter(|e| !CHAPTERS.contains(&e.chapter)).map(key).collect();
    let forgotten: Vec<&String> =
        known.iter().filter(|k| !tried.contains(k.as_str()) && !without.contains(k.as_str())).collect();
    assert!(forgotten.is_empty(), "neither tried nor excused: {forgotten:?}");
    let gone: Vec<&&str> = tried.union(&without).filter(|name| !known.contains(**name)).collect();
    assert!(gone.is_empty(), "not in the registry: {gone:?}");
    let both: Vec<&&str> = tried.intersection(&without).collect();
    assert!(both.is_empty(), "tried and excused: {both:?}");
}

/// Functions whose branch that is not taken has no finite value or derivative at some elements, and their gradients there.
#[test]
fn nothing_comes_out_of_the_branch_that_is_not_taken() {
    const CASES: &[(&str, &str)] = &[
        ("where(x > 0, sqrt(x), 0)", "[0, 0.5, 0.25]"),
        ("where(x > 0, 1 / x, 0)", "[0, -1, -0.0625]"),
        ("where(x > 0, ln(x), 0)", "[0, 1, 0.25]"),
        ("where(x > 0, x * ln(x), 0)", "[0, 1, 2.3863]"),
        ("where(x > 0, x ** 0.5, 0)", "[0, 0.5, 0.25]"),
        ("where(x > 0, x ** (x - 1), 0)", "[0, 0, 136.72]"),
        ("where(x > 0, x / x, 1)", "[0, 0, 0]"),
        ("where(x > 0, sin(x) / x, 1)", "[0, -0.30117, -0.11611]"),
        ("where(x > 0, rsqrt(x), 1)", "[0, -0.5, -0.0625]"),
        ("where(x > 0, atan2(x, x), 1)", "[0, 0, 0]"),
        ("where(x != 4, exp(x * x * 100), 0)", "[0, 5.3762e45, 0]"),
        ("where(x != 1, asin(x), 0)", "[1, 0, NaN]"),
        ("where(x > 0, where(x > 0, sqrt(x), 0) / sqrt(x), 1)", "[0, 0, 0]"),
        // Elsewhere nothing is hidden.
        ("sqrt(x)", "[inf, 0.5, 0.25]"),
        ("0 * sqrt(x)", "[NaN, 0, 0]"),
        ("where(x >= 0, 0 * sqrt(x), 0)", "[0, 0, 0]"),
    ];
    let mut host = host();
    let mut failures = Vec::new();
    let mut value = |script: &str| match host.evaluate("case", script) {
        Ok(value) => ansatz::script::value::compact(&value),
        Err(e) => e.to_string(),
    };
    for (function, expected) in CASES {
        let got = value(&format!("grad(|x| sum({function}), tensor([0, 1, 4]))"));
        if got != *expected {
            failures.push(format!("{function}: {got} instead of {expected}"));
        }
    }
    // Second derivatives: also where the first one happens to be 0 and what was chosen is smooth.
    let twice = |f: &str| format!("grad(|x| sum(grad(|y| sum({f}), x)), tensor([0, 1, 4]))");
    for (function, expected) in [
        ("where(y > 0, sqrt(y), 0)", "[0, -0.25, -0.03125]"),
        ("where(y > 0, sqrt(y) - 1, 0) ** 2", "[0, 0.5, 0.0625]"),
    ] {
        let got = value(&twice(function));
        if got != expected {
            failures.push(format!("twice {function}: {got} instead of {expected}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A result that was cut off by taking numbers out is an error; one that is constant has the gradient 0.
#[test]
fn a_gradient_that_was_cut_off_is_an_error() {
    const CASES: &[(&str, &str)] = &[
        ("grad(|x| item(sum(x * x)), ones(3))", "does not depend on what is varied"),
        ("grad(|x| array(x)[0] ** 2, ones(3))", "does not depend on what is varied"),
        ("grad(|x| float(sum(x)), ones(3))", "does not depend on what is varied"),
        ("vjp(|x| tensor(array(x)), ones(3), ones(3))", "does not depend on what is varied"),
        ("value_and_grad(|x| item(x) * 2, 3.0)", "does not depend on what is varied"),
        ("minimize(|x| item(sum(x * x)), ones(3), #{ steps: 2 })", "does not depend on what is varied"),
        ("grad(|x| { print(item(sum(x))); sum(x) }, ones(3))", "[1, 1, 1]"),
        ("grad(|x| 5.0, ones(3))", "[0, 0, 0]"),
        ("grad(|x| sum(detach(x)), ones(3))", "[0, 0, 0]"),
        ("grad(|x| sum(grad(|y| sum(3 * y), x)), ones(3))", "[0, 0, 0]"),
        ("grad(|x| sum(x > 0), ones(3))", "[0, 0, 0]"),
    ];
    let mut host = host();
    let mut failures = Vec::new();
    for (script, expected) in CASES {
        let got = match host.evaluate("case", script) {
            Ok(value) => ansatz::script::value::compact(&value),
            Err(e) => e.to_string(),
        };
        if !got.contains(expected) {
            failures.push(format!("{script}: {got}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
