//! Transforms against sums, matrices, and each other; gradients to second order; conventions; hostile input.

use super::*;
use crate::tensor::random::{Key, normal};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Context, Precision, Unary, value_and_gradient};

fn noise(context: &Context, shape: &[usize], salt: u64) -> Tensor {
    normal(context, Key::new(salt), shape).unwrap()
}
fn complex_noise(context: &Context, shape: &[usize], salt: u64) -> Complex {
    Complex::new(noise(context, shape, 2 * salt), noise(context, shape, 2 * salt + 1)).unwrap()
}
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.to_vec().unwrap().iter().zip(b.to_vec().unwrap()).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs()))
}
fn distance_complex(a: &Complex, b: &Complex) -> f64 {
    distance(&a.re, &b.re).max(distance(&a.im, &b.im))
}

/// Shapes and axes: even, odd, prime, 1, many axes, in any order, large enough for several threads.
const CASES: [(&[usize], &[i64]); 16] = [
    (&[1], &[]),
    (&[2], &[0]),
    (&[8], &[]),
    (&[7], &[0]),
    (&[3, 6], &[1]),
    (&[6, 3], &[0]),
    (&[4, 6], &[0, 1]),
    (&[4, 6], &[1, 0]),
    (&[5, 7], &[]),
    (&[2, 3, 4], &[]),
    (&[3, 4, 5, 6], &[1, 3]),
    (&[3, 4, 5, 6], &[3, 1, 2]),
    (&[2, 2, 2, 3, 2], &[]),
    (&[40, 12, 12], &[1, 2]),
    (&[256, 300], &[]),
    (&[0, 4], &[1]),
];

#[test]
fn transforms_agree_with_matrices_and_invert() {
    let c = context();
    for (shape, list) in CASES {
        let (x, z) = (noise(&c, shape, 1), complex_noise(&c, shape, 2));
        let axes = Axes::new("", shape, list).unwrap();
        let points = axes.points() as f64;
        let tolerance = 1e-12 * points.sqrt();
        for (direction, got) in
            [(Direction::Forward, fft(&z, list)), (Direction::Inverse, ifft(&z, list).unwrap().scale(points))]
        {
            let expected = matrix::transform(&z, &axes, direction, 1.0).unwrap();
            let error = distance_complex(&got.unwrap(), &expected);
            assert!(error < 30.0 * tolerance, "{shape:?} {list:?} {direction:?}: {error:e}");
        }
        for doubled in [false, true] {
            let weights = Weights { scale: 1.5, doubled };
            let got = forward_real(&x, &axes, weights).unwrap();
            let error = distance_complex(&got, &matrix::forward_real(&x, &axes, weights).unwrap());
            assert!(error < 30.0 * tolerance, "rfft {shape:?} {list:?}: {error:e}");
            // Also for spectra that belong to no real field.
            let any = complex_noise(&c, &got.shape(), 3);
            let back = inverse_real(&any, &axes, weights).unwrap();
            let error = distance(&back, &matrix::inverse_real(&any, &axes, weights).unwrap());
            assert!(error < 30.0 * tolerance, "irfft {shape:?} {list:?}: {error:e}");
        }
        let last = *axes.lens().last().unwrap();
        let back = irfft(&rfft(&x, list).unwrap(), last, list).unwrap();
        assert!(distance(&x, &back) < tolerance);
        assert!(distance_complex(&z, &ifft(&fft(&z, list).unwrap(), list).unwrap()) < tolerance);
    }
}

#[test]
fn the_fused_product_agrees_with_the_composition() {
    let c = context();
    for (shape, list) in CASES {
        let x = noise(&c, shape, 1);
        let axes = Axes::new("", shape, list).unwrap();
        let (half, last) = (axes.half_shape(), *axes.lens().last().unwrap());
        let mut shapes = vec![half.clone(), half[axes.list().iter().copied().min().unwrap()..].to_vec(), vec![1]];
        // One multiplier for each volume along one axis only, and more volumes than x has.
        shapes.push(
            half.iter().enumerate().map(|(i, &n)| if i == 0 || axes.list().contains(&i) { n } else { 1 }).collect(),
        );
        shapes.push([&[2][..], &half].concat());
        for m in shapes {
            if m == [1] && last > 2 {
                continue;
            }
            let m = complex_noise(&c, &m, 5);
            let list: Vec<i64> = axes.counted_from_end();
            let expected = irfft(&rfft(&x, &list).unwrap().mul(&m).unwrap(), last, &list).unwrap();
            let got = fourier_multiply(&x, &m, &list).unwrap();
            assert!(distance(&got, &expected) < 1e-12 * 30.0, "{shape:?} {list:?} {:?}", m.shape());
            let expected = irfft(&rfft(&x, &list).unwrap().mul_real(&m.re).unwrap(), last, &list).unwrap();
            assert!(distance(&fourier_multiply_real(&x, &m.re, &list).unwrap(), &expected) < 1e-12 * 30.0);
        }
    }
}

