//! What was found out about each link of the chain, and how it is shown.

use std::fmt;

use clap::ValueEnum;
use console::style;
use serde::Serialize;

use crate::aws::unread::Unread;
use crate::cli::Error;
use crate::domain::template::one_line;
use crate::github::GitHubError;

/// Links that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    /// The account, the stack, the configuration
    Deployment,
    /// The function that GitHub calls: its secret, its URL, its answer
    Webhook,
    /// The queue between the functions, and the one for what failed
    Queue,
    /// The function behind the queue
    Worker,
    /// CodePipeline's events
    Events,
    /// The routes' pipelines, connections and services
    Pipelines,
    /// What the worker may do at GitHub
    Token,
    /// The webhooks that the repositories have at GitHub
    Hooks,
}

impl Group {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Webhook => "Webhook",
            Self::Queue => "Queue",
            Self::Worker => "Worker",
            Self::Events => "Events",
            Self::Pipelines => "Pipelines",
            Self::Token => "Worker's access to GitHub",
            Self::Hooks => "Webhooks at GitHub",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    Wrong,
    /// It could not be looked at, for a reason of its own: no permission, no answer.
    Unreadable,
    /// It was not looked at, because of something else.
    NotChecked,
}

/// One link, and what is to be said of it. None of the texts holds anything that moves a terminal's cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) link: String,
    pub(super) verdict: Verdict,
    says: String,
    mending: Option<String>,
}

impl Finding {
    fn new(link: impl AsRef<str>, verdict: Verdict, says: impl AsRef<str>, mending: Option<&str>) -> Self {
        Self {
            link: one_line(link.as_ref()),
            verdict,
            says: one_line(says.as_ref()),
            mending: mending.map(one_line).filter(|mending| !mending.is_empty()),
        }
    }

    pub(super) fn ok(link: impl AsRef<str>, says: impl AsRef<str>) -> Self {
        Self::new(link, Verdict::Ok, says, None)
    }

    pub(super) fn warning(link: impl AsRef<str>, problem: impl AsRef<str>, mending: impl AsRef<str>) -> Self {
        Self::new(link, Verdict::Warning, problem, Some(mending.as_ref()))
    }

    pub(super) fn wrong(link: impl AsRef<str>, problem: impl AsRef<str>, mending: impl AsRef<str>) -> Self {
        Self::new(link, Verdict::Wrong, problem, Some(mending.as_ref()))
    }

    /// Something else has to be there first, and this says what.
    pub(super) fn not_checked(link: impl AsRef<str>, why: impl AsRef<str>) -> Self {
        Self::new(link, Verdict::NotChecked, why, None)
    }

    /// As [`Self::not_checked`], where the person can do something to have it checked.
    pub(super) fn not_checked_unless(link: impl AsRef<str>, why: impl AsRef<str>, mending: &str) -> Self {
        Self::new(link, Verdict::NotChecked, why, Some(mending))
    }

    /// AWS did not tell.
    pub(super) fn unread(link: impl AsRef<str>, unread: Unread) -> Self {
        let (cause, mending) = match Error::aws("", unread) {
            Error::Aws { cause, mending, .. } => (cause, mending),
            other => (other.to_string(), ""),
        };
        let says = format!("it can't be read: {cause}");
        Self::new(link, Verdict::Unreadable, says, Some(mending.trim_start_matches("; ")))
    }

    /// GitHub did not tell.
    pub(super) fn unasked(link: impl AsRef<str>, error: &GitHubError) -> Self {
        Self::new(link, Verdict::Unreadable, error.to_string(), None)
    }
}

/// What a check needs and another one has found; or else why it is not there, to be said of all that needs it.
pub(super) type Known<T> = Result<T, String>;

/// The findings of one group.
pub(super) struct Section {
    pub(super) group: Group,
    pub(super) findings: Vec<Finding>,
}

/// Everything that was found.
pub(super) struct Report {
    /// What was looked at.
    pub(super) about: String,
    pub(super) sections: Vec<Section>,
}

#[derive(Serialize)]
struct WireReport<'a> {
    about: &'a str,
    healthy: bool,
    findings: Vec<WireFinding<'a>>,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    group: Group,
    link: &'a str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mending: Option<&'a str>,
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = (Group, &Finding)> {
        self.sections.iter().flat_map(|section| section.findings.iter().map(|finding| (section.group, finding)))
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings().filter(|(_, finding)| finding.verdict == verdict).count()
    }

    /// Whether nothing is wrong, as far as could be seen; and all could be seen that was to be looked at.
    pub(super) fn is_healthy(&self) -> bool {
        self.count(Verdict::Wrong) + self.count(Verdict::Unreadable) == 0
    }

    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        let findings = self.findings().map(|(group, Finding { link, verdict, says, mending })| {
            let is_ok = *verdict == Verdict::Ok;
            WireFinding {
                group,
                link,
                verdict: *verdict,
                detail: is_ok.then_some(says),
                problem: (!is_ok).then_some(says),
                mending: mending.as_deref(),
            }
        });
        let report = WireReport { about: &self.about, healthy: self.is_healthy(), findings: findings.collect() };
        serde_json::to_string(&report)
    }

    /// `1 wrong, 2 not checked, 18 well`.
    pub(super) fn summary(&self) -> String {
        let count = |verdict| self.count(verdict);
        let told: Vec<String> = [
            (Verdict::Wrong, "wrong"),
            (Verdict::Unreadable, "unreadable"),
            (Verdict::Warning, "to look at"),
            (Verdict::NotChecked, "not checked"),
            (Verdict::Ok, "well"),
        ]
        .into_iter()
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, what)| format!("{} {what}", count(verdict)))
        .collect();
        told.join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", style(&self.about).bold())?;
        for Section { group, findings } in self.sections.iter().filter(|section| !section.findings.is_empty()) {
            writeln!(f, "\n{}", style(group.title()).bold())?;
            for Finding { link, verdict, says, mending } in findings {
                let mark = match verdict {
                    Verdict::Ok => style("✓").green(),
                    Verdict::Warning => style("!").yellow(),
                    Verdict::Wrong => style("✗").red(),
                    Verdict::Unreadable => style("?").red(),
                    Verdict::NotChecked => style("–").dim(),
                };
                let not_checked = if *verdict == Verdict::NotChecked { "not checked: " } else { "" };
                writeln!(f, "  {mark} {link}: {not_checked}{says}")?;
                if let Some(mending) = mending {
                    writeln!(f, "      {} {mending}", style("→").cyan())?;
                }
            }
        }
        Ok(())
    }
}
