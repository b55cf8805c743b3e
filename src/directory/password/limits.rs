//! The limits on the cost of verifying a stored hash. An imported row names its own cost, and a hostile one would name a
//! day's work and all memory. Each limit is above what Django has ever chosen, and a hash at a limit takes seconds. Django 5.2
//! uses PBKDF2 with a million iterations, Argon2 with 100 MiB, scrypt with 16 MiB, and bcrypt with 12 rounds. A hash above
//! a limit matches no password.

use std::ops::RangeInclusive;

/// PBKDF2's iterations.
pub(super) const ITERATIONS: RangeInclusive<u32> = 1..=10_000_000;
/// The logarithm of bcrypt's rounds. The algorithm allows none below 4.
pub(super) const BCRYPT_COST: RangeInclusive<u32> = 4..=16;
/// Argon2's lanes, computed one after the other.
pub(super) const LANES: RangeInclusive<u32> = 1..=255;
/// A shorter Argon2 hash would match by chance, and an empty one would match everything.
pub(super) const OUTPUT_BYTES: RangeInclusive<usize> = 16..=64;
/// The algorithm refuses shorter salts.
pub(super) const ARGON2_SALT_BYTES: RangeInclusive<usize> = 8..=64;
/// The most memory that one hash may use, in bytes.
const MEMORY: u64 = 1 << 30;
/// The most bytes that one hash may write: Argon2's memory times its passes, scrypt's times its parallelism.
const WORK: u64 = 4 << 30;
/// Hashes above this size, in bytes, are computed one at a time, so that cores times 1 GiB is never needed. It is above
/// Django's 100 MiB, which would otherwise be slow for no reason.
const HEAVY: u64 = 128 << 20;

/// The cost of a memory-hard hash, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HashCost {
    /// The memory it uses.
    pub(super) memory: u64,
    /// The bytes it writes.
    pub(super) work: u64,
}

/// Reports whether a cost is within the limits.
pub(super) fn is_affordable(costs: HashCost) -> bool {
    costs.memory <= MEMORY && costs.work <= WORK
}

/// Reports whether only one such hash may be computed at a time.
pub(super) fn is_heavy(costs: HashCost) -> bool {
    costs.memory > HEAVY
}
