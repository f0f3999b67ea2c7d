/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the vCPUs of one guest share its page tables, and wake each other: a
 * model of what the hypervisor does with several processors. tests/run/spin.py
 * has Spin try every order in which the steps below can happen.
 *
 * Words. A guest has page tables, which are its own memory; what a processor
 * walks are shadow tables, which the hypervisor fills from them. A processor
 * keeps what it has walked: translations in its TLB, and pointers to tables in
 * its paging-structure cache (SDM vol. 3A, 4.10.3). Neither notices a store to a
 * table: the processor has to flush. The guest announces changes of its tables
 * in a queue, one per vCPU, which its ROM fills without an exit.
 *
 * What must be true (the asserts, and that nobody waits for ever):
 *
 *  - reuse: no processor walks through a shadow page that has become something
 *    else since it cached the pointer to it. It would take what is there for
 *    entries of a page table, and give the guest memory that is not its own. Our
 *    own accesses to guest memory go through the same tables and caches.
 *  - coherence: what one vCPU has announced, a flush on another one that comes
 *    later in memory order puts into effect there (VMI-3.8.5).
 *  - no deadlock: a vCPU that waits for the others to leave the guest against
 *    one that waits for the lock; two that do so at once.
 *  - no lost wakeup: who is interrupted gets the interrupt, be it in the guest,
 *    on the way, or halted.
 *
 * With one of the names below defined the model does one thing wrong, and
 * spin.py wants it to fail: this shows that the right way is needed, and that the
 * model can tell.
 *
 *	INSIDE_LATE	inside is set behind the lock, not under it
 *	INSIDE_LONG	and stays set until an exit has got the lock
 *	CHECK_EARLY	an exit looks for removals before it has the lock
 *	CHECK_LATE	only the way in looks, not the exit: our own accesses
 *	NO_WAIT		a shadow page is reused while others are in the guest
 *	NO_KICK		who waits for them does not interrupt them
 *	NO_OWN_FLUSH	and does not think of its own caches
 *	NO_QUARANTINE	a page that is out of use is free at once
 *	NO_LOOK		a flush works off its own vCPU's queue alone
 *	LOOK_BEHIND	it looks at the others' from where it stopped
 *	REMOTE_MARK	a flush that is asked of a vCPU in the guest is only noted
 *	REMOTE_BLIND	and is asked for without a look at the queues
 *	POLL_EARLY	interrupts are looked for before the lock is taken
 *	HALT_BLIND	halting does not look for an interrupt under the lock
 *	IDLE_LATE	a processor says that it is idle behind the lock
 */

#ifndef VCPUS
#define VCPUS	3
#endif
#ifndef CHANGES
#define CHANGES	2		/* of its tables, that the guest makes */
#endif
#ifndef TURNS
#define TURNS	3		/* of those that only use them */
#endif
#define PAGES	1		/* shadow page tables, numbers from 1: always short */
#define TABLES	2		/* the guest's page tables, numbers from 1 */
#define QUEUE	3		/* entries */
#define NONE	0

/* ---- the guest's memory: it writes this at any time, and so does a sibling -- */

/*
 * One linear page, a directory of one entry, page tables of one entry. Each
 * change of what the page maps has the next number; it maps the frame of that number,
 * but none if that is a multiple of 3. So what is older is smaller.
 */
byte directory = 1;			/* which table */
byte table[TABLES + 1];			/* number of the change that it holds */
byte told;				/* the last change that is announced */
bool acked;				/* the flush was done that an IPI asked */
#define PRESENT(number)	((number) % 3)

/* The queues: "table n has changed", "the directory has", "table n is released". */
#define E_TABLE(n)	(n)
#define E_DIRECTORY	(TABLES + 1)
#define E_RELEASE(n)	(TABLES + 1 + (n))
typedef Queue {
	byte entry[QUEUE];
	byte tail
};
Queue queue[VCPUS];

/* ---- the hypervisor's, behind the guest's lock ------------------------------ */

byte lock;				/* whose, + 1 */

