//! Operations on elements: evaluated together, when their result is asked for.
//!
//! An operation on large tensors does not compute anything at once. Its result remembers what is to be done ([`Deferred`]), and operations on
//! that result are added to it. When numbers are needed (by a product of matrices, a transform, a reader), the whole chain becomes a
//! [`Program`] that goes over memory once: `x + x * 0.5` reads `x` and writes the sum, and a step `x + f(x) Δt + g √Δt ξ` draws its noise
//! where it is used. Results in between that something else still holds (a variable, a rule of the tape) are written in the same pass.
//!
//! Nothing that can fail is put off: shapes and memory are checked when an operation is called. A tensor counts as large in the account of memory from
//! then on, whether its numbers exist yet or not.

mod functions;
mod operations;
mod program;
#[cfg(test)]
mod tests;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{
    BackendTensor, Dispatch, DispatchDevice, DispatchTensor, DispatchTensorKind, TensorData, TensorMetadata,
};
use burn::tensor::DType;

use super::base::{FlexTensor, Real, Tensor, in_precision};
use super::context::{Claim, Context, Precision};
use super::filled::Filled;
use super::random::{Draw, Drawable};
use super::shape::{Shape, element_count};
use crate::error::Result;

pub(crate) use functions::evaluate;
pub(crate) use operations::{Values, binary, pairs};
pub(crate) use program::Operation;
use program::{Input, Instruction, Place, Program};

/// Elements from which on a result is worth waiting for what is done with it.
const LARGE: usize = 1 << 12;
/// Operations in a chain.
const LONGEST: u64 = 64;

/// A result that may not have been computed yet.
pub(crate) struct Deferred {
    shape: Shape,
    precision: Precision,
    done: OnceCell<DispatchTensor>,
    recipe: RefCell<Option<Recipe>>,
    /// Its place in the order in which results are made.
    number: u64,
    /// The oldest result that it waits for. All others have places between.
    oldest: Cell<u64>,
}

struct Recipe {
    operation: Operation,
    operands: Vec<Operand>,
}

#[derive(Clone)]
enum Operand {
    /// A result that is not computed yet.
    Pending(Rc<Deferred>),
    /// Numbers, which stay on the account of memory as long as they are held here.
    Numbers(FlexTensor, #[expect(dead_code, reason = "held for its drop")] Rc<Claim>),
    One(f64),
}

/// The numbers of a tensor, now or later.
#[derive(Clone)]
pub(super) enum Value {
    Ready(DispatchTensor),
    /// One number of rank 0, held in the shape `[1]`: kernels of other devices are not made for rank 0.
    Single(Rc<DispatchTensor>),
    /// One number everywhere, not written yet.
    Filled(Rc<Filled>),
    Deferred(Rc<Deferred>),
}

impl Value {
    pub fn shape(&self) -> Shape {
        match self {
            Self::Ready(data) => data.shape().to_vec(),
            Self::Single(_) => Shape::new(),
            Self::Filled(filled) => filled.shape.clone(),
            Self::Deferred(deferred) => deferred.shape.clone(),
        }
    }
    pub fn rank(&self) -> usize {
        match self {
            Self::Ready(data) => data.shape().len(),
            Self::Single(_) => 0,
            Self::Filled(filled) => filled.shape.len(),
            Self::Deferred(deferred) => deferred.shape.len(),
        }
    }
    pub fn len(&self) -> usize {
        match self {
            Self::Ready(data) => data.shape().num_elements(),
            Self::Single(_) => 1,
            Self::Filled(filled) => filled.shape.iter().product(),
            Self::Deferred(deferred) => deferred.shape.iter().product(),
        }
    }
    pub fn precision(&self) -> Precision {
        match self {
            Self::Ready(data) if data.dtype() == DType::F64 => Precision::F64,
            Self::Single(data) if data.dtype() == DType::F64 => Precision::F64,
            Self::Ready(_) | Self::Single(_) => Precision::F32,
            Self::Filled(filled) => filled.precision,
            Self::Deferred(deferred) => deferred.precision,
        }
    }
    pub fn is_on_cpu(&self) -> bool {
        match self {
            Self::Ready(data) => flex(data).is_some(),
            Self::Single(data) => flex(data).is_some(),
            Self::Filled(_) => false,
            Self::Deferred(_) => true,
        }
    }
    /// The numbers, computed now at the latest.
    pub fn data(&self) -> &DispatchTensor {
        match self {
            Self::Ready(data) => data,
            Self::Single(data) => data,
            Self::Filled(filled) => filled.data(),
            Self::Deferred(deferred) => deferred.numbers(),
        }
    }
}

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
    /// From how many elements on results are put off; tests lower it.
    static FROM: Cell<usize> = const { Cell::new(LARGE) };
}

