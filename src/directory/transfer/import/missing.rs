//! What the directory holds and the source no longer does.

use std::collections::HashSet;

use super::survey::Survey;
use crate::directory::error::Error;
use crate::directory::model::stored::WholeGroup;
use crate::directory::store::Tx;
use crate::directory::store::inventory::{self, Numbered};

/// Rows read at once.
const PAGE: i64 = 10_000;

/// The ids of what is missing. A kind of which the source holds nothing at all is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) users: Vec<i64>,
    pub(super) groups: Vec<i64>,
    /// Imported ones that still open the door; those that were made here are none of the source's business.
    pub(super) tokens: Vec<i64>,
}

impl Missing {
    /// Looks for it; `seen` are users that the source names without an id.
    pub(super) fn find(tx: &Tx<'_>, survey: &Survey, seen: &HashSet<i64>) -> Result<Self, Error> {
        let mut missing = Self::default();
        if survey.users > 0 {
            missing.users = absent(
                |after| tx.names_after(after, PAGE),
                |Numbered(_, id)| survey.has_user(*id) || seen.contains(id),
            )?;
        }
        if survey.groups > 0 {
            let groups: Vec<WholeGroup> = tx.all(&inventory::groups())?;
            let held = |whole: &WholeGroup| {
                survey.group_ids.contains(&whole.group.id.get())
                    || survey.group_names.contains(&whole.group.name)
            };
            missing.groups =
                groups.iter().filter(|whole| !held(whole)).map(|whole| whole.group.id.get()).collect();
        }
        if survey.tokens > 0 {
            missing.tokens = absent(
                |after| tx.imported_tokens_after(after, PAGE),
                |Numbered(digest, _)| {
                    let mark = digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
                    mark.is_some_and(|mark| survey.token_marks.binary_search(&mark).is_ok())
                },
            )?;
        }
        Ok(missing)
    }
}

fn absent(
    page: impl Fn(i64) -> Result<Vec<Numbered>, Error>,
    is_held: impl Fn(&Numbered) -> bool,
) -> Result<Vec<i64>, Error> {
    let (mut after, mut absent) = (0, Vec::new());
    loop {
        let rows = page(after)?;
        let Some(Numbered(_, last)) = rows.last() else { return Ok(absent) };
        after = *last;
        absent.extend(rows.iter().filter(|row| !is_held(row)).map(|Numbered(_, id)| *id));
    }
}
