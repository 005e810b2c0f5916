//! Gradients of every differentiable operation against central differences in `f64`, and nesting.

use super::*;
use crate::error::Result;

pub(crate) fn context() -> Context {
    Context::cpu(Precision::F64)
}

/// Deterministic numbers in (0.1, 0.9), away from the kinks and poles of every function.
pub(crate) fn sample(context: &Context, shape: &[usize], salt: usize) -> Tensor {
    let count = shape.iter().product();
    let values = (0..count).map(|i| 0.1 + 0.8 * (((i * 37 + salt * 101) % 97) as f64 + 0.5) / 97.0).collect();
    Tensor::new(context, values, shape).unwrap()
}

/// The largest difference between the gradient and central differences, relative to the largest gradient.
pub(crate) fn gradient_error(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) -> f64 {
    let context = inputs[0].context().clone();
    // A fixed random-looking projection makes a scalar of any result and lets no element cancel.
    let project = |y: Tensor| {
        let w = sample(y.context(), &y.shape(), 5);
        y.mul(&w)?.sum_all()
    };
    let (_, gradients) = value_and_gradient(&context, inputs, |x| project(f(x)?)).unwrap();
    let (mut worst, mut scale) = (0.0f64, 1e-12f64);
    for (i, input) in inputs.iter().enumerate() {
        let values = input.to_vec().unwrap();
        let exact = gradients[i].to_vec().unwrap();
        assert_eq!(gradients[i].shape(), input.shape());
        for j in 0..values.len() {
            let at = |delta: f64| {
                let mut moved = values.clone();
                moved[j] += delta;
                let mut changed = inputs.to_vec();
                changed[i] = Tensor::new(&context, moved, &input.shape()).unwrap();
                project(f(&changed).unwrap()).unwrap().item().unwrap()
            };
            let h = 1e-5;
            let numeric = (at(h) - at(-h)) / (2.0 * h);
            worst = worst.max((numeric - exact[j]).abs());
            scale = scale.max(numeric.abs());
        }
    }
    worst / scale
}

#[test]
fn gradients_of_unary_functions() {
    let c = context();
    for (name, function) in Unary::ALL {
        let x = sample(&c, &[2, 3], 1);
        let x = if function == Unary::Acosh { x.shift(1.5).unwrap() } else { x };
        let error = gradient_error(&[x], |x| x[0].unary(function));
        assert!(error < 1e-7, "{name}: {error:e}");
    }
}

#[test]
fn gradients_of_binary_operations_broadcast() {
    let c = context();
    let all = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::Atan2,
        Binary::Min,
        Binary::Max,
        Binary::Rem,
    ];
    for op in all {
        for (a, b) in [(vec![2, 3], vec![2, 3]), (vec![3], vec![2, 1]), (vec![], vec![4]), (vec![2, 1, 3], vec![2, 1])]
        {
            let error = gradient_error(&[sample(&c, &a, 1), sample(&c, &b, 2)], |x| x[0].binary(op, &x[1]));
            assert!(error < 1e-7, "{op:?} {a:?} {b:?}: {error:e}");
        }
    }
}

