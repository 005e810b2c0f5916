//! The readable form of a tensor: numbers in columns, long axes shortened in the middle, and a line of facts.

use std::fmt;

use super::base::Tensor;

/// Entries shown at each end of an axis that is longer than twice this number plus one.
const EDGE: usize = 3;
/// Tensors with more elements than this are shortened.
const WHOLE: usize = 200;

/// A number with up to five significant digits, as people write it: `0.5`, `1.25e-7`, `NaN`.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".into()
        } else if value > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let magnitude = value.abs();
    if (1e-4..1e6).contains(&magnitude) {
        let digits = (4 - magnitude.log10().floor() as i32).clamp(0, 8) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
    } else {
        let text = format!("{value:.4e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) => {
                let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
                format!("{mantissa}e{exponent}")
            }
            None => text,
        }
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape();
        let values = match self.to_vec() {
            Ok(values) => values,
            Err(error) => return write!(f, "Tensor {shape:?} that cannot be read: {}", error.what()),
        };
        let facts = format!("{} {} on {}", shape_text(&shape), self.precision().name(), self.device_name());
        if shape.is_empty() {
            return write!(f, "{}  ({facts})", number(values.first().copied().unwrap_or(f64::NAN)));
        }
        let shorten = values.len() > WHOLE;
        let mut cells = Vec::new();
        visit(&shape, shorten, &mut |at| cells.push(values.get(at).map_or(String::new(), |&v| number(v))));
        let width = cells.iter().map(String::len).max().unwrap_or(0);
        let mut text = String::new();
        write_axis(&mut text, &shape, 0, shorten, width, &mut cells.into_iter());
        write!(f, "{text}\n{facts}")?;
        if shorten {
            let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let missing = values.len() - finite.len();
            if !finite.is_empty() {
                let mean = finite.iter().sum::<f64>() / finite.len() as f64;
                let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
                write!(f, ", from {} to {}, mean {}", number(low), number(high), number(mean))?;
            }
            if missing > 0 {
                write!(f, ", {missing} not finite")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor {} {}", shape_text(&self.shape()), self.precision().name())
    }
}

fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

/// The positions of an axis that are shown; `None` stands for the gap.
fn shown(len: usize, shorten: bool) -> Vec<Option<usize>> {
    if !shorten || len <= 2 * EDGE + 1 {
        return (0..len).map(Some).collect();
    }
    (0..EDGE).map(Some).chain([None]).chain((len - EDGE..len).map(Some)).collect()
}

fn visit(shape: &[usize], shorten: bool, f: &mut impl FnMut(usize)) {
    fn go(shape: &[usize], base: usize, shorten: bool, f: &mut dyn FnMut(usize)) {
        match shape.split_first() {
            None => f(base),
            Some((&len, rest)) => {
                let stride: usize = rest.iter().product();
                for at in shown(len, shorten).into_iter().flatten() {
                    go(rest, base + at * stride, shorten, f);
                }
            }
        }
    }
    go(shape, 0, shorten, f);
}

fn write_axis(
    out: &mut String,
    shape: &[usize],
    depth: usize,
    shorten: bool,
    width: usize,
    cells: &mut dyn Iterator<Item = String>,
) {
    let Some((&len, rest)) = shape.split_first() else { return };
    out.push('[');
    for (i, at) in shown(len, shorten).into_iter().enumerate() {
        if i > 0 {
            out.push(',');
            if rest.is_empty() {
                out.push(' ');
            } else {
                out.push_str(&"\n".repeat(rest.len().min(2)));
                out.push_str(&" ".repeat(depth + 1));
            }
        }
        match at {
            None => out.push('…'),
            Some(_) if rest.is_empty() => {
                let cell = cells.next().unwrap_or_default();
                out.push_str(&format!("{cell:>width$}"));
            }
            Some(_) => write_axis(out, rest, depth + 1, shorten, width, cells),
        }
    }
    out.push(']');
}
