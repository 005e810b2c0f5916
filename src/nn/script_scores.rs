//! Score networks in scripts: whole networks of a state and a time.

use std::rc::Rc;

use rhai::Dynamic;

use super::script::build;
use super::*;
use crate::error::Result;
use crate::script::Call;
use crate::script::registry::{Entry, entry};

const SEED: &str = "the seed of the first parameters (the session's next)";

fn resnet(c: &mut Call) -> Result<Dynamic> {
    let (grid, o) = (crate::field::script::grid(c, 0)?, c.options(1)?);
    let base = ResNet::default();
    let frame = o.count("frame", 16)?;
    let surround = o.choice("padding", &[("tiled", Surround::Tiled(frame)), ("periodic", Surround::Periodic), ("zero", Surround::Zeros)])?;
    let channels = o.count("channels", base.channels)?;
    let net = ResNet {
        channels,
        outputs: channels,
        width: o.count("width", base.width)?,
        blocks: o.count("blocks", base.blocks)?,
        kernel: o.count("kernel", base.kernel)?,
        dims: grid.dimensions(),
        published: o.boolean("published", false)?,
        dropout: o.number("dropout", base.dropout)?,
        surround,
        ..base
    };
    build(c, Rc::new(net), &o)
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("nn::resnet_score(grid, [options])")
            .brief("The encoder–decoder of residual blocks that the SMDP paper uses as its score: 330,754 parameters.")
            .text("A network of a state [sample, channel, x…] and a time per sample, which enters as one more channel. padding \"tiled\" is the \
                   paper's: 16 points of the other side around the field, convolutions with zeros beyond, the frame cut off at the end. \"periodic\" makes \
                   every convolution periodic: the same parameters at a quarter of the cost. Source: Holzschuh et al., tum-pbs/SMDP.")
            .option("padding", "\"tiled\", \"periodic\" or \"zero\" (\"tiled\")")
            .option("frame", "points of the frame for \"tiled\" (16)")
            .option("width", "channels in between (32)")
            .option("blocks", "residual blocks on each side (5)")
            .option("kernel", "points of a kernel along each axis (4)")
            .option("channels", "channels of the state (1)")
            .option("published", "drop the middle decoder block's convolutions, as the authors' code does (false)")
            .option("dropout", "rate in the decoder (0)")
            .option("seed", SEED)
            .example("nn::resnet_score(grid::periodic([32, 32], [TAU, TAU]), #{ seed: 1 }).parameters", "330754")
            .run(resnet),
        entry("nn::spectral_score(grid, options)")
            .brief("A score that is diagonal in Fourier space: a learned gain per length of the wavenumber and time.")
            .text("n(x, t) = −F⁻¹(c (1 + |k|²) θ(|k|, t) F x), with θ linear between the times of its table and 0 at first: the form of the score of a linear \
                   process with Gaussian, isotropic states. c (1 + |k|²) is a unit that lets one learning rate fit all wavenumbers.")
            .option("times", "the times of the table (needed)")
            .option("channels", "channels of the state (1)")
            .option("scale", "the unit c; 2/g² suits a process with noise g (1)")
            .option("seed", "not used: gains begin at 0")
            .example("nn::spectral_score(grid::periodic([32, 32], [TAU, TAU]), #{ times: linspace(0, 0.2, 33) }).parameters", "4455")
            .run(|c| {
                let (grid, o) = (crate::field::script::grid(c, 0)?, c.options(1)?);
                let times = o.numbers_if("times")?.ok_or_else(|| o.missing("times", "an array or tensor of times"))?;
                build(c, Rc::new(SpectralScore::new(grid, o.count("channels", 1)?, times, o.positive("scale", 1.0)?)?), &o)
            }),
    ]
}
