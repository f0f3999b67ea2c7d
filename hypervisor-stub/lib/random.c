// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers that nobody guesses: SipHash-2-4 of a counter and the time, with a key that
 * the processor has given, or as far as it has no RDRAND the time.
 */
#include <cpu.h>
#include <host.h>

#include "lib.h"

#define CPUID_RDRAND	(1u << 30)	/* leaf 1, ECX */
#define RDRAND_TRIES	10		/* SDM Vol. 1, 7.3.17 */

static inline uint64_t rotate(uint64_t x, uint32_t by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], uint32_t n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t random_hash(const uint64_t key[2], const uint64_t *word, uint32_t words)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)words << 59;	/* 8 * words << 56 */
	uint32_t i;

	for (i = 0; i <= words; i++) {
		uint64_t m = i < words ? word[i] : last;

		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* 0: it has none just now. */
static uint64_t of_processor(void)
{
	uint64_t word = 0;
	uint32_t r[4], i;
	bool done = false;

	cpuid(1, 0, r);
	for (i = 0; (r[2] & CPUID_RDRAND) && !done && i < RDRAND_TRIES; i++)
		asm volatile("rdrand %0" : "=r"(word), "=@ccc"(done));
	return done ? word : 0;
}

void random_init(struct random *r)
{
	r->key[0] ^= of_processor() ^ rotate(rdtsc(), 32);
	r->key[1] ^= of_processor() ^ host_wallclock_ns();
	r->count = rdtsc();
}

uint64_t random_word(struct random *r)
{
	const uint64_t word[2] = { r->count++, rdtsc() };

	return random_hash(r->key, word, 2);
}
