//! Processes against closed forms: laws and orders of the schemes, the way back, the losses, and what is refused.

use std::rc::Rc;

use super::process::ascending;
use super::*;
use crate::error::{Error, Result};
use crate::field::{Grid, SpectralOperator};
use crate::session::{Options, Progress, Session};
use crate::tensor::fft::rfft;
use crate::tensor::random::{Key, normal_samples};
use crate::tensor::{Complex, Context, Precision, Tensor, Unary, value_and_gradient};

const G: f64 = 0.7;
const END: f64 = 1.2;

fn context() -> Context {
    Context::cpu(Precision::F64)
}
fn grid() -> Grid {
    Grid::periodic(&[6], &[(0.0, std::f64::consts::TAU)]).unwrap()
}
/// λ(k) = −0.4 − 0.2 k² + 0.9 i k on the half spectrum: decay and transport.
fn operator(c: &Context) -> SpectralOperator {
    let k = grid().wavenumbers(c, Precision::F64, 0).unwrap();
    let re = k.unary(Unary::Square).unwrap().scale(-0.2).unwrap().shift(-0.4).unwrap();
    SpectralOperator::new(grid(), Complex::new(re, k.scale(0.9).unwrap()).unwrap()).unwrap()
}
fn process(c: &Context, scheme: Scheme) -> Process {
    Process { scheme, ..Process::new(Drift::Spectral(operator(c)), Diffusion::Constant(G)) }
}
/// dx = −x dt + g dW with explicit Euler steps.
fn ornstein_uhlenbeck() -> Process {
    Process::new(Drift::Function(Rc::new(|x, _| x.scale(-1.0))), Diffusion::Constant(G))
}
fn times(steps: usize) -> Vec<f64> {
    (0..=steps).map(|m| END * m as f64 / steps as f64).collect()
}
fn noise(c: &Context, seed: u64, samples: usize, one: &[usize]) -> Tensor {
    let numbers: Vec<u64> = (0..samples as u64).collect();
    normal_samples(c, Key::new(seed), &numbers, one).unwrap()
}
fn state(values: Tensor, grid: Option<Grid>) -> State {
    State::new(values, grid)
}
fn numbers(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}
fn progress() -> Progress {
    Session::new(Options { sink: Rc::new(crate::session::Terminal::new(true)), ..Options::default() })
        .progress("test", 1)
}
/// E|û|²/N for each mode of the half spectrum.
fn spectrum(values: &Tensor) -> Vec<f64> {
    let z = rfft(values, &[-1]).unwrap();
    z.abs_squared()
        .unwrap()
        .reshape(&[values.shape()[0], 4])
        .unwrap()
        .mean(&[0], false)
        .unwrap()
        .scale(1.0 / 6.0)
        .unwrap()
        .to_vec()
        .unwrap()
}
/// The slope of ln error against ln step over halved steps.
fn order(errors: &[f64]) -> f64 {
    let (first, last) = (errors.first().copied().unwrap(), errors.last().copied().unwrap());
    (first / last).log2() / (errors.len() - 1) as f64
}

#[test]
fn the_law_of_each_scheme_tends_to_that_of_the_equation() {
    let c = context();
    let initial = Tensor::full(&c, &[4], 0.5).unwrap();
    let re = operator(&c).symbol().re.to_vec().unwrap();
    let exact: Vec<f64> =
        re.iter().map(|l| 0.5 * (2.0 * l * END).exp() + G * G * ((2.0 * l * END).exp() - 1.0) / (2.0 * l)).collect();
    for (scheme, expected) in [(Scheme::EulerMaruyama, 1.0), (Scheme::Exponential, 1.0), (Scheme::Exact, f64::INFINITY)]
    {
        let error = |steps: usize| -> f64 {
            let law = GaussianScore::new(&process(&c, scheme), &initial, &times(steps)).unwrap();
            let e = law.eigenvalues(steps).unwrap().to_vec().unwrap();
            e.iter().zip(&exact).map(|(e, x)| (e / x - 1.0).abs()).fold(0.0, f64::max)
        };
        let errors: Vec<f64> = [64, 128, 256, 512].map(error).to_vec();
        if expected.is_infinite() {
            assert!(errors.iter().all(|&e| e < 1e-12), "{scheme:?}: {errors:?}");
            assert!(error(1) < 1e-12);
        } else {
            assert!((order(&errors) - expected).abs() < 0.1, "{scheme:?}: {errors:?}");
        }
    }
}

