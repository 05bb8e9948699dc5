"""The quicker start, in a process of its own: what is left out is there for whoever asks."""

import subprocess
import sys

from tests.support.server import ROOT, child_environment

UNNEEDED = {
    "aiohttp.client",
    "aiohttp.connector",
    "airportsdata",
    "controllers.api.asyncapi",
    "controllers.api.openapi",
    "cryptography",
    "hypothesis",
    "jwt.jwks_client",
    "opensearchpy",
    "paho",
    "prometheus_client",
    "rich",
    "storage.memory",
    "storage.opensearch",
    "trivium.client",
    "trivium.imports",
    "websockets.client",
}
"""What no start needs that serves from SQLite, and what took the most of it before."""


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


def test_serving_loads_no_client_of_http_nor_what_another_command_or_engine_needs():
    run(
        "import asyncio, pathlib, sys, tempfile\n"
        "from trivium.cli.startup import quicken, settle\nquicken()\n"
        "from trivium.cli import serve\n"
        "async def start(data):\n"
        "    flags = serve.Flags(port=0, mqtt_port=0, data=pathlib.Path(data))\n"
        "    server = serve.Server(*serve.prepare(None, flags))\n"
        "    await server.start()\n"
        "    settle()\n"
        "    await server.stop()\n"
        "with tempfile.TemporaryDirectory() as data:\n"
        "    asyncio.run(start(data))\n"
        f"loaded = {UNNEEDED!r} & sys.modules.keys()\nassert not loaded, loaded"
    )


def test_an_application_has_all_of_a_package_that_was_loaded_in_parts():
    run(
        "from trivium.cli.startup import quicken, settle\nquicken()\n"
        "import trivium.cli.serve\nsettle()\n"
        "import aiohttp, jwt\nfrom aiohttp import ClientSession, hdrs, web\n"
        "import aiohttp.client\nassert aiohttp.client.ClientSession is ClientSession\n"
        "assert aiohttp.web is web\nassert 'ClientSession' in dir(aiohttp)\n"
        "assert aiohttp.http.SERVER_SOFTWARE.endswith('aiohttp/' + aiohttp.__version__)\n"
        "assert jwt.decode(jwt.encode({'a': 1}, 'k' * 32), 'k' * 32, ['HS256']) == {'a': 1}"
    )


def test_threads_that_ask_at_the_same_time_all_have_it():
    run(
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from trivium.cli.startup import quicken, settle\nquicken()\nsettle()\n"
        "import aiohttp\n"
        "names = ['ClientSession', 'TCPConnector', 'FormData', 'ClientTimeout']\n"
        "together = threading.Barrier(len(names))\n"
        "def ask(name):\n"
        "    together.wait()\n"
        "    return getattr(aiohttp, name).__name__\n"
        "with ThreadPoolExecutor(len(names)) as threads:\n"
        "    assert list(threads.map(ask, names)) == names"
    )


def test_a_package_loaded_in_parts_has_nothing_else():
    run(
        "from trivium.cli.startup import quicken\nquicken()\nimport aiohttp\n"
        "assert not hasattr(aiohttp, 'nothing')\nassert not hasattr(aiohttp, 'nothing')\n"
        "import aiohttp.client"
    )


def test_a_process_that_has_aiohttp_keeps_it():
    run(
        "import aiohttp, sys\nfrom trivium.cli.startup import quicken\nquicken()\n"
        "assert sys.modules['aiohttp'] is aiohttp and 'ClientSession' in vars(aiohttp)"
    )


def test_garbage_is_collected_again_afterwards():
    run(
        "import gc\nfrom trivium.cli.startup import quicken, settle\n"
        "quicken()\nassert not gc.isenabled()\nsettle()\nassert gc.isenabled()"
    )


def test_a_process_that_has_rich_keeps_it():
    run("import rich, sys\nfrom trivium.cli.startup import quicken\nquicken()\nimport rich.text")
