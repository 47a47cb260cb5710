"""Without torch, genba's loaders for it say what to install; all else of loading works (with it: tests/clients)."""

import subprocess
import sys

CODE = """
import sys
sys.modules["torch"] = None  # as if it were not installed
import generators.loading.blocks, generators.cli
try:
    import generators.loading.torch_data
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_without_torch_the_module_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    message = "PyTorch's loaders need the package torch: pip install 'genba[torch]'"
    assert done.stdout == f"MissingExtraError {message}\n"


def test_loading_does_not_import_torch_where_it_is_installed():
    code = "import sys, generators.loading.blocks, generators.speed.loading; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
