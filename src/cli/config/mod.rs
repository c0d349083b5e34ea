//! `pipehook config`: what is wrong with a configuration, and putting it in force.

mod push;
mod shown;

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Error;
use super::account::AccountArguments;
use crate::config::check::{Finding, Severity, check};

/// What stands for standard input.
const STDIN: &str = "-";

/// What `config` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook config check\n  pipehook config push\n  pipehook config pull > pipehook.toml"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells every mistake in a configuration, and what is very probably not meant
    Check(Check),
    /// Puts a configuration in force, once it was checked and shown to differ
    Push(push::Push),
    /// Prints the configuration that is in force
    Pull(Pull),
}

impl Arguments {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Push(push) => push.run().await,
            Command::Pull(pull) => pull.run().await,
        }
    }
}

/// What `config check` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook config check\n  pipehook config check staging.toml --deny-warnings\n  \
                  pipehook config pull | pipehook config check - --json\n\n\
                  Nothing is sent anywhere. In JSON each finding has severity (error or warning), line, column, end_line,\n\
                  end_column, message and help; lines and columns are counted from 1, columns in characters, and the end\n\
                  is behind the last one.\n\n\
                  Exits with 0 where nothing is wrong, with 1 where something is, or where there are warnings and\n\
                  --deny-warnings is given, and with 2 where it is called wrongly.")]
struct Check {
    /// The configuration; - for standard input
    #[arg(value_name = "FILE", default_value = "pipehook.toml")]
    file: PathBuf,
    /// Let warnings count as mistakes
    #[arg(long)]
    deny_warnings: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Check {
    fn run(&self) -> Result<(), Error> {
        let (name, text) = read(&self.file)?;
        let findings = check(&text);
        let mut out = io::stdout().lock();
        let written = if self.json {
            shown::write_json(&mut out, &text, &findings)
        } else {
            shown::write(&mut out, &name, &text, &findings).and_then(|()| match &findings[..] {
                [] => writeln!(out, "{}: nothing is wrong", name.display()),
                _ => Ok(()),
            })
        };
        written.map_err(Error::Output)?;
        let (errors, warnings) = counts(&findings);
        if errors > 0 || (warnings > 0 && self.deny_warnings) {
            return Err(Error::Findings { path: name, what: shown::counted(errors, warnings) });
        }
        if warnings > 0 && !self.json {
            writeln!(out, "{}: {}", name.display(), shown::counted(errors, warnings)).map_err(Error::Output)?;
        }
        Ok(())
    }
}

/// What `config pull` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook config pull > pipehook.toml\n  pipehook config pull --stack pipehook-eu \
                  --region eu-central-1\n\n\
                  Exits with 0, and with 1 where the parameter can't be read."
)]
struct Pull {
    #[command(flatten)]
    account: AccountArguments,
}

impl Pull {
    async fn run(&self) -> Result<(), Error> {
        let account = self.account.open().await?;
        let parameter = push::Parameter::find(&account).await?;
        let Some(value) = parameter.read().await? else {
            let problem = "does not exist; `pipehook config push` creates it".to_owned();
            return Err(Error::Parameter { name: parameter.name, problem });
        };
        io::stdout().lock().write_all(value.text.as_bytes()).map_err(Error::Output)
    }
}

/// A configuration and the name by which it is told of.
fn read(path: &Path) -> Result<(PathBuf, String), Error> {
    let is_stdin = path == Path::new(STDIN);
    let name = if is_stdin { PathBuf::from("standard input") } else { path.to_owned() };
    let read = if is_stdin {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    match read {
        Ok(text) => Ok((name, text)),
        Err(cause) => Err(Error::Read { path: name, cause }),
    }
}

/// How many mistakes there are, and how many warnings.
fn counts(findings: &[Finding]) -> (usize, usize) {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning))
}
