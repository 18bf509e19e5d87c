/* The format of records: Doc/library/tracemalloc-record.rst says it in words.

   All numbers are little-endian; le16() and the like make them so, and cost
   nothing where they are already. */

#ifndef TRACEMALLOC_RECORD_FORMAT_H
#define TRACEMALLOC_RECORD_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_PAGE ((size_t)4096)
#define RECORD_CHECKED (RECORD_PAGE - sizeof(uint32_t))
#define RECORD_MAJOR 1
#define RECORD_MINOR 1
#define RECORD_ORDER 0x0a0b0c0du
#define RECORD_SUFFIX ".tmrec"

/* Page 0 has the head, pages 1 and 2 have checkpoints. */
#define RECORD_FIRST_PAGE 3

/* Bytes of a record: at least what a small program needs, at most what the
   lists of one checkpoint can name. */
#define MIN_RECORD_SIZE ((uint64_t)1 << 19)
#define MAX_RECORD_SIZE ((uint64_t)1 << 29)
#define DEFAULT_RECORD_SIZE ((uint64_t)16 << 20)

#define RECORD_MAGIC "\x89TMR\r\n\x1a\n"
#define CHECKPOINT_MAGIC "TMRCHECK"
#define MAGIC_SIZE 8

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#  define le16(x) __builtin_bswap16(x)
#  define le32(x) __builtin_bswap32(x)
#  define le64(x) __builtin_bswap64(x)
#else
#  define le16(x) ((uint16_t)(x))
#  define le32(x) ((uint32_t)(x))
#  define le64(x) ((uint64_t)(x))
#endif

/* Texts follow: the arguments, each with a zero behind, and the version of
   Python.  The last 4 bytes of the page are the CRC-32 of all before. */
struct record_head {
    unsigned char magic[8];
    uint16_t major;
    uint16_t minor;
    uint32_t order;
    uint32_t head_size;
    uint32_t page_size;
    uint64_t size;              /* of the file */
    uint64_t started;           /* Unix time in nanoseconds */
    uint64_t process_start;     /* clock ticks since boot; 0: not known */
    uint32_t pid;
    uint32_t parent;
    uint32_t session;
    uint32_t flags;             /* enum record_flags */
    unsigned char boot[16];     /* of this machine; zeros: not known */
    uint64_t name_space;        /* of `pid` */
    unsigned char family[16];
    uint32_t limit;             /* frames that tracebacks have at most */
    uint32_t command_size;
    uint64_t sample_interval;   /* bytes; 0: every block is traced */
    uint32_t user;
    uint32_t version_size;
    uint32_t reserved;
};

#define RECORD_TEXTS 132

enum record_flags {
    RECORD_LOCKED = 1,          /* the writer holds a lock while it lives */
};

enum record_state {
    RECORD_RUNNING,
    RECORD_STOPPED,             /* tracing stopped */
    RECORD_EXITED,              /* the interpreter was finalized */
};

enum record_table_number {
    TABLE_NAMES,
    TABLE_CODES,
    TABLE_NODES,
    TABLE_CONTEXTS,
    TABLE_FEW,
    TABLE_COUNTERS,
    TABLE_THREADS,
    TABLE_TIMELINE,
    TABLE_ACCOUNTS,
    RECORD_TABLES
};

/* Those of version 1.0, which have their extents behind the checkpoint; that
   of accounts is in what was reserved there. */
#define FIRST_TABLES TABLE_ACCOUNTS

struct record_extent {
    uint64_t length;            /* bytes */
    uint32_t pages;
    uint32_t reserved;
};

/* What a checkpoint says of itself; then its tables, and the pages with the
   lists of their pages. */
struct record_checkpoint {
    unsigned char magic[8];
    uint64_t sequence;
    uint64_t written;           /* Unix time in nanoseconds */
    uint32_t state;             /* enum record_state */
    uint32_t generation;        /* of the numbers in the tables */
    uint64_t current;
    uint64_t peak;
    uint64_t blocks;
    uint64_t rss;
    uint64_t dropped;
    uint64_t lost;              /* contexts without room */
    uint64_t lost_bytes;        /* that these hold */
    uint64_t lost_blocks;
    uint64_t lost_peak_bytes;   /* that these held at the peak */
    uint64_t lost_peak_blocks;
    uint64_t reclaimed_blocks;
    uint64_t reclaimed_bytes;
    uint64_t tracer_memory;
    uint64_t longest_pause;     /* nanoseconds */
    uint64_t bytes_written;     /* before this checkpoint */
    struct record_extent accounts;
};

struct record_place {
    uint32_t page;
    uint32_t check;             /* CRC-32 of it */
};

struct record_checkpoint_page {
    struct record_checkpoint about;
    struct record_extent tables[FIRST_TABLES];
    uint32_t nlists;
    uint32_t reserved;
    struct record_place lists[(RECORD_CHECKED
                               - sizeof(struct record_checkpoint)
                               - FIRST_TABLES * sizeof(struct record_extent)
                               - 2 * sizeof(uint32_t))
                              / sizeof(struct record_place)];
    uint32_t rest;
    uint32_t check;
};

/* Items of the tables; numbers of others begin with 1. */
struct record_code {
    uint32_t file;              /* name */
    uint32_t function;          /* name */
};

struct record_node {
    uint32_t parent;            /* node; 0: the root */
    uint32_t code;              /* 0: the root of a thread */
    uint32_t line;              /* or tm_root_line(): the thread's slot, and
                                   the account times all slots */
};

struct record_context {
    uint32_t node;
    uint32_t code;              /* 0: no frame */
    uint32_t line;
    uint32_t end_line;          /* ~0: not known, like the next two */
    uint32_t column;
    uint32_t end_column;
    uint32_t domain;
};

/* Of a context that allocated little; or where its counters are. */
struct record_few {
    union {
        struct {
            uint16_t allocated_bytes;
            uint16_t freed_bytes;
        };
        uint32_t counters;      /* number, if has_counters */
    };
    uint16_t peak_bytes;
    uint8_t allocated_blocks;
    uint8_t freed_blocks;
    uint8_t peak_blocks;
    uint8_t zeros[2];
    uint8_t has_counters;
};

struct record_counters {
    uint64_t allocated_blocks;
    uint64_t freed_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_bytes;
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

struct record_thread {
    uint64_t native_id;
    uint64_t ident;
    int64_t interpreter;
    uint64_t threads;           /* that had this number, one by one */
    uint32_t name;              /* 0: not known */
    uint32_t reserved;
};

struct record_moment {
    uint64_t time;              /* Unix time in nanoseconds */
    uint64_t current;
    uint64_t peak;
    uint64_t rss;
    uint64_t blocks;
};

/* The table of accounts has a uint32_t for each: its name, or 0. */

#endif  /* !TRACEMALLOC_RECORD_FORMAT_H */
