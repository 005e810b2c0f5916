//! Named equations, each a few lines of script kept once in a table, and families of initial states.
//!
//! An equation is an item of [`catalogue`]: what `physics::name(#{ … })` evaluates is the very text that `ansatz doc
//! physics::name` prints. To add one, add an item to the file of its family and a row to `tests.rs`.

mod bodies;
mod evaluate;
mod flows;
pub mod initial;
mod patterns;
pub(crate) mod script;
pub(crate) mod script_initial;
mod stationary;
mod transport;
mod waves;

/// An equation with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// `burgers` of `physics::burgers`.
    pub name: &'static str,
    /// One line.
    pub brief: &'static str,
    /// The formula as LaTeX.
    pub formula: &'static str,
    /// Name, value as script, and what it is with its unit or good values.
    pub parameters: &'static [(&'static str, &'static str, &'static str)],
    /// The script; its value is what `physics::name` returns. Parameters are variables in it.
    pub source: &'static str,
    /// A script that uses it: grid, initial state, solution. Run by a test.
    pub example: &'static str,
    /// How it behaves, what it needs, where it comes from.
    pub text: &'static str,
}

/// Every named equation, family by family.
pub fn catalogue() -> impl Iterator<Item = &'static Named> {
    [transport::NAMED, waves::NAMED, patterns::NAMED, flows::NAMED, stationary::NAMED, bodies::NAMED]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests;
