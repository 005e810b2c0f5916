//! What crosses between a compiled cell and the session: plain data, copied by the side that receives it.

use std::ffi::c_void;

/// The version of everything in this file.
pub const VERSION: u32 = 2;
/// Holds the address of the [`Table`] in the process of the session.
pub const ADDRESS: &str = "ANSATZ_CELL_TABLE";

/// Numbers in row-major order and their shape, lent for the time of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    pub values: *const f64,
    pub len: usize,
    pub shape: *const usize,
    pub rank: usize,
}

/// Text in UTF-8, lent for the time of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    pub bytes: *const u8,
    pub len: usize,
}

impl Text {
    pub fn of(text: &str) -> Self {
        Self { bytes: text.as_ptr(), len: text.len() }
    }
    /// # Safety
    /// The bytes must be alive.
    pub unsafe fn read(&self) -> String {
        if self.len == 0 {
            return String::new();
        }
        String::from_utf8_lossy(std::slice::from_raw_parts(self.bytes, self.len)).into_owned()
    }
}

/// Where a function puts what it gives, or why it failed.
#[repr(C)]
pub struct Answer {
    pub to: *mut c_void,
    /// One array of the result.
    pub give: extern "C" fn(to: *mut c_void, array: View),
    pub fail: extern "C" fn(to: *mut c_void, why: Text),
}

/// A function of a cell: its closure, arguments, where the answer goes. Never unwinds.
pub type Function = extern "C" fn(closure: *const c_void, arguments: *const View, count: usize, answer: *const Answer);

/// A function, and for an operator how gradients go back through it: arguments, result and its gradient in, a gradient for each argument out.
#[repr(C)]
pub struct Registration {
    pub name: Text,
    pub about: Text,
    /// Names of the parameters, separated by commas.
    pub parameters: Text,
    pub closure: *const c_void,
    pub forward: Function,
    pub vjp: Option<Function>,
}

/// What the session offers to a cell.
#[repr(C)]
pub struct Table {
    pub version: u32,
    pub size: u32,
    /// Adds or replaces a function; 0, or 1 when the name or the parameters are unfit.
    pub register: extern "C" fn(registration: *const Registration) -> u32,
    /// Whether the user has asked to stop.
    pub interrupted: extern "C" fn() -> u32,
    /// Gives a variable of the session; fails when there is none that holds numbers.
    pub variable: extern "C" fn(name: Text, answer: *const Answer),
    /// Sets a variable of the session to a tensor; 0, or 1 when it cannot be.
    pub set_variable: extern "C" fn(name: Text, array: View) -> u32,
    /// Asks the user for a line, as for a password when `hidden` is not 0: gives it to `take` and returns 0, or 1 with why there is none.
    pub input: extern "C" fn(
        prompt: Text,
        hidden: u32,
        to: *mut c_void,
        take: extern "C" fn(to: *mut c_void, line: Text),
    ) -> u32,
}