#[test]
fn paths_have_the_law_that_the_exact_score_assumes() {
    // Few, long steps: the schemes differ by more than the scatter of the estimate, √(2/n) = 0.7 %.
    let c = context();
    let samples = 40_000;
    let start = noise(&c, 1, samples, &[1, 6]);
    let initial = Tensor::full(&c, &[4], 1.0).unwrap();
    for scheme in [Scheme::EulerMaruyama, Scheme::Exponential, Scheme::Exact] {
        let process = process(&c, scheme);
        let path = process.sample(&state(start.clone(), Some(grid())), &times(3), 2, &numbers(samples)).unwrap();
        let got = spectrum(&path.state(3).unwrap().values);
        let law = GaussianScore::new(&process, &initial, &times(3)).unwrap();
        let expected = law.eigenvalues(3).unwrap().to_vec().unwrap();
        for (mode, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!((got / expected - 1.0).abs() < 0.035, "{scheme:?}, mode {mode}: {got} against {expected}");
        }
    }
}

#[test]
fn euler_maruyama_is_of_strong_order_one_with_additive_noise() {
    // Increments are read off a fine path, summed for coarser ones: the same Brownian motion at every step.
    let c = context();
    let cubic = Process::new(Drift::Function(Rc::new(|x, _| x.powf(3.0)?.scale(-1.0))), Diffusion::Constant(G));
    let (fine, samples) = (2048usize, 400);
    let start = state(noise(&c, 3, samples, &[1]), None);
    let path = cubic.sample(&start, &times(fine), 4, &numbers(samples)).unwrap();
    let at = |m: usize| path.state(m).unwrap().values;
    let dt = END / fine as f64;
    let kicks: Vec<Tensor> = (0..fine)
        .map(|m| at(m + 1).sub(&cubic.advance(&at(m), &Clock::One { t: 0.0, dt }).unwrap()).unwrap())
        .collect();
    let error = |steps: usize| -> f64 {
        let width = fine / steps;
        let mut x = start.values.clone();
        for m in 0..steps {
            x = cubic.advance(&x, &Clock::One { t: 0.0, dt: END / steps as f64 }).unwrap();
            x = kicks[m * width..(m + 1) * width].iter().try_fold(x, |x, kick| x.add(kick)).unwrap();
        }
        x.sub(&at(fine)).unwrap().unary(Unary::Square).unwrap().mean(&[], false).unwrap().item().unwrap().sqrt()
    };
    let errors = [32, 64, 128].map(error);
    assert!((order(&errors) - 1.0).abs() < 0.15, "{errors:?}");
}

#[test]
fn variance_of_ornstein_uhlenbeck_paths() {
    let c = context();
    let samples = 40_000;
    let steps = 12;
    let path = ornstein_uhlenbeck()
        .sample(&state(Tensor::full(&c, &[samples], 0.0).unwrap(), None), &times(steps), 5, &numbers(samples))
        .unwrap();
    let variance = path.state(steps).unwrap().values.variance(&[], false, 0.0).unwrap().item().unwrap();
    let dt = END / steps as f64;
    // The law of the scheme itself; that it tends to g²(1 − e^(−2T))/2 is the other test.
    let exact = (0..steps).fold(0.0, |v, _| (1.0 - dt) * (1.0 - dt) * v + G * G * dt);
    assert!((variance / exact - 1.0).abs() < 0.035, "{variance} against {exact}");
}

#[test]
fn paths_do_not_depend_on_the_batch() {
    for precision in [Precision::F32, Precision::F64] {
        let c = Context::cpu(precision);
        let process = Process::new(
            Drift::Spectral(SpectralOperator::new(grid(), operator(&context()).symbol().clone()).unwrap()),
            Diffusion::Function(Rc::new(|t| Ok(0.2 + t))),
        );
        let start = noise(&c, 6, 5, &[1, 6]);
        let score: Score = Rc::new(|x, _| x.scale(-1.0));
        let how = Reverse { integrator: Integrator::Euler, correction: 1.0, noise: true, last_noise: true, seed: 8 };
        let forward = |x: &Tensor, n: &[u64]| {
            process.sample(&state(x.clone(), Some(grid())), &times(4), 7, n).unwrap().values().to_vec().unwrap()
        };
        let back = |x: &Tensor, n: &[u64]| {
            process
                .reverse(&score, &state(x.clone(), Some(grid())), &times(4), n, how, &mut progress())
                .unwrap()
                .values()
                .to_vec()
                .unwrap()
        };
        let (all, all_back) = (forward(&start, &numbers(5)), back(&start, &numbers(5)));
        let (mut parts, mut parts_back) = (Vec::new(), Vec::new());
        for (from, count) in [(0, 2), (2, 1), (3, 2)] {
            let part = start.narrow(0, from, count).unwrap();
            let numbers: Vec<u64> = (from as u64..(from + count) as u64).collect();
            parts.extend(forward(&part, &numbers));
            parts_back.extend(back(&part, &numbers));
        }
        assert_eq!(all, parts);
        assert_eq!(all_back, parts_back);
    }
}

