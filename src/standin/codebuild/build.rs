//! How a build goes: what a script says about it.

use std::time::Duration;

use crate::standin::codepipeline::Outcome;

/// A phase of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildPhase {
    /// The build was asked for.
    Submitted,
    /// It waits for a machine.
    Queued,
    /// Its machine is made ready.
    Provisioning,
    /// The source comes down.
    DownloadSource,
    /// The buildspec's `install`.
    Install,
    /// The buildspec's `pre_build`.
    PreBuild,
    /// The buildspec's `build`.
    Build,
    /// The buildspec's `post_build`, which runs after a failed `build` as well.
    PostBuild,
    /// The artifacts go up.
    UploadArtifacts,
    /// The machine is given back.
    Finalizing,
    /// The build is over.
    Completed,
}

impl BuildPhase {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Queued => "QUEUED",
            Self::Provisioning => "PROVISIONING",
            Self::DownloadSource => "DOWNLOAD_SOURCE",
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
            Self::UploadArtifacts => "UPLOAD_ARTIFACTS",
            Self::Finalizing => "FINALIZING",
            Self::Completed => "COMPLETED",
        }
    }
}

/// A phase that does not succeed, and what its context says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) phase: BuildPhase,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// How the build of a CodeBuild action goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// How long the action takes; `None` for a build that runs until the end of time.
    pub(crate) after: Option<Duration>,
    /// How a build that does not succeed ends: `FAILED`, `TIMED_OUT`, `FAULT`, `STOPPED`.
    pub(crate) status: &'static str,
    pub(crate) failed: Vec<Failed>,
    pub(crate) aborts: bool,
    pub(crate) lines: Vec<String>,
    pub(crate) groups: Vec<String>,
}

impl Build {
    /// It succeeds; its action takes so many seconds.
    pub fn succeeds(seconds: u64) -> Self {
        Self::lasting(Some(Duration::from_secs(seconds)))
    }

    /// A command exits with a status other than 0 in a phase; the action takes so many seconds.
    pub fn fails(seconds: u64, phase: BuildPhase, command: &str, exit_status: i32) -> Self {
        let message = format!("Error while executing command: {command}. Reason: exit status {exit_status}");
        Self::succeeds(seconds).and_fails(phase, "COMMAND_EXECUTION_ERROR", &message)
    }

    /// A phase fails with the status code and the message of its context. The first such phase decides the build; a
    /// later one is what follows from it, as missing artifacts do from a build that failed.
    pub fn and_fails(mut self, phase: BuildPhase, code: &str, message: &str) -> Self {
        self.status = "FAILED";
        self.failed.push(Failed { phase, code: code.to_owned(), message: message.to_owned() });
        self
    }

    /// How it ends in place of `FAILED`: `TIMED_OUT`, `FAULT`, or `STOPPED`.
    pub fn ends_as(mut self, status: &'static str) -> Self {
        self.status = status;
        self
    }

    /// A failed `build` ends it, and `post_build` does not run: `on-failure: ABORT` in the buildspec.
    pub fn aborts(mut self) -> Self {
        self.aborts = true;
        self
    }

    /// What its commands write, in the phase that fails or else in `BUILD`, spread over that phase.
    pub fn writes(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.lines.extend(lines.into_iter().map(Into::into));
        self
    }

    /// The builds of a batch, for an action with `BatchEnabled`. What is said of the build holds for the last of them,
    /// and the others succeed.
    pub fn in_groups(mut self, identifiers: &[&str]) -> Self {
        self.groups = identifiers.iter().map(|&identifier| identifier.to_owned()).collect();
        self
    }

    pub(crate) fn lasting(after: Option<Duration>) -> Self {
        Self { after, status: "SUCCEEDED", failed: Vec::new(), aborts: false, lines: Vec::new(), groups: Vec::new() }
    }

    /// The build of an action of which a script says this, or nothing.
    pub(crate) fn of(outcome: Option<&Outcome>, otherwise: Duration) -> Self {
        match outcome {
            Some(Outcome::Build(build)) => build.clone(),
            Some(Outcome::Succeed { after }) => Self::lasting(Some(*after)),
            Some(Outcome::Fail { after, message, .. }) => {
                Self::lasting(Some(*after)).and_fails(BuildPhase::Build, "COMMAND_EXECUTION_ERROR", message)
            }
            Some(Outcome::Never) => Self::lasting(None),
            Some(Outcome::ApprovalWaits { .. } | Outcome::Rollout(_)) | None => Self::lasting(Some(otherwise)),
        }
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status == "SUCCEEDED"
    }

    /// What CodePipeline says of a build that did not succeed.
    pub(crate) fn verdict(&self) -> String {
        let status = self.status;
        match self.failed.first() {
            Some(Failed { phase, code, message }) => {
                let phase = phase.wire();
                format!("Build terminated with state: {status}. Phase: {phase}, Code: {code}, Message: {message}")
            }
            None => format!("Build terminated with state: {status}"),
        }
    }

    /// The same build, or for the other groups of a batch one that takes as long and succeeds.
    pub(crate) fn of_group(&self, is_last: bool) -> Self {
        if is_last { self.clone() } else { Self::lasting(self.after) }
    }
}
