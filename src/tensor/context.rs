//! What every tensor of one session shares: device, precision, the memory account, and whether operations are recorded.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use burn::backend::{Dispatch, DispatchDevice, DispatchTensor, FloatDType};
use burn::tensor::{BoolDType, BoolStore, IntDType};

use super::counts::Counts;
use super::device::Device;
use super::device::pace;
use crate::error::{Error, Result};

/// The precision of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats, 24 bits of mantissa.
    F32,
    /// 64-bit floats, 53 bits of mantissa.
    F64,
}

impl Precision {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
    /// The distance from 1 to the next number.
    pub fn epsilon(self) -> f64 {
        match self {
            Self::F32 => f32::EPSILON as f64,
            Self::F64 => f64::EPSILON,
        }
    }
    /// `"f32"` or `"f64"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
    /// The precision that holds both without loss.
    pub fn join(self, other: Self) -> Self {
        if self == Self::F64 || other == Self::F64 { Self::F64 } else { Self::F32 }
    }
    pub(crate) fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F64 => FloatDType::F64,
        }
    }
}

/// Shared by all tensors of a session; cheap to clone.
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    device: Cell<Device>,
    burn: RefCell<DispatchDevice>,
    counts: Counts,
    /// Steps that ended since a device was last waited for.
    #[cfg_attr(not(feature = "cubecl"), allow(dead_code))]
    steps: Cell<u32>,
    /// Nodes of the tape before which a queue ended.
    ends: RefCell<Vec<u64>>,
    /// Numbers that operations need again and again, kept on the device; see [`Context::constant`].
    constants: RefCell<HashMap<String, DispatchTensor>>,
    precision: Cell<Precision>,
    /// Whether the device computes in `f64`.
    double: Cell<bool>,
    /// Whether it knows whole numbers of 64 bits.
    long: Cell<bool>,
    masks: Cell<BoolStore>,
    live: Cell<usize>,
    peak: Cell<usize>,
    limit: Cell<usize>,
    /// How many gradient closures are being evaluated now, one inside the other.
    depth: Cell<u32>,
    /// False while the outermost reverse pass runs: nothing will differentiate through it.
    recording: Cell<bool>,
    /// Whether the gradient that a rule is given came through a choice.
    chosen: Cell<bool>,
    /// How often numbers were taken out of tracked tensors.
    taken: Cell<u64>,
    next_node: Cell<u64>,
}

impl Context {
    /// A context on the CPU.
    pub fn cpu(precision: Precision) -> Self {
        Self::on(Device::CPU, precision)
    }
    /// A context on a device.
    pub fn on(device: Device, precision: Precision) -> Self {
        Self(Rc::new(Inner {
            device: Cell::new(device),
            burn: RefCell::new(device.burn()),
            counts: Counts::default(),
            steps: Cell::new(0),
            ends: RefCell::default(),
            constants: RefCell::default(),
            precision: Cell::new(precision),
            double: Cell::new(device.supports(Precision::F64)),
            long: Cell::new(device.has_long_integers()),
            masks: Cell::new(device.bool_store()),
            live: Cell::new(0),
            peak: Cell::new(0),
            limit: Cell::new(usize::MAX),
            depth: Cell::new(0),
            recording: Cell::new(true),
            chosen: Cell::new(false),
            taken: Cell::new(0),
            next_node: Cell::new(1),
        }))
    }

