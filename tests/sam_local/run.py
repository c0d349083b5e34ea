#!/usr/bin/env python3
"""Invokes the functions that `sam build` made with `sam local invoke`, in Docker, with stand-ins for AWS and GitHub.

    tests/sam_local/run.py --sam PATH --build FOLDER --work FOLDER

An engine that runs already is taken, if it has or can pull the base image. Otherwise one is started for the while, apart
from anything else on the machine: its own state, socket and bridge, no rule in the firewall. Its base image is a Debian
(kept in the work folder), for only the C library of it matters to a bootstrap. That needs root; what is missing for it is
installed with apt-get. It prints one line a case and exits 1 if one failed, 75 if there is no engine to be had.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "emulator"))

from stub import (  # noqa: E402
    EVENTS,
    REGION,
    SECRET,
    Failed,
    Stub,
    all_done,
    answered,
    check,
    push_is_queued,
    run_is_started,
    short,
    wake_up_is_queued,
)

SKIPPED = 75
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCHITECTURE}"
# GitHub's token goes over plain HTTP to this machine only, so the stand-ins have to be `localhost` inside of the container
# too. They are: by a second address of that name, which is tried when nothing listens at the first.
NAME = "localhost"

ENGINE_SECONDS = 60
INVOKE_SECONDS = 180


class NoEngine(Exception):
    """Why no engine can run here."""


# ---- The engine.


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)


def must(*command, **options):
    done = run(*command, **options)
    if done.returncode != 0:
        raise NoEngine(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def running_engine():
    """The address of this machine on the bridge of an engine that runs already, or why it is of no use."""
    if not shutil.which("docker") or run("docker", "version", "--format", "{{.Server.Version}}").returncode != 0:
        raise NoEngine("none runs")
    if run("docker", "image", "inspect", IMAGE).returncode != 0:
        must("docker", "pull", "--quiet", IMAGE, timeout=300)
    routes = must("docker", "run", "--rm", "--entrypoint", "/bin/cat", IMAGE, "/proc/net/route").splitlines()
    gateways = [fields[2] for fields in map(str.split, routes) if fields[1:2] == ["00000000"]]
    if not gateways:
        raise NoEngine("its containers have no network")
    address = socket.inet_ntoa(bytes.fromhex(gateways[0])[::-1])
    try:
        with socket.socket() as one:
            one.bind((address, 0))
    except OSError as error:
        raise NoEngine(f"its bridge's address {address!r} is not of this machine: {error}") from None
    return address


@contextlib.contextmanager
def own_engine(work):
    """Starts an engine. Gives the address of its socket and this machine's on its bridge."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise NoEngine("to start one takes Linux and root")
    packages = {"dockerd": "docker.io", "docker": "docker.io", "debootstrap": "debootstrap", "ip": "iproute2"}
    missing = sorted({package for tool, package in packages.items() if not shutil.which(tool)})
    if missing:
        if not shutil.which("apt-get"):
            raise NoEngine(f"there is no {', '.join(missing)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        must("apt-get", "update", "-qq", env=quiet)
        must("apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing, env=quiet)
        print(f"installed {', '.join(missing)}", flush=True)
    base = base_image(work)

    # A socket's path may not be long, so these are not in the work folder.
    state = Path(tempfile.mkdtemp(prefix="pipehook-engine-"))
    data = Path(tempfile.mkdtemp(prefix="engine-", dir=work))
    bridge = f"pipehook{os.getpid() % 10_000_000}"
    address = f"198.18.{os.getpid() % 256}.1"  # of the range that is set apart for tests
    log = (work / "dockerd.log").open("w")
    daemon = None
    try:
        must("ip", "link", "add", bridge, "type", "bridge")
        must("ip", "address", "add", f"{address}/24", "dev", bridge)
        must("ip", "link", "set", bridge, "up")
        (state / "config.json").write_text("{}")
        host = f"unix://{state}/docker.sock"
        daemon = subprocess.Popen(
            [
                "dockerd",
                f"--config-file={state}/config.json",
                f"--data-root={data}",
                f"--exec-root={state}/exec",
                f"--pidfile={state}/docker.pid",
                f"--host={host}",
                f"--bridge={bridge}",
                f"--containerd-namespace={bridge}",
                f"--containerd-plugins-namespace={bridge}-plugins",
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--ip-masq=false",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + ENGINE_SECONDS
        while run("docker", "--host", host, "version").returncode != 0:
            if daemon.poll() is not None or time.monotonic() > deadline:
                said = (work / "dockerd.log").read_text(errors="replace").strip()
                raise NoEngine(f"dockerd does not come up: {said[-600:]}")
            time.sleep(0.2)
        must("docker", "--host", host, "import", str(base), IMAGE)
        yield host, address
    finally:
        if daemon:
            daemon.terminate()
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
        run("ip", "link", "delete", bridge)
        log.close()
        for folder in (state, data):
            remove(folder)


def base_image(work):
    """A small Debian as an archive. It is made once."""
    archive = work / f"base-{ARCHITECTURE}.tar"
    if not archive.exists():
        tree = Path(tempfile.mkdtemp(prefix="base-", dir=work))
        try:
            tree.chmod(0o755)
            must("debootstrap", "--variant=minbase", "bookworm", str(tree))
            left_out = [f"--exclude=./{path}/*" for path in ("dev", "proc", "sys", "var/cache/apt", "var/lib/apt/lists")]
            must("tar", "-C", str(tree), *left_out, "-cf", f"{archive}.new", ".")
            os.replace(f"{archive}.new", archive)
        finally:
            remove(tree)
    return archive


def remove(folder):
    """Removes a folder, with what is still mounted in it taken off first."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if place.startswith(f"{folder}/"):
            run("umount", "--lazy", place)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def engine(work):
    """Environment variables that lead to an engine, and this machine's address in its containers."""
    try:
        address = running_engine()
    except (NoEngine, subprocess.TimeoutExpired) as reason:
        with own_engine(work) as (host, address):
            print(f"an engine of its own; what runs already: {str(reason).splitlines()[-1]}", flush=True)
            yield {"DOCKER_HOST": host}, address
    else:
        print("the engine that runs here", flush=True)
        yield {name: os.environ[name] for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if name in os.environ}, address


# ---- The cases.


def decided_to_queue(answer, stub):
    push_is_queued(answer, stub)
    decisions = json.loads(answer["body"])
    check('"queued"' in json.dumps(decisions), f"an answer without the decision: {short(decisions)}")
    return "202, queued, one message"


def refused(answer, stub):
    answered(answer, 401)
    check(not stub.asked, f"calls: {short(stub.asked)}")
    return "401, and nothing was asked"


def started(answer, stub):
    run_is_started(answer, stub)
    return "no failures, a start pinned to the commit, a pending status, a wake-up"


def event_taken(answer, stub):
    all_done(answer)
    check(not stub.started and not stub.statuses, f"calls: {short(stub.asked)}")
    # It is looked at a moment later, and then it shows whether somebody follows the run.
    wake_up_is_queued(stub)
    event = json.loads(json.loads((EVENTS / "sqs-eventbridge.json").read_text(encoding="utf-8"))["Records"][0]["body"])
    body = stub.messages[0]["MessageBody"]
    check(event["detail"]["execution-id"] in body, f"a message that does not name the execution: {body}")
    return "no failures, no start, and the execution is looked at a moment later"


CASES = [
    ("Webhook", "function-url-push-main", decided_to_queue),
    ("Webhook", "function-url-forged", refused),
    ("Worker", "sqs-start", started),
    ("Worker", "sqs-eventbridge", event_taken),
]


def template_with_endpoint(build):
    """A copy of the built template whose functions take an endpoint: `sam local` hands over no variable that is not named."""
    lines = []
    for line in (build / "template.yaml").read_text(encoding="utf-8").splitlines():
        lines.append(line)
        if line.lstrip().startswith("PIPEHOOK_CONFIG:"):
            lines.append(f"{line[: len(line) - len(line.lstrip())]}AWS_ENDPOINT_URL: ''")
    check(sum("AWS_ENDPOINT_URL" in line for line in lines) == 2, "the built template does not have two functions")
    copy = build / "with-endpoint.yaml"
    copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return copy


def invoke(sam, template, work, docker, address, function, name, stub):
    variables = {
        "AWS_ENDPOINT_URL": stub.url,
        "PIPEHOOK_QUEUE_URL": stub.queue_url,
        "PIPEHOOK_CONFIG": stub.config,
    }
    if function == "Webhook":
        variables["PIPEHOOK_WEBHOOK_SECRET"] = SECRET
    else:
        variables["PIPEHOOK_GITHUB_TOKEN"] = "ghs_ExampleExampleExampleExampleExample00"
    given = work / "variables.json"
    given.write_text(json.dumps({function: variables}), encoding="utf-8")
    command = [
        sam, "local", "invoke", function,
        "--template-file", str(template),
        "--event", str(EVENTS / f"{name}.json"),
        "--env-vars", str(given),
        "--parameter-overrides", f"FunctionArchitecture={ARCHITECTURE}",
        "--region", REGION,
        "--add-host", f"{NAME}:{address}",
        "--layer-cache-basedir", str(work / "layers"),
        "--skip-pull-image",
    ]  # fmt: skip
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        **docker,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE01",
        "AWS_SECRET_ACCESS_KEY": "not a secret",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }
    done = run(*command, cwd=ROOT, env=environment, timeout=INVOKE_SECONDS)
    said = "\n".join(done.stderr.strip().splitlines()[-25:])
    check(done.returncode == 0, f"exit code {done.returncode}:\n{said}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1]), said
    except (IndexError, ValueError):
        raise Failed(f"an answer that is not JSON: {done.stdout!r}\n{said}") from None


def one_case(arguments, template, docker, address, function, name, judge):
    stub = Stub(address=address, name=NAME)
    began = time.monotonic()
    said = ""
    try:
        answer, said = invoke(arguments.sam, template, arguments.work, docker, address, function, name, stub)
        found = judge(answer, stub)
        check(not stub.refused, f"a call that nothing answers: {short(stub.refused)}")
    except (Failed, subprocess.TimeoutExpired) as failure:
        print(f"FAILED {function} {name}: got {failure}\n  asked: {short(stub.asked)}\n  log: {said}", flush=True)
        return False
    finally:
        stub.close()
    print(f"ok     {function} {name}: {found} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description="Invokes the built functions with `sam local invoke`.")
    parser.add_argument("--sam", required=True, help="the SAM CLI")
    parser.add_argument("--build", required=True, type=lambda text: Path(text).resolve(), help="what sam build made")
    parser.add_argument("--work", required=True, type=lambda text: Path(text).resolve(), help="a folder for what is kept")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    (arguments.work / "layers").mkdir(exist_ok=True)
    # What was started ends with this, also when it is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    try:
        if not ARCHITECTURE:
            raise NoEngine(f"there is no base image for {platform.machine()}")
        with engine(arguments.work) as (docker, address):
            template = template_with_endpoint(arguments.build)
            good = [one_case(arguments, template, docker, address, *case) for case in CASES]
    except Failed as failure:
        print(f"FAILED {failure}")
        return 1
    except NoEngine as reason:
        print(f"skipped: no Docker engine: {reason}")
        return SKIPPED
    print(f"{sum(good)} of {len(good)} cases ok")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
