//! What a training does: how long, on which samples, what it checks and keeps.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::tensor::random::{Key, permutation};

/// How long a training lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many steps.
    Steps(u64),
    /// So many passes over the samples.
    Epochs(u64),
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Every {
    /// Every so many steps.
    Steps(u64),
    /// After every so many passes over the samples.
    Epochs(u64),
}

/// When to stop before the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStop {
    /// Stop after so many checks in a row without a better score.
    pub patience: u64,
    /// How much lower a score must be to count as better; 0 by default.
    pub least_gain: f64,
}

/// The options of a training.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name: of the lines in `metrics.jsonl` and of the files in `checkpoints`. Each training of a run needs its own.
    pub name: String,
    /// How long it lasts.
    pub length: Length,
    /// Samples in the data set; none if the loss draws its own.
    pub samples: Option<usize>,
    /// Samples per step; all if not given.
    pub batch: Option<usize>,
    /// Whether each pass takes the samples in another order.
    pub shuffle: bool,
    /// Whether a last batch with fewer samples is left out.
    pub drop_last: bool,
    /// What orders, dropout and `batch.seed` derive from.
    pub seed: u64,
    /// How often the score is computed: by the validation function, or the mean loss since the last check.
    pub check: Option<Every>,
    /// When to stop early. The parameters with the best score are kept then.
    pub early_stop: Option<EarlyStop>,
    /// Whether the network ends with the parameters of the best score; needs `check`.
    pub keep_best: bool,
    /// The decay of an average of the parameters, 0.999 for example. Checks look at the average where there is one.
    pub average: Option<f64>,
    /// Steps between lines in `metrics.jsonl`; 0 for none.
    pub log_every: u64,
    /// Steps between checkpoints; 0 for none but those by time.
    pub checkpoint_steps: u64,
    /// Seconds between checkpoints; infinite for none but those by steps.
    pub checkpoint_seconds: f64,
    /// Anything else that a resumed training must agree with.
    pub extra: Value,
}

impl Plan {
    /// So many steps, with everything else as usual: a line every 10 steps, a checkpoint every minute.
    pub fn steps(steps: u64) -> Self {
        Self {
            name: "train".to_string(),
            length: Length::Steps(steps),
            samples: None,
            batch: None,
            shuffle: true,
            drop_last: false,
            seed: 0,
            check: None,
            early_stop: None,
            keep_best: false,
            average: None,
            log_every: 10,
            checkpoint_steps: 0,
            checkpoint_seconds: 60.0,
            extra: Value::Null,
        }
    }
    /// So many passes over `samples` in batches.
    pub fn epochs(epochs: u64, samples: usize, batch: usize) -> Self {
        Self {
            length: Length::Epochs(epochs),
            samples: Some(samples),
            batch: Some(batch),
            check: Some(Every::Epochs(1)),
            ..Self::steps(0)
        }
    }

