//! `save` and `load`: what a value is decides how it is written.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use rhai::{Dynamic, Map};

use super::registry::{Entry, entry};
use super::value::{Operand, describe};
use super::{Call, engine};
use crate::error::{Error, Result};
use crate::nn::Net;
use crate::plot::{Animation, Figure};
use crate::tensor::file::{Array, load_safetensors, read_npy, read_npz, save_npy, save_npz, save_safetensors};
use crate::tensor::{Complex, Tensor};

fn extension(path: &FilePath) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn unfit(c: &Call, extension: &str, expected: &str) -> Error {
    let got =
        if extension.is_empty() { "a name without an ending".to_string() } else { format!("the ending .{extension}") };
    Error::file(format!("{}: {} is not written that way", c.name(), c.value(0).map_or("this".into(), |v| describe(&v))))
        .got(got)
        .expected(expected)
}

fn named_arrays(c: &Call, map: &Map) -> Result<Vec<(String, Array)>> {
    let array = |value: &Dynamic| match Operand::of(value)? {
        Operand::Complex(z) => Some(Array::Complex(z)),
        other => other.into_tensor(c.session.context()).map(Array::Real),
    };
    map.iter()
        .map(|(name, value)| match array(value) {
            Some(array) => Ok((name.to_string(), array)),
            None => Err(Error::typ(format!("save: `{name}` is not a tensor")).got(describe(value))),
        })
        .collect()
}

/// A .safetensors file has no complex numbers of double precision.
fn real(name: &str, array: Array) -> Result<Tensor> {
    array.real().map_err(|_| {
        Error::typ(format!("save: `{name}` is complex, and a .safetensors file holds real numbers"))
            .expected("real tensors, or a file .npz, which holds complex ones")
            .advice(format!("two tensors: #{{ {name}_re: {name}.re, {name}_im: {name}.im }}"))
    })
}

fn value_of(array: Array) -> Dynamic {
    match array {
        Array::Real(tensor) => Dynamic::from(tensor),
        Array::Complex(z) => Dynamic::from(z),
    }
}

fn save(c: &mut Call) -> Result<Dynamic> {
    let name = c.string(1)?;
    let path = c.session.writable(&name)?;
    let kind = extension(&path);
    if let Some(figure) = c.object_if::<Figure>(0) {
        figure.save(&path)?;
        let png = if kind == "png" { std::fs::read(&path)? } else { figure.to_png_bytes()? };
        c.session.sink().picture(&path, &png);
        return engine::nothing();
    }
    if let Some(animation) = c.object_if::<Animation>(0) {
        let mut progress = c.session.progress("animation", animation.frames.len() as u64);
        animation.save_with(&path, &mut |done, _| progress.at(done as u64, String::new).is_ok())?;
        c.session.sink().note(&format!("wrote {}", path.display()));
        return engine::nothing();
    }
    if let Some(net) = c.object_if::<Net>(0) {
        if kind != "safetensors" {
            return Err(unfit(c, &kind, ".safetensors for a network"));
        }
        let all: Vec<(String, Tensor)> =
            net.parameters().iter().chain(net.buffers().iter()).map(|(n, t)| (n.to_string(), t.clone())).collect();
        save_safetensors(&all, &BTreeMap::new(), &path)?;
    } else if let Some(map) = c.object_if::<Map>(0) {
        let arrays = named_arrays(c, &map)?;
        match kind.as_str() {
            "npz" => save_npz(&arrays, &path)?,
            "safetensors" => {
                let named = |(name, array): (String, Array)| real(&name, array).map(|t| (name, t));
                let tensors: Vec<(String, Tensor)> = arrays.into_iter().map(named).collect::<Result<_>>()?;
                save_safetensors(&tensors, &BTreeMap::new(), &path)?;
            }
            _ => return Err(unfit(c, &kind, ".npz or .safetensors for a map of tensors")),
        }
    } else {
        let array = match c.object_if::<Complex>(0) {
            Some(z) => Array::Complex(z),
            None => Array::Real(c.tensor(0).map_err(|_| {
                c.wrong(0, "a figure, an animation, a tensor, a field, a network, or a map of tensors")
            })?),
        };
        match kind.as_str() {
            "npy" => save_npy(&array, &path)?,
            "npz" => save_npz(&[("values".into(), array)], &path)?,
            _ => return Err(unfit(c, &kind, ".npy or .npz for a tensor or a field")),
        }
    }
    c.session.sink().note(&format!("wrote {}", path.display()));
    engine::nothing()
}

