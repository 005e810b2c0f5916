//! Equations without time, and stiff equations on grids with edges, as scripts: against known solutions, each other, reference data
//! and central differences.

use std::path::PathBuf;

use ansatz::script::Host;
use ansatz::session::{Options, Session};
use ansatz::tensor::Precision;

fn host() -> Host {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let options = Options { precision: Precision::F64, script_folder: Some(folder), ..Options::default() };
    Host::new(Session::new(options).unwrap())
}
fn numbers(host: &mut Host, script: &str) -> Vec<f64> {
    let value = host.eval(script).unwrap_or_else(|e| panic!("{e}\n{script}"));
    let array = value.into_array().unwrap_or_else(|t| panic!("an array of numbers, not {t}"));
    array.into_iter().map(|v| v.as_float().unwrap()).collect()
}
