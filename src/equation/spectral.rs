//! The spectral lane: an evolution on a periodic grid, with derivatives in Fourier space and products at points.
//!
//! The state is the half spectrum of each channel, `[sample, channel, k…]`. Terms that are linear with constant coefficients form
//! the symbol `L(k)`; the rest is evaluated pseudo-spectrally. Each value is kept in the space where it was computed and
//! transformed once when the other space asks for it.
//!
//! Aliasing: a product of two functions with wavenumbers up to K/3 (of K, the number of points) has its aliases above K/3.
//! With `dealias` every function that enters a product at points, and every product, loses the modes above K/3 (Orszag's 2/3 rule);
//! those modes then follow the linear part alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::evaluate::{Leaves, binary, opaque};
use super::expr::{Expr, Orders};
use super::folded::{Term, fold};
use super::form::Evolution;
use super::program::{Code, Program};
use super::setting::Setting;
use super::split;
use crate::error::{Error, Result};
use crate::field::spectral::derivative_symbol;
use crate::session::interrupt;
use crate::solve;
use crate::tensor::{Complex, Precision, Tensor, Unary, irfft, rfft};

/// A multiplier in Fourier space that is real or purely imaginary, as those of derivatives are.
#[derive(Clone)]
enum Multiplier {
    Real(Tensor),
    Imaginary(Tensor),
}

impl Multiplier {
    fn apply(&self, u: &Complex) -> Result<Complex> {
        match self {
            Self::Real(m) => u.mul_real(m),
            Self::Imaginary(m) => Complex::new(u.im.mul(m)?.scale(-1.0)?, u.re.mul(m)?),
        }
    }
    fn times(&self, other: &Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Real(a), Self::Real(b)) => Self::Real(a.mul(b)?),
            (Self::Real(a), Self::Imaginary(b)) | (Self::Imaginary(a), Self::Real(b)) => Self::Imaginary(a.mul(b)?),
            (Self::Imaginary(a), Self::Imaginary(b)) => Self::Real(a.mul(b)?.scale(-1.0)?),
        })
    }
    fn parts(&self) -> Result<Complex> {
        match self {
            Self::Real(m) => Complex::new(m.clone(), m.full_like(0.0)?),
            Self::Imaginary(m) => Complex::new(m.full_like(0.0)?, m.clone()),
        }
    }
}

/// Where a value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The same number at all points.
    Uniform,
    /// At points.
    Points,
    /// In Fourier space.
    Spectrum,
}

/// Operators and weight of a [`Term`], and whether the modes that alias are cut.
type TermKey = (Vec<(Orders, u8)>, u64, bool);

/// What does not change while an equation is solved.
struct Plan {
    program: Program,
    places: Vec<Place>,
    /// 1 for modes that products may have, 0 for others; `None` when nothing is cut.
    mask: Option<Tensor>,
    multipliers: RefCell<HashMap<(Orders, u8), Multiplier>>,
    /// What the spectrum of each instruction is a sum of.
    folded: Vec<Vec<Term>>,
    /// The multipliers of those terms, with the mask or without.
    of_terms: RefCell<HashMap<TermKey, solve::Multiplier>>,
    leaves: Leaves,
    /// Lengths of the axes of space, and their positions from the end.
    axes: Vec<i64>,
    last: usize,
    channels: usize,
    /// The linear terms of each rate: coefficient, channel, orders, inverse Laplacians.
    linear: Vec<Vec<(Expr, split::Linear)>>,
}

/// An evolution in Fourier space. Cheap to clone.
#[derive(Clone)]
pub struct Spectral {
    plan: Rc<Plan>,
    setting: Setting,
}

