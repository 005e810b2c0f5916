//! NumPy's array format: a magic word, a Python literal that says what follows, and the numbers.

use std::io::Read;

use super::element::Kind;
use super::{Array, Complex, Context, Element, Error, Precision, Result, Shape, Tensor, claimed, decode, encode};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The literal of a plain array takes a hundred bytes.
const LONGEST_HEADER: u64 = 1 << 16;

fn malformed(what: &str) -> Error {
    Error::file(format!("not a readable .npy array: {what}"))
}
/// Fills a buffer, or says that the file ended.
fn fill<const N: usize>(from: &mut dyn Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(|_| malformed("it ends within its header"))?;
    Ok(bytes)
}

/// Reads an array from a source that can give at most `available` bytes.
pub(super) fn read(context: &Context, from: &mut dyn Read, available: u64) -> Result<Array> {
    if fill::<6>(from)? != *MAGIC {
        return Err(malformed("it does not begin as one"));
    }
    let [major, _minor] = fill::<2>(from)?;
    let (len, fixed) = match major {
        1 => (u16::from_le_bytes(fill(from)?) as u64, 10),
        2 | 3 => (u32::from_le_bytes(fill(from)?) as u64, 12),
        _ => return Err(malformed("an unknown version of the format").got(major)),
    };
    if len > LONGEST_HEADER.min(available.saturating_sub(fixed)) {
        return Err(malformed("its header is longer than it can be").got(format!("{len} bytes")));
    }
    let mut text = vec![0; len as usize];
    from.read_exact(&mut text).map_err(|_| malformed("it ends within its header"))?;
    let header = Header::parse(&String::from_utf8_lossy(&text))?;
    // Complex numbers are pairs along one axis more, the fastest.
    let pair: &[usize] = if header.complex { &[2] } else { &[] };
    let bytes = claimed(context, header.element, &[&header.shape, pair].concat(), available - fixed - len)?;
    let mut data = Vec::new();
    // The claim of a compressed source is checked roughly only: grow with what really comes.
    from.take(bytes as u64).read_to_end(&mut data).map_err(|e| malformed(&e.to_string()))?;
    if data.len() != bytes {
        return Err(malformed("it ends before its last number").got(format!("{} of {bytes} bytes", data.len())));
    }
    let rank = header.shape.len();
    let mut stored = header.shape.clone();
    let mut order: Vec<usize> = (0..rank).collect();
    if header.fortran {
        stored.reverse();
        order.reverse();
    }
    let numbers = decode(context, header.element, &data, &[&stored, pair].concat())?;
    if !header.complex {
        return numbers.permute(&order).map(Array::Real);
    }
    let part = |at: usize| numbers.narrow(rank, at, 1)?.reshape(&stored)?.permute(&order);
    Complex::new(part(0)?, part(1)?).map(Array::Complex)
}

/// The bytes of a `.npy` file.
pub(super) fn write(array: &Array) -> Result<Vec<u8>> {
    let (tensor, descrs) = match array {
        Array::Real(tensor) => (tensor.clone(), ["<f4", "<f8"]),
        Array::Complex(z) => (Tensor::stack(&[z.re.clone(), z.im.clone()], -1)?, ["<c8", "<c16"]),
    };
    let tensor = &tensor;
    let shape: String = array.shape().iter().map(|n| format!("{n},")).collect();
    let descr = descrs[usize::from(tensor.precision() == Precision::F64)];
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The numbers begin at a multiple of 64.
    let total = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64);
    let len = total - MAGIC.len() - 4;
    text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
    text.push('\n');
    tensor.context().reserve(tensor.len() * tensor.precision().bytes())?;
    let mut out = Vec::with_capacity(total + tensor.len() * tensor.precision().bytes());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[1, 0]);
    let len = u16::try_from(len).map_err(|_| Error::shape("too many axes for a .npy file").got(tensor.rank()))?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    encode(tensor, &mut out)?;
    Ok(out)
}

#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// Of complex numbers, that of each part.
    pub element: Element,
    pub complex: bool,
    pub fortran: bool,
    pub shape: Shape,
}

impl Header {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, in any order of the entries.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rest = Literal(text.trim());
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.takes("}") {
            let key = rest.string()?;
            rest.expect(":")?;
            match key {
                "descr" => descr = Some(rest.element()?),
                "fortran_order" => fortran = Some(rest.boolean()?),
                "shape" => shape = Some(rest.shape()?),
                _ => return Err(malformed("an unknown entry in its header").got(key)),
            }
            if !rest.takes(",") {
                rest.expect("}")?;
                break;
            }
        }
        match (descr, fortran, shape) {
            (Some((element, complex)), Some(fortran), Some(shape)) => Ok(Self { element, complex, fortran, shape }),
            _ => Err(malformed("its header lacks descr, fortran_order or shape")),
        }
    }
}

/// The rest of a Python literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn takes(&mut self, token: &str) -> bool {
        match self.0.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
    fn expect(&mut self, token: &str) -> Result<()> {
        if self.takes(token) {
            return Ok(());
        }
        let found: String = self.0.chars().take(20).collect();
        Err(malformed("its header is not understood").got(format!("{found:?}")).expected(format!("{token:?}")))
    }
    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.takes("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (text, rest) =
            self.0.split_once(quote).ok_or_else(|| malformed("a string without an end in its header"))?;
        self.0 = rest;
        Ok(text)
    }
    fn boolean(&mut self) -> Result<bool> {
        if self.takes("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }
    fn shape(&mut self) -> Result<Shape> {
        let mut shape = Shape::new();
        self.expect("(")?;
        while !self.takes(")") {
            let text = self.0.trim_start();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            shape.push(text[..digits].parse().map_err(|_| {
                malformed("a length that is not a whole number").got(text.chars().take(20).collect::<String>())
            })?);
            // Python 2 wrote whole numbers as `3L`.
            self.0 = text[digits..].trim_start_matches('L');
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }
    fn element(&mut self) -> Result<(Element, bool)> {
        if self.0.trim_start().starts_with('[') {
            return Err(malformed("its elements are records").advice("save each field as an array of its own"));
        }
        let descr = self.string()?;
        let unfit = || {
            Error::file("the elements of this array are not numbers that a tensor can hold")
                .got(format!("type {descr:?}"))
                .expected("booleans, whole numbers, floats of 16 to 64 bits, complex numbers of two such floats")
                .advice("convert objects and strings to numbers")
        };
        let mut chars = descr.chars();
        let order = chars.next().ok_or_else(unfit)?;
        let (order, kind) =
            if "<>|=".contains(order) { (order, chars.next().ok_or_else(unfit)?) } else { ('<', order) };
        let complex = kind == 'c';
        let kind = match (kind, chars.as_str()) {
            ('c', "8") => Kind::Float(4),
            ('c', "16") => Kind::Float(8),
            ('b', "1") => Kind::Bool,
            ('?', "") => Kind::Bool,
            ('i', "1") => Kind::Signed(1),
            ('i', "2") => Kind::Signed(2),
            ('i', "4") => Kind::Signed(4),
            ('i', "8") => Kind::Signed(8),
            ('u', "1") => Kind::Unsigned(1),
            ('u', "2") => Kind::Unsigned(2),
            ('u', "4") => Kind::Unsigned(4),
            ('u', "8") => Kind::Unsigned(8),
            ('f', "2") => Kind::Float(2),
            ('f', "4") => Kind::Float(4),
            ('f', "8") => Kind::Float(8),
            _ => return Err(unfit()),
        };
        Ok((Element { kind, big_endian: order == '>' }, complex))
    }
}
