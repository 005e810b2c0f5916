//! What everybody sees: one task owns the socket. Text is gathered for some milliseconds: a message for each line of a loop would
//! cost its reader more than the text.

use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{IoPubWelcome, JupyterMessage};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::messages::message;

/// Text waits no longer than this.
const GATHER: Duration = Duration::from_millis(30);
/// So much text goes at once.
const ENOUGH: usize = 64 << 10;

enum Item {
    Message(Box<JupyterMessage>),
    Text { parent: Arc<JupyterMessage>, stderr: bool, text: String },
}

/// The way to the socket; cheap to clone.
#[derive(Clone)]
pub struct IoPub(UnboundedSender<Item>);

impl IoPub {
    pub fn start(socket: KernelIoPubXPubConnection) -> Self {
        let (sender, items) = unbounded_channel();
        tokio::spawn(Task { socket, gathered: None }.serve(items));
        Self(sender)
    }
    pub fn send(&self, message: JupyterMessage) {
        let _ = self.0.send(Item::Message(Box::new(message.with_zmq_identities(Vec::new()))));
    }
    pub fn status(&self, parent: &JupyterMessage, state: &str) {
        self.send(message("status", json!({ "execution_state": state }), Some(parent)));
    }
    pub fn text(&self, parent: &Arc<JupyterMessage>, stderr: bool, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            let _ = self.0.send(Item::Text { parent: parent.clone(), stderr, text });
        }
    }
}

/// Text that waits.
struct Gathered {
    parent: Arc<JupyterMessage>,
    stderr: bool,
    text: String,
    until: Instant,
}

struct Task {
    socket: KernelIoPubXPubConnection,
    gathered: Option<Gathered>,
}

impl Task {
    async fn serve(mut self, mut items: UnboundedReceiver<Item>) {
        loop {
            let until = self.gathered.as_ref().map_or_else(|| Instant::now() + GATHER, |g| g.until);
            let waits = self.gathered.is_some();
            tokio::select! {
                event = self.socket.recv_subscription() => {
                    if let Ok(SubscriptionEvent::Subscribe(topic)) = event {
                        let _ = self.socket.send(IoPubWelcome::new(topic).into()).await;
                    }
                }
                item = items.recv() => match item {
                    None => return,
                    Some(Item::Message(message)) => {
                        self.flush().await;
                        let _ = self.socket.send(*message).await;
                    }
                    Some(Item::Text { parent, stderr, text }) => self.gather(parent, stderr, text).await,
                },
                () = sleep_until(until), if waits => self.flush().await,
            }
        }
    }
    async fn gather(&mut self, parent: Arc<JupyterMessage>, stderr: bool, text: String) {
        match &mut self.gathered {
            Some(g) if g.stderr == stderr && g.parent.header.msg_id == parent.header.msg_id => {
                g.text.push_str(&text);
                if g.text.len() > ENOUGH {
                    self.flush().await;
                }
            }
            _ => {
                self.flush().await;
                self.gathered = Some(Gathered { parent, stderr, text, until: Instant::now() + GATHER });
            }
        }
    }
    async fn flush(&mut self) {
        if let Some(Gathered { parent, stderr, text, .. }) = self.gathered.take() {
            let name = if stderr { "stderr" } else { "stdout" };
            let message = message("stream", json!({ "name": name, "text": text }), Some(&parent));
            let _ = self.socket.send(message.with_zmq_identities(Vec::new())).await;
        }
    }
}
