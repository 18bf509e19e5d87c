"""How the bytes of a record lie: see Doc/library/tracemalloc-record.rst.

    page 0      the head, written once
    pages 1, 2  the two newest checkpoints, in turn
    the others  what these refer to; see the page above

All numbers are little-endian.
"""

import struct

# As in snapshot files: damage by a transfer as text is seen at once.
MAGIC = b"\x89TMR\r\n\x1a\n"
VERSION = 1
ORDER = 0x0A0B0C0D
PAGE = 4096

# Everything of a page but its last four bytes, which are their CRC-32.
CHECKED = PAGE - 4
CRC = struct.Struct("<I")

HEAD = struct.Struct("<8sHHIIIQQQIIII16sQ16sIIQIII")
HEAD_FIELDS = (
    "magic", "major", "minor", "order", "head_size", "page_size", "size",
    "started", "process_start", "pid", "parent", "session", "flags",
    "boot", "namespace", "family", "limit", "command_size",
    "sample_interval", "user", "version_size", "reserved")

# Bits of flags.
LOCKED = 1

CHECKPOINT_MAGIC = b"TMRCHECK"
CHECKPOINT = struct.Struct("<8sQQII15Q")
CHECKPOINT_FIELDS = (
    "magic", "sequence", "written", "state", "generation", "current", "peak",
    "blocks", "rss", "dropped", "lost", "lost_bytes", "lost_blocks",
    "lost_peak_bytes", "lost_peak_blocks", "reclaimed_blocks",
    "reclaimed_bytes", "tracer_memory", "longest_pause", "bytes_written")
STATES = ("running", "stopped", "exited")

# What a checkpoint has of each table, in the order of TABLES.  The last one
# is of version 1.1, and lies in front of the others; where 1.0 has zeros.
TABLE = struct.Struct("<QII")
TABLES = ("names", "codes", "nodes", "contexts", "few", "counters", "threads",
          "timeline", "accounts")
_FIRST_AT = CHECKPOINT.size + TABLE.size
LIST_SIZE = struct.Struct("<II")
LIST_AT = _FIRST_AT + (len(TABLES) - 1) * TABLE.size
TABLES_AT = {
    name: CHECKPOINT.size if name == "accounts"
    else _FIRST_AT + number * TABLE.size
    for number, name in enumerate(TABLES)}
# Where pages are, and the CRC-32 of each.
PLACE = struct.Struct("<II")
MOST_LISTS = (CHECKED - LIST_AT - LIST_SIZE.size) // PLACE.size
PER_LIST = PAGE // PLACE.size

# Bytes of an item of each table but names.
ITEMS = {"codes": 8, "nodes": 12, "contexts": 28, "few": 12, "counters": 48,
         "threads": 40, "timeline": 40, "accounts": 4}
# How many there may be; writers have fewer threads, and pages take no room in
# files with holes.
MOST_ITEMS = {"threads": 4096, "timeline": 1024}
MOST_PAGES = (512 << 20) // PAGE
THREAD = struct.Struct("<QQqQII")
TIMELINE = struct.Struct("<QQQQQ")