#[test]
fn the_way_back_ends_at_the_prior() {
    let c = context();
    let samples = 20_000;
    let steps = 64;
    let initial = Tensor::new(&c, vec![1.0, 2.0, 0.5, 0.25], &[4]).unwrap();
    // Real symbols: the field stays real mode by mode, Nyquist too.
    let k = grid().wavenumbers(&c, Precision::F64, 0).unwrap();
    let real =
        SpectralOperator::new(grid(), Complex::real(k.unary(Unary::Square).unwrap().scale(-0.05).unwrap()).unwrap())
            .unwrap();
    let process = Process::new(Drift::Spectral(real), Diffusion::Constant(0.4));
    let score = GaussianScore::new(&process, &initial, &times(steps)).unwrap();
    let coloured = |variance: &Tensor| {
        crate::tensor::fourier_multiply_real(
            &noise(&c, 9, samples, &[1, 6]),
            &variance.unary(Unary::Sqrt).unwrap(),
            &[-1],
        )
        .unwrap()
    };
    let end = state(coloured(score.eigenvalues(steps).unwrap()), Some(grid()));
    for integrator in [Integrator::Euler, Integrator::ConditionalMean] {
        for (correction, noisy) in [(1.0, true), (0.5, false)] {
            let how = Reverse { integrator, correction, noise: noisy, last_noise: true, seed: 10 };
            let path =
                process.reverse(&score.score(), &end, &times(steps), &numbers(samples), how, &mut progress()).unwrap();
            let got = spectrum(&path.state(0).unwrap().values);
            for (mode, (got, expected)) in got.iter().zip(initial.to_vec().unwrap()).enumerate() {
                assert!(
                    (got / expected - 1.0).abs() < 0.05,
                    "{integrator:?}, noise {noisy}, mode {mode}: {got} against {expected}"
                );
            }
        }
    }
}

#[test]
fn probability_flow_is_of_first_order() {
    let c = context();
    let initial = Tensor::full(&c, &[4], 0.8).unwrap();
    for integrator in [Integrator::Euler, Integrator::ConditionalMean] {
        let error = |steps: usize| -> f64 {
            let process = Process::new(
                Drift::Spectral(
                    SpectralOperator::new(grid(), Complex::real(operator(&c).symbol().re.clone()).unwrap()).unwrap(),
                ),
                Diffusion::Constant(G),
            );
            let score = GaussianScore::new(&process, &initial, &times(steps)).unwrap();
            // One standard deviation of the first mode goes back to one standard deviation.
            let wave: Vec<f64> = (0..6).map(|i| (std::f64::consts::TAU * i as f64 / 6.0).cos()).collect();
            let deviation = score.eigenvalues(steps).unwrap().to_vec().unwrap()[1].sqrt();
            let end = state(Tensor::new(&c, wave, &[1, 1, 6]).unwrap().scale(deviation).unwrap(), Some(grid()));
            let how = Reverse { integrator, correction: 0.5, noise: false, last_noise: false, seed: 0 };
            let path = process.reverse(&score.score(), &end, &times(steps), &[0], how, &mut progress()).unwrap();
            (path.state(0).unwrap().values.to_vec().unwrap()[0] / 0.8f64.sqrt() - 1.0).abs()
        };
        let errors: Vec<f64> = [64, 128, 256].map(error).to_vec();
        assert!((order(&errors) - 1.0).abs() < 0.12, "{integrator:?}: {errors:?}");
    }
}

/// A path of one step, `[x₀, x₁]`, and its numbers.
fn one_step(samples: usize, dt: f64) -> (Context, Path, Vec<f64>, Vec<f64>) {
    let c = context();
    let path = ornstein_uhlenbeck()
        .sample(&state(noise(&c, 11, samples, &[]), None), &[0.0, dt], 12, &numbers(samples))
        .unwrap();
    let (x0, x1) = (path.state(0).unwrap().values.to_vec().unwrap(), path.state(1).unwrap().values.to_vec().unwrap());
    (c, path, x0, x1)
}
fn mean_product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64
}
fn linear(theta: &Tensor) -> Score {
    let theta = theta.clone();
    Rc::new(move |x, _| x.mul(&theta))
}
fn slope(c: &Context, at: f64, loss: impl Fn(&Score) -> Result<Tensor>) -> f64 {
    let (_, gradient) = value_and_gradient(c, &[Tensor::scalar(c, at)], |theta| loss(&linear(&theta[0]))).unwrap();
    gradient[0].item().unwrap()
}

