/* Telling about a channel: pairs of keys and values. The builder's error is sticky, so nothing is returned here. */
#include "transport/tell.h"

#include <stdio.h>
#include <string.h>

#include "os/process.h"

enum { NAME_MAX_HERE = 64 };

void weir_tell_text(weir_doc *doc, const char *key, const char *text) {
    weir_put_key(doc, key);
    if (text)
        weir_put_text(doc, text, strlen(text));
    else
        weir_put_null(doc);
}

void weir_tell_number(weir_doc *doc, const char *key, uint64_t number) {
    weir_put_key(doc, key);
    weir_put_u64(doc, number);
}

void weir_tell_bool(weir_doc *doc, const char *key, int value) {
    weir_put_key(doc, key);
    weir_put_bool(doc, value);
}

void weir_tell_null(weir_doc *doc, const char *key) {
    weir_tell_text(doc, key, NULL);
}

void weir_tell_time(weir_doc *doc, const char *key, int64_t time) {
    weir_put_key(doc, key);
    if (time > 0)
        weir_put_i64(doc, time);
    else
        weir_put_null(doc);
}

void weir_tell_process(weir_doc *doc, int64_t pid, uint32_t uid) {
    char user[NAME_MAX_HERE], program[NAME_MAX_HERE];
    if (pid <= 0) {
        weir_tell_null(doc, "pid");
        weir_tell_null(doc, "user");
        weir_tell_null(doc, "program");
        weir_tell_null(doc, "is_stopped");
        return;
    }
    weir_process_user(uid, user, sizeof(user));
    weir_process_program(pid, program, sizeof(program));
    weir_tell_number(doc, "pid", (uint64_t)pid);
    weir_tell_text(doc, "user", user);
    weir_tell_text(doc, "program", program);
    weir_tell_bool(doc, "is_stopped", weir_process_is_stopped(pid));
}

void weir_tell_rights(weir_doc *doc, uint32_t uid, uint32_t gid, uint32_t mode) {
    char name[NAME_MAX_HERE];
    weir_process_user(uid, name, sizeof(name));
    weir_tell_text(doc, "owner", name);
    weir_process_group(gid, name, sizeof(name));
    weir_tell_text(doc, "group", name);
    snprintf(name, sizeof(name), "%04o", mode & 07777);
    weir_tell_text(doc, "mode", name);
}

void weir_tell_allow(weir_doc *doc, const struct weir_allow *allow) {
    char text[WEIR_ALLOW_TEXT_MAX];
    if (allow->count == 0) {
        weir_tell_null(doc, "allow");
        return;
    }
    weir_put_key(doc, "allow");
    weir_begin_array(doc);
    for (uint32_t i = 0; i < allow->count; i++) {
        weir_allow_text(allow, i, text);
        weir_put_text(doc, text, strlen(text));
    }
    weir_end(doc);
}
