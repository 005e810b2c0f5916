//! Functions of plain numbers, as [`Unary`] and [`Binary`] mean them.

use crate::tensor::{Binary, Context, Precision, Tensor, Unary};

/// `f(x)` in double precision.
pub(super) fn unary(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Neg => -x,
        Unary::Square => x * x,
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        // Rare on plain numbers: one definition, that of tensors.
        _ => by_tensor(|t| t.unary(f), x),
    }
}

/// `a ∘ b` in double precision.
pub(super) fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Rem => a - b * (a / b).floor(),
        Binary::Atan2 => a.atan2(b),
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
    }
}

fn by_tensor(f: impl FnOnce(&Tensor) -> crate::Result<Tensor>, x: f64) -> f64 {
    let context = Context::cpu(Precision::F64);
    f(&Tensor::scalar(&context, x)).and_then(|t| t.item()).unwrap_or(f64::NAN)
}
