//! The command line: `ansatz run`, `check`, `doc`, `repl`, `devices`.

mod cli;

#[global_allocator]
static MEMORY: ansatz::session::Placed = ansatz::session::Placed;

fn main() {
    std::process::exit(cli::main());
}
