//! Reads users, groups and tokens from a live Django database. `catalogue` knows its tables, [`mapping`] decides which of them
//! hold what (`users`, `groups`, `tokens`; `joins` says whose a row is), [`reader`] reads their rows in pages, and `records`
//! converts them.
//!
//! Only this folder knows Django, the `authtoken` of Django REST Framework, and knox.

mod catalogue;
mod cells;
mod evidence;
mod factors;
mod groups;
mod joins;
pub mod mapping;
pub mod options;
mod owner;
mod pages;
pub mod reader;
mod records;
mod tables;
mod tokens;
mod unread;
mod users;

pub use self::options::MappingOptions;
pub use self::reader::{Django, DjangoLocation};
