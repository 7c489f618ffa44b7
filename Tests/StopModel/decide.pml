/*
 * The line of a stop: workers that decide, and the control process that stops and lifts.
 *
 * One step here is one statement of PostgreSQL at READ COMMITTED, or the wait in front of it. What a transaction writes
 * is seen by others when its COMMIT step is taken, and never when its session ends first. A worker may pause between
 * any two steps for as long as it likes, so every step may be that of a zombie.
 *
 * Control position 0 is before the stop, 1 from the stop's commit on, 2 from the lift's. All requests are in the stop's
 * scope. The flags that break the design are listed in `run`; docs/model.md explains them.
 */

#define WORKERS 2
#define PARTITIONS 2
#define REQUESTS 2
#define SLOTS 2       /* records per partition */

/* Bounds that a run may set otherwise. */
#ifndef TAKEOVERS
#define TAKEOVERS 2   /* changes of a lease's owner */
#endif
#ifndef CRASHES
#define CRASHES 1     /* of a worker or of the control process */
#endif
#ifndef FREEZES
#define FREEZES 1
#endif
/* The clock counts seconds only where CLOCK is defined; without it no time passes and tokens have no cut-off. */
#define TICKS 1       /* seconds that pass; more while issuing waits for the clock */
#define STEPS_BACK 1  /* of the clock, by a second */

#define NOBODY 255
#define STOP 1
#define LIFT 2

/* Claims. */
#define ONE_GRANT 1
#define LINE 2
#define NO_REVIVAL 3
#define TRUE_POSITION 4
#define CUT_OFF_VOIDS 5
#define CUT_OFF_SPARES 6
#define FENCED 7
#define FINISHED 8
#include "claims.pml"

/* The topics: delivered records, each the number of a request whose approval it carries. */
typedef Topic { byte record[SLOTS]; byte length };
Topic topic[PARTITIONS];
byte decidedAt[REQUESTS];          /* control position when the human decided */

/* The ledger: what is committed. */
byte owner[PARTITIONS];
byte epoch[PARTITIONS] = 1;
byte next[PARTITIONS];
mtype = { waiting, issued, denied };
mtype outcome[REQUESTS] = waiting;
byte grants[REQUESTS];
byte position;
byte notIssuedBefore;
byte newestIat;
byte grantsBeforeStop;             /* by the positions that the grants carry */
byte stopSaysBefore;               /* by the stop's receipt */

/* Sessions and locks of the database. */
bit open[WORKERS];
bit ending[WORKERS];               /* pg_terminate_backend was called; the session has not noticed yet */
bit shared[WORKERS];
bit exclusive;
bit queued;
byte rowLock[PARTITIONS] = NOBODY;
byte requestLock[REQUESTS] = NOBODY;

byte second;
#ifdef LIVENESS
bit stopRequested;
#endif
bit acknowledged[3];
byte takeovers, crashes, freezes;
byte frozen = NOBODY;

#define runs(w) (frozen != (w))

/* Who takes the stop lock before everything else, as a batch does that stops have overtaken for too long. Others take it
   behind everything but the commit. */
#define FIRST(w) ((w) == 1)

/* Who holds the stop lock waits for a row for a moment only: the row's holder may wait for the stop lock behind a stop,
   which waits for this one. */
#ifdef ROWS_AWAITED
#define ROW_TIMEOUT(lock)
#else
#define ROW_TIMEOUT(lock) :: runs(me) && open[me] && FIRST(me) && lock != NOBODY -> release(me); goto idle
#endif

/* When a lock timeout may strike a holder: at any time. Only where a stop must come to its end, not before a running
   worker has had the time for its transaction. */
#if defined(LIVENESS) && !defined(TIMEOUT_TOO_SHORT)
#define LATE(w) (!runs(w))
#else
#define LATE(w) true
#endif

inline release(w) {
    shared[w] = 0;
    open[w] = 0;
    ending[w] = 0;
    if :: rowLock[0] == w -> rowLock[0] = NOBODY :: else fi;
    if :: rowLock[1] == w -> rowLock[1] = NOBODY :: else fi;
    if :: requestLock[0] == w -> requestLock[0] = NOBODY :: else fi;
    if :: requestLock[1] == w -> requestLock[1] = NOBODY :: else fi
}

