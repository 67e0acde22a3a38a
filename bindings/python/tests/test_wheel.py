import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

here = pathlib.Path(__file__).resolve().parent.parent


class Wheel(unittest.TestCase):
    def test_holds_all_that_the_package_needs(self):
        try:
            import setuptools  # noqa: F401
            import wheel  # noqa: F401
        except ImportError as error:
            self.skipTest(str(error))
        library = os.environ["MAILCORE_LIBRARY"]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, here / "build_wheel.py", "--library", library, "--version",
                            os.environ["MAILCORE_VERSION"], folder], check=True)
            built, = pathlib.Path(folder).glob("*.whl")
            self.assertRegex(built.name, r"^mailcore-[0-9.]+-py3-none-linux_\w+\.whl$")
            names = zipfile.ZipFile(built).namelist()
            self.assertIn("mailcore/libmailcore_c.so", names)
            self.assertIn("mailcore/py.typed", names)
            installed = pathlib.Path(folder) / "installed"
            subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--root-user-action=ignore",
                            "--no-index", "--no-deps", "--target", installed, built], check=True)
            environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILCORE_")}
            done = subprocess.run([sys.executable, here / "examples" / "smtp_server.py"], capture_output=True,
                                  text=True, timeout=60, env=environment | {"PYTHONPATH": str(installed)})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("jo@example.org writes to sales@example.test", done.stdout)


if __name__ == "__main__":
    unittest.main()
