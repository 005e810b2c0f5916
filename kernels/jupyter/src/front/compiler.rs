//! The thread that owns evcxr: it compiles cells, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use evcxr::{CommandContext, Error, EvalContext};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::execute::failure;
use super::rust_errors::compilation;
use crate::relay;
use crate::wire::{Bundle, Failure};

/// What a cell gave, or why not.
pub type Answer = Result<Bundle, Failure>;

/// What the thread does.
pub enum Work {
    /// A cell: its name, code and where the answer goes.
    Cell(String, String, oneshot::Sender<Answer>),
    /// Something that evcxr knows; not answered while there is no evcxr.
    Question(Box<dyn FnOnce(&mut CommandContext) + Send>),
}

/// The crate that cells use to add operators, as it is written to the user's cache.
const CELL: [(&str, &str); 3] = [
    ("src/lib.rs", include_str!("../../../cell/src/lib.rs")),
    ("src/abi.rs", include_str!("../../../cell/src/abi.rs")),
    (
        "Cargo.toml",
        "[package]\nname = \"ansatz-cell\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\ndoctest = false\n\n[workspace]\n",
    ),
];

/// The thread that owns evcxr.
pub fn compile(socket: &Path, queue: &Receiver<Work>, print: &UnboundedSender<(bool, String)>, lost: &AtomicBool) {
    let mut context: Option<CommandContext> = None;
    for work in queue {
        let (name, code, answer) = match work {
            Work::Cell(name, code, answer) => (name, code, answer),
            Work::Question(question) => {
                if let Some(context) = &mut context {
                    // rust-analyzer panics now and then; the session of Rust cells does not depend on what it was asked.
                    let _ = catch_unwind(AssertUnwindSafe(|| question(context)));
                }
                continue;
            }
        };
        // A child that went with the worker is noticed by evcxr only with the next cell, which would fail: so it gets an empty one.
        if lost.swap(false, Ordering::SeqCst)
            && let Some(context) = &mut context
        {
            let _ = context.execute("();");
        }
        let outcome = match &mut context {
            Some(context) => execute(context, &name, &code),
            None => match start(socket, print) {
                Ok(mut new) => {
                    let outcome = execute(&mut new, &name, &code);
                    context = Some(new);
                    outcome
                }
                Err(error) => Err(failure("RustCells", &format!("evcxr cannot start: {error}"))),
            },
        };
        let _ = answer.send(outcome);
    }
}

fn start(socket: &Path, print: &UnboundedSender<(bool, String)>) -> Result<CommandContext, Error> {
    let program = std::env::current_exe()?;
    let mut relay = std::process::Command::new(program);
    relay.env(relay::SOCKET, socket);
    let (context, outputs) = EvalContext::with_subprocess_command(relay)?;
    for (stderr, lines) in [(false, outputs.stdout), (true, outputs.stderr)] {
        let print = print.clone();
        std::thread::spawn(move || {
            for line in lines {
                let _ = print.send((stderr, line));
            }
        });
    }
    let mut context = CommandContext::with_eval_context(context);
    depend(&mut context)?;
    Ok(context)
}

/// Makes the crate for cells known to them.
fn depend(context: &mut CommandContext) -> Result<(), Error> {
    let folder = written()?.display().to_string();
    context.execute(&format!(":dep ansatz-cell = {{ path = {folder:?} }}")).map(|_| ())
}

/// The folder with the crate for cells.
fn written() -> std::io::Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let root =
        cache.unwrap_or_else(std::env::temp_dir).join("ansatz").join(concat!("cell-", env!("CARGO_PKG_VERSION")));
    std::fs::create_dir_all(root.join("src"))?;
    for (name, text) in CELL {
        let path = root.join(name);
        // A newer time of the same text would make cargo compile it again.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::write(&path, text)?;
        }
    }
    Ok(root)
}

fn execute(context: &mut CommandContext, name: &str, code: &str) -> Answer {
    let mut outcome = context.execute(code);
    // `:clear` forgets the crates too.
    if code.lines().any(|line| line.split_whitespace().next() == Some(":clear")) {
        outcome = outcome.and_then(|outputs| depend(context).map(|()| outputs));
    }
    match outcome {
        Ok(outputs) => {
            let content = outputs.content_by_mime_type.into_iter();
            let data = content.map(|(kind, text)| (kind, Value::String(text.trim_end_matches('\n').into()))).collect();
            Ok(Bundle { data, metadata: Default::default() })
        }
        Err(Error::CompilationErrors(errors)) => Err(compilation(&errors, name, code)),
        Err(Error::SubprocessTerminated(text)) => Err(failure("SessionLost", &text)),
        Err(error) => {
            let mut text = error.to_string();
            if text.contains("explicit type") && std::env::var_os("ANSATZ_RUST_SRC").is_none() {
                text.push_str(
                    " (ANSATZ_RUST_SRC=1 in the environment of Jupyter finds more types, and starts slower.)",
                );
            }
            Err(failure("RustError", &text))
        }
    }
}
