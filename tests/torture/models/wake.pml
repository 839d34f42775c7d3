/* A reader that goes to sleep and a writer that wakes it only when somebody sleeps. Stores of the writer lie in a store buffer until they
 * drain, as on x86; the reader's membarrier drains it. Nobody is killed here, and the futex has no timeout: so a lost wake-up is a
 * reader that sleeps for ever, an invalid end state. Two writers show that each answers a ticket by itself. */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#define WRITERS 2

byte sent[WRITERS];               /* commit words that readers see */
byte buffered[WRITERS];           /* stores that have not drained */
byte ticket;
bool waiting;
byte wake_word;
bool sleeping;

#define SEES_SOMETHING (sent[0] + sent[1] > taken)

proctype writer(byte id) {
    byte answered, messages, seen;
    do
    :: messages < MESSAGES ->
        messages++;
        atomic { assert(buffered[id] == 0); buffered[id] = 1 }
        /* a load may pass our own store; a mutant's reader does not drain it */
        seen = ticket;
        if
        :: seen == answered
        :: else ->
            atomic { sent[id] = sent[id] + buffered[id]; buffered[id] = 0 } /* system calls and locked instructions drain */
            answered = seen;
            if
            :: waiting ->
#ifdef M_WAKE_WITHOUT_WORD
                skip;
#else
                wake_word++;
#endif
                sleeping = false /* futex wake */
            :: else
            fi
        fi;
        atomic { sent[id] = sent[id] + buffered[id]; buffered[id] = 0 } /* sooner or later */
    :: else -> break
    od
}

proctype reader() {
    byte taken, word;
    do
    :: taken == WRITERS * MESSAGES -> break
    :: SEES_SOMETHING -> taken++
    :: !SEES_SOMETHING && taken < WRITERS * MESSAGES ->
#ifndef M_WORD_LATE
        word = wake_word;
#endif
        waiting = true;
#ifndef M_NO_TICKET
        ticket++;
#endif
#ifndef M_NO_BARRIER
        atomic { /* membarrier */
            sent[0] = sent[0] + buffered[0];
            buffered[0] = 0;
            sent[1] = sent[1] + buffered[1];
            buffered[1] = 0
        }
#endif
#ifdef M_NO_LAST_LOOK
        if :: true
#else
        if
        :: SEES_SOMETHING
        :: !SEES_SOMETHING
#endif
            ->
#ifdef M_WORD_LATE
            word = wake_word;
#endif
            atomic { /* futex wait */
                if
                :: wake_word == word -> sleeping = true
                :: else
                fi
            }
            !sleeping
        fi;
        waiting = false
    od
}

init {
    atomic {
        run writer(0);
        run writer(1);
        run reader()
    }
}
