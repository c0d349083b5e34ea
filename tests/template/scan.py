#!/usr/bin/env python3
"""Scans the template with checkov: as it stands, and as a few stacks with their conditions decided, for checkov does not
look into Fn::If. What it finds has to be excepted in template.yaml, at its resource, with the reason:

    # checkov:skip=CHECK:reason

An exception that nothing needs any more is wrong too. Usage: scan.py CHECKOV    (run with check.py's packages)
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from check import OF_THE_PIPELINE, ROOT, Stack

STACKS = [
    {},
    {"CreatePipeline": "false", "Tracing": "true", "AlarmEmail": "octocat@github.com", "WebhookConcurrency": 10},
    {"LoadBalancer": "true", "ManualApproval": "true", "FargateSpot": "true", "DockerHubRepository": "octo-org/node-server"},
    {
        "LoadBalancer": "true",
        "CertificateArn": OF_THE_PIPELINE["CertificateArn"][1],
        "VpcId": OF_THE_PIPELINE["VpcId"][1],
        "ImageDefinitions": "committed",
        "ServiceArchitecture": "X86_64",
    },
]
# What SAM makes of a function is excepted at the function.
MADE_OF = {"WebhookUrl": "Webhook"}


def exceptions():
    found, resource = {}, None
    for line in (ROOT / "template.yaml").read_text().splitlines():
        if name := re.fullmatch(r"  (\w+):", line):
            resource = name[1]
        elif skip := re.search(r"# checkov:skip=(\w+):(.+)", line):
            found[resource, skip[1]] = skip[2]
    return found


def findings(checkov, template):
    command = [checkov, "--skip-download", "--framework", "cloudformation", "--output", "json", "--file", template]
    run = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(run.stdout)
    if report["summary"]["parsing_errors"]:
        raise SystemExit(f"checkov can't read {template}")
    results = report["results"]
    for result in results["failed_checks"] + results["skipped_checks"]:
        resource = result["resource"].rsplit(".", 1)[-1]
        yield MADE_OF.get(resource, resource), result["check_id"]
    print(f"{Path(template).name}: {report['summary']['passed']} passed")


def main(checkov):
    excepted = exceptions()
    found = set(findings(checkov, ROOT / "template.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        for number, chosen in enumerate(STACKS, 1):
            stack = Path(folder) / f"stack-{number}.json"
            stack.write_text(json.dumps(Stack(**chosen).lintable()))
            found |= set(findings(checkov, stack))
    wrong = [f"{resource}: {check} is found and not excepted" for resource, check in sorted(found - set(excepted))]
    wrong += [f"{resource}: {check} is excepted and not found" for resource, check in sorted(set(excepted) - found)]
    print("\n".join(wrong) if wrong else f"{len(excepted)} exceptions, each needed and with its reason; nothing else was found")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
