// SPDX-License-Identifier: Apache-2.0
/* farm.pml - leases, commits and spools of prfarm as a model that spin checks exhaustively: docs/model/check runs it.
 *
 * What is shown. One coordinator with a store, two workers with spools, a campaign of two points, and up to FAULTS faults of any kind
 * at any moment: the coordinator is killed, a worker is killed, a message is lost or comes twice, a lease ends although its worker
 * lives and measures. Whatever happens, in whatever order,
 *
 *   kept      a result that was acknowledged is in the store, and stays there;
 *   once      a point gets one result that counts, and no second one;
 *   fenced    what counts was measured under the newest lease that this coordinator issued for the point, if it issued any;
 *   final     a point is not given to a board any more once a result of it was acknowledged;
 *   answered  what a worker has measured is in its spool until the coordinator has stored it or has said that it may be forgotten;
 *   ends      every run is finite, and at its end every point has its result.
 *
 * How the model stands to the code.
 *
 *   here                   there
 *   stored                 the store's results that count (coordinator/store.c); labelled duplicates are written, too, but nothing
 *                          depends on them
 *   incarnation            counts the coordinator's starts (coordinator/daemon.c); epochs are numbered from it
 *   newest, lease, points  coordinator/scheduler.c
 *   session, receive       prf_results_take (coordinator/results.c): the table of results in docs/states.md
 *   committing, storage    the queue to the store's thread, and that thread (coordinator/commits.c, coordinator/store_queue.c)
 *   spool, unsent          worker/outbox.c with worker/spool.c
 *   up, down               a worker's connection, and the jobs that it has not finished: those a killed worker loses, too
 *
 * What is left out, and why it may be. Time: what a timer does because nothing else is going to happen (the lease of a job that is
 * nowhere ends, a result whose answer was lost is sent again) is free here; a lease that ends too early is a fault, and a result
 * that is sent again too early is a message that comes twice. Sessions, credit and heartbeats decide when something happens, not
 * whether it may. A process that is killed and started again does so in one step, since one that is down behaves as one that is
 * slow. A measurement has no value: it is named by the epoch of its lease, and so is the lease's job. Boards that fail, doubted and
 * tainted samples and several attempts are the scheduler's, and tested there.
 *
 * Mistakes that docs/model/check --mutants builds in, one after another, to see that they are found: ACKNOWLEDGED_BEFORE_COMMIT,
 * NO_FENCING, SPOOL_FORGOTTEN, STORE_NOT_ASKED, LEASES_FOR_EVER. */

#ifndef FAULTS
#define FAULTS 2
#endif
#define WORKERS 2
#define POINTS 2
#define LEASES (FAULTS + 1) /* of a point by one coordinator at most: each but the first follows from a fault */

/* Epochs are numbered point by point, from 1; sets of them are the bits of an int. */
#define BIT(e) (1 << (e))
#define IN(set, e) ((set) & BIT(e))
typedef sets { int of_point[POINTS] };

mtype = { JOB, RESULT, COMMITTED, FORGET };
chan up[WORKERS] = [2] of { mtype, byte /* point */, byte /* epoch */ };
chan down[WORKERS] = [2] of { mtype, byte, byte };

byte faults = FAULTS;

/* The coordinator's disk, */
byte incarnation;
byte stored[POINTS]; /* epoch of the result that counts; 0: none */

/* and its memory. */
byte newest[POINTS];     /* epoch that it issued last; 0: none */
byte lease[POINTS];      /* 1 + the worker that has it; 0: nobody */
byte on_its_way[POINTS]; /* epoch of the result that will count when it is stored; 0: none */
chan committing = [4] of { byte /* worker */, byte /* point */, byte /* epoch */, bool /* a duplicate */ };

/* Each worker's disk, and what it knows of it: results of which nothing is on its way, in neither direction. */
sets spool[WORKERS], unsent[WORKERS];

/* What the properties speak of. */
byte acknowledged[POINTS]; /* epoch of the result that was; 0: none */
sets unanswered[WORKERS];  /* measured, and the coordinator has not said what became of it */
bool finished;

/* --- coordinator --- */

