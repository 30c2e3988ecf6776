"""The C++ alone: for aarch64 under emulation, and under sanitizers."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "src" / "bitproof" / "kernels" / "native"
FLAGS = {"avx2": ["-mavx2"], "avx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vpopcntdq"]}


def build(compiler: str, folder: Path, *flags: str, x86: bool = True) -> Path:
    """Compile every source with its own flags, as CMakeLists.txt does, and link the self-test."""
    common = ["-std=c++17", "-ffp-contract=off", f"-I{SOURCES}", f"-I{HERE}", *flags]
    objects = []
    for source in (*SOURCES.glob("*.cpp"), *HERE.glob("selftest*.cpp")):
        if source.stem != "module":
            objects.append(folder / f"{source.stem}.o")
            own = FLAGS.get(source.stem, []) if x86 else []
            subprocess.run([compiler, *common, *own, "-c", source, "-o", objects[-1]], check=True)
    subprocess.run([compiler, *flags, *objects, "-o", folder / "selftest", "-pthread"], check=True)
    return folder / "selftest"


@pytest.mark.slow
def test_neon_under_emulation(tmp_path):
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if not compiler or not emulator:
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64 (Debian: g++-aarch64-linux-gnu, qemu-user)")
    program = build(compiler, tmp_path, "-O2", "-static", x86=False)
    done = subprocess.run([emulator, program, "0", "150"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("neon portable agree in 150 cases")


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_under_sanitizers(tmp_path, sanitizer):
    compiler = shutil.which("g++")
    if not compiler:
        pytest.skip("needs g++")
    program = build(compiler, tmp_path, "-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    done = subprocess.run([program, "0", "300"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
