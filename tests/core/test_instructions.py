"""Counts the instructions of the inner loops with callgrind: a guard against a change that makes
them longer. Counts do not depend on the machine's speed, nor on what else it does."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tap  # noqa: E402

NUMBERS = 64 * 800
# Instructions per number of the AVX2 kernels: a tenth more than gcc 12 needs with -O2, or clang 14.
MOST = {
    "dot_u8": 0.82, "dot_f16": 0.69, "dot_f32": 0.69, "four_dots_f16": 1.22, "largest": 1.0,
    "to_f16": 1.0, "from_f16": 1.0, "pack_f16": 2.65, "unpack_f16": 2.3, "dot_packed_f16": 3.1,
    "add_f16": 1.0,
}


def set_up():
    """Without debugging information, which valgrind does not read in every version of it."""
    global PROGRAM
    PROGRAM = os.path.join(FOLDER, "count_kernels")
    subprocess.run(["strip", "--strip-debug", "-o", PROGRAM, "tests/core/count_kernels"], check=True)


def count(kernel):
    out = os.path.join(FOLDER, f"callgrind.{kernel}")
    done = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=counted",
                           f"--callgrind-out-file={out}", PROGRAM, kernel],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(out) as file:
        total = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)
    return done.stdout.strip(), int(total.group(1)) / NUMBERS


def test_the_inner_loops_take_no_more_instructions_than_they_did():
    if not shutil.which("valgrind"):
        raise tap.Skip("valgrind is not installed")
    if os.environ.get("KEYLIGHT_BUILD"):
        raise tap.Skip("this build counts more than the program's own instructions")
    for kernel, most in MOST.items():
        variant, instructions = count(kernel)
        if variant != "avx2":
            raise tap.Skip(f"valgrind runs the {variant} kernels here, whose counts are not known")
        print(f"# {kernel}: {instructions:.3f} a number, at most {most}")
        assert 0 < instructions <= most, f"{kernel} takes {instructions:.3f} a number, over {most}"


if __name__ == "__main__":
    tap.main(sys.modules[__name__])
