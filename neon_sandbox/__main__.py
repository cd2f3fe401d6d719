from __future__ import annotations

import sys

from neon_sandbox.cli import main

sys.exit(main())
