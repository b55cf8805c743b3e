//! The first look at a source: what it holds, and what of it contradicts itself. Nothing is written, and the
//! directory is not asked.
//!
//! Memory grows with the source by some 80 bytes a user and 8 a token: values that must be unique are kept as hashes.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::mem;

use super::Source;
use super::report::Notices;
use crate::directory::error::Error;
use crate::directory::model::{KeptDigest, fold};
use crate::directory::password;
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer::record::{Record, Reference, TokenRecord, UserRecord};

/// A field of a user that no two may share, unless it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Unique {
    Email,
    MobileNumber,
}

impl Unique {
    const ALL: [Self; 2] = [Self::Email, Self::MobileNumber];

    fn shared(self) -> &'static str {
        match self {
            Self::Email => "users share one e-mail address (--clear-duplicates leaves it to the lowest id)",
            Self::MobileNumber => {
                "users share one mobile number (--clear-duplicates leaves it to the lowest id)"
            }
        }
    }

    fn of(self, user: &UserRecord) -> Option<&str> {
        let value = match self {
            Self::Email => &user.email,
            Self::MobileNumber => &user.mobile_number,
        };
        value.as_ref()?.as_deref().filter(|value| !value.is_empty())
    }
}

/// What a source holds.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) permissions: u64,
    pub(super) groups: u64,
    pub(super) users: u64,
    pub(super) tokens: u64,
    pub(super) deleted: u64,
    pub(super) active_admins: u64,
    pub(super) passwords: BTreeMap<String, u64>,
    pub(super) conflicts: Notices,
    pub(super) notices: Notices,
    /// The ids of its users, ascending; of those that have one.
    pub(super) user_ids: Vec<i64>,
    /// The same while it is being read.
    met: HashSet<i64>,
    /// The ids of its groups, and the names of all of them.
    pub(super) group_ids: HashSet<i64>,
    pub(super) group_names: HashSet<String>,
    /// The beginnings of the digests of its tokens, ascending.
    pub(super) token_marks: Vec<u64>,
    /// Whether a user or a token's owner is told by name alone.
    pub(super) refers_by_name: bool,
    /// Fields that must be unique and that some user leaves out: then it is not known what it keeps.
    left_out: HashSet<&'static str>,
    /// Whether the header says that the records are anonymised.
    pub(super) is_anonymised: bool,
    /// Hashes of the usernames, ascending.
    usernames: Vec<u64>,
    hasher: RandomState,
    /// The ids of its tokens, as far as they have some.
    token_ids: Vec<i64>,
    /// Owners of tokens that came before them, if they came at all.
    early: Vec<i64>,
    /// What several users share and may not.
    pub(super) repeats: Notices,
    /// Users whose value somebody with a lower id has, too.
    pub(super) repeated: HashSet<(Unique, i64)>,
}

/// Values by which users are compared with each other.
#[derive(Default)]
struct Marks {
    hasher: RandomState,
    /// (folded, exact, id) of the usernames.
    usernames: Vec<(u64, u64, i64)>,
    /// (field, value, id)
    values: Vec<(Unique, u64, i64)>,
    /// (folded, exact) of the names of groups.
    group_names: Vec<(u64, u64, String)>,
}

impl Survey {
    /// Reads the source once.
    pub(super) fn of(source: &mut dyn Source, progress: &mut Progress) -> Result<Self, Error> {
        let (mut survey, mut marks) = (Self::default(), Marks::default());
        source.rewind()?;
        progress.begin(Stage::Reading, source.total());
        while let Some(batch) = source.next()? {
            let users = batch.iter().filter(|record| matches!(record, Record::User(_))).count();
            batch.iter().for_each(|record| survey.take(record, &mut marks));
            progress.add(users as u64);
        }
        survey.notices.extend(source.notices());
        survey.conflicts.extend(source.conflicts());
        survey.finish(marks);
        Ok(survey)
    }

