//! Random numbers in scripts: all from counters, so that a seed means the same numbers everywhere.

use rhai::Dynamic;

use super::Tensor;
use super::random::{Key, normal, permutation, rademacher, uniform};
use crate::error::Result;
use crate::script::registry::{Entry, entry};
use crate::script::{Call, Options};

/// The key of a draw: the seed of its options, or the session's next.
fn key(c: &Call, options: &Options, purpose: &str) -> Result<Key> {
    let seed = options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
    Ok(Key::new(seed).purpose(purpose))
}

/// A draw of the shape and kind of argument 0.
fn like(c: &Call, options: &Options, purpose: &str, draw: impl Fn(Key, &[usize]) -> Result<Tensor>) -> Result<Dynamic> {
    let key = key(c, options, purpose)?;
    let drawn = c.operand(0)?.map(c.session.context(), |t| draw(key, &t.shape())?.cast(t.precision()))?;
    Ok(drawn.into_dynamic())
}

pub(crate) fn entries() -> Vec<Entry> {
    const SEED: &str = "the seed; the same seed gives the same numbers (the session's next)";
    vec![
        entry("random::normal(shape, [options])")
            .brief("Standard normal numbers: mean 0, variance 1.")
            .text("Philox4x32-10 counters keyed by the seed: the same numbers on every device and for every number of threads.")
            .option("seed", SEED)
            .example("abs(mean(random::normal([10000], #{ seed: 1 }))) < 0.03", "1")
            .run(|c| {
                let (shape, options) = (c.shape(0)?, c.options(1)?);
                Ok(Dynamic::from(normal(c.session.context(), key(c, &options, "normal")?, &shape)?))
            }),
        entry("random::normal_like(x, [options])")
            .brief("Standard normal numbers of the shape and kind of x.")
            .option("seed", SEED)
            .example("random::normal_like(zeros([2, 3])).shape", "[2, 3]")
            .run(|c| {
                let (options, context) = (c.options(1)?, c.session.context().clone());
                like(c, &options, "normal", |key, shape| normal(&context, key, shape))
            }),
        entry("random::uniform(shape, [options])")
            .brief("Evenly distributed numbers, low <= x < high.")
            .option("low", "the lower end (0)")
            .option("high", "the upper end (1)")
            .option("seed", SEED)
            .example("max(random::uniform([1000], #{ seed: 1 })) < 1", "1")
            .run(|c| {
                let (shape, options) = (c.shape(0)?, c.options(1)?);
                let (low, high) = (options.number("low", 0.0)?, options.number("high", 1.0)?);
                if high <= low {
                    return Err(options.wrong("high", "a number greater than low"));
                }
                Ok(Dynamic::from(uniform(c.session.context(), key(c, &options, "uniform")?, low, high, &shape)?))
            }),
        entry("random::rademacher(shape, [options])")
            .brief("−1 or 1 with equal probability.")
            .option("seed", SEED)
            .example("sum(square(random::rademacher([7], #{ seed: 1 })))", "7")
            .run(|c| {
                let (shape, options) = (c.shape(0)?, c.options(1)?);
                Ok(Dynamic::from(rademacher(c.session.context(), key(c, &options, "rademacher")?, &shape)?))
            }),
        entry("random::permutation(n, [options])")
            .brief("The whole numbers 0 … n − 1 in random order, in double precision.")
            .option("seed", SEED)
            .example("sort(random::permutation(4, #{ seed: 1 }), 0)", "[0, 1, 2, 3]")
            .run(|c| {
                let (n, options) = (c.count(0)?, c.options(1)?);
                super::element_count(&[n])?;
                c.session.context().reserve(n.saturating_mul(16))?;
                let order = permutation(key(c, &options, "permutation")?, n);
                crate::session::interrupt::poll()?;
                Ok(Dynamic::from(Tensor::from_vec::<f64>(c.session.context(), order.into_iter().map(|i| i as f64).collect(), &[n])?))
            }),
    ]
}
