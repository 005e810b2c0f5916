//! The registry runs its own examples.

use super::value::compact;
use super::{Host, Registry};
use crate::session::{Options, Session};

pub(crate) fn host() -> Host {
    let run_folder = std::env::temp_dir().join(format!("ansatz-test-{}", std::process::id()));
    Host::new(Session::new(Options { run_folder, ..Options::default() }))
}

#[test]
fn every_example_gives_its_result() {
    let mut failures = Vec::new();
    let mut host = host();
    for entry in Registry::new().entries() {
        for example in &entry.examples {
            host.reset();
            match host.evaluate(&entry.full_name(), example.code) {
                Err(e) => failures.push(format!("{}\n{e}", example.code)),
                Ok(value) => {
                    let got = compact(&value);
                    if !example.result.is_empty() && got != example.result {
                        failures.push(format!("{}\n  expected {}\n  got      {got}", example.code, example.result));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_entry_is_documented() {
    for entry in Registry::new().entries() {
        assert!(!entry.brief.is_empty(), "{} has no brief text", entry.full_name());
        assert!(!entry.examples.is_empty(), "{} has no example", entry.full_name());
    }
}

#[test]
fn no_call_means_two_entries() {
    let registry = Registry::new();
    let entries = registry.entries();
    for (i, a) in entries.iter().enumerate() {
        for b in &entries[i + 1..] {
            if a.full_name() != b.full_name() || a.form != b.form {
                continue;
            }
            let ((from, to), (other_from, other_to)) = (a.arity(), b.arity());
            assert!(
                to < other_from || other_to < from,
                "{} and {} take the same number of arguments",
                a.signature,
                b.signature
            );
        }
    }
}
