//! Training as a whole: what it learns, what it writes, and that a resumed one equals an uninterrupted one.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::checkpoint::{Checkpoint, sha256};
use super::*;
use crate::error::{Error, Kind, Result};
use crate::nn::{Activation, BatchNorm, Dropout, Layer, Linear, Mlp, Net, Sequential};
use crate::session::{Options, Session, Terminal};
use crate::tensor::{Context, Precision, Tensor, Unary};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);
impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ansatz-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
    fn session(&self, resume: bool) -> Session {
        Session::new(Options {
            run_folder: self.0.clone(),
            resume,
            sink: Rc::new(Terminal::new(true)),
            ..Options::default()
        })
    }
    fn result(&self, name: &str) -> String {
        sha256(&fs::read(self.0.join("checkpoints").join(name)).unwrap())
    }
    fn metrics(&self) -> String {
        fs::read_to_string(self.0.join("metrics.jsonl")).unwrap_or_default()
    }
    fn checkpoints(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.0.join("checkpoints/train")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SAMPLES: usize = 22;

/// With everything that a checkpoint has to carry: running statistics, masks, moments.
fn network(context: &Context) -> Net {
    let layers: Vec<Layer> = vec![
        Rc::new(Linear::new(1, 6)),
        Rc::new(BatchNorm::new(6)),
        Rc::new(Activation::Tanh),
        Rc::new(Dropout::new(0.2)),
        Rc::new(Linear::new(6, 1)),
    ];
    Net::new(context, Rc::new(Sequential { layers }), 3).unwrap()
}
fn data(context: &Context, indices: &[usize]) -> (Tensor, Tensor) {
    let x: Vec<f64> = indices.iter().map(|&i| i as f64 / SAMPLES as f64).collect();
    let y = x.iter().map(|x| (5.0 * x).sin()).collect();
    (Tensor::new(context, x, &[indices.len(), 1]).unwrap(), Tensor::new(context, y, &[indices.len(), 1]).unwrap())
}
fn error_on(net: &Net, indices: &[usize]) -> Result<Tensor> {
    let (x, y) = data(net.context(), indices);
    net.forward(&x)?.sub(&y)?.unary(Unary::Square)?.mean(&[], false)
}
fn plan() -> Plan {
    Plan {
        check: Some(Every::Steps(4)),
        keep_best: true,
        average: Some(0.9),
        log_every: 3,
        checkpoint_steps: 5,
        checkpoint_seconds: f64::INFINITY,
        seed: 9,
        ..Plan::epochs(6, SAMPLES, 5)
    }
}
/// Trains in `folder`; fails in the step `cut`.
fn run(
    folder: &Folder,
    resume: bool,
    plan: &Plan,
    mut optimizer: Optimizer,
    cut: Option<u64>,
) -> Result<(Outcome, Net)> {
    let session = folder.session(resume);
    let net = network(session.context());
    let outcome = train(
        &session,
        &net,
        &mut optimizer,
        plan,
        &mut |net, batch| {
            if cut == Some(batch.step) {
                return Err(Error::internal("power cut"));
            }
            error_on(net, &batch.indices)
        },
        Some(&mut |net| error_on(net, &(0..SAMPLES).collect::<Vec<_>>())?.item()),
    )?;
    Ok((outcome, net))
}

#[test]
fn resumed_equals_uninterrupted() {
    let lbfgs = Optimizer::lbfgs();
    let cosine =
        Optimizer::new(Method::Adam(Adam::default()), Schedule::Cosine { rate: 0.02, last: 0.0, warmup: 3, steps: 30 });
    let amsgrad = Optimizer::new(Method::Adam(Adam { amsgrad: true, ..Adam::decoupled() }), 0.01);
    let momentum = Optimizer::new(Method::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }), 0.01);
    for (name, optimizer) in [("cosine", cosine), ("amsgrad", amsgrad), ("momentum", momentum), ("lbfgs", lbfgs)] {
        let whole = Folder::new(&format!("whole-{name}"));
        let (outcome, net) = run(&whole, false, &plan(), optimizer.clone(), None).unwrap();
        assert_eq!(outcome.steps, 30);
        for cut in [vec![2], vec![7], vec![5, 11, 13, 29]] {
            let cut_up = Folder::new(&format!("cut-{name}"));
            for (i, &step) in cut.iter().enumerate() {
                let error = run(&cut_up, i > 0, &plan(), optimizer.clone(), Some(step)).err().unwrap();
                assert!(error.what().contains("power cut"), "{error}");
            }
            let (resumed, resumed_net) = run(&cut_up, true, &plan(), optimizer.clone(), None).unwrap();
            assert_eq!(cut_up.result("final.safetensors"), whole.result("final.safetensors"), "{name} cut at {cut:?}");
            assert_eq!(
                cut_up.result("train/checkpoint-0000000030.safetensors"),
                whole.result("train/checkpoint-0000000030.safetensors")
            );
            assert_eq!(cut_up.result("train.safetensors"), whole.result("final.safetensors"));
            assert_eq!(cut_up.metrics(), whole.metrics(), "{name} cut at {cut:?}");
            assert_eq!(resumed.best, outcome.best);
            for (a, b) in net.parameters().values().iter().zip(resumed_net.parameters().values()) {
                assert_eq!(a.to_vec().unwrap(), b.to_vec().unwrap());
            }
        }
    }
}

