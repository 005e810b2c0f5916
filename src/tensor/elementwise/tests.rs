//! Chains put off give the bits of operations done one by one, whatever lies in between.

use super::*;
use crate::native::simd::at_each_level;
use crate::tensor::random::{self, Key};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Binary, Compare, Unary, value_and_gradient};

const NEVER: usize = usize::MAX;

fn bits(t: &Tensor) -> Vec<u64> {
    t.to_vec().unwrap().into_iter().map(f64::to_bits).collect()
}

/// A chain of `count` operations, chosen by a seed, on tensors of shapes that stretch to `[5, 3, 7]`.
fn chain(seed: u64, count: usize) -> Vec<Tensor> {
    let c = context();
    let shapes: [&[usize]; 8] = [&[5, 3, 7], &[7], &[3, 1], &[5, 1, 1], &[], &[1, 3, 7], &[5, 3, 1], &[5, 1, 7]];
    let mut all: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(&c, s, 10 + i)).collect();
    // Views that are not in row-major order.
    all.push(sample(&c, &[7, 3, 5], 3).permute(&[2, 1, 0]).unwrap());
    all.push(sample(&c, &[5, 3, 9], 4).narrow(2, 1, 7).unwrap());
    all.push(sample(&c, &[5, 3, 7], 5).flip(&[1]).unwrap());
    let mut state = seed;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let ops = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Min, Binary::Max, Binary::Rem];
    let compares = [Compare::Equal, Compare::NotEqual, Compare::Lower, Compare::LowerEqual, Compare::Greater];
    for i in 0..count {
        let recent = |n: usize| all.len() - 1 - n.min(all.len() - 1);
        let (a, b, d) = (all[recent(next(4))].clone(), all[next(all.len())].clone(), all[next(all.len())].clone());
        all.push(match next(9) {
            0..=2 => a.binary(ops[next(ops.len())], &b).unwrap(),
            3 => a.unary(Unary::ALL[next(Unary::ALL.len())].1).unwrap(),
            4 => a.compare(compares[next(compares.len())], &b).unwrap(),
            5 => a.compare(Compare::Lower, &b).unwrap().choose(&b, &d).unwrap(),
            6 => a.scale(0.5 + i as f64).unwrap().shift(-0.25).unwrap(),
            7 => a.clamp(-1.0, 1.0).unwrap(),
            _ => a.powf([2.0, -1.0, 3.0, 0.5][next(4)]).unwrap(),
        });
        if next(12) == 0 {
            all.last().unwrap().sum_all().unwrap();
        }
        if next(3) == 0 {
            all.remove(11.min(all.len() - 1));
        }
    }
    all.split_off(11.min(all.len() - 3))
}

#[test]
fn random_chains_give_the_same_bits() {
    for seed in 0..60 {
        let count = if seed % 10 == 0 { 150 } else { 25 };
        let one_by_one: Vec<_> = putting_off(NEVER, || chain(seed, count).iter().map(bits).collect());
        let together: Vec<_> = putting_off(1, || chain(seed, count).iter().map(bits).collect());
        assert_eq!(one_by_one, together, "seed {seed}");
        let backwards: Vec<_> = putting_off(1, || {
            let made = chain(seed, count);
            let mut read: Vec<_> = made.iter().rev().map(bits).collect();
            read.reverse();
            read
        });
        assert_eq!(one_by_one, backwards, "seed {seed}");
    }
}

#[test]
fn long_tensors_are_split_among_threads() {
    let c = context();
    for n in [4095, 4096, 70_001] {
        let (x, row) = (sample(&c, &[3, n], 1), sample(&c, &[n], 2));
        let f = || {
            let y = x.scale(0.5).unwrap().add(&row).unwrap().unary(Unary::Tanh).unwrap();
            let noise = random::normal(&c, Key::new(3), &[3, n]).unwrap();
            let z = y.mul(&noise).unwrap().add(&sample(&c, &[3, 1], 4)).unwrap();
            (bits(&z), bits(&y), bits(&noise))
        };
        let expected = putting_off(NEVER, f);
        at_each_level(|_| assert!(f() == expected, "{n}"));
    }
}

