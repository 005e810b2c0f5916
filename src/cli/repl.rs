//! `ansatz repl`.

use super::OK;
use super::options::SessionOptions;

pub fn repl(_options: SessionOptions) -> i32 {
    OK
}
