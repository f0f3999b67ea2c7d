/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile user: processes of uid 1000 without capabilities that attack the
 * kernel they run on, and what is below it. What each of them gets is one
 * line, the same natively and under a hypervisor; tests/run/hostile.py
 * compares. Runs as the console's program ("hostile" on the kernel's command
 * line, guest-linux/initramfs/rc).
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define PAGE		4096u

#ifdef __x86_64__
typedef uint64_t reg_t;
#define PRIxREG		"lx"
#else
typedef uint32_t reg_t;
#define PRIxREG		"x"
#endif

struct attack {
	const char	*name;
	void		(*run)(const struct attack *);
	const void	*code;
	const char	*gets;		/* on hardware; NULL: as natively */
	uint32_t	arg;
};
#define ATTACK(name, gets)	{ #name, name, NULL, gets, 0 }
#define ATTACK_ARG(name, function, arg, gets) \
	{ name, function, NULL, gets, arg }
#define ATTACKS_END		{ NULL, NULL, NULL, NULL, 0 }

extern const struct attack insn_attacks[];	/* insns.c */
extern const struct attack flow_attacks[];	/* flow.c */
extern const struct attack segment_attacks[];	/* segments.c */
extern const struct attack frame_attacks[];	/* frames.c */
extern const struct attack memory_attacks[];	/* memory.c */
extern const struct attack pointer_attacks[];	/* pointers.c */
extern const struct attack vm86_attacks[];	/* vm86.c: not natively */

/* ---- main.c ------------------------------------------------------------- */

/* What the attacker got: the line grows by this. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Many results in one word. */
extern uint32_t digest;
void digest_add(uint32_t value);
void check(bool good, const char *what);
bool under_hypervisor(void);

const char *signal_name(int sig);

/* For run.c: whether this signal is a tick or a step of which more are to come. */
bool one_of_many(int sig, const greg_t *gregs, reg_t ip);
typedef void handler(int, siginfo_t *, void *);
void catch_signals_by(handler *);

/* ---- run.c of either width ----------------------------------------------- */

/* All that there are; the list ends with NULL. */
const struct attack *const *attacks(void);
void catch_signals(void);

/* The last signal, and the registers that it interrupted. */
struct seen {
	int		sig, code;
	uint32_t	trap, error;
	reg_t		address, ip, sp, flags, ax, bx, cx, dx, r11;
	uint32_t	cs, ss, ds, es, fs, gs;
};
extern volatile struct seen seen;

/*
 * Calls this code, with these in (E/R)BX, CX and DX, until it raises a signal
 * (INT3 is one) or returns; then seen.sig is 0. Segment registers, stack and
 * flags are right again behind it.
 */
void run(const void *code, reg_t bx, reg_t cx, reg_t dx);
/* Says what it saw: signal, trap, error code, where from the code on. */
void say_seen(const void *code);

/* Signals of the clock to be let pass before one ends run(), of those that
 * come where this is true; and single steps. */
extern volatile int alarms_left, steps_left, steps;
extern bool (*alarm_counts)(const greg_t *gregs);
void clock_start(void);			/* every tick of the kernel's */
void clock_stop(void);

/* Memory that may be executed, at this address or anywhere. */
void *map_at(uintptr_t at, uint32_t bytes, int prot);
#define RWX	(PROT_READ | PROT_WRITE | PROT_EXEC)

/* Code in assembly that ends in INT3. */
#define CODE(name, text)						\
	extern const uint8_t name[];					\
	__asm__(".pushsection .text\n" #name ":\n" text			\
		"\n\tint3\n\t.popsection")

/* Entries of the LDT (modify_ldt); -errno. */
#define LDT(n)		((n) * 8 + 7)
enum { DATA, DATA_DOWN, CODE_EXEC };
int ldt_set(unsigned int n, uint32_t base, uint32_t limit, int contents,
	    bool wide, bool in_pages);
int ldt_clear(unsigned int n);

#endif
