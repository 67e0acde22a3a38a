"""Builds the wheel without network, in a copy, so that nothing is left beside the sources. See --help."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--library", required=True, help="libmailcore_c.so as built")
    arguments.add_argument("--version", required=True)
    arguments.add_argument("--strip", default="strip", help="the program that leaves debug information out")
    arguments.add_argument("folder", type=pathlib.Path, help="where the wheel goes")
    given = arguments.parse_args()
    here = pathlib.Path(__file__).resolve().parent
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mailcore-wheel-") as folder:
        copy = pathlib.Path(folder) / "python"
        copy.mkdir()
        for name in ("pyproject.toml", "setup.py", "README.md"):
            shutil.copy(here / name, copy)
        shutil.copytree(here / "mailcore", copy / "mailcore", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        library = pathlib.Path(folder) / "libmailcore_c.so"
        subprocess.run([given.strip, "--strip-unneeded", "-o", library, given.library], check=True)
        subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index",
                        "--no-build-isolation", "--no-deps", "--wheel-dir", given.folder.resolve(), "."],
                       cwd=copy, check=True,
                       env=os.environ | {"MAILCORE_LIBRARY": str(library), "MAILCORE_VERSION": given.version})


if __name__ == "__main__":
    main()
