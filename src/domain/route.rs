//! Which pipelines an event starts, and why others do not.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::event::{ChangedFiles, CommitSha, Event, EventKind, Press, Pressed, PullRequest, Push, Ref, RepositoryName};
use super::reason::Reason;
use super::report::{RunOptions, is_of_pipeline};
use super::template::{Template, Values};

/// Branches of GitHub's merge queue. They are pushes too, but of commits that may never land, so that only a
/// pattern which names them takes them.
const MERGE_QUEUE: &str = "gh-readonly-queue/";

/// Texts in a commit's message that keep pipelines from starting; compared without case.
const SKIP_MARKS: [&str; 3] = ["[skip ci]", "[ci skip]", "[skip pipeline]"];

/// Globs of which one must match. `*` does not match `/`, `**` does.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl Patterns {
    /// The error names the first pattern that is no glob, by its index and what is wrong with it.
    pub fn new(texts: &[String]) -> Result<Self, (usize, globset::Error)> {
        let mut builder = GlobSetBuilder::new();
        for (index, text) in texts.iter().enumerate() {
            let glob =
                GlobBuilder::new(&crossing(text)).literal_separator(true).build().map_err(|error| (index, error))?;
            builder.add(glob);
        }
        let set = builder.build().map_err(|error| (0, error))?;
        Ok(Self { texts: texts.to_vec(), set })
    }

    /// Whether there is none, so that nothing matches.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    fn matches_branch(&self, branch: &str) -> bool {
        let asked_for = || self.texts.iter().any(|text| text.starts_with(MERGE_QUEUE));
        self.matches(branch) && (!branch.starts_with(MERGE_QUEUE) || asked_for())
    }
}

/// The pattern as globset has to be told it. To globset, two stars are no more than one unless they are a whole part of a
/// name: `**.js` would leave out `src/server.js`.
fn crossing(text: &str) -> String {
    /// Any text: one without a slash, or one with some.
    const ANY: &str = "{*,*/**/*}";
    let mut told = String::with_capacity(text.len());
    let (mut before, mut rest) = (None, text);
    while let Some(char) = rest.chars().next() {
        let stars = rest.len() - rest.trim_start_matches('*').len();
        let taken = match char {
            '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            '[' => class_length(rest),
            '*' => stars,
            char => char.len_utf8(),
        };
        let (piece, after) = rest.split_at(taken);
        let is_part = matches!(before, None | Some('/' | '{' | ','))
            && matches!(after.chars().next(), None | Some('/' | '}' | ','));
        told.push_str(if stars < 2 || (stars == 2 && is_part) { piece } else { ANY });
        (before, rest) = (piece.chars().next_back(), after);
    }
    told
}

/// How long a class such as `[a-z]` is; a bracket that is never closed is one character, and globset's to complain of.
fn class_length(text: &str) -> usize {
    // A bracket right behind the beginning is one of the characters.
    let begins = if text.starts_with("[!") || text.starts_with("[^") { 2 } else { 1 };
    let first = text[begins..].chars().next().map_or(0, char::len_utf8);
    text[begins + first..].find(']').map_or(1, |end| begins + first + end + 1)
}

/// Which branches a route takes pushes of.
#[derive(Clone, Debug)]
pub enum Branches {
    /// The repository's default branch, whatever its name; the payload tells it.
    Default,
    Matching(Patterns),
}

/// Which pull requests a route takes, besides that they must come from the repository itself.
#[derive(Clone, Debug)]
pub enum PullRequests {
    None,
    All,
    /// Those into a base branch that matches.
    Into(Patterns),
}

/// From a repository's refs to a pipeline.
#[derive(Clone, Debug)]
pub struct Route {
    pub repository: RepositoryName,
    pub branches: Branches,
    pub tags: Patterns,
    /// At least one changed file must match; `None` lets every file count.
    pub paths: Option<Patterns>,
    /// Changed files that do not count.
    pub paths_ignore: Patterns,
    pub pull_requests: PullRequests,
    pub pipeline: String,
    /// The source action that is pinned to the commit; `None` leaves the pipeline to take its branch's head (V1).
    pub source_action: Option<String>,
    pub variables: Vec<(String, Template)>,
    pub options: RunOptions,
}

/// One execution to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRequest {
    pub pipeline: String,
    pub repository: RepositoryName,
    pub commit: CommitSha,
    /// The commit may be a tag object's name, which has to be resolved first.
    pub may_be_tag_object: bool,
    pub git_ref: Ref,
    pub source_action: Option<String>,
    pub variables: Vec<(String, String)>,
    pub options: RunOptions,
}

