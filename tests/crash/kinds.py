"""Jobs that take their time, die, or run a program that dies."""

import os
import signal
import sys
import time

from labeling import jobs

TRAIN_SLOWLY_ONCE = """
import os, sys, time
with open(sys.argv[1], "a+") as tries:
    tries.write(f"{os.getpid()}\\n")
    tries.seek(0)
    is_first = len(tries.readlines()) == 1
if is_first:
    time.sleep(600)
"""


@jobs.handler("nap", cluster="ml")
def nap(job: jobs.RunningJob) -> dict:
    """Take that long at the first attempt; who tries again is in a hurry."""
    seconds = job.payload["seconds"] if job.row.attempts == 1 else 0
    for done in range(10):
        job.progress(done, 10)
        time.sleep(seconds / 10)
    return {"attempts": job.row.attempts}


@jobs.handler("poison", cluster="ml")
def poison(job: jobs.RunningJob) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@jobs.handler("train-slowly-once", cluster="ml")
def train_slowly_once(job: jobs.RunningJob) -> None:
    job.supervise([sys.executable, "-c", TRAIN_SLOWLY_ONCE, job.payload["tries"]])
