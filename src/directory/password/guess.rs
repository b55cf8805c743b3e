//! Refusing new passwords that are easy to guess: common and leaked ones, the user's own data, repeated characters and
//! words, sequences of keys, letters or digits (NIST SP 800-63B-4, section 3.1.1.2).
//!
//! The estimate is zxcvbn's. Its lists are inside the binary: 30,000 leaked passwords, and the most common words and names
//! of English and the United States. It estimates the number of guesses, knowing the usual disguises (`P@ssw0rd`,
//! `drowssap`, doubled words). A password that takes fewer than a million guesses is refused. In practice, one or two
//! entries of the lists are refused whatever their length, and three or more are accepted. A password that passes is then
//! looked up, as a whole, among two million leaked passwords ([`super::leaked`]).
//!
//! Not covered: other leaks (a look-up in a service would reveal something about the password), and words of other
//! languages, unless they are leaked passwords. zxcvbn reads the year from the system once, to rate dates by how recent
//! they are. It looks at the first 100 characters only, so a longer password with a common beginning is refused.

use zxcvbn::matching::Match;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

use super::leaked;
use crate::directory::model::{User, Violation};

/// The smallest order of magnitude of guesses. A password found within a million guesses falls to a slow online attack.
const MIN_GUESSES_LOG10: f64 = 6.0;
/// The shortest word of the user's data that counts. Shorter ones occur in every password.
const MIN_WORD: usize = 3;

/// The words that a user's password must not be made of, in lower case, each with the name of its field.
#[derive(Default)]
pub(in crate::directory) struct PasswordOwner(Vec<(&'static str, String)>);

impl PasswordOwner {
    /// Collects the words of a user's own data.
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
        let long = words.into_iter().filter(|(_, word)| word.chars().count() >= MIN_WORD);
        Self(long.map(|(field, word)| (field, word.to_lowercase())).collect())
    }

    /// Returns the field of the first of `words` that is the user's own.
    fn field_in(&self, words: &[String]) -> Option<&'static str> {
        words.iter().find_map(|word| self.0.iter().find(|(_, own)| own == word).map(|(field, _)| *field))
    }
}

/// The words of the setting `password_words`, in lower case. No new password may be built on one.
pub(super) struct ForbiddenWords(Vec<String>);

impl ForbiddenWords {
    pub(super) fn new(words: &[String]) -> Self {
        let mut words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        // The longest first, because a word may be part of another.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self(words)
    }

    fn is_in(&self, words: &[String]) -> bool {
        words.iter().any(|word| self.0.contains(word))
    }

    /// Returns the password without these words; `None` if it contains none of them.
    fn remainder(&self, password: &str) -> Option<String> {
        let whole = password.to_lowercase();
        let rest = self.0.iter().fold(whole.clone(), |rest, word| rest.replace(word, ""));
        (rest != whole).then_some(rest)
    }
}

/// Returns the words that the estimate found in a password, in lower case, including those of a repeated part.
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

/// Refuses a password that is easy to guess. It takes up to half a second in the worst case.
pub(super) fn check(
    password: &str,
    owner: &PasswordOwner,
    forbidden: &ForbiddenWords,
) -> Result<(), Violation> {
    let own = owner.0.iter().map(|(_, word)| word.as_str());
    let words: Vec<&str> = own.chain(forbidden.0.iter().map(String::as_str)).collect();
    let estimate = zxcvbn(password, &words);
    if is_easy(&estimate) {
        let words = words_in(estimate.sequence());
        return Err(match owner.field_in(&words) {
            Some(field) => Violation::TooSimilar(field),
            None if forbidden.is_in(&words) => on_forbidden_word(),
            None => Violation::TooCommon,
        });
    }
    // The estimate multiplies the parts that it finds, so a repeated word could pass.
    if forbidden.remainder(password).is_some_and(|rest| is_easy(&zxcvbn(&rest, &words))) {
        return Err(on_forbidden_word());
    }
    if leaked::contains(password) { Err(Violation::TooCommon) } else { Ok(()) }
}

fn is_easy(estimate: &Entropy) -> bool {
    estimate.guesses_log10() < MIN_GUESSES_LOG10
}

fn on_forbidden_word() -> Violation {
    Violation::Other("The password is built on a word that is not allowed here.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(password: &str) -> String {
        let own =
            [("username", "alex.smith"), ("email address", "a.smith@example.com"), ("name", "alexsmith")];
        let owner = PasswordOwner(own.map(|(field, word)| (field, word.to_owned())).into());
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
            assert_eq!(outcome(common), "This password is too common.", "{common}");
        }
    }

    #[test]
    fn the_user_s_own_data_is_refused_by_the_field_s_name() {
        assert_eq!(outcome("Alex.Smith"), "The password is too similar to the username.");
        assert_eq!(outcome("alex.smith12345"), "The password is too similar to the username.");
        assert_eq!(outcome("alex.smithalex.smith"), "The password is too similar to the username.");
        assert_eq!(outcome("a.smith@example.com"), "The password is too similar to the email address.");
        assert_eq!(outcome("htimsxela"), "The password is too similar to the name.");
    }

    /// The estimate rates these as hard to guess, but they are leaked.
    #[test]
    fn finding_low_what_leaked_is_refused_though_the_estimate_lets_it_pass() {
        for leaked in ["thequickbrownfox", "TheQuickBrownFox", "mypasswordispassword"] {
            assert!(zxcvbn(leaked, &[]).guesses_log10() >= MIN_GUESSES_LOG10, "{leaked}");
            assert_eq!(outcome(leaked), "This password is too common.", "{leaked}");
        }
    }

    /// The rest of a password, without forbidden words, must be hard to guess by itself.
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
            assert_eq!(outcome(built), on_forbidden_word().to_string(), "{built}");
        }
        for fine in ["acme on a rainy tuesday", "a roadrunner crosses", "kx7#mq2vacme"] {
            assert_eq!(outcome(fine), "ok", "{fine}");
        }
        // Without the setting, they are accepted.
        let nobody = |password| check(password, &PasswordOwner::default(), &ForbiddenWords::new(&[])).is_ok();
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
            assert_eq!(outcome(good), "ok", "{good}");
        }
    }
}
