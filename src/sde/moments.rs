//! Statistics of many numbers that are seen once: mean, variance, extrema, counts in bins.
//!
//! A part of the numbers is summed up by two passes, parts are joined by the formulas of Chan, Golub and LeVeque ("Algorithms for computing the
//! sample variance", The American Statistician 37, 1983): no difference of large sums occurs. All in `f64`.

use crate::native::simd::vectorised;
use crate::tensor::Real;

/// Of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// The sum of squared differences from the mean.
    pub squares: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0.0, mean: 0.0, squares: 0.0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

/// Sums that are carried at once, so that the loop becomes vectors; always as many, so that all machines add in one order.
const LANES: usize = 16;

vectorised! {
    /// Of numbers that lie side by side.
    pub fn moments<T: Real>(numbers: &[T]) -> Moments {
        let (mut sums, mut least, mut greatest) = ([0.0; LANES], [f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        for part in numbers.chunks(LANES) {
            for (i, x) in part.iter().enumerate() {
                let x = x.f64();
                sums[i] += x;
                least[i] = if x < least[i] { x } else { least[i] };
                greatest[i] = if x > greatest[i] { x } else { greatest[i] };
            }
        }
        let count = numbers.len() as f64;
        let mean = sums.iter().sum::<f64>() / count.max(1.0);
        let mut squares = [0.0; LANES];
        for part in numbers.chunks(LANES) {
            for (i, x) in part.iter().enumerate() {
                let d = x.f64() - mean;
                squares[i] += d * d;
            }
        }
        Moments {
            count,
            mean,
            squares: squares.iter().sum(),
            least: least.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: greatest.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl Moments {
    /// Of these numbers and others together.
    pub fn join(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let apart = other.mean - self.mean;
        self.mean += apart * (other.count / count);
        self.squares += other.squares + apart * apart * (self.count * other.count / count);
        self.count = count;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
    /// The mean squared difference from the mean: divided by `n`.
    pub fn variance(&self) -> f64 {
        self.squares / self.count
    }
}

/// Bins of equal width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bins {
    /// The lower end of the first.
    pub from: f64,
    /// The upper end of the last.
    pub to: f64,
    /// How many.
    pub count: usize,
}

impl Bins {
    /// Counts numbers; what lies outside is not counted, the upper end belongs to the last bin.
    pub(crate) fn add<T: Real>(&self, numbers: &[T], counts: &mut [u64]) {
        let scale = self.count as f64 / (self.to - self.from);
        for x in numbers {
            let x = x.f64();
            if x >= self.from && x <= self.to {
                let bin = (((x - self.from) * scale) as usize).min(self.count - 1);
                if let Some(count) = counts.get_mut(bin) {
                    *count += 1;
                }
            }
        }
    }
}

/// Statistics of columns of numbers at output times: `[time, column]`.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    columns: usize,
    bins: Option<Bins>,
    /// `[time, column]`
    pub moments: Vec<Moments>,
    /// `[time, column, bin]`
    pub counts: Vec<u64>,
}

impl Tally {
    /// For so many times and columns.
    pub fn new(times: usize, columns: usize, bins: Option<Bins>) -> Self {
        let places = times * columns;
        let counts = bins.map_or(0, |bins| places * bins.count);
        Self { columns, bins, moments: vec![Moments::default(); places], counts: vec![0; counts] }
    }
    /// Bytes that one takes.
    pub fn bytes(times: usize, columns: usize, bins: Option<Bins>) -> usize {
        let each = size_of::<Moments>() + bins.map_or(0, |bins| bins.count.saturating_mul(8));
        times.saturating_mul(columns).saturating_mul(each)
    }
    /// Further numbers of a column at a time.
    pub fn add<T: Real>(&mut self, time: usize, column: usize, numbers: &[T]) {
        let place = time * self.columns + column;
        if let Some(own) = self.moments.get_mut(place) {
            own.join(&moments(numbers));
        }
        if let Some(bins) = self.bins
            && let Some(counts) = self.counts.get_mut(place * bins.count..(place + 1) * bins.count)
        {
            bins.add(numbers, counts);
        }
    }
    /// With those of other samples.
    pub fn join(&mut self, other: &Self) {
        self.moments.iter_mut().zip(&other.moments).for_each(|(own, other)| own.join(other));
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers far from 0 with a small spread, where the difference of two large sums would have no digits.
    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|i| 1e8 + ((i * 7919) % 1000) as f64 * 1e-3).collect()
    }

    #[test]
    fn parts_joined_are_the_whole() {
        let all = numbers(10_007);
        let mean = all.iter().map(|x| x - 1e8).sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - 1e8 - mean).powi(2)).sum::<f64>() / all.len() as f64;
        for part in [1, 13, 1000, 20_000] {
            let mut joined = Moments::default();
            all.chunks(part).for_each(|part| joined.join(&moments(part)));
            assert_eq!(joined.count, 10_007.0);
            assert!((joined.mean - 1e8 - mean).abs() < 1e-6, "{part}: {joined:?}");
            assert!((joined.variance() / variance - 1.0).abs() < 1e-6, "{part}: {} {variance}", joined.variance());
            assert_eq!((joined.least, joined.greatest), (1e8, all.iter().copied().fold(0.0, f64::max)));
        }
        let mut nothing = Moments::default();
        nothing.join(&moments::<f32>(&[]));
        assert_eq!(nothing, Moments::default());
    }

    #[test]
    fn bins_hold_their_lower_ends() {
        let bins = Bins { from: -1.0, to: 1.0, count: 4 };
        let mut counts = vec![0; 4];
        bins.add(&[-1.0f64, -0.5, -0.51, 0.0, 0.99, 1.0, 1.1, -1.1, f64::NAN], &mut counts);
        assert_eq!(counts, [2, 1, 1, 2]);
    }
}