impl Spectral {
    /// Plans the evolution on the setting's periodic grid.
    ///
    /// # Errors
    /// When a parameter or a coefficient does not fit the grid.
    pub fn new(evolution: &Evolution, setting: Setting, dealias: bool) -> Result<Self> {
        let mut linear = Vec::new();
        let mut rest = Vec::new();
        for rate in &evolution.rates {
            let (mut of_this, mut others) = (Vec::new(), Vec::new());
            for (c, body) in split::terms(rate, &|e| setting.is_constant(e))? {
                match split::linear(&body) {
                    Some(operator) => of_this.push((c, operator)),
                    None => others.push((c, body)),
                }
            }
            linear.push(of_this);
            rest.push(split::sum(&others)?);
        }
        let program = Program::new(&rest)?;
        let places = places(&program, &setting);
        let grid = &setting.grid;
        let products = program.outputs.iter().any(|&o| !matches!(program.code.get(o), Some(Code::Number(0.0))));
        let mask = if dealias && products { Some(mask(&setting)?) } else { None };
        let plan = Plan {
            folded: fold(&program, |at| places.get(at) == Some(&Place::Spectrum)),
            places,
            mask,
            multipliers: RefCell::new(HashMap::new()),
            of_terms: RefCell::new(HashMap::new()),
            leaves: Leaves::new(&setting, &program)?,
            axes: grid.space_axes(),
            last: grid.shape().last().copied().unwrap_or(1),
            channels: evolution.rates.len(),
            linear,
            program,
        };
        Ok(Self { plan: Rc::new(plan), setting })
    }
    /// Where it is solved.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }
    /// The same with other numbers for the parameters.
    pub fn with_parameters(&self, parameters: &[Tensor]) -> Self {
        Self { plan: self.plan.clone(), setting: self.setting.with_parameters(parameters) }
    }
    /// Whether nothing but the linear part is there.
    pub fn is_linear(&self) -> bool {
        self.plan.program.outputs.iter().all(|&o| matches!(self.plan.program.code.get(o), Some(Code::Number(0.0))))
    }
    /// Whether what is not linear with constant coefficients does not depend on the state.
    pub fn is_affine(&self) -> bool {
        let reads = |code: &Code| matches!(code, Code::Channel(_));
        !self.plan.program.has(reads) && self.has_linear()
    }
    /// Whether products lose the modes that alias.
    pub fn is_dealiased(&self) -> bool {
        self.plan.mask.is_some()
    }
    /// Whether there is a linear part.
    pub fn has_linear(&self) -> bool {
        self.plan.linear.iter().any(|terms| !terms.is_empty())
    }
    /// The spectrum of a state `[sample, channel, x…]`.
    pub fn spectrum(&self, state: &Tensor) -> Result<Complex> {
        rfft(state, &self.plan.axes)
    }
    /// The state of a spectrum.
    pub fn points(&self, spectrum: &Complex) -> Result<Tensor> {
        irfft(spectrum, self.plan.last, &self.plan.axes)
    }

