//! One session: device, precision, seed, limits, run folder, and where text, figures, tables and progress go.
//!
//! The command line, the shell and the notebook's worker are three ways to make a [`Session`]. Nothing else is global but
//! the [`interrupt`] flag.

mod aside;
pub mod interrupt;
mod limits;
mod memory;
mod progress;
mod run_folder;
mod sinks;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use aside::aside;
pub use limits::Limits;
pub use memory::{Placed, keep_freed};
pub use progress::{Progress, ProgressSink};
pub use run_folder::{RunFolder, write_atomically, write_stoppable};
pub use sinks::{Sink, Terminal};

use crate::error::Result;
use crate::tensor::{Context, Device, Precision};

/// What a session is made from.
pub struct Options {
    /// What tensors are computed on; the CPU by default.
    pub device: Device,
    /// Precision of new tensors; `f32` by default.
    pub precision: Precision,
    /// The seed that random numbers without a seed of their own derive from; 0 by default.
    pub seed: u64,
    /// Values for `param(name, …)` in scripts.
    pub parameters: BTreeMap<String, String>,
    /// What a script may use.
    pub limits: Limits,
    /// Whether training continues from the checkpoints in the run folder.
    pub resume: bool,
    /// Where output goes.
    pub sink: Rc<dyn Sink>,
    /// The folder of the script: files may be read below it.
    pub script_folder: Option<PathBuf>,
    /// The folder that everything is written to.
    pub run_folder: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: Device::CPU,
            precision: Precision::F32,
            seed: 0,
            parameters: BTreeMap::new(),
            limits: Limits::default(),
            resume: false,
            sink: Rc::new(Terminal::new(false)),
            script_folder: None,
            run_folder: PathBuf::from("runs/session"),
        }
    }
}

/// A running session; cheap to clone.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

struct Inner {
    context: Context,
    seed: u64,
    parameters: BTreeMap<String, String>,
    used_parameters: RefCell<BTreeMap<String, String>>,
    limits: RefCell<Rc<Limits>>,
    resume: bool,
    sink: Rc<dyn Sink>,
    script_folder: Option<PathBuf>,
    run: RunFolder,
    draws: Cell<u64>,
    draw_base: Cell<Option<u64>>,
    trainings: Cell<u64>,
    begun: Instant,
}

impl Session {
    /// Begins a session.
    pub fn new(options: Options) -> Self {
        let context = Context::on(options.device, options.precision);
        context.set_memory_limit(options.limits.tensor_bytes);
        Self(Rc::new(Inner {
            context,
            seed: options.seed,
            parameters: options.parameters,
            used_parameters: RefCell::default(),
            limits: RefCell::new(Rc::new(options.limits)),
            resume: options.resume,
            sink: options.sink,
            script_folder: options.script_folder,
            run: RunFolder::new(options.run_folder),
            draws: Cell::new(0),
            draw_base: Cell::new(None),
            trainings: Cell::new(0),
            begun: Instant::now(),
        }))
    }

    /// What all tensors share.
    pub fn context(&self) -> &Context {
        &self.0.context
    }
    /// How long ago it began.
    pub fn age(&self) -> Duration {
        self.0.begun.elapsed()
    }
    /// The session's seed.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }
    /// A seed for a draw that names none: the session's seed and how many such draws came before.
    pub fn next_draw(&self) -> u64 {
        let n = self.0.draws.get();
        self.0.draws.set(n + 1);
        self.0.draw_base.get().unwrap_or(self.0.seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(n + 1)
    }
    /// Runs `f` with draws that derive from `base`: within one step of a training they are then a function of the step, and
    /// a resumed training repeats them.
    pub fn with_draws<T>(&self, base: u64, f: impl FnOnce() -> T) -> T {
        let outer = (self.0.draw_base.replace(Some(base)), self.0.draws.replace(0));
        let result = f();
        self.0.draw_base.set(outer.0);
        self.0.draws.set(outer.1);
        result
    }
    /// What `f` returns, and whether it drew without a seed. What was drawn is not missing afterwards.
    pub(crate) fn watching_draws<T>(&self, f: impl FnOnce() -> T) -> (T, bool) {
        self.with_draws(0, || {
            let result = f();
            (result, self.0.draws.get() > 0)
        })
    }
    /// A name for a training that has none: `train`, `train-2`, …
    pub fn next_training(&self) -> String {
        let n = self.0.trainings.get() + 1;
        self.0.trainings.set(n);
        if n == 1 { "train".to_string() } else { format!("train-{n}") }
    }
    /// Values given on the command line for `param`.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.0.parameters
    }
    /// Notes that the script asked for a parameter and what it got.
    pub fn note_parameter(&self, name: &str, value: String) {
        self.0.used_parameters.borrow_mut().insert(name.to_string(), value);
    }
    /// Parameters that the script has asked for, with the values it got.
    pub fn used_parameters(&self) -> BTreeMap<String, String> {
        self.0.used_parameters.borrow().clone()
    }
    /// What a script may use.
    pub fn limits(&self) -> Rc<Limits> {
        self.0.limits.borrow().clone()
    }
    /// Sets what scripts may use from now on. An engine that exists learns of it by [`Host::set_limits`](crate::script::Host::set_limits).
    pub fn set_limits(&self, limits: Limits) {
        self.0.context.set_memory_limit(limits.tensor_bytes);
        *self.0.limits.borrow_mut() = Rc::new(limits);
    }
    /// Whether training continues from checkpoints.
    pub fn resumes(&self) -> bool {
        self.0.resume
    }
    /// Where output goes.
    pub fn sink(&self) -> &dyn Sink {
        &*self.0.sink
    }
    /// The folder that everything is written to.
    pub fn run(&self) -> &RunFolder {
        &self.0.run
    }
    /// The folder of the script, where there is one.
    pub fn script_folder(&self) -> Option<&std::path::Path> {
        self.0.script_folder.as_deref()
    }
    /// A file that a script may read: below its own folder, the run folder, or a granted one.
    pub fn readable(&self, path: &str) -> Result<PathBuf> {
        let mut roots: Vec<PathBuf> = self.0.script_folder.iter().cloned().collect();
        roots.push(self.0.run.path().to_path_buf());
        roots.extend(self.limits().granted.iter().cloned());
        run_folder::below(path, &roots)
    }
    /// A file that a script may write: below the run folder.
    pub fn writable(&self, path: &str) -> Result<PathBuf> {
        self.0.run.file(path)
    }
    /// Starts to report on long work of `total` steps (0: not known).
    pub fn progress(&self, title: &str, total: u64) -> Progress {
        Progress::new(self.0.sink.progress(title, total), total)
    }
}
