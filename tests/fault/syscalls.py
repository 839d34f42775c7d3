"""What the tests share in which strace makes system calls fail: a scratch folder, injected programs, and a checked pair of peers."""
import os
import subprocess

BUILD = os.environ.get("WEIR_BUILD", ".")
PEER = os.path.join(BUILD, "tests", "interop", "peer")
COMMAND = os.path.join(BUILD, "bin", "weir")
COUNT = 30


def traced(inject, *options):
    """What stands before a program so that @inject happens to it."""
    names, colon, what = inject.partition(":")
    # Names that this processor has not are passed over with a question mark.
    listed = ",".join("?" + name for name in names.split(","))
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={listed}", "-e", f"inject={listed}{colon}{what}", *options]


def injected(inject, *args):
    return subprocess.Popen([*traced(inject), PEER, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def plain(*args):
    return subprocess.Popen([PEER, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(directory):
    return [name for name in os.listdir(directory) if name != "shm"]


def check_pair(directory, writer, reader):
    """All of COUNT messages came, in order, without a gap, and nothing is left."""
    heard, complaint = reader.communicate(timeout=60)
    _, said = writer.communicate(timeout=60)
    assert (reader.returncode, complaint) == (0, "")
    assert (writer.returncode, said) == (0, "")
    lines = heard.splitlines()
    assert lines[0] == "ready"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(i + 1) for i in range(COUNT)]
    assert {line.split("\t")[1] for line in lines[1:]} == {"0"}
    assert left(directory) == []