fn load(c: &mut Call) -> Result<Dynamic> {
    let name = c.string(0)?;
    let path = c.session.readable(&name)?;
    let context = c.session.context();
    let map_of = |tensors: Vec<(String, Tensor)>| -> Dynamic {
        tensors.into_iter().map(|(name, tensor)| (name.into(), Dynamic::from(tensor))).collect::<Map>().into()
    };
    match extension(&path).as_str() {
        "npy" => Ok(value_of(read_npy(context, &path)?)),
        "npz" => {
            let arrays = read_npz(context, &path)?.into_iter().map(|(name, array)| (name.into(), value_of(array)));
            Ok(arrays.collect::<Map>().into())
        }
        "safetensors" => Ok(map_of(load_safetensors(context, &path)?.0)),
        other => Err(Error::file("load: unknown kind of file")
            .got(format!("the ending .{other}"))
            .expected(".npy, .npz or .safetensors")),
    }
}

fn load_into(c: &mut Call) -> Result<Dynamic> {
    let net = c.object::<Net>(0, "a network")?;
    let path = c.session.readable(&c.string(1)?)?;
    let (tensors, _) = load_safetensors(c.session.context(), &path)?;
    let find = |wanted: &str| -> Result<Tensor> {
        // A file written by train(…) keeps the network beside the optimiser, under a prefix.
        let exact = tensors.iter().find(|(name, _)| name == wanted);
        let found = exact.or_else(|| {
            tensors.iter().find(|(name, _)| {
                name.rsplit_once('/').is_some_and(|(lead, n)| n == wanted && ["parameters", "buffers"].contains(&lead))
            })
        });
        found.map(|(_, t)| t.clone()).ok_or_else(|| {
            let names: Vec<&str> = tensors.iter().take(8).map(|(n, _)| n.as_str()).collect();
            Error::file(format!("load_into: the file has no parameter {wanted:?}")).got(names.join(", "))
        })
    };
    let parameters = net.parameters().map(|name, _| find(name))?;
    let buffers = net.buffers().map(|name, _| find(name))?;
    net.set_parameters(&parameters)?;
    net.set_buffers(&buffers)?;
    engine::nothing()
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("save(value, name)")
            .brief("Writes a value into the run folder; the ending of the name says how.")
            .text("Figures: .png, .svg. Animations: .gif. Tensors and fields: .npy, .npz. Maps of tensors: .npz, .safetensors. Networks: .safetensors. \
                   Complex tensors: .npy and .npz, as complex64 or complex128. Files are written whole or not at all.")
            .example("save(tensor([1, 2]), \"example.npy\"); load(\"example.npy\")", "[1, 2]")
            .example("save(complex(tensor([1, 2]), tensor([3, 4])), \"example.npy\"); load(\"example.npy\").im", "[3, 4]")
            .run(save),
        entry("load(name)")
            .brief("Reads a .npy file as a tensor, a .npz or .safetensors file as a map of tensors.")
            .text("Paths are relative to the script's folder, then to the run folder; other folders are read when granted with --allow. Whole numbers and \
                   truth values become floats, complex numbers a Complex. Sizes are checked before anything is allocated, \
                   the checksums of a .npz file when it is read.")
            .example("save(#{ a: ones(2) }, \"example.npz\"); load(\"example.npz\").a", "[1, 1]")
            .run(load),
        entry("load_into(net, name)")
            .brief("Gives a network the numbers of a .safetensors file, by name: its parameters, and running statistics where it has them.")
            .example("let net = nn::net(nn::linear(1, 1)); save(net, \"example.safetensors\"); net.load_into(\"example.safetensors\")", "")
            .run(load_into),
    ]
}
