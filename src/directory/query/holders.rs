//! Queries of those who have a permission.

use super::Parameters;
use super::audit::limit;
use crate::directory::model::{ValidationErrors, Violation};

/// Rows per page by default.
const LIMIT: u32 = 10;

/// A page of those who have a permission, ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderQuery<I> {
    /// Only rows with a higher id.
    pub after: Option<I>,
    /// The most rows.
    pub limit: u32,
}

impl<I: TryFrom<i64>> HolderQuery<I> {
    /// Parses the parameters. Collects all errors.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ValidationErrors> {
        let mut given = Parameters::new(pairs, |name| ["limit", "after", "format"].contains(&name));
        let limit = given.parsed("limit", limit).unwrap_or(LIMIT);
        let after = given.parsed("after", |raw| match raw.parse::<i64>() {
            // Before the first row.
            Ok(..1) => Ok(None),
            Ok(after) => I::try_from(after).map(Some).map_err(|_| Violation::Integer),
            Err(_) => Err(Violation::Integer),
        });
        given.finish().map(|()| Self { after: after.flatten(), limit })
    }
}

impl<I> HolderQuery<I> {
    /// The rows to read: one more than are shown, so that it is known whether there is another page.
    pub fn one_more(&self) -> u32 {
        self.limit + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::UserId;

    fn parse(pairs: &[(&str, &str)]) -> Result<HolderQuery<UserId>, ValidationErrors> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HolderQuery::parse(&pairs)
    }

    #[test]
    fn a_page_begins_after_an_id() {
        let first = HolderQuery { after: None, limit: 10 };
        assert_eq!(parse(&[]), Ok(first));
        assert_eq!(parse(&[("after", "0")]), Ok(first));
        assert_eq!(parse(&[("after", "-7")]), Ok(first));
        let later = parse(&[("after", "7"), ("limit", "1000")]).unwrap();
        assert_eq!((later.after.map(UserId::get), later.limit, later.one_more()), (Some(7), 1000, 1001));
        for wrong in [
            ("after", "x"),
            ("after", "99999999999999999999"),
            ("limit", "0"),
            ("limit", "1001"),
            ("page", "2"),
        ] {
            assert_eq!(parse(&[wrong]).unwrap_err().iter().count(), 1, "{wrong:?}");
        }
    }
}
