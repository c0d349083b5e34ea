#!/usr/bin/env python3
"""Changes the domain and the signature's check in every way that cargo-mutants knows, and wants a test to fail each time.

    tests/mutants/run.py                   every mutant; writes docs/mutants.txt
    tests/mutants/run.py --again           the same, but what a test of last time has caught is taken to be caught still,
                                           unless its file's code has changed
    tests/mutants/run.py --quick [COMMIT]  those of the signature's check, those with a reason, those of the lines that
                                           differ from COMMIT (HEAD^), and of the rest every so manieth; writes nothing

A mutant that survives must have its reason in survivors.toml, and a reason a mutant that survives. What is said there and
in docs/mutants.txt must be the same. The exit code is 0 where all of that holds, otherwise 1, with what does not, one a line.

The mutants are made in a package of its own under target/mutants, which holds copies of the files and only the crates that
they need. Whatever the rest of the crate's tests would notice does not count: a rule of the domain has its test beside it.
"""

import argparse
import difflib
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MUTANTS = ROOT / "target/mutants"
RESULTS = MUTANTS / "results.json"
REASONS = HERE / "survivors.toml"
REPORT = ROOT / "docs/mutants.txt"

# Another version makes other mutants, and then the reasons and the report are about others.
VERSION = "27.1.0"

SOURCES = ["src/domain", "src/webhook/signature.rs", "src/webhook/signature_properties.rs"]
SIGNATURE = "src/webhook/signature.rs"
DEPENDENCIES = ["globset", "hex", "hmac", "sha2", "thiserror", "unicode-segmentation"]
DEV_DEPENDENCIES = ["insta", "proptest"]

# Tests that take longer than all others together. Only what survives the others meets them.
SLOW = ["long_lines_take_no_longer_than_they_are", "no_text_makes_it_fail", "properties::"]

# A mutant may never end, or grow until the machine has no memory left.
TIMEOUT_SECONDS = 40
MEMORY_BYTES = 3 << 30

# How many mutants the quick part tests, besides those that have a reason.
QUICK = 40

CAUGHT, SURVIVED, UNVIABLE, TIMEOUT = "CaughtMutant", "MissedMutant", "Unviable", "Timeout"


@dataclass(frozen=True)
class Mutant:
    """A mutant, told without line numbers, which every change above it would move."""

    file: str
    what: str
    line: str

    @classmethod
    def of(cls, told):
        what = re.sub(r"^.*?:\d+:\d+: ", "", told["name"])
        changed = [line[1:] for line in told["diff"].splitlines()[2:] if line.startswith("+")]
        line = changed[0] if changed else ""
        return cls(told["file"], what, re.sub(r" ?/\* ~ changed by cargo-mutants ~ \*/", "", line).strip())

    def __str__(self):
        return f"{self.file}: {self.what}: {self.line}"


# ---- The package.


def value(of):
    """A value as TOML has it."""
    if isinstance(of, dict):
        return "{ " + ", ".join(f"{key} = {value(item)}" for key, item in of.items()) + " }"
    return json.dumps(of)


def write_package(package):
    """Writes the package anew; what was compiled for it before is kept."""
    shutil.rmtree(package / "src", ignore_errors=True)
    for source in SOURCES:
        target = package / source
        target.parent.mkdir(parents=True, exist_ok=True)
        # With the times of now: a run that was ended halfway has compiled a mutant of the file since it was last changed.
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, copy_function=shutil.copy)
        else:
            shutil.copy(ROOT / source, target)
    shutil.copy(HERE / "lib.rs", package / "src/lib.rs")
    shutil.copy(ROOT / "Cargo.lock", package / "Cargo.lock")
    crate = tomllib.loads((ROOT / "Cargo.toml").read_text())
    lines = ["[package]"]
    lines += [f"{key} = {value(crate['package'][key])}" for key in ("name", "version", "edition")]
    for table, names in (("dependencies", DEPENDENCIES), ("dev-dependencies", DEV_DEPENDENCIES)):
        lines += [f"[{table}]"] + [f"{name} = {value(of)}" for name, of in crate[table].items() if name in names]
    lines += ["[lib]", "doctest = false", "[profile.dev]", "debug = false", "[workspace]", ""]
    (package / "Cargo.toml").write_text("\n".join(lines))


def make_packages(count):
    """One for each that works at the same time; the crates are compiled once."""
    packages = [MUTANTS / str(number) for number in range(count)]
    for package in packages:
        write_package(package)
        if not (package / "target").exists() and package != packages[0]:
            shutil.copytree(packages[0] / "target", package / "target")
        command = ["cargo", "test", "--quiet", "--lib", "--no-run"]
        subprocess.run(command, cwd=package, env=environment(package), check=True)
    return packages


# ---- cargo-mutants.


def environment(package):
    others = {key: text for key, text in os.environ.items() if not key.startswith(("CARGO_TARGET", "CARGO_MUTANTS"))}
    return others | {
        # A snapshot that differs is a failure, and nothing to be reviewed.
        "INSTA_UPDATE": "no",
        "INSTA_WORKSPACE_ROOT": str(package),
        # What is drawn at random is drawn alike each time.
        "PROPTEST_RNG_SEED": "1",
        "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "true",
    }


