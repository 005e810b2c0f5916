//! The Rhai host: registry, engine, session rules, errors, limits, reference.

pub mod assist;
pub mod call;
mod caught;
pub mod check;
pub mod closure;
mod core;
pub mod diagnose;
mod elsewhere;
pub(crate) mod engine;
mod files;
mod guards;
mod host;
mod imports;
mod math;
pub mod options;
mod powers;
pub mod reference;
pub mod registry;
mod report;
mod sources;
pub mod stack;
pub mod table;
pub mod value;
mod variables;
mod watchdog;

pub use call::Call;
pub use closure::Closure;
pub use diagnose::Diagnostic;
pub use host::Host;
pub use options::Options;
pub use registry::{Entry, Registry, constant, entry, index, nearest, operator, property};

/// The tables of all domains, in the order of the reference.
fn tables() -> Vec<(&'static str, Vec<Entry>)> {
    vec![
        ("Language", core::entries()),
        ("Mathematics", math::entries()),
        ("Files", files::entries()),
        ("Tensors", crate::tensor::script::entries()),
        ("Complex numbers and Fourier transforms", crate::tensor::script_complex::entries()),
        ("Linear algebra and convolutions", crate::tensor::script_linear::entries()),
        ("Gradients", crate::tensor::script_gradients::entries()),
        ("Random numbers", crate::tensor::script_random::entries()),
        ("Grids and fields", crate::field::script::entries()),
        ("Equations", crate::equation::script::entries()),
        ("Solving", crate::solve::script::entries()),
        ("Equations without time", crate::solve::elliptic::script::entries()),
        ("Flows", crate::solve::flow::script::entries()),
        ("Physics", crate::physics::script::entries()),
        ("Initial states", crate::physics::script_initial::entries()),
        ("Stochastic processes", crate::sde::script::entries()),
        ("Networks", crate::nn::script::entries()),
        ("Layers", crate::nn::script_layers::entries()),
        ("Training", crate::train::script::entries()),
        ("Pictures", crate::plot::script::entries()),
        ("Results", report::entries()),
    ]
}

#[cfg(test)]
mod tests;
