//! The program's entry point; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    datasphere_exporter::cli::run(std::env::args_os()).into()
}
