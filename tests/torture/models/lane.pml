/* A lane, its writers one after the other, a reader that holds, and one that observes. Each may be killed between any two steps, and another
 * takes over from it.
 *
 *     writer      weir_lane_open (lane_recover), weir_lane_commit, commit_corked and weir_lane_flush, room_make,
 *                 dead_reader_remove (weir_slot_reclaim), weir_lane_close
 *     reader      weir_slot_take, weir_view_to_oldest, lane_next in place, weir_shm_reader_release, weir_slot_drop
 *     observer    copy_once
 *
 * A message takes one cell of a ring of N, its seq is its position + 1, and cell and commit word are stored apart. Memory is sequentially
 * consistent here: which orders need which barriers is said in docs/spec/shm.md. Each M_ macro is a defect that must be found. */
#define N 4    /* cells; one of them is the word behind */
#define LAST 6 /* messages in all */
#ifndef KILLS
#define KILLS 2
#endif

byte word[N], cell[N];           /* the ring */
byte oldest, tail, next_seq = 1; /* the writer's page */
byte cursor;                     /* the reader's slot */
bool joined;
bool lane_lease, slot_lease;     /* the kernel gives them back */
byte acked;                      /* acknowledged messages; not in shared memory */
byte kills;

/* Dies here, or goes on. */
#define MAY_DIE if :: kills < KILLS -> kills++; goto dead :: true fi

/* weir_slot_held */
inline held_find() {
    held = head;
    if
    :: joined && cursor < held -> held = (cursor < freed -> freed : cursor)
    :: else
    fi
}

/* page_update */
inline page_tells() {
    next_seq = seq;
    MAY_DIE;
    tail = head
}

#define FORGET  head = 0; seq = 0; freed = 0; held = 0; bound = 0; before = 0; newer = 0; goal = 0
#define HAS_ROOM(count) (head + count + 1 <= freed + N)

active proctype writer() {
    byte head, seq, freed, held, bound, before, newer, goal;
    bool has_slot;
again:
    atomic { !lane_lease -> lane_lease = true; FORGET }
    /* lane_recover */
    seq = next_seq;
    head = tail;
    do
    :: word[head % N] != 0 && head + 2 - oldest <= N ->
#ifdef M_NO_WALK
        break;
#endif
        d_step {
#ifndef M_NO_SEQ
            if :: word[head % N] + 1 > seq -> seq = word[head % N] + 1 :: else fi;
#endif
            head++
        }
    :: else -> break
    od;
    word[head % N] = 0;
    MAY_DIE;
    page_tells();
    MAY_DIE;
    freed = 0;
    d_step {
#ifdef M_RECOVERY_FORGETS
        freed = head;
#else
        held_find();
        freed = (held < oldest -> held : oldest);
        if :: head + 1 > N && head + 1 - N > freed -> freed = head + 1 - N :: else fi;
#endif
        held = 0
    }
    do
    :: seq > LAST -> break
    :: seq <= LAST && HAS_ROOM(1) -> /* weir_lane_commit */
        cell[head % N] = 0; /* half written */
        MAY_DIE;
#ifdef M_WORD_FIRST
        word[head % N] = seq;
#endif
        cell[head % N] = seq;
        MAY_DIE;
#ifndef M_NO_ZERO
#ifndef M_WORD_FIRST
        word[(head + 1) % N] = 0;
#endif
#endif
        MAY_DIE;
#ifdef M_PAGE_FIRST
        next_seq = seq + 1;
        tail = head + 1;
        MAY_DIE;
#endif
        word[head % N] = seq;
        MAY_DIE;
#ifdef M_WORD_FIRST
        word[(head + 1) % N] = 0;
#endif
        d_step { head++; seq++ }
        page_tells();
        acked = head;
        MAY_DIE
    :: seq < LAST && HAS_ROOM(2) -> /* two with WEIR_COMMIT_MORE, then flush */
        cell[head % N] = seq;
        word[(head + 1) % N] = 0; /* the first one's word is withheld */
        MAY_DIE;
        cell[(head + 1) % N] = seq + 1;
        word[(head + 2) % N] = 0;
        word[(head + 1) % N] = seq + 1;
        MAY_DIE;
        word[head % N] = seq;
        MAY_DIE;
        d_step { head = head + 2; seq = seq + 2 }
        page_tells();
        acked = head;
        MAY_DIE
    :: seq <= LAST && !HAS_ROOM(1) -> /* room_make */
        held_find();
        d_step {
            before = oldest;
            newer = before;
            goal = (head + 2 > N -> head + 2 - N : 0);
            bound = (head > 0 -> head - 1 : 0); /* last: the newest frame is never given up */
            if :: held < bound -> bound = held :: else fi;
            if :: before < goal && before < bound -> newer = before + 1 :: else fi
        }
#ifndef M_OLDEST_LATE
        oldest = newer;
#endif
        MAY_DIE;
#ifndef M_NO_SECOND_LOOK
        held_find();
#endif
        if
        :: held < newer ->
            newer = (held > before -> held : before);
            oldest = newer
        :: else
        fi;
        MAY_DIE;
        d_step {
            if :: newer < held -> held = newer :: else fi;
            if :: held > freed -> freed = held :: else fi;
            held = 0; bound = 0; before = 0; newer = 0; goal = 0
        }
        if /* dead_reader_remove */
        :: joined && !HAS_ROOM(1) ->
            atomic {
                if
                :: !slot_lease -> slot_lease = true; has_slot = true
                :: else
                fi
            }
            MAY_DIE;
#ifdef M_NO_LEASE
            joined = false;
#else
            if :: has_slot -> joined = false :: else fi;
#endif
            MAY_DIE;
            atomic { if :: has_slot -> slot_lease = false; has_slot = false :: else fi }
        :: else
        fi
    od;
    atomic { lane_lease = false; FORGET }
    goto done;
dead:
    atomic {
        lane_lease = false;
        if :: has_slot -> slot_lease = false; has_slot = false :: else fi
    }
    goto again;
done:
    assert(tail == LAST) /* also what was not acknowledged when its writer died is there */
}

/* Looks in place: nothing that its cursor holds may change under it. */
active proctype reader() {
    byte position, want;
again:
    atomic { !slot_lease -> slot_lease = true }
    joined = false;
    MAY_DIE;
#ifndef M_CURSOR_OLD
    cursor = 0;
#endif
    joined = true;
    MAY_DIE;
    position = oldest;
    MAY_DIE;
    cursor = position;
    do
    :: word[position % N] != 0 ->
        want = word[position % N];
        assert(want == position + 1); /* none missing, none twice, none stale */
#ifdef M_CURSOR_EARLY
        cursor = position + 1;
#endif
        MAY_DIE;
        assert(cell[position % N] == want); /* whole */
        assert(word[position % N] == want);
        atomic { position++; want = 0 }
        cursor = position;
        MAY_DIE
    :: word[position % N] == 0 && position == LAST -> break
    :: word[position % N] == 0 && acked > position -> assert(false) /* acknowledged, and not there */
    od;
    atomic { position = 0; want = 0 }
    joined = false;
    slot_lease = false;
    goto done;
dead:
    atomic { slot_lease = false; position = 0; want = 0 } /* the bit stays */
    goto again;
done:
    skip
}

/* Copies, then asks whether it was overtaken. */
active proctype observer() {
    byte position, want, copy;
end:
    do
    :: position = oldest;
        want = word[position % N];
        copy = cell[position % N];
        atomic {
            if
            :: oldest > position || want == 0
            :: else -> assert(want == position + 1 && copy == want)
            fi;
            position = 0; want = 0; copy = 0
        }
    od
}
