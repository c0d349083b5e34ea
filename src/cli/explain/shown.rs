//! An explanation as a person reads it.

use std::fmt;
use std::path::Path;

use console::style;

use super::{Explanation, Line, Outcome, Start, Verdict};

pub(super) struct Shown<'a> {
    pub(super) explanation: &'a Explanation,
    pub(super) config: &'a Path,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { delivery, routes, is_for_routes, .. } = self.explanation;
        writeln!(f, "{}\n", style(delivery).bold())?;
        if !is_for_routes {
            return writeln!(f, "Nothing would start, whatever the routes say.");
        }
        for verdict in routes {
            self.verdict(verdict, f)?;
        }
        if routes.is_empty() {
            return writeln!(f, "{} has no routes, so that nothing would start.", self.config.display());
        }
        let of = |outcome| routes.iter().filter(|verdict| verdict.decision == outcome).count();
        match (of(Outcome::Starts), of(Outcome::Asked)) {
            (0, 0) => writeln!(f, "\nNothing would start."),
            (0, _) => writeln!(f, "\nWhat the press does, CodePipeline's state decides when it comes."),
            (1, _) => writeln!(f, "\n1 pipeline would start."),
            (started, _) => writeln!(f, "\n{started} pipelines would start."),
        }
    }
}

impl Shown<'_> {
    fn verdict(&self, verdict: &Verdict, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { pipeline, decision, reason, lines, start, line, .. } = verdict;
        let (mark, says) = match decision {
            Outcome::Starts => (style("✓").green(), "starts"),
            Outcome::Asked => (style("✓").green(), "gets the press"),
            Outcome::Skipped => (style("–").yellow(), "is skipped, and told as a success"),
            Outcome::Ignored => (style("✗").red(), "does not start"),
            Outcome::Overruled => (style("·").dim(), "is not decided here"),
        };
        let place = style(format!("{}:{line}", self.config.display())).dim();
        writeln!(f, "{mark} {} {says}: {reason}  {place}", style(pipeline).bold())?;
        for Line { line, text } in lines {
            writeln!(f, "  {} {text}", style(format!("{line:>4} |")).dim())?;
        }
        start.iter().try_for_each(|start| write!(f, "{start}"))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source_action {
            Some(action) => writeln!(f, "       pinned to {} in its action {action}", self.commit)?,
            None => writeln!(f, "       not pinned: it takes the head of its branch")?,
        }
        // Values have been made one line, as CodePipeline gets them.
        self.variables.iter().try_for_each(|(name, value)| writeln!(f, "       {name} = {value}"))
    }
}
