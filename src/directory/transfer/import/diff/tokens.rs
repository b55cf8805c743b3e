//! Compares tokens: a digest says which one a record is about.

use std::collections::HashMap;

use super::{AT_ONCE, Diff};
use crate::directory::model::stored::{StoredEndedToken, StoredToken};
use crate::directory::model::{KeptDigest, Maker, Scopes, Token, UserId};
use crate::directory::store::Tx;
use crate::directory::store::numbered::Numbered;
use crate::directory::transfer::import::apply::Apply;
use crate::directory::transfer::import::difference::TokenDifference;
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::record::{Reference, TokenRecord, id_of};

/// The conflict about a key that was issued here to one user, and belongs to another one in the source.
const ANOTHER_OWNER: &str = "a token that was issued here belongs to another user in the source (revoke it here, or leave it \
     out of the source)";

/// The note about a token whose row was deleted with its user.
const STAYS_ENDED: &str = "tokens that were revoked here, or got an earlier expiry here, keep it, although their users were \
     deleted meanwhile (issue new ones: `wardroom token issue`)";

impl Diff {
    /// Compares the tokens of a batch, all of them before any is written.
    pub(super) fn tokens(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<TokenRecord>,
        target: &impl Apply,
    ) -> Result<Vec<TokenDifference>, ImportError> {
        let (mut records, mut differences) = (records.into_iter(), Vec::new());
        while records.len() > 0 {
            let part = records.by_ref().take(AT_ONCE).collect();
            differences.extend(self.part_of_tokens(tx, part, target)?);
        }
        Ok(differences)
    }

    /// Records without a readable digest are skipped: the validation has reported them as conflicts.
    fn part_of_tokens(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<TokenRecord>,
        target: &impl Apply,
    ) -> Result<Vec<TokenDifference>, ImportError> {
        let digests: Vec<KeptDigest> =
            records.iter().filter_map(|record| record.kept_digest().ok()).collect();
        let stored = target.stored_tokens(tx, &digests.iter().collect::<Vec<_>>())?;
        let stored: HashMap<&KeptDigest, &StoredToken> =
            stored.iter().map(|row| (&row.digest, row)).collect();
        let without_row: Vec<_> = digests.iter().filter(|digest| !stored.contains_key(digest)).collect();
        let ended = tx.ended_tokens(&without_row)?;
        let ended: HashMap<&KeptDigest, &StoredEndedToken> =
            ended.iter().map(|row| (&row.digest, row)).collect();
        let owners = ids_of_owners(tx, &records)?;
        let mut differences = Vec::new();
        for record in records {
            let Ok(digest) = record.kept_digest() else { continue };
            let Some(owner) = self.owner_of(tx, &record, &owners, target.unwritten_user())? else { continue };
            let old = stored.get(&digest).copied();
            if let Some(old) = old.filter(|old| belongs_to_another(old, owner)) {
                let example =
                    format!("token {}: user {} here, user {owner} there", old.token.id, old.token.user_id);
                self.counts.conflicts.add(ANOTHER_OWNER, example);
                continue;
            }
            let ended = ended.get(&digest).copied();
            let new = record.to_row(owner, digest, old, ended, self.now).map_err(|rule| {
                ImportError::Invalid(format!("a token of user {owner} cannot be imported: {rule}"))
            })?;
            let codes: Vec<i64> = new.token.narrowing.scopes.iter().flat_map(Scopes::codes).collect();
            self.check_codes(Some(&codes), || format!("the scopes of a token of user {owner}"));
            match old {
                Some(old) if *old == new => {
                    self.counts.tokens.unchanged += 1;
                    continue;
                }
                Some(old) => {
                    self.counts.tokens.changed += 1;
                    if differs(old, &new) {
                        self.check_overwrite("tokens here differ", || {
                            format!("token {} of user {}", old.token.id, old.token.user_id)
                        });
                    }
                }
                None => {
                    self.counts.tokens.added += 1;
                    if ended.is_some() {
                        self.counts.notices.add(STAYS_ENDED, format!("of user {owner}"));
                    }
                }
            }
            differences.push(TokenDifference { record, old: old.cloned(), new });
        }
        Ok(differences)
    }

    /// Returns the owner of a token. A token whose owner does not exist is left out.
    fn owner_of(
        &mut self,
        tx: &Tx<'_>,
        record: &TokenRecord,
        ids: &HashMap<String, i64>,
        unwritten: Option<UserId>,
    ) -> Result<Option<UserId>, ImportError> {
        let Some(reference) = &record.user else { return Ok(None) };
        let (id, is_in_source) = match reference {
            Reference::Id(id) => ((self.validation.has_user(*id) || tx.has_user(*id)?).then_some(*id), false),
            Reference::Name(name) => (ids.get(name).copied(), self.validation.has_username(name)),
        };
        if let Some(id) = id {
            return Ok(Some(id_of(id)?));
        }
        let owner = unwritten.filter(|_| is_in_source);
        if owner.is_none() {
            self.counts
                .notices
                .add("tokens of users that do not exist are left out", format!("of the user {reference}"));
        }
        Ok(owner)
    }
}

/// Returns whether a token was issued here, to another user than this one. The owner of an imported token is the source's to
/// say.
fn belongs_to_another(old: &StoredToken, owner: UserId) -> bool {
    old.token.user_id != owner && old.token.made_by != Maker::Import
}

/// Returns whether a token differs in more than what a list shows of its key: a source that knows the key has that
/// right.
fn differs(old: &StoredToken, new: &StoredToken) -> bool {
    let shown = Token {
        prefix: old.token.prefix.clone(),
        last_four: old.token.last_four.clone(),
        ..new.token.clone()
    };
    shown != old.token || new.last_used_from != old.last_used_from || new.ends_by != old.ends_by
}

fn ids_of_owners(tx: &Tx<'_>, records: &[TokenRecord]) -> Result<HashMap<String, i64>, ImportError> {
    let names: Vec<&str> = records
        .iter()
        .filter_map(|record| match &record.user {
            Some(Reference::Name(name)) if !name.contains('\0') => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let found = if names.is_empty() { Vec::new() } else { tx.ids_of_usernames(&names)? };
    Ok(found.into_iter().map(|Numbered(name, id)| (name, id)).collect())
}
