/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin locks, first come, first served. Interrupts are off in the hypervisor:
 * who holds one is never interrupted, and NMI, #DF and #MC take none. None is
 * held while a guest runs. They are taken in this order:
 *
 *	a guest's (core.h)	all that the guest has: memory, shadow tables,
 *				devices, vCPUs; one guest's at a time, but for
 *				core/pages.c: two in the order of their numbers
 *	of its memory		what is where in it (gmem.moving)
 *	the scheduler's		who runs where, and whose time it is (core/sched.h)
 *	the machine's		memory, log, consoles: inside host.h
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdint.h>

struct spinlock {
	uint32_t	next;		/* ticket that is drawn next */
	uint32_t	owner;		/* ticket whose turn it is */
};

/* QEMU's processors take a lock of QEMU's at each PAUSE, which the one whose turn it is
 * may not get for long if another one waits for it again and again: not at each look. */
#define SPIN_LOOKS	4u

/* Assembly, so that no instruction in it is a race to a sanitizer. Who has drawn
 * a ticket waits for his turn. */
static inline void spin_wait(struct spinlock *l, uint32_t ticket)
{
	uint32_t owner, looks;

	for (looks = 1;; looks++) {
		asm volatile("movl %1, %0"
			     : "=r"(owner) : "m"(l->owner) : "memory");
		if (owner == ticket)
			break;
		if (!(looks % SPIN_LOOKS))
			asm volatile("pause");
	}
}

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket = 1;

	asm volatile("lock xaddl %0, %1"
		     : "+r"(ticket), "+m"(l->next) : : "memory");
	spin_wait(l, ticket);
}

static inline void spin_unlock(struct spinlock *l)
{
	asm volatile("incl %0" : "+m"(l->owner) : : "memory");
}

#endif
