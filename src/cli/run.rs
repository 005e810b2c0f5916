//! `ansatz run FILE`.

use std::path::{Path, PathBuf};

use ansatz::error::Kind;
use ansatz::script::{Host, nearest, stack};
use ansatz::session::Session;

use super::manifest::Manifest;
use super::options::SessionOptions;
use super::{FAILED, INTERRUPTED, OK, complain, folder_of, read_script, say, stop_on_ctrl_c};

/// Runs a script and returns the exit code.
pub fn run(file: &Path, options: SessionOptions) -> i32 {
    let (name, text) = match read_script(file) {
        Ok(script) => script,
        Err(message) => {
            complain(&message);
            return FAILED;
        }
    };
    stop_on_ctrl_c(2);
    let (folder, out) = (folder_of(file), options.out.clone().unwrap_or_else(|| default_folder(file)));
    let work = move || evaluate(&name, &text, folder, out, &options);
    stack::on_large_stack(work).unwrap_or_else(|error| {
        complain(&format!("error: {error}\n"));
        FAILED
    })
}

/// `runs/` and the script's name without its ending.
fn default_folder(file: &Path) -> PathBuf {
    let stem = if file.as_os_str() == "-" { None } else { file.file_stem() };
    Path::new("runs").join(stem.unwrap_or("stdin".as_ref()))
}

fn evaluate(name: &str, text: &str, folder: PathBuf, out: PathBuf, options: &SessionOptions) -> i32 {
    if let Err(error) = options.check() {
        complain(&format!("error: {error}\n"));
        return FAILED;
    }
    let session = Session::new(options.session(Some(folder), out));
    let mut manifest = Manifest::new(name, options, &session);
    if let Err(error) = begin(&session, &manifest, text) {
        complain(&format!("error: {error}\n"));
        return FAILED;
    }
    let mut host = Host::new(session.clone());
    let outcome = host.evaluate(name, text);
    let (code, status, error) = match outcome {
        Ok(value) => {
            if !value.is_unit() {
                say(&format!("{}\n", host.show(&value)));
            }
            (OK, "ok", None)
        }
        Err(diagnostic) => {
            complain(&diagnostic.to_string());
            let stopped = diagnostic.error.kind() == Kind::Interrupted;
            (
                if stopped { INTERRUPTED } else { FAILED },
                if stopped { "interrupted" } else { "failed" },
                Some(diagnostic.to_string()),
            )
        }
    };
    manifest.finish(&session, status, code, error.as_deref());
    if let Err(error) = manifest.write(&session) {
        complain(&format!("error: {error}\n"));
    }
    // A run that failed early may not have come to its parameters.
    if code == OK {
        warn_of_unused_parameters(&session);
    }
    // The process ends here: taking the session apart would only cost time.
    std::mem::forget(host);
    code
}

/// Prepares the run folder.
fn begin(session: &Session, manifest: &Manifest, text: &str) -> ansatz::Result<()> {
    if session.run().path().is_file() {
        return Err(ansatz::Error::file("the run folder is a file")
            .got(session.run().path().display())
            .advice("give a folder: --out DIR"));
    }
    if session.resumes() {
        warn_of_another_script(session, text);
    }
    session.run().begin(session.resumes())?;
    // Not synced to the disk: that would take longer than the start of the program.
    std::fs::write(session.run().file("script.rhai")?, text)?;
    std::fs::write(session.run().file("run.json")?, manifest.text())?;
    Ok(())
}

/// What is gone on with was made by the script in the run folder.
fn warn_of_another_script(session: &Session, text: &str) {
    let path = session.run().path().join("script.rhai");
    if std::fs::read_to_string(&path).is_ok_and(|before| before != text) {
        complain(&format!(
            "warning: --resume: the script has changed since the run in {}\n",
            session.run().path().display()
        ));
    }
}

fn warn_of_unused_parameters(session: &Session) {
    let used = session.used_parameters();
    for name in session.parameters().keys().filter(|name| !used.contains_key(*name)) {
        let near = nearest(name, used.keys().cloned());
        let advice = match (near.first(), used.is_empty()) {
            (Some(near), _) => format!("; did you mean {near}?"),
            (None, true) => "; the script has no param(…)".to_string(),
            (None, false) => format!("; it asks for {}", used.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        complain(&format!("warning: --set {name}: the script never asked for it{advice}\n"));
    }
}
