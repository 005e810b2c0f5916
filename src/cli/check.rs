//! `ansatz check FILE`.

use std::path::{Path, PathBuf};

use ansatz::script::{Host, check, stack};
use ansatz::session::{Limits, Options, Session};

use super::{FAILED, OK, complain, folder_of, read_script};

/// Prints everything that is wrong with a script and returns the exit code.
pub fn check(file: &Path, allow: Vec<PathBuf>) -> i32 {
    let (name, text) = match read_script(file) {
        Ok(script) => script,
        Err(message) => {
            complain(&message);
            return FAILED;
        }
    };
    let folder = folder_of(file);
    let work = move || {
        let limits = Limits { granted: allow, ..Limits::default() };
        let host = Host::new(Session::new(Options { script_folder: Some(folder), limits, ..Options::default() }));
        let findings = check::check(&host, &name, &text);
        findings.iter().for_each(|finding| complain(&format!("{finding}\n")));
        match findings.len() {
            0 => OK,
            n => {
                complain(&format!("{n} problem{} in {name}\n", if n == 1 { "" } else { "s" }));
                FAILED
            }
        }
    };
    stack::on_large_stack(work).unwrap_or_else(|error| {
        complain(&format!("error: {error}\n"));
        FAILED
    })
}
