//! Parts of one piece of work, shared among threads.

use std::sync::Mutex;

/// Does `work` for each part, on this thread and on those of the pool. Whoever is free takes the next part: this thread does not wait until
/// another one is awake, which takes longer than a million additions. `own` makes what a thread works with.
pub(crate) fn share<I: Send, W>(parts: Vec<I>, own: impl Fn() -> W + Sync, work: impl Fn(&mut W, I) + Sync) {
    let helpers = (rayon::current_num_threads() - 1).min(parts.len().saturating_sub(1));
    let parts = Mutex::new(parts.into_iter());
    let next = || parts.lock().ok().and_then(|mut parts| parts.next());
    let all = || {
        let Some(first) = next() else { return };
        let mut with = own();
        work(&mut with, first);
        while let Some(part) = next() {
            work(&mut with, part);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|_| all());
        }
        all();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_part_once() {
        for count in [0, 1, 2, 1000] {
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let parts: Vec<usize> = (0..count).collect();
            share(
                parts,
                || (),
                |(), i| {
                    done[i].fetch_add(1, Ordering::Relaxed);
                },
            );
            assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == 1));
        }
    }
}
