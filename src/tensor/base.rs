//! The tensor itself: numbers of any rank and shape on a device, and the door to Burn.

use std::rc::Rc;

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor, Flex, TensorData, TensorMetadata};
use burn::tensor::{Element, IntDType};

use super::context::{Claim, Context, Precision, failed};
use super::elementwise::{self, Deferred, Value};
use super::filled::Filled;
use super::shape::{Shape, element_count};
use super::tape::Output;
use crate::error::{Error, Result};
use crate::native::math::Elementary;

/// Numbers of any rank and shape. Cheap to clone: the buffer is shared.
///
/// Operations are methods that return `Result<Tensor>`; both operands may be of either precision (the wider one
/// wins) and of any rank (shapes broadcast as in NumPy: aligned at the last axis, lengths 1 stretch).
#[derive(Clone)]
pub struct Tensor {
    pub(super) value: Value,
    pub(crate) claim: Rc<Claim>,
    /// The node of the tape that made this tensor, when a gradient is being taken.
    pub(crate) node: Option<Output>,
}

/// The CPU backend's own tensor: storage and strides.
pub(crate) type FlexTensor = burn::backend::tensor::FloatTensor<Flex>;

/// A float type that the CPU kernels are written for.
pub(crate) trait Real: Element + Elementary + bytemuck::Pod + rustfft::FftNum + std::iter::Sum {
    /// From a double, rounded.
    fn of(value: f64) -> Self;
    /// To a double, exact.
    fn f64(self) -> f64;
}
impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        self as f64
    }
}
impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
}

/// Runs a kernel that is generic over [`Real`] in the precision of a tensor.
macro_rules! in_precision {
    ($precision:expr, $real:ident => $body:expr) => {
        match $precision {
            $crate::tensor::Precision::F32 => {
                type $real = f32;
                $body
            }
            $crate::tensor::Precision::F64 => {
                type $real = f64;
                $body
            }
        }
    };
}
pub(crate) use in_precision;

impl Tensor {
    // --- making -------------------------------------------------------------------------------------------------

    /// Numbers in row-major order, in the session's precision.
    #[track_caller]
    pub fn new(context: &Context, values: Vec<f64>, shape: &[usize]) -> Result<Self> {
        match context.precision() {
            Precision::F32 => Self::from_vec(context, values.into_iter().map(|v| v as f32).collect(), shape),
            Precision::F64 => Self::from_vec(context, values, shape),
        }
    }

    /// Numbers in row-major order, in the precision of the vector.
    #[track_caller]
    pub(crate) fn from_vec<T: Real>(context: &Context, values: Vec<T>, shape: &[usize]) -> Result<Self> {
        let count = element_count(shape)?;
        if count != values.len() {
            return Err(Error::shape("numbers do not fill the shape")
                .got(format!("{} numbers", values.len()))
                .expected(format!("{count} for the shape {shape:?}")));
        }
        if size_of::<T>() > 4 && context.held_in(Precision::F64) == Precision::F32 {
            return Self::from_vec::<f32>(context, values.into_iter().map(|v| v.f64() as f32).collect(), shape);
        }
        context.reserve(count * size_of::<T>())?;
        context.copied_to_device(count * size_of::<T>());
        let single = shape.is_empty() && !context.device().has_kernels();
        let data = TensorData::new(values, if single { vec![1] } else { shape.to_vec() });
        Ok(Self::held(context, Dispatch::float_from_data(data, &context.burn_device())).ranked(shape))
    }

    /// One number, of rank 0 (shape `[]`), in the session's precision.
    pub fn scalar(context: &Context, value: f64) -> Self {
        Self::scalar_in(context, context.precision(), value)
    }
    /// One number of the given precision.
    pub fn scalar_in(context: &Context, precision: Precision, value: f64) -> Self {
        let precision = context.held_in(precision);
        if !context.device().has_kernels() {
            return Self::filled(context, precision, &[], value);
        }
        let data = match precision {
            Precision::F32 => TensorData::new(vec![value as f32], Vec::<usize>::new()),
            Precision::F64 => TensorData::new(vec![value], Vec::<usize>::new()),
        };
        Self::held(context, Dispatch::float_from_data(data, &context.burn_device()))
    }

    /// The same number everywhere.
    pub fn full(context: &Context, shape: &[usize], value: f64) -> Result<Self> {
        Self::full_in(context, context.precision(), shape, value)
    }
    /// The same number everywhere, in the given precision.
    pub fn full_in(context: &Context, precision: Precision, shape: &[usize], value: f64) -> Result<Self> {
        let precision = context.held_in(precision);
        let count = element_count(shape)?;
        if !context.device().has_kernels() && count > 0 {
            context.reserve(count.saturating_mul(precision.bytes()))?;
            return Ok(Self::filled(context, precision, shape, value));
        }
        if shape.is_empty() || count == 0 {
            return in_precision!(precision, T => Self::from_vec(context, vec![T::of(value); count], shape));
        }
        context.reserve(count.saturating_mul(precision.bytes()))?;
        let data = Dispatch::float_full(shape.into(), value.into(), &context.burn_device(), precision.dtype());
        Ok(Self::made(context, data))
    }
    /// A tensor of the same shape, precision and device with one number everywhere.
    pub fn full_like(&self, value: f64) -> Result<Self> {
        Self::full_in(self.context(), self.precision(), &self.shape(), value)
    }

