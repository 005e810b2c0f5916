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
use crate::tensor::Tensor;
use crate::tensor::file::{load_npy, load_npz, load_safetensors, save_npy, save_npz, save_safetensors};

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

fn named_tensors(c: &Call, map: &Map) -> Result<Vec<(String, Tensor)>> {
    map.iter()
        .map(|(name, value)| {
            let tensor = Operand::of(value).and_then(|o| o.into_tensor(c.session.context()));
            let tensor =
                tensor.ok_or_else(|| Error::typ(format!("save: `{name}` is not a tensor")).got(describe(value)))?;
            Ok((name.to_string(), tensor))
        })
        .collect()
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
        let tensors = named_tensors(c, &map)?;
        match kind.as_str() {
            "npz" => save_npz(&tensors, &path)?,
            "safetensors" => save_safetensors(&tensors, &BTreeMap::new(), &path)?,
            _ => return Err(unfit(c, &kind, ".npz or .safetensors for a map of tensors")),
        }
    } else {
        let tensor = c
            .tensor(0)
            .map_err(|_| c.wrong(0, "a figure, an animation, a tensor, a field, a network, or a map of tensors"))?;
        match kind.as_str() {
            "npy" => save_npy(&tensor, &path)?,
            "npz" => save_npz(&[("values".into(), tensor)], &path)?,
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
        "npy" => Ok(Dynamic::from(load_npy(context, &path)?)),
        "npz" => Ok(map_of(load_npz(context, &path)?.into_iter().collect())),
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
                   Files are written whole or not at all.")
            .example("save(tensor([1, 2]), \"example.npy\"); load(\"example.npy\")", "[1, 2]")
            .run(save),
        entry("load(name)")
            .brief("Reads a .npy file as a tensor, a .npz or .safetensors file as a map of tensors.")
            .text("Paths are relative to the script's folder, then to the run folder; other folders are read when granted with --allow. Whole numbers and \
                   truth values become floats. Sizes are checked before anything is allocated.")
            .example("save(#{ a: ones(2) }, \"example.npz\"); load(\"example.npz\").a", "[1, 1]")
            .run(load),
        entry("load_into(net, name)")
            .brief("Gives a network the numbers of a .safetensors file, by name: its parameters, and running statistics where it has them.")
            .example("let net = nn::net(nn::linear(1, 1)); save(net, \"example.safetensors\"); net.load_into(\"example.safetensors\")", "")
            .run(load_into),
    ]
}
