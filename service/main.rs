//! The `surveyor` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    surveyor::cli::main()
}
