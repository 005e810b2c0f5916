//! Moments, tails, independence and reproducibility.

use super::*;
use crate::tensor::Precision;

fn numbers(precision: Precision, key: Key, n: usize) -> Vec<f64> {
    normal(&Context::cpu(precision), key, &[n]).unwrap().to_vec().unwrap()
}

#[test]
fn normal_moments_and_tails() {
    let n = 1 << 24;
    for precision in [Precision::F32, Precision::F64] {
        let x = numbers(precision, Key::new(7).purpose("moments"), n);
        let moment = |p: i32| x.iter().map(|v| v.powi(p)).sum::<f64>() / n as f64;
        // Standard errors of the first four moments are √(1, 2, 15, 96) / √n.
        for (p, expected, spread) in [(1, 0.0, 1.0), (2, 1.0, 2.0f64), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = (moment(p) - expected).abs() / (spread.sqrt() / (n as f64).sqrt());
            assert!(error < 4.0, "{precision:?}, moment {p}: {error} standard errors");
        }
        // P(|x| > s) against the number found.
        for (s, p) in [
            (1.0, 0.317_310_5),
            (2.0, 4.550_026e-2),
            (3.0, 2.699_796e-3),
            (4.0, 6.334_248e-5),
            (5.0, 5.733_031e-7),
            (5.5, 3.797_9e-8),
        ] {
            let found = x.iter().filter(|v| v.abs() > s).count() as f64;
            let expected = p * n as f64;
            let error = (found - expected).abs() / expected.sqrt().max(1.0);
            assert!(error < 4.0, "{precision:?}, beyond {s}: {found}, expected {expected}");
        }
    }
}

#[test]
fn bins_are_filled_evenly() {
    // Uniform by the normal distribution function is a stronger test than moments: χ² with 255 degrees of freedom.
    let c = Context::cpu(Precision::F32);
    for (name, x) in [
        ("uniform", uniform(&c, Key::new(3), 0.0, 256.0, &[1 << 20]).unwrap()),
        ("normal", {
            use crate::tensor::Unary;
            let x = normal(&c, Key::new(3), &[1 << 20]).unwrap().cast(Precision::F64).unwrap();
            let erf = x.scale(std::f64::consts::FRAC_1_SQRT_2).unwrap().unary(Unary::Erf).unwrap();
            erf.shift(1.0).unwrap().scale(128.0).unwrap()
        }),
    ] {
        let mut bins = [0.0f64; 256];
        for v in x.to_vec().unwrap() {
            bins[(v as usize).min(255)] += 1.0;
        }
        let expected = (1 << 20) as f64 / 256.0;
        let chi: f64 = bins.iter().map(|b| (b - expected).powi(2) / expected).sum();
        assert!((150.0..380.0).contains(&chi), "{name}: χ² = {chi}");
    }
}

#[test]
fn samples_steps_purposes_and_neighbours_are_independent() {
    let n = 1 << 20;
    let key = Key::new(11);
    let base = numbers(Precision::F32, key, n);
    let mut shifted = base.clone();
    shifted.rotate_left(1);
    let others = [
        ("sample", numbers(Precision::F32, key.sample(1), n)),
        ("high sample", numbers(Precision::F32, key.sample(1 << 40), n)),
        ("step", numbers(Precision::F32, key.step(1), n)),
        ("high step", numbers(Precision::F32, key.step(1 << 31), n)),
        ("purpose", numbers(Precision::F32, key.purpose("noise"), n)),
        ("seed", numbers(Precision::F32, Key::new(12), n)),
        ("neighbour", shifted),
    ];
    for (name, other) in &others {
        for power in [1, 2] {
            let f = |v: f64| if power == 1 { v } else { (v * v - 1.0) / 2f64.sqrt() };
            let r = base.iter().zip(other).map(|(a, b)| f(*a) * f(*b)).sum::<f64>() / (n as f64).sqrt();
            assert!(r.abs() < 4.0, "{name}, power {power}: {r} standard errors");
        }
    }
}

#[test]
fn the_batch_split_does_not_matter() {
    for precision in [Precision::F32, Precision::F64] {
        let c = Context::cpu(precision);
        for shape in [vec![], vec![1], vec![3], vec![5, 7], vec![64], vec![33, 1000], vec![200_001], vec![0]] {
            let samples = [5, 0, u64::MAX, 7];
            let key = Key::new(1).step(9);
            let all = normal_samples(&c, key, &samples, &shape).unwrap();
            assert_eq!(all.shape()[1..], shape[..]);
            let mut joined = Vec::new();
            for &s in &samples {
                joined.extend(normal(&c, key.sample(s), &shape).unwrap().to_vec().unwrap());
            }
            assert_eq!(all.to_vec().unwrap(), joined, "{shape:?}");
        }
        // A longer draw begins with the shorter one, whatever the threads did.
        let long = numbers(precision, Key::new(2), 300_000);
        assert_eq!(long[..1001], numbers(precision, Key::new(2), 1001)[..]);
        assert!(normal_samples(&c, Key::new(0), &[], &[4]).unwrap().is_empty());
    }
}

