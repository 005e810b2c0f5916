//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
//! as 1, 2, 3" (SC 2011): four 32-bit words from a 128-bit counter and a 64-bit key, by ten rounds of products.

/// Counters that are worked on at once, so that the compiler can keep them in vectors.
pub(super) const LANES: usize = 16;
/// One word of each counter.
pub(super) type Lane = [u32; LANES];

pub(super) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(super) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub(super) const ROUNDS: usize = 10;

/// Replaces counters by random words. `words[w][i]` is word `w` of counter `i`.
#[inline(always)]
pub(super) fn scramble(words: &mut [Lane; 4], key: u64) {
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..ROUNDS {
        let [c0, c1, c2, c3] = *words;
        for i in 0..LANES {
            let a = MULTIPLIERS[0] as u64 * c0[i] as u64;
            let b = MULTIPLIERS[1] as u64 * c2[i] as u64;
            words[0][i] = (b >> 32) as u32 ^ c1[i] ^ k[0];
            words[1][i] = b as u32;
            words[2][i] = (a >> 32) as u32 ^ c3[i] ^ k[1];
            words[3][i] = a as u32;
        }
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
}

/// The four words of a single counter.
pub(super) fn block(counter: [u32; 4], key: u64) -> [u32; 4] {
    let mut words = counter.map(|c| [c; LANES]);
    scramble(&mut words, key);
    words.map(|w| w[0])
}

#[cfg(test)]
mod tests {
    use super::block;

    /// The known answers that come with the authors' Random123 library (`tests/kat_vectors`).
    #[test]
    fn known_answers() {
        let cases = [
            ([0; 4], 0, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], u64::MAX, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                0x299f_31d0_a409_3822,
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(block(counter, key), expected);
        }
    }
}