/* The stop lock, shared. Who waits for it exclusively is not overtaken. */
inline lockShared(w) {
    atomic {
        if
#ifdef STOP_POLLS
        :: runs(w) && open[w] && !exclusive -> shared[w] = 1
#else
        :: runs(w) && open[w] && !exclusive && !queued -> shared[w] = 1
#endif
        :: runs(w) && !open[w] -> goto idle
        fi
    }
}

/* The control state and the clock. */
inline readState(w) {
    atomic {
        if
        :: runs(w) && open[w] -> seen = position; iat = second; earliest = notIssuedBefore
        :: runs(w) && !open[w] -> goto idle
        fi
    }
}

proctype Worker(byte me) {
    byte p, leaseEpoch, offset, r, seen, iat, earliest;
    mtype known = waiting;
    bit issue, same;

idle:
    atomic { p = 0; leaseEpoch = 0; offset = 0; r = 0; seen = 0; iat = 0; earliest = 0; known = waiting; issue = 0; same = 0 }
end_idle:
    atomic {
        /* A heartbeat: what is leased already, or what is taken from an owner that is held for dead. A row that is
           locked is skipped; the sessions of the dead are ended. */
        if
        :: runs(me) && owner[0] == me && next[0] < topic[0].length -> p = 0
        :: runs(me) && owner[1] == me && next[1] < topic[1].length -> p = 1
        :: runs(me) && owner[0] != me && next[0] < topic[0].length && rowLock[0] == NOBODY && takeovers < TAKEOVERS ->
            p = 0; owner[0] = me; epoch[0]++; takeovers++
        :: runs(me) && owner[1] != me && next[1] < topic[1].length && rowLock[1] == NOBODY && takeovers < TAKEOVERS ->
            p = 1; owner[1] = me; epoch[1]++; takeovers++
        :: runs(me) && open[1 - me] && !ending[1 - me] && takeovers < TAKEOVERS ->
            ending[1 - me] = 1;
            goto end_idle
        fi;
        leaseEpoch = epoch[p];
        offset = next[p];
        r = topic[p].record[offset];
        open[me] = 1
    }

    if
    :: FIRST(me) ->
#ifdef EPOCH_IN_LOCK_STATEMENT
        readState(me);
        lockShared(me)
#else
        lockShared(me);
        readState(me)
#endif
    :: else -> readState(me)
    fi;

    /* The fence: UPDATE of the offset's row where owner, epoch and offset are as this worker knows them. */
    atomic {
        if
        :: runs(me) && open[me] && rowLock[p] == NOBODY ->
#ifdef NO_FENCE
            rowLock[p] = me
#else
            if
            :: owner[p] == me && epoch[p] == leaseEpoch && next[p] == offset ->
#ifndef FENCE_CHECKED_EARLIER
                rowLock[p] = me
#else
                skip
#endif
            :: else ->
                MET(ZOMBIE_REFUSED);
                release(me);
                goto idle
            fi
#endif
        ROW_TIMEOUT(rowLock[p])
        :: runs(me) && !open[me] -> goto idle
        fi
    }

    /* The request, loaded FOR UPDATE. */
    atomic {
        if
#ifdef REQUEST_NOT_LOCKED
        :: runs(me) && open[me] -> known = outcome[r]
#else
        :: runs(me) && open[me] && requestLock[r] == NOBODY -> requestLock[r] = me; known = outcome[r]
        ROW_TIMEOUT(requestLock[r])
#endif
        :: runs(me) && !open[me] -> goto idle
        fi;
        /* The plan is pure: it belongs to this step. */
        if
        :: known != waiting -> MET(REPEAT_SEEN)
        :: else ->
#ifdef LIFT_REVIVES
            issue = (seen != STOP)
#else
            issue = (seen == 0 || (seen == LIFT && decidedAt[r] == LIFT))
#endif
        fi;
        if
#ifndef ISSUE_AT_ONCE
        :: issue && iat < earliest ->
            /* The token would be born void: not now, but later. */
            MET(WAITED_FOR_CLOCK);
            release(me);
            goto idle
#endif
        :: else
        fi
    }

    /* The stop lock, behind everything but the commit, and the check that nothing was declared meanwhile. */
    if
    :: !FIRST(me) ->
#ifdef EPOCH_IN_LOCK_STATEMENT
        atomic { runs(me) -> same = (position == seen) };
        lockShared(me);
#else
        lockShared(me);
#endif
        atomic {
            if
#if defined(POSITION_NOT_CHECKED)
            :: runs(me) && open[me]
#elif defined(EPOCH_IN_LOCK_STATEMENT)
            :: runs(me) && open[me] && same -> same = 0
            :: runs(me) && open[me] && !same -> release(me); goto idle
#else
            :: runs(me) && open[me] && position == seen
            :: runs(me) && open[me] && position != seen ->
                MET(OVERTAKEN);
                release(me);
                goto idle
#endif
            :: runs(me) && !open[me] -> goto idle
            fi
        }
    :: else
    fi;
#ifdef LOCK_LET_GO
    atomic { runs(me) -> shared[me] = 0 }
#endif

    /* COMMIT. A contract or key that cannot be read takes the batch back instead: the input waits. */
    atomic {
        if
        :: runs(me) && open[me] ->
            CLAIM(FENCED, owner[p] == me && epoch[p] == leaseEpoch && next[p] == offset);
            next[p] = offset + 1;
            if
            :: known != waiting
            :: known == waiting && issue ->
                grants[r]++;
                CLAIM(ONE_GRANT, grants[r] == 1);
                CLAIM(LINE, !(acknowledged[STOP] && position < LIFT));
                CLAIM(NO_REVIVAL, position < LIFT || decidedAt[r] == LIFT);
                CLAIM(TRUE_POSITION, seen == position);
                CLAIM(CUT_OFF_SPARES, position < LIFT || iat >= notIssuedBefore);
                if :: seen == 0 -> grantsBeforeStop++; MET(GRANT_BEFORE) :: else -> MET(GRANT_AFTER) fi;
                if :: iat > newestIat -> newestIat = iat :: else fi;
                outcome[r] = issued
            :: known == waiting && !issue ->
                if :: seen == STOP -> MET(DENIED_BY_STOP) :: else -> MET(DENIED_BY_LIFT) fi;
                outcome[r] = denied
            fi;
            release(me)
        :: runs(me) && open[me] -> release(me)
        :: runs(me) && !open[me]
        fi
    }
    goto idle
}

