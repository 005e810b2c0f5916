//! Walks a script with the variables that can be seen at each place.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt, StmtBlock};

use super::super::options::unknown;
use super::super::registry::{Entry, Form, Registry, nearest};
use super::names::Names;
use crate::error::{Error, Kind};

/// See the module.
pub(super) struct Walker<'a> {
    registry: &'a Registry,
    names: &'a Names,
    ast: &'a AST,
    /// Variables that can be seen, the innermost last.
    visible: Vec<String>,
    /// Whether a function's body is walked, which sees the variables of the session.
    in_function: bool,
    findings: Vec<(Error, Position)>,
}

impl<'a> Walker<'a> {
    pub fn new(registry: &'a Registry, names: &'a Names, ast: &'a AST) -> Self {
        Self {
            registry,
            names,
            ast,
            visible: names.earlier.iter().cloned().collect(),
            in_function: false,
            findings: Vec::new(),
        }
    }

    /// What is wrong in the top level and in all functions.
    pub fn findings(mut self) -> Vec<(Error, Position)> {
        self.statements(self.ast.statements());
        for function in self.ast.iter_functions().filter(|f| !f.name.starts_with("anon$")) {
            self.function(function.name, &function.params);
        }
        self.findings
    }

    fn found(&mut self, error: Error, at: Position) {
        self.findings.push((error, at));
    }

    /// A function sees its parameters and the session, not what surrounds it.
    fn function(&mut self, name: &str, parameters: &[&str]) {
        let outer = std::mem::replace(&mut self.visible, parameters.iter().map(ToString::to_string).collect());
        let was = std::mem::replace(&mut self.in_function, true);
        let body = body_of(self.ast, name, parameters.len());
        self.statements(&body);
        self.visible = outer;
        self.in_function = was;
    }

    fn closure(&mut self, name: &str) {
        let definition = self.ast.iter_functions().find(|f| f.name == name).map(|f| f.params);
        if let Some(parameters) = definition {
            self.function(name, &parameters);
        }
    }

    fn block(&mut self, block: &StmtBlock) {
        let depth = self.visible.len();
        self.statements(block.statements());
        self.visible.truncate(depth);
    }

    fn statements(&mut self, statements: &[Stmt]) {
        statements.iter().for_each(|s| self.statement(s));
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(x, _) => {
                self.expression(&x.expr);
                self.block(&x.body);
                self.block(&x.branch);
            }
            Stmt::While(x, _) => {
                self.expression(&x.expr);
                self.block(&x.body);
            }
            Stmt::Do(x, ..) => {
                self.block(&x.body);
                self.expression(&x.expr);
            }
            Stmt::For(x, _) => {
                let (variable, counter, flow) = &**x;
                self.expression(&flow.expr);
                let depth = self.visible.len();
                self.visible.push(variable.name.to_string());
                self.visible.extend(counter.iter().map(|c| c.name.to_string()));
                self.block(&flow.body);
                self.visible.truncate(depth);
            }
            Stmt::Switch(x, _) => {
                self.expression(&x.0);
                for case in &x.1.expressions {
                    self.expression(&case.lhs);
                    self.expression(&case.rhs);
                }
            }
            Stmt::TryCatch(x, _) => {
                self.block(&x.body);
                let depth = self.visible.len();
                if let Expr::Variable(v, ..) = &x.expr {
                    self.visible.push(v.1.to_string());
                }
                self.block(&x.branch);
                self.visible.truncate(depth);
            }
            Stmt::Var(x, ..) => {
                self.expression(&x.1);
                self.visible.push(x.0.name.to_string());
            }
            Stmt::Assignment(x) => {
                self.expression(&x.1.lhs);
                self.expression(&x.1.rhs);
            }
            Stmt::FnCall(x, at) => self.call(x, *at, false),
            Stmt::Block(x) => self.block(x),
            Stmt::Expr(x) => self.expression(x),
            Stmt::BreakLoop(Some(x), ..) | Stmt::Return(Some(x), ..) => self.expression(x),
            Stmt::Import(x, at) if !matches!(x.0, Expr::StringConstant(..)) => {
                self.found(
                    Error::typ("import needs the path of a file in quotes").expected("import \"library\";"),
                    *at,
                );
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::DynamicConstant(value, _) => {
                if let Some(pointer) = value.read_lock::<rhai::FnPtr>() {
                    self.closure(pointer.fn_name());
                }
            }
            Expr::InterpolatedString(x, _) | Expr::Array(x, _) => x.iter().for_each(|e| self.expression(e)),
            Expr::Map(x, _) => x.0.iter().for_each(|(_, e)| self.expression(e)),
            Expr::Variable(v, _, at) => self.variable(&v.1, &v.2.to_string(), *at),
            Expr::MethodCall(x, at) => self.call(x, *at, true),
            Expr::FnCall(x, at) => self.call(x, *at, false),
            Expr::Stmt(x) => self.block(x),
            Expr::Dot(x, ..) | Expr::Index(x, ..) => {
                self.expression(&x.lhs);
                self.expression(&x.rhs);
            }
            Expr::And(x, _) | Expr::Or(x, _) | Expr::Coalesce(x, _) => x.iter().for_each(|e| self.expression(e)),
            _ => {}
        }
    }

