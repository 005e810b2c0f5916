//! Functions and operators that Rust cells add to the session.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;

use ansatz::Error;
use ansatz::error::Result;
use ansatz::script::registry::{Entry, Form};
use ansatz::script::value::{Operand, tensor_of};
use ansatz::script::{Call, Host, Registry, entry};
use ansatz::session::interrupt;
use ansatz::tensor::Tensor;
use ansatz_cell::abi::{ADDRESS, Answer, Function, Registration, Table, Text, VERSION, View};
use ansatz_cell::{Taken, read, refused, taken};
use rhai::Dynamic;

thread_local! {
    /// What the cell that runs has registered so far.
    static NEW: RefCell<Vec<Native>> = const { RefCell::new(Vec::new()) };
    /// Everything registered, with how it is called.
    static ADDED: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
    /// The session, while a Rust cell runs.
    static HOST: Cell<*mut Host> = const { Cell::new(std::ptr::null_mut()) };
    /// The closure of an operator and what it points to stay as long as the process: libraries are never unloaded.
    static LOADED: RefCell<Vec<libloading::Library>> = const { RefCell::new(Vec::new()) };
    /// Where evcxr keeps the variables of Rust cells.
    static STORE: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
}

/// A function of a cell.
#[derive(Clone)]
struct Native {
    name: String,
    about: String,
    parameters: Vec<String>,
    closure: *const c_void,
    forward: Function,
    vjp: Option<Function>,
}

static TABLE: Table = Table {
    version: VERSION,
    size: std::mem::size_of::<Table>() as u32,
    register,
    interrupted,
    variable,
    set_variable,
    input,
};

/// Tells the process' environment where the table is. Called before threads are made.
pub fn offer() {
    // SAFETY: the only thread so far.
    unsafe { std::env::set_var(ADDRESS, (std::ptr::from_ref(&TABLE) as usize).to_string()) };
}

/// Names of functions from Rust cells, and how they are called.
pub fn added() -> Vec<(String, String)> {
    ADDED.with(|added| added.borrow().iter().map(|(name, about)| (name.clone(), about.clone())).collect())
}

/// The session that knew them is gone.
pub fn forget() {
    ADDED.with(|added| added.borrow_mut().clear());
}

/// Loads what evcxr compiled, runs it, and adds what it registered to the session.
///
/// # Errors
/// What the system says of the library.
pub fn load(host: &mut Host, library: &str, function: &str) -> std::result::Result<(), String> {
    type Run = extern "C" fn(*mut c_void) -> *mut c_void;
    HOST.set(host);
    interrupt::clear();
    // SAFETY: evcxr has just compiled the library for this process; its function takes and gives the store of variables and
    // catches panics itself. The library is kept for ever.
    let outcome = unsafe {
        libloading::Library::new(library).and_then(|library| {
            let run = *library.get::<Run>(function.as_bytes())?;
            LOADED.with(|loaded| loaded.borrow_mut().push(library));
            STORE.set(run(STORE.get()));
            Ok(())
        })
    };
    HOST.set(std::ptr::null_mut());
    take_up(host);
    outcome.map_err(|error| error.to_string())
}

/// Adds what was registered to the session.
fn take_up(host: &mut Host) {
    let new: Vec<Native> = NEW.with(|new| new.borrow_mut().drain(..).collect());
    for native in new {
        add(host, native);
    }
}

fn add(host: &mut Host, native: Native) {
    // Text of an entry lives as long as the program; a cell that is run again leaves a few bytes.
    let fixed = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let signature = format!("{}({})", native.name, native.parameters.join(", "));
    let kind = if native.vjp.is_some() { "An operator" } else { "A function" };
    let about = format!("{signature}: {} of a Rust cell", kind.to_lowercase());
    ADDED.with(|added| added.borrow_mut().insert(native.name.clone(), about));
    let brief = if native.about.is_empty() { format!("{kind} of a Rust cell.") } else { native.about.clone() };
    host.add(entry(fixed(signature)).brief(fixed(brief)).run(move |call| run(call, &native)));
}

