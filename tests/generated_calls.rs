//! Every primitive with arguments it was not made for: wrong numbers, types, ranks and shapes, empty tensors, NaN, huge
//! and negative numbers, closures of the wrong kind, unknown options. Whatever comes back, it is a value or a clear error.

use std::time::{Duration, Instant};

use ansatz::error::Kind;
use ansatz::script::registry::{Entry, Form};
use ansatz::script::{Host, Registry, stack};
use ansatz::session::{Limits, Options, Session};

/// Values that a call may get.
const VALUES: &[&str] = &[
    "2",
    "0",
    "-1",
    "3.5",
    "1e308",
    "NAN",
    "-INFINITY",
    "9223372036854775807",
    "true",
    "()",
    "\"text\"",
    "\"\"",
    "'c'",
    "[]",
    "[1, 2]",
    "[[1, 2], [3, 4]]",
    "[1, [2]]",
    "[\"a\"]",
    "[-1, 1000000]",
    "#{}",
    "#{ a: 1 }",
    "0..3",
    "0..=9223372036854775806",
    "ALL",
    "tensor(2.0)",
    "tensor([])",
    "ones([0, 3])",
    "ones(3)",
    "tensor([1.0, NAN, INFINITY])",
    "ones([2, 3])",
    "ones([3, 2])",
    "ones([2, 3, 4])",
    "ones([1, 2, 4, 4])",
    "ones([1, 1, 1, 1, 1, 1, 1, 1, 1])",
    "ones(1000) * 1e30",
    "|| 1",
    "|x| x",
    "|x| sum(x)",
    "|x| \"a\"",
    "|x| throw \"mine\"",
    "|x, y| x",
    "|x, y| x + y",
    "|x, y, z| x",
    "Fn(\"nothing\")",
    "table([\"a\"])",
    "blob(4)",
    "complex([1.0, 2.0], 0.5)",
    "complex(0, NAN)",
    "grid::periodic([4], [1.0])",
    "grid::periodic([3, 2], [1.0, 2.0]).sample(|x, y| x * y)",
    "grid::point()",
    "grid::interval(0, 1, 3, #{ left: dirichlet(|t| t), right: neumann(0) }).sample(|x| x)",
    "grid::rectangle(1, 2, [3, 4], #{ edges: neumann(0), values: \"nodes\", periodic: [\"y\"] }).sample(|x, y| x * y)",
    "robin(1, 2, [1, 2, 3])",
    "#{ left: dirichlet(0), right: 1 }",
    "sde::process(|x, t| -x, #{ diffusion: 1 })",
    "nn::conv(1, 2, #{ dims: 1 })",
    "nn::net(nn::linear(3, 2), #{ seed: 1 })",
    "spectral::operator(grid::periodic([4], [1.0]), |k| -k * k)",
    "sample(sde::process(|x, t| -x, #{ diffusion: 1 }), ones([2, 3]), [0, 1], #{ seed: 1 })",
];

/// Calls of each primitive.
const ROUNDS: usize = 24;

/// Counter-based: the same calls on every machine.
fn draw(entry: usize, round: usize, position: usize) -> usize {
    let mix = |n: usize, by: u64| (n as u64 + 1).wrapping_mul(by);
    let mut x =
        mix(entry, 0x9E37_79B9_7F4A_7C15) ^ mix(round, 0xBF58_476D_1CE4_E5B9) ^ mix(position, 0x94D0_49BB_1331_11EB);
    x ^= x >> 30;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 27;
    (x.wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) as usize
}

fn call(entry: &Entry, at: usize, round: usize) -> String {
    let (least, most) = entry.arity();
    let value = |position: usize| VALUES[draw(at, round, position) % VALUES.len()];
    match entry.form {
        Form::Constant => entry.full_name(),
        Form::Property => format!("({}).{}", value(0), entry.name),
        Form::Index => format!("({})[{}]", ["ones(3)", "ones([2, 3])", "tensor([])", "tensor(1)"][round % 4], value(0)),
        Form::Operator if least == 1 => format!("{}({})", entry.name, value(0)),
        Form::Operator => format!("({}) {} ({})", value(0), entry.name, value(1)),
        Form::Function => {
            // One too few, one too many, and in between; an option that is unknown.
            let count = match round {
                0 => least.saturating_sub(1),
                1 => most + 1,
                _ => least + round % (most - least + 1),
            };
            let mut arguments: Vec<&str> = (0..count).map(value).collect();
            if round % 5 == 4 && !entry.options.is_empty() {
                arguments.truncate(most - 1);
                while arguments.len() + 1 < most {
                    arguments.push("2");
                }
                arguments.push("#{ no_such_option: 1 }");
            }
            format!("{}({})", entry.full_name(), arguments.join(", "))
        }
    }
}

