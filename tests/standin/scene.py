"""Programs that the scripts beside this one start, and what they have in common."""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

START_SECONDS = 30


class Failed(Exception):
    """A check that did not hold; its text is what was got."""


def check(holds, *got):
    if not holds:
        raise Failed(*got)


def until(seconds, what, ask, every=0.1):
    """Asks until the answer is something, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        check(time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


class Program:
    """A program in a group of its own, with as little of this environment as it needs. Its output is kept."""

    def __init__(self, command, home, **environment):
        self.log = tempfile.TemporaryFile()
        kept = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}
        self.process = subprocess.Popen(
            command,
            env=kept | environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            # What it starts goes when it goes.
            start_new_session=True,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.lines.put(line.decode(errors="replace"))

    def errors(self):
        # Read where it is, not where it is written: the offset is shared with the program.
        return os.pread(self.log.fileno(), 16_000_000, 0).decode(errors="replace")

    def close(self):
        for end in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, end)
            except ProcessLookupError:
                return
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Dev(Program):
    """`pipehook dev`; `place` is what it says about where everything is."""

    def __init__(self, tool, home, *arguments):
        super().__init__([str(tool), "dev", "--port", "0", "--json", *arguments], home)
        try:
            self.place = json.loads(self.lines.get(timeout=START_SECONDS))
        except (queue.Empty, ValueError) as error:
            self.close()
            raise Failed(f"`pipehook dev` does not say where it is ({error!r}): {self.errors()[-2000:]}") from None

    def statuses(self):
        """What GitHub took since the last time."""
        taken = []
        while not self.lines.empty():
            taken.append(json.loads(self.lines.get()))
        return taken


def folder(prefix):
    """A folder that is gone in the end."""
    return tempfile.TemporaryDirectory(prefix=f"pipehook-{prefix}-")


def written(home, name, text):
    path = Path(home) / name
    path.write_text(text, encoding="utf-8")
    return str(path)
