//! `ansatz-jupyter`: notebooks for Ansatz.
//!
//! Three processes of one program: the *front* that Jupyter starts, the *worker* with engine and session, and, while there are cells
//! in Rust, a *relay* that evcxr takes for its child.

mod front;
mod install;
mod relay;
mod wire;
mod worker;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The Jupyter kernel of Ansatz
#[derive(Parser)]
#[command(name = "ansatz-jupyter", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell Jupyter about the kernel
    Install(install::Place),
    /// Take that back
    Uninstall(install::Place),
    /// Serve a notebook; Jupyter calls this
    Run {
        /// The file that describes the connection
        connection: PathBuf,
    },
    /// The process with the session; `run` starts it
    #[command(hide = true)]
    Worker,
}

#[global_allocator]
static MEMORY: ansatz::session::Placed = ansatz::session::Placed;

fn main() {
    if let Some(socket) = std::env::var_os(relay::SOCKET) {
        std::process::exit(relay::run(&PathBuf::from(socket)));
    }
    // evcxr calls the program in place of the compiler when its cache is on.
    #[cfg(feature = "rust-cells")]
    evcxr::runtime_hook();
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Install(place) => install::install(&place).map(|folder| println!("installed in {}", folder.display())),
        Command::Uninstall(place) => install::uninstall(&place).map(|folder| println!("removed {}", folder.display())),
        Command::Run { connection } => {
            prepare_rust_cells();
            front::run(&connection)
        }
        Command::Worker => worker::run(),
    };
    if let Err(error) = outcome {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
    // Tasks that still wait for input are not waited for.
    std::process::exit(0);
}

/// What evcxr reads from the environment; set before there are threads.
///
/// rust-analyzer inside of evcxr reads the sources of the standard library: seconds at each start, and where they are missing it
/// asks rustup to download them. An empty folder in their place leaves both out; completion of the standard library in Rust
/// cells goes with it. `ANSATZ_RUST_SRC=1` keeps them.
#[cfg(feature = "rust-cells")]
fn prepare_rust_cells() {
    let folder = front::rust_folder();
    let set = |name: &str, value: PathBuf| {
        if std::env::var_os(name).is_none() {
            // SAFETY: the only thread so far.
            unsafe { std::env::set_var(name, value) };
        }
    };
    set("EVCXR_TMPDIR", folder.join("evcxr"));
    if std::env::var_os("ANSATZ_RUST_SRC").is_none_or(|value| value != "1") {
        set("RUST_SRC_PATH", folder.join("no-sources"));
    }
}
#[cfg(not(feature = "rust-cells"))]
fn prepare_rust_cells() {}
