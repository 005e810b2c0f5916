//! How many steps a card is given before it is waited for. While it works nothing can be interrupted, so that what is queued should take a moment only; and
//! each wait costs as much as a few launches. What a step takes is measured.

use std::time::{Duration, Instant};

/// How long what is queued should take.
const WAIT: Duration = Duration::from_millis(150);
/// Times as many steps as before at most: a first measurement has the compilation of kernels in it, and a short one little but the wait.
const GROWTH: usize = 4;
/// Work of the first steps that are queued, before anything is measured: numbers times passes.
const WORK: usize = 1 << 20;

/// Steps of one loop.
pub(crate) struct Pace {
    most: usize,
    /// How many steps are queued before a wait, and how many are now.
    at_once: usize,
    queued: usize,
    since: Instant,
}

impl Pace {
    /// For steps of so many numbers times passes; so many are queued at most.
    pub fn new(work: usize, most: usize) -> Self {
        let most = most.max(1);
        Self { most, at_once: (WORK / work.max(1)).clamp(1, most), queued: 0, since: Instant::now() }
    }
    /// Steps that may still be queued.
    pub fn left(&self) -> usize {
        self.at_once.saturating_sub(self.queued).max(1)
    }
    /// Counts steps that have been queued; whether the card is to be waited for now.
    pub fn queue(&mut self, steps: usize) -> bool {
        self.queued += steps;
        self.queued >= self.at_once
    }
    /// After the card has done all that was queued.
    pub fn waited(&mut self) {
        let now = Instant::now();
        self.measured(now.duration_since(self.since));
        self.since = now;
    }
    fn measured(&mut self, took: Duration) {
        if self.queued > 0 {
            let fit = self.queued as f64 * (WAIT.as_secs_f64() / took.as_secs_f64().max(1e-9));
            let most = self.at_once.saturating_mul(GROWTH).min(self.most);
            self.at_once = (fit as usize).clamp(1, most);
        }
        self.queued = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps between waits, where each takes so long, after so many waits; the first of them takes longer by what is compiled.
    fn settled(work: usize, each: Duration, compiled: Duration) -> usize {
        let mut pace = Pace::new(work, 512);
        let mut steps = 0;
        for wait in 0..12 {
            steps = pace.left();
            assert!(pace.queue(steps) && (1..=512).contains(&steps));
            pace.measured(each * steps as u32 + if wait == 0 { compiled } else { Duration::ZERO });
        }
        steps
    }

    #[test]
    fn what_is_queued_takes_a_moment_whatever_a_step_takes() {
        assert_eq!(settled(1, Duration::from_micros(1), Duration::from_secs(3)), 512);
        assert_eq!(settled(1 << 30, Duration::from_secs(3), Duration::ZERO), 1);
        for (work, micros) in [(1, 1500), (1 << 24, 1500), (1 << 18, 700), (1 << 22, 60_000)] {
            let steps = settled(work, Duration::from_micros(micros), Duration::from_secs(1));
            let took = Duration::from_micros(micros) * steps as u32;
            assert!(took <= WAIT && took > WAIT / 3, "{steps} steps of {micros} µs");
        }
    }

    #[test]
    fn steps_of_a_piece_count_together() {
        let mut pace = Pace::new(WORK / 10, 512);
        assert_eq!(pace.left(), 10);
        assert!(!pace.queue(4));
        assert_eq!(pace.left(), 6);
        assert!(pace.queue(6));
        pace.measured(Duration::from_millis(1));
        assert_eq!(pace.left(), 40);
    }
}
