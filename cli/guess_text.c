/* Bytes as text, and as identifiers whose size gives them away. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "dump.h"
#include "guess.h"

/* What people call the bytes below 20 and 7F. */
static const char *control_name(unsigned byte) {
    static const char *const names[32] = {"NUL, the end of a C string",
                                          "start of heading",
                                          "start of text",
                                          "end of text",
                                          "end of transmission (Ctrl-D)",
                                          "enquiry",
                                          "acknowledge",
                                          "bell",
                                          "backspace",
                                          "tab",
                                          "line feed, the end of a line",
                                          "vertical tab",
                                          "form feed",
                                          "carriage return",
                                          "shift out",
                                          "shift in",
                                          "data link escape",
                                          "device control 1 (Ctrl-Q)",
                                          "device control 2",
                                          "device control 3 (Ctrl-S)",
                                          "device control 4",
                                          "negative acknowledge",
                                          "synchronous idle",
                                          "end of block",
                                          "cancel",
                                          "end of medium (Ctrl-Z is next)",
                                          "substitute (Ctrl-Z)",
                                          "escape",
                                          "file separator",
                                          "group separator",
                                          "record separator",
                                          "unit separator"};
    return byte == 0x7f ? "delete" : names[byte & 31];
}

static int is_control(unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

static void character(struct guess *guess) {
    unsigned char c = guess->data[0];
    struct reading *reading;
    if (c >= 0x80) {
        reading = guess_add(guess, 18, "char", "U+%04X of Latin-1; in UTF-8 it would be two bytes", c);
        if (!reading)
            return;
        char text[3] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)), 0};
        guess_shown(reading, c < 0xa0 ? "a control character" : "'%s'", text);
        guess_json(reading, c < 0xa0 ? "\"\\u%04x\"" : "\"\\u%04x\"", c);
    } else if (c < 0x20 || c == 0x7f) {
        reading = guess_add(guess, c == '\n' || c == '\t' || c == '\r' || c == 0 ? 40 : 12, "char",
                            "an ASCII control character");
        if (!reading)
            return;
        guess_shown(reading, "%s", control_name(c));
        guess_json(reading, "\"\\u%04x\"", c);
    } else {
        int is_letter = (c | 32) >= 'a' && (c | 32) <= 'z', is_digit = c >= '0' && c <= '9';
        reading = guess_add(guess, is_letter || is_digit ? 61 : 50, "char", "%s of ASCII and UTF-8",
                            is_letter  ? "a letter"
                            : is_digit ? "a digit"
                            : c == ' ' ? "the space"
                                       : "a mark");
        if (!reading)
            return;
        guess_shown(reading, "'%c'", c);
        guess_json_text(reading, (const char *)&c, 1);
    }
}

static void text(struct guess *guess) {
    enum { SHOWN = 60, CONTROLS_SHOWN = 4 };
    size_t size = guess->size, controls = 0, end = size;
    if (size > 1 && guess->data[size - 1] == 0) /* a C string */
        end--;
    int is_ascii = dump_ascii(guess->data, end) == end,
        score = end < 4 ? 50 + 6 * (int)end : 80 + (int)(end > 15 ? 15 : end);
    if (size == 1 || end == 0 || dump_utf8(guess->data, end) != end)
        return;
    for (size_t i = 0; i < end; i++)
        controls += (size_t)is_control(guess->data[i]);
    if (controls > 0)
        score = controls * 8 > end ? 4 : 30;
    const char *form = is_ascii ? "ASCII" : "UTF-8";
    struct reading *reading = guess_add(guess, score, end < size ? "text, with a NUL" : "text",
                                        controls   ? "%s, but with control characters"
                                        : is_ascii ? "every byte is printable %s"
                                                   : "valid %s beyond ASCII, which is hardly by chance",
                                        form);
    if (!reading)
        return;
    size_t shown = end, most = controls > 0 ? CONTROLS_SHOWN : SHOWN;
    if (shown > most)
        for (shown = most; shown > 0 && (guess->data[shown] & 0xc0) == 0x80;)
            shown--;
    guess_shown(reading, "\"");
    cli_readable_text((weir_view){(const char *)guess->data, shown}, reading->shown);
    guess_shown(reading, shown < end ? "…\" (%zu bytes)" : "\"", end);
    guess_json_text(reading, (const char *)guess->data, end);
}

