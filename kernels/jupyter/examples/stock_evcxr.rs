//! The library in stock evcxr: what a notebook of `evcxr_jupyter` compiles and shows, cell by cell, without the notebook.
//!
//! ```text
//! cargo run -p ansatz-jupyter --example stock_evcxr [FOLDER]
//! ```
//!
//! The first cell compiles the library, which takes minutes; in FOLDER, which may not lie below a Cargo workspace, it is kept for the next
//! time. Fails when a cell fails, or does not show what it is to show.

use std::time::Instant;

use evcxr::CommandContext;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Cells, and the media types that each is to show.
const CELLS: [(&str, &[&str]); 7] = [
    ("use ansatz::plot::*; use ansatz::session::{Options, Session}; use ansatz::tensor::Tensor;", &[]),
    (
        "Figure::new(Panel::Lines(Lines { series: vec![Series::new(\"squares\", vec![0., 1., 2.], vec![0., 1., 4.])], ..Lines::default() }))",
        &["image/png", "image/svg+xml", "text/plain"],
    ),
    ("let session: Session = Session::new(Options::default());", &[]),
    (
        "Tensor::new(session.context(), (0..64).map(|i| (0.1 * i as f64).sin()).collect(), &[8, 8]).unwrap()",
        &["text/html", "text/plain"],
    ),
    // A value of a script is of a type of Rhai, which the cell does not depend on: it is taken out where it is made.
    (
        "use ansatz::{equation::Equation, field::Field, script::Host};\n\
         fn scripted<T: Clone + 'static>(code: &str) -> T {\n\
         Host::new(Session::new(Options::default())).evaluate(\"cell\", code).unwrap_or_else(|why| panic!(\"{why}\")).cast()\n}",
        &[],
    ),
    ("scripted::<Equation>(\"equation(|u| dt(u) - laplacian(u))\")", &["text/latex", "text/plain"]),
    (
        "scripted::<Field>(\"grid::periodic([32, 32], [TAU, TAU]).sample(|x, y| sin(x) * cos(y))\")",
        &["text/html", "text/plain"],
    ),
];

fn main() {
    evcxr::runtime_hook();
    if let Some(folder) = std::env::args_os().nth(1) {
        // SAFETY: the only thread so far.
        unsafe { std::env::set_var("EVCXR_TMPDIR", folder) };
    }
    let (mut context, outputs) = CommandContext::new().unwrap_or_else(|why| panic!("evcxr does not start: {why}"));
    for lines in [outputs.stdout, outputs.stderr] {
        std::thread::spawn(move || lines.iter().for_each(|line| println!("    {line}")));
    }
    let library = format!(":opt 0\n:dep ansatz = {{ path = {LIBRARY:?} }}");
    let mut failed = 0;
    for (code, kinds) in std::iter::once((library.as_str(), [].as_slice())).chain(CELLS) {
        let start = Instant::now();
        let outcome = context.execute(code);
        println!("{:>8.1} s  {}", start.elapsed().as_secs_f64(), code.lines().next().unwrap_or_default());
        match outcome {
            Ok(shown) => {
                let mut found: Vec<_> = shown.content_by_mime_type.iter().collect();
                found.sort();
                for (kind, content) in &found {
                    println!("            {kind}, {} bytes: {:.60}", content.len(), content.trim().replace('\n', " "));
                }
                for missing in kinds.iter().filter(|kind| !shown.content_by_mime_type.contains_key(**kind)) {
                    println!("            there is no {missing}");
                    failed += 1;
                }
            }
            Err(why) => {
                println!("            {why}");
                failed += 1;
            }
        }
    }
    std::process::exit(i32::from(failed > 0));
}
