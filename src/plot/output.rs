//! Limits of size, encoding, and files that are whole or absent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::error::PlotError;
use super::raster::Pixels;

/// Longest side of a picture in pixels.
pub const MAX_SIDE: u32 = 12_000;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 50_000_000;

pub(crate) fn png_bytes(pixels: &Pixels) -> Result<Vec<u8>, PlotError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels.rgb, pixels.width, pixels.height, ExtendedColorType::Rgb8)
        .map_err(|error| PlotError::Draw(error.to_string()))?;
    Ok(bytes)
}

/// The ending of a path in lower case.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Writes a sibling and renames it, so that a reader never sees half a picture.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let part = sibling(path);
    let written = write_new(&part, bytes).and_then(|()| fs::rename(&part, path));
    written.map_err(|source| {
        // Nothing more can be done about a sibling that cannot be removed either.
        let _ = fs::remove_file(&part);
        PlotError::Write { path: path.to_path_buf(), source }
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sibling(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}.part", std::process::id()))
}
