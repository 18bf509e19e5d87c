"""Writing files: whole or not at all, and to nobody else's place.

All that writes files goes through write_file(): snapshots of either format
and interface, exports, and so what `run` and watch() write.  Only what
processes tell each other by lines of a file is added by add_line().

    regular file, or none   a file beside, without a name where the system has
                            such: of who is killed while writing nothing is
                            left; with its owner's rights only, and when it
                            is whole with its mode, and then the name
    the same, where none    a file without a name first, then copied over;
    can be made, or take    the old one stays until there is all of the new,
    its place: a mount, or  and room for it
    somebody else's file
    in a sticky folder
    pipe, device, ...       written to as it is
    link                    what it points to, by these rules; the link stays

In a folder where everybody may make files, as the one for temporary files, a
file or a link under a name that one can guess may be a trap.  There, links and
files of other users are refused, as Linux does if it is told to
(fs.protected_symlinks, fs.protected_regular).  The owner of the folder is
trusted.
"""

import errno
import io
import os
import stat
from time import sleep

# As many as Linux follows.
_MAX_LINKS = 40
_CHUNK = 1 << 18
# Seconds from one look for who reads a pipe to the next.
_LOOK_AGAIN = 0.05
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# What tells that data have no place; others tell what cannot be done here.
_NO_PLACE = (errno.ENOSPC, errno.EFBIG, errno.EIO,
             getattr(errno, "EDQUOT", errno.ENOSPC))
# What tells that a folder takes no file, or none in the place of that one.
_NO_FOLDER = (errno.EACCES, errno.EPERM, errno.EROFS)


def tell_wait(filename):
    """Is called before writing waits until somebody reads a pipe.

    Commands put something here that tells their users.
    """


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
        with _open_in_place(target, status) as stream:
            write(stream)
        return
    # What may not be written to must not be replaced either.
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    beside = _open_beside(target, may_fail=status is not None)
    if beside is None:
        with _unnamed() as whole:
            write(whole)
            whole.flush()
            _copy_over(target, whole)
        return
    descriptor, name = beside
    try:
        with open(descriptor, "w+b") as stream:
            write(stream)
            _complete(stream, target, status)
            if name is None:
                name = _name_beside(target, stream, status)
        if name is not None:
            _put_in_place(name, target)
    except BaseException:
        if name is not None:
            _attempt(os.unlink, name)
        raise


def add_line(filename, line, may_create):
    """Add a line of bytes to a file of lines that several processes share.

    It is there as a whole, and between others.  A new file is readable by its
    owner only; unless one may be made, FileNotFoundError is raised.
    """
    flags = os.O_WRONLY | os.O_APPEND | _FLAGS | getattr(os, "O_NOFOLLOW", 0)
    if may_create:
        flags |= os.O_CREAT
    descriptor = os.open(filename, flags, 0o600)
    try:
        check_owner(filename, os.fstat(descriptor))
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def check_place(filename):
    """Raise OSError if it can be told that no file can be written there."""
    try:
        target, status, is_replaced = _find(os.fsdecode(filename))
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such folder",
                                error.filename) from None
    folder = os.path.dirname(target) or "."
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR),
                                target)
    if not os.access(folder if status is None else target, os.W_OK):
        what = "folder" if status is None else "file"
        raise PermissionError(errno.EACCES, f"the {what} is not writable",
                              folder if status is None else target)


def _open_in_place(target, status):
    """Open what is no regular file for writing.

    Of a pipe with a name that nobody reads yet, tell_wait() is told first.
    """
    if status is None or not stat.S_ISFIFO(status.st_mode):
        return open(target, "wb")
    is_told = False
    while True:
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK | _FLAGS)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        else:
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise FileExistsError(
                    errno.EEXIST, "a file has taken the place of the pipe",
                    target)
            os.set_blocking(descriptor, True)
            return open(descriptor, "wb")
        if not is_told:
            tell_wait(target)
            is_told = True
        # A signal that comes just before open() would not end its waiting.
        sleep(_LOOK_AGAIN)


def _open(name, flags):
    """Return a descriptor to write to."""
    return _lifted(os.open(name, flags | _FLAGS, 0o600))


