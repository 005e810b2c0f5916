use ansatz::script::Host;
use ansatz::session::{Options, Session};
fn main() {
    ansatz::script::diagnose::quiet_panics();
    let path = std::env::args().nth(1).unwrap_or_default();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let run = move || {
        let mut host = Host::new(Session::new(Options::default()));
        match host.evaluate(&path, &text) {
            Ok(v) => println!("{v}"),
            Err(e) => eprint!("{e}"),
        }
    };
    let _ = std::thread::Builder::new().name("ansatz".into()).stack_size(128 << 20).spawn(run).map(|t| t.join());
}