#define KNOWN(p) (stored[p] || on_its_way[p])
#define LATE(p, e) (newest[p] && (e) != newest[p])
#if defined(STORE_NOT_ASKED)
#define DUPLICATE(p, e) LATE(p, e)
#elif defined(NO_FENCING)
#define DUPLICATE(p, e) KNOWN(p)
#else
#define DUPLICATE(p, e) (KNOWN(p) || LATE(p, e))
#endif

inline answer(w, p, e, duplicate)
{
    if
    :: duplicate -> down[w]!FORGET(p, e)
    :: else -> down[w]!COMMITTED(p, e); acknowledged[p] = e
    fi
}

inline receive(w, p, e, duplicate)
{
    duplicate = DUPLICATE(p, e);
    if
#ifdef ACKNOWLEDGED_BEFORE_COMMIT
    :: on_its_way[p] == e -> answer(w, p, e, false)
#else
    :: on_its_way[p] == e /* the same once more: answered with the first */
#endif
    :: on_its_way[p] != e && stored[p] == e -> answer(w, p, e, false)
    :: else ->
        committing!w(p, e, duplicate);
        if
        :: duplicate
        :: else -> on_its_way[p] = e; lease[p] = 0
        fi;
#ifdef ACKNOWLEDGED_BEFORE_COMMIT
        answer(w, p, e, duplicate)
#endif
    fi
}

/* What a worker says. */
proctype session(byte w)
{
    byte p, e;
    bool duplicate;
end:
    do
    :: atomic { nempty(up[w]) && nfull(down[w]) && nfull(committing) ->
        up[w]?RESULT(p, e);
        receive(w, p, e, duplicate);
        p = 0; e = 0; duplicate = false
       }
    od
}

/* One commit after another; what is waited for is told. */
proctype storage()
{
    byte w, p, e;
    bool duplicate;
end:
    do
    :: atomic { nempty(committing) && nfull(down[0]) && nfull(down[1]) ->
        committing?w(p, e, duplicate);
        if
        :: duplicate /* labelled, and never used */
        :: else ->
            assert(!stored[p]);                       /* once */
            assert(!newest[p] || newest[p] == e);     /* fenced */
            stored[p] = e; on_its_way[p] = 0
        fi;
#ifndef ACKNOWLEDGED_BEFORE_COMMIT
        answer(w, p, e, duplicate);
#endif
        w = 0; p = 0; e = 0; duplicate = false
       }
    od
}

/* The worker may still bring a result of that lease. */
#define HAS(w, p, e) (down[w]??[JOB, eval(p), eval(e)] || IN(spool[w].of_point[p], e))

/* Grants a point, and takes it back. */
proctype point(byte p)
{
    byte w;
end:
    do
    :: atomic { !KNOWN(p) && !lease[p] && (nfull(down[0]) || nfull(down[1])) ->
        if
        :: nfull(down[0]) -> w = 0
        :: nfull(down[1]) -> w = 1
        fi;
        assert(!acknowledged[p]); /* final */
        newest[p] = (newest[p] -> newest[p] + 1 : incarnation * LEASES + 1);
        assert(newest[p] <= (incarnation + 1) * LEASES);
        lease[p] = w + 1;
        down[w]!JOB(p, newest[p]);
        w = 0
       }
#ifndef LEASES_FOR_EVER
    :: atomic { lease[p] && !HAS(lease[p] - 1, p, newest[p]) -> lease[p] = 0 }
#endif
    :: atomic { faults && lease[p] && HAS(lease[p] - 1, p, newest[p]) -> faults--; lease[p] = 0 } /* too early */
    od
}

/* --- worker --- */

#define ADD(which, p, e) which.of_point[p] = which.of_point[p] | BIT(e)
#define REMOVE(which, p, e) which.of_point[p] = which.of_point[p] & ~BIT(e)

inline send(w, which, p, e)
{
    p = which; e = 1;
    do
    :: IN(unsent[w].of_point[p], e) -> break
    :: else -> e++
    od;
    REMOVE(unsent[w], p, e);
    up[w]!RESULT(p, e);
    p = 0; e = 0
}

inline forget(w, p, e)
{
    REMOVE(spool[w], p, e); REMOVE(unsent[w], p, e); REMOVE(unanswered[w], p, e);
    p = 0; e = 0
}

