//! A build of CodeBuild, as far as it explains what a build action does.

use std::time::Duration;

use super::log::Annotation;
use super::time::Timestamp;

/// A build as it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// The phase that it is in; `None` once it has ended.
    pub phase: Option<Phase>,
    /// What it failed in.
    pub failure: Option<Failure>,
    pub log: Log,
}

/// A phase under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// As CodeBuild calls it: `PRE_BUILD` (botocore: `BuildPhaseType`).
    pub name: String,
    pub since: Timestamp,
    /// How long it has lasted when it was read.
    pub lasted: Duration,
}

/// The phase in which a build failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub phase: String,
    pub reason: Option<String>,
}

/// Where a build's log is, and what was read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub url: Option<String>,
    pub group: Option<String>,
    pub stream: Option<String>,
    /// Its last lines, fit to be shown: without secrets and colours.
    pub lines: Vec<String>,
    /// What it says about lines of the repository's files.
    pub annotations: Vec<Annotation>,
}

/// A phase that prepares the build is worth a word only where it lasts.
const LONG_PREPARATION: Duration = Duration::from_secs(60);

impl Phase {
    /// Whether it tells more than that the build is under way: what the buildspec does, or a preparation that drags on.
    pub fn is_telling(&self) -> bool {
        let prepares =
            matches!(self.name.as_str(), "SUBMITTED" | "QUEUED" | "PROVISIONING" | "DOWNLOAD_SOURCE" | "INSTALL");
        !prepares || self.lasted >= LONG_PREPARATION
    }
}

/// The reason in a phase's context, shorter where it has CodeBuild's usual form:
/// `Error while executing command: make test. Reason: exit status 1` becomes `exit status 1 (make test)`.
pub fn reason_of(message: &str) -> String {
    let short = || {
        let (command, reason) =
            message.trim().strip_prefix("Error while executing command: ")?.rsplit_once(". Reason: ")?;
        Some(format!("{} ({})", reason.trim_end_matches('.'), command.trim()))
    };
    short().unwrap_or_else(|| message.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codebuilds_usual_reason_is_told_the_short_way() {
        let of_command = reason_of("Error while executing command: make test. Reason: exit status 1");
        insta::assert_snapshot!(of_command, @"exit status 1 (make test)");
        let of_source = reason_of("YAML_FILE_ERROR: stat buildspec.yml: no such file or directory");
        insta::assert_snapshot!(of_source, @"YAML_FILE_ERROR: stat buildspec.yml: no such file or directory");
    }

    #[test]
    fn a_preparation_is_worth_a_word_once_it_drags_on() {
        let phase = |name: &str, secs| Phase {
            name: name.to_owned(),
            since: Timestamp::default(),
            lasted: Duration::from_secs(secs),
        };
        assert!(!phase("PROVISIONING", 20).is_telling());
        assert!(phase("QUEUED", 90).is_telling());
        assert!(phase("PRE_BUILD", 0).is_telling());
    }
}
