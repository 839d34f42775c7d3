/* Logs and state files: what the conformance suite does not ask of every transport. Places found by number and time,
 * files that rotate, text edited by hand, rights, and one value replaced as a whole. disk_test.c has full disks and
 * what must be on the disk, damage_test.c what is cut and damaged. */
#include "transport/file/testing.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>

/* ---- places ---- */

static void test_places_are_found(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32], options[64];
        snprintf(name, sizeof(name), "places%s", extensions[e]);
        weir_writer *writer = writer_of(name, "");
        int64_t middle = 0;
        weir_writer_cork(writer);
        for (int64_t i = 1; i <= COUNT; i++) {
            if (i == COUNT / 2) {
                struct timespec now;
                assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
                nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
                clock_gettime(CLOCK_REALTIME, &now);
                middle = (int64_t)now.tv_sec * SECOND + now.tv_nsec;
                weir_writer_cork(writer);
            }
            assert_int_equal(send_number(writer, i, (size_t)(i % 500), NULL), WEIR_OK);
        }
        assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        assert_int_equal(weir_writer_seq(writer), COUNT);
        for (int64_t wanted = 1; wanted <= COUNT; wanted += 271) {
            snprintf(options, sizeof(options), "?from=seq:%d", (int)wanted);
            weir_reader *reader = reader_of(name, options);
            for (int64_t i = wanted; i < wanted + 3 && i <= COUNT; i++)
                assert_int_equal(next_number(reader), i);
            assert_int_equal(weir_reader_gaps(reader), 0);
            weir_reader_close(reader);
        }
        struct weir_cursor cursor;
        struct weir_passed passed;
        int fd = open(path_of(name), O_RDONLY);
        weir_cursor_init(&cursor, weir_framing_of_path(name, 0), 1 << 20);
        assert_int_equal(weir_log_seek(&cursor, fd, middle, 1, NULL), WEIR_OK);
        assert_int_equal(weir_cursor_next(&cursor, &passed, NULL), WEIR_OK);
        assert_int_equal(passed.seq, COUNT / 2);
        assert_int_equal(weir_log_seek(&cursor, fd, COUNT + 1, 0, NULL), WEIR_EAGAIN);
        assert_int_equal(cursor.pos, file_size(name));
        weir_cursor_fini(&cursor);
        close(fd);
        weir_reader *last = reader_of(name, "?from=last");
        assert_int_equal(next_number(last), COUNT);
        weir_reader_close(last);
        weir_writer_close(writer);
    }
}

static void test_big_messages_cross_blocks(void **state) {
    (void)state;
    weir_writer *writer = writer_of("big.weir", "");
    static const size_t sizes[] = {1, 32600, 32700, 32768, 65000, 100000, 1 << 20, 3, 40, 3 << 20, 5};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    for (int64_t i = 0; i < COUNT; i++)
        assert_int_equal(send_number(writer, i, sizes[i], NULL), WEIR_OK);
    weir_reader *reader = reader_of("big.weir", "?from=oldest"), *last = reader_of("big.weir", "?from=last");
    for (int64_t i = 0; i < COUNT; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(next_number(last), COUNT - 1);
    weir_writer_close(writer);
    /* The end is found again when nobody has noted it, also behind a message of many blocks. */
    for (int64_t i = COUNT; i < COUNT + 3; i++) {
        writer = writer_of("big.weir", "");
        assert_int_equal(send_number(writer, i, i == COUNT ? 2 << 20 : 10, NULL), WEIR_OK);
        assert_int_equal(weir_writer_seq(writer), i + 1);
        weir_writer_close(writer);
        assert_int_equal(next_number(reader), i);
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    weir_reader_close(reader);
    weir_reader_close(last);
}

/* ---- several writers, and what they leave ---- */

static void test_numbers_are_those_of_the_log(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32];
        snprintf(name, sizeof(name), "two%s", extensions[e]);
        weir_writer *a = writer_of(name, ""), *b = writer_of(name, "");
        weir_reader *reader = reader_of(name, "?from=oldest");
        for (int64_t i = 1; i <= 20; i += 2) {
            assert_int_equal(send_number(a, i, 5, NULL), WEIR_OK);
            assert_int_equal(weir_writer_seq(a), i);
            assert_int_equal(send_number(b, i + 1, 5, NULL), WEIR_OK);
            assert_int_equal(weir_writer_seq(b), i + 1);
        }
        for (int64_t i = 1; i <= 20; i++) {
            weir_message *message = NULL;
            assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
            assert_int_equal(weir_message_seq(message), i);
            assert_int_equal(number_in(message), i);
            assert_int_equal(weir_message_writer(message), (i + 1) % 2);
        }
        assert_int_equal(weir_reader_gaps(reader), 0);
        weir_reader_close(reader);
        weir_writer_close(a);
        assert_int_equal(access(path_of(strcat(strcpy((char[64]){0}, name), ".lock")), F_OK), 0);
        weir_writer_close(b);
        assert_int_equal(access(path_of(strcat(strcpy((char[64]){0}, name), ".lock")), F_OK), -1);
    }
}

