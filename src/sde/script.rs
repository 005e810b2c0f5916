//! Stochastic processes in scripts.

use std::rc::Rc;

use rhai::{Dynamic, Engine};

use super::*;
use crate::error::{Error, Result};
use crate::field::script::{gaussian_model, state, state_value};
use crate::field::{Field, Grid};
use crate::nn::Net;
use crate::script::engine::printable;
use crate::script::registry::{Entry, entry, property};
use crate::script::{Call, Closure};
use crate::tensor::{Context, Tensor, Unary};

pub(crate) fn types(engine: &mut Engine) {
    printable::<Path>(engine, "Path");
    engine.register_type_with_name::<Process>("Process");
    engine.register_fn("to_string", |p: &mut Process| describe(p));
    engine.register_fn("to_debug", |p: &mut Process| describe(p));
    engine.register_type_with_name::<GaussianScore>("GaussianScore");
}

fn describe(process: &Process) -> String {
    let drift = match &process.drift {
        Drift::Spectral(operator) => format!("P = {operator}"),
        Drift::Function(_) => "P a closure of state and time".into(),
        Drift::Pointwise(_, 1) => "P a function of state and time".into(),
        Drift::Pointwise(_, channels) => format!("P a function of {channels} channels and time"),
        Drift::Propagator(_) => "P a solver step".into(),
    };
    let g = match &process.diffusion {
        Diffusion::Constant(g) => crate::tensor::number(*g),
        Diffusion::Function(_) => "a closure of time".into(),
        Diffusion::Channels(all) => format!("one for each of {} channels", all.len()),
        Diffusion::State(_) => "a closure of state and time (Itô)".into(),
    };
    format!("process dx = P(x) dt + g dW, g = {g}, {drift}, scheme {:?}", process.scheme)
}

/// What a closure is given as a state: a field where there is a grid.
pub(super) fn dressed(values: &Tensor, grid: &Option<Grid>) -> Result<Dynamic> {
    Ok(match grid {
        Some(grid) => Dynamic::from(Field::new(values.clone(), grid.clone())?),
        None => Dynamic::from(values.clone()),
    })
}

pub(super) fn undressed(context: &Context, value: Dynamic, like: &Tensor) -> Result<Tensor> {
    let operand = crate::script::value::Operand::of(&value).and_then(|o| o.into_tensor(context));
    let tensor = operand.ok_or_else(|| {
        Error::typ("the closure returned something unfit")
            .got(crate::script::value::describe(&value))
            .expected("a field or a tensor")
    })?;
    tensor.cast(like.precision())?.expand(&like.shape()).map_err(|e| e.within("what the closure returned"))
}

pub(super) fn process(c: &Call, i: usize) -> Result<Process> {
    c.object::<Process>(i, "a process made by sde::process(…)")
}

fn path(c: &Call, i: usize) -> Result<Path> {
    c.object::<Path>(i, "a path, as made by sample(process, …)")
}

/// A score in argument `i`: a network, an exact score, or a closure of state and time.
fn score(c: &Call, i: usize, grid: &Option<Grid>) -> Result<Score> {
    if let Some(net) = c.object_if::<Net>(i) {
        return Ok(Rc::new(move |x, t| net.call(&[x.clone(), t.clone()])));
    }
    if let Some(exact) = c.object_if::<GaussianScore>(i) {
        return Ok(exact.score());
    }
    if c.object_if::<rhai::FnPtr>(i).is_none() {
        return Err(c.wrong(i, "a network, sde::gaussian_score(…), or a closure |x, t|"));
    }
    let (closure, context, grid): (Closure, Context, Option<Grid>) =
        (c.closure(i, 2)?, c.session.context().clone(), grid.clone());
    Ok(Rc::new(move |x, t| undressed(&context, closure.call([dressed(x, &grid)?, Dynamic::from(t.clone())])?, x)))
}

/// A number for each state of a batch: 0, 1, … or those given.
pub(super) fn sample_numbers(options: &crate::script::Options, count: usize) -> Result<Vec<u64>> {
    if count > 1 << 32 {
        return Err(Error::limit("more samples than can be held").got(count));
    }
    match options.ints_if("samples")? {
        None => Ok((0..count as u64).collect()),
        Some(numbers) if numbers.len() == count && numbers.iter().all(|&n| n >= 0) => {
            Ok(numbers.into_iter().map(|n| n as u64).collect())
        }
        Some(_) => Err(options.wrong("samples", &format!("{count} whole numbers, one for each sample"))),
    }
}

