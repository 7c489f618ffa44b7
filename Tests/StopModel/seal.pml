/*
 * The log: transactions that leave receipts, and the elected sealer that gives them positions.
 *
 * One step is one statement of PostgreSQL at READ COMMITTED, or the wait in front of it. A process may pause between
 * any two steps for as long as it likes, and wake as a zombie. The flags that break the design are listed in `run`;
 * docs/model.md explains them.
 */

#define GROUPS 4
#ifndef TAKEOVERS
#define TAKEOVERS 3   /* changes of the sealer */
#endif
#define CRASHES 1     /* of a sealer inside its transaction */

#define NOBODY 255

/* Claims. */
#define SEALED_ONCE 1
#define DENSE_POSITIONS 2
#define FENCED 3
#define ALL_SEALED 4
#include "claims.pml"

/* The ledger. A group's number is drawn before its transaction commits, and may commit after a greater one. */
byte drawn;
bit committed[GROUPS];
bit unsealed[GROUPS];
byte sealings[GROUPS];
byte log[GROUPS] = NOBODY;     /* the group at a position */
byte sealed;                   /* positions given */
#ifdef SEAL_BY_NUMBER
byte lastSealed;               /* one more than the greatest group number sealed */
#endif

byte sealer;
byte sealEpoch = 1;
byte roleLock = NOBODY;
bit open[2];                   /* the sealers' transactions */
byte takeovers, crashes;

/* What a sealer looks for: membership. */
#ifdef SEAL_BY_NUMBER
#define isNew(g) (committed[g] && (g) >= lastSealed)
#else
#define isNew(g) (unsealed[g])
#endif
#define waits (isNew(0) || isNew(1) || isNew(2) || isNew(3))

/* Decide transactions, each with one receipt, which may roll back or commit. */
proctype Writer() {
    byte group;

    do
    :: atomic { drawn < GROUPS -> group = drawn; drawn++ }
        atomic {
            if
            :: true ->
                if :: group + 1 < GROUPS && committed[group + 1] -> MET(COMMITTED_OUT_OF_ORDER) :: else fi;
                committed[group] = 1;
                unsealed[group] = 1
            :: MET(ROLLED_BACK)        /* the number is never used */
            fi;
            group = 0
        }
    :: drawn == GROUPS -> break
    od
}

proctype Sealer(byte me) {
    byte epoch, tail, i;
    bit taken[GROUPS];

elect:
    atomic { epoch = 0; tail = 0; i = 0; taken[0] = 0; taken[1] = 0; taken[2] = 0; taken[3] = 0 }
end_elect:
    atomic {
        if
        :: sealer == me -> epoch = sealEpoch
        :: sealer != me && roleLock == NOBODY && takeovers < TAKEOVERS ->
            takeovers++; sealer = me; sealEpoch++; epoch = sealEpoch
        fi
    }

end_seal:
    (waits || sealer != me);
    open[me] = 1;
#ifndef NO_SEAL_FENCE
    /* The fence: the role's row FOR UPDATE, held until the end of the transaction. */
    atomic {
        if
        :: open[me] && roleLock == NOBODY ->
            if
            :: sealer == me && sealEpoch == epoch ->
#ifdef SEAL_FENCE_NOT_HELD
                skip
#else
                roleLock = me
#endif
            :: else -> MET(ZOMBIE_REFUSED); open[me] = 0; goto elect
            fi
        :: !open[me] -> goto elect
        fi
    }
#endif
    /* The next statement: the tail of the log. */
    tail = sealed;
    /* The next statement: which groups are committed and not sealed. */
    atomic {
        i = 0;
        do
        :: i < GROUPS ->
            taken[i] = isNew(i);
            i++
        :: else -> break
        od;
        i = 0
    }
    /* COMMIT, or the end of the session before it. */
    atomic {
        if
        :: open[me] ->
            CLAIM(FENCED, sealer == me && sealEpoch == epoch);
            do
            :: i < GROUPS ->
                if
                :: taken[i] ->
                    CLAIM(DENSE_POSITIONS, tail == sealed && tail < GROUPS && log[tail] == NOBODY);
                    CLAIM(SEALED_ONCE, committed[i] && sealings[i] == 0);
                    if
                    :: tail < GROUPS -> log[tail] = i; tail++; sealed = tail
                    :: else
                    fi;
                    if :: sealings[i] < 2 -> sealings[i]++ :: else fi;
                    unsealed[i] = 0
#ifdef SEAL_BY_NUMBER
                    ;
                    if :: i >= lastSealed -> lastSealed = i + 1 :: else fi
#endif
                :: else
                fi;
                i++
            :: else -> break
            od;
            open[me] = 0;
            if :: roleLock == me -> roleLock = NOBODY :: else fi
        :: !open[me]
        :: open[me] && crashes < CRASHES ->
            crashes++;
            open[me] = 0;
            if :: roleLock == me -> roleLock = NOBODY :: else fi
        fi;
        goto elect
    }
}

/* Peers end the session of a sealer that they hold for dead; its transaction is taken back. */
proctype SessionEnd() {
end_calm:
    do
    :: atomic { takeovers < TAKEOVERS && roleLock != NOBODY ->
        open[roleLock] = 0; roleLock = NOBODY }
    od
}

/* When nothing can move any more, everything that was committed is sealed, and nothing else. */
proctype Finish() {
    timeout ->
    CLAIM(ALL_SEALED, !unsealed[0] && !unsealed[1] && !unsealed[2] && !unsealed[3]);
    CLAIM(ALL_SEALED, sealings[0] == committed[0] && sealings[1] == committed[1]);
    CLAIM(ALL_SEALED, sealings[2] == committed[2] && sealings[3] == committed[3]);
    CLAIM(DENSE_POSITIONS, sealed == committed[0] + committed[1] + committed[2] + committed[3])
}

init {
    atomic {
        run Writer();
        run Writer();
        run Sealer(0);
        run Sealer(1);
        run SessionEnd();
        run Finish()
    }
}
