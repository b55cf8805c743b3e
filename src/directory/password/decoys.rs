//! Decoys: what is computed for an unknown name, so that response times do not reveal which users exist.
//!
//! Verifying takes a different time for each encoding: an imported user's PBKDF2 differs from our argon2id. A name without
//! a readable password is therefore compared with a *decoy*: an encoding that users of this database have, drawn by a
//! keyed hash of the name. Over many names, decoys have the same proportions as the users' encodings. One name always
//! draws the same decoy, in every process with the same key and counts.
//!
//! The draw is a race: each encoding gets a random waiting time from the hash, divided by its number of users, and the
//! shortest wins. So when the counts change a little, few names change. As users move from an old encoding to ours, the
//! unknown names move in the same proportion.
//!
//! The name is hashed as typed, not folded: a sign-in treats `Anna` and `anna` as two names. If both drew the same decoy, a
//! difference between their times would reveal that one of them is a user.

use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::django::EncodedPassword;

/// The number of encodings that decoys are drawn from: those with the most users. A draw costs one hash for each.
const DRAWN_MAX: usize = 64;
/// The number of encodings that are counted. Imported hashes may have any number of iterations.
const COUNTED_MAX: usize = 1024;

/// The key of the draw. With it, a client could distinguish decoys from users.
pub(super) type DrawKey = Zeroizing<[u8; 32]>;

/// The number of users of each encoding. It contains nothing of a password.
#[derive(Default)]
pub(super) struct EncodingCounts(HashMap<String, EncodingCount>);

struct EncodingCount {
    users: u32,
    blank: Arc<EncodedPassword>,
}

impl EncodingCounts {
    /// Counts a stored password. Unusable and unreadable ones are left out: they are compared with decoys.
    pub(super) fn add(&mut self, stored: &str) {
        let Ok(encoded) = EncodedPassword::parse(stored) else { return };
        let parameters = encoded.parameters();
        if let Some(counted) = self.0.get_mut(&parameters) {
            counted.users = counted.users.saturating_add(1);
        } else if self.0.len() < COUNTED_MAX
            && let Some(blank) = encoded.blank()
        {
            self.0.insert(parameters, EncodingCount { users: 1, blank: Arc::new(blank) });
        }
    }
}

/// What decoys are drawn from.
#[derive(Clone, Default)]
pub(super) enum DecoySource {
    /// Nothing was counted yet: decoys have the parameters of new hashes.
    #[default]
    Ours,
    /// The first count is running, and sign-ins wait for it.
    Counting,
    /// The latest count.
    Counted(Arc<Decoys>),
}

/// The counts, with the key that names are drawn by.
pub(super) struct Decoys {
    key: DrawKey,
    encodings: Vec<(String, EncodingCount)>,
}

impl Decoys {
    pub(super) fn new(key: DrawKey, counts: EncodingCounts) -> Self {
        let mut encodings = Vec::from_iter(counts.0);
        encodings.sort_unstable_by(|(one, a), (other, b)| b.users.cmp(&a.users).then_with(|| one.cmp(other)));
        encodings.truncate(DRAWN_MAX);
        Self { key, encodings }
    }

    /// Draws the decoy of a name; `None` if no user has a readable password.
    pub(super) fn draw(&self, name: &str) -> Option<Arc<EncodedPassword>> {
        let seed = self.seed(name)?;
        let waits = self.encodings.iter().map(|(parameters, counted)| {
            (wait(&seed, parameters) / f64::from(counted.users), &counted.blank)
        });
        waits.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, blank)| Arc::clone(blank))
    }

    /// Hashes a name with the key. A client may send a long name, so it is hashed only once.
    fn seed(&self, name: &str) -> Option<[u8; 32]> {
        let mut keyed = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        keyed.update(name.as_bytes());
        Some(keyed.finalize().into_bytes().into())
    }
}

