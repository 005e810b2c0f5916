//! A session that evaluates scripts and cells: what earlier ones defined stays.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, Ident, Position, Scope, Stmt};

use super::closure::exit_value;
use super::diagnose::{Diagnostic, panic_text};
use super::engine::{self, build};
use super::imports::{self, Modules};
use super::powers;
use super::registry::{Entry, Registry};
use super::sources::Sources;
use super::stack;
use super::variables::Variables;
use super::watchdog::Watchdog;
use crate::error::Error;
use crate::session::{Limits, Session, interrupt};

/// Evaluates scripts in one session.
pub struct Host {
    engine: Engine,
    registry: Registry,
    session: Session,
    scope: Scope<'static>,
    /// Functions and closures of everything evaluated so far.
    library: AST,
    /// Where those functions were written.
    sources: Sources,
    /// Session variables that functions read.
    variables: Variables,
    /// `value.to_string()`
    to_string: AST,
    /// A statement that gives [`Completed`].
    completed: Vec<Stmt>,
    /// Libraries imported under a name.
    modules: Modules,
    /// Library files that are being loaded, the outermost first.
    loading: Vec<std::path::PathBuf>,
    /// Whether the last evaluation ended by `exit()`.
    exited: bool,
}

/// How a script ended before its last statement.
enum Stop {
    /// `return value` outside of functions: the file ends.
    Return(Dynamic),
    /// `exit(value)`: the evaluation ends.
    Exit(Dynamic),
    /// An error.
    Error(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for Stop {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self::Error(diagnostic)
    }
}

impl Host {
    /// A host for `session` with every primitive.
    pub fn new(session: Session) -> Self {
        let registry = Registry::new();
        let (mut engine, constants) = build(&session, &registry);
        let variables = Variables::default();
        variables.resolve_in(&mut engine, constants);
        let modules = Modules::default();
        engine.set_module_resolver(modules.clone());
        engine.register_fn(MARKER, || Completed);
        let completed = engine.compile(format!("{MARKER}()")).map(|ast| ast.statements().to_vec()).unwrap_or_default();
        let to_string = engine.compile("value.to_string()").unwrap_or_default();
        Self {
            engine,
            to_string,
            registry,
            session,
            scope: Scope::new(),
            library: AST::empty(),
            sources: Sources::default(),
            variables,
            completed,
            modules,
            loading: Vec::new(),
            exited: false,
        }
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
    /// Variables of the session: name, whether it is a constant, and value.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool, Dynamic)> {
        self.scope.iter()
    }
    /// The same by reference: nothing is copied.
    pub fn variable_references(&self) -> impl Iterator<Item = (&str, &Dynamic)> {
        self.scope.iter_raw().map(|(name, _, value)| (name, value))
    }
    /// Sets a variable of the session; `false` when the name is that of a constant.
    pub fn set_variable(&mut self, name: &str, value: Dynamic) -> bool {
        if self.scope.is_constant(name) == Some(true) {
            return false;
        }
        self.scope.set_or_push(name, value);
        true
    }
    /// Names of the script functions of the session, closures left out.
    pub fn functions(&self) -> impl Iterator<Item = (&str, usize)> {
        self.library.iter_functions().filter(|f| !f.name.starts_with("anon$")).map(|f| (f.name, f.params.len()))
    }
    /// Adds a function to those that scripts can call; one of the same name is replaced.
    pub fn add(&mut self, entry: Entry) {
        engine::add(&mut self.engine, &self.session, &entry);
        self.registry.put(entry);
    }
    /// Sets what scripts may use from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.session.set_limits(limits);
        engine::set_limits(&mut self.engine, &self.session);
    }
    /// Whether the last evaluation ended by `exit()`.
    pub fn has_exited(&self) -> bool {
        self.exited
    }
    /// The parameters of a closure, and the variables that it captured.
    pub fn parameters_of(&self, closure: &rhai::FnPtr) -> Option<(Vec<&str>, Vec<&str>)> {
        let function = self.library.iter_functions().find(|f| f.name == closure.fn_name())?;
        let captured = closure.curry().len().min(function.params.len());
        let parameters = function.params.get(captured..)?.to_vec();
        Some((parameters, function.params.get(..captured)?.to_vec()))
    }
    /// Forgets all variables and functions.
    pub fn reset(&mut self) {
        self.scope = Scope::new();
        self.library = AST::empty();
        self.sources = Sources::default();
        self.variables.clear();
    }