/* A child that lives on does not keep what its dead parent had. */
static void test_a_forked_child_keeps_no_lock(void **state) {
    (void)state;
    int pipe_fds[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        weir_writer *writer = writer_of("forked.weir", "?exclusive=1");
        if (send_number(writer, 1, 10, NULL) != WEIR_OK)
            _exit(1);
        grandchild = fork();
        if (grandchild == 0) {
            alarm(30);
            if (send_number(writer, 2, 10, NULL) != WEIR_EFORKED)
                _exit(1);
            pause();
        }
        _exit(write(pipe_fds[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild));
    }
    assert_int_equal(read(pipe_fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    assert_int_equal(waitpid(child, NULL, 0), child);
    weir_writer *writer = writer_of("forked.weir", "?exclusive=1");
    assert_int_equal(send_number(writer, 2, 10, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(writer), 2);
    weir_writer_close(writer);
    kill(grandchild, SIGKILL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void test_exclusive(void **state) {
    (void)state;
    weir_writer *one = writer_of("x.weir", "?exclusive=1"), *two = NULL;
    weir_error err;
    assert_int_equal(send_number(one, 1, 0, NULL), WEIR_OK);
    assert_int_equal(weir_writer_open(address_of("x.weir", "?timeout=50ms"), &two, &err), WEIR_ETIMEOUT);
    weir_reader *reader = reader_of("x.weir", "?from=oldest");
    assert_int_equal(next_number(reader), 1);
    weir_reader_close(reader);
    weir_writer_close(one);
    one = writer_of("x.weir", "");
    assert_int_equal(weir_writer_open(address_of("x.weir", "?exclusive=1"), &two, &err), WEIR_EBUSY);
    weir_writer_close(one);
}

/* ---- rotation ---- */

static void test_rotation_is_followed(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32], rotated[40];
        snprintf(name, sizeof(name), "turn%s", extensions[e]);
        weir_writer *a = writer_of(name, "?rotate=64K&files=3"), *b = writer_of(name, "?rotate=64K&files=3");
        weir_reader *reader = reader_of(name, ""), *lazy = reader_of(name, "");
        for (int64_t i = 1; i <= COUNT; i++) {
            assert_int_equal(send_number(i % 3 ? a : b, i, 100, NULL), WEIR_OK);
            if (i % 150 == 0)
                for (int64_t k = i - 149; k <= i; k++)
                    assert_int_equal(next_number(reader), k);
        }
        assert_int_equal(weir_reader_gaps(reader), 0);
        snprintf(rotated, sizeof(rotated), "%s.3", name);
        assert_true(file_size(rotated) > 0);
        assert_true(file_size(rotated) <= 64 << 10);
        snprintf(rotated, sizeof(rotated), "%s.4", name);
        assert_int_equal(file_size(rotated), -1);
        /* Who slept too long: what was thrown away is counted. */
        uint64_t got = 0;
        int64_t number = 0, resumed = 0;
        while (number < COUNT) {
            weir_message *message = NULL;
            assert_int_equal(weir_reader_next(lazy, 10 * SECOND, &message, NULL), WEIR_OK);
            number = number_in(message);
            resumed = weir_message_gap(message) ? number : resumed;
            got++;
        }
        assert_true(got < COUNT);
        assert_int_equal(got + weir_reader_gaps(lazy), COUNT);
        /* Places in files that were put aside. */
        weir_reader *oldest = reader_of(name, "?from=oldest"), *seq = reader_of(name, "?from=seq:2500");
        assert_int_equal(next_number(oldest), resumed);
        for (int64_t i = 2500; i <= COUNT; i++)
            assert_int_equal(next_number(seq), i);
        weir_reader_close(oldest);
        weir_reader_close(seq);
        weir_reader_close(reader);
        weir_reader_close(lazy);
        weir_writer_close(a);
        weir_writer_close(b);
    }
}

static void test_rotation_by_age(void **state) {
    (void)state;
    weir_writer *writer = writer_of("age.jsonl", "?age=20ms");
    weir_reader *reader = reader_of("age.jsonl", "");
    assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    assert_int_equal(send_number(writer, 2, 10, NULL), WEIR_OK);
    assert_true(file_size("age.jsonl.1") > 0);
    weir_reader *last = reader_of("age.jsonl", "?from=last");
    for (int64_t i = 1; i <= 2; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(next_number(last), 2);
    weir_reader_close(last);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* The newest message is found also when the new file has none yet, and after a writer was killed between two
 * renames. */
static void test_half_a_rotation(void **state) {
    (void)state;
    weir_message *message = NULL;
    weir_writer *writer = writer_of("half.weir", "?rotate=64K");
    for (int64_t i = 1; i <= 10; i++)
        assert_int_equal(send_number(writer, i, 100, NULL), WEIR_OK);
    assert_int_equal(link(path_of("half.weir"), path_of("half.weir.1")), 0);
    for (int64_t i = 11; i <= 700; i++)
        assert_int_equal(send_number(writer, i, 100, NULL), WEIR_OK);
    weir_writer_close(writer);
    assert_true(file_size("half.weir.1") > 0);
    assert_int_equal(file_size("half.weir.2"), -1);
    assert_int_equal(rename(path_of("half.weir.1"), path_of("half.weir.2")), 0);
    weir_reader *reader = reader_of("half.weir", "?from=oldest");
    for (int64_t i = 1; i <= 700; i++)
        assert_int_equal(next_number(reader), i);
    weir_reader_close(reader);
    assert_int_equal(rename(path_of("half.weir"), path_of("half.weir.1")), 0);
    file_write("half.weir", "", 0);
    assert_int_equal(weir_latest(address_of("half.weir", ""), &message, NULL), WEIR_OK);
    assert_int_equal(number_in(message), 700);
    weir_message_free(message);
}

/* ---- text ---- */

static void test_text_edited_by_hand(void **state) {
    (void)state;
    file_write("hand.jsonl",
               "\xef\xbb\xbf{\"op\":\"a\",\"data\":1}\r\n\n   \n42\n{\"data\":\n{\"temp\":3}\nnonsense\n[1, "
               "2]\n{\"seq\":20,\"data\":7}\n\"x\"\n",
               O_TRUNC);
    weir_reader *reader = reader_of("hand.jsonl", "?from=oldest");
    expect(reader, WEIR_OK, "1", 1);
    expect(reader, WEIR_OK, "42", 2);
    expect(reader, WEIR_ECORRUPT, "line 5 cannot be read", 0);
    expect(reader, WEIR_OK, "{\"temp\":3}", 4);
    expect(reader, WEIR_ECORRUPT, "line 7 cannot be read", 0);
    expect(reader, WEIR_OK, "[1, 2]", 6);
    expect(reader, WEIR_OK, "7", 20);
    expect(reader, WEIR_OK, "\"x\"", 21);
    /* Another program appends, without our lock; its half line waits for the rest. */
    file_write("hand.jsonl", "{\"data\":8}\n{\"da", O_APPEND);
    expect(reader, WEIR_OK, "8", 22);
    weir_message *message = NULL;
    assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
    file_write("hand.jsonl", "ta\":9}\n{\"data\":10}", O_APPEND);
    expect(reader, WEIR_OK, "9", 23);
    /* The last line has no newline: a writer gives it one, and goes on counting. */
    weir_writer *writer = writer_of("hand.jsonl", "?stamp=0");
    expect(reader, WEIR_OK, "10", 24);
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, "11", 2, NULL), WEIR_OK);
    expect(reader, WEIR_OK, "11", 25);
    file_write("hand.jsonl", "half of somebody", O_APPEND);
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, "12", 2, NULL), WEIR_OK);
    expect(reader, WEIR_ECORRUPT, "line 15", 0);
    expect(reader, WEIR_OK, "12", 27);
    /* From the middle, the number of the line is counted when it is needed. */
    weir_reader *late = reader_of("hand.jsonl", "?from=seq:25");
    expect(late, WEIR_OK, "11", 25);
    expect(late, WEIR_ECORRUPT, "line 15", 0);
    expect(late, WEIR_OK, "12", 27);
    weir_reader_close(late);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_a_log_of_others_has_numbers(void **state) {
    (void)state;
    FILE *file = fopen(path_of("others.jsonl"), "w");
    for (int i = 1; i <= 20000; i++)
        fprintf(file, "{\"n\":%d,\"pad\":\"a line of another program\"}\n", i);
    fclose(file);
    weir_reader *last = reader_of("others.jsonl", "?from=last"), *seq = reader_of("others.jsonl", "?from=seq:15000");
    expect(last, WEIR_OK, "{\"n\":20000,\"pad\":\"a line of another program\"}", 20000);
    expect(seq, WEIR_OK, "{\"n\":15000,\"pad\":\"a line of another program\"}", 15000);
    weir_reader_close(last);
    weir_reader_close(seq);
}

static void test_data_that_is_none_is_refused(void **state) {
    (void)state;
    weir_error err;
    weir_writer *writer = writer_of("bad.jsonl", "");
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, "{\"a\":", 5, &err),
                     WEIR_EPARSE);
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, "{\n\"a\":1}", 8, &err),
                     WEIR_OK);
    weir_reader *reader = reader_of("bad.jsonl", "?from=oldest");
    expect(reader, WEIR_OK, "{\"a\":1}", 1);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* ---- rights and places that are refused ---- */

