//! What the environment asks of a soak: numbers by name, and the seed of its clients. Not the clients.
//!
//! Invariant: a run prints the seed that repeats its clients.

/// The number in an environment variable, if it is set.
///
/// # Panics
/// When it is no number.
#[must_use]
pub fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The seed of a run: that of `HOWDAH_SOAK_SEED`, or a new one. It is printed.
///
/// # Panics
/// When the variable is no number.
#[must_use]
pub fn seed() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let fresh = clock.map_or(1, |time| u64::from(time.subsec_nanos()));
    let seed = variable("HOWDAH_SOAK_SEED").unwrap_or(fresh);
    println!("seed {seed}: HOWDAH_SOAK_SEED={seed} repeats these clients");
    seed
}