/// A call from a script: fields and paths keep their kind when the shape stays, numbers give a number.
fn run(call: &mut Call, native: &Native) -> Result<Dynamic> {
    let operands: Vec<Operand> = (0..call.len()).map(|i| call.operand(i)).collect::<Result<_>>()?;
    let numbers = operands.iter().all(|operand| matches!(operand, Operand::Number(_)));
    let tensors: Vec<Tensor> = (0..call.len()).map(|i| call.tensor(i)).collect::<Result<_>>()?;
    let context = call.session.context();
    let arrays: Vec<Numbers> = tensors.iter().map(Numbers::of).collect::<Result<_>>()?;
    let views: Vec<View> = arrays.iter().map(Numbers::view).collect();
    let mut answers = called(native, native.forward, &views)?;
    let (true, Some(result)) = (answers.len() == 1, answers.pop()) else {
        return Err(Error::internal(format!("{} gave {} arrays", native.name, answers.len())));
    };
    let made = Tensor::new(context, result.values, &result.shape)?;
    if numbers && result.shape.is_empty() {
        return Ok(made.item()?.into());
    }
    let tensor = match native.vjp {
        None => made,
        Some(vjp) => recorded(native.clone(), vjp, &tensors, made),
    };
    let field = operands.into_iter().find_map(|operand| match operand {
        Operand::Field(field) if field.values().shape() == tensor.shape() => Some(field),
        _ => None,
    });
    match field {
        Some(field) => Ok(Dynamic::from(field.with(tensor)?)),
        None => Ok(Dynamic::from(tensor)),
    }
}

/// The result with the rule by which gradients go back.
fn recorded(native: Native, vjp: Function, inputs: &[Tensor], made: Tensor) -> Tensor {
    let (kept, value) = (inputs.iter().map(Tensor::detach).collect::<Vec<_>>(), made.detach());
    Tensor::with_vjp(&native.name.clone(), inputs, made, move |gradient| {
        let all: Vec<Numbers> = kept.iter().chain([&value, gradient]).map(Numbers::of).collect::<Result<_>>()?;
        let views: Vec<View> = all.iter().map(Numbers::view).collect();
        let arrays = called(&native, vjp, &views)?;
        arrays.into_iter().map(|a| Tensor::new(gradient.context(), a.values, &a.shape)).collect()
    })
}

fn called(native: &Native, function: Function, views: &[View]) -> Result<Vec<ansatz_cell::Array>> {
    let mut answer = Taken::default();
    let to = Answer { to: std::ptr::from_mut(&mut answer).cast(), give: taken, fail: refused };
    function(native.closure, views.as_ptr(), views.len(), &to);
    match answer.failure {
        // A cell that looked at `interrupted()`.
        Some(_) if interrupt::pending().is_some() => Err(interrupt::poll().err().unwrap_or_else(Error::interrupted)),
        Some(why) => Err(Error::value(format!("{}: {why}", native.name))),
        None => Ok(answer.arrays),
    }
}

/// Numbers that are lent to a cell.
struct Numbers {
    values: Vec<f64>,
    shape: Vec<usize>,
}

impl Numbers {
    fn of(tensor: &Tensor) -> Result<Self> {
        Ok(Self { values: tensor.to_vec()?, shape: tensor.shape().to_vec() })
    }
    fn view(&self) -> View {
        View {
            values: self.values.as_ptr(),
            len: self.values.len(),
            shape: self.shape.as_ptr(),
            rank: self.shape.len(),
        }
    }
}

