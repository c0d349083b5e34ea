//! Where a secret is taken from. It is never an argument itself: arguments show in lists of processes and in the shell's
//! history.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::Error;
use super::account::Account;
use crate::settings::Secret;

/// What `--secret-from` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// A variable of the environment.
    Env(String),
    File(PathBuf),
    Stdin,
    /// A parameter of Systems Manager, or a secret of Secrets Manager by its reference.
    Ssm(String),
}

impl SecretSource {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Some(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Some(Self::File(PathBuf::from(path))),
            Some(("ssm", name)) if !name.is_empty() => Some(Self::Ssm(name.to_owned())),
            _ => (text == "-").then_some(Self::Stdin),
        }
    }
}

/// Reads a source on the command line. What is none may be the secret itself, and is not repeated, as clap would.
#[derive(Clone, Debug)]
pub(super) struct SourceParser;

impl TypedValueParser for SourceParser {
    type Value = SecretSource;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<SecretSource, clap::Error> {
        value.to_str().and_then(SecretSource::parse).ok_or_else(|| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let message = format!("{name} must be env:NAME, file:PATH, ssm:NAME, or - for standard input\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Ssm(name) => write!(f, "the parameter {name}"),
        }
    }
}

/// The secret that signs.
pub(super) struct Signing {
    pub(super) secret: Secret,
    /// Others are good, too: it takes the place of an older one.
    pub(super) is_rotated: bool,
}

impl SecretSource {
    /// Whether an account is needed to read it.
    pub(super) fn is_in_the_account(&self) -> bool {
        matches!(self, Self::Ssm(_))
    }

    /// All that it holds, without blanks at its ends.
    ///
    /// # Errors
    /// Where it can't be read, or holds nothing.
    pub(super) async fn read(&self, account: Option<&Account>) -> Result<Secret, Error> {
        let missing = |problem: &str| Error::NoSecret { from: self.to_string(), problem: problem.to_owned() };
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| missing("it is not set"))?,
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|cause| Error::Read { path: path.clone(), cause })?
            }
            Self::Stdin => {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                read.map_err(|cause| Error::Read { path: PathBuf::from("-"), cause })?;
                text
            }
            Self::Ssm(name) => {
                let account = account.ok_or(Error::NoRegion)?;
                let client = aws_sdk_ssm::Client::new(account.sdk_config());
                let answer = client.get_parameter().name(name).with_decryption(true).send().await;
                let answer = answer.map_err(|error| Error::sdk(format!("read {self}"), error))?;
                let value = answer.parameter.and_then(|parameter| parameter.value);
                value.ok_or_else(|| missing("it has no value"))?
            }
        };
        match text.trim() {
            "" => Err(missing("it holds nothing")),
            text => Ok(Secret::new(text)),
        }
    }

    /// The secret that signs, of those that stand there one a line while they are rotated: the first, which is the new one.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn read_first(&self, account: Option<&Account>) -> Result<Signing, Error> {
        let all = self.read(account).await?;
        let mut lines = all.expose().lines().map(str::trim).filter(|line| !line.is_empty());
        let secret = Secret::new(lines.next().unwrap_or_default());
        Ok(Signing { secret, is_rotated: lines.next().is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_what_it_is() {
        assert_eq!(SecretSource::parse("env:A"), Some(SecretSource::Env("A".to_owned())));
        assert_eq!(SecretSource::parse("file:a:b"), Some(SecretSource::File(PathBuf::from("a:b"))));
        assert_eq!(SecretSource::parse("ssm:/a/b"), Some(SecretSource::Ssm("/a/b".to_owned())));
        assert_eq!(SecretSource::parse("-"), Some(SecretSource::Stdin));
        for wrong in ["s3cr3t", "env:", "s3cr3t:x", ""] {
            assert_eq!(SecretSource::parse(wrong), None, "{wrong}");
        }
    }
}