#[test]
fn a_finished_training_is_loaded() {
    let folder = Folder::new("finished");
    let (_, net) = run(&folder, false, &plan(), Optimizer::adam(0.01), None).unwrap();
    let (result, metrics) = (folder.result("final.safetensors"), folder.metrics());
    // Step 0 fails if it is ever computed.
    let (outcome, again) = run(&folder, true, &plan(), Optimizer::adam(0.01), Some(0)).unwrap();
    assert_eq!(outcome.steps, 30);
    assert_eq!((folder.result("final.safetensors"), folder.metrics()), (result, metrics));
    assert_eq!(
        net.parameter("0.weight").unwrap().to_vec().unwrap(),
        again.parameter("0.weight").unwrap().to_vec().unwrap()
    );
    // More steps go on from there.
    let longer = Plan { length: Length::Epochs(7), ..plan() };
    let (outcome, _) = run(&folder, true, &longer, Optimizer::adam(0.01), Some(3)).unwrap();
    assert_eq!(outcome.steps, 35);
}

#[test]
fn damaged_checkpoints() {
    let folder = Folder::new("damaged");
    run(&folder, false, &plan(), Optimizer::adam(0.01), Some(17)).err().unwrap();
    let files = folder.checkpoints();
    assert_eq!(files.len(), 2, "the last and the one before it");
    let whole = fs::read(&files[1]).unwrap();
    let hostile: [Vec<u8>; 6] = [
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        vec![0xff; 64],
        [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        [&2u64.to_le_bytes()[..], b"{}"].concat(),
    ];
    for bytes in &hostile {
        assert!(Checkpoint::from_bytes(&Context::cpu(Precision::F32), bytes).is_err());
        fs::write(&files[1], bytes).unwrap();
        // The one before it serves; the training then ends as if nothing had happened.
        let (outcome, _) = run(&folder, true, &plan(), Optimizer::adam(0.01), None).unwrap();
        assert_eq!(outcome.steps, 30);
        let _ = fs::remove_dir_all(&folder.0);
        run(&folder, false, &plan(), Optimizer::adam(0.01), Some(17)).err().unwrap();
    }
    for file in folder.checkpoints() {
        fs::write(file, b"nothing").unwrap();
    }
    let error = run(&folder, true, &plan(), Optimizer::adam(0.01), None).err().unwrap();
    assert_eq!(error.kind(), Kind::File);
    // Another training than the checkpoint's is refused, and the difference named.
    fs::write(&files[0], &whole).unwrap();
    let error = run(&folder, true, &plan(), Optimizer::adam(0.02), None).err().unwrap().to_string();
    assert!(error.contains("optimizer.rate.rate: 0.01 then, 0.02 now"), "{error}");
}

/// A flipped bit anywhere in a checkpoint is noticed; a file without a checksum is read.
#[test]
fn flipped_bits_in_a_checkpoint_are_noticed() {
    let c = Context::cpu(Precision::F32);
    let mut tensors = crate::nn::Parameters::new();
    tensors.push("w".into(), Tensor::new(&c, vec![1.0, 2.0, 3.0], &[3]).unwrap()).unwrap();
    let manifest = serde_json::json!({ "step": 3 }).as_object().cloned().unwrap();
    let checkpoint = Checkpoint { groups: vec![("parameters".into(), tensors)], manifest };
    let whole = checkpoint.to_bytes().unwrap();
    assert_eq!(whole, checkpoint.to_bytes().unwrap());
    let back = Checkpoint::from_bytes(&c, &whole).unwrap();
    assert_eq!(back.manifest, checkpoint.manifest);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[at] ^= 1 << bit;
            assert!(Checkpoint::from_bytes(&c, &altered).is_err(), "bit {bit} of byte {at} of {}", whole.len());
        }
    }
    // As they were written before: the same file without the two keys.
    let text = String::from_utf8_lossy(&whole[8..]).into_owned();
    let at = text.find("\\\"sealed").unwrap();
    let end = text[at..].find("\\\",").map(|i| at + i + 3).unwrap();
    let header = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let older = [&whole[8..8 + at], &whole[8 + end..8 + header]].concat();
    let older = [&(older.len() as u64).to_le_bytes()[..], &older, &whole[8 + header..]].concat();
    assert_eq!(Checkpoint::from_bytes(&c, &older).unwrap().manifest, checkpoint.manifest);
}

