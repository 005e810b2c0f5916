//! Accuracy in units of the last place, the ends of the range, and the same bits at all levels.

mod reference;

use self::reference::Pair;
use super::*;
use crate::native::simd::at_each_level;

type Single = (&'static str, fn(&[f32], &mut [f32]), fn(f64) -> f64, f64);
type Double = (&'static str, fn(&[f64], &mut [f64]), fn(f64) -> Pair, f64, (f64, f64));

/// Function, exact value, tolerated error.
const SINGLES: [Single; 12] = [
    ("exp", exp, f64::exp, 2.0),
    ("expm1", expm1, f64::exp_m1, 2.0),
    ("log", log, f64::ln, 2.0),
    ("log1p", log1p, f64::ln_1p, 2.0),
    ("sin", sin, f64::sin, 2.0),
    ("cos", cos, f64::cos, 2.0),
    ("tan", tan, f64::tan, 2.0),
    ("tanh", tanh, f64::tanh, 2.0),
    ("sigmoid", sigmoid, |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }, 2.0),
    ("erf", erf, |x| reference::erf(x).0, 2.0),
    ("sqrt", sqrt, f64::sqrt, 0.501),
    ("recip", recip, f64::recip, 0.501),
];
/// Function, exact value, tolerated error, exponents (of 2) of the arguments.
const DOUBLES: [Double; 10] = [
    ("exp", exp, |x| reference::exp(x.clamp(-760.0, 720.0).into()), 2.0, (-20.0, 9.6)),
    ("expm1", expm1, |x| reference::expm1(x.clamp(-760.0, 720.0)), 2.0, (-60.0, 9.6)),
    ("log", log, reference::log, 2.0, (-1074.0, 1023.9)),
    ("log1p", log1p, reference::log1p, 2.0, (-60.0, 60.0)),
    ("sin", sin, |x| reference::sincos(x).0, 2.0, (-30.0, 19.9)),
    ("cos", cos, |x| reference::sincos(x).1, 2.0, (-30.0, 19.9)),
    ("tan", tan, |x| reference::sincos(x).0 / reference::sincos(x).1, 2.5, (-30.0, 19.9)),
    ("tanh", tanh, reference::tanh, 2.5, (-30.0, 6.0)),
    ("sigmoid", sigmoid, reference::sigmoid, 2.0, (-30.0, 9.6)),
    ("erf", erf, reference::erf, 2.0, (-30.0, 3.0)),
];

fn unit32(x: f64) -> f64 {
    let x = x.abs() as f32;
    if x.is_infinite() {
        return 2f64.powi(104);
    }
    (f32::from_bits((x.to_bits() & 0x7F80_0000).max(1 << 23)) as f64 * f32::EPSILON as f64).max(2f64.powi(-149))
}
fn error32(y: f32, exact: f64) -> f64 {
    if y.is_nan() && exact.is_nan() || y as f64 == exact || y == exact as f32 && y.is_infinite() {
        return 0.0;
    }
    let y = if y.is_infinite() && exact.abs() > 3.40282e38 {
        3.402_823_669_209_385e38f64.copysign(y as f64)
    } else {
        y as f64
    };
    ((y - exact) / unit32(exact)).abs()
}

/// The largest error of a function over every `step`-th of all numbers of `f32`, and where it is.
fn worst_single((name, f, exact, _): Single, step: usize) -> (f64, f32) {
    let (mut worst, mut at) = (0.0, 0.0);
    let mut out = vec![0.0; 4096];
    let all: Vec<u32> = (0..=u32::MAX).step_by(step).collect();
    for bits in all.chunks(4096) {
        let x: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
        let out = &mut out[..x.len()];
        f(&x, out);
        for (&x, &y) in x.iter().zip(out.iter()) {
            if name == "erf" && x.abs() > 0.01 && x.to_bits() % 7 != 0 {
                continue; // Its series is slow.
            }
            let error = error32(
                y,
                if name == "erf" && x.abs() < 1e-3 {
                    x as f64 * std::f64::consts::FRAC_2_SQRT_PI * (1.0 - (x as f64).powi(2) / 3.0)
                } else {
                    exact(x as f64)
                },
            );
            if error > worst || error.is_nan() {
                (worst, at) = (error, x);
            }
        }
    }
    (worst, at)
}

fn splitmix(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) as f64 / 1.8446744073709552e19
}

