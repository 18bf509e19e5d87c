"""What is compared with what: two builds, with tracing off and on."""
import collections

from measure import RECORDS, shown_path

BASE = "stock-off"                      # what every ratio refers to
EVERY_FRAME = "fork-all"
REPORTED = "fork-25"                    # whose snapshots the commands read
RECORD = "fork-record"                  # EVERY_FRAME that keeps a record

# The largest number that -X tracemalloc takes.
ALL_FRAMES = 65535

# A traced stock build takes 5 to 200 times as long, so it runs a part of the
# loops; times are compared loop by loop.
STOCK_SHARE = 8


class Configuration(collections.namedtuple("Configuration",
                                           "name label build tracing")):
    """A build ("stock" or "fork") and the value of -X tracemalloc,
    None for off.
    """

    __slots__ = ()

    @property
    def options(self):
        return ([] if self.tracing is None
                else ["-X", f"tracemalloc={self.tracing}"])

    @property
    def shown_options(self):
        """The options as they may be published."""
        return " ".join(self.options).replace(str(RECORDS),
                                              shown_path(RECORDS))

    @property
    def keeps_record(self):
        return "record" in (self.tracing or "")

    @property
    def slow(self):
        return self.build == "stock" and self.tracing is not None

    def loops(self, loops):
        return max(1, loops // STOCK_SHARE) if self.slow else loops


CONFIGURATIONS = (
    Configuration(BASE, "stock", "stock", None),
    Configuration("fork-off", "off", "fork", None),
    Configuration("fork-1", "on, 1", "fork", "1"),
    Configuration("fork-25", "on, 25", "fork", "25"),
    Configuration(EVERY_FRAME, "on, all", "fork", str(ALL_FRAMES)),
    Configuration(RECORD, "record", "fork", f"{ALL_FRAMES},record={RECORDS}"),
    Configuration("fork-sampled", "sampled", "fork", "25,sample=512KiB"),
    Configuration("stock-1", "stock 1", "stock", "1"),
    Configuration("stock-25", "stock 25", "stock", "25"),
)

BY_NAME = {configuration.name: configuration
           for configuration in CONFIGURATIONS}
SLOW = frozenset(configuration.name for configuration in CONFIGURATIONS
                 if configuration.slow)
