//! Every feature against a sum over all indices, gradients, and messages.

use super::*;
use crate::tensor::tests::{context, gradient_error, sample};
use crate::tensor::{Unary, value_and_gradient};

/// The text, the shapes of the operands, the shape of the result.
type Case = (&'static str, &'static [&'static [usize]], &'static [usize]);
const CASES: [Case; 24] = [
    ("i", &[&[3]], &[3]),
    ("i->", &[&[3]], &[]),
    ("ij->ji", &[&[2, 3]], &[3, 2]),
    ("ba", &[&[2, 3]], &[3, 2]),
    ("ii", &[&[3, 3]], &[]),
    ("ii->i", &[&[3, 3]], &[3]),
    ("iji->ji", &[&[3, 2, 3]], &[2, 3]),
    ("iiij->j", &[&[2, 2, 2, 3]], &[3]),
    ("ij,jk", &[&[2, 3], &[3, 4]], &[2, 4]),
    ("ij, jk -> ki", &[&[2, 3], &[3, 4]], &[4, 2]),
    ("i,j->ij", &[&[2], &[3]], &[2, 3]),
    ("i,i", &[&[3], &[3]], &[]),
    ("i,i->i", &[&[3], &[3]], &[3]),
    ("ij,ij->i", &[&[2, 3], &[2, 3]], &[2]),
    ("bij,bjk->bik", &[&[2, 3, 2], &[2, 2, 4]], &[2, 3, 4]),
    ("ij,kl->", &[&[2, 3], &[2, 2]], &[]),
    ("ij,jk,kl->il", &[&[2, 3], &[3, 4], &[4, 2]], &[2, 2]),
    ("ij,ik,il->jkl", &[&[2, 2], &[2, 3], &[2, 2]], &[2, 3, 2]),
    ("...ij,...jk->...ik", &[&[2, 1, 2, 3], &[4, 3, 2]], &[2, 4, 2, 2]),
    ("...i,i->...", &[&[2, 2, 3], &[3]], &[2, 2]),
    ("...i,i", &[&[2, 2, 3], &[3]], &[2, 2]),
    ("i...->...", &[&[2, 3]], &[3]),
    ("...,...->...", &[&[1, 3], &[2, 1]], &[2, 3]),
    ("ii,jj,ij->", &[&[2, 2], &[3, 3], &[2, 3]], &[]),
];

/// The definition: one loop over all indices.
fn by_sums(text: &str, operands: &[Tensor]) -> Vec<f64> {
    let shapes: Vec<Shape> = operands.iter().map(Tensor::shape).collect();
    let spec = Spec::parse(text, &shapes).unwrap();
    let mut labels = spec.output.clone();
    for label in spec.operands.iter().flatten() {
        if !labels.contains(label) {
            labels.push(*label);
        }
    }
    let lens: Vec<usize> = labels.iter().map(|l| spec.len(l)).collect();
    let values: Vec<Vec<f64>> = operands.iter().map(|t| t.to_vec().unwrap()).collect();
    let outputs: usize = lens[..spec.output.len()].iter().product();
    let inner: usize = lens[spec.output.len()..].iter().product();
    let mut out = vec![0.0; outputs];
    for i in 0..outputs * inner {
        let mut rest = i;
        let mut at = vec![0; lens.len()];
        for axis in (0..lens.len()).rev() {
            at[axis] = rest % lens[axis];
            rest /= lens[axis];
        }
        let place = |own: &[Label], shape: &[usize]| {
            own.iter()
                .zip(shape)
                .fold(0, |p, (l, &n)| p * n + if n == 1 { 0 } else { at[labels.iter().position(|x| x == l).unwrap()] })
        };
        out[i / inner] += (0..values.len()).map(|t| values[t][place(&spec.operands[t], &shapes[t])]).product::<f64>();
    }
    out
}

#[test]
fn values_and_gradients() {
    let c = context();
    for (text, shapes, target) in CASES {
        let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(&c, s, i + 1)).collect();
        let y = einsum(text, &inputs).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(y.shape(), target, "{text}");
        for (got, expected) in y.to_vec().unwrap().iter().zip(by_sums(text, &inputs)) {
            assert!((got - expected).abs() < 1e-12, "{text}: {got} {expected}");
        }
        let error = gradient_error(&inputs, |x| einsum(text, x));
        assert!(error < 1e-6, "{text}: {error:e}");
        let second = gradient_error(&inputs, |x| {
            let (_, g) = value_and_gradient(&c, x, |y| einsum(text, y)?.unary(Unary::Square)?.sum_all())?;
            g.into_iter().map(|g| g.unary(Unary::Square)?.sum_all()).reduce(|a, b| a?.add(&b?)).unwrap()
        });
        assert!(second < 1e-6, "{text}, second order: {second:e}");
    }
}

#[test]
fn misuse_names_the_position_and_empty_sums_are_zero() {
    let t = |shape: &[usize]| Tensor::full(&context(), shape, 1.0).unwrap();
    for (text, operands, part) in [
        ("ij,jk", vec![t(&[2, 3]), t(&[2, 3])], "position 3"),
        ("ij,j$", vec![t(&[2, 3]), t(&[2, 3])], "position 4"),
        ("ij->ik", vec![t(&[2, 3])], "position 5"),
        ("ij->ii", vec![t(&[2, 3])], "position 5"),
        ("ij-i", vec![t(&[2, 3])], "position 2"),
        ("ij->i->j", vec![t(&[2, 3])], "position 5"),
        ("i.j", vec![t(&[2, 3])], "position 1"),
        ("...i...", vec![t(&[2, 3])], "position 4"),
        ("ijk", vec![t(&[2, 3])], "position 0"),
        ("i", vec![t(&[2, 3])], "position 0"),
        ("ij->i,j", vec![t(&[2, 3])], "position 5"),
        ("ii", vec![t(&[2, 3])], "position 0"),
        ("ij,k", vec![t(&[2, 3])], "2 terms"),
        ("", vec![], "0 tensors"),
        ("...,...", vec![t(&[2]), t(&[3])], "lengths 2 and 3"),
    ] {
        let error = einsum(text, &operands).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!(einsum("ij,jk", &[t(&[2, 0]), t(&[0, 3])]).unwrap().to_vec().unwrap(), [0.0; 6]);
    assert_eq!(einsum("ii->i", &[t(&[0, 0])]).unwrap().shape(), [0]);
    assert_eq!(einsum("", &[t(&[])]).unwrap().item().unwrap(), 1.0);
}
