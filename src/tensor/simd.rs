//! Loops compiled twice: for any processor, and for those with AVX2, chosen when they run.
//!
//! Plain loops over arrays are turned into vector instructions by the compiler, but a portable build may use SSE2
//! only. Nothing here fuses a product with a sum, so both copies give the same bits.

/// Declares a function whose loops use the widest vectors that the processor has.
///
/// Everything it calls must be `#[inline(always)]`, or that part stays at the portable width.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$($g:ident: $bound:path),+>)? ($($arg:ident: $typ:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$($g: $bound),+>)? ($($arg: $typ),*) {
            #[inline(always)]
            fn body $(<$($g: $bound),+>)? ($($arg: $typ),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx,avx2")]
                fn wide $(<$($g: $bound),+>)? ($($arg: $typ),*) {
                    body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has the one property that `wide` asks for; checked on the line above.
                    return unsafe { wide($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use vectorised;
