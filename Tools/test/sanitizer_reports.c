/* Sends the reports of gcc's undefined behaviour sanitizer to a file.

   Linked into the interpreters that `make sanitize` builds, ours and the base.
   Where a program has the sanitizer for addresses as well, libubsan leaves the
   setup to that one, and with it the option log_path; but gcc gives each of the
   two a library with variables of its own, so that the option has no effect,
   and reports go to stderr, which tests keep from us or take for their own.

   clang has one library for both, where the option works. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


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
    static const char option[] = "log_path=";
    char path[4096];
    const char *options = getenv("UBSAN_OPTIONS");
    const char *begin = options ? strstr(options, option) : NULL;
    void *library = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (begin == NULL || library == NULL) {
        return;
    }
    begin += strlen(option);
    size_t length = strcspn(begin, ":");
    void (*send)(const char *);
    *(void **)&send = dlsym(library, "__sanitizer_set_report_path");
    if (send == NULL || length >= sizeof(path)) {
        fprintf(stderr, "libubsan cannot be told to report to %s\n", begin);
        abort();
    }
    memcpy(path, begin, length);
    path[length] = 0;
    send(path);
}
