//! Several `.npy` arrays in a zip archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Context, Error, Result, Tensor, distinct, npy};

/// What deflate can make of one byte at most.
const MOST_INFLATION: u64 = 1032;

fn fault(e: zip::result::ZipError) -> Error {
    Error::file(format!("not a readable .npz archive: {e}"))
}

/// Reads all arrays; the names lose their `.npy`.
pub(super) fn read(context: &Context, file: File, len: u64) -> Result<BTreeMap<String, Tensor>> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(fault)?;
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(fault)?;
        let Some(name) = entry.name().strip_suffix(".npy").map(str::to_string) else { continue };
        let stored = entry.compressed_size().min(len);
        let available = match entry.compression() {
            CompressionMethod::Stored => stored,
            _ => stored.saturating_mul(MOST_INFLATION),
        };
        let array = npy::read(context, &mut entry, available).map_err(|e| e.within(format!("array {name:?}")))?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// The bytes of a `.npz` file.
pub(super) fn write(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    distinct(tensors)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in tensors {
        let bytes = npy::write(tensor)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= u32::MAX as usize);
        archive.start_file(format!("{name}.npy"), options).map_err(fault)?;
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish().map_err(fault)?.into_inner())
}
