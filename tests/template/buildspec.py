#!/usr/bin/env python3
"""Runs the sample application's buildspec.yml as CodeBuild would, with stand-ins for docker and aws that write down how
they are called. Needs PyYAML and bash."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

SAMPLE = Path(__file__).resolve().parents[2] / "examples/node-server"
COMMIT = "5de842e0c6e0b1f2a3b4c5d6e7f8091a2b3c4d5e"
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/node-server"
HUB = "docker.io/octo-org/node-server"

DOCKER = """#!/bin/bash
echo "docker $*" >>"$CALLS"
[[ $1 == login ]] && echo "password $(cat)" >>"$CALLS"
case "$*" in
  "manifest inspect "*) [[ $PUSHED == yes ]] ;;
  "image inspect "*) [[ $PUSHED != yes ]] ;;
  "build --target test "*) [[ $TESTS != fail ]] ;;
esac
"""
AWS = """#!/bin/bash
echo "aws $*" >>"$CALLS"
echo a-password
"""


def build(**variables):
    """The calls of a build, and the imagedefinitions.json that it left."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, text in {"docker": DOCKER, "aws": AWS}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "work").mkdir()
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "CALLS": str(folder / "calls"),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT,
            "CONTAINER_NAME": "node-server",
            "IMAGE_REPOSITORY": ECR,
            "MOVING_TAG": "",
            "PUSHED": "no",
            "TESTS": "pass",
        }
        phases = yaml.safe_load((SAMPLE / "buildspec.yml").read_text())["phases"]
        # One shell for all, as of version 0.2. A phase ends at its first failure; post_build runs after a failed build.
        script, failed = "CODEBUILD_BUILD_SUCCEEDING=1\n", "CODEBUILD_BUILD_SUCCEEDING=0"
        for phase in ("pre_build", "build"):
            script += "if [[ $CODEBUILD_BUILD_SUCCEEDING == 1 ]]; then while :; do\n"
            for command in phases[phase]["commands"]:
                script += f"{{ {command}\n}} || {{ {failed}; break; }}\n"
            script += "break; done; fi\n"
        script += "\n".join(phases["post_build"]["commands"]) + "\nexit $((1 - CODEBUILD_BUILD_SUCCEEDING))\n"
        run = subprocess.run(["bash", "-c", script], env=environment | variables, cwd=folder / "work", capture_output=True, text=True)
        definitions = folder / "work/imagedefinitions.json"
        written = json.loads(definitions.read_text()) if definitions.exists() else None
        return run.returncode, (folder / "calls").read_text().splitlines(), written


def definitions(repository):
    return [{"name": "node-server", "imageUri": f"{repository}:{COMMIT}"}]


def main():
    image = f"{ECR}:{COMMIT}"
    login = ["aws ecr get-login-password", f"docker login --username AWS --password-stdin {ECR.split('/')[0]}", "password a-password"]
    # The two programs of a pipe write in either order.
    code, called, written = build()
    assert code == 0 and sorted(called[:3]) == sorted(login), called
    assert called[3:] == [
        f"docker manifest inspect {image}",
        "docker build --target test .",
        f"docker build --build-arg COMMIT={COMMIT} --tag {image} .",
        f"docker push {image}",
    ], called
    assert written == definitions(ECR)

    code, called, written = build(PUSHED="yes")
    assert code == 0 and not [call for call in called if "build" in call or "push" in call], called
    assert written == definitions(ECR), "a retry of the same commit deploys the image that is there"

    code, called, written = build(TESTS="fail")
    assert code == 1 and written is None and not [call for call in called if "push" in call], called

    code, called, written = build(IMAGE_REPOSITORY=HUB, DOCKERHUB_USER="octocat", DOCKERHUB_TOKEN="a-token", MOVING_TAG="latest")
    assert code == 0 and called[:2] == ["docker login --username octocat --password-stdin", "password a-token"], called
    assert called[-2:] == [f"docker tag {HUB}:{COMMIT} {HUB}:latest", f"docker push {HUB}:latest"], called
    assert written == definitions(HUB)

    code, called, _ = build(IMAGE_REPOSITORY=HUB, DOCKERHUB_USER="octocat", DOCKERHUB_TOKEN="a-token", MOVING_TAG="latest", PUSHED="yes")
    assert code == 0 and called[-3:] == [
        f"docker pull {HUB}:{COMMIT}",
        f"docker tag {HUB}:{COMMIT} {HUB}:latest",
        f"docker push {HUB}:latest",
    ], called
    print("buildspec.yml: 5 builds went as they should (first, retried, failing, Docker Hub, Docker Hub retried)")


if __name__ == "__main__":
    sys.exit(main())