#[test]
fn the_window_loss_of_one_step_is_least_at_the_conditional_mean() {
    let dt = 0.05;
    let (c, path, x0, x1) = one_step(20_000, dt);
    // (2 − a) + ½ g² Δt θ = ⟨x₀ x₁⟩/⟨x₁²⟩ with a = 1 − Δt: least squares over these samples.
    let least = 2.0 * (mean_product(&x0, &x1) / mean_product(&x1, &x1) - (1.0 + dt)) / (G * G * dt);
    let loss = |score: &Score| window_loss(&ornstein_uhlenbeck(), score, &path, 1, &[0]);
    assert!(slope(&c, least, loss).abs() < 1e-12);
    assert!(slope(&c, least - 0.1, loss) < -1e-6 && slope(&c, least + 0.1, loss) > 1e-6);
    // Twice the score, −2/variance, up to terms of first order and the scatter of the samples.
    let variance = (1.0 - dt) * (1.0 - dt) + G * G * dt;
    assert!((least / (-2.0 / variance) - 1.0).abs() < 0.15, "{least} against {}", -2.0 / variance);
}

#[test]
fn the_denoising_loss_is_least_at_the_score() {
    let dt = 0.3;
    let (c, path, x0, x1) = one_step(40_000, dt);
    let width = G * dt.sqrt();
    let xi: Vec<f64> = x0.iter().zip(&x1).map(|(x0, x1)| (x1 - (1.0 - dt) * x0) / width).collect();
    let least = -mean_product(&x1, &xi) / (width * mean_product(&x1, &x1));
    let loss = |score: &Score| denoising_loss(&ornstein_uhlenbeck(), score, &path, &[1]);
    assert!(slope(&c, least, loss).abs() < 1e-12);
    let variance = (1.0 - dt) * (1.0 - dt) + G * G * dt;
    assert!((least * variance + 1.0).abs() < 0.05, "{least} against {}", -1.0 / variance);
}

#[test]
fn windows_are_the_steps_of_the_probability_flow() {
    // A window of three steps from one start, by hand.
    let c = context();
    let process = process(&c, Scheme::Exponential);
    let path = process
        .sample(&state(noise(&c, 13, 2, &[1, 6]), Some(grid())), &[0.0, 0.1, 0.3, 0.4, 0.8], 14, &numbers(2))
        .unwrap();
    let score: Score = Rc::new(|x, t| x.unary(Unary::Tanh)?.mul(&t.reshape(&[t.len(), 1, 1])?));
    let by_hand = |start: usize| -> f64 {
        let last = 4 - start;
        let how = Reverse { integrator: Integrator::Euler, correction: 0.5, noise: false, last_noise: false, seed: 0 };
        let back = process
            .reverse(
                &score,
                &path.state(last).unwrap(),
                &path.times()[last - 3..=last],
                &numbers(2),
                how,
                &mut progress(),
            )
            .unwrap();
        (0..3)
            .map(|m| {
                back.state(m)
                    .unwrap()
                    .values
                    .sub(&path.state(last - 3 + m).unwrap().values)
                    .unwrap()
                    .unary(Unary::Square)
                    .unwrap()
                    .mean(&[], false)
                    .unwrap()
                    .item()
                    .unwrap()
            })
            .sum()
    };
    let together = window_loss(&process, &score, &path, 3, &[0, 1]).unwrap().item().unwrap();
    assert!((together - (by_hand(0) + by_hand(1)) / 2.0).abs() < 1e-13);
}

#[test]
fn jittered_times_stay_in_their_cells() {
    let c = context();
    let given = [0.0, 1.0, 1.5, 4.0, 4.1, 9.0];
    let mut all = Vec::new();
    for seed in 0..200 {
        let moved = jittered(&c, &given, seed).unwrap();
        ascending(&moved).unwrap();
        assert_eq!((moved[0], moved[5]), (0.0, 9.0));
        for i in 1..5 {
            assert!(moved[i] > (given[i - 1] + given[i]) / 2.0 && moved[i] < (given[i] + given[i + 1]) / 2.0);
        }
        all.push(moved);
    }
    let mean = all.iter().map(|t| t[3]).sum::<f64>() / 200.0;
    // Half the time in [2.75, 4], half in [4, 4.05].
    assert!((mean - (3.375 + 4.025) / 2.0).abs() < 0.1, "{mean}");
    assert_eq!(all[7], jittered(&c, &given, 7).unwrap());
    assert_ne!(all[7], all[8]);
    assert_eq!(jittered(&c, &[0.0, 1.0], 1).unwrap(), [0.0, 1.0]);
}

