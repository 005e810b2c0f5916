//! Loops compiled for several widths of vectors, one of which is chosen when they run.
//!
//! A portable build may use SSE2 only. A function declared in [`vectorised!`] is compiled three times, for [`Level`]s of processors, and the
//! widest that the machine has is called. No copy fuses a product with a sum, and none reorders a sum, so **all give the same bits**.
//! `ANSATZ_SIMD=portable|avx2|avx512` in the environment asks for a lower level.

use std::sync::atomic::{AtomicU8, Ordering};

/// What vector instructions a processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// Whatever every processor of this architecture has: 4 numbers of `f32` on x86-64.
    Portable = 1,
    /// 8 numbers of `f32`.
    Avx2 = 2,
    /// 16 numbers of `f32`.
    Avx512 = 3,
}

impl Level {
    /// All levels with the name that `ANSATZ_SIMD` knows them by.
    pub const ALL: [(&'static str, Self); 3] =
        [("portable", Self::Portable), ("avx2", Self::Avx2), ("avx512", Self::Avx512)];

    /// The highest level that this processor has.
    pub fn of_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
            let has_avx512 = std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512dq")
                && std::arch::is_x86_feature_detected!("avx512bw")
                && std::arch::is_x86_feature_detected!("avx512vl");
            if has_avx2 {
                return if has_avx512 { Self::Avx512 } else { Self::Avx2 };
            }
        }
        Self::Portable
    }
}

/// The level in use; 0 until it is asked for.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The level at which loops run.
#[inline(always)]
pub(crate) fn level() -> Level {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Level::Portable,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => choose(),
    }
}

#[cold]
fn choose() -> Level {
    let wanted = std::env::var("ANSATZ_SIMD").unwrap_or_default();
    let wanted = Level::ALL.iter().find(|(name, _)| *name == wanted).map_or(Level::Avx512, |(_, level)| *level);
    set(wanted)
}

/// Asks for a level; the processor's own is the highest that can be had.
fn set(wanted: Level) -> Level {
    let level = wanted.min(Level::of_processor());
    CHOSEN.store(level as u8, Ordering::Relaxed);
    level
}

/// Runs `f` at each level that this processor has, on all threads. Other tests that run meanwhile see the level change, but not their results.
#[cfg(test)]
pub(crate) fn at_each_level(mut f: impl FnMut(Level)) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = level();
    for (_, wanted) in Level::ALL {
        if set(wanted) == wanted {
            f(wanted);
        }
    }
    set(before);
}

/// Declares a function whose loops use the widest vectors that the processor has (see [`Level`](crate::native::simd::Level)).
///
/// Everything it calls must be `#[inline(always)]`, or that part stays at the portable width.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$($g:ident: $bound:path),+ $(,)?>)? ($($arg:ident: $typ:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$($g: $bound),+>)? ($($arg: $typ),*) $(-> $ret)? {
            #[inline(always)]
            fn body $(<$($g: $bound),+>)? ($($arg: $typ),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($g: $bound),+>)? ($($arg: $typ),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl")]
                fn avx512 $(<$($g: $bound),+>)? ($($arg: $typ),*) $(-> $ret)? {
                    body($($arg),*)
                }
                match $crate::native::simd::level() {
                    // SAFETY: the level is never above what the processor was found to have.
                    $crate::native::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::native::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::native::simd::Level::Portable => {}
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use vectorised;

#[cfg(test)]
mod tests {
    use super::*;

    vectorised! {
        /// A loop with products and sums that a fused instruction would round once.
        fn combine<T: num_traits::Float>(a: &[T], b: &mut [T]) -> usize {
            for (a, b) in a.iter().zip(b.iter_mut()) {
                *b = *a * *b + *a / (*b * *b + T::one());
            }
            b.len()
        }
    }

    #[test]
    fn all_levels_give_the_same_bits() {
        for n in [0, 1, 3, 16, 1001] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let mut results = Vec::new();
            at_each_level(|_| {
                let mut b: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).cos()).collect();
                assert_eq!(combine(&a, &mut b), n);
                results.push(b);
            });
            assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
}
