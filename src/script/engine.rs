//! Makes a Rhai engine from the registry and the session's limits.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext, RhaiFunc};

use super::call::Call;
use super::closure::{Exit, enter, into_rhai};
use super::diagnose::panic_text;
use super::powers;
use super::registry::{Entry, Form, Registry};
use super::table::SharedTable;
use super::value::{All, Operand, printed};
use crate::equation::Expr;
use crate::equation::script::vector_of;
use crate::error::{Error, Result};
use crate::field::{Field, Path};
use crate::session::{Session, interrupt};
use crate::tensor::{Binary, Complex, Tensor};

/// Rhai looks for functions that take any type in at most this many arguments.
const MOST_ARGUMENTS: usize = 16;

/// An engine whose primitives work in `session`, and the constants that have no namespace.
pub(super) fn build(session: &Session, registry: &Registry) -> (Engine, BTreeMap<String, Dynamic>) {
    let mut engine = Engine::new();
    // Rhai's fast operators ignore overrides, and `1 / 2` would be 0.
    engine.set_fast_operators(false);
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    engine.disable_symbol("eval");
    // A mistyped key would be nothing, which is only found out much later.
    engine.set_fail_on_invalid_map_property(true);
    set_limits(&mut engine, session);
    name_types(&mut engine, session);
    super::guards::register(&mut engine);
    powers::register(&mut engine);
    super::caught::register(&mut engine);
    let sink = session.clone();
    engine.on_print(move |text| sink.sink().text(text));
    let sink = session.clone();
    engine.on_debug(move |text, _, position| sink.sink().text(&format!("{position}: {text}")));

    let namesakes = namesakes(&engine);
    let names: Names = Rc::new(registry.entries().iter().flat_map(|e| [e.name.to_string(), e.full_name()]).collect());
    let mut global = Module::new();
    let mut modules: Vec<(&str, Module)> = Vec::new();
    for entry in registry.entries() {
        if entry.form == Form::Constant {
            register_constant(&mut global, &mut modules, session, entry);
            continue;
        }
        let (least, most) = entry.arity();
        let entry = Rc::new(entry.clone());
        for count in least..=most.min(MOST_ARGUMENTS) {
            let code = wrap(session.clone(), entry.clone(), names.clone());
            match entry.namespace.strip_suffix("::") {
                Some(namespace) => {
                    let at = modules.iter().position(|(name, _)| *name == namespace).unwrap_or_else(|| {
                        modules.push((namespace, Module::new()));
                        modules.len() - 1
                    });
                    if let Some((_, module)) = modules.get_mut(at) {
                        FuncRegistration::new(entry.name).set_into_module_raw(module, any_types(count), code);
                    }
                }
                None => register_global(&mut global, &entry, count, code, &namesakes),
            }
        }
    }
    register_powers(&mut global, session, registry, &names);
    let constants = global.iter_var().map(|(name, value)| (name.to_string(), value.clone())).collect();
    engine.register_global_module(global.into());
    for (name, module) in modules {
        engine.register_static_module(name, module.into());
    }
    (engine, constants)
}

/// Adds a function without namespace to an engine that exists; one of the same name is replaced.
pub(super) fn add(engine: &mut Engine, session: &Session, entry: &Entry) {
    let (least, most) = entry.arity();
    let (entry, names) = (Rc::new(entry.clone()), Names::default());
    let mut module = Module::new();
    for count in least..=most.min(MOST_ARGUMENTS) {
        let code = wrap(session.clone(), entry.clone(), names.clone());
        register_global(&mut module, &entry, count, code, &BTreeSet::new());
    }
    engine.register_global_module(module.into());
}

type Code = RhaiFunc;
/// Names of all primitives.
type Names = Rc<BTreeSet<String>>;

fn any_types(count: usize) -> Vec<TypeId> {
    vec![TypeId::of::<Dynamic>(); count]
}

/// Our own types: what operators, indices and printing must not leave to Rhai.
fn own_types() -> Vec<TypeId> {
    vec![TypeId::of::<Tensor>(), TypeId::of::<Field>(), TypeId::of::<Complex>(), TypeId::of::<Expr>()]
}

/// Functions of one argument that Rhai has already. Its own take numbers before ours would, and differ: its `int` gives a
/// float, its `round` takes halves away from 0, its `sleep` cannot be stopped.
fn namesakes(engine: &Engine) -> BTreeSet<String> {
    let of_one = |info: rhai::FuncInfo| (info.metadata.num_params == 1).then(|| info.metadata.name.to_string());
    engine.collect_fn_metadata(None, of_one, true).into_iter().collect()
}

