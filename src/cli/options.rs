//! Options that make a session.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use ansatz::session::{Limits, Options, Terminal};
use ansatz::tensor::{Device, Precision};
use clap::{Args, ValueEnum};

/// Precision of new tensors.
#[derive(Clone, Copy, ValueEnum)]
pub enum PrecisionName {
    F32,
    F64,
}

/// Options of `run` and `repl`.
#[derive(Args, Clone)]
pub struct SessionOptions {
    /// What tensors are computed on; ansatz devices lists them
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub device: Device,
    /// Precision of new tensors
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: PrecisionName,
    /// The seed of all random numbers that have no seed of their own
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = whole)]
    pub seed: u64,
    /// The value of a param(NAME, …) in the script
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// The folder that everything is written to [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue training from the checkpoints in the run folder
    #[arg(long)]
    pub resume: bool,
    /// Show results only: no progress, no notes
    #[arg(long)]
    pub quiet: bool,
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// What a script may use.
#[derive(Args, Clone)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// Script operations: statements, calls, turns of loops; 0 means no bound [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    max_operations: Option<u64>,
    /// Wall time in seconds; 0 means no bound [default: 0]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    max_seconds: Option<f64>,
    /// Memory of all tensors together, such as 512M or 4G [default: three quarters of the machine's, nine tenths of a card's]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = size)]
    max_tensor_bytes: Option<usize>,
    /// Nested calls of script functions [default: 1000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = depth)]
    max_call_depth: Option<usize>,
    /// Nested expressions [default: 1000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = depth)]
    max_expression_depth: Option<usize>,
    /// Bytes of a string [default: 64M]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = size)]
    max_string: Option<usize>,
    /// Elements of an array [default: 16M]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = size)]
    max_array: Option<usize>,
    /// Entries of a map [default: 1M]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = size)]
    max_map: Option<usize>,
    /// A folder that may be read, beside the script's and the run's
    #[arg(long = "allow", value_name = "DIR", value_parser = folder)]
    allow: Vec<PathBuf>,
}

impl LimitOptions {
    /// The limits, where not given the usual ones.
    pub fn limits(&self, device: Device) -> Limits {
        let usual = Limits { tensor_bytes: device.usual_limit(), ..Limits::default() };
        Limits {
            operations: self.max_operations.unwrap_or(usual.operations),
            seconds: self.max_seconds.unwrap_or(usual.seconds),
            call_depth: self.max_call_depth.unwrap_or(usual.call_depth),
            expression_depth: self.max_expression_depth.unwrap_or(usual.expression_depth),
            string_length: self.max_string.unwrap_or(usual.string_length),
            array_length: self.max_array.unwrap_or(usual.array_length),
            map_length: self.max_map.unwrap_or(usual.map_length),
            tensor_bytes: self.max_tensor_bytes.unwrap_or(usual.tensor_bytes),
            granted: self.allow.clone(),
        }
    }
}

impl SessionOptions {
    /// Makes the options of a session. Called on the engine's thread: the sink stays there.
    pub fn session(&self, script_folder: Option<PathBuf>, run_folder: PathBuf) -> Options {
        Options {
            device: self.device,
            precision: self.precision(),
            seed: self.seed,
            parameters: self.parameters(),
            limits: self.limits.limits(self.device),
            resume: self.resume,
            sink: Rc::new(Terminal::new(self.quiet)),
            script_folder,
            run_folder,
        }
    }
    /// Refuses a precision that the device does not know.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self) -> ansatz::error::Result<()> {
        self.device.check(self.precision())
    }
    /// Precision of new tensors.
    pub fn precision(&self) -> Precision {
        match self.precision {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::F64 => Precision::F64,
        }
    }
    /// What `--set` gave; the last of one name counts.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        self.set.iter().cloned().collect()
    }
}

fn device(text: &str) -> Result<Device, String> {
    Device::named(text).map_err(|error| error.to_string())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.to_string())),
        _ => Err("write NAME=VALUE, such as --set steps=100".into()),
    }
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number, 0 or more".into())
}
fn depth(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a whole number, 0 or more".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("a number of seconds, 0 or more".into()),
    }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".into()) }
}

/// `1024`, `512k`, `1.5G`: binary multiples.
fn size(text: &str) -> Result<usize, String> {
    let unfit = || "a size such as 1000000, 512k, 64M or 1.5G".to_string();
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or(lower.strip_suffix('b')).unwrap_or(&lower);
    let (digits, factor) = match lower.chars().last() {
        Some('k') => (&lower[..lower.len() - 1], 10),
        Some('m') => (&lower[..lower.len() - 1], 20),
        Some('g') => (&lower[..lower.len() - 1], 30),
        Some('t') => (&lower[..lower.len() - 1], 40),
        _ => (lower, 0),
    };
    let number: f64 = digits.parse().map_err(|_| unfit())?;
    let bytes = number * (1u64 << factor) as f64;
    if (0.0..9.0e18).contains(&bytes) { Ok(bytes as usize) } else { Err(unfit()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in [("7", 7), ("2k", 2048), ("1.5M", 3 << 19), ("1GiB", 1 << 30), ("4gb", 4 << 30)] {
            assert_eq!(super::size(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "nan", "1e30", "ten"] {
            assert!(super::size(text).is_err(), "{text}");
        }
    }

    /// The texts of `--help` name the limits that are taken.
    #[test]
    fn defaults_in_the_help_are_those_of_limits() {
        use clap::Args;
        let help = super::LimitOptions::augment_args(clap::Command::new("x")).render_long_help().to_string();
        let usual = ansatz::session::Limits::default();
        let bytes = |n: usize| format!("{}M", n >> 20);
        for (option, value) in [
            ("max-operations", usual.operations.to_string()),
            ("max-seconds", usual.seconds.to_string()),
            ("max-call-depth", usual.call_depth.to_string()),
            ("max-expression-depth", usual.expression_depth.to_string()),
            ("max-string", bytes(usual.string_length)),
            ("max-array", bytes(usual.array_length)),
            ("max-map", bytes(usual.map_length)),
        ] {
            let text = help.split(&format!("--{option} ")).nth(1).unwrap_or_else(|| panic!("{option}: {help}"));
            let text = text.split("--").next().unwrap_or_default();
            assert!(text.contains(&format!("[default: {value}]")), "{option}: {value}\n{text}");
        }
    }
}
