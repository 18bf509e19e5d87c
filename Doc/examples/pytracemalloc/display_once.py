# Show the 50 lines that hold most memory.
import pytracemalloc as tracemalloc

tracemalloc.enable()

# Here runs the application: some words, and where they are found.
words = {}
for number, word in enumerate("the quick brown fox jumps".split() * 2000):
    words.setdefault(word + str(number % 97), []).append(number)

tracemalloc.DisplayTop().display(50)