/// The primitive's own example with one option set to something unfit.
fn with_unfit_option(entry: &Entry, round: usize, at: usize) -> Option<String> {
    let option = entry.options.get(round % entry.options.len().max(1))?;
    let example =
        entry.examples.iter().find(|e| e.code.contains("#{ ") && e.code.contains(&format!("{}(", entry.name)))?;
    let value = VALUES[draw(at, round, 7) % VALUES.len()];
    Some(example.code.replacen("#{ ", &format!("#{{ \"{}\": {value}, ", option.name), 1))
}

/// The primitive's own examples with one number, text or array replaced: these calls get further than chance does.
fn altered_examples(entry: &Entry, at: usize) -> Vec<String> {
    const EACH: usize = 16;
    const SMALL: &[&str] = &[
        "0",
        "-1",
        "1",
        "7",
        "0.5",
        "1e-300",
        "1e300",
        "NAN",
        "INFINITY",
        "-INFINITY",
        "1000000",
        "9223372036854775807",
        "-9223372036854775807",
    ];
    let mut out = Vec::new();
    for (which, example) in entry.examples.iter().enumerate() {
        let places = literals(example.code);
        for round in 0..EACH {
            let Some((from, to)) = places.get(draw(at, round, which * 3) % places.len().max(1)) else { continue };
            // A number for a number goes further than anything else.
            let pool = if round % 2 == 0 { SMALL } else { VALUES };
            let value = pool[draw(at, round, which * 3 + 1) % pool.len()];
            out.push(format!("{}{value}{}", &example.code[..*from], &example.code[*to..]));
        }
    }
    out
}

/// Where numbers, texts and innermost arrays stand in a script.
fn literals(code: &str) -> Vec<(usize, usize)> {
    let bytes = code.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'0'..=b'9' if at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') => {
                while at < bytes.len()
                    && (bytes[at].is_ascii_alphanumeric() || (bytes[at] == b'.' && bytes.get(at + 1) != Some(&b'.')))
                {
                    at += 1;
                }
                out.push((start, at));
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1;
                }
                at += 1;
                out.push((start, at.min(bytes.len())));
            }
            b'[' => {
                if let Some(length) = code[at..]
                    .find([']', '('])
                    .filter(|&l| bytes[at + l] == b']' && !code[at + 1..at + l].contains('['))
                {
                    out.push((start, at + length + 1));
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    out.retain(|(from, to)| code.is_char_boundary(*from) && code.is_char_boundary(*to));
    out
}

#[test]
fn no_call_of_a_primitive_panics_or_hangs() {
    let faults = stack::on_large_stack(|| {
        let folder = std::env::temp_dir().join(format!("ansatz-generated-{}", std::process::id()));
        let limits = Limits {
            operations: 200_000,
            seconds: 0.8,
            tensor_bytes: 16 << 20,
            array_length: 100_000,
            string_length: 1 << 20,
            ..Limits::default()
        };
        let mut host = Host::new(Session::new(Options { limits, run_folder: folder, ..Options::default() }));
        let mut faults = Vec::new();
        let mut calls = 0;
        for (at, entry) in Registry::new().entries().iter().enumerate() {
            let rounds = if entry.form == Form::Constant { 1 } else { ROUNDS };
            let generated = (0..rounds).map(|round| call(entry, at, round));
            let optional = (0..entry.options.len() * 4).filter_map(|round| with_unfit_option(entry, round, at));
            for script in generated.chain(optional).chain(altered_examples(entry, at)) {
                calls += 1;
                if std::env::var_os("SHOW").is_some() {
                    eprintln!("{script}");
                }
                let start = Instant::now();
                let outcome = host.evaluate("call", &script);
                let taken = start.elapsed();
                if let Err(diagnostic) = &outcome
                    && diagnostic.error.kind() == Kind::Internal
                {
                    faults.push(format!("{script}\n{diagnostic}"));
                }
                if taken > Duration::from_secs(1) {
                    faults.push(format!("{script}\ntook {taken:?}"));
                }
                // Printing is a call too.
                if let Ok(value) = outcome {
                    host.show(&value);
                }
                host.reset();
            }
            match host.evaluate("after", "item(sum(tensor([1, 2]) * 3)) == 9") {
                Ok(value) if value.as_bool() == Ok(true) => {}
                _ => faults.push(format!("the session does not live on after {}", entry.full_name())),
            }
        }
        (faults, calls)
    });
    let (faults, calls) = faults.expect("the engine's thread lives");
    assert!(faults.is_empty(), "{} faults in {calls} calls:\n{}", faults.len(), faults.join("\n"));
    println!("{calls} calls");
}
