//! Finds which table and column of a Django database holds what: the operator says so, or the names that Django uses and
//! the references between tables show it.
//!
//! Pure: from a catalogue and options to a mapping, or to an error about what is ambiguous.

use std::collections::BTreeMap;
use std::slice;

use serde::Deserialize;

use crate::database::foreign::{ForeignColumn, ForeignKey};
use crate::directory::model::{FLAG_FIELDS, PERSONAL_FIELDS};
use crate::directory::transfer::import::error::ImportError;

/// Returns the fields of a user that can be read from a column.
pub(super) fn known_fields() -> impl Iterator<Item = &'static str> {
    let times = ["last_login", "created_at", "updated_at"];
    [&["username"], PERSONAL_FIELDS, &["password"], FLAG_FIELDS, &times].concat().into_iter()
}

/// Returns the names of columns that hold a field. A field that is not here has a column of its own name.
fn column_names(field: &str) -> Option<&'static [&'static str]> {
    Some(match field {
        "mobile_number" => &["mobile_number", "phone_number", "mobile", "phone", "cell_phone", "telephone"],
        "email" => &["email", "email_address"],
        "avatar" => &["avatar", "photo", "picture", "image", "profile_image", "profile_picture"],
        "last_name" => &["last_name", "surname"],
        "gender" => &["gender", "sex"],
        "is_active" => &["is_active", "active"],
        "is_staff" => &["is_staff", "staff"],
        "is_admin" => &["is_superuser", "is_admin"],
        "created_at" => &["created_at", "date_joined", "created", "created_on"],
        "updated_at" => &["updated_at", "modified_at", "updated", "modified", "updated_on", "modified_on"],
        _ => return None,
    })
}

/// What the operator says about the source; the rest is found. The fields are the keys of a mapping file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MappingOptions {
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
    /// Values of gender that the API has, by those of the source: `f = "female"`. An empty one is null.
    pub gender: BTreeMap<String, String>,
}

/// A table, its key and some of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MappedTable {
    pub(super) name: String,
    /// The column with the id of the user or group that a row is about.
    pub(super) key: String,
    /// The columns by field.
    pub(super) columns: Vec<(String, ForeignColumn)>,
}

/// Which field is read from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) users: MappedTable,
    pub(super) profile: Option<MappedTable>,
    pub(super) groups: Option<MappedTable>,
    pub(super) group_details: Option<MappedTable>,
    pub(super) memberships: Option<MappedTable>,
    /// `authtoken` of Django REST Framework.
    pub(super) tokens: Option<MappedTable>,
    pub(super) knox: Option<MappedTable>,
    /// Columns of the users' table that are not read.
    pub(super) left_out: Vec<String>,
}

/// The columns of a database and how its tables refer to each other.
pub(super) struct Catalogue {
    pub(super) columns: Vec<ForeignColumn>,
    pub(super) references: Vec<ForeignKey>,
}

/// Tables that refer to the project's user model.
const REFERRERS: [&str; 3] = ["authtoken_token", "knox_authtoken", "django_admin_log"];
/// Columns that every user model of Django has.
const MARKS: [&str; 3] = ["id", "password", "last_login"];

impl Catalogue {
    fn has(&self, table: &str) -> bool {
        self.columns.iter().any(|column| column.table == table)
    }

    fn of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a ForeignColumn> {
        self.columns.iter().filter(move |column| column.table == table)
    }

    fn column(&self, table: &str, name: &str) -> Option<&ForeignColumn> {
        self.columns.iter().find(|column| column.table == table && column.name == name)
    }

    /// Returns the column of `table` that refers to `to`.
    fn reference(&self, table: &str, to: &str) -> Option<&str> {
        let found = self.references.iter().find(|key| key.table == table && key.to == to);
        found.map(|key| key.column.as_str())
    }

    fn check_exists(&self, table: &str, flag: &str) -> Result<(), ImportError> {
        if self.has(table) {
            return Ok(());
        }
        Err(ImportError::Ambiguous(format!("the source has no table {table:?} ({flag})")))
    }

