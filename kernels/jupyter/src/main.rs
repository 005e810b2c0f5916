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
            no_standard_library_sources();
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

/// rust-analyzer inside of evcxr reads the sources of the standard library: seconds at each start, and where they are missing it
/// asks rustup to download them. An empty folder in their place leaves both out; completion of the standard library in Rust
/// cells goes with it. `ANSATZ_RUST_SRC=1` keeps them.
fn no_standard_library_sources() {
    if !cfg!(feature = "rust-cells") || std::env::var_os("RUST_SRC_PATH").is_some() {
        return;
    }
    if std::env::var_os("ANSATZ_RUST_SRC").is_some_and(|value| value == "1") {
        return;
    }
    let folder = std::env::temp_dir().join("ansatz-no-rust-src");
    if std::fs::create_dir_all(folder.join("core")).is_ok() {
        // SAFETY: the only thread so far.
        unsafe { std::env::set_var("RUST_SRC_PATH", folder) };
    }
}