byte root;				/* the shadow directory: which page */
byte shadow[PAGES + 1];			/* of each page: its entry */
byte use[PAGES + 1];			/* a table's number, or */
#define FREE		0
#define QUARANTINE	(TABLES + 1)

byte looked[VCPUS];			/* how far into each queue */

/*
 * In the code a counter, mm.removed, which grows with each removal of something
 * that was present, and in each mmu what it was at its last flush: this is
 * whether they differ.
 */
bool removed[VCPUS];

/* May its processor use the tables: in the guest, or on the last steps there. */
bool inside[VCPUS];

/* ---- interrupts -------------------------------------------------------------- */

bool irr[VCPUS];			/* requested; behind the guest's lock */
bool flag[VCPUS];			/* the guest's interrupt flag */
bool got[VCPUS];			/* its handler has run */

byte sched_lock;			/* taken inside the guest's lock, or alone */
bool halted[VCPUS];
bool idle[VCPUS];			/* its processor waits for an interrupt */

/* The machine's interrupt: stays until its processor takes it. Here each vCPU
 * has a processor of its own, with the same number. */
bool kicked[VCPUS];

/*
 * Below, the vCPU that acts is v. The other local variables of a vCPU are f, a
 * frame; p, a shadow page; e, an entry of a queue or a table's number; number, of
 * a change; i and o, which count.
 */

/* ---- processors --------------------------------------------------------------- */

byte tlb[VCPUS];			/* the translation of the page, or none */
byte cache[VCPUS];			/* the pointer to the page table, or none */

/* Not of the machine, but of the properties. */
bool reused[VCPUS];			/* what its cache points to has been */
byte needs[VCPUS];			/* no older translation is right */

#define FLUSH(v)							\
	d_step { tlb[v] = NONE; cache[v] = NONE; reused[v] = false }

/*
 * An access as far as the processor does it alone. f is the frame then, or NONE: a
 * page fault, which drops what was cached for the address (SDM vol. 3A, 4.10.4.1).
 * Each read of memory is a step of its own.
 */
inline walk()
{
	if
	:: tlb[v] != NONE -> f = tlb[v]
	:: true ->			/* it has none, or has dropped it */
		if
		:: cache[v] == NONE -> cache[v] = root
		:: else
		fi;
		if
		:: cache[v] == NONE -> f = NONE
		:: else ->
			d_step {
				assert(!reused[v]);		/* reuse */
				f = shadow[cache[v]];
				tlb[v] = f;
				if
				:: f == NONE -> cache[v] = NONE
				:: else
				fi
			}
		fi
	fi
}

/* ---- locks --------------------------------------------------------------------- */

#define LOCK(v)		atomic { lock == 0 -> lock = (v) + 1 }
#define UNLOCK(v)	d_step { assert(lock == (v) + 1); lock = 0 }
#define SCHED_LOCK(v)	atomic { sched_lock == 0 -> sched_lock = (v) + 1 }
#define SCHED_UNLOCK(v)	d_step { assert(sched_lock == (v) + 1); sched_lock = 0 }

/* ---- shadow pages; under the guest's lock, by vCPU v ----------------------------- */

/* p: which page is used so. */
inline find(t)
{
	d_step {
		p = 1;
		do
		:: p <= PAGES && use[p] != t -> p++
		:: else -> break
		od;
		if
		:: p > PAGES -> p = NONE
		:: else
		fi
	}
}

inline all_removed()
{
	d_step {
		removed[0] = true;
		removed[1] = true;
#if VCPUS > 2
		removed[2] = true
#endif
	}
}

/* Page p is out of use; others may have pointers to it cached. */
inline put()
{
	shadow[p] = NONE;
	d_step {
#ifdef NO_QUARANTINE
		use[p] = FREE;
#else
		use[p] = QUARANTINE;
#endif
	};
	all_removed()
}

/*
 * No free page: everything is put out of use if nothing is yet, and all others
 * have to leave the guest. The lock is held meanwhile, so that nobody comes
 * back; and who does later finds that something was removed.
 */
