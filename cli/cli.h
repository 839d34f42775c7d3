/* What the commands share: their table's shape, options, exit codes, output, and waits that Ctrl-C ends.
 *
 * A command is one file cmd_NAME.c with one `const struct cli_command cli_NAME`, listed once in main.c. Its options are
 * read into the targets before run is called with what is left, the positional arguments. Data goes to stdout through
 * cli_print and cli_print_line, talk to stderr through cli_say and cli_fail. */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include <stddef.h>
#include <stdint.h>
#include <weir/weir.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    CLI_ABSENT = 3, /* no such channel, or no message in it yet */
    CLI_TIMEOUT = 4,
    CLI_ENCODING = 5, /* a type or an encoding that does not fit */
    CLI_ACCESS = 6,
    CLI_LOST = 7,    /* messages lost, under --strict */
    CLI_PEER = 8,    /* the other end died */
    CLI_SIGNAL = 128 /* + the signal's number: Ctrl-C is 130 */
};

enum cli_kind {
    CLI_FLAG = 1, /* int */
    CLI_TEXT,     /* const char * */
    CLI_COUNT,    /* uint64_t, at least 1 */
    CLI_PORT,     /* uint64_t, 0 to 65535 */
    CLI_DURATION, /* int64_t, ns */
    CLI_NUMBER,   /* double, above 0 */
    CLI_LIST      /* struct cli_list; may be given more than once */
};

enum { CLI_LIST_MAX = 256 };
struct cli_list {
    size_t count;
    const char *items[CLI_LIST_MAX];
};

struct cli_option {
    const char *name; /* "timeout" for --timeout; one letter, "n", for -n; NULL ends the list */
    enum cli_kind kind;
    void *target;
    const char *value; /* how help calls the value, "D"; NULL for a flag */
    const char *help;  /* one line */
};