/* Applies the stop, and after its acknowledgement the lift. It may die at any step; its successor begins at `start`. */
proctype Control() {
    byte op, cutOff, before;

start:
    atomic {
        op = 0; cutOff = 0; before = 0;
        /* What was committed and not acknowledged is a repeat: its answer is given again. */
        if
        :: position > 0 && !acknowledged[position] -> acknowledged[position] = 1; MET(CONTROL_RESUMED)
        :: else
        fi;
        if
        :: position < LIFT -> op = position + 1
        :: else -> goto end_done
        fi;
#ifdef LIVENESS
        stopRequested = 1
#endif
    }

    /* BEGIN; the stop lock, exclusive, under a lock timeout. */
#ifndef NO_EXCLUSIVE_LOCK
wait:
#ifdef STOP_POLLS
    skip;
#else
    queued = 1;
#endif
    atomic {
        if
        :: !shared[0] && !shared[1] -> queued = 0; exclusive = 1
#ifndef NO_TERMINATION
        :: (shared[0] && LATE(0)) || (shared[1] && LATE(1)) ->
            /* The lock timeout: the place in the queue is given up, the holders' sessions are ended, and the lock is
               asked for anew. */
            queued = 0;
            if :: shared[0] -> ending[0] = 1 :: else fi;
            if :: shared[1] -> ending[1] = 1 :: else fi;
            MET(HOLDER_ENDED);
#ifndef TERMINATION_NOT_AWAITED
            goto wait
#endif
#endif
        :: crashes < CRASHES -> crashes++; queued = 0; goto start
        fi
    }
#endif

    /* The next statement: what the receipt says, and the cut-off. */
    atomic {
        before = grants[0] + grants[1];
#ifdef CLOCK
#ifdef CUT_OFF_SAME_SECOND
        cutOff = second;
#else
        cutOff = second + 1;
#endif
#if !defined(CUT_OFF_SAME_SECOND) && !defined(CUT_OFF_BY_CLOCK_ALONE)
        if :: cutOff <= newestIat -> cutOff = newestIat + 1 :: else fi;
#endif
#endif
#ifdef ACKNOWLEDGED_BEFORE_COMMIT
        acknowledged[op] = 1;
#endif
    }

    /* COMMIT. */
    atomic {
        if
        :: true ->
            if
            :: op == STOP -> stopSaysBefore = before; notIssuedBefore = cutOff
            :: else
            fi;
            position = op;
            exclusive = 0;
#ifdef CLOCK
            CLAIM(CUT_OFF_VOIDS, position != STOP || newestIat < notIssuedBefore || grantsBeforeStop == 0)
#endif
        :: crashes < CRASHES -> crashes++; exclusive = 0; goto start
        fi
    }

    /* The answer. */
    atomic {
        if
        :: acknowledged[op] = 1
        :: crashes < CRASHES -> crashes++
        fi;
        goto start
    }

end_done:
    skip
}

