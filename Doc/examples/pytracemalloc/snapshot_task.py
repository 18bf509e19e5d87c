# Write a snapshot into a numbered file, whenever memory moved by more than
# 5 MiB, and every minute.
import pytracemalloc as tracemalloc

task = tracemalloc.TakeSnapshotTask(traces=True)
task.set_memory_threshold(5 * 1024 * 1024)
task.set_delay(60)
tracemalloc.enable()
task.schedule()

# Here runs the application: it grows in three steps.
pages = []
for _ in range(3):
    pages.append(bytearray(6 * 1024 * 1024))
