//! Families of initial states in scripts.

use rhai::Dynamic;

use super::initial::{Bumps, DamBreak, Family, Fourier, SineWaves};
use crate::error::Result;
use crate::script::Call;
use crate::script::options::Options;
use crate::script::registry::{Entry, entry};

/// Draws a family on the grid in argument 0.
fn drawn<F: Family>(c: &Call, family: impl Fn(&Options) -> Result<F>) -> Result<Dynamic> {
    let (grid, options) = (crate::field::script::grid(c, 0)?, c.options(1)?);
    if grid.dimensions() == 0 {
        return Err(c.unfit(0, &grid, "a grid with at least one axis"));
    }
    let family = family(&options)?;
    let seed = options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
    let samples = options.count("samples", 1)?;
    family.draw(c.session.context(), &grid, seed, samples).map(Dynamic::from)
}

/// `[low, high]`, or one number for both.
fn range(options: &Options, key: &str, default: [f64; 2]) -> Result<[f64; 2]> {
    match options.numbers_if(key)?.as_deref() {
        None => Ok(default),
        Some([one]) => Ok([*one; 2]),
        Some([low, high]) if low <= high => Ok([*low, *high]),
        Some(_) => Err(options.wrong(key, "a number, or [low, high]")),
    }
}

/// Widths and radii: above 0.
fn positive_range(options: &Options, key: &str, default: [f64; 2]) -> Result<[f64; 2]> {
    let range = range(options, key, default)?;
    if range[0] > 0.0 { Ok(range) } else { Err(options.wrong(key, "above 0: a number, or [low, high]")) }
}

fn chance(options: &Options, key: &str) -> Result<f64> {
    let chance = options.number(key, 0.0)?;
    if (0.0..=1.0).contains(&chance) { Ok(chance) } else { Err(options.wrong(key, "a number from 0 to 1")) }
}

/// A number of modes or waves that a grid can hold.
fn number(options: &Options, key: &str, default: usize) -> Result<usize> {
    match options.count(key, default)? {
        n @ 1..=1000 => Ok(n),
        _ => Err(options.wrong(key, "a whole number from 1 to 1000")),
    }
}

fn counted(entry: Entry) -> Entry {
    entry.option("samples", "how many (1)").option("seed", "the seed (the session's next)")
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        counted(entry("initial::fourier(grid, [options])"))
            .brief("Random Fourier modes with amplitudes that fall as a power of the mode number.")
            .text("u = A Σ |m|^(−decay) (a cos k·x + b sin k·x) over mode vectors m with 0 < |m| ≤ modes, k = 2π m/length, a and b standard normal numbers; A makes the expected root mean square \
                   `amplitude`. The mean is 0. Sample i is one function, the same on every grid of the box and however many are drawn. Good values: 5 modes, decay 0 for short waves as strong as long ones, 2 for smooth \
                   fields. random::gaussian_field has all modes that a periodic grid holds.")
            .option("modes", "the largest mode number, 1 or more (5)")
            .option("decay", "the exponent of amplitudes (0)")
            .option("amplitude", "expected root mean square (1)")
            .example("initial::fourier(grid::periodic([64], [TAU]), #{ modes: 3, samples: 2, seed: 1 }).shape", "[2, 1, 64]")
            .example("let u = initial::fourier(grid::periodic([16, 16], [1, 1]), #{ samples: 200, seed: 1 }); abs(mean(u * u) - 1) < 0.1", "1")
            .run(|c| drawn(c, |o| Ok(Fourier { modes: number(o, "modes", 5)?, decay: o.number("decay", 0.0)?, amplitude: o.number("amplitude", 1.0)? }))),
        counted(entry("initial::sine_waves(grid, [options])"))
            .brief("Sums of a few sine waves of random amplitude and phase, the initial states of PDEBench.")
            .text("u = ±Σ A sin(2π n·(x − low)/length + φ) with n from 1 to `modes` per axis, A in [0, 1), φ in [0, 2π), all even. absolute and window are the chances that a sample is replaced by its absolute value, \
                   and that it is set to 0 (smoothly, over 1 % of the length) outside of a window from 10–45 % to 55–90 % of each length. PDEBench's sets for advection and Burgers: 2 waves, modes up to 8, both chances 0.1.\n\
                   Source: M. Takamoto et al., PDEBench, NeurIPS 2022, appendix D.")
            .option("modes", "the largest wave number, 1 or more (8)")
            .option("waves", "how many are added (2)")
            .option("absolute", "the chance of |u| (0)")
            .option("window", "the chance of a window (0)")
            .example("max(abs(initial::sine_waves(grid::periodic([64], [1.0]), #{ samples: 20, seed: 1 }))) < 2", "1")
            .run(|c| {
                drawn(c, |o| {
                    Ok(SineWaves { modes: number(o, "modes", 8)?, waves: number(o, "waves", 2)?, absolute: chance(o, "absolute")?, window: chance(o, "window")? })
                })
            }),
        counted(entry("initial::bumps(grid, [options])"))
            .brief("Gaussian bumps at random places.")
            .text("u = Σ A exp(−|x − c|²/(2 w²)); centres c anywhere, A and w even between their bounds. w is a part of the shortest length. Across periodic axes the nearest image counts, so that w should stay below 0.15.")
            .option("count", "how many in each sample (3)")
            .option("width", "w: [low, high], or one number ([0.05, 0.1])")
            .option("amplitude", "A: [low, high], or one number ([0.5, 1])")
            .example("max(initial::bumps(grid::periodic([64, 64], [1, 1]), #{ count: 1, amplitude: 1, seed: 1 })) > 0.98", "1")
            .run(|c| {
                drawn(c, |o| {
                    let width = positive_range(o, "width", [0.05, 0.1])?;
                    Ok(Bumps { count: number(o, "count", 3)?, width, amplitude: range(o, "amplitude", [0.5, 1.0])? })
                })
            }),
        counted(entry("initial::dam_break(grid, [options])"))
            .brief("A column of water in the middle of the box: the height when a dam breaks.")
            .text("`inside` no further than r from the middle, `outside` elsewhere, r even between its bounds. On a line the column has two dams. PDEBench: the defaults on [−2.5, 2.5]². \
                   physics::shallow_water needs some viscosity for it.")
            .option("inside", "height of the column (2)")
            .option("outside", "height around it (1)")
            .option("radius", "r: [low, high], or one number ([0.3, 0.7])")
            .example("mean(initial::dam_break(grid::periodic([4], [[-1, 1]]), #{ radius: 0.5 }))", "1.75")
            .run(|c| {
                drawn(c, |o| {
                    let radius = positive_range(o, "radius", [0.3, 0.7])?;
                    Ok(DamBreak { inside: o.number("inside", 2.0)?, outside: o.number("outside", 1.0)?, radius })
                })
            }),
    ]
}
