//! What the functions take, and what hardly does what its author wants.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Finding;
use super::globs::Glob;
use super::mistakes::Rest;
use super::patterns::{of_path, of_ref, of_ref_name};
use crate::domain::event::{ChangedFiles, CommitSha, Event, EventKind, PullRequest, Push, Ref};
use crate::domain::route::{Branches, Decision, Patterns, PullRequests, Route};
use crate::domain::template::one_line;

/// A pattern that every name of a ref or a path matches.
const EVERYTHING: &str = "**";

/// GitHub's longest names: of a user or an organisation, and of a repository.
const LONGEST_OWNER: usize = 39;
const LONGEST_REPOSITORY: usize = 100;

pub(super) fn find(rest: &Rest<'_>) -> Vec<Finding> {
    let written = rest.table.get("route").map(Spanned::get_ref).and_then(DeValue::as_array);
    let Some(written) = written.filter(|routes| !routes.is_empty()) else {
        let message = "there is no [[route]], so that no push starts anything";
        return vec![Finding::warning(0..0, message).help("each route is for one repository and one pipeline")];
    };
    let of = |(index, (written, route))| {
        let written: &Spanned<DeValue<'_>> = written;
        let table = written.get_ref().as_table()?;
        Some(Entry { route, table, place: written.span(), is_whole: !rest.damaged.contains(&index) })
    };
    let entries: Vec<Entry<'_>> = written.iter().zip(&rest.config.routes.0).enumerate().filter_map(of).collect();
    let mut findings = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        findings.extend(entry.patterns());
        if entry.is_whole {
            findings.extend(entry.repository());
            findings.extend(entry.purpose());
            findings.extend(entry.pull_requests());
            findings.extend(entry.paths());
            findings.extend(entry.address());
            findings.extend(
                entries[..index].iter().filter(|earlier| earlier.is_whole).find_map(|earlier| entry.doubles(earlier)),
            );
        }
    }
    findings
}

/// A route, and how it is written.
struct Entry<'a> {
    route: &'a Route,
    table: &'a DeTable<'a>,
    place: Range<usize>,
    /// Nothing of it was wrong.
    is_whole: bool,
}