#[test]
fn single_precision_is_accurate() {
    let (c, d) = (Context::cpu(Precision::F32), context());
    let x = noise(&d, &[3, 64, 48], 1);
    let m = complex_noise(&d, &[64, 25], 2);
    let exact = fourier_multiply(&x, &m, &[1, 2]).unwrap();
    let narrow = |t: &Tensor| Tensor::new(&c, t.to_vec().unwrap(), &t.shape()).unwrap();
    let got = fourier_multiply(&narrow(&x), &m.map(|t| Ok(narrow(t))).unwrap(), &[1, 2]).unwrap();
    assert_eq!(got.precision(), Precision::F32);
    assert!(distance(&got.cast(Precision::F64).unwrap(), &exact) < 1e-5);
}

#[test]
fn gradients_to_second_order() {
    type F = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;
    let join = |z: Complex| Tensor::concat(&[z.re, z.im], 0);
    let z = |x: &[Tensor]| Complex::new(x[0].clone(), x[1].clone());
    let cases: Vec<(&str, Vec<Vec<usize>>, F)> = vec![
        ("fft", vec![vec![3, 4]; 2], Box::new(move |x| join(fft(&z(x)?, &[0, 1])?))),
        ("fft re", vec![vec![5]; 2], Box::new(move |x| Ok(fft(&z(x)?, &[])?.re))),
        ("ifft", vec![vec![2, 5]; 2], Box::new(move |x| join(ifft(&z(x)?, &[-1])?))),
        ("rfft even", vec![vec![3, 4]], Box::new(move |x| join(rfft(&x[0], &[])?))),
        ("rfft odd", vec![vec![4, 3]], Box::new(move |x| join(rfft(&x[0], &[])?))),
        ("rfft im", vec![vec![4, 2]], Box::new(move |x| Ok(rfft(&x[0], &[0])?.im))),
        ("irfft even", vec![vec![3, 4]; 2], Box::new(move |x| irfft(&z(x)?, 6, &[]))),
        ("irfft odd", vec![vec![3, 3]; 2], Box::new(move |x| irfft(&z(x)?, 5, &[0, 1]))),
        (
            "multiply",
            vec![vec![2, 4, 4], vec![4, 3], vec![4, 3]],
            Box::new(move |x| fourier_multiply(&x[0], &z(&x[1..])?, &[1, 2])),
        ),
        (
            "multiply odd",
            vec![vec![2, 5], vec![2, 3], vec![2, 3]],
            Box::new(move |x| fourier_multiply(&x[0], &z(&x[1..])?, &[1])),
        ),
        ("multiply real", vec![vec![2, 4], vec![3]], Box::new(move |x| fourier_multiply_real(&x[0], &x[1], &[-1]))),
        ("multiply more", vec![vec![4], vec![2, 3]], Box::new(move |x| fourier_multiply_real(&x[0], &x[1], &[-1]))),
        ("shift", vec![vec![3, 4]], Box::new(move |x| ifftshift(&fftshift(&x[0], &[0])?.unary(Unary::Square)?, &[]))),
    ];
    let c = context();
    for (name, shapes, f) in cases {
        let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(&c, s, i + 1)).collect();
        let error = gradient_error(&inputs, &f);
        assert!(error < 1e-6, "{name}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
            g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(second < 1e-6, "{name}, second order: {second:e}");
    }
}

#[test]
fn a_derivative_by_wavenumbers_and_the_orders() {
    let c = context();
    let n = 16;
    let at = |f: fn(f64) -> f64| {
        Tensor::new(&c, (0..n).map(|i| f(std::f64::consts::TAU * i as f64 / n as f64)).collect(), &[n]).unwrap()
    };
    let k = Tensor::new(&c, rfftfreq(n), &[n / 2 + 1]).unwrap();
    let ik = Complex::new(k.full_like(0.0).unwrap(), k).unwrap();
    let slope = fourier_multiply(&at(|x| (3.0 * x).sin()), &ik, &[]).unwrap();
    assert!(distance(&slope, &at(|x| 3.0 * (3.0 * x).cos())) < 1e-12);
    assert_eq!(fftfreq(4), [0.0, 1.0, -2.0, -1.0]);
    assert_eq!(fftfreq(5), [0.0, 1.0, 2.0, -2.0, -1.0]);
    assert_eq!(rfftfreq(5), [0.0, 1.0, 2.0]);
    let shifted = fftshift(&Tensor::new(&c, fftfreq(5), &[5]).unwrap(), &[]).unwrap();
    assert_eq!(shifted.to_vec().unwrap(), [-2.0, -1.0, 0.0, 1.0, 2.0]);
}

