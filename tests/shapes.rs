//! Errors of shapes, types and options over the primitives: where they are said to be, and what they say.

use ansatz::script::{Host, stack};
use ansatz::session::{Options, Session};

/// A script, the line and column of its error, and words that the error must contain.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("tensor([[1, 2], [3]])", "1:1", &["ragged", "lengths 2 and 1"]),
    ("tensor([1, \"a\"])", "1:1", &["not a number", "the string \"a\""]),
    ("tensor(\"abc\")", "1:1", &["argument 1 (`values`)", "the string \"abc\"", "nested array"]),
    ("zeros([2, -1])", "1:1", &["argument 1 (`shape`)", "lengths of axes, 0 or more each"]),
    ("zeros([1e9, 1e9])", "1:1", &["too large"]),
    ("full([2], \"x\")", "1:1", &["argument 2 (`value`)", "a number", "usage: full(shape, value)"]),
    ("linspace(0, 1)", "1:1", &["wrong number of arguments", "linspace(start, stop, count)"]),
    ("arange(0, 1, 0)", "1:1", &["argument 3 (`step`)", "different from 0"]),
    ("eye(2.5)", "1:1", &["argument 1 (`n`)", "a whole number", "int(x)"]),
    ("let a = ones([2, 3]);\nlet b = a * ones([3, 2]);", "2:11", &["*: shapes do not fit", "[2, 3] and [3, 2]"]),
    ("ones(3) + \"x\"", "1:9", &["argument 2", "the string \"x\"", "a number, tensor or field"]),
    ("sin([1, 2])", "1:1", &["the array [1, 2]", "a number, tensor or field"]),
    ("clamp(ones(2), 1, 0)", "1:1", &["bounds are out of order", "1 to 0"]),
    ("where(ones(2), ones(3), 0)", "1:1", &["shapes do not fit", "[2]"]),
    ("atan2(ones(2), ones(3))", "1:1", &["atan2: shapes do not fit", "[2] and [3]"]),
    ("maximum(ones([2, 2]), ones(3))", "1:1", &["max", "[2, 2] and [3]"]),
    ("ones([2, 3])[5]", "1:13", &["index 5", "length 2", "-2 to 1"]),
    ("ones([2, 3])[[0, 0, 0]]", "1:13", &["more indices than axes", "3 indices into shape [2, 3]"]),
    ("ones([2, 3])[0..9]", "1:13", &["range outside of its axis", "0..9 on an axis of length 2"]),
    ("ones(3)[1 / 2]", "1:8", &["fractional index", "0.5", "int(x)"]),
    ("ones(3)[\"a\"]", "1:8", &["no property `a`"]),
    ("sum(ones([2, 3]), 2)", "1:1", &["no axis 2", "a tensor of rank 2", "-2 to 1"]),
    ("mean(ones([2, 3]), [0, 0])", "1:1", &["an axis is named twice"]),
    ("max(zeros([0]))", "1:1", &["max"]),
    ("item(ones(3))", "1:1", &["only a tensor with one element", "shape [3]", "sum(t), mean(t)"]),
    ("sort(ones(3), 1)", "1:1", &["no axis 1", "rank 1"]),
    ("cumsum(ones(3))", "1:1", &["wrong number of arguments", "cumsum(x, axis)"]),
    ("softmax(ones(3), 0.5)", "1:1", &["a whole number"]),
    ("reshape(ones(6), [4, -1])", "1:1", &["number of elements must stay", "6 elements to [4, -1]"]),
    ("permute(ones([2, 3]), [0, 0])", "1:1", &["permute"]),
    ("squeeze(ones([2, 3]), 0)", "1:1", &["axis 0 has not length 1", "[2, 3]"]),
    ("expand(ones(3), [2])", "1:1", &["expand", "[3]"]),
    ("concat([ones([2, 3]), ones([2, 4])])", "1:1", &["concat", "[2, 3]", "[2, 4]"]),
    ("stack([ones(2), ones(3)])", "1:1", &["stack: tensors of one shape", "[2] and [3]"]),
    ("concat([])", "1:1", &["concat"]),
    ("concat([ones(2), \"x\"])", "1:1", &["not a tensor in the array", "the string \"x\""]),
    (
        "pad(ones(3), 0, 1, 1, #{ mode: \"periodc\" })",
        "1:1",
        &["option `mode`", "\"periodic\"", "did you mean \"periodic\""],
    ),
    ("take(ones(3), [0, 3], 0)", "1:1", &["index 3", "length 3"]),
    ("gather(ones([2, 2]), 0, ones(2))", "1:1", &["gather"]),
    ("assign(ones(3), 0..2, ones(3))", "1:1", &["[3]", "[2]"]),
    (
        "matmul(ones([2, 3]), ones([2, 3]))",
        "1:1",
        &["inner lengths differ", "3 against 2", "[…, m, k] times […, k, n]"],
    ),
    ("matmul(2, ones(3))", "1:1", &["a number is not a matrix", "multiply by a number with *"]),
    ("einsum(\"ij,jk->ik\", [ones([2, 3]), ones([2, 3])])", "1:1", &["einsum", "3", "2"]),
    ("einsum(\"ij\", ones(3))", "1:1", &["einsum"]),
    ("einsum(\"ij->k\", ones([2, 3]))", "1:1", &["einsum", "k"]),
    ("einsum(\"i\", [\"x\"])", "1:1", &["an operand is not a real tensor", "the string \"x\""]),
    ("solve(ones([2, 3]), ones(2))", "1:1", &["solve", "[2, 3] and [2, 1]", "[…, n, n]"]),
    ("solve(ones([2, 2]), ones(2))", "1:1", &["singular", "column 1 of 2", "multiple of the identity"]),
    ("inverse(ones(3))", "1:1", &["inverse: a square matrix", "[3]", "[…, n, n]"]),
    ("dot(ones(2), ones(3))", "1:1", &["two vectors of one length", "[2] and [3]"]),
    ("outer(ones([2, 2]), ones(2))", "1:1", &["outer: two vectors", "[2, 2] and [2]"]),
    ("trace(ones([2, 3]))", "1:1", &["square matrix", "[2, 3]", "[…, n, n]"]),
    (
        "conv(ones([4, 4]), ones([1, 1, 3, 3]))",
        "1:1",
        &["conv: the input does not fit", "[4, 4]", "[sample, channel, 1 to 3 spatial axes]"],
    ),
    ("conv(ones([1, 2, 8]), ones([4, 3, 3]))", "1:1", &["conv", "[1, 2, 8]", "[4, 3, 3]"]),
    ("conv(ones([1, 2, 8]), ones([4, 2, 9]))", "1:1", &["conv", "9"]),
    ("conv(ones([1, 3, 8]), ones([4, 1, 3]), #{ groups: 2 })", "1:1", &["conv", "groups"]),
    (
        "conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ stride: 0 })",
        "1:1",
        &["option `stride`", "the number 0", "1 or more"],
    ),
    ("conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ stride: [1, 1] })", "1:1", &["option `stride`", "an array of 1"]),
    (
        "conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ padding: \"reflekt\" })",
        "1:1",
        &["option `padding`", "did you mean \"reflect\""],
    ),
    (
        "conv(ones([1, 2, 8]), ones([4, 2, 3]), #{ paddign: 1 })",
        "1:43",
        &["there is no option `paddign`", "did you mean `padding`"],
    ),
    (
        "conv_transpose(ones([1, 2, 8]), ones([2, 1, 3]), #{ output_padding: 1 })",
        "1:1",
        &["conv_transpose", "output padding below stride"],
    ),
    ("max_pool(ones([1, 1, 4]), 5)", "1:1", &["wider than the input", "[5]"]),
    ("avg_pool(ones([1, 1, 4]), [2, 2])", "1:1", &["argument 2 (`window`)", "an array of 1"]),
    ("upsample(ones([1, 1, 4]), 2, #{ method: \"cubic\" })", "1:1", &["option `method`", "\"nearest\", \"linear\""]),
    ("complex(ones(2), ones(3))", "1:1", &["complex: shapes do not fit", "[2] and [3]"]),
    ("tanh(complex(1, 2))", "1:1", &["tanh is not defined for complex numbers", "a Complex []"]),
    ("complex(1, 2) < 3", "1:15", &["complex numbers have no order", "abs(z)"]),
    ("complex(1, 2) ** 0.5", "1:15", &["** is not defined for complex numbers", "a whole power"]),
    ("max(complex(1, 2))", "1:1", &["a Complex []", "real numbers", "abs(z)"]),
    ("clamp(complex(1, 2), 0, 1)", "1:1", &["takes real numbers", "z.re, z.im"]),
    ("fft::rfft(complex(1, 2))", "1:6", &["a Complex []", "real numbers"]),
    ("fft::fft(ones([2, 3]), 2)", "1:6", &["fft: no axis 2", "rank 2"]),
    ("fft::rfft(1.0)", "1:6", &["no axis to transform"]),
    (
        "fft::irfft(fft::rfft(ones(8)), 10)",
        "1:6",
        &["does not fit the half spectrum", "length 10 for 5 wavenumbers", "8 or 9"],
    ),
    ("fft::freq(-1)", "1:6", &["argument 1 (`n`)", "0 or more"]),
    ("grad(|x| x * 2, ones(2))", "1:1", &["[2]"]),
    ("grad(|x, y| x, 1.0)", "1:1", &["a closure of 2 parameters", "a closure of one parameter"]),
    ("grad(3, 1.0)", "1:1", &["the number 3", "a closure of one parameter"]),
    ("grad(|x| \"a\", 1.0)", "1:1", &["the closure returned something unfit", "the string \"a\""]),
    ("vjp(|x| x * x, ones(2), ones(3))", "1:1", &["v must have the shape of f(x)", "[3]", "[2]"]),
    ("jvp(|x| x * x, ones(2), ones(3))", "1:1", &["v must have the shape of x", "[3]", "[2]"]),
    ("grid::periodic([8, 8], [1.0])", "1:7", &["2 numbers of points, 1 lengths"]),
    ("grid::periodic([8], [0])", "1:7", &["axis x has no length", "from 0 to 0"]),
    ("grid::periodic([1], [1.0])", "1:7", &["axis x needs points", "2 or more"]),
    ("let g = grid::periodic([8], [1.0]);\nfield(ones(7), g)", "2:1", &["values do not fit the grid", "[7]", "[8]"]),
    ("let g = grid::periodic([8], [1.0]);\ng.sample(|x, y| x)", "2:3", &["a closure of 2 parameters", "one parameter"]),
    ("let g = grid::periodic([8], [1.0]);\ng.sample(|x| ones(5))", "2:3", &["[5]", "[8]"]),
    ("let u = grid::periodic([8], [1.0]).sample(|x| x);\nlet v = u.dy();", "2:11", &["no axis \"y\"", "one of x"]),
    (
        "let u = grid::periodic([8], [1.0]).sample(|x| x);\nu + grid::periodic([8], [2.0]).sample(|x| x)",
        "2:3",
        &["different grids"],
    ),
    ("dx(ones(8))", "1:1", &["a Tensor [8]", "a field: values on a grid"]),
    (
        "let g = grid::periodic([8], [1.0]);\nspectral::operator(g, |k| 1 / k)",
        "2:11",
        &["symbol of an operator is not finite", "divide by k = 0"],
    ),
    (
        "let g = grid::periodic([8], [1.0]);\nlet l = spectral::operator(g, |k| -k * k);\nl.apply(grid::periodic([4], [1.0]).sample(|x| x))",
        "3:3",
        &["on different grids", "8 points", "4 points"],
    ),
    (
        "random::gaussian_field(grid::periodic([8], [1.0]), #{ power: \"steep\" })",
        "1:9",
        &["option `power`", "the string \"steep\"", "a finite number"],
    ),
    ("random::normal([2], #{ sed: 1 })", "1:24", &["no option `sed`", "did you mean `seed`"]),
    ("sde::process(|x, t| -x)", "1:6", &["wrong number of arguments", "sde::process(drift, options)"]),
    ("sde::process(|x| -x, #{ diffusion: 1 })", "1:6", &["a closure of 1 parameter", "a closure of 2 parameters"]),
    ("sde::process(|x, t| -x, #{ diffusion: -1 })", "1:6", &["finite and not negative", "g(0) = -1"]),
    ("sde::process(3, #{ diffusion: 1 })", "1:6", &["the number 3", "spectral::operator"]),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 0.5, 0.5])",
        "2:3",
        &["times must ascend"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 1], #{ samples: [1, 2] })",
        "2:3",
        &["option `samples`", "3 whole numbers"],
    ),
    (
        "let p = sde::process(|x, t| ones(5), #{ diffusion: 1 });\np.sample(ones([3, 2]), [0, 1])",
        "2:3",
        &["what the closure returned", "[5]", "[3, 2]"],
    ),
    (
        "let g = grid::periodic([8], [1.0]);\nlet p = sde::process(spectral::operator(g, |k| -k * k), #{ diffusion: 1 });\nsample(p, ones([1, 1, 7]), [0, 1])",
        "3:1",
        &["do not lie on the grid of the process", "[1, 1, 7]", "[8]"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\nlet path = p.sample(ones([2]), [0, 1]);\nsmdp::window_loss(p, |x, t| x, path, #{ window: 3 })",
        "3:7",
        &["windows must lie within the path", "windows of 3 steps", "1 to 1 steps"],
    ),
    (
        "let p = sde::process(|x, t| -x, #{ diffusion: 1 });\nlet path = p.sample(ones([2]), [0, 1]);\npath.at(7)",
        "3:6",
        &["no such time", "0 to 1"],
    ),
    ("nn::net(nn::linear(0, 3))", "1:13", &["nn::linear", "`inputs`", "0", "from 1 to"]),
    ("nn::net(3)", "1:5", &["not a layer", "the number 3", "nn::linear(2, 20)"]),
    (
        "let net = nn::net(nn::linear(2, 3));\nnet.forward(ones([4, 5]))",
        "2:5",
        &["linear 2 → 3", "shape [4, 5]", "[.., 2]"],
    ),
    (
        "let net = nn::net(nn::sequential([nn::linear(2, 3), nn::linear(2, 1)]));\nnet.forward(ones([4, 2]))",
        "2:5",
        &["1 (linear 2 → 1)", "[4, 3]", "[.., 2]"],
    ),
    ("nn::linear(2, 3).forward(ones([4, 2]))", "1:18", &["a layer has no numbers yet", "nn::net(layer"]),
    (
        "nn::net(nn::conv(3, 8)).forward(ones([1, 2, 8, 8]))",
        "1:25",
        &["conv 3 → 8", "shape [1, 2, 8, 8]", "[sample, 3, 2 spatial axes]"],
    ),
    ("nn::conv(3, 8, #{ kernel: [3, 3], dims: 3 })", "1:5", &["option `kernel`", "an array of 3"]),
    ("nn::conv(3, 8, #{ padding: \"same_size\" })", "1:5", &["option `padding`", "\"same\"", "\"periodic\""]),
    ("nn::net(nn::conv(3, 8, #{ groups: 2 }))", "1:5", &["groups must divide the channels", "3 → 8 in 2"]),
    ("nn::net(nn::group_norm(6, 4))", "1:5", &["groups must divide the channels", "6 channels, 4 groups"]),
    ("nn::net(nn::dropout(1.5))", "1:5", &["from 0 to below 1", "1.5"]),
    ("nn::net(nn::sinusoidal(5))", "1:5", &["even number", "5"]),
    ("nn::net(nn::max_pool(3)).forward(ones([1, 1, 2]))", "1:26", &["wider than the input"]),
    ("nn::net(nn::time_channel()).forward(ones([2, 1, 4]))", "1:29", &["time as a channel", "a state and a time"]),
    (
        "nn::net(nn::residual(nn::linear(2, 3))).forward(ones([1, 2]))",
        "1:41",
        &["turns [1, 2] into [1, 3]", "a shortcut"],
    ),
    ("nn::activation(\"tan\")", "1:5", &["\"tan\"", "\"tanh\""]),
    ("nn::mlp(#{ inputs: 2 })", "1:5", &["option `outputs` is needed"]),
    (
        "nn::net(nn::function(|x| \"a\")).forward(ones(2))",
        "1:32",
        &["nn::function returned something unfit", "the string \"a\""],
    ),
    ("let net = nn::net(nn::linear(1, 1));\nnet.parameter(\"weights\")", "2:5", &["weights", "weight"]),
    ("let net = nn::net(nn::linear(1, 1));\nnet.set_parameter(\"weight\", ones(2))", "2:5", &["[2]", "[1, 1]"]),
    (
        "let net = nn::net(nn::linear(1, 1));\ntrain(net, #{ loss: |net, batch| 1.0 })",
        "2:1",
        &["option `steps` is needed"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\ntrain(net, #{ steps: 1, name: \"a\", loss: |net| 1.0 })",
        "2:1",
        &["option `loss`", "a closure of 2 parameters"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\nstep(optim::adam(), net, |net| net.forward(ones([3, 1])))",
        "2:1",
        &["the loss is not a single number", "shape [3, 1]", "mean"],
    ),
    (
        "let net = nn::net(nn::linear(1, 1));\nstep(optim::adam(), net, |net| ones(1))",
        "2:1",
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
