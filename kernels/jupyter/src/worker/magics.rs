//! Lines that begin with `%`: questions to the kernel, not to the language.

use std::time::{Duration, Instant};

use ansatz::display::Rich;
use ansatz::script::table::{Table, cell};
use ansatz::script::value::type_name;
use ansatz::session::{Limits, Sink};
use ansatz::tensor::device::devices;
use ansatz::tensor::{Device, Precision, human_bytes};
use rhai::Dynamic;

use super::errors::{failure, plain};
use super::values::of_rich;
use super::{Settings, Worker, native};
use crate::wire::{Event, Failure};

/// Names, and what they do.
pub const MAGICS: [(&str, &str); 7] = [
    ("%time", "how long an expression takes; %%time in the first line measures the cell"),
    ("%who", "variables and functions of the session"),
    ("%reset", "forget all variables and functions; %reset precision=f64 seed=7 begins a session like that"),
    ("%limits", "what the session may use; %limits seconds=10 tensor_bytes=4G operations=0 sets it"),
    ("%device", "what tensors are computed on, and what else there is; %device cuda begins a session there"),
    ("%help", "this list"),
    ("%%rust", "in the first line: the cell is Rust, compiled by evcxr"),
];

/// What may stand behind a magic; values that cannot be listed end with their sign.
pub const MAGIC_ARGUMENTS: [(&str, &[&str]); 3] = [
    ("%limits", &["operations=", "seconds=", "tensor_bytes=", "array=", "string=", "map=", "calls=", "nesting="]),
    ("%reset", &["device=cpu", "device=cuda", "device=vulkan", "precision=f32", "precision=f64", "seed="]),
    ("%device", &["cpu", "cuda", "vulkan"]),
];

/// Evaluates a cell: its magics at the start one after the other, then what follows.
pub fn evaluate(worker: &mut Worker, name: &str, code: &str) -> Result<Dynamic, Failure> {
    let mut rest = String::with_capacity(code.len());
    let mut value = Dynamic::UNIT;
    let mut timed = false;
    let mut lines = code.split_inclusive('\n').peekable();
    while let Some(line) = lines.peek() {
        let text = line.trim();
        if text == "%%time" {
            timed = true;
        } else if text.starts_with('%') {
            value = obey(worker, name, text)?;
        } else if !text.is_empty() && !text.starts_with("//") {
            break;
        }
        // An empty line in its place: the lines of the cell keep their numbers.
        rest.push_str(if text.starts_with('%') { "\n" } else { line });
        lines.next();
    }
    if lines.peek().is_none() {
        return Ok(value);
    }
    rest.extend(lines);
    let start = Instant::now();
    let value = worker.host.evaluate(name, &rest).map_err(|diagnostic| {
        let mut failure = failure(&diagnostic);
        let misplaced = |line: &str| MAGICS.iter().any(|(magic, _)| line.split_whitespace().next() == Some(magic));
        failure.traceback.extend(rest.lines().find(|line| misplaced(line)).map(|line| {
            format!("    advice: {} belongs before the code of a cell", line.split_whitespace().next().unwrap_or(line))
        }));
        failure
    });
    if timed {
        worker.sink.text(&shown(start.elapsed()));
    }
    value
}

