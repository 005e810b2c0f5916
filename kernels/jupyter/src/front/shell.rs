//! Requests of the user's tools. Cells go into a queue; the rest is answered at once, also while a cell runs.

use std::sync::Arc;

use ansatz::script::Registry;
use ansatz::script::assist::Names;
use jupyter_protocol::{JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::RouterRecvConnection;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::iopub::IoPub;
use super::messages::{kernel_info, message};
use super::receive::receive;
use super::{Shared, assist};
#[cfg(feature = "rust-cells")]
use super::{rust_assist, rust_code::rust_code};

pub struct Shell {
    pub queue: UnboundedSender<JupyterMessage>,
    pub iopub: IoPub,
    pub replies: UnboundedSender<JupyterMessage>,
    pub shared: Arc<Shared>,
    pub stop: UnboundedSender<()>,
}

impl Shell {
    pub async fn serve(self, mut from: RouterRecvConnection) {
        let mut names = Names::new(&Registry::new());
        loop {
            match receive(&mut from).await {
                Ok(request) if matches!(request.content, JupyterMessageContent::ExecuteRequest(_)) => {
                    if self.queue.send(request).is_err() {
                        return;
                    }
                }
                Ok(request) => self.answer(&request, &mut names),
                // A message that is not of the protocol is nobody's.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    }

    fn answer(&self, request: &JupyterMessage, names: &mut Names) {
        #[cfg(feature = "rust-cells")]
        if self.answer_of_rust(request) {
            return;
        }
        self.iopub.status(request, "busy");
        if let Some(content) = self.reply(request, names) {
            let kind = request.header.msg_type.replace("_request", "_reply");
            let _ = self.replies.send(message(&kind, content, Some(request)));
        }
        self.iopub.status(request, "idle");
    }

    /// Questions about Rust cells are evcxr's, which takes its time: other requests do not wait for that.
    #[cfg(feature = "rust-cells")]
    fn answer_of_rust(&self, request: &JupyterMessage) -> bool {
        use JupyterMessageContent as Content;
        let (kind, cell, position) = match &request.content {
            Content::CompleteRequest(asked) => ("complete_reply", asked.code.clone(), asked.cursor_pos),
            Content::InspectRequest(asked) => ("inspect_reply", asked.code.clone(), asked.cursor_pos),
            _ => return false,
        };
        let Some(Ok(rust)) = rust_code(&cell) else { return false };
        let (iopub, replies, shared, request) =
            (self.iopub.clone(), self.replies.clone(), self.shared.clone(), request.clone());
        tokio::spawn(async move {
            iopub.status(&request, "busy");
            let content = match kind {
                "complete_reply" => rust_assist::complete(&shared, cell, rust.code, position).await,
                _ => rust_assist::inspect(&shared, cell, rust.code, position).await,
            };
            let _ = replies.send(message(kind, content, Some(&request)));
            iopub.status(&request, "idle");
        });
        true
    }

    fn reply(&self, request: &JupyterMessage, names: &mut Names) -> Option<Value> {
        use JupyterMessageContent as Content;
        Some(match &request.content {
            Content::KernelInfoRequest(_) => kernel_info(),
            Content::CompleteRequest(asked) => {
                if let Ok(session) = self.shared.names.lock() {
                    names.refresh(session.iter().map(|named| named.name.clone()));
                }
                assist::complete(names, &asked.code, asked.cursor_pos)
            }
            Content::InspectRequest(asked) => {
                let session = self.shared.names.lock().map(|names| names.clone()).unwrap_or_default();
                assist::inspect(&session, &asked.code, asked.cursor_pos)
            }
            Content::IsCompleteRequest(asked) => assist::is_complete(&asked.code),
            Content::HistoryRequest(asked) => self.shared.history.lock().ok()?.reply(asked),
            Content::CommInfoRequest(_) => json!({ "status": "ok", "comms": {} }),
            Content::CommOpen(open) => {
                // There is nobody here to talk to; the protocol wants that said.
                let content = json!({ "comm_id": open.comm_id, "data": {} });
                self.iopub.send(message("comm_close", content, Some(request)));
                return None;
            }
            Content::ShutdownRequest(shutdown) => {
                let _ = self.stop.send(());
                json!({ "status": "ok", "restart": shutdown.restart })
            }
            _ => return None,
        })
    }
}
