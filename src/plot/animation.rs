//! Sequences of figures as GIF files.
//!
//! All frames share one palette, made from frames spread over the sequence, so that colours do not flicker; a frame holds
//! only the box that changed since the one before.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::error::PlotError;
use super::heat_map::HeatMap;
use super::output::{extension, write_whole};
use super::raster::{Pixels, drawing_failed, rasterise};
use super::ticks::scientific;
use super::values::Values2d;
use super::{Figure, Panel};

/// Figures one after the other. Every frame has the size of the first.
#[derive(Clone, Debug)]
pub struct Animation {
    pub frames: Vec<Figure>,
    /// Between 0.1 and 50; viewers know hundredths of a second. 12 by default.
    pub frames_per_second: f64,
    /// How often to play, forever by default.
    pub times: Option<u16>,
    /// Pixels per unit of size. 1.25 by default.
    pub scale: f64,
}

impl Default for Animation {
    fn default() -> Self {
        Animation { frames: Vec::new(), frames_per_second: 12.0, times: None, scale: 1.25 }
    }
}

/// Frames that the palette is made from.
const SAMPLED: usize = 12;
/// Colours that are kept as they are: paper, ink, rules and the like.
const KEPT: usize = 24;
const COLOURS: usize = 256;
const MOST_FRAMES: usize = 10_000;

impl Animation {
    /// Figures with the defaults.
    pub fn new(frames: Vec<Figure>) -> Self {
        Animation { frames, ..Animation::default() }
    }

    /// One frame for each of `fields`, drawn like `like`, all with the same limits, and `t = …` after the title.
    ///
    /// # Errors
    /// [`PlotError::Length`] unless there is one time for each field or none, those of [`HeatMap`].
    pub fn of_fields(like: &HeatMap, fields: Vec<Values2d>, times: &[f64]) -> Result<Self, PlotError> {
        if !times.is_empty() && times.len() != fields.len() {
            let why = "one for each field".to_string();
            return Err(PlotError::Length {
                what: "the list of times".into(),
                got: times.len(),
                expected: fields.len(),
                why,
            });
        }
        let palette = like.colours.fit(fields.iter())?;
        let mut template = HeatMap { field: Values2d::default(), ..like.clone() };
        template.colours.limits = Some((palette.span.low, palette.span.high));
        template.colours.map = Some(palette.map);
        let frame = |(index, field): (usize, Values2d)| {
            let mut map = HeatMap { field, ..template.clone() };
            if let Some(time) = times.get(index) {
                let separator = if map.title.is_empty() { "" } else { ",  " };
                map.title = format!("{}{separator}t = {}", map.title, scientific(*time, 3));
            }
            Figure::new(Panel::HeatMap(map))
        };
        Ok(Animation::new(fields.into_iter().enumerate().map(frame).collect()))
    }

    /// The bytes of a GIF file.
    ///
    /// # Errors
    /// As [`Animation::to_gif_bytes_with`].
    pub fn to_gif_bytes(&self) -> Result<Vec<u8>, PlotError> {
        self.to_gif_bytes_with(&mut |_, _| true)
    }

    /// The bytes of a GIF file. `progress(done, all)` is called before each frame and stops the work with `false`.
    ///
    /// # Errors
    /// [`PlotError::Empty`] without frames, [`PlotError::Value`] for a frame rate out of range,
    /// [`PlotError::Frame`] with the error of a frame, [`PlotError::Interrupted`].
    pub fn to_gif_bytes_with(&self, progress: &mut dyn FnMut(usize, usize) -> bool) -> Result<Vec<u8>, PlotError> {
        let all = self.frames.len();
        let mut go_on = |done: usize| {
            if progress(done, all) { Ok(()) } else { Err(PlotError::Interrupted { done, all }) }
        };
        self.check()?;
        let mut samples = Vec::new();
        for index in (0..all).step_by(all.div_ceil(SAMPLED)).chain(std::iter::once(all - 1)) {
            go_on(0)?;
            samples.push(self.pixels(index)?);
        }
        let mut table = Table::of(&samples);
        let (width, height) = samples.first().map_or((1, 1), |pixels| (pixels.width as u16, pixels.height as u16));
        drop(samples);

        let mut encoder = Encoder::new(Vec::new(), width, height, &table.rgb()).map_err(drawing_failed)?;
        let repeat = self.times.map_or(Repeat::Infinite, |times| Repeat::Finite(times.saturating_sub(1)));
        encoder.set_repeat(repeat).map_err(drawing_failed)?;
        let delay = (100.0 / self.frames_per_second).round() as u16;
        let mut before: Option<Vec<u8>> = None;
        for index in 0..all {
            go_on(index)?;
            let indices = table.indices(&self.pixels(index)?);
            let frame = changed(before.as_deref(), &indices, usize::from(width));
            encoder.write_frame(&Frame { delay, dispose: DisposalMethod::Keep, ..frame }).map_err(drawing_failed)?;
            before = Some(indices);
        }
        encoder.into_inner().map_err(drawing_failed)
    }