    /// `L(k)` as `[sample | 1, channel, channel, k…]` in double precision.
    pub fn symbol(&self) -> Result<Complex> {
        let m = self.plan.channels;
        let shape = self.setting.grid.spectral_shape();
        let context = &self.setting.context;
        let mut rows = Vec::new();
        let mut samples = 1;
        for terms in &self.plan.linear {
            let mut row: Vec<Option<Complex>> = vec![None; m];
            for (c, operator) in terms {
                let c = self.setting.constant(c)?;
                samples = samples.max(c.len());
                let mut lifted = vec![1; shape.len() + 1];
                if let Some(first) = lifted.first_mut() {
                    *first = c.len();
                }
                let exact = self.exact_multiplier(operator.orders, operator.inverse)?.parts()?;
                let term = exact.mul_real(&c.reshape(&lifted)?)?;
                if let Some(entry) = row.get_mut(operator.channel) {
                    *entry = Some(match entry.take() {
                        Some(sum) => sum.add(&term)?,
                        None => term,
                    });
                }
            }
            rows.push(row);
        }
        let mut full = vec![samples];
        full.extend_from_slice(&shape);
        let zero = Tensor::full_in(context, Precision::F64, &full, 0.0)?;
        let part = |of: &dyn Fn(&Complex) -> Tensor| -> Result<Tensor> {
            let rows = rows.iter().map(|row| {
                let entries = row.iter().map(|entry| match entry {
                    Some(z) => of(z).expand(&full),
                    None => Ok(zero.clone()),
                });
                Tensor::stack(&entries.collect::<Result<Vec<_>>>()?, 1)
            });
            Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 1)
        };
        Complex::new(part(&|z| z.re.clone())?, part(&|z| z.im.clone())?)
    }

    /// The multiplier in double precision.
    fn exact_multiplier(&self, orders: Orders, inverse: u8) -> Result<Multiplier> {
        let (grid, context) = (&self.setting.grid, &self.setting.context);
        let mut size = Tensor::full_in(context, Precision::F64, &vec![1; grid.dimensions()], 1.0)?;
        let mut turns = 0;
        for (axis, &order) in orders.iter().enumerate().filter(|(_, order)| **order > 0) {
            let order = usize::from(order);
            let symbol = derivative_symbol(grid, context, Precision::F64, axis, order)?;
            let part = if order.is_multiple_of(2) { symbol.re } else { symbol.im };
            turns += order % 2;
            size = size.mul(&part)?;
        }
        if inverse > 0 {
            let squared = grid.wavenumber_squared(context, Precision::F64)?;
            let zero = squared.full_like(0.0)?;
            let mean = squared.compare(crate::tensor::Compare::Equal, &zero)?;
            let inverted = mean.choose(&zero, &squared.add(&mean)?.unary(Unary::Recip)?.scale(-1.0)?)?;
            for _ in 0..inverse {
                size = size.mul(&inverted)?;
            }
        }
        // iⁿ of n odd orders: i, −1, −i, 1.
        let size = if turns % 4 >= 2 { size.scale(-1.0)? } else { size };
        Ok(if turns % 2 == 0 { Multiplier::Real(size) } else { Multiplier::Imaginary(size) })
    }
    fn multiplier(&self, orders: Orders, inverse: u8) -> Result<Multiplier> {
        if let Some(known) = self.plan.multipliers.borrow().get(&(orders, inverse)) {
            return Ok(known.clone());
        }
        let made = match self.exact_multiplier(orders, inverse)? {
            Multiplier::Real(m) => Multiplier::Real(m.cast(self.setting.precision)?),
            Multiplier::Imaginary(m) => Multiplier::Imaginary(m.cast(self.setting.precision)?),
        };
        self.plan.multipliers.borrow_mut().insert((orders, inverse), made.clone());
        Ok(made)
    }

    /// The multiplier of a term.
    fn of_term(&self, term: &Term, cut: bool) -> Result<solve::Multiplier> {
        let key = (term.chain.clone(), term.weight.to_bits(), cut);
        if let Some(known) = self.plan.of_terms.borrow().get(&key) {
            return Ok(known.clone());
        }
        let shape = [&[1, 1], &self.setting.grid.spectral_shape()[..]].concat();
        let weight = Tensor::full_in(&self.setting.context, Precision::F64, &shape, term.weight)?;
        let mut product = Multiplier::Real(weight);
        for (orders, inverse) in &term.chain {
            product = product.times(&self.exact_multiplier(*orders, *inverse)?)?;
        }
        let finished = |m: Tensor| -> Result<Tensor> {
            let m = match &self.plan.mask {
                Some(mask) if cut => m.mul(mask)?,
                _ => m,
            };
            m.expand(&shape)?.cast(self.setting.precision)
        };
        let made = match product {
            Multiplier::Real(m) => solve::Multiplier { re: finished(m)?, im: None, is_matrix: false },
            Multiplier::Imaginary(m) => {
                let im = finished(m)?;
                solve::Multiplier { re: im.full_like(0.0)?, im: Some(im), is_matrix: false }
            }
        };
        self.plan.of_terms.borrow_mut().insert(key, made.clone());
        Ok(made)
    }

    /// What is not in the symbol, and where each of its values is computed.
    pub(super) fn program(&self) -> (&Program, &[Place]) {
        (&self.plan.program, &self.plan.places)
    }
    /// The multiplier of derivatives and inverse Laplacians applied in order, on the half spectrum, and whether it is imaginary.
    pub(super) fn values_of(&self, chain: &[(Orders, u8)]) -> Result<(Vec<f64>, bool)> {
        let shape = self.setting.grid.spectral_shape();
        let mut product = Multiplier::Real(Tensor::full_in(&self.setting.context, Precision::F64, &shape, 1.0)?);
        for (orders, inverse) in chain {
            product = product.times(&self.exact_multiplier(*orders, *inverse)?)?;
        }
        Ok(match product {
            Multiplier::Real(m) => (m.expand(&shape)?.to_vec()?, false),
            Multiplier::Imaginary(m) => (m.expand(&shape)?.to_vec()?, true),
        })
    }
    /// 1 for modes that products may have, 0 for others; `None` when nothing is cut.
    pub(super) fn kept_modes(&self) -> Result<Option<Vec<f64>>> {
        self.plan.mask.as_ref().map(Tensor::to_vec).transpose()
    }

    /// `N(t, û)`: what is not in the symbol.
    pub fn nonlinear(&self, t: f64, state: &Complex) -> Result<Complex> {
        interrupt::poll()?;
        let run = Run { of: self, t, state, cells: RefCell::new(vec![Cell::default(); self.plan.program.code.len()]) };
        let mut full = state.shape();
        if let Some(channels) = full.get_mut(1) {
            *channels = 1;
        }
        let parts = self.plan.program.outputs.iter().map(|&output| {
            let spectrum = match self.plan.places.get(output) {
                // A uniform value has a spectrum only when it is spread over the points.
                Some(Place::Uniform) => {
                    let mut points = full.clone();
                    points.truncate(2);
                    points.extend(self.setting.grid.shape());
                    rfft(&run.points(output)?.expand(&points)?, &self.plan.axes)?
                }
                _ => run.spectrum(output)?,
            };
            Complex::new(spectrum.re.expand(&full)?, spectrum.im.expand(&full)?)
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let join = |of: &dyn Fn(&Complex) -> Tensor| Tensor::concat(&parts.iter().map(of).collect::<Vec<_>>(), 1);
        Complex::new(join(&|z| z.re.clone())?, join(&|z| z.im.clone())?)
    }
}

/// 1 where every wavenumber is at most a third of the number of points.
fn mask(setting: &Setting) -> Result<Tensor> {
    let grid = &setting.grid;
    let mut mask = Tensor::full_in(&setting.context, Precision::F64, &grid.spectral_shape(), 1.0)?;
    for (axis, of) in grid.axes().iter().enumerate() {
        let k = grid.wavenumbers(&setting.context, Precision::F64, axis)?.unary(Unary::Abs)?;
        let most = std::f64::consts::TAU / of.length() * of.points as f64 / 3.0;
        // A mode exactly at the limit still has its alias on itself.
        let limit = k.full_like(most * (1.0 - 1e-12))?;
        mask = mask.mul(&k.compare(crate::tensor::Compare::Lower, &limit)?)?;
    }
    mask.cast(setting.precision)
}

fn places(program: &Program, setting: &Setting) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for code in &program.code {
        let of = |i: usize| places.get(i).copied().unwrap_or(Place::Points);
        let place = match code {
            Code::Number(_) | Code::Time | Code::Integral(_) => Place::Uniform,
            Code::Parameter(i) => {
                if setting.is_uniform(*i) {
                    Place::Uniform
                } else {
                    Place::Points
                }
            }
            Code::Data(i) => match program.data.get(*i) {
                Some(value) if value.is_uniform(&setting.grid.shape()) => Place::Uniform,
                _ => Place::Points,
            },
            Code::Channel(_) | Code::Partial(..) | Code::InverseLaplacian(..) | Code::Diffusion(..) => Place::Spectrum,
            Code::Unary(f, a) => match of(*a) {
                Place::Spectrum if *f == Unary::Neg => Place::Spectrum,
                Place::Uniform => Place::Uniform,
                _ => Place::Points,
            },
            Code::Binary(op, a, b) => {
                use crate::tensor::Binary::{Add, Div, Mul, Sub};
                match (op, of(*a), of(*b)) {
                    (_, Place::Uniform, Place::Uniform) => Place::Uniform,
                    (Add | Sub, Place::Spectrum, Place::Spectrum)
                    | (Mul, Place::Uniform, Place::Spectrum)
                    | (Mul | Div, Place::Spectrum, Place::Uniform) => Place::Spectrum,
                    _ => Place::Points,
                }
            }
            Code::Opaque(_, arguments) if arguments.iter().all(|&a| of(a) == Place::Uniform) => Place::Uniform,
            _ => Place::Points,
        };
        places.push(place);
    }
    places
}

