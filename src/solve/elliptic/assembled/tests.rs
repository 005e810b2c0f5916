use super::*;
use crate::tensor::tests::context;

/// `3u_i − u_{i±1} − 2v_{i+1}` and `4v_i − v_{i±1, other axis} + u_i` on a ring by a segment.
fn product(lattice: &Lattice, x: &[f64]) -> Vec<f64> {
    let (n, m) = (lattice.points[0], lattice.points[1]);
    let at = |c: usize, i: i64, j: i64| {
        if (0..m as i64).contains(&j) { x[c * n * m + i.rem_euclid(n as i64) as usize * m + j as usize] } else { 0.0 }
    };
    let mut out = Vec::new();
    for c in 0..2 {
        for i in 0..n as i64 {
            for j in 0..m as i64 {
                out.push(if c == 0 {
                    3.0 * at(0, i, j) - at(0, i - 1, j) - at(0, i + 1, j) - 2.0 * at(1, i + 1, j)
                } else {
                    4.0 * at(1, i, j) - at(1, i, j - 1) - at(1, i, j + 1) + at(0, i, j)
                });
            }
        }
    }
    out
}

#[test]
fn elimination_inverts_what_few_products_show() {
    let context = &context();
    for points in [vec![7, 5], vec![4, 9], vec![2, 3], vec![11, 2]] {
        let lattice = Lattice { channels: 2, points, periodic: vec![true, false], width: vec![1, 1] };
        let shape = [1, 2, lattice.points[0], lattice.points[1]];
        let inverse = Inverse::of(&lattice, Preconditioner::Automatic, |x| {
            Tensor::from_vec(context, product(&lattice, x), &shape)
        })
        .unwrap();
        assert!(inverse.is_exact());
        let x: Vec<f64> = (0..lattice.unknowns()).map(|i| (i as f64 * 0.7).sin()).collect();
        let b = Tensor::from_vec(context, product(&lattice, &x), &shape).unwrap();
        let found = inverse.apply(&b, false).unwrap().to_vec().unwrap();
        assert!(x.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-10), "{lattice:?}");
        // ⟨y, A⁻¹ b⟩ = ⟨A⁻ᵀ y, b⟩
        let y = Tensor::from_vec(context, x.iter().map(|x| x * x - 0.3).collect::<Vec<f64>>(), &shape).unwrap();
        let one = y.mul(&inverse.apply(&b, false).unwrap()).unwrap().sum_all().unwrap().item().unwrap();
        let other = inverse.apply(&y, true).unwrap().mul(&b).unwrap().sum_all().unwrap().item().unwrap();
        assert!((one - other).abs() < 1e-9 * one.abs().max(1.0), "{one} {other}");
    }
}
