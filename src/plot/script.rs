//! Pictures in scripts: tensors and fields become the plain data that figures are made from.

use std::fmt;

use rhai::{Array, Dynamic, Engine, Map};

use super::*;
use crate::error::{Error, Result};
use crate::field::spectrum::{Amplitude, band, spectrum};
use crate::field::{Field, Grid};
use crate::script::registry::{Entry, entry};
use crate::script::value::{Operand, number_of};
use crate::script::{Call, Options};
use crate::sde::Path;

impl From<PlotError> for Error {
    fn from(error: PlotError) -> Self {
        match error {
            PlotError::Write { .. } | PlotError::Extension { .. } => Error::file(error.to_string()),
            PlotError::Interrupted { .. } => Error::interrupted(),
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

const STYLES: [(&str, LineStyle); 5] = [
    ("line", LineStyle::Line),
    ("dashed", LineStyle::Dashed),
    ("dotted", LineStyle::Dotted),
    ("points", LineStyle::Points),
    ("line_and_points", LineStyle::LineAndPoints),
];
const LEGENDS: [(&str, LegendPlace); 3] =
    [("auto", LegendPlace::Auto), ("outside", LegendPlace::Outside), ("none", LegendPlace::None)];

// --- options that pictures share --------------------------------------------------------------------------------------

/// The options of size, on every kind of picture.
fn sized(entry: Entry) -> Entry {
    entry
        .option("title", "above the picture")
        .option("size", "[width, height] in units of text size (natural)")
        .option("scale", "pixels per unit in PNG (2)")
}
/// The options of axes.
fn axed(entry: Entry) -> Entry {
    sized(entry)
        .option("x_label", "with its unit")
        .option("y_label", "with its unit")
        .option("x_scale", "\"linear\" or \"log\"")
        .option("y_scale", "\"linear\" or \"log\"")
        .option("x_limits", "[low, high] (the data's)")
        .option("y_limits", "[low, high] (the data's)")
        .option("legend", "\"auto\", \"outside\" or \"none\"")
}
/// The options of colours.
fn coloured(entry: Entry) -> Entry {
    sized(entry)
        .option(
            "colours",
            "\"viridis\", \"magma\", \"cividis\", \"red_blue\", \"cool_warm\", \"twilight\" or \"gray\" (by the data)",
        )
        .option("limits", "[low, high] of the colours (the data's)")
        .option("label", "of the colour bar, with its unit")
        .option("bar", "whether there is a colour bar (true)")
        .option("log", "whether colours are logarithmic (false)")
}

fn text(o: &Options, key: &str, default: &str) -> Result<String> {
    Ok(o.string_if(key)?.unwrap_or_else(|| default.to_string()))
}
fn pair(o: &Options, key: &str) -> Result<Option<(f64, f64)>> {
    match o.numbers_if(key)?.as_deref() {
        None => Ok(None),
        Some([a, b]) => Ok(Some((*a, *b))),
        Some(_) => Err(o.wrong(key, "two numbers, [low, high]")),
    }
}
fn axis(o: &Options, which: &str, label: &str, scale: Scale) -> Result<Axis> {
    let key = |what: &str| format!("{which}_{what}");
    let scale = if o.has(&key("scale")) {
        o.choice(&key("scale"), &[("linear", Scale::Linear), ("log", Scale::Log)])?
    } else {
        scale
    };
    Ok(Axis { label: text(o, &key("label"), label)?, scale, limits: pair(o, &key("limits"))? })
}
fn colours(o: &Options) -> Result<Colours> {
    let map = match o.string_if("colours")? {
        None => None,
        Some(name) => {
            let names: Vec<String> = ColourMap::ALL.iter().map(|(n, _)| format!("\"{n}\"")).collect();
            Some(
                ColourMap::from_name(&name)
                    .ok_or_else(|| o.wrong("colours", &format!("one of {}", names.join(", "))))?,
            )
        }
    };
    Ok(Colours {
        map,
        limits: pair(o, "limits")?,
        scale: if o.boolean("log", false)? { Scale::Log } else { Scale::Linear },
        label: text(o, "label", "")?,
        bar: o.boolean("bar", true)?,
    })
}
fn figure(o: &Options, panel: Panel) -> Result<Dynamic> {
    let mut figure = Figure::new(panel);
    figure.size = pair(o, "size")?;
    figure.scale = o.positive("scale", figure.scale)?;
    Ok(Dynamic::from(figure))
}

// --- data -------------------------------------------------------------------------------------------------------------

/// The elements of argument 0: an array of things, or one thing.
fn list(c: &Call) -> Result<Vec<Dynamic>> {
    let value = c.value(0)?;
    match value.read_lock::<Array>() {
        // An array of numbers is one thing.
        Some(array) if !array.iter().all(|v| number_of(v).is_some()) || array.is_empty() => Ok(array.clone()),
        _ => Ok(vec![value.clone()]),
    }
}
fn numbers(c: &Call, value: &Dynamic) -> Result<Vec<f64>> {
    match Operand::of(value).and_then(|o| o.into_tensor(c.session.context())) {
        Some(tensor) => tensor.to_vec(),
        None => crate::script::value::tensor_of(c.session.context(), value)?.to_vec(),
    }
}
fn label(o: &Options, i: usize) -> Result<String> {
    Ok(o.strings_if("labels")?.and_then(|l| l.get(i).cloned()).unwrap_or_default())
}
fn in_map<'m>(map: &'m Map, key: &str) -> Option<&'m Dynamic> {
    map.get(key).filter(|v| !v.is_unit())
}

/// The 2-D values of one sample and channel, and the box they fill.
fn plane(c: &Call, value: &Dynamic, sample: usize, channel: usize) -> Result<(Values2d, Option<Grid>)> {
    let refuse = |shape: &[usize]| {
        Error::shape(format!("{}: a picture needs two dimensions", c.name()))
            .got(format!("shape {shape:?}"))
            .advice("take a slice first: field.values[[0, 0]]")
    };
    let (tensor, grid) = match value.read_lock::<Field>() {
        Some(field) => {
            let values = field.values().detach().select(0, sample as i64)?.select(0, channel as i64)?;
            (values, Some(field.grid().clone()))
        }
        None => match Operand::of(value).and_then(|o| o.into_tensor(c.session.context())) {
            Some(mut tensor) => {
                // Leading axes are samples and channels.
                while tensor.rank() > 2 {
                    let at = if tensor.rank() == 4 {
                        sample
                    } else {
                        channel.min(tensor.shape().first().copied().unwrap_or(1).saturating_sub(1))
                    };
                    tensor = tensor.detach().select(0, at as i64)?;
                }
                (tensor, None)
            }
            None => (crate::script::value::tensor_of(c.session.context(), value)?, None),
        },
    };
    let &[nx, ny] = tensor.shape().as_slice() else { return Err(refuse(&tensor.shape())) };
    Ok((Values2d::new([nx, ny], tensor.to_vec()?)?, grid))
}
fn extent(grid: &Option<Grid>) -> Option<[f64; 4]> {
    match grid.as_ref()?.axes() {
        [x, y] => Some([x.low, x.high, y.low, y.high]),
        _ => None,
    }
}

/// A line from `[x, y]`, from `y` alone, or from a map.
fn series(c: &Call, o: &Options, value: &Dynamic, i: usize) -> Result<Series> {
    let counted = |y: &[f64]| (0..y.len()).map(|i| i as f64).collect::<Vec<f64>>();
    let mut line = if let Some(map) = value.read_lock::<Map>() {
        let own = Options::new(c.name(), map.clone());
        own.refuse_unknown(&["x", "y", "label", "style", "band", "error"])?;
        let y = numbers(c, in_map(&map, "y").ok_or_else(|| own.missing("y", "the heights of the points"))?)?;
        let x = in_map(&map, "x").map(|x| numbers(c, x)).transpose()?.unwrap_or_else(|| counted(&y));
        let mut line = Series::new(own.string_if("label")?.unwrap_or_default(), x, y);
        line.style = own.choice("style", &STYLES)?;
        if let Some(band) = in_map(&map, "band") {
            let parts = band.clone().into_array().unwrap_or_default();
            let [low, high] = parts.as_slice() else { return Err(own.wrong("band", "[lower, upper]")) };
            line.band = Some((numbers(c, low)?, numbers(c, high)?));
        }
        line.error = in_map(&map, "error").map(|e| numbers(c, e)).transpose()?;
        line
    } else {
        let pair = value
            .read_lock::<Array>()
            .filter(|a| a.len() == 2 && a.iter().all(|v| number_of(v).is_none()))
            .map(|a| a.clone());
        match pair.as_deref() {
            Some([x, y]) => Series::new("", numbers(c, x)?, numbers(c, y)?),
            _ => {
                let y = numbers(c, value)?;
                Series::new("", counted(&y), y)
            }
        }
    };
    if line.label.is_empty() {
        line.label = label(o, i)?;
    }
    let own_style = value.read_lock::<Map>().is_some_and(|map| map.contains_key("style"));
    if o.has("style") && !own_style {
        line.style = o.choice("style", &STYLES)?;
    }
    Ok(line)
}

// --- kinds of pictures ------------------------------------------------------------------------------------------------

fn lines(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let series = list(c)?.iter().enumerate().map(|(i, v)| series(c, &o, v, i)).collect::<Result<Vec<_>>>()?;
    let panel = Lines {
        title: text(&o, "title", "")?,
        x: axis(&o, "x", "", Scale::Linear)?,
        y: axis(&o, "y", "", Scale::Linear)?,
        series,
        legend: o.choice("legend", &LEGENDS)?,
    };
    figure(&o, Panel::Lines(panel))
}

fn heat_map(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (field, grid) = plane(c, &c.value(0)?, o.count("sample", 0)?, o.count("channel", 0)?)?;
    let panel = HeatMap {
        title: text(&o, "title", "")?,
        x_label: text(&o, "x_label", "x")?,
        y_label: text(&o, "y_label", "y")?,
        field,
        extent: extent(&grid),
        colours: colours(&o)?,
        ..HeatMap::default()
    };
    figure(&o, Panel::HeatMap(panel))
}

fn images(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (columns, channel) = (o.count("columns", 6)?.max(1), o.count("channel", 0)?);
    let rows = list(c)?
        .iter()
        .map(|value| {
            let samples = match Operand::of(value) {
                Some(Operand::Field(field)) => field.samples(),
                Some(Operand::Tensor(t)) if t.rank() > 2 => t.shape().first().copied().unwrap_or(1),
                _ => 1,
            };
            (0..columns.min(samples)).map(|sample| plane(c, value, sample, channel).map(|p| p.0)).collect()
        })
        .collect::<Result<Vec<Vec<Values2d>>>>()?;
    let panel = Images {
        title: text(&o, "title", "")?,
        rows,
        row_labels: o.strings_if("titles")?.unwrap_or_default(),
        column_labels: o.strings_if("column_titles")?.unwrap_or_default(),
        sharing: o.choice("sharing", &[("all", Sharing::All), ("row", Sharing::Row), ("image", Sharing::Image)])?,
        colours: colours(&o)?,
    };
    figure(&o, Panel::Images(panel))
}

fn spectra(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let kind = o.choice("kind", &[("energy", Amplitude::Energy), ("amplitude", Amplitude::RealPart)])?;
    let mut spectra = Vec::new();
    for (i, value) in list(c)?.iter().enumerate() {
        let field = value.read_lock::<Field>().map(|f| f.clone());
        let field = field.ok_or_else(|| {
            Error::typ(format!("{}: a spectrum is taken of fields", c.name()))
                .got(crate::script::value::describe(value))
        })?;
        let spectrum = spectrum(&field, kind)?;
        let (mean, low, high) = band(&spectrum, 0.05, 0.95);
        // The mean mode has no place on a logarithmic axis.
        let tail = |v: Vec<f64>| v.into_iter().skip(1).collect::<Vec<f64>>();
        spectra.push(SpectrumLine {
            label: label(&o, i)?,
            wavenumber: tail(spectrum.radii),
            mean: tail(mean),
            band: if o.boolean("band", true)? { Some((tail(low), tail(high))) } else { None },
            style: STYLES.get(i % 3).map_or(LineStyle::Line, |s| s.1),
            colour: None,
        });
    }
    let y = if kind == Amplitude::Energy { "energy" } else { "amplitude" };
    let panel = Spectra {
        title: text(&o, "title", "")?,
        x: axis(&o, "x", "wavenumber", Scale::Log)?,
        y: axis(&o, "y", y, Scale::Log)?,
        spectra,
        power_laws: Vec::new(),
        legend: o.choice("legend", &LEGENDS)?,
    };
    figure(&o, Panel::Spectra(panel))
}

fn histogram(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let samples = list(c)?
        .iter()
        .enumerate()
        .map(|(i, v)| Ok(Sample { label: label(&o, i)?, values: numbers(c, v)?, colour: None }))
        .collect::<Result<Vec<_>>>()?;
    let density = o.boolean("density", true)?;
    let panel = Histogram {
        title: text(&o, "title", "")?,
        x: axis(&o, "x", "", Scale::Linear)?,
        y: axis(&o, "y", if density { "density" } else { "count" }, Scale::Linear)?,
        samples,
        bins: o.count_if("bins")?.map_or(Bins::Auto, Bins::Count),
        density,
        legend: o.choice("legend", &LEGENDS)?,
    };
    figure(&o, Panel::Histogram(panel))
}

fn space_time(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (sample, channel) = (o.count("sample", 0)?, o.count("channel", 0)?);
    let panel = if let Some(path) = c.object_if::<Path>(0) {
        let values = path.values().detach().select(0, sample as i64)?;
        let values = if values.rank() == 3 { values.select(1, channel as i64)? } else { values };
        let &[nt, nx] = values.shape().as_slice() else {
            return Err(Error::shape("plot::space_time: a path of one space dimension")
                .got(format!("{:?}", path.values().shape())));
        };
        let times = path.times();
        let space = path.grid().and_then(|g| g.axes().first().map(|a| (a.low, a.high)));
        SpaceTime {
            field: Values2d::new([nt, nx], values.to_vec()?)?,
            times: times.first().copied().zip(times.last().copied()),
            space,
            ..SpaceTime::default()
        }
    } else {
        SpaceTime {
            field: plane(c, &c.value(0)?, sample, channel)?.0,
            times: pair(&o, "times")?,
            space: pair(&o, "space")?,
            ..SpaceTime::default()
        }
    };
    let panel = SpaceTime {
        title: text(&o, "title", "")?,
        time_label: text(&o, "time_label", "t")?,
        space_label: text(&o, "space_label", "x")?,
        colours: colours(&o)?,
        ..panel
    };
    figure(&o, Panel::SpaceTime(panel))
}

fn animation(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (sample, channel) = (o.count("sample", 0)?, o.count("channel", 0)?);
    let mut animation = if let Some(path) = c.object_if::<Path>(0) {
        let frames = (0..path.times().len())
            .map(|i| {
                let state = path.state(i)?.values.detach().select(0, sample as i64)?;
                let state = if state.rank() == 3 { state.select(0, channel as i64)? } else { state };
                let &[nx, ny] = state.shape().as_slice() else {
                    return Err(Error::shape("plot::animation: a path of two space dimensions")
                        .got(format!("{:?}", path.values().shape())));
                };
                Ok(Values2d::new([nx, ny], state.to_vec()?)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let like = HeatMap {
            title: text(&o, "title", "")?,
            x_label: text(&o, "x_label", "x")?,
            y_label: text(&o, "y_label", "y")?,
            extent: extent(&path.grid().cloned()),
            colours: colours(&o)?,
            ..HeatMap::default()
        };
        Animation::of_fields(&like, frames, path.times())?
    } else {
        let frames =
            c.array(0)?.iter().map(|v| v.read_lock::<Figure>().map(|f| f.clone())).collect::<Option<Vec<Figure>>>();
        Animation::new(frames.ok_or_else(|| c.wrong(0, "a path of 2-D fields, or an array of figures"))?)
    };
    animation.frames_per_second = o.positive("fps", animation.frames_per_second)?;
    Ok(Dynamic::from(animation))
}

fn panels(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let parts =
        c.array(0)?.iter().map(|v| v.read_lock::<Figure>().map(|f| f.panel.clone())).collect::<Option<Vec<Panel>>>();
    let parts = parts.ok_or_else(|| c.wrong(0, "an array of figures"))?;
    let columns = o.count("columns", 2)?.max(1);
    figure(&o, Panel::Panels(Panels::in_columns(text(&o, "title", "")?, parts, columns)))
}

fn vectors(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(2)?;
    let sample = o.count("sample", 0)?;
    let (u, grid) = plane(c, &c.value(0)?, sample, 0)?;
    let (v, _) = plane(c, &c.value(1)?, sample, 0)?;
    let panel = VectorField {
        title: text(&o, "title", "")?,
        x_label: text(&o, "x_label", "x")?,
        y_label: text(&o, "y_label", "y")?,
        u,
        v,
        extent: extent(&grid),
        arrows: o.count_if("arrows")?,
        colours: colours(&o)?,
        ..VectorField::default()
    };
    figure(&o, Panel::VectorField(panel))
}

fn trajectories(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let paths = list(c)?
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let line = series(c, &o, value, i)?;
            Ok(Trajectory { label: line.label, x: line.x, y: line.y, style: line.style, colour: None })
        })
        .collect::<Result<Vec<_>>>()?;
    let panel = Trajectories {
        title: text(&o, "title", "")?,
        x_label: text(&o, "x_label", "x")?,
        y_label: text(&o, "y_label", "y")?,
        paths,
        ..Trajectories::default()
    };
    figure(&o, Panel::Trajectories(panel))
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        axed(entry("plot::lines(series, [options])"))
            .brief("Lines, points, bands and error bars over a linear or logarithmic axis.")
            .text("series: an array of lines; each is [x, y], y alone, or #{ x, y, label, style, band: [low, high], error }.")
            .option("labels", "a name for each line")
            .option("style", "of lines that do not say theirs: \"line\", \"dashed\", \"dotted\", \"points\" or \"line_and_points\"")
            .example("let x = linspace(0, TAU, 50); plot::lines([[x, sin(x)], [x, cos(x)]], #{ labels: [\"sin\", \"cos\"], x_label: \"x\" })", "Figure")
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
        axed(entry("plot::spectrum(fields, [options])"))
            .brief("Radial spectra of fields, with bands from 5 % to 95 % of the samples.")
            .option("labels", "a name for each field")
            .option("kind", "\"energy\" or \"amplitude\" (\"energy\")")
            .option("band", "whether bands are drawn (true)")
            .example("plot::spectrum([random::gaussian_field(grid::periodic([16, 16], [TAU, TAU]), #{ samples: 3, seed: 1 })])", "Figure")
            .run(spectra),
        axed(entry("plot::histogram(samples, [options])"))
            .brief("Histograms of one or more sets of numbers, overlaid.")
            .option("labels", "a name for each set")
            .option("bins", "how many (by the data)")
            .option("density", "areas of 1 instead of counts (true)")
            .example("plot::histogram([random::normal([1000], #{ seed: 1 })], #{ x_label: \"value\" })", "Figure")
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
            .brief("A two-dimensional field over time, or an array of figures, as a moving picture.")
            .option("sample", "which sample (0)")
            .option("channel", "which channel (0)")
            .option("fps", "frames per second (12)")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("plot::animation([plot::lines([[0, 1]]), plot::lines([[1, 0]])])", "Animation")
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
        sized(entry("plot::trajectories(paths, [options])"))
            .brief("Paths of points in the plane, with their ends marked.")
            .text("paths: an array of [x, y], or of #{ x, y, label }.")
            .option("labels", "a name for each path")
            .option("style", "\"line\", \"dashed\", \"dotted\", \"points\" or \"line_and_points\"")
            .option("x_label", "with its unit (\"x\")")
            .option("y_label", "with its unit (\"y\")")
            .example("let t = linspace(0, TAU, 50); plot::trajectories([[cos(t), sin(t)]])", "Figure")
            .run(trajectories),
    ]
}
