"""Nestling: the front door. Importing it makes the layers (`api`, `workers`, `channels`, `domain`) importable.

The layers are top-level packages, and their names are common. In the wheel they live in `nestling/_app/`, in a checkout
beside this package; either way that folder goes first on `sys.path`, so that no other distribution's `channels` or
`api` can take their place.
"""

import sys
from pathlib import Path

_bundled = Path(__file__).resolve().parent / "_app"
LAYERS = _bundled if _bundled.is_dir() else _bundled.parent.parent
"""The folder that holds the layers, the migrations and schema.graphql."""

if str(LAYERS) not in sys.path[:1]:
    sys.path.insert(0, str(LAYERS))
