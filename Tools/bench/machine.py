"""Facts about the machine that a measurement ran on."""
import datetime
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def first_line(path, key=None):
    """The first line of a file, or what follows `key :` in it;
    None without the file.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if key is None:
                    return line.strip()
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        return None
    return None


def git_commit():
    """The repository's commit, with "+" when files differ from it;
    None outside git.
    """
    def git(*arguments):
        answer = subprocess.run(["git", "-C", str(ROOT), *arguments],
                                capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit and commit + ("+" if git("status", "--porcelain")
                                    else "")
    except FileNotFoundError:
        return None


def memory_size():
    text = first_line("/proc/meminfo", "MemTotal")
    return int(text.split()[0]) * 1024 if text else None


def describe_machine():
    return {
        "cpu": first_line("/proc/cpuinfo", "model name")
               or platform.processor() or "unknown",
        "cores": os.cpu_count(), "memory": memory_size(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "address_randomisation": first_line(
            "/proc/sys/kernel/randomize_va_space"),
        "governor": first_line(
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.date.today().isoformat(), "commit": git_commit(),
    }
