//! Refuses new passwords that somebody would try first: common and leaked ones, the user's own data, one
//! character or word over and over, runs of keys, letters or digits (NIST SP 800-63B-4, section 3.1.1.2).
//!
//! The lists are zxcvbn's, inside the binary: 30,000 leaked passwords, and the commonest words and names of
//! English and the United States. It estimates how many guesses find a password, knowing the usual
//! disguises (`P@ssw0rd`, `drowssap`, doubled words); fewer than a million are too few. In practice one or two
//! entries of the lists are refused whatever their length, three or more are not.
//!
//! Not covered: leaks at large (there is no look-up in a service, which would be told about passwords),
//! words of other languages, and whatever is not on the lists: of the 20,000 passwords Django refuses,
//! about nine in ten of those with 8 to 11 characters are refused here, two in three of the longer ones.
//! It asks the machine for the year, once, to weigh dates by how near they are.
//! Only the first 100 characters are looked at; a longer password is refused for a common beginning.

use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

use crate::directory::model::{Rule, User};

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
    fn field_in(&self, estimate: &Entropy) -> Option<&'static str> {
        estimate.sequence().iter().find_map(|found| {
            let word = match &found.pattern {
                MatchPattern::Dictionary(entry) => &entry.matched_word,
                MatchPattern::Repeat(repeat) => &repeat.base_token,
                _ => return None,
            };
            let word = word.to_lowercase();
            self.0.iter().find(|(_, own)| *own == word).map(|(field, _)| *field)
        })
    }
}

/// Refuses what is found too early. It takes up to half a second for the worst of passwords.
pub(super) fn check(password: &str, owner: &Owner) -> Result<(), Rule> {
    let words: Vec<&str> = owner.0.iter().map(|(_, word)| word.as_str()).collect();
    let estimate = zxcvbn(password, &words);
    if estimate.guesses_log10() >= LEAST_GUESSES_LOG10 {
        return Ok(());
    }
    Err(owner.field_in(&estimate).map_or(Rule::TooCommon, Rule::TooSimilar))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(password: &str) -> String {
        let own =
            [("username", "alex.smith"), ("email address", "a.smith@example.com"), ("name", "alexsmith")];
        let owner = Owner(own.map(|(field, word)| (field, word.to_owned())).into());
        check(password, &owner).map_or_else(|rule| rule.to_string(), |()| "ok".to_owned())
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

    #[test]
    fn what_nobody_tries_first_is_not() {
        for good in [
            "correct horse battery",
            "a secret password",
            "thequickbrownfox",
            "日本語のパスワードは長い",
            "kx7#mq2v",
        ] {
            assert_eq!(told(good), "ok", "{good}");
        }
    }
}
