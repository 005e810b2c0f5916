//! A training that is interrupted, or killed at any moment, goes on to the same result. In a process of its own: the
//! interrupt flag is shared by all threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use ansatz::nn::{Activation, Mlp, Net};
use ansatz::session::{Options, Session, Terminal, interrupt};
use ansatz::tensor::{Tensor, Unary};
use ansatz::train::checkpoint::sha256;
use ansatz::train::{Every, Optimizer, Outcome, Plan, train};
use ansatz::{Result, error::Kind};

const CHILD: &str = "ANSATZ_TEST_RUN_FOLDER";

/// Many short steps with a checkpoint after each third, so that a kill falls into every phase.
fn run(folder: &Path, resume: bool, interrupt_in: Option<u64>) -> Result<Outcome> {
    let sink = Rc::new(Terminal::new(true));
    let session = Session::new(Options { run_folder: folder.to_path_buf(), resume, sink, ..Options::default() });
    let context = session.context().clone();
    let net = Net::new(&context, Rc::new(Mlp::new(1, &[8], 1, Activation::Tanh)), 1)?;
    let x = Tensor::new(&context, (0..40).map(|i| i as f64 / 40.0).collect(), &[40, 1])?;
    let y = x.scale(6.0)?.unary(Unary::Sin)?;
    let plan = Plan {
        check: Some(Every::Steps(7)),
        keep_best: true,
        average: Some(0.99),
        log_every: 2,
        checkpoint_steps: 3,
        seed: 5,
        ..Plan::epochs(60, 40, 10)
    };
    let mut loss = |net: &Net, batch: &ansatz::train::Batch| {
        if interrupt_in == Some(batch.step) {
            interrupt::request(interrupt::Reason::User);
        }
        let rows: Vec<i64> = batch.indices.iter().map(|&i| i as i64).collect();
        net.forward(&x.take(0, &rows)?)?.sub(&y.take(0, &rows)?)?.unary(Unary::Square)?.mean(&[], false)
    };
    train(&session, &net, &mut Optimizer::adam(1e-2), &plan, &mut loss, None)
}

/// What a training leaves behind.
fn left(folder: &Path) -> [String; 3] {
    ["checkpoints/final.safetensors", "checkpoints/train/checkpoint-0000000240.safetensors", "metrics.jsonl"]
        .map(|file| sha256(&fs::read(folder.join(file)).unwrap()))
}

#[test]
fn interrupted_and_killed() {
    if let Some(folder) = std::env::var_os(CHILD) {
        run(Path::new(&folder), true, None).unwrap();
        return;
    }
    let root: PathBuf = std::env::temp_dir().join(format!("ansatz-resume-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    let folder = |name: &str| root.join(name);
    run(&folder("whole"), false, None).unwrap();
    let whole = left(&folder("whole"));

    // Ctrl-C three times; a session that is resumed keeps what was trained.
    for (i, step) in [50, 51, 200].into_iter().enumerate() {
        let error = run(&folder("interrupted"), i > 0, Some(step)).err().unwrap();
        assert_eq!(error.kind(), Kind::Interrupted);
        interrupt::clear();
    }
    run(&folder("interrupted"), true, None).unwrap();
    assert_eq!(left(&folder("interrupted")), whole);

    // Killed again and again, each time a little later, until it is through.
    let mut kills = 0;
    for attempt in 0..400u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupted_and_killed"])
            .env(CHILD, folder("killed"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(3000 + 250 * attempt));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert_eq!(left(&folder("killed")), whole, "after {kills} kills");
    println!("{kills} kills");
    let _ = fs::remove_dir_all(&root);
}
