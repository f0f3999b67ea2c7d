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

/* It reads, as well: what it expects may be no more. */
_Bool __tsan_atomic32_compare_exchange_strong(volatile void *, void *, uint32_t,
					      int, int);
_Bool __tsan_atomic32_compare_exchange_strong(volatile void *at, void *was,
					      uint32_t is, int order, int other)
{
	(void)order, (void)other;
	before_volatile_read((void *)at, 4);
	return __atomic_compare_exchange_n((volatile uint32_t *)at,
					   (uint32_t *)was, is, 0,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#endif
