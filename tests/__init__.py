"""Tests of the package. What they start, kernels included, keeps no answer where the user's own are."""

import atexit
import os
import shutil
import tempfile

os.environ["CS231N_VIZ_PROGRESS"] = tempfile.mkdtemp(prefix="cs231n_viz-progress-")
atexit.register(shutil.rmtree, os.environ["CS231N_VIZ_PROGRESS"], ignore_errors=True)