/// What a route makes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Start(Box<StartRequest>),
    /// A filter left the pipeline out. GitHub is told that this is a success, so that a required check does not hang.
    Skip {
        pipeline: String,
        repository: RepositoryName,
        commit: CommitSha,
        reason: Reason,
    },
    /// Somebody pressed something on a check run of the pipeline. The request is for where a stage can't be retried.
    Press(Box<Press>, Box<StartRequest>),
    /// Nothing is started and nothing is reported.
    Ignore(Reason),
}

impl Decision {
    fn pipeline(&self) -> Option<&str> {
        match self {
            Self::Start(request) => Some(&request.pipeline),
            Self::Skip { pipeline, .. } => Some(pipeline),
            Self::Press(_, request) => Some(&request.pipeline),
            Self::Ignore(_) => None,
        }
    }
}

/// All routes of a configuration, in its order.
#[derive(Clone, Debug, Default)]
pub struct RouteTable(pub Vec<Route>);

impl RouteTable {
    /// What the event starts. Each pipeline is decided once: the first route that starts it wins, then the first that
    /// skips it. For a press, routes that take its branch come before the others. Where nothing is started or skipped, the one
    /// decision says why.
    pub fn plan(&self, event: &Event) -> Vec<Decision> {
        let repository = match event.kind.repository() {
            Ok(repository) => repository,
            Err(why) => return vec![Decision::Ignore(Reason::Nothing(why.to_owned()))],
        };
        let mut decisions: Vec<Decision> = Vec::new();
        let mut reasons: Vec<Reason> = Vec::new();
        let mut routes: Vec<&Route> = self.0.iter().filter(|route| route.repository == *repository).collect();
        if let EventKind::Press(press) = &event.kind {
            // A check run does not tell which route has started it. Of several to one pipeline, most likely the one that takes
            // the branch has.
            routes.sort_by_key(|route| !route.takes_branch(press.branch(), &press.default_branch));
        }
        for route in routes {
            let decision = route.decide(event);
            let same = decisions.iter().position(|earlier| earlier.pipeline() == decision.pipeline());
            match (decision, same.map(|index| &mut decisions[index])) {
                (Decision::Ignore(reason), _) => reasons.push(reason),
                (decision, None) => decisions.push(decision),
                (start @ Decision::Start(_), Some(earlier @ Decision::Skip { .. })) => *earlier = start,
                (_, Some(_)) => {}
            }
        }
        if decisions.is_empty() && reasons.is_empty() {
            reasons.push(Reason::NoRoute(repository.clone()));
        }
        if decisions.is_empty() { reasons.into_iter().map(Decision::Ignore).collect() } else { decisions }
    }

    /// The routes that start this pipeline, in their order.
    pub fn of_pipeline<'a>(&'a self, pipeline: &'a str) -> impl Iterator<Item = &'a Route> {
        self.0.iter().filter(move |route| route.pipeline == pipeline)
    }
}

impl Route {
    /// What this route makes of the event, whatever others make of it.
    pub fn decide(&self, event: &Event) -> Decision {
        match &event.kind {
            EventKind::Nothing(why) => Decision::Ignore(Reason::Nothing(why.clone())),
            kind if kind.repository() != Ok(&self.repository) => {
                Decision::Ignore(Reason::Repository(self.repository.clone()))
            }
            EventKind::Push(push) => self.plan_push(push, &event.delivery),
            EventKind::PullRequest(pull) => self.plan_pull_request(pull, &event.delivery),
            EventKind::Press(press) => self.plan_press(press, &event.delivery),
        }
    }

    fn takes_branch(&self, branch: &str, default_branch: &str) -> bool {
        match &self.branches {
            Branches::Default => branch == default_branch,
            Branches::Matching(patterns) => patterns.matches_branch(branch),
        }
    }