type Case = (&'static str, Vec<Vec<usize>>, Box<dyn Fn(&[Tensor]) -> Result<Tensor>>);

fn case(name: &'static str, shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Case {
    (name, shapes.iter().map(|s| s.to_vec()).collect(), Box::new(f))
}

#[test]
fn gradients_of_structural_operations() {
    let c = context();
    let cases = [
        case("sum", &[&[2, 3, 4]], |x| x[0].sum(&[0, -1], false)),
        case("mean", &[&[2, 3]], |x| x[0].mean(&[1], true)),
        case("variance", &[&[2, 3]], |x| x[0].variance(&[], false, 1.0)),
        case("product", &[&[2, 3]], |x| x[0].product(&[1], false)),
        case("max", &[&[2, 3]], |x| x[0].max(&[0], false)),
        case("min", &[&[2, 3]], |x| x[0].min(&[], false)),
        case("cumsum", &[&[2, 3]], |x| x[0].cumsum(1)),
        case("logsumexp", &[&[2, 3]], |x| x[0].logsumexp(&[1], false)),
        case("softmax", &[&[2, 3]], |x| x[0].softmax(0)),
        case("sort", &[&[2, 5]], |x| x[0].sort(1, true)),
        case("reshape", &[&[2, 3]], |x| x[0].reshape(&[3, 2])),
        case("permute", &[&[2, 3, 4]], |x| x[0].permute(&[2, 0, 1])),
        case("expand", &[&[2, 1]], |x| x[0].expand(&[3, 2, 4])),
        case("slice", &[&[4, 5]], |x| {
            x[0].slice(&[Span { start: 1, end: 4, step: 2 }, Span { start: 0, end: 5, step: 3 }])
        }),
        case("assign", &[&[4, 5], &[2, 1]], |x| {
            x[0].assign(&[Span { start: 1, end: 3, step: 1 }, Span::all(5)], &x[1])
        }),
        case("concat", &[&[2, 3], &[2, 1]], |x| Tensor::concat(&[x[0].clone(), x[1].clone()], 1)),
        case("stack", &[&[2, 3], &[2, 3]], |x| Tensor::stack(&[x[0].clone(), x[1].clone()], -1)),
        case("flip", &[&[2, 3]], |x| x[0].flip(&[1])),
        case("roll", &[&[2, 5]], |x| x[0].roll(-2, 1)),
        case("repeat", &[&[2, 3]], |x| x[0].repeat(1, 3)),
        case("pad constant", &[&[2, 4]], |x| x[0].pad(1, 2, 1, Padding::Constant(3.0))),
        case("pad periodic", &[&[2, 4]], |x| x[0].pad(1, 3, 2, Padding::Periodic)),
        case("pad reflect", &[&[2, 4]], |x| x[0].pad(1, 3, 2, Padding::Reflect)),
        case("pad edge", &[&[2, 4]], |x| x[0].pad(1, 3, 2, Padding::Edge)),
        case("take", &[&[4, 2]], |x| x[0].take(0, &[2, 0, 2, -1])),
        case("gather", &[&[3, 2]], |x| {
            let index = Tensor::new(x[0].context(), vec![0.0, 2.0, 2.0, 1.0], &[2, 2])?;
            x[0].gather(0, &index)
        }),
        case("matmul", &[&[2, 3], &[3, 4]], |x| x[0].matmul(&x[1])),
        case("matmul batch", &[&[2, 2, 3], &[3, 4]], |x| x[0].matmul(&x[1])),
        case("matmul broadcast", &[&[2, 1, 2, 3], &[5, 3, 2]], |x| x[0].matmul(&x[1])),
        case("matmul vectors", &[&[3], &[3]], |x| x[0].matmul(&x[1])),
        case("where", &[&[2, 3], &[3]], |x| {
            x[0].compare(Compare::Greater, &x[0].full_like(0.5)?)?.choose(&x[0].mul(&x[1])?, &x[1])
        }),
        case("clamp", &[&[2, 3]], |x| x[0].clamp(0.3, 0.6)),
        case("powf", &[&[2, 3]], |x| x[0].powf(2.5)),
        case("scale and shift", &[&[3]], |x| x[0].scale(-3.0)?.shift(1.0)),
    ];
    for (name, shapes, f) in cases {
        let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(&c, s, i + 1)).collect();
        let error = gradient_error(&inputs, |x| f(x));
        assert!(error < 1e-6, "{name}: {error:e}");
        // The rule must itself be differentiable: the gradient of a gradient.
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| f(y)?.unary(Unary::Square)?.sum_all())?;
            g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(second < 1e-6, "{name}, second order: {second:e}");
    }
}

#[test]
fn second_derivatives_of_unary_functions() {
    let c = context();
    for (name, function) in Unary::ALL {
        let x = sample(&c, &[4], 1);
        let x = if function == Unary::Acosh { x.shift(1.5).unwrap() } else { x };
        let error = gradient_error(&[x], |x| {
            let (_, g) = value_and_gradient(&c, x, |y| y[0].unary(function)?.sum_all())?;
            Ok(g.into_iter().next().unwrap())
        });
        assert!(error < 1e-6, "{name}: {error:e}");
    }
}

#[test]
fn jacobian_vector_product_is_the_directional_derivative() {
    let c = context();
    let (x, v) = (sample(&c, &[5], 1), sample(&c, &[5], 2));
    let f = |x: &Tensor| x.unary(Unary::Sin)?.mul(x)?.cumsum(0);
    let (_, tangent) = jvp(&c, &x, &v, f).unwrap();
    let h = 1e-6;
    let at = |s: f64| f(&x.add(&v.scale(s).unwrap()).unwrap()).unwrap();
    let numeric = at(h).sub(&at(-h)).unwrap().scale(0.5 / h).unwrap();
    let error = tangent.sub(&numeric).unwrap().to_vec().unwrap().into_iter().fold(0.0f64, |m, e| m.max(e.abs()));
    assert!(error < 1e-9, "{error:e}");
}

