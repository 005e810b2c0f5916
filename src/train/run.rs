//! The loop of a training.

use std::time::Instant;

use serde_json::{Value, json};

use super::average::average;
use super::checkpoint::{Checkpoint, Shelf};
use super::course::{Best, Course, Exact, Standing};
use super::optimizer::{Optimizer, Report};
use super::plan::{Batch, Order, Plan};
use super::step::step_keyed;
use crate::error::Result;
use crate::nn::Net;
use crate::session::{Session, interrupt};
use crate::tensor::Tensor;
use crate::tensor::random::Key;

/// The loss of one step.
pub type Loss<'a> = dyn FnMut(&Net, &Batch) -> Result<Tensor> + 'a;
/// The score of a network on data that it is not trained on: the lower the better.
pub type Validate<'a> = dyn FnMut(&Net) -> Result<f64> + 'a;

/// What a training came to.
#[derive(Clone)]
pub struct Outcome {
    /// Steps taken in all, those before a resumption included.
    pub steps: u64,
    /// The last loss.
    pub loss: Option<f64>,
    /// The best score and its step.
    pub best: Option<(f64, u64)>,
    /// Whether it stopped early.
    pub stopped_early: bool,
    /// The network with averaged parameters, if an average was asked for.
    pub average: Option<Net>,
}

/// Trains `net`: so many steps of `optimizer` down the gradient of `loss`, as `plan` says. The network that the caller
/// holds is the one that learns.
///
/// Written to the run folder: lines in `metrics.jsonl`, checkpoints in `checkpoints/<name>/`, and at the end
/// `checkpoints/<name>.safetensors` and the same as `checkpoints/final.safetensors`. A session that resumes goes on from the last
/// checkpoint, and what comes out equals an uninterrupted training bit for bit on the same device, if the loss is a function
/// of the network and the batch (random numbers from `batch.seed`).
///
/// # Errors
/// When the user interrupts (after a checkpoint; the network keeps what it learnt), when a loss or gradient is not
/// finite, when a checkpoint does not belong to this training, or when `loss` or `validate` fail.
pub fn train(
    session: &Session,
    net: &Net,
    optimizer: &mut Optimizer,
    plan: &Plan,
    loss: &mut Loss,
    validate: Option<&mut Validate>,
) -> Result<Outcome> {
    plan.check_options()?;
    let shelf = Shelf::new(session.run().path().join("checkpoints").join(&plan.name), 2);
    let start = plan.average.map(|_| net.parameters());
    let standing = Standing { plan, net, optimizer, course: Course::default(), average: start, best: None };
    let mut run = Run { session, shelf, standing, order: Order::new(), saved: Instant::now(), saved_step: 0 };
    run.begin()?;
    if let Err(error) = run.steps(loss, validate) {
        if interrupt::pending().is_some() {
            run.save()?;
        }
        return Err(error.within(format!("training {:?}", plan.name)));
    }
    run.finish()
}

struct Run<'a> {
    session: &'a Session,
    shelf: Shelf,
    standing: Standing<'a>,
    order: Order,
    saved: Instant,
    saved_step: u64,
}

