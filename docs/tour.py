#!/usr/bin/env python3
"""Takes the tool's tour: runs `pipehook dev`, and between its stand-ins the commands of STEPS, and writes down what they
really say, as docs/tour.svg for the README and as docs/tour.md for whoever reads no pictures.

    docs/tour.py --tool target/debug/pipehook            write both
    docs/tour.py --tool target/debug/pipehook --check    write nothing; exit 1 and show what is not true any more

Ports, ids that are drawn, times of day and durations differ from run to run. Ports and ids are replaced by what stands in
their place on AWS; times and durations are left as they were, and --check does not compare them.
"""

import argparse
import difflib
import hashlib
import hmac
import html
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
REPOSITORY = "octo-org/node-server"
SPEED = 60  # how many times faster than real time the pipelines run

CONFIG = """\
[[route]]
repository = "octo-org/node-server"
branches = ["main", "release/*"]
paths = ["src/**", "Dockerfile"]
pipeline = "node-server"
environment = "staging"

[[route]]
repository = "octo-org/node-server"
branches = []
tags = ["v*"]
pipeline = "production"
environment = "production"
"""


@dataclass
class Say:
    """A line of the guide's own."""

    text: str


@dataclass
class Run:
    """A command of the tool's, as it is typed. It is left out where the tool has no such command."""

    command: str


@dataclass
class Push:
    """A push of a commit with this message, delivered as GitHub does, and followed to its end; what GitHub shows then."""

    message: str


# What is shown, in this order.
STEPS = [
    Say("Is the configuration right?"),
    Run("pipehook config check"),
    Say("What would this push start, and why not more?"),
    Run("pipehook explain push.json"),
    Say("Is everything set up as it must be, from the stack to GitHub's webhook?"),
    Run("pipehook doctor"),
    Say("Does GitHub know where to deliver, and does it get through?"),
    Run("pipehook webhook status --repo octo-org/node-server"),
    Say("Push. Some minutes later, GitHub shows on the commit:"),
    Push("Answer health checks"),
    Say("And on one that breaks the build:"),
    Push("Rewrite the router"),
    Say("What has run lately?"),
    Run("pipehook runs node-server"),
    Say("What came of the last one? While it runs, this follows it."),
    Run("pipehook watch node-server"),
    Say("Is anything left over that could not be done?"),
    Run("pipehook dlq list"),
]


def sha(message):
    """A commit's name, as the stand-ins' sample has it: `dev` lets the build of "Rewrite the router" fail."""
    return hashlib.sha256(message.encode()).hexdigest()[:40]


def payload(message):
    """GitHub's payload of a push of one commit to main."""
    octocat = {"name": "octocat", "email": "octocat@github.com", "username": "octocat"}
    commit = {
        "id": sha(message), "tree_id": sha(f"tree of {message}"), "distinct": True, "message": message,
        "timestamp": "2026-01-24T22:01:07Z", "url": f"https://github.com/{REPOSITORY}/commit/{sha(message)}",
        "author": octocat, "committer": octocat, "added": [], "removed": [], "modified": ["src/server.js"],
    }  # fmt: skip
    return {
        "ref": "refs/heads/main", "before": sha(f"before {message}"), "after": sha(message), "base_ref": None,
        "created": False, "deleted": False, "forced": False, "compare": f"https://github.com/{REPOSITORY}/compare",
        "commits": [commit], "head_commit": commit,
        "repository": {
            "id": 1, "name": "node-server", "full_name": REPOSITORY, "private": False, "default_branch": "main",
            "owner": {"name": "octo-org", "login": "octo-org", "id": 2},
        },
        "pusher": {"name": "octocat", "email": "octocat@github.com"},
        "sender": {"login": "octocat", "id": 3, "type": "User"},
    }  # fmt: skip


