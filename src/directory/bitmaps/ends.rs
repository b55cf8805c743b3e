//! A time for each of many users, in little memory: a tree with an entry for each would take twice as much.

use std::collections::BTreeMap;

/// Users whose ids differ only in these low bits share a part.
const LOW_BITS: u32 = 10;
/// A part grows by this many entries. Doubling would leave half of the memory unused.
const GROWTH: usize = 32;

/// The times, in microseconds, by user.
#[derive(Default)]
pub(super) struct Ends(BTreeMap<u64, EndBlock>);

/// The low bits of ids in ascending order, and the time of each.
#[derive(Default)]
struct EndBlock {
    lows: Vec<u16>,
    ends: Vec<i64>,
}

fn split(user: u64) -> (u64, u16) {
    let low = user & ((1 << LOW_BITS) - 1);
    (user >> LOW_BITS, u16::try_from(low).unwrap_or(u16::MAX))
}

impl Ends {
    pub(super) fn insert(&mut self, user: u64, end: i64) {
        let (part, low) = split(user);
        let part = self.0.entry(part).or_default();
        match part.lows.binary_search(&low) {
            Ok(at) => {
                if let Some(known) = part.ends.get_mut(at) {
                    *known = end;
                }
            }
            Err(at) => {
                if part.lows.len() == part.lows.capacity() {
                    part.lows.reserve_exact(GROWTH);
                    part.ends.reserve_exact(GROWTH);
                }
                part.lows.insert(at, low);
                part.ends.insert(at, end);
            }
        }
    }

    pub(super) fn remove(&mut self, user: u64) -> Option<i64> {
        let (key, low) = split(user);
        let part = self.0.get_mut(&key)?;
        let at = part.lows.binary_search(&low).ok()?;
        part.lows.remove(at);
        let end = part.ends.remove(at);
        if part.lows.is_empty() {
            self.0.remove(&key);
        }
        Some(end)
    }

    pub(super) fn get(&self, user: u64) -> Option<i64> {
        let (part, low) = split(user);
        let part = self.0.get(&part)?;
        part.lows.binary_search(&low).ok().and_then(|at| part.ends.get(at).copied())
    }

    pub(super) fn users(&self) -> impl Iterator<Item = u64> {
        self.0
            .iter()
            .flat_map(|(key, part)| part.lows.iter().map(move |low| (key << LOW_BITS) | u64::from(*low)))
    }

    pub(super) fn bytes(&self) -> u64 {
        /// A part in the tree, whose nodes are filled to two thirds on average, and its two allocations.
        const OF_PART: u64 = 120;
        let entries: usize =
            self.0.values().map(|part| part.lows.capacity() * 2 + part.ends.capacity() * 8).sum();
        self.0.len() as u64 * OF_PART + entries as u64
    }
}