#[test]
fn a_new_training_puts_old_checkpoints_aside() {
    let folder = Folder::new("aside");
    for _ in 0..2 {
        run(&folder, false, &plan(), Optimizer::adam(0.01), None).unwrap();
    }
    assert!(folder.0.join("checkpoints/train.previous").exists());
    let steps = folder.metrics().lines().filter(|l| l.contains("\"loss\"")).count();
    assert_eq!(steps, 10, "lines of the first training are gone");
}

#[test]
fn overfits_a_few_points() {
    let folder = Folder::new("overfit");
    let session = folder.session(false);
    let net = Net::new(session.context(), Rc::new(Mlp::new(1, &[16, 16], 1, Activation::Tanh)), 1).unwrap();
    let before = error_on(&net, &[0, 7, 14, 21]).unwrap().item().unwrap();
    // The rate falls to 0: at a constant rate the end depends on where Adam's last oscillation happened to be.
    let schedule = Schedule::Cosine { rate: 1e-2, last: 0.0, warmup: 0, steps: 600 };
    let mut optimizer = Optimizer::new(Method::Adam(Adam::default()), schedule);
    let outcome = train(
        &session,
        &net,
        &mut optimizer,
        &Plan { samples: Some(4), ..Plan::steps(600) },
        &mut |net, batch| error_on(net, &batch.indices.iter().map(|i| 7 * i).collect::<Vec<_>>()),
        None,
    )
    .unwrap();
    let after = error_on(&net, &[0, 7, 14, 21]).unwrap().item().unwrap();
    assert!(before > 0.05 && after < 1e-5, "{before} {after} {:?}", outcome.loss);
    assert!(!net.parameters().values().iter().any(Tensor::is_tracked), "training leaves no graph behind");
}

#[test]
fn stops_early_with_the_best_parameters() {
    let folder = Folder::new("early");
    let session = folder.session(false);
    let net = Net::new(session.context(), Rc::new(Linear::new(1, 1)), 1).unwrap();
    let plan = Plan {
        check: Some(Every::Steps(1)),
        early_stop: Some(EarlyStop { patience: 3, least_gain: 0.0 }),
        ..Plan::steps(100)
    };
    let scores = [5.0, 4.0, 3.0, 3.5, 3.2, 3.1, 0.0];
    let seen = Cell::new(0);
    let best = std::cell::RefCell::new(Vec::new());
    let outcome = train(
        &session,
        &net,
        &mut Optimizer::sgd(0.1),
        &plan,
        &mut |net, _| error_on(net, &[3]),
        Some(&mut |net| {
            let i = seen.replace(seen.get() + 1);
            if i == 2 {
                *best.borrow_mut() = net.parameter("weight")?.to_vec()?;
            }
            Ok(scores[i])
        }),
    )
    .unwrap();
    assert!(outcome.stopped_early && outcome.steps == 6);
    assert_eq!(outcome.best, Some((3.0, 3)));
    assert_eq!(net.parameter("weight").unwrap().to_vec().unwrap(), *best.borrow());
}

#[test]
fn batches_cover_the_samples() {
    for (n, batch, drop_last, shuffle) in
        [(10, 3, false, true), (10, 3, true, true), (9, 3, true, false), (4, 100, false, true)]
    {
        let plan = Plan { drop_last, shuffle, ..Plan::epochs(2, n, batch) };
        let mut order = super::plan::Order::new();
        let per_epoch = plan.per_epoch().unwrap();
        let mut passes = Vec::new();
        for epoch in 0..2 {
            let batches: Vec<Batch> = (0..per_epoch).map(|i| order.batch(&plan, epoch * per_epoch + i)).collect();
            assert!(batches.iter().all(|b| b.epoch == epoch && b.indices.len() <= batch && !b.indices.is_empty()));
            let mut seen: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
            passes.push(seen.clone());
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), if drop_last { n / batch * batch } else { n });
        }
        assert_eq!(passes[0] == passes[1], !shuffle);
    }
}

