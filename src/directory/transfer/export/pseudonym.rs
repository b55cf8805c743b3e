//! Records without personal data, for a developer's machine. Names, addresses and numbers become pseudonyms. The number of
//! users, ids, groups and permissions, and which fields are empty, stay as they are.
//!
//! A pseudonym is derived from the id, so it is the same in every export. Tokens, passwords (no anonymised user can sign
//! in), the recycle bin, avatars and the notes of groups are left out. Ids are kept: anyone who knows a user's id knows the
//! pseudonym.

use crate::directory::transfer::record::{GroupRecord, Record, UserRecord};

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Cleo", "Dara", "Emil", "Fay", "Gus", "Hana", "Ivo", "Juno", "Kai", "Lena", "Milo", "Nora",
    "Otto", "Pia",
];
const LAST_NAMES: [&str; 16] = [
    "Ash", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel", "Iroko", "Juniper", "Koa", "Larch",
    "Maple", "Nutmeg", "Oak", "Pine",
];

/// Replaces the personal data of a record.
pub(super) fn anonymise(record: Record) -> Record {
    match record {
        Record::User(user) => Record::User(anonymise_user(user)),
        Record::Group(group) => Record::Group(GroupRecord { notes: Some(Some(String::new())), ..group }),
        other => other,
    }
}

fn anonymise_user(user: UserRecord) -> UserRecord {
    let id = user.id.unwrap_or_default();
    // Empty and null stay different, because programs depend on it.
    let filled = |text: Option<Option<String>>, with: String| {
        text.map(|text| text.map(|text| if text.is_empty() { text } else { with }))
    };
    let name = |text: Option<String>, names: [&str; 16], of: u64| {
        text.map(|text| if text.is_empty() { text } else { pick(names, of) })
    };
    let number = id.unsigned_abs();
    // A field without a pseudonym is emptied.
    let mut emptied = user.clone();
    emptied.personal_slots().for_each(|(_, slot)| slot.clear());
    UserRecord {
        username: format!("user{id}"),
        mobile_number: filled(user.mobile_number, format!("+000{id:09}")),
        // This domain can never be registered (RFC 2606, section 2).
        email: filled(user.email, format!("user{id}@example.invalid")),
        first_name: name(user.first_name, FIRST_NAMES, number),
        last_name: name(user.last_name, LAST_NAMES, number / 16),
        last_login: user.last_login.map(|_| None),
        last_seen_at: user.last_seen_at.map(|_| None),
        password: Some("!".to_owned()),
        ..emptied
    }
}

fn pick(names: [&str; 16], of: u64) -> String {
    let place = usize::try_from(of % 16).unwrap_or_default();
    names.get(place).copied().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_person_is_left_and_the_pseudonym_is_stable() {
        let user = UserRecord {
            id: Some(42),
            username: "alex_thompson".into(),
            mobile_number: Some(Some("+1-555-0123".into())),
            email: Some(Some(String::new())),
            avatar: Some(Some("avatars/alex.jpg".into())),
            first_name: Some("Alex".into()),
            last_name: Some(String::new()),
            gender: Some(Some("non-binary".into())),
            last_login: Some(Some(crate::directory::model::Timestamp::EPOCH)),
            password: Some("pbkdf2_sha256$1$a$b".into()),
            is_staff: Some(true),
            ..UserRecord::default()
        };
        let (one, other) = (anonymise_user(user.clone()), anonymise_user(user));
        assert_eq!(one, other);
        let text = serde_json::to_string(&one).unwrap();
        for word in ["alex", "Alex", "555", "pbkdf2", "non-binary", "1970"] {
            assert!(!text.contains(word), "{text}");
        }
        assert_eq!(
            (one.email, one.last_name, one.is_staff),
            (Some(Some(String::new())), Some(String::new()), Some(true))
        );
    }
}
