//! Complex tensors and Fourier transforms in scripts.

use rhai::Dynamic;

use super::script::on_parts;
use super::{Binary, Compare, Complex, Context, Tensor, Unary, fft, number};
use crate::error::{Error, Result};
use crate::script::Call;
use crate::script::registry::{Entry, entry, property};
use crate::script::value::Operand;

/// The error of a function of real numbers that was given complex ones.
pub(crate) fn real_only(z: &Complex) -> Error {
    Error::typ("this function takes real numbers")
        .got(format!("a Complex {:?}", z.shape()))
        .expected("a tensor, a field or a number")
        .advice("z.re, z.im, abs(z) and angle(z) are real")
}

/// A function of one complex tensor, where it is written down here.
pub(crate) fn unary(z: &Complex, function: Unary) -> Result<Operand> {
    Ok(Operand::Complex(match function {
        Unary::Abs => return z.abs().map(Operand::Tensor),
        Unary::Neg => z.neg()?,
        Unary::Exp => z.exp()?,
        Unary::Log => Complex { re: z.abs()?.unary(Unary::Log)?, im: z.angle()? },
        Unary::Square => z.mul(z)?,
        Unary::Recip => power(z, -1)?,
        _ => {
            let name = Unary::ALL.iter().find(|(_, f)| *f == function).map_or("this function", |(name, _)| name);
            return Err(Error::typ(format!("{name} is not defined for complex numbers"))
                .got(format!("a Complex {:?}", z.shape()))
                .expected("abs, exp, ln, neg, square or recip of a Complex; or real numbers"));
        }
    }))
}

/// Arithmetic where one side at least is complex. A field counts as its values.
pub(crate) fn binary(op: Binary, a: &Operand, b: &Operand, context: &Context) -> Result<Operand> {
    let z = match (op, a, b) {
        (Binary::Mul, Operand::Complex(z), Operand::Number(n))
        | (Binary::Mul, Operand::Number(n), Operand::Complex(z)) => z.scale(*n)?,
        (Binary::Pow, Operand::Complex(z), Operand::Number(n)) if n.fract() == 0.0 && n.abs() <= 64.0 => {
            power(z, *n as i32)?
        }
        (Binary::Div, Operand::Complex(z), Operand::Number(n)) => z.map(|t| t.scale(1.0 / n))?,
        (Binary::Add, ..) => widened(a, b, context)?.add(&widened(b, a, context)?)?,
        (Binary::Sub, ..) => widened(a, b, context)?.sub(&widened(b, a, context)?)?,
        (Binary::Mul, ..) => widened(a, b, context)?.mul(&widened(b, a, context)?)?,
        (Binary::Div, ..) => widened(a, b, context)?.div(&widened(b, a, context)?)?,
        _ => {
            return Err(Error::typ(format!("{} is not defined for complex numbers", op.name()))
                .got(format!("{} and {}", described(a), described(b)))
                .expected("+, -, *, / of complex numbers, or a whole power from -64 to 64"));
        }
    };
    // A part without imaginary numbers has its own shape; both must have the common one.
    Complex::new(z.re, z.im).map(Operand::Complex)
}

/// 1 where both parts are equal; there is no order.
pub(crate) fn compare(op: Compare, a: &Operand, b: &Operand, context: &Context) -> Result<Operand> {
    if !matches!(op, Compare::Equal | Compare::NotEqual) {
        return Err(Error::typ("complex numbers have no order")
            .got(format!("{} and {}", described(a), described(b)))
            .expected("== or !=")
            .advice("compare abs(z), z.re or z.im"));
    }
    let (a, b) = (widened(a, b, context)?, widened(b, a, context)?);
    let (re, im) = (a.re.compare(Compare::Equal, &b.re)?, a.im.compare(Compare::Equal, &b.im)?);
    let equal = re.mul(&im)?;
    Ok(Operand::Tensor(if op == Compare::Equal { equal } else { equal.scale(-1.0)?.shift(1.0)? }))
}

/// `yes` where the mask is not 0, `no` elsewhere.
pub(crate) fn choose(mask: &Tensor, yes: &Operand, no: &Operand, context: &Context) -> Result<Dynamic> {
    let (yes, no) = (widened(yes, no, context)?, widened(no, yes, context)?);
    Ok(Dynamic::from(Complex::new(mask.choose(&yes.re, &no.re)?, mask.choose(&yes.im, &no.im)?)?))
}

