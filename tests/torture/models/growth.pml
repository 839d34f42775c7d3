/* A lane that grows, over and over: its writers one after the other, and READERS (1 or 2) that hold and come at some time. Writers may be
 * killed between any two steps.
 *
 *     writer      weir_lane_open (newest_open, lane_settle), segment_grow (weir_segment_make), retired_unlink
 *     reader      weir_slot_take, weir_view_open, weir_view_to_oldest (segment_oldest), weir_view_follow (segment_after)
 *
 * A segment is what one needs of it here: whether its file is there and complete, its base, how many frames it has, and where it leads. One
 * message is one position. Each M_ macro is a defect that must be found. */
#define SEGMENTS 4
#ifndef LAST
#define LAST 3 /* messages in all */
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#define NOTHING 255

bool is_there[SEGMENTS + 2]; /* the file has its name */
bool is_whole[SEGMENTS + 2]; /* header and page are written */
byte base[SEGMENTS + 2], frames[SEGMENTS + 2], forward[SEGMENTS + 2];
byte generation;             /* the channel's page */
byte cursor[2];
bool joined[2];
bool is_unlinking; /* the writer has asked whom its older segments are needed by */
bool is_late[2];   /* came after that question; it may miss what is between, and counts it */
bool lease;
byte kills;
byte acked;

#define MAY_DIE if :: kills < KILLS -> kills++; goto dead :: true fi
/* The newest message can be read by who comes now. */
#define HAS_LATEST ((is_there[1] && frames[1]) || (is_there[2] && frames[2]) || (is_there[3] && frames[3]) || (is_there[4] && frames[4]))
#define END(segment) (base[segment] + frames[segment])
#define IS_HELD_BEFORE(position) ((joined[0] && cursor[0] < position) || (joined[1] && cursor[1] < position))

active proctype writer() {
    byte mine, head, older;
    bool has_retired;
again:
    atomic { !lease -> lease = true; mine = 0; head = 0; older = 0; has_retired = false }
    if
    :: generation == 0 -> /* lane_make: a segment gets its name when it is complete */
        is_whole[1] = true;
        is_there[1] = true;
        MAY_DIE;
        mine = 1
    :: else -> /* newest_open: the table may lag behind */
        mine = generation;
        assert(is_there[mine] && is_whole[mine]);
        do
#ifndef M_TABLE_BELIEVED
        :: forward[mine] != 0 ->
            mine = forward[mine];
            assert(is_there[mine] && is_whole[mine])
#endif
        :: else -> break
        od;
        has_retired = true
    fi;
    head = END(mine);
    MAY_DIE;
    generation = mine;
    MAY_DIE;
    do
    :: head == LAST -> break
    :: head < LAST -> /* weir_lane_commit */
#ifdef M_OLD_WRITTEN
        if
        :: mine > 1 && forward[mine - 1] == mine && frames[mine] == 0 -> frames[mine - 1]++
        :: else -> frames[mine]++
        fi;
#else
        frames[mine]++;
#endif
        head++;
        acked = head;
        MAY_DIE
    :: head < LAST && mine < SEGMENTS -> /* segment_grow */
#ifdef M_FORWARD_FIRST
        forward[mine] = mine + 1;
        MAY_DIE;
#endif
        is_whole[mine + 1] = false; /* weir_segment_make: complete, then renamed */
        MAY_DIE;
        atomic { is_whole[mine + 1] = true; base[mine + 1] = head; frames[mine + 1] = 0 }
        is_there[mine + 1] = true;
        MAY_DIE; /* a file that nothing leads to: the next holder makes it anew */
        forward[mine] = mine + 1;
        MAY_DIE;
#ifndef M_TABLE_FORGOTTEN
        generation = mine + 1;
#endif
        MAY_DIE;
        mine++;
        has_retired = true
#ifdef M_UNLINK_EMPTY
    :: has_retired ->
#else
    :: has_retired && frames[mine] > 0 -> /* retired_unlink */
#endif
        if
#ifdef M_UNLINK_UNASKED
        :: true ->
#else
        :: atomic { !IS_HELD_BEFORE(base[mine]) -> is_unlinking = true }
#endif
            older = mine;
#ifdef M_NEWEST_FIRST
            do
            :: older > 1 && is_there[older - 1] -> older--; is_there[older] = false; assert(head == 0 || HAS_LATEST); MAY_DIE
            :: else -> break
            od;
#else
            do
            :: older > 1 && is_there[older - 1] -> older--
            :: else -> break
            od;
            do /* the oldest first: who joins meanwhile finds those that follow it */
            :: older < mine -> is_there[older] = false; assert(head == 0 || HAS_LATEST); older++; MAY_DIE
            :: else -> break
            od;
#endif
            atomic { has_retired = false; is_unlinking = false }
        :: else
        fi;
        older = 0
    od;
    older = (has_retired -> 1 : mine);
    do
    :: older > 1 -> older--; assert(!is_there[older]) /* nothing is forgotten */
    :: else -> break
    od;
    lease = false;
    goto done;
dead:
    atomic { lease = false; is_unlinking = false }
    goto again;
done:
    skip
}

/* Begins at the oldest that is kept, at some time; from there on it misses nothing, unless it came late. */
proctype reader(byte slot) {
    byte mine, position, next, low, newest;
    cursor[slot] = 0;
    atomic { joined[slot] = true; is_late[slot] = is_unlinking }
    generation != 0;
    mine = generation;
    do /* weir_view_open */
    :: forward[mine] != 0 -> mine = forward[mine]
    :: else -> break
    od;
    next = mine;
    do /* segment_oldest */
    :: next > 1 && is_there[next - 1] -> next--
    :: else -> break
    od;
    do
    :: next < mine && !is_there[next] -> next++ /* taken away before we could open it */
    :: else -> mine = next; break
    od;
    next = 0;
    position = base[mine];
    cursor[slot] = position;
    do
    :: position == LAST -> break
    :: position < END(mine) -> position++; cursor[slot] = position
    :: position >= END(mine) && position < LAST -> /* weir_view_follow */
        next = forward[mine];
#ifndef M_NO_SECOND_LOOK
        if
        :: position < END(mine) -> next = NOTHING
        :: else
        fi;
#endif
        if
        :: next == 0 || next == NOTHING
        :: else ->
            atomic { /* to open is one step: what is open stays, with a name or without */
                if
                :: is_there[next] -> goto opened
                :: else
                fi
            }
look: /* it was empty, or nothing of it was needed: what follows is the oldest that is still there */
            newest = generation;
#ifdef M_FOLLOW_TO_NEWEST
            low = newest;
#else
            low = newest;
            do
            :: low - 1 > next && is_there[low - 1] -> low--
            :: else -> break
            od;
#endif
            assert(newest > next);
            do
            :: low <= newest ->
                atomic {
                    if
                    :: is_there[low] -> next = low; low = 0; newest = 0; goto opened
                    :: else -> low++
                    fi
                }
            :: else -> goto look /* grown once more */
            od;
opened:
            atomic {
                assert(is_whole[next]);
                assert(base[next] == position || is_late[slot]); /* nothing missed */
                mine = next;
                position = base[next];
                cursor[slot] = position
            }
        fi;
        next = 0
    od;
    joined[slot] = false
}

init {
    atomic {
        run reader(0);
#if READERS > 1
        run reader(1)
#endif
    }
}
