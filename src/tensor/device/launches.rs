//! How many kernels were started on CubeCL's devices by this process, and which.

/// Kernels started so far.
#[cfg(not(feature = "cubecl"))]
pub(crate) fn launched() -> u64 {
    0
}
/// Kernels started so far by name, the most frequent first.
#[cfg(not(feature = "cubecl"))]
pub(crate) fn names() -> Vec<(String, u64)> {
    Vec::new()
}

#[cfg(feature = "cubecl")]
pub(crate) use here::{launched, names, watch};

#[cfg(feature = "cubecl")]
mod here {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, OnceLock};

    use cubecl::logging::{LaunchObservation, LaunchObserver};

    static LAUNCHED: AtomicU64 = AtomicU64::new(0);
    static NAMES: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

    struct Counter;

    impl LaunchObserver for Counter {
        fn launched(&self, kernel: &'static str) {
            LAUNCHED.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut names) = NAMES.lock() {
                *names.entry(kernel).or_default() += 1;
            }
        }
    }

    /// Counts from now on, for as long as the process lives.
    pub fn watch() {
        static WATCHING: OnceLock<LaunchObservation> = OnceLock::new();
        WATCHING.get_or_init(|| LaunchObservation::new(Arc::new(Counter)));
    }
    pub fn launched() -> u64 {
        LAUNCHED.load(Ordering::Relaxed)
    }
    /// The last parts of the kernels' paths.
    pub fn names() -> Vec<(String, u64)> {
        let mut short: BTreeMap<String, u64> = BTreeMap::new();
        if let Ok(names) = NAMES.lock() {
            for (name, count) in names.iter() {
                *short.entry(shortened(name)).or_default() += count;
            }
        }
        let mut list: Vec<_> = short.into_iter().collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list
    }

    /// `a::b::Kernel<c::D>` as `Kernel<D>`.
    fn shortened(name: &str) -> String {
        let mut out = String::new();
        let mut word = String::new();
        for c in name.chars() {
            match c {
                ':' => word.clear(),
                c if c.is_alphanumeric() || c == '_' => word.push(c),
                c => {
                    out.push_str(&word);
                    word.clear();
                    out.push(c);
                }
            }
        }
        out.push_str(&word);
        out
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn names_of_kernels_are_shortened() {
            assert_eq!(super::shortened("a::b::Kernel<c::D, x::E>"), "Kernel<D, E>");
        }
    }
}
