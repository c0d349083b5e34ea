#!/usr/bin/env python3
"""Shows that the simulation sees: puts deliberate bugs into a copy of pipehook, and runs the seeds that catch them.

    tests/simulation/bugs.py --work DIR             every bug with its own seed, as .ci/run does
    tests/simulation/bugs.py --work DIR --search    looks for a seed for each, from 1 on (--profile simulation is faster)

All bugs are built into one program, each behind its name, and `PIPEHOOK_BUG` says which one is at work. Each is a piece of
source that must stand exactly once where it is looked for: what moves has to be moved here too. Without a bug the same
seeds must pass.
"""

import argparse
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

SWITCH = '''

/// Whether a deliberate bug is at work.
pub(crate) fn bug(name: &str) -> bool {
    std::env::var("PIPEHOOK_BUG").is_ok_and(|it| it == name)
}
'''

# Name, the seed that catches it, file, what stands there, what stands there instead. `BUG` in the latter is the switch.
BUGS = [
    ("a redelivery has a token of its own", 6, "src/webhook/mod.rs",
     "            let token = ClientRequestToken::derive(payload, &request.pipeline);\n            Some(Job::Start(",
     "            let delivery = fastrand::u64(..).to_be_bytes();\n"
     "            let token = ClientRequestToken::derive(if BUG { &delivery } else { payload }, &request.pipeline);\n"
     "            Some(Job::Start("),
    ("every try of a start has a token of its own", 22, "src/aws/codepipeline/mod.rs",
     ".client_request_token(token.as_str())",
     ".client_request_token(if BUG { format!(\"t{}\", fastrand::u64(..)) } else { token.as_str().to_owned() })"),
    ("the execution is not pinned to the commit", 1, "src/aws/codepipeline/mod.rs",
     "call = call.source_revisions(revision.map_err(|error| PipelineError::Invalid(error.to_string()))?);",
     "let revision = revision.map_err(|error| PipelineError::Invalid(error.to_string()))?;\n"
     "            if !BUG { call = call.source_revisions(revision); }"),
    ("accepted before it is on the queue", 2, "src/webhook/mod.rs",
     "try_join_all(messages.iter().map(|message| self.queue.send(message, Duration::ZERO))).await?;",
     "let sent = try_join_all(messages.iter().map(|message| self.queue.send(message, Duration::ZERO))).await;\n"
     "        if !BUG { sent?; }"),
    ("a message that can't be sent again is forgotten", 23, "src/worker/mod.rs",
     "            Err(trouble) => self.try_again(message, trouble).await.map_err(|()| id),",
     "            Err(trouble) => match self.try_again(message, trouble).await {\n"
     "                Err(()) if !BUG => Err(id),\n                _ => Ok(()),\n            },"),
    ("what fails once is given up", 39, "src/worker/trouble.rs",
     "has_lasted(since) > GIVE_UP_AFTER ||",
     "has_lasted(since) > (if BUG { Duration::from_secs(60) } else { GIVE_UP_AFTER }) ||"),
    ("what GitHub refuses for a moment is left out for good", 1_500_004_932, "src/worker/trouble.rs",
     "is_some_and(|since| has_lasted(since) > NOT_TAKEN_FOR)",
     "is_some_and(|since| has_lasted(since) > NOT_TAKEN_FOR || BUG)"),
    ("superseded is a success", 1, "src/domain/report.rs",
     "ExecutionStatus::Superseded => (options.superseded,",
     "ExecutionStatus::Superseded => (if BUG { State::Success } else { options.superseded },"),
    ("a rollout that failed is not believed", 6, "src/domain/report.rs",
     "    snapshot.stages.iter().rev().find_map(Stage::failed_rollout)",
     "    snapshot.stages.iter().rev().find_map(Stage::failed_rollout).filter(|_| !BUG)"),
    ("settings are kept for ever", 163, "src/settings.rs",
     "filter(|kept| now < kept.until)",
     "filter(|kept| now < kept.until || BUG)"),
    ("any signature will do", 16, "src/webhook/mod.rs",
     "        let verified = signature.verify(&settings.webhook_secrets, request.body());",
     "        let verified = signature.verify(&settings.webhook_secrets, request.body()).or_else(|refusal| if BUG { Ok(()) } else { Err(refusal) });"),
    ("the body is logged", 1, "src/webhook/mod.rs",
     'tracing::info!(delivery, answer = body, "accepted");',
     'tracing::info!(delivery, answer = body, "accepted");\n                if BUG { tracing::info!(body = ?request.body(), "body"); }'),
    ("the chain ends when GitHub fails", 10, "src/worker/follow.rs",
     "            Err((cause, _)) => return Err(Trouble::passing(cause, Job::Follow(job))),",
     "            Err((Cause::GitHub(_), _)) if BUG => return Ok(()),\n"
     "            Err((cause, _)) => return Err(Trouble::passing(cause, Job::Follow(job))),"),
    ("a success of CodePipeline is told before ECS confirms it", 57, "src/domain/execution.rs",
     "    pub fn is_undecided(&self) -> bool {",
     "    pub fn is_undecided(&self) -> bool {\n        if BUG { return false; }"),
    ("what GitHub shows is posted again", 1, "src/domain/report.rs",
     "    let is_due = |wanted: &Wanted, report: &Report| {",
     "    let is_due = |wanted: &Wanted, report: &Report| {\n        if BUG { return true; }"),
    ("an older run takes the commit from a newer one", 96, "src/domain/report.rs",
     "        if is_newers(shown_now) || (ours",
     "        if (is_newers(shown_now) && !BUG) || (ours"),
    ("runs of others are not adopted", 141, "src/worker/look.rs",
     "            if !happening.adopts() {",
     "            if !happening.adopts() || BUG {"),
    ("GitHub's wait is forgotten", 971, "src/worker/trouble.rs",
     "let wait = wait.saturating_add(",
     "let wait = if BUG { Duration::ZERO } else { *wait }.saturating_add("),
    ("a stage's end is taken from whatever execution is in it", 3, "src/aws/codepipeline/map.rs",
     "let latest = stage.latest_execution.filter(|latest| latest.pipeline_execution_id == execution);",
     "let latest = stage.latest_execution.filter(|latest| latest.pipeline_execution_id == execution || BUG);"),
    ("a deployment that was made twice stays open", 5028, "src/worker/deploy.rs",
     "for double in doubles {",
     "for double in doubles.iter().filter(|_| !BUG) {"),
    ("nothing is read again after posting", 676, "src/worker/follow.rs",
     "            if brought.posted == 0 || rounds == MAX_ROUNDS {\n"
     "                return Ok(Looked { snapshot, settled: brought.posted == 0, not_taken, spoken_over });",
     "            if brought.posted == 0 || rounds == MAX_ROUNDS || BUG {\n"
     "                return Ok(Looked { snapshot, settled: brought.posted == 0 || BUG, not_taken, spoken_over });"),
    ("doubles are tried again beside each other", 1_700_006_793, "src/worker/doubles.rs",
     ".filter(|known| known.knows >= turn.knows) else",
     ".filter(|known| known.knows >= turn.knows && !BUG) else"),
    ("the failure of a try before stands for the next", 2_200_007_718, "src/domain/report.rs",
     "            YieldsTo::Ends if has_failed(shown_now) => {",
     "            YieldsTo::Ends if has_failed(shown_now) && !BUG => {"),
    ("messages that failed are acknowledged", 23, "src/worker/mod.rs",
     "        failed.extend(done.into_iter().flatten());",
     "        failed.extend(done.into_iter().flatten().filter(|_| !BUG));"),
]

