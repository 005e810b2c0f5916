//! What tests that run scripts share.
#![allow(dead_code)] // each test uses its own part

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use ansatz::script::{Host, stack};
use ansatz::session::{Limits, Options, Session, Terminal};
use ansatz::tensor::{Precision, Tensor};
use rhai::Dynamic;

/// The folder with reference solutions: below `ANSATZ_ROOT`, where tests run on another machine than the one that built them.
pub fn data() -> PathBuf {
    std::env::var_os("ANSATZ_ROOT").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from).join("tests/data")
}

/// A session in double precision that reads scripts and data of the tests and prints nothing.
pub fn host(precision: Precision) -> Host {
    let folder = std::env::temp_dir().join(format!("ansatz-tests-{}", std::process::id()));
    Host::new(Session::new(Options {
        precision,
        limits: Limits { granted: vec![data()], ..Limits::default() },
        script_folder: Some(data().join("reference")),
        run_folder: folder,
        sink: Rc::new(Terminal::new(true)),
        ..Options::default()
    }))
}

/// A value of a script as a number; not a number where it is something else.
pub fn number(value: &Dynamic) -> f64 {
    match value.read_lock::<Tensor>() {
        Some(tensor) => tensor.item().unwrap_or(f64::NAN),
        None => value.as_float().or_else(|_| value.as_int().map(|n| n as f64)).unwrap_or(f64::NAN),
    }
}

/// Runs the rows of a table, each a script that ends in an error, and says which passes its tolerance.
///
/// # Panics
/// When one does.
pub fn judge(precision: Precision, prelude: &'static str, rows: &'static [(&'static str, &'static str, f64)]) {
    let run = move || {
        let mut faults = Vec::new();
        for (name, script, tolerance) in rows {
            let mut host = host(precision);
            let begun = Instant::now();
            match host.evaluate(name, &format!("{prelude}\n{script}")) {
                Ok(value) => match number(&value) {
                    error if error <= *tolerance => println!("{name}: {error:.2e} in {:.1?}", begun.elapsed()),
                    error => faults.push(format!("{name}: {error:.2e} > {tolerance:.0e}")),
                },
                Err(diagnosis) => faults.push(format!("{name}: {diagnosis}")),
            }
        }
        faults
    };
    let faults = stack::on_large_stack(run).expect("the engine's thread lives");
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len(), faults.join("\n"));
}
