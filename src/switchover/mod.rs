//! What a team needs once, on the day it moves from Django to Wardroom.
//!
//! It stands above [`crate::directory`], which does not know it: the Django reader yields records to the importer, and the
//! comparison sends the same requests to two servers.

pub mod django;
pub mod parity;