/* Acknowledgements do not wait behind jobs. */
proctype worker(byte w)
{
    byte p, e;
end:
    do
    :: atomic { down[w]??[JOB, _, _] -> down[w]??JOB(p, e); /* measured, and into the spool before anything else */
        ADD(spool[w], p, e); ADD(unsent[w], p, e); ADD(unanswered[w], p, e);
        p = 0; e = 0
       }
    :: atomic { nfull(up[w]) && unsent[w].of_point[0] -> send(w, 0, p, e) }
    :: atomic { nfull(up[w]) && unsent[w].of_point[1] -> send(w, 1, p, e) }
    :: atomic { down[w]??[COMMITTED, _, _] -> down[w]??COMMITTED(p, e); forget(w, p, e) }
    :: atomic { down[w]??[FORGET, _, _] -> down[w]??FORGET(p, e); forget(w, p, e) }
    od
}

/* --- faults --- */

/* The first message on the way is gone; a result that it should have brought or answered is due again. */
inline lose(w, way, kind, p, e)
{
    way?kind(p, e);
    if
    :: kind != JOB && IN(spool[w].of_point[p], e) -> ADD(unsent[w], p, e)
    :: else
    fi;
    kind = JOB; p = 0; e = 0
}

/* With a process its connections end: of what was on its way some has arrived and some has not. */
inline disconnect(w, kind, p, e)
{
    do
    :: nempty(up[w]) -> lose(w, up[w], kind, p, e)
    :: nempty(down[w]) -> lose(w, down[w], kind, p, e)
    :: break
    od
}

inline restart_coordinator(w, kind, p, e)
{
    incarnation++;
    do
    :: nempty(committing) ->
        committing?w(p, e, _);
        unsent[w].of_point[p] = unsent[w].of_point[p] | (spool[w].of_point[p] & BIT(e))
    :: empty(committing) -> break
    od;
    for (p : 0 .. POINTS - 1) {
        newest[p] = 0; lease[p] = 0; on_its_way[p] = 0
    }
    w = 0; p = 0; e = 0;
    disconnect(0, kind, p, e);
    disconnect(1, kind, p, e)
}

inline restart_worker(w, kind, p, e)
{
    for (p : 0 .. POINTS - 1) {
#ifdef SPOOL_FORGOTTEN
        spool[w].of_point[p] = 0;
#endif
        unsent[w].of_point[p] = spool[w].of_point[p] /* it sends everything again */
    }
    p = 0;
    disconnect(w, kind, p, e)
}

inline repeat(way, kind, p, e)
{
    way?<kind, p, e>;
    way!kind(p, e);
    kind = JOB; p = 0; e = 0
}

proctype fate()
{
    mtype kind = JOB;
    byte w, p, e;
end:
    do
    :: atomic { faults -> faults--; restart_coordinator(w, kind, p, e) }
    :: atomic { faults ->
        faults--;
        if
        :: w = 0
        :: w = 1
        fi;
        if
        :: restart_worker(w, kind, p, e)
        :: nempty(up[w]) -> lose(w, up[w], kind, p, e)
        :: nempty(down[w]) -> lose(w, down[w], kind, p, e)
        :: nempty(up[w]) && nfull(up[w]) -> repeat(up[w], kind, p, e)
        :: nempty(down[w]) && nfull(down[w]) -> repeat(down[w], kind, p, e)
        fi;
        w = 0
       }
    od
}

/* --- properties --- */

#define LOST(p) (acknowledged[p] && acknowledged[p] != stored[p])
#define WAITS(w) (unanswered[w].of_point[0] || unanswered[w].of_point[1])

/* When nobody has anything left to do. That this comes in every run is what the formula says. */
proctype end_of_run()
{
    atomic { timeout ->
        assert(!LOST(0) && !LOST(1));       /* kept */
        assert(!WAITS(0) && !WAITS(1));     /* answered */
        assert(stored[0] && stored[1]);     /* ends */
        finished = true
    }
}

ltl ends { <> finished }

init {
    byte i;
    atomic {
        for (i : 0 .. WORKERS - 1) {
            run worker(i); run session(i)
        }
        for (i : 0 .. POINTS - 1) {
            run point(i)
        }
        i = 0;
        run storage(); run fate(); run end_of_run()
    }
}
