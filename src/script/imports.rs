//! Library files: `import "file"` and `import "file" as name`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared, Stmt};

use super::closure::into_rhai;

use crate::error::{Error, Result};
use crate::session::Session;

/// A library is a text; a larger file is a mistake.
const MOST_BYTES: u64 = 16 << 20;

/// The file that `path` means: as it is, or with `.rhai` after it.
pub(super) fn find(session: &Session, path: &str) -> Result<PathBuf> {
    let with_extension = format!("{path}.rhai");
    let found = if Path::new(path).extension().is_some_and(|e| e == "rhai") {
        session.readable(path)
    } else {
        session.readable(&with_extension)
    };
    found.map_err(|e| e.within("import"))
}

/// Its text.
pub(super) fn read(path: &Path) -> Result<String> {
    let unreadable = |e: &dyn std::fmt::Display| Error::file(format!("import: cannot read {}: {e}", path.display()));
    let size = std::fs::metadata(path).map_err(|e| unreadable(&e))?.len();
    if size > MOST_BYTES {
        return Err(
            Error::limit("import: the file is too large for a script").got(crate::tensor::human_bytes(size as usize))
        );
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(&e))?;
    Ok(super::host::without_mark(&text).to_string())
}

/// The path as errors show it: below the script's folder without that folder.
pub(super) fn shown(path: &Path, session: &Session) -> String {
    let root = session.script_folder().and_then(|f| f.canonicalize().ok());
    root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path).display().to_string()
}

/// The functions of a library, and the variables it defined, under a name.
pub(super) fn module(ast: &AST, scope: &Scope) -> Module {
    let mut module = Module::new();
    for (_, _, _, _, function) in ast.shared_lib().iter_script_fn_info() {
        module.set_script_fn(function.clone());
    }
    for statement in ast.statements() {
        if let Stmt::Var(definition, ..) = statement
            && let Some(value) = scope.get(definition.0.as_str())
        {
            module.set_var(definition.0.as_str(), value.flatten_clone());
        }
    }
    module.build_index();
    module
}

/// Libraries that are loaded, by the path that the script wrote. Rhai asks here when an `import` is evaluated; the host has
/// loaded those of the top level before.
#[derive(Clone, Default)]
pub(super) struct Modules(Rc<RefCell<BTreeMap<String, Shared<Module>>>>);

impl Modules {
    /// Adds a loaded library.
    pub fn insert(&self, path: &str, module: Shared<Module>) {
        self.0.borrow_mut().insert(path.to_string(), module);
    }
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        _: Position,
    ) -> std::result::Result<Shared<Module>, Box<EvalAltResult>> {
        self.0.borrow().get(path).cloned().ok_or_else(|| {
            into_rhai(Error::new(
                crate::error::Kind::Script,
                "import stands at the top of a script, not inside of a block or function",
            ))
        })
    }
}
