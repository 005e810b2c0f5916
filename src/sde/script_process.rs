//! Processes in scripts: drifts and noise from closures, equations and operators.

use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr};

use super::pointwise::{Evaluate, Pointwise, Traced};
use super::script::{dressed, undressed};
use super::{Diffusion, Drift, Process, Scheme};
use crate::equation::script::symbol_of;
use crate::equation::{Equation, Expr, Rank};
use crate::error::{Error, Result};
use crate::field::{Grid, SpectralOperator};
use crate::script::registry::{Entry, entry};
use crate::script::value::number_of;
use crate::script::{Call, Closure, Options};
use crate::session::Session;
use crate::tensor::{Context, Tensor};

/// What a closure returned for tensors: a value, or an array of them.
fn values(context: &Context, value: Dynamic, like: &Tensor) -> Result<Vec<Tensor>> {
    let array = value.read_lock::<Array>().map(|array| array.clone());
    match array {
        Some(array) => array.into_iter().map(|value| undressed(context, value, like)).collect(),
        None => Ok(vec![undressed(context, value, like)?]),
    }
}

/// What a closure returned for symbols.
fn symbols(value: &Dynamic) -> Option<Vec<Expr>> {
    let one = |value: &Dynamic| symbol_of(value)?.ok().filter(|e| e.rank() == Rank::Scalar);
    let array = value.read_lock::<Array>().map(|array| array.clone());
    match array {
        Some(array) => array.iter().map(one).collect(),
        None => Some(vec![one(value)?]),
    }
}

/// A closure of so many channels, and of time behind them, as a function of each number.
pub(super) fn pointwise(session: &Session, closure: Closure, channels: usize) -> Pointwise {
    let (context, own) = (session.context().clone(), closure.clone());
    let evaluate: Evaluate = Rc::new(move |parts, t| {
        let like = parts.first().ok_or_else(|| Error::internal("a state without channels"))?;
        let arguments = parts.iter().chain([t]).cloned().map(Dynamic::from);
        values(&context, own.call(arguments)?, like)
    });
    let session = session.clone();
    let trace = Rc::new(move || {
        let unknowns = (0..channels).map(|c| Dynamic::from(Expr::unknown(c, &format!("x{c}"), Rank::Scalar)));
        let arguments = unknowns.chain([Dynamic::from(Expr::time())]);
        // A closure that draws numbers draws others at every step; what it drew here is forgotten.
        let (value, drew) = session.watching_draws(|| closure.call(arguments).ok());
        if drew { None } else { Traced::new(&symbols(&value?)?, Vec::new()) }
    });
    Pointwise { evaluate, trace }
}

/// The strength of the noise from the option `diffusion`.
fn diffusion(session: &Session, options: &Options, channels: usize) -> Result<Diffusion> {
    const EXPECTED: &str =
        "a number, a closure |t|, an array of them for the channels, or a closure of state and time |x, t|";
    let Some(value) = options.get("diffusion") else {
        return Err(options.missing("diffusion", EXPECTED));
    };
    let of_time = |value: &Dynamic| -> Option<Diffusion> {
        if let Some(g) = number_of(value) {
            return Some(Diffusion::Constant(g));
        }
        let closure = Closure::new(value.read_lock::<FnPtr>()?.clone());
        let takes = closure.parameters().is_none_or(|n| n == 1);
        takes.then(|| Diffusion::Function(Rc::new(move |t| closure.number(&[t]))))
    };
    let of_state = |value: &Dynamic| {
        let closure = Closure::new(value.read_lock::<FnPtr>()?.clone());
        (closure.parameters() == Some(channels + 1)).then(|| Diffusion::State(pointwise(session, closure, channels)))
    };
    let of_channels = |value: &Dynamic| {
        let array = value.read_lock::<Array>().map(|array| array.clone())?;
        let all: Option<Vec<Diffusion>> = array.iter().map(of_time).collect();
        all.filter(|all| !all.is_empty() && (channels == 1 || all.len() == channels)).map(Diffusion::Channels)
    };
    let made = of_time(value).or_else(|| of_state(value)).or_else(|| of_channels(value));
    let made = made.ok_or_else(|| match channels {
        1 => options.wrong("diffusion", EXPECTED),
        n => options.wrong("diffusion", &format!("{EXPECTED}; the drift has {n} channels")),
    })?;
    let all = if let Diffusion::Channels(all) = &made { &all[..] } else { std::slice::from_ref(&made) };
    for g in all.iter().filter(|g| matches!(g, Diffusion::Constant(_))) {
        g.at(0.0)?;
    }
    Ok(made)
}

