//! Refuses new passwords that somebody would try first: common and leaked ones, the user's own data, one
//! character or word over and over, runs of keys, letters or digits (NIST SP 800-63B-4, section 3.1.1.2).
//!
//! The lists are zxcvbn's, inside the binary: 30,000 leaked passwords, and the commonest words and names of
//! English and the United States. It estimates how many guesses find a password, knowing the usual
//! disguises (`P@ssw0rd`, `drowssap`, doubled words); fewer than a million are too few. In practice one or two
//! entries of the lists are refused whatever their length, three or more are not. What the estimate lets pass is looked
//! for, whole, among two million leaked passwords ([`super::leaked`]).
//!
//! Not covered: leaks at large (there is no look-up in a service, which would learn about passwords), and words of
//! other languages, unless they are leaked passwords.
//! It asks the machine for the year, once, to weigh dates by how near they are.
//! The estimate looks at the first 100 characters only; a longer password is refused for a common beginning.

use zxcvbn::matching::Match;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

use super::leaked;
use crate::directory::model::{User, Violation};

/// Orders of magnitude: a password found within a million guesses falls to a slow trickle of them.
const LEAST_GUESSES_LOG10: f64 = 6.0;
/// Shorter words would be found in every password.
const LEAST_WORD: usize = 3;

