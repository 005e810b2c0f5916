//! `run.json`: what a run was made from and how it ended.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ansatz::session::Session;
use serde_json::{Value, json};

use super::options::SessionOptions;

/// Writes `run.json` when the run begins and again when it ends.
pub struct Manifest {
    value: Value,
    start: Instant,
}

impl Manifest {
    /// What is known before the script runs.
    pub fn new(script: &str, options: &SessionOptions, session: &Session) -> Self {
        let limits = session.limits();
        let value = json!({
            "script": script,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
            "device": options.device.to_string(),
            "precision": options.precision().name(),
            "seed": session.seed(),
            "resumed": session.resumes(),
            "set": session.parameters(),
            "limits": {
                "operations": limits.operations,
                "seconds": limits.seconds,
                "call_depth": limits.call_depth,
                "expression_depth": limits.expression_depth,
                "string": limits.string_length,
                "array": limits.array_length,
                "map": limits.map_length,
                "tensor_bytes": limits.tensor_bytes,
                "allow": limits.granted.iter().map(|p| p.display().to_string()).collect::<Vec<_>>(),
            },
            "versions": versions(),
            "start": timestamp(SystemTime::now()),
            "status": "running",
        });
        Self { value, start: Instant::now() }
    }
    /// What the file holds.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.value).unwrap_or_default() + "\n"
    }
    /// Writes it as it stands.
    pub fn write(&self, session: &Session) -> ansatz::Result<()> {
        session.run().write("run.json", self.text().as_bytes()).map(|_| ())
    }
    /// Adds how the run ended.
    pub fn finish(&mut self, session: &Session, status: &str, exit: i32, error: Option<&str>) {
        let parameters = session.used_parameters();
        let Some(map) = self.value.as_object_mut() else { return };
        map.insert("status".into(), status.into());
        map.insert("exit".into(), exit.into());
        map.insert("seconds".into(), json!(rounded(self.start.elapsed())));
        map.insert("parameters".into(), json!(parameters));
        map.insert("peak_tensor_bytes".into(), json!(session.context().peak_bytes()));
        map.insert("device".into(), json!(session.context().device().to_string()));
        if session.context().device() != ansatz::tensor::Device::CPU {
            map.insert("counts".into(), counts(session));
        }
        if let Some(error) = error {
            map.insert("error".into(), error.into());
        }
    }
}

/// What the host and the device had to do with each other, with the lines that copied most often.
fn counts(session: &Session) -> Value {
    let counts = session.context().counts();
    // What is put off still counts.
    let _ = session.context().synchronise();
    let (now, places) = (counts.snapshot(), counts.places());
    let kernels: Vec<_> = counts.kernels().into_iter().take(20).map(|(name, n)| json!([name, n])).collect();
    let [to_host, to_device] =
        places.map(|list| list.into_iter().take(20).map(|(at, n)| json!([at, n])).collect::<Vec<_>>());
    json!({
        "operations": now.operations,
        "launches": now.launches,
        "kernels": kernels,
        "copies_to_host": now.to_host,
        "bytes_to_host": now.bytes_to_host,
        "copies_to_device": now.to_device,
        "bytes_to_device": now.bytes_to_device,
        "to_host": to_host,
        "to_device": to_device,
    })
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// Versions of this program and of the libraries that results depend on, as the lock file of the build has them.
fn versions() -> Value {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let of = |name: &str| -> Option<&'static str> {
        let at = LOCK.find(&format!("name = \"{name}\"\n"))?;
        LOCK.get(at..)?.lines().nth(1)?.split('"').nth(1)
    };
    json!({ "ansatz": env!("CARGO_PKG_VERSION"), "burn": of("burn"), "rhai": of("rhai") })
}

/// A time as people and programs read it: `2026-01-31T12:00:00Z`.
fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days as i64);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Days since 1970 as a date of the Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(super::civil(0), (1970, 1, 1));
        assert_eq!(super::civil(19_782), (2024, 2, 29));
        assert_eq!(super::civil(20_454), (2026, 1, 1));
    }
}
