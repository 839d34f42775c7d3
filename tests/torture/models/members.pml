/* Ends that come and go at a channel that nobody keeps until one of them says so, and clean-up: making, joining, taking away; each may be killed between any two steps.
 *
 *     end     weir_channel_join (join_once, channel_make, membership_take), weir_channel_leave (last_one_out),
 *             weir_channel_remove
 *     gc      weir_shm_clean (hidden_clean, channel_clean)
 *
 * A directory is a number; the channel's name means one of them, or none (0). That gc leaves alone for 10 s what is half made and
 * without a lock is left out: a maker may be stopped for longer; it then
 * finds its directory gone and begins again. Each M_ macro is a defect that must be found. */
#ifndef ENDS
#define ENDS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef OPENS
#define OPENS 1 /* of each end */
#endif
#ifndef DIRECTORIES
#define DIRECTORIES 2
#endif

byte name;                      /* what the channel's name means */
byte made;                      /* directories so far */
bool has_lock[DIRECTORIES + 1]; /* members.lock is there */
bool has_files[DIRECTORIES + 1];
bool gone[DIRECTORIES + 1];     /* it has the name .gone.X */
byte shared[DIRECTORIES + 1];   /* byte 0 of its members.lock: how many hold it shared */
bool alone[DIRECTORIES + 1];    /* somebody holds it alone */
bool kept[DIRECTORIES + 1];     /* keep is 1: an end has said that it is to stay */
byte kills;

#define MAY_DIE if :: kills < KILLS -> kills++; goto dead :: true fi
#define IS_FREE(d) (shared[d] == 0 && !alone[d])
#define IS_WHOLE   (name == directory && has_lock[directory] && has_files[directory])

/* weir_channel_remove, by who holds it alone; only a directory that still has the name. */
inline remove_it() {
    if
    :: name == directory ->
        assert(!kept[directory]);
#ifndef M_REMOVE_IN_PLACE
        atomic { name = 0; gone[directory] = true; MAY_DIE };
#endif
        atomic { has_lock[directory] = false; MAY_DIE };
        has_files[directory] = false;
#ifdef M_REMOVE_IN_PLACE
        if :: name == directory -> name = 0 :: else fi
#endif
    :: else
    fi
}

proctype end() {
    byte directory, opens;
    byte holds; /* 0 nothing, 1 shared, 2 alone */
    bool stays; /* what keep was when it began to leave */
again:
    holds = 0;
look:
    atomic {
        directory = name;
        if
        :: opens == OPENS || (directory == 0 && made == DIRECTORIES) -> goto over
        :: opens < OPENS && directory != 0 -> goto join
        :: else
        fi
    };
    /* channel_make */
    atomic { if :: made < DIRECTORIES -> made++; directory = made :: else -> goto over fi; MAY_DIE };
    atomic { has_lock[directory] = true; shared[directory]++; holds = 1; MAY_DIE }; /* locked before it has its name */
#ifndef M_NAME_FIRST
    atomic { has_files[directory] = true; MAY_DIE };
#endif
    atomic {
        if
        :: name == 0 && !gone[directory] -> name = directory
        :: else -> gone[directory] = true; shared[directory]--; holds = 0; goto look /* another was faster */
        fi
    }
#ifdef M_NAME_FIRST
    has_files[directory] = true;
#endif
    goto inside;
join: /* membership_take */
    if :: !has_lock[directory] -> goto look :: else fi;
    atomic {
        if
        :: IS_FREE(directory) -> alone[directory] = true; holds = 2
        :: else
        fi;
        MAY_DIE
    };
    if
    :: holds == 2 && !kept[directory] -> goto take_away /* nobody keeps it: begin again */
    :: else
    fi;
    atomic {
        if
        :: holds == 2 -> alone[directory] = false; shared[directory]++; holds = 1
        :: holds != 2 && alone[directory] -> goto look
        :: else -> shared[directory]++; holds = 1
        fi;
        MAY_DIE
    };
#ifndef M_NO_LOOK_BACK
    if
    :: name != directory -> atomic { shared[directory]--; holds = 0; goto look }
    :: else
    fi;
#endif
inside:
    atomic { opens++; assert(IS_WHOLE); MAY_DIE };
    if
    :: atomic { kept[directory] = true; MAY_DIE } /* weir_channel_settle */
    :: true
    fi;
    assert(IS_WHOLE); /* as long as we are in, it stays */
    stays = kept[directory];
    /* last_one_out */
#ifdef M_LEAVE_WITHOUT_LOCK
    goto take_away;
#endif
    atomic { shared[directory]--; holds = 0; MAY_DIE };
    if :: stays -> goto look :: else fi;
    atomic {
        if
        :: IS_FREE(directory) -> alone[directory] = true; holds = 2
        :: else -> goto look
        fi;
        MAY_DIE
    };
#ifndef M_KEEP_AS_IT_WAS
    if :: kept[directory] -> atomic { alone[directory] = false; holds = 0; goto look } :: else fi;
#endif
take_away:
    remove_it();
    atomic {
        if :: holds == 1 -> shared[directory]-- :: holds == 2 -> alone[directory] = false :: else fi;
        holds = 0
    }
    goto look;
dead: /* the kernel gives back what it held */
    atomic {
        if
        :: holds == 1 -> shared[directory]--
        :: holds == 2 -> alone[directory] = false
        :: else
        fi
    }
    goto again;
over:
    directory = 0
}

proctype gc() {
    byte directory = 1;
    byte holds;
    do
    :: directory <= made ->
        if
        :: name != directory && (has_lock[directory] -> IS_FREE(directory) : true) -> /* hidden_clean */
#ifndef M_GC_KEEPS_NAME
            atomic { if :: name != directory -> gone[directory] = true :: else -> goto next fi }
#endif
            has_lock[directory] = false;
            has_files[directory] = false
        :: name == directory -> /* channel_clean */
            atomic {
                if
#ifdef M_GC_NO_LOCK
                :: true -> holds = 2
#else
                :: has_lock[directory] && IS_FREE(directory) -> alone[directory] = true; holds = 2
#endif
                :: else -> goto next
                fi
            }
            if :: kept[directory] -> goto dead :: else fi;
            remove_it();
dead: /* gc is not killed on its way, but has the same places to stop at */
            atomic { alone[directory] = false; holds = 0 }
        :: else
        fi;
next:
        directory++
    :: else -> break
    od
}

init {
    byte i;
    atomic {
        do
        :: i < ENDS -> run end(); i++
        :: else -> break
        od;
        run gc()
    }
}