inline shootdown()
{
	find(QUARANTINE);
	if
	:: p == NONE ->
		root = NONE;
		p = 1;
		do
		:: p <= PAGES -> put(); p++
		:: else -> break
		od
	:: else
	fi;
	o = 0;
	do
	:: o < VCPUS ->
		if
		:: o != v && inside[o] ->
#ifndef NO_KICK
			kicked[o] = true;
#endif
#ifndef NO_WAIT
			!inside[o];
#endif
		:: else
		fi;
		o++
	:: else -> o = 0; break
	od;
#ifndef NO_OWN_FLUSH
	removed[v] = false;
	FLUSH(v);
#endif
	p = 1;
	d_step {
		do
		:: p <= PAGES ->
			if
			:: use[p] == QUARANTINE -> use[p] = FREE
			:: else
			fi;
			p++
		:: else -> break
		od
	}
}

#define REUSE(v, p)	reused[v] = reused[v] || cache[v] == p
/* p: the page for table e. */
inline take()
{
	find(e);
	if
	:: p == NONE ->
		find(FREE);
		if
		:: p == NONE ->
			shootdown();
			find(FREE)
		:: else
		fi;
		d_step {
			use[p] = e;
			REUSE(0, p);
			REUSE(1, p);
#if VCPUS > 2
			REUSE(2, p)
#endif
		}
	:: else
	fi
}

/* Word e of a queue. What the guest has written is read here, once, and what
 * it says now counts: so a word may be applied twice. */
inline apply()
{
	if
	:: e == E_DIRECTORY ->
		number = directory;
		if
		:: root != NONE && use[root] != number -> root = NONE;
			all_removed()
		:: else
		fi
	:: e > E_DIRECTORY ->
		find(e - E_DIRECTORY);
		if
		:: p != NONE ->
			if
			:: root == p -> root = NONE
			:: else
			fi;
			put()
		:: else
		fi
	:: else ->
		find(e);
		if
		:: p != NONE && shadow[p] != NONE ->
			number = table[e];
			if
			:: shadow[p] == number -> skip
			:: else ->
				shadow[p] = (PRESENT(number) != 0 -> number : NONE);
				all_removed()
			fi
		:: else
		fi
	fi
}

/*
 * The queue of vCPU q. Its own, in an exit, is empty then; no append of the ROM is
 * half done (the windows of STUB-7). A sibling's ROM may be appending: what stands
 * before the tail is whole. That tail is left alone, and the sibling's own drain
 * applies all of it again. The last word is looked at each time, for the ROM does
 * not append a word that equals the one before it (STUB-4): the entry may have
 * changed again.
 */
inline drain(q)
{
	i = (q == v -> 0 : looked[q]);
#ifndef LOOK_BEHIND
	if
	:: i > 0 -> i--
	:: else
	fi;
#endif
	do
	:: i < queue[q].tail ->
		e = queue[q].entry[i];
		apply();
		i++
	:: else -> break
	od;
	if
	:: q == v -> queue[q].tail = 0; looked[q] = 0
	:: q != v && i > looked[q] -> looked[q] = i
	:: else
	fi;
	d_step { i = 0; e = 0; p = 0; number = 0 }
}

/* ---- from the guest into the hypervisor, and back -------------------------------- */

inline forget_removed()
{
	if
	:: removed[v] -> removed[v] = false; FLUSH(v)
	:: else
	fi
}

/* Has the lock then. */
inline lock_guest()
{
#ifdef CHECK_EARLY
	forget_removed();
#endif
	LOCK(v);
#if !defined(CHECK_EARLY) && !defined(CHECK_LATE)
	forget_removed()
#endif
}

inline exit()
{
#ifdef POLL_EARLY
	polled = irr[v];
#endif
#ifdef INSIDE_LONG
	lock_guest();
	inside[v] = false
#else
	inside[v] = false;
	lock_guest()
#endif
}

