//! What Rust cells of an Ansatz notebook use to add functions and operators to the session.
//!
//! ```ignore
//! %%rust
//! use ansatz_cell::*;
//! // y = x³, dy/dx = 3x²
//! operator("cube", ["x"],
//!     |a| Ok(a[0].map(|x| x * x * x)),
//!     |a, _, g| Ok(vec![a[0].zip(g, |x, g| 3.0 * x * x * g)]));
//! ```

#![allow(clippy::missing_safety_doc)]

pub mod abi;

use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

use abi::{Answer, Function, Registration, Table, Text, View};

/// Numbers in row-major order with their shape. Rank 0 is one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The numbers, the last axis fastest.
    pub values: Vec<f64>,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
}

impl Array {
    /// Numbers of a shape; zeros where too few are given.
    pub fn new(mut values: Vec<f64>, shape: &[usize]) -> Self {
        values.resize(shape.iter().product(), 0.0);
        Self { values, shape: shape.to_vec() }
    }
    /// One number.
    pub fn number(value: f64) -> Self {
        Self { values: vec![value], shape: Vec::new() }
    }
    /// A function of each number.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|&x| f(x)).collect(), shape: self.shape.clone() }
    }
    /// A function of each pair of numbers of two arrays of one shape.
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self { values: pairs.map(|(&x, &y)| f(x, y)).collect(), shape: self.shape.clone() }
    }
}

type Forward = Box<dyn Fn(&[Array]) -> Result<Array, String>>;
type Backward = Box<dyn Fn(&[Array], &Array, &Array) -> Result<Vec<Array>, String>>;

struct Closures {
    forward: Forward,
    vjp: Option<Backward>,
}

/// Adds a function that scripts call by `name`. Gradients do not go through it.
pub fn function<const N: usize>(
    name: &str,
    parameters: [&str; N],
    f: impl Fn(&[Array]) -> Result<Array, String> + 'static,
) {
    register(name, &parameters, Closures { forward: Box::new(f), vjp: None });
}

/// Adds a function whose gradient is known. `vjp` gets the arguments, the result and the gradient of the result, and gives a
/// gradient for each argument.
pub fn operator<const N: usize>(
    name: &str,
    parameters: [&str; N],
    forward: impl Fn(&[Array]) -> Result<Array, String> + 'static,
    vjp: impl Fn(&[Array], &Array, &Array) -> Result<Vec<Array>, String> + 'static,
) {
    register(name, &parameters, Closures { forward: Box::new(forward), vjp: Some(Box::new(vjp)) });
}

/// Whether the user has asked to stop; long loops look at it.
pub fn interrupted() -> bool {
    table().is_ok_and(|table| (table.interrupted)() != 0)
}

/// The numbers of a variable of the session: a number, a tensor, a field. Panics when there is none, which is an error of the cell.
pub fn variable(name: &str) -> Array {
    let mut answer = Taken::default();
    let to = Answer { to: (&mut answer as *mut Taken).cast(), give: taken, fail: refused };
    (table().unwrap_or_else(|why| panic!("{why}")).variable)(Text::of(name), &to);
    match (answer.failure, answer.arrays.pop()) {
        (Some(why), _) => panic!("{why}"),
        (None, Some(array)) => array,
        (None, None) => panic!("there is no variable {name}"),
    }
}

/// Sets a variable of the session to a tensor. Panics when it cannot be, which is an error of the cell.
pub fn set_variable(name: &str, array: &Array) {
    let table = table().unwrap_or_else(|why| panic!("{why}"));
    if (table.set_variable)(Text::of(name), view(array)) != 0 {
        panic!("the variable {name} cannot be set");
    }
}

/// Asks the user for a line. Panics when there is nobody to ask, which is an error of the cell.
///
/// The standard input of a cell is empty: what a user types goes to the cell that asks for it, by this function.
pub fn input(prompt: &str) -> String {
    ask(prompt, false)
}

/// Asks for a line that is not shown while it is typed; otherwise as [`input`].
pub fn password(prompt: &str) -> String {
    ask(prompt, true)
}

fn ask(prompt: &str, hidden: bool) -> String {
    extern "C" fn take(to: *mut c_void, line: Text) {
        // SAFETY: `to` is the text below, and the line is lent for this call.
        unsafe { *to.cast::<String>() = line.read() };
    }
    let table = table().unwrap_or_else(|why| panic!("{why}"));
    let mut line = String::new();
    let to = (&mut line as *mut String).cast();
    match (table.input)(Text::of(prompt), u32::from(hidden), to, take) {
        0 => line,
        _ => panic!("{line}"),
    }
}

fn table() -> Result<&'static Table, String> {
    let address = std::env::var(abi::ADDRESS).ok().and_then(|text| text.parse::<usize>().ok());
    let address = address.ok_or("this cell does not run in an Ansatz notebook")?;
    // SAFETY: the session's process puts the address of a table there that lives as long as the process.
    let table = unsafe { &*(address as *const Table) };
    if table.version != abi::VERSION || (table.size as usize) < std::mem::size_of::<Table>() {
        return Err("the notebook's kernel and this crate are of different versions".into());
    }
    Ok(table)
}

