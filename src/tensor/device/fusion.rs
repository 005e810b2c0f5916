//! How Burn joins operations into kernels: one setting of its search, made before a device is opened.

use cubecl::config::RuntimeConfig;
use serde_json::{Value, json};

/// Blocks that a search keeps open at once. Burn's 5 follow operations that do not depend on each other into blocks of their own, and cut the queue
/// where a sixth would begin, in the middle of a chain as often as not; with 1 a step of vorticity takes 42 launches in place of 70.
const BLOCKS: usize = 1;

/// Sets it, unless a `burn.toml` says something else or Burn was configured before.
pub(crate) fn configure() {
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = burn::BurnConfig::default().fusion().beam_search.max_blocks;
        let read = burn::BurnConfig::from_current_dir();
        if read.fusion().beam_search.max_blocks != usual {
            return;
        }
        let mut value = serde_json::to_value(&read).unwrap_or(Value::Null);
        if let Some(Value::Object(search)) = value.pointer_mut("/fusion/beam_search") {
            search.insert("max_blocks".into(), json!(BLOCKS));
        }
        if let Ok(config) = serde_json::from_value::<burn::BurnConfig>(value) {
            burn::BurnConfig::try_set(config.override_from_env());
        }
    });
}
