//! Texts and tracing of equations, the two lanes against one another, gradients, samples and checks, as scripts in double precision.

mod bodies;
mod checks;
mod explain;
mod gradients;
mod lanes;
mod native;
mod points;
mod prepared;
mod rates;
mod samples;
mod symplectic;
mod texts;
mod tracing;

use rhai::Dynamic;

use crate::script::Host;
use crate::script::value::{Operand, compact};
use crate::session::{Options, Session};
use crate::tensor::Precision;

/// The value of a script in double precision.
fn evaluate(script: &str) -> Dynamic {
    let run_folder = std::env::temp_dir().join(format!("ansatz-equations-{}", std::process::id()));
    let mut host = Host::new(Session::new(Options { run_folder, precision: Precision::F64, ..Options::default() }));
    host.evaluate("test", script).unwrap_or_else(|e| panic!("{script}\n{e}"))
}

/// The error of a script.
fn refused(script: &str) -> String {
    let run_folder = std::env::temp_dir().join(format!("ansatz-equations-{}", std::process::id()));
    let mut host = Host::new(Session::new(Options { run_folder, precision: Precision::F64, ..Options::default() }));
    match host.evaluate("test", script) {
        Ok(value) => panic!("{script}\ngave {}", compact(&value)),
        Err(e) => e.to_string(),
    }
}

/// The number that a script ends with.
fn number(script: &str) -> f64 {
    let value = evaluate(script);
    match Operand::of(&value) {
        Some(Operand::Number(n)) => n,
        Some(Operand::Tensor(t)) => t.item().unwrap_or_else(|e| panic!("{script}\n{e}")),
        _ => panic!("{script}\ngave {}", compact(&value)),
    }
}

/// The text that a script ends with.
fn text(script: &str) -> String {
    evaluate(script).into_string().unwrap_or_else(|kind| panic!("{script}\ngave a {kind}"))
}

/// Runs a test with a session, on the stack that scripts have.
fn with_host(test: impl FnOnce(Host) + Send + 'static) {
    let run = || {
        let run_folder = std::env::temp_dir().join(format!("ansatz-equations-{}", std::process::id()));
        test(Host::new(Session::new(Options { run_folder, precision: Precision::F64, ..Options::default() })));
    };
    crate::script::stack::on_large_stack(run).expect("the engine's thread lives");
}