extern "C" fn register(registration: *const Registration) -> u32 {
    // SAFETY: the cell lends it for this call.
    let native = unsafe {
        let r = &*registration;
        let parameters: Vec<String> = r.parameters.read().split(',').map(|p| p.trim().to_string()).collect();
        Native {
            name: r.name.read(),
            about: r.about.read(),
            parameters,
            closure: r.closure,
            forward: r.forward,
            vjp: r.vjp,
        }
    };
    let word = |text: &String| {
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if !word(&native.name) || !(1..=8).contains(&native.parameters.len()) || !native.parameters.iter().all(word) {
        return 1;
    }
    if taken_by_language(&native.name) {
        return 2;
    }
    NEW.with(|new| new.borrow_mut().push(native));
    0
}

/// Whether a name is a primitive's or a word of the language: a function of that name would never be called.
fn taken_by_language(name: &str) -> bool {
    let primitive = |entry: &Entry| matches!(entry.form, Form::Function | Form::Constant) && entry.full_name() == name;
    Registry::new().entries().iter().any(primitive)
        || rhai::Engine::new_raw().compile(format!("fn {name}(x) {{ x }}")).is_err()
}

extern "C" fn interrupted() -> u32 {
    u32::from(interrupt::pending().is_some())
}

extern "C" fn variable(name: Text, answer: *const Answer) {
    // SAFETY: the cell lends both for this call; the host is the one that `load` was called with and nobody else uses meanwhile.
    let (name, answer, host) = unsafe { (name.read(), &*answer, HOST.get().as_ref()) };
    let fail = |why: &str| (answer.fail)(answer.to, Text::of(why));
    let value = host.and_then(|host| host.variables().find(|(n, ..)| *n == name).map(|(.., value)| (host, value)));
    let Some((host, value)) = value else { return fail(&format!("there is no variable {name}")) };
    let context = host.session().context();
    let tensor = match Operand::of(&value).and_then(|operand| operand.into_tensor(context)) {
        Some(tensor) => Ok(tensor),
        None => tensor_of(context, &value),
    };
    match tensor.as_ref().map(Numbers::of) {
        Ok(Ok(numbers)) => (answer.give)(answer.to, numbers.view()),
        _ => fail(&format!("the variable {name} holds no numbers")),
    }
}

extern "C" fn set_variable(name: Text, array: View) -> u32 {
    // SAFETY: as above.
    let (name, array, host) = unsafe { (name.read(), read(&array), HOST.get().as_mut()) };
    let Some(host) = host else { return 1 };
    let tensor = Tensor::new(host.session().context(), array.values, &array.shape);
    match tensor {
        Ok(tensor) => u32::from(!host.set_variable(&name, Dynamic::from(tensor))),
        Err(_) => 1,
    }
}

extern "C" fn input(prompt: Text, hidden: u32, to: *mut c_void, take: extern "C" fn(*mut c_void, Text)) -> u32 {
    // SAFETY: as above.
    let (prompt, host) = unsafe { (prompt.read(), HOST.get().as_ref()) };
    let answer = match host {
        Some(host) => host.session().sink().input(&prompt, hidden != 0).map_err(|error| error.to_string()),
        None => Err("only a cell that runs can ask".into()),
    };
    let (Ok(line) | Err(line)) = &answer;
    take(to, Text::of(line));
    u32::from(answer.is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ansatz::session::{Options, Session};
    use ansatz_cell::{Array, operator, set_variable};

    /// As a cell would, only that it was not compiled apart.
    #[test]
    fn operators_of_cells_have_gradients() {
        offer();
        let _guard = crate::worker::interrupts::alone();
        let mut host = Host::new(Session::new(Options::default()));
        let cube = |a: &[Array]| match a.first() {
            Some(x) if x.values.iter().all(|x| x.is_finite()) => Ok(x.map(|x| x * x * x)),
            _ => Err("not finite".to_string()),
        };
        operator("cube", ["x"], cube, |a, _, g| Ok(vec![a[0].zip(g, |x, g| 3.0 * x * x * g)]));
        operator("wrong", ["x"], |a| Ok(a[0].clone()), |_, _, g| Ok(vec![g.clone(), g.clone()]));
        take_up(&mut host);
        HOST.set(&mut host);
        set_variable("t", &Array::new(vec![1.0, 2.0], &[2]));
        let twice = ansatz_cell::variable("t").map(|x| 2.0 * x);
        HOST.set(std::ptr::null_mut());
        assert_eq!(twice, Array::new(vec![2.0, 4.0], &[2]));
        let mut shown = |code: &str| match host.evaluate("cell", code) {
            Ok(value) => ansatz::script::value::compact(&value),
            Err(diagnostic) => diagnostic.error.to_string(),
        };
        assert_eq!(shown("cube(t)"), "[1, 8]");
        assert_eq!(shown("cube(2)"), "8");
        assert_eq!(shown("grad(|x| sum(cube(x) * t), t)"), "[3, 24]");
        assert!(shown("cube(INFINITY)").starts_with("cube: not finite"), "{}", shown("cube(INFINITY)"));
        let second = shown("grad(|x| sum(grad(|y| sum(cube(y)), x)), t)");
        assert!(second.contains("the gradient of its gradient is not known"), "{second}");
        assert!(shown("grad(|x| sum(wrong(x)), t)").contains("vjp gave 2 gradients for 1 arguments"));
        assert!(shown("cube(1, 2)").contains("wrong number of arguments"), "{}", shown("cube(1, 2)"));
    }
}
