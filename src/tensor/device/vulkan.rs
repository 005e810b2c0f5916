//! Vulkan drivers, asked through wgpu before Burn is: a device that cannot be opened is a sentence, not the panic that opening
//! it on first use would end in.

/// A device that a Vulkan driver offers.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "vulkan"), allow(dead_code))]
pub(super) struct Card {
    pub name: String,
    /// Discrete, integrated, virtual, or a driver that computes on the CPU.
    pub kind: &'static str,
    pub driver: String,
    /// Whether its memory is that of the machine.
    pub shared: bool,
}

#[cfg(not(feature = "vulkan"))]
mod here {
    pub fn cards() -> Result<Vec<super::Card>, String> {
        Err("this program was built without Vulkan".into())
    }
    pub fn open(_: usize) -> Result<(), String> {
        Err("this program was built without Vulkan".into())
    }
}

#[cfg(feature = "vulkan")]
mod here {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, OnceLock};

    use cubecl::wgpu::{
        RuntimeOptions, Vulkan, WgpuBackend, WgpuDevice, WgpuDeviceKind, WgpuInitError, try_init_setup, wgpu,
    };

    use super::Card;

    type Listed = Vec<(Card, WgpuDevice)>;

    /// The devices, those in software behind the others, else in the order of the drivers. Asked once: the Vulkan loader does not like instances that come and go.
    fn listed() -> Result<&'static Listed, String> {
        static KNOWN: OnceLock<Listed> = OnceLock::new();
        let known = KNOWN.get_or_init(ask);
        if known.is_empty() {
            return Err("no Vulkan driver offers a device (is one installed? vulkaninfo --summary)".into());
        }
        Ok(known)
    }

    fn ask() -> Listed {
        let backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = cubecl::future::block_on(instance.enumerate_adapters(backends));
        // Each kind counts its devices on its own; there is one place for a device in software.
        let mut counts = BTreeMap::new();
        let mut found: Listed = adapters
            .iter()
            .map(|adapter| {
                let info = adapter.get_info();
                let index: usize =
                    *counts.entry(format!("{:?}", info.device_type)).and_modify(|n| *n += 1).or_default();
                let (kind, selector) = match info.device_type {
                    wgpu::DeviceType::DiscreteGpu => ("a card", WgpuDeviceKind::DiscreteGpu(index)),
                    wgpu::DeviceType::IntegratedGpu => ("integrated", WgpuDeviceKind::IntegratedGpu(index)),
                    wgpu::DeviceType::VirtualGpu => ("virtual", WgpuDeviceKind::VirtualGpu(index)),
                    wgpu::DeviceType::Cpu => ("software, on the CPU", WgpuDeviceKind::Cpu),
                    wgpu::DeviceType::Other => ("of an unknown kind", WgpuDeviceKind::Other(index)),
                };
                let shared = matches!(selector, WgpuDeviceKind::Cpu | WgpuDeviceKind::IntegratedGpu(_));
                let card = Card {
                    name: info.name,
                    kind,
                    driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
                    shared,
                };
                (card, WgpuDevice::new(selector).on(WgpuBackend::Vulkan))
            })
            .collect();
        let in_software = |device: &WgpuDevice| device.kind == WgpuDeviceKind::Cpu;
        found.sort_by_key(|(_, device)| in_software(device));
        found.dedup_by(|a, b| in_software(&a.1) && in_software(&b.1));
        found
    }

    /// What the drivers offer, or why there is nothing.
    pub fn cards() -> Result<Vec<Card>, String> {
        Ok(listed()?.iter().map(|(card, _)| card.clone()).collect())
    }

    /// As Burn names it.
    pub fn selector(index: usize) -> Option<WgpuDevice> {
        listed().ok()?.get(index).map(|(_, device)| device.clone())
    }

    /// Opens a device for the time that the process lives, or says why it cannot be.
    pub fn open(index: usize) -> Result<(), String> {
        static OPENED: Mutex<BTreeMap<usize, Result<(), String>>> = Mutex::new(BTreeMap::new());
        let Some(device) = selector(index) else { return Err("there is no such device".into()) };
        let mut opened = OPENED.lock().map_err(|_| "opening a device failed before")?;
        let options = || RuntimeOptions::try_default().map_err(|e| e.to_string());
        opened
            .entry(index)
            .or_insert_with(|| match try_init_setup::<Vulkan>(&device, options()?) {
                Ok(_) => Ok(()),
                // Somebody else in this process has opened it.
                Err(WgpuInitError::Registration { .. }) => Ok(()),
                Err(why) => Err(why.to_string()),
            })
            .clone()
    }

    /// Bytes of memory of a device that is open, where its driver says so.
    pub fn memory(index: usize) -> Option<usize> {
        let client = cubecl::Device::Wgpu(selector(index)?).client();
        client.properties().memory.max_memory().and_then(|bytes| usize::try_from(bytes).ok())
    }
}

pub(super) use here::{cards, open};
#[cfg(feature = "vulkan")]
pub(super) use here::{memory, selector};
