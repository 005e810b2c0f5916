//! Script values and ours: reading, describing, showing.

use rhai::{Array, Dynamic, Map};

use super::elsewhere;
use crate::equation::{Expr, script as symbolic};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::tensor::script_complex;
use crate::tensor::{Binary, Compare, Complex, Context, Precision, Shape, Span, Tensor, Unary, number, position};

type ExclusiveRange = std::ops::Range<i64>;
type InclusiveRange = std::ops::RangeInclusive<i64>;

/// Stands for all positions of an axis in an index: `t[[ALL, 0]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct All;

/// What functions applied element by element take. Adding a kind of value here makes it welcome everywhere.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // lives for one call on the stack; a box would cost each of them an allocation
pub enum Operand {
    /// A number.
    Number(f64),
    /// A tensor.
    Tensor(Tensor),
    /// A field: a tensor on a grid.
    Field(Field),
    /// A complex tensor. It meets the arithmetic and what is linear; functions of real numbers alone refuse it.
    Complex(Complex),
    /// A symbol: the equation that is being traced.
    Symbol(Expr),
}

impl Operand {
    /// Reads a script value, if it is of one of these kinds.
    pub fn of(value: &Dynamic) -> Option<Self> {
        if let Some(number) = number_of(value) {
            return Some(Self::Number(number));
        }
        if let Some(tensor) = value.read_lock::<Tensor>() {
            return Some(Self::Tensor(tensor.clone()));
        }
        if let Some(field) = value.read_lock::<Field>() {
            return Some(Self::Field(field.clone()));
        }
        if let Some(z) = value.read_lock::<Complex>() {
            return Some(Self::Complex(z.clone()));
        }
        value.read_lock::<Expr>().map(|e| Self::Symbol(e.clone()))
    }
    /// As a script value.
    pub fn into_dynamic(self) -> Dynamic {
        match self {
            Self::Number(number) => Dynamic::from(number),
            Self::Tensor(tensor) => Dynamic::from(tensor),
            Self::Field(field) => Dynamic::from(field),
            Self::Complex(z) => Dynamic::from(z),
            Self::Symbol(e) => Dynamic::from(e),
        }
    }
    /// The numbers alone; a number becomes a tensor of rank 0. `None` for complex ones.
    pub fn into_tensor(self, context: &Context) -> Option<Tensor> {
        Some(match self {
            Self::Number(number) => Tensor::scalar(context, number),
            Self::Tensor(tensor) => tensor,
            Self::Field(field) => field.values().clone(),
            Self::Complex(_) | Self::Symbol(_) => return None,
        })
    }
    /// Applies a function of one tensor, keeping the kind.
    pub fn map(&self, context: &Context, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        match self {
            Self::Number(number) => Ok(Self::Number(f(&exact(context, *number))?.item()?)),
            Self::Tensor(tensor) => f(tensor).map(Self::Tensor),
            Self::Field(field) => field.map(f).map(Self::Field),
            Self::Complex(z) => Err(script_complex::real_only(z)),
            Self::Symbol(e) => Err(symbolic::untraceable(e)),
        }
    }
    /// Applies a function that is linear over the real numbers: to both parts of a complex tensor.
    pub fn map_parts(&self, context: &Context, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        match self {
            Self::Complex(z) => z.map(f).map(Self::Complex),
            _ => self.map(context, f),
        }
    }
    /// Applies a function of two tensors; the richer kind of the two operands is kept.
    pub fn zip(&self, other: &Self, context: &Context, f: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        // A number takes the precision of its partner: 2 * t must not widen t.
        let like = |number: f64, tensor: &Tensor| Tensor::scalar_in(context, tensor.precision(), number);
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => {
                Ok(Self::Number(f(&exact(context, *a), &exact(context, *b))?.item()?))
            }
            (Self::Tensor(a), Self::Number(b)) => f(a, &like(*b, a)).map(Self::Tensor),
            (Self::Number(a), Self::Tensor(b)) => f(&like(*a, b), b).map(Self::Tensor),
            (Self::Tensor(a), Self::Tensor(b)) => f(a, b).map(Self::Tensor),
            (Self::Field(a), Self::Number(b)) => a.map(|a| f(a, &like(*b, a))).map(Self::Field),
            (Self::Number(a), Self::Field(b)) => b.map(|b| f(&like(*a, b), b)).map(Self::Field),
            (Self::Field(a), Self::Tensor(b)) => a.map(|a| f(a, b)).map(Self::Field),
            (Self::Tensor(a), Self::Field(b)) => b.map(|b| f(a, b)).map(Self::Field),
            (Self::Field(a), Self::Field(b)) => a.zip(b, f).map(Self::Field),
            (Self::Symbol(e), _) | (_, Self::Symbol(e)) => Err(symbolic::untraceable(e)),
            (Self::Complex(z), _) | (_, Self::Complex(z)) => Err(script_complex::real_only(z)),
        }
    }
    /// A function of one operand.
    pub fn unary(&self, function: Unary, context: &Context) -> Result<Self> {
        match self {
            Self::Complex(z) => script_complex::unary(z, function),
            Self::Symbol(e) => e.unary(function).map(Self::Symbol),
            _ => self.map(context, |t| t.unary(function)),
        }
    }
    /// An operation on two operands. Numbers meet tensors without becoming tensors first: that is the fast path of scripts.
    pub fn binary(&self, op: Binary, other: &Self, context: &Context) -> Result<Self> {
        match (op, self, other) {
            (_, Self::Symbol(_), _) | (_, _, Self::Symbol(_)) => symbolic::binary(op, self, other),
            (_, Self::Complex(_), _) | (_, _, Self::Complex(_)) => script_complex::binary(op, self, other, context),
            (Binary::Add, Self::Tensor(t), Self::Number(n)) | (Binary::Add, Self::Number(n), Self::Tensor(t)) => {
                t.shift(*n).map(Self::Tensor)
            }
            (Binary::Mul, Self::Tensor(t), Self::Number(n)) | (Binary::Mul, Self::Number(n), Self::Tensor(t)) => {
                t.scale(*n).map(Self::Tensor)
            }
            (Binary::Sub, Self::Tensor(t), Self::Number(n)) => t.shift(-n).map(Self::Tensor),
            (Binary::Pow, _, Self::Number(n)) => self.map(context, |t| t.powf(*n)),
            _ => self.zip(other, context, |a, b| a.binary(op, b)),
        }
    }
    /// A comparison; numbers give 1 or 0 too.
    pub fn compare(&self, op: Compare, other: &Self, context: &Context) -> Result<Self> {
        match (self, other) {
            (Self::Symbol(e), _) | (_, Self::Symbol(e)) => Err(symbolic::compared(e)),
            (Self::Complex(_), _) | (_, Self::Complex(_)) => script_complex::compare(op, self, other, context),
            _ => self.zip(other, context, |a, b| a.compare(op, b)),
        }
    }
}

