//! What a project was filled with and what it answered, as `tests/django/build.py` writes it to files.

use std::path::Path;

use serde::Deserialize;

/// `people.json`.
#[derive(Deserialize)]
pub struct Material {
    pub user_table: String,
    pub groups: Vec<Group>,
    pub people: Vec<Person>,
}

/// A group. Notes and times are `None` if the side table has no row for it, or does not exist.
#[derive(Deserialize)]
pub struct Group {
    pub id: i64,
    pub name: String,
    pub notes: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub members: Vec<i64>,
}

/// A person: the row as Django reads it, and secrets that only the owner knows. Times are RFC 3339 with six digits.
#[derive(Deserialize)]
pub struct Person {
    pub id: i64,
    pub username: String,
    pub mobile_number: Option<String>,
    pub email: Option<String>,
    pub avatar: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub gender: Option<String>,
    pub is_active: bool,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub last_login: Option<String>,
    /// `date_joined` of the plain model.
    pub created_at: String,
    /// `None` with the plain model, which has no such column.
    pub updated_at: Option<String>,
    pub groups: Vec<i64>,
    /// A key of `hashes.ALL` in `tests/django/material/hashes.py`.
    pub hasher: String,
    /// In clear text; `None` if there is none.
    pub password: Option<String>,
    pub encoded: String,
    pub drf_key: Option<String>,
    pub knox: Vec<KnoxToken>,
}

/// A knox token, with the key that its table does not store.
#[derive(Deserialize)]
pub struct KnoxToken {
    pub key: String,
    pub digest: String,
    pub token_key: String,
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// A request and Django's exact answer.
#[derive(Deserialize)]
pub struct Exchange {
    /// The id of the key's owner; `None` if the key belongs to no user.
    pub owner: Option<i64>,
    /// `drf` or `knox`.
    pub kind: String,
    pub method: String,
    pub path: String,
    /// The value of the header, if it was sent.
    pub authorization: Option<String>,
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Reads a file that `build.py` wrote.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
