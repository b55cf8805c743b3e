//! The `wardroom` program: runs the command line. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardroom::cli::main(std::env::args_os())
}