#[test]
fn averages() {
    let c = Context::cpu(Precision::F64);
    let one =
        |x: f64| crate::nn::Parameters::from_pairs([("w".to_string(), Tensor::full(&c, &[2], x).unwrap())]).unwrap();
    for (decay, t, expected) in [(0.5, 1000, 1.5), (0.999, 1, 2.0 * 9.0 / 11.0 + 2.0 / 11.0), (0.0, 5, 2.0)] {
        let mean = average(&one(1.0), &one(2.0), decay, t).unwrap().get("w").unwrap().to_vec().unwrap();
        assert!((mean[0] - expected).abs() < 1e-12, "{decay} {t}: {mean:?}");
    }
    assert!(average(&one(1.0), &one(2.0), 1.0, 1).is_err());
}

#[test]
fn errors_name_the_place() {
    let folder = Folder::new("errors");
    let session = folder.session(false);
    let c = session.context().clone();
    let net = Net::new(&c, Rc::new(Linear::new(1, 1)), 1).unwrap();
    let try_plan = |plan: &Plan, loss: &mut Loss| {
        train(&session, &net, &mut Optimizer::adam(0.1), plan, loss, None).err().unwrap().to_string()
    };
    let nan = try_plan(&Plan::steps(5), &mut |net, batch| {
        let x = Tensor::full(net.context(), &[1, 1], if batch.step == 2 { -1.0 } else { 1.0 })?;
        net.forward(&x)?.unary(Unary::Square)?.mul(&x)?.unary(Unary::Sqrt)?.sum_all()
    });
    assert!(nan.contains("step 2") && nan.contains("not finite"), "{nan}");
    let gradient = try_plan(&Plan::steps(5), &mut |net, _| {
        // √0: the value is fine, the slope is not.
        net.parameter("bias")?.mul(&net.parameter("bias")?.scale(0.0)?)?.unary(Unary::Sqrt)?.sum_all()
    });
    assert!(gradient.contains("step 0") && gradient.contains("\"bias\""), "{gradient}");
    let constant = try_plan(&Plan::steps(5), &mut |net, _| Ok(Tensor::scalar(net.context(), 1.0)));
    assert!(constant.contains("does not depend"), "{constant}");
    let vector = try_plan(&Plan::steps(5), &mut |net, _| net.forward(&Tensor::full(net.context(), &[3, 1], 1.0)?));
    assert!(vector.contains("single number"), "{vector}");
    let unfit = [
        Plan { name: "../up".into(), ..Plan::steps(1) },
        Plan { name: String::new(), ..Plan::steps(1) },
        Plan { batch: Some(3), ..Plan::steps(1) },
        Plan { keep_best: true, ..Plan::steps(1) },
        Plan { drop_last: true, ..Plan::epochs(1, 3, 4) },
        Plan::epochs(1, 0, 4),
        Plan::epochs(1, 4, 0),
    ];
    for plan in unfit {
        let error = train(&session, &net, &mut Optimizer::adam(0.1), &plan, &mut |net, _| error_on(net, &[1]), None)
            .err()
            .unwrap();
        assert_eq!(error.kind(), Kind::Option, "{error}");
    }
}

#[test]
fn metrics_are_json_lines() {
    let folder = Folder::new("metrics");
    run(&folder, false, &plan(), Optimizer::adam(0.01), None).unwrap();
    let lines: Vec<Value> = folder.metrics().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().all(|l| l["training"] == "train" && l["step"].is_u64()));
    assert!(lines.iter().any(|l| l["score"].is_f64()) && lines.iter().any(|l| l["gradient_norm"].is_f64()));
    assert!(Path::new(&folder.0).join("checkpoints/final.safetensors").exists());
}