    /// One number everywhere, to be written when it is wanted.
    fn filled(context: &Context, precision: Precision, shape: &[usize], value: f64) -> Self {
        let filled = Filled::new(context, precision, shape, value);
        let bytes = shape.iter().product::<usize>().saturating_mul(precision.bytes());
        Self { value: Value::Filled(Rc::new(filled)), claim: context.claim(bytes), node: None }.uniform(value)
    }
    /// The same number in another shape of as many bytes or a view; `None` for other tensors.
    pub(super) fn refilled(&self, shape: &[usize]) -> Option<Self> {
        let Value::Filled(filled) = &self.value else { return None };
        let filled = Rc::new(filled.with_shape(shape));
        Some(Self { value: Value::Filled(filled), claim: self.claim.clone(), node: None })
    }
    /// The number that is everywhere, where that is known without asking the device.
    pub(super) fn known_number(&self) -> Option<f64> {
        if self.node.is_some() { None } else { self.claim.number.get() }
    }
    /// Wraps what an operation of Burn returned; the buffer is new and counts.
    pub(crate) fn made(context: &Context, data: DispatchTensor) -> Self {
        context.queued();
        Self::held(context, data)
    }
    /// The same, of a shape that is known: on other devices a result of rank 0 comes as one of rank 1.
    pub(crate) fn made_in(context: &Context, data: DispatchTensor, shape: &[usize]) -> Self {
        Self::made(context, data).ranked(shape)
    }
    /// As a tensor of rank 0, where the shape says so and the numbers come in the shape `[1]`.
    pub(super) fn ranked(mut self, shape: &[usize]) -> Self {
        if shape.is_empty()
            && let Value::Ready(data) = &self.value
            && data.shape().len() == 1
        {
            self.value = Value::Single(Rc::new(data.clone()));
        }
        self
    }
    /// Notes the number that is everywhere in a new buffer, as its precision rounds it.
    fn uniform(self, value: f64) -> Self {
        let rounded = in_precision!(self.precision(), T => T::of(value).f64());
        self.claim.number.set(Some(rounded));
        self
    }
    /// Wraps what is kept on the device anyhow, and is on no account.
    pub(super) fn kept(context: &Context, data: DispatchTensor) -> Self {
        Self { value: Value::Ready(data), claim: context.claim(0), node: None }
    }
    /// Wraps a new buffer that no operation made.
    fn held(context: &Context, data: DispatchTensor) -> Self {
        let bytes = data.shape().num_elements() * data.dtype().size();
        Self { value: Value::Ready(data), claim: context.claim(bytes), node: None }
    }
    /// Wraps a result that is computed when it is needed; it counts from now on.
    pub(super) fn later(context: &Context, deferred: Rc<Deferred>, bytes: usize) -> Self {
        Self { value: Value::Deferred(deferred), claim: context.claim(bytes), node: None }
    }
    /// Wraps a view on this tensor's buffer; nothing new is counted.
    pub(crate) fn view(&self, data: DispatchTensor) -> Self {
        Self { value: Value::Ready(data), claim: self.claim.clone(), node: None }
    }

    /// The numbers on their device; computed now at the latest.
    pub(crate) fn data(&self) -> &DispatchTensor {
        self.value.data()
    }
    /// The numbers, handed over: not shared when this was the only tensor that held them.
    pub(crate) fn into_data(self) -> DispatchTensor {
        match self.value {
            Value::Ready(data) => data,
            Value::Single(data) => Rc::unwrap_or_clone(data),
            Value::Filled(filled) => filled.data().clone(),
            Value::Deferred(deferred) => deferred.numbers().clone(),
        }
    }
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    // --- looking ------------------------------------------------------------------------------------------------

