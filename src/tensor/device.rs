//! What tensors are computed on, and what of it this machine has.
//!
//! The CUDA driver is asked by its own library, opened by name: without one nothing is loaded, and the answer is a sentence instead of
//! the panic that the bindings of the backend end in. It answers without the cargo feature `cuda` too, so that `ansatz devices`
//! can say what a build with it would find.

mod driver;

use std::fmt;

use burn::backend::DispatchDevice;

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
}

/// How to build with the backend.
const BUILD: &str = "cargo build --release --features cuda (docs/gpu.md)";

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
        let index = match text.split_once(':') {
            None if text == "cpu" => return Ok(Self::CPU),
            None if text == "lowered" => return Ok(Self::LOWERED),
            None if text == "cuda" => Some(0),
            Some(("cuda", index)) if index.bytes().all(|b| b.is_ascii_digit()) => index.parse::<usize>().ok(),
            _ => None,
        };
        let Some(index) = index else {
            return Err(Error::value("there is no device of that name")
                .got(format!("{text:?}"))
                .expected("\"cpu\", \"cuda\" or \"cuda:N\"")
                .advice("ansatz devices lists what there is"));
        };
        if !cfg!(feature = "cuda") {
            return Err(Error::value(format!(
                "this build of ansatz has no device {text:?}: it was built without CUDA"
            ))
            .expected("\"cpu\"")
            .advice(format!("build it with {BUILD}")));
        }
        let cards = driver::cards().map_err(|why| {
            Error::value(format!("no CUDA device can be used: {why}")).got(format!("{text:?}")).advice("--device cpu")
        })?;
        if index >= cards.len() {
            let last = cards.len().saturating_sub(1);
            return Err(Error::value("there is no CUDA device of that number")
                .got(format!("{text:?}"))
                .expected(if last == 0 { "cuda:0".to_string() } else { format!("cuda:0 to cuda:{last}") })
                .advice("CUDA_VISIBLE_DEVICES, where it is set, hides the others"));
        }
        driver::compiler().map_err(|why| {
            Error::value(format!("no CUDA device can be used: {why}")).got(format!("{text:?}")).advice("--device cpu")
        })?;
        Ok(Self(Kind::Cuda(index)))
    }

    /// Whether the kernels of this program for the CPU are used.
    pub fn has_kernels(self) -> bool {
        self.0 == Kind::Cpu
    }
    /// `"cpu"` for both that compute there, else `"gpu"`.
    pub fn place(self) -> &'static str {
        match self.0 {
            Kind::Cpu | Kind::Lowered => "cpu",
            Kind::Cuda(_) => "gpu",
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
        }
    }
    pub(super) fn burn(self) -> DispatchDevice {
        match self.0 {
            Kind::Cpu | Kind::Lowered => DispatchDevice::Flex(Default::default()),
            #[cfg(feature = "cuda")]
            Kind::Cuda(index) => burn::backend::CudaDevice::new(index).into(),
            #[cfg(not(feature = "cuda"))]
            Kind::Cuda(_) => DispatchDevice::Flex(Default::default()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Cpu => f.write_str("cpu"),
            Kind::Lowered => f.write_str("lowered"),
            Kind::Cuda(index) => write!(f, "cuda:{index}"),
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
    let not_built = || (!cfg!(feature = "cuda")).then(|| format!("this program was built without CUDA: {BUILD}"));
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
            unusable: not_built().or_else(|| driver::compiler().err()),
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
        for text in
            ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cpu:1", "CUDA", "cuda:99999999999999999999999"]
        {
            let said = Device::named(text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains("device"), "{text:?}: {said}");
        }
        // Whatever this machine has, there are not so many cards.
        let said = Device::named("cuda:4000").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains("CUDA") && said.contains("advice"), "{said}");
    }

    #[test]
    fn a_machine_has_a_cpu_and_says_why_it_has_no_card() {
        let found = devices();
        assert!(found[0].name == "cpu" && found[0].unusable.is_none());
        assert!(found.len() > 1 && found[1].name.starts_with("cuda"));
        assert!(found[1].unusable.as_ref().is_none_or(|why| why.len() > 10), "{found:?}");
    }
}
