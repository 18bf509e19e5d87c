/* Sends the reports of gcc's undefined behaviour sanitizer to a file.

   Linked into the interpreters that `make sanitize` builds, ours and the base.
   Where a program has the sanitizer for addresses as well, libubsan leaves the
   setup to that one, and with it the option log_path; but gcc gives each of the
   two a library with variables of its own, so that the option has no effect,
   and reports go to stderr, which tests keep from us or take for their own.
   UBSAN_OPTIONS cannot name the file, because libasan would take it for its.

   clang has one library for both, where the option works. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>


/* A mistake for who passes the largest int: it must be reported.  For the
   runner, which asks whether there is anybody who watches. */
int
sanitizer_probe(int number)
{
    return number + 1;
}


/* Before main(): nothing has been reported yet. */
__attribute__((constructor)) static void
send_reports(void)
{
    const char *path = getenv("UNDEFINED_REPORTS");
    void *library = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (path == NULL || library == NULL) {
        return;
    }
    void (*send)(const char *);
    *(void **)&send = dlsym(library, "__sanitizer_set_report_path");
    if (send == NULL) {
        fprintf(stderr, "libubsan cannot be told to report to %s\n", path);
        abort();
    }
    send(path);
}
