//! Transform, multiply, transform back, in one pass over each sample.
//!
//! With the packing of [`kernels`](super::kernels), multiplying the spectrum `X` by `M` is
//! `W(k) = a(k) Z(k) + b(k) Z*(−k)` on the packed one: with `S, D = (M(k) ± M(k + h)) / 2`,
//! `a = S − D sin θ` and `b = i D cos θ`. So the half spectrum is never formed, the real numbers are transformed where
//! they lie, and only two transposes of half the size are needed in 2-D.

use rayon::prelude::*;
use rustfft::num_complex::Complex as Number;

use super::volume::{Direction, Planned, Volume, Work, as_pairs_mut, each_line, each_sample, opposite_places};

/// A multiplier on the half spectrum, row-major over `[…, n/2 + 1]`; the imaginary part may be absent.
#[derive(Clone, Copy)]
pub(super) struct Multiplier<'a, T> {
    pub re: &'a [T],
    pub im: Option<&'a [T]>,
}

impl<'a, T: Planned> Multiplier<'a, T> {
    /// Numbers of one multiplier.
    fn part(&self, index: usize, len: usize) -> Self {
        Self { re: &self.re[index * len..][..len], im: self.im.map(|im| &im[index * len..][..len]) }
    }
    fn at(&self, place: usize) -> Number<T> {
        Number::new(self.re[place], self.im.map_or(T::default(), |im| im[place]))
    }
    /// The value that acts on real numbers where a wavenumber is its own opposite along the last axis.
    fn own(&self, place: usize, mirror: usize) -> Number<T> {
        (self.at(place) + self.at(mirror).conj()).scale(T::of(0.5))
    }
}

/// `x ← irfftn(multiplier · rfftn(x))` for each volume of `x`; `which[i]` names the multiplier of volume `i`.
pub(super) fn multiply<T: Planned>(x: &mut [T], lens: &[usize], multiplier: Multiplier<'_, T>, which: &[usize]) {
    let Some((&n, others)) = lens.split_last() else { return };
    let lines: usize = others.iter().product();
    let (len, source) = (lines * n, lines * (n / 2 + 1));
    let shared = multiplier.re.len() == source;
    let items = x.chunks_mut(len).zip(which);
    if n % 2 == 1 {
        let forward = Volume::<T>::new(lens, Direction::Forward, which.len());
        let inverse = Volume::<T>::new(lens, Direction::Inverse, which.len());
        let whole = shared.then(|| unfold(multiplier, others, n));
        return each_sample(&forward, items, |work, (x, &which)| {
            for (z, &x) in work.data.iter_mut().zip(x.iter()) {
                *z = Number::new(x, T::default());
            }
            forward.transform(work);
            let product = |m: &[Number<T>], z: &mut [Number<T>]| z.iter_mut().zip(m).for_each(|(z, m)| *z = *z * *m);
            match &whole {
                Some(whole) => product(whole, &mut work.data),
                None => product(&unfold(multiplier.part(which, source), others, n), &mut work.data),
            }
            inverse.transform(work);
            for (x, z) in x.iter_mut().zip(&work.data) {
                *x = z.re;
            }
        });
    }
    let packed = [others, &[n / 2]].concat();
    let forward = Volume::<T>::new(&packed, Direction::Forward, which.len());
    let inverse = Volume::<T>::new(&packed, Direction::Inverse, which.len());
    let mirror = opposite_places(packed.get(1..).unwrap_or_default());
    let mixed = shared.then(|| Mix::new(multiplier, &forward, n));
    each_sample(&forward, items, |work, (x, &which)| {
        let x = as_pairs_mut(x);
        match &mixed {
            Some(mix) => pass(x, &forward, &inverse, mix, &mirror, work),
            None => pass(x, &forward, &inverse, &Mix::new(multiplier.part(which, source), &forward, n), &mirror, work),
        }
    });
}

/// One volume: forward over all axes, mix opposite wavenumbers, back.
fn pass<T: Planned>(
    x: &mut [Number<T>],
    forward: &Volume<T>,
    inverse: &Volume<T>,
    mix: &Mix<T>,
    mirror: &[usize],
    work: &mut Work<T>,
) {
    let lens = forward.lens();
    let last = lens.len() - 1;
    forward.lines_in(last, x, work);
    if last == 0 {
        mix.apply(x, &mut work.data, lens[0], mirror, forward.spread());
        inverse.lines_in_work(0, work);
        x.copy_from_slice(&work.data);
        return;
    }
    forward.transpose(x, &mut work.data, lens[last]);
    for axis in (1..last).rev() {
        forward.lines_in_work(axis, work);
        forward.turn(axis, work);
    }
    forward.lines_in_work(0, work);
    mix.apply(&work.data, &mut work.other, lens[0], mirror, forward.spread());
    std::mem::swap(&mut work.data, &mut work.other);
    inverse.lines_in_work(0, work);
    for axis in 1..last {
        inverse.turn_back(axis, work);
        inverse.lines_in_work(axis, work);
    }
    inverse.transpose(&work.data, x, x.len() / lens[last]);
    inverse.lines_in(last, x, work);
}