#[test]
fn a_long_chain_is_dropped_without_recursion() {
    let c = context();
    let x = Tensor::scalar(&c, 1.0);
    let (_, g) = value_and_gradient(&c, &[x], |x| {
        let mut y = x[0].clone();
        for _ in 0..200_000 {
            y = y.mul(&x[0])?;
        }
        Ok(y)
    })
    .unwrap();
    assert_eq!(g[0].item().unwrap(), 200_001.0);
    assert!(c.live_bytes() <= 64, "{} bytes are still held", c.live_bytes());
}

#[test]
fn memory_is_refused_before_it_is_taken() {
    let c = context();
    c.set_memory_limit(1 << 20);
    let big = Tensor::full(&c, &[1 << 30], 0.0);
    assert_eq!(big.unwrap_err().kind(), crate::error::Kind::Limit);
    assert!(Tensor::full(&c, &[usize::MAX, 3], 0.0).is_err());
    let column = Tensor::full(&c, &[1 << 12, 1], 1.0).unwrap();
    assert_eq!(column.add(&column.swap(0, 1).unwrap()).unwrap_err().kind(), crate::error::Kind::Limit);
}

#[test]
fn a_device_without_numbers_of_64_bits_computes_in_32() {
    let (cpu, c) = (Context::cpu(Precision::F32), Context::on(Device::LOWERED, Precision::F32));
    c.without_long_numbers();
    assert_eq!(Tensor::full_in(&c, Precision::F64, &[2], 0.1).unwrap().precision(), Precision::F32);
    assert_eq!(Tensor::scalar_in(&c, Precision::F64, 0.1).precision(), Precision::F32);
    let wide = Tensor::from_vec::<f64>(&c, vec![0.1, -2.0, 3.5], &[3]).unwrap();
    assert_eq!((wide.precision(), wide.cast(Precision::F64).unwrap().precision()), (Precision::F32, Precision::F32));
    // What takes f64 on the way, and places along axes.
    let work = |c: &Context| -> Result<Vec<Vec<f64>>> {
        let x = sample(c, &[6, 5], 1);
        let order = x.argsort(0, true)?;
        let spectrum = fft::rfft(&x, &[1])?;
        let drawn = random::normal(c, random::Key::new(3), &[10])?;
        [order.clone(), x.gather(0, &order)?, x.arg_extreme(1, true)?, fft::irfft(&spectrum, 5, &[1])?, drawn]
            .iter()
            .map(Tensor::to_vec)
            .collect()
    };
    for (a, b) in work(&cpu).unwrap().iter().zip(work(&c).unwrap()) {
        let error = a.iter().zip(&b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(a.len() == b.len() && error < 2e-6, "{error:e}: {a:?} {b:?}");
    }
}

#[test]
fn numbers_of_rank_0_and_known_numbers_are_those_of_the_cpu() {
    let work = |c: &Context| -> Result<Vec<Tensor>> {
        let (s, x) = (Tensor::scalar(c, 0.75), sample(c, &[2, 3], 1));
        let (t, one) = (x.sum(&[0, 1], false)?, Tensor::full(c, &[2, 3], 1.0)?);
        let mask = x.compare(Compare::Greater, &s)?;
        let mut out = vec![
            s.unary(Unary::Exp)?,
            s.add(&t)?,
            t.sub(&s)?,
            s.sub(&t)?,
            t.div(&s)?,
            s.div(&t)?,
            s.mul(&x)?,
            x.add(&s)?,
            one.add(&x)?,
            x.sub(&one)?,
            one.sub(&x)?,
            one.add(&s)?,
            s.compare(Compare::Lower, &x)?,
            mask.choose(&s, &x)?,
            mask.choose(&x, &s)?,
            mask.choose(&s, &one)?,
            t.compare(Compare::Greater, &s)?.choose(&t, &s)?,
            t.reshape(&[1, 1])?.reshape(&[])?,
            t.expand(&[2, 2])?,
            s.expand(&[2, 2])?.sum(&[1], false)?,
            s.cast(Precision::F64)?,
        ];
        let (_, g) = value_and_gradient(c, &[s, x, one], |v| {
            let mask = v[1].compare(Compare::Greater, &v[0])?;
            mask.choose(&v[0].mul(&v[1])?, &v[2].div(&v[0])?)?.add(&v[0])?.sum(&[0, 1], false)
        })?;
        out.extend(g);
        Ok(out)
    };
    let (cpu, low) = (Context::cpu(Precision::F64), Context::on(Device::LOWERED, Precision::F64));
    for (i, (a, b)) in work(&cpu).unwrap().iter().zip(work(&low).unwrap()).enumerate() {
        assert_eq!((a.shape(), a.precision()), (b.shape(), b.precision()), "{i}");
        let (a, b) = (a.to_vec().unwrap(), b.to_vec().unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-15 * a.abs().max(1.0)), "{i}: {a:?} {b:?}");
    }
}
