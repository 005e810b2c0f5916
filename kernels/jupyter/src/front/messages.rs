//! Messages as the protocol has them.

use jupyter_protocol::{JupyterMessage, UnknownMessage};
use serde_json::{Value, json};

/// A message of a kind with a content, an answer to `parent`.
pub fn message(kind: &str, content: Value, parent: Option<&JupyterMessage>) -> JupyterMessage {
    // The typed structures of the library write some fields as null that the protocol wants left out.
    let content = UnknownMessage { msg_type: kind.to_string(), content };
    let mut message = JupyterMessage::new(content, parent);
    message.header.username = "ansatz".into();
    message
}

/// What the kernel is.
pub fn kernel_info() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "status": "ok",
        "protocol_version": "5.4",
        "implementation": "ansatz",
        "implementation_version": version,
        "banner": format!("Ansatz {version}: Rhai cells that run at once; %%rust for cells in Rust, %help for more"),
        "debugger": false,
        "supported_features": [],
        "help_links": [],
        "language_info": {
            "name": "rhai",
            "version": "1.27",
            "mimetype": "text/x-rustsrc",
            "file_extension": ".rhai",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
    })
}
