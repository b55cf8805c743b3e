//! Reads users, groups and tokens from a live Django database: [`mapping`] finds the tables and columns, [`reader`] reads
//! their rows in pages, and `records` converts them.
//!
//! Only this folder knows Django, the `authtoken` of Django REST Framework, and knox.

mod cells;
mod gender;
pub mod mapping;
pub mod reader;
mod records;

pub use self::mapping::MappingOptions;
pub use self::reader::{Django, DjangoLocation};