/// An operand as a complex tensor; a number in the precision of its partner.
fn widened(operand: &Operand, partner: &Operand, context: &Context) -> Result<Complex> {
    match operand {
        Operand::Complex(z) => Ok(z.clone()),
        Operand::Tensor(t) => Complex::real(t.clone()),
        Operand::Field(field) => Complex::real(field.values().clone()),
        Operand::Symbol(e) => Err(crate::equation::script::untraceable(e)),
        Operand::Number(n) => {
            let precision = match partner {
                Operand::Complex(z) => z.re.precision(),
                Operand::Tensor(t) => t.precision(),
                Operand::Field(field) => field.values().precision(),
                Operand::Number(_) | Operand::Symbol(_) => context.precision(),
            };
            Complex::real(Tensor::scalar_in(context, precision, *n))
        }
    }
}

fn described(operand: &Operand) -> String {
    crate::script::value::describe(&operand.clone().into_dynamic())
}

/// Whole powers by repeated squaring.
fn power(z: &Complex, n: i32) -> Result<Complex> {
    let one = Complex::real(z.re.full_like(1.0)?)?;
    let (mut result, mut square, mut left) = (None::<Complex>, z.clone(), n.unsigned_abs());
    while left > 0 {
        if left % 2 == 1 {
            result = Some(match result {
                Some(r) => r.mul(&square)?,
                None => square.clone(),
            });
        }
        left /= 2;
        if left > 0 {
            square = square.mul(&square)?;
        }
    }
    let result = result.unwrap_or_else(|| one.clone());
    if n < 0 { one.div(&result) } else { Ok(result) }
}

/// On one line: `[1 + 2i, 0 - 1i]`; large ones as type and shape.
pub(crate) fn compact(z: &Complex, most: usize) -> String {
    fn nest(items: &[String], shape: &[usize]) -> String {
        match shape.split_first() {
            None => items.first().cloned().unwrap_or_default(),
            Some((&len, rest)) => {
                let stride = rest.iter().product::<usize>();
                let parts: Vec<String> =
                    (0..len).map(|i| nest(items.get(i * stride..(i + 1) * stride).unwrap_or(&[]), rest)).collect();
                format!("[{}]", parts.join(", "))
            }
        }
    }
    match (z.re.len() <= most).then(|| z.re.to_vec().and_then(|re| Ok((re, z.im.to_vec()?)))) {
        Some(Ok((re, im))) => {
            let items: Vec<String> = re
                .iter()
                .zip(&im)
                .map(|(&re, &im)| format!("{} {} {}i", number(re), if im < 0.0 { '-' } else { '+' }, number(im.abs())))
                .collect();
            nest(&items, &z.shape())
        }
        _ => format!("Complex {:?}", z.shape()),
    }
}

/// A complex tensor in argument `i`; a real one counts as one without imaginary part.
pub(crate) fn complex(c: &Call, i: usize) -> Result<Complex> {
    match c.object_if::<Complex>(i) {
        Some(z) => Ok(z),
        None => Complex::real(c.tensor(i)?),
    }
}

fn make(c: &mut Call) -> Result<Dynamic> {
    let re = c.tensor(0)?;
    let im = if c.has(1) { c.tensor(1)? } else { re.full_like(0.0)? };
    // A number beside a tensor takes its precision.
    let (re, im) = match (c.value(0).is_ok_and(|v| is_number(&v)), c.value(1).is_ok_and(|v| is_number(&v))) {
        (true, false) => (re.cast(im.precision())?, im),
        (false, true) => {
            let precision = re.precision();
            (re, im.cast(precision)?)
        }
        _ => (re, im),
    };
    Ok(Dynamic::from(Complex::new(re, im)?))
}
fn is_number(value: &Dynamic) -> bool {
    crate::script::value::number_of(value).is_some()
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut table = numbers();
    table.extend(transforms());
    table
}

fn numbers() -> Vec<Entry> {
    const TEXT: &str = "Both parts are real tensors (or fields, numbers, arrays) that broadcast to one shape; im is 0 when left out. +, -, *, /, whole powers, \
                        ==, abs, exp, ln, square, recip, sum, mean, indexing and what rearranges elements take complex tensors.";
    vec![
        entry("complex(re, [im])")
            .brief("The complex tensor re + i im.")
            .text(TEXT)
            .example("complex(tensor([1, 2]), 1) * complex(0, 1)", "[-1 + 1i, -1 + 2i]")
            .example("abs(complex(3, 4))", "5")
            .run(make),
        entry("Complex(re, im)")
            .brief("The complex tensor re + i im; the same as complex(re, im).")
            .text(TEXT)
            .example("Complex(0, 1) ** 2", "-1 + 0i")
            .run(make),
        property("z.re")
            .brief("The real part.")
            .text("Of a real tensor, itself.")
            .example("complex(1, 2).re", "1")
            .run(|c| Ok(Dynamic::from(complex(c, 0)?.re))),
        property("z.im")
            .brief("The imaginary part.")
            .text("Of a real tensor, zeros.")
            .example("complex(1, 2).im", "2")
            .run(|c| Ok(Dynamic::from(complex(c, 0)?.im))),
        entry("conj(z)")
            .brief("The complex conjugate, re − i im.")
            .example("conj(complex(1, 2))", "1 - 2i")
            .run(|c| Ok(Dynamic::from(complex(c, 0)?.conj()?))),
        entry("angle(z)")
            .brief("The angle of a complex number, in (−π, π].")
            .example("angle(complex(0, 2))", "1.5708")
            .run(|c| Ok(Dynamic::from(complex(c, 0)?.angle()?))),
        entry("abs_squared(z)")
            .brief("|z|², re² + im².")
            .example("abs_squared(complex(3, 4))", "25")
            .run(|c| Ok(Dynamic::from(complex(c, 0)?.abs_squared()?))),
    ]
}

