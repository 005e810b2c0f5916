//! Tracing, texts, classes, and the two lanes against one another.

mod lanes;
mod texts;
mod tracing;

use crate::script::{Host, stack};
use crate::session::{Options, Session};
use crate::tensor::Precision;

fn host() -> Host {
    Host::new(Session::new(Options { precision: Precision::F64, ..Options::default() }))
}

/// Runs a test on the stack that scripts have.
fn with_host(test: impl FnOnce(Host) + Send + 'static) {
    stack::on_large_stack(|| test(host())).expect("the engine's thread lives");
}
