//! The types of numbers that files hold.

use crate::tensor::base::Real;
use crate::tensor::context::Precision;

/// What an element is, before its bytes are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
    /// The upper half of an `f32`.
    Brain,
}

/// The type of the elements of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub kind: Kind,
    pub big_endian: bool,
}

/// Decoded numbers.
pub(super) enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Element {
    pub fn little(kind: Kind) -> Self {
        Self { kind, big_endian: false }
    }
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool => 1,
            Kind::Brain => 2,
            Kind::Signed(n) | Kind::Unsigned(n) | Kind::Float(n) => n,
        }
    }
    /// The precision that the numbers get.
    pub fn precision(self, session: Precision) -> Precision {
        match self.kind {
            Kind::Float(8) => Precision::F64,
            Kind::Float(_) | Kind::Brain => Precision::F32,
            Kind::Bool | Kind::Signed(_) | Kind::Unsigned(_) => session,
        }
    }
    /// The numbers in a row of bytes.
    pub fn numbers(self, bytes: &[u8], session: Precision) -> Numbers {
        match self.precision(session) {
            Precision::F32 => Numbers::Single(self.each(bytes, |v| v as f32)),
            Precision::F64 => Numbers::Double(self.each(bytes, |v| v)),
        }
    }

    fn each<T: Real>(self, bytes: &[u8], to: impl Fn(f64) -> T) -> Vec<T> {
        fn words<const N: usize, T>(bytes: &[u8], reverse: bool, f: impl Fn([u8; N]) -> T) -> Vec<T> {
            let word = |chunk: &[u8]| {
                let mut word = [0; N];
                word.copy_from_slice(chunk);
                if reverse {
                    word.reverse();
                }
                f(word)
            };
            bytes.chunks_exact(N).map(word).collect()
        }
        let r = self.big_endian;
        match self.kind {
            Kind::Bool => words(bytes, r, |[b]: [u8; 1]| to(if b == 0 { 0.0 } else { 1.0 })),
            Kind::Signed(1) => words(bytes, r, |w| to(i8::from_le_bytes(w) as f64)),
            Kind::Signed(2) => words(bytes, r, |w| to(i16::from_le_bytes(w) as f64)),
            Kind::Signed(4) => words(bytes, r, |w| to(i32::from_le_bytes(w) as f64)),
            Kind::Signed(_) => words(bytes, r, |w| to(i64::from_le_bytes(w) as f64)),
            Kind::Unsigned(1) => words(bytes, r, |w| to(u8::from_le_bytes(w) as f64)),
            Kind::Unsigned(2) => words(bytes, r, |w| to(u16::from_le_bytes(w) as f64)),
            Kind::Unsigned(4) => words(bytes, r, |w| to(u32::from_le_bytes(w) as f64)),
            Kind::Unsigned(_) => words(bytes, r, |w| to(u64::from_le_bytes(w) as f64)),
            Kind::Float(2) => words(bytes, r, |w| to(half(u16::from_le_bytes(w)))),
            Kind::Brain => words(bytes, r, |w| to(f32::from_bits((u16::from_le_bytes(w) as u32) << 16) as f64)),
            Kind::Float(4) => words(bytes, r, |w| to(f32::from_le_bytes(w) as f64)),
            Kind::Float(_) => words(bytes, r, |w| to(f64::from_le_bytes(w))),
        }
    }
}

/// An IEEE 754 half-precision number.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = ((bits >> 10) & 31, (bits & 1023) as f64);
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent as i32 - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}
