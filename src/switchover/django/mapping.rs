//! Which table and column of a Django database holds what: told by the operator, or found by what Django calls
//! things and by the references between tables.
//!
//! Pure: from a catalogue and wishes to a mapping, or to a sentence about what is not clear.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::database::foreign::{Column, ForeignKey};
use crate::directory::transfer::import::ImportError;

/// The fields of a user that can be read from a column, and the names by which they are looked for.
pub(super) const FIELDS: [(&str, &[&str]); 14] = [
    ("username", &["username"]),
    ("mobile_number", &["mobile_number", "phone_number", "mobile", "phone", "cell_phone", "telephone"]),
    ("email", &["email", "email_address"]),
    ("avatar", &["avatar", "photo", "picture", "image", "profile_image", "profile_picture"]),
    ("first_name", &["first_name"]),
    ("last_name", &["last_name", "surname"]),
    ("gender", &["gender", "sex"]),
    ("password", &["password"]),
    ("is_active", &["is_active", "active"]),
    ("is_staff", &["is_staff", "staff"]),
    ("is_admin", &["is_superuser", "is_admin"]),
    ("last_login", &["last_login"]),
    ("created_at", &["created_at", "date_joined", "created", "created_on"]),
    ("updated_at", &["updated_at", "modified_at", "updated", "modified", "updated_on", "modified_on"]),
];

/// What the operator says about the source; whatever is left out is found. The keys of a mapping file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// The table of the users, such as `auth_user`.
    pub user_table: Option<String>,
    /// Columns by fields: `mobile_number = "phone"`. An empty column leaves the field out.
    pub columns: BTreeMap<String, String>,
    /// The table of a profile with one row a user, for fields that the table of the users lacks.
    pub profile_table: Option<String>,
    /// The table with groups' notes and times.
    pub group_table: Option<String>,
    /// The time zone of times without one, such as `Asia/Tehran`; UTC if left out.
    pub time_zone: Option<String>,
}

/// A table, its key and some of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// The column that says whom or what a row is about.
    pub(super) key: String,
    /// By field.
    pub(super) columns: Vec<(String, Column)>,
}

/// What is read from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) users: Table,
    pub(super) profile: Option<Table>,
    pub(super) groups: Option<Table>,
    pub(super) group_details: Option<Table>,
    pub(super) memberships: Option<Table>,
    /// `authtoken` of Django REST Framework.
    pub(super) tokens: Option<Table>,
    pub(super) knox: Option<Table>,
    /// Columns of users that nothing is read from.
    pub(super) left_out: Vec<String>,
}

/// The tables of a database and how they refer to each other.
pub(super) struct Catalogue {
    pub(super) columns: Vec<Column>,
    pub(super) references: Vec<ForeignKey>,
}

/// Tables that refer to whatever the project's user model is.
const REFERRERS: [&str; 3] = ["authtoken_token", "knox_authtoken", "django_admin_log"];
/// What every user model of Django has.
const MARKS: [&str; 3] = ["id", "password", "last_login"];

impl Catalogue {
    fn has(&self, table: &str) -> bool {
        self.columns.iter().any(|column| column.table == table)
    }

    fn of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Column> {
        self.columns.iter().filter(move |column| column.table == table)
    }

    fn column(&self, table: &str, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.table == table && column.name == name)
    }

    /// The column of `table` that refers to `to`.
    fn reference(&self, table: &str, to: &str) -> Option<&str> {
        let found = self.references.iter().find(|key| key.table == table && key.to == to);
        found.map(|key| key.column.as_str())
    }

    fn needed(&self, table: &str, told: &str) -> Result<(), ImportError> {
        if self.has(table) {
            return Ok(());
        }
        Err(ImportError::Unclear(format!("the source has no table {table:?} ({told})")))
    }

    /// A table with columns that all must be there.
    fn table(&self, name: &str, key: &str, columns: &[&str]) -> Result<Table, ImportError> {
        let found = |column: &str| {
            self.column(name, column).cloned().ok_or_else(|| {
                ImportError::Unclear(format!("the table {name:?} of the source lacks the column {column:?}"))
            })
        };
        found(key)?;
        let columns = columns
            .iter()
            .map(|column| Ok(((*column).to_owned(), found(column)?)))
            .collect::<Result<_, ImportError>>()?;
        Ok(Table { name: name.to_owned(), key: key.to_owned(), columns })
    }
}