/// The factors of a wavenumber and of its opposite, in the order that the volume has between the two transforms: the
/// first axis last.
struct Mix<T> {
    direct: Vec<Number<T>>,
    opposite: Vec<Number<T>>,
}

impl<T: Planned> Mix<T> {
    fn new(m: Multiplier<'_, T>, volume: &Volume<T>, n: usize) -> Self {
        let (h, width) = (n / 2, n / 2 + 1);
        let lens = volume.lens();
        let places = opposite_places(&lens[..lens.len() - 1]);
        let turns = T::turns(n, Direction::Inverse);
        let scale = T::of(0.5 / volume.len() as f64);
        let zero = Number::new(T::default(), T::default());
        let (mut direct, mut opposite) = (vec![zero; volume.len()], vec![zero; volume.len()]);
        let lines = direct.chunks_mut(h).zip(opposite.chunks_mut(h)).zip(&places).enumerate();
        each_line(volume.spread(), lines, |(line, ((direct, opposite), mirror))| {
            let (a, b) = (line * width, mirror * width);
            for (k, turn) in turns.iter().enumerate() {
                let (low, high) = match k {
                    0 => (m.own(a, b), m.own(a + h, b + h)),
                    _ => (m.at(a + k), m.at(b + h - k).conj()),
                };
                let (sum, difference) = ((low + high).scale(scale), (low - high).scale(scale));
                direct[k] = sum - difference.scale(turn.im);
                opposite[k] = Number::new(-difference.im, difference.re).scale(turn.re);
            }
        });
        if lens.len() > 1 {
            let columns = volume.len() / lens[0];
            let turned = |from: Vec<Number<T>>| {
                let mut to = vec![zero; from.len()];
                volume.transpose(&from, &mut to, columns);
                to
            };
            (direct, opposite) = (turned(direct), turned(opposite));
        }
        Self { direct, opposite }
    }

    fn apply(&self, z: &[Number<T>], out: &mut [Number<T>], n: usize, mirror: &[usize], spread: bool) {
        let line = |(line, out): (usize, &mut [Number<T>])| {
            let range = line * n..line * n + n;
            mix_line(
                &self.direct[range.clone()],
                &self.opposite[range.clone()],
                &z[range],
                &z[mirror[line] * n..][..n],
                out,
            );
        };
        if spread {
            out.par_chunks_mut(n).with_min_len((1 << 12) / n.max(1) + 1).enumerate().for_each(line);
        } else {
            out.chunks_mut(n).enumerate().for_each(line);
        }
    }
}

/// `out(k) = a(k) z(k) + b(k) m*(−k)`
fn mix_line<T: Planned>(a: &[Number<T>], b: &[Number<T>], z: &[Number<T>], m: &[Number<T>], out: &mut [Number<T>]) {
    let one = |a: &Number<T>, b: &Number<T>, z: &Number<T>, m: &Number<T>| {
        Number::new(
            a.re * z.re - a.im * z.im + b.re * m.re + b.im * m.im,
            a.re * z.im + a.im * z.re + b.im * m.re - b.re * m.im,
        )
    };
    let (Some(out0), Some(a0), Some(b0), Some(z0), Some(m0)) =
        (out.first_mut(), a.first(), b.first(), z.first(), m.first())
    else {
        return;
    };
    *out0 = one(a0, b0, z0, m0);
    let factors = a[1..].iter().zip(&b[1..]);
    for (out, ((a, b), (z, m))) in out[1..].iter_mut().zip(factors.zip(z[1..].iter().zip(m[1..].iter().rev()))) {
        *out = one(a, b, z, m);
    }
}

/// The multiplier on all wavenumbers, divided by the number of points.
fn unfold<T: Planned>(m: Multiplier<'_, T>, others: &[usize], n: usize) -> Vec<Number<T>> {
    let width = n / 2 + 1;
    let places = opposite_places(others);
    let scale = T::of(1.0 / (places.len() * n) as f64);
    let mut whole = Vec::with_capacity(places.len() * n);
    for (line, &mirror) in places.iter().enumerate() {
        whole.push(m.own(line * width, mirror * width).scale(scale));
        whole.extend((1..width).map(|k| m.at(line * width + k).scale(scale)));
        whole.extend((1..width).rev().map(|k| m.at(mirror * width + k).conj().scale(scale)));
    }
    whole
}
