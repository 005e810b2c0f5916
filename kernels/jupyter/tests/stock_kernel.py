"""The library in a notebook of the stock kernel: a real evcxr_jupyter, asked through the protocol as a notebook asks.

Usage: stock_kernel.py [FOLDER]. Needs the kernel `rust` (cargo install --locked evcxr_jupyter; evcxr_jupyter --install). The first cell
compiles the library, which takes minutes; in FOLDER, which may not lie below a Cargo workspace, it is kept for the next time.
"""

import os
import pathlib
import sys

from notebook import Notebook

ROOT = pathlib.Path(__file__).resolve().parents[3]
HEAT = "solve(equation(|u| dt(u) - laplacian(u)), grid::periodic([32, 32], [TAU, TAU]).sample(|x, y| sin(x)), linspace(0, 1, 3))"

# Cells, and the media types that each is to show beside its text.
CELLS = [
    (f":opt 0\n:dep ansatz = {{ path = \"{ROOT}\" }}", []),
    ("use ansatz::plot::*; use ansatz::session::{Options, Session}; use ansatz::tensor::Tensor;", []),
    ("Figure::new(Panel::Lines(Lines { series: vec![Series::new(\"squares\", vec![0., 1., 2.], vec![0., 1., 4.])], ..Lines::default() }))",
     ["image/png", "image/svg+xml"]),
    ("let session: Session = Session::new(Options::default());", []),
    ("Tensor::new(session.context(), (0..64).map(|i| (0.1 * i as f64).sin()).collect(), &[8, 8]).unwrap()", ["text/html"]),
    ("use ansatz::{equation::Equation, field::{Field, Path}, script::Host};\n"
     "fn scripted<T: Clone + 'static>(code: &str) -> T {\n"
     "    Host::new(Session::new(Options::default())).evaluate(\"cell\", code).unwrap_or_else(|why| panic!(\"{why}\")).cast()\n}", []),
    ("scripted::<Equation>(\"equation(|u| dt(u) - laplacian(u))\")", ["text/latex"]),
    ("scripted::<Field>(\"grid::periodic([32, 32], [TAU, TAU]).sample(|x, y| sin(x) * cos(y))\")", ["text/html"]),
    (f"scripted::<Path>(\"{HEAT}\")", ["text/html"]),
    (f"scripted::<Animation>(\"plot::animation({HEAT})\")", ["image/gif"]),
]


def main():
    folder = {"EVCXR_TMPDIR": os.path.abspath(sys.argv[1])} if len(sys.argv) > 1 else {}
    failed = 0
    with Notebook(kernel="rust", env={**os.environ, **folder}) as book:
        for code, kinds in CELLS:
            ran = book.run(code, timeout=3600)
            shown = {kind: len(content) for kind, content in ran.result.items()}
            print(f"{ran.seconds:8.1f} s  {code.splitlines()[-1]:.80}\n            {ran.error.get('evalue', shown)}", flush=True)
            missing = [kind for kind in kinds + ["text/plain"] * bool(kinds) if kind not in shown]
            if ran.status != "ok" or missing:
                print(f"            there is no {', '.join(missing) or 'end'}")
                failed += 1
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
