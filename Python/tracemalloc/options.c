/* The options of tracing: NFRAME[,key=value...].

   Called by Python/initconfig.c, which reads NFRAME as it always did; so a
   plain number means what it means in any CPython, with the same messages.

   The only key is `sample`.  Its value is a number of bytes, with a unit
   behind it or nothing: the sampling interval.  The command line takes the
   place of the environment variable as a whole. */

#include "Python.h"
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tracemalloc.h"
#include "state.h"

#include <stdio.h>                // snprintf()

#define NFRAME_ROOM 32
#define TEXT_ROOM 256

/* What is wrong, which must stay, as the caller's status only points to it. */
static char message[2 * TEXT_ROOM];


static const char *
wrong(const char *origin, const char *format, const char *what)
{
    int used = snprintf(message, sizeof(message), "%s: ", origin);
    snprintf(message + used, sizeof(message) - used, format, what);
    return message;
}


/* The unit behind a number, as a power of two; -1 if it is none.  K, KB and
   KiB are 1024, as for the command line (Lib/tracemalloc/_cli/units.py). */
static int
unit_parse(const char *text)
{
    static const char prefixes[] = "kmgt";
    int shift = 0;
    const char *found = NULL;
    if (*text != '\0') {
        found = strchr(prefixes, Py_TOLOWER(*text));
    }
    if (found != NULL) {
        shift = 10 * (int)(found - prefixes + 1);
        text++;
        if (Py_TOLOWER(text[0]) == 'i' && text[1] != '\0') {
            text++;
        }
    }
    if (Py_TOLOWER(*text) == 'b') {
        text++;
    }
    return *text == '\0' ? shift : -1;
}


/* A number of bytes with a unit: 1, or 0 if it is none or out of range. */
static int
size_parse(const char *text, uint64_t *size)
{
    uint64_t number = 0;
    const char *at = text;
    for (; '0' <= *at && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > MAX_SAMPLE_INTERVAL) {
            return 0;
        }
    }
    int shift = at != text ? unit_parse(at) : -1;
    if (shift < 0 || number > MAX_SAMPLE_INTERVAL >> shift) {
        return 0;
    }
    *size = number << shift;
    return *size != 0;
}


/* Read what stands behind the first comma; cuts it to pieces. */
static const char *
keys_parse(const char *origin, char *text, uint64_t *interval)
{
    for (char *next; text != NULL; text = next) {
        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *value = strchr(text, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (strcmp(text, "sample") != 0) {
            return wrong(origin, "unknown key '%.60s'; the only one is "
                         "'sample', as in 25,sample=512KiB", text);
        }
        if (*interval != 0) {
            return wrong(origin, "the key '%s' is given twice", text);
        }
        if (value == NULL || !size_parse(value, interval)) {
            return wrong(origin, "'%.60s' is no sampling interval; give a "
                         "number of bytes from 1 to 1TiB, with B, KB, MB, GB "
                         "or TB behind it or nothing, as in sample=512KB",
                         value != NULL ? value : "");
        }
    }
    return NULL;
}


/* Cut a text that has keys behind the number of frames, and read them. */
static const char *
text_parse(const char *origin, char *text, uint64_t *interval)
{
    if (strlen(text) == TEXT_ROOM - 1) {
        return wrong(origin, "the value is too long%s", "");
    }
    char *keys = strchr(text, ',');
    *keys++ = '\0';
    if (*text == '\0' || strlen(text) >= NFRAME_ROOM) {
        return wrong(origin, "invalid number of frames%s", "");
    }
    return keys_parse(origin, keys, interval);
}


const char *
_PyTraceMalloc_ReadOptions(const char **variable, const wchar_t **option)
{
    static char nframe[NFRAME_ROOM];
    static wchar_t wide[sizeof("tracemalloc=") + NFRAME_ROOM];
    const char *fault = NULL;
    uint64_t interval = 0;
    char text[TEXT_ROOM];

    if (*variable != NULL && strchr(*variable, ',') != NULL) {
        snprintf(text, sizeof(text), "%s", *variable);
        fault = text_parse("PYTHONTRACEMALLOC", text, &interval);
        if (fault == NULL) {
            memcpy(nframe, text, strlen(text) + 1);
            *variable = nframe;
        }
    }
    const wchar_t *value = NULL;
    if (fault == NULL && *option != NULL) {
        interval = 0;
        value = wcschr(*option, L'=');
    }
    if (value != NULL && wcschr(value, L',') != NULL) {
        size_t n = 0;
        for (value++; value[n] != L'\0' && n < sizeof(text) - 1; n++) {
            text[n] = L' ' <= value[n] && value[n] <= L'~' ? (char)value[n]
                                                           : '?';
        }
        text[n] = '\0';
        fault = text_parse("-X tracemalloc=NFRAME,sample=SIZE", text,
                           &interval);
        if (fault == NULL) {
            swprintf(wide, Py_ARRAY_LENGTH(wide), L"tracemalloc=%s", text);
            *option = wide;
        }
    }
    _PyTraceMalloc_State.option_interval = fault == NULL ? interval : 0;
    return fault;
}
