//! Where an axis has its marks and what stands beside them.

use super::axes::{Scale, Span};

/// Marks of one axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks {
    /// Values with their text.
    pub labelled: Vec<(f64, String)>,
    /// Values of small marks without text.
    pub small: Vec<f64>,
    /// What applies to all texts, to stand at the axis label: `×10⁻³` or `+ 1.25`.
    pub note: String,
}

impl Ticks {
    /// About `count` marks, and never more than a few above it.
    pub fn of(span: Span, count: usize) -> Ticks {
        let count = count.max(2);
        match span.scale {
            Scale::Linear => linear(span.low, span.high, count),
            Scale::Log => logarithmic(span.low, span.high, count),
        }
    }
}

fn linear(low: f64, high: f64, count: usize) -> Ticks {
    // Where fewer than two marks fall into a short range, finer ones are tried.
    let tries = (0..5).map(|more| round_values(low, high, count + more));
    let values = tries.into_iter().find(|values| values.len() > 1).unwrap_or_default();
    let Some(step) = values.get(1).zip(values.first()).map(|(b, a)| b - a).filter(|step| *step > 0.0) else {
        return ends(low, high);
    };
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest / step > 1e5 {
        return with_offset(&values, step);
    }
    let exponent = decade(largest);
    if (-3..=4).contains(&exponent) {
        let decimals = decimals(step);
        return labelled(&values, String::new(), |value| fixed(value, decimals));
    }
    let decimals = decimals(times_power(step, -exponent));
    labelled(&values, format!("×{}", power(exponent)), |value| fixed(times_power(value, -exponent), decimals))
}

fn labelled(values: &[f64], note: String, text: impl Fn(f64) -> String) -> Ticks {
    let labelled = values.iter().map(|value| (*value, text(*value))).collect();
    Ticks { labelled, small: Vec::new(), note }
}

/// A narrow range far from zero: the texts are distances from a rounder number inside.
fn with_offset(values: &[f64], step: f64) -> Ticks {
    let middle = values.get(values.len() / 2).copied().unwrap_or(0.0);
    let exponent = decade(step * values.len() as f64);
    let coarse = times_power(1.0, exponent + 1);
    let base = (middle / coarse).round() * coarse;
    let base = if base.is_finite() { base } else { middle };
    let decimals = decimals(times_power(step, -exponent));
    let digits = (decade(base) - decade(step)).clamp(0, 16) as usize;
    let factor = if exponent == 0 { String::new() } else { format!("×{} ", power(exponent)) };
    let plain = (1e-3..1e9).contains(&base.abs());
    let base_text = if plain { trimmed(fixed(base, self::decimals(step))) } else { scientific(base, digits) };
    let note = format!("{factor}+ {base_text}").replace("+ −", "− ");
    labelled(values, note, |value| fixed(times_power(value - base, -exponent), decimals))
}

/// Multiples of 1, 2, 2.5 or 5 times a power of ten; empty where the range is finer than the numbers themselves.
fn round_values(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = high / count as f64 - low / count as f64;
    let unit = 10_f64.powi(decade(raw));
    if !raw.is_normal() || !unit.is_normal() {
        return Vec::new();
    }
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|nice| nice * unit >= raw * 0.8).unwrap_or(10.0) * unit;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if !step.is_normal() || first.abs() > 1e15 || last.abs() > 1e15 || last - first > 1e3 {
        return Vec::new();
    }
    (0..=(last - first) as i64).map(|index| (first + index as f64) * step).collect()
}

fn ends(low: f64, high: f64) -> Ticks {
    labelled(&[low, high], String::new(), |value| scientific(value, 3))
}

fn logarithmic(low: f64, high: f64, count: usize) -> Ticks {
    let (first, last) = ((low.log10() - 1e-9).ceil() as i32, (high.log10() + 1e-9).floor() as i32);
    if last <= first {
        return part_of_a_decade(low, high, count);
    }
    let least = ((last - first + 1) as usize).div_ceil(count).max(1) as i32;
    let stride = [1, 2, 3, 5, 10, 20, 50, 100, 200].into_iter().find(|stride| *stride >= least).unwrap_or(least);
    let labelled = (first..=last).filter(|exponent| exponent.rem_euclid(stride) == 0);
    let labelled: Vec<_> = labelled.map(|exponent| (10_f64.powi(exponent), power(exponent))).collect();
    let small: Vec<f64> = if stride > 10 {
        Vec::new()
    } else if stride > 1 {
        (first..=last).map(|exponent| 10_f64.powi(exponent)).collect()
    } else if last - first <= 10 {
        let decades = (first - 1)..=last;
        decades.flat_map(|exponent| (2..10).map(move |digit| f64::from(digit) * 10_f64.powi(exponent))).collect()
    } else {
        Vec::new()
    };
    let small = small.into_iter().filter(|value| (low..=high).contains(value)).collect();
    Ticks { labelled, small, note: String::new() }
}