/// The largest error of a function at random places, evenly spread over exponents, and around 1.
fn worst_double((_, f, exact, _, (low, high)): Double, count: usize) -> (f64, f64) {
    let mut state = 1;
    let x: Vec<f64> = (0..count)
        .map(|i| {
            let sign = if splitmix(&mut state) < 0.5 { -1.0 } else { 1.0 };
            match i % 3 {
                0 => sign * (low + (high - low) * splitmix(&mut state)).exp2(),
                1 => sign * 4.0 * splitmix(&mut state),
                _ => 1.0 + sign * (-30.0 * splitmix(&mut state)).exp2(),
            }
        })
        .collect();
    let mut out = vec![0.0; count];
    f(&x, &mut out);
    let (mut worst, mut at) = (0.0, 0.0);
    for (&x, &y) in x.iter().zip(&out) {
        let value = exact(x);
        let error = if y.is_nan() {
            if x.ln().is_nan() || (1.0 + x).ln().is_nan() { 0.0 } else { f64::INFINITY }
        } else {
            reference::error(y, value)
        };
        if (error > worst || error.is_nan()) && !value.0.is_nan() {
            (worst, at) = (error, x);
        }
    }
    (worst, at)
}

#[test]
fn singles_are_accurate() {
    for case in SINGLES {
        let (worst, at) = worst_single(case, 40_009);
        assert!(worst <= case.3, "{} of {at:e}: {worst} ulp", case.0);
    }
}

#[test]
fn doubles_are_accurate() {
    for case in DOUBLES {
        let (worst, at) = worst_double(case, 3000);
        assert!(worst <= case.3, "{} of {at:e}: {worst} ulp", case.0);
    }
}

#[test]
#[ignore = "a measurement: the table in the text of this module"]
fn largest_errors() {
    for case in SINGLES {
        let (worst, at) = worst_single(case, 211);
        println!("f32 {:8} {worst:.3} ulp at {at:e}", case.0);
    }
    for case in DOUBLES {
        let (worst, at) = worst_double(case, if case.0 == "erf" { 100_000 } else { 4_000_000 });
        println!("f64 {:8} {worst:.3} ulp at {at:e}", case.0);
    }
    let (worst, at) = worst_power(1 << 22);
    println!("f32 pow      {worst:.3} ulp at {at:?}");
}

/// The largest error of a power in `f32` at random places.
fn worst_power(count: usize) -> (f64, (f32, f32)) {
    let mut state = 5;
    let x: Vec<f32> = (0..count).map(|_| (splitmix(&mut state) * 40.0 - 20.0).exp2() as f32).collect();
    let y: Vec<f32> = (0..count).map(|_| (splitmix(&mut state) * 12.0 - 6.0) as f32).collect();
    let mut out = vec![0.0; count];
    pow(&x, &y, &mut out);
    let errors = x.iter().zip(&y).zip(&out).map(|((&x, &y), &p)| (error32(p, (x as f64).powf(y as f64)), (x, y)));
    errors.fold((0.0, (0.0, 0.0)), |a, b| if b.0 > a.0 { b } else { a })
}

/// Places where something special happens.
fn special<T: num_traits::Float>() -> Vec<T> {
    let (zero, one) = (T::zero(), T::one());
    let least = T::min_positive_value();
    let mut x = vec![zero, least, least / (one + one), T::epsilon(), one, T::max_value(), T::infinity()];
    for n in [0.5, 2.0, 3.0, 10.0, 88.5, 89.0, 103.5, 104.5, 709.0, 710.0, 745.0, 746.0, 1e6, 1.1e6, 1e9, 1e30] {
        x.extend(T::from(n));
    }
    let negative: Vec<T> = x.iter().map(|x| -*x).collect();
    x.into_iter().chain(negative).chain([T::nan()]).collect()
}

