"""The quicker start, in a process of its own: what is left out is there for whoever asks."""

import subprocess
import sys

from tests.support.server import ROOT, child_environment


def run(code: str) -> None:
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, cwd=ROOT, env=child_environment(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_serving_loads_no_rich_but_others_may():
    run(
        "import sys\nfrom trivium.cli.startup import quicken, settle\nquicken()\n"
        "import trivium.cli.serve\nsettle()\n"
        "assert 'structlog' in sys.modules\nassert 'rich' not in sys.modules\nimport rich.console"
    )


def test_signing_tokens_loads_no_cryptography_but_others_may():
    run(
        "import sys\nfrom trivium.cli.startup import quicken, settle\nquicken()\n"
        "import access.signing\nsettle()\n"
        "assert 'jwt' in sys.modules\nassert 'cryptography' not in sys.modules\n"
        "import cryptography.x509"
    )


def test_garbage_is_collected_again_afterwards():
    run(
        "import gc\nfrom trivium.cli.startup import quicken, settle\n"
        "quicken()\nassert not gc.isenabled()\nsettle()\nassert gc.isenabled()"
    )


def test_a_process_that_has_rich_keeps_it():
    run("import rich, sys\nfrom trivium.cli.startup import quicken\nquicken()\nimport rich.text")
