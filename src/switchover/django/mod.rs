//! Reads users, groups and tokens from a live Django database: [`mapping`] finds the tables and columns, [`reader`] turns
//! their rows into records.
//!
//! Only this folder knows Django, the `authtoken` of Django REST Framework, and knox.

mod cells;
pub mod mapping;
pub mod reader;

pub use self::mapping::MappingOptions;
pub use self::reader::{Django, DjangoLocation};
