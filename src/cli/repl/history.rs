//! Where earlier inputs are kept.

use std::path::PathBuf;

/// The history file in the user's folder for such things, or none when there is no such folder.
pub fn file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        .or_else(|| folder("LOCALAPPDATA"))?;
    let ours = base.join("ansatz");
    std::fs::create_dir_all(&ours).ok()?;
    Some(ours.join("history"))
}