fn obey(worker: &mut Worker, name: &str, line: &str) -> Result<Dynamic, Failure> {
    let (magic, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match magic {
        "%time" if rest.is_empty() => {
            return Err(plain("MagicError", "%time expression measures the expression, %%time the cell"));
        }
        "%time" => return time(worker, name, rest),
        "%who" => show_table(worker, "", &who(worker)),
        "%reset" => reset(worker, rest)?,
        "%limits" => limits(worker, rest)?,
        "%device" if rest.is_empty() => device(worker),
        "%device" => reset(worker, &format!("device={rest}"))?,
        "%help" | "%lsmagic" => {
            let mut table = Table::new("", vec!["magic".into(), "what it does".into()]);
            table.rows.extend(MAGICS.iter().map(|(name, text)| vec![name.to_string(), text.to_string()]));
            show_table(worker, "", &table);
        }
        _ => {
            let names = MAGICS.iter().map(|(name, _)| name.to_string());
            let near =
                ansatz::script::nearest(magic.trim_start_matches('%'), names.map(|n| n.trim_matches('%').into()));
            let advice = near.first().map_or(String::new(), |near| format!("; did you mean %{near}?"));
            let advice = if magic == "%%rust" { "; %%rust stands in the first line".into() } else { advice };
            return Err(plain("MagicError", format!("there is no magic {magic}{advice} (%help lists them)")));
        }
    }
    Ok(Dynamic::UNIT)
}

fn time(worker: &mut Worker, name: &str, expression: &str) -> Result<Dynamic, Failure> {
    let start = Instant::now();
    let value = worker.host.evaluate(name, expression).map_err(|diagnostic| failure(&diagnostic))?;
    worker.sink.text(&shown(start.elapsed()));
    Ok(value)
}

fn shown(taken: Duration) -> String {
    format!("{taken:.3?}")
}

fn show_table(worker: &Worker, title: &str, table: &Table) {
    let html = ansatz::display::table(title, &table.header, &table.rows);
    let bundle = of_rich(&Rich { html: Some(html), ..Rich::plain(table.to_string()) });
    worker.front.tell(&Event::Display { bundle, id: None, update: false });
}

fn who(worker: &Worker) -> Table {
    let mut table = Table::new("", vec!["name".into(), "type".into(), "value".into()]);
    for (name, constant, value) in worker.host.variables() {
        let name = if constant { format!("{name} (constant)") } else { name.to_string() };
        let text = brief(worker, &value);
        table.rows.push(vec![name, type_name(&value).to_string(), text]);
    }
    for (name, parameters) in worker.host.functions() {
        table.rows.push(vec![name.to_string(), "function".into(), format!("of {parameters}")]);
    }
    for (name, about) in native::added() {
        table.rows.push(vec![name, "function in Rust".into(), about]);
    }
    table
}

/// The beginning of what is in a variable: writing all of a long text or array takes its time.
fn brief(worker: &Worker, value: &Dynamic) -> String {
    const LONGEST: usize = 60;
    let start = match (value.clone().into_immutable_string(), value.as_array_ref()) {
        (Ok(text), _) => text.chars().take(LONGEST).collect::<String>().into(),
        (_, Ok(array)) if array.len() > LONGEST => array.iter().take(LONGEST).cloned().collect::<Vec<_>>().into(),
        _ => value.clone(),
    };
    let text = match cell(&start) {
        _ if value.is_fnptr() => String::new(),
        // An equation, a grid or a path says more of itself than its kind.
        text if text == type_name(value) => worker.host.show(value),
        text => text,
    };
    text.lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}

fn device(worker: &Worker) {
    let context = worker.host.session().context();
    let mut table = Table::new("", vec![String::new(), String::new()]);
    table.rows = vec![
        vec!["device".into(), worker.settings.device.to_string()],
        vec!["precision".into(), context.precision().name().into()],
        vec!["seed".into(), worker.settings.seed.to_string()],
    ];
    table.rows.extend(devices().into_iter().map(|found| {
        let text = found.unusable.map_or(found.text.to_string(), |why| format!("not usable: {why}"));
        vec![format!("there is {}", found.name), text]
    }));
    show_table(worker, "", &table);
}

/// `name=value` pairs.
fn pairs(text: &str) -> Result<Vec<(&str, &str)>, Failure> {
    let pair = |word: &'_ str| plain("MagicError", format!("{word:?} is not of the form name=value"));
    text.split_whitespace().map(|word| word.split_once('=').ok_or_else(|| pair(word))).collect()
}

fn unfit(name: &str, value: &str, expected: &str) -> Failure {
    plain("MagicError", format!("{name}={value} does not fit; expected {expected}"))
}

fn reset(worker: &mut Worker, text: &str) -> Result<(), Failure> {
    let mut settings: Settings = worker.settings;
    for (name, value) in pairs(text)? {
        match (name, value) {
            ("precision", "f32") => settings.precision = Precision::F32,
            ("precision", "f64") => settings.precision = Precision::F64,
            ("precision", _) => return Err(unfit(name, value, "f32 or f64")),
            ("device", _) => {
                let named = Device::named(value);
                settings.device = named.map_err(|error| plain("MagicError", error.to_string()))?;
            }
            ("seed", _) => settings.seed = value.parse().map_err(|_| unfit(name, value, "a whole number"))?,
            _ => return Err(unfit(name, value, "device, precision or seed")),
        }
    }
    worker.reset(settings);
    Ok(())
}

fn limits(worker: &mut Worker, text: &str) -> Result<(), Failure> {
    let mut limits: Limits = (*worker.host.session().limits()).clone();
    for (name, value) in pairs(text)? {
        let count = || size(value).ok_or_else(|| unfit(name, value, "a number such as 1000000, 512M or 4G"));
        match name {
            "operations" => limits.operations = count()? as u64,
            "seconds" => {
                let seconds = value.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0);
                limits.seconds = seconds.ok_or_else(|| unfit(name, value, "a number of seconds, 0 for no bound"))?;
            }
            "tensor_bytes" => limits.tensor_bytes = count()?,
            "array" => limits.array_length = count()?,
            "string" => limits.string_length = count()?,
            "map" => limits.map_length = count()?,
            "calls" => limits.call_depth = count()?,
            "nesting" => limits.expression_depth = count()?,
            _ => {
                return Err(unfit(
                    name,
                    value,
                    "operations, seconds, tensor_bytes, array, string, map, calls or nesting",
                ));
            }
        }
    }
    if !text.is_empty() {
        worker.host.set_limits(limits.clone());
    }
    let bound = |n: f64, text: String| if n == 0.0 { "no bound".into() } else { text };
    let mut table = Table::new("", vec!["limit".into(), "value".into()]);
    table.rows = [
        ("operations", bound(limits.operations as f64, limits.operations.to_string())),
        ("seconds", bound(limits.seconds, limits.seconds.to_string())),
        ("tensor_bytes", human_bytes(limits.tensor_bytes)),
        ("array", limits.array_length.to_string()),
        ("string", limits.string_length.to_string()),
        ("map", limits.map_length.to_string()),
        ("calls", limits.call_depth.to_string()),
        ("nesting", limits.expression_depth.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| vec![name.to_string(), value])
    .collect();
    show_table(worker, "", &table);
    Ok(())
}

/// `1024`, `512k`, `1.5G`: binary multiples.
fn size(text: &str) -> Option<usize> {
    let (digits, factor) = match text.chars().last()? {
        'k' | 'K' => (text.get(..text.len() - 1)?, 1 << 10),
        'M' => (text.get(..text.len() - 1)?, 1 << 20),
        'G' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1u64),
    };
    let number: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    Some((number * factor as f64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_multiples() {
        assert_eq!(size("512k"), Some(512 << 10));
        assert_eq!(size("1.5G"), Some(3 << 29));
        assert_eq!(size("7"), Some(7));
        assert_eq!(size("-1"), None);
        assert_eq!(size("many"), None);
    }
}