thread_local! {
    /// Where numbers are computed when tensors are on a card: it would send each of them there and back.
    static NUMBERS: Context = Context::cpu(Precision::F64);
}

/// A number as a tensor that loses nothing.
fn exact(context: &Context, number: f64) -> Tensor {
    if context.device().has_kernels() {
        return Tensor::scalar_in(context, Precision::F64, number);
    }
    NUMBERS.with(|context| Tensor::scalar_in(context, Precision::F64, number))
}

/// A whole or fractional number of the script.
pub fn number_of(value: &Dynamic) -> Option<f64> {
    if value.is_float() {
        value.as_float().ok()
    } else if value.is_int() {
        value.as_int().ok().map(|n| n as f64)
    } else {
        None
    }
}

/// A number as it is printed: in single precision the digits after the sixth say nothing. Whole ones are shown in full.
pub fn printed(x: f64, precision: Precision) -> f64 {
    if precision == Precision::F64 || !x.is_finite() || x.fract() == 0.0 {
        return x;
    }
    format!("{x:.5e}").parse().unwrap_or(x)
}

/// Whole numbers: one, an array of them, or a range.
pub fn ints_of(value: &Dynamic) -> Option<Vec<i64>> {
    let whole = |v: &Dynamic| number_of(v).filter(|n| n.fract() == 0.0 && n.abs() < 9.0e15).map(|n| n as i64);
    if let Some(n) = whole(value) {
        return Some(vec![n]);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().map(whole).collect();
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return tensor.whole_numbers("index").ok();
    }
    const MOST: i64 = 1 << 28;
    if let Some(range) = value.read_lock::<ExclusiveRange>() {
        return (range.end.saturating_sub(range.start) <= MOST).then(|| (range.start..range.end).collect());
    }
    value
        .read_lock::<InclusiveRange>()
        .and_then(|range| (range.end().saturating_sub(*range.start()) < MOST).then(|| range.clone().collect()))
}

