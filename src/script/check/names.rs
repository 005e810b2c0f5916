//! What a script may name: primitives, Rhai's own functions, its own and its libraries' functions.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, Stmt};

use super::super::host::{Host, MARKER};
use super::super::registry::Form;

/// Words of the language that are written like functions, and take any number of arguments as far as is checked here.
const KEYWORDS: [&str; 14] = [
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_var",
    "is_def_fn",
    "type_of",
    "print",
    "debug",
    "this",
    "global",
    "to_string",
    "to_debug",
    "throw",
];

/// See the module.
#[derive(Default)]
pub(super) struct Names {
    /// Numbers of arguments by function; a method's object counts as one.
    pub functions: BTreeMap<String, BTreeSet<usize>>,
    /// Numbers of arguments by full name.
    pub qualified: BTreeMap<String, BTreeSet<usize>>,
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Constants, with their namespace.
    pub constants: BTreeSet<String>,
    /// Variables of the top level, of libraries and of the session: functions may read them.
    pub globals: BTreeSet<String>,
    /// Variables of libraries and of the session: there before the script begins.
    pub earlier: BTreeSet<String>,
    /// Keys of maps: a map's value may be called like a method.
    pub keys: BTreeSet<String>,
    /// Functions of scripts, which hide primitives of the same name.
    pub scripted: BTreeSet<String>,
    started: bool,
}

impl Names {
    /// What every script knows.
    pub fn of(host: &Host) -> Self {
        let mut names = Self::default();
        let metadata = |info: rhai::FuncInfo| {
            Some((info.metadata.name.to_string(), info.metadata.num_params, info.namespace.to_string()))
        };
        for (name, count, namespace) in host.engine().collect_fn_metadata(None, metadata, true) {
            if name == MARKER {
                continue;
            }
            if namespace.is_empty() {
                names.functions.entry(name).or_default().insert(count);
            } else {
                names.qualified.entry(format!("{namespace}::{name}")).or_default().insert(count);
            }
        }
        for entry in host.registry().entries() {
            let (least, most) = entry.arity();
            let space = entry.namespace.trim_end_matches("::");
            match entry.form {
                Form::Constant => {
                    names.constants.insert(entry.full_name());
                }
                Form::Function if space.is_empty() => {
                    names.functions.entry(entry.name.to_string()).or_default().extend(least..=most)
                }
                Form::Function => names.qualified.entry(entry.full_name()).or_default().extend(least..=most),
                Form::Property | Form::Operator | Form::Index => {}
            }
            if !space.is_empty() {
                names.namespaces.insert(space.to_string());
            }
        }
        for (name, count) in host.functions() {
            names.functions.entry(name.to_string()).or_default().insert(count);
            names.scripted.insert(name.to_string());
        }
        for (name, ..) in host.variables() {
            names.globals.insert(name.to_string());
            names.earlier.insert(name.to_string());
        }
        names
    }

    /// Adds what a script or a library defines.
    pub fn add(&mut self, ast: &AST) {
        for function in ast.iter_functions().filter(|f| !f.name.starts_with("anon$")) {
            let counts = self.functions.entry(function.name.to_string()).or_default();
            counts.insert(function.params.len());
            self.scripted.insert(function.name.to_string());
        }
        for statement in ast.statements() {
            if let Stmt::Var(definition, ..) = statement {
                self.globals.insert(definition.0.name.to_string());
                // The first one added is the script itself; libraries are loaded before their variables are used.
                if self.started {
                    self.earlier.insert(definition.0.name.to_string());
                }
            }
        }
        self.started = true;
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    self.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()))
                }
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    self.keys.insert(property.2.to_string());
                }
                // m["key"] = |x| …
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    self.keys.insert(text.to_string());
                }
                _ => {}
            }
            true
        });
    }

    /// Adds a library under a name.
    pub fn add_namespace(&mut self, alias: &str, library: &AST) {
        self.namespaces.insert(alias.to_string());
        for function in library.iter_functions().filter(|f| !f.name.starts_with("anon$")) {
            self.qualified.entry(format!("{alias}::{}", function.name)).or_default().insert(function.params.len());
        }
        for statement in library.statements() {
            if let Stmt::Var(definition, ..) = statement {
                self.constants.insert(format!("{alias}::{}", definition.0.name));
            }
        }
    }

    /// Whether a name belongs to the language.
    pub fn is_keyword(name: &str) -> bool {
        KEYWORDS.contains(&name)
    }
}