#[test]
fn the_ends_of_the_range_are_right() {
    let x: Vec<f64> = special();
    let check = |name: &str, x: f64, y: f64, expected: f64, tolerance: f64| {
        let same = y == expected && y.is_sign_negative() == expected.is_sign_negative();
        let near = (y - expected).abs() <= tolerance * expected.abs() + tolerance * 1e-300;
        assert!(same || near || y.is_nan() && expected.is_nan(), "{name}({x:e}) = {y:e}, not {expected:e}");
    };
    type Std = fn(f64) -> f64;
    let std: [(&str, Std); 12] = [
        ("exp", f64::exp),
        ("expm1", f64::exp_m1),
        ("log", f64::ln),
        ("log1p", f64::ln_1p),
        ("sin", f64::sin),
        ("cos", f64::cos),
        ("tan", f64::tan),
        ("tanh", f64::tanh),
        ("sigmoid", |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }),
        ("erf", |x| {
            if x.is_nan() || x == 0.0 {
                x
            } else if x.abs() < 1e-9 {
                x * std::f64::consts::FRAC_2_SQRT_PI
            } else {
                reference::erf(x).0
            }
        }),
        ("sqrt", f64::sqrt),
        ("recip", f64::recip),
    ];
    for (name, exact) in std {
        if let Some((_, f, ..)) = DOUBLES.iter().find(|case| case.0 == name) {
            let mut out = vec![0.0; x.len()];
            f(&x, &mut out);
            x.iter().zip(&out).for_each(|(&x, &y)| check(name, x, y, exact(x), 1e-15));
        }
        let Some((_, f, ..)) = SINGLES.iter().find(|case| case.0 == name) else { continue };
        let x: Vec<f32> = special();
        let mut out = vec![0.0; x.len()];
        f(&x, &mut out);
        for (&x, &y) in x.iter().zip(&out) {
            let expected = exact(x as f64) as f32;
            let same = y == expected && y.is_sign_negative() == expected.is_sign_negative();
            let near = error32(y, exact(x as f64)) <= 2.0 && (expected != 0.0 || y.abs() < 1e-44);
            assert!(same || near || y.is_nan() && expected.is_nan(), "f32 {name}({x:e}) = {y:e}, not {expected:e}");
        }
    }
}

#[test]
fn powers_are_accurate_and_right_at_the_ends() {
    let (worst, at) = worst_power(1 << 16);
    assert!(worst <= 1.0, "{at:?}: {worst} ulp");
    let x: Vec<f32> = special();
    for exponent in special::<f32>() {
        let mut out = vec![0.0; x.len()];
        pow(&x, &vec![exponent; x.len()], &mut out);
        for (&x, &y) in x.iter().zip(&out) {
            let expected = x.powf(exponent);
            let same = y == expected && y.is_sign_negative() == expected.is_sign_negative();
            let near = error32(y, (x as f64).powf(exponent as f64)) <= 1.0;
            assert!(same || near || y.is_nan() && expected.is_nan(), "{x:e} ** {exponent:e} = {y:e}, not {expected:e}");
        }
    }
}

#[test]
fn all_levels_and_both_forms_give_the_same_bits() {
    let bits = |x: &[f64]| x.iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect::<Vec<_>>();
    type InPlace = fn(&mut [f64]);
    let in_place: [InPlace; 10] = [
        exp_in_place,
        expm1_in_place,
        log_in_place,
        log1p_in_place,
        sin_in_place,
        cos_in_place,
        tan_in_place,
        tanh_in_place,
        sigmoid_in_place,
        erf_in_place,
    ];
    for n in [0, 1, 7, 133] {
        let mut x: Vec<f64> = special();
        x.extend((0..100).map(|i| i as f64 * 0.37 - 11.0));
        x.truncate(n);
        let single: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        for ((case, of_single), in_place) in DOUBLES.iter().zip(&SINGLES).zip(in_place) {
            let mut found = Vec::new();
            at_each_level(|_| {
                let mut y = vec![0.0; n];
                case.1(&x, &mut y);
                let mut same = x.clone();
                in_place(&mut same);
                assert_eq!(bits(&y), bits(&same), "{}", case.0);
                let mut narrow = vec![0.0; n];
                of_single.1(&single, &mut narrow);
                found.push((bits(&y), bits(&narrow.iter().map(|&y| y as f64).collect::<Vec<_>>())));
            });
            assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{}", case.0);
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let n = 4096;
    let x: Vec<f64> = (0..n).map(|i| i as f64 / n as f64 * 8.0 - 4.0).collect();
    let y: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let time = |f: &mut dyn FnMut()| {
        (0..20)
            .map(|_| {
                let start = std::time::Instant::now();
                (0..50).for_each(|_| f());
                start.elapsed().as_secs_f64() / (50 * n) as f64 * 1e9
            })
            .fold(f64::MAX, f64::min)
    };
    at_each_level(|level| {
        for (case, single) in DOUBLES.iter().zip(&SINGLES) {
            let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
            let wide = time(&mut || case.1(std::hint::black_box(&x), &mut a));
            let narrow = time(&mut || single.1(std::hint::black_box(&y), &mut b));
            println!("{level:?} {:8} f32 {narrow:.3} ns, f64 {wide:.3} ns", case.0);
        }
    });
}