fn register(name: &str, parameters: &[&str], closures: Closures) {
    let table = table().unwrap_or_else(|why| panic!("{why}"));
    quiet_panics();
    let parameters = parameters.join(",");
    let vjp: Option<Function> = closures.vjp.as_ref().map(|_| backward as Function);
    // It is never freed: the session may call it as long as it lives.
    let closure: *const c_void = (Box::leak(Box::new(closures)) as *const Closures).cast();
    let registration = Registration {
        name: Text::of(name),
        about: Text::of(""),
        parameters: Text::of(&parameters),
        closure,
        forward,
        vjp,
    };
    match (table.register)(&registration) {
        0 => {}
        2 => panic!("{name:?} is a primitive or a word of the language: choose another name"),
        _ => {
            panic!(
                "{name:?} of ({parameters}) cannot be a function: a name and the names of 1 to 8 parameters are needed"
            )
        }
    }
}

fn view(array: &Array) -> View {
    View {
        values: array.values.as_ptr(),
        len: array.values.len(),
        shape: array.shape.as_ptr(),
        rank: array.shape.len(),
    }
}

/// Copies what is lent.
///
/// # Safety
/// The view must be alive.
pub unsafe fn read(view: &View) -> Array {
    let values = if view.len == 0 { &[] } else { std::slice::from_raw_parts(view.values, view.len) };
    let shape = if view.rank == 0 { &[] } else { std::slice::from_raw_parts(view.shape, view.rank) };
    Array { values: values.to_vec(), shape: shape.to_vec() }
}

/// What a function has answered.
#[derive(Default)]
pub struct Taken {
    /// Arrays in order.
    pub arrays: Vec<Array>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// The [`Answer::give`] of [`Taken`].
pub extern "C" fn taken(to: *mut c_void, array: View) {
    // SAFETY: `to` is the `Taken` that the answer was made with, and the view is lent for this call.
    unsafe { (*to.cast::<Taken>()).arrays.push(read(&array)) };
}
/// The [`Answer::fail`] of [`Taken`].
pub extern "C" fn refused(to: *mut c_void, why: Text) {
    // SAFETY: as above.
    unsafe { (*to.cast::<Taken>()).failure = Some(why.read()) };
}

thread_local! {
    /// Whether a function of this cell runs for the session, which reports its panics as errors.
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics of functions that the session calls off the standard error.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CALLED.get() {
                usual(info);
            }
        }));
    });
}

/// Runs a function of the cell and puts its outcome, a panic included, into the answer.
///
/// # Safety
/// The pointers must be those of a call through [`Function`].
unsafe fn answered(
    arguments: *const View,
    count: usize,
    answer: *const Answer,
    run: impl FnOnce(Vec<Array>) -> Result<Vec<Array>, String>,
) {
    let answer = &*answer;
    let views = if count == 0 { &[] } else { std::slice::from_raw_parts(arguments, count) };
    CALLED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(views.iter().map(|view| read(view)).collect())));
    CALLED.set(false);
    let outcome = outcome.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(format!("a panic in Rust: {}", text.unwrap_or_default()))
    });
    match outcome {
        Ok(arrays) => {
            for array in &arrays {
                if array.shape.iter().product::<usize>() != array.values.len() {
                    let why = format!("{} numbers do not fill the shape {:?}", array.values.len(), array.shape);
                    return (answer.fail)(answer.to, Text::of(&why));
                }
            }
            for array in &arrays {
                (answer.give)(answer.to, view(array));
            }
        }
        Err(why) => (answer.fail)(answer.to, Text::of(&why)),
    }
}

extern "C" fn forward(closure: *const c_void, arguments: *const View, count: usize, answer: *const Answer) {
    // SAFETY: the session calls with the closure that was registered, and with what it lends for this call.
    unsafe {
        let closures = &*closure.cast::<Closures>();
        answered(arguments, count, answer, |arrays| (closures.forward)(&arrays).map(|array| vec![array]));
    }
}

/// Its arguments are those of the function, then the result, then the gradient of the result.
extern "C" fn backward(closure: *const c_void, arguments: *const View, count: usize, answer: *const Answer) {
    // SAFETY: as above.
    unsafe {
        let closures = &*closure.cast::<Closures>();
        answered(arguments, count, answer, |mut arrays| {
            let (gradient, result) = (arrays.pop().ok_or("no gradient")?, arrays.pop().ok_or("no result")?);
            let vjp = closures.vjp.as_ref().ok_or("no gradient is known")?;
            let gradients = vjp(&arrays, &result, &gradient)?;
            if gradients.len() != arrays.len() {
                return Err(format!("vjp gave {} gradients for {} arguments", gradients.len(), arrays.len()));
            }
            for (at, (gradient, argument)) in gradients.iter().zip(&arrays).enumerate() {
                if gradient.shape != argument.shape {
                    return Err(format!(
                        "vjp gave a gradient of shape {:?} for argument {at} of shape {:?}",
                        gradient.shape, argument.shape
                    ));
                }
            }
            Ok(gradients)
        });
    }
}
