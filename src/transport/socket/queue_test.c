/* Queues of frames, against a plain list of the same frames; and the table of writers. */
#include "transport/socket/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 4096, ROUNDS = 4000 };

/* ---- queues ---- */

/* A frame of @size bytes (at least 16) with @seq, in an open chunk, and queued. */
static void push(struct weir_queue *queue, struct weir_chunk **open, enum weir_chunk_kind kind, uint64_t seq,
                 size_t size) {
    size_t start;
    struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE, .seq = seq, .data = {NULL, size - WEIR_FRAME_HEADER_SIZE}};
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    assert_int_equal(weir_chunk_room(open, frame.size, size > WEIR_PACKED_MAX ? 64 : 1, kind, &start), WEIR_OK);
    memset((*open)->bytes + start, (int)(seq & 0xFF), frame.size);
    weir_frame_write_whole(&frame, (*open)->bytes + start);
    (*open)->size = start + frame.size;
    assert_int_equal(weir_queue_push(queue, *open, start, (*open)->size), WEIR_OK);
}

/* Take up to @size bytes as a socket would. Return: how many. */
static size_t take(struct weir_queue *queue, unsigned char *to, size_t size) {
    struct iovec pieces[8];
    size_t taken = 0, count = weir_queue_pieces(queue, pieces, 8);
    for (size_t i = 0; i < count && taken < size; i++) {
        size_t step = pieces[i].iov_len < size - taken ? pieces[i].iov_len : size - taken;
        memcpy(to + taken, pieces[i].iov_base, step);
        taken += step;
    }
    weir_queue_sent(queue, taken);
    return taken;
}

static uint64_t first_seq(const struct weir_queue *queue) {
    uint64_t seq;
    size_t size;
    const unsigned char *bytes = weir_queue_first(queue, &size);
    if (!bytes)
        return 0;
    memcpy(&seq, bytes + 8, sizeof(seq));
    return seq;
}

static void test_neighbours_are_one_run(void **state) {
    struct weir_queue queue = {0};
    struct weir_chunk *open = NULL, *other = NULL;
    size_t size;
    (void)state;
    assert_null(weir_queue_first(&queue, &size));
    push(&queue, &open, WEIR_CHUNK_FIRM, 1, 20);
    push(&queue, &open, WEIR_CHUNK_FIRM, 2, 30);
    assert_int_equal(queue.count, 1);
    push(&queue, &other, WEIR_CHUNK_CONTROL, 3, 16);
    push(&queue, &open, WEIR_CHUNK_FIRM, 4, 40);
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.size, 106);
    assert_non_null(weir_queue_first(&queue, &size));
    assert_int_equal(size, 20);
    weir_queue_clear(&queue);
    assert_int_equal(queue.size, 0);
    assert_int_equal(queue.count, 0);
    weir_queue_fini(&queue);
    weir_chunk_unref(open);
    weir_chunk_unref(other);
}

static void test_a_chunk_is_used_again_only_when_nobody_holds_it(void **state) {
    struct weir_queue queue = {0};
    struct weir_chunk *open = NULL;
    size_t start;
    (void)state;
    push(&queue, &open, WEIR_CHUNK_FIRM, 1, 100);
    assert_int_equal(weir_chunk_room(&open, 100, 64, WEIR_CHUNK_FIRM, &start), WEIR_OK);
    assert_int_equal(start, 128);
    weir_queue_clear(&queue);
    assert_int_equal(weir_chunk_room(&open, 100, 64, WEIR_CHUNK_FIRM, &start), WEIR_OK);
    assert_int_equal(start, 0);
    assert_null(weir_chunk_new(SIZE_MAX, WEIR_CHUNK_FIRM));
    assert_int_equal(weir_chunk_room(&open, SIZE_MAX / 2, 1, WEIR_CHUNK_FIRM, &start), WEIR_ENOMEM);
    assert_non_null(open); /* still there, still usable */
    assert_int_equal((uintptr_t)open->bytes % 64, 0);
    weir_chunk_unref(open);
    weir_queue_fini(&queue);
}

