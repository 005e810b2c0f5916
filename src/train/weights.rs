//! The numbers of a network in a file of their own.

use std::path::Path;

use serde_json::json;

use super::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::nn::Net;

/// Writes parameters and buffers of a network, in the form that a training leaves them in `checkpoints/final.safetensors`.
pub fn save(net: &Net, path: &Path) -> Result<()> {
    let groups = vec![("parameters".to_string(), net.parameters()), ("buffers".to_string(), net.buffers())];
    let manifest = [("format".to_string(), json!(1)), ("version".to_string(), json!(env!("CARGO_PKG_VERSION")))]
        .into_iter()
        .collect();
    Checkpoint { groups, manifest }.write(path)
}

/// Reads parameters and buffers into a network of the same structure: from a file that [`save`] wrote, from the result of a
/// training or from one of its checkpoints. With `averaged`, the averaged parameters. On failure the network stays as it was.
///
/// # Errors
/// When the file is damaged or belongs to another structure; the first parameter that differs is named.
pub fn load(net: &Net, path: &Path, averaged: bool) -> Result<()> {
    let file = Checkpoint::read(net.context(), path)?;
    let name = if averaged { "average" } else { "parameters" };
    let unfit = |e: Error| e.within(path.display());
    let parameters = file.group(name).ok_or_else(|| unfit(Error::file(format!("the file has no {name}"))))?;
    net.parameters().agrees_with(parameters).map_err(unfit)?;
    if let Some(buffers) = file.group("buffers") {
        net.buffers().agrees_with(buffers).map_err(unfit)?;
        net.set_buffers(buffers)?;
    }
    net.set_parameters(parameters)
}
