//! Transforms of a batch of volumes on slices.
//!
//! A real line of even length `n = 2 h` is a complex line of length `h`: `z[j] = x[2j] + i x[2j+1]`, which is how it
//! lies in memory anyway. With `E`, `O` the spectra of the even and odd places, `Z = E + i O`,
//! `E(k) = (Z(k) + Z*(−k)) / 2`, `O(k) = (Z(k) − Z*(−k)) / 2i` and `X(k) = E(k) + e^{−iθ} O(k)`, `θ = 2πk/n`; with more
//! axes `−k` turns all of them around. So a real transform costs half of a complex one. Odd lengths take the whole.

use rustfft::num_complex::Complex as Number;

use super::volume::{Direction, Planned, Volume, as_pairs, as_pairs_mut, each_line, each_sample, opposite_places};

/// How a half spectrum counts: `doubled` gives the weight 2 to wavenumbers whose opposite is not stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    pub scale: f64,
    pub doubled: bool,
}

/// The complex transform over all of `lens`.
pub(super) fn complex<T: Planned>(
    (re, im): (&[T], &[T]),
    lens: &[usize],
    direction: Direction,
    scale: f64,
) -> (Vec<T>, Vec<T>) {
    let len: usize = lens.iter().product();
    let volume = Volume::new(lens, direction, re.len() / len.max(1));
    let (mut out_re, mut out_im) = (vec![T::default(); re.len()], vec![T::default(); re.len()]);
    let scale = T::of(scale);
    let items = out_re.chunks_mut(len).zip(out_im.chunks_mut(len)).zip(re.chunks(len).zip(im.chunks(len)));
    each_sample(&volume, items, |work, ((out_re, out_im), (re, im))| {
        for (z, (&re, &im)) in work.data.iter_mut().zip(re.iter().zip(im)) {
            *z = Number::new(re, im);
        }
        volume.transform(work);
        for ((re, im), z) in out_re.iter_mut().zip(out_im.iter_mut()).zip(&work.data) {
            *re = z.re * scale;
            *im = z.im * scale;
        }
    });
    (out_re, out_im)
}

/// The forward transform of real numbers, half spectrum along the last of `lens`.
pub(super) fn forward_real<T: Planned>(x: &[T], lens: &[usize], weights: Weights) -> (Vec<T>, Vec<T>) {
    let Some((&n, others)) = lens.split_last() else { return (Vec::new(), Vec::new()) };
    let (h, width) = (n / 2, n / 2 + 1);
    let len: usize = lens.iter().product();
    let batch = x.len() / len.max(1);
    let opposite = opposite_places(others);
    let target = opposite.len() * width;
    let (mut out_re, mut out_im) = (vec![T::default(); batch * target], vec![T::default(); batch * target]);
    let outputs = out_re.chunks_mut(target).zip(out_im.chunks_mut(target)).zip(x.chunks(len));
    let edge = T::of(weights.scale);
    let inner = T::of(weights.scale * if weights.doubled { 2.0 } else { 1.0 });
    if n % 2 == 1 {
        let volume = Volume::<T>::new(lens, Direction::Forward, batch);
        each_sample(&volume, outputs, |work, ((re, im), x)| {
            for (z, &x) in work.data.iter_mut().zip(x) {
                *z = Number::new(x, T::default());
            }
            volume.transform(work);
            for ((re, im), z) in re.chunks_mut(width).zip(im.chunks_mut(width)).zip(work.data.chunks(n)) {
                for (k, ((re, im), z)) in re.iter_mut().zip(im).zip(z).enumerate() {
                    let weight = if k == 0 { edge } else { inner };
                    (*re, *im) = (z.re * weight, z.im * weight);
                }
            }
        });
        return (out_re, out_im);
    }
    let volume = Volume::<T>::new(&[others, &[h]].concat(), Direction::Forward, batch);
    let turns = T::turns(n, Direction::Forward);
    let half = T::of(0.5);
    each_sample(&volume, outputs, |work, ((re, im), x)| {
        work.data.copy_from_slice(as_pairs(x));
        volume.transform(work);
        let spectrum = &work.data;
        let lines = re.chunks_mut(width).zip(im.chunks_mut(width)).zip(spectrum.chunks(h).zip(&opposite));
        each_line(volume.spread(), lines, |((re, im), (z, mirror))| {
            let m = &spectrum[mirror * h..][..h];
            // X(0) and X(h) are E ± O of wavenumber 0.
            let (e, o) = ((z[0] + m[0].conj()).scale(half), (z[0] - m[0].conj()).scale(half));
            let o = Number::new(o.im, -o.re);
            (re[0], im[0]) = ((e.re + o.re) * edge, (e.im + o.im) * edge);
            (re[h], im[h]) = ((e.re - o.re) * edge, (e.im - o.im) * edge);
            let weight = inner * half;
            let lines = re[1..h].iter_mut().zip(&mut im[1..h]);
            for (((re, im), w), (z, m)) in lines.zip(&turns[1..]).zip(z[1..].iter().zip(m[1..].iter().rev())) {
                let (er, ei) = (z.re + m.re, z.im - m.im);
                let (or, oi) = (z.im + m.im, m.re - z.re);
                *re = (er + w.re * or - w.im * oi) * weight;
                *im = (ei + w.re * oi + w.im * or) * weight;
            }
        });
    });
    (out_re, out_im)
}