def _lifted(descriptor):
    """Let a descriptor have a number that is none of the first three.

    Who runs without standard streams may have code that writes to them.
    """
    low = []
    try:
        while descriptor < 3:
            low.append(descriptor)
            descriptor = os.dup(descriptor)
    finally:
        for number in low:
            os.close(number)
    return descriptor


def _open_beside(target, may_fail):
    """Return a new file's descriptor and name, which is None if it has none.

    If *may_fail*, None where no file can be made.
    """
    descriptor = _open_unnamed(os.path.dirname(target) or ".")
    if descriptor is not None:
        return descriptor, None
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        return _new_beside(target, lambda name: _open(name, flags))
    except OSError as error:
        if may_fail and error.errno in _NO_FOLDER:
            return None
        raise


def _open_unnamed(folder):
    """Return the descriptor of a file without a name, or None.

    None as well where it could not get a name later, for want of /proc: to
    copy it takes room for two.
    """
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        descriptor = _open(folder, os.O_RDWR | os.O_TMPFILE)
    except OSError:
        # Not all file systems have that.
        return None
    try:
        if os.path.samestat(os.stat(_link_to(descriptor)),
                            os.fstat(descriptor)):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _link_to(descriptor):
    """Return a name for what a descriptor stands for."""
    return f"/proc/self/fd/{descriptor}"


def _new_beside(target, make):
    """Return make(name), and the name, for one that nothing has yet."""
    folder = os.path.dirname(target)
    while True:
        name = f".tracemalloc-{os.getpid()}-{os.urandom(4).hex()}.tmp"
        name = os.path.join(folder, name)
        try:
            return make(name), name
        except FileExistsError:
            continue
        except OSError as error:
            # Of the other name nobody has heard.
            error.filename = target
            raise


def _name_beside(target, stream, status):
    """Give a file without a name that of the target, if that is free.

    Otherwise return the name that it has now, beside the target.
    """
    if status is None:
        try:
            _link(stream, target)
        except OSError:
            # Somebody else has made one, or this may not be done here.
            pass
        else:
            return None
    try:
        _, name = _new_beside(target, lambda name: _link(stream, name))
    except OSError:
        name = _copy_beside(target, stream, status)
    return name


def _link(stream, name):
    """Give a file without a name one."""
    # With a folder's descriptor, which an absolute name needs none of, as
    # otherwise the link itself would be meant.
    descriptor = stream.fileno()
    os.link(_link_to(descriptor), name, src_dir_fd=descriptor,
            follow_symlinks=True)


def _copy_beside(target, whole, status):
    """Make a copy of a file that may not get a name; return that of the copy.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor, name = _new_beside(target, lambda name: _open(name, flags))
    try:
        with open(descriptor, "wb") as stream:
            _copy(whole, stream)
            _complete(stream, target, status)
    except BaseException:
        _attempt(os.unlink, name)
        raise
    return name


def _unnamed():
    """Return a new file that goes away when it is closed."""
    from tempfile import TemporaryFile

    try:
        with TemporaryFile() as file:
            return open(_lifted(os.dup(file.fileno())), "w+b")
    except OSError:
        # As in a container in which nothing but one file can be written to.
        return io.BytesIO()


def _complete(stream, target, status):
    """Make a file that has all its data ready to take the target's place."""
    stream.flush()
    if status is not None:
        _secure(stream.fileno())
    _take_over(stream.fileno(), target, status)


