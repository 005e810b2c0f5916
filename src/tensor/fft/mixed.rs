//! Lines of any length by their factors, in the memory that the threads of a cube share: a stage for each factor `r` reads one copy and writes the
//! other, in the order in which nothing has to be rearranged (Stockham; Govindaraju et al. 2008). With `p` the product of the factors before,
//! `y[b p r + o] = Σ_t x[b p + o mod p + t n/r] e^{± 2πi t o / (p r)}` for `o < p r`: a sum of `r` products for each number, so a line costs
//! `n Σ r` of them, and one of prime length is a plain sum.

use cubecl::prelude::*;

use super::kernel::Kind;
use super::lowered::PRIME;

/// Numbers in shared memory for each of a line: two copies of real and imaginary parts.
pub(super) const COPIES: usize = 4;

/// The factors of a length: fours, then primes.
fn factors(n: usize) -> Vec<usize> {
    let (mut rest, mut factors) = (n, Vec::new());
    let mut factor = 4;
    while rest > 1 {
        while rest.is_multiple_of(factor) {
            factors.push(factor);
            rest /= factor;
        }
        factor = match factor {
            4 => 2,
            2 => 3,
            f if f * f > rest => rest,
            f => f + 2,
        };
    }
    factors
}

/// Whether no factor is too large.
pub(super) fn fits(n: usize) -> bool {
    factors(n).iter().all(|f| *f <= PRIME)
}

/// The factor of a stage, and the product of those before.
fn stage_of(n: usize, stage: usize) -> (usize, usize) {
    let factors = factors(n);
    (factors.get(stage).copied().unwrap_or(1), factors.iter().take(stage).product())
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub(super) fn mixed_kernel<F: Float>(
    re: &[F],
    im: &[F],
    table: &[F],
    out_re: &mut [F],
    out_im: &mut [F],
    lines: usize,
    inner: usize,
    #[comptime] n: usize,
    #[comptime] held: usize,
    #[comptime] units: usize,
    #[comptime] kind: Kind,
    #[comptime] last: bool,
    #[define(F)] _dtype: ElemType,
) {
    let first = CUBE_POS * held;
    if first >= lines {
        terminate!();
    }
    let mut shared_re = Shared::new_slice(comptime!(2 * held * n));
    let mut shared_im = Shared::new_slice(comptime!(2 * held * n));
    let kept = comptime!(if kind == Kind::Back { n / 2 + 1 } else { n });
    let stored = comptime!(if kind == Kind::Forward { n / 2 + 1 } else { n });

    let mut e = UNIT_POS as usize;
    while e < comptime!(held * n) {
        // Neighbouring threads read neighbouring numbers.
        let line = if comptime!(last) { e / n } else { e % held };
        let j = if comptime!(last) { e % n } else { e / held };
        let number = first + line;
        let mut a = F::new(0.0);
        let mut b = F::new(0.0);
        if number < lines && j < kept {
            let at = ((number / inner) * kept + j) * inner + number % inner;
            a = re[at];
            if comptime!(kind != Kind::Forward) {
                b = im[at];
            }
            if comptime!(kind == Kind::Back) {
                let own = j == 0usize || 2usize * j == n;
                let w = select(own, table[comptime!(2 * n)], table[comptime!(2 * n + 1)]);
                a *= w;
                b *= w;
            }
        }
        shared_re[line * n + j] = a;
        shared_im[line * n + j] = b;
        e += units;
    }
    sync_cube();

    let stages = comptime!(factors(n).len());
    #[unroll]
    for stage in 0..stages {
        let radix = comptime!(stage_of(n, stage).0);
        let before = comptime!(stage_of(n, stage).1);
        let source = comptime!((stage % 2) * held * n);
        let target = comptime!(((stage + 1) % 2) * held * n);
        let mut e = UNIT_POS as usize;
        while e < comptime!(held * n) {
            let k = e % n;
            let o = k % comptime!(before * radix);
            let from = source + (e - k) + (k / comptime!(before * radix)) * before + o % before;
            let step = o * comptime!(n / (before * radix));
            let mut sum_re = F::new(0.0);
            let mut sum_im = F::new(0.0);
            let mut turn = 0usize;
            let mut t = 0usize;
            while t < radix {
                let c = table[turn];
                let s = table[turn + n];
                let a = shared_re[from + t * comptime!(n / radix)];
                let b = shared_im[from + t * comptime!(n / radix)];
                sum_re += c * a - s * b;
                sum_im += c * b + s * a;
                turn += step;
                if turn >= n {
                    turn -= n;
                }
                t += 1usize;
            }
            shared_re[target + e] = sum_re;
            shared_im[target + e] = sum_im;
            e += units;
        }
        sync_cube();
    }

    let done = comptime!((stages % 2) * held * n);
    let mut e = UNIT_POS as usize;
    while e < comptime!(held * n) {
        let line = if comptime!(last) { e / n } else { e % held };
        let k = if comptime!(last) { e % n } else { e / held };
        let number = first + line;
        if number < lines && k < stored {
            let at = ((number / inner) * stored + k) * inner + number % inner;
            let from = done + line * n + k;
            if comptime!(kind == Kind::Back) {
                out_re[at] = shared_re[from];
            } else if comptime!(kind == Kind::Forward) {
                let own = k == 0usize || 2usize * k == n;
                let w = select(own, table[comptime!(2 * n)], table[comptime!(2 * n + 1)]);
                out_re[at] = shared_re[from] * w;
                out_im[at] = shared_im[from] * w;
            } else {
                out_re[at] = shared_re[from];
                out_im[at] = shared_im[from];
            }
        }
        e += units;
    }
    // Nobody still reads when the next cube is given this memory.
    sync_cube();
}

#[cfg(test)]
mod tests {
    use super::factors;

    #[test]
    fn lengths_are_the_products_of_their_factors() {
        for n in 2..3000usize {
            let factors = factors(n);
            assert_eq!(factors.iter().product::<usize>(), n);
            assert!(factors.iter().all(|f| *f == 4 || (2..*f).all(|d| !f.is_multiple_of(d))), "{n}: {factors:?}");
        }
        assert_eq!(factors(300), [4, 3, 5, 5]);
    }
}
