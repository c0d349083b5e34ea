//! When a build is in which phase, and what it has written until then.

use std::time::Duration;

use super::build::{Build, BuildPhase, Failed};
use crate::domain::time::Timestamp;
use crate::standin::moment;

/// The phases of a build that succeeds, each with its share of the whole in hundredths.
const SHARES: [(BuildPhase, u32); 10] = [
    (BuildPhase::Submitted, 0),
    (BuildPhase::Queued, 1),
    (BuildPhase::Provisioning, 10),
    (BuildPhase::DownloadSource, 3),
    (BuildPhase::Install, 2),
    (BuildPhase::PreBuild, 6),
    (BuildPhase::Build, 60),
    (BuildPhase::PostBuild, 12),
    (BuildPhase::UploadArtifacts, 3),
    (BuildPhase::Finalizing, 3),
];

/// CodePipeline notices the end of a build only when it next looks.
const NOTICED_AFTER: Duration = Duration::from_secs(2);

/// A phase of a build: from when, until when, and how it failed.
#[derive(Debug)]
pub(crate) struct Span<'a> {
    pub(crate) phase: BuildPhase,
    pub(crate) start: Timestamp,
    /// `None` for a phase that never ends, and for `COMPLETED`, which has no end.
    pub(crate) end: Option<Timestamp>,
    pub(crate) failed: Option<&'a Failed>,
}

impl Build {
    /// How long the build itself takes: a little less than its action.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.after.map(|after| after.saturating_sub(NOTICED_AFTER.min(after / 20)))
    }

    /// Every phase that the build goes through, in order.
    pub(crate) fn spans(&self, started: Timestamp) -> Vec<Span<'_>> {
        let failed = |phase| self.failed.iter().find(|failed| failed.phase == phase);
        let first = self.failed.iter().map(|failed| failed.phase).min();
        let happens = |phase: BuildPhase| match first {
            // Where there is no machine there is nothing to give back.
            Some(first) if first <= BuildPhase::Queued => phase <= first,
            Some(first) if phase > first && phase < BuildPhase::Finalizing => {
                first >= BuildPhase::Build && !(self.aborts && first == BuildPhase::Build)
            }
            _ => true,
        };
        let phases: Vec<_> = SHARES.into_iter().filter(|(phase, _)| happens(*phase)).collect();
        let whole: u32 = phases.iter().map(|(_, share)| share).sum::<u32>().max(1);
        let mut spans = Vec::new();
        let (mut start, mut shares) = (started, 0);
        for (phase, share) in phases {
            shares += share;
            let end = match self.duration() {
                Some(duration) => Some(started + duration * shares / whole),
                None if phase < BuildPhase::Build => Some(started + Duration::from_secs(shares.into())),
                None => None,
            };
            spans.push(Span { phase, start, end, failed: failed(phase) });
            let Some(end) = end else { return spans };
            start = end;
        }
        spans.push(Span { phase: BuildPhase::Completed, start, end: None, failed: None });
        spans
    }

    /// What has been written to its log until now, with the moment of each line.
    pub(crate) fn written(&self, started: Timestamp, now: Timestamp) -> Vec<(Timestamp, String)> {
        let speaks = self.failed.first().map_or(BuildPhase::Build, |failed| failed.phase);
        let mut log = Vec::new();
        for span in self.spans(started) {
            let is_told = BuildPhase::DownloadSource <= span.phase && span.phase < BuildPhase::Finalizing;
            let name = span.phase.wire();
            let agent = |at: Timestamp, text: String| (at, format!("[Container] {} {text}\n", moment::container(at)));
            if is_told {
                log.push(agent(span.start, format!("Entering phase {name}")));
            }
            if span.phase == speaks {
                let lasts = span.end.map_or(Duration::from_secs(60), |end| end.since(span.start));
                let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX).saturating_add(1);
                for (at, line) in (1..).zip(&self.lines) {
                    log.push((span.start + lasts * at / count, format!("{line}\n")));
                }
            }
            let (true, Some(end)) = (is_told, span.end) else { continue };
            let told = span.failed.and_then(|failed| exit_of(&failed.message));
            if let Some((command, exit)) = told {
                log.push(agent(end, format!("Command did not exit successfully {command} {exit}")));
            }
            let state = if span.failed.is_some() { "FAILED" } else { "SUCCEEDED" };
            log.push(agent(end, format!("Phase complete: {name} State: {state}")));
            let (code, message) = span.failed.map_or(("", ""), |failed| (&failed.code, &failed.message));
            log.push(agent(end, format!("Phase context status code: {code} Message: {message}")));
        }
        log.retain(|(at, _)| *at <= now);
        log
    }
}

/// The command and the `exit status 1` of a message about a command that failed.
fn exit_of(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("Error while executing command: ")?.split_once(". Reason: ")
}
