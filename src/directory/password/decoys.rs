//! What is computed for a name that nobody has, so that time does not tell who exists.
//!
//! Each encoding of a directory takes a time of its own: an imported user's PBKDF2 another than our argon2id. A name
//! without a readable password is therefore compared with a *decoy*: an encoding that users of this directory have,
//! drawn by a keyed hash of the name. Over many names decoys come in the proportion in which users have the encodings,
//! and one name draws the same again, in every process that has the same key and counts.
//!
//! The draw is a race: each encoding gets a waiting time that the hash makes random, divided by how many users have it,
//! and the shortest wins. So a count that changes a little moves few names, and as users leave an old encoding for
//! ours, names that nobody has leave it alike.
//!
//! The name is hashed as it was typed, not folded: `Anna` and `anna` are two names to a sign-in. If both drew one
//! decoy, a difference between their times would tell that one of them is somebody's.

use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::django::Encoded;

/// Encodings that decoys are drawn from, at the most: those of the most users. A draw costs a hash for each.
const DRAWN_MAX: usize = 64;
/// Encodings that are counted, at the most. An import may bring any numbers of iterations.
const COUNTED_MAX: usize = 1024;

/// What the draw is keyed with: whoever had it could tell decoys from passwords.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// How many users have which encoding. It holds nothing of a password.
#[derive(Default)]
pub(super) struct Census(HashMap<String, Counted>);

struct Counted {
    users: u32,
    blank: Arc<Encoded>,
}

impl Census {
    /// Counts a stored password. Unusable and unreadable ones have no encoding: they are compared with decoys.
    pub(super) fn add(&mut self, stored: &str) {
        let Ok(encoded) = Encoded::parse(stored) else { return };
        let parameters = encoded.parameters();
        if let Some(counted) = self.0.get_mut(&parameters) {
            counted.users = counted.users.saturating_add(1);
        } else if self.0.len() < COUNTED_MAX
            && let Some(blank) = encoded.blank()
        {
            self.0.insert(parameters, Counted { users: 1, blank: Arc::new(blank) });
        }
    }
}

/// A census with the key that names are drawn by.
pub(super) struct Decoys {
    key: Key,
    encodings: Vec<(String, Counted)>,
}

impl Decoys {
    pub(super) fn new(key: Key, census: Census) -> Self {
        let mut encodings = Vec::from_iter(census.0);
        encodings.sort_unstable_by(|(one, a), (other, b)| b.users.cmp(&a.users).then_with(|| one.cmp(other)));
        encodings.truncate(DRAWN_MAX);
        Self { key, encodings }
    }

    /// The decoy of a name; `None` when no user has a readable password.
    pub(super) fn draw(&self, name: &str) -> Option<Arc<Encoded>> {
        let seed = self.seed(name)?;
        let waits = self.encodings.iter().map(|(parameters, counted)| {
            (wait(&seed, parameters) / f64::from(counted.users), &counted.blank)
        });
        waits.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, blank)| Arc::clone(blank))
    }

    /// What the key makes of a name. The name is as long as whoever asks likes, so it is hashed once.
    fn seed(&self, name: &str) -> Option<[u8; 32]> {
        let mut keyed = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        keyed.update(name.as_bytes());
        Some(keyed.finalize().into_bytes().into())
    }
}