def command(*arguments):
    return ["cargo", "mutants", "--colors", "never", "--exclude", "src/lib.rs", *map(str, arguments)]


def list_mutants(package, *arguments):
    done = subprocess.run(
        command("--list", "--json", *arguments), cwd=package, env=environment(package), stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout or "[]")


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def outcomes(packages, told, picked, tests, name):
    """What became of each of the mutants that were picked out of all that there are, told by their names."""
    if not picked:
        return {}
    by_name = {mutant["name"]: Mutant.of(mutant) for mutant in told}
    # All of them are too many for a regular expression, and none need be. (Those that delete a field cargo-mutants 27.1.0
    # tests whatever the expressions say; they are few.)
    patterns = [f"^{re.escape(name)}$" for name in by_name if name in picked] if len(picked) < len(told) else []
    config = MUTANTS / f"{name}.toml"
    config.write_text(f"examine_re = {json.dumps(patterns, ensure_ascii=False)}\n")
    running = []
    for number, package in enumerate(packages):
        out = MUTANTS / name / str(number)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        flags = ["--in-place", "--config", config, "--shard", f"{number}/{len(packages)}", "--output", out]
        flags += ["--timeout", TIMEOUT_SECONDS, "--no-times", "--", "--lib", "--", *tests]
        process = subprocess.Popen(command(*flags), cwd=package, env=environment(package), preexec_fn=limit_memory)
        running.append((process, out))
    became = {}
    for process, out in running:
        code = process.wait()
        if code not in (0, 2, 3):
            sys.exit(f"cargo mutants ended with {code}; see {out}")
        for outcome in json.loads((out / "mutants.out/outcomes.json").read_text())["outcomes"]:
            if outcome["scenario"] != "Baseline":
                became[by_name[outcome["scenario"]["Mutant"]["name"]]] = outcome["summary"]
    missing = [name for name in picked if by_name[name] not in became]
    if missing:
        sys.exit(f"cargo mutants told nothing of {missing[0]}")
    return became


def tested(packages, told, picked, believed):
    """What became of the mutants. The slow tests see only what has survived the others, and is not believed to survive."""
    skips = [word for test in SLOW for word in ("--skip", test)]
    became = outcomes(packages, told, picked, skips, "quick")
    mutants = [(mutant["name"], Mutant.of(mutant)) for mutant in told]
    survived = {name for name, mutant in mutants if became.get(mutant) == SURVIVED and mutant not in believed}
    if survived:
        became |= outcomes(packages, told, survived, [], "slow")
    return became


# ---- What became of them last time.


def code_of(file):
    """What its mutants depend on, besides the tests."""
    text, _, _ = (ROOT / file).read_text().partition("\n#[cfg(test)]\nmod tests")
    return hashlib.sha256(text.encode()).hexdigest()


def remember(became):
    files = {file: code_of(file) for file in {mutant.file for mutant in became}}
    RESULTS.write_text(json.dumps({"files": files, "became": {str(mutant): outcome for mutant, outcome in became.items()}}))


def remembered(told):
    """What need not be tested again."""
    last = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"files": {}, "became": {}}
    same = {file for file, code in last["files"].items() if (ROOT / file).exists() and code_of(file) == code}
    became = {mutant: last["became"].get(str(mutant), SURVIVED) for mutant in map(Mutant.of, told) if mutant.file in same}
    return {mutant: outcome for mutant, outcome in became.items() if outcome != SURVIVED}


# ---- The reasons.


def read_reasons():
    survivors = tomllib.loads(REASONS.read_text()).get("survivor", [])
    reasons = {}
    for survivor in survivors:
        mutant = Mutant(survivor["file"], survivor["what"], survivor["line"])
        if mutant in reasons:
            sys.exit(f"{REASONS.name} has two reasons for {mutant}")
        reasons[mutant] = " ".join(survivor["reason"].split())
    return reasons


def wrong_reasons(became, reasons):
    """What speaks against the reasons, one a line."""
    for mutant, outcome in became.items():
        if outcome == SURVIVED and not reasons.get(mutant):
            yield f"survives, and no reason is written: {mutant}"
        if outcome != SURVIVED and mutant in reasons:
            yield f"has a reason, and does not survive ({outcome}): {mutant}"


# ---- The report.


def survivors_told(reasons):
    lines = []
    for file in sorted({mutant.file for mutant in reasons}):
        lines += ["", file]
        for mutant in sorted((mutant for mutant in reasons if mutant.file == file), key=lambda mutant: (mutant.what, mutant.line)):
            lines += ["", f"  {mutant.what}", f"    {mutant.line}"]
            lines += textwrap.wrap(reasons[mutant], 110, initial_indent="    = ", subsequent_indent="      ")
    return "\n".join(lines)


SURVIVORS = "Those that survive, as they read when mutated, and why that is so"


