//! What the operator says about the source: the flags of `import django` and the keys of a mapping file, and the names of
//! columns that are found without them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::directory::model::{FLAG_FIELDS, PERSONAL_FIELDS};
use crate::directory::transfer::import::error::ImportError;

/// Fields of rows other than users, and the columns that join rows.
const OTHER_FIELDS: [&str; 19] = [
    "user_id",
    "profile_user",
    "group_id",
    "group_name",
    "group_notes",
    "group_created_at",
    "group_updated_at",
    "group_profile_group",
    "membership_user",
    "membership_group",
    "token_user",
    "token_key",
    "token_created",
    "token_expires",
    "token_revoked",
    "token_active",
    "knox_user",
    "knox_digest",
    "knox_expires",
];

/// Returns the fields of a user that can be read from a column.
pub(super) fn user_fields() -> impl Iterator<Item = &'static str> {
    let times = ["last_login", "created_at", "updated_at"];
    [&["username"], PERSONAL_FIELDS, &["password"], FLAG_FIELDS, &times].concat().into_iter()
}

const CREATED: &[&str] = &["created_at", "created", "created_on"];
const UPDATED: &[&str] = &["updated_at", "updated", "modified_at", "modified", "updated_on", "modified_on"];

/// Returns the names of columns that hold a field. A field that is not here has a column of its own name.
pub(super) fn column_names(field: &str) -> Option<&'static [&'static str]> {
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
        "updated_at" | "group_updated_at" => UPDATED,
        "group_name" => &["name"],
        "group_notes" => &["notes", "note", "description"],
        "group_created_at" => CREATED,
        "token_key" => &["key"],
        "knox_digest" => &["digest"],
        "token_created" => CREATED,
        "token_expires" | "knox_expires" => {
            &["expiry", "expires", "expires_at", "expires_on", "expiration", "valid_until"]
        }
        "token_revoked" => &["revoked", "is_revoked", "revoked_at"],
        "token_active" => &["is_active", "active", "enabled"],
        _ => return None,
    })
}

/// What the operator says about the source; the rest is found. The fields are the keys of a mapping file. An empty table
/// means that none is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MappingOptions {
    /// The table of the users, such as `auth_user` or `backoffice.auth_user`.
    pub user_table: Option<String>,
    /// Columns by fields: `mobile_number = "phone"`. An empty column leaves the field out.
    #[serde(deserialize_with = "columns")]
    pub columns: BTreeMap<String, String>,
    /// The table of a profile with one row a user, for fields that the table of the users lacks.
    pub profile_table: Option<String>,
    /// The table of the groups.
    pub groups_table: Option<String>,
    /// A table with one row a group, with notes and times.
    #[serde(alias = "group_table")]
    pub group_profile_table: Option<String>,
    /// The table that joins users and groups.
    pub membership_table: Option<String>,
    /// The table of the keys that are stored in clear text.
    pub token_table: Option<String>,
    /// The table of the tokens of knox.
    pub knox_table: Option<String>,
    /// The time zone of times without one, such as `Asia/Tehran`; UTC if left out.
    pub time_zone: Option<String>,
    /// Leave out rows that cannot be imported, instead of refusing the import.
    pub skip_invalid: bool,
}

impl MappingOptions {
    /// Reads a mapping file.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let wrong =
            |why: String| ImportError::Ambiguous(format!("the mapping file {}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        toml::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// Returns the column that the operator names for a field; empty if it names none on purpose.
    pub(super) fn column(&self, field: &str) -> Option<&str> {
        self.columns.get(field).map(String::as_str)
    }

    pub(super) fn check_fields(&self) -> Result<(), ImportError> {
        let known: Vec<_> = user_fields().chain(OTHER_FIELDS).collect();
        match self.columns.keys().find(|field| !known.contains(&field.as_str())) {
            None => Ok(()),
            Some(field) => Err(ImportError::Ambiguous(format!(
                "there is no field {field:?}; the fields are {}",
                known.join(", ")
            ))),
        }
    }
}

/// A column, or a constant flag, which TOML writes without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Flag(bool),
    Column(String),
}

fn columns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let given: BTreeMap<String, Given> = BTreeMap::deserialize(deserializer)?;
    let text = |given| match given {
        Given::Flag(flag) => flag.to_string(),
        Given::Column(column) => column,
    };
    Ok(given.into_iter().map(|(field, given)| (field, text(given))).collect())
}
