//! The `flash-node` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A supervisor or a starting service is this program too: both are looked for before anything else happens.
    if let Some(code) = flash_node::runtime::process::hidden_command(std::env::args_os()) {
        return code;
    }
    ExitCode::SUCCESS
}
