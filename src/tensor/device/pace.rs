//! How far the program runs ahead of a device. Operations are queued for the thread that fuses them, and kernels for the device behind it; nothing in
//! Burn bounds the first queue. A loop that reads no number would fill it for minutes, and an interrupt would wait for all of it.
//!
//! Where a queue ends also says what is fused. Cut at the same place of each step, every step is the same graph, whose plan is found again; cut
//! where a search gave up, the graphs differ from step to step, and each is searched anew.

/// Operations that are queued at most where no step ends and no number is read.
pub(crate) const MOST: u32 = 1024;
/// Steps after which the device itself is waited for.
#[cfg(feature = "cubecl")]
pub(crate) const STEPS: u32 = 32;

/// Hands over what is queued, and where asked waits until the device has done it.
#[cfg(feature = "cubecl")]
pub(crate) fn end(device: &burn::backend::DispatchDevice, wait: bool) {
    use burn::backend::Backend as _;
    use burn_cubecl::CubeBackend;

    let burn::backend::DispatchDevice::Cube(device) = device else { return };
    let client = burn::backend::fusion::get_client::<CubeBackend>(device);
    // What failed is said by whoever reads the tensor that it should have become.
    let of = device.clone();
    let _ = client.try_sync(move || if wait { CubeBackend::sync(&of).is_ok() } else { true });
}
