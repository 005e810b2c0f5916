//! `ansatz doc [NAME]`.

use ansatz::script::{Registry, reference};

use super::{FAILED, OK, complain, say};

/// Prints the reference, or one part of it, and returns the exit code.
pub fn doc(name: Option<&str>, markdown: bool) -> i32 {
    let registry = Registry::new();
    let Some(name) = name else {
        say(&if markdown { reference::markdown(&registry) } else { reference::overview(&registry) });
        return OK;
    };
    match reference::about(&registry, name) {
        Some(text) => {
            say(&text);
            OK
        }
        None => {
            let near = reference::near(&registry, name);
            let advice = if near.is_empty() {
                "ansatz doc lists all names".into()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            complain(&format!("error: nothing is called {name:?}\n  advice: {advice}\n"));
            FAILED
        }
    }
}
