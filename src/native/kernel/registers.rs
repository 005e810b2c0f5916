//! Which value is in which register: one that is not needed any more gives its place, else the one that is needed last.

use super::function::{Function, Operation, Value};

/// Registers of one kind while code is written, operation by operation.
pub struct Registers {
    holds: Vec<Option<Value>>,
    of: Vec<Option<usize>>,
    /// Places on the stack, by values.
    saved: Vec<Option<usize>>,
    places: usize,
    /// When each value is read, the last time first.
    uses: Vec<Vec<usize>>,
}

impl Registers {
    /// So many, for the values of a function, which are stored as soon as they are there.
    pub fn new(count: usize, function: &Function) -> Self {
        let operations = function.operations();
        let mut uses = vec![Vec::new(); operations.len()];
        for (at, operation) in operations.iter().enumerate().rev() {
            operation.arguments().for_each(|a| uses[a].push(at));
        }
        Self {
            holds: vec![None; count],
            of: vec![None; operations.len()],
            saved: vec![None; operations.len()],
            places: 0,
            uses,
        }
    }
    /// The register of a value.
    pub fn of(&self, value: Value) -> Option<usize> {
        self.of.get(value).copied().flatten()
    }
    /// Where a value lies on the stack.
    pub fn saved(&self, value: Value) -> Option<usize> {
        self.saved.get(value).copied().flatten()
    }
    /// Places on the stack that were needed.
    pub fn places(&self) -> usize {
        self.places
    }
    /// Whether a value is read after the operation `at`.
    pub fn is_needed(&self, value: Value, at: usize) -> bool {
        self.uses.get(value).and_then(|uses| uses.first()).is_some_and(|last| *last > at)
    }
    fn next(&self, value: Value, at: usize) -> usize {
        self.uses[value].iter().rev().find(|use_| **use_ > at).copied().unwrap_or(usize::MAX)
    }
    /// A register for a value at the operation `at`, none of those in `kept`. Where what it held is needed again and cannot be read again, that is to be
    /// written to the place on the stack that is returned.
    pub fn take(
        &mut self,
        value: Value,
        at: usize,
        kept: &[usize],
        function: &Function,
    ) -> Option<(usize, Option<usize>)> {
        let free = (0..self.holds.len()).find(|r| self.holds[*r].is_none() && !kept.contains(r));
        let (register, save) = match free {
            Some(register) => (register, None),
            None => {
                let candidates = (0..self.holds.len()).filter(|r| !kept.contains(r));
                let of = |r: &usize| self.holds[*r].map_or(usize::MAX, |v| self.next(v, at.saturating_sub(1)));
                let register = candidates.max_by_key(of)?;
                let old = self.holds[register]?;
                self.of[old] = None;
                let again = matches!(function.operations()[old], Operation::Load(_) | Operation::Number(_));
                let save = if again || self.saved[old].is_some() {
                    None
                } else {
                    self.saved[old] = Some(self.places);
                    self.places += 1;
                    self.saved[old]
                };
                (register, save)
            }
        };
        self.holds[register] = Some(value);
        self.of[value] = Some(register);
        Some((register, save))
    }
    /// Gives back the register of a value that is not read after the operation `at`.
    pub fn give_back(&mut self, value: Value, at: usize) {
        if !self.is_needed(value, at)
            && let Some(register) = self.of.get_mut(value).and_then(Option::take)
        {
            self.holds[register] = None;
        }
    }
}