    /// Writes a GIF file, whole or not at all.
    ///
    /// # Errors
    /// As [`Animation::to_gif_bytes_with`], [`PlotError::Extension`], [`PlotError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        self.save_with(path, &mut |_, _| true)
    }

    /// [`Animation::save`] with the `progress` of [`Animation::to_gif_bytes_with`].
    ///
    /// # Errors
    /// As [`Animation::save`].
    pub fn save_with(
        &self,
        path: impl AsRef<Path>,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<(), PlotError> {
        let path = path.as_ref();
        if extension(path) != "gif" {
            return Err(PlotError::Extension { path: path.to_path_buf(), known: ".gif for animations" });
        }
        write_whole(path, &self.to_gif_bytes_with(progress)?)
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.frames.is_empty() {
            return Err(PlotError::Empty { what: "the animation".into() });
        }
        if self.frames.len() > MOST_FRAMES {
            let value = self.frames.len() as f64;
            return Err(PlotError::Value { what: "the number of frames".into(), value, expected: "at most 10 000" });
        }
        if !(0.1..=50.0).contains(&self.frames_per_second) {
            let value = self.frames_per_second;
            return Err(PlotError::Value {
                what: "the frame rate".into(),
                value,
                expected: "0.1 to 50 frames per second",
            });
        }
        Ok(())
    }

    fn pixels(&self, index: usize) -> Result<Pixels, PlotError> {
        let size = self.frames.first().map_or((1.0, 1.0), Figure::size_or_natural);
        let frame = self.frames.get(index).ok_or(PlotError::Empty { what: "the animation".into() })?;
        let drawn = frame.scene(size).and_then(|scene| rasterise(&scene, self.scale));
        drawn.map_err(|source| PlotError::Frame { frame: index + 1, source: Box::new(source) })
    }
}

/// A table of 256 colours and the nearest of them to colours seen so far.
struct Table {
    colours: Vec<[u8; 3]>,
    known: HashMap<[u8; 3], u8>,
}

impl Table {
    /// All colours if they are few; otherwise the most frequent ones as they are, and for the rest always the colour
    /// farthest from all chosen ones (Gonzalez 1985). The error of every pixel is bounded by that, so the rare ends of a
    /// colour map stay as smooth as its middle, which methods that follow frequency lose.
    fn of(samples: &[Pixels]) -> Self {
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        for pixel in samples.iter().flat_map(|pixels| pixels.rgb.as_chunks::<3>().0) {
            *counts.entry(*pixel).or_default() += 1;
        }
        let mut ordered: Vec<([u8; 3], usize)> = counts.into_iter().collect();
        // By colour among equals, so that the same figures give the same bytes.
        ordered.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut colours: Vec<[u8; 3]> = ordered.iter().map(|(colour, _)| *colour).collect();
        if colours.len() > COLOURS {
            let rest = colours.split_off(KEPT);
            spread(&mut colours, &rest);
        }
        Table { colours, known: HashMap::new() }
    }

    fn rgb(&self) -> Vec<u8> {
        self.colours.concat()
    }

    fn indices(&mut self, pixels: &Pixels) -> Vec<u8> {
        let Table { colours, known } = self;
        let nearest = |pixel: [u8; 3]| {
            let numbered = colours.iter().enumerate();
            numbered.min_by_key(|(_, colour)| distance(**colour, pixel)).map_or(0, |(index, _)| index as u8)
        };
        pixels
            .rgb
            .as_chunks::<3>()
            .0
            .iter()
            .map(|pixel| *known.entry(*pixel).or_insert_with(|| nearest(*pixel)))
            .collect()
    }
}

/// Adds to the chosen colours, one by one, the candidate farthest from all of them.
fn spread(chosen: &mut Vec<[u8; 3]>, candidates: &[[u8; 3]]) {
    let mut far: Vec<u32> = candidates
        .iter()
        .map(|one| chosen.iter().map(|other| distance(*one, *other)).min().unwrap_or(u32::MAX))
        .collect();
    while chosen.len() < COLOURS {
        let farthest = candidates.iter().zip(&far).max_by_key(|(_, far)| **far);
        let Some(next) = farthest.map(|(colour, _)| *colour) else { return };
        chosen.push(next);
        for (far, candidate) in far.iter_mut().zip(candidates) {
            *far = (*far).min(distance(*candidate, next));
        }
    }
}

/// Squared distance of two colours.
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// The box of pixels that differ from the frame before.
fn changed(before: Option<&[u8]>, now: &[u8], width: usize) -> Frame<'static> {
    let height = now.len() / width.max(1);
    let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
    let Some(before) = before else {
        return Frame {
            width: width as u16,
            height: height as u16,
            buffer: Cow::Owned(now.to_vec()),
            ..Frame::default()
        };
    };
    for (y, (old, new)) in before.chunks_exact(width).zip(now.chunks_exact(width)).enumerate() {
        for (x, _) in old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b) {
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
    }
    if left >= right {
        // Nothing moved: a frame needs at least one pixel to pass its time.
        (left, right, top, bottom) = (0, 1, 0, 1);
    }
    let rows = now.chunks_exact(width).take(bottom).skip(top);
    let buffer: Vec<u8> = rows.flat_map(|row| row.iter().take(right).skip(left)).copied().collect();
    Frame {
        left: left as u16,
        top: top as u16,
        width: (right - left) as u16,
        height: (bottom - top) as u16,
        buffer: Cow::Owned(buffer),
        ..Frame::default()
    }
}