/// The first number of what should be a shape that is no length of an axis.
pub(super) fn unfit_length(value: &Dynamic) -> Option<f64> {
    let unfit = |n: &f64| *n < 0.0 || n.fract() != 0.0 || *n >= 9.0e15;
    match value.read_lock::<Array>() {
        Some(array) => array.iter().filter_map(number_of).find(unfit),
        None => number_of(value).filter(unfit),
    }
}

/// Lengths of axes.
pub fn shape_of(value: &Dynamic) -> Option<Shape> {
    ints_of(value)?.into_iter().map(|n| usize::try_from(n).ok()).collect()
}

/// A nested array of numbers (or tensors) as a tensor.
pub fn tensor_of(context: &Context, value: &Dynamic) -> Result<Tensor> {
    fn walk(
        value: &Dynamic,
        depth: usize,
        shape: &mut Vec<usize>,
        leaf: &mut Option<usize>,
        out: &mut Vec<f64>,
    ) -> Result<()> {
        if let Some(array) = value.read_lock::<Array>() {
            if leaf.is_some_and(|at| depth >= at) {
                return Err(Error::shape("a ragged array is not a tensor")
                    .got("numbers beside arrays")
                    .expected("arrays of equal length at each depth"));
            }
            match shape.get(depth) {
                None => shape.push(array.len()),
                Some(&len) if len != array.len() => {
                    return Err(Error::shape("a ragged array is not a tensor")
                        .got(format!("lengths {len} and {} at depth {depth}", array.len()))
                        .expected("arrays of equal length at each depth"));
                }
                Some(_) => {}
            }
            return array.iter().try_for_each(|v| walk(v, depth + 1, shape, leaf, out));
        }
        let number = number_of(value).or_else(|| value.as_bool().ok().map(|b| b as u8 as f64));
        match number {
            Some(number) if *leaf.get_or_insert(depth) == depth && shape.len() == depth => {
                out.push(number);
                Ok(())
            }
            Some(_) => Err(Error::shape("a ragged array is not a tensor")
                .got("numbers beside arrays")
                .expected("arrays of equal length at each depth")),
            None if depth == 0 => Err(Error::typ("this is no tensor")
                .got(describe(value))
                .expected("a tensor, a field, a number, or an array of numbers")),
            None => Err(Error::typ("not a number in an array of numbers").got(describe(value))),
        }
    }
    if let Some(array) = value.read_lock::<Array>()
        && array.iter().any(|v| v.read_lock::<Tensor>().is_some())
    {
        let parts: Vec<Tensor> = array.iter().map(|v| tensor_of(context, v)).collect::<Result<_>>()?;
        return Tensor::stack(&parts, 0);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(tensor.clone());
    }
    let (mut shape, mut leaf, mut values) = (Vec::new(), None, Vec::new());
    walk(value, 0, &mut shape, &mut leaf, &mut values)?;
    Tensor::new(context, values, &shape)
}

/// A tensor as nested arrays of numbers; of rank 0 as a number.
pub fn array_of(tensor: &Tensor) -> Result<Dynamic> {
    fn nest(values: &[f64], shape: &[usize]) -> Dynamic {
        match shape.split_first() {
            None => values.first().copied().map_or(Dynamic::UNIT, Dynamic::from),
            Some((&len, rest)) => {
                let stride = rest.iter().product::<usize>();
                (0..len)
                    .map(|i| nest(values.get(i * stride..(i + 1) * stride).unwrap_or(&[]), rest))
                    .collect::<Array>()
                    .into()
            }
        }
    }
    Ok(nest(&tensor.to_vec()?, &tensor.shape()))
}

