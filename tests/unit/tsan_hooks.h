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

#define ATOMICS(n, type)						\
type __tsan_atomic##n##_load(const volatile void *, int);		\
type __tsan_atomic##n##_load(const volatile void *at, int order)	\
{									\
	(void)order;							\
	before_volatile_read((void *)at, n / 8);			\
	return __atomic_load_n((const volatile type *)at, __ATOMIC_SEQ_CST); \
}									\
void __tsan_atomic##n##_store(volatile void *, type, int);		\
void __tsan_atomic##n##_store(volatile void *at, type value, int order)	\
{									\
	(void)order;							\
	__atomic_store_n((volatile type *)at, value, __ATOMIC_SEQ_CST);	\
}									\
type __tsan_atomic##n##_fetch_add(volatile void *, type, int);		\
type __tsan_atomic##n##_fetch_add(volatile void *at, type value, int order) \
{									\
	(void)order;							\
	return __atomic_fetch_add((volatile type *)at, value, __ATOMIC_SEQ_CST); \
}
ATOMICS(8, uint8_t) ATOMICS(32, uint32_t)

#endif
