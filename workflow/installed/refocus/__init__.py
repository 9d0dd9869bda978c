"""The installed package under a folder of its own: on a PYTHONPATH it brings nothing that is installed beside it.

A stage's conda environment holds the stage's dependencies and not refocus; the package is found through this folder.
Python looks the imported module up again after this file has run, and finds the real package.
"""

import importlib.util
import sys
from pathlib import Path

_package = Path(__file__).resolve().parents[4]  # refocus/project/workflow/installed/refocus
_spec = importlib.util.spec_from_file_location(
    "refocus", _package / "__init__.py", submodule_search_locations=[str(_package)]
)
_module = importlib.util.module_from_spec(_spec)
sys.modules["refocus"] = _module
_spec.loader.exec_module(_module)
