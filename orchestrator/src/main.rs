//! The `flash-node` program: it joins the command line, the node's builder and the runtime's helper programs.

use std::path::PathBuf;
use std::process::ExitCode;

use flash_node::cli;
use futures::future::BoxFuture;

fn main() -> ExitCode {
    cli::main(cli::Parts {
        launch,
        shim,
        stage,
    })
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

// The one call site of `runtime::process::shim::main`.
fn shim(_dir: PathBuf) -> ExitCode {
    cli::Exit::NotBuilt.into()
}

// The one call site of `runtime::process::stage::main`.
fn stage(_dir: PathBuf) -> ExitCode {
    cli::Exit::NotBuilt.into()
}
