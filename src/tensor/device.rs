//! What tensors are computed on, and what of it this machine has.
//!
//! The CUDA driver is asked by its own library, opened by name: without one nothing is loaded, and the answer is a sentence instead of
//! the panic that the bindings of the backend end in. It answers without the cargo feature `cuda` too, so that `ansatz devices`
//! can say what a build with it would find.

mod driver;
#[cfg(feature = "cubecl")]
mod fusion;
pub(crate) mod launches;
pub(crate) mod pace;
mod vulkan;

use std::fmt;

use burn::backend::{Backend as _, Dispatch, DispatchDevice};
use burn::tensor::{BoolStore, DType};

use super::context::Precision;
use crate::error::{Error, Result};
use crate::session::Limits;

/// A device that can be used: made by [`Device::named`], which looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Cpu,
    Lowered,
    // Not made in a build without the backend.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code))]
    Cuda(usize),
    #[cfg_attr(not(feature = "vulkan"), allow(dead_code))]
    Vulkan(usize),
}

/// A backend that is looked for at run time.
#[derive(Clone, Copy)]
struct Backend {
    /// What `--device` takes, and the cargo feature.
    name: &'static str,
    /// What people call it.
    text: &'static str,
    built: bool,
}

const CUDA: Backend = Backend { name: "cuda", text: "CUDA", built: cfg!(feature = "cuda") };
const VULKAN: Backend = Backend { name: "vulkan", text: "Vulkan", built: cfg!(feature = "vulkan") };

impl Backend {
    /// How to build with it.
    fn build(self) -> String {
        format!("cargo build --release --features {} (docs/gpu.md)", self.name)
    }
    /// The number behind `"cuda:1"`, 0 for `"cuda"`.
    fn index(self, text: &str) -> Option<usize> {
        match text.strip_prefix(self.name)?.strip_prefix(':') {
            None => (text == self.name).then_some(0),
            Some(index) if index.bytes().all(|b| b.is_ascii_digit()) => index.parse().ok(),
            Some(_) => None,
        }
    }
    fn unusable(self, text: &str, why: String) -> Error {
        Error::value(format!("no {} device can be used: {why}", self.text))
            .got(format!("{text:?}"))
            .advice("--device cpu; ansatz devices lists what there is")
    }
    /// Whether there is a device of that number among so many.
    fn check(self, text: &str, index: usize, count: usize) -> Result<()> {
        if index < count {
            return Ok(());
        }
        let last = count.saturating_sub(1);
        let name = self.name;
        let error = Error::value(format!("there is no {} device of that number", self.text))
            .got(format!("{text:?}"))
            .expected(if last == 0 { format!("{name}:0") } else { format!("{name}:0 to {name}:{last}") });
        Err(if name == CUDA.name {
            error.advice("CUDA_VISIBLE_DEVICES, where it is set, hides the others")
        } else {
            error.advice("ansatz devices lists what there is")
        })
    }
}

impl Device {
    /// The CPU, with the kernels of this program.
    pub const CPU: Self = Self(Kind::Cpu);
    /// The CPU by the tensor operations alone that an accelerator is given, for tests: what it computes, copies and counts is
    /// what the same script does on one.
    pub const LOWERED: Self = Self(Kind::Lowered);

    /// `"cpu"`, `"cuda"` (the first card), `"cuda:1"`; `"lowered"` for [`LOWERED`](Self::LOWERED).
    ///
    /// # Errors
    /// When there is no such device here, with the reason.
    pub fn named(text: &str) -> Result<Self> {
        let text = text.trim();
        match text {
            "cpu" => return Ok(Self::CPU),
            "lowered" => return Ok(Self::LOWERED),
            _ => {}
        }
        let asked = [CUDA, VULKAN].into_iter().find_map(|backend| Some((backend, backend.index(text)?)));
        let Some((backend, index)) = asked else {
            return Err(Error::value("there is no device of that name")
                .got(format!("{text:?}"))
                .expected("\"cpu\", \"cuda\", \"cuda:N\", \"vulkan\" or \"vulkan:N\"")
                .advice("ansatz devices lists what there is"));
        };
        if !backend.built {
            return Err(Error::value(format!(
                "this build of ansatz has no device {text:?}: it was built without {}",
                backend.text
            ))
            .expected("\"cpu\"")
            .advice(format!("build it with {}", backend.build())));
        }
        #[cfg(feature = "cubecl")]
        fusion::configure();
        let unusable = |why| backend.unusable(text, why);
        let kind = if backend.name == CUDA.name {
            backend.check(text, index, driver::cards().map_err(unusable)?.len())?;
            driver::compiler().map_err(unusable)?;
            Kind::Cuda(index)
        } else {
            backend.check(text, index, vulkan::cards().map_err(unusable)?.len())?;
            vulkan::open(index).map_err(unusable)?;
            Kind::Vulkan(index)
        };
        #[cfg(feature = "cubecl")]
        launches::watch();
        Ok(Self(kind))
    }

