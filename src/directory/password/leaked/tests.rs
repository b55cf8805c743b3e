use proptest::prelude::*;

use super::build::build;
use super::filter::fingerprint;
use super::*;

fn filter() -> Filter<'static> {
    Filter::read(PASSWORDS).unwrap()
}

#[test]
fn finding_low_the_filter_has_two_million_passwords_in_less_than_four_mebibytes() {
    assert_eq!(filter().entries, 2_000_000);
    assert!(PASSWORDS.len() <= 4 << 20, "{}", PASSWORDS.len());
}

/// Long passwords, and some from every list.
#[test]
fn leaked_passwords_are_found_whatever_their_case() {
    for leaked in [
        "password123",
        "PASSWORD123",
        "iloveyousomuch",
        "1234567890qwertyuiop",
        "thisismypassword",
        "manchesterunited",
        "thequickbrownfox",
    ] {
        assert!(contains(leaked), "{leaked}");
    }
    for other in ["correct horse battery", "a secret password", "password on a rainy tuesday", ""] {
        assert!(!contains(other), "{other}");
    }
}

/// Of 200,000 passwords that are on no list, 12.2 matches are expected. More than 40 would be a fault.
#[test]
fn one_in_sixteen_thousand_others_seems_to_be_there() {
    assert_eq!(1 << filter().bits, 16_384);
    let seeming = (0..200_000).filter(|number| contains(&format!("nobody's own {number}"))).count();
    assert!((1..=40).contains(&seeming), "{seeming}");
}

proptest! {
    #[test]
    fn every_entry_is_found(words in prop::collection::hash_set(".{0,12}", 1..600), bits in 1_u32..20) {
        let fingerprints: Vec<u64> = words.iter().map(|word| fingerprint(word)).collect();
        let file = build(&fingerprints, bits).unwrap();
        let filter = Filter::read(&file).unwrap();
        prop_assert_eq!(filter.entries as usize, words.len());
        for word in &words {
            prop_assert!(filter.contains(word));
        }
        let others = (0..500).filter(|number| filter.contains(&format!("another word {number}"))).count();
        // At most four times the expected number, plus a margin for chance.
        prop_assert!(others as u64 <= (2000 >> filter.bits) + 30, "{}", others);
    }

    /// A damaged file may match anything, but must not panic.
    #[test]
    fn nothing_that_is_read_panics(file in prop::collection::vec(any::<u8>(), 0..200), marked in any::<bool>()) {
        let file = if marked { [b"leaked 1".as_slice(), &file].concat() } else { file };
        if let Some(filter) = Filter::read(&file) {
            filter.contains("password");
        }
    }
}
