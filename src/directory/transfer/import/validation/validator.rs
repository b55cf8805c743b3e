//! Validates a source, record by record.

use std::collections::HashSet;

use super::refused_values::{RefusedValues, check_group, check_token};
use super::unique_values::{UniqueHashes, neighbours};
use super::{Validation, digest_prefix, has_null, placeholder_id};
use crate::directory::password;
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::source::Source;
use crate::directory::transfer::record::{GroupRecord, Record, Reference, TokenRecord, UserRecord};

/// A validation that is not finished.
#[derive(Default)]
struct Validator {
    validation: Validation,
    values: UniqueHashes,
    refused: RefusedValues,
    user_ids: HashSet<i64>,
    token_ids: Vec<i64>,
    /// Owners of tokens that had not been read when their tokens were.
    early_owners: Vec<i64>,
}

/// Reads the source once and validates it.
pub(in crate::directory::transfer::import) fn validate(
    source: &mut dyn Source,
    progress: &mut Progress,
) -> Result<Validation, ImportError> {
    let mut validator = Validator::default();
    source.rewind()?;
    progress.begin(Stage::Reading, source.total());
    while let Some(batch) = source.next_batch()? {
        let users = batch.iter().filter(|record| matches!(record, Record::User(_))).count();
        batch.iter().for_each(|record| validator.add(record));
        progress.add(users as u64);
    }
    let mut validation = validator.finish();
    validation.notices.extend(source.notices());
    validation.conflicts.extend(source.conflicts());
    validation.left_out = source.left_out();
    Ok(validation)
}

impl Validator {
    fn add(&mut self, record: &Record) {
        match record {
            Record::Wardroom(header) => self.validation.is_anonymised |= header.anonymised,
            Record::Permission(permission) => {
                self.validation.permissions += 1;
                self.check_text("permission", &permission.name, std::iter::once(&permission.name));
                if let Some(id) = permission.id {
                    let known = self.validation.permission_codes.entry(id).or_insert(permission.code);
                    *known = if *known == permission.code { *known } else { 0 };
                }
            }
            Record::Group(group) => self.add_group(group),
            Record::User(user) => self.add_user(user),
            Record::Token(token) => self.add_token(token),
            Record::DeletedUser(user) => {
                self.validation.deleted_users += 1;
                self.validation.deleted_user_ids.insert(user.id);
            }
            Record::DeletedGroup(group) => {
                self.validation.deleted_groups += 1;
                self.validation.deleted_group_ids.insert(group.id);
            }
            Record::EndedToken(token) => {
                self.validation.ended_tokens += 1;
                if let Err(rule) = token.to_row() {
                    let conflict = format!("an ended token cannot be imported: {rule}");
                    self.validation
                        .conflicts
                        .add(&conflict, format!("number {}", self.validation.ended_tokens));
                }
            }
        }
    }

    fn add_group(&mut self, group: &GroupRecord) {
        self.validation.groups += 1;
        self.validation.group_ids.extend(group.id);
        self.validation.group_names.insert(group.name.clone());
        self.check_text("group", &group.name, group.texts());
        self.check_id("group", group.id, &group.name);
        check_group(group, &mut self.validation.notices);
        self.values.add_group(&group.name);
    }

    fn add_user(&mut self, user: &UserRecord) {
        self.validation.users += 1;
        self.check_id("user", user.id, &user.username);
        self.check_text("user", &user.username, user.texts());
        self.refused.check_user(user, &mut self.validation.notices);
        if user.is_admin == Some(true) && user.is_active != Some(false) {
            self.validation.active_admins += 1;
        }
        self.add_password(user);
        self.validation.refers_by_name |= user.id.is_none();
        for (field, is_omitted) in
            [("email", user.email.is_none()), ("mobile_number", user.mobile_number.is_none())]
        {
            if is_omitted {
                self.validation.omitted.insert(field);
            }
        }
        let id = user.id.unwrap_or_else(|| placeholder_id(self.validation.users));
        if !self.user_ids.insert(id) {
            self.validation.conflicts.add("two users have one id", id);
        }
        self.values.add_user(user, id);
    }

    fn add_password(&mut self, user: &UserRecord) {
        let (encoding, is_known) = password::encoding(user.password.as_deref().unwrap_or(password::UNUSABLE));
        if !is_known {
            let notice =
                format!("passwords encoded with {encoding} are kept, but no one can sign in with them");
            self.validation.notices.add(&notice, format!("{:?}", user.username));
        }
        *self.validation.passwords.entry(encoding.to_owned()).or_default() += 1;
    }

    fn add_token(&mut self, token: &TokenRecord) {
        self.validation.tokens += 1;
        self.validation.refers_by_name |= matches!(token.user, Some(Reference::Name(_)));
        let owner = token.user.as_ref().map_or_else(|| "without a user".to_owned(), Reference::to_string);
        match token.kept_digest() {
            Ok(digest) => self.validation.token_digests.push(digest_prefix(&digest)),
            Err(rule) => self
                .validation
                .conflicts
                .add(&format!("a token cannot be imported: {rule}"), format!("of the user {owner}")),
        }
        if let Err(rule) = token.narrowing(None) {
            let conflict = format!("a token cannot be imported: {rule}");
            self.validation.conflicts.add(&conflict, format!("of the user {owner}"));
        }
        self.token_ids.extend(token.id);
        if let Some(Reference::Id(owner)) = token.user
            && !self.user_ids.contains(&owner)
        {
            self.early_owners.push(owner);
        }
        if token.user.is_none() {
            let name = token.name.as_deref().unwrap_or_default();
            self.validation.conflicts.add("a token needs a user", name);
        }
        self.check_text("token of the user", &owner, token.texts());
        check_token(token, &owner, &mut self.validation.notices);
    }

    fn check_id(&mut self, noun: &str, id: Option<i64>, name: &str) {
        if id.is_some_and(|id| id <= 0) {
            self.validation
                .conflicts
                .add(&format!("the id of a {noun} is not a positive 64-bit number"), format!("{name:?}"));
        }
    }

    fn check_text(&mut self, noun: &str, name: &str, texts: impl Iterator<Item: AsRef<str>>) {
        if has_null(texts) {
            self.validation.conflicts.add("null characters cannot be stored", format!("{noun} {name:?}"));
        }
    }

    fn finish(self) -> Validation {
        let Self { mut validation, mut values, user_ids, mut token_ids, early_owners, .. } = self;
        validation.user_ids = user_ids.into_iter().collect();
        validation.user_ids.sort_unstable();
        for owner in early_owners {
            if validation.has_user(owner) {
                validation
                    .conflicts
                    .add("a token comes before its user", format!("of the user with id {owner}"));
            }
        }
        token_ids.sort_unstable();
        for (id, _) in neighbours(&token_ids).filter(|(id, next)| id == next) {
            validation.conflicts.add("two tokens have one id", id);
        }
        validation.token_digests.sort_unstable();
        for _ in neighbours(&validation.token_digests).filter(|(digest, next)| digest == next) {
            validation.conflicts.add("two tokens have one key", "their digests are the same");
        }
        values.check_names(&mut validation.conflicts, &mut validation.notices);
        validation.duplicated = values.duplicates(&mut validation.duplicates);
        (validation.usernames, validation.hasher) = values.into_usernames();
        validation
    }
}