    /// The session's part that tensors share.
    pub fn context(&self) -> &Context {
        &self.claim.context
    }
    /// Lengths of the axes.
    pub fn shape(&self) -> Shape {
        self.value.shape()
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.value.rank()
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.value.len()
    }
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The precision of the numbers.
    pub fn precision(&self) -> Precision {
        self.value.precision()
    }
    /// Where the numbers are: `"cpu"` or `"gpu"`.
    pub fn device_name(&self) -> &'static str {
        self.context().device().place()
    }
    /// Whether a gradient that is being taken goes through this tensor.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    // --- reading ------------------------------------------------------------------------------------------------

    /// The numbers in row-major order, as doubles.
    #[track_caller]
    pub fn to_vec(&self) -> Result<Vec<f64>> {
        in_precision!(self.precision(), T => { let numbers = self.read::<T>()?; Ok(numbers.into_iter().map(Real::f64).collect()) })
    }
    /// The numbers in row-major order, in the tensor's own precision.
    #[track_caller]
    pub(crate) fn read<T: Real>(&self) -> Result<Vec<T>> {
        if self.is_tracked() {
            self.context().take_out();
        }
        if let Some(number) = self.claim.number.get() {
            return Ok(vec![T::of(number); self.len()]);
        }
        if let Some(flex) = self.flex()
            && let Some(slice) = flex.as_slice::<T>()
        {
            return Ok(slice.to_vec());
        }
        self.context().copied_to_host(self.len() * size_of::<T>());
        let data = Dispatch::float_into_data(self.data().clone());
        let data = burn::tensor::try_read_sync(data)
            .ok_or_else(|| Error::internal("the device did not answer at once"))?
            .map_err(|e| failed(&format!("{e:?}")))?;
        // In the precision that is asked for: a device without `f64` holds what was wanted in it as `f32`.
        data.convert::<T>().try_to_vec::<T>().map_err(|e| Error::internal(format!("reading a tensor: {e:?}")))
    }
    /// Hands the numbers to `f` in row-major order: borrowed where they lie so on the CPU, else copied.
    #[track_caller]
    pub(crate) fn with_numbers<T: Real, R>(&self, f: impl FnOnce(&[T]) -> R) -> Result<R> {
        if let Some(flex) = self.flex()
            && flex.is_contiguous()
            && let Some(slice) = flex.as_slice::<T>()
            && slice.len() == self.len()
        {
            return Ok(f(slice));
        }
        Ok(f(&self.read::<T>()?))
    }
    /// The one number of a tensor with one element.
    #[track_caller]
    pub fn item(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::shape("only a tensor with one element is a number")
                .got(format!("shape {:?}", self.shape()))
                .advice("reduce it first: sum(t), mean(t), max(t), or index it: t[0]"));
        }
        Ok(self.to_vec()?[0])
    }

    // --- the CPU's own storage ----------------------------------------------------------------------------------

    /// The CPU storage, when the tensor is on the CPU and its kernels are used.
    pub(crate) fn flex(&self) -> Option<&FlexTensor> {
        if !self.context().device().has_kernels() {
            return None;
        }
        elementwise::flex(self.data())
    }
    /// The CPU storage in row-major order, when the tensor is on the CPU; copies only a strided view.
    pub(crate) fn flex_contiguous(&self) -> Option<FlexTensor> {
        self.flex().map(|flex| if flex.is_contiguous() { flex.clone() } else { flex.to_contiguous() })
    }

    /// Whether it is known, without reading much, to hold the same numbers on the CPU as another, and neither carries a gradient.
    pub(crate) fn is_known_as(&self, other: &Self) -> bool {
        const FEW: usize = 64;
        if self.is_tracked() || other.is_tracked() || self.precision() != other.precision() {
            return false;
        }
        let (Some(a), Some(b)) = (self.flex(), other.flex()) else { return false };
        if a.layout() == b.layout() && a.bytes().as_ptr() == b.bytes().as_ptr() {
            return true;
        }
        let same = || Some(self.to_vec().ok()? == other.to_vec().ok()?);
        self.shape() == other.shape() && self.len() <= FEW && same() == Some(true)
    }

    // --- conversion ---------------------------------------------------------------------------------------------

    /// The same numbers in another precision; differentiable.
    pub fn cast(&self, precision: Precision) -> Result<Self> {
        let precision = self.context().held_in(precision);
        if self.precision() == precision {
            return Ok(self.clone());
        }
        self.context().reserve(self.len() * precision.bytes())?;
        let back = self.precision();
        if let Some(number) = self.claim.number.get() {
            let out = Self::filled(self.context(), precision, &self.shape(), number);
            return Ok(out.from(self, || move |g: &Tensor| g.cast(back)));
        }
        let data = Dispatch::float_cast(self.data().clone(), precision.dtype());
        let out = Self::made_in(self.context(), data, &self.shape());
        Ok(out.from(self, || move |g: &Tensor| g.cast(back)))
    }
    /// The same numbers, outside of any gradient.
    pub fn detach(&self) -> Self {
        Self { node: None, ..self.clone() }
    }
    /// Whole numbers as an index tensor of the device.
    #[track_caller]
    pub(crate) fn indices(context: &Context, indices: &[i64], shape: &[usize]) -> DispatchTensor {
        context.copied_to_device(size_of_val(indices));
        let data = match context.places() {
            IntDType::I32 => TensorData::new(indices.iter().map(|i| *i as i32).collect::<Vec<_>>(), shape.to_vec()),
            _ => TensorData::new(indices.to_vec(), shape.to_vec()),
        };
        Dispatch::int_from_data(data, &context.burn_device())
    }

    /// Both operands in the wider of their precisions.
    pub(crate) fn joined(&self, other: &Self) -> Result<(Self, Self)> {
        let precision = self.precision().join(other.precision());
        Ok((self.cast(precision)?, other.cast(precision)?))
    }
}
