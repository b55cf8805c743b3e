//! Values that the API would refuse to write. An import keeps them, but a client that sends back what it has read gets an
//! error, and a gender that is none of the choices matches no filter. So they are reported.

use std::collections::HashSet;

use crate::directory::model::{
    FieldSlot, FieldValue, GroupDraft, TokenName, UserDraft, is_ambiguous_username,
};
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::record::{GroupRecord, TokenRecord, UserRecord};

/// Genders that get a notice of their own.
const GENDERS: usize = 20;
/// The most characters of a gender that is shown.
const SHOWN: usize = 40;

/// What was reported so far.
#[derive(Default)]
pub(super) struct RefusedValues {
    genders: HashSet<String>,
}

impl RefusedValues {
    /// Reports the fields of a user.
    pub(super) fn check_user(&mut self, user: &UserRecord, notices: &mut Notices) {
        let name = || format!("user {:?}", user.username);
        if is_ambiguous_username(&user.username) {
            notices.add(&notice("username", "it is a number or begins with a hyphen"), name());
        }
        let Err(errors) = draft(user).parse() else { return };
        for (field, messages) in errors.iter() {
            match (field, &user.gender) {
                ("gender", Some(Some(gender))) => self.check_gender(gender, name(), notices),
                _ => messages.iter().for_each(|rule| notices.add(&notice(field, rule), name())),
            }
        }
    }

    /// Each value has a notice with its count, so that an operator can write a mapping for all of them.
    fn check_gender(&mut self, gender: &str, example: String, notices: &mut Notices) {
        let shown: String = gender.chars().take(SHOWN).collect();
        let is_listed = self.genders.contains(&shown) || self.genders.len() < GENDERS;
        let value = if is_listed { format!("{shown:?}") } else { "of other values".to_owned() };
        if is_listed {
            self.genders.insert(shown);
        }
        let text = format!(
            "gender {value} is imported as it is, but the API refuses it and no filter finds it (the choices are male, female, \
             non-binary and other; `import django` translates values by the table [gender] of a mapping file)"
        );
        notices.add(&text, example);
    }
}

/// Reports the fields of a group.
pub(super) fn check_group(group: &GroupRecord, notices: &mut Notices) {
    let draft =
        GroupDraft { name: Some(group.name.clone()), notes: group.notes.clone(), ..GroupDraft::default() };
    let Err(errors) = draft.parse() else { return };
    for (field, messages) in errors.iter() {
        let example = format!("group {:?}", group.name);
        messages.iter().for_each(|rule| notices.add(&notice(&format!("group {field}"), rule), &example));
    }
}

/// Reports the name of a token. Imported tokens may have none.
pub(super) fn check_token(token: &TokenRecord, owner: &str, notices: &mut Notices) {
    let name = token.name.as_deref().filter(|name| !name.is_empty());
    if let Some(Err(rule)) = name.map(str::parse::<TokenName>) {
        notices.add(&notice("token name", &rule.to_string()), format!("of the user {owner}"));
    }
}

fn notice(field: &str, rule: &str) -> String {
    format!("values of {field} are imported as they are, but the API would refuse them ({rule})")
}

/// Returns the fields of a user as a client would send them. Null and empty text remove a value.
fn draft(user: &UserRecord) -> UserDraft {
    let mut draft = UserDraft { username: Some(user.username.clone()), ..UserDraft::default() };
    for (field, slot) in draft.personal() {
        let value = user.personal().find(|(name, _)| *name == field).map(|(_, value)| value);
        let Some(FieldValue::Text(text)) = value else { continue };
        match slot {
            FieldSlot::Text(place) => *place = Some(text.to_owned()),
            FieldSlot::NullableText(place) if !text.is_empty() => *place = Some(Some(text.to_owned())),
            FieldSlot::NullableText(_) | FieldSlot::Flag(_) => {}
        }
    }
    draft
}
