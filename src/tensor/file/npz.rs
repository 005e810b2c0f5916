//! Several `.npy` arrays in a zip archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Array, Context, Error, Result, distinct, npy};

/// What deflate can make of one byte at most.
const MOST_INFLATION: u64 = 1032;

fn fault(e: zip::result::ZipError) -> Error {
    Error::file(format!("not a readable .npz archive: {e}"))
}

/// Reads all arrays; the names lose their `.npy`.
pub(super) fn read(context: &Context, file: File, len: u64) -> Result<BTreeMap<String, Array>> {
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
        let within = |e: Error| e.within(format!("array {name:?}"));
        let array = npy::read(context, &mut entry, available).map_err(within)?;
        to_the_end(&mut entry).map_err(within)?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// The archive compares its checksum (CRC-32) where an entry ends.
fn to_the_end(entry: &mut dyn Read) -> Result<()> {
    let mut rest = [0; 256];
    match entry.read(&mut rest) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Error::file("not a readable .npy array: something follows its last number")),
        Err(e) => Err(Error::file("the array is damaged: its numbers do not fit the checksum beside them")
            .got(e)
            .advice("copy or make the file again")),
    }
}

/// The bytes of a `.npz` file.
pub(super) fn write(tensors: &[(String, Array)]) -> Result<Vec<u8>> {
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