fn transforms() -> Vec<Entry> {
    const AXES: &str = "axes: one or several, all when left out.";
    vec![
        entry("fft::fft(x, [axes])")
            .brief("The discrete Fourier transform, X(k) = Σ x(j) e^(−2πi jk/n), of any length.")
            .text("Unscaled. Wavenumbers stand in the order 0, 1, … −2, −1 (fft::freq). x is real or complex. axes: one or several, all when left out.")
            .example("fft::fft(tensor([1, 0, 0, 0]))", "[1 + 0i, 1 + 0i, 1 + 0i, 1 + 0i]")
            .example("fft::fft(tensor([1, 2, 3])).shape", "[3]")
            .run(|c| Ok(Dynamic::from(fft(&complex(c, 0)?, &c.axes(1)?)?))),
        entry("fft::ifft(x, [axes])")
            .brief("The inverse of fft::fft: e^(+…), divided by the number of points.")
            .text(AXES)
            .example("fft::ifft(fft::fft(tensor([1, 2, 4]))).re", "[1, 2, 4]")
            .run(|c| Ok(Dynamic::from(super::ifft(&complex(c, 0)?, &c.axes(1)?)?))),
        entry("fft::rfft(x, [axes])")
            .brief("The transform of real numbers: n/2 + 1 wavenumbers along the last of the axes, 0, 1, … n/2.")
            .text("The other half is the conjugate of this one. axes: one or several, all when left out.")
            .example("fft::rfft(tensor([1, 2, 3, 4]))", "[10 + 0i, -2 + 2i, -2 + 0i]")
            .run(|c| Ok(Dynamic::from(super::rfft(&c.tensor(0)?, &c.axes(1)?)?))),
        entry("fft::irfft(x, len, [axes])")
            .brief("The inverse of fft::rfft; len is the length of the last of the axes in the real result.")
            .text("An imaginary part at wavenumber 0 or at Nyquist, which no real field has, drops out. axes: one or several, all when left out.")
            .example("fft::irfft(fft::rfft(tensor([1, 2, 3])), 3)", "[1, 2, 3]")
            .run(|c| Ok(Dynamic::from(super::irfft(&complex(c, 0)?, c.count(1)?, &c.axes(2)?)?))),
        entry("fft::freq(n)")
            .brief("Whole wavenumbers in the order of fft::fft; for an even n, Nyquist is −n/2.")
            .text("Times 2π/length they are the wavenumbers of a box.")
            .example("fft::freq(4)", "[0, 1, -2, -1]")
            .run(|c| wavenumbers(c, super::fftfreq)),
        entry("fft::rfreq(n)").brief("Whole wavenumbers in the order of fft::rfft: 0 … n/2.").example("fft::rfreq(4)", "[0, 1, 2]").run(|c| wavenumbers(c, super::rfftfreq)),
        entry("fft::shift(x, [axes])").brief("Wavenumber 0 moved to the middle.").text(AXES).example("fft::shift(fft::freq(4))", "[-2, -1, 0, 1]").run(|c| {
            let axes = c.axes(1)?;
            on_parts(c, |t| super::fftshift(t, &axes))
        }),
        entry("fft::unshift(x, [axes])").brief("The inverse of fft::shift.").text(AXES).example("fft::unshift(tensor([-1, 0, 1]))", "[0, 1, -1]").run(|c| {
            let axes = c.axes(1)?;
            on_parts(c, |t| super::ifftshift(t, &axes))
        }),
    ]
}

fn wavenumbers(c: &Call, f: fn(usize) -> Vec<f64>) -> Result<Dynamic> {
    let n = c.count(0)?;
    super::element_count(&[n])?;
    c.session.context().reserve(n.saturating_mul(16))?;
    let values = f(n);
    let len = values.len();
    Ok(Dynamic::from(Tensor::new(c.session.context(), values, &[len])?))
}