impl Tensor {
    /// The result of an operation on elements. Operands stretch to `shape`; `None` where they are not on the CPU.
    pub(super) fn elementwise(&self, operation: Operation, operands: &[&Tensor], shape: Shape) -> Result<Option<Self>> {
        Self::elementwise_in(self.context(), self.precision(), operation, operands, &[], shape)
    }

    /// As [`elementwise`](Self::elementwise), with numbers as last operands.
    pub(super) fn elementwise_with(&self, operation: Operation, numbers: &[f64]) -> Result<Option<Self>> {
        Self::elementwise_in(self.context(), self.precision(), operation, &[self], numbers, self.shape())
    }

    fn elementwise_in(
        context: &Context,
        precision: Precision,
        operation: Operation,
        operands: &[&Tensor],
        numbers: &[f64],
        shape: Shape,
    ) -> Result<Option<Self>> {
        if !context.device().has_kernels() || operands.iter().any(|t| !t.value().is_on_cpu()) {
            return Ok(None);
        }
        let count = element_count(&shape)?;
        context.reserve(count.saturating_mul(precision.bytes()))?;
        let mut all: Vec<Operand> = operands.iter().map(|t| t.operand(&shape)).collect();
        all.extend(numbers.iter().map(|n| Operand::One(*n)));
        let recipe = Recipe { operation, operands: all };
        if count < FROM.get() {
            let data = in_precision!(precision, T => recipe.at_once::<T>(&shape, count));
            return Ok(Some(Self::made(context, data)));
        }
        Ok(Some(Self::deferred(context, precision, recipe, shape, count)))
    }

    /// Random numbers.
    pub(super) fn drawn(context: &Context, draw: Draw, shape: &[usize]) -> Result<Self> {
        let (precision, count) = (context.precision(), element_count(shape)?);
        let recipe = Recipe { operation: Operation::Draw(draw), operands: Vec::new() };
        if count < FROM.get() {
            let data = in_precision!(precision, T => recipe.at_once::<T>(shape, count));
            return Ok(Self::made(context, data));
        }
        Ok(Self::deferred(context, precision, recipe, shape.to_vec(), count))
    }

    fn deferred(context: &Context, precision: Precision, mut recipe: Recipe, shape: Shape, count: usize) -> Self {
        let number = NEXT.replace(NEXT.get() + 1);
        let oldest = |recipe: &Recipe| {
            let pending = recipe.operands.iter().filter_map(|operand| match operand {
                Operand::Pending(pending) => Some(pending.oldest.get()),
                _ => None,
            });
            pending.min().unwrap_or(number)
        };
        if number - oldest(&recipe) >= LONGEST {
            for operand in &mut recipe.operands {
                if let Operand::Pending(pending) = operand {
                    pending.numbers();
                }
            }
            recipe.operands = recipe.operands.into_iter().map(|operand| operand.settled(context)).collect();
        }
        let oldest = oldest(&recipe);
        let deferred = Deferred {
            shape,
            precision,
            done: OnceCell::new(),
            recipe: RefCell::new(Some(recipe)),
            number,
            oldest: Cell::new(oldest),
        };
        Self::later(context, Rc::new(deferred), count.saturating_mul(precision.bytes()))
    }

