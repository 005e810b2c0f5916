//! The options that kinds of pictures share.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::plot::{Axis, Colour, ColourMap, Colours, Figure, LegendPlace, LineStyle, Panel, Scale};
use crate::script::Options;
use crate::script::registry::Entry;

pub(super) const STYLES: [(&str, LineStyle); 5] = [
    ("line", LineStyle::Line),
    ("dashed", LineStyle::Dashed),
    ("dotted", LineStyle::Dotted),
    ("points", LineStyle::Points),
    ("line_and_points", LineStyle::LineAndPoints),
];
pub(super) const LEGENDS: [(&str, LegendPlace); 3] =
    [("auto", LegendPlace::Auto), ("outside", LegendPlace::Outside), ("none", LegendPlace::None)];

/// The options of size, on every kind of picture.
pub(super) fn sized(entry: Entry) -> Entry {
    entry
        .option("title", "above the picture")
        .option("size", "[width, height] in units of text size (natural)")
        .option("scale", "pixels per unit in PNG (2)")
}
/// The options of axes.
pub(super) fn axed(entry: Entry) -> Entry {
    sized(entry)
        .option("x_label", "with its unit")
        .option("y_label", "with its unit")
        .option("x_scale", "\"linear\" or \"log\"")
        .option("y_scale", "\"linear\" or \"log\"")
        .option("x_limits", "[low, high] (the data's)")
        .option("y_limits", "[low, high] (the data's)")
        .option("legend", "\"auto\", \"outside\" or \"none\"")
}
/// The options of several series.
pub(super) fn in_series(entry: Entry, labels: &'static str) -> Entry {
    entry.option("labels", labels).option(
        "colours",
        "a colour for each, \"#rrggbb\" or a name such as \"blue\" (one after the other from a palette)",
    )
}
/// The options of colours.
pub(super) fn coloured(entry: Entry) -> Entry {
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

pub(super) fn text(o: &Options, key: &str, default: &str) -> Result<String> {
    Ok(o.string_if(key)?.unwrap_or_else(|| default.to_string()))
}
pub(super) fn pair(o: &Options, key: &str) -> Result<Option<(f64, f64)>> {
    match o.numbers_if(key)?.as_deref() {
        None => Ok(None),
        Some([a, b]) => Ok(Some((*a, *b))),
        Some(_) => Err(o.wrong(key, "two numbers, [low, high]")),
    }
}
pub(super) fn axis(o: &Options, which: &str, label: &str, scale: Scale) -> Result<Axis> {
    let key = |what: &str| format!("{which}_{what}");
    let scale = if o.has(&key("scale")) {
        o.choice(&key("scale"), &[("linear", Scale::Linear), ("log", Scale::Log)])?
    } else {
        scale
    };
    Ok(Axis { label: text(o, &key("label"), label)?, scale, limits: pair(o, &key("limits"))? })
}
pub(super) fn colours(o: &Options) -> Result<Colours> {
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
/// A colour from its name.
pub(super) fn tint_of(o: &Options, key: &str, name: &str) -> Result<Colour> {
    Colour::from_name(name).ok_or_else(|| {
        let names: Vec<String> = Colour::NAMES.iter().map(|(n, _)| format!("\"{n}\"")).collect();
        Error::option(format!("{}: option `{key}` does not fit", o.owner()))
            .got(format!("the colour {name:?}"))
            .expected(format!("\"#rrggbb\", or one of {}", names.join(", ")))
    })
}
/// The colour that `colours` gives to series number `i`.
pub(super) fn tint(o: &Options, i: usize) -> Result<Option<Colour>> {
    let names = o.strings_if("colours")?.unwrap_or_default();
    names.get(i).map(|name| tint_of(o, "colours", name)).transpose()
}
pub(super) fn figure(o: &Options, panel: Panel) -> Result<Dynamic> {
    let mut figure = Figure::new(panel);
    figure.size = pair(o, "size")?;
    figure.scale = o.positive("scale", figure.scale)?;
    Ok(Dynamic::from(figure))
}