/// Returns an exponentially distributed waiting time. If several are each divided by a weight, the one with weight `w` is
/// the shortest with probability `w` divided by the sum of the weights.
fn wait(seed: &[u8; 32], parameters: &str) -> f64 {
    let hash = Sha256::new_with_prefix(seed).chain_update(parameters).finalize();
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // 53 bits, all that an f64 holds, in 0 < x <= 1.
    let uniform = ((number >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::directory::password::django::vectors::VECTORS;

    fn key(byte: u8) -> DrawKey {
        Zeroizing::new([byte; 32])
    }

    /// An encoding with its own number of iterations, which the tests never compute.
    fn pbkdf2(iterations: u32) -> String {
        format!("pbkdf2_sha256${iterations}$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=")
    }

    fn counts(users: &[(u32, u32)]) -> EncodingCounts {
        let mut counts = EncodingCounts::default();
        for (iterations, users) in users {
            (0..*users).for_each(|_| counts.add(&pbkdf2(*iterations)));
        }
        counts
    }

    fn drawn(decoys: &Decoys, names: u32) -> Vec<String> {
        (0..names).map(|name| decoys.draw(&format!("name{name}")).unwrap().parameters()).collect()
    }

    #[test]
    fn a_blank_has_the_parameters_and_nothing_of_the_password() {
        for (_, stored) in VECTORS {
            let encoded = EncodedPassword::parse(stored).ok().unwrap();
            let (parameters, costs) = (encoded.parameters(), encoded.costs());
            let blank = encoded.blank().unwrap();
            assert_eq!((blank.parameters(), blank.costs()), (parameters.clone(), costs), "{stored}");
            let mut counts = EncodingCounts::default();
            counts.add(stored);
            let (of, counted) = counts.0.into_iter().next().unwrap();
            assert_eq!((of.as_str(), counted.users), (parameters.as_str(), 1));
            let text = match Arc::into_inner(counted.blank).unwrap() {
                EncodedPassword::Argon2(hash) => hash.to_string(),
                EncodedPassword::Pbkdf2Sha256 { salt, output, .. } => format!("{salt}{output:?}"),
                EncodedPassword::Pbkdf2Sha1 { salt, output, .. } => format!("{salt}{output:?}"),
                EncodedPassword::Bcrypt(parts) | EncodedPassword::BcryptSha256(parts) => parts.to_string(),
                EncodedPassword::Scrypt { salt, output, .. } => format!("{salt}{output:?}"),
            };
            let secrets = stored.split('$').filter(|part| part.len() > 15 && !part.contains("m="));
            assert!(secrets.clone().count() > 0);
            secrets.for_each(|secret| assert!(!text.contains(secret), "{text} {stored}"));
        }
    }

    /// The shares are 60, 30 and 10 per cent of 30,000 names. Their standard deviation is below 0.3 per cent.
    #[test]
    fn decoys_come_in_the_proportion_of_the_users() {
        let mut shares = BTreeMap::new();
        for parameters in drawn(&Decoys::new(key(1), counts(&[(1, 60), (2, 30), (3, 10)])), 30_000) {
            *shares.entry(parameters).or_insert(0) += 1;
        }
        let shares: Vec<i32> = shares.into_values().collect();
        for (share, wanted) in shares.iter().zip([18_000, 9_000, 3_000]) {
            assert!((share - wanted).abs() < 450, "{shares:?}");
        }
        assert_eq!(shares.len(), 3);
    }

    #[test]
    fn a_name_draws_the_same_again_by_the_same_key_alone() {
        let users = [(1, 60), (2, 40)];
        let once = drawn(&Decoys::new(key(1), counts(&users)), 1000);
        assert_eq!(once, drawn(&Decoys::new(key(1), counts(&users)), 1000));
        assert_ne!(once, drawn(&Decoys::new(key(2), counts(&users)), 1000));
    }

    /// When one user in a hundred moves from the old encoding to the new one, so does one unknown name in a hundred.
    #[test]
    fn names_move_as_the_users_do() {
        let before = drawn(&Decoys::new(key(1), counts(&[(1, 60), (2, 40)])), 10_000);
        let after = drawn(&Decoys::new(key(1), counts(&[(1, 59), (2, 41)])), 10_000);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        assert!(moved.clone().all(|(before, after)| before.ends_with("$1") && after.ends_with("$2")));
        assert!((50..150).contains(&moved.count()));
    }

    /// Another case is another name. Otherwise a difference between the times of two case variants would reveal a user.
    #[test]
    fn the_case_of_a_name_counts() {
        let decoys = Decoys::new(key(1), counts(&[(1, 50), (2, 50)]));
        let differ = |n: &u32| {
            let [one, other] = [format!("name{n}"), format!("NAME{n}")];
            decoys.draw(&one).unwrap().parameters() != decoys.draw(&other).unwrap().parameters()
        };
        assert!((400..600).contains(&(0..1000).filter(differ).count()));
    }

    #[test]
    fn what_is_counted_is_bounded_and_the_rarest_are_left_out() {
        let many: Vec<(u32, u32)> = (1..=2000).map(|n| (n, if n <= 10 { 2 } else { 1 })).collect();
        let counts = counts(&many);
        assert_eq!(counts.0.len(), COUNTED_MAX);
        let decoys = Decoys::new(key(1), counts);
        assert_eq!(decoys.encodings.len(), DRAWN_MAX);
        assert_eq!(decoys.encodings.iter().filter(|(_, counted)| counted.users == 2).count(), 10);
    }

    #[test]
    fn unusable_and_unreadable_passwords_are_no_encodings() {
        let mut counts = EncodingCounts::default();
        for stored in ["", "!", "!abc", "md5$a$b", "plain", &pbkdf2(99_999_999)] {
            counts.add(stored);
        }
        assert!(Decoys::new(key(1), counts).draw("anybody").is_none());
    }
}