/// A waiting time, exponentially distributed: of several, each divided by a weight, the one with weight `w` is the
/// shortest with probability `w` divided by the sum of weights.
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

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    /// An encoding with a number of iterations of its own, which nobody computes here.
    fn pbkdf2(iterations: u32) -> String {
        format!("pbkdf2_sha256${iterations}$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=")
    }

    fn census(users: &[(u32, u32)]) -> Census {
        let mut census = Census::default();
        for (iterations, users) in users {
            (0..*users).for_each(|_| census.add(&pbkdf2(*iterations)));
        }
        census
    }

    fn drawn(decoys: &Decoys, names: u32) -> Vec<String> {
        (0..names).map(|name| decoys.draw(&format!("name{name}")).unwrap().parameters()).collect()
    }

    #[test]
    fn a_blank_has_the_parameters_and_nothing_of_the_password() {
        for (_, stored) in VECTORS {
            let encoded = Encoded::parse(stored).ok().unwrap();
            let (parameters, costs) = (encoded.parameters(), encoded.costs());
            let blank = encoded.blank().unwrap();
            assert_eq!((blank.parameters(), blank.costs()), (parameters.clone(), costs), "{stored}");
            let mut census = Census::default();
            census.add(stored);
            let (of, counted) = census.0.into_iter().next().unwrap();
            assert_eq!((of.as_str(), counted.users), (parameters.as_str(), 1));
            let told = match Arc::into_inner(counted.blank).unwrap() {
                Encoded::Argon2(hash) => hash.to_string(),
                Encoded::Pbkdf2Sha256 { salt, output, .. } => format!("{salt}{output:?}"),
                Encoded::Pbkdf2Sha1 { salt, output, .. } => format!("{salt}{output:?}"),
                Encoded::Bcrypt(parts) | Encoded::BcryptSha256(parts) => parts.to_string(),
                Encoded::Scrypt { salt, output, .. } => format!("{salt}{output:?}"),
            };
            let secrets = stored.split('$').filter(|part| part.len() > 15 && !part.contains("m="));
            assert!(secrets.clone().count() > 0);
            secrets.for_each(|secret| assert!(!told.contains(secret), "{told} {stored}"));
        }
    }

    /// 60, 30 and 10 of 100, of 30,000 names: the deviation of a share is below 0.3 per cent of all.
    #[test]
    fn decoys_come_in_the_proportion_of_the_users() {
        let mut shares = BTreeMap::new();
        for parameters in drawn(&Decoys::new(key(1), census(&[(1, 60), (2, 30), (3, 10)])), 30_000) {
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
        let once = drawn(&Decoys::new(key(1), census(&users)), 1000);
        assert_eq!(once, drawn(&Decoys::new(key(1), census(&users)), 1000));
        assert_ne!(once, drawn(&Decoys::new(key(2), census(&users)), 1000));
    }

    /// One user in a hundred moves from the old encoding to the new one: so do names that nobody has, and no others.
    #[test]
    fn names_move_as_the_users_do() {
        let before = drawn(&Decoys::new(key(1), census(&[(1, 60), (2, 40)])), 10_000);
        let after = drawn(&Decoys::new(key(1), census(&[(1, 59), (2, 41)])), 10_000);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        assert!(moved.clone().all(|(before, after)| before.ends_with("$1") && after.ends_with("$2")));
        assert!((50..150).contains(&moved.count()));
    }

    /// Case makes another name: if it did not, whose case variant takes another time would be somebody.
    #[test]
    fn the_case_of_a_name_counts() {
        let decoys = Decoys::new(key(1), census(&[(1, 50), (2, 50)]));
        let differ = |n: &u32| {
            let [one, other] = [format!("name{n}"), format!("NAME{n}")];
            decoys.draw(&one).unwrap().parameters() != decoys.draw(&other).unwrap().parameters()
        };
        assert!((400..600).contains(&(0..1000).filter(differ).count()));
    }

    #[test]
    fn what_is_counted_is_bounded_and_the_rarest_are_left_out() {
        let many: Vec<(u32, u32)> = (1..=2000).map(|n| (n, if n <= 10 { 2 } else { 1 })).collect();
        let census = census(&many);
        assert_eq!(census.0.len(), COUNTED_MAX);
        let decoys = Decoys::new(key(1), census);
        assert_eq!(decoys.encodings.len(), DRAWN_MAX);
        assert_eq!(decoys.encodings.iter().filter(|(_, counted)| counted.users == 2).count(), 10);
    }

    #[test]
    fn unusable_and_unreadable_passwords_are_no_encodings() {
        let mut census = Census::default();
        for stored in ["", "!", "!abc", "md5$a$b", "plain", &pbkdf2(99_999_999)] {
            census.add(stored);
        }
        assert!(Decoys::new(key(1), census).draw("anybody").is_none());
    }
}
