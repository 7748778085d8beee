"""OpsConductor's service: areas by domain over one core, above the engine rooms."""

import os

os.environ.setdefault("PICCOLO_CONF", "app.piccolo_conf")

__version__ = "0.1.0"