/// What an index expression selects: spans, positions to take in any order, and axes that disappear.
pub struct Selection {
    /// One span per axis.
    pub spans: Vec<Span>,
    /// Axes indexed by a number.
    pub dropped: Vec<usize>,
    /// Axes indexed by a list of positions.
    pub taken: Vec<(usize, Vec<i64>)>,
}

impl Selection {
    /// The selected part.
    pub fn of(&self, tensor: &Tensor) -> Result<Tensor> {
        let mut out = tensor.slice(&self.spans)?;
        for (axis, positions) in &self.taken {
            out = out.take(*axis as i64, positions)?;
        }
        let shape: Shape =
            out.shape().iter().enumerate().filter(|(axis, _)| !self.dropped.contains(axis)).map(|(_, &n)| n).collect();
        out.reshape(&shape)
    }
}

/// Reads an index expression: a position, a range, a list of positions, [`All`], or an array of those, one per axis.
pub fn spans_of(value: &Dynamic, shape: &[usize]) -> Result<Selection> {
    // `t[[0, 2]]` is one index per axis, `t[[[0, 2]]]` positions of the first axis.
    let parts: Vec<Dynamic> = match value.read_lock::<Array>() {
        Some(array) => array.clone(),
        None => vec![value.clone()],
    };
    if parts.len() > shape.len() {
        return Err(Error::shape("more indices than axes")
            .got(format!("{} indices into shape {shape:?}", parts.len()))
            .advice("t[[i, j]] gives one index per axis; t[[[i, j]]] takes positions i and j of the first axis"));
    }
    let mut selection =
        Selection { spans: shape.iter().map(|&n| Span::all(n)).collect(), dropped: vec![], taken: vec![] };
    for (axis, (part, &len)) in parts.iter().zip(shape).enumerate() {
        // Rhai asks here for a property that no type has.
        if let Ok(name) = part.clone().into_immutable_string() {
            return Err(Error::typ(format!("a tensor has no property `{name}`"))
                .expected("shape, rank, len, precision, device or T")
                .advice(elsewhere::advice(&name).unwrap_or("ansatz doc lists properties and functions")));
        }
        let span = if part.is::<All>() {
            Span::all(len)
        } else if let Some(range) = part.read_lock::<ExclusiveRange>() {
            span_between(range.start, range.end, false, len)?
        } else if let Some(range) = part.read_lock::<InclusiveRange>() {
            span_between(*range.start(), *range.end(), true, len)?
        } else if let Some(n) = number_of(part) {
            if n.fract() != 0.0 {
                return Err(Error::typ("a fractional index")
                    .got(n)
                    .expected("a whole number")
                    .advice("int(x) takes the whole part: t[int(a / b)]"));
            }
            let at = position("index", n as i64, len)?;
            selection.dropped.push(axis);
            Span { start: at, end: at + 1, step: 1 }
        } else if let Some(positions) = ints_of(part) {
            // As positions a mask would give the first two elements again and again.
            if part.is::<Tensor>() && positions.len() == len && len > 2 && positions.iter().all(|p| *p == 0 || *p == 1)
            {
                return Err(Error::typ("a mask is no list of positions")
                    .got(format!("{len} numbers that are 0 or 1, for an axis of length {len}"))
                    .advice("x[nonzero(x > 2)] are the elements where it holds; where(x > 2, x, 0) keeps the shape"));
            }
            selection.taken.push((axis, positions));
            Span::all(len)
        } else {
            return Err(Error::typ("an unfit index")
                .got(describe(part))
                .expected("a whole number, a range, a list of positions, or ALL"));
        };
        if let Some(slot) = selection.spans.get_mut(axis) {
            *slot = span;
        }
    }
    Ok(selection)
}

