"""Worker processes that start in milliseconds: forked from one that has loaded torch and our code and run nothing.

Spawned ones spend five seconds each on imports.
"""

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.warm"])
