/* Tokens as lines for people, and as JSON for programs.
 *
 * A line has the offset, up to 8 bytes in hexadecimal, and words indented by depth; a longer token goes on for one
 * more line, and what is beyond is counted. Texts and bytes are cut for people; JSON has them whole. */
#include "dump_print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { ROW = 8, ROWS_SHOWN = 2, TEXT_SHOWN = 72, BYTES_SHOWN = 16, DEPTH_SHOWN = 16, OFFSET_WIDTH_MIN = 5 };

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size > 0)
        cli_print(text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* ---- for people ---- */

static int offset_width(const struct dump *dump) {
    char text[24];
    int width = snprintf(text, sizeof(text), "%zu", dump->size);
    return width < OFFSET_WIDTH_MIN ? OFFSET_WIDTH_MIN : width;
}

static void hex_print(const unsigned char *at, size_t size) {
    char text[ROW * 3 + 1];
    for (size_t i = 0; i < ROW; i++)
        snprintf(text + 3 * i, 4, i < size ? "%02x " : "   ", i < size ? at[i] : 0);
    cli_print(text, ROW * 3);
}

/* The beginning of a text, not cut inside a character. */
static size_t text_cut(const char *text, size_t size) {
    size_t shown = size < TEXT_SHOWN ? size : TEXT_SHOWN;
    while (shown > 0 && shown < size && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--;
    return shown;
}

static void text_print(const struct dump_value *value, const char *quote) {
    weir_buffer *buffer = NULL;
    size_t shown = text_cut(value->data, value->size);
    if (weir_buffer_new(&buffer) != WEIR_OK)
        return;
    cli_readable_text((weir_view){value->data, shown}, buffer);
    weir_view view = weir_buffer_view(buffer);
    print("%s", quote);
    cli_print(view.data, view.size);
    print("%s%s", shown < value->size ? "…" : "", quote);
    weir_buffer_free(buffer);
}

static void value_print(const struct dump_value *value) {
    size_t shown = value->size < BYTES_SHOWN ? value->size : BYTES_SHOWN;
    switch (value->kind) {
    case DUMP_JSON:
    case DUMP_WORD: text_print(value, ""); break;
    case DUMP_TEXT: text_print(value, "\""); break;
    case DUMP_NUMBERS:
        cli_print(value->data, value->size);
        if (value->more > 0)
            print(", … %zu more", value->more);
        break;
    case DUMP_BYTES:
        for (size_t i = 0; i < shown; i++)
            print("%s%02x", i > 0 ? " " : "", (unsigned char)value->data[i]);
        if (shown < value->size + value->more)
            print(" …");
        break;
    default: break;
    }
}

static const char *const roles[] = {"", "key", "array index"};

/* "text of 5 bytes: "hello"", "float64 21.5"; a key the other way round. */
static void words_print(const struct dump_token *token) {
    const struct dump_value *value = &token->value;
    int is_long = value->kind == DUMP_TEXT || value->kind == DUMP_BYTES || value->kind == DUMP_NUMBERS ||
                  (value->kind == DUMP_JSON && value->size > 0 && *value->data == '"');
    size_t length = strlen(token->what);
    int has_own = length > 0 && strchr(",:", token->what[length - 1]) != NULL; /* a text that ends in its own mark */
    if (token->is_wrong) {
        print("%s<-- here: %s%s", cli_style(CLI_BOLD), token->what, cli_style(CLI_PLAIN));
        return;
    }
    if (token->role != DUMP_ITEM && value->kind != DUMP_NONE) {
        print("%s %s", roles[token->role], cli_style(CLI_BOLD));
        value_print(value);
        print("%s (%s%s%s)", cli_style(CLI_PLAIN), token->what, *token->note ? ", " : "", token->note);
        return;
    }
    print("%s%s%s%s", token->role == DUMP_ITEM ? "" : roles[token->role], token->role == DUMP_ITEM ? "" : ", ",
          token->what,
          value->kind == DUMP_NONE                    ? ""
          : value->kind == DUMP_BYTES && !value->size ? ""
          : is_long && !has_own                       ? ": "
                                                      : " ");
    if (value->kind != DUMP_NONE) {
        print("%s", cli_style(CLI_BOLD));
        value_print(value);
        print("%s", cli_style(CLI_PLAIN));
    }
    if (*token->note)
        print(" (%s)", token->note);
}

static void for_people(struct dump *dump, const struct dump_token *token) {
    int width = offset_width(dump);
    size_t size = token->size, shown = size < ROW * ROWS_SHOWN ? size : ROW * ROWS_SHOWN;
    if (token->is_wrong && shown > ROW)
        shown = ROW;
    uint32_t depth = token->depth < DEPTH_SHOWN ? token->depth : DEPTH_SHOWN;
    print("%s%*zu%s  ", cli_style(CLI_DIM), width, token->offset, cli_style(CLI_PLAIN));
    hex_print(dump->data + token->offset, shown < ROW ? shown : ROW);
    print(" %*s", (int)(2 * depth), "");
    if (token->depth > DEPTH_SHOWN)
        print("[depth %" PRIu32 "] ", token->depth);
    words_print(token);
    print("\n");
    if (shown > ROW) {
        print("%*s  ", width, "");
        if (shown == size)
            for (size_t i = ROW; i < shown; i++)
                print("%02x%s", dump->data[token->offset + i], i + 1 < shown ? " " : "");
        else
            hex_print(dump->data + token->offset + ROW, shown - ROW);
        if (shown < size)
            print("%s %*s  … %zu more byte%s%s", cli_style(CLI_DIM), (int)(2 * depth), "", size - shown,
                  CLI_S(size - shown), cli_style(CLI_PLAIN));
        print("\n");
    }
}

/* ---- for programs ---- */

static void json_text_print(const char *text, size_t size) {
    cli_print("\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            print("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            print("\\u%04x", c);
        else
            cli_print(text + i, 1);
    }
    cli_print("\"", 1);
}

static void json_value_print(const struct dump_value *value) {
    switch (value->kind) {
    case DUMP_JSON: cli_print(value->data, value->size); break;
    case DUMP_WORD:
    case DUMP_TEXT: json_text_print(value->data, value->size); break;
    case DUMP_NUMBERS:
        print("[");
        cli_print(value->data, value->size);
        print("]");
        break;
    case DUMP_BYTES:
        print("\"");
        for (size_t i = 0; i < value->size; i++)
            print("%02x", (unsigned char)value->data[i]);
        print("%s\"", value->more ? "…" : "");
        break;
    default: print("null");
    }
}

static void for_programs(struct dump *dump, const struct dump_token *token) {
    char what[2 * DUMP_WORDS_MAX + 16];
    size_t length = strlen(token->what);
    (void)dump;
    while (length > 0 && strchr(",:", token->what[length - 1])) /* they lead to a value, which stands by itself here */
        length--;
    snprintf(what, sizeof(what), "%s%s%s%.*s%s%s%s", token->is_wrong ? "wrong: " : "",
             token->role == DUMP_ITEM ? "" : roles[token->role], token->role == DUMP_ITEM ? "" : ", ", (int)length,
             token->what, *token->note ? " (" : "", token->note, *token->note ? ")" : "");
    print("{\"v\":1,\"offset\":%zu,\"size\":%zu,\"depth\":%" PRIu32 ",\"codec\":\"%s\",\"what\":", token->offset,
          token->size, token->depth, token->codec);
    json_text_print(what, strlen(what));
    print(",\"value\":");
    json_value_print(&token->value);
    print("}\n");
}

void dump_print(struct dump *dump, int is_json) {
    dump->token = is_json ? for_programs : for_people;
    dump->is_over = cli_is_over;
}