class Dev:
    """`pipehook dev`, running, and a folder to be in."""

    def __init__(self, tool, folder):
        self.tool, self.folder = Path(tool).resolve(), folder
        (folder / "pipehook.toml").write_text(CONFIG)
        (folder / "push.json").write_text(json.dumps(payload("Answer health checks")))
        command = [self.tool, "dev", "--port", "0", "--speed", str(SPEED), "--config", "pipehook.toml", "--json"]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first:
            sys.exit(f"pipehook dev did not begin: {self.process.stderr.read()}")
        self.where = json.loads(first)
        helped = subprocess.run([self.tool, "help"], capture_output=True, text=True, check=True).stdout
        self.commands = set(re.findall(r"^  ([a-z-]+)  ", helped, re.MULTILINE))

    def has(self, command):
        return shlex.split(command)[1] in self.commands

    def run(self, command):
        """What a command says, in colours, with its exit code where that is not 0."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CLICOLOR_FORCE": "1",
            "AWS_ENDPOINT_URL": self.where["aws"],
            "AWS_REGION": self.where["region"],
            "AWS_ACCESS_KEY_ID": "person",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GITHUB_API_URL": self.where["github"],
            "GITHUB_TOKEN": self.where["github_token"],
        }
        words = [str(self.tool), *shlex.split(command)[1:]]
        ran = subprocess.run(
            words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        code = f"\nexit code {ran.returncode}" if ran.returncode else ""
        return self.tidy(ran.stdout.rstrip("\n") + code)

    def tidy(self, text):
        """Without what is another one each time."""
        text = text.replace(self.where["webhook"], "https://a1b2c3d4.lambda-url.us-east-1.on.aws/")
        text = text.replace(self.where["github"], "https://api.github.com").replace(str(self.folder), "~")
        text = text.replace(self.where["aws"], "https://sqs.us-east-1.amazonaws.com")
        ids = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
        return ids.sub("3f9a1c2e-0000-4000-8000-000000000000", text)

    def push(self, message):
        """Delivers a push, waits until it has come to its end, and gives what GitHub shows."""
        body = json.dumps(payload(message)).encode()
        signature = hmac.new(self.where["webhook_secret"].encode(), body, "sha256").hexdigest()
        delivery = f"{sha(message)[:8]}-0000-4000-8000-{sha(message)[8:20]}"
        headers = {
            "content-type": "application/json", "x-github-event": "push", "x-github-delivery": delivery,
            "x-hub-signature-256": f"sha256={signature}",
        }  # fmt: skip
        request = urllib.request.Request(self.where["webhook"], data=body, headers=headers)
        urllib.request.urlopen(request, timeout=30).read()
        end = time.monotonic() + 120
        while time.monotonic() < end:
            statuses = self.statuses(message)
            # The execution's own status is there from the beginning, and over at the very end.
            own = [status for status in statuses if status["context"] == "codepipeline/node-server"]
            if own and all(status["state"] != "pending" for status in statuses):
                return "\n".join(map(shown, sorted(statuses, key=lambda status: status["context"])))
            time.sleep(0.1)
        sys.exit(f"the push of {message!r} does not come to its end")

    def statuses(self, message):
        url = f"{self.where['github']}/repos/{REPOSITORY}/commits/{sha(message)}/status?per_page=100"
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {self.where['github_token']}"})
        return json.load(urllib.request.urlopen(request, timeout=30))["statuses"]

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def shown(status):
    """A status as GitHub lists it, in colours."""
    mark = {"success": "\x1b[32m✓\x1b[0m", "failure": "\x1b[31m✗\x1b[0m"}.get(status["state"], "\x1b[33m●\x1b[0m")
    return f"{mark} {status['context']:<34}  {status['description']}"


def take(tool):
    """The tour: pieces of what is typed or said, and what is shown of it, in colours."""
    pieces = []
    with tempfile.TemporaryDirectory(prefix="pipehook-tour-") as folder:
        dev = Dev(tool, Path(folder).resolve())
        try:
            said = None
            for step in STEPS:
                match step:
                    case Say(text):
                        said = f"# {text}"
                    case Run(command) if not dev.has(command):
                        said = None
                    case Run(command):
                        pieces.append((said, f"$ {command}", dev.run(command)))
                        said = None
                    case Push(message):
                        pieces.append((said, f'$ git commit -am "{message}" && git push', dev.push(message)))
                        said = None
        finally:
            dev.end()
    return pieces


# ---- How it looks.

ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
COLOURS = {"31": "red", "32": "green", "33": "yellow", "34": "blue", "35": "blue", "36": "blue"}
WIDTH = 116  # columns; longer lines go on in the next row


def without_colours(text):
    return ESCAPE.sub("", text)


def spans(line):
    """A line with escape sequences as pieces of text, each with its classes."""
    found, classes = [], set()
    for index, piece in enumerate(ESCAPE.split(line)):
        if index % 2 == 0:
            if piece:
                found.append((piece, " ".join(sorted(classes))))
            continue
        for code in piece.split(";"):
            if code in ("", "0"):
                classes = set()
            elif code == "1":
                classes = classes | {"bold"}
            elif code == "2":
                classes = classes | {"dim"}
            elif code in COLOURS:
                classes = classes | {COLOURS[code]}
    return found


def rows(line):
    """The rows of a line, broken between words where it is too long, as pieces of text with their classes."""
    letters = [(letter, classes) for text, classes in spans(line) for letter in text]
    indent = []
    while True:
        room = WIDTH - len(indent)
        cut = len(letters)
        if cut > room:
            blanks = [at for at in range(1, room + 1) if letters[at][0] == " "]
            cut = blanks[-1] if blanks else room
        row = [("".join(letter for letter, _ in run), classes) for classes, run in runs(indent + letters[:cut])]
        yield row
        letters = letters[cut:]
        while letters and letters[0][0] == " ":
            letters.pop(0)
        if not letters:
            return
        indent = [(" ", "")] * 4


def runs(letters):
    """Letters that stand together and look the same."""
    return itertools.groupby(letters, key=lambda letter: letter[1])


STYLE = """\
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; fill: #1f2328 }
.back { fill: #f6f8fa; stroke: #d1d9e0 } .bold { font-weight: 600 } .dim, .said { fill: #59636e }
.red { fill: #d1242f } .green { fill: #1a7f37 } .yellow { fill: #9a6700 } .blue { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .back { fill: #151b23; stroke: #3d444d } .dim, .said { fill: #9198a1 }
.red { fill: #f85149 } .green { fill: #3fb950 } .yellow { fill: #d29922 } .blue { fill: #4493f8 }
}"""


def svg(pieces):
    lines = []
    for said, command, output in pieces:
        if lines:
            lines.append([])
        if said:
            lines.append([(said, "said")])
        lines.append([(command, "bold")])
        for line in output.split("\n"):
            lines.extend(rows(line))
    height, width = 20, 7.85
    right, bottom = round(WIDTH * width) + 32, len(lines) * height + 32
    written = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title" viewBox="0 0 {right} {bottom}">',
        '<title id="title">The tool of pipehook in a terminal; docs/tour.md has it as text</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{right - 1}" height="{bottom - 1}" rx="8"/>',
    ]
    for number, line in enumerate(lines):
        if line:
            inside = "".join(
                f'<tspan class="{classes}">{html.escape(text)}</tspan>' if classes else html.escape(text)
                for text, classes in line
            )
            written.append(f'<text x="16" y="{number * height + 30}" xml:space="preserve">{inside}</text>')
    return "\n".join([*written, "</svg>", ""])


def markdown(pieces):
    written = [
        "# A tour of the tool",
        "",
        "What `pipehook` really says, between the stand-ins of `pipehook dev`. `docs/tour.py` took it.",
        "",
    ]
    for said, command, output in pieces:
        if said:
            written += [said.removeprefix("# "), ""]
        text = "\n".join(line.rstrip() for line in without_colours(output).split("\n"))
        written += ["```console", command, text, "```", ""]
    return "\n".join(written)


def essence(text):
    """A text without times, durations and what follows from how long those are."""
    text = re.sub(r"\b\d\d:\d\d(:\d\d)?( UTC)?\b", "TIME", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", text)
    text = re.sub(r"\b(\d+ h )?(\d+ m )?\d+ m?s\b|\b(\d+ h )?\d+ m\b", "DURATION", text)
    return re.sub(r"[ \t]+", " ", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tool", required=True, help="the executable pipehook")
    parser.add_argument("--check", action="store_true", help="write nothing, and say what would be another one")
    arguments = parser.parse_args()
    pieces = take(arguments.tool)
    texts = {DOCS / "tour.md": markdown(pieces), DOCS / "tour.svg": svg(pieces)}
    if not arguments.check:
        for path, text in texts.items():
            path.write_text(text)
        print(f"{len(pieces)} pieces written to {', '.join(str(path) for path in texts)}")
        return
    outdated = False
    for path, text in texts.items():
        before = path.read_text() if path.exists() else ""
        if essence(before) == essence(text):
            continue
        outdated = True
        differ = difflib.unified_diff(essence(before).split("\n"), essence(text).split("\n"), path.name, "now", lineterm="", n=1)
        print("\n".join(differ))
    if outdated:
        sys.exit(f"the tour is not true any more: docs/tour.py --tool {arguments.tool}")
    print(f"the tour's {len(pieces)} pieces are as the tool says them")


if __name__ == "__main__":
    main()
