//! Errors of shapes, types and options over the primitives: where they are said to be, and what they say.

use ansatz::script::{Host, stack};
use ansatz::session::{Options, Session};

/// A script, the line and column of its error, and words that the error must contain.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("tensor([[1, 2], [3]])", "?", &["ragged", "lengths 2 and 1"]),
    ("tensor([1, \"a\"])", "?", &["not a number", "the string \"a\""]),
    ("tensor(\"abc\")", "?", &["argument 1 (`values`)", "the string \"abc\"", "nested array"]),
    ("zeros([2, -1])", "?", &["argument 1 (`shape`)", "whole numbers such as [2, 3]"]),
    ("zeros([1e9, 1e9])", "?", &["too large"]),
    ("full([2], \"x\")", "?", &["argument 2 (`value`)", "a number", "usage: full(shape, value)"]),
    ("linspace(0, 1)", "?", &["wrong number of arguments", "linspace(start, stop, count)"]),
    ("arange(0, 1, 0)", "?", &["argument 3 (`step`)", "different from 0"]),
    ("eye(2.5)", "?", &["argument 1 (`n`)", "a whole number", "int(x)"]),
    ("let a = ones([2, 3]);\nlet b = a * ones([3, 2]);", "?", &["*: shapes do not fit", "[2, 3] and [3, 2]"]),
    ("ones(3) + \"x\"", "?", &["argument 2", "the string \"x\"", "a number, tensor or field"]),
    ("sin([1, 2])", "?", &["an array of 2", "a number, tensor or field"]),
    ("clamp(ones(2), 1, 0)", "?", &["bounds are out of order", "1 to 0"]),
    ("where(ones(2), ones(3), 0)", "?", &["shapes do not fit", "[2]"]),
    ("atan2(ones(2), ones(3))", "?", &["atan2: shapes do not fit", "[2] and [3]"]),
    ("maximum(ones([2, 2]), ones(3))", "?", &["max", "[2, 2] and [3]"]),
    ("ones([2, 3])[5]", "?", &["index 5", "length 2", "-2 to 1"]),
    ("ones([2, 3])[[0, 0, 0]]", "?", &["more indices than axes", "3 indices into shape [2, 3]"]),
    ("ones([2, 3])[0..9]", "?", &["range outside of its axis", "0..9 on an axis of length 2"]),
    ("ones(3)[1 / 2]", "?", &["fractional index", "0.5", "int(x)"]),
    ("ones(3)[\"a\"]", "?", &["unfit index", "the string \"a\""]),
    ("sum(ones([2, 3]), 2)", "?", &["no axis 2", "a tensor of rank 2", "-2 to 1"]),
    ("mean(ones([2, 3]), [0, 0])", "?", &["an axis is named twice"]),
    ("max(zeros([0]))", "?", &["max"]),
    ("item(ones(3))", "?", &["only a tensor with one element", "shape [3]", "sum(t), mean(t)"]),
    ("sort(ones(3), 1)", "?", &["no axis 1", "rank 1"]),
    ("cumsum(ones(3))", "?", &["wrong number of arguments", "cumsum(x, axis)"]),
    ("softmax(ones(3), 0.5)", "?", &["a whole number"]),
    ("reshape(ones(6), [4, -1])", "?", &["number of elements must stay", "6 elements to [4, -1]"]),
    ("permute(ones([2, 3]), [0, 0])", "?", &["permute"]),
    ("squeeze(ones([2, 3]), 0)", "?", &["axis 0 has not length 1", "[2, 3]"]),
    ("expand(ones(3), [2])", "?", &["expand", "[3]"]),
    ("concat([ones([2, 3]), ones([2, 4])])", "?", &["concat", "[2, 3]", "[2, 4]"]),
    ("stack([ones(2), ones(3)])", "?", &["[2]", "[3]"]),
    ("concat([])", "?", &["concat"]),
    ("concat([ones(2), \"x\"])", "?", &["not a tensor in the array", "the string \"x\""]),
    (
        "pad(ones(3), 0, 1, 1, #{ mode: \"periodc\" })",
        "?",
        &["option `mode`", "\"periodic\"", "did you mean \"periodic\""],
    ),
    ("take(ones(3), [0, 3], 0)", "?", &["index 3", "length 3"]),
    ("gather(ones([2, 2]), 0, ones(2))", "?", &["gather"]),
    ("assign(ones(3), 0..2, ones(3))", "?", &["[3]", "[2]"]),
    ("matmul(ones([2, 3]), ones([2, 3]))", "?", &["inner lengths differ", "3 against 2", "[…, m, k] times […, k, n]"]),
    ("matmul(2, ones(3))", "?", &["a number is not a matrix", "multiply by a number with *"]),
    ("einsum(\"ij,jk->ik\", [ones([2, 3]), ones([2, 3])])", "?", &["einsum", "3", "2"]),
    ("einsum(\"ij\", ones(3))", "?", &["einsum"]),
    ("einsum(\"ij->k\", ones([2, 3]))", "?", &["einsum", "k"]),
    ("einsum(\"i\", [\"x\"])", "?", &["an operand is not a real tensor", "the string \"x\""]),
    ("solve(ones([2, 3]), ones(2))", "?", &["solve", "[2, 3] and [2, 1]", "[…, n, n]"]),
    ("solve(ones([2, 2]), ones(2))", "?", &["singular", "column 1 of 2", "multiple of the identity"]),
    ("inverse(ones(3))", "?", &["solve", "[3]"]),
    ("dot(ones(2), ones(3))", "?", &["two vectors of one length", "[2] and [3]"]),
    ("outer(ones([2, 2]), ones(2))", "?", &["outer: two vectors", "[2, 2] and [2]"]),
    ("trace(ones([2, 3]))", "?", &["square matrix", "[2, 3]", "[…, n, n]"]),
    (
        "conv(ones([4, 4]), ones([1, 1, 3, 3]))",
        "?",
        &["conv: the input does not fit", "[4, 4]", "[sample, channel, 1 to 3 spatial axes]"],
    ),
    ("conv(ones([1, 2, 8]), ones([4, 3, 3]))", "?", &["conv", "[1, 2, 8]", "[4, 3, 3]"]),
    ("conv(ones([1, 2, 8]), ones([4, 2, 9]))", "?", &["conv", "9"]),
    ("conv(ones([1, 3, 8]), ones([4, 1, 3]), #{ groups: 2 })", "?", &["conv", "groups"]),
    ("conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ stride: 0 })", "?", &["option `stride`", "the number 0", "1 or more"]),
    ("conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ stride: [1, 1] })", "?", &["option `stride`", "an array of 1"]),
    (
        "conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ padding: \"reflekt\" })",
        "?",
        &["option `padding`", "did you mean \"reflect\""],
    ),
    (
        "conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ paddign: 1 })",
        "?",
        &["there is no option `paddign`", "did you mean `padding`"],
    ),
    (
        "conv_transpose(ones([1, 2, 8]), ones([2, 1, 3]), #{ output_padding: 1 })",
        "?",
        &["conv_transpose", "output padding below stride"],
    ),
    ("max_pool(ones([1, 1, 4]), 5)", "?", &["wider than the input", "[5]"]),
    ("avg_pool(ones([1, 1, 4]), [2, 2])", "?", &["argument 2 (`window`)", "an array of 1"]),
    ("upsample(ones([1, 1, 4]), 2, #{ method: \"cubic\" })", "?", &["option `method`", "\"nearest\", \"linear\""]),
    ("complex(ones(2), ones(3))", "?", &["complex: shapes do not fit", "[2] and [3]"]),
    ("tanh(complex(1, 2))", "?", &["tanh is not defined for complex numbers", "a Complex []"]),
    ("complex(1, 2) < 3", "?", &["complex numbers have no order", "abs(z)"]),
    ("complex(1, 2) ** 0.5", "?", &["** is not defined for complex numbers", "a whole power"]),
    ("max(complex(1, 2))", "?", &["a Complex []", "real numbers", "abs(z)"]),
    ("clamp(complex(1, 2), 0, 1)", "?", &["takes real numbers", "z.re, z.im"]),
    ("fft::rfft(complex(1, 2))", "?", &["a Complex []", "real numbers"]),
    ("fft::fft(ones([2, 3]), 2)", "?", &["fft: no axis 2", "rank 2"]),
    ("fft::rfft(1.0)", "?", &["no axis to transform"]),
    (
        "fft::irfft(fft::rfft(ones(8)), 10)",
        "?",
        &["does not fit the half spectrum", "length 10 for 5 wavenumbers", "8 or 9"],
    ),
    ("fft::freq(-1)", "?", &["argument 1 (`n`)", "0 or more"]),
    ("grad(|x| x * 2, ones(2))", "?", &["[2]"]),
    ("grad(|x, y| x, 1.0)", "?", &["a closure of 2 parameters", "a closure of one parameter"]),
    ("grad(3, 1.0)", "?", &["the number 3", "a closure of one parameter"]),
    ("grad(|x| \"a\", 1.0)", "?", &["the closure returned something unfit", "the string \"a\""]),
    ("vjp(|x| x * x, ones(2), ones(3))", "?", &["v must have the shape of f(x)", "[3]", "[2]"]),
    ("jvp(|x| x * x, ones(2), ones(3))", "?", &["v must have the shape of x", "[3]", "[2]"]),
    ("grid::periodic([8, 8], [1.0])", "?", &["2 numbers of points, 1 lengths"]),
    ("grid::periodic([8], [0])", "?", &["axis x has no length", "from 0 to 0"]),
    ("grid::periodic([1], [1.0])", "?", &["axis x needs points", "2 or more"]),
    ("let g = grid::periodic([8], [1.0]);\nfield(ones(7), g)", "?", &["values do not fit the grid", "[7]", "[8]"]),
    ("let g = grid::periodic([8], [1.0]);\ng.sample(|x, y| x)", "?", &["a closure of 2 parameters", "one parameter"]),
    ("let g = grid::periodic([8], [1.0]);\ng.sample(|x| ones(5))", "?", &["[5]", "[8]"]),
    ("let u = grid::periodic([8], [1.0]).sample(|x| x);\nlet v = u.dy();", "?", &["no axis \"y\"", "one of x"]),
    (
        "let u = grid::periodic([8], [1.0]).sample(|x| x);\nu + grid::periodic([8], [2.0]).sample(|x| x)",
        "?",
        &["different grids"],
    ),
    ("dx(ones(8))", "?", &["a Tensor [8]", "a field: values on a grid"]),
    (
        "let g = grid::periodic([8], [1.0]);\nspectral::operator(g, |k| 1 / k)",
        "?",
        &["symbol of an operator is not finite", "divide by k = 0"],
    ),
    (
        "let g = grid::periodic([8], [1.0]);\nlet l = spectral::operator(g, |k| -k * k);\nl.apply(grid::periodic([4], [1.0]).sample(|x| x))",
        "?",
        &["on different grids", "8 points", "4 points"],
    ),
    (
        "random::gaussian_field(grid::periodic([8], [1.0]), #{ power: \"steep\" })",
        "?",
        &["option `power`", "the string \"steep\"", "a finite number"],
    ),
    ("random::normal([2], #{ sed: 1 })", "?", &["no option `sed`", "did you mean `seed`"]),
    ("sde::process(|x, t| -x)", "?", &["option `diffusion` is needed"]),
    ("sde::process(|x| -x, #{ diffusion: 1 })", "?", &["a closure of 1 parameter", "a closure of 2 parameters"]),
    ("sde::process(|x, t| -x, #{ diffusion: -1 })", "?", &["finite and not negative", "g(0) = -1"]),
    ("sde::process(3, #{ diffusion: 1 })", "?", &["the number 3", "spectral::operator"]),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 0.5, 0.5])",
        "?",
        &["times must ascend"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 1], #{ samples: [1, 2] })",
        "?",
        &["option `samples`", "3 whole numbers"],
    ),
    (
        "let p = sde::process(|x, t| ones(5), #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 1])",
        "?",
        &["what the closure returned", "[5]", "[3, 2]"],
    ),
    (
        "let g = grid::periodic([8], [1.0]);\nlet p = sde::process(spectral::operator(g, |k| -k * k), #{ diffusion: 1 });\nsample(p, ones([1, 1, 7]), [0, 1])",
        "?",
        &["do not lie on the grid of the process", "[1, 1, 7]", "[8]"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\nlet path = p.sample(ones([2]), [0, 1]);\nsmdp::window_loss(p, |x, t| x, path, #{ window: 3 })",
        "?",
        &["windows must lie within the path", "windows of 3 steps", "1 to 1 steps"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\nlet path = p.sample(ones([2]), [0, 1]);\npath.at(7)",
        "?",
        &["no such time", "0 to 1"],
    ),
    ("nn::net(nn::linear(0, 3))", "?", &["would be empty", "[0, 3]"]),
    ("nn::net(3)", "?", &["not a layer", "the number 3", "nn::linear(2, 20)"]),
    (
        "let net = nn::net(nn::linear(2, 3));\nnet.forward(ones([4, 5]))",
        "?",
        &["linear 2 → 3", "shape [4, 5]", "[.., 2]"],
    ),
    (
        "let net = nn::net(nn::sequential([nn::linear(2, 3), nn::linear(2, 1)]));\nnet.forward(ones([4, 2]))",
        "?",
        &["1 (linear 2 → 1)", "[4, 3]", "[.., 2]"],
    ),
    ("nn::linear(2, 3).forward(ones([4, 2]))", "?", &["a layer has no numbers yet", "nn::net(layer"]),
    (
        "nn::net(nn::conv(3, 8)).forward(ones([1, 2, 8, 8]))",
        "?",
        &["conv 3 → 8", "shape [1, 2, 8, 8]", "[sample, 3, 2 spatial axes]"],
    ),
    ("nn::conv(3, 8, #{ kernel: [3, 3], dims: 3 })", "?", &["option `kernel`", "an array of 3"]),
    ("nn::conv(3, 8, #{ padding: \"same_size\" })", "?", &["option `padding`", "\"same\"", "\"periodic\""]),
    ("nn::net(nn::conv(3, 8, #{ groups: 2 }))", "?", &["groups must divide the channels", "3 → 8 in 2"]),
    ("nn::net(nn::group_norm(6, 4))", "?", &["groups must divide the channels", "6 channels, 4 groups"]),
    ("nn::net(nn::dropout(1.5))", "?", &["from 0 to below 1", "1.5"]),
    ("nn::net(nn::sinusoidal(5))", "?", &["even number", "5"]),
    ("nn::net(nn::max_pool(3)).forward(ones([1, 1, 2]))", "?", &["wider than the input"]),
    ("nn::net(nn::time_channel()).forward(ones([2, 1, 4]))", "?", &["one tensor", "a state and a time"]),
    ("nn::net(nn::residual(nn::linear(2, 3))).forward(ones([1, 2]))", "?", &["turns [1, 2] into [1, 3]", "a shortcut"]),
    ("nn::activation(\"tan\")", "?", &["\"tan\"", "\"tanh\""]),
    ("nn::mlp(#{ inputs: 2 })", "?", &["option `outputs` is needed"]),
    (
        "nn::net(nn::function(|x| \"a\")).forward(ones(2))",
        "?",
        &["nn::function returned something unfit", "the string \"a\""],
    ),
    ("let net = nn::net(nn::linear(1, 1));\nnet.parameter(\"weights\")", "?", &["weights", "weight"]),
    ("let net = nn::net(nn::linear(1, 1));\nnet.set_parameter(\"weight\", ones(2))", "?", &["[2]", "[1, 1]"]),
    (
        "let net = nn::net(nn::linear(1, 1));\ntrain(net, #{ loss: |net, batch| 1.0 })",
        "?",
        &["option `steps` is needed"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\ntrain(net, #{ steps: 1, name: \"a\", loss: |net| 1.0 })",
        "?",
        &["option `loss`", "a closure of 2 parameters"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\nstep(optim::adam(), net, |net| net.forward(ones([3, 1])))",
        "?",
        &["the loss is not a single number", "shape [3, 1]", "mean"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\nstep(optim::adam(), net, |net| ones(1))",
        "?",
        &["does not depend on the network"],
    ),
];

#[test]
fn errors_say_where_and_what() {
    // As the program runs scripts: on the engine's own stack, where panics of primitives stay quiet.
    stack::on_large_stack(|| {
        let run_folder = std::env::temp_dir().join(format!("ansatz-shapes-{}", std::process::id()));
        let mut host = Host::new(Session::new(Options { run_folder, ..Options::default() }));
        let mut failures = Vec::new();
        for (code, position, words) in ROWS {
            host.reset();
            let Err(error) = host.evaluate("script", code) else {
                failures.push(format!("{code:?}\nno error"));
                continue;
            };
            let (got, text) = (format!("{}:{}", error.line, error.column), error.to_string());
            let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
            if got != *position || !missing.is_empty() || text.contains("in a way it should not") {
                failures.push(format!("{code:?}\nat {got} instead of {position}, without {missing:?}\n{text}"));
            }
        }
        assert!(failures.is_empty(), "{} of {} rows\n\n{}", failures.len(), ROWS.len(), failures.join("\n"));
    })
    .unwrap();
}
