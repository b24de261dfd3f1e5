//! The `flash-node` program: it joins the command line, the node's builder and the runtime's helper programs.

use std::process::ExitCode;

use flash_node::cli;
use futures::future::BoxFuture;

fn main() -> ExitCode {
    // A supervisor or a starting service is this program too: both are looked for before anything else happens.
    if let Some(code) = flash_node::runtime::process::hidden_command(std::env::args_os()) {
        return code;
    }
    cli::main(cli::Parts { launch })
}

// The one call site of `app::run`: app::run(launch).await.map_err(Into::into).
fn launch(launch: cli::Launch) -> BoxFuture<'static, Result<cli::Ended, cli::Failure>> {
    Box::pin(async move {
        Err(cli::Failure::new(
            cli::Exit::NotBuilt,
            format!(
                "{} cannot be started: the node is not part of this build",
                launch.data.display()
            ),
            "build a flash-node that has `app`",
        ))
    })
}
