//! What a project was filled with and what it answered, as `tests/django/build.py` writes it down.

use std::path::Path;

use serde::Deserialize;

/// `people.json`.
#[derive(Deserialize)]
pub struct Material {
    pub user_table: String,
    pub groups: Vec<Group>,
    pub people: Vec<Person>,
}

/// A group; notes and times are none where the side table has no row for it, or is not there.
#[derive(Deserialize)]
pub struct Group {
    pub id: i64,
    pub name: String,
    pub notes: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub members: Vec<i64>,
}

/// A person: the row as Django reads it, and what only its owner knows. Times are RFC 3339 with six digits.
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
    /// None with the plain model, which has no such column.
    pub updated_at: Option<String>,
    pub groups: Vec<i64>,
    /// A key of `hashes.ALL` in `tests/django/material/hashes.py`.
    pub hasher: String,
    /// In clear; none when there is none.
    pub password: Option<String>,
    pub encoded: String,
    pub drf_key: Option<String>,
    pub knox: Vec<KnoxToken>,
}

/// A token of knox, with the key that its table does not hold.
#[derive(Deserialize)]
pub struct KnoxToken {
    pub key: String,
    pub digest: String,
    pub token_key: String,
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// A question and what Django answered, to the byte.
#[derive(Deserialize)]
pub struct Exchange {
    /// Whose key it was; none when it was nobody's.
    pub owner: Option<i64>,
    /// `drf` or `knox`.
    pub kind: String,
    pub method: String,
    pub path: String,
    /// The header's value, if it was sent.
    pub authorization: Option<String>,
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What `build.py` wrote.
pub fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
