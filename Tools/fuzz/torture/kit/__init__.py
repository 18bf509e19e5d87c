"""What hostile programs import: see ../generate.py, which writes them.

Everything here runs inside of the program: nothing may take long, wait for
something that may never come, or depend on addresses or on the clock, so that
a seed does the same each time, as far as threads allow.  An interpreter that a
program makes imports this package as well, so imports that take time are made
where they are needed.

With TORTURE_UNTRACED in the environment nothing of this touches the tracer:
that tells faults of the interpreter itself from faults of the tracer.
"""
from kit.state import *                 # noqa: F401, F403
from kit.calls import *                 # noqa: F401, F403
from kit.frames import *                # noqa: F401, F403
from kit.generators import *            # noqa: F401, F403
from kit.greenlets import *             # noqa: F401, F403
from kit.parallel import *              # noqa: F401, F403
from kit.tracer import *                # noqa: F401, F403
from kit.calls import WAYS              # noqa: F401
