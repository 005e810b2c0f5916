//! The compiler's processes: evcxr starts cargo, cargo starts rustc, and neither can be asked to stop.

use std::collections::BTreeSet;

/// A process, and who started it.
struct Process {
    id: u32,
    parent: u32,
    name: String,
}

/// Ends every cargo that this process started, with what those started.
pub fn end_compilers() {
    let all = processes();
    for id in compilers(&all, std::process::id()) {
        let Ok(id) = libc::pid_t::try_from(id) else { continue };
        // SAFETY: a call without memory of ours; the process is of this user, or the call is refused.
        unsafe { libc::kill(id, libc::SIGKILL) };
    }
}

fn compilers(all: &[Process], own: u32) -> BTreeSet<u32> {
    let starts = all.iter().filter(|process| process.parent == own && process.name == "cargo");
    let mut found: BTreeSet<u32> = starts.map(|process| process.id).collect();
    loop {
        let next: Vec<u32> =
            all.iter().filter(|p| found.contains(&p.parent) && !found.contains(&p.id)).map(|p| p.id).collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

/// The processes of this machine; none where they cannot be listed.
#[cfg(target_os = "linux")]
fn processes() -> Vec<Process> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| of_stat(&std::fs::read_to_string(folder.path().join("stat")).ok()?)).collect()
}

/// `7 (name) S 1 …`: the name may hold blanks and brackets.
#[cfg(any(target_os = "linux", test))]
fn of_stat(text: &str) -> Option<Process> {
    let (head, rest) = text.rsplit_once(')')?;
    let (id, name) = head.split_once('(')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    Some(Process { id: id.trim().parse().ok()?, parent, name: name.to_string() })
}

#[cfg(not(target_os = "linux"))]
fn processes() -> Vec<Process> {
    let Ok(listed) = std::process::Command::new("ps").args(["-axo", "pid=,ppid=,comm="]).output() else {
        return Vec::new();
    };
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Process { id, parent, name: words.next()?.rsplit('/').next()?.to_string() })
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_compiler_started_goes_with_it() {
        let table =
            ["1 (front) S 0", "2 (cargo) S 1", "3 (rustc (a b)) R 2", "4 (cc) R 3", "5 (worker) S 1", "6 (cargo) S 9"];
        let all: Vec<Process> = table.iter().filter_map(|line| of_stat(line)).collect();
        assert_eq!(compilers(&all, 1).into_iter().collect::<Vec<_>>(), [2, 3, 4]);
    }
}
