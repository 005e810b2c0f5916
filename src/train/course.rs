//! Where a training stands, and its checkpoints.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use super::checkpoint::{Checkpoint, sha256};
use super::optimizer::{Memory, Optimizer};
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::nn::{Net, Parameters};
use crate::session::Session;

/// A number that survives its way through a manifest exactly: JSON parsers may round the last digit of a number, so it travels
/// as text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// The numbers of a training beside parameters and optimiser.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Course {
    /// Steps taken; the order of samples, seeds and rates follow from it.
    pub step: u64,
    /// The step of the last check.
    pub checked: u64,
    /// Lines written to `metrics.jsonl`.
    pub lines: u64,
    /// Losses since the last line, and how many.
    pub since_line: (Exact, u64),
    /// Losses since the last check, and how many.
    pub since_check: (Exact, u64),
    /// The last loss.
    pub loss: Option<Exact>,
    /// The best score and its step.
    pub best: Option<(Exact, u64)>,
    /// Checks in a row without a better score.
    pub waited: u64,
    /// Whether it stopped early.
    pub stopped: bool,
}

/// Parameters and buffers of the best score.
#[derive(Clone)]
pub(super) struct Best {
    pub parameters: Parameters,
    pub buffers: Parameters,
}

/// Everything that a checkpoint holds.
pub(super) struct Standing<'a> {
    pub plan: &'a Plan,
    pub net: &'a Net,
    pub optimizer: &'a mut Optimizer,
    pub course: Course,
    pub average: Option<Parameters>,
    pub best: Option<Best>,
}

const FORMAT: u64 = 1;

impl Standing<'_> {
    /// The options that a resumed training must agree with.
    fn options(&self) -> Result<Value> {
        let parameters: Vec<Value> =
            self.net.parameters().iter().map(|(n, t)| json!([n, t.shape(), t.precision().name()])).collect();
        let options = json!({
            "plan": self.plan.describe(), "optimizer": self.optimizer.describe(),
            "parameters": parameters, "trainable": self.net.trainable().names(),
        });
        // As they will be read again, so that they can be compared.
        serde_json::from_str(&options.to_string()).map_err(|e| Error::internal(e.to_string()))
    }
    fn manifest(&self) -> Result<Map<String, Value>> {
        let options = self.options()?;
        let course = serde_json::to_value(&self.course).map_err(|e| Error::internal(e.to_string()))?;
        let manifest = json!({
            "format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "training": self.plan.name, "seed": self.plan.seed,
            "fingerprint": sha256(options.to_string().as_bytes()), "options": options, "course": course,
        });
        match manifest {
            Value::Object(map) => Ok(map),
            _ => Err(Error::internal("a manifest is an object")),
        }
    }
    /// Everything needed to go on.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let mut groups = vec![
            ("parameters".to_string(), self.net.parameters()),
            ("buffers".to_string(), self.net.buffers()),
            ("optimizer".to_string(), self.optimizer.memory().tensors.clone()),
        ];
        groups.extend(self.average.iter().map(|a| ("average".to_string(), a.clone())));
        if let Some(best) = &self.best {
            groups.push(("best".to_string(), best.parameters.clone()));
            groups.push(("best buffers".to_string(), best.buffers.clone()));
        }
        let mut manifest = self.manifest()?;
        manifest.insert("optimizer_steps".into(), self.optimizer.steps().into());
        Ok(Checkpoint { groups, manifest })
    }
    /// The result: what the network holds at the end. No times and no paths: the same training gives the same bytes.
    pub fn result(&self) -> Result<Checkpoint> {
        let mut groups =
            vec![("parameters".to_string(), self.net.parameters()), ("buffers".to_string(), self.net.buffers())];
        groups.extend(self.average.iter().map(|a| ("average".to_string(), a.clone())));
        Ok(Checkpoint { groups, manifest: self.manifest()? })
    }
    /// Goes on where a checkpoint stood. Nothing changes when it does not fit.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let unfit = |what: &str| Error::file(format!("the checkpoint of the training {:?} {what}", self.plan.name));
        let field = |name: &str| checkpoint.manifest.get(name).cloned().unwrap_or_default();
        if field("format") != json!(FORMAT) {
            return Err(unfit("has another format").got(field("format")).expected(FORMAT));
        }
        let (options, theirs) = (self.options()?, field("options"));
        if options != theirs {
            return Err(unfit("was made with other options")
                .got(differences("", &theirs, &options).join("; "))
                .advice("put the options back, or start again without --resume"));
        }
        let course: Course =
            serde_json::from_value(field("course")).map_err(|e| unfit(&format!("cannot be read: {e}")))?;
        let group = |name: &str| checkpoint.group(name).ok_or_else(|| unfit(&format!("lacks its {name}")));
        let (parameters, buffers) = (group("parameters")?, group("buffers")?);
        let own = self.net.parameters();
        own.agrees_with(parameters)?;
        self.net.buffers().agrees_with(buffers)?;
        let average = match self.plan.average {
            Some(_) => Some(group("average")?.clone()),
            None => None,
        };
        let best = match checkpoint.group("best") {
            Some(parameters) => Some(Best { parameters: parameters.clone(), buffers: group("best buffers")?.clone() }),
            None => None,
        };
        for kept in average.iter().chain(best.iter().map(|b| &b.parameters)) {
            own.agrees_with(kept)?;
        }
        let steps = field("optimizer_steps").as_u64().ok_or_else(|| unfit("lacks the optimiser's steps"))?;
        let memory = Memory { steps, tensors: group("optimizer")?.clone() };
        self.optimizer.restore(memory, &self.net.trainable())?;
        self.net.set_parameters(parameters)?;
        self.net.set_buffers(buffers)?;
        (self.course, self.average, self.best) = (course, average, best);
        Ok(())
    }
    /// Drops lines of this training that came after its checkpoint; they will be written again.
    pub fn drop_later_lines(&self, session: &Session) -> Result<()> {
        let kept = Cell::new(0);
        session.run().retain_metrics(|line| {
            if line.get("training").and_then(Value::as_str) != Some(&self.plan.name) {
                return true;
            }
            kept.set(kept.get() + 1);
            kept.get() <= self.course.lines
        })
    }
}

/// Where two values differ, as `path: theirs then, ours now`.
fn differences(path: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    match (theirs, ours) {
        _ if theirs == ours => Vec::new(),
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            let at = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
            keys.into_iter()
                .flat_map(|key| {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    differences(&path, &at(a, key), &at(b, key))
                })
                .collect()
        }
        _ => {
            let short = |v: &Value| v.to_string().chars().take(80).collect::<String>();
            vec![format!("{path}: {} then, {} now", short(theirs), short(ours))]
        }
    }
}