fn register_global(global: &mut Module, entry: &Entry, count: usize, code: Code, namesakes: &BTreeSet<String>) {
    let any = TypeId::of::<Dynamic>();
    let mut put = |name: &str, types: &[TypeId]| {
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(global, types, code.clone());
    };
    match entry.form {
        Form::Function | Form::Constant => {
            put(entry.name, &any_types(count));
            if count == 1 && namesakes.contains(entry.name) {
                put(entry.name, &[TypeId::of::<f64>()]);
                put(entry.name, &[TypeId::of::<i64>()]);
            }
        }
        Form::Property => put(&format!("get${}", entry.name), &[any]),
        Form::Index => {
            for own in own_types().into_iter().chain([TypeId::of::<Path>()]) {
                put("index$get$", &[own, any]);
            }
        }
        Form::Operator => {
            for own in own_types() {
                if count == 1 {
                    put(entry.name, &[own]);
                    continue;
                }
                // Exact types first: inside a closure called from Rust nothing is cached, and each pattern of "any" costs a search.
                for exact in [own, TypeId::of::<f64>(), TypeId::of::<i64>(), any] {
                    put(entry.name, &[own, exact]);
                    put(entry.name, &[exact, own]);
                }
            }
        }
    }
}

/// The operators that the parser gets for `**` in some places, with the text of `**`.
fn register_powers(global: &mut Module, session: &Session, registry: &Registry, names: &Rc<BTreeSet<String>>) {
    let Some(power) = registry.entries().iter().find(|e| e.form == Form::Operator && e.name == "**") else { return };
    for (name, negated) in powers::names() {
        let entry = power.clone().run(move |c| if negated { powers::negated(c) } else { powers::plain(c) });
        let code = wrap(session.clone(), Rc::new(entry), names.clone());
        let mut put = |types: &[TypeId]| {
            FuncRegistration::new(name).in_global_namespace().set_into_module_raw(global, types, code.clone());
        };
        let any = TypeId::of::<Dynamic>();
        let numbers = [TypeId::of::<f64>(), TypeId::of::<i64>()];
        put(&[any, any]);
        for exact in numbers.into_iter().chain(own_types()) {
            numbers.iter().for_each(|n| put(&[exact, *n]));
        }
    }
}

fn register_constant(global: &mut Module, modules: &mut [(&str, Module)], session: &Session, entry: &Entry) {
    let mut call = Call { session, entry, arguments: &mut [], position: rhai::Position::NONE };
    let Ok(value) = (entry.code)(&mut call) else { return };
    match modules.iter_mut().find(|(name, _)| Some(*name) == entry.namespace.strip_suffix("::")) {
        Some((_, module)) => module.set_var(entry.name, value),
        None => global.set_var(entry.name, value),
    };
}

/// A primitive as Rhai calls it: arguments named, panics caught, closures given a context to run in.
fn wrap(session: Session, entry: Rc<Entry>, names: Names) -> Code {
    let func = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let Some(context) = context else {
            return Err(into_rhai(Error::internal("a primitive was called without a context")));
        };
        let position = context.call_position();
        let guard = enter(&context);
        let code = match &entry.symbolic {
            Some(symbolic) if arguments.iter().any(|a| is_symbolic(a)) => symbolic,
            _ => &entry.code,
        };
        let mut call = Call { session: &session, entry: &entry, arguments, position: context.call_position() };
        let result = catch_unwind(AssertUnwindSafe(|| code(&mut call)));
        drop(guard);
        match result {
            // Rhai fills in the position of a plain call, not that of one with a namespace. What could not be stopped half-way ends here.
            Ok(result) => result
                .and_then(|value| interrupt::poll().map(|()| value))
                .map_err(|e| at(into_rhai(as_called(e, &entry, &names)), position)),
            Err(payload) => Err(at(
                into_rhai(
                    Error::internal(format!("{} failed in a way it should not", entry.full_name()))
                        .got(panic_text(&*payload))
                        .advice("this is a fault of ansatz, not of the script; please report it"),
                ),
                position,
            )),
        }
    };
    // A method that does not change its object: the first argument is not copied, and constants may be passed.
    RhaiFunc::Method { func: rhai::Shared::new(func), has_context: true, is_pure: true, is_volatile: true }
}