/// Less than two powers of ten in sight: multiples of them, or round values as on a linear axis.
fn part_of_a_decade(low: f64, high: f64, count: usize) -> Ticks {
    let exponents = (decade(low) - 1)..=(decade(high) + 1);
    let values = |digits: &[i32]| -> Vec<(i32, i32)> {
        let all = exponents.clone().flat_map(|exponent| digits.iter().map(move |digit| (*digit, exponent)));
        all.filter(|(digit, exponent)| (low..=high).contains(&(f64::from(*digit) * 10_f64.powi(*exponent)))).collect()
    };
    let chosen = [&[1, 2, 5][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9][..]].map(values);
    let Some(chosen) = chosen.iter().find(|values| (3..=count.max(3)).contains(&values.len())) else {
        return linear(low, high, count);
    };
    let plain = exponents.clone().all(|exponent| (-3..=4).contains(&exponent));
    let text = |digit: i32, exponent: i32| match (plain, digit) {
        (true, _) => fixed(f64::from(digit) * 10_f64.powi(exponent), (-exponent).max(0) as usize),
        (false, 1) => power(exponent),
        (false, _) => format!("{digit}×{}", power(exponent)),
    };
    let labelled =
        chosen.iter().map(|(digit, exponent)| (f64::from(*digit) * 10_f64.powi(*exponent), text(*digit, *exponent)));
    Ticks { labelled: labelled.collect(), small: Vec::new(), note: String::new() }
}

/// Exponent of the power of ten at or below `value`.
fn decade(value: f64) -> i32 {
    let exponent = value.abs().log10();
    if exponent.is_finite() { (exponent + 1e-9).floor() as i32 } else { 0 }
}

/// `value · 10^exponent`, in two steps because one factor may leave the range of `f64`.
fn times_power(value: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    value * 10_f64.powi(half) * 10_f64.powi(exponent - half)
}

/// Digits after the point that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    let exponent = decade(step);
    let mantissa = times_power(step, -exponent);
    let half_digit = (mantissa - mantissa.round()).abs() > 1e-6;
    (i32::from(half_digit) - exponent).clamp(0, 17) as usize
}

/// A number with a fixed count of decimals and a true minus sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // −0.0 would be written with a sign.
    let zero = text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    if zero { text.trim_start_matches('-').to_string() } else { text.replace('-', "−") }
}

/// `10⁻³`
fn power(exponent: i32) -> String {
    format!("10{}", superscript(exponent))
}

fn superscript(number: i32) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let one = |c: char| c.to_digit(10).and_then(|digit| digits.get(digit as usize).copied()).unwrap_or('⁻');
    number.to_string().chars().map(one).collect()
}

/// Without zeros at the end of its decimals.
fn trimmed(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A number in a few characters: `0.25`, `1.3×10⁻⁷`; `digits` after the first.
pub(crate) fn scientific(value: f64, digits: usize) -> String {
    let exponent = decade(value);
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { format!("{value}") };
    }
    if (-3..=4).contains(&exponent) {
        return trimmed(fixed(value, (digits as i32 - exponent).max(0) as usize));
    }
    format!("{}×{}", trimmed(fixed(times_power(value, -exponent), digits)), power(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, low: f64, high: f64) -> (String, String) {
        let ticks = Ticks::of(Span { low, high, scale }, 5);
        let texts: Vec<String> = ticks.labelled.into_iter().map(|(_, text)| text).collect();
        (texts.join(" "), ticks.note)
    }

    #[test]
    fn marks_are_round_numbers_in_few_characters() {
        let cases = [
            (Scale::Linear, 0.0, 10.0, "0 2 4 6 8 10", ""),
            (Scale::Linear, -0.13, 0.31, "−0.1 0.0 0.1 0.2 0.3", ""),
            (Scale::Linear, 0.0, 1.1, "0.0 0.2 0.4 0.6 0.8 1.0", ""),
            (Scale::Linear, 0.0, 4.0e-6, "0 1 2 3 4", "×10⁻⁶"),
            (Scale::Linear, 0.0, 1e300, "0.0 0.2 0.4 0.6 0.8 1.0", "×10³⁰⁰"),
            (Scale::Linear, -1.5e308, 1.5e308, "−1.5 −1.0 −0.5 0.0 0.5 1.0 1.5", "×10³⁰⁸"),
            (Scale::Linear, 1000.0, 1000.004, "0 1 2 3 4", "×10⁻³ + 1000"),
            (Scale::Linear, -0.96, 0.97, "−0.5 0.0 0.5", ""),
            (Scale::Log, 1e-3, 1e2, "10⁻² 10⁰ 10²", ""),
            (Scale::Log, 1e-300, 1e300, "10⁻²⁰⁰ 10⁰ 10²⁰⁰", ""),
            (Scale::Log, 1.0, 9.0, "1 2 5", ""),
            (Scale::Log, 3e-8, 9e-7, "5×10⁻⁸ 10⁻⁷ 2×10⁻⁷ 5×10⁻⁷", ""),
        ];
        for (scale, low, high, marks, note) in cases {
            assert_eq!(texts(scale, low, high), (marks.into(), note.into()), "{scale:?} {low:e}..{high:e}");
        }
    }
}
