/* What the annotators of `weir dump` share: one small state, tokens, and a stack of what is open.
 *
 * An annotator walks bytes of one format and hands out tokens: so many bytes, in words what they are, and their value.
 * It is written for explaining and shares nothing with the library's decoders, but must accept and refuse what they
 * do: dump_test.c compares them, and checks that the tokens cover every byte once and in order. It never recurses:
 * what is open lies on the stack below, which has a limit.
 *
 * The first thing that cannot be right ends the walk: dump_wrong hands out what was good of the token begun, then the
 * rest of the input as one token that is wrong. */
#ifndef WEIR_DUMP_H
#define WEIR_DUMP_H

#include <stddef.h>
#include <stdint.h>
#include <weir/weir.h>

enum { DUMP_WORDS_MAX = 256, DUMP_SCRATCH_MAX = 4400, DUMP_DEPTH_MAX = 1 << 16 };

enum dump_value_kind {
    DUMP_NONE = 0,
    DUMP_JSON,   /* text that is JSON as it stands */
    DUMP_WORD,   /* the same without quotes: NaN, a time */
    DUMP_TEXT,   /* UTF-8 */
    DUMP_BYTES,  /* shown in hexadecimal */
    DUMP_NUMBERS /* JSON numbers with commas between: the beginning of an array */
};

enum dump_role { DUMP_ITEM = 0, DUMP_KEY, DUMP_INDEX };

struct dump_value {
    enum dump_value_kind kind;
    const char *data;
    size_t size;
    size_t more; /* bytes or numbers there are behind @data */
};

struct dump_token {
    size_t offset;
    size_t size;
    uint32_t depth;
    const char *codec;
    const char *what; /* "text of 5 bytes" */
    const char *note; /* "longer than needed", or "" */
    struct dump_value value;
    enum dump_role role;
    int is_wrong; /* from here on nothing is explained; what is the sentence */
};

/* Something that was begun. Each annotator uses the fields as it likes. */
struct dump_level {
    uint64_t left;   /* items that it still expects */
    uint64_t number; /* a tag, an index, a size */
    size_t end;      /* where its bytes end */
    uint8_t kind;
    uint8_t flags;
};

struct dump {
    const unsigned char *data;
    size_t size;
    size_t end; /* of what may be looked at; an annotator inside another sees only its part */
    size_t at;  /* all before it has been explained */
    const char *codec;
    void (*token)(struct dump *dump, const struct dump_token *token);
    int (*is_over)(void); /* nullable: nobody wants more tokens */
    struct dump_level *levels;
    size_t level_count;
    size_t level_capacity;
    int status; /* WEIR_OK, WEIR_EPARSE, WEIR_ELIMIT, WEIR_ENOMEM */
    size_t wrong_offset;
    char wrong[DUMP_WORDS_MAX];
    char note[DUMP_WORDS_MAX];
    char scratch[DUMP_SCRATCH_MAX]; /* of the value being shown */
    enum dump_role role;            /* of the next token */
    int is_single;                  /* one item, and nothing behind it */
};

/* A format. run explains everything from dump->at to dump->end, as many items as there are. Return: dump->status. */
struct dump_format {
    const char *name;
    int (*run)(struct dump *dump);
};

extern const struct dump_format dump_json, dump_cbor, dump_smile, dump_bson, dump_frame;
/* The format called @name, or NULL. */
const struct dump_format *dump_format_find(const char *name);
/* "json, cbor, ..." */
const char *dump_format_names(void);
/* The format that the bytes look like, and why, in words. */
const struct dump_format *dump_recognise(const unsigned char *data, size_t size, const char **ret_why);
/* Whether a frame, or the hello of a connection, may begin here. */
int dump_is_frame(const unsigned char *data, size_t size);

/* Whether a log of weir begins here, whose records are no format of messages. */
int dump_is_log(const unsigned char *data, size_t size);

/* ---- tokens ---- */

/* The next @size bytes are what @format says. */
void dump_put(struct dump *dump, size_t size, struct dump_value value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Something more to say of the next token, in brackets; several are joined. */
void dump_note(struct dump *dump, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The byte at @offset cannot be right; what stands between dump->at and it is the beginning of @begun. Return:
 * WEIR_EPARSE. */
int dump_wrong(struct dump *dump, size_t offset, const char *begun, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The input ends inside @begun. Return: WEIR_EPARSE. */
int dump_cut(struct dump *dump, const char *begun);
/* Whether an item is at its end, the first of those that only one may be of, and more follows. Then that is wrong. */
int dump_is_more(struct dump *dump, size_t items);
/* Begin something. Return: it; NULL with the failure noted when there are too many, or no memory. */
struct dump_level *dump_push(struct dump *dump, uint8_t kind);
/* What was begun last; NULL for nothing. Valid until the next dump_push. */
struct dump_level *dump_top(struct dump *dump);
size_t dump_left(const struct dump *dump);
/* 1 when the walk is to end: a failure, or nobody looks any more. */
int dump_is_done(const struct dump *dump);

/* ---- values; each uses the scratch or borrows ---- */

extern const struct dump_value dump_no_value;
struct dump_value dump_text(const void *text, size_t size);
struct dump_value dump_bytes(const void *bytes, size_t size);
struct dump_value dump_json_text(const void *text, size_t size);
struct dump_value dump_word(struct dump *dump, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct dump_value dump_i64(struct dump *dump, int64_t number);
struct dump_value dump_u64(struct dump *dump, uint64_t number);
struct dump_value dump_f64(struct dump *dump, double number);
struct dump_value dump_f32(struct dump *dump, float number);
/* The integer whose absolute value is @bytes, most significant first, plus @plus (0 or 1). Hexadecimal when it is
 * long. */
struct dump_value dump_big(struct dump *dump, const unsigned char *bytes, size_t size, int is_negative, int plus);
/* The first few of the numbers at @bytes. */
struct dump_value dump_numbers(struct dump *dump, uint32_t element, int is_big_endian, const unsigned char *bytes,
                               size_t size);

/* ---- text and numbers in bytes ---- */

/* The length of the valid beginning of UTF-8. */
size_t dump_utf8(const unsigned char *text, size_t size);
size_t dump_ascii(const unsigned char *text, size_t size);
uint64_t dump_load(const unsigned char *at, size_t size, int is_big_endian);
/* The shortest text that reads back to the same number, as JSON has it; "NaN", "Infinity". @text: 40 bytes. */
void dump_f64_text(double number, char *text);
void dump_f32_text(float number, char *text);
double dump_half(unsigned bits);
/* "2023-11-14T22:13:20Z" with @digits of a fraction; "" outside the years 0 to 9999. @text: 40 bytes. */
const char *dump_time_text(int64_t seconds, uint32_t ns, int digits, char *text);
/* "" for 1 and "s" for others. */
const char *dump_s(uint64_t count);

#endif