/// Whether a value is a symbol, or a vector with one in it.
fn is_symbolic(value: &Dynamic) -> bool {
    value.read_lock::<Expr>().is_some()
        || value.read_lock::<rhai::Array>().is_some_and(|array| array.iter().any(|v| v.read_lock::<Expr>().is_some()))
}

/// Chapters whose functions are made of one another.
const MADE_OF_EACH_OTHER: [&str; 6] = [
    "Mathematics",
    "Tensors",
    "Complex numbers and Fourier transforms",
    "Linear algebra and convolutions",
    "Random numbers",
    "Grids and fields",
];

/// An error of a part under the name of the whole: who called `inverse` has not heard of a `solve` in it.
fn as_called(error: Error, entry: &Entry, names: &BTreeSet<String>) -> Error {
    let part = error.what().split_once(": ").map(|(part, _)| part.to_string());
    match part {
        Some(part)
            if entry.form == Form::Function
                && error.script().is_none()
                && MADE_OF_EACH_OTHER.contains(&entry.chapter)
                && names.contains(&part) =>
        {
            error.without(part).within(entry.full_name())
        }
        _ => error,
    }
}

fn at(mut error: Box<EvalAltResult>, position: rhai::Position) -> Box<EvalAltResult> {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}

/// Bounds the engine by the limits of the session.
pub(super) fn set_limits(engine: &mut Engine, session: &Session) {
    let limits = session.limits();
    engine.set_max_operations(limits.operations);
    engine.set_max_call_levels(limits.call_depth);
    engine.set_max_expr_depths(limits.expression_depth, limits.expression_depth);
    engine.set_max_string_size(limits.string_length);
    engine.set_max_array_size(limits.array_length);
    engine.set_max_map_size(limits.map_length);
    engine.set_max_variables(100_000);
}

fn name_types(engine: &mut Engine, session: &Session) {
    engine.register_type_with_name::<All>("All");
    engine.register_type_with_name::<Error>("Error");
    printable::<Tensor>(engine, "Tensor");
    // Inside of text a small tensor is its numbers; `print(t)` shows the whole with its shape and precision.
    engine.register_fn("print", |t: &mut Tensor| t.to_string());
    engine.register_fn("to_string", |t: &mut Tensor| in_text(t));
    engine.register_fn("to_debug", |t: &mut Tensor| in_text(t));
    printable::<Complex>(engine, "Complex");
    // Inside of an array or a map.
    engine.register_fn("to_debug", |z: &mut Complex| super::value::compact(&Dynamic::from(z.clone())));
    crate::equation::script::types(engine);
    crate::field::script::types(engine);
    crate::solve::flow::script::types(engine);
    crate::sde::script::types(engine);
    crate::nn::script::types(engine);
    crate::train::script::types(engine);
    crate::plot::script::types(engine);
    printable::<SharedTable>(engine, "Table");
    // Arrays and maps show their elements by `to_debug`; `to_string` of a number is for files and names, and loses nothing.
    let precision = session.context().precision();
    engine.register_fn("print", move |x: f64| Dynamic::from(printed(x, precision)).to_string());
    for name in ["debug", "to_debug"] {
        engine.register_fn(name, move |x: f64| format!("{:?}", Dynamic::from(printed(x, precision))));
    }
    engine.register_fn("to_string", |e: &mut Error| e.to_string());
    engine.register_fn("to_debug", |e: &mut Error| e.to_string());
    engine.register_get("message", |e: &mut Error| e.what().to_string());
    engine.register_get("kind", |e: &mut Error| format!("{:?}", e.kind()).to_lowercase());

    engine.register_fn("exit", || -> std::result::Result<(), Box<EvalAltResult>> { Err(exit(Dynamic::UNIT)) });
    engine.register_fn("exit", |value: Dynamic| -> std::result::Result<(), Box<EvalAltResult>> { Err(exit(value)) });

    // Whole numbers divide into fractions; `int(a / b)` is the whole division.
    engine.register_fn("/", |a: i64, b: i64| a as f64 / b as f64);
    engine.register_fn("/", |a: i64, b: f64| a as f64 / b);
    engine.register_fn("/", |a: f64, b: i64| a / b as f64);
    engine.register_fn("**", |a: i64, b: i64| powers::whole(a, b).map_err(into_rhai));
    // In the language it is an exclusive or; who writes it here means a power.
    let no_power = || into_rhai(Error::typ("there is no ^ of numbers").advice("a power is a ** b"));
    engine.register_fn("^", move |_: i64, _: i64| -> std::result::Result<i64, Box<EvalAltResult>> { Err(no_power()) });
    engine.register_fn("^", move |_: f64, _: i64| -> std::result::Result<i64, Box<EvalAltResult>> { Err(no_power()) });
    engine.register_fn("^", move |_: i64, _: f64| -> std::result::Result<i64, Box<EvalAltResult>> { Err(no_power()) });
    engine.register_fn("^", move |_: f64, _: f64| -> std::result::Result<i64, Box<EvalAltResult>> { Err(no_power()) });
    // An array of symbols is a vector of an equation.
    engine.register_fn("*", |a: i64, b: Array| scaled(Binary::Mul, b, a as f64));
    engine.register_fn("*", |a: f64, b: Array| scaled(Binary::Mul, b, a));
    engine.register_fn("*", |a: Array, b: i64| scaled(Binary::Mul, a, b as f64));
    engine.register_fn("*", |a: Array, b: f64| scaled(Binary::Mul, a, b));
    engine.register_fn("/", |a: Array, b: i64| scaled(Binary::Div, a, b as f64));
    engine.register_fn("/", |a: Array, b: f64| scaled(Binary::Div, a, b));
    engine.register_fn("-", |a: Array| scaled(Binary::Mul, a, -1.0));
    register_remainder(engine);
    register_assignment(engine, "/=", Binary::Div, session);
    register_assignment(engine, "%=", Binary::Rem, session);
}