    /// Whether the kernels of this program for the CPU are used.
    pub fn has_kernels(self) -> bool {
        self.0 == Kind::Cpu
    }
    /// Whether it computes in that precision. Vulkan knows sums and products in `f64`, but its exponentials, logarithms and sines are
    /// those of GLSL.std.450, for 32 bits at most.
    pub fn supports(self, precision: Precision) -> bool {
        match (precision, self.0) {
            (Precision::F32, _) | (_, Kind::Cpu | Kind::Lowered) => true,
            (Precision::F64, Kind::Vulkan(_)) => false,
            (Precision::F64, Kind::Cuda(_)) => Dispatch::supports_dtype(&self.burn(), DType::F64),
        }
    }
    /// Whether it knows whole numbers of 64 bits.
    pub(super) fn has_long_integers(self) -> bool {
        !self.is_cube() || Dispatch::supports_dtype(&self.burn(), DType::I64)
    }
    /// How masks are held: no kernel of CubeCL takes native ones, and WGSL has no bytes.
    pub(super) fn bool_store(self) -> BoolStore {
        if !self.is_cube() {
            return BoolStore::Native;
        }
        let known = |store| Dispatch::supports_dtype(&self.burn(), DType::Bool(store));
        if known(BoolStore::U8) { BoolStore::U8 } else { BoolStore::U32 }
    }
    /// Refuses a precision that the device does not know.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(self, precision: Precision) -> Result<()> {
        if self.supports(precision) {
            return Ok(());
        }
        Err(Error::value(format!("{self} does not compute in double precision"))
            .got(precision.name())
            .expected("f32")
            .advice("leave --precision f64 out, or compute with --device cpu"))
    }
    /// Bytes that the threads of one cube share.
    #[cfg(feature = "cubecl")]
    pub(super) fn shared_memory(self) -> usize {
        match self.burn() {
            DispatchDevice::Cube(device) => device.client().properties().hardware.max_shared_memory_size,
            #[allow(unreachable_patterns)]
            _ => 0,
        }
    }
    /// Bytes that one buffer may have and a kernel may read.
    #[cfg(feature = "cubecl")]
    pub(crate) fn largest_buffer(self) -> usize {
        match self.burn() {
            DispatchDevice::Cube(device) => device.client().properties().memory.max_page_size as usize,
            #[allow(unreachable_patterns)]
            _ => usize::MAX,
        }
    }
    /// Whether kernels written with CubeCL run on it.
    pub fn is_cube(self) -> bool {
        matches!(self.0, Kind::Cuda(_) | Kind::Vulkan(_))
    }
    /// `"cpu"` for both that compute there, else `"gpu"`.
    pub fn place(self) -> &'static str {
        match self.0 {
            Kind::Cpu | Kind::Lowered => "cpu",
            Kind::Cuda(_) | Kind::Vulkan(_) => "gpu",
        }
    }
    /// Bytes that tensors may hold when nothing else is said: three quarters of the machine's memory, nine tenths of a card's.
    pub fn usual_limit(self) -> usize {
        match self.0 {
            Kind::Cpu | Kind::Lowered => Limits::default().tensor_bytes,
            Kind::Cuda(index) => driver::cards()
                .ok()
                .and_then(|cards| cards.get(index).map(|card| card.memory / 10 * 9))
                .unwrap_or(usize::MAX),
            #[cfg(feature = "vulkan")]
            Kind::Vulkan(index) => {
                // The memory of a device in software, and of one within the processor, is the machine's.
                let machine = Limits::default().tensor_bytes;
                let shared = vulkan::cards().is_ok_and(|cards| cards.get(index).is_some_and(|card| card.shared));
                let own = vulkan::memory(index).map_or(machine, |bytes| bytes / 10 * 9);
                if shared { own.min(machine) } else { own }
            }
            #[cfg(not(feature = "vulkan"))]
            Kind::Vulkan(_) => Limits::default().tensor_bytes,
        }
    }
    pub(super) fn burn(self) -> DispatchDevice {
        match self.0 {
            Kind::Cpu | Kind::Lowered => DispatchDevice::Flex(Default::default()),
            #[cfg(feature = "cuda")]
            Kind::Cuda(index) => burn::backend::CudaDevice::new(index).into(),
            #[cfg(not(feature = "cuda"))]
            Kind::Cuda(_) => DispatchDevice::Flex(Default::default()),
            #[cfg(feature = "vulkan")]
            Kind::Vulkan(index) => vulkan::selector(index).unwrap_or_default().into(),
            #[cfg(not(feature = "vulkan"))]
            Kind::Vulkan(_) => DispatchDevice::Flex(Default::default()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Cpu => f.write_str("cpu"),
            Kind::Lowered => f.write_str("lowered"),
            Kind::Cuda(index) => write!(f, "cuda:{index}"),
            Kind::Vulkan(index) => write!(f, "vulkan:{index}"),
        }
    }
}

