//! Statements about saved views of lists.

use super::Tx;
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::error::Error;
use crate::directory::model::{SavedView, UserId};

impl FromRow for SavedView {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { place: row.next()?, name: row.next()?, query: row.next()? })
    }
}

/// Selects the views that a user saved of a list, or of all lists.
pub(in crate::directory) fn of_user(user: UserId, place: Option<&str>) -> Sql {
    let Some(place) = place else {
        let all = "SELECT place, name, query FROM saved_views WHERE user_id = $1 ORDER BY place, name";
        return Sql::new(all).bind(user);
    };
    Sql::new(
        "SELECT place, name, query FROM saved_views WHERE user_id = $1 AND place = $2 ORDER BY place, name",
    )
    .bind(user)
    .bind(place.to_owned())
}

impl Tx<'_> {
    /// Writes a view, in place of the one with the same name.
    pub(in crate::directory) fn put_view(&self, user: UserId, view: &SavedView) -> Result<(), Error> {
        let sql = "INSERT INTO saved_views (user_id, place, name, query) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (user_id, place, name) DO UPDATE SET query = excluded.query";
        let sql = Sql::new(sql).bind(user).bind(view.place.clone());
        self.execute(&sql.bind(view.name.clone()).bind(view.query.clone()))?;
        Ok(())
    }

    /// Deletes a view; returns whether there was one.
    pub(in crate::directory) fn delete_view(
        &self,
        user: UserId,
        place: &str,
        name: &str,
    ) -> Result<bool, Error> {
        let sql = Sql::new("DELETE FROM saved_views WHERE user_id = $1 AND place = $2 AND name = $3");
        Ok(self.execute(&sql.bind(user).bind(place.to_owned()).bind(name.to_owned()))? > 0)
    }
}