#[test]
fn networks_in_files() {
    let folder = Folder::new("files");
    let (outcome, net) = run(&folder, false, &plan(), Optimizer::adam(0.01), None).unwrap();
    let c = net.context().clone();
    let weight = |net: &Net| net.parameter("0.weight").unwrap().to_vec().unwrap();
    let result = folder.0.join("checkpoints/final.safetensors");
    let fresh = network(&c);
    load(&fresh, &result, false).unwrap();
    assert_eq!(weight(&fresh), weight(&net));
    load(&fresh, &result, true).unwrap();
    assert_eq!(weight(&fresh), weight(outcome.average.as_ref().unwrap()));
    let own = folder.0.join("net.safetensors");
    save(&net, &own).unwrap();
    load(&fresh, &own, false).unwrap();
    assert_eq!(weight(&fresh), weight(&net));
    let other = Net::new(&c, Rc::new(Linear::new(1, 6)), 0).unwrap();
    let error = load(&other, &own, false).err().unwrap().to_string();
    assert!(error.contains("0.weight") && load(&fresh, &own, true).is_err(), "{error}");
}

#[test]
fn dropout_draws_by_seed_step_layer_and_call() {
    let c = Context::cpu(Precision::F64);
    let layers: Vec<Layer> = vec![Rc::new(Dropout::new(0.25)), Rc::new(Linear::new(1, 1))];
    let net = Net::new(&c, Rc::new(Sequential { layers }), 1).unwrap();
    net.set_parameter("1.weight", &Tensor::full(&c, &[1, 1], 1.0).unwrap()).unwrap();
    let x = Tensor::full(&c, &[4000, 1], 1.0).unwrap();
    let draw = |seed: u64, step: u64| {
        let mut calls = Vec::new();
        let key = crate::tensor::random::Key::new(seed).step(step);
        net.value_and_gradient(&net.parameters(), key, &mut |net| {
            let (a, b) = (net.forward(&x)?, net.forward(&x)?);
            calls = vec![a.to_vec()?, b.to_vec()?];
            a.sum_all()
        })
        .unwrap();
        calls
    };
    let first = draw(1, 0);
    assert_eq!(first, draw(1, 0));
    assert!(first[0] != first[1] && first[0] != draw(1, 1)[0] && first[0] != draw(2, 0)[0]);
    let zeros = first[0].iter().filter(|x| **x == 0.0).count() as f64 / 4000.0;
    assert!((zeros - 0.25).abs() < 0.03 && first[0].iter().all(|x| *x == 0.0 || (x - 4.0 / 3.0).abs() < 1e-12));
    assert_eq!(net.forward(&x).unwrap().to_vec().unwrap(), vec![1.0; 4000]);
}

#[test]
fn second_derivatives_of_a_network_train() {
    // u'' = −π² sin πx with u(0) = u(1) = 0: derivatives inside the loss, and a gradient through them.
    let folder = Folder::new("pinn");
    let session = folder.session(false);
    session.context().set_precision(Precision::F64);
    let c = session.context().clone();
    let net = Net::new(&c, Rc::new(Mlp::new(1, &[12, 12], 1, Activation::Tanh)), 2).unwrap();
    let x = Tensor::new(&c, (0..=16).map(|i| i as f64 / 16.0).collect(), &[17, 1]).unwrap();
    let pi = std::f64::consts::PI;
    let exact = x.scale(pi).unwrap().unary(Unary::Sin).unwrap();
    let mut loss = |net: &Net, _: &Batch| -> Result<Tensor> {
        let slope = |x: &Tensor, f: &dyn Fn(&Tensor) -> Result<Tensor>| {
            let (_, mut g) =
                crate::tensor::value_and_gradient(x.context(), std::slice::from_ref(x), |x| f(&x[0])?.sum_all())?;
            Ok::<_, Error>(g.remove(0))
        };
        let bent = slope(&x, &|x| slope(x, &|x| net.forward(x)))?;
        let residual = bent.add(&exact.scale(pi * pi)?)?.unary(Unary::Square)?.mean(&[], false)?;
        let ends = net.forward(&Tensor::new(&c, vec![0.0, 1.0], &[2, 1])?)?.unary(Unary::Square)?.sum_all()?;
        residual.add(&ends.scale(100.0)?)
    };
    let mut optimizer = Optimizer::new(Method::Lbfgs(Lbfgs { reuse: true, ..Lbfgs::default() }), 1.0);
    train(&session, &net, &mut optimizer, &Plan::steps(150), &mut loss, None).unwrap();
    let error = net
        .forward(&x)
        .unwrap()
        .sub(&exact)
        .unwrap()
        .unary(Unary::Abs)
        .unwrap()
        .max(&[], false)
        .unwrap()
        .item()
        .unwrap();
    assert!(error < 1e-2, "{error}");
}