/// One line of `ansatz devices`.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name that `--device` takes.
    pub name: String,
    /// What it is: cores or the card's name, memory, driver.
    pub text: String,
    /// Why it cannot be used; `None` when it can.
    pub unusable: Option<String>,
}

/// What there is on this machine, usable or not.
pub fn devices() -> Vec<Found> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = Limits::physical_memory().map_or("an unknown amount of memory".into(), |bytes| {
        format!("{} of memory", super::context::human_bytes(bytes))
    });
    let text = format!("{cores} core{}, {memory}", if cores == 1 { "" } else { "s" });
    let mut found = vec![Found { name: "cpu".into(), text, unusable: None }];
    let not_built = |backend: Backend| {
        (!backend.built).then(|| format!("this program was built without {}: {}", backend.text, backend.build()))
    };
    match driver::cards() {
        Err(why) => found.push(Found { name: "cuda".into(), text: "no card".into(), unusable: Some(why) }),
        Ok(cards) => found.extend(cards.into_iter().enumerate().map(|(index, card)| Found {
            name: format!("cuda:{index}"),
            text: format!(
                "{}, {} of memory, driver for CUDA {}.{}",
                card.name,
                super::context::human_bytes(card.memory),
                card.version / 1000,
                card.version % 1000 / 10
            ),
            unusable: not_built(CUDA).or_else(|| driver::compiler().err()),
        })),
    }
    match vulkan::cards() {
        Err(why) => found.push(Found {
            name: "vulkan".into(),
            text: if VULKAN.built { "no device" } else { "not looked for" }.into(),
            unusable: not_built(VULKAN).or(Some(why)),
        }),
        Ok(cards) => found.extend(cards.into_iter().enumerate().map(|(index, card)| Found {
            name: format!("vulkan:{index}"),
            text: format!("{}, {}, driver {}", card.name, card.kind, card.driver),
            unusable: None,
        })),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_reasons_are_given() {
        assert_eq!(Device::named("cpu").map(|d| d.to_string()).ok().as_deref(), Some("cpu"));
        assert_eq!(Device::named(" lowered ").ok(), Some(Device::LOWERED));
        for text in [
            "",
            "gpu",
            "vulkan:",
            "vulkan:x",
            "vulkano",
            "cuda:",
            "cuda:x",
            "cuda:-1",
            "cuda:1:2",
            "cpu:1",
            "CUDA",
            "cuda:99999999999999999999999",
        ] {
            let said = Device::named(text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains("device"), "{text:?}: {said}");
        }
        // Whatever this machine has, there are not so many cards.
        for (text, backend) in [("cuda:4000", "CUDA"), ("vulkan:4000", "Vulkan")] {
            let said = Device::named(text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains(backend) && said.contains("advice"), "{said}");
        }
    }

    #[test]
    fn a_machine_has_a_cpu_and_says_why_it_has_no_card() {
        let found = devices();
        assert!(found[0].name == "cpu" && found[0].unusable.is_none());
        assert!(found.len() > 1 && found[1].name.starts_with("cuda"));
        assert!(found[1].unusable.as_ref().is_none_or(|why| why.len() > 10), "{found:?}");
    }
}