impl Entry<'_> {
    /// Where a key's value stands; where the route begins, if the key is left out.
    fn place_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or(self.place.clone(), Spanned::span)
    }

    /// The patterns of a key, each with its place.
    fn texts(&self, key: &str) -> Vec<(&str, Range<usize>)> {
        let value = match key {
            "base" => self.table.get("pull_requests").and_then(|value| value.get_ref().as_table()?.get("base")),
            key => self.table.get(key),
        };
        let texts = value.and_then(|value| value.get_ref().as_array());
        texts
            .into_iter()
            .flat_map(|texts| texts.iter())
            .filter_map(|text| Some((text.get_ref().as_str()?, text.span())))
            .collect()
    }

    fn patterns(&self) -> Vec<Finding> {
        let refs =
            [("branches", "branch", "refs/heads/"), ("base", "branch", "refs/heads/"), ("tags", "tag", "refs/tags/")];
        let refs = refs.into_iter().flat_map(|(key, what, prefix)| {
            self.texts(key).into_iter().map(move |(text, place)| (key, text, place, of_ref(text, what, prefix)))
        });
        let paths = ["paths", "paths_ignore"].into_iter().flat_map(|key| {
            self.texts(key).into_iter().map(move |(text, place)| (key, text, place, of_path(text, key)))
        });
        let finding = |(key, text, place, doubt): (_, &str, _, Option<_>)| {
            let (why, help) = doubt?;
            let message = format!("`{key}`: \"{}\" {why}", one_line(text));
            Some(Finding { help, ..Finding::warning(place, message) })
        };
        refs.chain(paths).filter_map(finding).collect()
    }

    fn repository(&self) -> Option<Finding> {
        let (owner, name) = self.route.repository.as_str().split_once('/')?;
        let place = self.place_of("repository");
        let finding = |message: &str| Some(Finding::warning(place.clone(), message));
        if let Some(name) = name.strip_suffix(".git") {
            return Some(finding("no repository's name ends in .git")?.help(format!("write \"{owner}/{name}\"")));
        }
        match () {
            () if owner.contains('.') => finding("no owner's name at GitHub holds a dot"),
            () if owner.starts_with('-') => finding("no owner's name at GitHub begins with a hyphen"),
            () if owner.len() > LONGEST_OWNER => finding("no owner's name at GitHub has more than 39 characters"),
            () if name.len() > LONGEST_REPOSITORY => {
                finding("no repository's name at GitHub has more than 100 characters")
            }
            () => None,
        }
    }

    fn starts_nothing(&self) -> bool {
        let no_branches = matches!(&self.route.branches, Branches::Matching(none) if none.is_empty());
        let no_pulls = match &self.route.pull_requests {
            PullRequests::None => true,
            PullRequests::All => false,
            PullRequests::Into(bases) => bases.is_empty(),
        };
        no_branches && no_pulls && self.route.tags.is_empty()
    }

    fn purpose(&self) -> Option<Finding> {
        self.starts_nothing().then(|| {
            let message = "the route takes no branches, no tags and no pull requests, so that it starts nothing";
            Finding::warning(self.place_of("branches"), message)
                .help("leave `branches` out for the default branch; as it is, only runs that others start are reported")
        })
    }

    fn pull_requests(&self) -> Option<Finding> {
        let place = self.place_of("pull_requests");
        match (&self.route.pull_requests, &self.route.branches) {
            (PullRequests::Into(bases), _) if bases.is_empty() => {
                let message = "`base` is empty, so that no pull request is taken";
                Some(Finding::warning(place, message).help("write pull_requests = true for all, or leave it out"))
            }
            (PullRequests::All | PullRequests::Into(_), Branches::Matching(_)) if self.has("branches", EVERYTHING) => {
                let message =
                    "`pull_requests` starts nothing more: `branches` takes the push to every head branch already";
                Some(Finding::warning(place, message).help("leave one of them out"))
            }
            _ => None,
        }
    }

    fn has(&self, key: &str, pattern: &str) -> bool {
        self.texts(key).iter().any(|(text, _)| *text == pattern)
    }

    /// Path filters that let no file count.
    fn paths(&self) -> Option<Finding> {
        let ignored = self.texts("paths_ignore");
        let skips = "every push whose files are known is skipped";
        match &self.route.paths {
            Some(paths) if paths.is_empty() => {
                let message = format!("`paths` is empty, so that no file counts, and {skips}");
                Some(Finding::warning(self.place_of("paths"), message).help("leave it out for every file to count"))
            }
            None if self.has("paths_ignore", EVERYTHING) => {
                let message = format!("`paths_ignore` takes every file away, so that {skips}");
                Some(Finding::warning(self.place_of("paths_ignore"), message))
            }
            Some(_) if !ignored.is_empty() => {
                let paths = self.texts("paths");
                let is_ignored = |(path, _): &(&str, _)| covers(&self.route.paths_ignore, &ignored, path);
                let context = (self.place_of("paths_ignore"), "this takes it away".to_owned());
                (!paths.is_empty() && paths.iter().all(is_ignored)).then(|| {
                    let message = format!("`paths_ignore` takes away all that `paths` lets count, so that {skips}");
                    Finding { context: Some(context), ..Finding::warning(self.place_of("paths"), message) }
                })
            }
            _ => None,
        }
    }

    /// Only deployments have an address, and only environments have deployments.
    fn address(&self) -> Option<Finding> {
        let options = &self.route.options;
        (options.environment_url.is_some() && options.environment.is_none()).then(|| {
            let message =
                "`environment_url` is shown with the deployments to an environment, and no `environment` is named";
            Finding::warning(self.place_of("environment_url"), message).help("add environment = \"NAME\"")
        })
    }

    /// That an earlier route starts the same pipeline for the same event.
    fn doubles(&self, earlier: &Entry<'_>) -> Option<Finding> {
        let is_other =
            self.route.pipeline != earlier.route.pipeline || self.route.repository != earlier.route.repository;
        if is_other || self.starts_nothing() {
            return None;
        }
        let pipeline = &self.route.pipeline;
        let context = (earlier.place_of("pipeline"), "the first route wins".to_owned());
        let place = self.place_of("pipeline");
        if self.is_behind(earlier) {
            let message = format!("this route never starts {pipeline}: an earlier one takes all that it takes");
            return Some(
                Finding { context: Some(context), ..Finding::warning(place, message) }
                    .help("leave one of them out, or let them take different branches"),
            );
        }
        let event = self
            .events_with(earlier)
            .into_iter()
            .find(|event| starts(self.route, event) && starts(earlier.route, event))?;
        let what = match &event.kind {
            EventKind::Push(Push { git_ref: Ref::Branch(branch), .. }) => format!("a push to branch {branch}"),
            EventKind::Push(Push { git_ref: Ref::Tag(tag), .. }) => format!("a push of tag {tag}"),
            EventKind::PullRequest(pull) => format!("a pull request into {}", pull.base_branch),
            EventKind::Press(_) | EventKind::Nothing(_) => return None,
        };
        let message = format!("{} would start {pipeline} by two routes; it is started once", one_line(&what));
        Some(
            Finding { context: Some(context), ..Finding::warning(place, message) }
                .help("let the routes take different branches, or put what both do into one"),
        )
    }

    /// Whether whatever it takes, an earlier route takes as well, with no filter that could leave it to this one.
    fn is_behind(&self, earlier: &Entry<'_>) -> bool {
        let is_filtered = earlier.route.paths.is_some() || !earlier.route.paths_ignore.is_empty();
        if is_filtered || !matches!(self.route.pull_requests, PullRequests::None) {
            return false;
        }
        let all = |key: &str, own: &Patterns| {
            let theirs = earlier.texts(key);
            self.texts(key).iter().all(|(text, _)| covers(own, &theirs, text))
        };
        let branches = match (&self.route.branches, &earlier.route.branches) {
            (Branches::Default, Branches::Default) => true,
            (Branches::Default, Branches::Matching(_)) => earlier.has("branches", EVERYTHING),
            (Branches::Matching(own), Branches::Default) => own.is_empty(),
            (Branches::Matching(_), Branches::Matching(theirs)) => all("branches", theirs),
        };
        branches && all("tags", &earlier.route.tags)
    }

    /// Events that this route and another may both take.
    fn events_with(&self, other: &Entry<'_>) -> Vec<Event> {
        let common = |key: &str| -> Vec<String> {
            let globs = |entry: &Entry<'_>| -> Vec<Glob> {
                entry.texts(key).into_iter().filter_map(|(text, _)| Glob::parse(text)).collect()
            };
            let (own, others) = (globs(self), globs(other));
            let names = own.iter().flat_map(|own| others.iter().flat_map(|other| own.common(other)));
            names.filter(|name| of_ref_name(name).is_none()).collect()
        };
        // A route without `branches` takes the default branch, which has one of two names nearly everywhere.
        let default_branches = || ["main", "master"].map(str::to_owned).into_iter();
        let is_default = |entry: &Entry<'_>| matches!(entry.route.branches, Branches::Default);
        let mut branches = common("branches");
        if is_default(self) || is_default(other) {
            branches.extend(default_branches());
        }
        let branches = branches.into_iter().map(|name| self.push(Ref::Branch(name)));
        let tags = common("tags").into_iter().map(|name| self.push(Ref::Tag(name)));
        let shapes = |entry: &Entry<'_>| -> Vec<String> {
            let globs = entry.texts("base").into_iter().filter_map(|(text, _)| Glob::parse(text));
            globs.flat_map(|glob| glob.shapes().collect::<Vec<_>>()).collect()
        };
        let bases = [common("base"), shapes(self), shapes(other), default_branches().collect()].concat();
        let bases = bases.into_iter().map(|base| self.pull_request(base));
        branches.chain(tags).chain(bases).flatten().collect()
    }

    /// A push of which it is not known which files it changes: no path filter leaves it out.
    fn push(&self, git_ref: Ref) -> Option<Event> {
        let default_branch = git_ref.branch().unwrap_or("main").to_owned();
        let kind = EventKind::Push(Push {
            repository: self.route.repository.clone(),
            default_branch,
            git_ref,
            commit: CommitSha::parse(&"a".repeat(40))?,
            may_be_tag_object: false,
            message: String::new(),
            actor: String::new(),
            changed: ChangedFiles::Unknown("it is made up"),
        });
        Some(Event { delivery: String::new(), kind })
    }

    fn pull_request(&self, base_branch: String) -> Option<Event> {
        let kind = EventKind::PullRequest(PullRequest {
            repository: self.route.repository.clone(),
            default_branch: base_branch.clone(),
            number: 1,
            title: String::new(),
            head_branch: "some-branch".to_owned(),
            base_branch,
            commit: CommitSha::parse(&"a".repeat(40))?,
            actor: String::new(),
            from_fork: false,
        });
        Some(Event { delivery: String::new(), kind })
    }
}

fn starts(route: &Route, event: &Event) -> bool {
    matches!(route.decide(event), Decision::Start(_))
}

/// Whether patterns surely match all that a pattern does. Where that is hard to say, they are taken not to.
fn covers(patterns: &Patterns, texts: &[(&str, Range<usize>)], pattern: &str) -> bool {
    let has = |text: &str| texts.iter().any(|(own, _)| *own == text);
    let below = |own: &str| {
        let folder = own.strip_suffix("**").filter(|folder| folder.ends_with('/'));
        folder.is_some_and(|folder| pattern.starts_with(folder) && !folder.contains(['*', '?', '[', '{', '\\']))
    };
    // Pushes of the merge queue are taken by patterns that name it only.
    let is_queue = |text: &str| text.starts_with("gh-readonly-queue/");
    if is_queue(pattern) && !texts.iter().any(|(own, _)| is_queue(own)) {
        return false;
    }
    let literal = Glob::parse(pattern).and_then(|glob| glob.literal());
    has(pattern)
        || has(EVERYTHING)
        || texts.iter().any(|(own, _)| below(own))
        || literal.is_some_and(|name| patterns.matches(&name))
}
