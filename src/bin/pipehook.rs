//! The command-line tool.

use std::process::ExitCode;

use clap::Parser;
use pipehook::cli::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever closed the pipe behind us has read enough, and needs no message about it.
            if !error.is_said() {
                eprintln!("pipehook: {}", error.told());
            }
            ExitCode::from(error.exit_code())
        }
    }
}
