//! Colours: the palette of lines, and colour maps as small tables.

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    pub const WHITE: Colour = Colour(255, 255, 255);
    /// Text and frames: softer than black on white.
    pub(crate) const INK: Colour = Colour(0x26, 0x26, 0x26);
    pub(crate) const GRID: Colour = Colour(0xe4, 0xe4, 0xe4);

    /// Names that users write: those of the palette in its order, and black.
    pub const NAMES: [(&'static str, Colour); 9] = [
        ("blue", Colour::from_hex(PALETTE[0])),
        ("red", Colour::from_hex(PALETTE[1])),
        ("green", Colour::from_hex(PALETTE[2])),
        ("pink", Colour::from_hex(PALETTE[3])),
        ("orange", Colour::from_hex(PALETTE[4])),
        ("sky", Colour::from_hex(PALETTE[5])),
        ("brown", Colour::from_hex(PALETTE[6])),
        ("gray", Colour::from_hex(PALETTE[7])),
        ("black", Colour(0, 0, 0)),
    ];
    /// The colour with one of those names, or written as `#rrggbb`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.strip_prefix('#') {
            Some(hex) if hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(hex, 16).ok().map(Colour::from_hex)
            }
            Some(_) => None,
            None => Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, colour)| *colour),
        }
    }

    pub(crate) const fn from_hex(hex: u32) -> Self {
        Colour((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
    }
}

/// Okabe and Ito's palette, which stays distinct under the common kinds of colour blindness
/// (<https://jfly.uni-koeln.de/color/>); its yellow, too pale on white, is replaced by a brown.
const PALETTE: [u32; 8] = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x7f4f24, 0x4d4d4d];

/// The colour of series number `index`; the palette repeats after eight.
pub fn palette(index: usize) -> Colour {
    Colour::from_hex(PALETTE.get(index % PALETTE.len()).copied().unwrap_or(0))
}

/// How many series the palette tells apart.
pub(crate) const PALETTE_SIZE: usize = PALETTE.len();

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourMap {
    /// Perceptually uniform, the default of data of one sign.
    Viridis,
    /// Perceptually uniform, from black over red to pale yellow.
    Magma,
    /// Perceptually uniform and the same to colour-blind readers.
    Cividis,
    /// Diverging, white at the middle: the default of data that changes sign.
    RedBlue,
    /// Diverging, pale grey at the middle.
    CoolWarm,
    /// Cyclic: both ends have the same colour, for angles and phases.
    Twilight,
    /// Black to white.
    Gray,
}

impl ColourMap {
    /// Every map with the name that users write.
    pub const ALL: [(&'static str, ColourMap); 7] = [
        ("viridis", ColourMap::Viridis),
        ("magma", ColourMap::Magma),
        ("cividis", ColourMap::Cividis),
        ("red_blue", ColourMap::RedBlue),
        ("cool_warm", ColourMap::CoolWarm),
        ("twilight", ColourMap::Twilight),
        ("gray", ColourMap::Gray),
    ];

    /// The map with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, map)| *map)
    }

    /// Whether the middle of the map means zero, so that automatic limits are symmetric.
    pub fn is_diverging(self) -> bool {
        matches!(self, ColourMap::RedBlue | ColourMap::CoolWarm)
    }

    /// Colour at `fraction` between the limits, held at the ends; what is not a number gets [`ColourMap::gap`].
    pub fn at(self, fraction: f64) -> Colour {
        if fraction.is_nan() {
            return self.gap();
        }
        let table = self.table();
        let place = fraction.clamp(0.0, 1.0) * (table.len() - 1) as f64;
        let below = place.floor() as usize;
        let pick = |index: usize| Colour::from_hex(table.get(index.min(table.len() - 1)).copied().unwrap_or(0));
        let (a, b, part) = (pick(below), pick(below + 1), place - place.floor());
        let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
        Colour(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
    }

    /// Colour of NaN and infinite values, one that the map itself does not contain.
    pub fn gap(self) -> Colour {
        match self {
            ColourMap::Gray => Colour(0xe3, 0x9b, 0x7b),
            // Their middle is pale grey or white, so this is darker.
            ColourMap::RedBlue | ColourMap::CoolWarm | ColourMap::Twilight => Colour(0x8c, 0x8c, 0x8c),
            _ => Colour(0xb8, 0xb8, 0xb8),
        }
    }

    fn table(self) -> &'static [u32] {
        match self {
            ColourMap::Viridis => &VIRIDIS,
            ColourMap::Magma => &MAGMA,
            ColourMap::Cividis => &CIVIDIS,
            ColourMap::RedBlue => &RED_BLUE,
            ColourMap::CoolWarm => &COOL_WARM,
            ColourMap::Twilight => &TWILIGHT,
            ColourMap::Gray => &GRAY,
        }
    }
}

