//! The state of a training in one file: tensors and a manifest, written as a whole or not at all.
//!
//! The file is a safetensors file whose metadata has one entry, `manifest`, a JSON object with sorted keys: the same state gives
//! the same bytes. Reading executes nothing; sizes and offsets are checked by the `safetensors` crate, names and shapes here. A
//! checksum of the whole file is in the manifest; files that were written without one are read as well.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::session::write_atomically;
use crate::tensor::file::seal;
pub use crate::tensor::file::seal::sha256;
use crate::tensor::{Context, Precision, Tensor};

/// Named groups of tensors (`parameters`, `optimizer`, …) and what else there is to know.
#[derive(Clone, Default)]
pub struct Checkpoint {
    /// Groups by name; a tensor's name in the file is `group/name`.
    pub groups: Vec<(String, Parameters)>,
    /// Numbers and texts.
    pub manifest: Map<String, Value>,
}

/// A manifest larger than this is not ours.
const LARGEST_MANIFEST: usize = 16 << 20;

impl Checkpoint {
    /// The tensors of a group, in their order.
    pub fn group(&self, name: &str) -> Option<&Parameters> {
        self.groups.iter().find(|(group, _)| group == name).map(|(_, tensors)| tensors)
    }
    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut manifest = self.manifest.clone();
        // Safetensors sorts by size and name; the order of the parameters is ours to keep.
        let order = |tensors: &Parameters| Value::from(tensors.names().to_vec());
        manifest.insert(
            "order".into(),
            self.groups.iter().map(|(group, tensors)| (group.clone(), order(tensors))).collect::<Map<_, _>>().into(),
        );
        // Two keys, so that no flipped bit makes a file look like one of those that had no checksum yet.
        manifest.insert("sealed".into(), true.into());
        manifest.insert("sha256".into(), seal::BLANK.into());
        let mut views = Vec::new();
        for (group, tensors) in &self.groups {
            for (name, tensor) in tensors.iter() {
                views.push((format!("{group}/{name}"), Bytes::of(tensor)?));
            }
        }
        let metadata = HashMap::from([("manifest".to_string(), Value::from(manifest).to_string())]);
        let mut bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|e| Error::internal(format!("writing a checkpoint: {e}")))?;
        let header = header_of(&bytes);
        seal::seal(&mut bytes, header)?;
        Ok(bytes)
    }
    /// Writes the file: a reader sees the old one or the new one, never a part.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes()?)
    }
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// When they are not a checkpoint, or a truncated one.
    pub fn from_bytes(context: &Context, bytes: &[u8]) -> Result<Self> {
        let unfit = |why: String| Error::file(format!("not a checkpoint, or a damaged one: {why}"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| unfit(e.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| unfit(e.to_string()))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get("manifest"))
            .ok_or_else(|| unfit("it has no manifest".into()))?;
        if text.len() > LARGEST_MANIFEST {
            return Err(unfit("its manifest is too large".into()));
        }
        let Ok(Value::Object(mut manifest)) = serde_json::from_str(text) else {
            return Err(unfit("its manifest is not a JSON object".into()));
        };
        match (manifest.remove("sealed"), manifest.remove("sha256")) {
            (None, None) => {}
            (Some(Value::Bool(true)), Some(Value::String(sum))) => seal::check(bytes, header_of(bytes), &sum)?,
            _ => return Err(unfit("its checksum is damaged".into())),
        }
        let Some(Value::Object(order)) = manifest.remove("order") else {
            return Err(unfit("its manifest names no tensors".into()));
        };
        let mut groups = Vec::new();
        for (group, names) in order {
            let names: Vec<String> = serde_json::from_value(names).map_err(|e| unfit(e.to_string()))?;
            let mut tensors = Parameters::new();
            for name in names {
                let view = file.tensor(&format!("{group}/{name}")).map_err(|e| unfit(e.to_string()))?;
                tensors.push(name, tensor(context, view.dtype(), view.shape(), view.data())?)?;
            }
            groups.push((group, tensors));
        }
        Ok(Self { groups, manifest })
    }
    /// Reads a file.
    pub fn read(context: &Context, path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::file(format!("cannot read {}: {e}", path.display())))?;
        Self::from_bytes(context, &bytes).map_err(|e| e.within(path.display()))
    }
}

struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}
impl Bytes {
    fn of(tensor: &Tensor) -> Result<Self> {
        let (dtype, data) = match tensor.precision() {
            Precision::F32 => {
                (Dtype::F32, tensor.with_numbers::<f32, _>(|x| x.iter().flat_map(|x| x.to_le_bytes()).collect())?)
            }
            Precision::F64 => {
                (Dtype::F64, tensor.with_numbers::<f64, _>(|x| x.iter().flat_map(|x| x.to_le_bytes()).collect())?)
            }
        };
        Ok(Self { dtype, shape: tensor.shape(), data })
    }
}
impl View for Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

fn tensor(context: &Context, dtype: Dtype, shape: &[usize], data: &[u8]) -> Result<Tensor> {
    match dtype {
        Dtype::F32 => {
            let numbers = data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Tensor::from_vec(context, numbers, shape)
        }
        Dtype::F64 => {
            let numbers = data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
            Tensor::from_vec(context, numbers, shape)
        }
        other => Err(Error::file("a checkpoint holds f32 or f64 numbers only").got(format!("{other:?}"))),
    }
}

/// Where the header of a safetensors file ends.
fn header_of(bytes: &[u8]) -> usize {
    let len = bytes.first_chunk::<8>().map_or(0, |len| u64::from_le_bytes(*len));
    usize::try_from(len).unwrap_or(usize::MAX).saturating_add(8).min(bytes.len())
}

/// The checkpoints of one training: `checkpoint-<step>.safetensors` in a folder of their own, the last few of them.
pub struct Shelf {
    folder: PathBuf,
    keep: usize,
}

impl Shelf {
    /// In `folder`, where the last `keep` stay (at least 2: the one before must be there should the last be damaged).
    pub fn new(folder: PathBuf, keep: usize) -> Self {
        Self { folder, keep: keep.max(2) }
    }
    /// The files with their steps, the last first.
    fn files(&self) -> Vec<(u64, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<(u64, PathBuf)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let step = path
                    .file_name()?
                    .to_str()?
                    .strip_prefix("checkpoint-")?
                    .strip_suffix(".safetensors")?
                    .parse()
                    .ok()?;
                Some((step, path))
            })
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        files
    }
    /// Removes what a killed process left half-written.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_some_and(|e| e == "part") {
                let _ = fs::remove_file(path);
            }
        }
    }
    /// Writes one more and then removes those that are too old.
    pub fn add(&self, step: u64, checkpoint: &Checkpoint) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        checkpoint.write(&self.folder.join(format!("checkpoint-{step:010}.safetensors")))?;
        for (_, old) in self.files().into_iter().skip(self.keep) {
            // Another process may have been quicker; an old file too many does no harm.
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
    /// The last one that can be read, and what was wrong with those after it. `Ok(None)` when there are no files.
    ///
    /// # Errors
    /// When there are files but none can be read.
    pub fn last(&self, context: &Context) -> Result<Option<(Checkpoint, Vec<Error>)>> {
        let mut errors = Vec::new();
        for (_, path) in self.files() {
            match Checkpoint::read(context, &path) {
                Ok(checkpoint) => return Ok(Some((checkpoint, errors))),
                Err(error) => errors.push(error),
            }
        }
        match errors.into_iter().next() {
            Some(error) => Err(error.advice("no other checkpoint can be read; start again without --resume")),
            None => Ok(None),
        }
    }
    /// Puts what is there aside, as `<folder>.previous`, for a training that starts anew under the same name.
    pub fn put_aside(&self) -> Result<bool> {
        if self.files().is_empty() {
            return Ok(false);
        }
        let mut name = self.folder.clone().into_os_string();
        name.push(".previous");
        let aside = PathBuf::from(name);
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::rename(&self.folder, &aside)?;
        Ok(true)
    }
}