#[test]
fn misuse_is_an_error() {
    let c = context();
    let x = noise(&c, &[3, 4], 1);
    let z = complex_noise(&c, &[3, 3], 1);
    let unequal = Complex { re: x.clone(), im: z.re.clone() };
    assert!(rfft(&x, &[2]).is_err());
    assert!(rfft(&x, &[0, -2]).is_err());
    assert!(rfft(&Tensor::scalar(&c, 1.0), &[]).is_err());
    assert!(rfft(&Tensor::full(&c, &[2, 0], 0.0).unwrap(), &[]).is_err());
    assert!(irfft(&z, 6, &[]).is_err());
    assert!(irfft(&z, 0, &[]).is_err());
    assert!(irfft(&z, usize::MAX, &[]).is_err());
    assert!(fft(&unequal, &[]).is_err());
    assert!(fourier_multiply(&x, &z, &[0]).is_err());
    assert!(fourier_multiply_real(&x, &noise(&c, &[5, 3], 1), &[1]).is_err());
    assert!(fft(&complex_noise(&c, &[], 1), &[]).is_ok());
    c.set_memory_limit(c.live_bytes() + 8);
    assert!(rfft(&x, &[]).is_err());
    assert!(fourier_multiply(&x, &z, &[]).is_err());
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    for precision in [Precision::F32, Precision::F64] {
        let c = Context::cpu(precision);
        for (shape, list) in [
            (&[1600usize, 1, 32, 32][..], &[2i64, 3][..]),
            (&[64, 1, 128, 128], &[2, 3]),
            (&[64, 2, 64, 64], &[2, 3]),
            (&[256, 256], &[1]),
            (&[4, 48, 48, 48], &[1, 2, 3]),
            (&[1, 1024, 1024], &[1, 2]),
            (&[1, 64, 64], &[1, 2]),
            (&[16, 100, 100], &[1, 2]),
            (&[16, 101, 101], &[1, 2]),
        ] {
            let x = noise(&c, shape, 1);
            let axes = Axes::new("", shape, list).unwrap();
            let last = *axes.lens().last().unwrap();
            let m = complex_noise(&c, &list.iter().map(|&a| axes.half_shape()[a as usize]).collect::<Vec<_>>(), 2);
            let time = |f: &dyn Fn()| {
                let mut best = f64::MAX;
                let begin = std::time::Instant::now();
                while begin.elapsed().as_secs_f64() < 0.3 {
                    let start = std::time::Instant::now();
                    f();
                    best = best.min(start.elapsed().as_secs_f64());
                }
                best * 1e9 / x.len() as f64
            };
            let fused = time(&|| drop(fourier_multiply(&x, &m, list).unwrap()));
            let pair = time(&|| drop(irfft(&rfft(&x, list).unwrap(), last, list).unwrap()));
            let composed = time(&|| drop(irfft(&rfft(&x, list).unwrap().mul(&m).unwrap(), last, list).unwrap()));
            println!(
                "{precision:?} {shape:?}: fused {fused:.2}, rfft and irfft {pair:.2}, composed {composed:.2} ns/point"
            );
        }
    }
}

/// Transforms that are done on a thread of their own give what others give.
#[test]
fn long_transforms_come_back() {
    let c = Context::cpu(Precision::F64);
    let n = LONG;
    let numbers = |step: usize| (0..n).map(|i| ((i * step) % 1009) as f64 / 1009.0 - 0.5).collect();
    let (x, y) = (Tensor::new(&c, numbers(7919), &[n]).unwrap(), Tensor::new(&c, numbers(104_729), &[n]).unwrap());
    let far = |a: &Tensor, b: &Tensor| {
        let (a, b) = (a.to_vec().unwrap(), b.to_vec().unwrap());
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(far(&irfft(&rfft(&x, &[]).unwrap(), n, &[]).unwrap(), &x) < 1e-12);
    let z = Complex::new(x.clone(), y.clone()).unwrap();
    let back = ifft(&fft(&z, &[]).unwrap(), &[]).unwrap();
    assert!(far(&back.re, &x) < 1e-12 && far(&back.im, &y) < 1e-12);
    let one = Tensor::new(&c, vec![1.0], &[1]).unwrap().expand(&[n / 2 + 1]).unwrap();
    assert!(far(&fourier_multiply_real(&x, &one, &[]).unwrap(), &x) < 1e-12);
}
