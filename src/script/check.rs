//! Looks for faults in a script without running it: unknown functions, variables and options, wrong numbers of arguments.
//!
//! Rhai finds names when a line is reached, after hours of training perhaps. What cannot be known without running, such
//! as the keys of a map, is not reported: a valid script has no findings.

mod names;
mod walk;

use rhai::{AST, Expr, Position, Stmt};

use super::diagnose::Diagnostic;
use super::host::Host;
use super::imports;
use crate::error::Error;
use names::Names;
use walk::Walker;

/// Deeper chains of imports are not followed.
const MOST_IMPORTS: usize = 64;

/// Everything that is wrong with a script, in the order of its lines.
pub fn check(host: &Host, name: &str, text: &str) -> Vec<Diagnostic> {
    let text = super::host::without_mark(text);
    let ast = match host.parse(name, text) {
        Ok(ast) => ast,
        Err(diagnostic) => return vec![*diagnostic],
    };
    let mut findings: Vec<(Error, Position)> = Vec::new();
    let mut names = Names::of(host);
    let mut libraries = Vec::new();
    follow_imports(host, &ast, &mut libraries, &mut findings);
    names.add(&ast);
    for (alias, library) in &libraries {
        names.add(library);
        if let Some(alias) = alias {
            names.add_namespace(alias, library);
        }
    }
    findings.extend(Walker::new(host.registry(), &names, &ast).findings());
    findings.sort_by_key(|(_, at)| (at.line(), at.position()));
    findings.dedup_by(|a, b| a.1 == b.1 && a.0.what() == b.0.what());
    findings.into_iter().map(|(error, at)| Diagnostic::at(error, name, text, at)).collect()
}

/// Parses the library files of a script and theirs.
fn follow_imports(
    host: &Host,
    ast: &AST,
    libraries: &mut Vec<(Option<String>, AST)>,
    findings: &mut Vec<(Error, Position)>,
) {
    let mut seen = Vec::new();
    let mut open: Vec<(AST, bool)> = vec![(ast.clone(), true)];
    while let Some((ast, outermost)) = open.pop() {
        for statement in ast.statements() {
            let Stmt::Import(import, position) = statement else { continue };
            let Expr::StringConstant(path, at) = &import.0 else { continue };
            let alias = (!import.1.name.is_empty()).then(|| import.1.name.to_string());
            let library = imports::find(host.session(), path).and_then(|found| {
                let text = imports::read(&found)?;
                let shown = imports::shown(&found, host.session());
                let parsed = host
                    .parse(&shown, &text)
                    .map_err(|d| d.error.clone().within(format!("{shown}:{}:{}", d.line, d.column)));
                parsed.map(|ast| (found, ast))
            });
            match library {
                Ok((found, library)) => {
                    let known = seen.contains(&found);
                    libraries.push((alias, library.clone()));
                    if !known && seen.len() < MOST_IMPORTS {
                        seen.push(found);
                        open.push((library, false));
                    }
                }
                Err(error) if outermost => findings.push((error, if at.is_none() { *position } else { *at })),
                Err(_) => {}
            }
        }
    }
}