#[test]
fn precisions_agree() {
    let (a, b) = (numbers(Precision::F32, Key::new(5), 1 << 20), numbers(Precision::F64, Key::new(5), 1 << 20));
    let worst = a.iter().zip(&b).filter(|(a, _)| a.abs() < 4.0).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 2e-5, "{worst:e}");
}

#[test]
fn uniform_stays_below_its_end() {
    for precision in [Precision::F32, Precision::F64] {
        let c = Context::cpu(precision);
        for (low, high) in [(0.0, 1.0), (-3.0, 2.0), (1e6, 1e6 + 1.0), (1.0, 1.0), (-2.0, -1.0)] {
            let x = uniform(&c, Key::new(1), low, high, &[100_000]).unwrap().to_vec().unwrap();
            assert!(x.iter().all(|&v| v >= low && (v < high || low == high)), "{low} {high}");
        }
        for (low, high) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1.7e308)] {
            assert!(uniform(&c, Key::new(1), low, high, &[3]).is_err());
        }
        assert!(uniform(&c, Key::new(1), 0.0, 1.0, &[usize::MAX, 2]).is_err());
    }
}

#[test]
fn rademacher_is_fair() {
    let x = rademacher(&Context::cpu(Precision::F32), Key::new(1), &[1 << 20]).unwrap().to_vec().unwrap();
    assert!(x.iter().all(|v| v.abs() == 1.0));
    assert!(x.iter().sum::<f64>().abs() < 4.0 * 1024.0);
}

#[test]
fn permutations_are_permutations_and_fair() {
    for n in [0, 1, 2, 10, 1000] {
        let mut p = permutation(Key::new(4), n);
        p.sort_unstable();
        assert!(p.into_iter().eq(0..n));
    }
    let mut counts = [[0.0f64; 5]; 5];
    for sample in 0..20_000 {
        for (i, p) in permutation(Key::new(4).sample(sample), 5).into_iter().enumerate() {
            counts[i][p] += 1.0;
        }
    }
    let chi: f64 = counts.iter().flatten().map(|c| (c - 4000.0).powi(2) / 4000.0).sum();
    assert!(chi < 45.0, "χ² = {chi} with 16 degrees of freedom");
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    for (precision, shape) in [
        (Precision::F32, vec![1 << 24]),
        (Precision::F64, vec![1 << 23]),
        (Precision::F32, vec![1 << 16]),
        (Precision::F32, vec![1600, 1024]),
        (Precision::F32, vec![1 << 20, 2]),
    ] {
        let c = Context::cpu(precision);
        let n: usize = shape.iter().product();
        let samples: Vec<u64> = (0..shape[0] as u64).collect();
        let mut best = f64::MAX;
        for _ in 0..10 {
            let start = std::time::Instant::now();
            if shape.len() == 1 {
                normal(&c, Key::new(1), &shape).unwrap();
            } else {
                normal_samples(&c, Key::new(1), &samples, &shape[1..]).unwrap();
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{precision:?} {shape:?}: {:.0} M normals/s", n as f64 / best / 1e6);
    }
}

#[test]
fn tensor_operations_draw_the_same_bits() {
    use crate::tensor::Device;
    let key = Key::new(11).purpose("noise").step(5);
    for precision in [Precision::F32, Precision::F64] {
        let (cpu, low) = (Context::cpu(precision), Context::on(Device::LOWERED, precision));
        let draws = |c: &Context| {
            [
                normal(c, key, &[100_003]).unwrap(),
                normal_samples(c, key, &[0, 1, 2, 3], &[3, 7]).unwrap(),
                // Not in order, and with a high word.
                normal_samples(c, key, &[9, 1 << 40, u64::MAX, 0], &[5]).unwrap(),
                uniform(c, key.sample(3), -2.5, 7.25, &[10_001]).unwrap(),
                uniform(c, key, 1e6, 1e6 + 1.0, &[1000]).unwrap(),
                rademacher(c, key.step(9), &[10, 100]).unwrap(),
                normal(c, key, &[]).unwrap(),
                normal(c, key, &[0, 4]).unwrap(),
            ]
        };
        for (i, (a, b)) in draws(&cpu).iter().zip(draws(&low)).enumerate() {
            assert_eq!(a.shape(), b.shape());
            let (a, b) = (a.to_vec().unwrap(), b.to_vec().unwrap());
            let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "draw {i}, {precision:?}: {differ} of {}", a.len());
        }
        // Nothing was copied there but the samples that are not in order, and a tensor without numbers.
        assert!(low.counts().snapshot().to_device <= 5, "{:?}", low.counts().places());
    }
}
