//! Compares what is known of tokens that ended and are gone with their users.

use std::collections::HashMap;

use super::Diff;
use crate::directory::model::KeptDigest;
use crate::directory::model::stored::StoredEndedToken;
use crate::directory::store::Tx;
use crate::directory::transfer::import::apply::Apply;
use crate::directory::transfer::import::difference::EndedTokenDifference;
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::record::EndedTokenRecord;

/// The note about a token whose row is here.
const HAS_ROW: &str = "tokens that ended in the source are here, and stay as they are (revoke those that must end: `wardroom \
     token revoke`)";

impl Diff {
    /// Compares the ended tokens of a batch. Nothing that is known here is forgotten. Records without a readable digest are
    /// skipped: the validation has reported them as conflicts.
    pub(super) fn ended_tokens(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<EndedTokenRecord>,
        target: &impl Apply,
    ) -> Result<Vec<EndedTokenDifference>, ImportError> {
        let mut read: HashMap<KeptDigest, StoredEndedToken> = HashMap::new();
        for row in records.iter().filter_map(|record| record.to_row().ok()) {
            let known = read.entry(row.digest.clone()).or_insert_with(|| row.clone());
            known.merge(&row);
        }
        let digests: Vec<&KeptDigest> = read.keys().collect();
        let with_rows = target.stored_tokens(tx, &digests)?;
        let known = tx.ended_tokens(&digests)?;
        for row in with_rows {
            if read.remove(&row.digest).is_some() {
                self.counts.ended_tokens.unchanged += 1;
                if row.token.revoked_at.is_none() {
                    let example = format!("token {} of user {}", row.token.id, row.token.user_id);
                    self.counts.notices.add(HAS_ROW, example);
                }
            }
        }
        let mut differences = Vec::new();
        let known: HashMap<_, _> = known.into_iter().map(|row| (row.digest.clone(), row)).collect();
        for (digest, mut new) in read {
            let counts = &mut self.counts.ended_tokens;
            match known.get(&digest) {
                None => counts.added += 1,
                Some(old) => {
                    new.merge(old);
                    if new == *old {
                        counts.unchanged += 1;
                        continue;
                    }
                    counts.changed += 1;
                }
            }
            differences.push(EndedTokenDifference { record: new.clone().into(), new });
        }
        Ok(differences)
    }
}
