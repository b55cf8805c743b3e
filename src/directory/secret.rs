//! Types that hold a secret beside other things, and print all but the secret.
//!
//! A hash or digest that is printed ends up in a log, a panic message or the report of a bug. `tests/it/house.rs` finds a
//! type that derives `Debug` and should not.

/// Makes a type print only these of its fields.
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
