//! Numbers in sentences. Not for tables: those want columns that line up.
//!
//! Invariant: three digits that mean something at most.

/// A count.
pub(super) fn number(value: f64) -> String {
    match value {
        small if small < 10_000.0 => format!("{:.0}", small),
        thousands if thousands < 1e6 => format!("{:.0} thousand", thousands / 1e3),
        millions if millions < 1e9 => format!("{:.1} million", millions / 1e6),
        more => format!("{:.1} thousand million", more / 1e9),
    }
}

/// kB.
pub(super) fn kilobytes(value: f64) -> String {
    if value < 10_240.0 { format!("{value:.0} kB") } else { format!("{:.0} MB", value / 1024.0) }
}

/// A share.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Milliseconds.
pub(super) fn milliseconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.2} ms") } else { format!("{value:.0} ms") }
}

/// A ratio.
pub(super) fn times(ratio: f64) -> String {
    if ratio >= 1.0 {
        format!("{ratio:.1} times as much")
    } else {
        format!("{} of it", percent(ratio))
    }
}
