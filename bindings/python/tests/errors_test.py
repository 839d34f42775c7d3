"""The exceptions: one class for each code, with the library's sentence."""

import errno
import os

import pytest
import weir
from weir import constants, errors


def test_every_code_has_a_class():
    codes = set(constants.ERROR_NAMES) - {constants.OK}
    assert set(errors.CLASSES) == codes
    assert len(set(errors.CLASSES.values())) == len(codes)


@pytest.mark.parametrize("code", sorted(errors.CLASSES))
def test_a_class(code):
    error = errors.make(code, errno.EACCES, "a sentence", 7)
    assert type(error) is errors.CLASSES[code] and isinstance(error, weir.Error)
    assert (error.code, error.name, str(error)) == (code, constants.ERROR_NAMES[code], "a sentence")
    assert (error.sys_errno, error.offset) == (errno.EACCES, 7)
    assert getattr(weir, type(error).__name__) is type(error)
    assert type(error).__module__ == "weir"


def test_builtin_kin():
    assert issubclass(weir.Timeout, TimeoutError)
    assert issubclass(weir.NotFound, LookupError)
    assert issubclass(weir.AccessError, PermissionError)
    assert issubclass(weir.ParseError, ValueError)
    assert issubclass(weir.OutOfMemory, MemoryError)


def test_an_unknown_code():
    error = errors.make(999, 0, "new", 0)
    assert type(error) is weir.Error and error.code == 999


def test_sentences():
    with pytest.raises(weir.AddressError, match="nonsense"):
        weir.reader("nonsense://x")
    with pytest.raises(weir.AddressError):
        weir.writer("Not A Name")
    with pytest.raises(weir.NotFound):
        weir.reader("test/nothing", create=0)
    try:
        weir.reader("nonsense://x")
    except weir.Error as error:
        assert error.code == weir.EADDRESS and error.name == "WEIR_EADDRESS"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_access(run, store, shm):
    os.chmod(store, 0o711)
    with weir.writer(shm, mode="0600") as w:
        w.send(1)
        text = """
import os, weir
os.setuid(65534)
try:
    weir.get("shm://~0/test/channel")
except weir.Error as error:
    print(error.name, isinstance(error, PermissionError), flush=True)
"""
        out, err = run(text).communicate(timeout=60)
        assert out == "WEIR_EACCESS True\n", err
