//! What a stored hash may ask of this machine. An imported row names its own costs, and a hostile one
//! would name a day's work and all memory. Each bound leaves room above what Django has ever chosen, and is
//! met after seconds: PBKDF2 with a million iterations, Argon2 with 100 MiB, scrypt with 16 MiB and
//! bcrypt with 12 rounds are Django 5.2's. A hash above a bound matches no password.

use std::ops::RangeInclusive;

/// PBKDF2's iterations.
pub(super) const ITERATIONS: RangeInclusive<u32> = 1..=10_000_000;
/// The logarithm of bcrypt's rounds; the algorithm has none below 4.
pub(super) const BCRYPT_COST: RangeInclusive<u32> = 4..=16;
/// Argon2's lanes, computed one after the other.
pub(super) const LANES: RangeInclusive<u32> = 1..=255;
/// An Argon2 hash shorter than this would be matched by chance, or if it is empty, by everything.
pub(super) const OUTPUT_BYTES: RangeInclusive<usize> = 16..=64;
/// The algorithm refuses shorter salts.
pub(super) const ARGON2_SALT_BYTES: RangeInclusive<usize> = 8..=64;
/// Bytes that one hash may be computed in.
const MEMORY: u64 = 1 << 30;
/// Bytes that one hash may write: Argon2's memory times its passes, scrypt's times its parallelism.
const WORK: u64 = 4 << 30;
/// From here on hashes are computed one at a time, so that cores times 1 GiB is never asked for. Above
/// Django's 100 MiB, which would be slow for no reason.
const HEAVY: u64 = 128 << 20;

/// What a memory-hard hash costs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Costs {
    /// Held at once.
    pub(super) memory: u64,
    /// Written in all.
    pub(super) work: u64,
}

/// Whether the machine is asked for no more than it gives.
pub(super) fn bearable(costs: Costs) -> bool {
    costs.memory <= MEMORY && costs.work <= WORK
}

/// Whether only one such hash may be computed at a time.
pub(super) fn heavy(costs: Costs) -> bool {
    costs.memory > HEAVY
}
