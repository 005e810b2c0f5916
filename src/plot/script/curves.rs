//! Pictures over one pair of axes: lines, spectra, histograms, paths of points.

use rhai::{Array, Dynamic, Map};

use super::data::{curve, in_map, label, list, numbers};
use super::options::{LEGENDS, STYLES, axis, figure, text, tint, tint_of};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::field::spectrum::{Amplitude, band, spectrum};
use crate::plot::{
    Bins, Histogram, LineStyle, Lines, Panel, Sample, Scale, Series, Spectra, SpectrumLine, Trajectories, Trajectory,
};
use crate::script::value::number_of;
use crate::script::{Call, Options};

/// A line from `[x, y]`, from `y` alone, or from a map.
fn series(c: &Call, o: &Options, value: &Dynamic, i: usize) -> Result<Series> {
    let counted = |y: &[f64]| (0..y.len()).map(|i| i as f64).collect::<Vec<f64>>();
    let mut line = if let Some(map) = value.read_lock::<Map>() {
        let own = Options::new(c.name(), map.clone());
        own.refuse_unknown(&["x", "y", "label", "style", "colour", "band", "error"])?;
        let y = numbers(c, in_map(&map, "y").ok_or_else(|| own.missing("y", "the heights of the points"))?)?;
        let x = in_map(&map, "x").map(|x| numbers(c, x)).transpose()?.unwrap_or_else(|| counted(&y));
        let mut line = Series::new(own.string_if("label")?.unwrap_or_default(), x, y);
        line.style = own.choice("style", &STYLES)?;
        if let Some(band) = in_map(&map, "band") {
            let parts = band.clone().into_array().unwrap_or_default();
            let [low, high] = parts.as_slice() else { return Err(own.wrong("band", "[lower, upper]")) };
            line.band = Some((numbers(c, low)?, numbers(c, high)?));
        }
        line.colour = own.string_if("colour")?.map(|name| tint_of(&own, "colour", &name)).transpose()?;
        line.error = in_map(&map, "error").map(|e| numbers(c, e)).transpose()?;
        line
    } else {
        let pair = value
            .read_lock::<Array>()
            .filter(|a| a.len() == 2 && a.iter().all(|v| number_of(v).is_none()))
            .map(|a| a.clone());
        match pair.as_deref() {
            Some([x, y]) => Series::new("", numbers(c, x)?, numbers(c, y)?),
            _ => match curve(c, value)? {
                Some((x, y)) => Series::new("", x, y),
                None => {
                    let y = numbers(c, value)?;
                    Series::new("", counted(&y), y)
                }
            },
        }
    };
    if line.label.is_empty() {
        line.label = label(o, i)?;
    }
    if line.colour.is_none() {
        line.colour = tint(o, i)?;
    }
    let own_style = value.read_lock::<Map>().is_some_and(|map| map.contains_key("style"));
    if o.has("style") && !own_style {
        line.style = o.choice("style", &STYLES)?;
    }
    Ok(line)
}

pub(super) fn lines(c: &mut Call) -> Result<Dynamic> {
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

pub(super) fn spectra(c: &mut Call) -> Result<Dynamic> {
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
            colour: tint(&o, i)?,
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

/// A set of numbers, or a map with one.
fn sample(c: &Call, o: &Options, value: &Dynamic, i: usize) -> Result<Sample> {
    let mut sample = Sample { label: label(o, i)?, colour: tint(o, i)?, ..Sample::default() };
    match value.read_lock::<Map>() {
        None => sample.values = numbers(c, value)?,
        Some(map) => {
            let own = Options::new(c.name(), map.clone());
            own.refuse_unknown(&["values", "label", "colour"])?;
            let values = in_map(&map, "values").ok_or_else(|| own.missing("values", "the numbers to be counted"))?;
            sample.values = numbers(c, values)?;
            sample.label = own.string_if("label")?.unwrap_or(sample.label);
            if let Some(name) = own.string_if("colour")? {
                sample.colour = Some(tint_of(&own, "colour", &name)?);
            }
        }
    }
    Ok(sample)
}
fn bins(o: &Options) -> Result<Bins> {
    match o.get("bins") {
        None => Ok(Bins::Auto),
        Some(value) if number_of(value).is_some() => Ok(o.count_if("bins")?.map_or(Bins::Auto, Bins::Count)),
        Some(_) => Ok(o.numbers_if("bins")?.map_or(Bins::Auto, Bins::Edges)),
    }
}

pub(super) fn histogram(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let samples = list(c)?.iter().enumerate().map(|(i, v)| sample(c, &o, v, i)).collect::<Result<Vec<_>>>()?;
    let density = o.boolean("density", true)?;
    let panel = Histogram {
        title: text(&o, "title", "")?,
        x: axis(&o, "x", "", Scale::Linear)?,
        y: axis(&o, "y", if density { "density" } else { "count" }, Scale::Linear)?,
        samples,
        bins: bins(&o)?,
        density,
        legend: o.choice("legend", &LEGENDS)?,
    };
    figure(&o, Panel::Histogram(panel))
}

pub(super) fn trajectories(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let paths = list(c)?
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let line = series(c, &o, value, i)?;
            Ok(Trajectory { label: line.label, x: line.x, y: line.y, style: line.style, colour: line.colour })
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