/* A frame sent in part: what follows it may go, it may not; rewound, it is whole again. */
static void test_a_frame_sent_in_part(void **state) {
    (void)state;
    for (size_t cut = 1; cut < 50; cut++) {
        struct weir_queue queue = {0};
        struct weir_chunk *open = NULL;
        unsigned char bytes[512];
        for (uint64_t seq = 1; seq <= 4; seq++)
            push(&queue, &open, WEIR_CHUNK_DROPPABLE, seq, 50);
        assert_int_equal(take(&queue, bytes, 50 + cut), 50 + cut);
        assert_int_equal(weir_queue_make_room(&queue, SIZE_MAX, 0, WEIR_CHUNK_DROPPABLE), 0);
        assert_int_equal(queue.size, 50 - cut);
        push(&queue, &open, WEIR_CHUNK_DROPPABLE, 9, 60);
        weir_queue_note(&queue, 50); /* where the frame begins, and what cannot be or is known better */
        weir_queue_note(&queue, 50 + cut + 1);
        weir_queue_note(&queue, 0);
        assert_int_equal(queue.boundary, 50);
        weir_queue_rewind(&queue);
        assert_int_equal(queue.size, 110);
        assert_int_equal(first_seq(&queue), 2);
        assert_int_equal(take(&queue, bytes, 50), 50);
        assert_int_equal(first_seq(&queue), 9);
        weir_queue_fini(&queue);
        weir_chunk_unref(open);
    }
}

static void test_room_is_made_of_the_right_kind(void **state) {
    struct weir_queue queue = {0};
    struct weir_chunk *firm = NULL, *droppable = NULL;
    unsigned char bytes[64];
    (void)state;
    assert_int_equal(weir_queue_make_room(&queue, SIZE_MAX, 10, WEIR_CHUNK_FIRM), 1); /* alone, anything fits */
    for (uint64_t seq = 1; seq <= 6; seq++)
        push(&queue, seq % 2 ? &firm : &droppable, seq % 2 ? WEIR_CHUNK_FIRM : WEIR_CHUNK_DROPPABLE, seq, 20);
    assert_int_equal(weir_queue_make_room(&queue, 20, 140, WEIR_CHUNK_DROPPABLE), 1);
    assert_int_equal(queue.size, 120);
    assert_int_equal(weir_queue_make_room(&queue, 21, 140, WEIR_CHUNK_DROPPABLE), 1);
    assert_int_equal(queue.size, 100);
    assert_int_equal(weir_queue_make_room(&queue, 100, 140, WEIR_CHUNK_DROPPABLE), 0); /* firm ones stay */
    assert_int_equal(queue.size, 60);
    for (uint64_t seq = 1; seq <= 5; seq += 2) {
        assert_int_equal(first_seq(&queue), seq);
        assert_int_equal(take(&queue, bytes, 20), 20);
    }
    assert_int_equal(queue.count, 0);
    weir_queue_fini(&queue);
    weir_chunk_unref(firm);
    weir_chunk_unref(droppable);
}

/* What is dropped run by run and then to the byte is what is dropped to the byte each time. */
static void test_what_is_too_old_goes(void **state) {
    struct weir_queue exact = {0}, late = {0};
    struct weir_chunk *open[2] = {NULL, NULL};
    unsigned seed = 4711;
    (void)state;
    print_message("seed %u\n", seed);
    for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
        int which = rand_r(&seed) % 20 == 0;
        size_t most = rand_r(&seed) % 50 == 0 ? 70000 : 3000, size = 16 + (size_t)rand_r(&seed) % most;
        push(&exact, &open[which], WEIR_CHUNK_FIRM, seq, size);
        const struct weir_run *run = weir_queue_run(&exact, exact.count - 1);
        assert_int_equal(weir_queue_push(&late, run->chunk, run->end - size, run->end), WEIR_OK);
        weir_queue_trim(&exact, 200000);
        weir_queue_trim_runs(&late, 200000);
        assert_true(late.size >= exact.size && late.size < 200000 + WEIR_CHUNK_SIZE + 70000);
        if (rand_r(&seed) % 10 == 0)
            weir_queue_trim(&late, 200000);
        if (late.size == exact.size)
            assert_int_equal(first_seq(&late), first_seq(&exact));
    }
    weir_queue_trim(&late, 200000);
    assert_int_equal(late.size, exact.size);
    assert_int_equal(first_seq(&late), first_seq(&exact));
    assert_true(first_seq(&late) > ROUNDS / 2);
    weir_queue_trim_runs(&late, 0);
    assert_int_equal(late.count, 1); /* the newest stays, and what lies with it */
    weir_queue_fini(&exact);
    weir_queue_fini(&late);
    weir_chunk_unref(open[0]);
    weir_chunk_unref(open[1]);
}

