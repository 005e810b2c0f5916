//! The folder that a run leaves: script, options, versions, metrics, results, figures, checkpoints.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use super::interrupt;
use crate::error::{Error, Result};

/// A folder that is made when the first file is written into it.
pub struct RunFolder {
    path: PathBuf,
    made: Cell<bool>,
    metrics: RefCell<Option<File>>,
    results: RefCell<serde_json::Map<String, serde_json::Value>>,
}

impl RunFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, made: Cell::new(false), metrics: RefCell::new(None), results: RefCell::default() }
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// A file in it; its folders are made.
    ///
    /// # Errors
    /// When the path would leave the run folder.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let relative = Path::new(name);
        let leaves = relative.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir));
        if name.trim().is_empty() || name.contains('\0') || leaves {
            return Err(Error::file("a script writes into its run folder only")
                .got(format!("the path {name:?}"))
                .expected(format!("a relative path below {}", self.path.display()))
                .advice("choose another run folder with --out DIR"));
        }
        let path = self.path.join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| io_error("cannot make the folder", parent, &e))?;
            // A link inside the run folder must not lead out of it.
            let (real, root) = (parent.canonicalize()?, self.path.canonicalize()?);
            if !real.starts_with(&root) {
                return Err(Error::file("a script writes into its run folder only").got(real.display()));
            }
        }
        self.made.set(true);
        Ok(path)
    }
    /// Writes a file as a whole: a reader sees the old one or the new one, never a part.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.file(name)?;
        write_atomically(&path, bytes)?;
        Ok(path)
    }
    /// Appends a line to `metrics.jsonl`.
    pub fn metric(&self, value: &serde_json::Value) -> Result<()> {
        let mut slot = self.metrics.borrow_mut();
        if slot.is_none() {
            let path = self.file("metrics.jsonl")?;
            let file = OpenOptions::new().create(true).append(true).open(&path);
            *slot = Some(file.map_err(|e| io_error("cannot write", &path, &e))?);
        }
        if let Some(file) = slot.as_mut() {
            writeln!(file, "{value}")?;
        }
        Ok(())
    }
    /// Adds to `results.json`; a key given again is replaced.
    pub fn results(&self, values: serde_json::Map<String, serde_json::Value>) -> Result<()> {
        let mut results = self.results.borrow_mut();
        results.extend(values);
        let mut text = serde_json::to_string_pretty(&*results)
            .map_err(|e| Error::file(format!("cannot write results.json: {e}")))?;
        text.push('\n');
        self.write("results.json", text.as_bytes()).map(|_| ())
    }
    /// Removes what an earlier run left and this one would be confused with.
    pub fn begin(&self, keep_checkpoints: bool) -> Result<()> {
        for name in ["metrics.jsonl", "results.json"] {
            // A resumed run goes on with the metrics it has.
            if !(keep_checkpoints && name == "metrics.jsonl") {
                remove(fs::remove_file(self.path.join(name)), &self.path.join(name))?;
            }
        }
        if !keep_checkpoints {
            let folder = self.path.join("checkpoints");
            remove(fs::remove_dir_all(&folder), &folder)?;
        }
        Ok(())
    }
    /// Keeps only the lines of `metrics.jsonl` that `keep` accepts; for a resumed run, which writes some again.
    pub fn retain_metrics(&self, keep: impl Fn(&serde_json::Value) -> bool) -> Result<()> {
        *self.metrics.borrow_mut() = None;
        let path = self.file("metrics.jsonl")?;
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        let kept: String = text
            .lines()
            .filter(|line| serde_json::from_str(line).is_ok_and(|value| keep(&value)))
            .flat_map(|line| [line, "\n"])
            .collect();
        write_atomically(&path, kept.as_bytes())
    }
}

/// Writes to a sibling, syncs it, renames it over the target, and syncs the folder.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, || Ok(()))
}

/// [`write_atomically`] for what a script saves: an interrupt ends it, and what was there before stays.
///
/// # Errors
/// Also when the user or the limit of time asked to stop.
pub fn write_stoppable(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, interrupt::poll)
}

/// Bytes between two looks, and to a disk at once: half a second on a slow one.
const PIECE: usize = 32 << 20;

fn write(path: &Path, bytes: &[u8], mut go_on: impl FnMut() -> Result<()>) -> Result<()> {
    let name = path.file_name().ok_or_else(|| Error::file("not a file name").got(path.display()))?;
    let mut sibling = name.to_os_string();
    sibling.push(format!(".{}.part", std::process::id()));
    let sibling = path.with_file_name(sibling);
    let fault = |e: std::io::Error| io_error("cannot write", path, &e);
    let mut write = || -> Result<()> {
        let mut file = File::create(&sibling).map_err(fault)?;
        for piece in bytes.chunks(PIECE) {
            go_on()?;
            file.write_all(piece).map_err(fault)?;
            if bytes.len() > PIECE {
                file.sync_data().map_err(fault)?;
            }
        }
        file.sync_all().map_err(fault)?;
        fs::rename(&sibling, path).map_err(fault)?;
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)?;
        }
        Ok(())
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&sibling);
    })
}

/// Resolves a path that a script wants to read; it must lie below one of `roots`, links followed.
pub(super) fn below(path: &str, roots: &[PathBuf]) -> Result<PathBuf> {
    let refused = || {
        let list: Vec<String> = roots.iter().map(|r| r.display().to_string()).collect();
        Error::file("a script reads below its own folder and its run folder only")
            .got(format!("the path {path:?}"))
            .expected(format!("a file below {}", list.join(" or ")))
            .advice("grant another folder with --allow DIR")
    };
    if path.contains('\0') {
        return Err(refused());
    }
    let wanted = Path::new(path);
    let candidates =
        roots.iter().map(|root| if wanted.is_absolute() { wanted.to_path_buf() } else { root.join(wanted) });
    let mut missing = true;
    for candidate in candidates {
        let Ok(real) = candidate.canonicalize() else { continue };
        missing = false;
        if roots.iter().any(|root| root.canonicalize().is_ok_and(|root| real.starts_with(root))) {
            return Ok(real);
        }
    }
    let climbs = wanted.is_absolute() || wanted.components().any(|c| matches!(c, Component::ParentDir));
    if missing && !climbs {
        return Err(Error::file(format!("there is no file {path:?}"))
            .advice("paths are relative to the script's folder, then to the run folder"));
    }
    Err(refused())
}

fn remove(outcome: std::io::Result<()>, path: &Path) -> Result<()> {
    match outcome {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_error("cannot remove", path, &e)),
        _ => Ok(()),
    }
}

fn io_error(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::file(format!("{what} {}: {error}", path.display()))
}