/// The drift from a closure: of the whole state, or of several channels and time.
fn drift(c: &Call, grid: Option<Grid>) -> Result<Drift> {
    if c.object_if::<FnPtr>(0).is_none() {
        return Err(c.wrong(0, "an equation, an operator made by spectral::operator(…), or a closure |x, t|"));
    }
    let parameters = Closure::new(c.object::<FnPtr>(0, "a closure")?).parameters().unwrap_or(2);
    if parameters > 2 && grid.is_none() {
        let channels = parameters - 1;
        return Ok(Drift::Pointwise(pointwise(c.session, c.closure(0, parameters)?, channels), channels));
    }
    let (closure, context) = (c.closure(0, 2)?, c.session.context().clone());
    if grid.is_none() {
        return Ok(Drift::Pointwise(pointwise(c.session, closure, 1), 1));
    }
    Ok(Drift::Function(Rc::new(move |x, t| {
        undressed(&context, closure.call([dressed(x, &grid)?, Dynamic::from(t.clone())])?, x)
    })))
}

fn make_process(c: &mut Call) -> Result<Dynamic> {
    let options = c.options(1)?;
    let context = c.session.context().clone();
    let grid = options.object_if::<Grid>("grid", "a grid")?;
    let drift = if let Some(operator) = c.object_if::<SpectralOperator>(0) {
        Drift::Spectral(operator)
    } else if let Some(equation) = c.object_if::<Equation>(0) {
        match &grid {
            Some(grid) => super::drift(&equation, grid, &context)?,
            None => {
                let (rates, channels) = super::rates(&equation, &context)?;
                Drift::Pointwise(rates, channels)
            }
        }
    } else if options.boolean("solver", false)? {
        let closure = c.closure(0, 3)?;
        Drift::Propagator(Rc::new(move |x, t, dt| {
            undressed(
                &context,
                closure.call([dressed(x, &grid)?, Dynamic::from(t.clone()), Dynamic::from(dt.clone())])?,
                x,
            )
        }))
    } else {
        drift(c, grid)?
    };
    let channels = if let Drift::Pointwise(_, channels) = &drift { *channels } else { 1 };
    let diffusion = diffusion(c.session, &options, channels)?;
    let mut process = Process::new(drift, diffusion);
    if options.has("scheme") {
        process.scheme = options.choice(
            "scheme",
            &[
                ("exponential", Scheme::Exponential),
                ("exact", Scheme::Exact),
                ("euler_maruyama", Scheme::EulerMaruyama),
            ],
        )?;
        if !matches!(process.drift, Drift::Spectral(_)) && process.scheme != Scheme::EulerMaruyama {
            return Err(options.wrong("scheme", "\"euler_maruyama\": only a spectral operator has an exact propagator"));
        }
    }
    Ok(Dynamic::from(process))
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("sde::process(drift, options)")
            .brief("The stochastic process dx = P(x) dt + g dW, Itô's integral.")
            .text("drift: an equation in time, a spectral operator (then steps are exact in the drift), a closure |x, t| for dx/dt (explicit Euler), or, with \
                   solver: true, a closure |x, t, dt| that returns x(t + dt). Times reach closures as tensors that broadcast.\n\
                   A closure of more parameters has channels: |x, v, t| [v, -x] is the drift of states [sample, 2, …], whose channels come one by one, and returns an array of \
                   their rates. An equation without a grid is such a drift; of the second order in time, its rates are channels behind the unknowns.\n\
                   An equation of one unknown, linear with constant coefficients on a periodic grid, is the spectral operator of its symbol. Any other equation gives its rates, and \
                   steps are explicit.\n\
                   Schemes of a spectral drift, with a = e^(λΔt): \"exponential\" a x + g √Δt ξ; \"exact\" a x + g √((a² − 1)/2λ) ξ, the exact \
                   transition; \"euler_maruyama\" x + λ x Δt + g √Δt ξ, stable only for |λ| Δt < 2.\n\
                   Noise that depends on the state, diffusion: |x, t| …, is taken at the beginning of a step (Euler–Maruyama, strong order ½). Ways back in time and \
                   losses need noise of one strength for all numbers, g or g(t).")
            .option("diffusion", "g: a number or a closure |t|, an array of them for the channels, or a closure with the parameters of the drift (needed)")
            .option("scheme", "\"exponential\", \"exact\" or \"euler_maruyama\" (exponential for operators)")
            .option("solver", "whether the closure is a solver step |x, t, dt| (false)")
            .option("grid", "the grid of an equation with derivatives in space, or on which closures get their state as a field")
            .example("sde::process(|x, t| -x, #{ diffusion: 0.1 })", "Process")
            .example("let g = grid::periodic([8], [TAU]); let heat = sde::process(equation(|u| dt(u) - laplacian(u)), #{ grid: g, diffusion: 0 }); max(sample(heat, g.sample(|x| cos(x)), [0, 1]).last())", "0.36788")
            .example("let langevin = sde::process(equation([\"x\"], |x| dt(dt(x)) + dt(x) + x), #{ diffusion: [0, 0.5] }); sample(langevin, tensor([[1.0, 0.0]]), [0, 0.5], #{ seed: 1 }).last().shape", "[1, 2]")
            .example("let prices = sde::process(|x, t| 0.1 * x, #{ diffusion: |x, t| 0 * x }); sample(prices, tensor([1.0]), [0, 1]).last()", "[1.1]")
            .run(make_process),
    ]
}
