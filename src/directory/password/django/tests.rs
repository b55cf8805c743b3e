use proptest::prelude::*;

use super::vectors::{EMPTY, HORSE, LONG, POLISH, VECTORS};
use super::*;

fn matches(stored: &str, given: &str) -> bool {
    let encoded = EncodedPassword::parse(stored).map_err(|_| stored).expect("a known encoding");
    encoded.matches(given.as_bytes(), &mut HashMemory::default()).unwrap()
}

#[test]
fn what_django_made_is_matched_by_its_password_alone() {
    for (password, stored) in VECTORS {
        assert!(matches(stored, password), "{password} {stored}");
        let cheap =
            ["$1000$", "$04$", "$1024$", "m=1024,", "m=512,"].iter().any(|cost| stored.contains(cost));
        for other in [HORSE, POLISH, LONG, EMPTY, "Correct horse battery staple"] {
            assert!(other == *password || !cheap || !matches(stored, other), "{other} {stored}");
        }
        assert!(!EncodedPassword::parse(stored).is_ok_and(|encoded| encoded.is_current()), "{stored}");
    }
}

#[test]
fn bcrypt_alone_forgets_what_comes_after_72_bytes() {
    let of_long = |algorithm: &str| {
        VECTORS.iter().find(|(of, stored)| *of == LONG && stored.starts_with(algorithm)).unwrap().1
    };
    assert!(matches(of_long("bcrypt$"), &"x".repeat(72)));
    assert!(!matches(of_long("bcrypt$"), &"x".repeat(71)));
    assert!(!matches(of_long("bcrypt_sha256$"), &"x".repeat(72)));
}

#[test]
fn every_part_of_an_encoding_counts() {
    for (password, stored) in VECTORS.iter().filter(|(of, stored)| *of == POLISH && stored.len() > 40) {
        let cut = stored.len() - 5;
        let digit = if stored[cut..].starts_with('A') { "B" } else { "A" };
        let changed = format!("{}{digit}{}", &stored[..cut], &stored[cut + 1..]);
        assert!(EncodedPassword::parse(&changed).is_err() || !matches(&changed, password), "{changed}");
    }
}

#[test]
fn no_password_is_unusable() {
    for stored in ["", "!", "!7p0LAxod8SRCQSrWPohb5UoMuSUkB8fl0zJnSK9f", "!pbkdf2_sha256$1$a$b"] {
        assert_eq!(EncodedPassword::parse(stored).err(), Some(Unmatched::Unusable));
    }
}

#[test]
fn what_is_unknown_is_told_by_its_algorithm() {
    for (stored, algorithm) in [
        ("md5$CsvfQpuc8qiQE29ce1Z8Ml$3d55ba40e2b0e688aa9fb3ab87e4eeec", "md5"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "5f4dcc3b5aa765d61d8327deb882cf99"),
        ("sha1$salt$hash", "sha1"),
        ("$2b$12$oXtcIs/.hlzT2yLPDS6M2.AFzCYMY7C0hzedwl6PaWzr539gdI242", ""),
        ("pbkdf2_sha256", "pbkdf2_sha256"),
        ("pbkdf2_sha256$1000$salt", "pbkdf2_sha256"),
        ("pbkdf2_sha256$1000$salt$", "pbkdf2_sha256"),
        ("pbkdf2_sha256$1000$salt$QUJD", "pbkdf2_sha256"),
        ("pbkdf2_sha256$many$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=", "pbkdf2_sha256"),
        ("argon2$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0$", "argon2"),
        ("argon2$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0$QUJD", "argon2"),
        ("argon2$argon2id$v=18$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$glncjhLV4XCz5WjLKCD1Ug", "argon2"),
        ("argon2$argon2x$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$glncjhLV4XCz5WjLKCD1Ug", "argon2"),
        ("argon2$argon2id$v=19$m=512,t=2,p=2$c2FsdA$glncjhLV4XCz5WjLKCD1Ug", "argon2"),
        ("bcrypt$$2x$04$uFUvD3tUjqbfxA.W4.sNC..PE/RUQFgXcOsEGoWdLbbUfgXaxqbuq", "bcrypt"),
        ("bcrypt_sha256$$2b$04$short", "bcrypt_sha256"),
        (
            "scrypt$1000$salt$8$5$nT/3oWSmZXjfUil3ycwtNptn16rJLL0L4rbxxtgemp6J/8xmFrTxe+Q+9HU0wxi/F3cy1J9FtuMcQ4EBR81gxA==",
            "scrypt",
        ),
    ] {
        assert_eq!(EncodedPassword::parse(stored).err(), Some(Unmatched::Unknown(algorithm)), "{stored}");
    }
}