fn backwards(c: &mut Call, sde: bool) -> Result<Dynamic> {
    let (process, end, times, options) = (process(c, 0)?, state(c, 2)?, c.numbers(3)?, c.options(4)?);
    let score = score(c, 1, &end.grid)?;
    let factor = options.positive("factor", 1.0)?;
    let how = Reverse {
        integrator: options
            .choice("integrator", &[("euler", Integrator::Euler), ("conditional_mean", Integrator::ConditionalMean)])?,
        correction: if sde { 1.0 / factor } else { 0.5 / factor },
        noise: sde,
        last_noise: if sde { options.boolean("last_noise", true)? } else { false },
        seed: if sde { options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw()) } else { 0 },
    };
    let title = if sde { "reverse SDE" } else { "probability flow" };
    let samples = sample_numbers(&options, end.samples())?;
    let mut progress = c.session.progress(title, times.len().saturating_sub(1) as u64);
    let path = process.reverse(&score, &end, &times, &samples, how, &mut progress)?;
    drop(progress);
    let grown = growth(&path)?;
    if how.integrator == Integrator::Euler && grown > GROWN && !c.session.context().is_differentiating() {
        let text = format!(
            "warning: the states of this {title} have grown {}-fold: steps of \"euler\" are too long for what decays fast; take more times, or a process of scheme \"exponential\" with integrator: \"conditional_mean\"",
            crate::tensor::number(grown.round())
        );
        c.session.sink().text(&text);
    }
    Ok(Dynamic::from(path))
}

/// A reverse path that grows more than this has lost the data that it came from.
const GROWN: f64 = 100.0;

/// The largest number at the first time relative to that at the last, where the path begins.
fn growth(path: &crate::field::Path) -> Result<f64> {
    let size = |state: &Tensor| state.detach().unary(Unary::Abs)?.max(&[], false)?.item();
    let (from, to) = (path.state(path.times().len().saturating_sub(1))?.values, path.state(0)?.values);
    if from.is_empty() {
        return Ok(0.0);
    }
    Ok(size(&to)? / size(&from)?.max(f64::MIN_POSITIVE))
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = super::script_process::entries();
    table.extend(super::script_paths::entries());
    table.extend(backwards_and_losses());
    table
}

