//! Functions applied element by element, operators, comparisons: for numbers, tensors and fields alike.

use rhai::Dynamic;

use super::call::Call;
use super::registry::{Entry, entry, operator};
use super::value::Operand;
use crate::equation::Expr;
use crate::equation::script::{symbol_of, vector_of};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Compare, Unary};

/// Text and example of each function of one operand.
const UNARY: [(Unary, &str, &str, &str, &str, &str); 33] = [
    (Unary::Neg, "neg(x)", "−x", "The opposite number; the same as -x.", "neg(2)", "-2"),
    (
        Unary::Abs,
        "abs(x)",
        "|x|",
        "The absolute value. The derivative at 0 is 0.",
        "abs(tensor([-1.5, 2]))",
        "[1.5, 2]",
    ),
    (Unary::Sign, "sign(x)", "x/|x|", "−1, 0 or 1. The derivative is 0.", "sign(tensor([-3, 0, 2]))", "[-1, 0, 1]"),
    (Unary::Exp, "exp(x)", "eˣ", "The exponential function.", "exp(tensor([0, 1]))", "[1, 2.7183]"),
    (Unary::Expm1, "expm1(x)", "eˣ − 1", "Accurate near 0, where exp(x) - 1 is not.", "expm1(1e-7)", "1e-7"),
    (Unary::Log, "ln(x)", "ln x", "The natural logarithm. NaN for negative numbers.", "ln(tensor([1, E]))", "[0, 1]"),
    (Unary::Log1p, "log1p(x)", "ln(1 + x)", "Accurate near 0, where ln(1 + x) is not.", "log1p(1e-7)", "1e-7"),
    (Unary::Sqrt, "sqrt(x)", "√x", "The square root. NaN for negative numbers.", "sqrt(4)", "2"),
    (Unary::Rsqrt, "rsqrt(x)", "1/√x", "The reciprocal of the square root.", "rsqrt(4)", "0.5"),
    (Unary::Recip, "recip(x)", "1/x", "The reciprocal.", "recip(tensor([2, 4]))", "[0.5, 0.25]"),
    (Unary::Square, "square(x)", "x²", "The square.", "square(tensor([1, -2]))", "[1, 4]"),
    (Unary::Sin, "sin(x)", "sin x", "The sine; x in radians.", "sin(PI / 2)", "1"),
    (Unary::Cos, "cos(x)", "cos x", "The cosine; x in radians.", "cos(tensor([0, PI]))", "[1, -1]"),
    (Unary::Tan, "tan(x)", "tan x", "The tangent; x in radians.", "tan(0)", "0"),
    (Unary::Asin, "asin(x)", "arcsin x", "The angle in [−π/2, π/2] with this sine.", "asin(1)", "1.5708"),
    (Unary::Acos, "acos(x)", "arccos x", "The angle in [0, π] with this cosine.", "acos(1)", "0"),
    (Unary::Atan, "atan(x)", "arctan x", "The angle in (−π/2, π/2) with this tangent.", "atan(1)", "0.7854"),
    (Unary::Sinh, "sinh(x)", "sinh x", "The hyperbolic sine.", "sinh(0)", "0"),
    (Unary::Cosh, "cosh(x)", "cosh x", "The hyperbolic cosine.", "cosh(0)", "1"),
    (Unary::Tanh, "tanh(x)", "tanh x", "The hyperbolic tangent.", "tanh(tensor([0, 1]))", "[0, 0.76159]"),
    (Unary::Asinh, "asinh(x)", "arsinh x", "The inverse of sinh.", "asinh(0)", "0"),
    (Unary::Acosh, "acosh(x)", "arcosh x", "The inverse of cosh; NaN below 1.", "acosh(1)", "0"),
    (Unary::Atanh, "atanh(x)", "artanh x", "The inverse of tanh; NaN outside of [−1, 1].", "atanh(0)", "0"),
    (Unary::Erf, "erf(x)", "2/√π ∫₀ˣ e^(−t²) dt", "The error function.", "erf(tensor([0, 1]))", "[0, 0.8427]"),
    (
        Unary::Floor,
        "floor(x)",
        "⌊x⌋",
        "The next whole number towards −∞. The derivative is 0.",
        "floor(tensor([-1.5, 1.5]))",
        "[-2, 1]",
    ),
    (
        Unary::Ceil,
        "ceil(x)",
        "⌈x⌉",
        "The next whole number towards +∞. The derivative is 0.",
        "ceil(tensor([-1.5, 1.5]))",
        "[-1, 2]",
    ),
    (
        Unary::Round,
        "round(x)",
        "⌊x⌉",
        "The nearest whole number, halves to even. The derivative is 0.",
        "round(tensor([0.4, 0.6]))",
        "[0, 1]",
    ),
    (Unary::Sigmoid, "sigmoid(x)", "1/(1 + e⁻ˣ)", "The logistic function.", "sigmoid(0)", "0.5"),
    (Unary::Softplus, "softplus(x)", "ln(1 + eˣ)", "A smooth relu, without overflow.", "softplus(0)", "0.69315"),
    (
        Unary::Relu,
        "relu(x)",
        "max(x, 0)",
        "The rectifier. The derivative at 0 is 0.",
        "relu(tensor([-1, 2]))",
        "[0, 2]",
    ),
    (Unary::Silu, "silu(x)", "x/(1 + e⁻ˣ)", "The sigmoid linear unit, also called swish.", "silu(0)", "0"),
    (
        Unary::Gelu,
        "gelu(x)",
        "x Φ(x)",
        "The Gaussian error linear unit, with the exact normal distribution function.",
        "gelu(tensor([0, 1]))",
        "[0, 0.84134]",
    ),
    (
        Unary::Heaviside,
        "heaviside(x)",
        "[x > 0]",
        "0 below 0, 1 above, ½ at 0. The derivative is 0.",
        "heaviside(tensor([-1, 0, 2]))",
        "[0, 0.5, 1]",
    ),
];

