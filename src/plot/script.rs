//! Pictures in scripts: tensors and fields become the plain data that figures are made from.

mod curves;
mod data;
mod maps;
mod options;
mod several;

use std::fmt;

use rhai::Engine;

use self::curves::{histogram, lines, spectra, trajectories};
use self::maps::{heat_map, images, space_time, vectors};
use self::options::{axed, coloured, in_series, sized};
use self::several::{animation, panels};
use super::{Animation, Figure, PlotError};
use crate::error::Error;
use crate::script::registry::{Entry, entry};
use crate::session::interrupt;

impl From<PlotError> for Error {
    fn from(error: PlotError) -> Self {
        match error {
            PlotError::Write { .. } | PlotError::Extension { .. } => Error::file(error.to_string()),
            PlotError::Interrupted { .. } | PlotError::Stopped => {
                interrupt::poll().err().unwrap_or_else(Error::interrupted)
            }
            PlotError::TooLarge { .. } => Error::limit(error.to_string()),
            other => Error::value(other.to_string()),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size_or_natural();
        write!(f, "Figure {width:.0} × {height:.0}: save(figure, \"name.png\") writes it")
    }
}
impl fmt::Display for Animation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Animation of {} frames: save(animation, \"name.gif\") writes it", self.frames.len())
    }
}

pub(crate) fn types(engine: &mut Engine) {
    crate::script::engine::printable::<Figure>(engine, "Figure");
    crate::script::engine::printable::<Animation>(engine, "Animation");
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        in_series(axed(entry("plot::lines(series, [options])")), "a name for each line")
            .brief("Lines, points, bands and error bars over a linear or logarithmic axis.")
            .text("series: an array of lines; each is [x, y], y alone (a field over its axis, a path of numbers over its times), or #{ x, y, label, style, colour, band: [low, high], error }.")
            .option("style", "of lines that do not say theirs: \"line\", \"dashed\", \"dotted\", \"points\" or \"line_and_points\"")
            .example("let x = linspace(0, TAU, 50); plot::lines([[x, sin(x)], [x, cos(x)]], #{ labels: [\"sin\", \"cos\"], colours: [\"black\", \"#d55e00\"], x_label: \"x\" })", "Figure")
            .example("plot::lines([solve(equation(|u| dt(u) + u), 1.0, linspace(0, 3, 20))], #{ x_label: \"t\" })", "Figure")
            .run(lines),
        coloured(entry("plot::heat_map(field, [options])"))
            .brief("A field of two dimensions as colours, with a colour bar.")
            .option("sample", "which sample (0)")
            .option("channel", "which channel (0)")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("plot::heat_map(random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ seed: 1 }))", "Figure")
            .run(heat_map),
        coloured(entry("plot::images(fields, [options])"))
            .brief("Rows of small images: a row for each field, a column for each of its samples.")
            .option("columns", "how many samples (6)")
            .option("channel", "which channel (0)")
            .option("titles", "a name for each row")
            .option("column_titles", "a name for each column")
            .option("sharing", "one range of colours for \"all\", each \"row\" or each \"image\" (\"all\")")
            .example("plot::images([random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ samples: 3, seed: 1 })])", "Figure")
            .run(images),
        in_series(axed(entry("plot::spectrum(fields, [options])")), "a name for each field")
            .brief("Radial spectra of fields, with bands from 5 % to 95 % of the samples.")
            .option("kind", "\"energy\" or \"amplitude\" (\"energy\")")
            .option("band", "whether bands are drawn (true)")
            .example("plot::spectrum([random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ samples: 3, seed: 1 })])", "Figure")
            .run(spectra),
        in_series(axed(entry("plot::histogram(samples, [options])")), "a name for each set")
            .brief("Histograms of one or more sets of numbers, overlaid.")
            .text("samples: one set of numbers, or an array of sets; each is a tensor, an array, or #{ values, label, colour }. All have the same bins.")
            .option("bins", "how many, or the edges between them (by the data)")
            .option("density", "areas of 1 instead of counts (true)")
            .example("plot::histogram([random::normal([1000], #{ seed: 1 })], #{ x_label: \"value\" })", "Figure")
            .example("plot::histogram([random::normal([90], #{ seed: 1 }), random::uniform([90], #{ seed: 2 })], #{ labels: [\"normal\", \"uniform\"] })", "Figure")
            .run(histogram),
        coloured(entry("plot::space_time(path, [options])"))
            .brief("A one-dimensional field over time as colours.")
            .text("path: a path on a grid of one dimension, or a tensor [time, x].")
            .option("sample", "which sample (0)")
            .option("channel", "which channel (0)")
            .option("times", "[first, last], for a tensor")
            .option("space", "[low, high], for a tensor")
            .option("time_label", "with its unit (\"t\")")
            .option("space_label", "with its unit (\"x\")")
            .example("plot::space_time(random::normal([20, 30], #{ seed: 1 }))", "Figure")
            .run(space_time),
        coloured(entry("plot::animation(path, [options])"))
            .brief("A two-dimensional field over time, numbers [time, x, y], or an array of figures, as a moving picture.")
            .option("sample", "which sample (0)")
            .option("channel", "which channel (0)")
            .option("fps", "frames per second (12)")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("plot::animation([plot::lines([[0, 1]]), plot::lines([[1, 0]])])", "Animation")
            .example("plot::animation(random::normal([3, 8, 8], #{ seed: 1 }))", "Animation")
            .run(animation),
        sized(entry("plot::panels(figures, [options])"))
            .brief("Several figures in one, in rows.")
            .option("columns", "figures per row (2)")
            .example("plot::panels([plot::lines([[0, 1]]), plot::lines([[1, 0]])])", "Figure")
            .run(panels),
        coloured(entry("plot::vectors(u, v, [options])"))
            .brief("A vector field of two dimensions as arrows over its length.")
            .option("sample", "which sample (0)")
            .option("arrows", "along the longer side (by the size)")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("plot::vectors(random::normal([8, 8], #{ seed: 1 }), random::normal([8, 8], #{ seed: 2 }))", "Figure")
            .run(vectors),
        in_series(sized(entry("plot::trajectories(paths, [options])")), "a name for each path")
            .brief("Paths of points in the plane, with their ends marked.")
            .text("paths: an array of [x, y], or of #{ x, y, label, style, colour }.")
            .option("style", "\"line\", \"dashed\", \"dotted\", \"points\" or \"line_and_points\"")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("let t = linspace(0, TAU, 50); plot::trajectories([[cos(t), sin(t)]])", "Figure")
            .run(trajectories),
    ]
}
