//! The reading of `Authorization`.

use proptest::prelude::*;

use super::*;

fn parse(header: &[u8]) -> Presented<'_> {
    super::parse(header, &TokenKeywords::default())
}

const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

#[test]
fn good_spellings_present_the_key() {
    for good in [format!("Token {KEY}"), format!("tOkEn\t \t{KEY}"), format!("  TOKEN {KEY}  \t")] {
        assert_eq!(parse(good.as_bytes()), Presented::Key(KEY), "{good:?}");
    }
    assert_eq!(parse(format!("Token {KEY}\u{3000}").as_bytes()), Presented::Key(&format!("{KEY}\u{3000}")));
}

#[test]
fn other_schemes_present_nothing() {
    for other in [
        "",
        "  ",
        "Bearer x",
        "Basic x y z",
        &format!("Token{KEY}"),
        "Token: k",
        "Token, k",
        "Token=k",
        KEY,
        "To\u{212a}en k",
    ] {
        assert_eq!(parse(other.as_bytes()), Presented::Nothing, "{other:?}");
    }
}

#[test]
fn wrong_use_of_the_scheme_is_told_in_the_framework_s_order() {
    let detail = |header: &[u8]| match parse(header) {
        Presented::Malformed(text) => text.trim_start_matches("Invalid token header. ").to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(detail(b"Token"), "No credentials provided.");
    assert_eq!(detail(b"Token \t "), "No credentials provided.");
    assert_eq!(detail(b"Token \xff \xff"), "Token string should not contain spaces.");
    assert_eq!(detail(b"Token a\xffb"), "Token string should not contain invalid characters.");
    assert_eq!(detail(b"Token \xed\xa0\x80"), "Token string should not contain invalid characters.");
}

#[test]
fn a_second_keyword_is_read_like_the_first() {
    let both = <TokenKeywords as crate::config::SettingType>::parse("Bearer,Token").unwrap();
    for good in
        [format!("Bearer {KEY}"), format!("bEARER\t{KEY}"), format!("Token {KEY}"), format!("TOKEN {KEY}")]
    {
        assert_eq!(super::parse(good.as_bytes(), &both), Presented::Key(KEY), "{good:?}");
    }
    let missing = "Invalid token header. No credentials provided.";
    assert_eq!(super::parse(b"Bearer", &both), Presented::Malformed(missing));
    assert_eq!(super::parse(b"Basic x", &both), Presented::Nothing);
}

#[test]
fn two_lines_never_make_a_good_header() {
    let two = |first: &str, second: &str| {
        let lines = [first, second].map(|line| (header::AUTHORIZATION, line.parse().unwrap()));
        authorization(&lines.into_iter().collect())
    };
    let good = format!("Token {KEY}");
    assert!(matches!(parse(&two(&good, &good)), Presented::Malformed(_)));
    assert_eq!(parse(&two("Bearer x", &good)), Presented::Nothing);
    assert_eq!(parse(&two("", &good)), Presented::Nothing);
    assert_eq!(parse(&two(&good, "")), Presented::Key(&format!("{KEY},")));
}

proptest! {
    #[test]
    fn a_key_comes_out_as_it_went_in(key in "[!-~]{1,60}", before in "[ \t]{0,4}", between in "[ \t]{1,4}", after in "[ \t]{0,4}") {
        let header = format!("{before}Token{between}{key}{after}");
        prop_assert_eq!(parse(header.as_bytes()), Presented::Key(&key));
    }

    #[test]
    fn what_is_taken_for_a_key_has_no_blank_and_follows_the_scheme(header in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Presented::Key(key) = parse(&header) {
            prop_assert!(!key.is_empty() && !key.bytes().any(|b| b.is_ascii_whitespace()));
            let text = header.to_ascii_lowercase();
            prop_assert!(text.trim_ascii_start().starts_with(b"token") || text.starts_with(b"\x0b"));
        }
    }
}
