"""What records remember: memory over time, how fresh they are, how they ended.

A record has a ring of moments; of several processes it is the sum of what each
told last.  Who has ended holds nothing any more, but had its peak.
"""

# More moments than these make no other picture.
MOST = 2048

# State of a record -> what a reader is told.
_STATES = {
    "running": "was running", "stopped": "tracing was stopped",
    "exited": "exited",
    "gone": "gone: killed, crashed, or replaced by another program",
}


def history_of(pictures, now):
    """Return what a page has of Pictures of records, as a dict; None of none.

    state   -- how the processes were, as a text
    written -- Unix time of the newest figures, in seconds
    age     -- seconds from then to *now*, a Unix time; 0 of what lies ahead
    time, traced, peak, rss
            -- lists by moment, in seconds since the Epoch and bytes; rss is
               None where the system did not tell
    """
    if not pictures:
        return None
    written = max(picture.written for picture in pictures) / 1e9
    moments = _moments(pictures)
    return {
        "state": _state(pictures), "written": round(written, 3),
        "age": round(max(now - written, 0), 3),
        **{name: [moment[place] for moment in moments] for place, name
           in enumerate(("time", "traced", "peak", "rss"))},
    }


def belongs(pictures, metadata):
    """Whether snapshots are of the one process that a record is of.

    *metadata* are those of the snapshots.
    """
    if len(pictures) != 1:
        return False
    picture, = pictures
    return all(
        each.get("pid") == picture.pid
        and isinstance(each.get("time"), (int, float))
        and picture.started / 1e9 <= each["time"] <= picture.written / 1e9
        for each in metadata)


def _state(pictures):
    states = [picture.state for picture in pictures]
    if len(states) == 1:
        return _STATES[states[0]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in _STATES
                       if state in states)
    return f"{len(states)} processes: {counts}"


def _moments(pictures):
    """Return [(seconds, traced, peak, rss)], the oldest first."""
    events = []
    for process, picture in enumerate(pictures):
        own = sorted(picture.timeline)
        events += [(moment[0], 1, process, moment[1:]) for moment in own]
        if own and picture.state != "running":
            # Behind what others tell of the same moment.
            events.append((own[-1][0], 2, process, (0, own[-1][2], 0)))
    events.sort(key=lambda event: event[:3])
    # What ended last has not ended on the picture.
    while events and events[-1][1] == 2:
        events.pop()
    now, found = {}, []
    for time, _, process, figures in events:
        now[process] = figures
        traced, peak, rss = map(sum, zip(*now.values()))
        known = all(each[2] or not each[0] for each in now.values())
        moment = (round(time / 1e9, 3), traced, peak, rss if known else None)
        if found and found[-1][0] == moment[0]:
            found[-1] = moment
        else:
            found.append(moment)
    step = -(-len(found) // MOST) or 1
    # The newest is always there.
    return found[::-step][::-1]
