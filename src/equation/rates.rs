//! The right-hand side at points as one compiled pass, for integrators that are more than sums and evaluations: step control, Newton's
//! iteration, outputs inside of steps.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::points::{Native, moving};
use super::stencil::lowered::{Lowering, Moving};
use super::system::StencilSystem;
use crate::error::Result;
#[cfg(feature = "cubecl")]
use crate::native::cube::points::{Arena, Steps};
#[cfg(feature = "cubecl")]
use crate::native::march::Keep;
use crate::native::march::Scheduled;
use crate::native::points::machine::Machine;
use crate::native::points::march::March;
use crate::native::step::{Operation, Step};
use crate::tensor::{Claim, Precision, Real, Tensor};

/// Numbers of a state from which on the first evaluation is compiled already; of smaller ones so many evaluations are cheaper than that.
const LARGE: usize = 1 << 13;
const FEW: usize = 24;

/// A step that ends with what it has evaluated.
fn evaluation(t: f64) -> (Vec<Step>, Vec<Scheduled>) {
    let operations = vec![Operation::Nonlinear { to: 1, from: 0, after: 0.0 }];
    let step = Step { h: 0.0, operations, functions: Vec::new(), given: 1, ends: vec![1], evaluations: 1 };
    (vec![step], vec![Scheduled { t, h: 0.0, program: 0, output: Some(1) }])
}

/// What a system keeps of its compiled right-hand side. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Rates(Rc<RefCell<Known>>);

#[derive(Default)]
enum Known {
    /// Not wanted: the lane of tensors is the reference.
    #[default]
    Off,
    /// Wanted, and asked for so often.
    Asked(usize),
    /// There is none.
    Unfit,
    Single(Box<Evaluator<f32>>),
    Double(Box<Evaluator<f64>>),
}

/// The right-hand side for states of one shape.
struct Evaluator<T: Real> {
    march: March<T>,
    moving: Vec<Moving>,
    machines: Vec<Machine<T>>,
    shape: Vec<usize>,
    #[cfg(feature = "cubecl")]
    card: Option<(Steps, Option<Arena>)>,
    _held: Rc<Claim>,
}

impl Rates {
    /// One that is compiled when it is worth it.
    pub fn wanted() -> Self {
        Self(Rc::new(RefCell::new(Known::Asked(0))))
    }
    /// One that is compiled at once.
    pub fn at_once() -> Self {
        Self(Rc::new(RefCell::new(Known::Asked(FEW))))
    }
    /// Whether it is known that the rates of a state do not depend on the time.
    pub fn is_steady(&self) -> bool {
        match &*self.0.borrow() {
            Known::Single(own) => own.is_steady(),
            Known::Double(own) => own.is_steady(),
            _ => false,
        }
    }
    /// The rates of a state that has been settled; `None` where they are to be evaluated by tensors: while something is differentiated, on other
    /// devices, or where they cannot be compiled.
    ///
    /// # Errors
    /// Those of the values of edges.
    pub fn at(&self, system: &StencilSystem, t: f64, y: &Tensor) -> Result<Option<Tensor>> {
        let context = y.context();
        let Ok(mut known) = self.0.try_borrow_mut() else { return Ok(None) };
        // A clock that is differentiated has a rate among the parameters.
        if context.is_differentiating() && context.is_recording() || system.lane().setting().rate().is_some() {
            return Ok(None);
        }
        if let Known::Asked(times) = *known {
            *known = Known::Asked(times + 1);
            let somewhere = y.flex().is_some() || context.device().is_cube() && y.precision() == Precision::F32;
            if !somewhere || y.len() < LARGE && times < FEW {
                return Ok(None);
            }
            *known = match y.precision() {
                Precision::F32 => {
                    Evaluator::new(system, t, y)?.map_or(Known::Unfit, |own| Known::Single(Box::new(own)))
                }
                Precision::F64 => {
                    Evaluator::new(system, t, y)?.map_or(Known::Unfit, |own| Known::Double(Box::new(own)))
                }
            };
        }
        match (&mut *known, y.precision()) {
            (Known::Single(own), Precision::F32) => own.at(system, t, y),
            (Known::Double(own), Precision::F64) => own.at(system, t, y),
            _ => Ok(None),
        }
    }
}

impl<T: Real> Evaluator<T> {
    fn new(system: &StencilSystem, t: f64, y: &Tensor) -> Result<Option<Self>> {
        let Ok(mut lowering) = Lowering::new(system.lane(), y, t)? else { return Ok(None) };
        let Ok(native) = Native::<T>::new(system, &mut lowering, y, evaluation(t), (2, None))? else {
            return Ok(None);
        };
        let march = native.march;
        #[cfg(feature = "cubecl")]
        if y.flex().is_none() {
            let Some(of) = march.single() else { return Ok(None) };
            let Ok(steps) = Steps::new(of, y, Keep::Nothing)? else { return Ok(None) };
            let (moving, held) = (lowering.moving, y.context().claim(0));
            let card = Some((steps, None));
            return Ok(Some(Self { march, moving, machines: Vec::new(), shape: y.shape(), card, _held: held }));
        }
        let samples = y.shape().first().copied().unwrap_or(1);
        let block = march.block(samples).max(1);
        let bytes = march.plan.bytes(block).saturating_mul(samples.div_ceil(block));
        y.context().reserve(bytes)?;
        let machines = march.machines(samples);
        let held = y.context().claim(bytes);
        Ok(Some(Self {
            march,
            moving: lowering.moving,
            machines,
            shape: y.shape(),
            #[cfg(feature = "cubecl")]
            card: None,
            _held: held,
        }))
    }
    fn is_steady(&self) -> bool {
        self.march.times.is_empty() && self.moving.is_empty()
    }
    fn at(&mut self, system: &StencilSystem, t: f64, y: &Tensor) -> Result<Option<Tensor>> {
        if y.shape() != self.shape {
            return Ok(None);
        }
        if let Some(step) = Arc::make_mut(&mut self.march.schedule).first_mut() {
            step.t = t;
        }
        if !self.moving.is_empty() {
            match moving(system, &self.moving, &self.march.schedule)? {
                Ok(timed) => self.march.timed = Arc::new(timed),
                Err(_) => return Ok(None),
            }
        }
        #[cfg(feature = "cubecl")]
        if let (Some((steps, arena)), Some(march)) = (&mut self.card, self.march.single()) {
            return steps.evaluate(march, y, arena).map(Some);
        }
        if y.flex().is_none() {
            return Ok(None);
        }
        let mut rates = y.read::<T>()?;
        self.march.evaluate(&mut self.machines, &mut rates);
        Tensor::from_vec::<T>(y.context(), rates, &self.shape).map(Some)
    }
}
