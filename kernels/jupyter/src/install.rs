//! The kernelspec: how Jupyter finds the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

const NAME: &str = "ansatz";
const LOGOS: [(&str, &[u8]); 3] = [
    ("logo-32x32.png", include_bytes!("../assets/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("../assets/logo-64x64.png")),
    ("logo-svg.svg", include_bytes!("../assets/logo-svg.svg")),
];

/// Where the kernelspec goes.
#[derive(Args)]
#[group(multiple = false)]
pub struct Place {
    /// For the user alone (the default)
    #[arg(long)]
    user: bool,
    /// Below PREFIX/share/jupyter
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// Into the Python environment that is active, or that python3 belongs to
    #[arg(long)]
    sys_prefix: bool,
}

impl Place {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let data = if let Some(prefix) = &self.prefix {
            prefix.join("share/jupyter")
        } else if self.sys_prefix {
            sys_prefix()?.join("share/jupyter")
        } else {
            jupyter_zmq_client::dirs::user_data_dir()?
        };
        Ok(data.join("kernels").join(NAME))
    }
}

fn sys_prefix() -> anyhow::Result<PathBuf> {
    if let Some(prefix) = std::env::var_os("VIRTUAL_ENV").or_else(|| std::env::var_os("CONDA_PREFIX")) {
        return Ok(prefix.into());
    }
    let output = Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let output = output.context("--sys-prefix asks python3, which cannot be run; give --prefix instead")?;
    if !output.status.success() {
        bail!("python3 does not say its prefix; give --prefix instead");
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn spec(program: &Path) -> Value {
    json!({
        "argv": [program, "run", "{connection_file}"],
        "display_name": "Ansatz (Rhai)",
        "language": "rhai",
        "interrupt_mode": "message",
        "metadata": { "debugger": false },
    })
}

/// Writes the kernelspec; returns its folder.
pub fn install(place: &Place) -> anyhow::Result<PathBuf> {
    let folder = place.folder()?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = std::env::current_exe()?;
    let text = serde_json::to_string_pretty(&spec(&program))?;
    std::fs::write(folder.join("kernel.json"), text + "\n")?;
    for (name, bytes) in LOGOS {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(folder)
}

/// Removes the kernelspec; returns its folder.
pub fn uninstall(place: &Place) -> anyhow::Result<PathBuf> {
    let folder = place.folder()?;
    if !folder.join("kernel.json").is_file() {
        bail!("there is no kernel in {}", folder.display());
    }
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(folder)
}
