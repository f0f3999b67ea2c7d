/* SPDX-License-Identifier: GPL-2.0-only */
/* What the unikernels of these tests share: the way in, calls, text, traps. */
#ifndef LIB_H
#define LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "solo5_abi.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Each program: its status. */
int run(const struct solo5_boot_info *);

/* The manifest of one with so many devices, in braces; entry 0 is there. */
#define MANIFEST(count, ...)						\
	const struct {							\
		uint32_t namesz, descsz, type;				\
		char name[8];						\
		uint32_t pad, version, entries;				\
		struct solo5_entry entry[1 + (count)];			\
	} manifest							\
	__attribute__((section(".note.manifest"), aligned(8), used)) = { \
		sizeof(SOLO5_NOTE_NAME),				\
		SOLO5_MANIFEST_PAD + sizeof(struct solo5_manifest) +	\
			(1 + (count)) * sizeof(struct solo5_entry),	\
		SOLO5_NOTE_MANIFEST, SOLO5_NOTE_NAME, 0,		\
		SOLO5_MANIFEST_VERSION, 1 + (count),			\
		{ { .type = SOLO5_FIRST }, __VA_ARGS__ }		\
	}

/* ---- calls ----------------------------------------------------------------- */

static inline void call(uint32_t nr, const volatile void *block)
{
	asm volatile("outl %0, %w1"
		     : : "a"((uint32_t)(uintptr_t)block),
		       "d"(SOLO5_PORT + nr) : "memory");
}

uint64_t walltime(void);
void say(const char *);
/* How many handles can be read; or none in this time. */
int poll(uint64_t ns, uint64_t *ready);
int block_write(uint64_t handle, uint64_t offset, const void *, size_t);
int block_read(uint64_t handle, uint64_t offset, void *, size_t);
int net_write(uint64_t handle, const void *, size_t);
int net_read(uint64_t handle, void *, size_t *);
void __attribute__((noreturn)) halt(int status, const void *cookie);

/* ---- text ------------------------------------------------------------------- */

/* %s, %d (int), %lx (uint64_t); one call. */
void __attribute__((format(printf, 1, 2))) print(const char *fmt, ...);
bool same(const char *, const char *);
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);

/* The line says where; then status 1. */
#define CHECK(c) do {							\
		if (!(c)) {						\
			print("FAILED %s:%d: %s\n", __FILE__, __LINE__, #c); \
			halt(1, NULL);					\
		}							\
	} while (0)

/* ---- traps (traps.asm) ------------------------------------------------------- */

struct trap {
	uint64_t	cr2, error, rip, cs, rflags, rsp, ss;
};
/* GDT, TSS and IDT of its own, all traps on stacks of the TSS. A trap is told, and
 * the end: ABORT, status 255. */
void traps_init(void);
/* So many INT3 are only counted. */
extern uint32_t trap_resumes;

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
		     "d"((uint32_t)(value >> 32)));
}

#endif
