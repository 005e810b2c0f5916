//! What `catch (e)` gives for an error of the language, as it is printed. Rhai makes a map of it, with texts of its own.

use rhai::{Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position};

use super::diagnose::explain;
use super::registry::Registry;

type Outcome = Result<ImmutableString, Box<EvalAltResult>>;

/// Maps print as before, those of errors like errors of ours.
pub(super) fn register(engine: &mut Engine) {
    for name in ["print", "to_string"] {
        engine.register_fn(name, |context: NativeCallContext, map: &mut Map| -> Outcome {
            match text(map) {
                Some(text) => Ok(text.into()),
                // What Rhai does for all four of print, debug, to_string and to_debug.
                None => context.call_native_fn("to_debug", (map.clone(),)),
            }
        });
    }
}

/// The text of an error, if that is what a map holds.
fn text(map: &Map) -> Option<String> {
    let field = |name: &str| map.get(name)?.clone().into_immutable_string().ok();
    if !field("error")?.starts_with("Error") {
        return None;
    }
    let message = field("message")?;
    // The innermost error comes first, then the calls around it.
    let line = message.lines().next()?;
    let line = line.rfind(" (line ").and_then(|at| line.get(..at)).unwrap_or(line);
    Some(explain(&parsed(line), &Registry::new()).to_string())
}

/// The error that a text of Rhai's tells of, so that it is said in our words.
fn parsed(line: &str) -> EvalAltResult {
    let at = Position::NONE;
    if let Some(signature) = line.strip_prefix("Function not found: ") {
        return EvalAltResult::ErrorFunctionNotFound(signature.into(), at);
    }
    if let Some(name) = line.strip_prefix("Variable not found: ") {
        return EvalAltResult::ErrorVariableNotFound(name.into(), at);
    }
    if let Some((got, wanted)) = line.strip_prefix("Data type incorrect: ").and_then(|l| l.split_once(" (expecting ")) {
        return EvalAltResult::ErrorMismatchDataType(wanted.trim_end_matches(')').into(), got.into(), at);
    }
    if let Some(name) = line.strip_prefix("Property not found: ") {
        return EvalAltResult::ErrorPropertyNotFound(name.into(), at);
    }
    if line.starts_with("Unknown property ") {
        return EvalAltResult::ErrorDotExpr(line.into(), at);
    }
    EvalAltResult::ErrorRuntime(line.into(), at)
}