    /// This tensor as something that an operation of the given shape reads.
    fn operand(&self, shape: &Shape) -> Operand {
        if let Value::Deferred(deferred) = self.value()
            && deferred.done.get().is_none()
            && deferred.shape == *shape
        {
            return Operand::Pending(deferred.clone());
        }
        let Some(flex) = self.flex() else { return Operand::One(f64::NAN) };
        if let Some(number) = in_precision!(self.precision(), T => uniform::<T>(flex)) {
            return Operand::One(number);
        }
        Operand::Numbers(flex.clone(), self.claim.clone())
    }
}

impl Operand {
    /// What was pending and is done now, as numbers.
    fn settled(self, context: &Context) -> Self {
        match self {
            Self::Pending(pending) => match flex(pending.numbers()) {
                // Its tensor holds the claim; when that is gone already, this is the last that needs the numbers.
                Some(numbers) => Self::Numbers(numbers.clone(), context.claim(0)),
                None => Self::One(f64::NAN),
            },
            other => other,
        }
    }
}

/// The CPU's own storage.
pub(super) fn flex(data: &DispatchTensor) -> Option<&FlexTensor> {
    match &data.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// The number that is everywhere in a tensor, where its layout says so.
fn uniform<T: Real>(tensor: &FlexTensor) -> Option<f64> {
    let layout = tensor.layout();
    let mut axes = layout.shape().iter().zip(layout.strides());
    if !axes.all(|(len, stride)| *len == 1 || (*stride == 0 && *len > 0)) {
        return None;
    }
    tensor.storage::<T>().get(layout.start_offset()).map(|number| number.f64())
}

/// How numbers lie under a shape that they are stretched to.
struct Lying<'a, T: Real> {
    numbers: std::borrow::Cow<'a, [T]>,
    /// Each number is there for so many neighbours; `None` where each element has its own.
    repeat: Option<usize>,
}

/// The numbers of a tensor as those of a shape that it stretches to: axes that repeat them must lie before and behind all others, else they
/// are written out.
fn lying<'a, T: Real>(tensor: &'a FlexTensor, shape: &[usize]) -> Lying<'a, T> {
    let layout = tensor.layout();
    if **layout.shape() == *shape
        && let Some(numbers) = tensor.as_slice::<T>()
    {
        return Lying { numbers: numbers.into(), repeat: None };
    }
    let (lens, strides) = (layout.shape().to_vec(), layout.strides());
    let lead = shape.len() - lens.len();
    // Axes of the result that matter, with the stride of the tensor along them.
    let axes: Vec<(usize, isize)> = (0..shape.len())
        .map(|i| (shape[i], if i < lead || lens[i - lead] == 1 { 0 } else { strides[i - lead] }))
        .filter(|(len, _)| *len != 1)
        .collect();
    let behind = axes.iter().rev().take_while(|(_, stride)| *stride == 0).count();
    let before = axes.iter().take_while(|(_, stride)| *stride == 0).count().min(axes.len() - behind);
    let middle = &axes[before..axes.len() - behind];
    let mut expected = 1;
    let dense = middle.iter().rev().all(|(len, stride)| {
        let fits = *stride == expected;
        expected *= *len as isize;
        fits
    });
    let count: usize = middle.iter().map(|(len, _)| len).product();
    if dense {
        let start = layout.start_offset();
        let numbers = &tensor.storage::<T>()[start..start + count];
        let repeat = axes[axes.len() - behind..].iter().map(|(len, _)| len).product();
        let each = before == 0 && behind == 0;
        return Lying { numbers: numbers.into(), repeat: if each { None } else { Some(repeat) } };
    }
    // Row by row of the last axis that matters.
    let mut numbers = Vec::with_capacity(shape.iter().product());
    let storage = tensor.storage::<T>();
    let mut place = vec![0usize; axes.len()];
    let mut at = layout.start_offset() as isize;
    let total: usize = shape.iter().product();
    let Some((&(len, stride), outer)) = axes.split_last() else {
        return Lying { numbers: storage[at as usize..at as usize + 1].into(), repeat: None };
    };
    while numbers.len() < total {
        numbers.extend((0..len).map(|i| storage[(at + i as isize * stride) as usize]));
        for axis in (0..outer.len()).rev() {
            place[axis] += 1;
            at += outer[axis].1;
            if place[axis] < outer[axis].0 {
                break;
            }
            at -= outer[axis].1 * outer[axis].0 as isize;
            place[axis] = 0;
        }
    }
    Lying { numbers: numbers.into(), repeat: None }
}

