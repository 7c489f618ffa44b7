/*
 * The topics: the elected publisher that writes what is sealed to the output streams.
 *
 * One step is one statement of the ledger or one exchange with the broker. A publisher may pause between any two steps
 * for as long as it likes, and wake as a zombie. The log is as seal.pml shows it: positions are given without a gap,
 * and never again. From each position follow a record of the receipts' stream and one of the grants' or revocations'
 * stream. The flags that break the design are listed in `run`; docs/model.md explains them.
 */

#define POSITIONS 3
#define STREAMS 3
#define RECEIPTS 0
#define GRANTS 1
#define REVOCATIONS 2

#define TAKEOVERS 2   /* changes of the publisher */
#define CRASHES 1     /* of a publisher, before any record */
#define ERRORS 1      /* replies of the broker that leave a doubt */
#define LOSSES 1      /* acknowledged records that the broker loses */

/* Claims. */
#define DENSE_STREAM 1
#define SAME_REPEAT 2
#define ALL_PUBLISHED 3
#include "claims.pml"

/* The ledger. */
byte sealed;
#define isRevocation(at) ((at) == 1)
byte saved;                    /* the publisher's note: all before this position was on the topics */
#ifdef NOTED_BEFORE_SENT
#define notedEnd (saved > 0 -> saved - 1 : 0)
#else
#define notedEnd saved
#endif
byte publisher;
byte publishEpoch = 1;

/* The output streams, as a reader keeps them: what it has seen without a gap, and what stands there now. */
byte seen[STREAMS];
byte present[STREAMS];
typedef Stream { byte body[POSITIONS] };
Stream stream[STREAMS];
bit refused[2];                /* this publisher's producer is refused by the broker */
byte takeovers, crashes, errors, losses;

/* What a record reads: the ledger alone decides it. */
#ifdef RENDERED_ANEW
#define BODY(position, who) (1 + (position) + 8 * (who))
#else
#define BODY(position, who) (1 + (position))
#endif

/* The sequence number in its stream of the record that follows from a position. */
inline sequenceOf(position, s, result) {
    result = 0;
    i = 0;
    do
    :: i < position ->
        if :: s == RECEIPTS || isRevocation(i) == (s == REVOCATIONS) -> result++ :: else fi;
        i++
    :: else -> break
    od;
    i = 0
}

/* Seals a grant, a revocation and a grant. */
proctype Log() {
    do
    :: atomic { sealed < POSITIONS -> sealed++ }
    :: sealed == POSITIONS -> break
    od
}

/* One record to the broker. It arrives and the publisher hears so; or there is an error, and it arrived or not. */
inline send(s) {
    atomic {
        sequenceOf(at, s, q);
        if
        :: q < found[s] -> MET(FOUND_ON_TOPIC)
        :: else ->
            if
            :: refused[me] -> goto recover
            :: !refused[me] -> deliver(s)
            :: !refused[me] && errors < ERRORS -> errors++; deliver(s); doubt()
            :: !refused[me] && errors < ERRORS -> errors++; doubt()
            :: crashes < CRASHES -> crashes++; goto start
            fi
        fi;
        q = 0
    }
}

/* After an error that leaves a doubt, the producer is destroyed and the tail read back. */
inline doubt() {
#ifdef DOUBT_TAKEN_FOR_DELIVERED
    skip
#else
    goto recover
#endif
}

/* What a reader holds against a record: the next number is new, a smaller one repeats the same bytes, a greater one is
   a gap. */
inline deliver(s) {
    CLAIM(DENSE_STREAM, q <= seen[s] && q <= present[s]);
    if
    :: q == seen[s] -> seen[s]++; stream[s].body[q] = BODY(at, me)
    :: q < seen[s] ->
        CLAIM(SAME_REPEAT, stream[s].body[q] == BODY(at, me));
        if :: q < present[s] -> MET(REPEAT_SENT) :: else -> MET(SENT_AGAIN_AFTER_LOSS) fi
    :: else
    fi;
    if :: q == present[s] -> present[s]++ :: else fi
}

proctype Publisher(byte me) {
    byte epoch, at, s, q, i;
    byte found[STREAMS];

start:
    atomic { epoch = 0; at = 0; s = 0; q = 0; i = 0; found[0] = 0; found[1] = 0; found[2] = 0 }
end_start:
    atomic {
        if
        :: publisher == me -> epoch = publishEpoch
        :: publisher != me && takeovers < TAKEOVERS ->
            takeovers++; publisher = me; publishEpoch++; epoch = publishEpoch
        fi
    }

recover:
    /* A new producer; the note in the ledger; what stands on the topics from there on. */
    atomic { at = saved; refused[me] = 0; s = 0; q = 0; i = 0; found[0] = 0; found[1] = 0; found[2] = 0 }
#ifndef TAIL_NOT_READ
    atomic {
        found[0] = present[0]; found[1] = present[1]; found[2] = present[2];
        /* A stream that ends before the end that the note names has lost records: publishing goes back to the first
           that is missing. */
        at = 0;
        do
        :: at < notedEnd ->
            sequenceOf(at, RECEIPTS, q);
            if :: q >= found[RECEIPTS] -> break :: else fi;
            s = (isRevocation(at) -> REVOCATIONS : GRANTS);
            sequenceOf(at, s, q);
            if :: q >= found[s] -> break :: else fi;
            at++
        :: else -> at = saved; break
        od;
        s = 0; q = 0
    }
#endif

end_publish:
    do
    :: at < sealed ->
#ifdef NOTED_BEFORE_SENT
        atomic {
            if
            :: publisher == me && publishEpoch == epoch && at + 1 > saved -> saved = at + 1
            :: else
            fi
        }
#endif
        send(RECEIPTS);
        atomic { s = (isRevocation(at) -> REVOCATIONS : GRANTS) }
        send(s);
        atomic { s = 0; at++ }
        /* The note, under the role's fence and never backwards. */
        atomic {
            if
            :: publisher == me && publishEpoch == epoch -> if :: at > saved -> saved = at :: else fi
            :: !(publisher == me && publishEpoch == epoch) -> MET(NOTE_REFUSED); goto start
            :: true      /* notes are written now and then */
            fi
        }
    od
}

/* The broker loses the last record of a stream that it had acknowledged, for example with a leader that did not have
   it. Producers that knew the stream are refused from then on. */
proctype Broker() {
end_calm:
    do
    :: atomic { losses < LOSSES && present[RECEIPTS] > 0 ->
        losses++; present[RECEIPTS]--; refused[0] = 1; refused[1] = 1 }
    :: atomic { losses < LOSSES && present[GRANTS] > 0 ->
        losses++; present[GRANTS]--; refused[0] = 1; refused[1] = 1 }
    od
}

/* When nothing can move any more, everything that was sealed is on the topics. */
proctype Finish() {
    timeout ->
    CLAIM(ALL_PUBLISHED, seen[RECEIPTS] == sealed && seen[GRANTS] + seen[REVOCATIONS] == sealed)
}

init {
    atomic {
        run Log();
        run Publisher(0);
        run Publisher(1);
        run Broker();
        run Finish()
    }
}
