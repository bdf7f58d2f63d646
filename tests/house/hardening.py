"""The program is built with what compiler and linker have against errors of memory that somebody makes use of."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402


def read(*options):
    if not shutil.which("readelf") or os.environ.get("KEYLIGHT_BUILD"):
        raise tap.Skip("readelf is missing, or this is a build for checks")
    return subprocess.run(["readelf", "--wide", *options, tap.KEYLIGHT], capture_output=True, text=True, check=True).stdout


def test_it_is_loaded_anywhere_and_its_tables_cannot_be_written():
    assert "DYN" in read("--file-header")
    assert "GNU_RELRO" in read("--program-headers") and "NOW" in read("--dynamic")
    stack, = (line for line in read("--program-headers").splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack


def test_overruns_are_noticed():
    names = read("--symbols")
    assert "__stack_chk_fail" in names
    assert "_chk@" in names.replace("__stack_chk_fail@", ""), "no call is checked by its sizes"


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
