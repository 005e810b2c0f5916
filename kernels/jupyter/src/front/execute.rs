//! Cells, one after the other: sent to the worker, and what comes back to the notebook.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{ExecuteRequest, InputReply, JupyterMessage, JupyterMessageContent, ReplyStatus};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::iopub::IoPub;
use super::messages::message;
use super::reply::help;
use super::rust_code::rust_code;
use super::worker::{Said, Worker};
use crate::wire::{Event, Failure, Outcome, Request};

/// Native output may come so long after the end of a cell.
const LATE: Duration = Duration::from_millis(200);
/// A cell that does not stop for so long is inside of something that cannot be stopped.
pub(super) const STUCK: Duration = Duration::from_secs(5);
/// Lines of the worker's errors that are shown when it is lost.
const LAST_LINES: usize = 20;

pub struct Executor {
    pub(super) worker: Worker,
    pub(super) iopub: IoPub,
    pub(super) replies: UnboundedSender<JupyterMessage>,
    questions: UnboundedSender<JupyterMessage>,
    pub(super) answers: UnboundedReceiver<InputReply>,
    pub(super) shared: Arc<Shared>,
    /// The number in `In [count]`.
    pub(super) count: usize,
    /// Cells and parts of cells that the worker was given.
    given: u64,
    last_errors: VecDeque<String>,
    #[cfg(feature = "rust-cells")]
    pub(super) rust: Option<super::rust_cells::RustCells>,
}

/// How a cell ended, for the reply.
pub(super) struct Ending {
    pub outcome: Outcome,
    pub expressions: Vec<(String, Outcome)>,
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self { outcome: Outcome::Error(failure), expressions: Vec::new() }
    }
}

/// The cell that runs.
pub(super) struct Cell {
    pub parent: Arc<JupyterMessage>,
    pub asked: ExecuteRequest,
    pub waits_for_input: bool,
}