#[test]
fn draws_of_many_samples_are_those_of_each() {
    let c = context();
    let samples: Vec<u64> = (0..9001).map(|i| i * 7919).collect();
    let key = Key::new(5).step(2);
    for shape in [vec![], vec![1], vec![2], vec![4], vec![5]] {
        let all = random::normal_samples(&c, key, &samples, &shape).unwrap().scale(1.0).unwrap().to_vec().unwrap();
        let len: usize = shape.iter().product();
        for at in [0, 1, 255, 256, 4096, 9000] {
            let one = random::normal(&c, key.sample(samples[at]), &shape).unwrap().to_vec().unwrap();
            assert_eq!(all[at * len..][..len], one, "{shape:?}, sample {at}");
        }
    }
}

#[test]
fn a_loop_is_computed_in_portions() {
    let c = context();
    let run = || {
        let mut x = sample(&c, &[50], 1);
        for step in 0..300 {
            let cube = x.mul(&x).unwrap().mul(&x).unwrap();
            let noise = random::normal(&c, Key::new(7).step(step), &[50]).unwrap();
            let drift = x.sub(&cube).unwrap().scale(0.01).unwrap();
            x = x.add(&drift).unwrap().add(&noise.scale(0.05).unwrap()).unwrap();
        }
        bits(&x)
    };
    assert_eq!(putting_off(1, run), putting_off(NEVER, run));
}

#[test]
fn empty_tensors_and_single_numbers() {
    let c = context();
    putting_off(0, || {
        let x = Tensor::new(&c, vec![], &[0, 3]).unwrap();
        let y = x.scale(2.0).unwrap().add(&Tensor::new(&c, vec![1.0; 3], &[3]).unwrap()).unwrap();
        assert_eq!((y.shape(), y.to_vec().unwrap()), (vec![0, 3], vec![]));
        let one = Tensor::scalar(&c, 2.0).unary(Unary::Square).unwrap().shift(1.0).unwrap();
        assert_eq!((one.shape(), one.item().unwrap()), (vec![], 5.0));
        let wide = Tensor::scalar(&c, 2.0).expand(&[4, 5]).unwrap().scale(3.0).unwrap();
        assert_eq!(wide.to_vec().unwrap(), [6.0; 20]);
    });
}

#[test]
fn gradients_go_through() {
    let c = context();
    putting_off(1, || {
        let x = [sample(&c, &[4, 3], 1), sample(&c, &[3], 2)];
        let f = |x: &[Tensor]| {
            let y = x[0].mul(&x[1])?.unary(Unary::Silu)?;
            let z = y.compare(Compare::Lower, &x[1])?.choose(&y, &x[1])?;
            z.mul(&x[0].unary(Unary::Gelu)?)?.add(&x[1].unary(Unary::Tanh)?)
        };
        assert!(gradient_error(&x, f) < 1e-6);
        let second = gradient_error(&x, |x| {
            let (_, g) = value_and_gradient(&c, x, |x| f(x)?.unary(Unary::Square)?.sum_all())?;
            g[0].mul(&g[1])
        });
        assert!(second < 1e-5, "{second:e}");
    });
}

#[test]
fn memory_is_given_back() {
    let c = context();
    let before = c.live_bytes();
    putting_off(1, || {
        let x = sample(&c, &[1000], 1);
        let one = c.live_bytes() - before;
        let y = x.scale(2.0).unwrap().shift(1.0).unwrap();
        assert_eq!(c.live_bytes() - before, 2 * one);
        drop(x);
        // The chain still needs the numbers.
        assert_eq!(c.live_bytes() - before, 2 * one);
        y.to_vec().unwrap();
        assert_eq!(c.live_bytes() - before, one);
        c.set_memory_limit(c.live_bytes() + 100);
        assert!(y.scale(2.0).is_err());
        c.set_memory_limit(usize::MAX);
    });
    assert_eq!(c.live_bytes(), before);
}
