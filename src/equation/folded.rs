//! Linear operations on spectra as sums of terms, so that a chain of derivatives, factors and signs is one multiplication.

use super::expr::Orders;
use super::program::{Code, Program};
use crate::tensor::{Binary, Unary};

/// `weight · ∏ ∂^orders Δ^(−inverse)` of the spectrum of an instruction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    /// The instruction.
    pub source: usize,
    /// Derivatives and inverse Laplacians in the order in which they are applied: at Nyquist two first derivatives are not
    /// one second one.
    pub chain: Vec<(Orders, u8)>,
    /// The factor.
    pub weight: f64,
}

/// A longer sum is a source of its own: it would be computed again wherever it is used.
const MOST_TERMS: usize = 4;

/// For each instruction what its spectrum is a sum of; what is no linear operation with numbers as coefficients is its own
/// source. `in_fourier_space` says which instructions are evaluated there.
pub(super) fn fold(program: &Program, in_fourier_space: impl Fn(usize) -> bool) -> Vec<Vec<Term>> {
    let mut all: Vec<Vec<Term>> = Vec::with_capacity(program.code.len());
    for (at, code) in program.code.iter().enumerate() {
        let of = |a: usize| all.get(a).cloned().unwrap_or_default();
        let number = |a: usize| match program.code.get(a) {
            Some(Code::Number(n)) => Some(*n),
            _ => None,
        };
        let sum = match code {
            _ if !in_fourier_space(at) => None,
            Code::Partial(a, orders) => Some(then(of(*a), (*orders, 0))),
            Code::InverseLaplacian(a, _) => Some(then(of(*a), ([0; 3], 1))),
            Code::Unary(Unary::Neg, a) => Some(scaled(of(*a), -1.0)),
            Code::Binary(Binary::Add, a, b) => Some([of(*a), of(*b)].concat()),
            Code::Binary(Binary::Sub, a, b) => Some([of(*a), scaled(of(*b), -1.0)].concat()),
            Code::Binary(Binary::Mul, a, b) => match (number(*a), number(*b)) {
                (Some(n), _) => Some(scaled(of(*b), n)),
                (_, Some(n)) => Some(scaled(of(*a), n)),
                _ => None,
            },
            Code::Binary(Binary::Div, a, b) => number(*b).map(|n| scaled(of(*a), 1.0 / n)),
            _ => None,
        };
        let own = || vec![Term { source: at, chain: Vec::new(), weight: 1.0 }];
        all.push(sum.filter(|sum| (1..=MOST_TERMS).contains(&sum.len())).unwrap_or_else(own));
    }
    all
}

fn then(mut terms: Vec<Term>, operator: (Orders, u8)) -> Vec<Term> {
    terms.iter_mut().for_each(|term| term.chain.push(operator));
    terms
}
fn scaled(mut terms: Vec<Term>, factor: f64) -> Vec<Term> {
    terms.iter_mut().for_each(|term| term.weight *= factor);
    terms
}

#[cfg(test)]
mod tests {
    use super::super::expr::{Expr, Rank};
    use super::*;

    fn terms(e: &Expr) -> Vec<Term> {
        let program = Program::new(std::slice::from_ref(e)).unwrap();
        // Products of values are made at points, everything else here in Fourier space.
        let product = |at: usize| match program.code.get(at) {
            Some(Code::Binary(Binary::Mul, a, b)) => {
                ![a, b].iter().any(|i| matches!(program.code.get(**i), Some(Code::Number(_))))
            }
            _ => false,
        };
        fold(&program, |at| !product(at)).remove(program.outputs[0])
    }

    #[test]
    fn chains_of_linear_operations_are_one_multiplication() {
        let (u, two) = (Expr::unknown(0, "u", Rank::Scalar), Expr::number(2.0));
        let x = [1, 0, 0];
        // −2 ∂x Δ⁻¹ ∂x u, and half of ∂x (u u): the product is a source.
        let chain = u.partial(x).unwrap().inverse_laplacian().unwrap().partial(x).unwrap();
        let found = terms(&two.mul(&chain).unwrap().neg().unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].chain.clone(), found[0].weight), (vec![(x, 0), ([0; 3], 1), (x, 0)], -2.0));
        let product = u.mul(&u).unwrap().partial(x).unwrap().div(&two).unwrap();
        let sum = terms(&product.sub(&u).unwrap());
        let read: Vec<_> = sum.iter().map(|t| (t.chain.len(), t.weight)).collect();
        assert_eq!(read, [(1, 0.5), (0, -1.0)]);
        assert_ne!(sum[0].source, sum[1].source);
    }

    #[test]
    fn a_long_sum_is_a_source() {
        let u = Expr::unknown(0, "u", Rank::Scalar);
        let sum = (1..6u8).map(|n| u.partial([n, 0, 0]).unwrap()).reduce(|a, b| a.add(&b).unwrap()).unwrap();
        let found = terms(&sum.partial([0, 1, 0]).unwrap());
        assert!(
            found.len() <= MOST_TERMS && found.iter().all(|t| t.chain.last() == Some(&([0, 1, 0], 0))),
            "{found:?}"
        );
    }
}
