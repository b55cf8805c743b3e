//! `Debug` for types that contain a secret: it prints the other fields only.
//!
//! A hash or digest that is printed ends up in a log, a panic message or a bug report. `tests/it/house.rs` finds types that
//! derive `Debug` and should not.

/// Implements `Debug` for a type, with only the given fields.
macro_rules! prints_only {
    ($name:ident: $($field:ident),+) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &self.$field))+
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(in crate::directory) use prints_only;
