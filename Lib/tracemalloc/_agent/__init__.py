"""An agent beside programs that are traced, and not inside them.

    sources     the processes that are looked at: their records, or snapshots
    profiles    one profile of one process, or of many
    metrics     their figures in the text format of Prometheus
    page        the same for people
    answers     what answers have in common, also those of the viewer
    requests    what may be asked for, and by whom
    server      who listens, and for how long
    ingest      what a Pyroscope server takes
    pusher      what is sent there, and when
    deadline    reading that ends
    ending      SIGTERM and SIGINT

Nothing of this is loaded by a program that is traced: `serve` and `push` are
processes of their own, which read files.
"""