/* To the guest's memory, as the frame of an event on its stack. */
inline own_access()
{
	walk();
	f = NONE
}

#ifdef POLL_EARLY
#define POLL(v)		polled
#else
#define POLL(v)		irr[v]
#endif

inline enter()
{
	d_step {
		pending = false;
		if
		:: POLL(v) && flag[v] ->	/* its handler runs */
			irr[v] = false;
			flag[v] = false;
			got[v] = true
		:: POLL(v) && !flag[v] -> pending = true
		:: else
		fi
	};
	forget_removed();
#ifdef INSIDE_LATE
	UNLOCK(v);
	inside[v] = true
#else
	inside[v] = true;
	UNLOCK(v)
#endif
}

/* The machine's interrupt, which came while v was in the guest, or waited. */
inline take_kick()
{
	kicked[v] = false;
	exit();
	own_access();
	enter()
}

/* ---- what the guest can do ---------------------------------------------------------- */

/* The ROM: from load to store of the tail nothing of v itself comes between. */
inline append(w)
{
	i = queue[v].tail;
	if
	:: i > 0 && queue[v].entry[i - 1] == w
	:: else ->
		queue[v].entry[i] = w;
		queue[v].tail = i + 1;
		if
		:: i + 1 == QUEUE ->
			exit();
			drain(v);
			enter()
		:: else
		fi
	fi;
	i = 0
}

/* An access to the page. f: the frame, or NONE if the guest's tables say so. */
inline touch()
{
	do
	:: walk();
		if
		:: f != NONE ->
			assert(f >= needs[v]);			/* coherence */
			break
		:: else
		fi;
		exit();
		own_access();
		drain(v);
		e = directory;
		number = table[e];
		if
		:: PRESENT(number) == 0 -> enter(); break	/* a page fault */
		:: else ->
			take();
			if
			:: (shadow[p] != NONE && shadow[p] != number) ||
			   (root != NONE && root != p) -> all_removed()
			:: else
			fi;
			shadow[p] = number;
			root = p;
			own_access();
			enter()
		fi
	od;
	f = NONE;
	d_step { e = 0; p = 0; number = 0 }
}

#define NEEDS(v)	needs[v] = (since > needs[v] -> since : needs[v])
/* FlushTLB and SetCR3 are one here: drain, look, flush. What had been announced
 * before is in effect behind it. */
inline flush()
{
	since = told;
	exit();
	o = 0;
	do
	:: o < VCPUS ->
#ifdef NO_LOOK
		if
		:: o == v -> drain(o)
		:: else
		fi;
#else
		drain(o);
#endif
		o++
	:: else -> o = 0; break
	od;
	removed[v] = false;
	FLUSH(v);
	enter();
	d_step { NEEDS(v); since = 0 }
}

/* FlushProcessors, of v and target: who is in the guest and may have what was
 * taken away has to leave it. */
inline flush_both(target)
{
	since = told;
	exit();
	o = 0;
	do
	:: o < VCPUS ->
#ifdef REMOTE_BLIND
		if
		:: o == v -> drain(o)
		:: else
		fi;
#else
		drain(o);
#endif
		o++
	:: else -> o = 0; break
	od;
	forget_removed();
#ifndef REMOTE_MARK
	if
	:: removed[target] && inside[target] ->
		kicked[target] = true;
		!inside[target]
	:: else
	fi;
#endif
	enter();
	d_step { NEEDS(v); NEEDS(target); since = 0 }
}

/* The page maps something else: by its table's entry, or by another table, while
 * the one before is released. */
inline change()
{
	if
	:: table[directory]++;
		append(E_TABLE(directory))
	:: d_step {
			table[TABLES + 1 - directory] = table[directory] + 1;
			directory = TABLES + 1 - directory
		};
		append(E_DIRECTORY);
		append(E_RELEASE(TABLES + 1 - directory))
	fi;
	told = table[directory]
}

