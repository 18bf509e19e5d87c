/* The options of tracing: NFRAME[,key=value...].

   Called by Python/initconfig.c, which reads NFRAME as it always did; so a
   plain number means what it means in any CPython, with the same messages.

       sample=SIZE         the sampling interval
       record[=PLACE]      keep a record (record/record.h)
       record_size=SIZE    that large

   A SIZE is a number of bytes, with a unit behind it or nothing.  The command
   line takes the place of the environment variable as a whole. */

#include "Python.h"
#include "pycore_fileutils.h"     // _Py_EncodeLocaleRaw()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tracemalloc.h"
#include "record/place.h"
#include "record/record.h"
#include "state.h"

#include <stdio.h>                // snprintf()

#define NFRAME_ROOM 32
#define TEXT_ROOM (PATH_MAX + 256)

/* What is wrong, which must stay, as the caller's status only points to it. */
static char message[512];

/* What the keys say. */
struct options {
    uint64_t interval;          /* bytes; 0: every block */
    uint64_t record_size;       /* bytes; 0: no record */
    int has_record;
    char place[PATH_MAX];       /* of the record; "": the private folder */
};

/* The place in the options that count. */
static char record_place[PATH_MAX];


static const char *
wrong(const char *origin, const char *format, const char *what)
{
    int used = snprintf(message, sizeof(message), "%s: ", origin);
    snprintf(message + used, sizeof(message) - used, format, what);
    for (char *at = message; *at != '\0'; at++) {
        if (*at < ' ' || '~' < *at) {
            *at = '?';
        }
    }
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


static const char *
sample_read(const char *origin, const char *value, struct options *options)
{
    if (options->interval != 0) {
        return wrong(origin, "the key '%s' is given twice", "sample");
    }
    if (value == NULL || !size_parse(value, &options->interval)) {
        return wrong(origin, "'%.60s' is no sampling interval; give a "
                     "number of bytes from 1 to 1TiB, with B, KB, MB, GB "
                     "or TB behind it or nothing, as in sample=512KB",
                     value != NULL ? value : "");
    }
    return NULL;
}


static const char *
record_read(const char *origin, const char *value, struct options *options)
{
    if (options->has_record) {
        return wrong(origin, "the key '%s' is given twice", "record");
    }
    options->has_record = 1;
    if (value != NULL && (*value == '\0'
                          || strlen(value) >= sizeof(options->place)))
    {
        return wrong(origin, "record=%s needs a file or a folder; without "
                     "'=', records are in a private folder", "");
    }
    strcpy(options->place, value != NULL ? value : "");
    return NULL;
}


static const char *
record_size_read(const char *origin, const char *value,
                 struct options *options)
{
    if (options->record_size != 0) {
        return wrong(origin, "the key '%s' is given twice", "record_size");
    }
    if (value == NULL || !size_parse(value, &options->record_size)
        || options->record_size < MIN_RECORD_SIZE
        || options->record_size > MAX_RECORD_SIZE)
    {
        return wrong(origin, "'%.60s' is no size of a record; give one from "
                     "512KiB to 512MiB, as in record_size=16MiB",
                     value != NULL ? value : "");
    }
    return NULL;
}


/* Read what stands behind the first comma; cuts it to pieces. */
static const char *
keys_parse(const char *origin, char *text, struct options *options)
{
    static const struct {
        const char *name;
        const char *(*read)(const char *, const char *, struct options *);
    } keys[] = {
        {"sample", sample_read},
        {"record", record_read},
        {"record_size", record_size_read},
    };
    for (char *next; text != NULL; text = next) {
        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *value = strchr(text, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        size_t i = 0;
        while (i < Py_ARRAY_LENGTH(keys) && strcmp(text, keys[i].name) != 0) {
            i++;
        }
        if (i == Py_ARRAY_LENGTH(keys)) {
            return wrong(origin, "unknown key '%.60s'; there are 'sample', "
                         "'record' and 'record_size', as in "
                         "25,sample=512KiB,record", text);
        }
        const char *fault = keys[i].read(origin, value, options);
        if (fault != NULL) {
            return fault;
        }
    }
    if (options->record_size != 0 && !options->has_record) {
        return wrong(origin, "record_size%s without record; add it, as in "
                     "25,record,record_size=64MiB", "");
    }
    return NULL;
}


/* Whether a key stands where the number of frames should.  What is no number
   otherwise is refused in CPython's own words. */
static int
begins_with_key(const char *text)
{
    return strncmp(text, "sample", 6) == 0 || strncmp(text, "record", 6) == 0;
}


/* The same of an option's text: what needs to be read here. */
static int
has_keys(const wchar_t *value)
{
    return wcschr(value, L',') != NULL || wcsncmp(value, L"sample", 6) == 0
           || wcsncmp(value, L"record", 6) == 0;
}


/* Cut a text that has keys behind the number of frames, and read them. */
static const char *
text_parse(const char *origin, char *text, struct options *options)
{
    if (strlen(text) == TEXT_ROOM - 1) {
        return wrong(origin, "the value is too long%s", "");
    }
    if (*text == ',' || begins_with_key(text)) {
        return wrong(origin, "the number of frames comes first, as in "
                     "25,%.60s", text + (*text == ','));
    }
    char *keys = strchr(text, ',');
    *keys++ = '\0';
    if (strlen(text) >= NFRAME_ROOM) {
        return wrong(origin, "invalid number of frames%s", "");
    }
    return keys_parse(origin, keys, options);
}


/* The same for the option's text behind '=', as the bytes that it was: in
   UTF-8 mode arguments are decoded as such, whatever the locale. */
static const char *
wide_parse(const wchar_t *value, char *text, struct options *options)
{
    const char *origin = "-X tracemalloc=NFRAME,KEY=VALUE";
    char *encoded = NULL;
    if (_Py_EncodeLocaleEx(value, &encoded, NULL, NULL, 0,
                           _Py_ERROR_SURROGATEESCAPE) != 0)
    {
        return wrong(origin, "the value cannot be encoded%s", "");
    }
    snprintf(text, TEXT_ROOM, "%s", encoded);
    PyMem_RawFree(encoded);
    return text_parse(origin, text, options);
}


const char *
_PyTraceMalloc_ReadOptions(const char **variable, const wchar_t **option)
{
    static char nframe[NFRAME_ROOM];
    static wchar_t wide[sizeof("tracemalloc=") + NFRAME_ROOM];
    static char text[TEXT_ROOM];
    static struct options options;
    const char *fault = NULL;

    memset(&options, 0, sizeof(options));
    if (*variable != NULL
        && (strchr(*variable, ',') != NULL || begins_with_key(*variable)))
    {
        snprintf(text, sizeof(text), "%s", *variable);
        fault = text_parse("PYTHONTRACEMALLOC", text, &options);
        if (fault == NULL) {
            memcpy(nframe, text, strlen(text) + 1);
            *variable = nframe;
        }
    }
    const wchar_t *value = NULL;
    if (fault == NULL && *option != NULL) {
        memset(&options, 0, sizeof(options));
        value = wcschr(*option, L'=');
    }
    if (value != NULL && has_keys(value + 1)) {
        fault = wide_parse(value + 1, text, &options);
        if (fault == NULL
            && swprintf(wide, Py_ARRAY_LENGTH(wide), L"tracemalloc=%s",
                        text) < 0)
        {
            /* What the locale cannot decode is no number. */
            fault = wrong("-X tracemalloc=NFRAME,KEY=VALUE",
                          "invalid number of frames%s", "");
        }
        if (fault == NULL) {
            *option = wide;
        }
    }
    if (fault != NULL) {
        memset(&options, 0, sizeof(options));
    }
    struct tracer_state *state = &_PyTraceMalloc_State;
    state->option_interval = options.interval;
    state->option_record_size = !options.has_record ? 0
        : options.record_size != 0 ? options.record_size
        : DEFAULT_RECORD_SIZE;
    strcpy(record_place, options.place);
    if (state->option_record_size != 0) {
        tm_tell_family();
    }
    return fault;
}


PART const char *
tm_record_option(void)
{
    return record_place;
}
