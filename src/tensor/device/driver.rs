//! The NVIDIA driver and the compiler NVRTC, asked through their libraries as they are found at run time.

/// What the driver says about a card.
#[derive(Debug, Clone)]
#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), allow(dead_code))]
pub(super) struct Card {
    pub name: String,
    /// Bytes.
    pub memory: usize,
    /// The newest CUDA that the driver supports: 1000 · major + 10 · minor.
    pub version: i32,
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod here {
    pub fn cards() -> Result<Vec<super::Card>, String> {
        Err("the driver is looked for on Linux only".into())
    }
    pub fn compiler() -> Result<(), String> {
        Ok(())
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod here {
    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::sync::OnceLock;

    use super::Card;

    /// A library that is open for as long as the process lives: its functions may be called at any time.
    struct Library(*mut c_void);

    impl Library {
        fn open(names: &[&str]) -> Option<Self> {
            names.iter().find_map(|name| {
                let name = CString::new(*name).ok()?;
                // SAFETY: the name is a string that ends in 0; the constructors of these libraries are meant to be run this way.
                let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
                (!handle.is_null()).then_some(Self(handle))
            })
        }
        fn symbol(&self, name: &CStr) -> Result<*mut c_void, String> {
            // SAFETY: the handle is that of a library that was opened and never closed.
            let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
            if address.is_null() { Err(format!("the driver has no function {name:?}")) } else { Ok(address) }
        }
    }

    /// The cards, or why there is none. The driver is asked once: what it says does not change while a process lives.
    pub fn cards() -> Result<Vec<Card>, String> {
        static KNOWN: OnceLock<Result<Vec<Card>, String>> = OnceLock::new();
        KNOWN.get_or_init(ask).clone()
    }

    fn ask() -> Result<Vec<Card>, String> {
        let driver = Library::open(&["libcuda.so", "libcuda.so.1"])
            .ok_or("the NVIDIA driver is not installed (there is no libcuda.so)")?;
        type Number = unsafe extern "C" fn(*mut c_int) -> c_int;
        type Init = unsafe extern "C" fn(u32) -> c_int;
        type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
        type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
        type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
        // SAFETY: the types are those of the CUDA driver API for these names (cuda.h), which it keeps for ever.
        let (init, version, count, get, name, memory) = unsafe {
            (
                std::mem::transmute::<*mut c_void, Init>(driver.symbol(c"cuInit")?),
                std::mem::transmute::<*mut c_void, Number>(driver.symbol(c"cuDriverGetVersion")?),
                std::mem::transmute::<*mut c_void, Number>(driver.symbol(c"cuDeviceGetCount")?),
                std::mem::transmute::<*mut c_void, Get>(driver.symbol(c"cuDeviceGet")?),
                std::mem::transmute::<*mut c_void, Name>(driver.symbol(c"cuDeviceGetName")?),
                std::mem::transmute::<*mut c_void, Memory>(driver.symbol(c"cuDeviceTotalMem_v2")?),
            )
        };
        let said = |code: c_int| if code == 0 { Ok(()) } else { Err(meaning(code)) };
        let (mut api, mut cards) = (0, 0);
        // SAFETY: every pointer is to a local of the type that the function writes.
        unsafe {
            said(init(0))?;
            said(version(&mut api))?;
            said(count(&mut cards))?;
        }
        if cards == 0 {
            return Err("the driver sees no card".into());
        }
        (0..cards)
            .map(|index| {
                let (mut device, mut bytes, mut text) = (0, 0usize, [0 as c_char; 256]);
                // SAFETY: as above; the text is given with its length and ends in 0.
                let name = unsafe {
                    said(get(&mut device, index))?;
                    said(memory(&mut bytes, device))?;
                    said(name(text.as_mut_ptr(), text.len() as c_int - 1, device))?;
                    CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
                };
                Ok(Card { name, memory: bytes, version: api })
            })
            .collect()
    }

    /// The answers of the driver that a user can do something about (cuda.h, `CUresult`).
    fn meaning(code: c_int) -> String {
        let text = match code {
            2 => "the card is out of memory",
            34 => "the driver's library is a stub: the driver itself is not installed",
            100 => "the driver sees no card",
            101 => "the card does not answer as it should",
            802 => "the system that the cards share is not ready yet",
            803 => "the driver's library and its kernel module have different versions: restart the machine",
            804 => "the card does not support this compatibility library",
            999 => "the driver failed for an unknown reason: nvidia-smi may say more",
            _ => return format!("the driver answers with error {code}"),
        };
        text.to_string()
    }

    /// Whether NVRTC is there, which compiles the kernels: by the names that the backend looks for.
    pub fn compiler() -> Result<(), String> {
        static KNOWN: OnceLock<bool> = OnceLock::new();
        let names = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11"];
        if *KNOWN.get_or_init(|| Library::open(&names).is_some()) {
            Ok(())
        } else {
            Err("NVRTC is not installed (there is no libnvrtc.so): install the CUDA toolkit, or its package cuda-nvrtc, and put its folder into LD_LIBRARY_PATH".into())
        }
    }
}

pub(super) use here::{cards, compiler};