/// An array of symbols times or divided by a number.
fn scaled(op: Binary, array: Array, number: f64) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
    let array = Dynamic::from(array);
    match vector_of(&array) {
        Some(vector) => vector.and_then(|v| v.binary(op, &Expr::number(number))).map(Dynamic::from).map_err(into_rhai),
        None => Err(into_rhai(
            Error::typ("an array is not a vector of numbers").got(super::value::describe(&array)).advice(
                "tensor([1, 2, 3]) computes element by element; in an equation an array of symbols is a vector",
            ),
        )),
    }
}

fn in_text(tensor: &Tensor) -> String {
    super::value::compact(&Dynamic::from(tensor.clone()))
}

/// `a % b` of numbers has the sign of b, as that of tensors has.
fn register_remainder(engine: &mut Engine) {
    let of = |a: f64, b: f64| a - b * (a / b).floor();
    engine.register_fn("%", move |a: f64, b: f64| of(a, b));
    engine.register_fn("%", move |a: f64, b: i64| of(a, b as f64));
    engine.register_fn("%", move |a: i64, b: f64| of(a as f64, b));
    engine.register_fn("%", |a: i64, b: i64| -> std::result::Result<i64, Box<EvalAltResult>> {
        let rest = a.checked_rem(b).ok_or_else(|| into_rhai(Error::value("the remainder of a division by zero")))?;
        Ok(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    });
}

/// `a op= b` as `a = a op b`: Rhai's own would keep whole numbers whole.
fn register_assignment(engine: &mut Engine, name: &'static str, op: Binary, session: &Session) {
    let context = session.context().clone();
    engine.register_fn(name, move |a: &mut Dynamic, b: Dynamic| -> std::result::Result<(), Box<EvalAltResult>> {
        let value = match (Operand::of(a), Operand::of(&b)) {
            (Some(x), Some(y)) => x.binary(op, &y, &context).map_err(into_rhai)?,
            _ => {
                let got = format!("{} {name} {}", super::value::describe(a), super::value::describe(&b));
                return Err(into_rhai(Error::typ(format!("{name} does not fit")).got(got)));
            }
        };
        let whole = op == Binary::Rem && a.is_int() && b.is_int();
        *a = match value {
            Operand::Number(n) if whole && n.is_finite() => Dynamic::from(n as i64),
            other => other.into_dynamic(),
        };
        Ok(())
    });
}

fn exit(value: Dynamic) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(Exit(value)), rhai::Position::NONE).into()
}

/// A type that prints as its `Display` says.
pub(crate) fn printable<T: Clone + std::fmt::Display + 'static>(engine: &mut Engine, name: &str) {
    engine.register_type_with_name::<T>(name);
    engine.register_fn("to_string", |value: &mut T| value.to_string());
    engine.register_fn("to_debug", |value: &mut T| value.to_string());
}

/// The result of a primitive that returns nothing.
pub(super) fn nothing() -> Result<Dynamic> {
    Ok(Dynamic::UNIT)
}