impl Mapping {
    /// Finds what holds what.
    pub(super) fn find(catalogue: &Catalogue, wishes: &Wishes) -> Result<Self, ImportError> {
        for field in wishes.columns.keys() {
            if !FIELDS.iter().any(|(known, _)| known == field) {
                let known: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
                return Err(ImportError::Unclear(format!(
                    "there is no field {field:?}; there are {}",
                    known.join(", ")
                )));
            }
        }
        let name = user_table(catalogue, wishes)?;
        let mut users = users(catalogue, wishes, &name)?;
        let profile = wishes
            .profile_table
            .as_ref()
            .map(|table| profile(catalogue, wishes, table, &users))
            .transpose()?;
        let in_profile = |field: &str| {
            profile.as_ref().is_some_and(|table| table.columns.iter().any(|(known, _)| known == field))
        };
        for (field, column) in wishes.columns.iter().filter(|(_, column)| !column.is_empty()) {
            if !users.columns.iter().any(|(known, _)| known == field) && !in_profile(field) {
                return Err(ImportError::Unclear(format!(
                    "no table of users has the column {column:?} for {field}"
                )));
            }
        }
        if !users.columns.iter().any(|(field, _)| field == "username") {
            // A model without usernames signs in with addresses.
            let email =
                users.columns.iter().find(|(field, _)| field == "email").map(|(_, column)| column.clone());
            let email = email.ok_or_else(|| {
                ImportError::Unclear(format!(
                    "the table {name:?} has no column for username: say which with --map username=COLUMN"
                ))
            })?;
            users.columns.push(("username".to_owned(), email));
        }
        let taken = |column: &Column| {
            column.name == users.key || users.columns.iter().any(|(_, known)| known.name == column.name)
        };
        let left_out =
            catalogue.of(&name).filter(|column| !taken(column)).map(|column| column.name.clone()).collect();
        let (groups, memberships) = groups(catalogue, &name)?;
        Ok(Self {
            profile,
            group_details: groups.as_ref().map_or(Ok(None), |_| group_details(catalogue, wishes))?,
            groups,
            memberships,
            tokens: referrer(catalogue, "authtoken_token", &name, &["key", "created"])?,
            knox: referrer(
                catalogue,
                "knox_authtoken",
                &name,
                &["digest", "token_key", "created", "expiry"],
            )?,
            left_out,
            users,
        })
    }

    /// The same in words: what comes from where.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        for (noun, table) in [
            ("user", Some(&self.users)),
            ("user", self.profile.as_ref()),
            ("group", self.groups.as_ref()),
            ("group", self.group_details.as_ref()),
        ] {
            let columns = table
                .iter()
                .flat_map(|table| table.columns.iter().map(move |(field, column)| (table, field, column)));
            told.extend(columns.map(|(table, field, column)| {
                (format!("{noun} {field}"), format!("{}.{}", table.name, column.name))
            }));
        }
        for (noun, table) in [
            ("memberships", &self.memberships),
            ("tokens of Django REST Framework", &self.tokens),
            ("tokens of knox", &self.knox),
        ] {
            told.push((
                noun.to_owned(),
                table.as_ref().map_or_else(|| "nowhere".to_owned(), |table| table.name.clone()),
            ));
        }
        told
    }
}

fn user_table(catalogue: &Catalogue, wishes: &Wishes) -> Result<String, ImportError> {
    if let Some(table) = &wishes.user_table {
        catalogue.needed(table, "--user-table")?;
        return Ok(table.clone());
    }
    let is_candidate = |table: &str| MARKS.iter().all(|mark| catalogue.column(table, mark).is_some());
    let referred = REFERRERS.iter().filter_map(|table| {
        let user = catalogue.references.iter().find(|key| key.table == *table && key.column == "user_id");
        user.map(|key| key.to.as_str())
    });
    let mut found: Vec<&str> = referred.filter(|table| is_candidate(table)).collect();
    if found.is_empty() {
        found = catalogue
            .columns
            .iter()
            .map(|column| column.table.as_str())
            .filter(|table| is_candidate(table))
            .collect();
    }
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [table] => Ok((*table).to_owned()),
        [] => Err(ImportError::Unclear(
            "the source has no table of users that Django would make: say which with --user-table".to_owned(),
        )),
        several => Err(ImportError::Unclear(format!(
            "several tables could be the users': {}; say which with --user-table",
            several.join(", ")
        ))),
    }
}

fn users(catalogue: &Catalogue, wishes: &Wishes, name: &str) -> Result<Table, ImportError> {
    let key = catalogue
        .column(name, "id")
        .ok_or_else(|| ImportError::Unclear(format!("the table {name:?} has no column id")))?;
    let is_number = ["int", "serial"].iter().any(|kind| key.kind.contains(kind));
    if !is_number {
        return Err(ImportError::Unclear(format!(
            "the ids of {name:?} are of the type {:?}; only whole numbers can be taken, since clients know users by them",
            key.kind
        )));
    }
    let columns = fields(catalogue, wishes, name, |_| false);
    if !columns.iter().any(|(field, _)| field == "password") && !wishes.columns.contains_key("password") {
        return Err(ImportError::Unclear(format!(
            "the table {name:?} has no column for password: say which with --map password=COLUMN, or none with --map password="
        )));
    }
    Ok(Table { name: name.to_owned(), key: "id".to_owned(), columns })
}