def report(became, reasons):
    kinds = (CAUGHT, TIMEOUT, UNVIABLE, SURVIVED)
    total = Counter(became.values())
    by_file = Counter((mutant.file, outcome) for mutant, outcome in became.items())
    width = max(len(mutant.file) for mutant in became)
    rows = [
        f"{file:{width}} {sum(by_file[file, kind] for kind in kinds):8}" + "".join(f"{by_file[file, kind]:10}" for kind in kinds)
        for file in sorted({mutant.file for mutant in became})
    ]
    return f"""\
The mutants of src/domain/ and src/webhook/signature.rs, as cargo-mutants {VERSION} makes them: the code is changed in one
place at a time, and a unit test beside it has to fail.

    cargo install --locked cargo-mutants@{VERSION}
    tests/mutants/run.py            tests them all and writes this page: half an hour with two cores
    bash .ci/run mutants            tests some: of the signature, of what has changed, and of everything a sample

{len(became)} mutants:
{total[CAUGHT]:6} caught: a test fails
{total[TIMEOUT]:6} caught because the tests do not end
{total[UNVIABLE]:6} unviable: they do not compile
{total[SURVIVED]:6} survive, each with its reason

{"":{width}}  mutants    caught   endless  unviable   survive
{chr(10).join(rows)}

{SURVIVORS} (from tests/mutants/survivors.toml):
{survivors_told(reasons)}
"""


def report_differs(reasons):
    """Whether docs/mutants.txt gives other reasons than survivors.toml, one line of them a line."""
    told = REPORT.read_text() if REPORT.exists() else ""
    there = told.partition(SURVIVORS)[2].partition("\n")[2].strip().splitlines()
    for line in difflib.unified_diff(there, survivors_told(reasons).strip().splitlines(), n=0, lineterm=""):
        if line[0] in "+-" and not line.startswith(("+++", "---")):
            yield f"docs/mutants.txt {'lacks' if line[0] == '+' else 'has, and survivors.toml has not,'}: {line[1:].strip()}"


# ---- What is tested.


def spread(told, count):
    """So many of them, evenly."""
    return told if len(told) <= count else [told[index * len(told) // count] for index in range(count)]


def changed_since(package, commit):
    """The mutants of lines that differ from the commit, by their names."""
    compared = ["git", "-C", str(ROOT), "diff", "--no-color", "--no-ext-diff", commit, "--", *SOURCES]
    done = subprocess.run(compared, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"there is no {commit} to compare with")
        return set()
    if not done.stdout.strip():
        return set()
    diff = MUTANTS / "changes.diff"
    diff.write_bytes(done.stdout)
    return {mutant["name"] for mutant in list_mutants(package, "--in-diff", diff)}


def quick_choice(package, told, reasons, commit):
    changed = changed_since(package, commit)
    names = [mutant["name"] for mutant in told]
    explained = [mutant["name"] for mutant in told if Mutant.of(mutant) in reasons]
    signature = [mutant["name"] for mutant in told if mutant["file"] == SIGNATURE]
    changes = spread([name for name in names if name in changed], QUICK * 2 // 3)
    sample = spread(names, QUICK - len(signature) - len(changes))
    print(
        f"of {len(told)} mutants: {len(explained)} that have a reason, {len(signature)} of the signature, "
        f"{len(changes)} of the {len(changed)} of changed lines, and a sample of {len(sample)}"
    )
    return {*explained, *signature, *changes, *sample}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", nargs="?", const="HEAD^", metavar="COMMIT", help="some of them, and writes nothing")
    parser.add_argument("--again", action="store_true", help="only what no test has caught last time, or has changed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at the same time (%(default)s)")
    arguments = parser.parse_args()
    version = subprocess.run(["cargo", "mutants", "--version"], capture_output=True, text=True).stdout.strip()
    if version != f"cargo-mutants {VERSION}":
        sys.exit(f"there is {version or 'no cargo-mutants'}; cargo install --locked cargo-mutants@{VERSION}")

    reasons = read_reasons()
    packages = make_packages(arguments.jobs)
    told = list_mutants(packages[0])
    mutants = Counter(map(Mutant.of, told))
    wrong = [f"two mutants are told alike: {mutant}" for mutant, count in mutants.items() if count > 1]
    wrong += [f"has a reason, and is no mutant: {mutant}" for mutant in reasons if mutant not in mutants]
    picked = {mutant["name"] for mutant in told}
    if arguments.quick:
        wrong += report_differs(reasons)
        picked = quick_choice(packages[0], told, reasons, arguments.quick)
    known = remembered(told) if arguments.again else {}
    picked -= {mutant["name"] for mutant in told if Mutant.of(mutant) in known}
    became = known | tested(packages, told, picked, reasons if arguments.quick else {})
    wrong += wrong_reasons(became, reasons)
    total = Counter(became.values())
    if not arguments.quick:
        remember(became)
    if not arguments.quick and not wrong:
        REPORT.write_text(report(became, reasons))
    for line in wrong:
        print(line)
    print(
        f"{len(became)} mutants: {total[CAUGHT] + total[TIMEOUT]} caught, {total[UNVIABLE]} unviable, "
        f"{total[SURVIVED]} survive; {len(wrong)} wrong"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