/// The real part of the inverse transform of a half spectrum, not divided by the number of points.
pub(super) fn inverse_real<T: Planned>((re, im): (&[T], &[T]), lens: &[usize], weights: Weights) -> Vec<T> {
    let Some((&n, others)) = lens.split_last() else { return Vec::new() };
    let (h, width) = (n / 2, n / 2 + 1);
    let len: usize = lens.iter().product();
    let opposite = opposite_places(others);
    let source = opposite.len() * width;
    let batch = re.len() / source.max(1);
    let mut out = vec![T::default(); batch * len];
    let inputs = out.chunks_mut(len).zip(re.chunks(source).zip(im.chunks(source)));
    let edge = T::of(weights.scale);
    let half = T::of(0.5);
    let inner = if weights.doubled { edge } else { edge * half };
    if n % 2 == 1 {
        let volume = Volume::<T>::new(lens, Direction::Inverse, batch);
        each_sample(&volume, inputs, |work, (out, (re, im))| {
            let at = |line: usize, k: usize| Number::new(re[line * width + k], im[line * width + k]);
            for (line, &mirror) in opposite.iter().enumerate() {
                let z = &mut work.data[line * n..][..n];
                z[0] = (at(line, 0) + at(mirror, 0).conj()).scale(half * edge);
                for k in 1..width {
                    z[k] = at(line, k).scale(inner);
                    z[n - k] = at(mirror, k).conj().scale(inner);
                }
            }
            volume.transform(work);
            for (out, z) in out.iter_mut().zip(&work.data) {
                *out = z.re;
            }
        });
        return out;
    }
    let volume = Volume::<T>::new(&[others, &[h]].concat(), Direction::Inverse, batch);
    let turns = T::turns(n, Direction::Inverse);
    each_sample(&volume, inputs, |work, (out, (re, im))| {
        let lines = work.data.chunks_mut(h).zip(&opposite).enumerate();
        each_line(volume.spread(), lines, |(line, (z, mirror))| {
            let (re1, im1) = (&re[line * width..][..width], &im[line * width..][..width]);
            let (re2, im2) = (&re[mirror * width..][..width], &im[mirror * width..][..width]);
            // Wavenumbers 0 and h are their own opposites along this axis: what breaks the symmetry drops out.
            let own = |k: usize| Number::new(re1[k] + re2[k], im1[k] - im2[k]).scale(half * edge);
            let (low, high) = (own(0), own(h));
            let (e, o) = (low + high, low - high);
            z[0] = Number::new(e.re - o.im, e.im + o.re);
            let a = re1[1..h].iter().zip(&im1[1..h]);
            let b = re2[1..h].iter().rev().zip(im2[1..h].iter().rev());
            for (((z, w), (&ar, &ai)), (&br, &bi)) in z[1..].iter_mut().zip(&turns[1..]).zip(a).zip(b) {
                let (er, ei) = (ar + br, ai - bi);
                let (dr, di) = (ar - br, ai + bi);
                let (or, oi) = (w.re * dr - w.im * di, w.re * di + w.im * dr);
                *z = Number::new((er - oi) * inner, (ei + or) * inner);
            }
        });
        volume.transform(work);
        as_pairs_mut(out).copy_from_slice(&work.data);
    });
    out
}