/// The fields that a table has a column for.
fn fields(
    catalogue: &Catalogue,
    wishes: &Wishes,
    table: &str,
    is_known: impl Fn(&str) -> bool,
) -> Vec<(String, Column)> {
    let mut found = Vec::new();
    for (field, names) in FIELDS.iter().filter(|(field, _)| !is_known(field)) {
        let column = match wishes.columns.get(*field) {
            Some(wished) => catalogue.column(table, wished),
            None => names.iter().find_map(|name| catalogue.column(table, name)),
        };
        found.extend(column.map(|column| ((*field).to_owned(), column.clone())));
    }
    found
}

fn profile(catalogue: &Catalogue, wishes: &Wishes, table: &str, users: &Table) -> Result<Table, ImportError> {
    catalogue.needed(table, "--profile-table")?;
    let key = catalogue
        .reference(table, &users.name)
        .or_else(|| catalogue.column(table, "user_id").map(|_| "user_id"));
    let key = key.ok_or_else(|| {
        ImportError::Unclear(format!("the table {table:?} does not refer to {:?}", users.name))
    })?;
    let is_known = |field: &str| {
        users.columns.iter().any(|(known, _)| known == field) || matches!(field, "username" | "password")
    };
    Ok(Table {
        name: table.to_owned(),
        key: key.to_owned(),
        columns: fields(catalogue, wishes, table, is_known),
    })
}

fn groups(catalogue: &Catalogue, users: &str) -> Result<(Option<Table>, Option<Table>), ImportError> {
    if !catalogue.has("auth_group") {
        return Ok((None, None));
    }
    let groups = catalogue.table("auth_group", "id", &["name"])?;
    // A table that refers to both, and has nothing else: named so by Django, whatever the model is called.
    let joins = |table: &str| {
        let (user, group) = (catalogue.reference(table, users)?, catalogue.reference(table, "auth_group")?);
        (catalogue.of(table).count() == 3).then(|| (user.to_owned(), group.to_owned()))
    };
    let usual = format!("{users}_groups");
    let tables =
        std::iter::once(usual.as_str()).chain(catalogue.references.iter().map(|key| key.table.as_str()));
    let found = tables.filter_map(|table| Some((table, joins(table)?))).next();
    let memberships = match found {
        Some((table, (user, group))) => {
            let column = catalogue.table(table, &user, &[&group])?;
            Some(column)
        }
        // References are not always declared.
        None if catalogue.has(&usual) => {
            let ends = |end: &str| {
                catalogue.of(&usual).find(|column| {
                    column.name.ends_with("_id") && (column.name == "group_id") == (end == "group")
                })
            };
            match (ends("user"), ends("group")) {
                (Some(user), Some(group)) => Some(catalogue.table(&usual, &user.name, &[&group.name])?),
                _ => None,
            }
        }
        None => None,
    };
    Ok((Some(groups), memberships))
}

/// A side table with one row a group; without being told, the only one that has notes or times and refers to groups.
fn group_details(catalogue: &Catalogue, wishes: &Wishes) -> Result<Option<Table>, ImportError> {
    const DETAILS: [(&str, &[&str]); 3] = [
        ("notes", &["notes", "note", "description"]),
        ("created_at", &["created_at", "created", "created_on"]),
        ("updated_at", &["updated_at", "updated", "modified_at", "modified"]),
    ];
    let details = |table: &str| {
        let key = catalogue
            .reference(table, "auth_group")
            .or_else(|| catalogue.column(table, "group_id").map(|_| "group_id"))?;
        let columns: Vec<_> = DETAILS
            .iter()
            .filter_map(|(field, names)| {
                let column = names.iter().find_map(|name| catalogue.column(table, name))?;
                Some(((*field).to_owned(), column.clone()))
            })
            .collect();
        Some(Table { name: table.to_owned(), key: key.to_owned(), columns })
            .filter(|table| !table.columns.is_empty())
    };
    if let Some(table) = &wishes.group_table {
        catalogue.needed(table, "--group-table")?;
        let found = details(table).ok_or_else(|| {
            ImportError::Unclear(format!(
                "the table {table:?} does not refer to auth_group, or has neither notes nor times"
            ))
        })?;
        return Ok(Some(found));
    }
    let mut tables: Vec<_> = catalogue
        .references
        .iter()
        .filter(|key| key.to == "auth_group")
        .map(|key| key.table.as_str())
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let mut found: Vec<_> = tables.into_iter().filter_map(details).collect();
    Ok(if found.len() == 1 { found.pop() } else { None })
}

fn referrer(
    catalogue: &Catalogue,
    table: &str,
    users: &str,
    columns: &[&str],
) -> Result<Option<Table>, ImportError> {
    if !catalogue.has(table) {
        return Ok(None);
    }
    let key = catalogue.reference(table, users).unwrap_or("user_id");
    catalogue.table(table, key, columns).map(Some)
}

#[cfg(test)]
mod tests;
