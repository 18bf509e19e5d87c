# Write a snapshot with the trace of each block into a file.
import pytracemalloc as tracemalloc

tracemalloc.enable()

# Here runs the application.
table = [[column * row for column in range(50)] for row in range(100, 200)]

snapshot = tracemalloc.Snapshot.create(traces=True)
snapshot.write('snapshot.pickle')