    fn variable(&mut self, name: &str, namespace: &str, at: Position) {
        if !namespace.is_empty() {
            let full = format!("{namespace}::{name}");
            if namespace == "global" || self.names.constants.contains(&full) {
                return;
            }
            let error = if self.names.namespaces.contains(namespace) {
                suggest(
                    Error::new(Kind::Script, format!("there is no constant `{full}`")),
                    &full,
                    self.names.constants.iter().cloned(),
                )
            } else {
                self.no_namespace(namespace)
            };
            return self.found(error, at);
        }
        let known = self.visible.iter().any(|v| v == name)
            || self.names.constants.contains(name)
            || self.names.functions.contains_key(name)
            || (self.in_function && self.names.globals.contains(name));
        if !known {
            let candidates = self.visible.iter().chain(&self.names.globals).chain(&self.names.constants).cloned();
            let error = Error::new(Kind::Script, format!("there is no variable `{name}`"));
            let error = if self.names.globals.contains(name) {
                error.advice("it is defined further down")
            } else {
                suggest(error, name, candidates.collect::<Vec<_>>())
            };
            self.found(error, at);
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: Position, method: bool) {
        if !call.is_operator_call() {
            self.name_of_call(call, at, method);
            self.options_of_call(call, method);
        }
        call.args.iter().for_each(|e| self.expression(e));
    }

    fn name_of_call(&mut self, call: &FnCallExpr, at: Position, method: bool) {
        let (name, namespace) = (call.name.as_str(), call.namespace.to_string());
        if !namespace.is_empty() {
            return self.name_of_qualified_call(&format!("{namespace}::{name}"), &namespace, call, at);
        }
        if Names::is_keyword(name) {
            return;
        }
        let count = call.args.len() + usize::from(method);
        let scripted_method = method && self.names.scripted.contains(name);
        match self.names.functions.get(name) {
            Some(counts) if counts.contains(&count) || (scripted_method && counts.contains(&call.args.len())) => {}
            // A map's value may be called like a method, whatever else has its name.
            _ if method && self.names.keys.contains(name) => {}
            Some(counts) => {
                let counts: Vec<usize> = counts.iter().map(|n| n.saturating_sub(usize::from(method))).collect();
                let expected = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                let error =
                    Error::typ(format!("{name}: wrong number of arguments")).got(call.args.len()).expected(expected);
                let usage = self.registry.entries().iter().find(|e| e.full_name() == name && e.form == Form::Function);
                let error = match usage {
                    Some(entry) if !self.names.scripted.contains(name) => {
                        error.advice(format!("usage: {}", entry.signature))
                    }
                    _ => error,
                };
                self.found(error, at);
            }
            None => {
                let error = Error::new(
                    Kind::Script,
                    format!("there is no {} `{name}`", if method { "method" } else { "function" }),
                );
                let error = if !method && self.is_variable(name) {
                    error.advice(format!("`{name}` is a variable: a closure in it is called with {name}.call(…)"))
                } else {
                    let candidates = self
                        .names
                        .functions
                        .keys()
                        .filter(|n| n.starts_with(|c: char| c.is_alphabetic()))
                        .chain(self.names.qualified.keys());
                    suggest(error, name, candidates.cloned().collect::<Vec<_>>())
                };
                self.found(error, at);
            }
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        self.visible.iter().any(|v| v == name) || (self.in_function && self.names.globals.contains(name))
    }

    fn name_of_qualified_call(&mut self, full: &str, namespace: &str, call: &FnCallExpr, at: Position) {
        let error = match self.names.qualified.get(full) {
            Some(counts) if counts.contains(&call.args.len()) => return,
            Some(counts) => {
                let expected = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                let error =
                    Error::typ(format!("{full}: wrong number of arguments")).got(call.args.len()).expected(expected);
                match self.registry.entries().iter().find(|e| e.full_name() == full) {
                    Some(entry) => error.advice(format!("usage: {}", entry.signature)),
                    None => error,
                }
            }
            None if self.names.namespaces.contains(namespace) => {
                let candidates = self.names.qualified.keys().chain(self.names.functions.keys()).cloned();
                suggest(
                    Error::new(Kind::Script, format!("there is no function `{full}`")),
                    full,
                    candidates.collect::<Vec<_>>(),
                )
            }
            None => self.no_namespace(namespace),
        };
        self.found(error, at);
    }

    fn no_namespace(&self, namespace: &str) -> Error {
        let error = Error::new(Kind::Script, format!("there is no namespace `{namespace}`"));
        suggest(error, namespace, self.names.namespaces.iter().cloned())
    }

    /// Keys of a map written out as the last argument of a primitive that takes options.
    fn options_of_call(&mut self, call: &FnCallExpr, method: bool) {
        let Some(Expr::Map(map, _)) = call.args.last() else { return };
        let full = if call.namespace.is_empty() {
            call.name.to_string()
        } else {
            format!("{}::{}", call.namespace, call.name)
        };
        if self.names.scripted.contains(&full) {
            return;
        }
        let count = call.args.len() + usize::from(method);
        let takes = |e: &&Entry| {
            let (least, most) = e.arity();
            e.full_name() == full && e.form == Form::Function && (least..=most).contains(&count)
        };
        let entries: Vec<&Entry> = self.registry.entries().iter().filter(takes).collect();
        let all_take_options = entries.iter().all(|e| e.parameters.last().is_some_and(|p| p.name == "options"));
        if entries.is_empty() || !all_take_options || entries.iter().any(|e| e.further_options) {
            return;
        }
        let known: Vec<&str> = entries.iter().flat_map(|e| e.option_names()).collect();
        for (key, _) in map.0.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            self.findings.push((unknown(&full, &key.name, &known), key.pos));
        }
    }
}

fn suggest(error: Error, name: &str, candidates: impl IntoIterator<Item = String>) -> Error {
    let mut near = nearest(name, candidates);
    near.dedup();
    if near.is_empty() { error } else { error.advice(format!("did you mean {}?", near.join(" or "))) }
}

/// The statements of a function. Rhai shows them to a walk only.
fn body_of(ast: &AST, name: &str, parameters: usize) -> Vec<Stmt> {
    let mut body = Vec::new();
    let mut only = ast.clone_functions_only();
    only.retain_functions(|_, _, n, count| n == name && count == parameters).walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    body
}
