//! `pipehook config push`: from a file into the parameter that the functions read.

use std::io::{self, Write};
use std::path::PathBuf;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use clap::Args;
use console::style;
use similar::{ChangeTag, TextDiff};

use super::{counts, read, shown};
use crate::aws::own_retries;
use crate::cli::Error;
use crate::cli::account::{Account, AccountArguments};
use crate::cli::confirm;
use crate::config::check::{check, masked};

/// What `config push` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook config push\n  pipehook config push staging.toml --stack pipehook-staging\n  \
                  pipehook config push --yes --profile production\n\n\
                  What differs is shown, and asked for. The functions take the new configuration within five\n\
                  minutes, without a deploy. A later update of the stack with another Repository, Branch,\n\
                  PipelineName, SourceAction or GitHubApiUrl writes its own first value over it.\n\n\
                  Exits with 0 where the configuration is in the parameter, with 1 where it has mistakes, where\n\
                  nobody said yes, or where AWS refused, and with 2 where it is called wrongly."
)]
pub(super) struct Push {
    /// The configuration; - for standard input, which needs --yes
    #[arg(value_name = "FILE", default_value = "pipehook.toml")]
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    account: AccountArguments,
}

impl Push {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let (name, text) = read(&self.file)?;
        let findings = check(&text);
        shown::write(&mut io::stdout().lock(), &name, &text, &findings).map_err(Error::Output)?;
        let (errors, warnings) = counts(&findings);
        if errors > 0 {
            let what = format!("{}; nothing was changed", shown::counted(errors, warnings));
            return Err(Error::Findings { path: name, what });
        }
        if text.trim().is_empty() {
            return Err(Error::Findings {
                path: name,
                what: "it is empty, which SSM does not take; nothing was changed".to_owned(),
            });
        }
        let account = self.account.open().await?;
        let parameter = Parameter::find(&account).await?;
        let before = parameter.read().await?;
        if let Some(problem) = before.as_ref().and_then(Value::problem) {
            return Err(Error::Parameter { name: parameter.name, problem: format!("{problem}; nothing was changed") });
        }
        let old = before.as_ref().map(|value| value.text.as_str());
        if old == Some(text.as_str()) {
            return tell(&format!("{} holds this already: nothing to do.", parameter.name));
        }
        show_difference(&parameter.name, old, &text).map_err(Error::Output)?;
        let doing = if old.is_none() { "Create" } else { "Change" };
        confirm::ask(&format!("{doing} {}?", parameter.name), self.yes)?;
        parameter.put(&text, before.as_ref()).await?;
        tell(&format!(
            "{} {} holds it. The functions take it within five minutes.\n\
             An update of the stack with another Repository, Branch, PipelineName, SourceAction or GitHubApiUrl writes its \
             own first value over it.",
            style("✓").green(),
            parameter.name
        ))
    }
}

/// The parameter that holds the configuration.
pub(super) struct Parameter {
    pub(super) name: String,
    client: Client,
}

/// A parameter's value as it was read.
pub(super) struct Value {
    pub(super) text: String,
    version: i64,
    kind: Option<ParameterType>,
}

impl Value {
    /// What keeps it from being replaced.
    fn problem(&self) -> Option<String> {
        match &self.kind {
            Some(ParameterType::String) | None => None,
            Some(other) => Some(format!("is a {other}, where pipehook's is a String; is it another program's?")),
        }
    }
}

impl Parameter {
    pub(super) async fn find(account: &Account) -> Result<Self, Error> {
        let config = Builder::from(account.sdk_config()).retry_partition(own_retries());
        let named = account.config_parameter().await?;
        // A function may be told a version, `NAME:3`. What is written is always the next one.
        let name = match named.rsplit_once(':') {
            Some((name, _)) if !named.starts_with("arn:") => name.to_owned(),
            _ => named,
        };
        Ok(Self { name, client: Client::from_conf(config.build()) })
    }

    /// The value; `None` where there is no such parameter.
    pub(super) async fn read(&self) -> Result<Option<Value>, Error> {
        // As the functions read it. What SSM does not have it leaves out, which is no error.
        let answer = self.client.get_parameters().names(&self.name).with_decryption(true).send().await;
        let answer = answer.map_err(|error| Error::sdk(format!("read the parameter {}", self.name), error))?;
        let found = answer.parameters.unwrap_or_default().into_iter().next();
        Ok(found.map(|found| Value {
            text: found.value.unwrap_or_default(),
            version: found.version,
            kind: found.r#type,
        }))
    }

    /// Writes the value, unless somebody else has changed it since it was read. SSM has no condition for that, so that it
    /// is read again first.
    async fn put(&self, text: &str, before: Option<&Value>) -> Result<(), Error> {
        let now = self.read().await?;
        if now.map(|value| value.version) != before.map(|value| value.version) {
            let problem = "was changed by somebody else in the meantime; nothing was changed. Look at what is there now, with \
                           `pipehook config pull`, and push again";
            return Err(Error::Parameter { name: self.name.clone(), problem: problem.to_owned() });
        }
        let put = self.client.put_parameter().name(&self.name).value(text).r#type(ParameterType::String);
        // As the template sets it: beyond 4 KB it becomes an advanced parameter by itself. One that did not exist is
        // created, and nothing that came to be since is written over.
        let put = put.tier(ParameterTier::IntelligentTiering).overwrite(before.is_some());
        put.send().await.map_err(|error| Error::sdk(format!("write the parameter {}", self.name), error))?;
        Ok(())
    }
}

fn tell(text: &str) -> Result<(), Error> {
    writeln!(io::stdout().lock(), "{text}").map_err(Error::Output)
}

/// A unified diff from what is in force to what is to be, without what looks like a secret.
fn show_difference(name: &str, old: Option<&str>, new: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (old_name, old) = match old {
        Some(old) => (name, masked(old)),
        None => ("(none yet)", String::new()),
    };
    let new = masked(new);
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    writeln!(out, "{}", style(format!("--- {old_name}\n+++ {name}")).bold())?;
    if old == new {
        writeln!(out, "(only what looks like a secret differs)")?;
    }
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{}", style(hunk.header()).cyan())?;
        for change in hunk.iter_changes() {
            let line = change
                .value()
                .trim_end_matches(['\r', '\n'])
                .replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
            match change.tag() {
                ChangeTag::Delete => writeln!(out, "{}", style(format!("-{line}")).red())?,
                ChangeTag::Insert => writeln!(out, "{}", style(format!("+{line}")).green())?,
                ChangeTag::Equal => writeln!(out, " {line}")?,
            }
            if change.missing_newline() {
                writeln!(out, "\\ No newline at end of file")?;
            }
        }
    }
    writeln!(out)
}
