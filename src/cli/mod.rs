//! Reads the command line and does what it says.

mod check;
mod devices;
mod doc;
mod manifest;
mod options;
mod repl;
mod run;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// All went well.
pub const OK: i32 = 0;
/// A script failed, or a check found something.
pub const FAILED: i32 = 1;
/// The command line does not make sense.
pub const USAGE: i32 = 2;
/// The user stopped it.
pub const INTERRUPTED: i32 = 130;

/// Differentiable physics as short scripts.
#[derive(Parser)]
#[command(name = "ansatz", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a script; its results go to runs/NAME
    Run {
        /// The script; - reads it from standard input
        file: PathBuf,
        #[command(flatten)]
        options: Box<options::SessionOptions>,
    },
    /// Look for faults in a script without running it
    Check {
        /// The script; - reads it from standard input
        file: PathBuf,
        /// A folder that the script may import from, beside its own
        #[arg(long = "allow", value_name = "DIR")]
        allow: Vec<PathBuf>,
    },
    /// Show what a primitive does; without a name, list all
    Doc {
        /// A primitive, a namespace or a chapter
        name: Option<String>,
        /// Write the whole reference as Markdown
        #[arg(long, conflicts_with = "name")]
        markdown: bool,
    },
    /// Evaluate line by line
    Repl {
        #[command(flatten)]
        options: Box<options::SessionOptions>,
    },
    /// List what tensors can be computed on
    Devices,
}

/// Reads the command line, does what it says, and returns the exit code.
pub fn main() -> i32 {
    ansatz::script::diagnose::quiet_panics();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { OK };
            let _ = error.print();
            return code;
        }
    };
    match arguments.command {
        Command::Run { file, options } => run::run(&file, *options),
        Command::Check { file, allow } => check::check(&file, allow),
        Command::Doc { name, markdown } => doc::doc(name.as_deref(), markdown),
        Command::Repl { options } => repl::repl(*options),
        Command::Devices => devices::devices(),
    }
}

/// Writes to standard output; a closed pipe is no reason to fail.
pub fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes to standard error.
pub fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The name and the text of a script; - means standard input.
pub fn read_script(file: &std::path::Path) -> Result<(String, String), String> {
    if file.as_os_str() == "-" {
        let text = std::io::read_to_string(std::io::stdin())
            .map_err(|e| format!("error: cannot read standard input: {e}\n"))?;
        return Ok(("stdin".into(), text));
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((file.display().to_string(), text)),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(format!(
            "error: {} is not a text in UTF-8\n  advice: a script is a plain text; an editor can save it in that encoding\n",
            file.display()
        )),
        Err(e) => Err(format!("error: cannot read {}: {e}\n", file.display())),
    }
}

/// The folder that a script may read from.
pub fn folder_of(file: &std::path::Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Ctrl-C asks the evaluation to stop; so many of them, each within two seconds of the one before and unanswered, end the process.
pub fn stop_on_ctrl_c(presses: u32) {
    use ansatz::session::interrupt;
    use std::time::{Duration, Instant};
    let (mut last, mut count): (Option<Instant>, u32) = (None, 0);
    let handler = move || {
        let unanswered = interrupt::pending() == Some(interrupt::Reason::User);
        let again = unanswered && last.is_some_and(|t| t.elapsed() < Duration::from_secs(2));
        count = if again { count + 1 } else { 1 };
        if count >= presses {
            std::process::exit(INTERRUPTED);
        }
        if again {
            eprintln!("stopping as soon as the operation that runs is done; {} more leave ansatz", presses - count);
        }
        interrupt::request(interrupt::Reason::User);
        last = Some(Instant::now());
    };
    // It fails when a handler is there already: then that one counts.
    let _ = ctrlc::set_handler(handler);
}