    pub(crate) fn burn_device(&self) -> DispatchDevice {
        self.0.burn.borrow().clone()
    }
    /// What tensors are computed on.
    pub fn device(&self) -> Device {
        self.0.device.get()
    }
    /// Computes on another device from now on.
    ///
    /// # Errors
    /// When tensors are held already: operands must be on one device. When it does not compute in the session's precision.
    pub fn set_device(&self, device: Device) -> Result<()> {
        if device == self.device() {
            return Ok(());
        }
        device.check(self.precision())?;
        if self.live_bytes() > 0 {
            return Err(Error::value("the device cannot be changed while tensors are held")
                .got(format!("{} on {}, asked for {device}", human_bytes(self.live_bytes()), self.device()))
                .advice("choose it in the first line of the script, or with --device"));
        }
        self.0.constants.borrow_mut().clear();
        self.0.device.set(device);
        self.0.double.set(device.supports(Precision::F64));
        self.0.long.set(device.has_long_integers());
        self.0.masks.set(device.bool_store());
        *self.0.burn.borrow_mut() = device.burn();
        Ok(())
    }
    /// Waits until the device has done everything it was given.
    ///
    /// # Errors
    /// When something of it failed.
    pub fn synchronise(&self) -> Result<()> {
        use burn::backend::Backend;
        Dispatch::sync(&self.burn_device()).map_err(|e| failed(&format!("{e:?}")))
    }
    /// Says that a step of a loop that reads no number is done: a card is handed what is queued for it, and every so often waited for. See `device/pace.rs`.
    pub(crate) fn end_step(&self) {
        #[cfg(feature = "cubecl")]
        self.end(self.0.steps.get() + 1 >= pace::STEPS);
    }
    /// The same, and waits for the device.
    #[cfg(feature = "cubecl")]
    pub(crate) fn end_and_wait(&self) {
        self.end(true);
    }
    #[cfg(feature = "cubecl")]
    fn end(&self, wait: bool) {
        if self.device().is_cube() {
            let steps = self.0.steps.get() + 1;
            self.0.steps.set(if wait { 0 } else { steps });
            pace::end(&self.0.burn.borrow(), wait);
            self.0.counts.handed_over();
            self.ended();
        }
    }
    /// Counts an operation, and ends a queue that has become long.
    pub(super) fn queued(&self) {
        self.0.counts.operation();
        if self.0.counts.queued() >= pace::MOST {
            self.0.counts.handed_over();
            self.end_step();
        }
    }
    /// Operations and copies between host and device so far.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }
    #[track_caller]
    pub(crate) fn copied_to_device(&self, bytes: usize) {
        if !self.device().has_kernels() {
            self.0.counts.to_device(bytes);
        }
    }
    #[track_caller]
    pub(crate) fn copied_to_host(&self, bytes: usize) {
        if !self.device().has_kernels() {
            self.0.counts.to_host(bytes);
            self.ended();
        }
    }
    /// Notes where a queue ended while something is recorded: the way back ends its own there, so that all steps are one graph on both ways.
    fn ended(&self) {
        let next = self.0.next_node.get();
        let mut ends = self.0.ends.borrow_mut();
        if self.is_recording() && self.device().is_cube() && ends.last() != Some(&next) {
            ends.push(next);
        }
    }
    /// Whether a queue ended behind a node on the way that led past it; said once.
    pub(super) fn crosses(&self, node: u64) -> bool {
        let mut ends = self.0.ends.borrow_mut();
        let before = ends.len();
        while ends.last().is_some_and(|end| *end > node) {
            ends.pop();
        }
        ends.len() < before
    }
    /// What `make` makes, made once and kept on the device: matrices of a transform, say. The name says all that it depends on.
    /// Not counted as memory of tensors; when too many are kept, all are dropped.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn constant(
        &self,
        name: String,
        make: impl FnOnce() -> Result<super::base::Tensor>,
    ) -> Result<super::base::Tensor> {
        let known = self.0.constants.borrow().get(&name).cloned();
        let data = match known {
            Some(data) => data,
            None => {
                let made = make()?.data().clone();
                self.keep(name, made.clone());
                made
            }
        };
        Ok(super::base::Tensor::kept(self, data))
    }
    fn keep(&self, name: String, data: DispatchTensor) {
        const MOST: usize = 512;
        let mut constants = self.0.constants.borrow_mut();
        if constants.len() >= MOST {
            constants.clear();
        }
        constants.insert(name, data);
    }
    /// The same for what is not a tensor of floats.
    #[cfg(feature = "cubecl")]
    pub(crate) fn constant_data(&self, name: &str, make: impl FnOnce() -> DispatchTensor) -> DispatchTensor {
        if let Some(data) = self.0.constants.borrow().get(name) {
            return data.clone();
        }
        let made = make();
        self.keep(name.to_string(), made.clone());
        made
    }
    /// The precision of new tensors.
    pub fn precision(&self) -> Precision {
        self.0.precision.get()
    }
    /// In what precision numbers are held that are wanted in this one: symbols, sums and times are taken in `f64` where the device knows it,
    /// whatever the session's precision is, and in `f32` elsewhere.
    pub(crate) fn held_in(&self, precision: Precision) -> Precision {
        if self.0.double.get() { precision } else { Precision::F32 }
    }
    /// The whole numbers that say places: of 64 bits where the device knows them.
    pub(crate) fn places(&self) -> IntDType {
        if self.0.long.get() { IntDType::I64 } else { IntDType::I32 }
    }
    /// How masks are held.
    pub(crate) fn bool_store(&self) -> BoolDType {
        self.0.masks.get()
    }
    /// As if the device knew neither `f64` nor whole numbers of 64 bits.
    #[cfg(test)]
    pub(crate) fn without_long_numbers(&self) {
        self.0.double.set(false);
        self.0.long.set(false);
    }
    /// Changes the precision of tensors made from now on.
    pub fn set_precision(&self, precision: Precision) {
        self.0.precision.set(precision);
    }
    /// The most bytes that all tensors together may hold.
    pub fn set_memory_limit(&self, bytes: usize) {
        self.0.limit.set(bytes);
    }
    /// Bytes held by tensors now.
    pub fn live_bytes(&self) -> usize {
        self.0.live.get()
    }
    /// The most bytes held by tensors at once since [`reset_peak`](Self::reset_peak).
    pub fn peak_bytes(&self) -> usize {
        self.0.peak.get()
    }
    /// Starts a new measurement of the peak.
    pub fn reset_peak(&self) {
        self.0.peak.set(self.0.live.get());
    }

    /// Refuses, before anything is allocated, a request that would pass the limit.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<()> {
        let (live, limit) = (self.0.live.get(), self.0.limit.get());
        if live.saturating_add(bytes) > limit {
            return Err(Error::limit("a tensor would pass the limit of tensor memory")
                .got(format!("{} wanted, {} held already", human_bytes(bytes), human_bytes(live)))
                .expected(format!("at most {} in all", human_bytes(limit)))
                .advice("use smaller batches or grids, or raise it with --max-tensor-bytes"));
        }
        Ok(())
    }
    pub(crate) fn claim(&self, bytes: usize) -> Rc<Claim> {
        let live = self.0.live.get().saturating_add(bytes);
        self.0.live.set(live);
        self.0.peak.set(self.0.peak.get().max(live));
        Rc::new(Claim { context: self.clone(), bytes, number: Cell::new(None), places: Cell::new(None) })
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.0.recording.get()
    }
    pub(crate) fn next_node(&self) -> u64 {
        let id = self.0.next_node.get();
        self.0.next_node.set(id + 1);
        id
    }
    /// Runs `f` one level deeper: what it computes from tracked tensors is recorded.
    pub(crate) fn deeper<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = Restore(&self.0.depth, self.0.depth.get());
        self.0.depth.set(self.0.depth.get() + 1);
        f()
    }
    /// Whether a gradient is being taken inside another one.
    pub(crate) fn is_nested(&self) -> bool {
        self.0.depth.get() > 1
    }
    /// Whether a gradient closure is being evaluated.
    pub(crate) fn is_differentiating(&self) -> bool {
        self.0.depth.get() > 0
    }
    /// Runs a reverse pass: recorded only when an outer gradient is waiting for it.
    pub(crate) fn reverse<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = Restore(&self.0.recording, self.0.recording.get());
        self.0.recording.set(self.0.recording.get() && self.0.depth.get() > 0);
        f()
    }
    /// Runs `f` with recording, even within a reverse pass: for rules that differentiate on their own account.
    pub(crate) fn with_recording<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = Restore(&self.0.recording, self.0.recording.get());
        self.0.recording.set(true);
        f()
    }
    /// Notes that numbers were taken out of a tracked tensor, where no gradient follows them.
    pub(crate) fn take_out(&self) {
        self.0.taken.set(self.0.taken.get() + 1);
    }
    /// How often that was done.
    pub(crate) fn taken_out(&self) -> u64 {
        self.0.taken.get()
    }
    /// Whether the gradient that is handed on came through a choice between two branches.
    pub(crate) fn is_chosen(&self) -> bool {
        self.0.chosen.get()
    }
    /// Runs a rule whose gradient came through a choice, or did not.
    pub(crate) fn with_chosen<T>(&self, chosen: bool, f: impl FnOnce() -> T) -> T {
        let _guard = Restore(&self.0.chosen, self.0.chosen.get());
        self.0.chosen.set(chosen);
        f()
    }
    /// Runs `f` without recording anything.
    pub fn without_recording<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = Restore(&self.0.recording, self.0.recording.get());
        self.0.recording.set(false);
        f()
    }
    /// Whether two handles mean the same session.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Puts a cell back when it goes out of scope, so that a panic caught further up leaves no trace.
struct Restore<'a, T: Copy>(&'a Cell<T>, T);
impl<T: Copy> Drop for Restore<'_, T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// Bytes on the account of a session; views of one buffer share one claim.
pub(crate) struct Claim {
    pub context: Context,
    bytes: usize,
    /// The number that is everywhere in the buffer, where it was made so on another device: nobody has to ask there.
    pub number: Cell<Option<f64>>,
    /// The shortest axis for which all numbers were found to be places, on another device.
    pub places: Cell<Option<usize>>,
}
impl Drop for Claim {
    fn drop(&mut self) {
        let live = &self.context.0.live;
        live.set(live.get().saturating_sub(self.bytes));
    }
}

/// What a device said when it could not do what it was given.
pub(super) fn failed(said: &str) -> Error {
    let lower = said.to_ascii_lowercase();
    if lower.contains("out of memory") || lower.contains("outofmemory") || lower.contains("buffertoobig") {
        return Error::limit("the device has no memory left")
            .got(said)
            .advice("use smaller batches or grids, or check what else runs on the card");
    }
    Error::internal(format!("the device failed: {said}"))
}

/// `1536` as `"1.5 KiB"`.
pub fn human_bytes(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