// 33 samples of matplotlib's maps (viridis, magma, cividis, RdBu_r, coolwarm, twilight; CC0 and BSD). Between the samples
// linear interpolation stays within 6 of 255 of the original.
const GRAY: [u32; 2] = [0x000000, 0xffffff];
#[rustfmt::skip]
const VIRIDIS: [u32; 33] = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453781, 0x424086, 0x3e4989, 0x3b528b, 0x375b8d, 0x33638d,
    0x2f6b8e, 0x2c728e, 0x297a8e, 0x26828e, 0x23898e, 0x21918c, 0x1f988b, 0x1fa088, 0x22a785, 0x28ae80, 0x32b67a,
    0x3fbc73, 0x4ec36b, 0x5ec962, 0x70cf57, 0x84d44b, 0x98d83e, 0xaddc30, 0xc2df23, 0xd8e219, 0xece51b, 0xfde725,
];
#[rustfmt::skip]
const MAGMA: [u32; 33] = [
    0x000004, 0x030312, 0x0a0822, 0x130d34, 0x1d1147, 0x29115a, 0x36106b, 0x440f76, 0x51127c, 0x5d177f, 0x6a1c81,
    0x762181, 0x832681, 0x902a81, 0x9c2e7f, 0xaa337d, 0xb73779, 0xc43c75, 0xd0416f, 0xdc4869, 0xe75263, 0xef5d5e,
    0xf56b5c, 0xf9795d, 0xfc8961, 0xfd9869, 0xfea772, 0xfeb67c, 0xfec488, 0xfed395, 0xfde2a3, 0xfcf0b2, 0xfcfdbf,
];
#[rustfmt::skip]
const CIVIDIS: [u32; 33] = [
    0x00224e, 0x00285b, 0x002e6a, 0x053371, 0x1a386f, 0x273e6e, 0x32436d, 0x3b496c, 0x434e6c, 0x4b546c, 0x535a6d,
    0x5a5f6e, 0x61656f, 0x686a71, 0x6f7073, 0x767676, 0x7d7c78, 0x848279, 0x8c8878, 0x938e78, 0x9b9476, 0xa39a74,
    0xaba072, 0xb4a76f, 0xbcae6c, 0xc4b468, 0xcdbb63, 0xd5c25e, 0xdec958, 0xe7d150, 0xf0d846, 0xf9e03a, 0xfee838,
];
#[rustfmt::skip]
const RED_BLUE: [u32; 33] = [
    0x053061, 0x0e4179, 0x175290, 0x1f63a8, 0x2a71b2, 0x3480b9, 0x3f8ec0, 0x529dc8, 0x6bacd1, 0x84bcd9, 0x9bc9e0,
    0xaed3e6, 0xc2ddec, 0xd4e6f1, 0xe0ecf3, 0xecf2f5, 0xf7f6f6, 0xf9eee7, 0xfbe5d8, 0xfddcc9, 0xfbccb4, 0xf8bb9e,
    0xf5aa89, 0xee9677, 0xe48066, 0xdb6b55, 0xd05548, 0xc53e3d, 0xba2832, 0xab162a, 0x930e26, 0x7c0722, 0x67001f,
];
#[rustfmt::skip]
const COOL_WARM: [u32; 33] = [
    0x3b4cc0, 0x445acc, 0x4e68d8, 0x5875e1, 0x6282ea, 0x6c8ff1, 0x779af7, 0x82a6fb, 0x8db0fe, 0x98b9ff, 0xa3c2fe,
    0xaec9fc, 0xb9d0f9, 0xc3d5f4, 0xccd9ed, 0xd5dbe5, 0xdddcdc, 0xe5d8d1, 0xecd3c5, 0xf1ccb8, 0xf5c4ac, 0xf7ba9f,
    0xf7b093, 0xf6a586, 0xf4987a, 0xf08b6e, 0xeb7d62, 0xe46e56, 0xdd5f4b, 0xd44e41, 0xca3b37, 0xbe242e, 0xb40426,
];
#[rustfmt::skip]
const TWILIGHT: [u32; 33] = [
    0xe2d9e2, 0xd7d7dd, 0xc4ced4, 0xacc2cc, 0x95b5c7, 0x81a6c3, 0x7297c1, 0x6887be, 0x6276ba, 0x5f64b5, 0x5e51ad,
    0x5d3da1, 0x592a8f, 0x511b77, 0x45135c, 0x381145, 0x2f1436, 0x3a113a, 0x4a1342, 0x5f174a, 0x741e4f, 0x872750,
    0x983550, 0xa64550, 0xb25652, 0xbb6958, 0xc27c63, 0xc89073, 0xcca389, 0xd1b6a3, 0xd8c7be, 0xdfd4d6, 0xe2d9e2,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_names() {
        assert_eq!(Colour::from_name("#0072B2"), Some(palette(0)));
        for (index, (name, _)) in Colour::NAMES.iter().take(PALETTE_SIZE).enumerate() {
            assert_eq!(Colour::from_name(name), Some(palette(index)));
        }
        for name in ["", "#", "#12345", "#12345g", "#+12345", "Blue"] {
            assert_eq!(Colour::from_name(name), None);
        }
    }
}
