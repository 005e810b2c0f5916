//! Forward paths in scripts, and statistics of paths that are not kept.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::rollout::{Rollout, Statistics, Summary};
use super::script::{process, sample_numbers};
use super::script_process::pointwise;
use super::{Bins, Process};
use crate::equation::LaneChoice;
use crate::error::{Error, Result};
use crate::field::State;
use crate::field::script::{state, state_value};
use crate::script::registry::{Entry, entry};
use crate::script::{Call, Closure, Options};
use crate::tensor::Tensor;

const LANE: &str = "\"auto\", \"native\" (compiled, or an error that says why not) or \"burn\" (tensor operations)";
const STEPS: &str = "steps of equal length from one time to the next (1)";

/// Options that `sample` and `sde::statistics` share; those of statistics are added by the latter.
struct Given {
    process: Process,
    start: State,
    times: Vec<f64>,
    seed: u64,
    steps: usize,
    lane: LaneChoice,
    samples: usize,
    numbers: Option<Vec<u64>>,
}

impl Given {
    fn new(c: &mut Call, options: &Options) -> Result<Self> {
        let (process, start, times) = (process(c, 0)?, state(c, 1)?, c.numbers(2)?);
        let seed = options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
        let steps = options.count("steps", 1)?;
        if steps == 0 {
            return Err(options.wrong("steps", "a whole number, 1 or more"));
        }
        let lanes = [("auto", LaneChoice::Automatic), ("native", LaneChoice::Native), ("burn", LaneChoice::Tensors)];
        let lane = match std::env::var("ANSATZ_LANE") {
            Ok(word) if !options.has("lane") && word == "burn" => LaneChoice::Tensors,
            _ => options.choice("lane", &lanes)?,
        };
        let samples = options.count_if("paths")?.unwrap_or(start.samples());
        if samples == 0 && options.has("paths") {
            return Err(options.wrong("paths", "a whole number, 1 or more"));
        }
        let numbers = if options.has("samples") { Some(sample_numbers(options, samples)?) } else { None };
        Ok(Self { process, start, times, seed, steps, lane, samples, numbers })
    }
    fn rollout(&self, keep: Option<usize>, statistics: Option<Statistics>) -> Rollout<'_> {
        Rollout {
            times: &self.times,
            steps: self.steps,
            seed: self.seed,
            samples: self.samples,
            numbers: self.numbers.as_deref(),
            lane: self.lane,
            keep,
            statistics,
        }
    }
    fn total(&self) -> u64 {
        self.steps.saturating_mul(self.times.len().saturating_sub(1)) as u64
    }
}

fn sample(c: &mut Call) -> Result<Dynamic> {
    // sample(grid, f) and sample(process, …) share their name; the first argument decides.
    let options = c.options(3)?;
    let given = Given::new(c, &options)?;
    let mut progress = c.session.progress("paths", given.total());
    Ok(Dynamic::from(given.process.path(&given.start, &given.rollout(Some(0), None), Some(&mut progress))?))
}

const MOST_BINS: usize = 1 << 24;

/// The bins of a histogram from `#{ from, to, bins }`.
fn bins(options: &Options) -> Result<Option<Bins>> {
    let Some(value) = options.get("histogram") else { return Ok(None) };
    let wrong = || options.wrong("histogram", "a map such as #{ from: -2, to: 2, bins: 40 }, with from < to");
    let map = value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(wrong)?;
    let inner = Options::new(format!("{}: histogram", options.owner()), map);
    inner.refuse_unknown(&["from", "to", "bins"])?;
    let (from, to, count) = (inner.number_if("from")?, inner.number_if("to")?, inner.count("bins", 50)?);
    if !(1..=MOST_BINS).contains(&count) {
        return Err(inner.wrong("bins", "a whole number of bins, 1 to 16 777 216"));
    }
    match (from, to) {
        (Some(from), Some(to)) if from < to && (to - from).is_finite() => Ok(Some(Bins { from, to, count })),
        _ => Err(wrong()),
    }
}

