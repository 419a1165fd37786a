//! Bugs that tests plant on purpose, to show that the checks which guard isolation turn red. Without the feature
//! `planted-bugs` nothing is ever planted and the questions are answered at compile time.

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Fault {
    /// A server goes back to the pool without `DISCARD ALL` and `ROLLBACK`.
    SkipReset = 1,
    /// A server is not given the settings of the session it serves.
    SkipAlign = 2,
    /// A server that still owes replies goes back to the pool.
    EarlyRelease = 4,
    /// A waiter whose time is up is not told.
    LostWaiter = 8,
    /// The ledger is told twice that a server came back.
    DoubleCheckin = 16,
    /// Two clients of a flight get each other's answer.
    SwapAnswers = 32,
    /// A cancel request goes to the server of a flight before the turn of who has sent it.
    EagerCancel = 64,
    /// Statements are not judged by the rules.
    SkipRules = 128,
    /// Replicas answer whatever they have replayed.
    SkipPosition = 256,
    /// Answers are kept without the settings, and the role, of the session.
    ForgetRole = 512,
    /// A session is given answers that are older than what it has written.
    SkipFence = 1024,
    /// Of what is read through a view, changes of one table alone matter.
    MissCascade = 2048,
    /// The primary is asked although it may not show yet what a replica has shown.
    SkipSettle = 4096,
}

#[cfg(feature = "planted-bugs")]
static PLANTED: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);

/// Plants bugs in all data planes of this process, and removes all others.
#[cfg(feature = "planted-bugs")]
pub fn plant(faults: &[Fault]) {
    let bits = faults.iter().fold(0, |bits, fault| bits | *fault as u16);
    PLANTED.store(bits, std::sync::atomic::Ordering::SeqCst);
}

#[cfg(feature = "planted-bugs")]
pub(crate) fn is_planted(fault: Fault) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) & fault as u16 != 0
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Fault) -> bool {
    false
}