pub(super) fn entries() -> Vec<Entry> {
    let mut table: Vec<Entry> = UNARY
        .into_iter()
        .map(|(function, signature, formula, text, code, result)| {
            entry(signature).brief(formula).text(text).example(code, result).run(move |c| unary(c, function))
        })
        .collect();
    table.extend([
        operator("a + b").brief("The sum; shapes broadcast.").example("tensor([1, 2]) + 0.5", "[1.5, 2.5]").run(|c| binary(c, Binary::Add)),
        operator("a - b").brief("The difference; shapes broadcast.").example("1 - tensor([1, 2])", "[0, -1]").run(|c| binary(c, Binary::Sub)),
        operator("a * b").brief("The product of elements; shapes broadcast.").example("tensor([1, 2]) * tensor([[2], [3]])", "[[2, 4], [3, 6]]").run(|c| binary(c, Binary::Mul)),
        operator("a / b").brief("The quotient; shapes broadcast. Whole numbers divide into fractions.").example("1 / 2", "0.5").example("tensor([1, 2]) / 4", "[0.25, 0.5]").run(|c| binary(c, Binary::Div)),
        operator("a % b").brief("The remainder with the sign of b.").example("tensor([5, -5]) % 3", "[2, 1]").example("-7 % 3", "2").example("let n = -7; n %= 3; n", "2").example("let t = tensor([1, 2]); t /= 2; `${t}`", "[0.5, 1]").run(|c| binary(c, Binary::Rem)),
        operator("a ** b")
            .brief("The power.")
            .text("It binds to the right, and more tightly than a sign before it: -x ** 2 is -(x ** 2). A sign behind it belongs to the exponent.")
            .example("tensor([2, 3]) ** 2", "[4, 9]")
            .example("-tensor([2, 3]) ** 2", "[-4, -9]")
            .example("(-2) ** 2", "4")
            .example("2 ** 3 ** 2", "512")
            .example("2 ** -1", "0.5")
            .run(|c| binary(c, Binary::Pow)),
        operator("- a").brief("The opposite.").example("-tensor([1, 2])", "[-1, -2]").run(|c| unary(c, Unary::Neg)),
        operator("a == b").brief("1 where equal, 0 elsewhere.").example("tensor([1, 2]) == 2", "[0, 1]").run(|c| compare(c, Compare::Equal)),
        operator("a != b").brief("1 where different, 0 elsewhere.").example("tensor([1, 2]) != 2", "[1, 0]").run(|c| compare(c, Compare::NotEqual)),
        operator("a < b").brief("1 where lower, 0 elsewhere.").example("tensor([1, 2]) < 2", "[1, 0]").run(|c| compare(c, Compare::Lower)),
        operator("a <= b").brief("1 where lower or equal, 0 elsewhere.").example("tensor([1, 2]) <= 2", "[1, 1]").run(|c| compare(c, Compare::LowerEqual)),
        operator("a > b").brief("1 where greater, 0 elsewhere.").example("tensor([1, 2]) > 1", "[0, 1]").run(|c| compare(c, Compare::Greater)),
        operator("a >= b").brief("1 where greater or equal, 0 elsewhere.").example("tensor([1, 2]) >= 1", "[1, 1]").run(|c| compare(c, Compare::GreaterEqual)),
        entry("pow(a, b)").brief("a to the power b; the same as a ** b.").example("pow(tensor([2, 3]), 2)", "[4, 9]").run(|c| binary(c, Binary::Pow)),
        entry("atan2(y, x)").brief("The angle of the point (x, y), in (−π, π].").example("atan2(1, 1)", "0.7854").run(|c| binary(c, Binary::Atan2)),
        entry("maximum(a, b)").brief("The larger of each pair.").text("Where equal, each takes half of the gradient.").example("maximum(tensor([1, 5]), 3)", "[3, 5]").run(|c| binary(c, Binary::Max)),
        entry("minimum(a, b)").brief("The smaller of each pair.").text("Where equal, each takes half of the gradient.").example("minimum(tensor([1, 5]), 3)", "[1, 3]").run(|c| binary(c, Binary::Min)),
        entry("clamp(x, low, high)").brief("x kept between low and high.").example("clamp(tensor([-1, 0.5, 2]), 0, 1)", "[0, 0.5, 1]").run(|c| {
            let (low, high) = (c.number(1)?, c.number(2)?);
            // NaN bounds fail too.
            if !matches!(low.partial_cmp(&high), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)) {
                return Err(Error::value("clamp: the bounds are out of order").got(format!("{low} to {high}")).expected("low <= high"));
            }
            Ok(c.operand(0)?.map(c.session.context(), |t| t.clamp(low, high))?.into_dynamic())
        }),
        entry("where(mask, yes, no)")
            .brief("yes where mask is not 0, no elsewhere.")
            .text("Elements of all three are paired by broadcasting. A NaN in the branch not taken reaches neither value nor gradient, and an infinite \
                   derivative of arithmetic or of a function there counts as 0: nothing has to be kept away from 0 by a second where.")
            .example("grad(|x| sum(where(x > 0, sqrt(x), 0)), tensor([0, 4]))", "[0, 0.25]")
            .example("where(tensor([1, -2]) > 0, 10, tensor([3, 4]))", "[10, 4]")
            .run(|c| {
                let mask = c.tensor(0)?;
                let (yes, no) = (c.operand(1)?, c.operand(2)?);
                if let (Operand::Complex(_), _) | (_, Operand::Complex(_)) = (&yes, &no) {
                    return crate::tensor::script_complex::choose(&mask, &yes, &no, c.session.context());
                }
                let numbers = matches!((&yes, &no), (Operand::Number(_), Operand::Number(_)));
                if numbers {
                    return Ok(Dynamic::from(mask.choose(&c.tensor(1)?, &c.tensor(2)?)?));
                }
                Ok(yes.zip(&no, c.session.context(), |y, n| mask.choose(y, n))?.into_dynamic())
            }),
        entry("is_finite(x)").brief("1 where finite, 0 where NaN or infinite.").example("is_finite(tensor([1, 0 / 0]))", "[1, 0]").run(|c| {
            Ok(c.operand(0)?.map(c.session.context(), |t| t.is_finite())?.into_dynamic())
        }),
    ]);
    table
}

fn unary(c: &mut Call, function: Unary) -> Result<Dynamic> {
    Ok(c.operand(0)?.unary(function, c.session.context())?.into_dynamic())
}

fn binary(c: &mut Call, op: Binary) -> Result<Dynamic> {
    // Beside a symbol an array is a vector.
    let operand = |own: usize, other: usize| {
        c.operand(own).or_else(|error| {
            let value = c.value(own)?;
            let fits = value.is_array() && (c.object_if::<Expr>(other).is_some() || vector_of(&value).is_some());
            match symbol_of(&value).filter(|_| fits) {
                Some(vector) => vector.map(Operand::Symbol),
                None => Err(error),
            }
        })
    };
    Ok(operand(0, 1)?.binary(op, &operand(1, 0)?, c.session.context())?.into_dynamic())
}

fn compare(c: &mut Call, op: Compare) -> Result<Dynamic> {
    Ok(c.operand(0)?.compare(op, &c.operand(1)?, c.session.context())?.into_dynamic())
}