/* Text in units of two bytes: only that whose characters are ASCII, as nothing else is recognised by its bytes. */
static void utf16(struct guess *guess, int is_big_endian) {
    enum { SHOWN = 40 };
    char text[SHOWN + 1];
    size_t count = guess->size / 2;
    for (size_t i = 0; i < count; i++) {
        uint64_t unit = dump_load(guess->data + 2 * i, 2, is_big_endian);
        if (unit > 0x7e || unit == 0 || is_control((unsigned char)unit))
            return;
        if (i < SHOWN)
            text[i] = (char)unit;
    }
    size_t shown = count < SHOWN ? count : SHOWN;
    struct reading *reading = guess_add(guess, 84, is_big_endian ? "UTF-16, big-endian" : "UTF-16, little-endian",
                                        "text in two bytes a character, every other one 0");
    if (!reading)
        return;
    text[shown] = '\0';
    guess_shown(reading, "\"");
    cli_readable_text((weir_view){text, shown}, reading->shown);
    guess_shown(reading, shown < count ? "…\"" : "\"");
    guess_json_text(reading, text, shown);
}

/* ---- identifiers ---- */

static void uuid(struct guess *guess) {
    const unsigned char *data = guess->data;
    unsigned version = data[6] >> 4;
    int is_one = version >= 1 && version <= 8 && data[8] >> 6 == 2;
    struct reading *reading = guess_add(guess, is_one ? 80 : 6, "UUID",
                                        is_one ? "the bits of version %u stand where they should"
                                               : "16 bytes, but not with the bits of a version (%u)",
                                        version);
    if (!reading)
        return;
    guess_json(reading, "\"");
    for (int i = 0; i < 16; i++)
        guess_value(reading, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", data[i]);
    guess_json(reading, "\"");
}

static void object_id(struct guess *guess) {
    static const int64_t since = 1230768000, until = 2208988800; /* 2009, 2040 */
    int64_t seconds = (int64_t)dump_load(guess->data, 4, 1);
    char text[40];
    if (seconds < since || seconds > until)
        return;
    struct reading *reading =
        guess_add(guess, 45, "ObjectId", "BSON's identifier, made %s", dump_time_text(seconds, 0, 0, text));
    if (!reading)
        return;
    guess_json(reading, "\"");
    for (int i = 0; i < 12; i++)
        guess_value(reading, "%02x", guess->data[i]);
    guess_json(reading, "\"");
}

static void address(struct guess *guess) {
    const unsigned char *data = guess->data;
    int is_private =
        data[0] == 10 || data[0] == 127 || (data[0] == 192 && data[1] == 168) || (data[0] == 172 && data[1] >> 4 == 1);
    struct reading *reading =
        guess_add(guess, is_private ? 58 : 12, "IPv4 address",
                  is_private ? "one of a local network or of this machine" : "any 4 bytes are one");
    if (!reading)
        return;
    guess_shown(reading, "%u.%u.%u.%u", data[0], data[1], data[2], data[3]);
    guess_json(reading, "\"%u.%u.%u.%u\"", data[0], data[1], data[2], data[3]);
}

void guess_text(struct guess *guess) {
    if (guess->size == 1)
        character(guess);
    text(guess);
    for (int is_big_endian = 0; guess->size >= 4 && guess->size % 2 == 0 && is_big_endian <= 1; is_big_endian++)
        utf16(guess, is_big_endian);
    if (guess->size == 16)
        uuid(guess);
    if (guess->size == 12)
        object_id(guess);
    if (guess->size == 4)
        address(guess);
}