    /// Returns a table with columns that must all exist.
    fn table(&self, name: &str, key: &str, columns: &[&str]) -> Result<MappedTable, ImportError> {
        let found = |column: &str| {
            self.column(name, column).cloned().ok_or_else(|| {
                ImportError::Ambiguous(format!(
                    "the table {name:?} of the source lacks the column {column:?}"
                ))
            })
        };
        found(key)?;
        let columns = columns
            .iter()
            .map(|column| Ok(((*column).to_owned(), found(column)?)))
            .collect::<Result<_, ImportError>>()?;
        Ok(MappedTable { name: name.to_owned(), key: key.to_owned(), columns })
    }
}

impl Mapping {
    /// Finds the tables and columns.
    pub(super) fn find(catalogue: &Catalogue, options: &MappingOptions) -> Result<Self, ImportError> {
        for field in options.columns.keys() {
            let known: Vec<_> = known_fields().collect();
            if !known.contains(&field.as_str()) {
                return Err(ImportError::Ambiguous(format!(
                    "there is no field {field:?}; the fields are {}",
                    known.join(", ")
                )));
            }
        }
        let name = user_table(catalogue, options)?;
        let mut users = users(catalogue, options, &name)?;
        let profile = options
            .profile_table
            .as_ref()
            .map(|table| profile(catalogue, options, table, &users))
            .transpose()?;
        let in_profile = |field: &str| {
            profile.as_ref().is_some_and(|table| table.columns.iter().any(|(known, _)| known == field))
        };
        for (field, column) in options.columns.iter().filter(|(_, column)| !column.is_empty()) {
            if !users.columns.iter().any(|(known, _)| known == field) && !in_profile(field) {
                return Err(ImportError::Ambiguous(format!(
                    "no table of users has the column {column:?} for {field}"
                )));
            }
        }
        if !users.columns.iter().any(|(field, _)| field == "username") {
            // Users of a model without usernames sign in with their e-mail addresses.
            let email =
                users.columns.iter().find(|(field, _)| field == "email").map(|(_, column)| column.clone());
            let email = email.ok_or_else(|| {
                ImportError::Ambiguous(format!(
                    "the table {name:?} has no column for username: name it with --map username=COLUMN"
                ))
            })?;
            users.columns.push(("username".to_owned(), email));
        }
        let taken = |column: &ForeignColumn| {
            column.name == users.key || users.columns.iter().any(|(_, known)| known.name == column.name)
        };
        let left_out =
            catalogue.of(&name).filter(|column| !taken(column)).map(|column| column.name.clone()).collect();
        let (groups, memberships) = groups(catalogue, &name)?;
        Ok(Self {
            profile,
            group_details: groups.as_ref().map_or(Ok(None), |_| group_details(catalogue, options))?,
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

    /// Describes the mapping: the fields, and the columns they are read from.
    pub(super) fn describe(&self) -> Vec<(String, String)> {
        let mut description = Vec::new();
        for (noun, table) in [
            ("user", Some(&self.users)),
            ("user", self.profile.as_ref()),
            ("group", self.groups.as_ref()),
            ("group", self.group_details.as_ref()),
        ] {
            let columns = table
                .iter()
                .flat_map(|table| table.columns.iter().map(move |(field, column)| (table, field, column)));
            description.extend(columns.map(|(table, field, column)| {
                (format!("{noun} {field}"), format!("{}.{}", table.name, column.name))
            }));
        }
        for (noun, table) in [
            ("memberships", &self.memberships),
            ("tokens of Django REST Framework", &self.tokens),
            ("tokens of knox", &self.knox),
        ] {
            description.push((
                noun.to_owned(),
                table.as_ref().map_or_else(|| "nowhere".to_owned(), |table| table.name.clone()),
            ));
        }
        description
    }
}

fn user_table(catalogue: &Catalogue, options: &MappingOptions) -> Result<String, ImportError> {
    if let Some(table) = &options.user_table {
        catalogue.check_exists(table, "--user-table")?;
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
        [] => Err(ImportError::Ambiguous(
            "the source has no table of users as Django creates it: name it with --user-table".to_owned(),
        )),
        several => Err(ImportError::Ambiguous(format!(
            "several tables could be the table of users: {}; name one with --user-table",
            several.join(", ")
        ))),
    }
}

fn users(catalogue: &Catalogue, options: &MappingOptions, name: &str) -> Result<MappedTable, ImportError> {
    let key = catalogue
        .column(name, "id")
        .ok_or_else(|| ImportError::Ambiguous(format!("the table {name:?} has no column id")))?;
    let is_number = ["int", "serial"].iter().any(|kind| key.kind.contains(kind));
    if !is_number {
        return Err(ImportError::Ambiguous(format!(
            "the ids of {name:?} are of the type {:?}; only integers can be imported, because clients know users by their ids",
            key.kind
        )));
    }
    let columns = fields(catalogue, options, name, |_| false);
    if !columns.iter().any(|(field, _)| field == "password") && !options.columns.contains_key("password") {
        return Err(ImportError::Ambiguous(format!(
            "the table {name:?} has no column for password: name it with --map password=COLUMN, or leave it out with --map password="
        )));
    }
    Ok(MappedTable { name: name.to_owned(), key: "id".to_owned(), columns })
}

/// Returns the fields that a table has a column for.
fn fields(
    catalogue: &Catalogue,
    options: &MappingOptions,
    table: &str,
    is_known: impl Fn(&str) -> bool,
) -> Vec<(String, ForeignColumn)> {
    let mut found = Vec::new();
    for field in known_fields().filter(|field| !is_known(field)) {
        let column = match options.columns.get(field) {
            Some(named) => catalogue.column(table, named),
            None => {
                let names = column_names(field).unwrap_or(slice::from_ref(&field));
                names.iter().find_map(|name| catalogue.column(table, name))
            }
        };
        found.extend(column.map(|column| (field.to_owned(), column.clone())));
    }
    found
}

fn profile(
    catalogue: &Catalogue,
    options: &MappingOptions,
    table: &str,
    users: &MappedTable,
) -> Result<MappedTable, ImportError> {
    catalogue.check_exists(table, "--profile-table")?;
    let key = catalogue
        .reference(table, &users.name)
        .or_else(|| catalogue.column(table, "user_id").map(|_| "user_id"));
    let key = key.ok_or_else(|| {
        ImportError::Ambiguous(format!("the table {table:?} does not refer to {:?}", users.name))
    })?;
    let is_known = |field: &str| {
        users.columns.iter().any(|(known, _)| known == field) || matches!(field, "username" | "password")
    };
    Ok(MappedTable {
        name: table.to_owned(),
        key: key.to_owned(),
        columns: fields(catalogue, options, table, is_known),
    })
}

fn groups(
    catalogue: &Catalogue,
    users: &str,
) -> Result<(Option<MappedTable>, Option<MappedTable>), ImportError> {
    if !catalogue.has("auth_group") {
        return Ok((None, None));
    }
    let groups = catalogue.table("auth_group", "id", &["name"])?;
    // A table that refers to both and has no other columns. Django names it after the model.
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

/// Returns the table with one row a group: the one that the operator names, or the only one that refers to groups and has
/// notes or times.
fn group_details(
    catalogue: &Catalogue,
    options: &MappingOptions,
) -> Result<Option<MappedTable>, ImportError> {
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
        Some(MappedTable { name: table.to_owned(), key: key.to_owned(), columns })
            .filter(|table| !table.columns.is_empty())
    };
    if let Some(table) = &options.group_table {
        catalogue.check_exists(table, "--group-table")?;
        let found = details(table).ok_or_else(|| {
            ImportError::Ambiguous(format!(
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
) -> Result<Option<MappedTable>, ImportError> {
    if !catalogue.has(table) {
        return Ok(None);
    }
    let key = catalogue.reference(table, users).unwrap_or("user_id");
    catalogue.table(table, key, columns).map(Some)
}

#[cfg(test)]
mod tests;
