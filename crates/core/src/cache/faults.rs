//! Wrong rules that tests put in the place of the right one, to show that their checks turn red. Without the feature
//! `planted-bugs` nothing is ever planted and the questions are answered at compile time.

/// A wrong rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// An answer counts as fresh as the stream was when it came, if nothing was invalidated since its statement was sent.
    EpochGate = 1,
    /// An answer counts as fresh as the stream is when it comes.
    LsnGate = 2,
    /// The watermark moves before the tags of a commit are raised.
    LateBump = 4,
    /// A row that is not what it was raises no tag of what it was.
    LeaveSilently = 8,
    /// An answer that shows its rows is not tagged by them.
    ForgetShown = 16,
    /// What another instance has kept counts as if it had just been asked for: our own array is not looked at.
    TrustShared = 32,
    /// An answer is patched with a change that nobody sees yet.
    PatchUnseen = 64,
    /// An answer is patched with what the first change of a transaction has left of a row.
    PatchFirst = 128,
}

#[cfg(feature = "planted-bugs")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants wrong rules in all caches of this process, and removes all others.
#[cfg(feature = "planted-bugs")]
pub fn plant(faults: &[Fault]) {
    let bits = faults.iter().fold(0, |bits, fault| bits | *fault as u8);
    PLANTED.store(bits, std::sync::atomic::Ordering::SeqCst);
}

#[cfg(feature = "planted-bugs")]
pub(crate) fn is_planted(fault: Fault) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) & fault as u8 != 0
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Fault) -> bool {
    false
}
