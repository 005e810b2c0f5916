//! Convolutions against sums, against Burn, and gradients.

use super::*;
use crate::tensor::random::{Key, normal};
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Context, Precision, Unary, value_and_gradient};

fn noise(context: &Context, shape: &[usize], salt: u64) -> Tensor {
    normal(context, Key::new(salt), shape).unwrap()
}
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.to_vec().unwrap().iter().zip(b.to_vec().unwrap()).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs()))
}
fn options(stride: &[usize], padding: &[(usize, usize)], dilation: &[usize], groups: usize) -> ConvOptions {
    ConvOptions {
        stride: stride.to_vec(),
        padding: padding.to_vec(),
        dilation: dilation.to_vec(),
        groups,
        ..ConvOptions::new(stride.len())
    }
}

/// The input, the weight and the way: 1 to 3 axes, every option, few and many channels.
fn cases() -> Vec<(Vec<usize>, Vec<usize>, ConvOptions)> {
    vec![
        (vec![2, 1, 5], vec![1, 1, 3], ConvOptions::new(1)),
        (vec![2, 3, 7], vec![4, 3, 3], options(&[2], &[(1, 1)], &[1], 1)),
        (vec![1, 2, 9], vec![2, 2, 2], options(&[3], &[(0, 2)], &[3], 1)),
        (vec![2, 3, 5, 6], vec![4, 3, 3, 3], options(&[1, 1], &[(1, 1), (1, 1)], &[1, 1], 1)),
        (vec![2, 4, 5, 6], vec![6, 2, 3, 2], options(&[2, 1], &[(1, 2), (0, 1)], &[1, 2], 2)),
        (vec![2, 4, 5, 6], vec![4, 1, 3, 3], options(&[1, 1], &[(1, 1), (1, 1)], &[1, 1], 4)),
        (vec![1, 1, 6, 6], vec![1, 1, 2, 2], options(&[2, 2], &[(0, 0), (0, 0)], &[1, 1], 1)),
        (vec![2, 3, 4, 5], vec![5, 3, 1, 1], ConvOptions::new(2)),
        (vec![2, 3, 4, 5], vec![5, 3, 1, 1], options(&[2, 2], &[(3, 0), (0, 3)], &[1, 1], 1)),
        (vec![2, 2, 3, 4, 4], vec![3, 2, 2, 3, 1], options(&[1, 2, 1], &[(1, 0), (1, 1), (0, 0)], &[1, 1, 1], 1)),
        (vec![1, 2, 2, 2], vec![2, 2, 2, 2], options(&[5, 5], &[(4, 4), (4, 4)], &[1, 1], 1)),
        (vec![3, 5, 9, 37], vec![11, 5, 3, 5], options(&[1, 1], &[(1, 0), (2, 3)], &[1, 1], 1)),
        (vec![2, 6, 4, 12], vec![8, 3, 2, 3], options(&[1, 1], &[(1, 1), (2, 0)], &[1, 1], 2)),
        (vec![2, 3, 40], vec![5, 3, 4], options(&[1], &[(3, 0)], &[1], 1)),
        (vec![2, 3, 40], vec![5, 3, 4], options(&[1], &[(4, 5)], &[1], 1)),
        (vec![20, 8, 16, 16], vec![16, 8, 3, 3], options(&[1, 1], &[(1, 1), (1, 1)], &[1, 1], 1)),
    ]
}

