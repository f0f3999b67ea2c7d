/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the smoke test have in common. */
#ifndef SMOKE_H
#define SMOKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE		4096u

#define check(cond) do {						\
	if (!(cond)) {							\
		printf("smoke: FAILED line %d: %s (errno %d)\n",	\
		       __LINE__, #cond, errno);				\
		fflush(stdout);						\
		_exit(1);						\
	}								\
} while (0)

/* FNV-1a, over 32-bit words. */
static inline uint32_t hash(uint32_t h, uint32_t value)
{
	return (h ^ value) * 16777619u;
}

/* The status of a child, when it has ended. */
int wait_status(pid_t pid);

/* ---- faults that come back as signals ---------------------------------- */

/* Of the last one: CR2, the vector, the error code. */
extern volatile uintptr_t fault_address;
extern volatile uint32_t fault_trapno, fault_error;

extern sigjmp_buf fault_return;

/*
 * The signal that doing this raises, 0 if none. No action changes a local
 * variable before it faults, so there is nothing for longjmp to clobber.
 */
#pragma GCC diagnostic ignored "-Wclobbered"
#define signal_of(action) ({						\
	volatile int sig_ = sigsetjmp(fault_return, 1);			\
	if (!sig_) {							\
		action;							\
	}								\
	sig_;								\
})

static inline int read_signal(volatile char *p)
{
	return signal_of((void)*p);
}

static inline int write_signal(volatile char *p)
{
	return signal_of(*p = 1);
}

/* ---- smoke_ring.c: what the rings keep a process from ------------------- */

/* The kernel's addresses, and those of the hypervisor. */
void check_kernel_space(void);
/* Instructions. */
uint32_t part_traps(uint32_t h);
/* Contexts for a signal handler to return to. */
uint32_t part_frames(uint32_t h);

#endif
