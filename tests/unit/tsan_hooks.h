/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What code that is compiled for a thread sanitizer calls before each access,
 * for a test that plays the sanitizer: it defines the two functions below.
 */
#ifndef TSAN_HOOKS_H
#define TSAN_HOOKS_H

#include <stdint.h>

void before_plain_access(void *at);
void before_volatile_read(void *at, uint32_t len);

#define HOOK(name, ...)							\
void __tsan_##name(void *at);						\
void __tsan_##name(void *at)						\
{									\
	__VA_ARGS__;							\
}
#define HOOKS(n)							\
HOOK(read##n, before_plain_access(at))					\
HOOK(write##n, before_plain_access(at))					\
HOOK(volatile_read##n, before_volatile_read(at, n))			\
HOOK(volatile_write##n, (void)at)					\
HOOK(unaligned_read##n, before_plain_access(at))			\
HOOK(unaligned_write##n, before_plain_access(at))
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
HOOK(func_entry, (void)at)
HOOK(func_exit, (void)at)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_read_range(void *at, long n);
void __tsan_read_range(void *at, long n)
{
	(void)n;
	before_plain_access(at);
}

void __tsan_write_range(void *at, long n);
void __tsan_write_range(void *at, long n)
{
	(void)n;
	before_plain_access(at);
}

uint32_t __tsan_atomic32_fetch_or(volatile void *, uint32_t bits, int order);
uint32_t __tsan_atomic32_fetch_or(volatile void *at, uint32_t bits, int order)
{
	(void)order;
	return __atomic_fetch_or((volatile uint32_t *)at, bits,
				 __ATOMIC_SEQ_CST);
}

#endif
