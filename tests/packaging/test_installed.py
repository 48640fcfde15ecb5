"""What is installed is what is in the checkout."""

from pathlib import Path

import qoder_async

CHECKOUT = Path(__file__).parents[2] / "qoder_async"


def _files(package: Path) -> set[str]:
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_leaves_no_file_of_the_package_out():
    assert _files(Path(qoder_async.__file__).parent) == _files(CHECKOUT)
