//! Messages as they come in. Clients leave out what has a usual value; the library's structures want some of it.

use jupyter_protocol::{JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{Connection, RawMessage};
use serde_json::{Value, json};
use zeromq::SocketRecv;

/// The next message.
///
/// # Errors
/// When it is none of the protocol, or bears a wrong signature.
pub async fn receive<S: SocketRecv>(from: &mut Connection<S>) -> anyhow::Result<JupyterMessage> {
    let multipart = from.socket.recv().await?;
    let RawMessage { zmq_identities, jparts } = RawMessage::from_multipart(multipart, &from.mac)?;
    let part = |at: usize| jparts.get(at).map(|bytes| &bytes[..]).unwrap_or_default();
    let header: jupyter_protocol::Header = serde_json::from_slice(part(0))?;
    let content = completed(&header.msg_type, serde_json::from_slice(part(3))?);
    Ok(JupyterMessage {
        content: JupyterMessageContent::from_type_and_content(&header.msg_type, content)?,
        zmq_identities,
        parent_header: serde_json::from_slice(part(1)).ok(),
        metadata: serde_json::from_slice(part(2)).unwrap_or_else(|_| json!({})),
        buffers: jparts.get(4..).unwrap_or_default().to_vec(),
        header,
        channel: None,
    })
}

/// The content with the usual values of what was left out.
fn completed(kind: &str, mut content: Value) -> Value {
    let usual = match kind {
        "execute_request" => json!({ "silent": false, "store_history": true, "user_expressions": {} }),
        "history_request" => {
            json!({ "session": 0, "start": 0, "stop": 0, "n": 0, "pattern": "*", "unique": false, "output": false, "raw": true })
        }
        "shutdown_request" => json!({ "restart": false }),
        "complete_request" | "inspect_request" => json!({ "cursor_pos": usize::MAX }),
        _ => return content,
    };
    if let (Some(content), Value::Object(usual)) = (content.as_object_mut(), usual) {
        for (key, value) in usual {
            let slot = content.entry(key).or_insert(Value::Null);
            if slot.is_null() {
                *slot = value;
            }
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::HistoryRequest;

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let asked = json!({ "hist_access_type": "search", "pattern": "1?2*", "raw": true, "output": false, "n": null });
        let content =
            JupyterMessageContent::from_type_and_content("history_request", completed("history_request", asked));
        let Ok(JupyterMessageContent::HistoryRequest(HistoryRequest::Search { pattern, n: 0, unique: false, .. })) =
            content
        else {
            panic!("{content:?}");
        };
        assert_eq!(pattern, "1?2*");
        let code = JupyterMessageContent::from_type_and_content(
            "execute_request",
            completed("execute_request", json!({ "code": "1" })),
        );
        assert!(
            matches!(code, Ok(JupyterMessageContent::ExecuteRequest(asked)) if asked.store_history && !asked.silent)
        );
    }
}
