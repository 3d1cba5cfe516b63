//! The processor's time stamp counter.

/// Whether the counter runs at one rate on all cores and in all power states, as its processor promises
/// (CPUID 8000_0007h, EDX bit 8: "invariant TSC"; Intel SDM volume 3, 19.17.4; AMD APM volume 3, appendix E).
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_invariant() -> bool {
    use std::arch::x86_64::__cpuid;
    const EXTENDED: u32 = 0x8000_0000;
    const POWER_MANAGEMENT: u32 = 0x8000_0007;
    __cpuid(EXTENDED).eax >= POWER_MANAGEMENT && __cpuid(POWER_MANAGEMENT).edx & (1 << 8) != 0
}

/// The counter's value.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // SAFETY: RDTSC is part of x86-64 and touches no memory. Where the system forbids it to user programs the
    // invariant-TSC test above has already run CPUID, and Linux delivers SIGSEGV only under an explicit prctl.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn is_invariant() -> bool {
    false
}

/// Never called where the counter is not invariant; the monotonic clock stands in.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    0
}