/* A session's process in the server: told to end, it does so in its own time and takes its transaction back. */
proctype Backend(byte w) {
end_serve:
    do
    :: atomic { ending[w] && open[w] -> release(w) }
    od
}

/* People decide at any time; the approval of request 0 comes twice, on both partitions. */
proctype Approvers() {
    atomic { decidedAt[0] = position; topic[0].record[topic[0].length] = 0; topic[0].length++ }
    atomic { decidedAt[1] = position; topic[1].record[topic[1].length] = 1; topic[1].length++ }
    atomic { topic[1].record[topic[1].length] = 0; topic[1].length++ }
}

/* Crashes and freezes. A worker that dies loses its session and everything it knew; it starts again with the ledger. */
proctype Misfortune() {
end_calm:
    do
    :: atomic { crashes < CRASHES && open[0] -> crashes++; ending[0] = 1 }
    :: atomic { crashes < CRASHES && open[1] -> crashes++; ending[1] = 1 }
    :: atomic { freezes < FREEZES && open[0] -> freezes++; frozen = 0 }
    :: atomic { freezes < FREEZES && open[1] -> freezes++; frozen = 1 }
    :: atomic { frozen != NOBODY -> frozen = NOBODY }
#ifdef LIVENESS
    /* A worker may stay frozen for ever. */
    :: atomic { frozen != NOBODY -> break }
#endif
    od
}

#ifdef CLOCK
proctype Clock() {
    byte ticks, back;
end_clock:
    do
    :: atomic { ticks < TICKS || second < notIssuedBefore -> second++; if :: ticks < TICKS -> ticks++ :: else fi }
    :: atomic { back < STEPS_BACK && second > 0 -> second--; back++ }
    od
}
#endif

#ifndef LIVENESS
/* When nothing can move any more, everything is done. */
proctype Finish() {
    timeout ->
    CLAIM(FINISHED, position == LIFT && acknowledged[STOP] && acknowledged[LIFT]);
    CLAIM(FINISHED, next[0] == topic[0].length && next[1] == topic[1].length);
    CLAIM(FINISHED, outcome[0] != waiting && outcome[1] != waiting);
    CLAIM(FINISHED, !open[0] && !open[1] && !shared[0] && !shared[1] && !exclusive && !queued);
    CLAIM(TRUE_POSITION, grantsBeforeStop == stopSaysBefore)
}
#else
ltl acknowledged_in_the_end { [] (stopRequested -> <> acknowledged[STOP]) }
#endif

init {
    atomic {
        owner[0] = 0;
        owner[1] = 1;
        run Worker(0);
        run Worker(1);
        run Control();
        run Backend(0);
        run Backend(1);
        run Approvers();
        run Misfortune();
#ifdef CLOCK
        run Clock();
#endif
#ifndef LIVENESS
        run Finish()
#endif
    }
}