    /// A value as `print` shows it.
    pub fn show(&self, value: &Dynamic) -> String {
        if let Ok(number) = value.as_float() {
            return Dynamic::from(super::value::printed(number, self.session.context().precision())).to_string();
        }
        let mut scope = Scope::new();
        scope.push_dynamic("value", value.clone());
        let text = stack::with_base(|| {
            catch_unwind(AssertUnwindSafe(|| self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.to_string)))
        });
        match text {
            Ok(Ok(text)) if text.is_string() => text.into_string().unwrap_or_default(),
            _ => super::value::compact(value),
        }
    }

    /// Parses without running.
    ///
    /// # Errors
    /// Where the text is not a script.
    pub fn parse(&self, name: &str, text: &str) -> Result<AST, Box<Diagnostic>> {
        stack::with_base(|| powers::compile(&self.engine, &Scope::new(), text))
            .map_err(|e| Box::new(Diagnostic::of_parse(&e, name, text)))
    }

    /// Evaluates a script or a cell called `name`; its value is that of the last expression.
    ///
    /// Statements run one after the other, so that a function may read the variables that stand at that moment.
    ///
    /// # Errors
    /// Everything that can go wrong, with its place. The session goes on.
    pub fn evaluate(&mut self, name: &str, text: &str) -> Result<Dynamic, Box<Diagnostic>> {
        let text = without_mark(text);
        self.exited = false;
        stack::with_base(|| {
            let ast = self.parse(name, text)?;
            interrupt::clear();
            self.variables.begin();
            let watchdog = Watchdog::start(self.session.limits().seconds);
            let result = self.run(name, text, &ast);
            drop(watchdog);
            interrupt::clear();
            self.loading.clear();
            forget_shadowed(&mut self.scope);
            match result {
                Ok(value) | Err(Stop::Return(value)) => Ok(value),
                Err(Stop::Exit(value)) => {
                    self.exited = true;
                    Ok(value)
                }
                Err(Stop::Error(diagnostic)) => Err(diagnostic),
            }
        })
    }

    fn run(&mut self, name: &str, text: &str, ast: &AST) -> Result<Dynamic, Stop> {
        self.library = self.library.clone_functions_only().merge(&ast.clone_functions_only());
        let source = self.sources.add(name, text, ast);
        self.variables.want(free_variables(ast));
        self.variables.share(&mut self.scope);
        let mut value = Dynamic::UNIT;
        let mut imported: Vec<Stmt> = Vec::new();
        for statement in ast.statements() {
            value = match statement {
                Stmt::Import(import, position) => {
                    self.import(source, import, *position)?;
                    imported.push(statement.clone());
                    Dynamic::UNIT
                }
                _ => self.step(source, &imported, statement)?,
            };
            self.variables.share(&mut self.scope);
        }
        Ok(value)
    }

    /// Runs one statement of the top level. The parser has numbered the imports before it, so they come along; they are
    /// loaded already.
    fn step(&mut self, source: usize, imported: &[Stmt], statement: &Stmt) -> Result<Dynamic, Stop> {
        let returns = contains_return(statement);
        let marker = returns.then_some(&self.completed).into_iter().flatten();
        let statements: Vec<Stmt> = imported.iter().chain([statement]).chain(marker).cloned().collect();
        let step = AST::new(statements, self.library.shared_lib().clone());
        let (engine, scope) = (&mut self.engine, &mut self.scope);
        // Rhai counts from 0 in each evaluation; the limit is for the whole script.
        engine.set_max_operations(self.variables.operations_left(self.session.limits().operations));
        let outcome = catch_unwind(AssertUnwindSafe(|| engine.eval_ast_with_scope::<Dynamic>(scope, &step)));
        self.variables.statement_done();
        match outcome {
            // With a marker behind it, a statement that gives something else than the marker has returned.
            Ok(Ok(value)) if returns => {
                if value.is::<Completed>() {
                    Ok(Dynamic::UNIT)
                } else {
                    Err(Stop::Return(value))
                }
            }
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(match exit_value(&error) {
                Some(value) => Stop::Exit(value),
                None => Diagnostic::of_eval(&error, &self.sources, source, &self.registry, &self.scope).into(),
            }),
            Err(payload) => {
                let error = Error::internal("the evaluation failed in a way it should not").got(panic_text(&*payload));
                Err(self.sources.diagnostic(error, source, Position::NONE).into())
            }
        }
    }

    /// `import "file"`: runs a library file here, once; its functions and variables join the session, and with
    /// `as name` its functions answer to `name::f` too.
    fn import(&mut self, source: usize, import: &(Expr, Ident), position: Position) -> Result<(), Stop> {
        let (path, alias) = import;
        let diagnostic = |host: &Self, error: Error| Stop::from(host.sources.diagnostic(error, source, position));
        let Expr::StringConstant(path, _) = path else {
            return Err(diagnostic(
                self,
                Error::typ("import needs the path of a file in quotes").expected("import \"library\";"),
            ));
        };
        let found = imports::find(&self.session, path).map_err(|e| diagnostic(self, e))?;
        if self.loading.contains(&found) {
            return Err(diagnostic(
                self,
                Error::file(format!("{path:?} imports itself")).advice("move what both files need into a third one"),
            ));
        }
        let text = imports::read(&found).map_err(|e| diagnostic(self, e))?;
        let name = imports::shown(&found, &self.session);
        let ast = self.parse(&name, &text).map_err(|d| d.called_from("import", &self.sources, source, position))?;
        self.loading.push(found);
        let outcome = self.run(&name, &text, &ast);
        self.loading.pop();
        match outcome {
            Err(Stop::Error(d)) => return Err(d.called_from("import", &self.sources, source, position).into()),
            Err(Stop::Exit(value)) => return Err(Stop::Exit(value)),
            Ok(_) | Err(Stop::Return(_)) => {}
        }
        self.modules.insert(path, Default::default());
        if !alias.name.is_empty() {
            let module: rhai::Shared<rhai::Module> = imports::module(&ast, &self.scope).into();
            self.modules.insert(path, module.clone());
            self.engine.register_static_module(alias.name.as_str(), module);
        }
        Ok(())
    }
}

