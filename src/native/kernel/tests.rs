//! Machine code beside plain loops: the same bits, at any length, and nothing is written beyond it.

use super::*;
use crate::native::simd::{Level, at_each_level};

/// Numbers that are as good as random.
struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

const ARRAYS: usize = 12;
const REACH: isize = 5;

/// A function of so many operations: of many arrays, with values that are used at once and much later.
fn random(operations: usize, random: &mut Random) -> Function {
    let mut function = Function::default();
    for slot in 0..3 {
        function.value(Operation::Load(Stream { slot, shift: 0 }));
    }
    for _ in 0..operations {
        let known = function.operations().len();
        let far = random.below(4) == 0;
        let mut any = || if far { random.below(known) } else { known - 1 - random.below(known.min(4)) };
        let (a, b) = (any(), any());
        let operation = match random.below(13) {
            0..3 => Operation::Add(a, b),
            3..5 => Operation::Sub(a, b),
            5..8 => Operation::Mul(a, b),
            8 => Operation::Div(a, b),
            9 => {
                if random.below(2) == 0 {
                    Operation::Sqrt(a)
                } else {
                    Operation::Abs(a)
                }
            }
            10 => Operation::Number(random.below(6)),
            _ => {
                let shift = random.below(2 * REACH as usize + 1) as isize - REACH;
                Operation::Load(Stream { slot: random.below(ARRAYS), shift })
            }
        };
        function.value(operation);
    }
    let known = function.operations().len();
    for slot in 0..3 {
        let value = if slot == 0 { known - 1 } else { random.below(known) };
        function.store(Stream { slot: ARRAYS + slot, shift: 0 }, value);
    }
    function
}

fn compared<T: Real + std::fmt::Debug>(seed: u64, operations: usize, len: usize) {
    let mut numbers = Random(seed * 2 + 1);
    let function = random(operations, &mut numbers);
    let long = len + 2 * REACH as usize;
    let mut unit = || T::of(numbers.below(2001) as f64 / 1000.0 - 1.0);
    let mut arrays: Vec<Vec<T>> = (0..ARRAYS + 3).map(|_| (0..long).map(|_| unit()).collect()).collect();
    let table: Vec<T> = (0..6).map(|_| unit()).collect();
    let before = arrays.clone();
    let run = |arrays: &mut Vec<Vec<T>>, kernel: &Kernel<T>| {
        let slots: Vec<*mut T> = arrays.iter_mut().map(|array| array[REACH as usize..].as_mut_ptr()).collect();
        // SAFETY: arrays reach further than shifts on both sides.
        unsafe { kernel.run(&slots, &table, len) };
    };
    let plain = Kernel::<T> {
        function: function.clone(),
        #[cfg(target_arch = "x86_64")]
        code: None,
        tiles: std::marker::PhantomData,
    };
    run(&mut arrays, &plain);
    let expected = std::mem::replace(&mut arrays, before.clone());
    at_each_level(|level| {
        let kernel = Kernel::<T>::new(function.clone());
        assert_eq!(kernel.bytes() > 0, is_compiled(), "{seed} {level:?}");
        run(&mut arrays, &kernel);
        for (array, (found, expected)) in arrays.iter().zip(&expected).enumerate() {
            for (i, (a, b)) in found.iter().zip(expected).enumerate() {
                let same = a.f64().to_bits() == b.f64().to_bits() || a.is_nan() && b.is_nan();
                assert!(
                    same,
                    "{seed}, {operations} operations, {len} numbers, {level:?}: array {array} at {i}: {a:?} {b:?}"
                );
            }
        }
        arrays.clone_from(&before);
    });
}

#[test]
fn machine_code_gives_the_bits_of_plain_loops() {
    if Level::of_processor() > Level::Portable {
        assert!(is_compiled(), "this system lets no program make code");
    }
    let lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100];
    for seed in 0..200 {
        let operations = [1, 3, 10, 40, 200][seed as usize % 5];
        compared::<f32>(seed, operations, lengths[seed as usize % lengths.len()]);
        compared::<f64>(seed, operations, lengths[(seed as usize + 3) % lengths.len()]);
    }
}
