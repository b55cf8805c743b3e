//! Converts rows of a Django database into records.

use super::cells::{RowCells, RowReader};
use super::tokens::TokenTable;
use crate::directory::model::{FieldSlot, TokenKey};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::record::{GroupRecord, TokenRecord, UserRecord};

/// Characters of a token that version 4 of knox stores in clear text; version 5 stores more.
const KNOX_4_PREFIX: usize = 8;
/// Hexadecimal digits of SHA-512, the digest that knox computes unless a project chooses another one.
const KNOX_DIGEST: usize = 128;
/// The longest key in bytes.
const MAX_KEY: usize = 256;

impl RowReader<'_> {
    /// Reads the fields of a group that are in this row. Returns whether its name is among them.
    pub(super) fn fill_group(&self, group: &mut GroupRecord, cells: RowCells) -> Result<bool, ImportError> {
        let mut has_name = false;
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            match field.as_str() {
                "name" => {
                    let name = self.text(&column.name, cell)?;
                    has_name = name.is_some();
                    group.name = name.unwrap_or_default();
                }
                "notes" => group.notes = Some(self.text(&column.name, cell)?),
                "created_at" => group.created_at = self.timestamp(&column.name, cell)?,
                "updated_at" => group.updated_at = self.timestamp(&column.name, cell)?,
                _ => {}
            }
        }
        Ok(has_name)
    }

    /// Reads the fields of a user that are in this row. Returns whether the username is among them.
    pub(super) fn fill_user(&self, user: &mut UserRecord, cells: RowCells) -> Result<bool, ImportError> {
        let mut has_username = false;
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            let name = &column.name;
            match field.as_str() {
                "username" => {
                    let username = self.text(name, cell)?;
                    has_username = username.is_some();
                    user.username = username.unwrap_or_default();
                }
                "password" => user.password = Some(self.text(name, cell)?.unwrap_or_default()),
                "last_login" => user.last_login = Some(self.timestamp(name, cell)?),
                "created_at" => user.created_at = self.timestamp(name, cell)?,
                "updated_at" => user.updated_at = self.timestamp(name, cell)?,
                "gender" => user.gender = Some(self.genders.translate(self.text(name, cell)?)),
                listed => match user.slot(listed) {
                    Some(FieldSlot::Text(text)) => *text = Some(self.text(name, cell)?.unwrap_or_default()),
                    Some(FieldSlot::NullableText(text)) => *text = Some(self.text(name, cell)?),
                    Some(FieldSlot::Flag(flag)) => *flag = Some(self.boolean(name, cell)?),
                    None => {}
                },
            }
        }
        Ok(has_username)
    }

    /// Reads a token with a key in clear text, whose row has the key of its user. The owner is set elsewhere. Returns `None`
    /// for a row without a key, or with one that authenticates no one.
    pub(super) fn token(&self, cells: RowCells) -> Result<Option<TokenRecord>, ImportError> {
        let mut token = TokenRecord { expires_at: Some(None), ..TokenRecord::default() };
        let (mut key, mut is_revoked) = (String::new(), false);
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            let name = &column.name;
            match field.as_str() {
                "key" => key = self.text(name, cell)?.unwrap_or_default(),
                "created" => token.created_at = self.timestamp(name, cell)?,
                "expires" => token.expires_at = Some(self.timestamp(name, cell)?),
                "revoked" => is_revoked |= is_set(self.text(name, cell)?.as_deref()),
                _ => is_revoked |= !self.boolean(name, cell)?,
            }
        }
        let left_out = match key.as_str() {
            "" => return Ok(None),
            _ if is_revoked => "tokens that are revoked or inactive are left out",
            key if key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                "tokens whose key no client can send are left out"
            }
            key if is_digest(key) => {
                "tokens of which only a digest is stored are left out: an attacker with a copy of the database could use it"
            }
            _ => {
                let shown = TokenKey::imported(key.clone());
                (token.prefix, token.last_four) = (Some(shown.prefix()), Some(shown.last_four()));
                let is_own = self.table.table.name == TokenTable::Keys.usual_name();
                token.name = Some(if is_own { "Django REST Framework" } else { "imported" }.to_owned());
                token.key = Some(key);
                return Ok(Some(token));
            }
        };
        self.findings.note(left_out, format!("user {}", self.key));
        Ok(None)
    }

    /// Reads a token of knox, whose row has the key of its user. The owner is set elsewhere. Returns `None` for one that
    /// authenticates no one: the installed version of knox does not accept it, or its digest cannot be computed from a key.
    pub(super) fn knox_token(
        &self,
        cells: RowCells,
        is_knox_5: bool,
    ) -> Result<Option<TokenRecord>, ImportError> {
        let mut token = TokenRecord {
            name: Some("knox".to_owned()),
            last_four: Some(String::new()),
            expires_at: Some(None),
            ..TokenRecord::default()
        };
        let (mut digest, mut prefix, mut is_salted) = (String::new(), String::new(), false);
        for ((field, column), cell) in self.table.columns.iter().zip(cells) {
            let name = &column.name;
            match field.as_str() {
                "digest" => digest = self.required_text(name, cell)?,
                "token_key" => prefix = self.text(name, cell)?.unwrap_or_default(),
                "created" => token.created_at = self.timestamp(name, cell)?,
                "expires" => token.expires_at = Some(self.timestamp(name, cell)?),
                _ => is_salted = !self.text(name, cell)?.unwrap_or_default().is_empty(),
            }
        }
        let is_digest = digest.len() == KNOX_DIGEST && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let left_out = match (is_salted, is_digest) {
            (true, _) => {
                "tokens of knox before 4.2, whose digests are salted, cannot work here and are left out"
            }
            (_, false) => "tokens of knox whose digests are not SHA-512 cannot work here and are left out",
            _ if is_knox_5 && prefix.len() == KNOX_4_PREFIX => {
                "tokens that knox 4 made and knox 5 no longer accepts are left out"
            }
            _ => {
                (token.digest, token.prefix) = (Some(digest), Some(prefix.chars().take(4).collect()));
                return Ok(Some(token));
            }
        };
        self.findings.note(left_out, format!("user {}", self.key));
        Ok(None)
    }
}

/// Returns whether a flag is true, or a time is given.
fn is_set(text: Option<&str>) -> bool {
    !matches!(text, None | Some("" | "0" | "f" | "false"))
}

/// Returns whether a key is a digest with the name of its algorithm, such as `sha256$...`: the key itself is not stored.
fn is_digest(key: &str) -> bool {
    const ALGORITHMS: [&str; 6] = ["sha", "md5", "pbkdf2", "argon2", "bcrypt", "scrypt"];
    key.split_once('$').is_some_and(|(name, _)| ALGORITHMS.iter().any(|known| name.starts_with(known)))
}
