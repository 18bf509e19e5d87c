"""Writing files: whole or not at all, and to nobody else's place.

All that writes files goes through write_file(): snapshots of either format
and interface, exports, and so what `run` and watch() write.

    regular file, or none   a file beside, readable by its owner only, which
                            gets its mode and then the name when it is whole
    the same, in a folder   a file without a name first, then copied over;
    where none can be made  the old one stays until there is all of the new
    pipe, device, ...       written to as it is
    link                    what it points to, by these rules; the link stays

In a folder where everybody may make files, as the one for temporary files, a
file or a link under a name that one can guess may be a trap.  There, links and
files of other users are refused, as Linux does if it is told to
(fs.protected_symlinks, fs.protected_regular).  The owner of the folder is
trusted.
"""

import errno
import os
import stat
from contextlib import suppress

# As many as Linux follows.
_MAX_LINKS = 40
_CHUNK = 1 << 18


def write_file(filename, write):
    """Have write(stream) make the file, which is there only when complete.

    *filename* is a name, or a descriptor, which is written to as it is.  The
    stream is binary.  Raises OSError, and what *write* raises.
    """
    if isinstance(filename, int):
        with open(filename, "wb") as stream:
            write(stream)
        return
    target, status, is_replaced = _find(os.fsdecode(filename))
    if not is_replaced:
        with open(target, "wb") as stream:
            write(stream)
        return
    # What may not be written to must not be replaced either.
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    beside = _open_beside(target, may_fail=status is not None)
    if beside is None:
        _copy_over(target, write)
        return
    descriptor, name = beside
    try:
        with open(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            _take_over(descriptor, status)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def check_place(filename):
    """Raise OSError if it can be told that no file can be written there."""
    try:
        target, status, is_replaced = _find(os.fsdecode(filename))
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such folder",
                                error.filename) from None
    folder = os.path.dirname(target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR),
                                target)
    if not os.access(folder if status is None else target, os.W_OK):
        what = "folder" if status is None else "file"
        raise PermissionError(errno.EACCES, f"the {what} is not writable",
                              folder if status is None else target)


def _open_beside(target, may_fail):
    """Return a new file's descriptor and name.

    If *may_fail*, None where no file can be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    folder = os.path.dirname(target)
    while True:
        name = f".tracemalloc-{os.getpid()}-{os.urandom(4).hex()}.tmp"
        name = os.path.join(folder, name)
        try:
            return os.open(name, flags, 0o600), name
        except FileExistsError:
            continue
        except PermissionError:
            if not may_fail:
                raise
            return None


def _take_over(descriptor, status):
    """Give a file owner and mode of the one that it is to replace, if any."""
    if not hasattr(os, "fchmod"):
        return
    mode = 0o666 & ~_umask()
    # There are file systems without permissions, and owners that only the
    # superuser can give a file to.
    if status is not None:
        mode = stat.S_IMODE(status.st_mode)
        mine = os.fstat(descriptor)
        owner = status.st_uid, status.st_gid
        if owner != (mine.st_uid, mine.st_gid):
            with suppress(OSError):
                os.fchown(descriptor, *owner)
    with suppress(OSError):
        os.fchmod(descriptor, mode)


def _umask():
    """Return the mask of new files' modes, without changing it if possible."""
    try:
        with open("/proc/self/status", "rb") as stream:
            for line in stream:
                if line.startswith(b"Umask:"):
                    return int(line.split()[1], 8)
    except (OSError, ValueError, IndexError):
        pass
    # Meanwhile, what other threads make is private.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _copy_over(target, write):
    """Write into a file that no other can take the place of."""
    import tempfile

    with tempfile.TemporaryFile() as whole:
        write(whole)
        whole.flush()
        whole.seek(0)
        with open(target, "r+b") as stream:
            while chunk := whole.read(_CHUNK):
                stream.write(chunk)
            stream.truncate()


# Whose place it is


def _find(filename):
    """Return what a name stands for, its status, and if it is replaced.

    The name is without links then.  The status is None if there is no such
    file.  Raises PermissionError for what others have put into a folder for
    everybody.
    """
    if os.name != "posix" or not filename:
        target = os.path.realpath(filename) if filename else filename
        try:
            status = os.stat(target)
        except FileNotFoundError:
            return target, None, bool(filename)
        return target, status, stat.S_ISREG(status.st_mode)
    waiting = _parts(filename)
    if not filename.startswith("/"):
        waiting += _parts(os.getcwd())
    folder, links = "/", 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            folder = os.path.dirname(folder)
            continue
        path = os.path.join(folder, part)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            if waiting:
                raise
            return path, None, True
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), filename)
            check_owner(path, status)
            if path.startswith("/proc/"):
                # As /dev/stdout: what it tells is no name of what is open.
                return filename, os.stat(filename), False
            to = os.readlink(path)
            waiting += _parts(to)
            if to.startswith("/"):
                folder = "/"
        elif waiting:
            folder = path
        else:
            if not stat.S_ISDIR(status.st_mode):
                check_owner(path, status)
            return path, status, stat.S_ISREG(status.st_mode)
    # A name that ends in '..', or '/'.
    return folder, os.stat(folder), False


def _parts(path):
    """Return the parts of a path, the last one first."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.endswith("/") and parts:
        # What is no folder must not pass for one.
        parts.append(".")
    return parts[::-1]


def check_owner(path, status):
    """Raise PermissionError if *path* may be a trap; see the module's head."""
    folder = os.stat(os.path.dirname(path))
    everybodys = stat.S_ISVTX | stat.S_IWOTH
    if (folder.st_mode & everybodys == everybodys
            and status.st_uid not in (os.geteuid(), folder.st_uid)):
        what = "link" if stat.S_ISLNK(status.st_mode) else "file"
        raise PermissionError(
            errno.EACCES, f"the {what} belongs to another user, in a folder "
            "where everybody may make some; choose another name", path)
