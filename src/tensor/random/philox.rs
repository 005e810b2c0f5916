//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
//! as 1, 2, 3" (SC 2011): four 32-bit words from a 128-bit counter and a 64-bit key, by ten rounds of products.

/// Counters that are worked on at once: few enough that their words and the numbers made from them stay in the nearest cache.
pub(super) const BATCH: usize = 256;
/// The words of as many counters: `[word][counter]`.
pub(super) type Words = [[u32; BATCH]; 4];

pub(super) const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(super) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub(super) const ROUNDS: usize = 10;

/// The four words of a single counter.
#[inline(always)]
pub(super) fn block(counter: [u32; 4], key: u64) -> [u32; 4] {
    let mut k = [key as u32, (key >> 32) as u32];
    // Words in the lower halves of 64 bits; what is above is not looked at. So a product needs no shuffling of lanes, and both of its halves
    // are there at once.
    let mut c = counter.map(u64::from);
    for _ in 0..ROUNDS {
        let a = MULTIPLIERS[0] * (c[0] & 0xFFFF_FFFF);
        let b = MULTIPLIERS[1] * (c[2] & 0xFFFF_FFFF);
        c = [(b >> 32) ^ c[1] ^ k[0] as u64, b, (a >> 32) ^ c[3] ^ k[1] as u64, a];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c.map(|c| c as u32)
}

/// Replaces the first `count` counters by random words.
#[inline(always)]
pub(super) fn scramble(words: &mut Words, count: usize, key: u64) {
    let [a, b, c, d] = words;
    for i in 0..count.min(BATCH) {
        [a[i], b[i], c[i], d[i]] = block([a[i], b[i], c[i], d[i]], key);
    }
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
