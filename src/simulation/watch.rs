//! What is seen while a plan is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::log::Log;
use super::plan::{PipelinePlan, SetUp, What};
use super::sandbox::Fate;
use super::truth::{self, Told};
use super::{Verdict, deeds};
use crate::domain::time::Timestamp;
use crate::standin::{ExecutionView, World};

/// Everything that was noticed so far.
#[derive(Default)]
pub(super) struct Watch {
    breaches: Vec<String>,
    struck: BTreeMap<String, u64>,
    calls: BTreeMap<&'static str, u64>,
    statuses_seen: usize,
    checks_seen: usize,
    posts: BTreeMap<(String, String), u32>,
    posted: u64,
    /// Executions that somebody else has started.
    pub(super) foreign: BTreeSet<String>,
    /// Pipelines and commits whose start was answered as if waiting could not help.
    pub(super) denied_starts: BTreeSet<(String, String)>,
    log: Log,
    /// Whether a story is kept, to be read.
    tells: bool,
    story: Vec<String>,
    digest: u64,
}

impl Watch {
    pub(super) fn new(log: Log, tells: bool) -> Self {
        Self { log, tells, ..Self::default() }
    }

    pub(super) fn breach(&mut self, what: String) {
        if self.breaches.len() < 20 {
            self.breaches.push(what);
        }
    }

    pub(super) fn has_breached(&self) -> bool {
        !self.breaches.is_empty()
    }

    pub(super) fn strike(&mut self, kind: &str) {
        match self.struck.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.struck.insert(kind.to_owned(), 1)),
        }
    }

    /// What has struck as soon as it happens.
    pub(super) fn strike_at_once(&mut self, what: &What) {
        if !matches!(what, What::Calls { .. } | What::Outage { .. } | What::Worker(_) | What::Webhook(_)) {
            self.strike(what.kind());
        }
    }

    pub(super) fn fate(&mut self, struck: Option<Fate>, of: &str) {
        match struck {
            Some(Fate::Dies { .. }) => self.strike(&format!("{of} dies")),
            Some(Fate::Freezes { .. }) => self.strike(&format!("{of} freezes")),
            None => {}
        }
    }

    pub(super) fn is_foreign(&mut self, execution: String) -> bool {
        self.foreign.insert(execution)
    }

    pub(super) fn tell(&mut self, at: Timestamp, line: impl FnOnce() -> String) {
        if self.tells {
            self.story.push(format!("{:>12.3}  {}", at.as_millis() as f64 / 1000.0 - 1_769_292_000.0, line()));
        }
    }

    /// Takes in what has happened since the last look.
    pub(super) fn look(&mut self, world: &mut World, set_up: &SetUp) {
        self.read_the_journal(world);
        let mut told: Vec<Told> = Vec::new();
        let (posted, seen) = world.github().posted_since(self.statuses_seen);
        told.extend(posted.iter().map(Told::from));
        self.statuses_seen = seen;
        let (changed, seen) = world.github().checks_since(self.checks_seen);
        told.extend(changed.iter().map(|change| Told::of_check_run(change.at, &change.repository, &change.run)));
        self.checks_seen = seen;
        for told in told {
            self.tell(told.at, || {
                format!("    GitHub: {:.7} {} {}: {}", told.sha, told.context, told.state, told.text)
            });
            self.posted += 1;
            self.mix(&told.text);
            self.mix(&told.context);
            if let Some(execution) = &told.execution {
                *self.posts.entry((execution.clone(), told.context.clone())).or_default() += 1;
            }
            if let Some(lie) = truth::lie_in(world, &set_up.pipelines, &told) {
                self.breach(format!("at {}: {lie}", told.at.as_millis()));
            }
        }
    }

    fn mix(&mut self, text: &str) {
        // FNV-1a: enough to tell one run from another.
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn read_the_journal(&mut self, world: &mut World) {
        for call in world.journal() {
            *self.calls.entry(call.service).or_default() += 1;
            if let Some(fault) = call.fault {
                let kind = format!("{}: {fault}", if call.service == "github" { "github" } else { "aws" });
                match self.struck.get_mut(&kind) {
                    Some(count) => *count += 1,
                    None => drop(self.struck.insert(kind, 1)),
                }
                if call.operation == "StartPipelineExecution" && deeds::is_final_for_a_start(fault) {
                    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                    let revision = &call.request["sourceRevisions"][0]["revisionValue"];
                    self.denied_starts.insert((text(&call.request["name"]), text(revision)));
                }
            }
        }
        if self.tells {
            for line in self.log.take_lines() {
                self.tell(world.now(), || format!("            log: {line}"));
            }
            let lines: Vec<_> = world.journal().iter().map(|call| (call.at, summary(call))).collect();
            for (at, line) in lines {
                self.tell(at, || line);
            }
        }
        for call in world.journal() {
            for byte in call.operation.bytes() {
                self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        world.clear_journal();
    }

    /// No execution posts without end, and nobody is asked without end.
    pub(super) fn bounds(
        &mut self,
        _world: &mut World,
        _pipeline: &PipelinePlan,
        executions: &[ExecutionView],
        _is_app: bool,
    ) {
        for execution in executions {
            let posts = self.posts.iter().filter(|((id, _), _)| *id == execution.id);
            let loud: Vec<_> =
                posts.filter(|(_, count)| **count > 40).map(|(key, count)| (key.1.clone(), *count)).collect();
            for (context, count) in loud {
                self.breach(format!("{context} of {} was told {count} times", execution.id));
            }
        }
    }

    pub(super) fn verdict(mut self, lasted: Duration) -> Verdict {
        for leak in self.log.leaks() {
            self.breach(format!("this should not have been logged: {leak}"));
        }
        let Self { breaches, struck, calls, posted, story, digest, .. } = self;
        Verdict { breaches, struck, calls, posted, lasted, story, digest }
    }
}

fn summary(call: &crate::standin::Call) -> String {
    let fault = call.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
    format!("        {} {} -> {}{fault}", call.service, call.operation, call.status)
}