    /// Whether the source names a user by this id.
    pub(super) fn has_user(&self, id: i64) -> bool {
        self.user_ids.binary_search(&id).is_ok()
    }

    /// Whether the source has somebody of this name.
    pub(super) fn has_username(&self, name: &str) -> bool {
        self.usernames.binary_search(&self.hasher.hash_one(name)).is_ok()
    }

    /// Whether some user leaves this field out.
    pub(super) fn leaves_out(&self, field: &str) -> bool {
        self.left_out.contains(field)
    }

    fn take(&mut self, record: &Record, marks: &mut Marks) {
        match record {
            Record::Wardroom(header) => self.is_anonymised |= header.anonymised,
            Record::Permission(permission) => {
                self.permissions += 1;
                self.check_text("permission", &permission.name, std::iter::once(&permission.name));
            }
            Record::Group(group) => {
                self.groups += 1;
                self.group_ids.extend(group.id);
                self.group_names.insert(group.name.clone());
                self.check_text(
                    "group",
                    &group.name,
                    [Some(&group.name), group.notes.as_ref()].into_iter().flatten(),
                );
                self.check_id("group", group.id, &group.name);
                let (folded, exact) = marks.of(&group.name);
                marks.group_names.push((folded, exact, group.name.clone()));
            }
            Record::User(user) => self.take_user(user, marks),
            Record::Token(token) => self.take_token(token),
            Record::DeletedUser(_) => self.deleted += 1,
        }
    }

    fn take_user(&mut self, user: &UserRecord, marks: &mut Marks) {
        self.users += 1;
        self.check_id("user", user.id, &user.username);
        self.check_text("user", &user.username, user.texts());
        if user.is_admin == Some(true) && user.is_active != Some(false) {
            self.active_admins += 1;
        }
        let (encoding, is_known) = password::encoding(user.password.as_deref().unwrap_or(password::UNUSABLE));
        if !is_known {
            let told =
                format!("passwords encoded with {encoding} are kept, but nobody can sign in with them");
            self.notices.add(&told, format!("{:?}", user.username));
        }
        *self.passwords.entry(encoding.to_owned()).or_default() += 1;
        self.refers_by_name |= user.id.is_none();
        for (field, is_left_out) in
            [("email", user.email.is_none()), ("mobile_number", user.mobile_number.is_none())]
        {
            if is_left_out {
                self.left_out.insert(field);
            }
        }
        // Those without an id are told apart by their place.
        let id = user.id.unwrap_or_else(|| stand_in(self.users));
        if !self.met.insert(id) {
            self.conflicts.add("two users have one id", id);
        }
        let (folded, exact) = marks.of(&user.username);
        marks.usernames.push((folded, exact, id));
        for field in Unique::ALL {
            if let Some(value) = field.of(user) {
                marks.values.push((field, marks.hasher.hash_one(value), id));
            }
        }
    }

    fn take_token(&mut self, token: &TokenRecord) {
        self.tokens += 1;
        self.refers_by_name |= matches!(token.user, Some(Reference::Name(_)));
        let owner = token.user.as_ref().map_or_else(|| "without a user".to_owned(), Reference::to_string);
        match token.kept_digest() {
            Ok(digest) => self.token_marks.push(mark(&digest)),
            Err(rule) => self
                .conflicts
                .add(&format!("a token cannot be taken: {rule}"), format!("of the user {owner}")),
        }
        self.token_ids.extend(token.id);
        if let Some(Reference::Id(owner)) = token.user
            && !self.met.contains(&owner)
        {
            self.early.push(owner);
        }
        if token.user.is_none() {
            self.conflicts.add("a token needs a user", token.name.as_deref().unwrap_or_default());
        }
        let texts = [&token.name, &token.prefix, &token.last_four]
            .into_iter()
            .flatten()
            .chain(token.last_used_from.iter().flatten());
        self.check_text("token of the user", &owner, texts);
    }

