//! Compiles plain loops for the widest vectors of the processor at hand, chosen at run time.

/// Vector instructions that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// 16 lanes.
    Avx512,
    /// 8 lanes with fused multiply-add.
    Avx2,
    /// What every processor of the target has.
    Baseline,
}

impl Simd {
    /// What this processor has; the answer is cached by the standard library.
    #[cfg(target_arch = "x86_64")]
    pub fn detect() -> Self {
        // All that `with_avx512` enables, not only what the intrinsics need: a function compiled for a feature that
        // the processor lacks is undefined behaviour.
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("fma")
        {
            Self::Avx512
        } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            Self::Avx2
        } else {
            Self::Baseline
        }
    }

    /// What this processor has.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn detect() -> Self {
        Self::Baseline
    }
}

/// Runs `work`, whose loops the compiler vectorises for this processor.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    match Simd::detect() {
        // SAFETY: the processor has the instructions, as just detected.
        Simd::Avx512 => unsafe { with_avx512(work) },
        // SAFETY: as above.
        Simd::Avx2 => unsafe { with_avx2(work) },
        Simd::Baseline => work(),
    }
}

/// Runs `work`.
#[cfg(not(target_arch = "x86_64"))]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    work()
}

// The closure is inlined here, and so compiled with these features; called through a pointer it would keep the baseline's.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}