/* Random pushes, sends, drops and rewinds: what comes out is whole frames in order, and sizes add up. */
static void test_at_random(void **state) {
    struct weir_queue queue = {0};
    struct weir_chunk *open[3] = {NULL, NULL, NULL};
    static const enum weir_chunk_kind kinds[] = {WEIR_CHUNK_FIRM, WEIR_CHUNK_DROPPABLE, WEIR_CHUNK_CONTROL};
    static unsigned char wire[1 << 20];
    uint64_t seq = 0, last = 0;
    size_t wired = 0;
    unsigned seed = 20261;
    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        int what = rand_r(&seed) % 8, kind = rand_r(&seed) % 3;
        if (what < 4) {
            push(&queue, &open[kind], kinds[kind], ++seq, 16 + (size_t)(rand_r(&seed) % (what == 0 ? 9000 : 200)));
        } else if (what < 6) {
            wired += take(&queue, wire + wired, (size_t)(rand_r(&seed) % 3000));
        } else if (what == 6) {
            weir_queue_make_room(&queue, 100, 20000, WEIR_CHUNK_FIRM | WEIR_CHUNK_DROPPABLE);
        } else if (rand_r(&seed) % 16 == 0) { /* a new connection: nobody has seen the part that was sent */
            size_t whole = 0;
            while (wired - whole >= 16) {
                uint64_t word;
                memcpy(&word, wire + whole, sizeof(word));
                if (weir_frame_word_size(word) > wired - whole)
                    break;
                whole += weir_frame_word_size(word);
            }
            wired = whole;
            weir_queue_rewind(&queue);
        }
        uint64_t size = 0;
        for (size_t i = 0; i < queue.count; i++)
            size += weir_queue_run(&queue, i)->end - weir_queue_run(&queue, i)->start;
        assert_int_equal(size, queue.size);
        size_t at = 0;
        for (;;) { /* read what has come whole */
            struct weir_frame frame;
            uint64_t word;
            if (wired - at < 16)
                break;
            memcpy(&word, wire + at, sizeof(word));
            if (weir_frame_word_size(word) > wired - at)
                break;
            assert_int_equal(weir_frame_parse(word, wire + at, wired - at, &frame), WEIR_OK);
            assert_true(frame.seq > last);
            for (size_t i = 0; i < frame.data.size; i++)
                assert_int_equal((unsigned char)frame.data.data[i], frame.seq & 0xFF);
            last = frame.seq;
            at += frame.size;
        }
        memmove(wire, wire + at, wired - at);
        wired -= at;
    }
    assert_true(last > 100);
    weir_queue_fini(&queue);
    for (int i = 0; i < 3; i++)
        weir_chunk_unref(open[i]);
}

/* ---- writers ---- */

static void test_writers_keep_their_number_until_the_table_is_full(void **state) {
    struct weir_origins origins = {0};
    (void)state;
    assert_null(weir_origins_find(&origins, 5));
    for (uint64_t i = 0; i < WEIR_ORIGINS_MAX; i++) {
        struct weir_origin *origin = weir_origins_get(&origins, i << 40 | 1); /* much alike in the low bits */
        assert_non_null(origin);
        assert_int_equal(weir_origins_number(&origins, origin), i);
        assert_int_equal(origin->is_fresh, 1);
        assert_int_equal(origin->uid, WEIR_UID_UNKNOWN);
        origin->is_fresh = 0;
        origin->seq = i;
    }
    for (uint64_t i = 0; i < WEIR_ORIGINS_MAX; i++)
        if (i != 7)
            assert_int_equal(weir_origins_find(&origins, i << 40 | 1)->seq, i);
    /* The one not heard of for longest makes room, and only that one. */
    struct weir_origin *newer = weir_origins_get(&origins, 99);
    assert_int_equal(weir_origins_number(&origins, newer), 7);
    assert_int_equal(newer->is_fresh, 1);
    assert_null(weir_origins_find(&origins, UINT64_C(7) << 40 | 1));
    assert_int_equal(origins.count, WEIR_ORIGINS_MAX);
    for (uint64_t i = 0; i < WEIR_ORIGINS_MAX; i++)
        if (i != 7)
            assert_int_equal(weir_origins_number(&origins, weir_origins_find(&origins, i << 40 | 1)), i);
    weir_origins_fini(&origins);
    assert_int_equal(origins.count, 0);
    assert_null(weir_origins_find(&origins, 99));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_one_run),
        cmocka_unit_test(test_a_chunk_is_used_again_only_when_nobody_holds_it),
        cmocka_unit_test(test_a_frame_sent_in_part),
        cmocka_unit_test(test_room_is_made_of_the_right_kind),
        cmocka_unit_test(test_what_is_too_old_goes),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_writers_keep_their_number_until_the_table_is_full),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
