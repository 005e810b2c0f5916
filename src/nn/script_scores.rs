//! Score networks in scripts: whole networks of a state and a time.

use std::rc::Rc;

use super::script::build;
use super::*;
use crate::script::registry::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    vec![
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
                c.session.context().reserve(grid.points().saturating_mul(32))?;
                let times = o.numbers_if("times")?.ok_or_else(|| o.missing("times", "an array or tensor of times"))?;
                build(c, Rc::new(SpectralScore::new(grid, o.count("channels", 1)?, times, o.positive("scale", 1.0)?)?), &o)
            }),
    ]
}