fn statistics(c: &mut Call) -> Result<Dynamic> {
    let options = c.options(3)?;
    let given = Given::new(c, &options)?;
    if given.samples == 0 {
        return Err(Error::value("there are no paths to count").got("a start without samples"));
    }
    let bins = bins(&options)?;
    let observe = match options.get("observe").map(|value| value.clone().try_cast::<FnPtr>()) {
        None => None,
        Some(Some(pointer)) => {
            let (closure, channels) = (Closure::new(pointer), given.process.channels());
            if closure.parameters().is_some_and(|n| n != channels + 1) {
                return Err(options.wrong(
                    "observe",
                    &format!("a closure of {} parameters: of the state and the time", channels + 1),
                ));
            }
            Some(pointwise(c.session, closure, channels))
        }
        Some(None) => return Err(options.wrong("observe", "a closure |x, t|, or with the parameters of the drift")),
    };
    let last = options.boolean("last", false)?;
    let keep = last.then(|| given.times.len().saturating_sub(1));
    let mut progress = c.session.progress("statistics of paths", given.total());
    let how = given.rollout(keep, Some(Statistics { observe, bins }));
    let sampled = given.process.rollout(&given.start, &how, Some(&mut progress))?;
    let Summary { mean, variance, least, greatest, counts } =
        sampled.summary.ok_or_else(|| Error::internal("statistics were not counted"))?;
    let mut map = Map::new();
    let times = Tensor::from_vec(c.session.context(), given.times.clone(), &[given.times.len()])?;
    let tensors = [("times", times), ("mean", mean), ("variance", variance), ("minimum", least), ("maximum", greatest)];
    map.extend(tensors.map(|(name, tensor)| (name.into(), Dynamic::from(tensor))));
    map.insert("paths".into(), Dynamic::from(given.samples as i64));
    if let (Some(counts), Some(bins)) = (counts, bins) {
        let edge = |i: usize| bins.from + (bins.to - bins.from) * (i as f64 / bins.count as f64);
        let edges = (0..=bins.count).map(|i| Dynamic::from(edge(i))).collect::<Array>();
        map.insert("histogram".into(), Dynamic::from(counts));
        map.insert("edges".into(), Dynamic::from(edges));
    }
    if let Some(states) = sampled.states {
        map.insert("last".into(), state_value(given.start.with(states.select(1, 0)?))?);
    }
    Ok(Dynamic::from(map))
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("sample(process, start, times, [options])")
            .brief("Paths of a process through the times, from the states `start`.")
            .text("start: a field, or a tensor with samples along its first axis. Noise comes from counters: a sample's path depends on the seed \
                   and the sample's number alone, not on the batch it is in.\n\
                   With `steps` the times are those at which states are kept: sample(p, x, [0, 1], #{ steps: 1000 }).last() needs memory for two states of each path. \
                   On a CPU drifts and noise that are arithmetic and functions of each number are compiled: a rollout is one pass. Where a gradient is taken, and for all other processes, it goes \
                   step by step.")
            .option("steps", STEPS)
            .option("paths", "how many paths, from a start of one sample (as many as the start has)")
            .option("seed", "the seed (the session's next)")
            .option("samples", "the numbers of the samples (0, 1, …)")
            .option("lane", LANE)
            .example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), linspace(0, 1, 101)).last()", "[0.36603]")
            .example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), [0, 1], #{ steps: 100 }).last()", "[0.36603]")
            .run(sample),
        entry("sde::statistics(process, start, times, [options])")
            .brief("Mean, variance, least and greatest numbers of paths at the times, without keeping the paths.")
            .text("A map: times, paths (how many), and [time, …] tensors in f64 mean, variance (divided by the number of paths), minimum, maximum, where … are the axes of a state; histogram \
                   [time, …, bin] and edges where asked for; last, the states at the last time, where asked for. The first time is that of the start.\n\
                   observe: a closure with the parameters of the drift, of which the statistics are instead: a value for each number of the state (with channels, of a channel), or an \
                   array of values, [time, value, …].\n\
                   The paths are those of sample with the same seed. Where they are compiled (see sample), memory is needed for the start and for what is returned alone: ten million paths of a \
                   thousand steps take as much as one of each. Sums are joined in a fixed order by the formulas of Chan, Golub and LeVeque (1983): results do not depend on the number of threads. \
                   Gradients go through mean, variance, minimum and maximum, step by step with all states kept; not through counts.")
            .option("steps", STEPS)
            .option("paths", "how many paths, from a start of one sample (as many as the start has)")
            .option("observe", "what statistics are of: a closure with the parameters of the drift (the state)")
            .option("histogram", "counts in bins of equal width: #{ from: -2, to: 2, bins: 50 }; what lies outside is not counted")
            .option("last", "whether the states at the last time are returned (false)")
            .option("seed", "the seed (the session's next)")
            .option("samples", "the numbers of the samples (0, 1, …)")
            .option("lane", LANE)
            .example("let ou = sde::process(|x, t| -x, #{ diffusion: 1 }); let s = sde::statistics(ou, tensor([1.0]), [0, 1], #{ steps: 100, paths: 20_000, seed: 1 }); abs(s.variance[1] - 0.5 * (1 - exp(-2))) < 0.02", "1")
            .example("let still = sde::process(|x, t| 0 * x, #{ diffusion: 0 }); sde::statistics(still, tensor([1.0, 2.0, 4.0]), [0, 1], #{ observe: |x, t| [x, x ** 2], histogram: #{ from: 0, to: 4, bins: 2 } }).histogram[[1, 0]]", "[1, 2]")
            .run(statistics),
    ]
}
