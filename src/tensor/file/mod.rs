//! Tensors in files: `.npy`, `.npz` (NumPy) and `.safetensors`.
//!
//! Floats keep the precision of the file (16-bit ones become `f32`); whole numbers and booleans become floats of the session's
//! precision. A file is not trusted: what it claims is compared with its length and with the limit of tensor memory before
//! anything is allocated. Writing is atomic and gives the same bytes for the same tensors.

mod element;
mod npy;
mod npz;
mod safe;
pub mod seal;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use self::element::{Element, Numbers};
use super::base::{Tensor, in_precision};
use super::complex::Complex;
use super::context::{Context, Precision};
use super::shape::{Shape, element_count};
use crate::error::{Error, Result};
use crate::session::write_stoppable;

/// More axes than this no honest file has.
const MOST_AXES: usize = 64;

/// An array of a NumPy file.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a handful of them live at a time, none for long
pub enum Array {
    /// Real numbers.
    Real(Tensor),
    /// Complex numbers: `complex64` or `complex128` there.
    Complex(Complex),
}

impl Array {
    /// Lengths of the axes.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Real(tensor) => tensor.shape(),
            Self::Complex(z) => z.shape(),
        }
    }
    /// The tensor, where the numbers are real.
    pub fn real(self) -> Result<Tensor> {
        match self {
            Self::Real(tensor) => Ok(tensor),
            Self::Complex(_) => Err(Error::file("the numbers of this array are complex").expected("real numbers")),
        }
    }
}

/// Reads a `.npy` file.
pub fn read_npy(context: &Context, path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    let (mut file, len) = open(path)?;
    npy::read(context, &mut file, len).map_err(|e| e.within(path.display()))
}
/// Reads all arrays of a `.npz` file by name, compressed or not.
pub fn read_npz(context: &Context, path: impl AsRef<Path>) -> Result<BTreeMap<String, Array>> {
    let path = path.as_ref();
    let (file, len) = open(path)?;
    npz::read(context, file, len).map_err(|e| e.within(path.display()))
}
/// Reads a `.npy` file of real numbers.
pub fn load_npy(context: &Context, path: impl AsRef<Path>) -> Result<Tensor> {
    read_npy(context, &path)?.real().map_err(|e| e.within(path.as_ref().display()))
}
/// Reads all arrays of a `.npz` file of real numbers by name, compressed or not.
pub fn load_npz(context: &Context, path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let named = |(name, array): (String, Array)| array.real().map(|t| (name.clone(), t)).map_err(|e| e.within(name));
    read_npz(context, path)?.into_iter().map(named).collect()
}
/// Reads a `.safetensors` file: the tensors in the order of their names, and the text that goes with them.
#[allow(clippy::type_complexity)]
pub fn load_safetensors(
    context: &Context,
    path: impl AsRef<Path>,
) -> Result<(Vec<(String, Tensor)>, BTreeMap<String, String>)> {
    let path = path.as_ref();
    let (file, len) = open(path)?;
    safe::read(context, file, len).map_err(|e| e.within(path.display()))
}

/// Writes a `.npy` file.
pub fn save_npy(array: &Array, path: impl AsRef<Path>) -> Result<()> {
    write_stoppable(path.as_ref(), &npy::write(array)?)
}
/// Writes a `.npz` file, not compressed.
pub fn save_npz(arrays: &[(String, Array)], path: impl AsRef<Path>) -> Result<()> {
    write_stoppable(path.as_ref(), &npz::write(arrays)?)
}
/// Writes a `.safetensors` file with text that goes with it.
pub fn save_safetensors(
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
    path: impl AsRef<Path>,
) -> Result<()> {
    write_stoppable(path.as_ref(), &safe::write(tensors, metadata)?)
}

/// A file and its length. Devices and pipes have none, and are refused.
fn open(path: &Path) -> Result<(File, u64)> {
    let fault = |e: std::io::Error| Error::file(format!("cannot read {}: {e}", path.display()));
    // Looked at before it is opened: opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(fault)?.is_file() {
        return Err(Error::file(format!("{} is not a file", path.display())));
    }
    let file = File::open(path).map_err(fault)?;
    let len = file.metadata().map_err(fault)?.len();
    Ok((file, len))
}

/// A tensor from the bytes of its elements in row-major order.
fn decode(context: &Context, element: Element, bytes: &[u8], shape: &[usize]) -> Result<Tensor> {
    match element.numbers(bytes, context.precision()) {
        Numbers::Single(values) => Tensor::from_vec(context, values, shape),
        Numbers::Double(values) => Tensor::from_vec(context, values, shape),
    }
}

/// Checks what a file claims: the bytes of an array are there, and there is room for them and for the tensor.
fn claimed(context: &Context, element: Element, shape: &[usize], available: u64) -> Result<usize> {
    if shape.len() > MOST_AXES {
        return Err(Error::file("an array with too many axes")
            .got(shape.len())
            .expected(format!("at most {MOST_AXES}")));
    }
    let count = element_count(shape)?;
    let bytes = count.saturating_mul(element.bytes());
    if bytes as u64 > available {
        return Err(Error::file("the file is shorter than the array it should hold")
            .got(format!("{available} bytes"))
            .expected(format!("{bytes} for shape {shape:?}"))
            .advice("the file was cut off, or is not what its name says"));
    }
    context.reserve(bytes.saturating_add(count.saturating_mul(element.precision(context.precision()).bytes())))?;
    Ok(bytes)
}

/// The elements of a tensor, little-endian, in row-major order.
fn encode(tensor: &Tensor, out: &mut Vec<u8>) -> Result<()> {
    in_precision!(tensor.precision(), T => {
        for value in tensor.read::<T>()? {
            out.extend_from_slice(&value.to_le_bytes());
        }
    });
    Ok(())
}

/// Names in a file must differ.
fn distinct<T>(tensors: &[(String, T)]) -> Result<BTreeMap<&str, &T>> {
    let mut named = BTreeMap::new();
    for (name, tensor) in tensors {
        if named.insert(name.as_str(), tensor).is_some() {
            return Err(Error::value("two tensors of a file have one name").got(format!("{name:?}")));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests;
