//! The `wardroom` program: parse the command line and run it. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardroom::cli::main(std::env::args_os())
}