    /// Refuses options that do not fit together.
    pub(super) fn check_options(&self) -> Result<()> {
        let unfit = |what: &str| Err(Error::option(format!("train: {what}")));
        let name_fits = !self.name.is_empty()
            && self.name.chars().all(|c| c.is_alphanumeric() || "-_ ".contains(c))
            && self.name != "final";
        if !name_fits {
            return Err(Error::option("train: the name of a training is also the name of its files")
                .got(format!("{:?}", self.name))
                .expected("letters, digits, - and _, and not \"final\""));
        }
        if self.samples == Some(0) {
            return unfit("the data set has no samples");
        }
        if self.batch == Some(0) {
            return unfit("a batch needs at least one sample");
        }
        if self.samples.is_none()
            && (self.batch.is_some()
                || matches!(self.length, Length::Epochs(_))
                || matches!(self.check, Some(Every::Epochs(_))))
        {
            return unfit("batches and epochs need the number of samples");
        }
        if self.drop_last && self.per_epoch() == Some(0) {
            return unfit("the batch is larger than the data set, and drop_last leaves nothing");
        }
        if (self.early_stop.is_some() || self.keep_best) && self.check.is_none() {
            return unfit("early stopping and keeping the best need checks: say how often");
        }
        if matches!(self.check, Some(Every::Steps(0) | Every::Epochs(0))) {
            return unfit("checks need a distance of 1 or more");
        }
        if self.early_stop.is_some_and(|e| e.patience == 0 || e.least_gain.is_nan() || e.least_gain < 0.0) {
            return unfit("early stopping needs a patience of 1 or more and a least gain of 0 or more");
        }
        if self.checkpoint_seconds.is_nan() || self.checkpoint_seconds < 0.0 {
            return unfit("checkpoint_seconds must be 0 or more");
        }
        Ok(())
    }
    /// Steps of one pass over the samples.
    pub fn per_epoch(&self) -> Option<u64> {
        let n = self.samples?;
        // A batch larger than the data set is dropped whole, or taken with what there is.
        let batch = self.batch.unwrap_or(n).max(1);
        Some(if self.drop_last { n / batch } else { n.div_ceil(batch) } as u64)
    }
    /// Steps in all.
    pub fn total(&self) -> u64 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(self.per_epoch().unwrap_or(0)),
        }
    }
    /// Whether a check comes after so many steps.
    pub(super) fn checks_after(&self, steps: u64) -> bool {
        let distance = match self.check {
            None => return false,
            Some(Every::Steps(n)) => n,
            Some(Every::Epochs(n)) => n.saturating_mul(self.per_epoch().unwrap_or(0)),
        };
        steps > 0 && distance > 0 && (steps.is_multiple_of(distance) || steps == self.total())
    }

    /// What identifies the training: a resumed one must agree. Its length may change.
    pub(super) fn describe(&self) -> Value {
        let every = |e: &Every| match e {
            Every::Steps(n) => json!({ "steps": n }),
            Every::Epochs(n) => json!({ "epochs": n }),
        };
        json!({
            "samples": self.samples, "batch": self.batch, "shuffle": self.shuffle, "drop_last": self.drop_last, "seed": self.seed,
            "check": self.check.as_ref().map(every), "early_stop": self.early_stop.map(|e| json!([e.patience, e.least_gain])),
            "keep_best": self.keep_best, "average": self.average, "log_every": self.log_every, "extra": self.extra,
        })
    }
}

/// What the loss of one step is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Positions of its samples in the data set; empty if the training has none.
    pub indices: Vec<usize>,
    /// The step, from 0.
    pub step: u64,
    /// The pass over the samples, from 0.
    pub epoch: u64,
    /// A seed for the random numbers of this step. It depends on the training's seed and the step only.
    pub seed: u64,
}

/// Finds the samples of each step; remembers the order of the current pass.
pub(super) struct Order {
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl Order {
    pub fn new() -> Self {
        Self { epoch: None, order: Vec::new() }
    }
    pub fn batch(&mut self, plan: &Plan, step: u64) -> Batch {
        let seed = step_seed(plan.seed, step);
        let (Some(n), Some(per_epoch)) = (plan.samples, plan.per_epoch()) else {
            return Batch { indices: Vec::new(), step, epoch: 0, seed };
        };
        let epoch = step / per_epoch.max(1);
        if self.epoch != Some(epoch) {
            let key = Key::new(plan.seed).purpose("order of samples").step(epoch);
            self.order = if plan.shuffle { permutation(key, n) } else { (0..n).collect() };
            self.epoch = Some(epoch);
        }
        let size = plan.batch.unwrap_or(n);
        let start = (step % per_epoch.max(1)) as usize * size;
        let indices = self.order.iter().skip(start).take(size).copied().collect();
        Batch { indices, step, epoch, seed }
    }
}

/// A seed of 53 bits (a script's number holds it exactly), by the finaliser of SplitMix64.
fn step_seed(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_add((step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 11
}
