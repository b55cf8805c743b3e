//! A pass's tokens: a digest says which one it is.

use std::collections::HashMap;

use super::{Mode, Pass};
use crate::directory::error::Error;
use crate::directory::model::stored::WholeToken;
use crate::directory::model::{KeptDigest, Token, TokenId, UserId};
use crate::directory::store::Tx;
use crate::directory::store::inventory::Numbered;
use crate::directory::transfer::import::{ImportError, id_of};
use crate::directory::transfer::record::{Record, Reference, TokenRecord};

impl Pass {
    pub(super) fn tokens(&mut self, tx: &Tx<'_>, records: Vec<TokenRecord>) -> Result<(), Error> {
        self.tally.tokens.read += records.len() as u64;
        let digests: Vec<KeptDigest> =
            records.iter().filter_map(|record| record.kept_digest().ok()).collect();
        let found = match self.mode {
            Mode::Fill => Vec::new(),
            _ => tx.whole_tokens(&digests.iter().collect::<Vec<_>>())?,
        };
        let found: HashMap<&KeptDigest, &WholeToken> =
            found.iter().map(|whole| (&whole.digest, whole)).collect();
        let names = names_of_owners(tx, &records)?;
        let mut fresh = Vec::new();
        for record in &records {
            let Ok(digest) = record.kept_digest() else { continue };
            let Some(owner) = self.owner_of(tx, record, &names)? else { continue };
            let old = found.get(&digest).copied();
            let mut whole = record.onto(owner, digest, old, self.now).map_err(|rule| {
                ImportError::Wrong(format!("a token of user {owner} cannot be taken: {rule}"))
            })?;
            match old {
                Some(old) if *old == whole => self.tally.tokens.unchanged += 1,
                Some(old) => {
                    self.tally.tokens.changed += 1;
                    self.collect(|| Record::Token(record.clone()));
                    // What a list shows of a key is no data: a source that knows the key has it right.
                    let shown = Token {
                        prefix: old.token.prefix.clone(),
                        last_four: old.token.last_four.clone(),
                        ..whole.token.clone()
                    };
                    let differs = shown != old.token || whole.last_used_from != old.last_used_from;
                    differs.then(|| {
                        self.differs("tokens here differ", || {
                            format!("token {} of user {}", old.token.id, old.token.user_id)
                        })
                    });
                    if self.mode == Mode::Write {
                        tx.rewrite_token(&whole)?;
                    }
                }
                None => {
                    self.tally.tokens.added += 1;
                    self.collect(|| Record::Token(record.clone()));
                    if self.mode == Mode::Write && tx.is_token_id_taken(whole.token.id.get())? {
                        whole.token.id = TokenId::UNSAVED;
                    }
                    fresh.push(whole);
                }
            }
        }
        if self.mode == Mode::Count { Ok(()) } else { tx.load_tokens(&fresh) }
    }

    fn owner_of(
        &mut self,
        tx: &Tx<'_>,
        record: &TokenRecord,
        names: &HashMap<String, i64>,
    ) -> Result<Option<UserId>, Error> {
        let Some(reference) = &record.user else { return Ok(None) };
        let id = match reference {
            Reference::Id(id) if self.survey.has_user(*id) => Some(*id),
            Reference::Id(id) => tx.whole_users(&[*id])?.first().map(|whole| whole.user.id.get()),
            Reference::Name(name) => names.get(name).copied(),
        };
        // While nothing is written, somebody new who is only named has no id yet.
        let has_none_yet = self.mode == Mode::Count
            && matches!(reference, Reference::Name(name) if self.survey.has_username(name));
        match id.or(has_none_yet.then_some(i64::MAX)) {
            Some(id) => id_of(id).map(Some),
            None => {
                self.tally.notices.add(
                    "tokens of users that are not there are left out",
                    format!("of the user {reference}"),
                );
                Ok(None)
            }
        }
    }
}

fn names_of_owners(tx: &Tx<'_>, records: &[TokenRecord]) -> Result<HashMap<String, i64>, Error> {
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
