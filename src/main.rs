//! The `wardroom` program: parse the command line and run it. Everything else is in the library.

use std::process::ExitCode;

/// Cheaper than the system's for the small, short-lived pieces that requests are made of. Without huge pages: with
/// them an idle server is half as large again, and nothing measurable is won. The library's `override` gives it to C, too:
/// SQLite spends a twentieth less on a write.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wardroom::cli::main(std::env::args_os())
}
