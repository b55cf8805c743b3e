//! How much memory a bitmap takes.

use roaring::RoaringTreemap;

/// The memory that a bitmap takes, in bytes.
pub(super) fn weight(users: &RoaringTreemap) -> u64 {
    /// What the library keeps beside the values: of a set, of each 2^32 ids in it, and of each 2^16.
    const OF_SET: u64 = 24;
    const OF_PART: u64 = 64;
    const OF_CONTAINER: u64 = 40;
    let parts = users.bitmaps().map(|(_, part)| {
        let held = part.statistics();
        OF_PART
            + u64::from(held.n_containers) * OF_CONTAINER
            + held.n_bytes_array_containers
            + held.n_bytes_run_containers
            + held.n_bytes_bitset_containers
    });
    OF_SET + parts.sum::<u64>()
}
