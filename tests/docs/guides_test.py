"""The guides' commands do what the guides say: blocks under `<!-- run -->` are run, those of one page in one shell and in
their order, and what stands under `<!-- prints -->` is what they print.

/tmp is a scratch folder here, and port 5555 one of this test's own. Each page is run twice: typed, where the line behind
one that ends in & comes when the program has opened its end; and pasted, where it comes at once and the program late."""
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

SOURCE, BUILD = os.environ["WEIR_SOURCE"], os.environ["WEIR_BUILD"]
PAGES = sorted(glob.glob(os.path.join(SOURCE, "docs", "guide", "*.md")))
BLOCK = re.compile(r"<!-- run -->\n```sh\n(.*?)```\n(?:<!-- prints -->\n```\w*\n(.*?)```)?", re.DOTALL)
NEEDED = ["jq", "nc", "socat", "php", "node", "python3"]
LATE = 0.5
MARK = "==== the next block"

PRELUDE = """
set -e
ends() { weir ls --json | grep -o '"pid"' | wc -l; }
typed() {
    for i in $(seq 400); do [ "$(ends)" -le "$1" ] || return 0; sleep 0.05; done
    echo "no end was opened" >&2
    exit 99
}
"""


def pages():
    for page in PAGES:
        with open(page, encoding="utf-8") as file:
            blocks = BLOCK.findall(file.read())
        if blocks:
            yield pytest.param(blocks, id=os.path.basename(page))


def script(blocks, is_pasted):
    """Each line that starts one of weir's programs in the background begins late, or is followed by a wait for it."""
    lines = [PRELUDE]
    for code, _ in blocks:
        for line in code.splitlines():
            is_started = re.search(r"\bweir (sub|pub|serve|record)\b.*&$", line)
            if is_started and is_pasted:
                late, is_started = re.match(r"(weir .*)&$", line), None
                line = "{ sleep %s; exec %s; } &" % (LATE, late[1])
            lines += ["before=$(ends)", line] if is_started else [line]
            if line.endswith("&"):
                lines.append("last=$!" + ("; typed $before" if is_started else ""))  # what typed starts changes $!
        lines.append("echo '%s'" % MARK)
    return "\n".join(lines).replace("wait $!", "wait $last")


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("is_pasted", [False, True], ids=["typed", "pasted"])
@pytest.mark.parametrize("blocks", list(pages()))
def test_guide(blocks, is_pasted):
    text = "".join(code for code, _ in blocks)
    missing = [program for program in NEEDED if re.search(r"\b%s\b" % program, text) and not shutil.which(program)]
    if missing:
        pytest.skip("not there: %s; tools/setup test installs it" % ", ".join(missing))
    folder = tempfile.mkdtemp(prefix="weir-guide-", dir="/dev/shm")
    free = str(port())

    def local(code):
        key = "0x%x" % (os.getpid() | 0x77000000)
        return code.replace("/tmp/", folder + "/").replace("5555", free).replace("0x77e1f00d", key)

    environment = {**os.environ, "WEIR_SHM_DIR": folder, "PATH": os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]}
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            shell = subprocess.Popen(["bash", "-c", local(script(blocks, is_pasted))], stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=said, cwd=SOURCE, env=environment, start_new_session=True)
            try:
                status = shell.wait(timeout=120)
            finally:
                subprocess.run(["kill", "-9", "--", "-%d" % shell.pid], stderr=subprocess.DEVNULL, check=False)
            out.seek(0)
            said.seek(0)
            printed, complaints = out.read().decode(), said.read().decode()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert status == 0, complaints
    assert printed.split(MARK + "\n")[:-1] == [local(prints) for _, prints in blocks], complaints
