//! A map of bounded size whose operations cost the same however full it is.
//!
//! Each key belongs to one set of sixteen entries. In a full set, a new key replaces the entry with the least weight. So memory
//! is bounded, no operation searches the whole map, and the entries with the highest counts stay: an attacker with very many
//! addresses pushes out only entries that have counted little.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

/// Entries of one set.
const WAYS: usize = 16;

/// The map. It takes no memory before its first entry, and then grows with use, up to its capacity.
pub(in crate::directory) struct Slots<K, V> {
    count: usize,
    sets: Vec<Vec<(K, V)>>,
    hasher: RandomState,
}

impl<K: Hash + Eq, V> Slots<K, V> {
    /// A map that holds at most `capacity` entries, rounded up to a multiple of sixteen.
    pub(in crate::directory) fn new(capacity: usize) -> Self {
        Self { count: capacity.div_ceil(WAYS).max(1), sets: Vec::new(), hasher: RandomState::new() }
    }

    /// Returns the set of a key.
    fn set(&mut self, key: &K) -> Option<&mut Vec<(K, V)>> {
        let count = u64::try_from(self.count).unwrap_or(1).max(1);
        let index = usize::try_from(self.hasher.hash_one(key) % count).unwrap_or(0);
        self.sets.get_mut(index)
    }

    /// Returns the value of a key, if it is kept.
    pub(in crate::directory) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.set(key)?.iter_mut().find_map(|(kept, value)| (kept == key).then_some(value))
    }

    /// Runs `work` on the value of a key. A new key begins with the default value; in a full set it replaces the entry with the
    /// least weight.
    pub(in crate::directory) fn with<T, W: Ord>(
        &mut self,
        key: K,
        weight: impl Fn(&V) -> W,
        work: impl FnOnce(&mut V) -> T,
    ) -> T
    where
        V: Default,
    {
        if self.sets.is_empty() {
            self.sets.resize_with(self.count, Vec::new);
        }
        let Some(set) = self.set(&key) else { return work(&mut V::default()) };
        if let Some((_, value)) = set.iter_mut().find(|(kept, _)| *kept == key) {
            return work(value);
        }
        let mut value = V::default();
        let result = work(&mut value);
        if set.len() < WAYS {
            set.push((key, value));
        } else if let Some(least) = set.iter_mut().min_by_key(|(_, value)| weight(value)) {
            *least = (key, value);
        }
        result
    }

    /// The number of entries.
    #[cfg(test)]
    pub(in crate::directory) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_bounded_and_what_matters_stays() {
        let mut slots = Slots::<u32, u32>::new(64);
        let mut count = |key| {
            slots.with(
                key,
                |count| *count,
                |count| {
                    *count += 1;
                    *count
                },
            )
        };
        assert_eq!((1..=100).map(|_| count(7)).last(), Some(100));
        for stranger in 1_000..100_000 {
            assert_eq!(count(stranger), 1, "a newcomer begins at nothing");
        }
        assert_eq!(count(7), 101, "the one who was counted most is still known");
        assert_eq!(slots.len(), 64);
        assert_eq!(slots.get_mut(&7), Some(&mut 101));
        assert_eq!(slots.get_mut(&1_000), None);
    }

    #[test]
    fn a_key_is_looked_for_among_sixteen_however_many_there_are() {
        let mut slots = Slots::<u32, ()>::new(200_000);
        for key in 0..400_000 {
            slots.with(key, |()| (), |()| ());
        }
        assert!(slots.sets.iter().all(|set| set.len() <= WAYS && set.capacity() <= WAYS));
        assert!(slots.len() > 190_000, "sets fill evenly: {}", slots.len());
    }
}