    fn check_id(&mut self, noun: &str, id: Option<i64>, name: &str) {
        if id.is_some_and(|id| id <= 0) {
            self.conflicts
                .add(&format!("the id of a {noun} is not a positive 64-bit number"), format!("{name:?}"));
        }
    }

    /// U+0000 cannot be kept: PostgreSQL has no text with it.
    fn check_text<'a>(&mut self, noun: &str, name: &str, texts: impl Iterator<Item = &'a String>) {
        if has_null(texts) {
            self.conflicts.add("null characters cannot be kept", format!("{noun} {name:?}"));
        }
    }

    fn finish(&mut self, mut marks: Marks) {
        self.user_ids = mem::take(&mut self.met).into_iter().collect();
        self.user_ids.sort_unstable();
        for owner in mem::take(&mut self.early) {
            if self.has_user(owner) {
                self.conflicts.add("a token comes before its user", format!("of the user with id {owner}"));
            }
        }
        self.token_ids.sort_unstable();
        for (one, _) in pairs(&self.token_ids).filter(|(one, next)| one == next) {
            self.conflicts.add("two tokens have one id", one);
        }
        self.token_ids = Vec::new();
        self.hasher = marks.hasher.clone();
        self.usernames = marks.usernames.iter().map(|(_, exact, _)| *exact).collect();
        self.usernames.sort_unstable();
        self.token_marks.sort_unstable();
        for (one, next) in self.token_marks.iter().zip(self.token_marks.iter().skip(1)) {
            if one == next {
                self.conflicts.add("two tokens have one key", "their digests are the same");
            }
        }
        marks.usernames.sort_unstable();
        for ((folded, exact, id), (next_folded, next_exact, next_id)) in pairs(&marks.usernames) {
            if exact == next_exact {
                self.conflicts.add("two users have one username", shared(*id, *next_id));
            } else if folded == next_folded {
                self.notices.add("usernames differ only by case", shared(*id, *next_id));
            }
        }
        marks.group_names.sort_unstable();
        for ((folded, exact, name), (next_folded, next_exact, next_name)) in pairs(&marks.group_names) {
            if exact == next_exact {
                self.conflicts.add("two groups have one name", format!("{name:?}"));
            } else if folded == next_folded {
                self.notices
                    .add("names of groups differ only by case", format!("{name:?} and {next_name:?}"));
            }
        }
        marks.values.sort_unstable();
        let mut first = None;
        for (field, value, id) in marks.values {
            match first {
                Some((known, known_value, _)) if (known, known_value) == (field, value) => {
                    self.repeated.insert((field, id));
                    let first_id = first.map_or(id, |(_, _, id)| id);
                    self.repeats.add(field.shared(), shared(first_id, id));
                }
                _ => first = Some((field, value, id)),
            }
        }
    }
}

impl Marks {
    fn of(&self, name: &str) -> (u64, u64) {
        (self.hasher.hash_one(fold(name)), self.hasher.hash_one(name))
    }
}

fn pairs<T>(sorted: &[T]) -> impl Iterator<Item = (&T, &T)> {
    sorted.iter().zip(sorted.iter().skip(1))
}

fn shared(one: i64, other: i64) -> String {
    let told = |id: i64| match id {
        1.. => id.to_string(),
        _ => format!("the one in place {}", id.abs_diff(i64::MIN)),
    };
    format!("users {} and {}", told(one), told(other))
}

/// Stands for the id of a user that has none, by its place in the source.
pub(super) fn stand_in(place: u64) -> i64 {
    i64::MIN.saturating_add_unsigned(place)
}

/// Whether there is U+0000 in some text.
pub(super) fn has_null<'a>(mut texts: impl Iterator<Item = &'a String>) -> bool {
    texts.any(|text| text.contains('\0'))
}

/// Enough of a digest to tell it from others: digests are random.
pub(super) fn mark(digest: &KeptDigest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