impl<T: Real> Lying<'_, T> {
    fn input(&self) -> Input<'_, T> {
        match self.repeat {
            None => Input::Each(&self.numbers),
            Some(repeat) => Input::Repeated { numbers: &self.numbers, repeat },
        }
    }
}

pub(super) fn tensor_of<T: Real>(numbers: Vec<T>, shape: &[usize]) -> DispatchTensor {
    Dispatch::float_from_data(TensorData::new(numbers, shape.to_vec()), &DispatchDevice::Flex(Default::default()))
}

impl Recipe {
    /// The result of a single operation.
    fn at_once<T: Real + Drawable>(&self, shape: &[usize], count: usize) -> DispatchTensor {
        let mut program = Program { code: Vec::with_capacity(1), registers: 0, outputs: 1 };
        let mut inputs = Vec::with_capacity(self.operands.len());
        let mut from = [Place::Number(0.0); 3];
        for (from, operand) in from.iter_mut().zip(&self.operands) {
            *from = match operand {
                Operand::One(number) => Place::Number(*number),
                Operand::Numbers(numbers, _) => {
                    inputs.push(lying::<T>(numbers, shape));
                    Place::Input(inputs.len() - 1)
                }
                Operand::Pending(pending) => match flex(pending.numbers()) {
                    Some(numbers) => {
                        inputs.push(lying::<T>(numbers, shape));
                        Place::Input(inputs.len() - 1)
                    }
                    None => Place::Number(f64::NAN),
                },
            };
        }
        program.code.push(Instruction { operation: self.operation.clone(), from, to: Place::Output(0) });
        let given: Vec<Input<'_, T>> = inputs.iter().map(Lying::input).collect();
        let made = program.run(&given, count).pop().unwrap_or_default();
        tensor_of(made, shape)
    }
}

impl Deferred {
    /// The numbers, computed now if they are not there yet.
    pub fn numbers(self: &Rc<Self>) -> &DispatchTensor {
        if self.done.get().is_none() {
            in_precision!(self.precision, T => self.compute::<T>());
        }
        self.done.get_or_init(|| tensor_of(vec![f32::NAN; self.shape.iter().product()], &self.shape))
    }

    /// Computes this result, and those on the way that others hold too.
    fn compute<T: Real + Drawable>(self: &Rc<Self>) {
        let mut chain = Chain::default();
        chain.visit(self);
        let wanted: Vec<bool> = chain
            .nodes
            .iter()
            .map(|node| Rc::ptr_eq(node, self) || Rc::strong_count(node) > 1 + chain.uses(node))
            .collect();
        let (program, numbers) = chain.program(&wanted);
        let lying: Vec<Lying<'_, T>> = numbers.iter().map(|n| lying::<T>(n, &self.shape)).collect();
        let inputs: Vec<Input<'_, T>> = lying.iter().map(Lying::input).collect();
        let made = program.run(&inputs, self.shape.iter().product());
        let done = chain.nodes.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(node, _)| node);
        for (node, numbers) in done.zip(made) {
            let _ = node.done.set(tensor_of(numbers, &node.shape));
        }
        // Only now: a node that is dropped with a recipe may be the last holder of another's.
        for (node, wanted) in chain.nodes.iter().zip(&wanted) {
            if *wanted {
                node.recipe.take();
            }
        }
    }
}