def _secure(descriptor):
    """Have a file on its disk before it takes the place of another one."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _NO_PLACE:
            raise


def _put_in_place(name, target):
    """Give a complete file its name."""
    try:
        os.replace(name, target)
    except OSError as error:
        # What is mounted there, as containers do with single files, cannot
        # be replaced; nor what belongs to somebody else in a sticky folder.
        if error.errno not in (errno.EBUSY, *_NO_FOLDER):
            raise
        with open(name, "rb") as whole:
            _copy_over(target, whole)
        os.unlink(name)


def _take_over(descriptor, target, status):
    """Give a file owner and rights of the one that it is to replace, if any.

    There are file systems without rights, and owners that only the superuser
    can give a file to.  Nobody may read the new one who could not read the
    old one.
    """
    if not hasattr(os, "fchmod"):
        return
    mode = 0o666 & ~_umask()
    if status is not None:
        mode = stat.S_IMODE(status.st_mode)
        mine = os.fstat(descriptor)
        if status.st_uid != mine.st_uid:
            _attempt(os.fchown, descriptor, status.st_uid, -1)
        if status.st_gid != mine.st_gid:
            _attempt(os.fchown, descriptor, -1, status.st_gid)
        mine = os.fstat(descriptor)
        if mine.st_uid != status.st_uid:
            mode &= ~stat.S_ISUID
        if (mine.st_gid != status.st_gid
                or not _copy_access_list(descriptor, target)):
            # Another group has the rights of those who are in none.
            mode &= ~(stat.S_ISGID | stat.S_IRWXG)
            mode |= (mode & stat.S_IRWXO) << 3
    _attempt(os.fchmod, descriptor, mode)


_ACCESS_LIST = "system.posix_acl_access"


def _copy_access_list(descriptor, target):
    """Copy who may do what beyond the mode; return whether that is equal."""
    if not hasattr(os, "getxattr"):
        return True
    try:
        rights = os.getxattr(target, _ACCESS_LIST)
    except OSError:
        # There is no such list, or none on this file system.  Folders may
        # give one to new files.
        _attempt(os.removexattr, descriptor, _ACCESS_LIST)
        return True
    return _attempt(os.setxattr, descriptor, _ACCESS_LIST, rights)


def _attempt(function, *arguments):
    """Call a function of the system; return whether it could do it."""
    try:
        function(*arguments)
    except OSError:
        return False
    return True


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


def _copy_over(target, whole):
    """Copy into a file that no other can take the place of."""
    size = whole.seek(0, os.SEEK_END)
    # Links have been followed.
    flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with open(_open(target, flags), "wb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileExistsError(
                errno.EEXIST, "something has taken the place of the file",
                target)
        check_owner(target, status)
        _make_room(stream, size)
        _copy(whole, stream)
        stream.truncate()


def _copy(whole, stream):
    whole.seek(0)
    while chunk := whole.read(_CHUNK):
        stream.write(chunk)


def _make_room(stream, size):
    """Raise OSError, and leave a file as it is, if it cannot get as large."""
    old = os.fstat(stream.fileno()).st_size
    if size <= old or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(stream.fileno(), old, size - old)
    except OSError as error:
        stream.truncate(old)
        if error.errno in _NO_PLACE:
            raise


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
    # The folder that we are in may have no name that can be used: it may be
    # too deep, or below one that we may not look into.
    folder, links = "/" if filename.startswith("/") else "", 0
    while waiting:
        part = waiting.pop()
        path = os.path.join(folder, part)
        if part == "..":
            folder = _above(folder)
            continue
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
            if _is_of_process(path, status):
                # As /dev/stdout: what it tells is no name of what is open.
                if not waiting:
                    return filename, os.stat(filename), False
                folder = path
                continue
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
    return folder or ".", os.stat(folder or "."), False


def _above(folder):
    """Return the folder above one that _find() has come to."""
    # A link that is left is one of /proc.
    if (folder in ("", "..") or folder.endswith("/..")
            or os.path.islink(folder)):
        return os.path.join(folder, "..")
    return os.path.dirname(folder)


def _is_of_process(path, status):
    """Whether a link stands for what a process has open, as /proc has them."""
    if path.startswith("/proc/"):
        return True
    try:
        return status.st_dev == os.lstat("/proc/self").st_dev
    except OSError:
        return False


def _parts(path):
    """Return the parts of a path, the last one first."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.endswith("/") and parts:
        # What is no folder must not pass for one.
        parts.append(".")
    return parts[::-1]


def check_owner(path, status):
    """Raise PermissionError if *path* may be a trap; see the module's head."""
    folder = os.stat(os.path.dirname(path) or ".")
    everybodys = stat.S_ISVTX | stat.S_IWOTH
    if (folder.st_mode & everybodys == everybodys
            and status.st_uid not in (os.geteuid(), folder.st_uid)):
        what = "link" if stat.S_ISLNK(status.st_mode) else "file"
        raise PermissionError(
            errno.EACCES, f"the {what} belongs to another user, in a folder "
            "where everybody may make some; choose another name", path)
