//! Session variables that functions read, and how much a script has done.
//!
//! Rhai gives a function no access to the variables outside of it. Here a session variable that some function reads is kept
//! as a shared value, the same that a closure captures, so the function sees it as it stands at that moment.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rhai::{Dynamic, Engine, Scope};

use super::guards::{MemoryGuard, OutOfMemory};
use super::stack;
use crate::session::interrupt;

/// See the module.
#[derive(Default)]
pub(super) struct Variables {
    /// Names that functions read and that are not their own.
    wanted: BTreeSet<String>,
    shared: Rc<RefCell<BTreeMap<String, Dynamic>>>,
    /// Operations of the statement that runs.
    now: Rc<Cell<u64>>,
    /// Operations of the statements before.
    before: Cell<u64>,
}

impl Variables {
    /// Makes functions of `engine` see the variables, and counts its operations.
    pub fn resolve_in(&self, engine: &mut Engine, constants: BTreeMap<String, Dynamic>) {
        let shared = self.shared.clone();
        #[allow(deprecated)] // volatile API of Rhai; the only way for a function to read a session variable
        engine.on_var(move |name, index, context| {
            // The parser has numbered the variables of the function itself: nothing to look for.
            if index > 0 || context.scope().contains(name) {
                return Ok(None);
            }
            if context.call_level() > 0
                && let Some(value) = shared.borrow().get(name)
            {
                return Ok(Some(value.clone()));
            }
            // A closure captures constants like variables, and finds them in no scope.
            Ok(constants.get(name).cloned())
        });
        let (now, memory) = (self.now.clone(), MemoryGuard::new());
        engine.on_progress(move |operations| {
            now.set(operations);
            if stack::is_exhausted() {
                return Some(Dynamic::from(stack::Exhausted));
            }
            if memory.is_exceeded() {
                return Some(Dynamic::from(OutOfMemory));
            }
            interrupt::pending().map(|_| Dynamic::UNIT)
        });
    }
    /// Forgets all.
    pub fn clear(&mut self) {
        self.wanted.clear();
        self.shared.borrow_mut().clear();
    }
    /// Adds names that functions read.
    pub fn want(&mut self, names: BTreeSet<String>) {
        self.wanted.extend(names);
    }
    /// Makes the variables that functions read shared ones.
    pub fn share(&self, scope: &mut Scope) {
        if self.wanted.is_empty() {
            return;
        }
        let mut shared = self.shared.borrow_mut();
        for name in &self.wanted {
            match scope.is_constant(name) {
                None => {}
                Some(true) => {
                    // A constant never changes: one copy will do.
                    if !shared.get(name).is_some_and(Dynamic::is_read_only)
                        && let Some(value) = scope.get(name)
                    {
                        shared.insert(name.clone(), value.clone().into_shared());
                    }
                }
                Some(false) => {
                    if let Some(value) = scope.get_mut(name) {
                        if !value.is_shared() {
                            *value = std::mem::take(value).into_shared();
                        }
                        shared.insert(name.clone(), value.clone());
                    }
                }
            }
        }
    }

    /// A script begins.
    pub fn begin(&self) {
        self.now.set(0);
        self.before.set(0);
    }
    /// A statement of the top level has ended.
    pub fn statement_done(&self) {
        self.before.set(self.before.get().saturating_add(self.now.take()));
    }
    /// What the next statement may use of `limit` (0: no bound), in Rhai's terms.
    pub fn operations_left(&self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { limit.saturating_sub(self.before.get()).max(1) }
    }
}
