"""redis-py 4.5.4 reads a connection for two pipelines at once, if one was given up; 4.5.5 does not.

The pipeline that was given up goes on behind a shield, and yet gives its connection back at once.
"""

from tests.zoo.packages.redis_cancelled import run
from tests.zoo.packages.redis_pipeline import greet


def bad(net):
    run(net, "4.5.4", greet)


def good(net):
    run(net, "4.5.5", greet)
