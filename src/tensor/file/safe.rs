//! The safetensors format: the length of a JSON header, the header, the bytes of all tensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use super::element::Kind;
use super::{Context, Element, Error, Precision, Result, Tensor, claimed, decode, distinct, encode, seal};

const METADATA: &str = "__metadata__";

fn fault(e: impl std::fmt::Display) -> Error {
    Error::file(format!("not a readable .safetensors file: {e}"))
}

#[allow(clippy::type_complexity)]
pub(super) fn read(
    context: &Context,
    mut file: File,
    len: u64,
) -> Result<(Vec<(String, Tensor)>, BTreeMap<String, String>)> {
    let room = usize::try_from(len).map_err(fault)?;
    context.reserve(room)?;
    let mut bytes = Vec::with_capacity(room);
    file.read_to_end(&mut bytes)?;
    let (length, header) = SafeTensors::read_metadata(&bytes).map_err(fault)?;
    let metadata: BTreeMap<String, String> =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    // A checkpoint says what its bytes are.
    if let Some(Value::Object(manifest)) = metadata.get("manifest").and_then(|text| serde_json::from_str(text).ok())
        && let Some(Value::String(sum)) = manifest.get("sha256")
    {
        seal::check(&bytes, length.saturating_add(8).min(bytes.len()), sum)?;
    }
    let archive = SafeTensors::deserialize(&bytes).map_err(fault)?;
    let views: BTreeMap<&str, _> = archive.iter().collect();
    let mut tensors = Vec::with_capacity(views.len());
    for (name, view) in views {
        let element = element(view.dtype()).map_err(|e| e.within(format!("tensor {name:?}")))?;
        let wanted = claimed(context, element, view.shape(), view.data().len() as u64)?;
        if wanted != view.data().len() {
            return Err(fault(format!("tensor {name:?} has more bytes than its shape takes")));
        }
        tensors.push((name.to_string(), decode(context, element, view.data(), view.shape())?));
    }
    Ok((tensors, metadata))
}

fn element(dtype: Dtype) -> Result<Element> {
    Ok(Element::little(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::I8 => Kind::Signed(1),
        Dtype::I16 => Kind::Signed(2),
        Dtype::I32 => Kind::Signed(4),
        Dtype::I64 => Kind::Signed(8),
        Dtype::U8 => Kind::Unsigned(1),
        Dtype::U16 => Kind::Unsigned(2),
        Dtype::U32 => Kind::Unsigned(4),
        Dtype::U64 => Kind::Unsigned(8),
        Dtype::F16 => Kind::Float(2),
        Dtype::BF16 => Kind::Brain,
        Dtype::F32 => Kind::Float(4),
        Dtype::F64 => Kind::Float(8),
        other => {
            return Err(
                Error::file("the numbers of this tensor have a type that is not read").got(format!("{other:?}"))
            );
        }
    }))
}

/// The bytes of a `.safetensors` file. Written here and not by the crate, which orders the metadata by chance: one
/// state must give one file. Doubles come first, so that all numbers are aligned.
pub(super) fn write(tensors: &[(String, Tensor)], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let named = distinct(tensors)?;
    if named.contains_key(METADATA) {
        return Err(Error::value(format!("a tensor cannot be called {METADATA:?}")));
    }
    let (doubles, singles): (Vec<_>, Vec<_>) = named.into_iter().partition(|(_, t)| t.precision() == Precision::F64);
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.into(), json!(metadata));
    }
    let mut end = 0usize;
    for (name, tensor) in doubles.iter().chain(&singles) {
        let start = end;
        end += tensor.len() * tensor.precision().bytes();
        let dtype = tensor.precision().name().to_uppercase();
        header.insert((*name).into(), json!({ "dtype": dtype, "shape": tensor.shape(), "data_offsets": [start, end] }));
    }
    let mut text = Value::Object(header).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    if let Some((_, tensor)) = tensors.first() {
        tensor.context().reserve(end)?;
    }
    let mut out = Vec::with_capacity(8 + text.len() + end);
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    for (_, tensor) in doubles.iter().chain(&singles) {
        encode(tensor, &mut out)?;
    }
    Ok(out)
}