static void refused(const char *name, const char *options, int status, const char *says) {
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    weir_error err = {0};
    assert_int_equal(weir_writer_open(address_of(name, options), &writer, &err), status);
    if (!strstr(err.text, says))
        fail_msg("%s does not say \"%s\"", err.text, says);
    assert_int_equal(weir_reader_open(address_of(name, options), &reader, &err), status);
}

static void test_what_is_refused(void **state) {
    (void)state;
    weir_writer *writer = NULL;
    weir_error err;
    refused("a.log", "", WEIR_EADDRESS, "framing=");
    refused("a.json", "", WEIR_EADDRESS, "say state=1 for a value that each message replaces, or framing=jsonl");
    refused("a.weir", "?framing=xml", WEIR_EADDRESS, "jsonl");
    refused("a.weir", "?rotate=1K", WEIR_EADDRESS, "64K");
    refused("a.weir", "?wait=spin", WEIR_EADDRESS, "has no option");
    refused("none/a.weir", "", WEIR_ENOENT, "directory");
    refused("a.weir", "?create=0", WEIR_ENOENT, "");
    assert_int_equal(mkdir(path_of("d.weir"), 0700), 0);
    refused("d.weir", "", WEIR_EADDRESS, "");
    assert_int_equal(mkfifo(path_of("p.weir"), 0600), 0);
    refused("p.weir", "", WEIR_EADDRESS, "regular");
    file_write("real.weir", "", 0);
    assert_int_equal(symlink(path_of("real.weir"), path_of("l.weir")), 0);
    refused("l.weir", "", WEIR_EADDRESS, "symbolic link");
    assert_int_equal(weir_writer_open("file://relative.weir", &writer, &err), WEIR_EADDRESS);
    file_write("text.weir",
               "this is some text, and not a log at all; it is long enough to have had a header in the beginning, "
               "which is why it goes on until here",
               0);
    assert_int_equal(weir_writer_open(address_of("text.weir", ""), &writer, &err), WEIR_ECORRUPT);
    assert_non_null(strstr(err.text, "framing="));
    for (size_t i = 0; i < 3; i++) { /* wherever they begin: nothing can come of it */
        weir_reader *reader = NULL;
        const char *from = i == 0 ? "?from=oldest" : i == 1 ? "?from=now" : "?from=seq:1";
        assert_int_equal(weir_reader_open(address_of("text.weir", from), &reader, &err), WEIR_ECORRUPT);
        assert_non_null(strstr(err.text, "no weir log"));
    }
    file_write("short.weir", "celsius=21.5\n", 0); /* nor can it be the beginning of one, which a kill had left */
    refused("short.weir", "", WEIR_ECORRUPT, "no weir log");
    file_write("begun.weir", "WEIRLOG", 0);
    weir_writer_close(writer_of("begun.weir", ""));
}