/// A range of positions; both ends may count from the back, and an end that is left out is that of the axis.
fn span_between(start: i64, end: i64, inclusive: bool, len: usize) -> Result<Span> {
    let n = len as i64;
    let from_front = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
    // What Rhai puts for an end that is left out.
    let open = end == i64::MAX;
    let (a, b) = (from_front(start), if open { n } else { from_front(end).saturating_add(i64::from(inclusive)) });
    if a < 0 || b < 0 || b > n || a > b {
        let end = if open { String::new() } else { end.to_string() };
        return Err(Error::shape("a range outside of its axis")
            .got(format!("{start}..{}{end} on an axis of length {len}", if inclusive && !open { "=" } else { "" }))
            .expected(format!("0 <= start <= end <= {len}; negative ends count from the back")));
    }
    Ok(Span { start: a as usize, end: b as usize, step: 1 })
}

/// The name of a value's type as users know it.
pub fn type_name(value: &Dynamic) -> &str {
    let name = value.type_name();
    let name = name.rsplit("::").next().unwrap_or(name);
    match name {
        "i64" => "integer",
        "f64" => "float",
        "()" => "nothing",
        "Range<i64>" | "RangeInclusive<i64>" => "range",
        "Fn" | "FnPtr" => "function",
        "Handle" => "Optimizer",
        "SharedTable" => "Table",
        "Expr" => "Symbol",
        "Part" | "Bound" => "Layer",
        other => other,
    }
}

/// A value in a few words, for errors: `the number 3`, `a Tensor [2, 3]`.
pub fn describe(value: &Dynamic) -> String {
    if value.is_unit() {
        return "nothing: ()".into();
    }
    if let Some(n) = number_of(value) {
        return format!("the number {}", number(n));
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return format!("a Tensor {:?}", tensor.shape());
    }
    if let Some(field) = value.read_lock::<Field>() {
        return format!("a Field {:?}", field.values().shape());
    }
    if let Some(z) = value.read_lock::<Complex>() {
        return format!("a Complex {:?}", z.shape());
    }
    if let Some(e) = value.read_lock::<Expr>() {
        let text: String = e.to_string().chars().take(60).collect();
        return format!("the symbol {text}");
    }
    if let Some(array) = value.read_lock::<Array>() {
        const SHORT: usize = 6;
        let numbers = !array.is_empty() && array.len() <= SHORT && array.iter().all(|v| number_of(v).is_some());
        return if numbers { format!("the array {}", compact(value)) } else { format!("an array of {}", array.len()) };
    }
    if let Some(map) = value.read_lock::<Map>() {
        return format!("a map with {} keys", map.len());
    }
    if let Ok(text) = value.clone().into_immutable_string() {
        let short: String = text.chars().take(40).collect();
        return format!("the string {short:?}{}", if short.len() < text.len() { "…" } else { "" });
    }
    if let Ok(truth) = value.as_bool() {
        return truth.to_string();
    }
    let name = type_name(value);
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U', 'a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// A value on one line, as examples write it: `[0, 0.5, 1]`; large tensors as type and shape.
pub fn compact(value: &Dynamic) -> String {
    const MOST: usize = 64;
    if let Some(n) = number_of(value) {
        return number(n);
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        if tensor.len() <= MOST
            && let Ok(array) = array_of(&tensor)
        {
            return compact(&array);
        }
        return format!("Tensor {:?}", tensor.shape());
    }
    if let Some(z) = value.read_lock::<Complex>() {
        return script_complex::compact(&z, MOST);
    }
    if let Some(array) = value.read_lock::<Array>() {
        return format!("[{}]", array.iter().map(compact).collect::<Vec<_>>().join(", "));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut parts: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", compact(v))).collect();
        parts.sort();
        return format!("#{{ {} }}", parts.join(", "));
    }
    if let Some(field) = value.read_lock::<Field>() {
        return format!("Field {:?}", field.values().shape());
    }
    match value.clone().into_immutable_string() {
        Ok(text) => text.to_string(),
        Err(_) if value.as_bool().is_ok() => value.to_string(),
        Err(_) => type_name(value).to_string(),
    }
}