fn backwards_and_losses() -> Vec<Entry> {
    vec![
        entry("reverse(process, score, end, times, [options])")
            .brief("The reverse-time SDE from states at the last of the times back to the first; a draw from the posterior.")
            .text("Algorithm 1 of Holzschuh et al. (2023) with integrator \"euler\": y ← y − P(y) + g² Δt s(y, t) + g √Δt z. \
                   With \"conditional_mean\": y ← e^(−λΔt)(y + g² Δt s) + g √Δt z, the exact conditional mean of the discrete process when s is exact.\n\
                   score: a network of state and time, sde::gaussian_score(…), or a closure |x, t|; t holds one time for each sample, [sample].")
            .option("factor", "what the score function returns, divided by the score; 2 for a network trained with smdp::window_loss (1)")
            .option("integrator", "\"euler\", which doubles in each step what decays fast, or \"conditional_mean\", exact for the drift where the scheme is \"exponential\", whatever the step (\"euler\")")
            .option("last_noise", "whether noise is added after the last step too (true)")
            .option("seed", "the seed of the noise (the session's next)")
            .option("samples", "the numbers of the samples (0, 1, …)")
            .example("reverse(sde::process(|x, t| -x, #{ diffusion: 0.1 }), |x, t| -x, tensor([1.0]), [0.0, 0.1], #{ seed: 1 }).times", "[0, 0.1]")
            .run(|c| backwards(c, true)),
        entry("probability_flow(process, score, end, times, [options])")
            .brief("The probability-flow ODE from states at the last of the times back to the first.")
            .text("y ← y − P(y) + ½ g² Δt s(y, t) with integrator \"euler\"; the correction goes inside e^(−λΔt) with \"conditional_mean\". \
                   A network trained with smdp::window_loss is used as it was trained: factor 1.")
            .option("factor", "divides what the score function returns (1)")
            .option("integrator", "\"euler\", which doubles in each step what decays fast, or \"conditional_mean\", exact for the drift where the scheme is \"exponential\", whatever the step (\"euler\")")
            .example("probability_flow(sde::process(|x, t| -x, #{ diffusion: 0 }), |x, t| 0 * x, tensor([1.0]), [0.0, 0.5]).first()", "[1.5]")
            .run(|c| backwards(c, false)),
        entry("sde::gaussian_score(process, grid, times, [options])")
            .brief("The exact score of a linear process whose initial states are a Gaussian random field.")
            .text("∇ ln p_t(x) = −C(t)⁻¹ x, with covariance eigenvalues e ← |a|² e + σ² over each step: with a = e^(λΔt), σ² = g² Δt for \"exponential\" and g² (|a|² − 1)/(2 Re λ) for \"exact\"; with a = 1 + λΔt, σ² = g² Δt for \"euler_maruyama\". The options are those of \
                   random::gaussian_field. It is known at the given times.")
            .option("power", "the exponent of the spectrum (4)")
            .option("density", "a closure P(kx, ky, …) instead of the power law")
            .option("variance", "variance at a point of the initial states (1)")
            .example("let g = grid::periodic([8], [TAU]); let p = sde::process(spectral::operator(g, |k| -k * k), #{ diffusion: 0.1 }); sde::gaussian_score(p, g, [0, 0.1])", "GaussianScore")
            .run(|c| {
                let (process, grid, times) = (process(c, 0)?, crate::field::script::grid(c, 1)?, c.numbers(2)?);
                if let Drift::Spectral(operator) = &process.drift
                    && operator.grid() != &grid
                {
                    return Err(c.unfit(1, &grid, &format!("the grid of the process: {}", operator.grid())));
                }
                let model = gaussian_model(c, &grid, &c.options(3)?)?;
                Ok(Dynamic::from(GaussianScore::new(&process, &model.eigenvalues(&grid)?, &times)?))
            }),
        entry("sde::jittered(times, [options])")
            .brief("Times with every inner one moved at random within half a cell; the ends stay.")
            .option("seed", "the seed (the session's next)")
            .example("sde::jittered([0, 1, 2], #{ seed: 1 }).shape", "[3]")
            .run(|c| {
                let (times, options) = (c.numbers(0)?, c.options(1)?);
                let seed = options.seed_if("seed")?.unwrap_or_else(|| c.session.next_draw());
                let times = jittered(c.session.context(), &times, seed)?;
                let count = times.len();
                Ok(Dynamic::from(Tensor::from_vec(c.session.context(), times, &[count])?))
            }),
        entry("smdp::window_loss(process, network, path, [options])")
            .brief("The sliding-window loss of score matching via differentiable physics.")
            .text("From states of the path the probability flow y ← y − P(y) + ½ g² Δt n(y, t) is unrolled backwards over `window` steps and compared \
                   with the path after each: the sum of mean squared differences, averaged over the windows. All windows are advanced together.\n\
                   The network then returns n ≈ 2 × score (exactly so for windows of one step): sde.reverse takes it with factor: 2. \
                   Source: Holzschuh, Vegetti, Thuerey, Score Matching via Differentiable Physics (2023).")
            .option("window", "steps of a window (4)")
            .option("starts", "where windows begin, in steps from the end of the path (all that fit)")
            .option("stride", "distance between starts, when they are not given (1)")
            .option("offset", "the first start, when they are not given (0)")
            .example("let p = sde::process(|x, t| -x, #{ diffusion: 0.1 }); let path = sample(p, tensor([1.0, 2.0]), linspace(0, 1, 9), #{ seed: 1 }); smdp::window_loss(p, |x, t| 0 * x, path, #{ window: 2 }) > 0", "1")
            .run(|c| {
                let (process, path, options) = (process(c, 0)?, path(c, 2)?, c.options(3)?);
                let network = score(c, 1, &path.grid().cloned())?;
                let window = options.count("window", 4)?;
                let steps = path.times().len().saturating_sub(1);
                let starts: Vec<usize> = match options.shape_if("starts")? {
                    Some(starts) => starts,
                    None => {
                        let stride = options.count("stride", 1)?.max(1);
                        (options.count("offset", 0)?..=steps.saturating_sub(window)).step_by(stride).collect()
                    }
                };
                Ok(Dynamic::from(window_loss(&process, &network, &path, window, &starts)?))
            }),
        entry("smdp::denoising_loss(process, score, path, [options])")
            .brief("The single-step denoising loss ½ mean‖g√Δt s(x_m, t_m) + ξ_m‖² over steps of the path.")
            .text("ξ_m is the noise of the step that led to x_m. The minimum is the score itself: factor 1.")
            .option("steps", "which steps, by the number of the time they end at (all)")
            .example("let p = sde::process(|x, t| -x, #{ diffusion: 0.1 }); let path = sample(p, ones([500]), linspace(0, 1, 9), #{ seed: 1 }); abs(smdp::denoising_loss(p, |x, t| 0 * x, path) - 0.5) < 0.05", "1")
            .run(|c| {
                let (process, path, options) = (process(c, 0)?, path(c, 2)?, c.options(3)?);
                let network = score(c, 1, &path.grid().cloned())?;
                let ends = options.shape_if("steps")?.unwrap_or_else(|| (1..path.times().len()).collect());
                Ok(Dynamic::from(denoising_loss(&process, &network, &path, &ends)?))
            }),
        property("path.times").brief("The times of a path.").example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), [0, 1]).times", "[0, 1]").run(|c| {
            let times = path(c, 0)?.times().to_vec();
            let count = times.len();
            Ok(Dynamic::from(Tensor::from_vec(c.session.context(), times, &[count])?))
        }),
        entry("first(path)").brief("The states at the first time.").example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), [0, 1]).first()", "[1]").run(|c| state_value(path(c, 0)?.state(0)?)),
        entry("last(path)").brief("The states at the last time.").example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), [0, 0.5]).last()", "[0.5]").run(|c| {
            let path = path(c, 0)?;
            state_value(path.state(path.times().len().saturating_sub(1))?)
        }),
        entry("at(path, t)").brief("The states at the time nearest to t.").example("sample(sde::process(|x, t| -x, #{ diffusion: 0 }), tensor([1.0]), [0, 0.5]).at(0.5)", "[0.5]").run(|c| state_value(path(c, 0)?.at(c.finite(1)?)?)),
    ]
}
