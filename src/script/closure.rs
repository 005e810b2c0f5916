//! Script functions as Rust sees them.
//!
//! Rust calls a closure only while a primitive that the script called is running. That call's context is kept in a
//! thread-local for as long, so that a closure can be stored in a process, a network or an optimiser and called
//! without anything being threaded through the numerics.

use std::cell::Cell;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Scope};

use super::value::{Operand, describe};
use crate::error::{Error, Result};
use crate::session::interrupt;
use crate::tensor::{Context, Tensor};

thread_local! {
    static CURRENT: Cell<*const ()> = const { Cell::new(std::ptr::null()) };
}

/// Makes `context` the one that closures are called in, until the guard is dropped.
pub(super) fn enter<'a>(context: &'a NativeCallContext<'a>) -> Entered<'a> {
    let before = CURRENT.replace(std::ptr::from_ref(context).cast());
    Entered { before, _context: std::marker::PhantomData }
}

/// The context of the primitive that runs now.
fn current<'a>() -> Option<&'a NativeCallContext<'a>> {
    let current = CURRENT.get();
    // SAFETY: the pointer is set by `enter` from a reference that outlives its guard, and the guard puts the former one
    // back before that reference ends. Only this thread reads it, and no caller keeps the reference beyond the primitive.
    (!current.is_null()).then(|| unsafe { &*current.cast::<NativeCallContext>() })
}

pub(super) struct Entered<'a> {
    before: *const (),
    _context: std::marker::PhantomData<&'a ()>,
}
impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Evaluates a text with variables in the engine of the running script, while a primitive runs.
///
/// # Errors
/// What the text raised, without a place: the place is that of the primitive's call, since the text is none of the user's.
pub(crate) fn evaluate(text: &str, variables: Vec<(&str, Dynamic)>) -> Result<Dynamic> {
    interrupt::poll()?;
    let Some(context) = current() else {
        return Err(Error::internal("a text was evaluated while no script runs"));
    };
    let mut scope = Scope::new();
    for (name, value) in variables {
        scope.push_dynamic(name, value);
    }
    let engine = context.engine();
    let ast = super::powers::compile(engine, &scope, text).map_err(|e| Error::internal(format!("{e} in {text:?}")))?;
    engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast).map(Dynamic::flatten).map_err(|error| {
        let stops = uncatchable(&error).is_some();
        let error = from_rhai(error);
        if stops { error } else { error.without_script() }
    })
}

/// A function or closure of the script. Cheap to clone.
#[derive(Clone)]
pub struct Closure(Rc<FnPtr>);

impl std::fmt::Debug for Closure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "closure {}", self.0.fn_name())
    }
}

