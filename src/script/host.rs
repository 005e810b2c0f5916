//! A session that evaluates scripts and cells: what earlier ones defined stays.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use rhai::{AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, Position, Scope};

use super::diagnose::{Diagnostic, panic_text};
use super::engine::build;
use super::registry::Registry;
use crate::error::Error;
use crate::session::{Session, interrupt};

/// Session variables that functions may read, by name.
type Globals = Rc<RefCell<BTreeMap<String, Dynamic>>>;

/// Evaluates scripts in one session.
pub struct Host {
    engine: Engine,
    registry: Registry,
    session: Session,
    scope: Scope<'static>,
    /// Functions and closures of everything evaluated so far.
    library: AST,
    globals: Globals,
    /// Names that functions read and that are not their own.
    wanted: BTreeSet<String>,
}

impl Host {
    /// A host for `session` with every primitive.
    pub fn new(session: Session) -> Self {
        let registry = Registry::new();
        let mut engine = build(&session, &registry);
        let globals = Globals::default();
        let read = globals.clone();
        #[allow(deprecated)] // volatile API of Rhai; the only way for a function to read a session variable
        engine.on_var(move |name, _, context| {
            let globals = read.borrow();
            // Only names that some function wants are kept, so this is one look into a small map.
            Ok(match globals.get(name) {
                Some(value) if context.call_level() > 0 && !context.scope().contains(name) => Some(value.clone()),
                _ => None,
            })
        });
        Self { engine, registry, session, scope: Scope::new(), library: AST::empty(), globals, wanted: BTreeSet::new() }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
    /// Every primitive.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
    /// The engine, for tools that only parse.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
    /// Variables of the session: name and value.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool, Dynamic)> {
        self.scope.iter()
    }
    /// Forgets all variables and functions.
    pub fn reset(&mut self) {
        self.scope = Scope::new();
        self.library = AST::empty();
        self.globals.borrow_mut().clear();
        self.wanted.clear();
    }

    /// Parses without running.
    ///
    /// # Errors
    /// Where the text is not a script.
    pub fn parse(&self, name: &str, text: &str) -> Result<AST, Box<Diagnostic>> {
        self.engine.compile(text).map_err(|e| Box::new(Diagnostic::of_parse(&e, name, text)))
    }

    /// Evaluates a script or a cell called `name`; its value is that of the last expression.
    ///
    /// Statements run one after the other, so that a function may read the variables that stand at that moment.
    ///
    /// # Errors
    /// Everything that can go wrong, with its place. The session goes on.
    pub fn evaluate(&mut self, name: &str, text: &str) -> Result<Dynamic, Box<Diagnostic>> {
        let ast = self.parse(name, text)?;
        interrupt::clear();
        let watchdog = Watchdog::start(self.session.limits().seconds);
        let result = self.run(name, text, &ast);
        drop(watchdog);
        interrupt::clear();
        result
    }

    fn run(&mut self, name: &str, text: &str, ast: &AST) -> Result<Dynamic, Box<Diagnostic>> {
        self.library = self.library.clone_functions_only().merge(&ast.clone_functions_only());
        self.wanted.extend(free_variables(ast));
        self.refresh_globals();
        let before = self.scope.len();
        let mut value = Dynamic::UNIT;
        for statement in ast.statements() {
            let step = AST::new([statement.clone()], self.library.shared_lib().clone());
            let (engine, scope) = (&self.engine, &mut self.scope);
            let outcome = catch_unwind(AssertUnwindSafe(|| engine.eval_ast_with_scope::<Dynamic>(scope, &step)));
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(payload) => {
                    let error = Error::internal("the evaluation failed in a way it should not").got(panic_text(&payload));
                    return Err(Box::new(Diagnostic::at(error, name, text, Position::NONE)));
                }
            };
            match outcome {
                Ok(v) => value = v,
                Err(e) => {
                    if let EvalAltResult::Exit(v, _) = *e {
                        return Ok(v);
                    }
                    self.forget_shadowed(before);
                    return Err(Box::new(Diagnostic::of_eval(&e, name, text, &self.registry)));
                }
            }
            self.refresh_globals();
        }
        self.forget_shadowed(before);
        Ok(value)
    }

    /// A `let` that is run again frees the old value: of several entries with one name only the last can be read.
    fn forget_shadowed(&mut self, before: usize) {
        if self.scope.len() == before {
            return;
        }
        let mut seen = BTreeSet::new();
        let mut kept: Vec<(String, bool, Dynamic)> = Vec::new();
        let entries: Vec<(String, bool, Dynamic)> =
            self.scope.iter_raw().map(|(n, c, v)| (n.to_string(), c, v.clone())).collect();
        for (name, constant, value) in entries.into_iter().rev() {
            if seen.insert(name.clone()) {
                kept.push((name, constant, value));
            }
        }
        if kept.len() == self.scope.len() {
            return;
        }
        let mut scope = Scope::new();
        for (name, constant, value) in kept.into_iter().rev() {
            if constant {
                scope.push_constant_dynamic(name, value);
            } else {
                scope.push_dynamic(name, value);
            }
        }
        self.scope = scope;
    }

    fn refresh_globals(&self) {
        if self.wanted.is_empty() {
            return;
        }
        let mut globals = self.globals.borrow_mut();
        for name in &self.wanted {
            if let Some(value) = self.scope.get(name) {
                globals.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Names that functions of a script read; locals are among them, which does no harm: a local is found first.
fn free_variables(ast: &AST) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    ast.clone_functions_only().walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::Variable(v, ..))) = path.last() {
            names.insert(v.1.to_string());
        }
        true
    });
    names
}

/// Asks the evaluation to stop when its time is over.
struct Watchdog(Option<mpsc::Sender<()>>);

impl Watchdog {
    fn start(seconds: f64) -> Self {
        if !(seconds > 0.0 && seconds.is_finite()) {
            return Self(None);
        }
        let (stop, stopped) = mpsc::channel();
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        std::thread::spawn(move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(limit) {
                interrupt::request(interrupt::Reason::Time);
            }
        });
        Self(Some(stop))
    }
}
impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.take();
    }
}