struct cli_command {
    const char *name;
    const char *summary;  /* one line for the list of commands */
    const char *usage;    /* what follows "weir NAME" */
    const char *examples; /* lines for `weir help NAME` */
    const struct cli_option *options;
    int arguments_min;
    int arguments_max;
    /* @argv: the positional arguments. Return: the exit code. */
    int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_pub, cli_sub, cli_get, cli_call, cli_serve, cli_ls, cli_info, cli_gc, cli_convert,
    cli_dump, cli_guess, cli_exec, cli_record, cli_play, cli_demo;

/* ---- options.c ---- */

/* Read the options in argv[0..argc-1] and move what is positional to the front. Return: CLI_OK, or CLI_USAGE (said
 * why). */
int cli_options(const struct cli_command *command, int argc, char **argv, int *ret_argc);
/* "1.5s", "200ms", "forever". Return: 0, or -1. */
int cli_duration(const char *text, int64_t *ret_ns);
/* @address with an option added, or replaced, as in "shm://x?from=last"; the caller frees it. NULL when there is no
 * memory. */
char *cli_address(const char *address, const char *option, const char *value);

/* ---- talk.c: stderr ---- */

/* One line "weir: ..." on stderr; what could command a terminal is shown as '?'. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and return @exit. */
int cli_fail(int exit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Say err->text and return the exit code for enum weir_err @status. */
int cli_error(int status, const weir_error *err);
int cli_exit_of(int status);

/* ---- output.c: stdout ---- */

/* Write, buffered. Once the reader of the pipe is gone nothing more is written and cli_is_over says so. */
void cli_print(const char *data, size_t size);
void cli_print_line(weir_buffer *buffer); /* its content, a line end; then clears it */
void cli_flush(void);
/* 1 when nobody reads stdout any more, or it cannot be written. */
int cli_is_over(void);
/* What the process ends with: @exit, or CLI_FAILURE (said why) when stdout could not be written. */
int cli_finish(int exit);
/* 1 when stdout is a terminal. */
int cli_is_terminal(void);
/* Begin and end of a style, "" where there is to be no colour. */
const char *cli_style(const char *style);
#define CLI_BOLD  "\033[1m"
#define CLI_DIM   "\033[2m"
#define CLI_PLAIN "\033[0m"
/* "350ms", "12s", "5m"; "64M", "1.5K". @text: 16 bytes. */
const char *cli_age(int64_t ns, char *text);
const char *cli_size(uint64_t bytes, char *text);
/* What follows a noun behind a number: "1 reader", "2 readers". */
#define CLI_S(count) ((count) == 1 ? "" : "s")
/* Append a value for people: arrays shortened, ndarrays as "f64[4,256] min/mean/max". */
void cli_readable(const weir_value *value, weir_buffer *out);
/* Append text with what could command a terminal escaped, as JSON escapes it. */
void cli_readable_text(weir_view text, weir_buffer *out);
/* A value as JSON of the plain form, with a line end, to stdout; NULL prints null. Return: exit code. */
int cli_print_value(const weir_value *value, uint32_t flags);
/* Append JSON for a terminal: characters that it lets stand and that could command one, U+007F to U+009F, escaped.
 * Return: WEIR_OK, WEIR_ENOMEM. */
int cli_json_guard(weir_view json, weir_buffer *out);
/* JSON as a line, and clear the buffer; on a terminal nothing in it can command the terminal. Return: WEIR_OK,
 * WEIR_ENOMEM. */
int cli_print_json(weir_buffer *json);
/* The whole message as one JSON object, with a line end, to stdout. Return: exit code. */
int cli_print_message(weir_message *message);
/* 1 when @view is the text @text. */
int cli_view_is(weir_view view, const char *text);

/* ---- company.c: who else is there ---- */

/* Say so when a message was sent to, or is to be read from, a channel that only a server has open. */
void cli_company_of_message(const char *address);
/* Our writer is at a socket: is nobody else? */
int cli_company_is_none(const char *address);
void cli_company_of_reader(const char *address);

/* ---- signals.c: Ctrl-C and waiting ---- */

/* From now on SIGINT and SIGTERM only set a flag, the second one ends the process at once; before, they end it at
 * once. */
void cli_signals_begin(void);
/* Close a writer that was waited with in slices: what is queued goes for as long as @timeout_ns, its own, says, unless
 * a signal comes. */
void cli_writer_close(weir_writer *writer, int64_t timeout_ns);
/* 0, or the number of the signal that came. */
int cli_is_interrupted(void);
int64_t cli_clock(void); /* monotonic, ns */
int64_t cli_now(void);   /* since the epoch, ns */
/* The monotonic moment @timeout_ns from now, INT64_MAX for WEIR_FOREVER. */
int64_t cli_deadline(int64_t timeout_ns);
/* How long to wait next, at most 100 ms. */
int64_t cli_slice(int64_t deadline);
/* 1 when @status says that one slice passed in vain, the deadline is not over, and nobody interrupted. */
int cli_keep_waiting(int status, int64_t deadline);
/* Sleep until a monotonic moment or an interruption. */
void cli_sleep_until(int64_t moment);

/* ---- input.c ---- */

/* Append what @fd has to @buffer. Return: bytes, 0 at the end or when interrupted, -1 (said why). */
int64_t cli_read(int fd, weir_buffer *buffer, const char *name);
/* Append all of @fd. Return: exit code. */
int cli_read_all(int fd, weir_buffer *buffer, const char *name);
/* Take @used bytes from the front of *buffer, which may become another. Return: exit code (said why). */
int cli_buffer_cut(weir_buffer **buffer, size_t used);
/* Say that the file at @path (nullable: standard input) is a log, and what reads it. Return: exit code. */
int cli_log_refuse(const char *path);
/* Decode JSON that the user gave as @what ("DATA", "line 3 of standard input"); @way_out is what to do when it is none.
 * Return: exit code (said why). */
int cli_json(const char *text, size_t size, const char *what, const char *way_out, weir_doc *doc,
             const weir_value **ret);
#define CLI_OBJECT_WANTED "write an object such as {\"unit\":\"V\"}"
#define CLI_TEXT_WANTED   "for text write '\"hello\"'"

/* ---- csv.c: RFC 4180 ---- */

/* Append a value's rows: of a scalar one field, of an array or map its items, of an array of arrays a row for each.
 * What is no number or text stands in its field as JSON. Return: as weir_encode. */
int cli_csv_write(const weir_value *value, weir_buffer *out, weir_error *err);
/* Make @doc the array of a row's fields: what looks like a number of JSON is one, all else is text; an empty field is
 * null. A field in quotes is text and may not go on in the next line.
 * Return: WEIR_OK, WEIR_EPARSE (no UTF-8, quotes that do not end), WEIR_ENOMEM. */
int cli_csv_read(weir_view line, weir_doc *doc, const weir_value **ret, weir_error *err);

/* ---- type.c ---- */

/* Parse the type of raw data. Return: exit code (said why). */
int cli_type(const char *text, weir_type **ret);
/* WEIR_OK when the message's raw data has just this type, or @type is NULL. Return: as weir_message_raw. */
int cli_type_check(weir_message *message, const char *type, weir_error *err);

#endif
