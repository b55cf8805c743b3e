//! Making unknown names take as long as users.

use crate::directory::Directory;
use crate::directory::error::Error;

impl Directory {
    /// Counts the encodings of all stored passwords. From then on unknown names are compared with decoys drawn from them,
    /// so that refusing an unknown name takes as long as refusing a user. A server counts when it starts, and regularly
    /// afterwards.
    pub async fn count_encodings(&self) -> Result<(), Error> {
        self.hasher.count_encodings(&self.store, &self.clock).await
    }

    /// Makes sign-ins wait for a first count that is about to begin.
    pub fn expect_count(&self) {
        self.hasher.begin_count();
    }
}
