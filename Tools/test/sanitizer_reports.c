/* Sees to it that the sanitizers' reports reach a file, all of them and whole.

   Linked into the interpreters that `make sanitize` builds, ours and the base.
   gcc gives each of its sanitizers a library with variables of its own, and
   all of them export the function that sets the path of reports.  libubsan,
   at its first report, calls it with what UBSAN_OPTIONS says of log_path, and
   gets that of libasan, which comes first: so the option sends the other's
   reports to that path, and its own stay on stderr, which tests keep from us
   or take for theirs.  Here libubsan's own function is called.

   clang has one library for both, where the option works. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


/* A mistake for who passes the largest int: it must be reported.  For the
   runner, which asks whether there is anybody who watches. */
int
sanitizer_probe(int number)
{
    return number + 1;
}


/* libasan's, if it is there. */
__attribute__((weak)) int __asan_report_present(void);


/* At exit(): a thread that is writing a report needs the process until it has
   written it. */
__attribute__((destructor)) static void
wait_for_report(void)
{
    while (__asan_report_present != NULL && __asan_report_present()) {
        usleep(1000);
    }
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
