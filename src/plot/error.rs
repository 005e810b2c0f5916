//! What can go wrong between plain data and a picture.

use std::path::PathBuf;

use thiserror::Error;

use super::output::{MAX_PIXELS, MAX_SIDE};

/// Why a picture could not be made. Every message says what was given and what was expected.
#[derive(Debug, Error)]
pub enum PlotError {
    #[error("{what} is empty: there is nothing to draw")]
    Empty { what: String },

    #[error("{what} has {got} values, expected {expected}: {why}")]
    Length { what: String, got: usize, expected: usize, why: String },

    #[error("limits of {what} are ({low}, {high}): expected two finite numbers, the first below the second")]
    Limits { what: String, low: f64, high: f64 },

    #[error("limits of {what} are ({low}, {high}): a logarithmic scale needs both above zero")]
    LogLimits { what: String, low: f64, high: f64 },

    #[error("{what} is {value}: expected {expected}")]
    Value { what: String, value: f64, expected: &'static str },

    #[error(
        "a picture of {width} × {height} at scale {scale} is too large: at most {MAX_SIDE} pixels a side \
         and {MAX_PIXELS} in all"
    )]
    TooLarge { width: f64, height: f64, scale: f64 },

    #[error("a picture of {width} × {height} has no room for its {what}: make it larger")]
    TooSmall { width: f64, height: f64, what: &'static str },

    #[error("cannot tell the kind of picture from `{path}`: known endings are {known}")]
    Extension { path: PathBuf, known: &'static str },

    #[error("frame {frame}: {source}")]
    Frame { frame: usize, source: Box<PlotError> },

    #[error("stopped after {done} of {all} frames")]
    Interrupted { done: usize, all: usize },

    #[error("stopped before the picture was finished")]
    Stopped,

    #[error("drawing failed: {0}")]
    Draw(String),

    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}
