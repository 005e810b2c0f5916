//! The front: the process that Jupyter starts. It owns the sockets and outlives whatever happens to the session.

mod assist;
#[cfg(feature = "rust-cells")]
mod compiler;
mod execute;
mod history;
mod iopub;
mod marks;
mod messages;
#[cfg(feature = "rust-cells")]
mod processes;
mod receive;
mod reply;
mod running;
#[cfg(feature = "rust-cells")]
mod rust_assist;
#[cfg(feature = "rust-cells")]
mod rust_cells;
mod rust_code;
#[cfg(feature = "rust-cells")]
mod rust_errors;
#[cfg(feature = "rust-cells")]
mod rust_run;
mod shell;
mod worker;

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use jupyter_protocol::{ConnectionInfo, InputReply, JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{
    KernelControlConnection, RouterRecvConnection, RouterSendConnection, create_kernel_control_connection,
    create_kernel_heartbeat_connection, create_kernel_iopub_xpub_connection, create_kernel_shell_connection,
    create_kernel_stdin_connection,
};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::wire::Named;
use execute::Executor;
use history::History;
use iopub::IoPub;
use messages::message;
use receive::receive;
use running::Running;
#[cfg(feature = "rust-cells")]
pub use rust_cells::folder as rust_folder;
use shell::Shell;
use worker::Worker;

/// What parts of the front share.
#[derive(Default)]
pub struct Shared {
    /// Names of the session, as of the last cell.
    pub names: Mutex<Vec<Named>>,
    pub history: Mutex<History>,
    pub running: Running,
    /// The compiler of Rust cells, once there was one.
    #[cfg(feature = "rust-cells")]
    pub compiler: Mutex<Option<std::sync::mpsc::Sender<compiler::Work>>>,
}

/// Serves the connection that a file describes, until Jupyter asks to shut down.
pub fn run(connection: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(connection).with_context(|| format!("cannot read {}", connection.display()))?;
    let info: ConnectionInfo = serde_json::from_str(&text).context("not a connection file")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(serve(info));
    #[cfg(feature = "rust-cells")]
    let _ = std::fs::remove_dir_all(rust_folder());
    outcome
}

async fn serve(info: ConnectionInfo) -> anyhow::Result<()> {
    // First, so that engine and sockets come up side by side.
    let worker = Worker::start()?;
    let session = uuid::Uuid::new_v4().to_string();
    let mut heartbeat = create_kernel_heartbeat_connection(&info).await?;
    let iopub = IoPub::start(create_kernel_iopub_xpub_connection(&info, &session).await?);
    let control = create_kernel_control_connection(&info, &session).await?;
    let (stdin_out, stdin_in) = create_kernel_stdin_connection(&info, &session).await?.split();
    let (shell_out, shell_in) = create_kernel_shell_connection(&info, &session).await?.split();
    let shared = Arc::new(Shared::default());
    iopub.send(message("status", json!({ "execution_state": "starting" }), None));

    tokio::spawn(async move { while heartbeat.single_heartbeat().await.is_ok() {} });
    let replies = sender(shell_out);
    let questions = sender(stdin_out);
    let answers = input_replies(stdin_in);
    let (queue, cells) = unbounded_channel();
    let executor = Executor::new(worker, iopub.clone(), replies.clone(), questions, answers, shared.clone());
    tokio::spawn(executor.serve(cells));
    let (stop, mut stopped) = unbounded_channel();
    let shell = Shell { queue, iopub: iopub.clone(), replies, shared: shared.clone(), stop: stop.clone() };
    tokio::spawn(shell.serve(shell_in));
    tokio::spawn(serve_control(control, iopub, shared.clone(), stop));
    tokio::spawn(async move {
        // Ctrl-C in a terminal around the server reaches this process too: it stops the cell, not the kernel.
        while tokio::signal::ctrl_c().await.is_ok() {
            shared.running.interrupt();
        }
    });
    stopped.recv().await;
    Ok(())
}

/// Interrupts and shutdown: answered while a cell runs.
async fn serve_control(
    mut control: KernelControlConnection,
    iopub: IoPub,
    shared: Arc<Shared>,
    stop: UnboundedSender<()>,
) {
    loop {
        let Ok(request) = receive(&mut control).await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        iopub.status(&request, "busy");
        let mut leave = false;
        let reply = match &request.content {
            JupyterMessageContent::InterruptRequest(_) => {
                shared.running.interrupt();
                Some(json!({ "status": "ok" }))
            }
            JupyterMessageContent::KernelInfoRequest(_) => Some(messages::kernel_info()),
            JupyterMessageContent::ShutdownRequest(shutdown) => {
                leave = true;
                Some(json!({ "status": "ok", "restart": shutdown.restart }))
            }
            _ => None,
        };
        if let Some(content) = reply {
            let kind = request.header.msg_type.replace("_request", "_reply");
            let _ = control.send(message(&kind, content, Some(&request))).await;
        }
        iopub.status(&request, "idle");
        if leave {
            // The reply and the last messages are on their way in other tasks.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let _ = stop.send(());
        }
    }
}

/// A task that sends what comes through the channel.
fn sender(mut to: RouterSendConnection) -> UnboundedSender<JupyterMessage> {
    let (sender, mut queue) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            let _ = to.send(message).await;
        }
    });
    sender
}

/// What users type.
fn input_replies(mut from: RouterRecvConnection) -> UnboundedReceiver<InputReply> {
    let (sender, queue) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            match receive(&mut from).await {
                Ok(JupyterMessage { content: JupyterMessageContent::InputReply(reply), .. }) => {
                    if sender.send(reply).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    });
    queue
}
