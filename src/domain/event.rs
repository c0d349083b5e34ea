//! What a verified delivery says, free of GitHub's wire format.

use std::fmt;

/// A repository as `owner/name`. GitHub compares both without case, and so does this type.
#[derive(Clone, Eq)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// `None` where the text is not of the form `owner/name`, in the characters that GitHub allows in them.
    pub fn parse(full_name: &str) -> Option<Self> {
        let (owner, name) = full_name.split_once('/')?;
        let allowed = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        (allowed(owner) && allowed(name)).then(|| Self(full_name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for RepositoryName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full object name: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits, never all zeros.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSha(String);

impl CommitSha {
    pub fn parse(text: &str) -> Option<Self> {
        let right_length = matches!(text.len(), 40 | 64);
        let hexadecimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let zeros = text.bytes().all(|b| b == b'0');
        (right_length && hexadecimal && !zeros).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as GitHub shows a commit.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch or a tag, by its short name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    Branch(String),
    Tag(String),
}

impl Ref {
    /// `None` for anything outside `refs/heads/` and `refs/tags/`.
    pub fn parse(full: &str) -> Option<Self> {
        let short = |prefix| full.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
        short("refs/heads/").map(Self::Branch).or_else(|| short("refs/tags/").map(Self::Tag))
    }

    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Branch(name) => Some(name),
            Self::Tag(_) => None,
        }
    }

    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(name) => Some(name),
            Self::Branch(_) => None,
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "refs/heads/{name}"),
            Self::Tag(name) => write!(f, "refs/tags/{name}"),
        }
    }
}

/// The files that a push changed, as far as its payload tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedFiles {
    Known(Vec<String>),
    /// The payload does not list them all; the text says why. A path filter then lets the push through.
    Unknown(&'static str),
}

/// A push that leaves a branch or a tag on a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub repository: RepositoryName,
    pub default_branch: String,
    pub git_ref: Ref,
    /// The commit that the ref now leads to; for an annotated tag that is not the pushed object itself.
    pub commit: CommitSha,
    /// True where the payload named no commit for a tag, so that `commit` may be the tag object's name.
    pub may_be_tag_object: bool,
    /// Message of the head commit.
    pub message: String,
    pub actor: String,
    pub changed: ChangedFiles,
}

/// A pull request that was opened, reopened, or got new commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub repository: RepositoryName,
    pub default_branch: String,
    pub number: u64,
    pub title: String,
    pub head_branch: String,
    pub base_branch: String,
    pub commit: CommitSha,
    pub actor: String,
    pub from_fork: bool,
}

/// Somebody pressed something on a check run, or on all of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    pub repository: RepositoryName,
    pub default_branch: String,
    pub commit: CommitSha,
    /// The branch that the check suite was made for; GitHub does not tell it for forks.
    pub head_branch: Option<String>,
    /// Who pressed, as the payload says.
    pub actor: String,
    pub what: Pressed,
}

impl Press {
    /// The suite's branch, or the default one where GitHub tells none.
    pub fn branch(&self) -> &str {
        self.head_branch.as_deref().unwrap_or(&self.default_branch)
    }
}

/// What was pressed. Moments are GitHub's texts: they are compared with what GitHub says when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// A button of a check run.
    Button { check_run: u64, name: String, identifier: String },
    /// Re-run of a check run that had completed then.
    Rerun { check_run: u64, name: String, completed: String },
    /// Re-run of all check runs; the suite was updated then.
    RerunAll { updated: String },
}

/// A verified delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// GitHub's id of the delivery. It is not signed: good for looking things up, not for deciding.
    pub delivery: String,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    Push(Push),
    PullRequest(PullRequest),
    Press(Press),
    /// A delivery that starts nothing whatever the routes say; the text says why.
    Nothing(String),
}

impl EventKind {
    /// The repository that it is about.
    ///
    /// # Errors
    /// Where it starts nothing whatever its repository: why.
    pub fn repository(&self) -> Result<&RepositoryName, &str> {
        match self {
            Self::Push(push) => Ok(&push.repository),
            Self::PullRequest(pull) => Ok(&pull.repository),
            Self::Press(press) => Ok(&press.repository),
            Self::Nothing(why) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_compare_without_case() {
        let ours = RepositoryName::parse("Octo-Org/Node-Server").unwrap();
        assert_eq!(ours, RepositoryName::parse("octo-org/node-server").unwrap());
        assert_eq!(ours.to_string(), "Octo-Org/Node-Server");
    }

    #[test]
    fn what_is_no_repository_name_is_refused() {
        for text in ["", "octo-org", "/x", "x/", "a/b/c", "a/..", "a/b?c", "a/b c", "ä/b"] {
            assert_eq!(RepositoryName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_sha_is_a_full_lower_case_object_name() {
        assert!(CommitSha::parse(&"a1".repeat(20)).is_some());
        assert!(CommitSha::parse(&"a1".repeat(32)).is_some());
        for text in [&"0".repeat(40), &"A1".repeat(20), &"a1".repeat(19), &"g1".repeat(20)] {
            assert_eq!(CommitSha::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_commit_is_told_whole_or_as_github_shows_it() {
        let text = "1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";
        let commit = CommitSha::parse(text).unwrap();
        assert_eq!((commit.to_string().as_str(), commit.as_str(), commit.short()), (text, text, "1f7ad5b"));
    }

    #[test]
    fn a_ref_is_a_branch_or_a_tag() {
        let (main, v1) = (Ref::Branch("main".to_owned()), Ref::Tag("v1".to_owned()));
        assert_eq!((main.branch(), main.tag(), main.to_string().as_str()), (Some("main"), None, "refs/heads/main"));
        assert_eq!((v1.branch(), v1.tag(), v1.to_string().as_str()), (None, Some("v1"), "refs/tags/v1"));
    }

    #[test]
    fn refs_outside_heads_and_tags_are_none() {
        assert_eq!(Ref::parse("refs/heads/release/1.x"), Some(Ref::Branch("release/1.x".into())));
        assert_eq!(Ref::parse("refs/tags/v1"), Some(Ref::Tag("v1".into())));
        assert_eq!(Ref::parse("refs/pull/7/head"), None);
        assert_eq!(Ref::parse("refs/heads/"), None);
    }
}