/// A hash above the cost limits is not computed; one at a limit is.
#[test]
fn costs_are_bounded() {
    let readable = |stored: String| EncodedPassword::parse(&stored).is_ok();
    let pbkdf2 =
        |n: u64| readable(format!("pbkdf2_sha256${n}$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA="));
    let argon2 = |m: u64, t: u64, p: u64| {
        readable(format!("argon2$argon2id$v=19$m={m},t={t},p={p}$c2FsdHNhbHRzYWx0$glncjhLV4XCz5WjLKCD1Ug"))
    };
    let scrypt = |n: u64, r: u64, p: u64| {
        let output =
            "nT/3oWSmZXjfUil3ycwtNptn16rJLL0L4rbxxtgemp6J/8xmFrTxe+Q+9HU0wxi/F3cy1J9FtuMcQ4EBR81gxA==";
        readable(format!("scrypt${n}$salt${r}${p}${output}"))
    };
    let bcrypt = |cost: u32| {
        readable(format!("bcrypt$$2b${cost:02}$uFUvD3tUjqbfxA.W4.sNC..PE/RUQFgXcOsEGoWdLbbUfgXaxqbuq"))
    };
    assert_eq!([0, 1, 10_000_000, 10_000_001, 4_294_967_296].map(pbkdf2), [false, true, true, false, false]);
    assert_eq!([3, 4, 16, 17, 31].map(bcrypt), [false, true, true, false, false]);
    assert!(argon2(1 << 20, 4, 1) && !argon2(1 << 20, 5, 1) && !argon2((1 << 20) + 1, 1, 1));
    assert!(!argon2(1024, u64::from(u32::MAX), 1) && !argon2(0, 1, 1) && !argon2(8, 1, u64::from(u32::MAX)));
    assert!(argon2(102_400, 2, 8) && !argon2(64, 1, 0) && !argon2(64, 0, 1) && !argon2(1 << 20, 1, 256));
    assert!(scrypt(1 << 20, 8, 4) && !scrypt(1 << 20, 8, 5) && !scrypt(1 << 21, 8, 1));
    assert!(!scrypt(1, 8, 1) && !scrypt(0, 8, 1) && !scrypt(16, 0, 1) && !scrypt(1 << 63, 8, 1));
    assert!(!scrypt(2, 65_535, 65_535) && !scrypt(2, 65_536, 65_536));
}

fn stored() -> impl Strategy<Value = String> {
    let algorithm = prop::sample::select(vec![
        "pbkdf2_sha256",
        "pbkdf2_sha1",
        "argon2",
        "bcrypt",
        "bcrypt_sha256",
        "scrypt",
        "!",
        "",
    ]);
    let numbers = prop::sample::select(vec![
        "0",
        "1",
        "-1",
        "2",
        "16",
        "4294967296",
        "99999999999999999999",
        "é",
        "m=8,t=1,p=1",
        "v=19",
        "argon2id",
        "2b",
        "04",
    ]);
    let part = prop_oneof![numbers.prop_map(str::to_owned), "[A-Za-z0-9+/=.]{0,70}", ".*"];
    prop_oneof![
        ".*",
        (algorithm, prop::collection::vec(part, 0..7))
            .prop_map(|(name, parts)| format!("{name}${}", parts.join("$"))),
        (prop::sample::select(VECTORS.to_vec()), any::<prop::sample::Index>(), any::<char>()).prop_map(
            |((_, stored), at, with)| {
                let at = at.index(stored.len());
                format!("{}{with}{}", &stored[..at], &stored[at + 1..])
            }
        ),
    ]
}

proptest! {
    #[test]
    fn nothing_that_is_stored_panics(stored in stored()) {
        if let Ok(encoded) = EncodedPassword::parse(&stored) {
            // Only cheap ones, to keep the test fast.
            if encoded.costs().work <= 1 << 20 && !matches!(encoded, EncodedPassword::Pbkdf2Sha256 { iterations: 10_000.., .. } | EncodedPassword::Pbkdf2Sha1 { iterations: 10_000.., .. } | EncodedPassword::Bcrypt(_) | EncodedPassword::BcryptSha256(_)) {
                encoded.matches(b"given", &mut HashMemory::default()).unwrap();
            }
        }
    }
}
