"""All ported programs in Python, in the order of topics.hpp. Usage: see programs.py."""

import sys

import programs
import scheduling  # noqa: F401  each of these registers its programs
import lifecycle  # noqa: F401
import futures  # noqa: F401
import tasks  # noqa: F401
import cancellation  # noqa: F401
import errors  # noqa: F401
import readiness  # noqa: F401
import sockets  # noqa: F401
import pipes  # noqa: F401
import signals  # noqa: F401
import datagrams  # noqa: F401
import connections  # noqa: F401
import streams  # noqa: F401
import servers  # noqa: F401
import executors  # noqa: F401
import files  # noqa: F401
import processes  # noqa: F401

sys.exit(programs.main(sys.argv[1:]))
