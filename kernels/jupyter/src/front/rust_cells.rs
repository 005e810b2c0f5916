//! Cells in Rust. evcxr compiles them in this process; what it would load into a child of its own goes to the worker, so that
//! Rust and Rhai cells share one session.
//!
//! evcxr talks to its child through standard input and output: `LOAD_AND_RUN library function`, and lines back until the
//! execution is complete. Here that child is this program as a relay: it hands the lines to and from a socket of the front.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::compiler::{Work, compile};
use super::execute::{Cell, Ending, Executor, STUCK, failure};
use super::processes::end_compilers;
use super::rust_code::RustCode;
use super::rust_run::{Panic, Watch};
use super::worker::Said;
use crate::relay;
use crate::wire::{Event, Outcome, Request};

/// Said to a cell that reads the standard input, which is empty.
const NO_INPUT: &str = "note: a cell in Rust has an empty standard input; ansatz_cell::input(prompt) asks the user\n";
/// Said when a cell goes on after an interrupt.
const DEAF: &str = "the cell does not look at interrupted(); interrupt again to restart the session\n";

/// The way to the relay that is connected; without it the relay ends.
type Back = Arc<Mutex<Option<UnboundedSender<Vec<u8>>>>>;

/// evcxr in its thread, and the relay.
pub struct RustCells {
    work: std::sync::mpsc::Sender<Work>,
    lines: UnboundedReceiver<(bool, String)>,
    loads: UnboundedReceiver<(String, String)>,
    back: Back,
    /// Whether the session that held the variables has gone.
    lost: Arc<AtomicBool>,
}

/// Where the relay's socket is and where evcxr compiles; made with the first cell, removed when the kernel ends.
pub fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::temp_dir().join(format!("ansatz-{}", uuid::Uuid::new_v4().simple())))
}

/// Runs a Rust cell: evcxr compiles it, the worker runs it.
pub(super) async fn run(executor: &mut Executor, cell: &mut Cell, rust_code: RustCode) -> Ending {
    let mut rust = match executor.rust.take() {
        Some(rust) => rust,
        None => match RustCells::start() {
            Ok(rust) => rust,
            Err(why) => return failure("RustCells", &why).into(),
        },
    };
    if let Ok(mut compiler) = executor.shared.compiler.lock() {
        *compiler = Some(rust.work.clone());
    }
    let mut watch = Watch::start();
    let ending = serve(executor, &mut rust, cell, rust_code.code, &mut watch).await;
    executor.rust = Some(rust);
    if rust_code.timed && !cell.asked.silent {
        executor.iopub.text(&cell.parent, false, watch.shown());
    }
    ending
}

async fn serve(
    executor: &mut Executor,
    rust: &mut RustCells,
    cell: &mut Cell,
    code: String,
    watch: &mut Watch,
) -> Ending {
    let (sender, mut answer) = oneshot::channel();
    if code.contains("stdin()") {
        executor.output(cell, true, NO_INPUT.into());
    }
    if rust.work.send(Work::Cell(format!("In [{}]", executor.count), code, sender)).is_err() {
        return failure("RustCells", "the compiler's thread has ended; restart the kernel").into();
    }
    let shared = executor.shared.clone();
    let mut running = None;
    // Both outputs have their end marks and the session tells its names, each by a way of its own: evcxr goes on when all have come.
    let mut awaited = 0;
    let mut lost = None;
    let mut asked: Option<Instant> = None;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let (mut panic, mut told) = (Panic::default(), false);
    let answer = loop {
        tokio::select! {
            biased;
            Some((stderr, line)) = rust.lines.recv() => executor.output(cell, stderr, format!("{line}\n")),
            Some((library, function)) = rust.loads.recv() => {
                let id = executor.next();
                (running, awaited) = (Some(id), 3);
                watch.begin();
                executor.worker.tell(Request::Load { id, library, function });
                if asked.is_some() {
                    executor.worker.tell(Request::Interrupt);
                }
            }
            said = executor.worker.said(), if lost.is_none() => match said {
                Said::Output { stderr: false, text } if running.is_some() => {
                    panic.happened |= text.contains("EVCXR_PANIC_NOTIFICATION");
                    if text.contains("EVCXR_INPUT_REQUEST") {
                        executor.output(cell, true, NO_INPUT.into());
                    }
                    rust.tell(&relay::lined(&text));
                }
                Said::Output { stderr: true, text } => {
                    let text = panic.without(text);
                    executor.output(cell, true, text);
                }
                Said::Output { stderr, text } => executor.output(cell, stderr, text),
                Said::Ended { id, .. } if running == Some(id) => awaited -= 1,
                Said::Event(event) => match *event {
                    Event::Loaded { names, failure: why, id } => {
                        awaited -= i32::from(running == Some(id));
                        if let Ok(mut known) = executor.shared.names.lock() { *known = names; }
                        if let Some(why) = why { executor.output(cell, true, format!("{why}\n")); }
                    }
                    event => executor.show(cell, event),
                },
                Said::Gone => {
                    running = None;
                    lost = Some(executor.lost().await);
                    rust.hang_up();
                }
                Said::Ended { .. } => {}
            },
            reply = executor.answers.recv(), if cell.waits_for_input => executor.typed(cell, reply),
            () = shared.running.asked.notified() => asked = Some(Instant::now()),
            () = shared.running.end.notified() => if running.is_some() { executor.worker.end() },
            // Again and again: when one cargo has gone, evcxr may begin with another.
            _ = tick.tick(), if asked.is_some() => match running {
                None => end_compilers(),
                Some(_) if !told && asked.is_some_and(|at| at.elapsed() > STUCK) => {
                    told = true;
                    executor.output(cell, true, DEAF.into());
                }
                Some(_) => {}
            },
            answer = &mut answer => break answer,
        }
        if running.is_some() && awaited == 0 {
            running = None;
            watch.end();
            rust.tell(relay::COMPLETE);
        }
    };
    while let Ok((stderr, line)) = rust.lines.try_recv() {
        executor.output(cell, stderr, format!("{line}\n"));
    }
    if let Some(lost) = lost {
        return lost.into();
    }
    match answer {
        Ok(Ok(_)) if panic.happened && asked.is_some() => failure("Interrupted", &panic.failure().value).into(),
        Ok(Ok(_)) if panic.happened => panic.failure().into(),
        Ok(Ok(bundle)) => {
            // As of a Rhai cell, nothing is not shown.
            let nothing = bundle.data.values().all(|shown| shown == "()");
            let outcome = Outcome::Value((!nothing).then_some(bundle));
            Ending { outcome, expressions: Vec::new() }
        }
        Ok(Err(_)) if asked.is_some() => failure("Interrupted", "interrupted while it was compiled").into(),
        Ok(Err(failure)) => failure.into(),
        Err(_) => failure("RustCells", "the compiler's thread has ended; restart the kernel").into(),
    }
}