impl Run<'_> {
    /// Goes on from the last checkpoint, or makes room for a new training.
    fn begin(&mut self) -> Result<()> {
        let name = &self.standing.plan.name;
        let note = |text: String| self.session.sink().note(&text);
        self.shelf.sweep();
        if self.session.resumes() {
            if let Some((checkpoint, damaged)) = self.shelf.last(self.session.context())? {
                for error in damaged {
                    note(format!("training {name:?}: {error}\n  using the checkpoint before it"));
                }
                self.standing.restore(&checkpoint)?;
                note(format!("training {name:?} goes on after step {}", self.standing.course.step));
            }
        } else {
            if self.shelf.put_aside()? {
                note(format!(
                    "training {name:?}: older checkpoints were moved to checkpoints/{name}.previous; --resume would have gone on from them"
                ));
            }
        }
        self.saved_step = self.standing.course.step;
        self.standing.drop_later_lines(self.session)
    }

    fn steps(&mut self, loss: &mut Loss, mut validate: Option<&mut Validate>) -> Result<()> {
        let plan = self.standing.plan;
        let total = plan.total();
        let mut progress = self.session.progress(&plan.name, total);
        loop {
            let done = self.standing.course.step;
            if plan.checks_after(done) && self.standing.course.checked < done {
                self.check(validate.as_deref_mut())?;
            }
            if self.checkpoint_is_due() {
                self.save()?;
            }
            let shown = self.standing.course.loss.map(|loss| loss.0);
            let polled = progress.at(done, || shown.map_or(String::new(), |loss| format!("loss {loss:.4e}")));
            if done >= total || self.standing.course.stopped {
                return Ok(());
            }
            polled?;
            let report = self.step(loss)?;
            self.log(&report)?;
        }
    }

    /// One step; on failure everything is as before.
    fn step(&mut self, loss: &mut Loss) -> Result<Report> {
        let Standing { plan, net, optimizer, course, average: mean, .. } = &mut self.standing;
        let batch = self.order.batch(plan, course.step);
        let key = Key::new(plan.seed).purpose("layers").step(course.step);
        let (session, taken) = (self.session, optimizer.steps());
        let report = step_keyed(optimizer, net, key, |net| session.with_draws(batch.seed, || loss(net, &batch)))
            // The optimiser counts its own steps, which may be more than those of this training.
            .map_err(|e| e.without(format!("step {taken}")).within(format!("step {}", course.step)))?;
        course.step += 1;
        if let (Some(mean), Some(decay)) = (mean, plan.average) {
            *mean = average(mean, &net.parameters(), decay, course.step)?;
        }
        course.loss = report.loss.is_finite().then_some(Exact(report.loss));
        if let Some(Exact(loss)) = course.loss {
            for (sum, count) in [&mut course.since_line, &mut course.since_check] {
                sum.0 += loss;
                *count += 1;
            }
        }
        Ok(report)
    }

    fn log(&mut self, report: &Report) -> Result<()> {
        let Standing { plan, course, .. } = &mut self.standing;
        if plan.log_every == 0 || (course.step % plan.log_every != 0 && course.step != plan.total()) {
            return Ok(());
        }
        let mut line = json!({
            "training": plan.name, "step": course.step, "loss": mean(course.since_line),
            "learning_rate": report.rate, "gradient_norm": report.gradient_norm,
        });
        if let Some(per_epoch) = plan.per_epoch() {
            line["epoch"] = json!(course.step as f64 / per_epoch.max(1) as f64);
        }
        course.since_line = Default::default();
        self.line(&line)
    }

    /// The score: whether it is the best, and whether to stop.
    fn check(&mut self, validate: Option<&mut Validate>) -> Result<()> {
        let Standing { plan, net, course, average, best, .. } = &mut self.standing;
        let judged = match average {
            Some(mean) => averaged(net, mean)?,
            None => net.clone(),
        };
        let score = match validate {
            Some(validate) => Some(validate(&judged)?),
            None => mean(course.since_check),
        };
        course.since_check = Default::default();
        course.checked = course.step;
        let gain = plan.early_stop.map_or(0.0, |e| e.least_gain);
        let better = score.filter(|s| s.is_finite() && course.best.is_none_or(|(b, _)| *s < b.0 - gain));
        match better {
            Some(score) => {
                course.best = Some((Exact(score), course.step));
                course.waited = 0;
                if plan.keep_best || plan.early_stop.is_some() {
                    *best = Some(Best { parameters: judged.parameters(), buffers: judged.buffers() });
                }
            }
            None => course.waited += 1,
        }
        course.stopped = plan.early_stop.is_some_and(|e| course.waited >= e.patience);
        let line = json!({ "training": plan.name, "step": course.step, "score": score, "best": course.best.map(|(b, _)| b.0) });
        self.line(&line)
    }

    fn line(&mut self, line: &Value) -> Result<()> {
        self.session.run().metric(line)?;
        self.standing.course.lines += 1;
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        let (plan, step) = (self.standing.plan, self.standing.course.step);
        let by_steps = plan.checkpoint_steps > 0 && step % plan.checkpoint_steps == 0;
        step > self.saved_step && (by_steps || self.saved.elapsed().as_secs_f64() >= plan.checkpoint_seconds)
    }
    fn save(&mut self) -> Result<()> {
        self.shelf.add(self.standing.course.step, &self.standing.checkpoint()?)?;
        self.saved = Instant::now();
        self.saved_step = self.standing.course.step;
        Ok(())
    }

    /// Saves the end, gives the network its best parameters, and writes the result.
    fn finish(mut self) -> Result<Outcome> {
        self.save()?;
        let Standing { plan, net, course, average, best, .. } = &self.standing;
        let average = match average {
            Some(mean) => Some(averaged(net, mean)?),
            None => None,
        };
        if let Some(best) = best {
            net.set_parameters(&best.parameters)?;
            net.set_buffers(&best.buffers)?;
        }
        let result: Checkpoint = self.standing.result()?;
        let bytes = result.to_bytes()?;
        self.session.run().write(&format!("checkpoints/{}.safetensors", plan.name), &bytes)?;
        self.session.run().write("checkpoints/final.safetensors", &bytes)?;
        let (loss, best) = (course.loss.map(|l| l.0), course.best.map(|(b, step)| (b.0, step)));
        Ok(Outcome { steps: course.step, loss, best, stopped_early: course.stopped, average })
    }
}

fn mean((sum, count): (Exact, u64)) -> Option<f64> {
    (count > 0).then(|| sum.0 / count as f64)
}

/// A copy of the network with averaged parameters.
fn averaged(net: &Net, mean: &crate::nn::Parameters) -> Result<Net> {
    let copy = net.copy();
    copy.set_parameters(mean)?;
    Ok(copy)
}
