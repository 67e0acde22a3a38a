"""Packs the C library into the wheel: MAILCORE_LIBRARY names it, MAILCORE_VERSION its release."""
import os
import pathlib
import shutil
import sysconfig

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel


class BuildWithLibrary(build_py):
    def run(self) -> None:
        super().run()
        library = os.environ.get("MAILCORE_LIBRARY")
        if not library:
            raise SystemExit("MAILCORE_LIBRARY: expected the path of libmailcore_c.so")
        shutil.copyfile(library, pathlib.Path(self.build_lib) / "mailcore" / "libmailcore_c.so")


class PlatformWheel(bdist_wheel):
    """Needs no certain Python, since ctypes loads the library, but a certain machine."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    version=os.environ.get("MAILCORE_VERSION", "0"),
    packages=["mailcore"],
    package_data={"mailcore": ["py.typed"]},
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
)
