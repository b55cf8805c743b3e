//! People from a live Django database: which table holds what ([`mapping`]), and its rows as records ([`reader`]).
//!
//! What is known of Django, of Django REST Framework's `authtoken` and of knox stands here and nowhere else.

mod cells;
pub mod mapping;
pub mod reader;

pub use self::mapping::Wishes;
pub use self::reader::{Django, Place};
