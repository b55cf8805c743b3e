use super::*;
use crate::directory::model::Timestamp;

fn no_owner() -> PasswordOwner {
    PasswordOwner::default()
}

fn clock() -> Clock {
    Clock::fixed(Timestamp::EPOCH).unwrap()
}

fn hasher() -> Hasher {
    Hasher::new(8, &[])
}

fn slot(hasher: &Hasher) -> QueueSlot {
    hasher.reserve(QueueClient::default()).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

const PBKDF2: &str = "pbkdf2_sha256$1000$sguB1cesnsQZvkOcImGKnh$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=";

#[test]
fn length_is_counted_in_code_points() {
    let hasher = hasher();
    let check = |text: &str| hasher.check_length(&password(text));
    assert_eq!(check("éàéàéàé"), Err(Violation::TooShort(8)));
    assert_eq!(check("éàüßøåçñ"), Ok(()));
    assert_eq!(check(&"x".repeat(1025)), Err(Violation::TooLong(1024)));
    assert_eq!(check(""), Err(Violation::Blank));
    assert_eq!(check("1234567\0"), Err(Violation::NullCharacter));
    assert_eq!(check(&"x".repeat(1024)), Ok(()));
}

#[tokio::test]
async fn a_common_password_is_refused_before_it_is_hashed() {
    let hasher = hasher();
    let refused =
        hasher.encode(slot(&hasher), &clock(), password("passwordpassword"), no_owner()).await.unwrap_err();
    assert_eq!(refused.to_string(), "password: This password is too common.");
    assert_eq!(hasher.count().get(), 0);
}

#[tokio::test]
async fn our_encoding_is_django_s_and_says_right() {
    let hasher = hasher();
    let encoded =
        hasher.encode(slot(&hasher), &clock(), password("correct horse battery"), no_owner()).await.unwrap();
    assert!(encoded.starts_with("argon2$argon2id$v=19$m=65536,t=2,p=1$"), "{encoded}");
    let verdict = async |given: &str| {
        hasher.verify(slot(&hasher), "name", Some(&encoded), password(given)).await.unwrap()
    };
    assert_eq!(verdict("correct horse battery").await, PasswordCheck::Right);
    assert_eq!(verdict("correct horse batterz").await, PasswordCheck::Wrong);
    assert_eq!(format!("{:?}", password("secret")), "Password(***)");
}

#[tokio::test]
async fn another_encoding_says_outdated() {
    let hasher = hasher();
    let verdict = async |given: &str| {
        hasher.verify(slot(&hasher), "name", Some(PBKDF2), password(given)).await.unwrap()
    };
    assert_eq!(verdict("Zażółć gęślą jaźń 🐎").await, PasswordCheck::RightButOutdated);
    assert_eq!(verdict("Zażółć gęślą jaźń").await, PasswordCheck::Wrong);
}

/// Composed and decomposed characters are different passwords, as in Django.
#[tokio::test]
async fn passwords_are_not_normalised() {
    let hasher = hasher();
    let encoded = hasher
        .encode(slot(&hasher), &clock(), password("caf\u{e9} at the corner"), no_owner())
        .await
        .unwrap();
    let verdict = hasher
        .verify(slot(&hasher), "name", Some(&encoded), password("cafe\u{301} at the corner"))
        .await
        .unwrap();
    assert_eq!(verdict, PasswordCheck::Wrong);
}

/// If less were computed for unknown users, the response time would reveal who exists.
#[tokio::test]
async fn who_cannot_match_costs_what_a_wrong_password_does() {
    let hasher = hasher();
    let ours =
        hasher.encode(slot(&hasher), &clock(), password("correct horse battery"), no_owner()).await.unwrap();
    let costs = |stored: &str| EncodedPassword::parse(stored).unwrap_or_else(|_| panic!("{stored}")).costs();
    assert_eq!(EncodedPassword::Argon2(Argon2Hash::decoy().unwrap()).costs(), costs(&ours));
    let too_costly = "pbkdf2_sha256$99999999$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=";
    for stored in [
        None,
        Some(""),
        Some("!"),
        Some("!abc"),
        Some("md5$a$b"),
        Some("plain"),
        Some(too_costly),
        Some(&ours),
    ] {
        let before = hasher.count().get();
        assert_eq!(
            hasher.verify(slot(&hasher), "name", stored, password("wrong")).await.unwrap(),
            PasswordCheck::Wrong
        );
        assert_eq!(hasher.count().get() - before, 1, "{stored:?}");
    }
}

#[test]
fn names_of_unknown_algorithms_are_remembered_within_bounds() {
    let hasher = hasher();
    for name in ["md5", "md5", "not a name", "\u{1b}[2J", &"x".repeat(33), ""] {
        hasher.log_unknown(name);
    }
    assert_eq!(hasher.unknown.lock().unwrap().iter().collect::<Vec<_>>(), ["(no name)", "md5"]);
    (0..100).for_each(|number| hasher.log_unknown(&format!("name{number}")));
    assert_eq!(hasher.unknown.lock().unwrap().len(), UNKNOWN_MAX);
}