/// What a user's password must not be made of: each word, in lower case, with the name of its field.
#[derive(Default)]
pub(in crate::directory) struct Owner(Vec<(&'static str, String)>);

impl Owner {
    /// The words of a user's own data.
    pub(in crate::directory) fn new(user: &User) -> Self {
        let email = user.email.as_deref().unwrap_or_default();
        let local_part = email.split('@').next().unwrap_or_default();
        let full_name = format!("{}{}", user.first_name, user.last_name);
        let words = [
            ("username", user.username.as_str()),
            ("email address", email),
            ("email address", local_part),
            ("first name", &user.first_name),
            ("last name", &user.last_name),
            ("name", &full_name),
            ("mobile number", user.mobile_number.as_deref().unwrap_or_default()),
        ];
        let long = words.into_iter().filter(|(_, word)| word.chars().count() >= LEAST_WORD);
        Self(long.map(|(field, word)| (field, word.to_lowercase())).collect())
    }

    /// The field a password was found to be made of.
    fn field_in(&self, words: &[String]) -> Option<&'static str> {
        words.iter().find_map(|word| self.0.iter().find(|(_, own)| own == word).map(|(field, _)| *field))
    }
}

/// The words of the setting `password_words`, in lower case, on which no new password may be built.
pub(super) struct ForbiddenWords(Vec<String>);

impl ForbiddenWords {
    pub(super) fn new(words: &[String]) -> Self {
        let mut words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        // A word may be part of another.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self(words)
    }

    fn is_in(&self, words: &[String]) -> bool {
        words.iter().any(|word| self.0.contains(word))
    }

    /// What a password has beside these words; `None` when it has none of them.
    fn beside(&self, password: &str) -> Option<String> {
        let whole = password.to_lowercase();
        let rest = self.0.iter().fold(whole.clone(), |rest, word| rest.replace(word, ""));
        (rest != whole).then_some(rest)
    }
}

/// The words that a password was found to be made of, in lower case; those of a repeated part, too.
fn words_in(found: &[Match]) -> Vec<String> {
    let mut words = Vec::new();
    for part in found {
        match &part.pattern {
            MatchPattern::Dictionary(entry) => words.push(entry.matched_word.to_lowercase()),
            MatchPattern::Repeat(repeat) => {
                words.push(repeat.base_token.to_lowercase());
                words.extend(words_in(&repeat.base_matches));
            }
            _ => {}
        }
    }
    words
}

/// Refuses what is found too early. It takes up to half a second for the worst of passwords.
pub(super) fn check(password: &str, owner: &Owner, forbidden: &ForbiddenWords) -> Result<(), Violation> {
    let own = owner.0.iter().map(|(_, word)| word.as_str());
    let words: Vec<&str> = own.chain(forbidden.0.iter().map(String::as_str)).collect();
    let estimate = zxcvbn(password, &words);
    if is_early(&estimate) {
        let words = words_in(estimate.sequence());
        return Err(match owner.field_in(&words) {
            Some(field) => Violation::TooSimilar(field),
            None if forbidden.is_in(&words) => on_forbidden_word(),
            None => Violation::TooCommon,
        });
    }
    // An estimate multiplies what it finds, so a word with itself would do.
    if forbidden.beside(password).is_some_and(|rest| is_early(&zxcvbn(&rest, &words))) {
        return Err(on_forbidden_word());
    }
    if leaked::contains(password) { Err(Violation::TooCommon) } else { Ok(()) }
}

fn is_early(estimate: &Entropy) -> bool {
    estimate.guesses_log10() < LEAST_GUESSES_LOG10
}

fn on_forbidden_word() -> Violation {
    Violation::Other("The password is built on a word that is not allowed here.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(password: &str) -> String {
        let own =
            [("username", "alex.smith"), ("email address", "a.smith@example.com"), ("name", "alexsmith")];
        let owner = Owner(own.map(|(field, word)| (field, word.to_owned())).into());
        let forbidden = ForbiddenWords::new(&["Acme".to_owned(), "roadrunner".to_owned()]);
        check(password, &owner, &forbidden).map_or_else(|rule| rule.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for common in [
            "password",
            "passwordpassword",
            "P@ssw0rdP@ssw0rd",
            "123456789012345",
            "iloveyouiloveyou",
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "abcdefghijklmnop",
            "superman1234567",
            "aaaaaaaaaaaaaaaaaaaa",
            "ééééééééééééééé",
            &"x".repeat(1024),
        ] {
            assert_eq!(told(common), "This password is too common.", "{common}");
        }
    }

    #[test]
    fn the_user_s_own_data_is_refused_by_the_field_s_name() {
        assert_eq!(told("Alex.Smith"), "The password is too similar to the username.");
        assert_eq!(told("alex.smith12345"), "The password is too similar to the username.");
        assert_eq!(told("alex.smithalex.smith"), "The password is too similar to the username.");
        assert_eq!(told("a.smith@example.com"), "The password is too similar to the email address.");
        assert_eq!(told("htimsxela"), "The password is too similar to the name.");
    }

    /// The estimate takes them for hard to guess; they are among those that leaked.
    #[test]
    fn finding_low_what_leaked_is_refused_though_the_estimate_lets_it_pass() {
        for leaked in ["thequickbrownfox", "TheQuickBrownFox", "mypasswordispassword"] {
            assert!(zxcvbn(leaked, &[]).guesses_log10() >= LEAST_GUESSES_LOG10, "{leaked}");
            assert_eq!(told(leaked), "This password is too common.", "{leaked}");
        }
    }

    /// What a password has beside forbidden words must be hard to guess by itself.
    #[test]
    fn finding_low_forbidden_words_are_refused_as_the_user_s_own_are() {
        for built in [
            "acmeacmeacmeacme",
            "Acme2026Acme2026",
            "Acm3Acm3Acm3Acm3!",
            "RoadRunner123456",
            "rennurdaorACME",
            "acme-acme-acme",
            "ACME/RoadRunner/2026",
        ] {
            assert_eq!(told(built), on_forbidden_word().to_string(), "{built}");
        }
        for fine in ["acme on a rainy tuesday", "a roadrunner crosses", "kx7#mq2vacme"] {
            assert_eq!(told(fine), "ok", "{fine}");
        }
        // Without the setting none of them is known to be easy.
        let nobody = |password| check(password, &Owner::default(), &ForbiddenWords::new(&[])).is_ok();
        assert!(nobody("acme-acme-acme") && nobody("rennurdaorACME"));
    }

    #[test]
    fn what_nobody_tries_first_is_not() {
        for good in [
            "correct horse battery",
            "a secret password",
            "thequickbrownbear",
            "日本語のパスワードは長い",
            "kx7#mq2v",
        ] {
            assert_eq!(told(good), "ok", "{good}");
        }
    }
}
