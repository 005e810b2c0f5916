//! The worker: the process that holds engine and session. It reads requests from its standard input, a socket, and answers there.

mod errors;
mod interrupts;
mod magics;
mod native;
mod sink;
mod values;

pub use magics::{MAGIC_ARGUMENTS, MAGICS};

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};

use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session};
use ansatz::tensor::{Device, Precision};

use crate::wire::{self, Event, Named, Outcome, Request};
use interrupts::Interrupts;
use sink::NotebookSink;

/// What a session is made with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub device: Device,
    pub precision: Precision,
    pub seed: u64,
}

/// The way to the front; shared with the sink.
#[derive(Clone)]
pub struct Front(Arc<Mutex<UnixStream>>);

impl Front {
    /// A front that has gone is noticed by the thread that reads.
    pub fn tell(&self, event: &Event) {
        if let Ok(mut socket) = self.0.lock() {
            let _ = wire::write(&mut *socket, event);
        }
    }
}

/// Serves until the front goes.
pub fn run() -> anyhow::Result<()> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    empty_input()?;
    let front = Front(Arc::new(Mutex::new(socket.try_clone()?)));
    let interrupts = Arc::new(Interrupts::default());
    let (requests, queue) = mpsc::channel();
    let (inputs, typed) = mpsc::channel();
    native::offer();
    ansatz::script::diagnose::quiet_panics();
    let ears = interrupts.clone();
    std::thread::Builder::new().name("front".into()).spawn(move || listen(socket, &ears, &requests, &inputs))?;
    stack::on_large_stack(move || Worker::new(front, interrupts, typed).serve(&queue))
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Puts nothing in the place of the standard input: a Rust cell that reads it would take what the front says.
fn empty_input() -> std::io::Result<()> {
    let nothing = std::fs::File::open("/dev/null")?;
    // SAFETY: both are open, and nobody holds the second as its own.
    match unsafe { libc::dup2(nothing.as_raw_fd(), libc::STDIN_FILENO) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Reads what the front says; without the front the process has no reason to be.
fn listen(
    mut socket: UnixStream,
    interrupts: &Arc<Interrupts>,
    requests: &mpsc::Sender<Request>,
    inputs: &mpsc::Sender<Option<String>>,
) {
    while let Ok(request) = wire::read::<Request>(&mut socket) {
        match request {
            Request::Interrupt => interrupts.request(),
            Request::Input(line) => {
                let _ = inputs.send(line);
            }
            Request::Execute { .. } | Request::Load { .. } => {
                interrupts.expect();
                let _ = requests.send(request);
            }
        }
    }
    std::process::exit(0);
}

/// The session and what it was made with.
struct Worker {
    host: Host,
    settings: Settings,
    front: Front,
    sink: Rc<NotebookSink>,
    interrupts: Arc<Interrupts>,
}

impl Worker {
    fn new(front: Front, interrupts: Arc<Interrupts>, typed: mpsc::Receiver<Option<String>>) -> Self {
        let sink = Rc::new(NotebookSink::new(front.clone(), typed));
        let settings = Settings { device: Device::CPU, precision: Precision::F32, seed: 0 };
        let host = Self::host(settings, Limits::default(), sink.clone());
        Self { host, settings, front, sink, interrupts }
    }

    /// A session in the folder of the notebook; what is written goes to `runs/notebook` there.
    fn host(settings: Settings, limits: Limits, sink: Rc<NotebookSink>) -> Host {
        Host::new(Session::new(Options {
            device: settings.device,
            precision: settings.precision,
            seed: settings.seed,
            limits,
            sink,
            script_folder: Some(".".into()),
            run_folder: "runs/notebook".into(),
            ..Options::default()
        }))
    }

    /// A new session; variables and functions are gone.
    fn reset(&mut self, settings: Settings) {
        let mut limits = (*self.host.session().limits()).clone();
        if settings.device != self.settings.device {
            limits.tensor_bytes = settings.device.usual_limit();
        }
        self.settings = settings;
        native::forget();
        self.host = Self::host(settings, limits, self.sink.clone());
    }

    fn serve(mut self, queue: &mpsc::Receiver<Request>) {
        self.front.tell(&Event::Ready);
        for request in queue {
            match request {
                Request::Execute { id, count, code, silent, expressions } => {
                    self.sink.begin(silent);
                    let outcome = self.cell(count, &code);
                    let asked = expressions.into_iter();
                    let answers = asked.map(|(name, code)| (name, self.expression(&code))).collect();
                    self.interrupts.done();
                    end_output(id);
                    self.front.tell(&Event::Done { id, outcome, expressions: answers, names: self.names() });
                }
                Request::Load { id, library, function } => {
                    self.sink.begin(false);
                    let failure = native::load(&mut self.host, &library, &function).err();
                    self.interrupts.done();
                    end_output(id);
                    self.front.tell(&Event::Loaded { id, failure, names: self.names() });
                }
                Request::Input(_) | Request::Interrupt => {}
            }
        }
    }

    fn cell(&mut self, count: usize, code: &str) -> Outcome {
        let name = format!("In [{count}]");
        match magics::evaluate(self, &name, code) {
            Ok(value) if value.is_unit() || values::is_muted(code) => Outcome::Value(None),
            Ok(value) => Outcome::Value(Some(values::bundle(&self.host, &value))),
            Err(failure) => Outcome::Error(failure),
        }
    }

    fn expression(&mut self, code: &str) -> Outcome {
        match self.host.evaluate("expression", code) {
            Ok(value) => Outcome::Value(Some(values::bundle(&self.host, &value))),
            Err(diagnostic) => Outcome::Error(errors::failure(&diagnostic)),
        }
    }

    /// What completion and tooltips know of the session.
    fn names(&self) -> Vec<Named> {
        let about = |value: &rhai::Dynamic| ansatz::script::value::describe(value);
        let mut variables = Vec::new();
        for (name, _, value) in self.host.variables() {
            variables.push(Named { name: name.into(), about: about(&value) });
            keys(name, &value, 2, &mut variables);
        }
        let functions = self.host.functions().map(|(name, parameters)| Named {
            name: name.into(),
            about: format!("a function of {parameters} parameter{}", if parameters == 1 { "" } else { "s" }),
        });
        let added = native::added().into_iter().map(|(name, about)| Named { name, about });
        variables.into_iter().chain(functions).chain(added).collect()
    }
}

/// Keys of a map that are listed.
const MOST_KEYS: usize = 100;

/// The keys of a map as names with a dot, and those of maps in it.
fn keys(of: &str, value: &rhai::Dynamic, depth: usize, to: &mut Vec<Named>) {
    let Some(map) = value.read_lock::<rhai::Map>() else { return };
    let word = |key: &str| key.chars().all(|c| c.is_alphanumeric() || c == '_');
    for (key, value) in map.iter().filter(|(key, _)| word(key)).take(MOST_KEYS) {
        let name = format!("{of}.{key}");
        to.push(Named { name: name.clone(), about: ansatz::script::value::describe(value) });
        if depth > 1 {
            keys(&name, value, depth - 1, to);
        }
    }
}

/// Says in both outputs of the process that the cell has ended.
fn end_output(id: u64) {
    let mark = wire::end_mark(id);
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let _ = out.write_all(mark.as_bytes()).and_then(|()| out.flush());
    let _ = err.write_all(mark.as_bytes()).and_then(|()| err.flush());
}