    fn plan_push(&self, push: &Push, delivery: &str) -> Decision {
        let pipeline = || self.pipeline.clone();
        let refused = match &push.git_ref {
            Ref::Branch(branch) if !self.takes_branch(branch, &push.default_branch) => {
                Some(Reason::Branch { pipeline: pipeline(), branch: branch.clone() })
            }
            Ref::Tag(tag) if !self.tags.matches(tag) => Some(Reason::Tag { pipeline: pipeline(), tag: tag.clone() }),
            _ => None,
        };
        if let Some(reason) = refused {
            return Decision::Ignore(reason);
        }
        let left_out = skip_mark(&push.message).map(Reason::Message);
        if let Some(reason) = left_out.or_else(|| self.left_out_by_paths(&push.changed)) {
            let (repository, commit) = (push.repository.clone(), push.commit.clone());
            return Decision::Skip { pipeline: pipeline(), repository, commit, reason };
        }
        let values = Values { actor: &push.actor, delivery, message: &push.message, ..ref_values(&push.git_ref) };
        self.start(&push.repository, &push.commit, push.git_ref.clone(), push.may_be_tag_object, values)
    }

    /// Why the path filters leave a push out; `None` where they let it through, as they do where the payload does not
    /// tell all changed files: a deploy too many is seen, one too few is not.
    fn left_out_by_paths(&self, changed: &ChangedFiles) -> Option<Reason> {
        let ChangedFiles::Known(files) = changed else {
            return None;
        };
        let filters = self.paths.is_some() || !self.paths_ignore.is_empty();
        let counts = |file: &String| {
            self.paths.as_ref().is_none_or(|paths| paths.matches(file)) && !self.paths_ignore.matches(file)
        };
        (filters && !files.iter().any(counts)).then_some(Reason::Paths { files: files.len() })
    }

    fn plan_pull_request(&self, pull: &PullRequest, delivery: &str) -> Decision {
        let pipeline = || self.pipeline.clone();
        let PullRequest { number, head_branch, base_branch, .. } = pull;
        let taken = match &self.pull_requests {
            PullRequests::None => return Decision::Ignore(Reason::PullRequests { pipeline: pipeline() }),
            PullRequests::All => true,
            PullRequests::Into(bases) => bases.matches_branch(base_branch),
        };
        if pull.from_fork {
            return Decision::Ignore(Reason::Fork(*number));
        }
        if !taken {
            return Decision::Ignore(Reason::Base { pipeline: pipeline(), branch: base_branch.clone() });
        }
        if self.takes_branch(head_branch, &pull.default_branch) {
            return Decision::Ignore(Reason::PushStarts { pipeline: pipeline(), branch: head_branch.clone() });
        }
        let git_ref = Ref::Branch(pull.head_branch.clone());
        let values = Values { actor: &pull.actor, delivery, message: &pull.title, ..ref_values(&git_ref) };
        self.start(&pull.repository, &pull.commit, git_ref.clone(), false, values)
    }

    /// A press is for the pipelines whose check runs it is about. Whether it may do anything, the worker finds out.
    fn plan_press(&self, press: &Press, delivery: &str) -> Decision {
        let name = match &press.what {
            Pressed::Button { name, .. } | Pressed::Rerun { name, .. } => Some(name),
            Pressed::RerunAll { .. } => None,
        };
        if name.is_some_and(|name| !is_of_pipeline(name, &self.pipeline)) {
            return Decision::Ignore(Reason::CheckRun { pipeline: self.pipeline.clone() });
        }
        let git_ref = Ref::Branch(press.branch().to_owned());
        let values = Values { actor: &press.actor, delivery, ..ref_values(&git_ref) };
        match self.start(&press.repository, &press.commit, git_ref.clone(), false, values) {
            Decision::Start(request) => Decision::Press(Box::new(press.clone()), request),
            other => other,
        }
    }

    fn start(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        git_ref: Ref,
        may_be_tag_object: bool,
        values: Values<'_>,
    ) -> Decision {
        let full_ref = git_ref.to_string();
        let values = Values { sha: commit.as_str(), short_sha: commit.short(), git_ref: &full_ref, ..values };
        let variables = self.variables.iter().filter_map(|(name, value)| Some((name.clone(), value.render(values)?)));
        Decision::Start(Box::new(StartRequest {
            pipeline: self.pipeline.clone(),
            repository: repository.clone(),
            commit: commit.clone(),
            may_be_tag_object,
            variables: variables.collect(),
            git_ref,
            source_action: self.source_action.clone(),
            options: self.options.clone(),
        }))
    }
}

fn ref_values(git_ref: &Ref) -> Values<'_> {
    Values { branch: git_ref.branch().unwrap_or_default(), tag: git_ref.tag().unwrap_or_default(), ..Values::default() }
}

fn skip_mark(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    SKIP_MARKS.into_iter().find(|mark| message.contains(mark))
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "route_properties.rs"]
pub(crate) mod properties;