# After so many seeds a bug counts as not seen.
SEARCHED = 3000


def copy(work):
    """A copy of the sources with every bug in it."""
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z", "src", "Cargo.toml", "Cargo.lock", "README.md", "pipehook.example.toml"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    for name, _, file, there, instead in BUGS:
        path = tree / file
        text = path.read_text()
        if text.count(there) != 1:
            sys.exit(f"{file} does not hold exactly once what \"{name}\" is put in place of:\n{there}")
        path.write_text(text.replace(there, instead.replace("BUG", f'crate::bug("{name}")')))
    lib = tree / "src/lib.rs"
    # A bug may leave something unused.
    lib.write_text(lib.read_text().replace("\npub mod aws;", "\n#![allow(warnings)]\npub mod aws;", 1) + SWITCH)
    # Under names of its own, nothing of it is taken for what is built without bugs, in a target folder that both use.
    manifest, lock = tree / "Cargo.toml", tree / "Cargo.lock"
    text = manifest.read_text().replace('default-run = "pipehook"\n', "")
    text = re.sub(r'\[\[bin\]\]\nname = "pipehook"', '[[bin]]\nname = "pipehook-with-bugs"', text)
    manifest.write_text(text.replace('name = "pipehook"\n', 'name = "pipehook-with-bugs"\n', 1) + '\n[lib]\nname = "pipehook"\n')
    lock.write_text(lock.read_text().replace('name = "pipehook"\n', 'name = "pipehook-with-bugs"\n'))
    return tree


def build(tree, target, profile):
    command = ["cargo", "build", "--locked", "--quiet", "--bin", "pipehook-with-bugs", "--profile", profile]
    subprocess.run(command, cwd=tree, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(target)})
    return target / {"dev": "debug"}.get(profile, profile) / "pipehook-with-bugs"


@functools.cache  # several bugs have the same seed, which is told once without any
def simulate(program, bug, *which):
    """Whether a promise was broken, and what the program says. With --seed it does not look for what the story can do
    without, which takes longer than all else here."""
    ran = subprocess.run([program, "simulate", *map(str, which)],
                         capture_output=True, text=True, env={**os.environ, "PIPEHOOK_BUG": bug})
    is_broken = "a promise was not kept" in ran.stderr
    if ran.returncode != is_broken:
        sys.exit(f"the simulation ended with {ran.returncode}:\n{ran.stderr}")
    return is_broken, ran.stderr


def first_words(said):
    found = re.search(r"- (?:seed (\d+): )?(.*)", said)
    return (int(found[1] or 0), found[2]) if found else (0, said.strip())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--work", type=pathlib.Path, required=True, help="where the copy is made")
    arguments.add_argument("--target", type=pathlib.Path, default=ROOT / "target", help="cargo's target folder")
    arguments.add_argument("--profile", default="dev")
    arguments.add_argument("--search", action="store_true")
    arguments.add_argument("--only", metavar="WORDS", default="", help="only the bugs with these words in their names")
    given = arguments.parse_args()
    program = build(copy(given.work.resolve()), given.target.resolve(), given.profile)
    missed = []
    bugs = [bug for bug in BUGS if given.only in bug[0]]
    for name, seed, *_ in bugs:
        if given.search:
            for first in range(1, SEARCHED, 50):
                caught, said = simulate(program, name, "--from", first, "--seeds", 50)
                if caught:
                    break
            seed = first_words(said)[0]
        else:
            caught, said = simulate(program, name, "--seed", seed)
        innocent, without = simulate(program, "", "--seed", seed)
        if innocent:
            sys.exit(f"seed {seed} fails without any bug:\n{without}")
        print(f"{'caught' if caught else 'MISSED'}  seed {seed:>4}  {name}: {first_words(said)[1][:110]}", flush=True)
        if not caught:
            missed.append(name)
    print(f"{len(bugs) - len(missed)} of {len(bugs)} deliberate bugs caught")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
