//! How often the host and the device had to do with each other: operations given, numbers copied either way, and by which line.
//!
//! Every copy goes through `src/tensor/base.rs`, which notes where it was asked for. On the CPU with its kernels nothing is copied and only
//! operations are counted. On an accelerator an operation is a kernel launch or a few, unless fusion makes one of several; launches are counted
//! by the observer of CubeCL, in the whole process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;

use super::device::launches;

/// Counted since the session began; all cells, so that counting needs no exclusive access.
#[derive(Default)]
pub struct Counts {
    operations: Cell<u64>,
    /// Operations since a number was read or a queue was ended.
    queued: Cell<u32>,
    to_host: Direction,
    to_device: Direction,
}

#[derive(Default)]
struct Direction {
    times: Cell<u64>,
    bytes: Cell<u64>,
    /// How often, by file and line.
    places: RefCell<BTreeMap<(&'static str, u32), u64>>,
}

impl Direction {
    fn note(&self, bytes: usize, at: &'static Location<'static>) {
        self.times.set(self.times.get() + 1);
        self.bytes.set(self.bytes.get() + bytes as u64);
        *self.places.borrow_mut().entry((at.file(), at.line())).or_default() += 1;
    }
}

/// One reading of [`Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Operations given to the device.
    pub operations: u64,
    /// Kernels started for them; counted when they are started, which fusion puts off until somebody waits.
    pub launches: u64,
    /// Copies from the device: each waits until the device has done what was given before.
    pub to_host: u64,
    /// Bytes of them.
    pub bytes_to_host: u64,
    /// Copies to the device.
    pub to_device: u64,
    /// Bytes of them.
    pub bytes_to_device: u64,
}

impl Snapshot {
    /// What happened since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            operations: self.operations - earlier.operations,
            launches: self.launches - earlier.launches,
            to_host: self.to_host - earlier.to_host,
            bytes_to_host: self.bytes_to_host - earlier.bytes_to_host,
            to_device: self.to_device - earlier.to_device,
            bytes_to_device: self.bytes_to_device - earlier.bytes_to_device,
        }
    }
}

impl Counts {
    pub(super) fn operation(&self) {
        self.operations.set(self.operations.get() + 1);
        self.queued.set(self.queued.get().saturating_add(1));
    }
    /// Operations since a number was read or a queue was ended.
    pub(super) fn queued(&self) -> u32 {
        self.queued.get()
    }
    /// What was queued has been handed over.
    pub(super) fn handed_over(&self) {
        self.queued.set(0);
    }
    #[track_caller]
    pub(super) fn to_host(&self, bytes: usize) {
        self.to_host.note(bytes, Location::caller());
        self.handed_over();
    }
    #[track_caller]
    pub(super) fn to_device(&self, bytes: usize) {
        self.to_device.note(bytes, Location::caller());
    }
    /// The counts as they stand.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            operations: self.operations.get(),
            launches: launches::launched(),
            to_host: self.to_host.times.get(),
            bytes_to_host: self.to_host.bytes.get(),
            to_device: self.to_device.times.get(),
            bytes_to_device: self.to_device.bytes.get(),
        }
    }
    /// Which kernels were started, the most frequent first.
    pub fn kernels(&self) -> Vec<(String, u64)> {
        launches::names()
    }
    /// Which lines copied to the host and to the device, the most frequent first: `("src/…rs:12", 3)`.
    pub fn places(&self) -> [Vec<(String, u64)>; 2] {
        [&self.to_host, &self.to_device].map(|direction| {
            let places = direction.places.borrow();
            let mut list: Vec<(String, u64)> = places.iter().map(|((f, l), n)| (format!("{f}:{l}"), *n)).collect();
            list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list
        })
    }
}