/// What a result waits for, operands before what is made of them.
#[derive(Default)]
struct Chain {
    nodes: Vec<Rc<Deferred>>,
    /// Number of a node, its place, and how often others in the chain read it.
    places: std::collections::HashMap<u64, (usize, usize)>,
}

impl Chain {
    fn visit(&mut self, node: &Rc<Deferred>) {
        if let Some(recipe) = &*node.recipe.borrow() {
            for operand in &recipe.operands {
                if let Operand::Pending(pending) = operand
                    && pending.done.get().is_none()
                {
                    if !self.places.contains_key(&pending.number) {
                        self.visit(pending);
                    }
                    if let Some((_, uses)) = self.places.get_mut(&pending.number) {
                        *uses += 1;
                    }
                }
            }
        }
        self.places.insert(node.number, (self.nodes.len(), 0));
        self.nodes.push(node.clone());
    }
    fn uses(&self, node: &Deferred) -> usize {
        self.places.get(&node.number).map_or(0, |(_, uses)| *uses)
    }

    /// The program that computes what is wanted, and the tensors that it reads.
    fn program(&self, wanted: &[bool]) -> (Program, Vec<FlexTensor>) {
        let mut last = vec![0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            self.each_pending(node, |place| last[place] = at);
        }
        let mut program = Program::default();
        let mut given: Vec<FlexTensor> = Vec::new();
        let (mut places, mut free) = (Vec::with_capacity(self.nodes.len()), Vec::new());
        for (at, node) in self.nodes.iter().enumerate() {
            let to = if wanted[at] {
                program.outputs += 1;
                Place::Output(program.outputs - 1)
            } else {
                Place::Register(free.pop().unwrap_or_else(|| {
                    program.registers += 1;
                    program.registers - 1
                }))
            };
            let mut from = [Place::Number(0.0); 3];
            if let Some(recipe) = &*node.recipe.borrow() {
                for (from, operand) in from.iter_mut().zip(&recipe.operands) {
                    let numbers = match operand {
                        Operand::One(number) => {
                            *from = Place::Number(*number);
                            continue;
                        }
                        Operand::Pending(pending) => match self.places.get(&pending.number) {
                            Some((place, _)) => {
                                *from = places[*place];
                                continue;
                            }
                            None => flex(pending.numbers()),
                        },
                        Operand::Numbers(numbers, _) => Some(numbers),
                    };
                    if let Some(numbers) = numbers {
                        let same = |other: &FlexTensor| {
                            other.bytes().as_ptr() == numbers.bytes().as_ptr() && other.layout() == numbers.layout()
                        };
                        let place = given.iter().position(same).unwrap_or(given.len());
                        if place == given.len() {
                            given.push(numbers.clone());
                        }
                        *from = Place::Input(place);
                    }
                }
                program.code.push(Instruction { operation: recipe.operation.clone(), from, to });
            }
            places.push(to);
            // Operands are given back after the result has its place: no instruction writes what it reads.
            self.each_pending(node, |place| {
                if last[place] == at
                    && let Place::Register(register) = places[place]
                    && !free.contains(&register)
                {
                    free.push(register);
                }
            });
        }
        (program, given)
    }
    fn each_pending(&self, node: &Deferred, mut f: impl FnMut(usize)) {
        if let Some(recipe) = &*node.recipe.borrow() {
            for operand in &recipe.operands {
                if let Operand::Pending(pending) = operand
                    && let Some((place, _)) = self.places.get(&pending.number)
                {
                    f(*place);
                }
            }
        }
    }
}

/// Runs `f` with results put off from so many elements on.
#[cfg(test)]
pub(crate) fn putting_off<R>(from: usize, f: impl FnOnce() -> R) -> R {
    let before = FROM.replace(from);
    let result = f();
    FROM.set(before);
    result
}