impl RustCells {
    /// Makes the socket and the thread; evcxr itself starts with the first cell.
    fn start() -> Result<Self, String> {
        if !has("cargo") || !has("rustc") {
            return Err("cells in Rust need cargo and rustc on the PATH (https://rustup.rs); Rhai cells do not".into());
        }
        let text = |error: std::io::Error| format!("cells in Rust cannot start: {error}");
        let folder = folder();
        // evcxr keeps its crate there; the empty folder stands for the sources of the standard library.
        for part in ["evcxr", "no-sources/core"] {
            std::fs::create_dir_all(folder.join(part)).map_err(text)?;
        }
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(text)?;
        let socket = folder.join("relay");
        let listener = UnixListener::bind(&socket).map_err(text)?;
        let back = Arc::new(Mutex::new(None));
        let (say, loads) = unbounded_channel();
        tokio::spawn(accept(listener, back.clone(), say));
        let (work, queue) = std::sync::mpsc::channel();
        let (print, lines) = unbounded_channel();
        let lost = Arc::new(AtomicBool::new(false));
        let gone = lost.clone();
        let compile = move || compile(&socket, &queue, &print, &gone);
        std::thread::Builder::new().name("evcxr".into()).stack_size(32 << 20).spawn(compile).map_err(text)?;
        Ok(Self { work, lines, loads, back, lost })
    }
    fn tell(&self, bytes: &[u8]) {
        if let Ok(back) = self.back.lock()
            && let Some(back) = &*back
        {
            let _ = back.send(bytes.to_vec());
        }
    }
    /// Ends the relay: evcxr learns that its child has ended, with the variables it held.
    fn hang_up(&self) {
        if let Ok(mut back) = self.back.lock() {
            *back = None;
        }
    }
    /// The worker with the variables has gone while no Rust cell ran.
    pub fn forget(&mut self) {
        self.lost.store(true, Ordering::SeqCst);
        self.hang_up();
    }
}

/// Whether a program is found on the path.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Relays come one after the other: evcxr starts another when the last has gone.
async fn accept(listener: UnixListener, back: Back, say: UnboundedSender<(String, String)>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (from, mut to) = socket.into_split();
        let (sender, mut queue) = unbounded_channel::<Vec<u8>>();
        if let Ok(mut back) = back.lock() {
            *back = Some(sender);
        }
        tokio::spawn(async move {
            while let Some(bytes) = queue.recv().await {
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        let say = say.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Some(rest) = line.strip_prefix("LOAD_AND_RUN ") else { continue };
                if let Some((library, function)) = rest.rsplit_once(' ') {
                    let _ = say.send((library.to_string(), function.to_string()));
                }
            }
        });
    }
}