#[test]
fn misuse_is_an_error() {
    let c = context();
    let spectral = process(&c, Scheme::Exponential);
    let on = |shape: &[usize], grid: Option<Grid>| state(Tensor::full(&c, shape, 1.0).unwrap(), grid);
    let sampled = |process: &Process, state: State, times: &[f64]| {
        process.sample(&state, times, 1, &numbers(state.samples())).err().map(|e: Error| e.to_string())
    };
    for unfit in [&[][..], &[0.0], &[0.0, 0.0], &[1.0, 0.0], &[0.0, f64::NAN], &[0.0, f64::INFINITY]] {
        assert!(sampled(&spectral, on(&[1, 1, 6], None), unfit).unwrap().contains("ascend"), "{unfit:?}");
    }
    for (shape, grid) in [
        (vec![1], None),
        (vec![1, 1, 1], None),
        (vec![6], None),
        (vec![1, 1, 5], None),
        (vec![2, 1, 6], Some(Grid::periodic(&[6], &[(0.0, 1.0)]).unwrap())),
    ] {
        assert!(
            sampled(&spectral, on(&shape, grid), &[0.0, 1.0]).unwrap().contains("grid of the process"),
            "{shape:?}"
        );
    }
    let bursting = Process::new(
        Drift::Function(Rc::new(|x, t| x.powf(2.0)?.scale(if t.item()? > 0.15 { 1e300 } else { 0.0 }))),
        Diffusion::Constant(0.0),
    );
    let error = sampled(&bursting, on(&[2, 3], None), &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).unwrap();
    assert!(error.contains("step 4, t = 0.4"), "{error}");
    let negative = Process::new(spectral.drift.clone(), Diffusion::Function(Rc::new(|t| Ok(0.5 - t))));
    assert!(sampled(&negative, on(&[1, 1, 6], None), &[0.0, 0.4, 0.8, 1.0]).unwrap().contains("not negative"));

    let path = spectral.sample(&on(&[2, 1, 6], Some(grid())), &[0.0, 0.1, 0.2], 1, &[0, 1]).unwrap();
    let zero: Score = Rc::new(|x, _| x.scale(0.0));
    for (window, starts) in
        [(0, vec![0]), (3, vec![0]), (1, vec![]), (1, vec![2]), (2, vec![usize::MAX]), (usize::MAX, vec![1])]
    {
        assert!(window_loss(&spectral, &zero, &path, window, &starts).is_err(), "{window} {starts:?}");
    }
    for ends in [vec![], vec![0], vec![3], vec![usize::MAX]] {
        assert!(denoising_loss(&spectral, &zero, &path, &ends).is_err(), "{ends:?}");
    }
    assert!(denoising_loss(&process(&c, Scheme::Exact), &zero, &path, &[1]).is_err());
    let silent = Process::new(spectral.drift.clone(), Diffusion::Constant(0.0));
    assert!(denoising_loss(&silent, &zero, &path, &[1]).is_err());
    let empty = spectral.sample(&on(&[0, 1, 6], None), &[0.0, 0.1], 1, &[]).unwrap();
    assert!(window_loss(&spectral, &zero, &empty, 1, &[0]).is_err());
    assert!(path.at(f64::NAN).is_err() && path.at(7.0).is_err() && path.at(0.11).is_ok());
    assert!(path.state(3).is_err());

    let initial = Tensor::full(&c, &[4], 1.0).unwrap();
    let exact = GaussianScore::new(&spectral, &initial, &[0.0, 0.1]).unwrap();
    assert!(exact.at(&Tensor::full(&c, &[1, 1, 6], 1.0).unwrap(), 0.05).is_err());
    assert!(exact.at(&Tensor::full(&c, &[1, 1, 5], 1.0).unwrap(), 0.1).is_err());
    assert!(exact.at(&Tensor::full(&c, &[1, 1, 6], 1.0).unwrap(), f64::NAN).is_err());
    assert!(GaussianScore::new(&spectral, &Tensor::full(&c, &[5], 1.0).unwrap(), &[0.0, 0.1]).is_err());
    assert!(GaussianScore::new(&ornstein_uhlenbeck(), &initial, &[0.0, 0.1]).is_err());
}