#[derive(Clone, Default)]
struct Cell {
    points: Option<Tensor>,
    spectrum: Option<Complex>,
    /// With all modes, and before any linear operation.
    source: Option<Complex>,
}

/// One evaluation.
struct Run<'a> {
    of: &'a Spectral,
    t: f64,
    state: &'a Complex,
    cells: RefCell<Vec<Cell>>,
}

impl Run<'_> {
    fn place(&self, at: usize) -> Place {
        self.of.plan.places.get(at).copied().unwrap_or(Place::Points)
    }
    fn code(&self, at: usize) -> Result<&Code> {
        self.of.plan.program.code.get(at).ok_or_else(|| Error::internal("an instruction is missing"))
    }
    fn masked(&self, spectrum: &Complex) -> Result<Complex> {
        match &self.of.plan.mask {
            Some(mask) => spectrum.mul_real(mask),
            None => Ok(spectrum.clone()),
        }
    }

    /// The spectrum of an instruction, summed up from its sources; `cut` leaves out the modes that alias. They are left out of
    /// what comes from points in any case.
    fn summed(&self, at: usize, cut: bool) -> Result<Complex> {
        let terms = self.of.plan.folded.get(at).ok_or_else(|| Error::internal("an instruction is missing"))?;
        let cut_of = |term: &Term| self.of.plan.mask.is_some() && (cut || self.place(term.source) != Place::Spectrum);
        if let [term] = &terms[..]
            && term.chain.is_empty()
            && term.weight == 1.0
            && !cut_of(term)
        {
            return self.source(term.source);
        }
        let part = |term: &Term| Ok((self.of.of_term(term, cut_of(term))?, self.source(term.source)?));
        let parts = terms.iter().map(part).collect::<Result<Vec<_>>>()?;
        solve::multiply(&parts.iter().map(|(m, v)| (m, v)).collect::<Vec<_>>())
    }
    /// The spectrum of an instruction that is no sum of others, with all modes.
    fn source(&self, at: usize) -> Result<Complex> {
        if let Some(known) = self.cells.borrow().get(at).and_then(|c| c.source.clone()) {
            return Ok(known);
        }
        let made = match self.place(at) {
            Place::Spectrum => self.computed_spectrum(at)?,
            _ => rfft(&self.on_all_points(at)?, &self.of.plan.axes)?,
        };
        if let Some(cell) = self.cells.borrow_mut().get_mut(at) {
            cell.source = Some(made.clone());
        }
        Ok(made)
    }
    fn spectrum(&self, at: usize) -> Result<Complex> {
        if let Some(known) = self.cells.borrow().get(at).and_then(|c| c.spectrum.clone()) {
            return Ok(known);
        }
        let made = self.summed(at, false)?;
        if let Some(cell) = self.cells.borrow_mut().get_mut(at) {
            cell.spectrum = Some(made.clone());
        }
        Ok(made)
    }
    fn points(&self, at: usize) -> Result<Tensor> {
        if let Some(known) = self.cells.borrow().get(at).and_then(|c| c.points.clone()) {
            return Ok(known);
        }
        let made = match self.place(at) {
            Place::Spectrum => self.of.points(&self.summed(at, true)?)?,
            _ => self.computed_points(at)?,
        };
        if let Some(cell) = self.cells.borrow_mut().get_mut(at) {
            cell.points = Some(made.clone());
        }
        Ok(made)
    }
    /// A value at points with every axis of space written out: a coefficient may have length 1 along some.
    fn on_all_points(&self, at: usize) -> Result<Tensor> {
        let value = self.points(at)?;
        let mut shape = value.shape();
        shape.truncate(2);
        shape.extend(self.of.setting.grid.shape());
        value.expand(&shape)
    }

    fn computed_spectrum(&self, at: usize) -> Result<Complex> {
        use crate::tensor::Binary;
        match self.code(at)? {
            Code::Channel(c) => self.state.map(|t| t.narrow(1, *c, 1)),
            // Those of long sums; shorter ones have been folded.
            Code::Partial(a, orders) => self.of.multiplier(*orders, 0)?.apply(&self.spectrum(*a)?),
            Code::InverseLaplacian(a, _) => self.of.multiplier([0; 3], 1)?.apply(&self.spectrum(*a)?),
            Code::Diffusion(a, u, axes) => {
                let (a, mut sum) = (self.points(*a)?, None::<Complex>);
                for axis in (0..3).filter(|&axis| axes[axis]) {
                    let along = self.of.multiplier(super::expand::along(axis), 0)?;
                    let slope = self.of.points(&self.masked(&along.apply(&self.spectrum(*u)?)?)?)?;
                    let flux = self.masked(&rfft(&a.mul(&slope)?, &self.of.plan.axes)?)?;
                    let term = along.apply(&flux)?;
                    sum = Some(match sum {
                        Some(sum) => sum.add(&term)?,
                        None => term,
                    });
                }
                sum.ok_or_else(|| Error::internal("a diffusion along no axis"))
            }
            Code::Unary(Unary::Neg, a) => self.spectrum(*a)?.neg(),
            Code::Binary(Binary::Add, a, b) => self.spectrum(*a)?.add(&self.spectrum(*b)?),
            Code::Binary(Binary::Sub, a, b) => self.spectrum(*a)?.sub(&self.spectrum(*b)?),
            Code::Binary(Binary::Mul, a, b) if self.place(*a) == Place::Uniform => {
                self.spectrum(*b)?.mul_real(&self.points(*a)?)
            }
            Code::Binary(Binary::Mul, a, b) => self.spectrum(*a)?.mul_real(&self.points(*b)?),
            Code::Binary(Binary::Div, a, b) => self.spectrum(*a)?.mul_real(&self.points(*b)?.unary(Unary::Recip)?),
            _ => Err(Error::internal("an instruction without a spectrum")),
        }
    }
    fn computed_points(&self, at: usize) -> Result<Tensor> {
        let setting = &self.of.setting;
        if let Some(leaf) = self.of.plan.leaves.of(self.code(at)?, setting, self.t)? {
            return Ok(leaf);
        }
        match self.code(at)? {
            Code::Unary(f, a) => self.points(*a)?.unary(*f),
            Code::Binary(op, a, b) => binary(*op, &self.points(*a)?, &self.points(*b)?),
            Code::Integral(a) => self.of.plan.leaves.integral(&self.on_all_points(*a)?, setting),
            Code::Opaque(f, arguments) => {
                let arguments = arguments.iter().map(|&a| self.points(a)).collect::<Result<Vec<_>>>()?;
                opaque(f, &arguments)
            }
            Code::PairSum(_) | Code::Separation(_) | Code::Other(_) => {
                Err(Error::value("pair sums are over bodies, not over points of a grid"))
            }
            _ => Err(Error::internal("an instruction without values at points")),
        }
    }
}
