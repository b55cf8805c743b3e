//! Finds what the account database holds and the source does not.

use std::collections::HashSet;

use super::report::ImportReport;
use super::validation::Validation;
use crate::directory::error::Error;
use crate::directory::model::stored::StoredGroup;
use crate::directory::store::Tx;
use crate::directory::store::export_rows;
use crate::directory::store::numbered::Numbered;

/// Rows read at once.
const PAGE: i64 = 10_000;

/// The ids of missing rows, ascending. A kind that the source does not hold at all is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) users: Vec<i64>,
    pub(super) groups: Vec<i64>,
    /// Imported tokens that are not revoked. Tokens that were issued here do not come from the source.
    pub(super) tokens: Vec<i64>,
}

impl Missing {
    /// Finds what is missing; `found_by_name` are users that the source names without an id.
    pub(super) fn find(
        tx: &Tx<'_>,
        validation: &Validation,
        found_by_name: &HashSet<i64>,
    ) -> Result<Self, Error> {
        let mut missing = Self::default();
        if validation.has_users() {
            missing.users = absent(
                |after| tx.names_after(after, PAGE),
                |Numbered(_, id)| {
                    validation.has_user(*id) || found_by_name.contains(id) || validation.is_left_out(*id)
                },
            )?;
        }
        if validation.has_groups() {
            let groups: Vec<StoredGroup> = tx.all(&export_rows::groups())?;
            let ids = groups.iter().map(|row| (row.group.id.get(), &row.group.name));
            missing.groups = ids
                .filter(|(id, name)| !validation.has_group_id(*id) && !validation.has_group_name(name))
                .map(|(id, _)| id)
                .collect();
        }
        if validation.has_tokens() {
            missing.tokens = absent(
                |after| tx.imported_tokens_after(after, PAGE),
                |Numbered(digest, _)| validation.has_token(digest),
            )?;
        }
        Ok(missing)
    }

    /// Returns whether this user is missing.
    pub(super) fn has_user(&self, id: i64) -> bool {
        self.users.binary_search(&id).is_ok()
    }

    /// Writes the counts to the report.
    pub(super) fn report(&self, report: &mut ImportReport) {
        report.users.missing = self.users.len() as u64;
        report.groups.missing = self.groups.len() as u64;
        report.tokens.missing = self.tokens.len() as u64;
    }
}

fn absent(
    page: impl Fn(i64) -> Result<Vec<Numbered>, Error>,
    is_present: impl Fn(&Numbered) -> bool,
) -> Result<Vec<i64>, Error> {
    let (mut after, mut absent) = (0, Vec::new());
    loop {
        let rows = page(after)?;
        let Some(Numbered(_, last)) = rows.last() else { return Ok(absent) };
        after = *last;
        absent.extend(rows.iter().filter(|row| !is_present(row)).map(|Numbered(_, id)| *id));
    }
}
