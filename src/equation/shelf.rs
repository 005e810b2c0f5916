//! What is dear to make and good for more than what it was made for: inverses of implicit steps, by the length of the step.
//!
//! With the inverse of another state or of another length an iteration takes longer, and ends at the same place. What it takes longer adds up from
//! one use to the next; when that is what a new one costs, a new one is made. So nothing costs more than twice what the best choice would have.

use std::cell::Cell;
use std::rc::Rc;

/// Lengths of steps whose inverses are kept.
const KEPT: usize = 8;
/// Lengths that are further apart than by this factor have little in common.
const APART: f64 = 1.25;

/// What was made for one length.
struct Own<T> {
    length: f64,
    of: Rc<T>,
    uses: usize,
    /// How often it was applied since it was judged.
    applied: Rc<Cell<usize>>,
    /// How often in the first one, for which it was made.
    first: usize,
    /// How much more often in all others.
    more: usize,
}

/// Something from the shelf.
pub(super) struct Lent<T> {
    /// What it is.
    pub of: Rc<T>,
    applied: Rc<Cell<usize>>,
}

impl<T> Lent<T> {
    /// Says that it was applied.
    pub fn count(&self) {
        self.applied.set(self.applied.get().saturating_add(1));
    }
}

impl<T> Own<T> {
    fn lend(&mut self) -> Lent<T> {
        self.uses = self.uses.saturating_add(1);
        Lent { of: self.of.clone(), applied: self.applied.clone() }
    }
    /// Looks at how often it was applied in the last use.
    fn judge(&mut self) {
        let applied = self.applied.replace(0);
        if self.uses == 1 {
            self.first += applied;
        } else {
            self.more = self.more.saturating_add(applied.saturating_sub(self.first));
        }
    }
}

/// What is kept.
pub(super) struct Shelf<T>(Vec<Own<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Shelf<T> {
    /// That of the same length, for so many uses.
    pub fn same(&mut self, length: f64, uses: usize) -> Option<Lent<T>> {
        let own = self.0.iter_mut().find(|own| own.length.to_bits() == length.to_bits() && own.uses < uses)?;
        own.judge();
        Some(own.lend())
    }
    /// That of the nearest length, until it was applied so much more often than a new one would have been.
    pub fn near(&mut self, length: f64, cost: usize) -> Option<Lent<T>> {
        self.0.iter_mut().for_each(Own::judge);
        self.0.retain(|own| own.more < cost);
        let apart = |own: &Own<T>| if own.length == length { 0.0 } else { (own.length / length).ln().abs() };
        let near = self.0.iter_mut().filter(|own| apart(own) <= APART.ln());
        near.min_by(|a, b| apart(a).total_cmp(&apart(b))).map(Own::lend)
    }
    /// Keeps what was made for a length.
    pub fn keep(&mut self, length: f64, of: T) -> Lent<T> {
        self.0.retain(|own| own.length.to_bits() != length.to_bits());
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        let mut own = Own { length, of: Rc::new(of), uses: 0, applied: Rc::default(), first: 0, more: 0 };
        let lent = own.lend();
        self.0.push(own);
        lent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(lent: Option<Lent<u8>>, times: usize) -> Option<u8> {
        let lent = lent?;
        (0..times).for_each(|_| lent.count());
        Some(*lent.of)
    }

    #[test]
    fn what_is_near_is_used_until_that_costs_as_much_as_a_new_one() {
        let mut shelf = Shelf::default();
        assert_eq!(used(shelf.near(0.1, 5), 0), None);
        assert_eq!(used(Some(shelf.keep(0.1, 1)), 2), Some(1));
        // As good as new ones.
        assert!((0..100).all(|_| used(shelf.near(0.1, 5), 2) == Some(1)));
        // Two more each time: 2, 4, 6.
        assert!((0..3).all(|_| used(shelf.near(0.1, 5), 4) == Some(1)));
        assert_eq!(used(shelf.near(0.1, 5), 4), None);
        assert_eq!(used(Some(shelf.keep(0.1, 2)), 2), Some(2));
        assert_eq!(used(shelf.near(0.11, 5), 2), Some(2));
        assert_eq!(used(shelf.near(0.2, 5), 2), None);
        assert_eq!(used(shelf.near(-0.1, 5), 2), None);
    }

    #[test]
    fn of_lengths_the_nearest_and_the_last_are_kept() {
        let mut shelf = Shelf::default();
        (0..=8).for_each(|i| drop(shelf.keep(1.0 + 0.1 * f64::from(i), i)));
        assert_eq!(used(shelf.near(1.31, 1), 0), Some(3));
        assert_eq!(used(shelf.same(1.0, 9), 0), None);
        assert_eq!((used(shelf.same(1.8, 2), 0), used(shelf.same(1.8, 2), 0)), (Some(8), None));
    }
}
