//! Work on the whole account database: importing, exporting, moving, packing and restoring it.

pub mod import;
pub mod record;
pub mod seed;
