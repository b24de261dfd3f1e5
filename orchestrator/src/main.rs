//! The `flash-node` program: it joins the command line, the node's builder and the runtime's helper programs.

use std::process::ExitCode;

use flash_node::app;
use flash_node::cli;

fn main() -> ExitCode {
    // A supervisor or a starting service is this program too: both are looked for before anything else happens.
    if let Some(code) = flash_node::runtime::process::hidden_command(std::env::args_os()) {
        return code;
    }
    cli::main(cli::Parts {
        launch: |launch| Box::pin(app::run(launch)),
    })
}