impl Executor {
    pub fn new(
        worker: Worker,
        iopub: IoPub,
        replies: UnboundedSender<JupyterMessage>,
        questions: UnboundedSender<JupyterMessage>,
        answers: UnboundedReceiver<InputReply>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            worker,
            iopub,
            replies,
            questions,
            answers,
            shared,
            count: 0,
            given: 0,
            last_errors: VecDeque::new(),
            #[cfg(feature = "rust-cells")]
            rust: None,
        }
    }

    pub async fn serve(mut self, mut cells: UnboundedReceiver<JupyterMessage>) {
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                cell = cells.recv() => {
                    let Some(request) = cell else { return };
                    let JupyterMessageContent::ExecuteRequest(asked) = request.content.clone() else { continue };
                    let parent = Arc::new(request);
                    let failed = self.cell(&parent, asked).await;
                    if failed {
                        self.abort(&mut cells);
                    }
                    last = Some(parent);
                }
                said = self.worker.said() => match said {
                    // Something that a cell left running.
                    Said::Output { stderr, text } => if let Some(parent) = &last { self.iopub.text(parent, stderr, text) },
                    // What happened between two cells is told with the next one.
                    Said::Gone => {
                        let failure = self.lost().await;
                        if let Some(parent) = &last { self.iopub.text(parent, true, format!("{}\n", failure.value)); }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Answers what waits behind a cell that failed.
    fn abort(&mut self, cells: &mut UnboundedReceiver<JupyterMessage>) {
        while let Ok(request) = cells.try_recv() {
            self.iopub.status(&request, "busy");
            let content = json!({ "status": "aborted", "execution_count": self.count });
            let _ = self.replies.send(message("execute_reply", content, Some(&request)));
            self.iopub.status(&request, "idle");
        }
    }

    /// Runs a cell; `true` when what waits behind it is not to run.
    async fn cell(&mut self, parent: &Arc<JupyterMessage>, asked: ExecuteRequest) -> bool {
        self.iopub.status(parent, "busy");
        let keeps = asked.store_history && !asked.silent;
        if keeps {
            self.count += 1;
        }
        if !asked.silent {
            let input = json!({ "code": asked.code, "execution_count": self.count });
            self.iopub.send(message("execute_input", input, Some(parent)));
        }
        if keeps && let Ok(mut history) = self.shared.history.lock() {
            history.add(self.count, &asked.code);
        }
        let mut cell = Cell { parent: parent.clone(), asked, waits_for_input: false };
        let mut payload = Vec::new();
        let ending = match help(&cell.asked.code) {
            Some(name) => self.help(&name, &mut payload),
            None => {
                self.shared.running.fresh().await;
                self.shared.running.begin(self.worker.requests());
                let ending = self.run(&mut cell).await;
                self.shared.running.done();
                ending
            }
        };
        let failed = matches!(ending.outcome, Outcome::Error(_));
        self.reply(&cell, ending, payload);
        self.iopub.status(parent, "idle");
        failed && cell.asked.stop_on_error
    }

    async fn run(&mut self, cell: &mut Cell) -> Ending {
        match rust_code(&cell.asked.code) {
            None => self.rhai(cell).await,
            Some(Err(why)) => failure("MagicError", &why).into(),
            #[cfg(feature = "rust-cells")]
            Some(Ok(rust)) => super::rust_cells::run(self, cell, rust).await,
            #[cfg(not(feature = "rust-cells"))]
            Some(Ok(_)) => {
                failure("RustCells", "this kernel was built without cells in Rust (feature rust-cells)").into()
            }
        }
    }

    /// A number for the next piece of work.
    pub(super) fn next(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// A Rhai cell.
    async fn rhai(&mut self, cell: &mut Cell) -> Ending {
        let id = self.next();
        self.worker.tell(Request::Execute {
            id,
            count: self.count,
            code: cell.asked.code.clone(),
            silent: cell.asked.silent,
            expressions: cell.asked.user_expressions.clone().unwrap_or_default().into_iter().collect(),
        });
        let shared = self.shared.clone();
        let mut ending: Option<Ending> = None;
        let mut open = [true, true];
        let mut until = Instant::now() + Duration::from_secs(1 << 30);
        let mut asked = false;
        loop {
            if ending.is_some() && open == [false, false] {
                break;
            }
            tokio::select! {
                biased;
                said = self.worker.said() => match said {
                    Said::Event(event) => match *event {
                        Event::Done { id: of, outcome, expressions, names } if of == id => {
                            if let Ok(mut known) = self.shared.names.lock() {
                                *known = names;
                            }
                            ending = Some(Ending { outcome, expressions });
                            until = Instant::now() + LATE;
                        }
                        event => self.show(cell, event),
                    },
                    Said::Output { stderr, text } => self.output(cell, stderr, text),
                    Said::Ended { stderr, id: of } if of == id => {
                        if let Some(open) = open.get_mut(usize::from(stderr)) { *open = false }
                    }
                    Said::Ended { .. } => {}
                    Said::Gone => return self.lost().await.into(),
                },
                reply = self.answers.recv(), if cell.waits_for_input => self.typed(cell, reply),
                () = shared.running.end.notified() => self.worker.end(),
                () = shared.running.asked.notified() => {
                    asked = true;
                    until = Instant::now() + STUCK;
                }
                () = sleep_until(until) => {
                    if ending.is_some() {
                        break;
                    }
                    if asked {
                        let note = "the cell is inside of an operation that cannot be stopped; interrupt again to restart the session\n";
                        self.iopub.text(&cell.parent, true, note);
                    }
                    until = Instant::now() + Duration::from_secs(1 << 30);
                }
            }
        }
        ending.unwrap_or_else(|| failure("InternalError", "a cell without an end").into())
    }

    /// What the user has typed goes to the cell that waits for it.
    pub(super) fn typed(&self, cell: &mut Cell, reply: Option<InputReply>) {
        cell.waits_for_input = false;
        let typed = reply.filter(|reply| reply.status == ReplyStatus::Ok).map(|reply| reply.value);
        self.worker.tell(Request::Input(typed));
    }

    /// Native output of a cell.
    pub(super) fn output(&mut self, cell: &Cell, stderr: bool, text: String) {
        if stderr {
            self.last_errors.extend(text.lines().map(str::to_string));
            let extra = self.last_errors.len().saturating_sub(LAST_LINES);
            self.last_errors.drain(..extra);
        }
        if !cell.asked.silent {
            self.iopub.text(&cell.parent, stderr, text);
        }
    }

    /// Shows what the session sends while a cell runs.
    pub(super) fn show(&mut self, cell: &mut Cell, event: Event) {
        match event {
            Event::Text { stderr, text } => self.iopub.text(&cell.parent, stderr, text),
            Event::Display { bundle, id, update } => {
                let kind = if update { "update_display_data" } else { "display_data" };
                let transient = id.map_or_else(|| json!({}), |id| json!({ "display_id": id }));
                let content = json!({ "data": bundle.data, "metadata": bundle.metadata, "transient": transient });
                self.iopub.send(message(kind, content, Some(&cell.parent)));
            }
            Event::Clear { wait } => {
                self.iopub.send(message("clear_output", json!({ "wait": wait }), Some(&cell.parent)))
            }
            Event::Input { prompt, password } => {
                if !cell.asked.allow_stdin {
                    return self.worker.tell(Request::Input(None));
                }
                cell.waits_for_input = true;
                let content = json!({ "prompt": prompt, "password": password });
                let _ = self.questions.send(message("input_request", content, Some(&cell.parent)));
            }
            Event::Ready | Event::Done { .. } | Event::Loaded { .. } => {}
        }
    }

    /// The worker has gone: says what is lost, and starts another.
    pub(super) async fn lost(&mut self) -> Failure {
        let fate = self.worker.fate().await;
        // What its pipes still hold.
        while let Ok(said) = tokio::time::timeout(LATE, self.worker.said()).await {
            match said {
                Said::Output { stderr: true, text } => self.last_errors.extend(text.lines().map(str::to_string)),
                Said::Gone => break,
                _ => {}
            }
        }
        let why = match fate.as_str() {
            text if text.contains("signal: 9") => {
                "it was ended, by the second interrupt or by the system for want of memory"
            }
            text if text.contains("signal: 11") => "a segmentation fault in native code",
            text if text.contains("signal: 6") => "native code gave up, as it does when memory cannot be had",
            text if text.starts_with("exit status") => "native code ended the process",
            _ => "it crashed",
        };
        let value =
            format!("the session was lost ({fate}): {why}. Variables and functions are gone; run the cells again");
        let mut failure = failure("SessionLost", &value);
        let extra = self.last_errors.len().saturating_sub(LAST_LINES);
        let last = self.last_errors.drain(..).skip(extra);
        failure.traceback.extend(last.filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE")));
        if let Ok(mut names) = self.shared.names.lock() {
            names.clear();
        }
        #[cfg(feature = "rust-cells")]
        if let Some(rust) = &mut self.rust {
            rust.forget();
        }
        match Worker::start() {
            Ok(worker) => self.worker = worker,
            Err(error) => failure.traceback.push(format!("no other could be started: {error}")),
        }
        failure
    }
}

/// An error of the front's own.
pub(super) fn failure(name: &str, value: &str) -> Failure {
    let traceback = vec![format!("\u{1b}[1;31merror\u{1b}[0m: {value}")];
    Failure { name: name.into(), value: value.into(), traceback }
}