static void test_modes(void **state) {
    (void)state;
    struct stat about;
    weir_writer *writer = writer_of("mode.weir", "?mode=0640");
    assert_int_equal(stat(path_of("mode.weir"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(stat(path_of("mode.weir.lock"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600); /* who may only read cannot hold up who may write */
    weir_writer *shared = writer_of("shared.weir", "?mode=0660");
    assert_int_equal(stat(path_of("shared.weir.lock"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0660);
    weir_writer_close(writer);
    weir_writer_close(shared);
}

static void test_a_reader_that_may_only_read(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("skip: only root can be another user\n");
        skip();
    }
    weir_writer *writer = writer_of("public.weir", "?mode=0644");
    assert_int_equal(send_number(writer, 1, 10, NULL), WEIR_OK);
    assert_int_equal(chmod(directory, 0755), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        weir_reader *reader = NULL;
        weir_writer *mine = NULL;
        weir_message *message = NULL;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        unsetenv("WEIR_SHM_DIR");
        if (weir_reader_open(address_of("public.weir", "?from=oldest"), &reader, NULL) != WEIR_OK ||
            weir_reader_next(reader, 10 * SECOND, &message, NULL) != WEIR_OK)
            _exit(2);
        if (weir_writer_open(address_of("public.weir", ""), &mine, NULL) != WEIR_EACCESS)
            _exit(3);
        if (weir_reader_next(reader, 10 * SECOND, &message, NULL) != WEIR_OK)
            _exit(4);
        weir_reader_close(reader);
        _exit(0);
    }
    assert_int_equal(weir_writer_wait_readers(writer, 1, 10 * SECOND, NULL), WEIR_OK);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_int_equal(send_number(writer, 2, 10, NULL), WEIR_OK);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    weir_writer_close(writer);
}

/* What a stranger has put where everybody may put something is not written into. */
static void test_a_planted_log_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("skip: only root can be another user\n");
        skip();
    }
    assert_int_equal(mkdir(path_of("open"), 0700) | chmod(path_of("open"), 01777) | chmod(directory, 0755), 0);
    file_write("open/a.jsonl", "", 0);
    assert_int_equal(chown(path_of("open/a.jsonl"), 65533, 65533) | chmod(path_of("open/a.jsonl"), 0666), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        weir_writer *writer = NULL;
        weir_reader *reader = NULL;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        unsetenv("WEIR_SHM_DIR");
        if (weir_writer_open(address_of("open/a.jsonl", ""), &writer, NULL) != WEIR_EACCESS)
            _exit(2);
        if (weir_reader_open(address_of("open/a.jsonl", ""), &reader, NULL) != WEIR_OK) /* looking does no harm */
            _exit(3);
        weir_reader_close(reader);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- one value ---- */

static void test_state_is_replaced_as_a_whole(void **state) {
    (void)state;
    weir_message *message = NULL;
    weir_reader *early = reader_of("conf.json", "?state=1");
    assert_int_equal(weir_reader_next(early, 0, &message, NULL), WEIR_ETIMEOUT);
    assert_int_equal(weir_latest(address_of("conf.json", "?state=1"), &message, NULL), WEIR_ENOENT);
    weir_writer *writer = writer_of("conf.json", "?state=1&mode=0644");
    assert_int_equal(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_JSON, NULL, "{\"rate\":10}", 11, NULL),
                     WEIR_OK);
    expect(early, WEIR_OK, "{\n  \"rate\": 10\n}\n", 1);
    weir_reader *late = reader_of("conf.json", "?state=1"), *now = reader_of("conf.json", "?state=1&from=now");
    expect(late, WEIR_OK, "{\n  \"rate\": 10\n}\n", 1);
    /* Edited, by a program that knows nothing of us; broken; and mended. */
    file_write("conf.json", "{\"rate\": 20}", O_TRUNC);
    expect(now, WEIR_OK, "{\"rate\": 20}", 1);
    expect(late, WEIR_OK, "{\"rate\": 20}", 2);
    file_write("conf.json", "{\"rate\": ", O_TRUNC);
    expect(late, WEIR_ECORRUPT, "cannot be read", 0);
    assert_int_equal(weir_reader_next(late, 0, &message, NULL), WEIR_ETIMEOUT);
    assert_int_equal(weir_writer_send_bytes(writer, "set", NULL, WEIR_CODEC_JSON, NULL, "30", 2, NULL), WEIR_OK);
    expect(late, WEIR_OK, "30", 3);
    assert_int_equal(weir_latest(address_of("conf.json", "?state=1"), &message, NULL), WEIR_OK);
    assert_int_equal(weir_message_op(message).size, 3);
    weir_message_free(message);
    struct stat about;
    assert_int_equal(stat(path_of("conf.json"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0644);
    assert_int_equal(access(path_of("conf.json.new"), F_OK), -1);
    weir_reader_close(early);
    weir_reader_close(late);
    weir_reader_close(now);
    weir_writer_close(writer);
}

static void test_state_in_every_framing(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32];
        snprintf(name, sizeof(name), "value%s", extensions[e]);
        weir_writer *writer = writer_of(name, "?state=1");
        weir_reader *reader = reader_of(name, "?state=1");
        for (int64_t i = 1; i <= 5; i++) {
            assert_int_equal(send_number(writer, i, 10, NULL), WEIR_OK);
            assert_int_equal(next_number(reader), i);
        }
        weir_reader_close(reader);
        weir_writer_close(writer);
    }
}

static void value_place(int directory_fd, const char *text, uint64_t ino, struct timespec time) {
    struct timespec times[2] = {time, time};
    char names[20][8];
    int fd = -1, count = 0;
    struct stat about;
    do { /* other files take the inodes that are not wanted */
        snprintf(names[count], sizeof(names[count]), "%d", count);
        fd = openat(directory_fd, names[count++], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(fstat(fd, &about), 0);
        if (count < 20 && ino && about.st_ino != ino)
            close(fd);
        else
            break;
    } while (count < 20);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    assert_int_equal(renameat(directory_fd, names[--count], directory_fd, "value.json"), 0);
    while (count-- > 0)
        unlinkat(directory_fd, names[count], 0);
}

/* File systems that count inodes up give none twice; others the one of a value that is gone to the next but one, which
 * may be as large and of the same tick of the clock. */
static void test_state_with_an_inode_that_comes_again(void **state) {
    (void)state;
    static const char *const roots[] = {"/tmp", "/var/tmp", "."};
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        char folder[4200], address[4300], *root = realpath(roots[i], NULL);
        struct timespec time = {1700000000, 0};
        struct stat about;
        snprintf(folder, sizeof(folder), "%s/weir-state-XXXXXX", root ? root : "");
        free(root);
        if (!mkdtemp(folder)) {
            print_message("%s: %s, so nothing is tried there\n", folder, strerror(errno));
            continue;
        }
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        weir_reader *reader = NULL;
        snprintf(address, sizeof(address), "file://%s/value.json?state=1", folder);
        value_place(fd, "1", 0, time);
        assert_int_equal(weir_reader_open(address, &reader, NULL), WEIR_OK);
        expect(reader, WEIR_OK, "1", 1);
        assert_int_equal(fstatat(fd, "value.json", &about, 0), 0);
        value_place(fd, "2", 0, time);
        value_place(fd, "3", about.st_ino, time);
        expect(reader, WEIR_OK, "3", 2);
        weir_reader_close(reader);
        unlinkat(fd, "value.json", 0);
        close(fd);
        assert_int_equal(rmdir(folder), 0);
    }
}

/* ---- telling ---- */

static void test_info(void **state) {
    (void)state;
    weir_doc *doc = NULL;
    weir_view text;
    uint64_t number = 0;
    weir_writer *writer = writer_of("info.weir", "");
    weir_reader *reader = reader_of("info.weir", "");
    for (int64_t i = 1; i <= 7; i++)
        assert_int_equal(send_number(writer, i, 10, NULL), WEIR_OK);
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_channel_info(address_of("info.weir", ""), doc, NULL), WEIR_OK);
    const weir_value *root = weir_doc_root(doc);
    assert_int_equal(weir_get_text(root, "state", &text), WEIR_OK);
    assert_memory_equal(text.data, "live", 4);
    assert_int_equal(weir_get_u64(root, "last_seq", &number), WEIR_OK);
    assert_int_equal(number, 7);
    assert_int_equal(weir_get_u64(root, "readers_holding", &number), WEIR_OK);
    assert_int_equal(number, 1);
    assert_int_equal(weir_get_u64(root, "writers.0.pid", &number), WEIR_OK);
    assert_int_equal(number, getpid());
    weir_reader_close(reader);
    weir_writer_close(writer);
    assert_int_equal(truncate(path_of("info.weir"), file_size("info.weir") - 3), 0);
    assert_int_equal(weir_channel_info(address_of("info.weir", ""), doc, NULL), WEIR_OK);
    root = weir_doc_root(doc);
    assert_int_equal(weir_get_text(root, "state", &text), WEIR_OK);
    assert_memory_equal(text.data, "idle", 4);
    assert_int_equal(weir_get_u64(root, "torn_bytes", &number), WEIR_OK);
    assert_true(number > 30);
    weir_doc_free(doc);
}

/* ---- coming at the same time ---- */

static void *open_and_begin(void *user) {
    weir_writer_close(writer_of(user, ""));
    return NULL;
}

/* Who looks for the end of a log that has no header yet may find one the moment after. */
static void test_a_log_that_is_just_begun(void **state) {
    (void)state;
    for (int i = 0; i < 600; i++) {
        pthread_t thread;
        weir_reader *reader = NULL;
        weir_error err = {0};
        assert_int_equal(pthread_create(&thread, NULL, open_and_begin, "begun.weir"), 0);
        int status = weir_reader_open(address_of("begun.weir", i % 2 ? "" : "?from=last"), &reader, &err);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (status != WEIR_OK)
            fail_msg("%s", err.text);
        weir_reader_close(reader);
        unlink(path_of("begun.weir"));
    }
}

/* ---- children ---- */

static void *open_and_close(void *user) {
    while (!atomic_load((_Atomic(int) *)user)) {
        weir_reader_close(reader_of("forked.weir", "?keep=0"));
        weir_writer_close(writer_of("forked.weir", "?keep=0"));
    }
    return NULL;
}

/* A child that is forked while another thread opens and closes ends of a log, and lives on, holds nobody up. */
static void test_forked_children_keep_no_lock(void **state) {
    (void)state;
    enum { CHILDREN = 150 };
    pid_t children[CHILDREN];
    pthread_t thread;
    _Atomic(int) is_over = 0;
    weir_writer *writer = writer_of("forked.weir", "?keep=0");
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &is_over), 0);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    int status = send_number(writer, 1, 10, NULL);
    atomic_store(&is_over, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        kill(children[i], SIGKILL);
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
    }
    assert_int_equal(status, WEIR_OK);
    weir_writer_close(writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_places_are_found),
        TEST(test_big_messages_cross_blocks),
        TEST(test_numbers_are_those_of_the_log),
        TEST(test_a_forked_child_keeps_no_lock),
        TEST(test_exclusive),
        TEST(test_rotation_is_followed),
        TEST(test_rotation_by_age),
        TEST(test_half_a_rotation),
        TEST(test_text_edited_by_hand),
        TEST(test_a_log_of_others_has_numbers),
        TEST(test_data_that_is_none_is_refused),
        TEST(test_what_is_refused),
        TEST(test_modes),
        TEST(test_a_reader_that_may_only_read),
        TEST(test_a_planted_log_is_refused),
        TEST(test_state_is_replaced_as_a_whole),
        TEST(test_state_in_every_framing),
        TEST(test_state_with_an_inode_that_comes_again),
        TEST(test_info),
        TEST(test_a_log_that_is_just_begun),
        TEST(test_forked_children_keep_no_lock),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
