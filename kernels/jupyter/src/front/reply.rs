//! What a cell is answered with, and `?name`.

use jupyter_protocol::JupyterMessage;
use serde_json::{Value, json};

use super::assist;
use super::execute::{Cell, Ending, Executor, failure};
use super::messages::message;
use crate::wire::{Bundle, Outcome};

impl Executor {
    /// `?name`: the text of a primitive or a variable in the pager.
    pub(super) fn help(&self, name: &str, payload: &mut Vec<Value>) -> Ending {
        let session = self.shared.names.lock().map(|names| names.clone()).unwrap_or_default();
        match assist::about(&session, name) {
            Some(text) => {
                payload.push(json!({ "source": "page", "data": { "text/plain": text }, "start": 0 }));
                Ending { outcome: Outcome::Value(None), expressions: Vec::new() }
            }
            None => failure("NameError", &format!("nothing is called {name:?}")).into(),
        }
    }

    pub(super) fn reply(&mut self, cell: &Cell, ending: Ending, payload: Vec<Value>) {
        let Ending { outcome, expressions } = ending;
        let mut content = json!({ "execution_count": self.count });
        let mut put = |key: &str, value: Value| {
            if let Some(content) = content.as_object_mut() {
                content.insert(key.to_string(), value);
            }
        };
        match outcome {
            Outcome::Value(bundle) => {
                if let Some(bundle) = bundle.filter(|_| !cell.asked.silent) {
                    self.result(&cell.parent, bundle);
                }
                put("status", "ok".into());
                put("payload", payload.into());
                let answers = expressions.into_iter().map(|(name, outcome)| (name, of_expression(outcome)));
                put("user_expressions", Value::Object(answers.collect()));
            }
            Outcome::Error(failure) => {
                let error = json!({ "ename": failure.name, "evalue": failure.value, "traceback": failure.traceback });
                if !cell.asked.silent {
                    self.iopub.send(message("error", error.clone(), Some(&cell.parent)));
                }
                put("status", "error".into());
                for (key, value) in error.as_object().cloned().unwrap_or_default() {
                    put(&key, value);
                }
            }
        }
        let _ = self.replies.send(message("execute_reply", content, Some(&cell.parent)));
    }

    fn result(&mut self, parent: &JupyterMessage, bundle: Bundle) {
        if let Some(text) = bundle.data.get("text/plain").and_then(Value::as_str)
            && let Ok(mut history) = self.shared.history.lock()
        {
            history.result(text);
        }
        let content = json!({ "execution_count": self.count, "data": bundle.data, "metadata": bundle.metadata });
        self.iopub.send(message("execute_result", content, Some(parent)));
    }
}

fn of_expression(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Value(bundle) => {
            let bundle = bundle.unwrap_or_default();
            json!({ "status": "ok", "data": bundle.data, "metadata": bundle.metadata })
        }
        Outcome::Error(failure) => {
            let (name, value) = (failure.name, failure.value);
            json!({ "status": "error", "ename": name, "evalue": value, "traceback": failure.traceback })
        }
    }
}

/// The name in `?name` or `name?`, when that is all of a cell.
pub(super) fn help(code: &str) -> Option<String> {
    let code = code.trim();
    let name = code.strip_prefix('?').or_else(|| code.strip_suffix('?'))?.trim();
    let fits = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    (!name.is_empty() && name.chars().all(fits)).then(|| name.to_string())
}
