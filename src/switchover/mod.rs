//! What a team needs while it moves from another account service to this one, and not afterwards.
//!
//! It is above [`crate::directory`], which does not know it: a reader yields records, and the importer takes them.

pub mod django;
