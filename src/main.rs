//! The command line: `ansatz run`, `check`, `doc`, `repl`, `devices`.

mod cli;

fn main() {
    std::process::exit(cli::main());
}