/// A text without the mark that some editors put before it.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Stands behind a statement that may return, to tell whether it did: Rhai gives the value in both cases.
#[derive(Clone)]
struct Completed;
/// The function that gives [`Completed`].
pub(super) const MARKER: &str = "ansatz_statement_completed";

/// Whether a statement of the top level may end the script by `return`.
fn contains_return(statement: &Stmt) -> bool {
    let mut found = false;
    AST::new([statement.clone()], rhai::Module::new()).walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Return(_, flags, _))) = path.last() {
            found |= !flags.contains(rhai::ASTFlags::BREAK);
        }
        !found
    });
    found
}

/// A `let` that is run again frees the old value: of several entries with one name only the last can be read.
fn forget_shadowed(scope: &mut Scope<'static>) {
    let mut names = BTreeSet::new();
    if scope.iter_raw().all(|(name, ..)| names.insert(name)) {
        return;
    }
    let entries: Vec<(String, Dynamic, _)> = std::mem::take(scope).into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut kept: Vec<(String, Dynamic)> = Vec::new();
    for (name, value, _) in entries.into_iter().rev() {
        if seen.insert(name.clone()) {
            kept.push((name, value));
        }
    }
    for (name, value) in kept.into_iter().rev() {
        scope.push_dynamic(name, value);
    }
}

/// Names that functions of a script read and that are not their own parameters or variables.
fn free_variables(ast: &AST) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    ast.clone_functions_only().walk(&mut |path| {
        // The parser numbers a function's own variables; the others have no number.
        if let Some(ASTNode::Expr(Expr::Variable(v, None, _))) = path.last()
            && v.0.is_none()
            && v.2.is_empty()
        {
            names.insert(v.1.to_string());
        }
        true
    });
    names
}