impl Closure {
    /// Wraps Rhai's pointer.
    pub fn new(pointer: FnPtr) -> Self {
        Self(Rc::new(pointer))
    }
    /// How many parameters it takes beside captured ones, where that is known.
    pub fn parameters(&self) -> Option<usize> {
        Some(self.names()?.len().saturating_sub(self.0.curry().len()))
    }
    /// The names of its parameters, captured variables first, where they are known.
    pub fn names(&self) -> Option<Vec<String>> {
        let context = current()?;
        let name = self.0.fn_name();
        let names = |m: &rhai::Module| {
            m.iter_script_fn_info()
                .filter(|(_, _, n, _, _)| *n == name)
                .map(|(_, _, _, _, f)| f.params.iter().map(ToString::to_string).collect())
                .collect::<Vec<Vec<String>>>()
        };
        let mut all: Vec<Vec<String>> = context.iter_namespaces().flat_map(names).collect();
        // A name with several overloads fits when any of them does; only one tells the parameters.
        if all.len() == 1 { all.pop() } else { None }
    }
    /// The values of captured variables.
    pub fn captured(&self) -> Vec<Dynamic> {
        self.0.curry().iter().map(Dynamic::flatten_clone).collect()
    }
    /// The same function with other values for the variables it captured.
    pub fn with_captured(&self, values: Vec<Dynamic>) -> Self {
        let mut pointer = (*self.0).clone();
        pointer.set_curry(values);
        Self::new(pointer)
    }
    /// Calls it.
    ///
    /// # Errors
    /// What the script raised, with its position; or an internal error when no script is running.
    pub fn call(&self, arguments: impl IntoIterator<Item = Dynamic>) -> Result<Dynamic> {
        interrupt::poll()?;
        let Some(context) = current() else {
            return Err(Error::internal("a script function was called while no script runs"));
        };
        let mut arguments: Vec<Dynamic> = arguments.into_iter().collect();
        // A captured variable that is returned is shared; inside of an array Rhai would not bear it.
        self.0.call_raw(context, None, &mut arguments[..]).map(Dynamic::flatten).map_err(from_rhai)
    }
    /// Calls it with tensors and expects a tensor, a field or a number back.
    pub fn tensor(&self, context: &Context, arguments: &[Tensor]) -> Result<Tensor> {
        let value = self.call(arguments.iter().cloned().map(Dynamic::from))?;
        let tensor = Operand::of(&value).and_then(|o| o.into_tensor(context));
        tensor.ok_or_else(|| {
            Error::typ("a closure returned something unfit").got(describe(&value)).expected("a tensor or a number")
        })
    }
    /// Calls it with numbers and expects a number back.
    pub fn number(&self, arguments: &[f64]) -> Result<f64> {
        let value = self.call(arguments.iter().map(|&v| Dynamic::from(v)))?;
        super::value::number_of(&value)
            .ok_or_else(|| Error::typ("a closure returned something unfit").got(describe(&value)).expected("a number"))
    }
}

/// A script's error as ours, keeping where in the script it was raised.
#[allow(clippy::boxed_local)] // Rhai returns its errors boxed
pub(super) fn from_rhai(error: Box<EvalAltResult>) -> Error {
    match *error {
        // The user's stop and the limit of time have their own words; other reasons are told from what is inside.
        EvalAltResult::ErrorTerminated(..) if interrupt::pending().is_some() => {
            interrupt::poll().err().unwrap_or_else(Error::interrupted).with_script(*error)
        }
        other => Error::from_script(other),
    }
}

/// Our error as a script's; the position is filled in by the engine.
///
/// What a script must not catch stays what it was: an exit, a stop, a limit that a closure ran into.
pub(super) fn into_rhai(error: Error) -> Box<EvalAltResult> {
    match error.script().and_then(uncatchable) {
        Some(EvalAltResult::ErrorTerminated(token, position)) => {
            EvalAltResult::ErrorTerminated(token.clone(), *position).into()
        }
        Some(EvalAltResult::ErrorTooManyOperations(position)) => {
            EvalAltResult::ErrorTooManyOperations(*position).into()
        }
        Some(EvalAltResult::ErrorStackOverflow(position)) => EvalAltResult::ErrorStackOverflow(*position).into(),
        _ => EvalAltResult::ErrorRuntime(Dynamic::from(error), rhai::Position::NONE).into(),
    }
}

/// The error inside of nested calls that no `try` may catch, if that is what ended them.
fn uncatchable(error: &EvalAltResult) -> Option<&EvalAltResult> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => uncatchable(inner),
        EvalAltResult::ErrorTerminated(..)
        | EvalAltResult::ErrorTooManyOperations(_)
        | EvalAltResult::ErrorStackOverflow(_) => Some(error),
        _ => None,
    }
}

/// What `exit(value)` ends an evaluation with. Rhai's own exit is an error like others once it has crossed a primitive.
#[derive(Debug, Clone)]
pub(super) struct Exit(pub Dynamic);

/// The value of `exit(value)`, if that is what ended a script.
pub(super) fn exit_value(error: &EvalAltResult) -> Option<Dynamic> {
    match uncatchable(error)? {
        EvalAltResult::ErrorTerminated(token, _) => token.read_lock::<Exit>().map(|exit| exit.0.clone()),
        _ => None,
    }
}