/* APICWrite to ICR. */
inline interrupt(target)
{
	exit();
	drain(v);
	irr[target] = true;
	if
	:: inside[target] -> kicked[target] = true
	:: else
	fi;
	SCHED_LOCK(v);
	if
	:: halted[target] ->
		halted[target] = false;
		if
		:: idle[target] -> kicked[target] = true
		:: else
		fi
	:: else
	fi;
	SCHED_UNLOCK(v);
	enter()
}

/* Halt: turns the flag on, and waits for an interrupt. */
inline halt()
{
	exit();
	flag[v] = true;
	if
#ifndef HALT_BLIND
	:: irr[v]
#endif
	:: else ->
		SCHED_LOCK(v);
		halted[v] = true;
		SCHED_UNLOCK(v);
		UNLOCK(v);
		do			/* its processor has nothing else to do */
		:: SCHED_LOCK(v);
			if
			:: !halted[v] -> idle[v] = false; SCHED_UNLOCK(v); break
			:: else ->
#ifdef IDLE_LATE
				SCHED_UNLOCK(v);
				idle[v] = true;
#else
				idle[v] = true;
				SCHED_UNLOCK(v);
#endif
				/* STI, HLT: nothing comes between */
				atomic { kicked[v] -> kicked[v] = false }
			fi
		od;
#ifdef POLL_EARLY
		polled = irr[v];
#endif
		lock_guest()
	fi;
	enter()
}

/* EnableInterrupts: one instruction sets the flag and tells of STUB_PENDING. */
inline enable()
{
	flag[v] = true;
	if
	:: pending -> exit(); enter()
	:: else
	fi
}

/* ---- the guest's programs -------------------------------------------------------------- */

/*
 * vCPU 0 changes what the page maps. With IPI it interrupts vCPU 1 behind each
 * change, as a kernel does, and waits until that has flushed; without, the others
 * see that it has announced something, and flush when they like. With REMOTE it
 * has vCPU 1 flush without an interrupt, and the other way round.
 */
proctype Changer(byte v)
{
	byte f, i, o, e, p, number, since, n;
	bool pending, polled;

	LOCK(v);
	enter();
	do
	:: n < CHANGES ->
		change();
#ifdef IPI
		acked = false;
		interrupt(1);
		do
		:: acked -> break
		:: kicked[v] -> take_kick()
		od;
#else
		if
#ifdef REMOTE
		:: flush_both(1)
#else
		:: flush()
#endif
		:: true -> touch()
		:: true -> take_kick()		/* or its timer's interrupt */
		:: skip
		fi;
#endif
		n++
	:: else -> break
	od;
end:	do
	:: kicked[v] -> take_kick()
	od
}

/* Uses the page, and flushes now and then. */
proctype User(byte v)
{
	byte f, i, o, e, p, number, since, n;
	bool pending, polled;

	LOCK(v);
	enter();
	do
	:: n < TURNS ->
		if
		:: true -> touch()
#ifdef REMOTE
		:: flush_both(0)
#else
		:: flush()
#endif
		:: true -> take_kick()
		fi;
		n++
	:: else -> break
	od;
end:	do
	:: kicked[v] -> take_kick()
	od
}

/* Waits for the interrupts of vCPU 0, halted or running, and flushes at each. */
proctype Flusher(byte v)
{
	byte f, i, o, e, p, number, since, n;
	bool pending, polled;

	LOCK(v);
	enter();
	do
	:: n < CHANGES ->
		if
		:: true -> touch()
		:: skip
		fi;
		if
		:: do
			:: got[v] -> break
			:: !got[v] -> halt()
			od
		:: enable();
			do
			:: got[v] -> break
			:: kicked[v] -> take_kick()
			od
		fi;
		got[v] = false;
		flush();
		acked = true;
		touch();
		n++
	:: else -> break
	od;
end:	do
	:: kicked[v] -> take_kick()
	od
}

init {
	atomic {
		table[1] = 1;
		told = 1;
		run Changer(0);
#ifdef IPI
		run Flusher(1);
#else
		run User(1);
#endif
#if VCPUS > 2
		run User(2)
#endif
	}
}
