# Show the files that hold most memory, whenever memory moved by more than 5
# MiB, and every minute; sizes only.
import pytracemalloc as tracemalloc

task = tracemalloc.DisplayTopTask(25, group_by='filename')
task.display_top.count = False
task.display_top.average = False
task.display_top.metrics = False
task.set_memory_threshold(5 * 1024 * 1024)
task.set_delay(60)
tracemalloc.enable()
task.schedule()

# Here runs the application: it grows in three steps.
pages = []
for _ in range(3):
    pages.append(bytearray(6 * 1024 * 1024))
