//! What a team needs while it moves from another account service to this one, and not afterwards.
//!
//! It stands above [`crate::directory`], which does not know it: a reader yields records to the importer.

pub mod django;