/// The sum as it is written in the text of `conv`.
fn by_sums(x: &Tensor, w: &Tensor, o: &ConvOptions) -> Tensor {
    let g = Geometry::new("conv", &x.shape(), &w.shape(), o).unwrap();
    let (xs, ws) = (x.to_vec().unwrap(), w.to_vec().unwrap());
    let at = |i: usize, lens: [usize; 3]| [i / (lens[1] * lens[2]), i / lens[2] % lens[1], i % lens[2]];
    let mut out = Vec::new();
    for n in 0..g.samples {
        for c_out in 0..g.groups * g.channels_out {
            for p in 0..g.output_points() {
                let p = at(p, g.output);
                let mut sum = 0.0;
                for c in 0..g.channels_in {
                    for tap in 0..g.taps() {
                        let k = at(tap, g.kernel);
                        let place: Vec<i64> = (0..3)
                            .map(|a| (p[a] * g.stride[a] + k[a] * g.dilation[a]) as i64 - g.before[a] as i64)
                            .collect();
                        if (0..3).all(|a| (0..g.input[a] as i64).contains(&place[a])) {
                            let channel = n * g.groups * g.channels_in + c_out / g.channels_out * g.channels_in + c;
                            let point =
                                (place[0] as usize * g.input[1] + place[1] as usize) * g.input[2] + place[2] as usize;
                            sum += xs[channel * g.input_points() + point]
                                * ws[(c_out * g.channels_in + c) * g.taps() + tap];
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    Tensor::new(x.context(), out, &g.y_shape()).unwrap()
}

#[test]
fn all_three_partials_agree_with_sums_and_with_burn() {
    let c = context();
    for (x_shape, w_shape, o) in cases() {
        let (x, w) = (noise(&c, &x_shape, 1), noise(&c, &w_shape, 2));
        let y = x.conv(&w, &o).unwrap();
        assert!(distance(&y, &by_sums(&x, &w, &o)) < 1e-12, "{x_shape:?} {w_shape:?} {o:?}");
        let geometry = Geometry::new("conv", &x_shape, &w_shape, &o).unwrap();
        let g = noise(&c, &y.shape(), 3);
        assert!(distance(&y, &device::forward(&geometry, &x, &w).unwrap()) < 1e-12);
        let (of_x, of_w) = (input(&geometry, &g, &w).unwrap(), weight(&geometry, &g, &x).unwrap());
        assert!(distance(&of_x, &device::input(&geometry, &g, &w).unwrap()) < 1e-11, "{x_shape:?} {w_shape:?} {o:?}");
        assert!(distance(&of_w, &device::weight(&geometry, &g, &x).unwrap()) < 1e-11, "{x_shape:?} {w_shape:?} {o:?}");
        // One trilinear form, seen from three sides.
        let dot = |a: &Tensor, b: &Tensor| a.mul(b).unwrap().sum_all().unwrap().item().unwrap();
        let (a, b, d) = (dot(&g, &y), dot(&of_x, &x), dot(&of_w, &w));
        assert!((a - b).abs() < 1e-9 * a.abs().max(1.0) && (a - d).abs() < 1e-9 * a.abs().max(1.0), "{a} {b} {d}");
    }
}

#[test]
fn periodic_margins_are_those_of_a_padded_input() {
    let c = context();
    for (x_shape, w_shape, widths, groups) in [
        (vec![2, 3, 5, 13], vec![4, 3, 3, 3], vec![(1, 1), (1, 1)], 1),
        (vec![1, 4, 6, 16], vec![6, 2, 4, 5], vec![(1, 2), (2, 2)], 2),
        (vec![2, 1, 20], vec![1, 1, 3], vec![(1, 1)], 1),
        // Served by padding: too narrow, and more margin than kernel.
        (vec![2, 3, 5, 6], vec![4, 3, 3, 3], vec![(1, 1), (1, 1)], 1),
        (vec![2, 3, 5, 13], vec![4, 3, 3, 3], vec![(2, 1), (1, 2)], 1),
    ] {
        let o = ConvOptions { groups, ..ConvOptions::new(widths.len()) };
        let padded = |x: &Tensor, w: &Tensor| {
            let x = widths.iter().enumerate().try_fold(x.clone(), |x, (i, &(before, after))| {
                x.pad(i as i64 + 2, before, after, crate::tensor::Padding::Periodic)
            });
            x.unwrap().conv(w, &o).unwrap()
        };
        let inputs = [sample(&c, &x_shape, 1), sample(&c, &w_shape, 2)];
        let y = inputs[0].conv_periodic(&inputs[1], &widths, &o).unwrap();
        assert!(distance(&y, &padded(&inputs[0], &inputs[1])) < 1e-12, "{x_shape:?}");
        let gradients = |periodic: bool| {
            let loss = |x: &[Tensor]| {
                let y = if periodic { x[0].conv_periodic(&x[1], &widths, &o)? } else { padded(&x[0], &x[1]) };
                y.unary(Unary::Sin)?.sum_all()
            };
            value_and_gradient(&c, &inputs, loss).unwrap().1
        };
        for (a, b) in gradients(true).iter().zip(&gradients(false)) {
            assert!(distance(a, b) < 1e-11, "{x_shape:?}");
        }
    }
    let inputs = [sample(&c, &[1, 2, 3, 12], 1), sample(&c, &[2, 2, 3, 3], 2)];
    let second = gradient_error(&inputs, |x| {
        let loss = |y: &[Tensor]| {
            y[0].conv_periodic(&y[1], &[(1, 1), (1, 1)], &ConvOptions::new(2))?.unary(Unary::Square)?.sum_all()
        };
        let (_, g) = value_and_gradient(&c, x, loss)?;
        g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
    });
    assert!(second < 1e-6, "{second:e}");
}

#[test]
fn gradients_to_second_order() {
    let c = context();
    type F = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;
    let mut functions: Vec<(Vec<usize>, Vec<usize>, F)> = Vec::new();
    for (x, w, o) in cases().into_iter().filter(|(x, ..)| x.iter().product::<usize>() < 200) {
        functions.push((x, w, Box::new(move |t| t[0].conv(&t[1], &o))));
    }
    let o = options(&[2, 1], &[(1, 0), (0, 1)], &[1, 2], 2);
    functions.push((vec![1, 4, 3, 3], vec![4, 1, 3, 2], Box::new(move |t| t[0].conv_transpose(&t[1], &o, &[1, 0]))));
    functions.push((
        vec![2, 2, 4],
        vec![2, 3, 2],
        Box::new(|t| t[0].conv_transpose(&t[1], &options(&[2], &[(0, 0)], &[1], 1), &[0])),
    ));
    for (x, w, f) in functions {
        let inputs = [sample(&c, &x, 1), sample(&c, &w, 2)];
        let error = gradient_error(&inputs, &f);
        assert!(error < 1e-6, "{x:?} {w:?}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
            g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(second < 1e-6, "{x:?} {w:?}, second order: {second:e}");
    }
}

#[test]
fn single_precision_is_accurate() {
    let (c, d) = (Context::cpu(Precision::F32), context());
    let (x, w) = (noise(&c, &[4, 8, 12, 12], 1), noise(&c, &[8, 8, 3, 3], 2));
    let wide = |t: &Tensor| Tensor::new(&d, t.to_vec().unwrap(), &t.shape()).unwrap();
    let got = x.conv(&w, &ConvOptions::new(2)).unwrap();
    assert_eq!(got.precision(), Precision::F32);
    assert!(distance(&wide(&got), &wide(&x).conv(&wide(&w), &ConvOptions::new(2)).unwrap()) < 1e-4);
}

#[test]
fn misuse_is_an_error_and_empty_is_empty() {
    let c = context();
    let t = |shape: &[usize]| Tensor::full(&c, shape, 1.0).unwrap();
    let two = ConvOptions::new(2);
    let huge = usize::MAX;
    let unfit: Vec<(Vec<usize>, Vec<usize>, ConvOptions)> = vec![
        (vec![4, 4], vec![4, 4], two.clone()),
        (vec![1, 1, 4, 4, 4, 4], vec![1, 1, 1, 1, 1, 1], ConvOptions::new(4)),
        (vec![1, 1, 4, 4], vec![1, 1, 3], two.clone()),
        (vec![1, 2, 4, 4], vec![1, 1, 3, 3], two.clone()),
        (vec![1, 1, 4, 4], vec![1, 1, 5, 3], two.clone()),
        (vec![1, 1, 4, 4], vec![1, 1, 0, 3], two.clone()),
        (vec![1, 1, 4, 4], vec![1, 1, 3, 3], ConvOptions::new(1)),
        (vec![1, 1, 4, 4], vec![1, 1, 3, 3], options(&[0, 1], &[(0, 0); 2], &[1, 1], 1)),
        (vec![1, 1, 4, 4], vec![1, 1, 3, 3], options(&[1, 1], &[(0, 0); 2], &[1, huge], 1)),
        (vec![1, 1, 4, 4], vec![1, 1, 3, 3], options(&[1, 1], &[(huge, huge); 2], &[1, 1], 1)),
        (vec![1, 1, 4, 4], vec![1, 1, 3, 3], options(&[1, 1], &[(1 << 40, 0); 2], &[1, 1], 1)),
        (vec![1, 3, 4, 4], vec![3, 1, 3, 3], options(&[1, 1], &[(0, 0); 2], &[1, 1], 2)),
        (vec![1, 3, 4, 4], vec![3, 1, 3, 3], options(&[1, 1], &[(0, 0); 2], &[1, 1], 0)),
    ];
    for (x, w, o) in unfit {
        assert!(t(&x).conv(&t(&w), &o).is_err(), "{x:?} {w:?} {o:?}");
        assert!(t(&x).conv_transpose(&t(&w), &o, &[7, huge]).is_err(), "{x:?} {w:?} {o:?}");
    }
    assert_eq!(t(&[0, 1, 4, 4]).conv(&t(&[2, 1, 3, 3]), &two).unwrap().shape(), [0, 2, 2, 2]);
    assert_eq!(t(&[1, 0, 4, 4]).conv(&t(&[2, 0, 3, 3]), &two).unwrap().to_vec().unwrap(), [0.0; 8]);
    c.set_memory_limit(c.live_bytes() + 2000);
    assert!(t(&[1, 1, 4, 4]).conv(&t(&[1, 1, 3, 3]), &options(&[1, 1], &[(100, 100); 2], &[1, 1], 1)).is_err());
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let c = Context::cpu(Precision::F32);
    for (x, w, groups) in [
        ([16, 32, 32, 32], [32, 32, 3, 3], 1),
        ([16, 64, 16, 16], [64, 64, 3, 3], 1),
        ([64, 1, 32, 32], [16, 1, 3, 3], 1),
        ([64, 16, 32, 32], [1, 16, 3, 3], 1),
        ([16, 32, 32, 32], [32, 1, 3, 3], 32),
        ([16, 32, 32, 32], [64, 32, 1, 1], 1),
        ([1, 32, 128, 128], [32, 32, 3, 3], 1),
    ] {
        let p = w[2] / 2;
        let o = options(&[1, 1], &[(p, p), (p, p)], &[1, 1], groups);
        let (x, w) = (noise(&c, &x, 1), noise(&c, &w, 2));
        let geometry = Geometry::new("conv", &x.shape(), &w.shape(), &o).unwrap();
        let g = noise(&c, &geometry.y_shape(), 3);
        let time = |f: &dyn Fn()| {
            let mut best = f64::MAX;
            for _ in 0..20 {
                let start = std::time::Instant::now();
                f();
                best = best.min(start.elapsed().as_secs_f64());
            }
            best * 1e3
        };
        println!(
            "{:?} * {:?}: forward {:.2} ms (Burn {:.2}), of x {:.2} ({:.2}), of w {:.2} ({:.2})",
            x.shape(),
            w.shape(),
            time(&|| drop(forward(&geometry, &x, &w).unwrap())),
            time(&|| drop(device::forward(&geometry, &x, &w).unwrap())),
            time(&|| drop(input(&geometry, &g, &w).unwrap())),
            time(&|| drop(device::input(&geometry, &g, &w).unwrap())),
            time(&|| drop(weight(&geometry, &g, &x).unwrap())),
            time(&|| drop(device::weight(&geometry, &g, &x).unwrap())),
        );
    }
}
