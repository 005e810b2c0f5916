//! Operations on numbers that lie side by side.

use rustc_hash::FxHashMap;

/// A value by its place among the operations.
pub type Value = usize;

/// Numbers of an array, so many further on than the place that is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Which array.
    pub slot: usize,
    /// How many numbers further on.
    pub shift: isize,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// What is read.
    Load(Stream),
    /// The same number everywhere, by its place in the table that a run is given.
    Number(usize),
    /// `a + b`
    Add(Value, Value),
    /// `a − b`
    Sub(Value, Value),
    /// `a b`
    Mul(Value, Value),
    /// `a / b`
    Div(Value, Value),
    /// `√a`
    Sqrt(Value),
    /// `|a|`
    Abs(Value),
}

impl Operation {
    /// What it is computed from.
    pub fn arguments(self) -> impl Iterator<Item = Value> {
        let pair = match self {
            Self::Load(_) | Self::Number(_) => [None, None],
            Self::Sqrt(a) | Self::Abs(a) => [Some(a), None],
            Self::Add(a, b) | Self::Sub(a, b) | Self::Mul(a, b) | Self::Div(a, b) => [Some(a), Some(b)],
        };
        pair.into_iter().flatten()
    }
}

/// Operations in order, each of them once, and what is stored.
#[derive(Clone, Debug, Default)]
pub struct Function {
    operations: Vec<Operation>,
    known: FxHashMap<Operation, Value>,
    stores: Vec<(Stream, Value)>,
}

impl Function {
    /// A value, the one that is there if it is known.
    pub fn value(&mut self, operation: Operation) -> Value {
        let next = self.operations.len();
        let value = *self.known.entry(operation).or_insert(next);
        if value == next {
            self.operations.push(operation);
        }
        value
    }
    /// Stores a value.
    pub fn store(&mut self, to: Stream, value: Value) {
        self.stores.push((to, value));
    }
    /// All operations; arguments come first.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
    /// Where values go.
    pub fn stores(&self) -> &[(Stream, Value)] {
        &self.stores
    }
    /// All streams, those that are stored last.
    pub fn streams(&self) -> impl Iterator<Item = Stream> {
        let loads =
            self.operations.iter().filter_map(|o| if let Operation::Load(stream) = o { Some(*stream) } else { None });
        loads.chain(self.stores.iter().map(|(stream, _)| *stream))
    }
    /// How many arrays there are.
    pub fn slots(&self) -> usize {
        self.streams().map(|stream| stream.slot + 1).max().unwrap_or(0)
    }
    /// How many numbers a run needs.
    pub fn numbers(&self) -> usize {
        let number = |o: &Operation| if let Operation::Number(n) = o { n + 1 } else { 0 };
        self.operations.iter().map(number).max().unwrap_or(0)
    }
}
